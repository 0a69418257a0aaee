//! `tsur audit`: invariants 1 (full accounting) and 2 (projections equal the journal), proven by SQL on the real tables.
//! Owner: the command line. Invariants: nothing here shares SQL with the pipeline that wrote the tables, else one
//! mistake would confirm itself; every problem is named, not only counted; what is excused is named too.
//! The pipeline may keep running: the accounting is exact all the same, but windows are written a moment after the
//! journal, so a difference together with a journal that grew meanwhile asks for another run.

mod accounting;
pub mod deep;
mod gaps;
mod projections;
mod report;
mod windows;

use std::future::Future;

use clickhouse::Client;

pub use accounting::{Double, Incomplete, PartitionAccount};
pub use gaps::{Gap, Verdict};
pub use projections::Comparison;
pub use report::Report;

/// How much of what was found is named; the rest is counted.
pub const NAMED: usize = 10;

/// What the audit has to know besides the tables.
#[derive(Clone, Debug)]
pub struct Options {
    pub database: String,
    /// Retention of minute and hour windows in seconds, as the pipeline is configured.
    pub minute_keep: u32,
    pub hour_keep: u32,
}

/// Tells whether a hole is Kafka's own: compaction, an aborted transaction and its markers leave holes in the offsets.
pub trait OffsetOracle {
    /// The first offset at or after `offset` that holds a record a consumer gets; `None` when that cannot be told
    /// (the log does not reach there any more, or no Kafka was asked).
    fn next_offset_at_or_after(
        &self,
        topic: &str,
        partition: u16,
        offset: u64,
    ) -> impl Future<Output = Option<u64>> + Send;
}

/// No Kafka was asked: every hole that was not accepted is a problem.
pub struct NoOracle;

impl OffsetOracle for NoOracle {
    async fn next_offset_at_or_after(&self, _: &str, _: u16, _: u64) -> Option<u64> {
        None
    }
}

#[derive(Debug, thiserror::Error)]
#[error("audit, {what}: {source}")]
pub struct AuditError {
    pub what: &'static str,
    pub source: clickhouse::error::Error,
}

pub(crate) fn failed(what: &'static str) -> impl FnOnce(clickhouse::error::Error) -> AuditError {
    move |source| AuditError { what, source }
}

/// Runs every check. Reads only.
pub async fn audit(client: &Client, options: &Options, oracle: &impl OffsetOracle) -> Result<Report, AuditError> {
    let client = client.clone().with_database(&options.database);
    let mut partitions = accounting::partitions(&client).await?;
    let doubles = accounting::doubles(&client).await?;
    let incomplete = accounting::incomplete(&client).await?;
    let mut gaps = gaps::find(&client, &partitions).await?;
    gaps = gaps::accept(gaps, &gaps::accepted(&client).await?);
    for gap in &mut gaps {
        gaps::excuse_by_kafka(gap, oracle).await;
    }
    let cases = projections::cases(&client).await?;
    let sla_windows = windows::sla(&client, options).await?;
    let satisfaction_windows = windows::satisfaction(&client, options).await?;

    let before: u64 = partitions.iter().map(|account| account.rows).sum();
    let after: u64 = accounting::partitions(&client).await?.iter().map(|account| account.rows).sum();
    partitions.sort_unstable_by(|a, b| (&a.kafka_topic, a.kafka_partition).cmp(&(&b.kafka_topic, b.kafka_partition)));
    Ok(Report {
        partitions,
        gaps,
        doubles,
        incomplete,
        cases,
        sla_windows,
        satisfaction_windows,
        grown_by: after.saturating_sub(before),
    })
}
