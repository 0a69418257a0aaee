//! What stands around a name: words that introduce people, and words of places and firms that forbid a name
//! («улица Татьяны Снежиной»).

use super::lexicon::Facts;
use super::reader::Reader;
use super::sequence::Step;
use crate::text::{Letters, Shape};

/// What the words before say.
pub(super) enum Said {
    Nothing,
    /// «меня зовут», «ФИО:».
    Introduced,
    /// «с уважением,».
    Signed,
    /// «я,».
    Me,
    Kin,
    Role {
        close: bool,
    },
    Greeted,
}

impl Reader<'_> {
    /// The end of the text or line, or punctuation.
    pub(super) fn ends_a_phrase(&self, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else { return true };
        matches!(token.shape, Shape::Punct | Shape::Break) && !self.is_wall(at)
    }

    pub(super) fn begins_a_phrase(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else { return true };
        let token = &self.tokens[before];
        token.shape == Shape::Break || token.is(b'.') || token.is(b'!') || token.is(b'?') || self.is_wall(before)
    }

    /// «Елена, добрый день!» at the beginning of a line, or a line that is a name and nothing else at the end.
    pub(super) fn is_addressed(&self, at: usize) -> bool {
        let begins = at == 0 || self.tokens[at - 1].shape == Shape::Break;
        if !begins || self.is(at, Facts::AMBIGUOUS) && !self.is(at + 2, Facts::GREETS) {
            return false;
        }
        match self.tokens.get(at + 1) {
            None => at > 0,
            Some(next) => next.is(b',') || next.is(b'!'),
        }
    }

    pub(super) fn said_before(&self, at: usize) -> Said {
        let Some(mut before) = at.checked_sub(1) else { return Said::Nothing };
        let (mut comma, mut colon, mut line) = (false, false, false);
        let mut steps = 0;
        loop {
            if self.is_wall(before) || steps > 4 {
                return Said::Nothing;
            }
            let token = &self.tokens[before];
            match token.shape {
                Shape::Word => break,
                Shape::Break => line = true,
                Shape::Punct => match token.first {
                    b',' => comma = true,
                    b':' | b'-' | b'.' | b'(' => colon = true,
                    b'!' => line = true,
                    0xE2 if matches!(token.of(self.text), "–" | "—") => colon = true,
                    _ => return Said::Nothing,
                },
                _ => return Said::Nothing,
            }
            steps += 1;
            let Some(next) = before.checked_sub(1) else { return Said::Nothing };
            before = next;
        }
        let dot = colon && self.tokens.get(before + 1).is_some_and(|token| token.is(b'.'));
        let is = |facts: Facts| self.is(before, facts);
        if is(Facts::RESPECT) {
            return Said::Signed;
        }
        if line {
            return Said::Nothing;
        }
        if is(Facts::OBJECT) && !comma && before > 0 && self.is(before - 1, Facts::INTRODUCES) {
            return Said::Introduced;
        }
        if is(Facts::INTRODUCES) && !comma {
            return Said::Introduced;
        }
        if is(Facts::ME) && !colon {
            return Said::Me;
        }
        if is(Facts::KIN) && !dot {
            return Said::Kin;
        }
        if is(Facts::ROLE) && !comma && (!dot || self.tokens[before].end - self.tokens[before].start <= 6) {
            return Said::Role { close: true };
        }
        if is(Facts::GREETS) && !dot {
            return Said::Greeted;
        }
        let plain = !comma && !colon && matches!(self.tokens[before].letters, Letters::Lower | Letters::Upper);
        let far = plain && is(Facts::RUSSIAN) && !is(Facts::PLACE.and(Facts::RANK));
        if far && before > 0 && self.is(before - 1, Facts::ROLE) && self.tokens[before - 1].shape == Shape::Word {
            return Said::Role { close: false };
        }
        Said::Nothing
    }

    /// A name, unless words around say that it is a place's or a firm's.
    pub(super) fn unless_guarded(&self, start: usize, end: usize, one_initial: bool) -> Step {
        if self.is_of_a_place(start) || self.is_an_address(start, end, one_initial) {
            return Step::Over(end);
        }
        Step::Name(start, end)
    }

    /// «улица маршала», «ул. им.», «школа имени», «ООО «» before the name.
    pub(super) fn is_of_a_place(&self, start: usize) -> bool {
        let mut quoted = false;
        let mut dotted = false;
        for before in (0..start).rev().take(6) {
            let token = &self.tokens[before];
            if self.is_wall(before) {
                return false;
            }
            match token.shape {
                Shape::Punct if token.is(b'.') => dotted = true,
                Shape::Punct if token.is(b'"') => quoted = true,
                Shape::Punct if token.first == 0xC2 || token.first == 0xE2 => match token.of(self.text) {
                    "«" | "“" | "„" => quoted = true,
                    _ => return false,
                },
                Shape::Word => {
                    if self.is(before, Facts::INSTITUTION) {
                        return before == 0 || !self.is(before - 1, Facts::ROLE);
                    }
                    if self.is(before, Facts::PLACE) && (dotted || !self.is(before, Facts::NEEDS_DOT)) {
                        return true;
                    }
                    if self.is(before, Facts::FIRM) && (quoted || !dotted && before + 1 == start) {
                        return true;
                    }
                    if !self.is(before, Facts::RANK) {
                        return false;
                    }
                    dotted = false;
                }
                _ => return false,
            }
        }
        false
    }

    /// «Татьяны Снежиной, 5», «на К. Маркса 12», «на Татьяны Снежиной».
    pub(super) fn is_an_address(&self, start: usize, end: usize, one_initial: bool) -> bool {
        let whole = (start..end).any(|at| self.is(at, Facts::PATRONYMIC));
        let genitive = (start..end).any(|at| self.is(at, Facts::GENITIVE));
        if whole || !one_initial && !genitive {
            return false;
        }
        let on = start > 0 && self.is(start - 1, Facts::ON);
        let rank = start > 0 && self.is(start - 1, Facts::RANK) && !self.is(start - 1, Facts::ROLE);
        if rank || on && (one_initial || (start..end).any(|at| self.is(at, Facts::ONLY_GENITIVE))) {
            return true;
        }
        let mut next = end;
        if self.tokens.get(next).is_some_and(|token| token.is(b',')) {
            next += 1;
        }
        let Some(token) = self.tokens.get(next) else { return false };
        let short = match token.shape {
            Shape::Number => token.end - token.start <= 3,
            Shape::Mixed => token.end - token.start <= 6,
            _ => return self.is(next, Facts::HOUSE),
        };
        short && !self.is_wall(next) && !self.is(next + 1, Facts::AGE)
    }
}
