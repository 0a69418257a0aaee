//! Reads the tokens of one text from left to right and collects what they say about the place.
//! Owner: `locate`. Invariants: a token belongs to one piece at most; a name is accepted only when its surroundings let it be
//! a place: a surname next to a first name, a common word without its kind and a street without its kind are not.

use super::Manner;
use super::atlas::{Atlas, Known, REGION_ADJECTIVE};
use super::evidence::*;
use super::forms::{LOCATIVE, NOMINATIVE, SURNAME};
use super::grammar::Role;
use crate::text::{Letters, Shape, Token};

/// More pieces of one text are not read: an endless list of places says nothing.
pub const MAX_PIECES: usize = 48;

/// One text while it is read.
pub struct Scan<'a> {
    pub atlas: &'a Atlas,
    pub text: &'a str,
    pub tokens: &'a [Token],
    pub known: &'a [Known],
    pub manner: Manner,
    /// Letters tell names from words: the text has both capital and small ones.
    pub cased: bool,
}

/// A name found at a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub name: u16,
    pub at: usize,
    /// The first token after it.
    pub end: usize,
    pub cases: u8,
}

/// Streets whose names begin at one token, in the order of the atlas: longest names first.
#[derive(Default)]
struct Streets {
    list: [Option<Found>; 6],
    count: usize,
}

impl Streets {
    fn add(&mut self, found: Found) {
        if let Some(free) = self.list.get_mut(self.count) {
            *free = Some(found);
            self.count += 1;
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Found> {
        self.list.iter().flatten()
    }
}

/// What stands before a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Before {
    pub role: Role,
    /// Where it begins.
    pub at: usize,
}

impl Scan<'_> {
    /// Collects the pieces into `out`. `visits` are the tokens that something may begin at, in order.
    pub fn collect(&self, visits: &[u32], out: &mut Vec<Evidence>) {
        let mut done = 0;
        for visit in visits {
            let at = *visit as usize;
            if at < done || out.len() >= MAX_PIECES {
                continue;
            }
            done = self.visit(at, out).unwrap_or(done);
        }
    }

    /// The first token after what was read, if anything was.
    fn visit(&self, at: usize, out: &mut Vec<Evidence>) -> Option<usize> {
        let known = self.known[at];
        if known.group != 0
            && let Some(end) = self.name_at(at, out)
        {
            return Some(end);
        }
        if let Role::Street(_) | Role::AnyStreet = known.role {
            return self.written_street(at, out);
        }
        if known.is(REGION_ADJECTIVE) && self.role(at + 1) == Role::Region {
            if !self.tokens[at].of(self.text).to_lowercase().starts_with("рязанск") {
                self.push(out, Meaning::Outside, WITH_KIND, at, at + 2);
            }
            return Some(at + 2);
        }
        if known.role == Role::Rural
            || matches!(known.role, Role::LetterD | Role::LetterS) && self.is_mark(at + 1, b'.')
        {
            return self.unknown_settlement(at, out);
        }
        None
    }

    fn name_at(&self, at: usize, out: &mut Vec<Evidence>) -> Option<usize> {
        let mut best: [Option<Found>; 2] = [None; 2];
        let mut streets = Streets::default();
        for (lexeme, cases) in self.atlas.group(self.known[at]) {
            for name in self.atlas.starting_with(*lexeme) {
                let Some(found) = self.matches(*name, at, *cases) else { continue };
                let entry = &self.atlas.names[usize::from(*name)];
                let has_place = !entry.settlements.is_empty() || !entry.quarters.is_empty() || entry.outside;
                if !entry.streets.is_empty() {
                    streets.add(found);
                }
                for (slot, is) in [(0, entry.district.is_some()), (1, has_place)] {
                    if is && best[slot].is_none_or(|known| is_better(found, known)) {
                        best[slot] = Some(found);
                    }
                }
            }
        }
        let [district, place] = best;
        let before = self.before(at);
        if let Some(end) = streets.iter().find_map(|found| self.street_with_kind(*found, before, out)) {
            return Some(end);
        }
        if let Role::Street(_) | Role::AnyStreet = before.role {
            return None; // «улица Скопинская»: some street, whatever else it is called after
        }
        if let Some(found) = district
            && let Some(end) = self.district(found, out)
        {
            return Some(end);
        }
        if let Some(found) = place
            && let Some(weight) = self.place_weight(found, before)
        {
            let entry = &self.atlas.names[usize::from(found.name)];
            let meaning =
                if entry.outside { Meaning::Outside } else { Meaning::Place(found.name, told_kind(before.role)) };
            self.push(out, meaning, weight, at, found.end);
            // «п. Искра, д. 6»: villages have houses without streets
            if let (Some((from, to)), Some(last)) = (self.house_after(found.end, true), out.last_mut()) {
                last.house = (self.tokens[from].start, self.tokens[to - 1].end);
                return Some(to);
            }
            return Some(found.end);
        }
        streets.iter().find_map(|found| self.street_without_kind(*found, out))
    }

    /// The rest of a name after its first word; a dash may stand between.
    fn matches(&self, name: u16, at: usize, cases: u8) -> Option<Found> {
        let mut end = at + 1;
        for lexeme in &self.atlas.names[usize::from(name)].rest {
            if self.is_mark(end, b'-') {
                end += 1;
            }
            let known = self.known.get(end)?;
            self.atlas.group(*known).iter().find(|(word, _)| word == lexeme)?;
            end += 1;
        }
        Some(Found { name, at, end, cases })
    }

    /// Adjective and «район» or «округ», also in lists: «Рыбновского и Рязанского районов».
    fn district(&self, found: Found, out: &mut Vec<Evidence>) -> Option<usize> {
        let territory = self.atlas.names[usize::from(found.name)].district?;
        let end = self.district_kind_after(found.end, 0).or_else(|| self.district_kind_before(found))?;
        let territories = &self.atlas.territories;
        let of_city = territories[usize::from(territory)].parent.is_some();
        let weight = match (self.is_written_to(found.at), of_city) {
            (true, _) => WRITTEN_TO,
            (false, true) => CITY_DISTRICT,
            (false, false) => DISTRICT,
        };
        self.push(out, Meaning::Territory(territory), weight, found.at, end);
        Some(end)
    }

    fn district_kind_after(&self, at: usize, depth: u8) -> Option<usize> {
        let mut at = at;
        while self.role(at) == Role::DistrictFiller || self.is_mark(at, b'.') {
            at += 1;
        }
        match self.role(at) {
            Role::District => Some(at + 1),
            // «м.о.», «м.р-н»
            _ if self.word_is(at, "м") && self.is_mark(at + 1, b'.') && self.word_is(at + 2, "о") => Some(at + 3),
            _ if self.word_is(at, "м") => self.district_kind_after(at + 1, 3),
            Role::And if depth < 3 => self.next_of_list(at + 1, depth),
            _ if depth < 3 && self.is_mark(at, b',') => self.next_of_list(at + 1, depth),
            _ => None,
        }
    }

    /// In a list only this adjective is read; the next ones find the kind themselves.
    fn next_of_list(&self, at: usize, depth: u8) -> Option<usize> {
        let known = self.known.get(at)?;
        let is_district = |lexeme: &u16| {
            let names = self.atlas.starting_with(*lexeme);
            names.iter().any(|name| self.atlas.names[usize::from(*name)].district.is_some())
        };
        self.atlas.group(*known).iter().find(|(lexeme, _)| is_district(lexeme))?;
        self.district_kind_after(at + 1, depth + 1)?;
        Some(at)
    }

    /// «Район: Рыбновский», in addresses only: «в районе железнодорожного вокзала» is no district.
    fn district_kind_before(&self, found: Found) -> Option<usize> {
        if self.manner != Manner::Address {
            return None;
        }
        let mut at = found.at.checked_sub(1)?;
        while self.role(at) == Role::DistrictFiller || self.is_mark(at, b'.') || self.is_mark(at, b':') {
            at = at.checked_sub(1)?;
        }
        (self.role(at) == Role::District).then_some(found.end)
    }

    /// How much a name counts here, or that it is no place.
    fn place_weight(&self, found: Found, before: Before) -> Option<u8> {
        let entry = &self.atlas.names[usize::from(found.name)];
        let capital = self.is_capital(found.at);
        let surname = found.cases & SURNAME != 0;
        let kind_told = matches!(before.role, Role::Town | Role::Hamlet | Role::Rural | Role::Quarter);
        if entry.common && entry.settlements.is_empty() && !entry.outside && !kind_told {
            return capital.then_some(0); // «в Южном»: tells the quarter once the city is known
        }
        match before.role {
            // «город Льгов»: a village of this name is not what is meant
            Role::Town if !self.has_urban(entry) => return None,
            Role::Town | Role::Hamlet | Role::Rural | Role::Quarter => {
                return Some(if self.is_written_to(before.at) { WRITTEN_TO } else { WITH_KIND });
            }
            Role::District if !entry.quarters.is_empty() => return Some(INSIDE), // «в районе Канищево»
            Role::In
                if self.manner == Manner::Text
                    && (capital || !entry.common && !surname || !self.cased && !entry.common) =>
            {
                return Some(if found.cases & LOCATIVE != 0 { INSIDE } else { BARE });
            }
            _ => {}
        }
        if self.manner == Manner::Address {
            return (!surname || !self.is_person(found)).then_some(INSIDE);
        }
        if self.is_person(found) {
            return None;
        }
        if self.is_written_to(found.at) {
            return (!entry.common).then_some(WRITTEN_TO);
        }
        if before.role == Role::Near {
            return (capital || !self.cased && !entry.common).then_some(NEAR);
        }
        if before.role == Role::Route || self.is_route(found) {
            return capital.then_some(ROUTE);
        }
        if self.begins_address(found.end) {
            return (capital || !entry.common).then_some(INSIDE);
        }
        let clear = !entry.common && !surname && (capital || !self.cased || self.length(found.at) > 5);
        clear.then_some(BARE)
    }

    /// «Деревня Ивановка» that the gazetteer does not have.
    fn unknown_settlement(&self, at: usize, out: &mut Vec<Evidence>) -> Option<usize> {
        let name = if self.is_mark(at + 1, b'.') { at + 2 } else { at + 1 };
        let token = self.tokens.get(name)?;
        let named = token.shape == Shape::Word && self.is_capital(name) && self.known[name].role == Role::None;
        if !named || token.end - token.start < 6 || self.is_known_place(name) {
            return None;
        }
        self.push(out, Meaning::UnknownSettlement, WITH_KIND, at, name + 1);
        Some(name + 1)
    }

    fn is_known_place(&self, at: usize) -> bool {
        self.atlas.group(self.known[at]).iter().any(|(lexeme, cases)| {
            self.atlas.starting_with(*lexeme).iter().any(|name| {
                let entry = &self.atlas.names[usize::from(*name)];
                let place = !entry.settlements.is_empty() || !entry.quarters.is_empty() || entry.outside;
                place && self.matches(*name, at, *cases).is_some()
            })
        })
    }

    pub(super) fn role(&self, at: usize) -> Role {
        self.known.get(at).map_or(Role::None, |known| known.role)
    }

    pub(super) fn is_mark(&self, at: usize, byte: u8) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(byte))
    }

    fn word_is(&self, at: usize, letter: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.of(self.text).eq_ignore_ascii_case(letter))
    }

    /// Letters of a token, roughly: Cyrillic ones take two bytes.
    pub(super) fn length(&self, at: usize) -> u32 {
        self.tokens.get(at).map_or(0, |token| (token.end - token.start) / 2)
    }

    pub(super) fn is_capital(&self, at: usize) -> bool {
        self.cased && self.tokens.get(at).is_some_and(|token| token.letters != Letters::Lower)
    }

    pub(super) fn is_capital_or_uncased(&self, at: usize) -> bool {
        !self.cased || self.is_capital(at)
    }

    pub(super) fn push(&self, out: &mut Vec<Evidence>, meaning: Meaning, weight: u8, from: usize, to: usize) {
        let (start, end) = (self.tokens[from].start, self.tokens[to - 1].end);
        out.push(Evidence { meaning, weight, start, end, house: (0, 0) });
    }
}

/// The longer name; of two alike, the one that is written as it is called: «Борок» is not the genitive of «Борки».
fn is_better(found: Found, known: Found) -> bool {
    found.end > known.end || found.end == known.end && known.cases & NOMINATIVE == 0 && found.cases & NOMINATIVE != 0
}

fn told_kind(role: Role) -> ToldKind {
    match role {
        Role::Town => ToldKind::Town,
        Role::Hamlet => ToldKind::Hamlet,
        Role::Rural => ToldKind::Rural,
        Role::Quarter => ToldKind::Quarter,
        _ => ToldKind::Nothing,
    }
}
