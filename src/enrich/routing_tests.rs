//! Tests of `routing.rs`.

use std::path::Path;

use super::*;
use crate::config::errors::Errors;
use crate::config::routing::read;

fn shipped() -> Reference {
    crate::config::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")), &|_| None)
        .expect("sound")
        .reference
        .clone()
}

fn with_rules(text: &str) -> Reference {
    let mut reference = shipped();
    let errors = Errors::default();
    reference.routing = read(("routing.toml", text), &reference, &errors);
    errors.into_result().unwrap_or_else(|errors| panic!("{errors}"));
    reference
}

fn bodies(reference: &Reference, topic: &str, territory: Option<&str>, day: &str) -> Vec<String> {
    let index = reference.topics.iter().position(|entry| entry.code == topic).expect("a topic");
    let territory = territory
        .map(|code| reference.territories.iter().position(|entry| entry.code == code).expect("a territory") as u32);
    let question = Question { block: reference.topics[index].block, topic: Some(index as u32), territory, day };
    let mut found = Vec::new();
    Routing::new(reference).bodies(&question, &mut found);
    found.iter().map(|body| reference.bodies[*body as usize].code.clone()).collect()
}

#[test]
fn the_first_rule_that_fits_names_the_bodies() {
    let reference = shipped();
    for (topic, territory, expected) in [
        ("roads.pits", Some("rybnovsky"), vec!["dirdor", "adm_rybnovsky"]),
        ("roads.pits", None, vec!["mintrans", "dirdor"]),
        ("roads.pits", Some("ryazan.oktyabrsky"), vec!["ublagryazan", "mintrans", "pref_oktyabrsky"]),
        ("roads.signs", Some("kasimov"), vec!["gibdd", "mintrans", "admkasimov"]),
        ("housing.heating", Some("ryazan.moskovsky"), vec!["uenergryazan", "teplo", "mintek"]),
        ("msw.removal", Some("shatsky"), vec!["ekopronsk", "minprirody"]),
        ("other.stray", Some("shatsky"), vec!["gosvet", "adm_shatsky"]),
        ("other.telecom", Some("shatsky"), vec!["mindigital"]),
    ] {
        assert_eq!(bodies(&reference, topic, territory, "2026-03-01"), expected, "{topic} {territory:?}");
    }
}

#[test]
fn the_shipped_rules_leave_nothing_dead_unreachable_or_without_a_body() {
    let reference = shipped();
    let routing = Routing::new(&reference);
    let wrong: Vec<String> = routing
        .findings()
        .iter()
        .filter(|finding| !matches!(finding, Finding::IdleBody { .. } | Finding::Uncovered { .. }))
        .map(|finding| routing.say(finding))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_rule_holds_from_its_first_day_until_its_last() {
    let reference = with_rules(
        "[[rule]]\nname = \"a\"\nblock = [\"roads\"]\nbodies = [\"dirdor\"]\nvalid_to = 2026-01-01\n\
         [[rule]]\nname = \"b\"\nblock = [\"roads\"]\nbodies = [\"mintrans\"]\n",
    );
    assert_eq!(bodies(&reference, "roads.pits", None, "2025-12-31"), ["dirdor"]);
    assert_eq!(bodies(&reference, "roads.pits", None, "2026-01-01"), ["mintrans"]);
}

#[test]
fn odd_rules_are_found_by_name() {
    let reference = with_rules(
        "[[rule]]\nname = \"roads\"\nblock = [\"roads\"]\nbodies = [\"mintrans\"]\n\
         [[rule]]\nname = \"pits\"\ntopic = [\"roads.pits\"]\nbodies = [\"dirdor\"]\n\
         [[rule]]\nname = \"dead\"\nblock = [\"sport\"]\ntopic = [\"roads.pits\"]\nbodies = [\"minsport\"]\n\
         [[rule]]\nname = \"city\"\nterritory = [\"ryazan\"]\nblock = [\"sport\", \"culture\"]\nbodies = [\"usportryazan\"]\n\
         [[rule]]\nname = \"sport\"\nblock = [\"sport\"]\nbodies = [\"minsport\"]\n\
         [[rule]]\nname = \"local\"\nblock = [\"labour\"]\nlocal = [\"municipality\"]\n",
    );
    let routing = Routing::new(&reference);
    let findings = routing.findings();
    assert!(findings.contains(&Finding::Unreachable { rule: 1, taken_by: vec![0] }), "{findings:?}");
    assert!(findings.contains(&Finding::Dead { rule: 2 }));
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Overlap { first: 3, second: 4, .. })));
    assert!(findings.iter().any(|finding| matches!(finding, Finding::NoBody { rule: 5, .. })));
    assert!(findings.iter().any(|finding| matches!(finding, Finding::Uncovered { .. })));
    let minzdrav = reference.bodies.iter().position(|body| body.code == "minzdrav").expect("shipped");
    assert!(findings.contains(&Finding::IdleBody { body: minzdrav }));
    let overlaps = findings.iter().filter(|finding| matches!(finding, Finding::Overlap { .. })).count();
    assert_eq!(overlaps, 1, "an exception before its rule is no finding: {findings:?}");
}

#[test]
fn a_rule_that_names_what_is_not_there_is_refused_with_its_line() {
    let reference = shipped();
    let errors = Errors::default();
    read(
        (
            "routing.toml",
            "[[rule]]\nname = \"a\"\nblock = [\"road\"]\nlocal = [\"ministri\"]\n[[rule]]\nname = \"a\"\n",
        ),
        &reference,
        &errors,
    );
    let text = errors.into_result().expect_err("mistakes").to_string();
    for start in [
        "routing.toml:3: rule[0].block[0]: there is no \"road\"",
        "routing.toml:4: rule[0].local[0]: no body is of the kind",
        "rule[1].name: \"a\" is the name of an earlier rule",
        "rule[1]: names no body",
    ] {
        assert!(text.contains(start), "{start}\n{text}");
    }
}
