//! Topic and block of a text: a lexicon that works without training, and a model that `tsur train` learned from the
//! region's own history; where there is a model, both speak. Owner: the lexicon and the model are shared and read-only, a
//! partition worker holds a `Reader`. Invariants: pure; the same text, lexicon and model give the same outcome; confidences
//! of all blocks add up to one; what is under the threshold is «не определено» and still tells its best guess.

pub mod explain;
pub mod features;
mod known;
pub mod lexicon;
pub mod model;
pub mod model_file;
pub mod score;
mod sums;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::config::lexicon::LexiconSpec;
use crate::config::reference::Reference;
use crate::text::{Token, Words};
use lexicon::Lexicon;
use model::{Calibration, Model};
use score::{Nobody, Reader, Sums, Witness};

/// Blocks that are named with their confidences.
pub const TOP: usize = 3;
/// Evidence that is taken for granted when strength is judged: a single weak word is not certainty.
const GROUND: f32 = 2.0;

/// One candidate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Candidate {
    /// Index into `Reference::blocks`.
    pub block: u8,
    pub confidence: f32,
}

/// What a text is about.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Outcome {
    /// The best guess, also when it is not certain enough.
    pub block: u8,
    /// Index into `Reference::topics`, of the block; none where only the model knows the block.
    pub topic: Option<u16>,
    /// 0 to 1.
    pub confidence: f32,
    /// Best first.
    pub top: [Candidate; TOP],
    /// Under the threshold: «не определено», for the review queue.
    pub unknown: bool,
}

/// Whether the text and the category of the source say the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// The source gave nothing.
    NotGiven,
    /// The text says too little to contradict.
    Undecided,
    SameTopic,
    SameBlock,
    /// The block of the source is the second or third guess.
    Near,
    Different,
}

/// The category of the source is kept; this compares it.
pub fn agreement(given_block: Option<u8>, given_topic: Option<u16>, outcome: &Outcome) -> Agreement {
    let Some(block) = given_block else { return Agreement::NotGiven };
    if outcome.block == block {
        let same = given_topic.is_some() && given_topic == outcome.topic;
        return if same { Agreement::SameTopic } else { Agreement::SameBlock };
    }
    if outcome.unknown {
        return Agreement::Undecided;
    }
    let near = outcome.top.iter().any(|candidate| candidate.block == block && candidate.confidence > 0.1);
    if near { Agreement::Near } else { Agreement::Different }
}

/// What all workers share.
#[derive(Clone)]
pub struct Classifier {
    pub lexicon: Arc<Lexicon>,
    pub model: Option<Arc<Model>>,
}

impl Classifier {
    pub fn new(spec: &LexiconSpec, reference: &Reference, model: Option<Arc<Model>>) -> Classifier {
        let block_of: Vec<u32> = reference.topics.iter().map(|topic| topic.block).collect();
        Classifier { lexicon: Arc::new(Lexicon::build(spec, reference.blocks.len(), &block_of)), model }
    }

    /// Classifies a text that was cut into tokens with these words.
    pub fn classify(&self, tokens: &[Token], words: &Words, reader: &mut Reader) -> Outcome {
        self.classify_for(tokens, words, reader, &mut Nobody)
    }

    pub fn classify_for(
        &self,
        tokens: &[Token],
        words: &Words,
        reader: &mut Reader,
        witness: &mut impl Witness,
    ) -> Outcome {
        reader.read(tokens, words, &self.lexicon, self.model.as_deref(), witness);
        let mut odds = [0.0; model::LANES];
        self.odds(&reader.sums, &mut odds);
        let threshold = self.model.as_ref().map_or(self.lexicon.threshold, |model| model.threshold);
        outcome(&self.lexicon, &reader.sums, &mut odds, threshold)
    }

    fn odds(&self, sums: &Sums, odds: &mut [f32; model::LANES]) {
        lexicon_odds(&self.lexicon, sums, odds);
        if let Some(model) = &self.model {
            blend(model.calibration, &model.margins(sums), odds);
        }
    }
}

/// Log-odds of the blocks by the lexicon alone.
pub fn lexicon_odds(lexicon: &Lexicon, sums: &Sums, odds: &mut [f32; model::LANES]) {
    let blocks = &sums.slots[..lexicon.blocks];
    let total: f32 = blocks.iter().map(|sum| sum.max(0.0)).sum();
    let factor = lexicon.sharpness / (total + GROUND).sqrt();
    for (block, sum) in blocks.iter().enumerate() {
        odds[block] = lexicon.log_shares[block] + sum * factor;
    }
}

/// Adds the model's margins, by block, to the lexicon's odds.
pub fn blend(calibration: Calibration, margins: &[f32; model::LANES], odds: &mut [f32; model::LANES]) {
    for (odd, margin) in odds.iter_mut().zip(margins) {
        *odd = calibration.lexicon_share * *odd + calibration.sharpness * margin;
    }
}

/// Turns log-odds into confidences and picks.
pub fn outcome(lexicon: &Lexicon, sums: &Sums, odds: &mut [f32; model::LANES], threshold: f32) -> Outcome {
    let odds = &mut odds[..lexicon.blocks];
    let highest = odds.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut total = 0.0;
    for odd in odds.iter_mut() {
        *odd = (*odd - highest).exp();
        total += *odd;
    }
    let mut top = [Candidate { block: 0, confidence: -1.0 }; TOP];
    for (block, odd) in odds.iter().enumerate() {
        let mut candidate = Candidate { block: block as u8, confidence: odd / total };
        for place in &mut top {
            if candidate.confidence > place.confidence {
                std::mem::swap(place, &mut candidate);
            }
        }
    }
    let best = top[0];
    Outcome {
        block: best.block,
        topic: topic_of(lexicon, sums, best.block),
        confidence: best.confidence,
        top,
        unknown: best.confidence < threshold,
    }
}

/// The topic of the block that most evidence speaks for.
fn topic_of(lexicon: &Lexicon, sums: &Sums, block: u8) -> Option<u16> {
    let mut best: Option<(u16, f32)> = None;
    for slot in &sums.touched {
        let Some(topic) = usize::from(*slot).checked_sub(lexicon.blocks) else { continue };
        let sum = sums.slots[usize::from(*slot)];
        let better = best.is_none_or(|(known, most)| sum > most || sum == most && (topic as u16) < known);
        if lexicon.block_of[topic] == block && sum > 0.0 && better {
            best = Some((topic as u16, sum));
        }
    }
    best.map(|(topic, _)| topic)
}
