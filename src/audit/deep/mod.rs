//! `tsur audit --deep`: every projection against a recount of the journal, row by row and column by column.
//! Owner: the command line, and `rebuild` after a swap. Reads only. Invariants: no SQL is shared with the pipeline or with
//! `rebuild`; what is printed names table, key, column, and both values; it is right while `tsur run` works.
//!
//! # Why it may run beside `tsur run`
//!
//! A row is judged as of its own version, which says which rows of the journal it counts: "all below this offset".
//! - *wrong*: the row does not hold what the journal below its version says. No later write excuses that.
//! - *behind*: the journal has rows from the row's version on that it should hold. `run` writes windows every few seconds
//!   and recounts old ones every half minute, so such a row is asked again until the rows it lacks are `GRACE` old.
//! - *newer*: the row was written while it was compared. It is asked again; one that is newer every time is counted.

mod backlog;
mod cases;
mod report;
mod windows;

use std::time::{Duration, Instant};

use clickhouse::{Client, Row};
use serde::Deserialize;

pub use report::{Compared, DeepReport, Difference};

use super::{AuditError, failed};
use crate::model::windows::Retention;
use crate::rebuild::Projection;

/// So old may a row of the journal be before its projections must hold it, in seconds.
const GRACE: u64 = 90;
const ASK_AGAIN: Duration = Duration::from_secs(3);
/// How often rows that change under the comparison are asked again.
const NEWER_PASSES: u32 = 4;
/// Differing keys that one query gives back; the others are only counted.
const FOUND: usize = 1000;

/// What to compare.
#[derive(Clone, Debug)]
pub struct Asked {
    pub database: String,
    pub retention: Retention,
    pub projections: Vec<Projection>,
    /// Differences to name for each table; all are counted.
    pub named: usize,
}

/// A partition of the journal.
#[derive(Clone, Debug)]
struct Journal {
    topic: String,
    partition: u16,
    /// The offset after the last row, or after the last accepted gap.
    end: u64,
    rows: u64,
    /// From now on every row of it is old enough to be in the projections.
    settles_at: Instant,
}

#[derive(Row, Deserialize)]
struct JournalRow {
    topic: String,
    partition: u16,
    end: u64,
    rows: u64,
    /// Seconds since the newest row was sealed.
    age: u64,
}

impl Journal {
    fn name(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }
}

/// One query's view of a part of a table.
#[derive(Row, Deserialize, Clone, Debug, Default)]
struct Pass {
    compared: u64,
    wrong: u64,
    behind: u64,
    newer: u64,
    /// Some of the rows that are not sound: key, class, version, and columns with both values.
    found: Vec<(String, u8, u64, Vec<(String, String, String)>)>,
}

const WRONG: u8 = 1;
const BEHIND: u8 = 2;
const NEWER: u8 = 3;

/// What the classes of a pass are counted and named by; the inner query gives `key`, `class`, `version`, `differences`.
fn verdict_sql(inner: &str) -> String {
    format!(
        "SELECT count() AS compared, countIf(class = {WRONG}) AS wrong, countIf(class = {BEHIND}) AS behind, countIf(class = {NEWER}) AS newer,
            groupArraySortedIf({FOUND})((label, class, row_version, differences), class != 0) AS found FROM ({inner})"
    )
}

/// Where a pass looks.
#[derive(Clone, Copy, Debug)]
struct Look {
    /// Rows of the journal below this offset are counted.
    below: u64,
    /// Rows below this offset must be in the projections by the end.
    settled: u64,
}

/// Compares everything that was asked for.
pub async fn compare(
    client: &Client,
    asked: &Asked,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<DeepReport, AuditError> {
    let client = client.clone().with_database(&asked.database);
    let mut report = DeepReport::default();
    for projection in &asked.projections {
        says(&format!("comparing {projection}"));
        let compared = match projection {
            Projection::Cases => cases::compare(&client, asked, says).await?,
            Projection::SlaWindows => windows::compare(&client, asked, windows::SLA, says).await?,
            Projection::SatisfactionWindows => windows::compare(&client, asked, windows::SATISFACTION, says).await?,
            Projection::Backlog => backlog::compare(&client, asked, says).await?,
        };
        report.compared.push(compared);
    }
    Ok(report)
}

async fn journals(client: &Client) -> Result<Vec<Journal>, AuditError> {
    let sql = "
        SELECT topic::String AS topic, partition, greatest(max(after), max(gap)) AS end, sum(n) AS rows,
            toUInt64(greatest(0, toUnixTimestamp(now()) - max(sealed))) AS age
        FROM
        (
            SELECT kafka_topic AS topic, kafka_partition AS partition, max(kafka_offset) + 1 AS after, 0 AS gap, count() AS n,
                toUnixTimestamp(max(sealed_at)) AS sealed
            FROM events GROUP BY topic, partition
            UNION ALL
            SELECT kafka_topic, kafka_partition, 0, max(end), 0, 0 FROM accepted_gaps GROUP BY kafka_topic, kafka_partition
        )
        GROUP BY topic, partition ORDER BY topic, partition";
    let rows: Vec<JournalRow> = client.query_raw(sql).fetch_all().await.map_err(failed("reach of the journal"))?;
    let now = Instant::now();
    let journal = |row: JournalRow| {
        let JournalRow { topic, partition, end, rows, age } = row;
        Journal { topic, partition, end, rows, settles_at: now + Duration::from_secs(GRACE.saturating_sub(age)) }
    };
    Ok(rows.into_iter().map(journal).collect())
}

async fn end_of(client: &Client, journal: &Journal) -> Result<u64, AuditError> {
    let same = |other: &Journal| other.topic == journal.topic && other.partition == journal.partition;
    Ok(journals(client).await?.into_iter().find(same).map_or(0, |now| now.end))
}

/// Asks until what is not sound is either wrong for good or sound.
async fn settle(
    client: &Client,
    journal: &Journal,
    mut ask: impl AsyncFnMut(Look) -> Result<Pass, AuditError>,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<Pass, AuditError> {
    let mut look = Look { below: journal.end, settled: journal.end };
    let mut wrong = Pass::default();
    for pass in 1.. {
        let mut seen = ask(look).await?;
        look.below = end_of(client, journal).await?;
        // a version beyond the journal as it ends now was never written by `run`
        for (_, class, version, differences) in &mut seen.found {
            if *class == NEWER && *version > look.below {
                *class = WRONG;
                (seen.newer, seen.wrong) = (seen.newer - 1, seen.wrong + 1);
                differences.insert(0, ("version".to_owned(), version.to_string(), format!("at most {}", look.below)));
            }
        }
        if seen.wrong > wrong.wrong {
            wrong = seen.clone();
        }
        let may_be_late = seen.behind > 0 && Instant::now() < journal.settles_at;
        if may_be_late && pass == 1 {
            let so_far = seen.behind;
            says(&format!("{}: {so_far} rows wait for the next write of `tsur run`; asking again", journal.name()));
        }
        if may_be_late || (seen.newer > 0 && pass < NEWER_PASSES) {
            tokio::time::sleep(ASK_AGAIN).await;
            continue;
        }
        let lost = seen.found.iter().filter(|(_, class, ..)| *class == BEHIND).cloned();
        let mut found: Vec<_> = wrong.found.iter().filter(|(_, class, ..)| *class == WRONG).cloned().collect();
        found.extend(lost);
        found.sort();
        return Ok(Pass { wrong: wrong.wrong, found, ..seen });
    }
    Ok(wrong)
}
