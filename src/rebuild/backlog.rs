//! The backlog of every counted minute, from the journal. A row of `backlog` is a function of two numbers and the journal:
//! the minute, and the offset below which rows count (its version). This module finds the pairs and computes the rows.
//! Owner: `rebuild`. Which minutes were counted the journal does not say in full: a minute without a batch is counted by
//! a process that is alive and idle, and after a restart a minute may be counted again from more rows. So the pairs are
//! 1. the marks that `backlog` and `backlog_marks` hold, of either table, and
//! 2. the first batch of each minute in the journal, which is what `tsur run` counts in a minute with batches,
//!    the higher version of each minute winning, as in the tables. Lost with both tables is only that an idle minute was
//!    counted; its rows equal those of the last batch before, but for what fell due.
//!
//! Invariants: marks are read before the end of the journal is, so no mark is ahead of the rows it is computed from;
//! memory holds the open cases of one partition and one chunk of rows.

use std::collections::HashMap;

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};

use super::Watch;
use super::errors::{RebuildError, failed};
use super::fill::{WRITING, reaches};
use super::open_work::{OpenWork, Place};
use crate::model::case::{Case, Flag, Flags, RowVersion};
use crate::model::ids::{CaseKey, Offset};
use crate::model::time::Time;
use crate::model::words::Status;

/// The TTL of both tables (`schemas/clickhouse/0003_windows.sql`), in seconds.
pub const KEEP: u32 = 90 * 86_400;
/// Offsets of the journal that one query reads.
const CHUNK: u64 = 200_000;
/// Rows that one insert holds.
const INSERT_ROWS: usize = 100_000;

/// A counted minute of a partition.
#[derive(Row, Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark {
    /// Rows below this offset count.
    pub version: u64,
    /// Seconds since the epoch.
    pub minute: u32,
}

/// A partition with marks; one that never had a record has no journal.
#[derive(Row, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Share {
    pub topic: String,
    pub partition: u16,
}

/// Deadlines that a change of the rules moved, from a minute on.
#[derive(Row, Deserialize, Clone, Copy)]
struct DuesRow {
    case_key: u64,
    version: u64,
    minute: u32,
    due_first: u32,
    due_final: u32,
    paused: bool,
}

#[derive(Row, Deserialize)]
struct StateRow {
    kafka_offset: u64,
    item: u16,
    case_key: u64,
    source: String,
    block: String,
    territory: String,
    body: String,
    status: i8,
    registered_at: u32,
    first_answer_at: u32,
    answered_at: u32,
    closed_at: u32,
    due_first: u32,
    due_final: u32,
    paused: bool,
}

#[derive(Row, Serialize)]
struct BacklogOut {
    minute: u32,
    source: String,
    block: String,
    territory: String,
    body: String,
    kafka_topic: String,
    kafka_partition: u16,
    version: u64,
    open: u32,
    due_2h: u32,
    due_24h: u32,
    overdue: u32,
    oldest: u32,
}

#[derive(Row, Serialize)]
struct MarkOut {
    minute: u32,
    kafka_topic: String,
    kafka_partition: u16,
    version: u64,
}

impl StateRow {
    fn case(&self) -> Case {
        let time = |seconds: u32| Time::from_unix_seconds(i64::from(seconds));
        let mut flags = Flags::default();
        flags.set(Flag::Paused, self.paused);
        Case {
            version: RowVersion::new(Offset(self.kafka_offset), self.item),
            flags,
            status: Status::from_code(self.status as u8).unwrap_or(Status::New),
            registered_at: time(self.registered_at),
            first_answer_at: time(self.first_answer_at),
            answered_at: time(self.answered_at),
            closed_at: time(self.closed_at),
            due_first: time(self.due_first),
            due_final: time(self.due_final),
            ..Case::unknown(CaseKey(self.case_key))
        }
    }
}

const OF_SHARE: &str = "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}";

/// Partitions that have rows of the journal, or marks; marks of a Kafka topic that was never a stream are foreign.
pub async fn shares(client: &Client) -> Result<Vec<Share>, RebuildError> {
    let sql = "SELECT DISTINCT topic::String AS topic, partition FROM
        (
            SELECT kafka_topic AS topic, kafka_partition AS partition FROM backlog_marks WHERE kafka_topic IN (SELECT kafka_topic FROM streams)
            UNION ALL
            SELECT kafka_topic, kafka_partition FROM backlog WHERE source = '' AND kafka_topic IN (SELECT kafka_topic FROM streams)
            UNION ALL SELECT DISTINCT kafka_topic, kafka_partition FROM events
        )
        ORDER BY topic, partition";
    client.query_raw(sql).fetch_all().await.map_err(failed("partitions of backlog"))
}

/// The counted minutes of a partition, from a minute on, in the order of the rows they count.
async fn marks(client: &Client, share: &Share, from: u32) -> Result<Vec<Mark>, RebuildError> {
    let sql = format!(
        "SELECT max(counted) AS version, at AS minute FROM
        (
            SELECT toUnixTimestamp(minute) AS at, version AS counted FROM backlog_marks WHERE {OF_SHARE}
            UNION ALL
            SELECT toUnixTimestamp(minute), version FROM backlog WHERE {OF_SHARE} AND source = ''
            UNION ALL
            SELECT toUInt32(intDiv(tick, 60000) * 60) AS first, argMin(end, tick) FROM
            (
                SELECT toUnixTimestamp64Milli(sealed_at) AS tick, max(kafka_offset) + 1 AS end FROM events
                WHERE {OF_SHARE} AND sealed_at >= toDateTime({{from:UInt32}}) GROUP BY sealed_at
            )
            GROUP BY first
        )
        WHERE at >= {{from:UInt32}} GROUP BY at ORDER BY version, minute"
    );
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    query
        .param("from", from)
        .fetch_all()
        .await
        .map_err(failed(format!("counted minutes of {}/{}", share.topic, share.partition)))
}

/// Writes the rows of every counted minute of a partition into the tables beside; both get the marks.
pub async fn fill(client: &Client, share: &Share, now: u32, watch: &mut impl Watch) -> Result<(), RebuildError> {
    let marks = marks(client, share, now.saturating_sub(KEEP)).await?;
    write(client, share, &marks, Target::BESIDE, watch).await
}

/// The marks that the old tables have in a newer version than the new ones: an insert was on its way during the swap.
pub async fn left_behind(client: &Client, share: &Share) -> Result<Vec<Mark>, RebuildError> {
    let side = |side: u8, table: &str, mark: &str| {
        format!(
            "SELECT {side} AS side, toUnixTimestamp(minute) AS at, version AS counted FROM {table} WHERE {OF_SHARE}{mark}"
        )
    };
    let of_rows = " AND source = ''"; // a mark among the rows: the rows of its minute came with it
    let sql = format!(
        "SELECT maxIf(counted, side = 0) AS version, at AS minute FROM ({} UNION ALL {} UNION ALL {} UNION ALL {})
         GROUP BY at HAVING version > least(maxIf(counted, side = 1), maxIf(counted, side = 2)) ORDER BY version, minute",
        side(0, "backlog_rebuild", of_rows),
        side(0, "backlog_marks_rebuild", ""),
        side(1, "backlog", of_rows),
        side(2, "backlog_marks", "")
    );
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    query.fetch_all().await.map_err(failed("marks on their way during the swap"))
}

/// The tables that `write` writes.
#[derive(Clone, Copy)]
pub struct Target {
    pub rows: &'static str,
    pub marks: &'static str,
}

impl Target {
    pub const BESIDE: Target = Target { rows: "backlog_rebuild", marks: "backlog_marks_rebuild" };
    pub const LIVE: Target = Target { rows: "backlog", marks: "backlog_marks" };
}

/// Computes the rows of the marks, which come in the order of their versions, and writes them.
pub async fn write(
    client: &Client,
    share: &Share,
    marks: &[Mark],
    into: Target,
    watch: &mut impl Watch,
) -> Result<(), RebuildError> {
    if marks.is_empty() {
        return Ok(());
    }
    let name = format!("{}/{}", share.topic, share.partition);
    let all = reaches(client).await?; // after the marks, never before
    let reach = all.iter().find(|reach| reach.topic == share.topic && reach.partition == share.partition);
    let (first, end) = reach.map_or((0, 0), |reach| (reach.first, reach.end));
    let mut out = Writer { client, share, into, source: String::new(), rows: Vec::new(), marks: Vec::new() };
    let mut work = OpenWork::default();
    let mut moved = Moved::new(dues(client, share).await.map_err(failed(format!("new deadlines of {name}")))?);
    let mut waiting = marks.iter().peekable();
    let mut begin = first;
    while begin < end && waiting.peek().is_some() {
        let until = end.min(begin.saturating_add(CHUNK));
        for row in
            states(client, share, begin, until).await.map_err(failed(format!("cases of {name} [{begin},{until})")))?
        {
            while let Some(mark) = waiting.next_if(|mark| mark.version <= row.kafka_offset) {
                moved.reach(mark.minute, &mut work);
                out.count(*mark, &mut work).await?;
            }
            let mut case = row.case();
            moved.give(&mut case);
            out.source = row.source;
            work.put(&case, &Place { block: row.block, territory: row.territory, body: row.body });
        }
        watch.read(until - begin);
        begin = until;
    }
    for mark in waiting {
        moved.reach(mark.minute, &mut work);
        out.count(*mark, &mut work).await?;
    }
    out.flush().await
}

async fn states(client: &Client, share: &Share, begin: u64, end: u64) -> clickhouse::error::Result<Vec<StateRow>> {
    let sql = format!(
        "SELECT kafka_offset, item, case_key, source, block, territory, body, status, registered_at, first_answer_at, answered_at, \
         closed_at, due_first, due_final, paused FROM events WHERE {OF_SHARE} AND kafka_offset >= {{begin:UInt64}} AND \
         kafka_offset < {{end:UInt64}} AND outcome = 'applied' AND subject = 'case' ORDER BY kafka_offset, item"
    );
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    query.param("begin", begin).param("end", end).fetch_all().await
}

async fn dues(client: &Client, share: &Share) -> clickhouse::error::Result<Vec<DuesRow>> {
    let sql = format!(
        "SELECT case_key, version, toUnixTimestamp(since) AS minute, due_first, due_final, paused FROM case_dues FINAL \
         WHERE {OF_SHARE} ORDER BY since, case_key"
    );
    client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition).fetch_all().await
}

/// New deadlines in the order of their minutes. A case has them while it stands at their row.
struct Moved {
    rows: Vec<DuesRow>,
    /// Rows of minutes that are reached.
    reached: usize,
    minute: u32,
    /// The latest of the reached ones, by case and row.
    latest: HashMap<(CaseKey, RowVersion), usize>,
}

impl Moved {
    fn new(rows: Vec<DuesRow>) -> Moved {
        Moved { rows, reached: 0, minute: 0, latest: HashMap::new() }
    }

    fn reach(&mut self, minute: u32, work: &mut OpenWork) {
        if minute < self.minute {
            // clocks of two processes may differ: what was reached is left as it is, a minute or two of one change
            return;
        }
        self.minute = minute;
        while let Some(row) = self.rows.get(self.reached).filter(|row| row.minute <= minute) {
            self.latest.insert((CaseKey(row.case_key), RowVersion(row.version)), self.reached);
            self.reached += 1;
            let (first, last) = row.dues();
            work.give_dues(CaseKey(row.case_key), RowVersion(row.version), first, last.filter(|_| !row.paused));
        }
    }

    fn give(&self, case: &mut Case) {
        if let Some(place) = self.latest.get(&(case.key, case.version)) {
            self.rows[*place].give(case);
        }
    }
}

impl DuesRow {
    fn dues(&self) -> (Option<Time>, Option<Time>) {
        let time = |seconds: u32| Time::from_unix_seconds(i64::from(seconds));
        (time(self.due_first), time(self.due_final))
    }

    fn give(&self, case: &mut Case) {
        (case.due_first, case.due_final) = self.dues();
        case.flags.set(Flag::Paused, self.paused);
    }
}

/// Collects rows into inserts of a bounded size.
struct Writer<'a> {
    client: &'a Client,
    share: &'a Share,
    into: Target,
    /// Source of the partition, as its rows say.
    source: String,
    rows: Vec<BacklogOut>,
    marks: Vec<MarkOut>,
}

impl Writer<'_> {
    async fn count(&mut self, mark: Mark, work: &mut OpenWork) -> Result<(), RebuildError> {
        let (topic, partition) = (&self.share.topic, self.share.partition);
        let Mark { minute, version } = mark;
        let empty = || BacklogOut {
            minute,
            source: String::new(),
            block: String::new(),
            territory: String::new(),
            body: String::new(),
            kafka_topic: topic.clone(),
            kafka_partition: partition,
            version,
            open: 0,
            due_2h: 0,
            due_24h: 0,
            overdue: 0,
            oldest: 0,
        };
        self.rows.push(empty());
        self.marks.push(MarkOut { minute, kafka_topic: topic.clone(), kafka_partition: partition, version });
        for (place, value) in work.rows(minute) {
            self.rows.push(BacklogOut {
                source: self.source.clone(),
                block: place.block.clone(),
                territory: place.territory.clone(),
                body: place.body.clone(),
                open: value.open,
                due_2h: value.due_2h,
                due_24h: value.due_24h,
                overdue: value.overdue,
                oldest: value.oldest,
                ..empty()
            });
        }
        if self.rows.len() >= INSERT_ROWS { self.flush().await } else { Ok(()) }
    }

    /// The rows before their marks: a mark without its rows would say that nothing was open.
    async fn flush(&mut self) -> Result<(), RebuildError> {
        let (rows, marks) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.marks));
        insert(self.client, self.into.rows, &rows).await.map_err(failed(format!("rows of {}", self.into.rows)))?;
        insert(self.client, self.into.marks, &marks).await.map_err(failed(format!("rows of {}", self.into.marks)))
    }
}

async fn insert<T>(client: &Client, table: &str, rows: &[T]) -> clickhouse::error::Result<()>
where
    T: clickhouse::RowOwned + clickhouse::RowWrite,
{
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = client.insert::<T>(table).await?;
    for (name, value) in WRITING {
        insert = insert.with_setting(name, value);
    }
    for row in rows {
        insert.write(row).await?;
    }
    insert.end().await
}
