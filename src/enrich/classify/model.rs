//! A trained model in memory: weights of features for each block, in eight bits, found by hash.
//! Owner: read once from a file of `tsur train`, shared by all workers. Invariants: read-only; what a word form adds is a
//! sum that depends on the form only, so it is computed at first sight and cached by the reader of texts.

use super::features::{self, FeatureHash};
use super::score::Sums;

/// Weights of a feature, one for each class; more classes than this are refused.
pub const LANES: usize = 16;

/// Bits of the sieve, as a power of two.
const SIEVE_BITS: u32 = 18;
const SIEVE_WORDS: usize = 1 << (SIEVE_BITS - 6);

/// Weights of one feature: `scale * weights`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Feature {
    pub hash: FeatureHash,
    pub idf: f32,
    pub scale: f32,
    pub weights: [i8; LANES],
}

/// What a word form adds, its stem and its runs of letters apart: each group is scaled to unit length by itself.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Row {
    pub words: [f32; LANES],
    pub words_norm: f32,
    pub letters: [f32; LANES],
    pub letters_norm: f32,
}

impl Row {
    pub const ZERO: Row = Row { words: [0.0; LANES], words_norm: 0.0, letters: [0.0; LANES], letters_norm: 0.0 };

    /// `tf`: what this mention adds to the frequency; `squared`: to its square.
    pub fn add_to(&self, sums: &mut Sums, tf: f32, squared: f32) {
        for lane in 0..LANES {
            sums.words[lane] += tf * self.words[lane];
            sums.letters[lane] += tf * self.letters[lane];
        }
        sums.words_norm += squared * self.words_norm;
        sums.letters_norm += squared * self.letters_norm;
    }
}

/// The margin of a block that a model was never taught: as far away as the usual stranger.
pub const NEVER_TAUGHT: f32 = -1.2;

/// How evidence of the lexicon becomes a number for the model.
pub fn evidence(sum: f32) -> f32 {
    sum.max(0.0).ln_1p()
}

/// How margins and the lexicon's log-odds together become confidences; found on texts the model had not seen.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Calibration {
    pub sharpness: f32,
    pub lexicon_share: f32,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Model {
    /// Block index of each lane that is used.
    pub classes: Vec<u8>,
    pub bias: [f32; LANES],
    /// By slot of the lexicon.
    pub slots: Vec<[f32; LANES]>,
    pub calibration: Calibration,
    /// Under this confidence a text is «не определено».
    pub threshold: f32,
    features: Vec<Feature>,
    /// Feature numbers + 1 by hash, 0 is free; a power of two, at most half full.
    index: Vec<u32>,
    /// A bit for each feature: most pairs of words are no feature, and that is told without leaving the nearest cache.
    sieve: Vec<u64>,
}

impl Model {
    pub fn with_features(self, features: Vec<Feature>) -> Model {
        let size = (features.len() * 2).next_power_of_two().max(16);
        let mut index = vec![0u32; size];
        for (number, feature) in features.iter().enumerate() {
            let mut at = slot_of(feature.hash, size);
            while index[at] != 0 {
                at = (at + 1) & (size - 1);
            }
            index[at] = number as u32 + 1;
        }
        let mut sieve = vec![0u64; SIEVE_WORDS];
        for feature in &features {
            let (word, bit) = sieve_place(feature.hash);
            sieve[word] |= bit;
        }
        Model { features, index, sieve, ..self }
    }

    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    fn find(&self, hash: FeatureHash) -> Option<&Feature> {
        if hash == 0 || self.index.is_empty() {
            return None;
        }
        let mask = self.index.len() - 1;
        let mut at = slot_of(hash, self.index.len());
        loop {
            let number = self.index[at];
            if number == 0 {
                return None;
            }
            let feature = &self.features[number as usize - 1];
            if feature.hash == hash {
                return Some(feature);
            }
            at = (at + 1) & mask;
        }
    }

    /// What a word form adds; `None` if the model knows nothing of it.
    pub fn row(&self, form: &str, stem: &str) -> Option<Row> {
        let mut row = Row::ZERO;
        let mut known = false;
        if let Some(feature) = self.find(features::word(stem)) {
            add(feature, 1.0, &mut row.words, &mut row.words_norm);
            known = true;
        }
        let mut runs = Vec::new();
        features::letters(form, &mut runs);
        for feature in runs.iter().filter_map(|run| self.find(*run)) {
            add(feature, 1.0, &mut row.letters, &mut row.letters_norm);
            known = true;
        }
        known.then_some(row)
    }

    /// The half of a pair that a stem is.
    pub fn bigram_hash(&self, stem: &str) -> FeatureHash {
        features::word(stem)
    }

    pub fn add_bigram(&self, left: FeatureHash, right: FeatureHash, sums: &mut Sums) {
        let hash = features::pair(left, right);
        let (word, bit) = sieve_place(hash);
        if self.sieve.get(word).is_some_and(|bits| bits & bit != 0)
            && let Some(feature) = self.find(hash)
        {
            add(feature, 1.0, &mut sums.words, &mut sums.words_norm);
        }
    }

    /// Margins of the blocks for the sums of a text.
    pub fn margins(&self, sums: &Sums) -> [f32; LANES] {
        let of_lane = self.of_lane(sums);
        let mut of_block = [NEVER_TAUGHT; LANES];
        for (lane, block) in self.classes.iter().enumerate() {
            of_block[usize::from(*block)] = of_lane[lane];
        }
        of_block
    }

    fn of_lane(&self, sums: &Sums) -> [f32; LANES] {
        let mut margins = self.bias;
        let words = scale(sums.words_norm);
        let letters = scale(sums.letters_norm);
        for (margin, (of_words, of_letters)) in margins.iter_mut().zip(sums.words.iter().zip(&sums.letters)) {
            *margin += of_words * words + of_letters * letters;
        }
        for slot in &sums.touched {
            let slot = usize::from(*slot);
            let value = evidence(sums.slots[slot]);
            if value > 0.0 && slot < self.slots.len() {
                for (margin, weight) in margins.iter_mut().zip(&self.slots[slot]) {
                    *margin += value * weight;
                }
            }
        }
        margins
    }
}

/// To unit length.
pub fn scale(norm: f32) -> f32 {
    if norm > 0.0 { 1.0 / norm.sqrt() } else { 0.0 }
}

fn add(feature: &Feature, factor: f32, sums: &mut [f32; LANES], norm: &mut f32) {
    let scale = feature.scale * feature.idf * factor;
    for (sum, weight) in sums.iter_mut().zip(&feature.weights) {
        *sum += scale * f32::from(*weight);
    }
    *norm += feature.idf * feature.idf * factor * factor;
}

fn sieve_place(hash: FeatureHash) -> (usize, u64) {
    let place = hash >> (32 - SIEVE_BITS);
    (place as usize / 64, 1 << (place % 64))
}

fn slot_of(hash: FeatureHash, size: usize) -> usize {
    hash.wrapping_mul(0x9e37_79b1) as usize & (size - 1)
}
