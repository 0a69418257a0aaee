//! The laws, and the random schedules they are checked on.
//! 1. Every record is exactly one journal row (invariant 1).
//! 2. The rows are those of a straight run: each is what one undisturbed worker would have written there, under the rules
//!    version that stands in the row (invariants 2 and 3).
//! 3. Windows and backlog hold what a recount of the journal gives, `cases` has every row of it; what is restored is the
//!    state of the straight run.
//! 4. What was handed to a worker comes back; nothing waits for ever; nobody needs an operator (checked in `world`).
//!
//! A failure prints the shrunk schedule as Rust, to be kept in `regressions`, and what had happened.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use tokio::sync::mpsc::UnboundedSender;

use crate::kafka::chunk::Chunk;
use crate::model::case::Case;
use crate::model::case_store::{CaseStore, Found};
use crate::model::ids::{AssignmentEpoch, CaseKey, Offset, RulesVersion};
use crate::model::time::Time;
use crate::model::windows::{Retention, WindowKey, WindowValue};
use crate::partition::fold::Progress;
use crate::partition::restore::restore;
use crate::testkit::block::{Row, read_block};
use crate::testkit::cluster::{Cluster, Happened, Process};
use crate::testkit::faults::{Fault, Incident, Point, Script};
use crate::testkit::house::{House, WindowTable, split};
use crate::testkit::log::LogRecord;
use crate::testkit::records::{AGES, BEGIN, KINDS, PLACES, Sent, TestRules, fold, shared, stream};
use crate::testkit::world::{Schedule, run, run_after};

/// All laws, when everything has come to rest; `with_projections`: law 3 too.
pub async fn check(
    cluster: &Arc<Mutex<Cluster>>,
    happened: &UnboundedSender<Happened>,
    with_projections: bool,
) -> Result<(), String> {
    let rules = Arc::new(TestRules::new(1));
    let mut straight = fold(usize::MAX, rules.clone());
    let high = {
        let mut cluster = cluster.lock().expect("sound");
        cluster.script = Script::default();
        let rows = accounted(&cluster.house, &cluster.kafka.records)?;
        for (row, record) in rows.iter().zip(&cluster.kafka.records) {
            rules.set(row.rules as u8);
            straight.redate(0, RulesVersion(row.rules)); // finds nothing where the rules are those of the row before
            let mut chunk = Chunk::new(AssignmentEpoch(0));
            chunk.push(record.offset, record.time, record.payload.as_deref());
            let tick = Time::from_unix_millis(row.sealed_at).expect("a tick");
            if straight.process(&chunk, 0, 0..u64::MAX, tick) != Progress::Done {
                return Err("the straight run did not take a record".to_owned());
            }
            let block = straight.seal(row.sealed_at, RulesVersion(row.rules));
            let expected = read_block(&block, &shared().names).remove(0);
            if let Some(difference) = row.difference(&expected) {
                return Err(format!("the row of offset {} is not that of a straight run: {difference}", row.offset));
            }
        }
        if with_projections {
            windows_agree(&cluster.house, cluster.kafka.high)?;
            backlog_agrees(&cluster.house, &rows)?;
        }
        cluster.kafka.high
    };
    if let Some(offset) = cluster.lock().expect("sound").house.missing_in_cases.first() {
        return Err(format!("the row of offset {offset} never reached `cases`"));
    }
    let process = Process {
        id: u32::MAX,
        cluster: cluster.clone(),
        happened: happened.clone(),
        started: tokio::time::Instant::now(),
    };
    let mut restored = fold(usize::MAX, rules);
    let now = Time::from_unix_seconds(BEGIN).expect("in range");
    restore(&mut restored, &process, &stream(), high, Retention::OF_TABLES, now).await.map_err(|e| e.to_string())?;
    restored.redate(0, RulesVersion(0));
    for case in straight.cases.iter() {
        let same = match restored.cases.find(case.key) {
            Found::Here(place) => restored.cases.at(place) == case,
            Found::Evicted => !case.is_open(),
            Found::Unknown => false,
        };
        if !same {
            return Err(format!("the restored case {} is not that of a straight run", case.key.0));
        }
    }
    Ok(())
}

/// Law 1; the rows in the order of the log.
fn accounted(house: &House, records: &[LogRecord]) -> Result<Vec<Row>, String> {
    let mut rows = house.journal.clone();
    rows.sort_by_key(|row| (row.offset, row.item));
    let found: Vec<Offset> = rows.iter().map(|row| row.offset).collect();
    let sent: Vec<Offset> = records.iter().map(|record| record.offset).collect();
    if found != sent {
        let count = |offset: &Offset| found.iter().filter(|known| *known == offset).count();
        let wrong: Vec<String> =
            sent.iter().map(|o| (o, count(o))).filter(|(_, n)| *n != 1).map(|(o, n)| format!("{o}: {n}")).collect();
        return Err(format!("rows by offset, where it is not one: {}", wrong.join(", ")));
    }
    Ok(rows)
}

/// Law 3 for the windows.
fn windows_agree(house: &House, high: Offset) -> Result<(), String> {
    let recount = house.recount(high);
    table_agrees("sla_windows", &house.sla, &recount, |value| split(value).0)?;
    table_agrees("satisfaction_windows", &house.satisfaction, &recount, |value| split(value).1)
}

/// A row of zeros says as much as none.
fn table_agrees(
    name: &str,
    table: &WindowTable,
    recount: &BTreeMap<WindowKey, WindowValue>,
    share: impl Fn(&WindowValue) -> WindowValue,
) -> Result<(), String> {
    for key in table.keys().chain(recount.keys()) {
        let held = table.get(key).map_or_else(WindowValue::default, |(_, value)| *value);
        let expected = recount.get(key).map_or_else(WindowValue::default, &share);
        if held != expected {
            return Err(format!("{name} {key:?}:\n  holds   {held:?}\n  recount {expected:?}"));
        }
    }
    Ok(())
}

/// Law 3 for the backlog: the rows of a minute that have the version of its mark are the count of the cases below it.
fn backlog_agrees(house: &House, rows: &[Row]) -> Result<(), String> {
    let marks = house.backlog.iter().filter(|(_, (_, value))| value.open == 0);
    for ((minute, ..), (version, _)) in marks {
        let mut cases: BTreeMap<CaseKey, Case> = BTreeMap::new();
        let folds = rows.iter().filter(|row| row.offset < *version).filter_map(|row| row.fold.as_ref());
        cases.extend(folds.map(|fold| (fold.case.key, fold.case)));
        let mut store = CaseStore::default();
        for mut case in cases.into_values() {
            house.give_dues(&mut case, *minute / 60);
            store.insert(case);
        }
        let at = Time::from_unix_seconds(i64::from(*minute)).expect("a minute");
        let expected = store.backlog(at);
        let of_minute =
            house.backlog.iter().filter(|(key, (v, value))| key.0 == *minute && v == version && value.open > 0);
        let held: Vec<_> = of_minute.map(|(key, (_, value))| ((key.1, key.2, key.3), *value)).collect();
        if held != expected {
            return Err(format!(
                "backlog of minute {minute} below {version}:\n  holds    {held:?}\n  expected {expected:?}"
            ));
        }
    }
    Ok(())
}

/// What the random schedules of a test are made of.
#[derive(Clone, Copy)]
struct Flavour {
    rules: u8,
    second_life: bool,
}

fn records() -> impl Strategy<Value = Vec<Sent>> {
    let age = prop_oneof![6 => Just(0u8), 4 => 0..AGES.len() as u8];
    let event = (0..5u8, 0..KINDS.len() as u8, age, any::<u8>(), 0..PLACES.len() as u8)
        .prop_map(|(case, kind, age, minutes, place)| Sent::Event { case, kind, age, minutes, place });
    let record = prop_oneof![
        12 => event,
        2 => (0..6u8).prop_map(|back| Sent::Again { back }),
        1 => Just(Sent::Broken),
        1 => Just(Sent::Tombstone),
        1 => Just(Sent::Hole),
    ];
    proptest::collection::vec(record, 1..40)
}

fn incident(rules: u8) -> impl Strategy<Value = Incident> {
    let point = prop_oneof![
        4 => Just(Point::Begin),
        1 => Just(Point::Readback),
        4 => Just(Point::Write),
        3 => Just(Point::Project),
        2 => Just(Point::Finish),
        2 => Just(Point::Restore),
    ];
    let revoke = (0..80u8, 0..60u8, any::<bool>());
    let fault = prop_oneof![
        4 => any::<bool>().prop_map(|after| Fault::Crash { after }),
        3 => any::<bool>().prop_map(|after| Fault::Lost { after }),
        2 => any::<(bool, bool)>().prop_map(|(journal, crash)| Fault::Torn { journal, crash }),
        2 => (1..4u8).prop_map(|calls| Fault::Away { calls }),
        3 => any::<(bool, bool)>().prop_map(|(after, is_told)| Fault::Hang { after, is_told }),
        3 => revoke.prop_map(|(call, drain, queued)| Fault::Revoke { call, drain, queued }),
    ];
    (point, 0..4u8, fault, 1..=rules, any::<bool>()).prop_map(|(point, skip, fault, next_rules, forgets_tokens)| {
        Incident { point, skip, fault, next_rules, forgets_tokens }
    })
}

/// An offset is read back only after the reply to an intent was lost.
fn with_lost_intents(incidents: &[Incident]) -> Vec<Incident> {
    let mut all = Vec::new();
    for incident in incidents {
        if incident.point == Point::Readback {
            let fault = Fault::Lost { after: incident.skip % 2 == 0 };
            all.push(Incident { point: Point::Begin, fault, ..*incident });
            all.push(Incident { skip: 0, ..*incident });
        } else {
            all.push(*incident);
        }
    }
    all
}

fn schedules(flavour: Flavour) -> impl Strategy<Value = Schedule> {
    let chunks = proptest::collection::vec((1..12u8, 0..16u8), 1..5);
    let incidents = proptest::collection::vec(incident(flavour.rules), 0..6);
    let second_life = if flavour.second_life { records().boxed() } else { Just(Vec::new()).boxed() };
    (records(), chunks, 2..20u8, 1..=flavour.rules, incidents, second_life).prop_map(
        |(records, chunks, rows, rules, incidents, second_life)| Schedule {
            records,
            chunks,
            rows,
            rules,
            incidents: with_lost_intents(&incidents),
            second_life,
        },
    )
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

fn dice(base: u64, number: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&base.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

/// Checks the laws on this test's share of the schedules. TSUR_LAWS_SEED draws others, TSUR_LAWS_SCHEDULES so many in all.
fn hold(share: u32, number: u64, flavour: Flavour) {
    let all = number_from("TSUR_LAWS_SCHEDULES").unwrap_or(2000) as u32;
    let base = number_from("TSUR_LAWS_SEED").unwrap_or(1);
    let config = Config {
        cases: (all * share / 20).max(1),
        failure_persistence: None,
        max_shrink_iters: 3000,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, dice(base, number));
    let result = runner.run(&schedules(flavour), |schedule| run(&schedule).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, schedule)) => {
            let literal = format!("{schedule:?}").replace('[', "vec![");
            panic!("TSUR_LAWS_SEED={base}: a law is broken: {reason}\nthe schedule, shrunk:\n{literal}");
        }
        Err(TestError::Abort(reason)) => panic!("no schedules: {reason}"),
    }
}

#[test]
fn whatever_fails_wherever_the_tables_are_those_of_a_straight_run() {
    hold(6, 1, Flavour { rules: 1, second_life: false });
}

#[test]
fn whatever_fails_wherever_the_tables_are_those_of_a_straight_run_with_other_dice() {
    hold(6, 2, Flavour { rules: 1, second_life: false });
}

#[test]
fn owners_with_different_rules_leave_rows_that_say_which_rules_made_them() {
    hold(6, 3, Flavour { rules: 2, second_life: false });
}

#[test]
fn a_recreated_topic_under_a_raised_epoch_loses_no_record_to_old_tokens() {
    hold(2, 4, Flavour { rules: 1, second_life: true });
}

#[test]
fn the_schedules_bring_every_fault_to_every_point() {
    let mut runner = TestRunner::new_with_rng(Config::default(), dice(1, 1));
    let strategy = schedules(Flavour { rules: 1, second_life: false });
    let mut met = BTreeSet::new();
    for _ in 0..600 {
        let schedule = strategy.new_tree(&mut runner).expect("a schedule").current();
        let (_, incidents) = run_after(&schedule, None);
        met.extend(incidents.iter().map(|incident| format!("{:?} {:?}", incident.point, incident.fault)));
    }
    for point in [Point::Begin, Point::Readback, Point::Write, Point::Project, Point::Finish, Point::Restore] {
        for fault in ["Crash", "Lost", "Torn", "Away", "Hang", "Revoke"] {
            let wanted = format!("{point:?} {fault}");
            assert!(met.iter().any(|known| known.starts_with(&wanted)), "never: {wanted}");
        }
    }
}
