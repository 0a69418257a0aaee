//! The tokens of one text with what is known of them. Invariant: tokens of identifiers found elsewhere and placeholders are
//! walls that nobody looks through.

use super::super::{MaskKind, MaskSpan};
use super::lexicon::Facts;
use crate::text::{Letters, Shape, Token, Words};

pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: &'t [Token],
    pub(super) facts: &'t mut [Facts],
    pub(super) words: &'t Words,
}

impl Reader<'_> {
    /// Tokens of taken spans and of placeholders become walls.
    pub(super) fn raise_walls(&mut self, taken: &[MaskSpan]) {
        let mut spans = taken.iter().peekable();
        let mut placeholder_end = 0;
        for (at, token) in self.tokens.iter().enumerate() {
            while spans.next_if(|span| span.end <= token.start as usize).is_some() {}
            if token.first == 0xE2 && token.shape == Shape::Punct {
                let rest = &self.text[token.start as usize..];
                if let Some(kind) = MaskKind::ALL.iter().find(|kind| rest.starts_with(kind.placeholder())) {
                    placeholder_end = token.start as usize + kind.placeholder().len();
                }
            }
            let is_taken = spans.peek().is_some_and(|span| span.start < token.end as usize);
            if is_taken || (token.start as usize) < placeholder_end {
                self.facts[at] = Facts::WALL;
            }
        }
    }

    pub(super) fn is(&self, at: usize, facts: Facts) -> bool {
        self.facts.get(at).is_some_and(|known| known.any(facts))
    }

    /// A token of an identifier or of a placeholder: nobody looks through it.
    pub(super) fn is_wall(&self, at: usize) -> bool {
        self.is(at, Facts::WALL)
    }

    pub(super) fn is_capital(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| matches!(token.letters, Letters::Capital | Letters::Upper))
    }

    /// Nothing but blanks between two tokens, and not many.
    pub(super) fn adjoins(&self, at: usize, next: usize) -> bool {
        match (self.tokens.get(at), self.tokens.get(next)) {
            (Some(left), Some(right)) => right.start - left.end <= 3,
            _ => false,
        }
    }

    /// A word that can be a surname or a name by how it is written.
    pub(super) fn is_name_like(&self, at: usize) -> bool {
        const NEVER: Facts = Facts::COMMON.and(Facts::FIRM).and(Facts::ROLE).and(Facts::KIN);
        let Some(token) = self.tokens.get(at) else { return false };
        let possible = token.shape == Shape::Word && self.is(at, Facts::RUSSIAN);
        possible
            && (self.is(at, Facts::GIVEN.and(Facts::PATRONYMIC)) || self.is_capital(at))
            && !self.is(at, NEVER)
            && (!self.is(at, Facts::PLACE.and(Facts::INSTITUTION)) || self.is(at, Facts::GIVEN))
    }
}
