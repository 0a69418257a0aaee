//! Reads `pipelines/reference/gazetteer/*.toml`. Owner: `config`. Invariants: see `gazetteer.rs`; all files are read by one
//! grammar, so a methodologist may cut them as he likes; a mistake names its file and line.

use std::collections::{HashMap, HashSet};

use super::errors::{Errors, Place};
use super::gazetteer::*;
use super::reader::{Document, Item, Table, did_you_mean};
use super::reference::{Territory, normalise_name};
use super::reference_read::{File, day, digits};

const KINDS: [(&str, SettlementKind); 7] = [
    ("г. ", SettlementKind::Town),
    ("рп ", SettlementKind::Workers),
    ("п. ", SettlementKind::Hamlet),
    ("с. ", SettlementKind::Selo),
    ("д. ", SettlementKind::Village),
    ("ст. ", SettlementKind::Station),
    ("х. ", SettlementKind::Farm),
];
const KIND_WORDS: &str = "г. | рп | п. | с. | д. | ст. | х. and the name";

/// The territories and the predecessors they name, with the places where they do.
pub struct Known<'a> {
    pub territories: &'a [Territory],
    pub codes: HashMap<&'a str, u32>,
}

impl<'a> Known<'a> {
    pub fn new(territories: &'a [Territory]) -> Known<'a> {
        let codes = territories.iter().zip(0u32..).map(|(territory, index)| (territory.code.as_str(), index)).collect();
        Known { territories, codes }
    }

    fn territory(&self, item: Option<Item>) -> Option<u32> {
        let item = item?;
        let code = item.text()?;
        let found = self.codes.get(code.as_str()).copied();
        if found.is_none() {
            let hint = did_you_mean(&code, self.codes.keys().copied());
            item.refuse(format!("there is no territory {code:?}{hint}"), "the code of a territory of its file");
        }
        found
    }
}

/// Reads all files in the order of their names.
pub fn read(files: &[File], known: &Known, errors: &Errors) -> Gazetteer {
    let mut reading = Reading { known, gazetteer: Gazetteer::default(), seen: HashSet::new(), towns: Vec::new() };
    for (file, text) in files {
        Document::read(file, text, errors, |root| {
            root.tables("settlements").iter().for_each(|table| reading.settlements(table));
            root.tables("town").iter().for_each(|table| reading.town(table));
            root.tables("quarter").iter().for_each(|table| reading.quarters(table));
            root.tables("streets").iter().for_each(|table| reading.streets(table));
            root.tables("former").iter().for_each(|table| reading.former(table));
            root.tables("area").iter().for_each(|table| reading.area(table));
            reading.words(root);
        });
    }
    reading.join_former(errors);
    if !files.is_empty() {
        reading.check_predecessors(files, errors);
    }
    reading.gazetteer
}

struct Reading<'a> {
    known: &'a Known<'a>,
    gazetteer: Gazetteer,
    /// List, owner and normalised name of everything read so far.
    seen: HashSet<(&'static str, u32, String)>,
    /// Settlement and the code of the unit it was.
    towns: Vec<(usize, String, Place)>,
}

impl Reading<'_> {
    /// Whether the name is new under its owner; its second place is a mistake.
    fn is_new(&mut self, list: &'static str, owner: u32, name: &str, item: &Item) -> bool {
        let mut normal = String::new();
        normalise_name(name, &mut normal);
        let new = self.seen.insert((list, owner, normal));
        if !new {
            item.refuse(format!("{name:?} stands here twice"), "each name once under its territory");
        }
        new
    }

    fn settlements(&mut self, table: &Table) {
        let territory = self.known.territory(table.require("territory", "the code of a territory"));
        let names = table.require("names", KIND_WORDS).map_or_else(Vec::new, |item| item.list());
        for item in names {
            if let (Some(territory), Some((kind, name))) = (territory, settlement_name(&item)) {
                self.push_settlement(
                    &item,
                    Settlement { name, kind, territory, aliases: Vec::new(), former: None, centre: None },
                );
            }
        }
    }

    fn town(&mut self, table: &Table) {
        let territory = self.known.territory(table.require("territory", "the code of a territory"));
        let lat = table.number("lat", -90.0..=90.0);
        let lon = table.number("lon", -180.0..=180.0);
        let aliases = table.texts("aliases");
        let former = table.item("former");
        let Some(item) = table.require("name", KIND_WORDS) else { return };
        let (Some(territory), Some((kind, name))) = (territory, settlement_name(&item)) else { return };
        if let Some(former) = former
            && let Some(code) = former.text()
        {
            self.towns.push((self.gazetteer.settlements.len(), code, former.place()));
        }
        let centre = lat.zip(lon).map(|(lat, lon)| (lat as f32, lon as f32));
        self.push_settlement(&item, Settlement { name, kind, territory, aliases, former: None, centre });
    }

    fn push_settlement(&mut self, item: &Item, settlement: Settlement) {
        // «г. Кораблино» and «с. Кораблино» of one territory are two places.
        let name = format!("{} {}", settlement.kind.short(), settlement.name);
        if self.is_new("settlement", settlement.territory, &name, item) {
            self.gazetteer.settlements.push(settlement);
        }
    }

    fn quarters(&mut self, table: &Table) {
        let city = self.known.territory(table.require("city", "the code of a city"));
        let district = self.district(table, city);
        let word = table.boolean("word").unwrap_or(false);
        let Some(city) = city else { return };
        for item in table.require("names", "names of quarters").map_or_else(Vec::new, |item| item.list()) {
            if let Some(name) = item.text()
                && self.is_new("quarter", city, &name, &item)
            {
                self.gazetteer.quarters.push(Quarter { name, city, district, word });
            }
        }
    }

    fn streets(&mut self, table: &Table) {
        let city = self.known.territory(table.require("city", "the code of a city"));
        let district = self.district(table, city);
        for (key, own) in [("own", true), ("common", false)] {
            for item in table.item(key).map_or_else(Vec::new, |item| item.list()) {
                let (Some(city), Some(name)) = (city, item.text()) else { continue };
                let (bare, kind) = street_name(&name);
                if self.is_new("street", city, &name, &item) {
                    let name = if kind == StreetKind::Street { format!("ул. {bare}") } else { name };
                    self.gazetteer.streets.push(Street { name, bare, kind, city, district, own });
                }
            }
        }
    }

    fn district(&self, table: &Table, city: Option<u32>) -> Option<u32> {
        let district = self.known.territory(Some(table.item("district")?))?;
        if city.is_some() && self.known.territories[district as usize].parent != city {
            table.refuse("district", "is not a district of this city", "a territory whose parent is the city");
        }
        Some(district)
    }

    fn former(&mut self, table: &Table) {
        let successor = self.known.territory(table.require("successor", "the code of a territory"));
        let valid_to = table.require("valid_to", "yyyy-mm-dd").and_then(|item| day(&item));
        let (okato, oktmo) = (digits(table, "okato"), digits(table, "oktmo"));
        let city = table.choice("kind", &[("city", true), ("raion", false)]).unwrap_or(false);
        table.texts("unverified");
        let name = table.require_text("name");
        let Some(item) = table.require("code", "a short code, unique in its list") else { return };
        let (Some(code), Some(name), Some(valid_to), Some(successor)) = (item.text(), name, valid_to, successor) else {
            return;
        };
        if self.known.codes.contains_key(code.as_str()) {
            item.refuse(format!("{code:?} is the code of a territory"), "a code that no territory has");
        }
        if self.is_new("former", 0, &code, &item) {
            self.gazetteer.former.push(FormerUnit { code, name, okato, oktmo, valid_to, successor, city });
        }
    }

    fn area(&mut self, table: &Table) {
        let territory = self.known.territory(table.require("territory", "the code of a territory"));
        let side = |key: &'static str, limit: f64| {
            table.require(key, "degrees").and_then(|item| item.number(-limit..=limit)).map(|degrees| degrees as f32)
        };
        let (south, north) = (side("south", 90.0), side("north", 90.0));
        let (west, east) = (side("west", 180.0), side("east", 180.0));
        if let (Some(territory), Some(south), Some(north), Some(west), Some(east)) =
            (territory, south, north, west, east)
        {
            if south >= north || west >= east {
                table.refuse_whole("is empty", "south < north and west < east");
            }
            self.gazetteer.areas.push(Area { territory, south, north, west, east });
        }
    }

    fn words(&mut self, root: &Table) {
        let words = &mut self.gazetteer.words;
        words.common.extend(root.texts("common"));
        words.authority.extend(root.texts("authority"));
        words.outside.extend(root.texts("outside"));
        words.first_names.extend(root.texts("first_names"));
        words.person.extend(root.texts("person"));
    }

    /// A town that was a unit of its own points to it.
    fn join_former(&mut self, errors: &Errors) {
        for (settlement, code, place) in &self.towns {
            let found = self.gazetteer.former.iter().position(|unit| unit.code == *code);
            if found.is_none() {
                errors.add_at(place, format!("there is no former unit {code:?}"), "the code of a [[former]]");
            }
            self.gazetteer.settlements[*settlement].former = found.map(|index| index as u32);
        }
    }

    /// Territories and former units must tell the same story.
    fn check_predecessors(&self, files: &[File], errors: &Errors) {
        let file = files.iter().find(|(name, _)| name.ends_with("former.toml")).map_or(files[0].0, |file| file.0);
        for (territory, index) in self.known.territories.iter().zip(0u32..) {
            for code in &territory.predecessors {
                let told = self.gazetteer.former.iter().any(|unit| unit.code == *code && unit.successor == index);
                if !told {
                    let problem = format!("{code:?}, a predecessor of {:?}, has no entry", territory.code);
                    errors.add_whole(file, "former", problem, "a [[former]] with this code and successor");
                }
            }
        }
        for unit in &self.gazetteer.former {
            let successor = &self.known.territories[unit.successor as usize];
            if !successor.predecessors.contains(&unit.code) {
                let problem = format!("{:?} is no predecessor of {:?}", unit.code, successor.code);
                errors.add_whole(file, "former", problem, "a code of its key `predecessor`");
            }
        }
    }
}

fn settlement_name(item: &Item) -> Option<(SettlementKind, String)> {
    let text = item.text()?;
    let found = KINDS.iter().find_map(|(prefix, kind)| Some((*kind, text.strip_prefix(prefix)?.trim().to_owned())));
    if found.is_none() {
        item.refuse(format!("{text:?} does not say what it is"), KIND_WORDS);
    }
    found
}

/// «площадь Ленина», «Касимовское шоссе», «Новосёлов».
fn street_name(name: &str) -> (String, StreetKind) {
    for (word, kind) in StreetKind::ALL {
        if let Some(bare) = name.strip_prefix(word).filter(|rest| rest.starts_with(' ')) {
            return (bare.trim().to_owned(), kind);
        }
        if let Some(bare) = name.strip_suffix(word).filter(|rest| rest.ends_with(' ')) {
            return (bare.trim().to_owned(), kind);
        }
    }
    (name.to_owned(), StreetKind::Street)
}

#[cfg(test)]
#[path = "gazetteer_tests.rs"]
mod tests;
