//! The phrases of a dictionary, ready to be looked for. Owner: shared by the workers, read only. Invariant: of the phrases
//! that begin with one word the longest comes first, and those of one length in the order of the lists.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::text::{fold, stem_word};

/// A list of groups of phrases, as it is written: name of the group, phrases.
pub type PhraseLists = Vec<(String, Vec<String>)>;

/// Longest phrase, words.
const LONGEST: usize = 6;

/// The phrases of a dictionary.
#[derive(Default)]
pub struct PhraseBook {
    stems: HashMap<Box<str>, u16, FixedState>,
    forms: HashMap<Box<str>, u16, FixedState>,
    prefixes: Vec<(Box<str>, u16)>,
    pub(super) phrases: Vec<Phrase>,
    /// By number of its first word.
    begins: Vec<Begins>,
}

/// The phrases that begin with one word.
#[derive(Default)]
pub(super) struct Begins {
    /// By second word, and those of one second word by rank.
    longer: Vec<Longer>,
    /// Group of the phrase that is this word alone.
    pub single: Option<u16>,
}

impl Begins {
    fn is_empty(&self) -> bool {
        self.longer.is_empty() && self.single.is_none()
    }
}

/// A phrase of two words or more.
#[derive(Clone, Copy)]
pub(super) struct Longer {
    second: u16,
    /// 0 is tried first: the longest of those that begin with the same word.
    pub rank: u16,
    pub phrase: u16,
}

impl Begins {
    /// Ranks the phrases, which are in the order of the lists.
    fn finish(&mut self, phrases: &[Phrase]) {
        self.longer.sort_by_key(|longer| std::cmp::Reverse(phrases[usize::from(longer.phrase)].words.len()));
        for (longer, rank) in self.longer.iter_mut().zip(0..) {
            longer.rank = rank;
        }
        self.longer.sort_by_key(|longer| (longer.second, longer.rank));
    }

    /// The phrases with this second word.
    pub fn with_second(&self, second: u16) -> impl Iterator<Item = &Longer> {
        let from = self.longer.partition_point(|longer| longer.second < second);
        self.longer[from..].iter().take_while(move |longer| longer.second == second)
    }
}

pub(super) struct Phrase {
    pub group: u16,
    pub words: Box<[u16]>,
}

/// Why a phrase cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("phrase {phrase:?} of {group}: {problem}")]
pub struct PhraseError {
    pub group: String,
    pub phrase: String,
    pub problem: &'static str,
}

impl PhraseBook {
    /// Numbers groups in the order of the lists.
    pub fn build(lists: &PhraseLists) -> Result<PhraseBook, PhraseError> {
        let mut book = PhraseBook::default();
        for (number, (group, phrases)) in lists.iter().enumerate() {
            for phrase in phrases {
                book.add(number as u16, phrase).map_err(|problem| PhraseError {
                    group: group.clone(),
                    phrase: phrase.clone(),
                    problem,
                })?;
            }
        }
        for begins in &mut book.begins {
            begins.finish(&book.phrases);
        }
        Ok(book)
    }

    fn add(&mut self, group: u16, phrase: &str) -> Result<(), &'static str> {
        let written: Vec<&str> = phrase.split_whitespace().collect();
        if written.is_empty() || written.len() > LONGEST {
            return Err("one to six words are allowed");
        }
        if self.phrases.len() >= usize::from(u16::MAX) {
            return Err("a dictionary holds up to 65,535 phrases");
        }
        let words: Box<[u16]> = written.into_iter().map(|word| self.word(word)).collect();
        let first = usize::from(words[0]);
        if self.begins.len() <= first {
            self.begins.resize_with(first + 1, Begins::default);
        }
        let begins = &mut self.begins[first];
        match words.get(1) {
            Some(second) => begins.longer.push(Longer { second: *second, rank: 0, phrase: self.phrases.len() as u16 }),
            None => begins.single = begins.single.or(Some(group)),
        }
        self.phrases.push(Phrase { group, words });
        Ok(())
    }

    /// The number of a word of a phrase.
    fn word(&mut self, written: &str) -> u16 {
        let next = (self.stems.len() + self.forms.len() + self.prefixes.len()) as u16;
        let folded = fold(written);
        if let Some(form) = folded.strip_prefix('=') {
            return *self.forms.entry(Box::from(form)).or_insert(next);
        }
        if let Some(prefix) = folded.strip_suffix('*') {
            if let Some((_, known)) = self.prefixes.iter().find(|(known, _)| &**known == prefix) {
                return *known;
            }
            self.prefixes.push((Box::from(prefix), next));
            return next;
        }
        *self.stems.entry(stem_word(&folded).into_boxed_str()).or_insert(next)
    }

    /// What a word form can be: numbers of words of the dictionary.
    pub(super) fn meanings(&self, form: &str, stem: &str) -> Vec<u16> {
        let mut meanings = Vec::new();
        meanings.extend(self.stems.get(stem));
        meanings.extend(self.forms.get(form));
        meanings.extend(self.prefixes.iter().filter(|(prefix, _)| form.starts_with(&**prefix)).map(|(_, word)| *word));
        meanings
    }

    pub(super) fn begins_with(&self, meaning: u16) -> Option<&Begins> {
        self.begins.get(usize::from(meaning)).filter(|begins| !begins.is_empty())
    }
}
