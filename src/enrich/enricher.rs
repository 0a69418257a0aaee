//! Everything that is made of one text, in one call: tokens once, then every stage over them.
//! Owner: one partition worker. Invariant: pure: the same texts with the same dictionaries give the same outcome,
//! whatever came before them.

use std::sync::Arc;

use super::answer::{AnswerBook, AnswerFacts, AnswerLists, AnswerQuality, AnswerReader};
use super::mask::{MaskCounts, Masker, PersonLexicon, PersonLists};
use super::phrases::PhraseError;
use super::repeats::{Fingerprint, Fingerprinter};
use super::tone::{Tone, ToneBook, ToneLists, ToneReader};
use crate::text::{Token, Tokens, Words, tokenize};

/// The dictionaries as they are written.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct TextLists {
    /// What names of people are made of.
    pub persons: PersonLists,
    pub tone: ToneLists,
    pub answers: AnswerLists,
}

/// The dictionaries of all stages, ready; shared by the workers.
#[derive(Clone)]
pub struct TextBooks {
    pub persons: Arc<PersonLexicon>,
    pub tone: Arc<ToneBook>,
    pub answers: Arc<AnswerBook>,
}

impl TextBooks {
    /// Lists that were read from files are sound already.
    pub fn build(lists: &TextLists) -> Result<TextBooks, PhraseError> {
        Ok(TextBooks {
            persons: Arc::new(PersonLexicon::build(&lists.persons)),
            tone: Arc::new(ToneBook::build(&lists.tone)?),
            answers: Arc::new(AnswerBook::build(&lists.answers)?),
        })
    }
}

/// What a message says.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Understood {
    pub masked: MaskCounts,
    pub tone: Tone,
    pub fingerprint: Fingerprint,
}

/// The stages with their caches and buffers.
pub struct Enricher {
    words: Words,
    tokens: Tokens,
    masker: Masker,
    tone: ToneReader,
    answers: AnswerReader,
    fingerprints: Fingerprinter,
}

impl Enricher {
    pub fn new(books: &TextBooks) -> Enricher {
        Enricher {
            words: Words::new(),
            tokens: Tokens::new(),
            masker: Masker::new(books.persons.clone()),
            tone: ToneReader::new(books.tone.clone()),
            answers: AnswerReader::new(books.answers.clone()),
            fingerprints: Fingerprinter::default(),
        }
    }

    /// Appends the masked text to `out`, and no more.
    pub fn mask_into(&mut self, text: &str, out: &mut Vec<u8>) -> MaskCounts {
        tokenize(text, &mut self.words, &mut self.tokens);
        self.masker.mask_into(text, &self.words, &self.tokens, out)
    }

    /// Appends the masked text of a message to `out` and tells what it says.
    pub fn message(&mut self, text: &str, out: &mut Vec<u8>) -> Understood {
        let masked = self.mask_into(text, out);
        let tone = self.tone.read(&self.words, self.tokens.as_slice());
        Understood { masked, tone, fingerprint: self.fingerprints.read(&self.words, &self.tokens) }
    }

    /// Appends the masked text of an answer to `out` and tells what it is worth.
    pub fn answer(&mut self, text: &str, facts: AnswerFacts, out: &mut Vec<u8>) -> (AnswerQuality, Fingerprint) {
        self.mask_into(text, out);
        let quality = self.answers.read(&self.words, &self.tokens, facts);
        (quality, self.fingerprints.read(&self.words, &self.tokens))
    }

    /// How the text that was masked last is meant, and its fingerprint.
    pub fn read_message(&mut self) -> (Tone, Fingerprint) {
        let tone = self.tone.read(&self.words, self.tokens.as_slice());
        (tone, self.fingerprints.read(&self.words, &self.tokens))
    }

    /// What the answer that was masked last is worth, and its fingerprint.
    pub fn read_answer(&mut self, facts: AnswerFacts) -> (AnswerQuality, Fingerprint) {
        let quality = self.answers.read(&self.words, &self.tokens, facts);
        (quality, self.fingerprints.read(&self.words, &self.tokens))
    }

    /// Cuts a text that needs no masking, for further stages.
    pub fn tokenize(&mut self, text: &str) -> (&Words, &[Token]) {
        tokenize(text, &mut self.words, &mut self.tokens);
        self.tokens()
    }

    /// The words and tokens of the last text, for further stages.
    pub fn tokens(&self) -> (&Words, &[Token]) {
        (&self.words, &self.tokens)
    }
}
