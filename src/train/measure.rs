//! How good answers are: accuracy, F1 by block, confusion, the three best guesses, and what accuracy costs in coverage.
//! Pure. Definitions: macro-F1 is the mean over the blocks that occur among labels or answers; a coverage of 0.8 is the
//! eight tenths of the texts with the highest confidence.

use serde::Serialize;

use crate::enrich::classify::Outcome;

/// Shares of the coverage curve.
const COVERAGES: [f64; 6] = [1.0, 0.95, 0.9, 0.8, 0.7, 0.5];

/// One answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    pub label: u8,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, Serialize)]
pub struct Class {
    pub code: String,
    pub name: String,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    /// Texts with this label.
    pub n: usize,
    /// Answers with this block.
    pub answered: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct CoveragePoint {
    pub coverage: f64,
    pub accuracy: f64,
    /// The lowest confidence that is still in.
    pub threshold: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Measures {
    pub n: usize,
    pub accuracy: f64,
    pub macro_f1: f64,
    /// Share of texts whose label is among the three best guesses.
    pub top3: f64,
    /// Share of texts under the threshold, «не определено».
    pub unknown: f64,
    /// Accuracy of those over it.
    pub accuracy_known: f64,
    pub classes: Vec<Class>,
    pub coverage: Vec<CoveragePoint>,
    /// Rows are labels, columns answers, in the order of `classes`.
    pub confusion: Vec<Vec<usize>>,
}

/// `names`: code and name of each block.
pub fn measure(answers: &[Answer], names: &[(String, String)]) -> Measures {
    let blocks = names.len();
    let mut all = vec![vec![0usize; blocks]; blocks];
    for answer in answers {
        all[usize::from(answer.label)][usize::from(answer.outcome.block)] += 1;
    }
    let total = |block: usize| -> (usize, usize) { (all[block].iter().sum(), all.iter().map(|row| row[block]).sum()) };
    let met: Vec<usize> = (0..blocks).filter(|block| total(*block) != (0, 0)).collect();
    let classes: Vec<Class> = met
        .iter()
        .map(|block| {
            let (n, answered) = total(*block);
            let right = all[*block][*block];
            let (precision, recall) = (share(right, answered), share(right, n));
            let f1 = share(2 * right, n + answered);
            Class { code: names[*block].0.clone(), name: names[*block].1.clone(), precision, recall, f1, n, answered }
        })
        .collect();
    let right = |answer: &&Answer| answer.outcome.block == answer.label;
    let known: Vec<&Answer> = answers.iter().filter(|answer| !answer.outcome.unknown).collect();
    let in_top = |answer: &&Answer| answer.outcome.top.iter().any(|candidate| candidate.block == answer.label);
    Measures {
        n: answers.len(),
        accuracy: share(answers.iter().filter(right).count(), answers.len()),
        macro_f1: classes.iter().map(|class| class.f1).sum::<f64>() / classes.len().max(1) as f64,
        top3: share(answers.iter().filter(in_top).count(), answers.len()),
        unknown: share(answers.len() - known.len(), answers.len()),
        accuracy_known: share(known.iter().copied().filter(right).count(), known.len()),
        coverage: curve(answers),
        confusion: met.iter().map(|row| met.iter().map(|column| all[*row][*column]).collect()).collect(),
        classes,
    }
}

fn curve(answers: &[Answer]) -> Vec<CoveragePoint> {
    let mut sorted: Vec<&Answer> = answers.iter().collect();
    sorted.sort_by(|left, right| right.outcome.confidence.total_cmp(&left.outcome.confidence));
    let points = COVERAGES.iter().filter_map(|coverage| {
        let count = (sorted.len() as f64 * coverage).round() as usize;
        let last = sorted.get(count.checked_sub(1)?)?;
        let right = sorted[..count].iter().filter(|answer| answer.outcome.block == answer.label).count();
        let threshold = f64::from(last.outcome.confidence);
        Some(CoveragePoint { coverage: *coverage, accuracy: share(right, count), threshold })
    });
    points.collect()
}

fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

impl std::fmt::Display for Measures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:<14}{:>10}{:>10}{:>8}{:>8}{:>10}", "block", "precision", "recall", "f1", "texts", "answers")?;
        for class in &self.classes {
            let Class { code, precision, recall, f1, n, answered, .. } = class;
            writeln!(f, "{code:<14}{precision:>10.3}{recall:>10.3}{f1:>8.3}{n:>8}{answered:>10}")?;
        }
        writeln!(f, "\nrows: labels, columns: answers")?;
        write!(f, "{:<14}", "")?;
        for class in &self.classes {
            write!(f, "{:>8.7}", class.code)?;
        }
        for (class, row) in self.classes.iter().zip(&self.confusion) {
            write!(f, "\n{:<14}", class.code)?;
            for count in row {
                write!(f, "{count:>8}")?;
            }
        }
        writeln!(f, "\n\ncoverage  accuracy  confidence from")?;
        for point in &self.coverage {
            writeln!(f, "{:>8.2}  {:>8.3}  {:>15.2}", point.coverage, point.accuracy, point.threshold)?;
        }
        writeln!(
            f,
            "\n{} texts, accuracy {:.3}, macro-F1 {:.3}, among the three best {:.3}",
            self.n, self.accuracy, self.macro_f1, self.top3
        )?;
        write!(f, "not determined {:.3}, accuracy of the rest {:.3}", self.unknown, self.accuracy_known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::classify::Candidate;

    fn answer(label: u8, block: u8, confidence: f32) -> Answer {
        let second = Candidate { block: 2, confidence: 0.1 };
        let top = [Candidate { block, confidence }, second, Candidate { block: 3, confidence: 0.0 }];
        Answer { label, outcome: Outcome { block, topic: None, confidence, top, unknown: confidence < 0.4 } }
    }

    #[test]
    fn measures_are_those_that_can_be_counted_by_hand() {
        let names: Vec<_> = ["a", "b", "c", "d"].map(|code| (code.to_owned(), code.to_owned())).to_vec();
        let answers = [answer(0, 0, 0.9), answer(0, 1, 0.3), answer(1, 1, 0.8), answer(2, 1, 0.35)];
        let measures = measure(&answers, &names);
        assert_eq!((measures.n, measures.accuracy, measures.top3), (4, 0.5, 0.75));
        assert_eq!((measures.unknown, measures.accuracy_known), (0.5, 1.0));
        let of: Vec<_> =
            measures.classes.iter().map(|class| (class.code.as_str(), class.precision, class.recall)).collect();
        assert_eq!(of, [("a", 1.0, 0.5), ("b", 1.0 / 3.0, 1.0), ("c", 0.0, 0.0)]);
        assert!((measures.macro_f1 - (2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12);
        assert_eq!(measures.confusion, [[1, 1, 0], [0, 1, 0], [0, 1, 0]]);
        let half = measures.coverage.iter().find(|point| point.coverage == 0.5).expect("a point");
        assert_eq!((half.accuracy, half.threshold as f32), (1.0, 0.8));
    }

    #[test]
    fn no_answers_are_no_division_by_zero() {
        let measures = measure(&[], &[("a".to_owned(), "a".to_owned())]);
        assert_eq!((measures.n, measures.accuracy, measures.macro_f1), (0, 0.0, 0.0));
        assert!(measures.coverage.is_empty());
    }
}
