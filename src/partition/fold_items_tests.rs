use std::sync::Arc;

use crate::app::rules::{SharedRules, SourceRules};
use crate::config::Config;
use crate::config::pipeline::{Items, Payload};
use crate::kafka::chunk::Chunk;
use crate::mapping::mapper::Mapper;
use crate::model::ids::{AssignmentEpoch, CaseKey, Offset, RulesVersion};
use crate::model::time::Time;
use crate::model::windows::Retention;
use crate::partition::fold::{BatchLimits, Fold, Progress};
use crate::partition::ports::StreamId;

const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";
const NOW: i64 = 1_780_000_000;

fn fold(items: Items, max_items: usize, rows: usize) -> Fold<SourceRules> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let config: Config = crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound");
    let shared = SharedRules::build(&config, Some(KEY)).expect("the shipped rules are sound");
    let mut pipeline = config.pipeline("incident").expect("shipped").clone();
    pipeline.payload = Payload { items, max_items, ..Payload::default() };
    let mapper = Mapper::new(&pipeline, shared.dictionaries.clone(), shared.identity.clone());
    let limits = BatchLimits { rows, bytes: usize::MAX, max_record_bytes: 1 << 20 };
    let rules = Arc::new(shared.of_source("incident"));
    let stream = StreamId::new("incident", "t", 0);
    Fold::new(stream, shared.names.clone(), mapper, rules, limits, Retention::OF_TABLES)
}

fn chunk(payloads: &[&str]) -> Chunk {
    let mut chunk = Chunk::new(AssignmentEpoch(1));
    for (index, payload) in payloads.iter().enumerate() {
        chunk.push(Offset(index as u64), NOW * 1000, Some(payload.as_bytes()));
    }
    chunk
}

fn found(case: &str) -> String {
    format!(r#"{{"incident_id":"{case}","event":"found","at":"2026-01-06T12:00:00+03:00","text":"Яма"}}"#)
}

fn process(fold: &mut Fold<SourceRules>, chunk: &Chunk, first: usize) -> Progress {
    fold.process(chunk, first, 0..u64::MAX, Time::from_unix_seconds(NOW).expect("in range"))
}

fn key(case: &str) -> CaseKey {
    CaseKey::of("incident", case)
}

#[test]
fn every_item_of_an_array_is_a_row_and_a_case() {
    let mut fold = fold(Items::Array, 10, 1000);
    let chunk = chunk(&[&format!("[{}, {}]", found("1"), found("2")), &found("3")]);
    assert_eq!(process(&mut fold, &chunk, 0), Progress::Done);
    assert_eq!((fold.rows(), fold.tally.applied), (3, 3));
    let versions = ["1", "2", "3"].map(|case| fold.case(key(case)).expect("applied").version.0);
    assert_eq!(versions, [0, 1, 1 << 16], "offset and item tell the rows apart");
}

#[test]
fn a_broken_item_rejects_itself_and_a_broken_array_the_record() {
    let mut fold = fold(Items::Array, 10, 1000);
    let broken_item = format!("[{}, {{\"event\":tru}}, 7, {}]", found("1"), found("2"));
    assert_eq!(process(&mut fold, &chunk(&[&broken_item]), 0), Progress::Done);
    assert_eq!((fold.tally.applied, fold.tally.rejected, fold.rows()), (2, 2, 4));
    assert_eq!(process(&mut fold, &chunk(&[&format!("[{}, {}", found("4"), found("5"))]), 0), Progress::Done);
    assert_eq!((fold.tally.applied, fold.tally.rejected, fold.rows()), (2, 3, 5));
}

#[test]
fn each_line_of_a_record_is_an_item() {
    let mut fold = fold(Items::Lines, 10, 1000);
    let payload = format!("{}\n\n{}\nnot json\n", found("1"), found("2"));
    assert_eq!(process(&mut fold, &chunk(&[&payload]), 0), Progress::Done);
    assert_eq!((fold.tally.applied, fold.tally.rejected, fold.rows()), (2, 1, 3));
}

#[test]
fn an_empty_array_is_one_row_and_too_many_items_are_one_reject() {
    let mut fold = fold(Items::Array, 2, 1000);
    let three = format!("[{}]", [found("1"), found("2"), found("3")].join(","));
    assert_eq!(process(&mut fold, &chunk(&["[]", &three]), 0), Progress::Done);
    assert_eq!((fold.tally.ignored, fold.tally.rejected, fold.tally.applied, fold.rows()), (1, 1, 0, 2));
}

#[test]
fn the_items_of_a_record_are_never_split_over_two_batches() {
    let mut fold = fold(Items::Array, 100, 3);
    let two = |a: &str, b: &str| format!("[{},{}]", found(a), found(b));
    let five = format!("[{}]", (10..15).map(|case| found(&case.to_string())).collect::<Vec<_>>().join(","));
    let chunk = chunk(&[&two("1", "2"), &two("3", "4"), &five]);
    assert_eq!(process(&mut fold, &chunk, 0), Progress::Full(1), "two and two do not fit into three rows");
    assert!(fold.is_full() && fold.rows() == 2, "it must be sealed at once, not when its age comes");
    fold.seal(0, RulesVersion(1));
    assert_eq!(process(&mut fold, &chunk, 1), Progress::Full(2));
    fold.seal(0, RulesVersion(1));
    assert_eq!(process(&mut fold, &chunk, 2), Progress::Done, "a record that is larger than a batch is a batch");
    assert_eq!((fold.rows(), fold.is_full()), (5, true));
}

#[test]
fn nothing_of_a_record_is_applied_before_all_its_cases_are_in_memory() {
    let mut fold = fold(Items::Array, 100, 1000);
    let known = fold_one(&mut fold, "7");
    fold.cases = Default::default();
    fold.cases.remember_evicted(known.key);
    fold.seal(0, RulesVersion(1));
    fold.take_tally();
    let answered = r#"{"incident_id":"7","event":"answered","at":"2026-01-07T12:00:00+03:00"}"#;
    let chunk = chunk(&["{}", &format!("[{}, {answered}]", found("8"))]);
    assert_eq!(process(&mut fold, &chunk, 1), Progress::NeedsCases(1));
    assert_eq!((fold.rows(), fold.case(key("8"))), (0, None), "the first item must wait for the second");
    assert_eq!(fold.missing_cases(&chunk, 1, 0..u64::MAX), [known.key]);
    fold.cases.insert(known);
    assert_eq!(process(&mut fold, &chunk, 1), Progress::Done);
    assert_eq!((fold.rows(), fold.tally.applied), (2, 2));
    assert!(fold.case(key("7")).expect("there").answered_at.is_some());
}

fn fold_one(fold: &mut Fold<SourceRules>, case: &str) -> crate::model::case::Case {
    assert_eq!(process(fold, &chunk(&[&found(case)]), 0), Progress::Done);
    *fold.case(key(case)).expect("applied")
}
