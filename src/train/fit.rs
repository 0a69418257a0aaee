//! From labelled texts to a model: vocabulary, weights, eight bits. Pure; deterministic by seed.

use super::extract::{Extract, Keep};
use super::solver::{Parameters, Rows, solve};
use crate::enrich::classify::model::{Calibration, Feature, LANES, Model};

/// How a model is made. The defaults were chosen by cross-validation on one region's texts; they are no weights of words.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub keep: Keep,
    pub solver: Parameters,
    /// How loud the lexicon's evidence is beside the words, before weights are learned.
    pub loudness: f32,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            keep: Keep { words: 2, pairs: 3, letters: 4, most: 300_000 },
            solver: Parameters { cost: 0.6, balance: 0.5, rounds: 20, tolerance: 0.05, seed: 1, threads: 2 },
            loudness: 0.3,
        }
    }
}

/// Learns from the chosen documents. `labels` are block indices by document; the model has a lane for each block met.
pub fn fit(extract: &Extract, chosen: &[u32], labels: &[u8], slots: usize, recipe: &Recipe) -> Model {
    let vocabulary = extract.vocabulary(chosen, &recipe.keep);
    let mut classes: Vec<u8> = chosen.iter().map(|document| labels[*document as usize]).collect();
    classes.sort_unstable();
    classes.dedup();
    classes.truncate(LANES);
    let mut rows = Rows::default();
    let mut lanes = Vec::with_capacity(chosen.len());
    for document in chosen {
        let Ok(lane) = classes.binary_search(&labels[*document as usize]) else { continue };
        rows.push(&extract.row(*document as usize, &vocabulary, slots, recipe.loudness));
        lanes.push(lane as u8);
    }
    let words = vocabulary.hashes.len();
    let weights = solve(&rows, &lanes, classes.len(), words + slots + 1, &recipe.solver);
    let at = |column: usize, factor: f32| {
        let mut of_lane = [0.0; LANES];
        for (lane, weights) in weights.iter().enumerate() {
            of_lane[lane] = weights[column] * factor;
        }
        of_lane
    };
    let features = (0..words).map(|number| {
        let (scale, weights) = eight_bits(&at(number, 1.0));
        Feature { hash: vocabulary.hashes[number], idf: vocabulary.idf[number], scale, weights }
    });
    let mut model = Model::default();
    model.classes = classes;
    model.bias = at(words + slots, 1.0);
    model.slots = (0..slots).map(|slot| at(words + slot, recipe.loudness)).collect();
    model.calibration = Calibration { sharpness: 1.0, lexicon_share: 0.0 };
    model.with_features(features.collect())
}

/// The largest weight becomes 127. A feature without weights stays: the length of a text is measured with it.
fn eight_bits(weights: &[f32; LANES]) -> (f32, [i8; LANES]) {
    let largest = weights.iter().fold(0f32, |most, weight| most.max(weight.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    let mut small = [0i8; LANES];
    for (small, weight) in small.iter_mut().zip(weights) {
        *small = (weight / scale).round() as i8;
    }
    (scale, small)
}
