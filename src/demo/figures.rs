//! What the demo shows, read once a second: the state of the region from ClickHouse's views, that of the pipeline from the
//! process itself.
//! Owner: the session's reader task; the picture and the lines only read. Invariants: everything about cases comes by SQL
//! that a user could type too; names are those of the reference dictionaries, never codes.

use std::collections::HashMap;
use std::sync::Arc;

use clickhouse::Client;
use tokio::task::spawn_blocking;

use super::DemoError;
use super::broker::Watermarks;
use super::publisher::unix_millis;
use crate::app::registry::Registry;
use crate::config::Reference;

/// Open work by block and territory; all figures of the present moment come from this one reading, so they agree.
const OPEN: &str = "SELECT block, territory, count() AS open, countIf(is_overdue) AS overdue, \
    countIf(seconds_left BETWEEN 0 AND 7200) AS due FROM v_open_cases GROUP BY block, territory";
/// By the time Kafka took the record: some sources date their cases by days.
const INFLOW: &str = "SELECT source, countIf(kafka_time >= now() - 60), count() FROM events \
    WHERE kafka_time >= now() - 3600 AND kafka_time <= now() + 60 AND outcome = 'applied' AND event = 'registered' \
    GROUP BY source";
const TODAY: &str = "SELECT sum(answered), sum(registered) FROM v_sla \
    WHERE unit = 'day' AND window_start = toStartOfDay(now('Europe/Moscow'))";
const SATISFACTION: &str = "SELECT sum(satisfied), sum(not_satisfied), sum(rating_sum), sum(rated) FROM v_satisfaction \
    WHERE unit = 'day' AND window_start >= now() - INTERVAL 30 DAY";
const ACCOUNTING: &str = "SELECT sum(records), sum(applied), sum(duplicate), sum(rejected), sum(ignored), \
    toUnixTimestamp64Milli(max(last_kafka_time)) FROM v_accounting";
const LATEST: &str = "SELECT toUnixTimestamp64Milli(kafka_time), source, block, territory, text FROM events \
    WHERE kafka_time >= now() - 900 AND outcome = 'applied' AND event = 'registered' AND text != '' \
    ORDER BY kafka_time DESC LIMIT 8";

/// Everything of one second.
#[derive(Clone, Default, Debug)]
pub struct Figures {
    pub at_millis: i64,
    pub inflow: Vec<Inflow>,
    pub open: u64,
    pub overdue: u64,
    pub due: u64,
    pub answered_today: u64,
    pub registered_today: u64,
    pub satisfied: u64,
    pub reactions: u64,
    /// Mean mark of the last 30 days.
    pub rating: Option<f64>,
    pub blocks: Bars,
    pub territories: Bars,
    pub records: u64,
    pub rows: Outcomes,
    /// Of the last minute.
    pub recent: Outcomes,
    /// When Kafka received the newest record of the journal.
    pub newest_millis: Option<i64>,
    pub latest: Vec<Latest>,
    pub flow: Flow,
    /// ClickHouse or Kafka did not answer; what is shown is older.
    pub trouble: Option<String>,
}

#[derive(Clone, Default, Debug)]
pub struct Inflow {
    pub name: String,
    pub minute: u64,
    pub hour: u64,
}

#[derive(Clone, Default, Debug)]
pub struct Bar {
    pub name: String,
    pub open: u64,
    pub overdue: u64,
}

/// Open work by one dimension, the fullest first.
#[derive(Clone, Default, Debug)]
pub struct Bars {
    pub named: Vec<Bar>,
    /// Open cases of which the source does not say it.
    pub unknown: u64,
}

/// A message as everybody may see it: masked.
#[derive(Clone, Default, Debug)]
pub struct Latest {
    pub at_millis: i64,
    pub place: String,
    pub text: String,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Outcomes {
    pub applied: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub ignored: u64,
}

impl Outcomes {
    pub fn total(&self) -> u64 {
        self.applied + self.duplicate + self.rejected + self.ignored
    }

    pub fn since(&self, earlier: &Outcomes) -> Outcomes {
        Outcomes {
            applied: self.applied.saturating_sub(earlier.applied),
            duplicate: self.duplicate.saturating_sub(earlier.duplicate),
            rejected: self.rejected.saturating_sub(earlier.rejected),
            ignored: self.ignored.saturating_sub(earlier.ignored),
        }
    }
}

/// The pipeline itself.
#[derive(Clone, Default, Debug)]
pub struct Flow {
    pub records_read: u64,
    pub rows_written: u64,
    pub records_per_second: f64,
    pub rows_per_second: f64,
    /// Records in Kafka that are not in ClickHouse yet.
    pub lag: u64,
    pub cases: usize,
    pub memory: u64,
    /// A server is away, and it is tried again.
    pub trouble: Option<String>,
    /// A partition has ended and says why.
    pub problem: Option<String>,
}

impl Figures {
    /// Age of the newest record in the journal, in seconds.
    pub fn age(&self) -> Option<f64> {
        self.newest_millis.map(|newest| (self.at_millis - newest).max(0) as f64 / 1000.0)
    }
}

/// Russian names by code.
struct Names {
    blocks: HashMap<String, String>,
    territories: HashMap<String, String>,
}

impl Names {
    fn new(reference: &Reference) -> Names {
        Names {
            blocks: reference.blocks.iter().map(|block| (block.code.clone(), block.name.clone())).collect(),
            territories: reference.territories.iter().map(|place| (place.code.clone(), place.name.clone())).collect(),
        }
    }
}

/// The name of a code; a code that the dictionaries lack stands for itself.
fn named(names: &HashMap<String, String>, code: &str) -> String {
    names.get(code).cloned().unwrap_or_else(|| code.to_owned())
}

fn source_name(code: &str) -> String {
    match code {
        "pos" => "ПОС".to_owned(),
        "incident" => "Инциденты".to_owned(),
        "sed" => "СЭД".to_owned(),
        "s112" => "Система-112".to_owned(),
        "portal" => "Портал".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads the figures.
pub struct Reader {
    client: Client,
    watermarks: Watermarks,
    registry: Arc<Registry>,
    names: Names,
    last: Figures,
    /// Accounting of the last minute, oldest first.
    minute: std::collections::VecDeque<(i64, Outcomes)>,
}

impl Reader {
    pub fn new(client: Client, watermarks: Watermarks, registry: Arc<Registry>, reference: &Reference) -> Reader {
        let names = Names::new(reference);
        Reader { client, watermarks, registry, names, last: Figures::default(), minute: Default::default() }
    }

    /// The figures of this second; where a server does not answer, the last ones with the trouble named.
    pub async fn read(&mut self) -> Figures {
        let at_millis = unix_millis();
        let mut figures = match self.region().await {
            Ok(figures) => figures,
            Err(problem) => Figures { trouble: Some(problem.to_string()), ..self.last.clone() },
        };
        figures.at_millis = at_millis;
        figures.flow = self.flow(at_millis).await.unwrap_or_else(|problem| {
            figures.trouble.get_or_insert(problem.to_string());
            self.last.flow.clone()
        });
        self.minute.push_back((at_millis, figures.rows));
        while self.minute.len() > 1 && self.minute.front().is_some_and(|(at, _)| *at < at_millis - 60_000) {
            self.minute.pop_front();
        }
        figures.recent = self.minute.front().map(|(_, earlier)| figures.rows.since(earlier)).unwrap_or_default();
        self.last = figures.clone();
        figures
    }

    async fn region(&self) -> Result<Figures, DemoError> {
        let mut figures = Figures::default();
        let open = self.client.query_raw(OPEN).fetch_all::<(String, String, u64, u64, u64)>().await?;
        let (mut blocks, mut territories) = (HashMap::new(), HashMap::new());
        for (block, territory, open, overdue, due) in open {
            figures.open += open;
            figures.overdue += overdue;
            figures.due += due;
            for (bars, code) in [(&mut blocks, block), (&mut territories, territory)] {
                let bar: &mut (u64, u64) = bars.entry(code).or_default();
                *bar = (bar.0 + open, bar.1 + overdue);
            }
        }
        figures.blocks = ranked(blocks, &self.names.blocks);
        figures.territories = ranked(territories, &self.names.territories);
        let inflow = self.client.query_raw(INFLOW).fetch_all::<(String, u64, u64)>().await?;
        figures.inflow = inflow
            .into_iter()
            .map(|(source, minute, hour)| Inflow { name: source_name(&source), minute, hour })
            .collect();
        figures.inflow.sort_by(|a, b| a.name.cmp(&b.name));
        let (answered, registered) = self.client.query_raw(TODAY).fetch_one::<(i64, i64)>().await?;
        (figures.answered_today, figures.registered_today) = (answered.max(0) as u64, registered.max(0) as u64);
        let (yes, no, marks, rated) = self.client.query_raw(SATISFACTION).fetch_one::<(i64, i64, i64, i64)>().await?;
        (figures.satisfied, figures.reactions) = (yes.max(0) as u64, (yes + no).max(0) as u64);
        figures.rating = (rated > 0).then(|| marks as f64 / rated as f64);
        let (records, applied, duplicate, rejected, ignored, newest) =
            self.client.query_raw(ACCOUNTING).fetch_one::<(u64, u64, u64, u64, u64, i64)>().await?;
        figures.records = records;
        figures.rows = Outcomes { applied, duplicate, rejected, ignored };
        figures.newest_millis = (records > 0).then_some(newest);
        let latest = self.client.query_raw(LATEST).fetch_all::<(i64, String, String, String, String)>().await?;
        figures.latest = latest
            .into_iter()
            .map(|(at_millis, source, block, territory, text)| Latest {
                at_millis,
                place: [
                    source_name(&source),
                    named(&self.names.blocks, &block),
                    named(&self.names.territories, &territory),
                ]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" · "),
                text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            })
            .collect();
        Ok(figures)
    }

    async fn flow(&self, at_millis: i64) -> Result<Flow, DemoError> {
        let watermarks = self.watermarks.clone();
        let ends = spawn_blocking(move || watermarks.read()).await??;
        let partitions = self.registry.partitions();
        let written = |topic: &str, partition: i32| {
            let found = partitions.iter().find(|(id, _)| *id.topic == *topic && id.partition.0 == partition);
            found.map_or(0, |(_, status)| status.written.0)
        };
        let lag = ends.iter().map(|log| log.end.saturating_sub(written(&log.topic, log.partition))).sum();
        let totals = self.registry.totals();
        let records_read = self.registry.poll.records.load(std::sync::atomic::Ordering::Relaxed);
        let seconds = (at_millis - self.last.at_millis).max(1) as f64 / 1000.0;
        let rate = |now: u64, before: u64| {
            if self.last.at_millis == 0 { 0.0 } else { now.saturating_sub(before) as f64 / seconds }
        };
        let mut trouble =
            partitions.iter().filter_map(|(id, status)| Some(format!("{id}: {}", status.trouble.as_ref()?)));
        let mut problem =
            partitions.iter().filter_map(|(id, status)| Some(format!("{id}: {}", status.problem.as_ref()?)));
        Ok(Flow {
            records_read,
            rows_written: totals.rows,
            records_per_second: rate(records_read, self.last.flow.records_read),
            rows_per_second: rate(totals.rows, self.last.flow.rows_written),
            lag,
            cases: totals.cases,
            memory: resident_bytes().unwrap_or(0),
            trouble: trouble.next(),
            problem: problem.next(),
        })
    }
}

/// Names decide between equals, so that lines do not dance.
fn ranked(mut bars: HashMap<String, (u64, u64)>, names: &HashMap<String, String>) -> Bars {
    let unknown = bars.remove("").map_or(0, |(open, _)| open);
    let mut ranked: Vec<Bar> =
        bars.into_iter().map(|(code, (open, overdue))| Bar { name: named(names, &code), open, overdue }).collect();
    ranked.sort_by(|a, b| b.open.cmp(&a.open).then_with(|| a.name.cmp(&b.name)));
    Bars { named: ranked, unknown }
}

/// Memory of this process.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
