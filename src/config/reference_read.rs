//! Reads `pipelines/reference/*.toml` into a `Reference`: first each list by itself, then what they say about each other.
//! Owner: `config`. Invariants: see `reference.rs`. A dictionary with a mistake is never used, so an entry whose
//! reference does not resolve keeps a zero there.

use std::collections::HashMap;

use super::errors::{Errors, Place};
use super::gazetteer_read::{self, Known};
use super::reader::{Document, Item, Table, did_you_mean};
use super::reference::*;
use super::routing;

/// A file: its name for messages, and its text.
pub type File<'a> = (&'a str, &'a str);

/// The texts of the four lists, and of what may be left out.
pub struct ReferenceFiles<'a> {
    pub blocks: File<'a>,
    pub topics: File<'a>,
    pub territories: File<'a>,
    pub bodies: File<'a>,
    pub gazetteer: Vec<File<'a>>,
    pub routing: Option<File<'a>>,
}

pub fn read(files: &ReferenceFiles, errors: &Errors) -> Reference {
    let mut blocks = List::new("block", errors);
    let mut topics = List::new("topic", errors);
    let mut territories = List::new("territory", errors);
    let mut bodies = List::new("body", errors);
    blocks.read(files.blocks, |_, table, names| Block {
        code: names.code.clone(),
        name: names.name.clone(),
        order: table.integer("order", 0..=10_000).unwrap_or(0),
        aliases: names.aliases.clone(),
    });
    topics.read(files.topics, |links, table, names| {
        links.one(table.require("block", "the code of a block"), Target::Block);
        Topic { code: names.code.clone(), block: 0, name: names.name.clone(), aliases: names.aliases.clone() }
    });
    territories.read(files.territories, territory);
    bodies.read(files.bodies, |links, table, names| {
        links.many(table.item("blocks"), Target::Block);
        links.one(table.item("territory"), Target::Territory);
        Body {
            code: names.code.clone(),
            name: names.name.clone(),
            short: names.short.clone().unwrap_or_else(|| names.name.clone()),
            kind: table.text("kind").unwrap_or_default(),
            blocks: Vec::new(),
            territory: None,
            aliases: names.aliases.clone(),
        }
    });
    for (topic, links) in topics.entries.iter_mut().zip(&topics.links) {
        topic.block = links.resolve(Target::Block, &blocks.codes, errors).next().unwrap_or(0);
    }
    for (body, links) in bodies.entries.iter_mut().zip(&bodies.links) {
        body.blocks = links.resolve(Target::Block, &blocks.codes, errors).collect();
        body.territory = links.resolve(Target::Territory, &territories.codes, errors).next();
    }
    for (territory, links) in territories.entries.iter_mut().zip(&territories.links) {
        territory.parent = links.resolve(Target::Territory, &territories.codes, errors).next();
    }
    topics.refuse_names_of(&blocks);
    let gazetteer = gazetteer_read::read(&files.gazetteer, &Known::new(&territories.entries), errors);
    let mut reference = Reference {
        blocks: blocks.entries,
        topics: topics.entries,
        territories: territories.entries,
        bodies: bodies.entries,
        gazetteer,
        routing: Vec::new(),
        block_index: blocks.names,
        topic_index: topics.names,
        territory_index: territories.names,
        body_index: bodies.names,
        ..Reference::default()
    };
    if let Some(file) = files.routing {
        reference.routing = routing::read(file, &reference, errors);
    }
    reference
}

fn territory(links: &mut Links, table: &Table, names: &Names) -> Territory {
    links.one(table.item("parent"), Target::Territory);
    let valid_from = table.item("valid_from").and_then(|item| day(&item));
    Territory {
        code: names.code.clone(),
        name: names.name.clone(),
        kind: table
            .require("kind", "city | city_district | municipal_okrug | raion")
            .and_then(|item| item.choice(TERRITORY_KINDS))
            .unwrap_or(TerritoryKind::City),
        okato: digits(table, "okato"),
        oktmo: digits(table, "oktmo"),
        population: table.integer("population", 1..=200_000_000),
        valid_from,
        predecessors: table.texts("predecessor"),
        parent: None,
        unverified: table.texts("unverified"),
        aliases: names.aliases.clone(),
    }
}

/// A day as text, `yyyy-mm-dd`.
pub fn day(item: &Item) -> Option<String> {
    let date = item.text_or_date()?;
    if date.len() != 10 || date.parse::<chrono::NaiveDate>().is_err() {
        item.refuse(format!("{date:?} is not a day"), "yyyy-mm-dd");
    }
    Some(date)
}

/// Codes of the state classifiers: texts, because they may begin with a zero.
pub fn digits(table: &Table, key: &'static str) -> String {
    let code = table.text(key).unwrap_or_default();
    if !code.chars().all(|c| c.is_ascii_digit()) || code.len() > 11 {
        table.refuse(key, format!("{code:?} is not a code of this classifier"), "up to 11 digits in quotes");
    }
    code
}

/// How an entry is called.
struct Names {
    code: String,
    name: String,
    short: Option<String>,
    aliases: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Block,
    Territory,
}

/// What an entry says about others, by code and place.
#[derive(Default)]
struct Links(Vec<(Target, String, Place)>);

impl Links {
    fn one(&mut self, item: Option<Item>, target: Target) {
        if let Some(item) = item
            && let Some(code) = item.text()
        {
            self.0.push((target, code, item.place()));
        }
    }

    fn many(&mut self, item: Option<Item>, target: Target) {
        match item {
            Some(item) if item.is_list() => item.list().into_iter().for_each(|element| self.one(Some(element), target)),
            item => self.one(item, target),
        }
    }

    fn resolve<'a>(
        &'a self,
        target: Target,
        codes: &'a HashMap<String, (u32, Place)>,
        errors: &'a Errors,
    ) -> impl Iterator<Item = u32> + 'a {
        self.0.iter().filter(move |(kind, _, _)| *kind == target).filter_map(move |(_, code, place)| {
            let found = codes.get(code).map(|(index, _)| *index);
            if found.is_none() {
                let noun = if target == Target::Block { "block" } else { "territory" };
                let hint = did_you_mean(code, codes.keys().map(String::as_str));
                errors.add_at(
                    place,
                    format!("there is no {noun} {code:?}{hint}"),
                    format!("the code of a {noun} of its file"),
                );
            }
            found
        })
    }
}

/// One list while it is read.
struct List<'e, T> {
    noun: &'static str,
    errors: &'e Errors,
    entries: Vec<T>,
    links: Vec<Links>,
    codes: HashMap<String, (u32, Place)>,
    names: HashMap<String, u32>,
    /// The normalised name's first spelling and place, for messages about its second.
    name_places: HashMap<String, Place>,
}

impl<'e, T> List<'e, T> {
    fn new(noun: &'static str, errors: &'e Errors) -> List<'e, T> {
        List {
            noun,
            errors,
            entries: Vec::new(),
            links: Vec::new(),
            codes: HashMap::new(),
            names: HashMap::new(),
            name_places: HashMap::new(),
        }
    }

    fn read(&mut self, (file, text): File, entry: impl Fn(&mut Links, &Table, &Names) -> T) {
        Document::read(file, text, self.errors, |root| {
            for table in root.tables(self.noun) {
                let index = self.entries.len() as u32;
                let names = self.names_of(&table, index);
                let mut links = Links::default();
                self.entries.push(entry(&mut links, &table, &names));
                self.links.push(links);
            }
        });
    }

    /// A word of a source is looked up in both lists, so it must lead to one entry of one of them.
    fn refuse_names_of<O>(&self, other: &List<'e, O>) {
        for (name, place) in &self.name_places {
            if let Some(first) = other.name_places.get(name) {
                let problem = format!("{name:?} leads to a {} already ({}:{})", other.noun, first.file, first.line);
                self.errors.add_at(place, problem, "a name or alias of one entry only");
            }
        }
    }

    fn names_of(&mut self, table: &Table, index: u32) -> Names {
        let code_item = table.require("code", "a short code, unique in its list");
        let name_item = table.require("name", "the name people know");
        // Only bodies have one; elsewhere the key stays unknown and is refused.
        let short_item = if self.noun == "body" { table.item("short") } else { None };
        let alias_items = table.item("aliases").map_or_else(Vec::new, |item| item.list());
        let code = code_item.as_ref().and_then(Item::text).unwrap_or_default();
        if let Some(item) = &code_item
            && !code.is_empty()
        {
            match self.codes.get(&code) {
                Some((_, first)) => {
                    item.refuse(
                        format!("{code:?} is already the code of another {} (line {})", self.noun, first.line),
                        "a code of its own",
                    );
                }
                None => drop(self.codes.insert(code.clone(), (index, item.place()))),
            }
        }
        let aliases = alias_items
            .iter()
            .filter_map(|item| item.text().inspect(|text| self.add_name(text, item, index)))
            .collect();
        let name = name_item.as_ref().and_then(|item| item.text().inspect(|text| self.add_name(text, item, index)));
        let short = short_item.as_ref().and_then(|item| item.text().inspect(|text| self.add_name(text, item, index)));
        if let Some(item) = &code_item {
            self.add_name(&code, item, index);
        }
        Names { code, name: name.unwrap_or_default(), short, aliases }
    }

    fn add_name(&mut self, name: &str, item: &Item, index: u32) {
        let mut normal = String::new();
        normalise_name(name, &mut normal);
        match self.names.get(&normal) {
            Some(other) if *other != index => {
                let first = self.name_places.get(&normal).map_or(0, |place| place.line);
                // A repeated code is reported as such.
                if item.path.ends_with(".code") && self.codes.get(name).is_some_and(|(owner, _)| *owner != index) {
                    return;
                }
                item.refuse(
                    format!("{name:?} leads to another {} already (line {first})", self.noun),
                    "a name or alias of one entry only",
                );
            }
            Some(_) => {}
            None => {
                self.name_places.insert(normal.clone(), item.place());
                self.names.insert(normal, index);
            }
        }
    }
}

#[cfg(test)]
#[path = "reference_tests.rs"]
mod tests;
