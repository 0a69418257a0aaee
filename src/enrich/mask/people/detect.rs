//! Reads the tokens of a text for names. From left to right: at each word, does a name begin here, and what does the
//! context say? Strong sequences (initials, a patronymic, a given name with a surname) need no context; a name or a
//! surname alone needs a word that introduces people. Words of places forbid a name: «улица Татьяны Снежиной».
//! Invariants: tokens of identifiers found elsewhere and placeholders are walls that nobody looks through; what is found
//! is ordered and apart.

use std::sync::Arc;

use super::super::{MaskKind, MaskSpan};
use super::lexicon::{Facts, PersonLexicon};
use super::reader::Reader;
use super::sequence::Step;
use crate::text::{Letters, Shape, Token, WordTable, Words};

/// The detector of one worker; buffers are used again.
pub struct People {
    lexicon: Arc<PersonLexicon>,
    table: WordTable<Facts>,
    facts: Vec<Facts>,
    /// Tokens that may begin a name.
    begins: Vec<u32>,
    names: Vec<(u32, u32)>,
}

impl People {
    pub fn new(lexicon: Arc<PersonLexicon>) -> People {
        People { lexicon, table: WordTable::new(), facts: Vec::new(), begins: Vec::new(), names: Vec::new() }
    }

    /// A detector with the same lexicon for other words.
    pub fn another(&self) -> People {
        People::new(self.lexicon.clone())
    }

    /// Adds the names and handles of a text to `found`, which are in order but after what `taken` has. `taken` are the
    /// spans of other detectors, in order.
    pub fn find(&mut self, text: &str, words: &Words, tokens: &[Token], taken: &[MaskSpan], found: &mut Vec<MaskSpan>) {
        const WORTH: Facts = Facts::GIVEN
            .and(Facts::PATRONYMIC)
            .and(Facts::SURNAME)
            .and(Facts::WEAK_SURNAME)
            .and(Facts::LETTER)
            .and(Facts::INTRODUCES)
            .and(Facts::RESPECT)
            .and(Facts::NETWORK);
        let People { lexicon, table, facts, begins, names } = self;
        facts.resize(tokens.len(), Facts::NONE);
        names.clear();
        let mut all = Facts::NONE;
        let mut marked = false; // there may be a placeholder
        if begins.len() <= tokens.len() {
            begins.resize(tokens.len() + 1, 0);
        }
        let mut count = 0;
        let table = table.of(words, |form, _| lexicon.facts(form));
        for ((at, token), fact) in tokens.iter().enumerate().zip(facts.iter_mut()) {
            // No branch: which tokens are words is no pattern that a processor could foretell.
            let known = table.get(token.word).only_if(token.shape == Shape::Word);
            marked |= token.first == 0xE2;
            all = all.and(known);
            *fact = known;
            begins[count] = at as u32;
            count += usize::from(may_begin(known, token.letters));
        }
        if !all.any(WORTH) {
            return;
        }
        let mut reader = Reader { text, tokens, facts, words };
        if marked || !taken.is_empty() {
            reader.raise_walls(taken);
        }
        let mut done = 0;
        for at in &begins[..count] {
            let at = *at as usize;
            if at < done {
                continue;
            }
            done = match reader.name_at(at) {
                Step::Name(start, end) => {
                    names.push((start as u32, end as u32));
                    end
                }
                Step::Handle(start, end) => {
                    push(found, tokens, start, end, MaskKind::Profile);
                    end
                }
                Step::Over(next) => next,
            };
        }
        if names.is_empty() {
            return;
        }
        let first = names.len();
        reader.surnames_again(names);
        if names.len() > first {
            names.sort_unstable();
        }
        for (start, end) in names.iter() {
            push(found, tokens, *start as usize, *end as usize, MaskKind::Name);
        }
        found.sort_unstable_by_key(|span| span.start);
    }
}

fn push(found: &mut Vec<MaskSpan>, tokens: &[Token], start: usize, end: usize, kind: MaskKind) {
    found.push(MaskSpan { start: tokens[start].start as usize, end: tokens[end - 1].end as usize, kind });
}

/// Most words begin no name, which is told by one look: a name begins with a capital letter, or with a word that looks like
/// a part of one. Says no only where [`Reader::name_at`] would.
fn may_begin(facts: Facts, letters: Letters) -> bool {
    const NEVER: Facts = Facts::COMMON.and(Facts::FIRM).and(Facts::ROLE).and(Facts::KIN);
    let capital = matches!(letters, Letters::Capital | Letters::Upper);
    let like =
        facts.any(Facts::RUSSIAN) & (capital | facts.any(Facts::GIVEN.and(Facts::PATRONYMIC))) & !facts.any(NEVER);
    facts.any(Facts::NETWORK) | facts.any(Facts::SURNAME) | capital & facts.any(Facts::LETTER) | like
}
