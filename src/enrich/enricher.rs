//! Everything that is made of one text, in one call: tokens once, then every stage over them.
//! Owner: one partition worker. Invariant: pure: the same texts with the same dictionaries give the same outcome,
//! whatever came before them.

use std::sync::Arc;

use super::mask::{MaskCounts, Masker, PersonLexicon};
use crate::text::{Tokens, Words, tokenize};

/// The stages with their caches and buffers.
pub struct Enricher {
    words: Words,
    tokens: Tokens,
    masker: Masker,
}

impl Enricher {
    pub fn new(persons: Arc<PersonLexicon>) -> Enricher {
        Enricher { words: Words::new(), tokens: Tokens::new(), masker: Masker::new(persons) }
    }

    /// Appends the masked text to `out`.
    pub fn mask_into(&mut self, text: &str, out: &mut Vec<u8>) -> MaskCounts {
        tokenize(text, &mut self.words, &mut self.tokens);
        self.masker.mask_into(text, &self.words, &self.tokens, out)
    }
}
