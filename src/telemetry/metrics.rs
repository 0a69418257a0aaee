//! Every metric of the process, with what it means. One prefix, bounded labels, sent once a batch and never once a record.
//! Invariant: a name is changed here and in `tests/fixtures/metrics.txt` together, with the dashboards in hand.

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::app::registry::Unready;
use crate::partition::tally::Tally;

/// Journal rows by outcome.
pub const ROWS: &str = "tsur_rows_total";
/// Batches sealed.
pub const BATCHES: &str = "tsur_batches_total";
/// Rows of a sealed batch.
pub const BATCH_ROWS: &str = "tsur_batch_rows";
/// Bytes of a sealed block.
pub const BATCH_BYTES: &str = "tsur_batch_bytes";
/// From sealing to the end of the insert and its projections.
pub const FLIGHT_SECONDS: &str = "tsur_flight_seconds";
/// Records read.
pub const RECORDS: &str = "tsur_records_total";
/// Records in memory, of the budget.
pub const BUDGET_RECORDS: &str = "tsur_budget_records";
/// Bytes in memory, of the budget.
pub const BUDGET_BYTES: &str = "tsur_budget_bytes";
/// Partitions paused for the budget or stopped.
pub const PAUSED: &str = "tsur_paused_partitions";
/// Partitions this process owns.
pub const PARTITIONS: &str = "tsur_partitions";
/// Cases in memory.
pub const CASES: &str = "tsur_cases";
/// Windows in memory.
pub const WINDOWS: &str = "tsur_windows";
/// Records that Kafka has and the journal has not, by partition.
pub const LAG: &str = "tsur_lag_records";
/// Why the process is not ready: partitions by reason.
pub const UNREADY: &str = "tsur_unready";
/// Rejected records that their senders were told of.
pub const REJECTS_TOLD: &str = "tsur_rejects_told_total";
/// 1 when the process is ready.
pub const READY: &str = "tsur_ready";

/// Sets of rules taken while running.
pub const RULES_CHANGES: &str = "tsur_rules_changes_total";
/// 1 while the rules on disk are refused and the ones before are in force.
pub const RULES_REFUSED: &str = "tsur_rules_refused";
/// Open cases whose deadlines a change of the rules moved.
pub const REDATED: &str = "tsur_redated_cases_total";

/// All names, for the fixture test.
pub const ALL: [&str; 19] = [
    ROWS,
    BATCHES,
    BATCH_ROWS,
    BATCH_BYTES,
    FLIGHT_SECONDS,
    RECORDS,
    BUDGET_RECORDS,
    BUDGET_BYTES,
    PAUSED,
    PARTITIONS,
    CASES,
    WINDOWS,
    LAG,
    UNREADY,
    REJECTS_TOLD,
    READY,
    RULES_CHANGES,
    RULES_REFUSED,
    REDATED,
];

/// Tells the recorder what each metric means.
pub fn describe() {
    describe_counter!(ROWS, "Journal rows by Kafka topic and outcome");
    describe_counter!(BATCHES, "Batches sealed by Kafka topic");
    describe_histogram!(BATCH_ROWS, "Rows of a sealed batch");
    describe_histogram!(BATCH_BYTES, "Bytes of a sealed block");
    describe_histogram!(FLIGHT_SECONDS, "Seconds from sealing to the end of insert and projections");
    describe_counter!(RECORDS, "Records read from Kafka");
    describe_gauge!(BUDGET_RECORDS, "Records in memory");
    describe_gauge!(BUDGET_BYTES, "Bytes of records in memory");
    describe_gauge!(PAUSED, "Partitions that are paused or stopped");
    describe_gauge!(PARTITIONS, "Partitions this process owns");
    describe_gauge!(CASES, "Cases in memory");
    describe_gauge!(WINDOWS, "Windows in memory");
    describe_gauge!(LAG, "Records that Kafka has and the journal has not");
    describe_gauge!(
        UNREADY,
        "Partitions that are not ready, by reason; for kafka and draining 1 stands for the process"
    );
    describe_counter!(REJECTS_TOLD, "Messages to the Kafka topic of rejects, by Kafka topic of the record and reason");
    describe_gauge!(READY, "1 when the process takes and writes records");
    super::alert_metrics::describe();
    describe_counter!(RULES_CHANGES, "Sets of rules taken without a restart");
    describe_gauge!(RULES_REFUSED, "1 while the rules on disk are refused and the ones before are in force");
    describe_counter!(REDATED, "Open cases whose deadlines a change of the rules moved, by Kafka topic");
}

pub fn sealed(topic: &str, rows: usize, bytes: usize) {
    counter!(BATCHES, "kafka_topic" => topic.to_owned()).increment(1);
    histogram!(BATCH_ROWS).record(rows as f64);
    histogram!(BATCH_BYTES).record(bytes as f64);
}

pub fn landed(topic: &str, tally: Tally, took: Duration) {
    histogram!(FLIGHT_SECONDS).record(took.as_secs_f64());
    let outcomes = [
        ("applied", tally.applied),
        ("duplicate", tally.duplicate),
        ("rejected", tally.rejected),
        ("ignored", tally.ignored),
    ];
    for (outcome, rows) in outcomes {
        if rows > 0 {
            counter!(ROWS, "kafka_topic" => topic.to_owned(), "outcome" => outcome).increment(rows);
        }
    }
}

/// The figures of the whole process, set about once a second.
pub struct Overview {
    pub records: u64,
    pub budget_records: u64,
    pub budget_bytes: u64,
    pub paused: u64,
    pub partitions: usize,
    pub cases: usize,
    pub windows: usize,
    pub unready: Unready,
    pub ready: bool,
    pub rules_refused: bool,
}

pub fn overview(figures: &Overview) {
    counter!(RECORDS).absolute(figures.records);
    gauge!(BUDGET_RECORDS).set(figures.budget_records as f64);
    gauge!(BUDGET_BYTES).set(figures.budget_bytes as f64);
    gauge!(PAUSED).set(figures.paused as f64);
    gauge!(PARTITIONS).set(figures.partitions as f64);
    gauge!(CASES).set(figures.cases as f64);
    gauge!(WINDOWS).set(figures.windows as f64);
    let unready = figures.unready;
    let reasons = [
        ("stopped", unready.stopped),
        ("waiting", unready.waiting),
        ("restoring", unready.restoring),
        ("kafka", unready.kafka),
        ("draining", unready.draining),
    ];
    for (reason, count) in reasons {
        gauge!(UNREADY, "reason" => reason).set(count as f64);
    }
    gauge!(READY).set(f64::from(u8::from(figures.ready)));
    gauge!(RULES_REFUSED).set(f64::from(u8::from(figures.rules_refused)));
}

pub fn rules_changed() {
    counter!(RULES_CHANGES).increment(1);
}

pub fn redated(topic: &str, cases: usize) {
    counter!(REDATED, "kafka_topic" => topic.to_owned()).increment(cases as u64);
}

/// The lag of one partition; 0 when another process has it.
pub fn lag(topic: &str, partition: i32, records: u64) {
    gauge!(LAG, "kafka_topic" => topic.to_owned(), "partition" => partition.to_string()).set(records as f64);
}

/// Kafka confirmed the message about a rejected record. Rejects are few, and a stop ends a flood of them.
pub fn reject_told(topic: &str, reason: &str) {
    counter!(REJECTS_TOLD, "kafka_topic" => topic.to_owned(), "reason" => reason.to_owned()).increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_that_dashboards_know() {
        let pinned: Vec<&str> = include_str!("../../tests/fixtures/metrics.txt").lines().collect();
        assert_eq!([&ALL[..], &super::super::alert_metrics::ALL].concat(), pinned);
    }
}
