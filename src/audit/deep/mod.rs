//! `tsur audit --deep`: every projection against a recount of the journal, row by row and column by column.
//! Owner: the command line, and `rebuild` after a swap. Reads only. Invariants: no SQL is shared with the pipeline or with
//! `rebuild`; what is printed names table, key, column, and both values; it is right while `tsur run` works.
//!
//! # Why it may run beside `tsur run`
//!
//! A row is judged as of its own version, which says which rows of the journal it counts: "all below this offset".
//! - *wrong*: the row does not hold what the journal below its version says. No later write excuses that.
//! - *behind*: the journal has rows from the row's version on that it should hold. `run` writes windows every few seconds
//!   and recounts old ones every half minute, so such a row is asked again until the rows it lacks are `GRACE` old, and
//!   longer while rows do catch up: after a backlog of a million records a busy machine took minutes for the old windows.
//! - *newer*: the row was written while it was compared. It is asked again; one that is newer every time is counted.

mod backlog;
mod cases;
mod facts;
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
/// While rows catch up they are waited for, but not for longer than this.
const LONGEST: Duration = Duration::from_secs(600);
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
    found: Vec<Found>,
}

/// Key, class, version, and the columns that differ: name, in the table, by the journal.
type Found = (String, u8, u64, Vec<(String, String, String)>);

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
            Projection::Votes => facts::compare(&client, asked, &facts::VOTES, says).await?,
            Projection::Pages => facts::compare(&client, asked, &facts::PAGES, says).await?,
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

/// A part of a table that one query compares.
struct Part<T> {
    journal: Journal,
    what: T,
    look: Look,
    /// What was wrong when most was.
    wrong: Pass,
    last: Pass,
    is_settled: bool,
    /// Nothing is waited for after this.
    until: Instant,
}

impl<T> Part<T> {
    fn new(journal: Journal, what: T) -> Part<T> {
        let look = Look { below: journal.end, settled: journal.end };
        Part {
            journal,
            what,
            look,
            wrong: Pass::default(),
            last: Pass::default(),
            is_settled: false,
            until: Instant::now() + LONGEST,
        }
    }

    /// Takes up a pass; `end` is where the journal ends now, after it.
    fn judge(&mut self, mut seen: Pass, end: u64, pass: u32) {
        self.look.below = end;
        // a version beyond the journal as it ends now was never written by `run`
        for (_, class, version, differences) in &mut seen.found {
            if *class == NEWER && *version > end {
                *class = WRONG;
                (seen.newer, seen.wrong) = (seen.newer - 1, seen.wrong + 1);
                differences.insert(0, ("version".to_owned(), version.to_string(), format!("at most {end}")));
            }
        }
        if seen.behind < self.last.behind {
            let later = (Instant::now() + Duration::from_secs(GRACE)).min(self.until);
            self.journal.settles_at = self.journal.settles_at.max(later);
        }
        let may_be_late = seen.behind > 0 && Instant::now() < self.journal.settles_at;
        self.is_settled = !may_be_late && (seen.newer == 0 || pass >= NEWER_PASSES);
        if seen.wrong > self.wrong.wrong {
            self.wrong = seen.clone();
        }
        self.last = seen;
    }

    /// What stands at the end: what was wrong at any time, and what is still behind.
    fn verdict(self) -> (Journal, Pass) {
        let of_class = |pass: &Pass, wanted: u8| {
            pass.found.iter().filter(|(_, class, ..)| *class == wanted).cloned().collect::<Vec<_>>()
        };
        let mut found = of_class(&self.wrong, WRONG);
        found.extend(of_class(&self.last, BEHIND));
        (self.journal, Pass { wrong: self.wrong.wrong, found, ..self.last })
    }
}

/// Asks every part, and those again that are neither sound nor wrong for good; all of them wait together.
async fn settle<T>(
    client: &Client,
    mut parts: Vec<Part<T>>,
    mut ask: impl AsyncFnMut(&Journal, &T, Look) -> Result<Pass, AuditError>,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<(Journal, Pass)>, AuditError> {
    for pass in 1.. {
        let mut seen = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            if !part.is_settled {
                seen.push((index, ask(&part.journal, &part.what, part.look).await?));
            }
        }
        let now = journals(client).await?;
        for (index, seen) in seen {
            let part = &mut parts[index];
            let same =
                |other: &&Journal| other.topic == part.journal.topic && other.partition == part.journal.partition;
            let end = now.iter().find(same).map_or(part.journal.end, |journal| journal.end);
            part.judge(seen, end, pass);
        }
        let waiting: u64 =
            parts.iter().filter(|part| !part.is_settled).map(|part| part.last.behind + part.last.newer).sum();
        if waiting == 0 {
            break;
        }
        if pass == 1 {
            says(&format!(
                "{waiting} rows wait for the next write of `tsur run`, or were written just now; asking again"
            ));
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Ok(parts.into_iter().map(Part::verdict).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(settles_in: u64) -> Part<()> {
        let settles_at = Instant::now() + Duration::from_secs(settles_in);
        Part::new(Journal { topic: "t".to_owned(), partition: 0, end: 10, rows: 10, settles_at }, ())
    }

    fn pass(class: u8, version: u64) -> Pass {
        let count = |wanted: u8| u64::from(class == wanted);
        let found = vec![("k".to_owned(), class, version, Vec::new())];
        Pass { compared: 1, wrong: count(WRONG), behind: count(BEHIND), newer: count(NEWER), found }
    }

    #[test]
    fn a_row_that_is_behind_is_a_difference_only_once_it_has_had_its_time() {
        let mut part = part(60);
        part.judge(pass(BEHIND, 4), 10, 1);
        assert!(!part.is_settled);
        part.journal.settles_at = Instant::now();
        part.judge(pass(BEHIND, 4), 10, 2);
        assert!(part.is_settled);
        let (_, verdict) = part.verdict();
        assert_eq!((verdict.wrong, verdict.behind, verdict.found.len()), (0, 1, 1));
    }

    #[test]
    fn rows_that_catch_up_one_after_another_are_waited_for_and_not_for_ever() {
        let behind = |rows: u64| Pass { behind: rows, ..pass(BEHIND, 4) };
        let mut part = part(60);
        part.judge(behind(9), 10, 1);
        part.journal.settles_at = Instant::now();
        part.judge(behind(5), 10, 2);
        assert!(!part.is_settled, "it has become less");
        part.journal.settles_at = Instant::now();
        part.judge(behind(5), 10, 3);
        assert!(part.is_settled, "nobody writes them");
        part.until = Instant::now();
        part.judge(behind(4), 10, 4);
        assert!(part.is_settled, "the time is over");
    }

    #[test]
    fn a_row_that_catches_up_is_no_difference_and_a_wrong_one_stays_one() {
        let mut late = part(60);
        late.judge(pass(BEHIND, 4), 12, 1);
        late.judge(Pass { compared: 1, ..Pass::default() }, 14, 2);
        assert!(late.is_settled && late.verdict().1.found.is_empty());
        let mut wrong = part(60);
        wrong.judge(Pass { newer: 1, ..pass(WRONG, 4) }, 12, 1);
        assert!(!wrong.is_settled, "a newer row is asked again");
        wrong.judge(Pass { compared: 1, ..Pass::default() }, 14, 2);
        assert_eq!(wrong.verdict().1.wrong, 1);
    }

    #[test]
    fn a_version_beyond_the_journal_is_wrong_and_a_newer_one_is_asked_again() {
        let mut part = part(0);
        part.judge(pass(NEWER, 12), 12, 1);
        assert!(!part.is_settled && part.look.below == 12);
        part.judge(pass(NEWER, 99), 12, 2);
        assert!(part.is_settled);
        assert_eq!(part.verdict().1.wrong, 1);
    }
}
