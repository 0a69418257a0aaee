//! Linear classifiers, one against the rest: L2-regularised squared hinge loss by dual coordinate descent (Hsieh et al.,
//! 2008; what LIBLINEAR does with `-s 1`). Pure and deterministic: the same rows, parameters and seed give the same weights,
//! whatever the number of threads.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::RngCore;

/// Sparse rows: row `i` has the cells `starts[i]..starts[i + 1]`.
#[derive(Default)]
pub struct Rows {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
    squares: Vec<f64>,
}

impl Rows {
    pub fn push(&mut self, cells: &[(u32, f32)]) {
        if self.starts.is_empty() {
            self.starts.push(0);
        }
        for (column, value) in cells {
            self.columns.push(*column);
            self.values.push(*value);
        }
        self.starts.push(self.columns.len());
        self.squares.push(cells.iter().map(|(_, value)| f64::from(*value) * f64::from(*value)).sum());
    }

    pub fn len(&self) -> usize {
        self.squares.len()
    }

    pub fn is_empty(&self) -> bool {
        self.squares.is_empty()
    }

    fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.columns[range.clone()], &self.values[range])
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    /// Price of a mistake.
    pub cost: f64,
    /// How much a rare class's mistakes cost more: 0 not at all, 1 in proportion to its rarity.
    pub balance: f64,
    pub rounds: usize,
    /// A round whose largest step is below this is the last.
    pub tolerance: f64,
    pub seed: u64,
    pub threads: usize,
}

/// Weights of each class, `columns` numbers each.
pub fn solve(rows: &Rows, labels: &[u8], classes: usize, columns: usize, parameters: &Parameters) -> Vec<Vec<f32>> {
    let threads = parameters.threads.clamp(1, classes.max(1));
    let mut weights: Vec<Vec<f32>> = Vec::new();
    weights.resize_with(classes, Vec::new);
    std::thread::scope(|scope| {
        // Every n-th class: neighbours in the list differ in size, so the shares are about equal.
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mine = (worker..classes).step_by(threads);
                    mine.map(|class| (class, one(rows, labels, class as u8, classes, columns, parameters)))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for worker in workers {
            match worker.join() {
                Ok(solved) => solved.into_iter().for_each(|(class, solved)| weights[class] = solved),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    weights
}

fn one(rows: &Rows, labels: &[u8], class: u8, classes: usize, columns: usize, parameters: &Parameters) -> Vec<f32> {
    let positives = labels.iter().filter(|label| **label == class).count().max(1);
    let rarity = labels.len() as f64 / (classes as f64 * positives as f64);
    let cost_positive = parameters.cost * rarity.max(1e-3).powf(parameters.balance);
    let diagonal = |positive: bool| 0.5 / if positive { cost_positive } else { parameters.cost };
    let mut weights = vec![0f32; columns];
    let mut alphas = vec![0f64; rows.len()];
    let mut order: Vec<u32> = (0..rows.len() as u32).collect();
    let mut dice = Pcg64Mcg::new(u128::from(parameters.seed) << 8 | u128::from(class) | 1 << 100);
    for _ in 0..parameters.rounds {
        for place in (1..order.len()).rev() {
            order.swap(place, (dice.next_u64() % (place as u64 + 1)) as usize);
        }
        let mut largest = 0f64;
        for row in &order {
            let row = *row as usize;
            let positive = labels[row] == class;
            let sign = if positive { 1.0 } else { -1.0 };
            let (at, values) = rows.row(row);
            let mut margin = 0f32;
            for (column, value) in at.iter().zip(values) {
                margin += weights[*column as usize] * value;
            }
            let diagonal = diagonal(positive);
            let gradient = sign * f64::from(margin) - 1.0 + alphas[row] * diagonal;
            let projected = if alphas[row] == 0.0 { gradient.min(0.0) } else { gradient };
            largest = largest.max(projected.abs());
            if projected.abs() < 1e-9 {
                continue;
            }
            let old = alphas[row];
            alphas[row] = (old - gradient / (rows.squares[row] + diagonal)).max(0.0);
            let step = ((alphas[row] - old) * sign) as f32;
            for (column, value) in at.iter().zip(values) {
                weights[*column as usize] += step * value;
            }
        }
        if largest < parameters.tolerance {
            break;
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARAMETERS: Parameters =
        Parameters { cost: 1.0, balance: 0.0, rounds: 200, tolerance: 1e-6, seed: 7, threads: 1 };

    /// Two features that tell two classes apart, a third that says nothing.
    fn rows() -> (Rows, Vec<u8>) {
        let mut rows = Rows::default();
        let mut labels = Vec::new();
        for number in 0..20u32 {
            let label = (number % 2) as u8;
            rows.push(&[(u32::from(label), 1.0), (2, 0.5)]);
            labels.push(label);
        }
        (rows, labels)
    }

    #[test]
    fn the_solution_is_the_one_that_can_be_computed_by_hand() {
        // By symmetry w = (a, -a, 0): minimise a² + Σ (1 - a)² over 20 rows, so a = 20 / 21.
        let (rows, labels) = rows();
        let weights = solve(&rows, &labels, 2, 3, &PARAMETERS);
        for (number, expected) in [20.0 / 21.0, -20.0 / 21.0, 0.0f32].into_iter().enumerate() {
            assert!((weights[0][number] - expected).abs() < 1e-3, "{weights:?}");
            assert!((weights[1][number] + expected).abs() < 1e-3, "{weights:?}");
        }
    }

    #[test]
    fn threads_do_not_change_the_result_and_the_seed_fixes_it() {
        let (rows, labels) = rows();
        let one = solve(&rows, &labels, 2, 3, &Parameters { rounds: 2, ..PARAMETERS });
        let two = solve(&rows, &labels, 2, 3, &Parameters { rounds: 2, threads: 2, ..PARAMETERS });
        assert_eq!(one, two);
    }
}
