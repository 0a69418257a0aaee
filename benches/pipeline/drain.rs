//! The drain: `tsur run --until-idle` reads topics that were filled before and writes a fresh database.
//! Owner: the benchmark. Invariants: a figure counts only if every record is one journal row and `tsur audit` finds
//! nothing; ClickHouse is charged with its merges; wall time ends when the last row is visible, not when the process does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::engines::Engines;
use crate::process::{Setup, cpu};
use crate::workload::Topics;

const LIMIT: Duration = Duration::from_secs(240);

/// What one drain took.
#[derive(Default)]
pub struct Drained {
    pub records: u64,
    /// CPU seconds.
    pub pipeline: f64,
    /// The same by kind of thread, up to the last row.
    pub threads: BTreeMap<String, f64>,
    pub clickhouse: f64,
    pub kafka: f64,
    /// From the start of the process to the last visible row, and to the first.
    pub wall: f64,
    pub first_row: f64,
    pub peak_rss: u64,
    pub parts: u64,
    /// Cores that neither we nor the engines used meanwhile.
    pub neighbour_cores: f64,
}

impl Drained {
    pub fn add(&mut self, other: Drained) {
        self.records += other.records;
        self.pipeline += other.pipeline;
        for (name, seconds) in other.threads {
            *self.threads.entry(name).or_default() += seconds;
        }
        self.clickhouse += other.clickhouse;
        self.kafka += other.kafka;
        self.wall += other.wall;
        self.first_row = self.first_row.max(other.first_row);
        self.peak_rss = self.peak_rss.max(other.peak_rss);
        self.parts = self.parts.max(other.parts);
        self.neighbour_cores = self.neighbour_cores.max(other.neighbour_cores);
    }
}

pub fn drain(engines: &Engines, topics: &Topics, records: u64, round: usize) -> Result<Drained> {
    let setup = Setup::write(&format!("drain_{round}"), &topics.by_pipeline())?;
    setup.migrate(engines)?;
    engines.wait_for_merges()?;
    let journal = format!("SELECT count() FROM {}.events", setup.database);
    let (clickhouse, kafka) = (engines.clickhouse_cpu()?, engines.kafka_cpu()?);
    let neighbours = engines.neighbours_cpu(0.0)?;
    let start = Instant::now();
    let mut tsur = setup.start(engines, &["run", "--until-idle", "2s"])?;
    let mut first_row = 0.0;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        tsur.check()?;
        let rows = engines.number(&journal)?;
        if rows > 0 && first_row == 0.0 {
            first_row = start.elapsed().as_secs_f64();
        }
        if rows >= records {
            break;
        }
        ensure!(start.elapsed() < LIMIT, "{rows} of {records} rows after {LIMIT:?}");
    }
    let wall = start.elapsed().as_secs_f64();
    let neighbour_cores = (engines.neighbours_cpu(cpu(tsur.pid())?)? - neighbours) / wall;
    let (peak_rss, threads) = (tsur.peak, std::mem::take(&mut tsur.threads));
    let pipeline = tsur.wait(LIMIT)?;
    let kafka = engines.kafka_cpu()? - kafka;
    engines.wait_for_merges()?;
    let clickhouse = engines.clickhouse_cpu()? - clickhouse;
    let parts = engines.parts(&setup.database)?;

    let places = format!("SELECT uniqExact(kafka_topic, kafka_partition, kafka_offset) FROM {}.events", setup.database);
    let (rows, places) = (engines.number(&journal)?, engines.number(&places)?);
    ensure!(rows == records && places == records, "unranked: {records} records, {rows} rows, {places} offsets");
    setup.call(engines, &["audit"])?;
    engines.run(&format!("DROP DATABASE {} SYNC", setup.database))?;
    Ok(Drained { records, pipeline, threads, clickhouse, kafka, wall, first_row, peak_rss, parts, neighbour_cores })
}
