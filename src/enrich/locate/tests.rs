//! The corpus of hand-made texts, and what each kind of source says about a place.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::sources::{refine, sure};
use super::*;
use crate::config::reference::Reference;
use crate::text::{Tokens, tokenize};

fn shipped() -> Reference {
    crate::config::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")), &|_| None)
        .expect("sound")
        .reference
        .clone()
}

/// A worker's share of it all.
struct Reader {
    locator: Locator,
    words: Words,
    tokens: Tokens,
}

impl Reader {
    fn new() -> Reader {
        static ATLAS: OnceLock<Arc<Atlas>> = OnceLock::new();
        let atlas = ATLAS.get_or_init(|| Arc::new(Atlas::new(&shipped()))).clone();
        Reader { locator: Locator::new(atlas), words: Words::new(), tokens: Tokens::new() }
    }

    fn read(&mut self, text: &str, manner: Manner) -> Place {
        tokenize(text, &mut self.words, &mut self.tokens);
        self.locator.locate(text, &self.tokens, &self.words, manner)
    }

    fn code(&self, place: &Place) -> String {
        place.territory.map_or_else(|| "?".to_owned(), |index| self.locator.atlas().territory(index).code.clone())
    }

    fn settlement(&self, place: &Place) -> String {
        let gazetteer = self.locator.atlas().gazetteer();
        place.settlement.map_or_else(|| "-".to_owned(), |index| gazetteer.settlements[usize::from(index)].name.clone())
    }

    fn street(&self, place: &Place, text: &str) -> String {
        match place.street {
            None => "-".to_owned(),
            Some(StreetFound::Known(index)) => {
                self.locator.atlas().gazetteer().streets[usize::from(index)].name.clone()
            }
            Some(StreetFound::Written(start, end)) => text[start as usize..end as usize].to_owned(),
        }
    }
}

/// Right and wrong answers about one thing.
#[derive(Default)]
struct Score {
    right: usize,
    wrong: usize,
    missed: usize,
    told: String,
}

impl Score {
    fn count(&mut self, text: &str, expected: &str, found: &str, nothing: &str) {
        if expected == "~" {
            return;
        }
        if expected == found {
            self.right += usize::from(found != nothing);
            return;
        }
        self.wrong += usize::from(found != nothing);
        self.missed += usize::from(expected != nothing);
        writeln!(self.told, "  {expected} != {found}: {text}").expect("written");
    }

    fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    fn recall(&self) -> f64 {
        self.right as f64 / (self.right + self.missed) as f64
    }

    fn demand(&self, what: &str, precision: f64, recall: f64) {
        println!("{what}: precision {:.3}, recall {:.3}\n{}", self.precision(), self.recall(), self.told);
        assert!(self.precision() >= precision && self.recall() >= recall, "{what}");
    }
}

fn judge(file: &str, manner: Manner) -> [Score; 4] {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/place")).join(file);
    let corpus = std::fs::read_to_string(path).expect("the corpus");
    let mut reader = Reader::new();
    let mut scores: [Score; 4] = Default::default();
    for line in corpus.lines().filter(|line| !line.starts_with('#')) {
        let parts: Vec<&str> = line.splitn(5, " | ").collect();
        let [territory, settlement, street, house, text] = parts[..] else { panic!("{line}") };
        let place = reader.read(text, manner);
        let found_house = Some(place.house.of(text)).filter(|house| !house.is_empty()).unwrap_or("-");
        scores[0].count(text, territory, &reader.code(&place), "?");
        scores[1].count(text, settlement, &reader.settlement(&place), "-");
        scores[2].count(text, street, &reader.street(&place, text), "-");
        scores[3].count(text, house, found_house, "-");
    }
    scores
}

#[test]
fn texts_are_placed_and_traps_are_left_alone() {
    let [territory, settlement, street, house] = judge("texts.txt", Manner::Text);
    territory.demand("territory", 0.95, 0.9);
    settlement.demand("settlement", 0.95, 0.9);
    street.demand("street", 0.9, 0.9);
    house.demand("house", 0.9, 0.9);
}

#[test]
fn addresses_are_placed() {
    let [territory, settlement, street, house] = judge("addresses.txt", Manner::Address);
    territory.demand("territory", 0.95, 0.95);
    settlement.demand("settlement", 0.95, 0.9);
    street.demand("street", 0.9, 0.9);
    house.demand("house", 0.9, 0.9);
}

#[test]
fn codes_lead_to_the_territory_and_the_former_units_to_what_they_became() {
    let atlas = Atlas::new(&shipped());
    for (code, expected) in [
        ("61401000000", "ryazan"),
        ("61401", "ryazan"),
        ("61701000001", "ryazan"),
        ("61227501000", "rybnovsky"),
        ("61227850001", "rybnovsky"),
        ("61256854004", "shatsky"),
        ("61617101", "mikhailovsky"),
        ("61658000", "shilovsky"),
        ("61230", "ryazhsky"),
        ("61230501000", "ryazhsky"),
        ("61240551", "saraevsky"),
        ("61415000000", "skopinsky"),
        ("61710000", "sasovsky"),
        ("45000000", "?"),
        ("61", "?"),
        ("", "?"),
        ("рязань", "?"),
    ] {
        let found = atlas.by_code(code).map_or("?", |index| atlas.territory(index).code.as_str());
        assert_eq!(found, expected, "{code}");
    }
}

#[test]
fn points_lead_to_a_city_or_to_a_town_that_is_near() {
    let atlas = Atlas::new(&shipped());
    for (latitude, longitude, expected) in [
        (54.63, 39.74, "ryazan"),
        (54.606, 39.785, "ryazan"),
        (54.73, 39.51, "rybnovsky"),
        (54.94, 41.40, "kasimov"),
        (54.62, 39.87, "?"),
        (54.0, 40.5, "?"),
        (55.75, 37.62, "?"),
        (0.0, 0.0, "?"),
        (f32::NAN, f32::NAN, "?"),
    ] {
        let found = atlas.by_coordinates(latitude, longitude).map_or("?", |index| atlas.territory(index).code.as_str());
        assert_eq!(found, expected, "{latitude} {longitude}");
    }
}

#[test]
fn a_place_is_what_it_was_on_the_day() {
    let mut reader = Reader::new();
    for (text, day, expected) in [
        ("г. Скопин", "2025-12-31", "skopin"),
        ("г. Скопин", "2026-01-01", "skopinsky"),
        ("Скопинский район, п. Павелец", "2025-12-31", "skopinsky_raion"),
        ("Рыбновский район", "2025-06-01", "rybnovsky_raion"),
        ("Рыбновский район", "2026-06-01", "rybnovsky"),
        ("г. Рязань, Советский район", "2020-01-01", "ryazan.sovetsky"),
        ("Шиловский район", "2020-01-01", "shilovsky"),
    ] {
        let place = reader.read(text, Manner::Address);
        let unit = reader.locator.atlas().unit_at(&place, day).map(|unit| unit.code);
        assert_eq!(unit, Some(expected), "{text} {day}");
    }
}

#[test]
fn a_surer_source_is_narrowed_and_never_overruled() {
    let mut reader = Reader::new();
    let text = reader.read("Зубковой, 5, мусор не вывозят", Manner::Text);
    let atlas = Atlas::new(&shipped());
    let index =
        |code: &str| atlas.territories.iter().position(|territory| territory.code == code).map(|index| index as u16);
    let city = refine(&atlas, sure(index("ryazan"), How::Code, 99), text);
    assert_eq!((city.territory, city.how, city.street), (index("ryazan.oktyabrsky"), How::Code, text.street));
    let elsewhere = refine(&atlas, sure(index("shatsky"), How::Code, 99), text);
    assert_eq!((elsewhere.territory, elsewhere.street), (index("shatsky"), None));
    assert_eq!(refine(&atlas, sure(None, How::Code, 99), text), text);
}

#[test]
fn every_settlement_of_the_gazetteer_is_found_by_its_full_address() {
    let notes = super::notes::gazetteer_notes(&shipped());
    let lost: Vec<&String> =
        notes.iter().filter(|note| note.contains("cannot be found") || note.contains("dead entry")).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn nothing_but_the_text_decides_and_the_flat_is_never_kept() {
    let mut reader = Reader::new();
    let text = "г. Рязань, ул. Новосёлов, д. 40, корп. 2, кв. 112";
    let first = reader.read(text, Manner::Address);
    for other in ["", "с. Поляны", "112", "кв. 5, Рязань", "\n\n", "д. д. д. ул. ул. г. г."] {
        reader.read(other, Manner::Text);
    }
    assert_eq!(reader.read(text, Manner::Address), first);
    assert_eq!(first.house.of(text), "40, корп. 2");
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_locator(text in "([гдспкул. ,«»№0-9/-]|ул|дом|Рязан|Скопин|ский|район| и |\n|Ленина|Поляны){0,60}") {
        let mut reader = Reader::new();
        for manner in [Manner::Text, Manner::Address] {
            let place = reader.read(&text, manner);
            proptest::prop_assert!(text.get(place.house.start as usize..place.house.end as usize).is_some());
            proptest::prop_assert!(place.territory.is_none() || place.candidates.is_empty());
        }
    }
}
