//! Tests of `reference.rs` and `reference_read.rs`.

use super::*;

const BLOCKS: &str = "[[block]]\ncode = \"roads\"\nname = \"Дороги\"\norder = 1\naliases = [\"Транспорт и дороги\"]\n\
                      [[block]]\ncode = \"zhkh\"\nname = \"ЖКХ\"\norder = 2\n";
const TOPICS: &str = "[[topic]]\ncode = \"pit\"\nblock = \"roads\"\nname = \"Яма на дороге\"\naliases = [\"Ямы\"]\n";
const TERRITORIES: &str = "[[territory]]\ncode = \"ryazan\"\nname = \"Рязань\"\nkind = \"city\"\nokato = \"61401\"\n\
    population = 523203\nvalid_from = \"2020-01-01\"\naliases = [\"г. Рязань\"]\n\
    [[territory]]\ncode = \"ryazan_sov\"\nname = \"Советский район\"\nkind = \"city_district\"\nparent = \"ryazan\"\n\
    [[territory]]\ncode = \"skopin_okrug\"\nname = \"Скопинский\"\nkind = \"municipal_okrug\"\npredecessor = [\"skopin\"]\nvalid_from = 2026-01-01\n";
const BODIES: &str = "[[body]]\ncode = \"mintrans\"\nname = \"Министерство транспорта\"\nshort = \"Минтранс\"\nkind = \"ministry\"\n\
    blocks = [\"roads\"]\n[[body]]\ncode = \"adm\"\nname = \"Администрация города Рязани\"\nterritory = \"ryazan\"\n";

fn load(blocks: &str, topics: &str, territories: &str, bodies: &str) -> Result<Reference, Vec<String>> {
    let errors = Errors::default();
    let files = ReferenceFiles {
        blocks: ("blocks.toml", blocks),
        topics: ("topics.toml", topics),
        territories: ("territories.toml", territories),
        bodies: ("bodies.toml", bodies),
        gazetteer: Vec::new(),
        routing: None,
    };
    let reference = read(&files, &errors);
    let result = errors.into_result().map_err(|list| list.0.iter().map(ToString::to_string).collect());
    result.map(|()| reference)
}

#[test]
fn every_name_and_alias_leads_to_its_entry() {
    let reference = load(BLOCKS, TOPICS, TERRITORIES, BODIES).expect("sound");
    let mut name = String::new();
    for written in ["roads", " дороги", "ТРАНСПОРТ  и дороги"] {
        normalise_name(written, &mut name);
        assert_eq!(reference.block(&name), Some(0), "{written}");
    }
    assert_eq!(reference.territory("г. рязань"), Some(0));
    assert_eq!(reference.territories[1].parent, Some(0));
    assert_eq!(reference.territories[2].predecessors, ["skopin"]);
    assert_eq!(reference.territories[2].valid_from.as_deref(), Some("2026-01-01"));
    assert_eq!((reference.body("минтранс"), reference.bodies[0].blocks.as_slice()), (Some(0), &[0][..]));
    assert_eq!(
        (reference.bodies[1].short.as_str(), reference.bodies[1].territory),
        ("Администрация города Рязани", Some(0))
    );
    assert_eq!(reference.topics[0].block, 0);
}

#[test]
fn spellings_of_a_name_are_one_name() {
    let mut name = String::new();
    for (written, normal) in
        [("  Рог ООО «Щётка»\u{a0}\t№ 5 ", "рог ооо \"щетка\" № 5"), ("Эко–Пронск", "эко-пронск"), ("", "")]
    {
        normalise_name(written, &mut name);
        assert_eq!(name, normal);
    }
}

#[test]
fn what_is_double_or_leads_nowhere_is_reported_with_its_line() {
    let blocks = format!("{BLOCKS}[[block]]\ncode = \"zhkh\"\nname = \"дороги\"\n");
    let topics = TOPICS.replace("\"roads\"", "\"road\"").replace("Ямы", "Жкх");
    let territories =
        format!("{TERRITORIES}[[territory]]\ncode = \"x\"\nname = \"Икс\"\nkind = \"sity\"\nparent = \"y\"\n");
    let bodies = format!("{BODIES}[[body]]\nname = \"Минтранс\"\ncolour = 1\n");
    let found = load(&blocks, &topics, &territories, &bodies).expect_err("mistakes");
    let expected = [
        "blocks.toml:11: block[2].code: \"zhkh\" is already the code of another block (line 7)",
        "blocks.toml:12: block[2].name: \"дороги\" leads to another block already (line 3)",
        "bodies.toml:11: body[2].code: is missing",
        "bodies.toml:12: body[2].name: \"Минтранс\" leads to another body already (line 4)",
        "bodies.toml:13: body[2].colour: unknown key",
        "territories.toml:23: territory[3].kind: \"sity\" is not a word of this list; did you mean \"city\"?",
        "territories.toml:24: territory[3].parent: there is no territory \"y\"",
        "topics.toml:3: topic[0].block: there is no block \"road\"; did you mean \"roads\"?",
        "topics.toml:5: topic[0].aliases[0]: \"жкх\" leads to a block already (blocks.toml:8)",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (message, start) in found.iter().zip(expected) {
        assert!(message.starts_with(start), "{message}\n{start}");
    }
}
