//! What a trained model reads in a text: stems, pairs of neighbouring stems, and runs of letters inside a word. Training
//! and reading share this file, so a feature means the same in both. Invariant: hashes are the same on every machine and in
//! every build; a change of anything here raises `FEATURES_VERSION`, and files of other versions are refused.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Version of the features in model files.
pub const FEATURES_VERSION: u32 = 1;

/// Lengths of the runs of letters; the word is read with a blank on both sides.
const RUNS: std::ops::RangeInclusive<usize> = 3..=5;
/// Letters of a word that are read for runs.
const LONGEST_WORD: usize = 24;

const WORD_SEED: u64 = 0x7473_7572_0001;
const LETTERS_SEED: u64 = 0x7473_7572_0002;
const PAIR_SEED: u64 = 0x7473_7572_0003;

/// A feature of a model; 0 is no feature.
pub type FeatureHash = u32;

fn hash(text: &[u8], seed: u64) -> FeatureHash {
    (xxh3_64_with_seed(text, seed) as u32).max(1)
}

/// A word by its stem; numbers are no features, they are houses and dates.
pub fn word(stem: &str) -> FeatureHash {
    if stem.is_empty() || stem.bytes().any(|byte| byte.is_ascii_digit()) { 0 } else { hash(stem.as_bytes(), WORD_SEED) }
}

/// Two neighbours.
pub fn pair(left: FeatureHash, right: FeatureHash) -> FeatureHash {
    let mixed = (u64::from(left) << 32 | u64::from(right)) ^ PAIR_SEED;
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 32) as u32 ^ mixed as u32).max(1)
}

/// The runs of letters of a folded form, each once.
pub fn letters(form: &str, into: &mut Vec<FeatureHash>) {
    into.clear();
    if form.is_empty() || form.bytes().any(|byte| byte.is_ascii_digit()) {
        return;
    }
    let padded: String = [" ", form, " "].concat();
    let ends: Vec<usize> =
        padded.char_indices().map(|(at, _)| at).chain([padded.len()]).take(LONGEST_WORD + 1).collect();
    for length in RUNS {
        for start in 0..ends.len().saturating_sub(length) {
            into.push(hash(&padded.as_bytes()[ends[start]..ends[start + length]], LETTERS_SEED));
        }
    }
    into.sort_unstable();
    into.dedup();
}
