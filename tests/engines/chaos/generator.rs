//! The upstream systems: records at a fixed rate for the whole run, whatever Kafka does meanwhile.
//! Owner: a thread of its own. Invariants: every record is acknowledged by Kafka, with partition and offset, or the run fails; the
//! ledger says how each case must end, and knows nothing of the pipeline.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientContext, Statistics};
use tsur::generate::{Ledger, Region, SimulatedRecord, Simulation, SimulationConfig, SourceKind};
use tsur::model::time::Time;

/// A partition of a Kafka topic.
pub type Place = (String, i32);

/// What Kafka has acknowledged: of each partition the offsets, with the hash of the record's key.
#[derive(Default)]
pub struct Acknowledged {
    pub records: HashMap<Place, Vec<(i64, u64)>>,
    /// Offset after the last one.
    pub next: HashMap<Place, i64>,
    pub failure: Option<String>,
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Acknowledged>>);

impl Book {
    fn open(&self) -> MutexGuard<'_, Acknowledged> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl ClientContext for Book {
    fn stats(&self, _: Statistics) {}

    fn error(&self, _: KafkaError, _: &str) {} // that Kafka is away is what the run is about
}

impl ProducerContext for Book {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let mut book = self.open();
        match result {
            Ok(record) => {
                let place = (record.topic().to_owned(), record.partition());
                let key = hash_of(record.key().unwrap_or_default());
                book.next.insert(place.clone(), record.offset() + 1);
                book.records.entry(place).or_default().push((record.offset(), key));
            }
            Err((problem, _)) => book.failure = Some(format!("kafka did not take a record: {problem}")),
        }
    }
}

pub fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

pub struct Generator {
    book: Book,
    stop: StopFlag,
    thread: JoinHandle<Result<Ledger, String>>,
}

/// Ends the thread also where the run panics.
struct StopFlag(Arc<AtomicBool>);

impl Drop for StopFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// What a generator is told.
pub struct Orders {
    pub kafka: String,
    pub pos_topic: String,
    pub incident_topic: String,
    pub seed: u64,
    pub rate: u64,
}

impl Generator {
    pub fn start(orders: Orders, region: Region) -> Generator {
        let (book, stop) = (Book::default(), Arc::new(AtomicBool::new(false)));
        let (acknowledged, stopped) = (book.clone(), stop.clone());
        let thread = std::thread::spawn(move || generate(&orders, &region, acknowledged, &stopped));
        Generator { book, stop: StopFlag(stop), thread }
    }

    /// The offset after the last acknowledged record of each partition.
    pub fn positions(&self) -> HashMap<Place, i64> {
        self.book.open().next.clone()
    }

    /// No more records; those that are queued still go out.
    pub fn stop(&self) {
        self.stop.0.store(true, Ordering::Release);
    }

    /// It has stopped, and every record is acknowledged or given up.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Stops, waits for all acknowledgements, and gives the ledger and what was acknowledged.
    pub fn finish(self) -> Result<(Ledger, Acknowledged), String> {
        self.stop();
        let ledger = self.thread.join().map_err(|_| "the generator panicked".to_owned())??;
        let book = std::mem::take(&mut *self.book.open());
        match book.failure {
            Some(failure) => Err(failure),
            None => Ok((ledger, book)),
        }
    }
}

/// The longest Kafka may be away.
const PATIENCE: Duration = Duration::from_secs(240);

fn generate(orders: &Orders, region: &Region, book: Book, stop: &AtomicBool) -> Result<Ledger, String> {
    let producer: ThreadedProducer<Book> = ClientConfig::new()
        .set("bootstrap.servers", &orders.kafka)
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "20")
        .set("message.timeout.ms", PATIENCE.as_millis().to_string())
        .set("reconnect.backoff.max.ms", "1000")
        .set("partitioner", "murmur2_random")
        .create_with_context(book)
        .map_err(|error| error.to_string())?;
    let begun = time_of(unix_millis());
    let mut config = SimulationConfig::new(orders.seed, begun, begun.plus_seconds(86_400));
    (config.duplicates, config.broken, config.late, config.out_of_order) = (0.02, 0.01, 0.01, 0.01);
    config.keep_cases = true;
    // a row of an export has no time of its own: an old one that comes after more than four newer ones is news to anybody
    config.stale_snapshots = false;
    let mut simulation = Simulation::new(config, region).map_err(|error| error.to_string())?;
    let mut record = SimulatedRecord::default();
    let (started, mut sent, mut latest) = (Instant::now(), 0, 0);
    while !stop.load(Ordering::Acquire) {
        let due = (started.elapsed().as_secs_f64() * orders.rate as f64) as u64;
        while sent < due {
            latest = unix_millis().max(latest);
            simulation.next_at(time_of(latest), &mut record);
            let topic = match record.source {
                SourceKind::Pos => &orders.pos_topic,
                SourceKind::Incident => &orders.incident_topic,
                other => return Err(format!("{} is not published in this run", other.code())),
            };
            send(&producer, BaseRecord::to(topic).key(&record.key).payload(&record.payload).timestamp(latest))?;
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    producer.flush(PATIENCE).map_err(|error| format!("not every record was acknowledged: {error}"))?;
    Ok(simulation.ledger().clone())
}

fn send(producer: &ThreadedProducer<Book>, record: BaseRecord<'_, String, Vec<u8>>) -> Result<(), String> {
    let mut record = record;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                std::thread::sleep(Duration::from_millis(5));
            }
            Err((problem, _)) => return Err(problem.to_string()),
        }
    }
}

fn unix_millis() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64)
}

fn time_of(millis: i64) -> Time {
    Time::from_unix_millis(millis).unwrap_or(Time::EARLIEST)
}
