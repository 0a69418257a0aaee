//! The job that reads messages which open cases from the journal and writes which of them are one problem.
//! Owner: the process that has partition 0 of the first Kafka topic; the others wait. Invariants: it reads ClickHouse and no
//! worker's memory; what it keeps is bounded by the messages it remembers; it writes upserts (see `graph`), so it may be
//! ended anywhere, and a failure makes it read again.

use std::collections::HashMap;
use std::time::Duration;

use clickhouse::{Client, Row as TableRow};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::graph::{Graph, Root, Row, link_code, link_of};
use crate::config::settings::Problems as Limits;
use crate::enrich::repeats::{Fingerprint, Message, RepeatRules};

/// The journal is looked at so often.
const EVERY: Duration = Duration::from_secs(2);
/// At the start messages of so many windows are read again.
const WINDOWS_READ: i64 = 2;
/// Of the messages remembered so many come between two writes: what a problem tells must leave before it is forgotten.
const WRITES_WHILE_REMEMBERED: usize = 3;
/// Offsets of a partition in one round.
const STEP: u64 = 10_000;
/// Rows of one insert.
const INSERT: usize = 50_000;
/// One call of ClickHouse.
const CALL: Duration = Duration::from_secs(60);
/// The last round takes this long at most.
const CLOSING: Duration = Duration::from_millis(1500);

/// Each of them is tried again, from the beginning.
#[derive(Debug, Error)]
enum JobError {
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("clickhouse gave no answer within {CALL:?}")]
    Late(#[from] tokio::time::error::Elapsed),
}

/// The running task.
pub struct Problems {
    stop: watch::Sender<bool>,
    task: JoinSet<()>,
}

/// Starts the job; `is_ours` says whether this process has the partition that makes it do the work.
pub fn start(client: Client, limits: Limits, is_ours: Box<dyn Fn() -> bool + Send + Sync>) -> Problems {
    let (stop, asked) = watch::channel(false);
    let mut task = JoinSet::new();
    if limits.enabled {
        task.spawn(run(client, limits, is_ours, asked));
    }
    Problems { stop, task }
}

impl Problems {
    /// One more look at the journal, but not for long: what is left is linked after the next start.
    pub async fn end(mut self, at_once: bool) {
        self.stop.send_replace(true);
        let patience = if at_once { Duration::ZERO } else { CLOSING };
        let last = tokio::time::timeout(patience, async { while self.task.join_next().await.is_some() {} }).await;
        if last.is_err() {
            warn!("problems of the last messages are written after the next start");
        }
        self.task.shutdown().await;
    }
}

async fn run(
    client: Client,
    limits: Limits,
    is_ours: Box<dyn Fn() -> bool + Send + Sync>,
    mut asked: watch::Receiver<bool>,
) {
    let mut job: Option<Job> = None;
    let mut failures = 0u32;
    loop {
        // the sender lives as long as the process runs; without it there is nothing more to do
        let is_last = tokio::time::timeout(EVERY, asked.changed()).await.is_ok();
        // at the end the partitions are given back already
        if !is_last && !is_ours() {
            job = None;
            continue;
        }
        if is_last && job.is_none() {
            return;
        }
        match round(&client, &limits, &mut job).await {
            Ok(()) => failures = 0,
            Err(problem) => {
                job = None;
                failures += 1;
                if failures.is_power_of_two() {
                    warn!(%problem, failures, "problems wait and are looked for again");
                }
            }
        }
        if is_last {
            return;
        }
    }
}

async fn round(client: &Client, limits: &Limits, job: &mut Option<Job>) -> Result<(), JobError> {
    let job = match job {
        Some(job) => job,
        None => job.insert(Job::restore(client.clone(), limits).await?),
    };
    while job.read_on().await? {}
    Ok(())
}

impl Limits {
    fn rules(&self) -> RepeatRules {
        let window = i64::try_from(self.window.as_secs()).unwrap_or(i64::MAX);
        let (distance, least_words) = (self.differing_bits, self.least_words);
        RepeatRules { window, distance, least_words, ..RepeatRules::default() }
    }
}

/// Where a partition was read to.
#[derive(TableRow, Deserialize, Clone, Debug)]
struct End {
    kafka_topic: String,
    kafka_partition: u16,
    end: u64,
}

/// A message that opens a case.
#[derive(TableRow, Deserialize, Debug)]
struct Opening {
    case_key: u64,
    at: u32,
    author_key: u64,
    address_key: u64,
    /// Hash of the name: a string a row would be most of the memory of a row. Zero where none is known.
    topic: u64,
    text_hash: u64,
    words: u16,
}

/// A row of `problems`.
#[derive(TableRow, Serialize, Deserialize, Debug)]
struct ProblemRow {
    case_key: u64,
    problem_id: u64,
    link: i8,
    at: u32,
    since: u32,
    version: u64,
}

/// The row with the first text of a case, or its registration where no text is known; thanks are no problem.
const OPENINGS: &str = "SELECT case_key, \
    toUInt32(if(toUnixTimestamp(registered_at) > 0, registered_at, event_at)) AS at, author_key, address_key, \
    if(topic = '', 0, xxHash64(toString(topic))) AS topic, text_hash, text_words AS words \
    FROM events WHERE outcome = 'applied' AND subject = 'case' AND kind != 'thanks' \
    AND (text_at = bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item)) OR text_at = 0 AND event = 'registered') \
    AND (text_hash != 0 OR author_key != 0 OR address_key != 0)";

struct Job {
    client: Client,
    graph: Graph,
    read: HashMap<(String, u16), u64>,
    topics: HashMap<u64, u16>,
    write_every: usize,
    /// Messages since the last write.
    unwritten: usize,
}

impl Job {
    async fn restore(client: Client, limits: &Limits) -> Result<Job, JobError> {
        let rules = limits.rules();
        let remembered = limits.remembered;
        let graph = Graph::new(rules, remembered);
        let write_every = (remembered / WRITES_WHILE_REMEMBERED).max(1);
        let mut job = Job { client, graph, read: HashMap::new(), topics: HashMap::new(), write_every, unwritten: 0 };
        // how far the journal reached comes first: what arrives meanwhile is read twice, which changes nothing
        let ends = "SELECT ?fields FROM (SELECT toString(kafka_topic) AS kafka_topic, kafka_partition, \
                    max(kafka_offset) + 1 AS end FROM events GROUP BY kafka_topic, kafka_partition)";
        let ends: Vec<End> = tokio::time::timeout(CALL, job.client.query(ends).fetch_all()).await??;
        let newest = "SELECT toUInt32(max(event_at)) FROM events WHERE outcome = 'applied' AND subject = 'case'";
        let newest: u32 = tokio::time::timeout(CALL, job.client.query(newest).fetch_one()).await??;
        let from = i64::from(newest).saturating_sub(rules.window * WINDOWS_READ).max(0);
        let known = format!(
            "SELECT case_key, problem_id, toInt8(link) AS link, toUInt32(at) AS at, toUInt32(since) AS since, version \
             FROM problems FINAL WHERE at >= toDateTime({from}) ORDER BY at DESC, case_key LIMIT {}",
            remembered // with as many messages they stay below what a graph keeps, so none is dropped before its message comes
        );
        let known: Vec<ProblemRow> = tokio::time::timeout(CALL, job.client.query(&known).fetch_all()).await??;
        for row in &known {
            if let Some(link) = u8::try_from(row.link).ok().and_then(link_of) {
                let root = Root { since: row.since, case: row.problem_id };
                job.graph.restore(&Row { case: row.case_key, at: row.at, root, link });
            }
        }
        let sql = format!(
            "SELECT ?fields FROM ({OPENINGS} AND event_at >= toDateTime({from}) ORDER BY event_at DESC, case_key \
             LIMIT {remembered}) ORDER BY at, case_key"
        );
        let mut messages = job.client.query(&sql).fetch::<Opening>()?;
        let mut taken = std::collections::HashSet::new();
        while let Some(message) = tokio::time::timeout(CALL, messages.next()).await?? {
            if taken.insert(message.case_key) {
                job.add(&message).await?;
            }
        }
        drop(messages);
        job.graph.forget_restored();
        job.write().await?;
        job.read = ends.into_iter().map(|end| ((end.kafka_topic, end.kafka_partition), end.end)).collect();
        info!(messages = taken.len(), known = known.len(), "looking for problems over all sources");
        Ok(job)
    }

    /// Reads what the journal has got since; tells whether there is more.
    async fn read_on(&mut self) -> Result<bool, JobError> {
        let ranges = self.ranges(|from| format!("kafka_offset >= {from}"));
        let sql = format!(
            "SELECT ?fields FROM (SELECT toString(kafka_topic) AS kafka_topic, kafka_partition, \
             max(kafka_offset) + 1 AS end FROM events WHERE {ranges} GROUP BY kafka_topic, kafka_partition)"
        );
        let mut ends: Vec<End> = tokio::time::timeout(CALL, self.client.query(&sql).fetch_all()).await??;
        if ends.is_empty() {
            return Ok(false);
        }
        let (mut is_more, mut pieces) = (false, Vec::new());
        for end in &mut ends {
            let from = self.read.get(&(end.kafka_topic.clone(), end.kafka_partition)).copied().unwrap_or(0);
            is_more |= end.end - from > STEP;
            end.end = end.end.min(from + STEP);
            pieces.push(format!(
                "{} AND kafka_offset >= {from} AND kafka_offset < {}",
                place(&end.kafka_topic, end.kafka_partition),
                end.end
            ));
        }
        let sql = format!("SELECT ?fields FROM ({OPENINGS} AND ({})) ORDER BY at, case_key", pieces.join(" OR "));
        let mut messages = self.client.query(&sql).fetch::<Opening>()?;
        while let Some(message) = tokio::time::timeout(CALL, messages.next()).await?? {
            if !self.graph.knows(message.case_key) {
                self.add(&message).await?;
            }
        }
        drop(messages);
        self.write().await?;
        self.read.extend(ends.into_iter().map(|end| ((end.kafka_topic, end.kafka_partition), end.end)));
        Ok(is_more)
    }

    /// All that lies beyond what was read, partitions that are new among it.
    fn ranges(&self, beyond: impl Fn(u64) -> String) -> String {
        if self.read.is_empty() {
            return "1".to_owned();
        }
        let mut known: Vec<String> = Vec::with_capacity(self.read.len());
        let mut pieces: Vec<String> = Vec::with_capacity(self.read.len() + 1);
        for ((topic, partition), from) in &self.read {
            pieces.push(format!("{} AND {}", place(topic, *partition), beyond(*from)));
            known.push(format!("({}, {partition})", quoted(topic)));
        }
        pieces.push(format!("(kafka_topic, kafka_partition) NOT IN ({})", known.join(", ")));
        pieces.join(" OR ")
    }

    /// Rows leave before the graph would forget what they tell.
    async fn add(&mut self, opening: &Opening) -> Result<(), JobError> {
        let next = self.topics.len().saturating_add(1).min(usize::from(u16::MAX)) as u16;
        let topic = match opening.topic {
            0 => 0,
            topic => *self.topics.entry(topic).or_insert(next),
        };
        self.graph.add(Message {
            case: opening.case_key,
            at: i64::from(opening.at),
            author: opening.author_key,
            address: opening.address_key,
            topic,
            text: Fingerprint { hash: opening.text_hash, words: opening.words },
        });
        self.unwritten += 1;
        if self.unwritten >= self.write_every { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), JobError> {
        self.unwritten = 0;
        let rows = self.graph.take_changed();
        for rows in rows.chunks(INSERT) {
            let write = async {
                let insert = self.client.insert::<ProblemRow>("problems").await?;
                let mut insert = insert.with_setting("async_insert", "0");
                for row in rows {
                    let link = link_code(row.link) as i8;
                    let (problem_id, since) = (row.root.case, row.root.since);
                    let row =
                        ProblemRow { case_key: row.case, problem_id, link, at: row.at, since, version: row.version() };
                    insert.write(&row).await?;
                }
                insert.end().await
            };
            tokio::time::timeout(CALL, write).await??;
        }
        Ok(())
    }
}

fn place(topic: &str, partition: u16) -> String {
    format!("kafka_topic = {} AND kafka_partition = {partition}", quoted(topic))
}

/// A string of SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
