//! The independent recount: what was sent against what ClickHouse has, by SQL and code that share nothing with the pipeline.
//! Owner: the run, after everything is drained. Invariant: the left side comes from Kafka's acknowledgements and the
//! generator's ledger, the right side from the tables `events` and `cases`; no view and no audit of the product is asked.

use std::collections::{HashMap, HashSet};

use tsur::generate::{Ledger, SourceKind};

use super::generator::{Acknowledged, hash_of};
use crate::support::Installation;

/// What is wrong, and the first examples of it.
#[derive(Default)]
pub struct Recount {
    pub lost: u64,
    pub doubled: u64,
    pub wrong_cases: HashSet<String>,
    /// Alerts that had to be there.
    pub alerts: u64,
    pub problems: Vec<String>,
}

const EXAMPLES: usize = 20;
const MOSCOW: i64 = 3 * 3600;

impl Recount {
    pub fn note(&mut self, problem: String) {
        if self.problems.len() < EXAMPLES {
            self.problems.push(problem);
        }
    }

    pub fn wrong(&mut self, case_id: &str, problem: String) {
        if self.wrong_cases.insert(case_id.to_owned()) {
            self.note(problem);
        }
    }

    /// Every acknowledged offset must be one row, of the case whose record was sent, and there must be no other row.
    pub async fn count_records(&mut self, installation: &Installation, sent: &Acknowledged) {
        type Row = (String, u16, u64, u16, String, String);
        let sql =
            "SELECT toString(kafka_topic), kafka_partition, kafka_offset, item, toString(outcome), case_id FROM events";
        let rows: Vec<Row> = installation.client().query(sql).fetch_all().await.expect("the journal");
        let mut seen: HashMap<(String, i32, i64), (u64, bool)> = HashMap::with_capacity(rows.len());
        let mut keys: HashMap<(&str, i32, i64), u64> = HashMap::with_capacity(rows.len());
        for ((topic, partition), records) in &sent.records {
            keys.extend(records.iter().map(|(offset, key)| ((topic.as_str(), *partition, *offset), *key)));
        }
        for (topic, partition, offset, item, outcome, case_id) in rows {
            let place = (topic.as_str(), i32::from(partition), offset as i64);
            let key = keys.get(&place).copied();
            let is_it = key.is_some_and(|key| outcome == "rejected" || key == hash_of(case_id.as_bytes()));
            let entry = seen.entry((topic, i32::from(partition), offset as i64)).or_default();
            // no source of the run sends several items in one record
            entry.0 += 1 + u64::from(item > 0);
            entry.1 |= is_it;
        }
        for (topic, partition, offset) in keys.keys() {
            match seen.get(&((*topic).to_owned(), *partition, *offset)) {
                Some((1, true)) => {}
                Some((rows, true)) => {
                    self.doubled += rows - 1;
                    self.note(format!("{topic}/{partition}: offset {offset} is {rows} rows"));
                }
                _ => {
                    self.lost += 1;
                    self.note(format!("{topic}/{partition}: offset {offset} is lost"));
                }
            }
        }
        for ((topic, partition, offset), (rows, _)) in &seen {
            if !keys.contains_key(&(topic.as_str(), *partition, *offset)) {
                self.doubled += rows;
                self.note(format!("{topic}/{partition}: offset {offset} was never acknowledged to the generator"));
            }
        }
    }

    /// Every case must stand as the ledger says: by the journal's rows, and by the table of cases.
    pub async fn compare_with_ledger(&mut self, installation: &Installation, ledger: &Ledger) {
        type Row = (String, String, String, u32, u32, u8);
        let columns = |order: &str| {
            format!(
                "SELECT toString(source), case_id, argMax(toString(status), {order}), toUInt32(argMax(registered_at, {order})), \
                 toUInt32(argMax(answered_at, {order})), argMax(rating, {order})"
            )
        };
        let journal = format!(
            "{} FROM events WHERE outcome = 'applied' GROUP BY source, case_id",
            columns("tuple(kafka_offset, item)")
        );
        let cases = format!("{} FROM cases GROUP BY source, case_id", columns("version"));
        for (table, sql) in [("events", journal), ("cases", cases)] {
            let rows: Vec<Row> = installation.client().query(&sql).fetch_all().await.expect("cases");
            let mut known: HashMap<(String, String), _> = HashMap::with_capacity(rows.len());
            for (source, case_id, status, registered, answered, rating) in rows {
                known.insert((source, case_id), (status, registered, answered, rating));
            }
            for expected in ledger.cases.iter().filter(|case| !case.status.is_empty()) {
                let place = (expected.source.code().to_owned(), expected.case_id.clone());
                let Some((status, registered, answered, rating)) = known.remove(&place) else {
                    self.wrong(&expected.case_id, format!("{table}: case {} is not there", expected.case_id));
                    continue;
                };
                // the ПОС export dates by days
                let unit = if expected.source == SourceKind::Pos { 86_400 } else { 1 }; // the only snapshots of the run
                let same =
                    |ours: u32, theirs: u32| (i64::from(ours) + MOSCOW) / unit == (i64::from(theirs) + MOSCOW) / unit;
                let is_answered = matches!(expected.status.as_str(), "answered" | "closed");
                let is_right = status == expected.status
                    && rating == expected.rating
                    && same(registered, expected.registered_at)
                    && (!is_answered || expected.overtaken || same(answered, expected.answered_at));
                if !is_right {
                    let found = format!("{status}, registered {registered}, answered {answered}, rating {rating}");
                    self.wrong(&expected.case_id, format!("{table}: {found}; the ledger says {expected:?}"));
                }
            }
            for (_, case_id) in known.into_keys() {
                self.wrong(&case_id.clone(), format!("{table}: case {case_id} was never sent"));
            }
        }
    }

    /// Every case must equal that of one process that nobody disturbed, in all columns.
    pub async fn compare_with_straight_run(&mut self, disturbed: &Installation, straight: &Installation) {
        let sql = "SELECT case_id, kafka_topic, cityHash64(* EXCEPT (updated_at)) FROM cases FINAL";
        let mut cases = Vec::new();
        for installation in [disturbed, straight] {
            let rows: Vec<(String, String, u64)> = installation.client().query(sql).fetch_all().await.expect("cases");
            let rows = rows.into_iter().map(|(case_id, topic, hash)| ((topic, case_id), hash));
            cases.push(rows.collect::<HashMap<_, _>>());
        }
        let places: HashSet<_> = cases.iter().flat_map(HashMap::keys).collect();
        for place in places {
            if cases[0].get(place) != cases[1].get(place) {
                self.wrong(&place.1, format!("case {} differs from that of an undisturbed run", place.1));
            }
        }
        let windows = crate::exactly_once::WINDOWS;
        if disturbed.word(windows).await != straight.word(windows).await {
            self.note("the day windows differ from those of an undisturbed run".to_owned());
        }
    }
}
