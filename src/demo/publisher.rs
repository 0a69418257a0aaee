//! Publishes the simulated region: a month of history as fast as it is read, then the present by the clock.
//! Owner: one thread of its own. Invariants: the mock cluster keeps 5 MB a partition and drops the oldest silently, so
//! nothing is sent to a partition that is `AHEAD_*` in front of its reader; a record that Kafka refused ends the demo.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::broker::PARTITIONS;
use crate::app::registry::Registry;
use crate::generate::{SimulatedRecord, Simulation};

/// How far a partition may be in front of its reader.
const AHEAD_RECORDS: usize = 3_000;
const AHEAD_BYTES: usize = 2 * 1024 * 1024;
/// Pause between two looks at a reader that is behind.
const BREATH: Duration = Duration::from_millis(2);
const FLUSH: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum PublishError {
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the record after offset {after} of {topic}/{partition} was not taken: {problem}")]
    Refused { topic: String, partition: i32, after: u64, problem: KafkaError },
}

/// What the thread tells and is told.
#[derive(Default)]
pub struct Progress {
    /// Taken by Kafka.
    pub records: AtomicU64,
    /// The history is out; what follows is the present.
    pub is_live: AtomicBool,
    pub stop: AtomicBool,
}

/// One partition as the publisher sees it.
#[derive(Default)]
struct Lane {
    in_flight: (usize, usize),
    /// Taken by Kafka and not yet read: offset and bytes.
    unread: VecDeque<(u64, usize)>,
    unread_bytes: usize,
    last: u64,
}

impl Lane {
    fn is_full(&self) -> bool {
        self.in_flight.0 + self.unread.len() >= AHEAD_RECORDS || self.in_flight.1 + self.unread_bytes >= AHEAD_BYTES
    }

    fn taken(&mut self, offset: u64, bytes: usize) {
        self.in_flight = (self.in_flight.0.saturating_sub(1), self.in_flight.1.saturating_sub(bytes));
        self.unread.push_back((offset, bytes));
        self.unread_bytes += bytes;
        self.last = offset;
    }

    /// The reader's next record is at `position`.
    fn read_to(&mut self, position: u64) {
        while let Some((_, bytes)) = self.unread.pop_front_if(|(offset, _)| *offset < position) {
            self.unread_bytes -= bytes;
        }
    }
}

type Report = (String, i32, Result<u64, KafkaError>, usize);

/// Collects delivery reports; they come on the publisher's own thread.
#[derive(Default)]
struct Reports(Mutex<Vec<Report>>);

impl Reports {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Report>> {
        match self.0.lock() {
            Ok(reports) => reports,
            Err(poisoned) => poisoned.into_inner(), // pushing and taking leave the list whole
        }
    }
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, _: ()) {
        let (message, outcome) = match result {
            Ok(message) => (message, Ok(message.offset().max(0) as u64)),
            Err((problem, message)) => (message, Err(problem.clone())),
        };
        let bytes = weight(message.key().map_or(0, <[u8]>::len), message.payload().map_or(0, <[u8]>::len));
        self.lock().push((message.topic().to_owned(), message.partition(), outcome, bytes));
    }
}

/// Bytes of a record in the log: what it holds, and its own frame.
fn weight(key: usize, payload: usize) -> usize {
    key + payload + 24
}

/// The publisher before it starts.
pub struct Publisher {
    simulation: Simulation,
    live_from_millis: i64,
    topics: [String; 2],
    producer: BaseProducer<Reports>,
    lanes: Vec<Lane>,
    registry: Arc<Registry>,
    progress: Arc<Progress>,
}

impl Publisher {
    /// `topics`: of ПОС and of incidents.
    pub fn new(
        address: &str,
        topics: [String; 2],
        simulation: Simulation,
        live_from_millis: i64,
        registry: Arc<Registry>,
        progress: Arc<Progress>,
    ) -> Result<Publisher, PublishError> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", address).set("linger.ms", "5").set("batch.size", "262144");
        // a batch that is sent again must not overtake its successor: readers would see offsets out of order of events
        config.set("enable.idempotence", "true");
        let lanes = (0..topics.len() * PARTITIONS as usize).map(|_| Lane::default()).collect();
        let producer = config.create_with_context(Reports::default())?;
        Ok(Publisher { simulation, live_from_millis, topics, producer, lanes, registry, progress })
    }

    /// Runs until told to stop; everything sent is in the log when it returns.
    pub fn run(mut self) -> Result<(), PublishError> {
        let mut record = SimulatedRecord::default();
        while !self.is_stopped() && self.simulation.next(&mut record) {
            if record.timestamp >= self.live_from_millis {
                self.progress.is_live.store(true, Ordering::Relaxed);
                self.wait_until(record.timestamp)?;
            }
            let lane = self.lane_of(&record);
            self.wait_for_room(lane)?;
            if self.is_stopped() {
                break;
            }
            self.send(lane, &record)?;
        }
        self.producer.flush(FLUSH)?;
        self.settle()
    }

    fn is_stopped(&self) -> bool {
        self.progress.stop.load(Ordering::Relaxed)
    }

    fn lane_of(&self, record: &SimulatedRecord) -> usize {
        let topic = record.source as usize; // the demo has no channels, so this is one of its two topics
        topic * PARTITIONS as usize + (xxh3_64(record.key.as_bytes()) % u64::from(PARTITIONS)) as usize
    }

    fn send(&mut self, lane: usize, record: &SimulatedRecord) -> Result<(), PublishError> {
        let topic = self.topics[lane / PARTITIONS as usize].clone();
        let partition = (lane % PARTITIONS as usize) as i32;
        let mut message = BaseRecord::to(&topic)
            .partition(partition)
            .key(record.key.as_bytes())
            .payload(record.payload.as_slice())
            .timestamp(record.timestamp);
        loop {
            match self.producer.send(message) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), returned)) => {
                    message = returned;
                    self.producer.poll(BREATH);
                }
                Err((problem, _)) => return Err(problem.into()),
            }
        }
        let bytes = weight(record.key.len(), record.payload.len());
        let counts = &mut self.lanes[lane].in_flight;
        *counts = (counts.0 + 1, counts.1 + bytes);
        self.producer.poll(Duration::ZERO);
        self.settle()
    }

    /// Takes over what Kafka said of the records sent.
    fn settle(&mut self) -> Result<(), PublishError> {
        let reports = std::mem::take(&mut *self.producer.context().lock());
        for (topic, partition, outcome, bytes) in reports {
            let place = usize::from(topic == self.topics[1]);
            let Some(lane) = self.lanes.get_mut(place * PARTITIONS as usize + partition as usize) else { continue };
            match outcome {
                Ok(offset) => lane.taken(offset, bytes),
                Err(problem) => return Err(PublishError::Refused { topic, partition, after: lane.last, problem }),
            }
            self.progress.records.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn wait_for_room(&mut self, lane: usize) -> Result<(), PublishError> {
        while self.lanes[lane].is_full() && !self.is_stopped() {
            for (stream, status) in self.registry.partitions() {
                let Some(place) = self.topics.iter().position(|topic| **topic == *stream.topic) else { continue };
                let place = place * PARTITIONS as usize + stream.partition.0 as usize;
                if let Some(lane) = self.lanes.get_mut(place) {
                    lane.read_to(status.position.0);
                }
            }
            if self.lanes[lane].is_full() {
                self.producer.poll(BREATH);
                self.settle()?;
                std::thread::sleep(BREATH);
            }
        }
        Ok(())
    }

    fn wait_until(&mut self, timestamp: i64) -> Result<(), PublishError> {
        loop {
            let left = timestamp - unix_millis();
            if left <= 0 || self.is_stopped() {
                return Ok(());
            }
            self.producer.poll(Duration::from_millis(left.clamp(1, 50) as u64));
            self.settle()?;
        }
    }
}

/// The clock of the wall.
pub fn unix_millis() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_full_by_records_or_by_bytes_until_it_is_read() {
        let mut lane = Lane::default();
        for offset in 0..AHEAD_RECORDS as u64 {
            assert!(!lane.is_full());
            lane.in_flight = (1, 10);
            lane.taken(offset, 10);
        }
        assert!(lane.is_full());
        lane.read_to(1);
        assert!(!lane.is_full());
        lane.read_to(AHEAD_RECORDS as u64);
        assert_eq!((lane.unread.len(), lane.unread_bytes), (0, 0));
        lane.in_flight = (1, AHEAD_BYTES);
        assert!(lane.is_full());
    }
}
