//! Where a message is from: territory, settlement, street and house, by what the text says. «Unknown» is an answer.
//! Owner: a partition worker, one `Locator` each; the `Atlas` is shared. Pure: no IO, no clock, the day arrives as an
//! argument. Invariants: the answer depends on the text and the gazetteer alone; a name that several places have is never
//! guessed; no flat is ever kept; memory is bounded by the words of `text` and `scan::MAX_PIECES`.

pub mod atlas;
mod context;
pub mod evidence;
mod forms;
mod grammar;
pub mod notes;
mod resolve;
mod scan;
pub mod sources;
mod streets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use atlas::Atlas;
use atlas::Known;
pub use evidence::{Evidence, Meaning};
use resolve::Scales;
use scan::Scan;

use crate::text::{Letters, Shape, Token, WordTable, Words};

/// What kind of text is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// A person's message: words must look like places to be taken for one.
    Text,
    /// An address: every word may be one.
    Address,
}

/// How a territory was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum How {
    #[default]
    Unknown,
    Code,
    /// The name of a territory as the source gives it.
    Name,
    Coordinates,
    Address,
    Text,
}

impl How {
    pub fn name(self) -> &'static str {
        match self {
            How::Unknown => "unknown",
            How::Code => "code",
            How::Name => "name",
            How::Coordinates => "coordinates",
            How::Address => "address",
            How::Text => "text",
        }
    }
}

/// Up to eight territories, each once, in the order they were found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Candidates {
    list: [u16; 8],
    count: u8,
}

impl Candidates {
    pub fn add(&mut self, territory: u16) {
        if usize::from(self.count) < self.list.len() && !self.as_slice().contains(&territory) {
            self.list[usize::from(self.count)] = territory;
            self.count += 1;
        }
    }

    pub fn as_slice(&self) -> &[u16] {
        &self.list[..usize::from(self.count)]
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.as_slice().iter().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn only(&self) -> Option<u16> {
        if let [only] = self.as_slice() { Some(*only) } else { None }
    }
}

/// A street that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreetFound {
    /// Index into the streets of the gazetteer, for the spelling; in another settlement it is a street of the same name.
    Known(u16),
    /// Bytes of the text: a street that the gazetteer does not have.
    Written(u32, u32),
}

/// Bytes of the text; empty when no house is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct House {
    pub start: u32,
    pub end: u32,
}

impl House {
    pub fn of(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }
}

/// Where a text is from. Numbers are indices into the lists of the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    pub territory: Option<u16>,
    pub settlement: Option<u16>,
    pub quarter: Option<u16>,
    pub street: Option<StreetFound>,
    pub house: House,
    /// Of 100; 0 when the territory is unknown.
    pub confidence: u8,
    pub how: How,
    /// Territories it may be when it is unknown.
    pub candidates: Candidates,
}

/// Finds places in texts. One per worker; buffers are used again.
pub struct Locator {
    atlas: Arc<Atlas>,
    table: WordTable<Known>,
    known: Vec<Known>,
    visits: Vec<u32>,
    pieces: Vec<Evidence>,
    scales: Scales,
}

impl Locator {
    pub fn new(atlas: Arc<Atlas>) -> Locator {
        Locator {
            atlas,
            table: WordTable::new(),
            known: Vec::new(),
            visits: Vec::new(),
            pieces: Vec::new(),
            scales: Scales::default(),
        }
    }

    pub fn atlas(&self) -> &Atlas {
        &self.atlas
    }

    /// Where the text is from; `tokens` are those of `text`.
    pub fn locate(&mut self, text: &str, tokens: &[Token], words: &Words, manner: Manner) -> Place {
        self.pieces.clear();
        self.known.resize(tokens.len(), Known::default());
        if self.visits.len() <= tokens.len() {
            self.visits.resize(tokens.len() + 1, 0);
        }
        let (mut capitals, mut small) = (false, false);
        let mut count = 0;
        let table = self.table.of(words, |form, _| self.atlas.know(form));
        for ((token, slot), at) in tokens.iter().zip(&mut self.known).zip(0u32..) {
            // No branch: which tokens are words is no pattern that a processor could foretell.
            let is_word = matches!(token.shape, Shape::Word | Shape::Mixed);
            let known = if is_word { table.get(token.word) } else { Known::default() };
            capitals |= is_word & (token.letters == Letters::Capital);
            small |= is_word & (token.letters == Letters::Lower);
            self.visits[count] = at;
            count += usize::from(known.begins_something());
            *slot = known;
        }
        let visits = &self.visits[..count];
        if visits.is_empty() {
            return Place::default();
        }
        let cased = capitals && small;
        let scan = Scan { atlas: &self.atlas, text, tokens, known: &self.known, manner, cased };
        scan.collect(visits, &mut self.pieces);
        if self.pieces.is_empty() {
            return Place::default();
        }
        let mut place = resolve::resolve(&self.atlas, &self.pieces, &mut self.scales);
        place.house = resolve::house(&self.atlas, &self.pieces);
        if place.territory.is_some() {
            place.how = if manner == Manner::Address { How::Address } else { How::Text };
        }
        place
    }

    /// What the last text said about its place, in its order.
    pub fn evidence(&self) -> &[Evidence] {
        &self.pieces
    }
}
