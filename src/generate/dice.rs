//! All randomness of the simulation: one seeded PCG stream and the few distributions built on it.
//! Owner: [`super::Simulation`]. Invariant: the same seed gives the same throws for ever, because the distributions are written
//! here and do not change with the version of a library.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{RngCore, SeedableRng};

/// The seeded source of every random choice.
#[derive(Clone, Debug)]
pub(super) struct Dice {
    stream: Pcg64Mcg,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        Dice { stream: Pcg64Mcg::seed_from_u64(seed) }
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.stream.next_u64()
    }

    /// A whole number in `0..limit`; zero when `limit` is zero.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.bits()) * limit as u128) >> 64) as usize
    }

    /// A whole number in `low..=high`.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below((high - low + 1) as usize) as u32
    }

    /// In `[0, 1)`.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the items, `None` of an empty list.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// One of the words, an empty one of an empty list.
    pub(super) fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.below(words.len())).copied().unwrap_or_default()
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// Log-normal with the given median and spread.
    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let radius = (2.0 * self.exponential()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }
}

/// Draws an index in proportion to its weight.
#[derive(Clone, Debug)]
pub(super) struct Weighted {
    cumulative: Vec<f64>,
}

impl Weighted {
    pub(super) fn new(weights: impl IntoIterator<Item = f64>) -> Weighted {
        let mut sum = 0.0;
        let cumulative = weights
            .into_iter()
            .map(|weight| {
                sum += weight.max(0.0);
                sum
            })
            .collect();
        Weighted { cumulative }
    }

    pub(super) fn total(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    pub(super) fn draw(&self, dice: &mut Dice) -> usize {
        let mark = dice.unit() * self.total();
        self.cumulative.partition_point(|edge| *edge <= mark).min(self.cumulative.len().saturating_sub(1))
    }
}

/// Spreads one case's seed into independent values without a stream of its own (SplitMix64).
pub(super) fn scatter(seed: u64, salt: u64) -> u64 {
    let mut z = seed.wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_kept() {
        let mut dice = Dice::new(1);
        let weighted = Weighted::new([1.0, 0.0, 3.0]);
        let mut hits = [0u32; 3];
        for _ in 0..40_000 {
            hits[weighted.draw(&mut dice)] += 1;
        }
        assert_eq!(hits[1], 0);
        assert!((9_500..10_500).contains(&hits[0]), "{hits:?}");
    }

    #[test]
    fn the_median_of_a_log_normal_is_its_median() {
        let mut dice = Dice::new(2);
        let below = (0..20_000).filter(|_| dice.log_normal(5.0, 0.7) < 5.0).count();
        assert!((9_700..10_300).contains(&below), "{below}");
    }
}
