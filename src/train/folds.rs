//! Cross-validation: folds with the same mix of blocks, texts that say the same in one fold only, and the calibration of
//! confidences on answers to texts that the answering model had not seen. Pure; deterministic by seed.

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::RngCore;

use super::corpus::Corpus;
use super::fit::{Recipe, fit};
use crate::enrich::classify::blend;
use crate::enrich::classify::lexicon::Lexicon;
use crate::enrich::classify::model::{Calibration, LANES, NEVER_TAUGHT};
use crate::enrich::classify::score::{Nobody, Reader};
use crate::text::{Tokens, Words, tokenize};

/// The fold of each document: the documents of a block are dealt out in turn.
pub fn deal(labels: &[u8], folds: u8, seed: u64) -> Vec<u8> {
    let mut order: Vec<u32> = (0..labels.len() as u32).collect();
    let mut dice = Pcg64Mcg::new(u128::from(seed) << 1 | 1 << 101);
    for place in (1..order.len()).rev() {
        order.swap(place, (dice.next_u64() % (place as u64 + 1)) as usize);
    }
    let mut next = [0u8; 256];
    let mut fold_of = vec![0; labels.len()];
    for document in order {
        let label = usize::from(labels[document as usize]);
        // Blocks begin with different folds, or the rare ones would all meet in the first.
        fold_of[document as usize] = (next[label] + label as u8) % folds;
        next[label] = (next[label] + 1) % folds;
    }
    fold_of
}

/// Margins by block that models gave to documents they had not seen, in the order of the documents.
pub type Held = Vec<[f32; LANES]>;

/// Teaches a model for each fold on all others. `told` hears of each fold that is done.
pub fn cross_validate(
    corpus: &Corpus,
    lexicon: &Lexicon,
    recipe: &Recipe,
    fold_of: &[u8],
    mut told: impl FnMut(u8),
) -> Held {
    let folds = fold_of.iter().copied().max().map_or(0, |fold| fold + 1);
    let mut margins = vec![[NEVER_TAUGHT; LANES]; corpus.texts.len()];
    for fold in 0..folds {
        let (held, taught): (Vec<u32>, Vec<u32>) =
            (0..corpus.texts.len() as u32).partition(|document| fold_of[*document as usize] == fold);
        let model = fit(&corpus.extract, &taught, &corpus.labels, lexicon.slots(), recipe);
        // By the reader that will use the model, so what is measured is what will be.
        let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
        for document in held {
            tokenize(&corpus.texts[document as usize], &mut words, &mut tokens);
            reader.read(&tokens, &words, lexicon, Some(&model), &mut Nobody);
            margins[document as usize] = model.margins(&reader.sums);
        }
        told(fold);
    }
    margins
}

/// Log-odds of a document under a calibration.
pub fn calibrated(corpus: &Corpus, held: &Held, document: usize, calibration: Calibration) -> [f32; LANES] {
    let mut odds = corpus.extract.documents[document].odds;
    blend(calibration, &held[document], &mut odds);
    odds
}

/// The calibration under which the chosen documents' labels are likeliest.
pub fn calibrate(corpus: &Corpus, held: &Held, chosen: &[u32], blocks: usize) -> Calibration {
    let mut best = (f64::INFINITY, Calibration { sharpness: 1.0, lexicon_share: 0.0 });
    for sharpness in (2..=30).map(|step| step as f32 * 0.25) {
        for lexicon_share in (0..=8).map(|step| step as f32 * 0.125) {
            let calibration = Calibration { sharpness, lexicon_share };
            let of = |document: &u32| {
                let odds = calibrated(corpus, held, *document as usize, calibration);
                f64::from(surprise(&odds[..blocks], usize::from(corpus.labels[*document as usize])))
            };
            let total: f64 = chosen.iter().map(of).sum();
            if total < best.0 {
                best = (total, calibration);
            }
        }
    }
    best.1
}

/// Minus the logarithm of the label's confidence.
fn surprise(odds: &[f32], label: usize) -> f32 {
    let highest = odds.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = odds.iter().map(|odd| (odd - highest).exp()).sum();
    highest + total.ln() - odds[label]
}
