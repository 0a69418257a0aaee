//! Golden tests of the shipped sources and of the examples: sample records of `tests/fixtures/sources/` through the pipeline files,
//! the dictionaries and the case machine, rendered as text beside them. `TSUR_UPDATE_GOLDEN=1 cargo test golden` writes the
//! texts anew; read the difference before you commit it.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::rules::SharedRules;
use crate::config::{self, Config};
use crate::generate::{Fate, Region, SimulatedRecord, Simulation, SimulationConfig, SourceKind};
use crate::mapping::mapper::{Mapper, Texts};
use crate::model::apply::apply;
use crate::model::case::{Case, Flag, RowVersion};
use crate::model::effects::Effect;
use crate::model::ids::{CaseKey, Offset};
use crate::model::time::{MOSCOW_OFFSET_SECONDS, Time};
use crate::model::words::{Decision, Law, MessageKind, Outcome, Priority, Status, Subject};

const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A folder with the shipped pipelines, some of them taken away and some files added.
pub(super) fn installation(without: &[&str], added: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("tsur.toml"), "pipelines_dir = \"pipelines\"\n").expect("settings");
    for sub in ["", "alerts", "calendars", "policies", "reference", "reference/gazetteer", "reference/lexicon"] {
        let to = folder.path().join("pipelines").join(sub);
        std::fs::create_dir_all(&to).expect("a folder");
        for entry in std::fs::read_dir(project("pipelines").join(sub)).expect("shipped") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_file() && !without.contains(&name.as_str()) {
                std::fs::copy(&path, to.join(name)).expect("copied");
            }
        }
    }
    for (name, text) in added {
        std::fs::write(folder.path().join("pipelines").join(name), text).expect("written");
    }
    folder
}

pub(super) fn load(folder: &Path) -> Config {
    config::load(folder, &|_: &str| None).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The pipelines of one source, and the cases that its records make.
pub(super) struct Bench {
    mapper: Mapper,
    rules: super::rules::SourceRules,
    pub(super) shared: SharedRules,
    pub(super) cases: HashMap<CaseKey, Case>,
    records: u64,
}

/// What became of one record.
pub(super) struct Told {
    pub(super) outcome: Outcome,
    pub(super) reason: &'static str,
    /// Column and value of a rejected record.
    wrong: (String, String),
    event: &'static str,
    pub(super) case: Option<Case>,
    effects: Vec<Effect>,
    pub(super) texts: Texts,
}

impl Bench {
    pub(super) fn new(config: &Config, pipeline: &str) -> Bench {
        let shared = SharedRules::build(config, Some(KEY)).unwrap_or_else(|error| panic!("{error}"));
        let pipeline = config.pipeline(pipeline).expect("there");
        let mapper = Mapper::new(pipeline, shared.dictionaries.clone(), shared.identity.clone());
        Bench { mapper, rules: shared.of_source(&pipeline.source), shared, cases: HashMap::new(), records: 0 }
    }

    pub(super) fn tell(&mut self, payload: &[u8], received: Time) -> Told {
        let version = RowVersion::new(Offset(self.records), 0);
        self.records += 1;
        let mut slots = Vec::new();
        let mut told = Told {
            outcome: Outcome::Rejected,
            reason: "",
            wrong: Default::default(),
            event: "",
            case: None,
            effects: Vec::new(),
            texts: Texts::default(),
        };
        match self.mapper.map(payload, received, &mut slots, &mut told.texts) {
            Err(rejection) => {
                told.reason = rejection.reason;
                told.wrong = (rejection.column, rejection.detail);
            }
            Ok(facts) if facts.subject != Subject::Case => {
                (told.outcome, told.event) = (Outcome::Applied, facts.subject.name());
                told.case = Some(facts.as_columns());
            }
            Ok(facts) => {
                let known = self.cases.get(&facts.key);
                let (case, verdict) = apply(known, &facts, version, &self.rules, &mut told.effects);
                (told.outcome, told.reason, told.event) = (verdict.outcome, verdict.reason, verdict.event.name());
                told.case = Some(case);
                if verdict.outcome == Outcome::Applied {
                    self.cases.insert(facts.key, case);
                }
            }
        }
        told
    }
}

fn moment(at: Time, day_only: bool) -> String {
    let local = i64::from(at.seconds()) + i64::from(MOSCOW_OFFSET_SECONDS);
    let local = chrono::DateTime::from_timestamp(local, 0).expect("in range");
    local.format(if day_only { "%d.%m.%Y" } else { "%d.%m.%Y %H:%M:%S" }).to_string()
}

fn render(number: usize, told: &Told, bench: &Bench, out: &mut String) {
    let event = if told.event.is_empty() { String::new() } else { format!(" {}", told.event) };
    let case_id = if told.texts.case_id.is_empty() { "-" } else { &told.texts.case_id };
    let _ = writeln!(out, "{number}. {}{event}, case {case_id}", told.outcome.name());
    if told.outcome != Outcome::Applied {
        let (column, value) = &told.wrong;
        let column = if column.is_empty() { String::new() } else { format!(" in «{column}»") };
        let value = if value.is_empty() { String::new() } else { format!(": {value}") };
        let _ = writeln!(out, "   reason {}{column}{value}", told.reason);
        return;
    }
    let Some(case) = told.case else { return };
    let names = &bench.shared.names;
    let mut facts: Vec<String> = Vec::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            facts.push(format!("{name} {value}"));
        }
    };
    let is_case = !Subject::ALL.iter().any(|subject| subject.name() == told.event);
    fact("status", if is_case { case.status.name().to_owned() } else { String::new() });
    for (name, at) in [
        ("registered", case.registered_at),
        ("planned", case.planned_at),
        ("first answer", case.first_answer_at),
        ("answered", case.answered_at),
        ("closed", case.closed_at),
    ] {
        fact(name, at.map_or_else(String::new, |at| moment(at, case.is(Flag::DayOnly))));
    }
    fact("block", names.blocks.name(u16::from(case.block.0)).to_string());
    fact("topic", names.topics.name(case.topic.0).to_string());
    fact("category", names.words.name(case.category.0).to_string());
    fact("territory", names.territories.name(case.territory.0).to_string());
    fact("received by", names.bodies.name(case.received_body.0).to_string());
    fact("body", names.bodies.name(case.body.0).to_string());
    fact("network", names.words.name(case.network.0).to_string());
    fact("law", case.law.map_or("", Law::name).to_owned());
    fact("kind", case.kind.map_or("", MessageKind::name).to_owned());
    fact("decision", case.decision.map_or("", Decision::name).to_owned());
    fact("priority", if case.priority == Priority::Urgent { "urgent".to_owned() } else { String::new() });
    fact("rating", if case.rating > 0 { case.rating.to_string() } else { String::new() });
    fact("round", if case.review_round > 0 { case.review_round.to_string() } else { String::new() });
    fact("fast track", if case.is(Flag::FastTrack) { "yes".to_owned() } else { String::new() });
    fact("overdue by the source", if case.is(Flag::SourceOverdue) { "yes".to_owned() } else { String::new() });
    fact("author", if case.author_key != 0 { "a keyed hash".to_owned() } else { String::new() });
    fact("policy", names.policies.name(case.policy).to_string());
    let _ = writeln!(out, "   {}", facts.join(" · "));
    let texts = [("text", &told.texts.text), ("place", &told.texts.place), ("extra", &told.texts.extra)];
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        let _ = writeln!(out, "   {name}: {}", String::from_utf8_lossy(text));
    }
    if told.texts.latitude != 0.0 {
        let _ = writeln!(out, "   at {} {}", told.texts.latitude, told.texts.longitude);
    }
    let counted: Vec<String> = told
        .effects
        .iter()
        .map(|effect| {
            let sign = if effect.sign < 0 { "-" } else { "+" };
            format!("{sign}{} {}", effect.kind.name(), moment(effect.at, effect.day_only))
        })
        .collect();
    if !counted.is_empty() {
        let _ = writeln!(out, "   counts {}", counted.join(", "));
    }
}

/// Runs the records of `NAME.jsonl` and compares with `NAME.txt`.
fn golden(name: &str, config: &Config) {
    let records = std::fs::read_to_string(project(&format!("tests/fixtures/sources/{name}.jsonl"))).expect("records");
    let mut bench = Bench::new(config, name);
    let mut text = String::new();
    // Kafka has them all on 20 December 2025 from noon on, a minute apart.
    let noon = Time::from_unix_seconds(1_766_221_200).expect("in range");
    for (index, line) in records.lines().enumerate() {
        let told = bench.tell(line.as_bytes(), noon.plus_seconds(60 * index as i64));
        render(index + 1, &told, &bench, &mut text);
    }
    let path = project(&format!("tests/fixtures/sources/{name}.txt"));
    if std::env::var_os("TSUR_UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let shown = path.file_name().expect("a name").to_string_lossy().into_owned();
    for (number, (got, wanted)) in text.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, wanted, "{shown}:{}: see the head of this file on how to accept it", number + 1);
    }
    assert_eq!(text.lines().count(), expected.lines().count(), "{shown} ends elsewhere");
}

fn shipped(name: &str) {
    golden(name, &load(&project("config")));
}

/// An example takes the place of what it stands for, and is otherwise loaded like any other file.
fn example(name: &str, without: &[&str]) {
    let text = std::fs::read_to_string(project(&format!("pipelines/examples/{name}.toml"))).expect("an example");
    let folder = installation(without, &[(&format!("{name}.toml"), text)]);
    golden(name, &load(folder.path()));
}

#[test]
fn golden_rows_of_the_pos_export_make_one_case_with_two_rounds() {
    shipped("pos");
}

#[test]
fn golden_incidents_survive_an_overtaken_event_and_a_repeated_one() {
    shipped("incident");
}

#[test]
fn golden_records_of_the_correspondence_become_one_case_a_question() {
    shipped("sed");
}

#[test]
fn golden_cards_of_112_keep_neither_caller_nor_house() {
    shipped("s112");
    let text = std::fs::read_to_string(project("tests/fixtures/sources/s112.txt")).expect("the golden text");
    for taken in ["910", "Полевая", "Сидоров", "сердц"] {
        assert!(!text.contains(taken), "{taken} of the card must not get through");
    }
}

#[test]
fn golden_requests_of_the_portal_live_from_moderation_to_rework() {
    shipped("portal");
}

#[test]
fn golden_votes_have_a_person_an_option_and_no_name() {
    shipped("votes");
    let text = std::fs::read_to_string(project("tests/fixtures/sources/votes.txt")).expect("the golden text");
    for taken in ["910", "Образцов", "esia-100000"] {
        assert!(!text.contains(taken), "{taken} of a vote must not get through");
    }
}

#[test]
fn golden_pages_keep_what_is_unknown_apart_from_zero() {
    shipped("pages");
}

#[test]
fn golden_events_of_pos_pass_its_four_stages_and_a_repeated_consideration() {
    example("pos_events", &["pos.toml"]);
}

#[test]
fn golden_service_requests_of_open311_need_no_code() {
    example("open311", &[]);
}

#[test]
fn the_export_and_the_feed_of_pos_cannot_be_read_together() {
    let text = std::fs::read_to_string(project("pipelines/examples/pos_events.toml")).expect("an example");
    let folder = installation(&[], &[("pos_events.toml", text)]);
    let errors = config::load(folder.path(), &|_: &str| None).expect_err("refused").to_string();
    assert!(errors.contains("pos is the source of pipeline pos already"), "{errors}");
    assert!(errors.contains("two streams of a source give its cases two owners"), "{errors}");
}

#[test]
fn examples_are_not_loaded_from_the_shipped_folder() {
    let config = load(&project("config"));
    let names: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(names, ["incident", "pages", "portal", "pos", "s112", "sed", "votes"]);
}

#[test]
fn every_shipped_source_gives_a_new_case_a_deadline() {
    let config = load(&project("config"));
    for (name, record) in [
        ("sed", r#"{"number":"1","question":"1","registered_at":"06.10.2025","status":"InWork","law":"8-ФЗ"}"#),
        ("s112", r#"{"card":"1","event":"created","at":"2025-12-01T08:00:00+03:00"}"#),
        ("portal", r#"{"request_id":"1","event":"submitted","at":"2025-12-01T08:00:00+03:00"}"#),
    ] {
        let mut bench = Bench::new(&config, name);
        let told = bench.tell(record.as_bytes(), Time::from_unix_seconds(1_766_221_200).expect("in range"));
        let case = told.case.unwrap_or_else(|| panic!("{name}: {}", told.reason));
        assert!(case.due_final.is_some(), "{name} has a policy with a final answer");
    }
}

#[test]
fn generated_records_of_every_source_end_as_the_ledger_says() {
    let config = load(&project("config"));
    let region = Region::from_reference(&config.reference).expect("sound");
    let start = Time::from_unix_seconds(1_767_214_800).expect("in range"); // 2026-01-01 in Moscow
    let mut simulated = SimulationConfig::new(11, start, start.plus_seconds(90 * 86_400));
    (simulated.records, simulated.channels, simulated.broken) = (Some(30_000), true, 0.02);
    let mut simulation = Simulation::new(simulated, &region).expect("sound");
    let mut benches: HashMap<SourceKind, Bench> =
        SourceKind::ALL.into_iter().map(|source| (source, Bench::new(&config, source.code()))).collect();
    let mut rejected: HashMap<SourceKind, u64> = HashMap::new();
    let mut record = SimulatedRecord::default();
    while simulation.next(&mut record) {
        let bench = benches.get_mut(&record.source).expect("one each");
        let told = bench.tell(&record.payload, Time::from_unix_millis(record.timestamp).expect("in range"));
        let is_broken = matches!(record.fate, Fate::Broken(_));
        let payload = String::from_utf8_lossy(&record.payload);
        assert_eq!(told.outcome == Outcome::Rejected, is_broken, "{:?} {}: {payload}", record.fate, told.reason);
        *rejected.entry(record.source).or_default() += u64::from(is_broken);
    }
    for (source, bench) in &benches {
        let share = simulation.ledger().of(*source);
        assert!(share.cases > 100 && share.broken.total() > 0, "{source:?} has {} cases", share.cases);
        assert_eq!((rejected[source], bench.cases.len() as u64), (share.broken.total(), share.cases), "{source:?}");
        for status in Status::ALL {
            let found = bench.cases.values().filter(|case| case.status == *status).count() as u64;
            assert_eq!(found, share.cases_by_status.of(*status), "{source:?}: {}", status.name());
        }
    }
}
