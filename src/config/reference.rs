//! The dictionaries of the region, from `pipelines/reference/*.toml`: sector blocks, topics, territories, bodies.
//! Owner: `config`; enrichment reads. Invariants (checked by `reference_read.rs`): codes are unique, every name and alias
//! leads to exactly one entry of its list, every reference to another entry resolves. Lookups go by `normalise_name`.

use std::collections::HashMap;

use super::gazetteer::Gazetteer;
use super::routing::RoutingRule;
use crate::enrich::enricher::TextLists;

#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reference {
    pub blocks: Vec<Block>,
    pub topics: Vec<Topic>,
    pub territories: Vec<Territory>,
    pub bodies: Vec<Body>,
    /// Names of places below the territories; empty without its folder.
    pub gazetteer: Gazetteer,
    /// In the order of the file; empty without it.
    pub routing: Vec<RoutingRule>,
    /// Normalised code, name or alias → index into the list above.
    pub block_index: HashMap<String, u32>,
    pub topic_index: HashMap<String, u32>,
    pub territory_index: HashMap<String, u32>,
    pub body_index: HashMap<String, u32>,
    /// What texts are understood by.
    pub texts: TextLists,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Block {
    pub code: String,
    pub name: String,
    /// Place on walls and in lists.
    pub order: u32,
    pub aliases: Vec<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Topic {
    pub code: String,
    /// Index into `blocks`.
    pub block: u32,
    pub name: String,
    pub aliases: Vec<String>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Territory {
    pub code: String,
    pub name: String,
    pub kind: TerritoryKind,
    pub okato: String,
    pub oktmo: String,
    pub population: Option<u32>,
    /// `yyyy-mm-dd`, the first Moscow day of this entry.
    pub valid_from: Option<String>,
    /// Codes of the former units whose past figures this entry continues; their entries are in the gazetteer.
    pub predecessors: Vec<String>,
    /// Index into `territories` (the city of a city district).
    pub parent: Option<u32>,
    /// Keys of the entry whose values nobody has read in a source yet.
    pub unverified: Vec<String>,
    pub aliases: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TerritoryKind {
    City,
    CityDistrict,
    MunicipalOkrug,
    Raion,
}

/// The words of the files.
pub const TERRITORY_KINDS: &[(&str, TerritoryKind)] = &[
    ("city", TerritoryKind::City),
    ("city_district", TerritoryKind::CityDistrict),
    ("municipal_okrug", TerritoryKind::MunicipalOkrug),
    ("raion", TerritoryKind::Raion),
];

#[derive(Clone, PartialEq, Debug)]
pub struct Body {
    pub code: String,
    pub name: String,
    /// For walls; the name where the file has none.
    pub short: String,
    /// Free word of the file (`ministry`, `municipality`, `utility`…).
    pub kind: String,
    /// Indices into `blocks`.
    pub blocks: Vec<u32>,
    /// Index into `territories`.
    pub territory: Option<u32>,
    pub aliases: Vec<String>,
}

impl Reference {
    /// `name` must be normalised already (`normalise_name`).
    pub fn block(&self, name: &str) -> Option<u32> {
        self.block_index.get(name).copied()
    }

    pub fn topic(&self, name: &str) -> Option<u32> {
        self.topic_index.get(name).copied()
    }

    pub fn territory(&self, name: &str) -> Option<u32> {
        self.territory_index.get(name).copied()
    }

    pub fn body(&self, name: &str) -> Option<u32> {
        self.body_index.get(name).copied()
    }
}

/// Brings a name to the form of the lookups, into `out` (cleared first, so one buffer serves a whole stream):
/// trimmed, every run of white space one space, lower case, `ё` as `е`, all quotation marks as `"`, all dashes as `-`.
pub fn normalise_name(name: &str, out: &mut String) {
    out.clear();
    let mut gap = false;
    for letter in name.chars() {
        if letter.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && !out.is_empty() {
            out.push(' ');
        }
        gap = false;
        match letter {
            'ё' | 'Ё' => out.push('е'),
            '«' | '»' | '„' | '“' | '”' | '‟' | '\'' | '‘' | '’' | '`' => out.push('"'),
            '‐' | '‑' | '–' | '—' | '−' => out.push('-'),
            _ => out.extend(letter.to_lowercase()),
        }
    }
}
