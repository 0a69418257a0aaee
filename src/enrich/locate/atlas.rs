//! The gazetteer compiled for reading texts: every case form of every word of every name, and which names begin with it.
//! Owner: the process; built once per version of the rules, shared by the workers, read-only. Invariants: a name stands once
//! and lists everything it may be; names of one first word are tried longest first.

use std::collections::HashMap;

use super::forms::{self, forms, is_adjective};
use super::grammar::{self, Role};
use crate::config::gazetteer::{Gazetteer, SettlementKind};
use crate::config::reference::{Reference, Territory, TerritoryKind};
use crate::text::{fold, stem_word};

/// What is known of a word form.
#[derive(Clone, Copy, Default, Debug)]
pub struct Known {
    pub role: Role,
    /// Bits below.
    pub traits: u8,
    /// Index into the groups; 0 has no words of names.
    pub group: u16,
}

/// First name or patronymic.
pub const PERSON_NAME: u8 = 1;
/// «Врач», «депутат»: a surname may follow.
pub const PERSON_WORD: u8 = 2;
pub const AUTHORITY: u8 = 4;
pub const REGION_ADJECTIVE: u8 = 8;
pub const UNIT: u8 = 16;
/// The scan stops here.
const BEGINS: u8 = 32;

impl Known {
    pub fn is(self, bit: u8) -> bool {
        self.traits & bit != 0
    }

    /// Whether something of a place may begin here; told by one bit, which [`Atlas::know`] sets.
    pub fn begins_something(self) -> bool {
        self.is(BEGINS)
    }
}

/// What a name may be.
#[derive(Clone, Debug, Default)]
pub struct Name {
    /// Words of the name after the first.
    pub rest: Box<[u16]>,
    /// Indices into the lists of the gazetteer.
    pub settlements: Vec<u16>,
    pub quarters: Vec<u16>,
    pub streets: Vec<u16>,
    /// Index into the territories: the name is that of a district when «район» or «округ» follows.
    pub district: Option<u16>,
    pub outside: bool,
    /// A common word too.
    pub common: bool,
}

/// The compiled gazetteer.
#[derive(Default)]
pub struct Atlas {
    pub(super) gazetteer: Gazetteer,
    pub(super) territories: Vec<Territory>,
    forms: HashMap<String, u16>,
    /// Words of names that share a form, each with its cases.
    groups: Vec<Vec<(u16, u8)>>,
    /// By first word: the names that begin with it, longest first.
    starts: Vec<Vec<u16>>,
    pub(super) names: Vec<Name>,
    /// By street of the gazetteer: the stems of its words.
    street_stems: Vec<Vec<Box<str>>>,
    people: HashMap<String, u8>,
}

impl Atlas {
    pub fn new(reference: &Reference) -> Atlas {
        let mut making = Making { lexemes: HashMap::new(), index: HashMap::new(), atlas: Atlas::default() };
        making.atlas.gazetteer = reference.gazetteer.clone();
        making.atlas.territories = reference.territories.clone();
        making.districts(&reference.territories);
        making.settlements(&reference.gazetteer);
        making.quarters(&reference.gazetteer);
        making.streets(&reference.gazetteer);
        for name in &reference.gazetteer.words.outside {
            making.name(name, false, |entry| entry.outside = true);
        }
        for name in &reference.gazetteer.words.common {
            if let Some(entry) = making.existing(name) {
                making.atlas.names[entry].common = true;
            }
        }
        making.people(&reference.gazetteer);
        making.finish()
    }

    /// What a folded word form means; asked at its first sight.
    pub fn know(&self, form: &str) -> Known {
        let group = self.forms.get(form).copied().unwrap_or(0);
        let mut traits = self.people.get(form).copied().unwrap_or(0);
        if grammar::is_patronymic(form) {
            traits |= PERSON_NAME;
        }
        if grammar::is_region_adjective(form) {
            traits |= REGION_ADJECTIVE;
        }
        if grammar::is_unit(form) {
            traits |= UNIT;
        }
        let role = grammar::role(form);
        let begins = match role {
            Role::Street(_) | Role::AnyStreet | Role::Rural | Role::LetterD | Role::LetterS => true,
            _ => group != 0 || traits & REGION_ADJECTIVE != 0,
        };
        if begins {
            traits |= BEGINS;
        }
        Known { role, traits, group }
    }

    /// The words of names that a form may stand for.
    pub(super) fn group(&self, known: Known) -> &[(u16, u8)] {
        &self.groups[usize::from(known.group)]
    }

    pub(super) fn starting_with(&self, lexeme: u16) -> &[u16] {
        &self.starts[usize::from(lexeme)]
    }

    /// The territories of the settlements and quarters of a name.
    pub fn owners_of(&self, name: u16) -> impl Iterator<Item = u16> + '_ {
        let entry = &self.names[usize::from(name)];
        let settlements =
            entry.settlements.iter().map(|index| self.gazetteer.settlements[usize::from(*index)].territory);
        let quarters = entry.quarters.iter().map(|index| {
            let quarter = &self.gazetteer.quarters[usize::from(*index)];
            quarter.district.unwrap_or(quarter.city)
        });
        settlements.chain(quarters).map(|territory| territory as u16)
    }

    /// The stems of the words of a street, by its number in the gazetteer; none for a number that no street has.
    pub fn street_stems(&self, street: u16) -> &[Box<str>] {
        self.street_stems.get(usize::from(street)).map_or(&[], Vec::as_slice)
    }

    /// The municipality of a territory: the city of a city district, else itself.
    pub fn municipality(&self, territory: u16) -> u16 {
        self.territories[usize::from(territory)].parent.map_or(territory, |parent| parent as u16)
    }

    pub fn territory(&self, index: u16) -> &Territory {
        &self.territories[usize::from(index)]
    }

    pub fn gazetteer(&self) -> &Gazetteer {
        &self.gazetteer
    }
}

struct Making {
    /// Word and whether it declines → its number.
    lexemes: HashMap<(String, bool), u16>,
    /// Words of a name → index into the names.
    index: HashMap<Vec<u16>, usize>,
    atlas: Atlas,
}

impl Making {
    fn districts(&mut self, territories: &[Territory]) {
        for (territory, index) in territories.iter().zip(0u16..) {
            if territory.kind == TerritoryKind::City {
                continue;
            }
            for name in std::iter::once(&territory.name).chain(&territory.aliases) {
                let mut words = name.split(' ');
                let (Some(first), Some(second)) = (words.next(), words.next()) else { continue };
                let kind = ["район", "округ", "муниципальный"].contains(&second);
                if kind && is_adjective(&fold(first)) {
                    self.name(first, true, |entry| entry.district = Some(index));
                }
            }
        }
    }

    fn settlements(&mut self, gazetteer: &Gazetteer) {
        for (settlement, index) in gazetteer.settlements.iter().zip(0u16..) {
            for name in std::iter::once(&settlement.name).chain(&settlement.aliases) {
                // «город Рязань» as an alias says no more than its kind does
                let bare = name.strip_prefix("город ").unwrap_or(name);
                self.name(bare, true, |entry| push(&mut entry.settlements, index));
            }
        }
    }

    fn quarters(&mut self, gazetteer: &Gazetteer) {
        for (quarter, index) in gazetteer.quarters.iter().zip(0u16..) {
            self.name(&quarter.name, true, |entry| {
                push(&mut entry.quarters, index);
                entry.common |= quarter.word;
            });
        }
    }

    /// Streets called after people keep their form: «улица Ленина».
    fn streets(&mut self, gazetteer: &Gazetteer) {
        for (street, index) in gazetteer.streets.iter().zip(0u16..) {
            let declines = is_adjective(&fold(street.bare.split(' ').next().unwrap_or_default()));
            self.name(&street.bare, declines, |entry| push(&mut entry.streets, index));
            let stems = street.name.split_whitespace().map(|word| stem_word(&fold(word)).into_boxed_str());
            self.atlas.street_stems.push(stems.collect());
        }
    }

    fn people(&mut self, gazetteer: &Gazetteer) {
        let people = &mut self.atlas.people;
        for name in &gazetteer.words.first_names {
            for (form, _) in forms(&fold(name)) {
                *people.entry(form).or_default() |= PERSON_NAME;
            }
        }
        for (words, bit) in [(&gazetteer.words.person, PERSON_WORD), (&gazetteer.words.authority, AUTHORITY)] {
            for word in words {
                *people.entry(fold(word)).or_default() |= bit;
            }
        }
    }

    /// Finds or makes the name, in its spelling with and without hyphen, and says what it is.
    fn name(&mut self, name: &str, declines: bool, say: impl Fn(&mut Name)) {
        let folded = fold(name);
        self.spelling(&folded, declines, &say);
        if folded.contains('-') {
            self.spelling(&folded.replace('-', " "), declines, &say);
        }
    }

    fn spelling(&mut self, folded: &str, declines: bool, say: &impl Fn(&mut Name)) {
        let words: Vec<u16> = folded.split(' ').map(|word| self.lexeme(word, declines)).collect();
        let entry = match self.index.get(&words) {
            Some(entry) => *entry,
            None => {
                let entry = self.atlas.names.len();
                self.atlas.names.push(Name { rest: words[1..].into(), ..Name::default() });
                self.atlas.starts[usize::from(words[0])].push(entry as u16);
                self.index.insert(words, entry);
                entry
            }
        };
        say(&mut self.atlas.names[entry]);
    }

    fn existing(&mut self, name: &str) -> Option<usize> {
        let folded = fold(name);
        let words: Option<Vec<u16>> =
            folded.split(' ').map(|word| self.lexemes.get(&(word.to_owned(), true)).copied()).collect();
        self.index.get(&words?).copied()
    }

    fn lexeme(&mut self, word: &str, declines: bool) -> u16 {
        let key = (word.to_owned(), declines);
        if let Some(known) = self.lexemes.get(&key) {
            return *known;
        }
        let number = self.atlas.starts.len() as u16;
        self.lexemes.insert(key, number);
        self.atlas.starts.push(Vec::new());
        number
    }

    fn finish(mut self) -> Atlas {
        let mut by_form: HashMap<String, Vec<(u16, u8)>> = HashMap::new();
        for ((word, declines), number) in &self.lexemes {
            let forms = if *declines { forms(word) } else { vec![(word.clone(), !forms::SURNAME)] };
            for (form, cases) in forms {
                let readings = by_form.entry(form).or_default();
                match readings.iter_mut().find(|(known, _)| known == number) {
                    Some((_, known)) => *known |= cases,
                    None => readings.push((*number, cases)),
                }
            }
        }
        self.atlas.groups.push(Vec::new());
        for (form, mut readings) in by_form {
            readings.sort_unstable();
            let group = self.atlas.groups.len() as u16;
            self.atlas.groups.push(readings);
            self.atlas.forms.insert(form, group);
        }
        let names = &self.atlas.names;
        for starts in &mut self.atlas.starts {
            starts.sort_by_key(|name| std::cmp::Reverse(names[usize::from(*name)].rest.len()));
        }
        self.atlas
    }
}

fn push(list: &mut Vec<u16>, index: u16) {
    if !list.contains(&index) {
        list.push(index);
    }
}

/// Whether a settlement is called a town or a workers' settlement.
pub fn is_urban(kind: SettlementKind) -> bool {
    matches!(kind, SettlementKind::Town | SettlementKind::Workers)
}
