//! From produce to visible row at a steady rate.
//! Owner: the benchmark. Invariants: open loop, measured from the time a record was due, so a stall counts for every
//! record behind it. A record is visible when the server says it has finished the insert that holds it: its query log
//! names the range of each by the deduplication token. A reader that looks now and then confirms it; a frequent one
//! would cost more than the pipeline.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::engines::{Engines, client};
use crate::process::{Setup, cpu};
use crate::workload::{Delivery, Mix, PARTITIONS, Topics, publish_paced};

/// Pause between two questions of the reader; what it sees is late by at most this and the time of an answer.
const PROBE_EVERY: Duration = Duration::from_millis(400);
/// The first seconds are not counted: the server has just made the tables, the group has just met.
const WARM_UP: Duration = Duration::from_secs(5);

pub struct Latency {
    pub rate: u64,
    pub records: usize,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
    /// Median and worst percentile as the reader saw it.
    pub read_p50: f64,
    pub read_p99: f64,
    /// Cores used meanwhile, without the producer. ClickHouse answers the prober too.
    pub pipeline_cores: f64,
    pub clickhouse_cores: f64,
    /// Cores that neither we nor the engines used: with many, the figures are those of a starved machine.
    pub neighbour_cores: f64,
    pub kafka_cores: f64,
    /// This program: the producer and the prober.
    pub producer_cores: f64,
    /// How far the producer fell behind, ms.
    pub producer_late: f64,
    /// Mean pause between two looks of the prober, ms.
    pub probe_gap: f64,
}

/// By topic and partition: (when it was seen, first offset that was not there yet).
type Seen = HashMap<(String, u16), Vec<(Duration, u64)>>;

pub fn latency(engines: &Engines, rate: u64, seconds: u64) -> Result<Latency> {
    let topics = Topics::create(engines, "latency")?;
    let setup = Setup::write("latency", &topics.by_pipeline())?;
    setup.migrate(engines)?;
    engines.wait_for_merges()?;
    let mut tsur = setup.start(engines, &["run"])?;
    tsur.wait_settled(2 * PARTITIONS as usize, Duration::from_secs(60))?;

    let records = rate * seconds;
    let (start, started_at) = (Instant::now(), now_micros());
    let stop = Arc::new(AtomicBool::new(false));
    let (url, database, stopped) = (engines.url.clone(), setup.database.clone(), stop.clone());
    let names = [topics.pos.clone(), topics.incident.clone()];
    let prober = std::thread::spawn(move || probe(&url, &database, &names, records, start, &stopped));
    let (pipeline, clickhouse) = (cpu(tsur.pid())?, engines.clickhouse_cpu()?);
    let neighbours = engines.neighbours_cpu(pipeline)?;
    let (kafka, producer) = (engines.kafka_cpu()?, cpu(std::process::id())?);
    let published = publish_paced(engines, &topics, Mix::Usual, rate, records, start);
    let spent = published.as_ref().map_or(start.elapsed(), |published| published.spent).as_secs_f64();
    let neighbours = engines.neighbours_cpu(cpu(tsur.pid())?)? - neighbours;
    let (kafka, producer) = (engines.kafka_cpu()? - kafka, cpu(std::process::id())? - producer);
    let (pipeline, clickhouse) = (cpu(tsur.pid())? - pipeline, engines.clickhouse_cpu()? - clickhouse);
    if published.is_err() {
        stop.store(true, Ordering::Relaxed);
    }
    let probed = prober.join().ok().context("the prober panicked")?;
    let published = published?;
    let (seen, looks) = probed?;
    tsur.check()?;
    tsur.stop()?;
    let inserted = inserted(engines, &setup.database, started_at)?;
    let delays = delays(&published.deliveries, &inserted, &topics)?;
    let read = self::delays(&published.deliveries, &seen, &topics)?;
    let at = |share: f64| quantile(&delays, share);
    let latency = Latency {
        rate,
        records: delays.len(),
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        max: at(1.0),
        read_p50: quantile(&read, 0.5),
        read_p99: quantile(&read, 0.99),
        pipeline_cores: pipeline / spent,
        clickhouse_cores: clickhouse / spent,
        neighbour_cores: neighbours / spent,
        kafka_cores: kafka / spent,
        producer_cores: producer / spent,
        producer_late: published.late.as_secs_f64() * 1000.0,
        probe_gap: spent * 1000.0 / looks.max(1) as f64,
    };
    engines.run(&format!("DROP DATABASE {} SYNC", setup.database))?;
    topics.delete(engines)?;
    Ok(latency)
}

/// Looks until every record was seen. Asks for what lies beyond the last answer, which the primary key finds at once.
fn probe(
    url: &str,
    database: &str,
    topics: &[String; 2],
    records: u64,
    start: Instant,
    stop: &AtomicBool,
) -> Result<(Seen, u64)> {
    let client = client(url).with_setting("max_threads", "1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut next: HashMap<(String, u16), u64> = HashMap::new();
    for topic in topics {
        next.extend((0..PARTITIONS as u16).map(|partition| ((topic.clone(), partition), 0)));
    }
    let mut seen: Seen = HashMap::new();
    let (mut total, mut looks) = (0, 0);
    let mut changed = Instant::now();
    while total < records && !stop.load(Ordering::Relaxed) {
        let beyond: Vec<String> = next
            .iter()
            .map(|((topic, partition), offset)| {
                format!("(kafka_topic = '{topic}' AND kafka_partition = {partition} AND kafka_offset >= {offset})")
            })
            .collect();
        let sql = format!(
            "SELECT kafka_topic, kafka_partition, max(kafka_offset) + 1 FROM {database}.events WHERE {} GROUP BY 1, 2",
            beyond.join(" OR ")
        );
        let rows = runtime.block_on(client.query_raw(&sql).fetch_all::<(String, u16, u64)>())?;
        let now = start.elapsed();
        looks += 1;
        for (topic, partition, end) in rows {
            let place = next.entry((topic.clone(), partition)).or_default();
            total += end - *place;
            *place = end;
            seen.entry((topic, partition)).or_default().push((now, end));
            changed = Instant::now();
        }
        ensure!(changed.elapsed() < Duration::from_secs(60), "no new row for 60 s, {total} of {records} seen");
        std::thread::sleep(PROBE_EVERY);
    }
    Ok((seen, looks))
}

fn now_micros() -> i64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_micros() as i64)
}

/// When which insert was done, as the server has it in its log.
fn inserted(engines: &Engines, database: &str, started_at: i64) -> Result<Seen> {
    engines.run("SYSTEM FLUSH LOGS")?;
    let sql = format!(
        "SELECT Settings['insert_deduplication_token'] AS token, toInt64(toUnixTimestamp64Micro(event_time_microseconds)) AS at \
         FROM system.query_log WHERE type = 'QueryFinish' AND token LIKE 'v1/%' AND has(databases, '{database}') AND at >= {started_at} \
         ORDER BY event_time_microseconds"
    );
    let mut inserted: Seen = HashMap::new();
    for (token, at) in engines.rows::<(String, i64)>(&sql)? {
        // v1/PIPELINE/EPOCH/TOPIC/PARTITION/BEGIN-END
        let parts: Vec<&str> = token.split('/').collect();
        let (Some(topic), Some(partition), Some(range)) = (parts.get(3), parts.get(4), parts.get(5)) else { continue };
        let end = range.split_once('-').context("a range of offsets")?.1.parse()?;
        let at = Duration::from_micros((at - started_at) as u64);
        inserted.entry(((*topic).to_owned(), partition.parse()?)).or_default().push((at, end));
    }
    Ok(inserted)
}

/// Of sorted delays, in milliseconds.
fn quantile(delays: &[Duration], share: f64) -> f64 {
    delays[((delays.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0
}

/// How long each record took, sorted.
fn delays(deliveries: &[Delivery], seen: &Seen, topics: &Topics) -> Result<Vec<Duration>> {
    let mut delays = Vec::with_capacity(deliveries.len());
    for delivery in deliveries.iter().filter(|delivery| delivery.due >= WARM_UP) {
        let looks = seen
            .get(&(topics.of(delivery.source).to_owned(), delivery.partition))
            .context("a partition without a visible row")?;
        let index = looks.partition_point(|(_, end)| *end <= delivery.offset);
        let (at, _) = looks.get(index).context("a record that never became visible")?;
        delays.push(at.saturating_sub(delivery.due));
    }
    ensure!(!delays.is_empty(), "no record after the first {WARM_UP:?}");
    delays.sort_unstable();
    Ok(delays)
}
