//! The sums of one text: what its words, phrases and rules say, by block and topic, and what the model adds.
//! Owner: the reader of one worker. Invariant: a slot is in `touched` exactly when something was said for it.

use super::lexicon::SlotId;
use super::model::LANES;

#[derive(Default)]
pub struct Sums {
    /// By `SlotId`.
    pub slots: Vec<f32>,
    /// Slots that were touched, each once.
    pub touched: Vec<SlotId>,
    pub words: [f32; LANES],
    pub words_norm: f32,
    pub letters: [f32; LANES],
    pub letters_norm: f32,
}

impl Sums {
    /// Empties them for a text.
    pub fn begin(&mut self, slots: usize) {
        self.slots.resize(slots, 0.0);
        for slot in self.touched.drain(..) {
            self.slots[usize::from(slot)] = 0.0;
        }
        self.words = [0.0; LANES];
        self.letters = [0.0; LANES];
        (self.words_norm, self.letters_norm) = (0.0, 0.0);
    }

    pub fn add(&mut self, slot: SlotId, weight: f32) {
        let sum = &mut self.slots[usize::from(slot)];
        if *sum == 0.0 {
            self.touched.push(slot);
        }
        let added = *sum + weight;
        *sum = if added == 0.0 { f32::MIN_POSITIVE } else { added }; // touched once
    }
}
