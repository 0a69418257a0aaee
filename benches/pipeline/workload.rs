//! The records of the benchmark: a region's month as the simulation tells it, published as fast as Kafka takes them or
//! at a fixed rate.
//! Owner: the benchmark. Invariants: the same seed gives the same records; the paced producer is open loop, so a slow
//! receiver does not slow it down, and each delivery is noted with the time at which it was due.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use tsur::generate::{Region, SimulatedRecord, Simulation, SimulationConfig, SourceKind};
use tsur::model::time::Time;

use crate::engines::Engines;

const MONTH: i64 = 30 * 86_400;
const SLACK: i64 = 2 * 86_400;
pub const PARTITIONS: u32 = 4;

/// The Kafka topics of one part of the benchmark.
pub struct Topics {
    pub pos: String,
    pub incident: String,
}

impl Topics {
    pub fn create(engines: &Engines, part: &str) -> Result<Topics> {
        let name = |source: &str| format!("bench.{}.{part}.{source}", std::process::id());
        let topics = Topics { pos: name("pos"), incident: name("incident") };
        engines.create_topics(&[(&topics.pos, PARTITIONS), (&topics.incident, PARTITIONS)])?;
        Ok(topics)
    }

    pub fn of(&self, source: SourceKind) -> &str {
        match source {
            SourceKind::Pos => &self.pos,
            _ => &self.incident, // the benches have no channels
        }
    }

    pub fn by_pipeline(&self) -> [(&str, &str); 2] {
        [("pos", &self.pos), ("incident", &self.incident)]
    }

    pub fn delete(&self, engines: &Engines) -> Result<()> {
        engines.delete_topics(&[&self.pos, &self.incident])
    }
}

pub fn region() -> Result<Region> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/reference");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).with_context(|| name.to_owned());
    Ok(Region::from_toml(
        &text("blocks.toml")?,
        &text("topics.toml")?,
        &text("territories.toml")?,
        &text("bodies.toml")?,
    )?)
}

pub fn now_millis() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64)
}

fn now() -> Result<Time> {
    Time::from_unix_millis(now_millis()).context("the clock")
}

fn last_month(seed: u64) -> Result<SimulationConfig> {
    // a fixed number of records may take longer than the span, and a broker refuses times an hour ahead
    let end = now()?.plus_seconds(-SLACK);
    Ok(SimulationConfig::new(seed, end.plus_seconds(-MONTH), end))
}

fn producer_config(engines: &Engines) -> rdkafka::ClientConfig {
    let mut config = engines.kafka_config();
    config
        .set("compression.type", "lz4")
        .set("queue.buffering.max.messages", "400000")
        .set("queue.buffering.max.kbytes", "262144");
    config
}

/// Publishes `records` of the usual mix; the time of a record in Kafka is its time in the simulation.
pub fn publish(engines: &Engines, topics: &Topics, records: u64, seed: u64) -> Result<()> {
    let mut config = last_month(seed)?;
    config.records = Some(records);
    let mut simulation = Simulation::new(config, &region()?)?;
    let mut settings = producer_config(engines);
    settings.set("linger.ms", "50").set("batch.size", "1000000");
    let producer: BaseProducer<Deliveries> = settings.create_with_context(Deliveries::new(false))?;
    let mut record = SimulatedRecord::default();
    let (mut published, latest) = (0, now_millis());
    while simulation.next(&mut record) {
        let topic = topics.of(record.source);
        send(&producer, || {
            BaseRecord::with_opaque_to(topic, 0)
                .key(&record.key)
                .payload(&record.payload)
                .timestamp(record.timestamp.min(latest))
        })?;
        published += 1;
        if published % 256 == 0 {
            producer.poll(Duration::ZERO);
        }
    }
    Deliveries::collect(&producer)?;
    let kept = engines.records_in(&topics.pos, PARTITIONS)? + engines.records_in(&topics.incident, PARTITIONS)?;
    ensure!(kept == records && published == records, "published {published}, Kafka keeps {kept}, wanted {records}");
    Ok(())
}

fn send<'a, C: ProducerContext>(
    producer: &BaseProducer<C>,
    build: impl Fn() -> BaseRecord<'a, String, Vec<u8>, C::DeliveryOpaque>,
) -> Result<()> {
    loop {
        match producer.send(build()) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                producer.poll(Duration::from_millis(10));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// One record that Kafka took.
#[derive(Clone, Copy)]
pub struct Delivery {
    pub source: SourceKind,
    pub partition: u16,
    pub offset: u64,
    /// When it was due, since the start.
    pub due: Duration,
}

/// Collects deliveries; the opaque value is the due time in microseconds, shifted, and the source in the lowest bit.
/// In bulk there is nothing to note but what Kafka did not take.
struct Deliveries {
    keep: bool,
    list: Mutex<(Vec<Delivery>, Vec<KafkaError>)>,
}

impl Deliveries {
    fn new(keep: bool) -> Deliveries {
        Deliveries { keep, list: Mutex::default() }
    }

    /// Waits until Kafka has answered for every record; fails if it refused one.
    fn collect(producer: &BaseProducer<Deliveries>) -> Result<Vec<Delivery>> {
        producer.flush(Duration::from_secs(60))?;
        let list = producer.context().list.lock().map(|mut list| std::mem::take(&mut *list)).unwrap_or_default();
        if let Some(error) = list.1.first() {
            bail!("kafka did not take {} records: {error}", list.1.len());
        }
        Ok(list.0)
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        if self.keep || result.is_err() {
            let mut list = self.list.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match result {
                Ok(message) => list.0.push(Delivery {
                    source: if opaque & 1 == 0 { SourceKind::Pos } else { SourceKind::Incident },
                    partition: message.partition() as u16,
                    offset: message.offset() as u64,
                    due: Duration::from_micros(opaque as u64 >> 1),
                }),
                Err((error, _)) => list.1.push(error.clone()),
            }
        }
    }
}

/// What the paced producer did.
pub struct Paced {
    pub deliveries: Vec<Delivery>,
    /// How far it fell behind its own clock; counted in every delay, but not the pipeline's fault.
    pub late: Duration,
    pub spent: Duration,
}

/// What the paced producer tells.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// What comes in life.
    Usual,
    /// Sound registrations only: every record is a case that stays open.
    OpenCases,
}

/// Publishes `rate` records a second for a while, each at its due time, counted from `start`.
pub fn publish_paced(
    engines: &Engines,
    topics: &Topics,
    mix: Mix,
    rate: u64,
    records: u64,
    start: Instant,
) -> Result<Paced> {
    let mut config = last_month(7)?;
    if mix == Mix::OpenCases {
        config.opening_share = Some(1.0);
        (config.duplicates, config.broken, config.late, config.out_of_order) = (0.0, 0.0, 0.0, 0.0);
    }
    let mut simulation = Simulation::new(config, &region()?)?;
    let mut settings = producer_config(engines);
    let producer: BaseProducer<Deliveries> =
        settings.set("linger.ms", "10").create_with_context(Deliveries::new(true))?;
    let mut record = SimulatedRecord::default();
    let mut late = Duration::ZERO;
    for index in 0..records {
        let due = Duration::from_micros(index * 1_000_000 / rate);
        let early = due.saturating_sub(start.elapsed());
        if !early.is_zero() {
            producer.poll(Duration::ZERO);
            std::thread::sleep(early.max(Duration::from_millis(1)));
        }
        let at = now_millis();
        simulation.next_at(Time::from_unix_millis(at).context("the clock")?, &mut record);
        let opaque = (due.as_micros() as usize) << 1 | usize::from(record.source == SourceKind::Incident);
        let topic = topics.of(record.source);
        send(&producer, || {
            BaseRecord::with_opaque_to(topic, opaque).key(&record.key).payload(&record.payload).timestamp(at)
        })?;
        if index % 256 == 0 {
            producer.poll(Duration::ZERO);
            late = late.max(start.elapsed().saturating_sub(due));
        }
    }
    let spent = start.elapsed();
    let deliveries = Deliveries::collect(&producer)?;
    ensure!(deliveries.len() as u64 == records, "kafka answered for {} of {records} records", deliveries.len());
    Ok(Paced { deliveries, late, spent })
}
