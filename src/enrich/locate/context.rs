//! What stands around a name: its kind, a person, a body that was written to, the other end of a route, the rest of an
//! address. Owner: `locate`. Invariant: only neighbouring tokens are looked at, never past the end of a sentence.

use super::Manner;
use super::atlas::{AUTHORITY, Name, PERSON_NAME, PERSON_WORD, is_urban};
use super::forms::SURNAME;
use super::grammar::Role;
use super::scan::{Before, Found, Scan};
use crate::config::gazetteer::StreetKind;
use crate::text::{Letters, Shape};

impl Scan<'_> {
    /// A comma, then a street or a house.
    pub(super) fn begins_address(&self, at: usize) -> bool {
        let next = if self.is_mark(at, b',') { at + 1 } else { at };
        let street = matches!(self.role(next), Role::Street(_) | Role::AnyStreet | Role::Quarter);
        let street_name =
            next > at && self.known.get(next + 1).is_some_and(|known| matches!(known.role, Role::Street(_)));
        street || street_name
    }

    pub(super) fn is_route(&self, found: Found) -> bool {
        let dash = |at: Option<usize>| {
            at.and_then(|at| self.tokens.get(at))
                .is_some_and(|token| token.shape == Shape::Punct && matches!(token.first, b'-' | 0xE2))
        };
        let name = |at: Option<usize>| at.and_then(|at| self.known.get(at)).is_some_and(|known| known.group != 0);
        let earlier = dash(found.at.checked_sub(1)) && name(found.at.checked_sub(2));
        earlier || dash(Some(found.end)) && name(Some(found.end + 1))
    }

    /// A first name, a patronymic or an initial on either side, or «врач» before what may be a surname.
    pub(super) fn is_person(&self, found: Found) -> bool {
        let person =
            |at: usize| self.known.get(at).is_some_and(|known| known.is(PERSON_NAME)) && self.is_capital_or_uncased(at);
        let initial = |at: usize| {
            let token = self.tokens.get(at);
            token.is_some_and(|token| token.letters == Letters::Capital && token.end - token.start <= 2)
                && self.is_mark(at + 1, b'.')
        };
        if person(found.end) || initial(found.end) {
            return true;
        }
        let Some(at) = found.at.checked_sub(1) else { return false };
        let initial_before =
            at > 0 && initial(at - 1) && !matches!(self.known[at - 1].role, Role::LetterG | Role::LetterS);
        let word = found.cases & SURNAME != 0 && self.known[at].is(PERSON_WORD);
        person(at) || initial_before || word
    }

    /// «Администрация Скопина», «глава города Скопина».
    pub(super) fn is_written_to(&self, at: usize) -> bool {
        (1..=3).any(|back| {
            let Some(place) = at.checked_sub(back) else { return false };
            let between =
                (place + 1..at).all(|index| self.tokens[index].shape != Shape::Break && !self.ends_sentence(index));
            between && self.known[place].is(AUTHORITY)
        })
    }

    fn ends_sentence(&self, at: usize) -> bool {
        let mark = |byte| self.tokens[at].is(byte);
        mark(b'!') || mark(b'?') || mark(b';') || mark(b',') || mark(b'.') && self.length(at.saturating_sub(1)) > 3
    }

    pub(super) fn has_urban(&self, entry: &Name) -> bool {
        let settlements = &self.atlas.gazetteer.settlements;
        entry.outside || entry.settlements.iter().any(|index| is_urban(settlements[usize::from(*index)].kind))
    }

    /// The word, abbreviation or letter before a name.
    pub(super) fn before(&self, at: usize) -> Before {
        let nothing = Before { role: Role::None, at };
        let Some(mut place) = at.checked_sub(1) else { return nothing };
        while self.tokens[place].shape == Shape::Punct
            && (self.tokens[place].first == 0xC2 || self.is_mark(place, b'"'))
        {
            let Some(earlier) = place.checked_sub(1) else { return nothing };
            place = earlier;
        }
        let dotted = self.is_mark(place, b'.');
        if dotted {
            let Some(earlier) = place.checked_sub(1) else { return nothing };
            place = earlier;
        }
        let role = self.known[place].role;
        let address = self.manner == Manner::Address;
        let letter = |meant: Role, bare: bool| if dotted || bare { meant } else { Role::None };
        let role = match role {
            Role::LetterG => letter(Role::Town, self.is_capital_or_uncased(at) || address),
            Role::LetterD => letter(Role::Rural, self.is_capital(at) || address),
            Role::LetterS => letter(Role::Rural, address),
            Role::LetterP => letter(Role::Hamlet, self.is_capital(at) || address),
            Role::LetterSh => letter(Role::Street(StreetKind::Highway), false),
            Role::LetterK | Role::LetterR | Role::House | Role::Building => Role::None,
            // after a full stop only abbreviations belong to what follows
            _ if dotted && self.length(place) > 5 => Role::None,
            role => role,
        };
        Before { role, at: place }
    }
}
