//! The open data of a city (a hundred requests of Boston 311) through `pipelines/examples/requests_table.toml`: our verdict on time
//! against the city's, row by row. The file is not part of the project; without it the test says that it is skipped.
//! Two verdicts are compared: one by the city's own target date, and one by policies in TOML. Nobody gave us the city's goals, so
//! the test finds the goal of each type of request from one row of that type and is judged by all the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::sources_tests::{Bench, installation, load};
use crate::config::Config;
use crate::model::calendar::{Calendar, add_hours};
use crate::model::case::{Case, Flag};
use crate::model::time::Time;
use crate::model::words::Outcome;
use crate::publish::{Limits, Row, TableReader};

/// Office hours that a working day of the city's targets counts by; its own targets pass over no holiday.
const OFFICE: &str = "name = \"office\"\n[office]\nmonday = { hours = \"08:30-17:30\" }\ntuesday = { hours = \"08:30-17:30\" }\n\
     wednesday = { hours = \"08:30-17:30\" }\nthursday = { hours = \"08:30-17:30\" }\nfriday = { hours = \"08:30-17:30\" }\n\
     [[year]]\nyear = 2022\nstatus = \"final\"\nsource = \"a five-day week\"\nworking_days = 260\ndays_off = []\nshort_days = []\n";
const DAY_HOURS: u32 = 9;
/// The city rounds its targets up to a minute.
const SLACK_SECONDS: u32 = 60;

/// What a goal may be in TOML: `unit` and amount.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Goal {
    Hours(u32),
    WorkingHours(u32),
}

impl Goal {
    fn all() -> impl Iterator<Item = Goal> {
        (1..=90).map(|days| Goal::WorkingHours(days * DAY_HOURS)).chain((1..=130).map(|days| Goal::Hours(days * 24)))
    }

    fn due(self, from: Time, office: &Calendar) -> Option<Time> {
        match self {
            Goal::Hours(hours) => Some(add_hours(from, hours)),
            Goal::WorkingHours(hours) => office.add_working_seconds(from, hours * 3600),
        }
    }

    fn toml(self) -> String {
        match self {
            Goal::Hours(hours) => format!("goal = {hours}\nunit = \"hours\"\n"),
            Goal::WorkingHours(hours) => format!("goal = {hours}\nunit = \"working_hours\"\ncalendar = \"office\"\n"),
        }
    }
}

/// The same moment for an office: closing time and the next opening are one, and so are seconds of rounding.
fn same_moment(one: Time, other: Time, office: &Calendar) -> bool {
    let (first, last) = (one.min(other), one.max(other));
    last.seconds_since(first) <= SLACK_SECONDS
        || office.working_seconds_between(first, last).is_some_and(|seconds| seconds <= SLACK_SECONDS)
}

fn data() -> Option<PathBuf> {
    let file = std::env::var_os("TSUR_REQUESTS_CSV").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/boston311/boston311-100.csv"),
        PathBuf::from,
    );
    if file.exists() {
        return Some(file);
    }
    eprintln!(
        "skipped: no file of city requests here (TSUR_REQUESTS_CSV names one with the columns of Boston's open data)"
    );
    None
}

/// Number and type of each request and its case, in the order of the file; `now` is when Kafka had it.
fn cases(config: &Config, file: &Path, now: Time) -> Vec<(String, String, Case)> {
    let pipeline = config.pipeline("requests_table").expect("added");
    let mut bench = Bench::new(config, "requests_table");
    let mut rows = TableReader::open(file, None, pipeline, Limits { max_record_bytes: 1 << 20, sheet: None })
        .unwrap_or_else(|error| panic!("{error}"));
    let mut row = Row::default();
    let mut cases = Vec::new();
    while let Some(read) = rows.read(&mut row) {
        read.unwrap_or_else(|error| panic!("{error}"));
        let told = bench.tell(&row.payload, now);
        assert_eq!(told.outcome, Outcome::Applied, "line {}: {}", row.line, told.reason);
        let record: serde_json::Value = serde_json::from_slice(&row.payload).expect("JSON");
        let kind = record["type"].as_str().expect("a text").trim().to_owned();
        cases.push((told.texts.case_id.clone(), kind, told.case.expect("applied")));
    }
    cases
}

fn requests_folder(added: &[(&str, String)]) -> tempfile::TempDir {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/examples/requests_table.toml");
    let text = std::fs::read_to_string(example).expect("an example");
    let mut files = vec![("requests_table.toml", text), ("calendars/office.toml", OFFICE.to_owned())];
    files.extend(added.iter().cloned());
    installation(&[], &files)
}

/// The goal of each type that has a target, by the row of it that fewest goals fit.
fn goals(rows: &[(String, String, Case)], office: &Calendar) -> BTreeMap<String, (Goal, String)> {
    let mut best: BTreeMap<String, (usize, Goal, String)> = BTreeMap::new();
    for (id, kind, case) in rows {
        let (Some(from), Some(target)) = (case.registered_at, case.planned_at) else { continue };
        let fits: Vec<Goal> = Goal::all()
            .filter(|goal| goal.due(from, office).is_some_and(|due| same_moment(due, target, office)))
            .collect();
        let Some(goal) = fits.first().copied() else { continue };
        if best.get(kind).is_none_or(|(count, ..)| fits.len() < *count) {
            best.insert(kind.clone(), (fits.len(), goal, id.clone()));
        }
    }
    best.into_iter().map(|(kind, (_, goal, id))| (kind, (goal, id))).collect()
}

/// Topics and policies as TOML: one of each a type of request.
fn rules(goals: &BTreeMap<String, (Goal, String)>) -> (String, String) {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/reference/topics.toml");
    let mut topics = std::fs::read_to_string(shipped).expect("shipped");
    let mut policies = String::new();
    for (index, (kind, (goal, _))) in goals.iter().enumerate() {
        let _ = writeln!(
            topics,
            "\n[[topic]]\ncode = \"other.request{index}\"\nblock = \"other\"\nname = {kind:?}\naliases = []"
        );
        let _ = writeln!(
            policies,
            "[[policy]]\nname = {kind:?}\nsource_note = \"from one row\"\n[policy.match]\nsource = [\"requests\"]\n\
             topic = [\"other.request{index}\"]\n[[policy.clock]]\nclock = \"final_answer\"\n{}",
            goal.toml()
        );
    }
    (topics, policies)
}

/// The city's office day has eight and a half hours and ends at 17:00; a goal has whole hours, so ours has nine.
fn is_between_closings(case: &Case) -> bool {
    let second = case.registered_at.map_or(0, |at| at.seconds_since(at.moscow_midnight()));
    (17 * 3600..17 * 3600 + 1800).contains(&second)
}

/// Late as of `now`; `None` without a deadline.
fn is_late(due: Option<Time>, case: &Case, now: Time) -> Option<bool> {
    due.map(|due| case.final_stop().unwrap_or(now) > due)
}

#[test]
fn every_difference_between_our_verdict_and_the_city_s_is_explained() {
    let Some(file) = data() else { return };
    let far = Time::from_unix_seconds(1_672_400_000).expect("in range"); // 30 December 2022
    let first = cases(&load(requests_folder(&[]).path()), &file, far);
    // The city calls open requests overdue whose target is the latest of the file, so it judged after that.
    let now = first.iter().filter_map(|(_, _, case)| case.planned_at).max().expect("targets").plus_seconds(1);

    let folder = requests_folder(&[]);
    let config = load(folder.path());
    let spec = config.calendars.iter().find(|spec| spec.name == "office").expect("added");
    let office = Calendar::build(spec).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let goals = goals(&first, &office);
    let (topics, policies) = rules(&goals);
    let folder = requests_folder(&[("reference/topics.toml", topics), ("policies/a_requests.toml", policies)]);
    let rows = cases(&load(folder.path()), &file, now);

    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut count = |what: &'static str| *counts.entry(what).or_default() += 1;
    for (id, kind, case) in &rows {
        let city = case.is(Flag::SourceOverdue);
        match is_late(case.planned_at, case, now) {
            Some(ours) if ours == city => count("by its date: agree"),
            Some(_) => unexplained.push(format!("{id} by its date")),
            None if !city => {
                count("by its date: the city gives no date and calls the request on time, we give no verdict")
            }
            None => unexplained.push(format!("{id} overdue without a date")),
        }
        let taught = goals.get(kind).is_some_and(|(_, by)| by == id);
        match (case.due_final, case.planned_at) {
            (Some(due), Some(target)) => {
                let same = same_moment(due, target, &office);
                match (taught, same) {
                    (true, _) => count("by policy: deadline found from this row"),
                    (false, true) => count("by policy: deadline of the city met in another row"),
                    (false, false) if is_between_closings(case) => count(
                        "by policy: another deadline, opened after the city's 17:00 and before the 17:30 of whole hours",
                    ),
                    (false, false) => unexplained.push(format!("{id}: another deadline")),
                }
                match (is_late(Some(due), case, now), taught) {
                    (Some(ours), true) if ours == city => count("by policy: verdict agrees, goal found from this row"),
                    (Some(ours), false) if ours == city => count("by policy: verdict agrees in another row"),
                    _ => unexplained.push(format!("{id} by policy")),
                }
            }
            (None, None) => count("by policy: no goal, no verdict"),
            _ => unexplained.push(format!("{id}: a goal or a date, not both")),
        }
    }
    let report: Vec<String> = counts.iter().map(|(what, count)| format!("  {count:3}  {what}")).collect();
    eprintln!("{} requests of {} types with a goal\n{}", rows.len(), goals.len(), report.join("\n"));
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    let compared = counts.get("by its date: agree").copied().unwrap_or(0);
    assert!(compared * 2 > rows.len(), "{compared} requests have a date to be compared with");
}
