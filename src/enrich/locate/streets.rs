//! Streets and houses. Owner: `locate`. Invariants: a flat is never a part of what is read; a street that the gazetteer does
//! not have keeps the words of the text; a number with a unit after it («40 лет») is no house.

use super::Manner;
use super::atlas::{PERSON_NAME, UNIT};
use super::evidence::*;
use super::grammar::Role;
use super::scan::{Before, Found, Scan};
use crate::config::gazetteer::StreetKind;
use crate::text::{Letters, Shape};

/// A house number before its street («дом 40 по улице Новосёлов») stands within so many tokens.
const HOUSE_REACH: usize = 5;

impl Scan<'_> {
    /// «Ул. Ленина», «Касимовское шоссе».
    pub(super) fn street_with_kind(&self, found: Found, before: Before, out: &mut Vec<Evidence>) -> Option<usize> {
        let after = match self.role(found.end) {
            Role::Street(kind) => Some((Some(kind), found.end + 1)),
            Role::AnyStreet => Some((None, found.end + 1)),
            Role::LetterSh if self.is_mark(found.end + 1, b'.') => Some((Some(StreetKind::Highway), found.end + 2)),
            _ => None,
        };
        if let Some((kind, end)) = after
            && let Some(end) = self.push_street(found, kind, (found.at, end), out)
        {
            return Some(end);
        }
        match before.role {
            Role::Street(kind) => self.push_street(found, Some(kind), (before.at, found.end), out),
            Role::AnyStreet => self.push_street(found, None, (before.at, found.end), out),
            _ => None,
        }
    }

    /// The street of this name and kind; «улица» may be said of a street whose kind is in its name.
    fn push_street(
        &self,
        found: Found,
        kind: Option<StreetKind>,
        span: (usize, usize),
        out: &mut Vec<Evidence>,
    ) -> Option<usize> {
        let streets = &self.atlas.names[usize::from(found.name)].streets;
        let list = &self.atlas.gazetteer.streets;
        let fits = |index: &&u16| kind.is_none_or(|kind| list[usize::from(**index)].kind == kind);
        let street = *streets.iter().find(fits)?;
        let weight = if list[usize::from(street)].own { OWN_STREET } else { COMMON_STREET };
        // the dot of an abbreviation belongs to the street
        let end = if self.is_mark(span.1, b'.') && self.role(span.1.saturating_sub(1)) != Role::None {
            span.1 + 1
        } else {
            span.1
        };
        self.push(out, Meaning::Street(street), weight, found.at, found.end);
        Some(self.add_house(span.0, end, out))
    }

    /// «Новосёлов, 40», «на Касимовском»: only with a house, or of a city that alone has such a street.
    pub(super) fn street_without_kind(&self, found: Found, out: &mut Vec<Evidence>) -> Option<usize> {
        if !self.is_capital(found.at) && self.manner == Manner::Text {
            return None;
        }
        let person =
            |at: Option<usize>| at.and_then(|at| self.known.get(at)).is_some_and(|known| known.is(PERSON_NAME));
        if person(found.at.checked_sub(1)) || person(Some(found.end)) {
            return None;
        }
        let streets = &self.atlas.names[usize::from(found.name)].streets;
        let list = &self.atlas.gazetteer.streets;
        let street = *streets.iter().find(|index| list[usize::from(**index)].kind == StreetKind::Street)?;
        let own = list[usize::from(street)].own;
        let house = self.house_after(found.end, false);
        let on = self.before(found.at).role == Role::On;
        if house.is_none() && !(on && own) {
            return None;
        }
        let weight = match (own, house.is_some()) {
            (true, true) => OWN_STREET,
            (true, false) => OWN_STREET_BARE,
            (false, _) => COMMON_STREET,
        };
        self.push(out, Meaning::Street(street), weight, found.at, found.end);
        Some(self.add_house(found.at, found.end, out))
    }

    /// A street that the gazetteer does not have: its kind and up to three words in capitals.
    pub(super) fn written_street(&self, at: usize, out: &mut Vec<Evidence>) -> Option<usize> {
        let dotted = self.is_mark(at + 1, b'.');
        let first = if dotted { at + 2 } else { at + 1 };
        // an abbreviation is followed by a name whatever its letters
        let sure = dotted || self.manner == Manner::Address || self.tokens[at].end - self.tokens[at].start <= 6;
        if self.known.get(first).is_some_and(|known| known.group != 0)
            && let Some(end) = self.known_after_kind(first, at, out)
        {
            return Some(end);
        }
        let mut end = first;
        while end < first + 3
            && self.tokens.get(end).is_some_and(|token| match token.shape {
                Shape::Word => {
                    let named = self.is_capital(end) || end == first && sure && self.known[end].role == Role::None;
                    named && (token.end - token.start > 2 || self.is_mark(end + 1, b'.'))
                }
                Shape::Number => {
                    end == first
                        && self.tokens.get(end + 1).is_some_and(|next| next.is(b'-') || next.shape == Shape::Word)
                }
                Shape::Mixed => false,
                _ => end > first && token.is(b'-'),
            })
        {
            end += 1;
        }
        if end == first || self.tokens[end - 1].shape == Shape::Number {
            return None;
        }
        self.push(out, Meaning::WrittenStreet, COMMON_STREET, first, end);
        Some(self.add_house(at, end, out))
    }

    /// «ул. Касимовское шоссе», «улица 2-я Механизаторов»: the kind before belongs to a street that has its own.
    fn known_after_kind(&self, first: usize, at: usize, out: &mut Vec<Evidence>) -> Option<usize> {
        let before = Before { role: self.role(at), at };
        for (lexeme, cases) in self.atlas.group(self.known[first]) {
            for name in self.atlas.starting_with(*lexeme) {
                if !self.atlas.names[usize::from(*name)].rest.is_empty()
                    || self.atlas.names[usize::from(*name)].streets.is_empty()
                {
                    continue;
                }
                let found = Found { name: *name, at: first, end: first + 1, cases: *cases };
                if let Some(end) = self.street_with_kind(found, before, out) {
                    return Some(end);
                }
            }
        }
        None
    }

    /// Adds the house to the last piece; the first token after both.
    fn add_house(&self, street: usize, end: usize, out: &mut [Evidence]) -> usize {
        let after = self.house_after(end, false);
        let Some((from, to)) = after.or_else(|| self.house_before(street)) else { return end };
        if let Some(last) = out.last_mut() {
            last.house = (self.tokens[from].start, self.tokens[to - 1].end);
        }
        if after.is_some() { to } else { end }
    }

    /// «, д. 5», «дом № 5 корпус 2», «64/22».
    pub(super) fn house_after(&self, at: usize, must_be_told: bool) -> Option<(usize, usize)> {
        let mut at = at;
        let mut told = false;
        for _ in 0..5 {
            let skip = self.is_mark(at, b',')
                || self.is_mark(at, b'.') && told
                || matches!(self.role(at), Role::House | Role::LetterD)
                || self.tokens.get(at).is_some_and(|token| token.shape == Shape::Punct && token.of(self.text) == "№");
            if !skip {
                break;
            }
            told |= matches!(self.role(at), Role::House | Role::LetterD);
            at += 1;
        }
        if told || !must_be_told { self.house_at(at, told) } else { None }
    }

    fn house_at(&self, at: usize, told: bool) -> Option<(usize, usize)> {
        let token = self.tokens.get(at)?;
        let digits = token.first.is_ascii_digit() && matches!(token.shape, Shape::Number | Shape::Mixed);
        let unit = self.known.get(at + 1).is_some_and(|known| known.is(UNIT) || matches!(known.role, Role::Street(_)));
        // «12.01», «5-й», «8-ФЗ»
        let part = self.is_mark(at + 1, b'-')
            || self.is_mark(at + 1, b'.') && self.tokens.get(at + 2).is_some_and(|next| next.shape == Shape::Number);
        if !digits || token.end - token.start > 6 || unit || part && !told {
            return None;
        }
        let mut end = at + 1;
        if self.is_mark(end, b'/') && self.tokens.get(end + 1).is_some_and(|next| next.first.is_ascii_digit()) {
            end += 2;
        }
        if matches!(self.role(end), Role::Building | Role::LetterK)
            || self.is_mark(end, b',') && self.role(end + 1) == Role::Building
        {
            let mut number = if self.is_mark(end, b',') { end + 2 } else { end + 1 };
            if self.is_mark(number, b'.') {
                number += 1;
            }
            if self.tokens.get(number).is_some_and(|next| next.first.is_ascii_digit()) {
                end = number + 1;
            }
        } else if self.tokens.get(end).is_some_and(|next| {
            next.shape == Shape::Word
                && next.end - next.start == 2
                && next.letters == Letters::Capital
                && !self.is_mark(end + 1, b'.')
        }) {
            end += 1; // «12 А»
        }
        Some((at, end))
    }

    fn house_before(&self, street: usize) -> Option<(usize, usize)> {
        let from = street.saturating_sub(HOUSE_REACH + 2);
        let last = (from..street).rev().find(|at| matches!(self.role(*at), Role::House | Role::LetterD))?;
        let number = if self.is_mark(last + 1, b'.')
            || self.tokens.get(last + 1).is_some_and(|token| token.of(self.text) == "№")
        {
            last + 2
        } else {
            last + 1
        };
        let (at, end) = self.house_at(number, true)?;
        let apart = (end..street).any(|at| {
            self.tokens[at].shape == Shape::Break
                || self.is_mark(at, b'.')
                    && !self.is_mark(at.saturating_sub(1), b'.')
                    && self.role(at.saturating_sub(1)) == Role::None
        });
        (end <= street && !apart).then_some((at, end))
    }
}
