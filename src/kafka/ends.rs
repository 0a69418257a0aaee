//! How far the log reaches: asks Kafka for the end of every partition the process owns, for the lag.
//! Owner: a thread with a client of its own, because a question may block, must not disturb commits, and paused partitions
//! tell nothing by themselves. Invariants: it joins no group; one silent answer is no trouble, two in a row are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;

use crate::partition::ports::StreamId;

/// How often Kafka is asked.
const EVERY: Duration = Duration::from_secs(2);
const TIMEOUT: Duration = Duration::from_secs(3);
/// How soon the thread notices that it is to end.
const LOOK: Duration = Duration::from_millis(100);

/// Who wants to know; copies of the application's state.
pub trait Ends: Send + Sync + 'static {
    fn streams(&self) -> Vec<StreamId>;
    /// The process got a partition whose end was not asked yet.
    fn is_one_unknown(&self) -> bool;
    fn note_end(&self, stream: &StreamId, end: u64);
    fn note_trouble(&self, problem: String);
}

/// The thread ends soon after this is dropped; nobody waits for it.
pub struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Starts asking.
pub fn watch(config: &ClientConfig, ends: Arc<impl Ends>) -> Result<Watch, KafkaError> {
    let mut config = config.clone();
    // a consumer of no group; it is never subscribed and fetches nothing
    config.set("group.id", "tsur-ends").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create()?;
    let stop = Arc::new(AtomicBool::new(false));
    let ended = stop.clone();
    let started =
        std::thread::Builder::new().name("tsur-ends".to_owned()).spawn(move || ask_until(&ended, &consumer, &*ends));
    if let Err(problem) = started {
        tracing::warn!(%problem, "the lag will not be known: no thread could be started");
    }
    Ok(Watch(stop))
}

fn ask_until(ended: &AtomicBool, consumer: &BaseConsumer, ends: &impl Ends) {
    let mut silences = 0;
    while !ended.load(Ordering::Relaxed) {
        for stream in ends.streams() {
            if ended.load(Ordering::Relaxed) {
                return;
            }
            match consumer.fetch_watermarks(&stream.topic, stream.partition.0, TIMEOUT) {
                Ok((_, end)) => {
                    silences = 0;
                    ends.note_end(&stream, u64::try_from(end).unwrap_or(0));
                }
                Err(problem) => {
                    silences += 1;
                    if silences >= 2 {
                        ends.note_trouble(problem.to_string());
                    }
                    break;
                }
            }
        }
        let next = Instant::now() + EVERY;
        while Instant::now() < next && !ended.load(Ordering::Relaxed) {
            while consumer.poll(Duration::ZERO).is_some() {} // errors of the connection, which are logged elsewhere
            std::thread::sleep(LOOK);
            if silences == 0 && ends.is_one_unknown() {
                break; // alerts of a new partition wait for its end
            }
        }
    }
}
