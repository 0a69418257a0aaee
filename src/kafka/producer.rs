//! The producer of `tsur publish`, `tsur generate` and the demo: many records, fast, in bounded memory.
//! Owner: whoever sends; a thread of rdkafka counts the answers. Invariants: a record is written once and in the order of
//! sending within its key (idempotence), a full queue makes the sender wait, a record that Kafka refused is an error of the
//! next call and never silent, and keys go to the partitions that the Java clients choose, so that all senders agree.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use thiserror::Error;

use crate::config::units::show_duration;

/// Records and bytes that wait for Kafka in this process.
const QUEUE_RECORDS: usize = 200_000;
const QUEUE_BYTES: usize = 128 << 20;
/// What a record has besides key and payload.
const ENVELOPE_BYTES: usize = 64 << 10;
/// Kafka is stuck when it takes nothing for so long.
const PATIENCE: Duration = Duration::from_secs(60);
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(2);

#[derive(Debug, Error)]
pub enum ProduceError {
    #[error("the kafka producer could not be set up: {0}")]
    Setup(KafkaError),
    #[error(
        "the record has {bytes} bytes, more than Kafka takes: raise max.message.bytes of the topic, and message.max.bytes in [kafka.properties]"
    )]
    TooLarge { bytes: usize },
    #[error("kafka did not take the record: {0}")]
    Refused(KafkaError),
    #[error("kafka refused {failed} records, the first: {first}")]
    Failed { failed: u64, first: String },
    #[error("kafka has taken nothing for {}, {waiting} records wait; {trouble}", show_duration(*after))]
    Stuck { after: Duration, waiting: u64, trouble: String },
}

/// What callers may choose.
#[derive(Clone, Copy, Debug)]
pub struct ProducerOptions {
    /// How long a record waits for others to travel with: longer is faster, shorter is fresher.
    pub linger: Duration,
    /// The longest payload that will be sent.
    pub max_record_bytes: usize,
}

impl Default for ProducerOptions {
    fn default() -> ProducerOptions {
        ProducerOptions { linger: Duration::from_millis(30), max_record_bytes: 1 << 20 }
    }
}

/// One record on its way out.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    pub topic: &'a str,
    pub key: &'a [u8],
    pub payload: &'a [u8],
    /// Unix milliseconds; `None` is the moment of sending.
    pub timestamp: Option<i64>,
}

/// Counts what became of the records.
#[derive(Default)]
struct Deliveries {
    delivered: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
    /// The first failure is a cause itself and not the consequence of another.
    is_cause_known: AtomicBool,
    /// What librdkafka last complained of: the cause, when nothing moves.
    trouble: Mutex<Option<String>>,
}

impl Deliveries {
    fn note(place: &Mutex<Option<String>>, text: String) {
        *place.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(text);
    }

    fn noted(place: &Mutex<Option<String>>) -> Option<String> {
        place.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, _fac: &str, message: &str) {
        if matches!(level, RDKafkaLogLevel::Error | RDKafkaLogLevel::Critical) {
            Deliveries::note(&self.trouble, message.to_owned());
        }
        tracing::debug!(target: "librdkafka", "{message}");
    }

    fn error(&self, problem: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", "{problem}: {reason}");
        // that all brokers are down follows the reason why one of them is, and says less
        let says_less = problem.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown);
        if !says_less || Deliveries::noted(&self.trouble).is_none() {
            Deliveries::note(&self.trouble, reason.to_owned());
        }
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.delivered.fetch_add(1, Ordering::Relaxed);
            }
            Err((problem, record)) => {
                // one bad record takes its batch along; the others only say that it was not they
                let says_less = problem.rdkafka_error_code() == Some(RDKafkaErrorCode::InvalidDifferentRecord);
                let is_news = !says_less || Deliveries::noted(&self.first_failure).is_none();
                if is_news && !self.is_cause_known.swap(!says_less, Ordering::AcqRel) {
                    let first = format!("{} [{}]: {problem}", record.topic(), record.partition());
                    Deliveries::note(&self.first_failure, first);
                }
                self.failed.fetch_add(1, Ordering::Release);
            }
        }
    }
}

/// A producer; dropping it throws away what was not flushed.
pub struct Producer(ThreadedProducer<Deliveries>);

impl Producer {
    /// `config` is that of `client::base_config`; what the user set there for compression, batches and limits stays.
    pub fn new(config: &ClientConfig, options: ProducerOptions) -> Result<Producer, ProduceError> {
        let largest = options.max_record_bytes + ENVELOPE_BYTES;
        let mut config = config.clone();
        let defaults = [
            ("linger.ms", options.linger.as_millis().to_string()),
            ("compression.type", "lz4".to_owned()),
            ("partitioner", "murmur2_random".to_owned()),
            ("message.max.bytes", largest.max(1_000_000).to_string()),
            ("queue.buffering.max.messages", QUEUE_RECORDS.to_string()),
            ("queue.buffering.max.kbytes", (QUEUE_BYTES.max(2 * largest) >> 10).to_string()),
            ("message.timeout.ms", "120000".to_owned()),
        ];
        for (name, value) in defaults {
            if config.get(name).is_none() {
                config.set(name, value);
            }
        }
        config.set("enable.idempotence", "true");
        config.create_with_context(Deliveries::default()).map(Producer).map_err(ProduceError::Setup)
    }

    /// Queues a record; waits while the queue is full.
    pub fn send(&self, record: &Outgoing<'_>) -> Result<(), ProduceError> {
        let deliveries = self.0.context();
        let mut waiting: Option<Waiting> = None;
        let mut next = BaseRecord::to(record.topic).key(record.key).payload(record.payload);
        if let Some(timestamp) = record.timestamp {
            next = next.timestamp(timestamp);
        }
        loop {
            if deliveries.failed.load(Ordering::Acquire) > 0 {
                return Err(self.failure());
            }
            match self.0.send(next) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    next = back;
                    waiting.get_or_insert_with(|| Waiting::new(self)).check(self)?;
                    std::thread::sleep(FULL_QUEUE_PAUSE);
                }
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge), _)) => {
                    return Err(ProduceError::TooLarge { bytes: record.payload.len() });
                }
                Err((problem, _)) => return Err(ProduceError::Refused(problem)),
            }
        }
    }

    /// Waits until Kafka has answered for every record. `Err` when it refused one, or when nothing moves for `patience`.
    pub fn flush(&self, patience: Duration) -> Result<(), ProduceError> {
        let mut waiting = Waiting::new(self);
        waiting.patience = patience;
        // a time-out of a slice only means that the next one follows
        while self.0.flush(Duration::from_millis(100)).is_err() || self.waiting() > 0 {
            waiting.check(self)?;
        }
        if self.0.context().failed.load(Ordering::Acquire) > 0 { Err(self.failure()) } else { Ok(()) }
    }

    /// Records that Kafka has confirmed.
    pub fn delivered(&self) -> u64 {
        self.0.context().delivered.load(Ordering::Relaxed)
    }

    /// Records queued or on their way.
    pub fn waiting(&self) -> u64 {
        u64::try_from(self.0.in_flight_count()).unwrap_or(0)
    }

    fn failure(&self) -> ProduceError {
        let deliveries = self.0.context();
        ProduceError::Failed {
            failed: deliveries.failed.load(Ordering::Acquire),
            first: Deliveries::noted(&deliveries.first_failure).unwrap_or_default(),
        }
    }
}

/// Watches that something moves.
struct Waiting {
    patience: Duration,
    delivered: u64,
    since: Instant,
}

impl Waiting {
    fn new(producer: &Producer) -> Waiting {
        Waiting { patience: PATIENCE, delivered: producer.delivered(), since: Instant::now() }
    }

    fn check(&mut self, producer: &Producer) -> Result<(), ProduceError> {
        let delivered = producer.delivered();
        if delivered != self.delivered {
            (self.delivered, self.since) = (delivered, Instant::now());
        } else if self.since.elapsed() > self.patience {
            let trouble = Deliveries::noted(&producer.0.context().trouble);
            return Err(ProduceError::Stuck {
                after: self.patience,
                waiting: producer.waiting(),
                trouble: trouble.unwrap_or_else(|| "check kafka.brokers or TSUR_KAFKA".to_owned()),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:1");
        config
    }

    const RECORD: Outgoing<'static> = Outgoing { topic: "t", key: b"k", payload: b"{}", timestamp: Some(1) };

    #[test]
    fn without_a_broker_the_flush_gives_up_and_says_what_is_wrong() {
        let producer = Producer::new(&nowhere(), ProducerOptions::default()).expect("set up");
        producer.send(&RECORD).expect("queued");
        let problem = producer.flush(Duration::from_millis(400)).expect_err("nobody answers").to_string();
        assert!(problem.contains("1 records wait") && problem.contains("127.0.0.1:1"), "{problem}");
        assert_eq!(producer.delivered(), 0);
    }

    #[test]
    fn a_record_beyond_the_limit_is_refused_and_the_next_one_is_not() {
        let options = ProducerOptions { max_record_bytes: 2_000_000, ..ProducerOptions::default() };
        let producer = Producer::new(&nowhere(), options).expect("set up");
        let long = vec![b'x'; 3_000_000];
        let refused = producer.send(&Outgoing { payload: &long, ..RECORD });
        assert!(matches!(refused, Err(ProduceError::TooLarge { bytes: 3_000_000 })), "{refused:?}");
        producer.send(&Outgoing { payload: &long[..1_900_000], ..RECORD }).expect("queued");
    }

    #[test]
    fn records_that_kafka_gives_up_are_an_error_of_the_next_call() {
        let mut config = nowhere();
        config.set("message.timeout.ms", "100");
        let producer = Producer::new(&config, ProducerOptions::default()).expect("set up");
        producer.send(&RECORD).expect("queued");
        let flushed = producer.flush(Duration::from_secs(20));
        assert!(matches!(flushed, Err(ProduceError::Failed { failed: 1, .. })), "{flushed:?}");
        assert!(matches!(producer.send(&RECORD), Err(ProduceError::Failed { .. })));
    }
}
