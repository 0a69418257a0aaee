//! Tests of `gazetteer_read.rs`.

use super::*;
use crate::config::reference::TerritoryKind;

fn territory(code: &str, parent: Option<u32>, predecessors: &[&str]) -> Territory {
    Territory {
        code: code.to_owned(),
        name: code.to_owned(),
        kind: TerritoryKind::City,
        okato: String::new(),
        oktmo: String::new(),
        population: None,
        valid_from: None,
        predecessors: predecessors.iter().map(|code| (*code).to_owned()).collect(),
        parent,
        unverified: Vec::new(),
        aliases: Vec::new(),
    }
}

fn load(text: &str) -> Result<Gazetteer, String> {
    let territories =
        [territory("city", None, &[]), territory("city.north", Some(0), &[]), territory("okrug", None, &["raion"])];
    let errors = Errors::default();
    let gazetteer = read(&[("gazetteer/former.toml", text)], &Known::new(&territories), &errors);
    errors.into_result().map_err(|errors| errors.to_string())?;
    Ok(gazetteer)
}

const FORMER: &str =
    "[[former]]\ncode = \"raion\"\nname = \"Район\"\nkind = \"raion\"\nvalid_to = 2026-01-01\nsuccessor = \"okrug\"\n";

#[test]
fn names_and_kinds_are_read() {
    let text = format!(
        "{FORMER}[[settlements]]\nterritory = \"okrug\"\nnames = [\"с. Поляны\", \"ст. Мишино\"]\n\
         [[town]]\nname = \"г. Город\"\nterritory = \"city\"\nlat = 54.6\nlon = 39.7\n\
         [[streets]]\ncity = \"city\"\ndistrict = \"city.north\"\nown = [\"Касимовское шоссе\"]\ncommon = [\"площадь Ленина\", \"Новая\"]\n\
         [[quarter]]\ncity = \"city\"\nword = true\nnames = [\"Южный\"]\n"
    );
    let gazetteer = load(&text).expect("sound");
    let names: Vec<_> =
        gazetteer.settlements.iter().map(|place| (place.name.as_str(), place.kind, place.territory)).collect();
    assert_eq!(
        names,
        [
            ("Поляны", SettlementKind::Selo, 2),
            ("Мишино", SettlementKind::Station, 2),
            ("Город", SettlementKind::Town, 0)
        ]
    );
    assert_eq!(gazetteer.settlements[2].centre, Some((54.6, 39.7)));
    let streets: Vec<_> = gazetteer
        .streets
        .iter()
        .map(|street| (street.name.as_str(), street.bare.as_str(), street.kind, street.own))
        .collect();
    assert_eq!(
        streets,
        [
            ("Касимовское шоссе", "Касимовское", StreetKind::Highway, true),
            ("площадь Ленина", "Ленина", StreetKind::Square, false),
            ("ул. Новая", "Новая", StreetKind::Street, false),
        ]
    );
    assert!(gazetteer.quarters[0].word && gazetteer.former[0].successor == 2);
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let text = "[[settlements]]\nterritory = \"okrog\"\nnames = [\"с. А\"]\n\
         [[settlements]]\nterritory = \"okrug\"\nnames = [\"Поляны\", \"с. Б\", \"с. Б\"]\ncolour = 1\n\
         [[streets]]\ncity = \"okrug\"\ndistrict = \"city.north\"\nown = [\"Новая\"]\n\
         [[former]]\ncode = \"other\"\nname = \"Район\"\nvalid_to = \"2026-13-01\"\nsuccessor = \"okrug\"\n\
         [[area]]\nterritory = \"city\"\nsouth = 2\nnorth = 1\nwest = 1\neast = 2\n";
    let text = load(text).expect_err("mistakes");
    for start in [
        "former.toml:2: settlements[0].territory: there is no territory \"okrog\"; did you mean \"okrug\"?",
        "former.toml:6: settlements[1].names[0]: \"Поляны\" does not say what it is",
        "former.toml:6: settlements[1].names[2]: \"с. Б\" stands here twice",
        "former.toml:7: settlements[1].colour: unknown key",
        "former.toml:10: streets[0].district: is not a district of this city",
        "former.toml:15: former[0].valid_to: \"2026-13-01\" is not a day",
        "former.toml:17: area[0]: is empty",
        "former: \"raion\", a predecessor of \"okrug\", has no entry",
        "former: \"other\" is no predecessor of \"okrug\"",
    ] {
        assert!(text.contains(start), "{start}\n{text}");
    }
}
