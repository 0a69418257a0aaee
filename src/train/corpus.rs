//! The labelled texts that a model is taught or measured with. Invariants: a text stands here once, however often and in
//! whatever case it was sent, so no copy of a text of one fold is in another; copies with different labels count for the
//! label that most of them have, the first one if there are as many.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use xxhash_rust::xxh3::xxh3_128;

use super::extract::Extract;
use crate::config::reference::{Reference, normalise_name};
use crate::enrich::classify::lexicon::Lexicon;
use crate::text::fold;

/// Texts and the blocks that people gave them.
pub struct Corpus {
    pub texts: Vec<String>,
    /// Index into `Reference::blocks`.
    pub labels: Vec<u8>,
    pub extract: Extract,
    /// Rows that repeat another text.
    pub repeated: usize,
}

#[derive(Default)]
pub struct CorpusBuilder {
    texts: Vec<String>,
    votes: Vec<Vec<(u8, u32)>>,
    known: HashMap<u128, usize>,
    repeated: usize,
}

impl CorpusBuilder {
    pub fn add(&mut self, text: String, label: u8) {
        let place = match self.known.entry(xxh3_128(same(&text).as_bytes())) {
            Entry::Vacant(free) => {
                let place = *free.insert(self.texts.len());
                self.texts.push(text);
                self.votes.push(Vec::new());
                place
            }
            Entry::Occupied(known) => {
                self.repeated += 1;
                *known.get()
            }
        };
        let votes = &mut self.votes[place];
        match votes.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => votes.push((label, 1)),
        }
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    pub fn build(self, lexicon: &Lexicon) -> Corpus {
        let most = |votes: &Vec<(u8, u32)>| {
            let first_of_most = votes.iter().rev().max_by_key(|(_, count)| *count);
            first_of_most.map_or(0, |(label, _)| *label)
        };
        let labels = self.votes.iter().map(most).collect();
        let extract = Extract::read(self.texts.iter().map(String::as_str), lexicon);
        Corpus { texts: self.texts, labels, extract, repeated: self.repeated }
    }
}

/// What two texts have in common that are one text for a reader: letters and digits, without case.
fn same(text: &str) -> String {
    let folded = fold(text);
    folded.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// The block of a label: the code or a name of a block, or those of a topic.
pub fn label(reference: &Reference, written: &str) -> Option<u8> {
    let mut name = String::new();
    normalise_name(written, &mut name);
    let topic = || reference.topic(&name).map(|topic| reference.topics[topic as usize].block);
    reference.block(&name).or_else(topic).map(|block| block as u8)
}
