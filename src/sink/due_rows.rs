//! New deadlines of open cases as rows of `case_dues`, and read back.
//! Pure. Invariant: a row is keyed by case, journal row and minute, so writing it again changes nothing.

use std::collections::HashMap;

use clickhouse::Row;
use serde::Deserialize;

use crate::enrich::names::NameLists;
use crate::model::case::{Case, RowVersion};
use crate::model::ids::{CaseKey, RulesVersion};
use crate::model::time::{Time, seconds_or_zero};
use crate::model::words::Clock;
use crate::partition::ports::{NewDues, RestoredCases, StreamId};
use crate::sink::journal::enum_type;
use crate::sink::native::{BlockWriter, Dictionary, Fixed};

const DATETIME: &str = "DateTime('Europe/Moscow')";

/// The latest new deadlines of the cases of a partition that stand at a row below `{limit:UInt64}`.
pub const LATEST: &str = "SELECT case_key, version, max(since) AS last, argMax(rules, since) AS by_rules, argMax(policy, since) AS by_policy,
        argMax(due_first, since) AS first, argMax(due_final, since) AS final, argMax(due_stage, since) AS in_stage,
        argMax(stage, since) AS of_stage, argMax(paused, since) AS is_paused
    FROM case_dues FINAL WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16} AND version < {limit:UInt64}
    GROUP BY case_key, version";

#[derive(Row, Deserialize)]
pub struct DuesRow {
    case_key: u64,
    version: u64,
    last: u32,
    by_rules: u32,
    by_policy: String,
    first: u32,
    r#final: u32,
    in_stage: u32,
    of_stage: i8,
    is_paused: bool,
}

impl DuesRow {
    fn into_dues(self, names: &NameLists) -> NewDues {
        let time = |seconds: u32| Time::from_unix_seconds(i64::from(seconds));
        NewDues {
            key: CaseKey(self.case_key),
            version: RowVersion(self.version),
            since: self.last / 60,
            rules: RulesVersion(self.by_rules),
            policy: names.policies.number(&self.by_policy),
            due_first: time(self.first),
            due_final: time(self.r#final),
            due_stage: time(self.in_stage),
            stage: Clock::from_code(self.of_stage as u8),
            is_paused: self.is_paused,
        }
    }
}

/// Gives the cases the new deadlines they have.
pub fn give(rows: Vec<DuesRow>, restored: &mut RestoredCases, names: &NameLists) {
    if rows.is_empty() {
        return;
    }
    restored.dues_since = rows.iter().map(|row| row.last / 60).max().unwrap_or_default();
    let dues: HashMap<(CaseKey, RowVersion), NewDues> =
        rows.into_iter().map(|row| row.into_dues(names)).map(|dues| ((dues.key, dues.version), dues)).collect();
    let gives = |case: &mut Case| {
        if let Some(dues) = dues.get(&(case.key, case.version)) {
            dues.give(case);
        }
    };
    restored.cases.iter_mut().for_each(gives);
}

/// The block of an insert.
pub fn block(stream: &StreamId, rows: &[NewDues], names: &NameLists) -> Vec<u8> {
    let mut out = BlockWriter::new(rows.len(), rows.len() * 56);
    let (mut key, mut version, mut since, mut rules) =
        (Fixed::default(), Fixed::default(), Fixed::default(), Fixed::default());
    let (mut first, mut last, mut in_stage) = (Fixed::default(), Fixed::default(), Fixed::default());
    let (mut policy, mut stage, mut paused) = (Dictionary::default(), Fixed::default(), Fixed::default());
    for row in rows {
        key.u64(row.key.0);
        version.u64(row.version.0);
        since.u32(row.since.saturating_mul(60));
        rules.u32(row.rules.0);
        policy.push(row.policy, |number| names.policies.name(number));
        first.u32(seconds_or_zero(row.due_first));
        last.u32(seconds_or_zero(row.due_final));
        in_stage.u32(seconds_or_zero(row.due_stage));
        stage.u8(row.stage.map_or(0, Clock::code));
        paused.u8(u8::from(row.is_paused));
    }
    out.constant_word("kafka_topic", &stream.topic);
    out.constant("kafka_partition", "UInt16", &(stream.partition.0 as u16).to_le_bytes());
    out.fixed("case_key", "UInt64", &mut key);
    out.fixed("version", "UInt64", &mut version);
    out.fixed("since", DATETIME, &mut since);
    out.fixed("rules", "UInt32", &mut rules);
    out.dictionary("policy", &mut policy);
    out.fixed("due_first", DATETIME, &mut first);
    out.fixed("due_final", DATETIME, &mut last);
    out.fixed("due_stage", DATETIME, &mut in_stage);
    out.fixed("stage", &enum_type(Clock::ALL, Clock::name, Clock::code, true), &mut stage);
    out.fixed("paused", "Bool", &mut paused);
    out.finish()
}
