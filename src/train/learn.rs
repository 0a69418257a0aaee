//! The whole of a training: folds, calibration, measures, and the model of all texts. Invariant: what is measured was
//! calibrated on other folds than those it is measured on; the model that is kept uses all of them.

use super::corpus::Corpus;
use super::fit::{Recipe, fit};
use super::folds::{calibrate, calibrated, cross_validate, deal};
use super::measure::{Answer, Measures, measure};
use crate::config::reference::Reference;
use crate::enrich::classify::lexicon::Lexicon;
use crate::enrich::classify::model::{Calibration, Model};
use crate::enrich::classify::outcome;
use crate::enrich::classify::score::Sums;

/// Without folds nothing is calibrated; these are about what corpora of thousands of texts give.
const USUAL: Calibration = Calibration { sharpness: 2.5, lexicon_share: 0.25 };
/// Fewer texts teach nothing that could be measured.
pub const LEAST_TEXTS: usize = 100;

pub struct Learned {
    pub model: Model,
    /// By cross-validation; none without folds.
    pub measures: Option<Measures>,
}

/// `threshold`: the confidence under which the model will say «не определено». `told` hears of each step.
pub fn learn(
    corpus: &Corpus,
    lexicon: &Lexicon,
    reference: &Reference,
    recipe: &Recipe,
    folds: u8,
    threshold: f32,
    mut told: impl FnMut(&str),
) -> Learned {
    let all: Vec<u32> = (0..corpus.texts.len() as u32).collect();
    let mut calibration = USUAL;
    let mut measures = None;
    if folds > 1 {
        let fold_of = deal(&corpus.labels, folds, recipe.solver.seed);
        let held =
            cross_validate(corpus, lexicon, recipe, &fold_of, |fold| told(&format!("fold {} of {folds}", fold + 1)));
        let mut answers = Vec::with_capacity(all.len());
        for fold in 0..folds {
            let of_fold = |document: &&u32| fold_of[**document as usize] == fold;
            let others: Vec<u32> = all.iter().filter(|document| !of_fold(document)).copied().collect();
            let by_others = calibrate(corpus, &held, &others, lexicon.blocks);
            for document in all.iter().filter(of_fold) {
                let document = *document as usize;
                let mut odds = calibrated(corpus, &held, document, by_others);
                let outcome = outcome(lexicon, &Sums::default(), &mut odds, threshold);
                answers.push(Answer { label: corpus.labels[document], outcome });
            }
        }
        measures = Some(measure(&answers, &names(reference)));
        calibration = calibrate(corpus, &held, &all, lexicon.blocks);
    }
    told("the model of all texts");
    let mut model = fit(&corpus.extract, &all, &corpus.labels, lexicon.slots(), recipe);
    model.calibration = calibration;
    model.threshold = threshold;
    Learned { model, measures }
}

/// Code and name of each block.
pub fn names(reference: &Reference) -> Vec<(String, String)> {
    reference.blocks.iter().map(|block| (block.code.clone(), block.name.clone())).collect()
}
