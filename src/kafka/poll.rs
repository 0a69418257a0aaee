//! The poll thread: the one place that reads records. It never waits for anybody: it copies records into chunks, hands
//! them to the workers, obeys the budget by pausing partitions, and lets workers drain before it gives partitions back.
//! Owner: one thread. Invariants: a record goes to the worker of the present assignment or nowhere; what was charged to
//! the budget is refunded by epoch; a revoked partition is given back when its worker has left, or after half a session.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::Offset as KafkaOffset;
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::TopicPartitionList;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{info, warn};

use crate::kafka::budget::{Budget, Limits};
use crate::kafka::chunk::Chunk;
use crate::kafka::client::{GroupConsumer, Rebalance, prepare_to_close};
use crate::kafka::committer::{Gate, read_committed};
use crate::model::ids::{AssignmentEpoch, Offset};
use crate::partition::ports::StreamId;
use crate::partition::recovery::LogView;

/// Records and bytes after which a chunk is handed over although more are waiting.
const CHUNK_RECORDS: usize = 512;
const CHUNK_BYTES: usize = 512 * 1024;
/// Records taken in one go before commands and rebalances are looked at again.
const ROUND_RECORDS: usize = 4096;
/// The same in bytes: the budget is looked at between rounds, so a round of long records must end early.
const ROUND_BYTES: usize = 8 << 20;
/// Longest wait for a record; refunds are noticed at this pace when nothing flows.
const IDLE_WAIT: Duration = Duration::from_millis(10);
/// Asking for committed offsets and watermarks at an assignment.
const QUERY_TIMEOUT: Duration = Duration::from_secs(15);

/// From workers and the application to the poll thread.
pub enum Command {
    /// Records are written; their room is free.
    Refund { epoch: AssignmentEpoch, records: usize, bytes: usize },
    /// The worker of this assignment has ended and will not commit any more.
    Left { epoch: AssignmentEpoch },
    /// Every worker has left; close the consumer.
    Shutdown,
}

/// From the poll thread to the application.
pub enum PollEvent {
    Assigned {
        stream: StreamId,
        epoch: AssignmentEpoch,
        log: LogView,
        chunks: UnboundedReceiver<Chunk>,
        /// Closed before the partition is given back.
        gate: Arc<Gate>,
    },
    /// Drain within the time and report with `Command::Left`.
    Revoked { epoch: AssignmentEpoch, within: Duration },
    /// The thread has ended.
    Ended(Result<(), PollError>),
}

/// Every kind means "stop the process": restarting is how it is cured.
#[derive(Debug, Error)]
pub enum PollError {
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("kafka refused an offset: {0}. The log was cut while we read it; restart to get the range named")]
    OffsetRefused(String),
    #[error(
        "another process has joined the group under the name of this one ({0}). Every process of the group needs its own \
         TSUR_INSTANCE_ID (kafka.instance_id in tsur.toml)"
    )]
    NameTaken(String),
    #[error("a partition of a topic that no pipeline reads was assigned: {0}")]
    UnknownTopic(String),
}

/// Figures of the poll thread for health, metrics and `--until-idle`.
#[derive(Default)]
pub struct PollStats {
    pub records: AtomicU64,
    pub bytes: AtomicU64,
    pub in_memory_records: AtomicU64,
    pub in_memory_bytes: AtomicU64,
    pub paused: AtomicU64,
    /// Milliseconds since the thread started at which the last record came.
    pub last_record_ms: AtomicI64,
    /// The gate is closed for the budget.
    pub throttled: AtomicBool,
}

struct Slot {
    stream: StreamId,
    epoch: AssignmentEpoch,
    chunk: Chunk,
    chunks: UnboundedSender<Chunk>,
    gate: Arc<Gate>,
    is_paused: bool,
    /// The worker has ended; nothing is delivered any more.
    has_left: bool,
}

struct Revocation {
    partitions: TopicPartitionList,
    epochs: Vec<AssignmentEpoch>,
    deadline: Instant,
}

/// What the poll thread is made of.
pub struct Poller {
    pub consumer: Arc<GroupConsumer>,
    pub rebalances: Receiver<Rebalance>,
    pub commands: Receiver<Command>,
    pub events: UnboundedSender<PollEvent>,
    pub stats: Arc<PollStats>,
    pub limits: Limits,
    /// Half the session time-out.
    pub drain: Duration,
    /// Kafka topic → (pipeline, source).
    pub sources: HashMap<String, (Arc<str>, Arc<str>)>,
}

struct State {
    poller: Poller,
    budget: Budget,
    slots: Vec<Slot>,
    revocations: Vec<Revocation>,
    next_epoch: u64,
    last: usize,
    started: Instant,
    is_closing: bool,
}

/// Runs until `Command::Shutdown` or a failure that needs a restart. Call it on a thread of its own.
pub fn run(poller: Poller) {
    let events = poller.events.clone();
    let budget = Budget::new(poller.limits);
    let mut state = State {
        poller,
        budget,
        slots: Vec::new(),
        revocations: Vec::new(),
        next_epoch: 1,
        last: 0,
        started: Instant::now(),
        is_closing: false,
    };
    let result = state.serve();
    prepare_to_close(&state.poller.consumer);
    let _ = events.send(PollEvent::Ended(result)); // nobody is left to be told otherwise
}

impl State {
    fn serve(&mut self) -> Result<(), PollError> {
        loop {
            self.obey_commands();
            if self.is_closing {
                return Ok(());
            }
            while let Ok(event) = self.poller.rebalances.try_recv() {
                match event {
                    Rebalance::Assigned(partitions) => self.assign(&partitions)?,
                    Rebalance::Revoked(partitions) => self.revoke(partitions)?,
                }
            }
            self.give_back()?;
            self.work_the_gate()?;
            self.take_records()?;
        }
    }

    fn obey_commands(&mut self) {
        while let Ok(command) = self.poller.commands.try_recv() {
            match command {
                Command::Refund { epoch, records, bytes } => self.budget.refund(epoch.0 as usize, records, bytes),
                Command::Left { epoch } => {
                    self.budget.release(epoch.0 as usize);
                    if let Some(slot) = self.slots.iter_mut().find(|slot| slot.epoch == epoch) {
                        slot.has_left = true;
                    }
                }
                Command::Shutdown => self.is_closing = true,
            }
        }
        let stats = &self.poller.stats;
        stats.in_memory_records.store(self.budget.total().records as u64, Ordering::Relaxed);
        stats.in_memory_bytes.store(self.budget.total().bytes as u64, Ordering::Relaxed);
    }

    /// Starts every partition at an explicit offset: what is committed, or the first that Kafka still has.
    fn assign(&mut self, partitions: &TopicPartitionList) -> Result<(), PollError> {
        let consumer = self.poller.consumer.clone();
        let mut wanted = TopicPartitionList::new();
        for element in partitions.elements() {
            wanted.add_partition(element.topic(), element.partition());
        }
        let committed = if wanted.count() == 0 { wanted } else { consumer.committed_offsets(wanted, QUERY_TIMEOUT)? };
        let mut starts = TopicPartitionList::new();
        let mut assigned = Vec::new();
        for element in partitions.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let Some((pipeline, source)) = self.poller.sources.get(topic) else {
                return Err(PollError::UnknownTopic(topic.to_owned()));
            };
            let stream = StreamId {
                pipeline: pipeline.clone(),
                source: source.clone(),
                topic: Arc::from(topic),
                partition: crate::model::ids::Partition(partition),
            };
            let (low, high) = consumer.fetch_watermarks(topic, partition, QUERY_TIMEOUT)?;
            let log = LogView {
                committed: read_committed(&committed, &stream),
                low: Offset(low.max(0) as u64),
                high: Offset(high.max(0) as u64),
            };
            let start = log.committed.as_ref().map_or(log.low, |(offset, _)| (*offset).max(log.low)).min(log.high);
            starts.add_partition_offset(topic, partition, KafkaOffset::Offset(start.0 as i64))?;
            assigned.push((stream, log));
        }
        // librdkafka keeps a pause beyond the assignment that it was meant for: a partition that was paused when it left us
        // would come back to us and never deliver a record
        consumer.resume(&starts)?;
        consumer.incremental_assign(&starts)?;
        for (stream, log) in assigned {
            let epoch = AssignmentEpoch(self.next_epoch);
            self.next_epoch += 1;
            info!(partition = %stream, ?log, "partition assigned");
            let (sender, chunks) = unbounded_channel();
            let chunk = Chunk::new(epoch);
            let gate = Gate::open();
            self.slots.push(Slot {
                stream: stream.clone(),
                epoch,
                chunk,
                chunks: sender,
                gate: gate.clone(),
                is_paused: false,
                has_left: false,
            });
            let _ = self.poller.events.send(PollEvent::Assigned { stream, epoch, log, chunks, gate });
        }
        Ok(())
    }

    fn revoke(&mut self, partitions: TopicPartitionList) -> Result<(), PollError> {
        let lost = self.poller.consumer.assignment_lost();
        let mut epochs = Vec::new();
        for element in partitions.elements() {
            let same =
                |slot: &&Slot| *slot.stream.topic == *element.topic() && slot.stream.partition.0 == element.partition();
            if let Some(slot) = self.slots.iter().find(same) {
                warn!(partition = %slot.stream, lost, "partition revoked");
                epochs.push(slot.epoch);
                let within = if lost { Duration::ZERO } else { self.poller.drain };
                let _ = self.poller.events.send(PollEvent::Revoked { epoch: slot.epoch, within });
            }
        }
        if partitions.count() > 0 && !lost {
            self.poller.consumer.pause(&partitions)?;
        }
        let deadline = Instant::now() + if lost { Duration::ZERO } else { self.poller.drain };
        self.revocations.push(Revocation { partitions, epochs, deadline });
        Ok(())
    }

    /// Answers the group for the revoked partitions whose workers have left, or have used up their time.
    fn give_back(&mut self) -> Result<(), PollError> {
        let now = Instant::now();
        let mut index = 0;
        while index < self.revocations.len() {
            let revocation = &self.revocations[index];
            let is_gone = |epoch: &AssignmentEpoch| self.slots.iter().all(|slot| slot.epoch != *epoch || slot.has_left);
            let is_due = revocation.epochs.iter().all(is_gone) || now >= revocation.deadline;
            // a commit that is on its way must arrive under the old membership, or it passes for one of the new
            let is_closed = |slot: &Slot| !revocation.epochs.contains(&slot.epoch) || slot.gate.try_close();
            if !is_due || !self.slots.iter().all(is_closed) {
                index += 1;
                continue;
            }
            let revocation = self.revocations.swap_remove(index);
            for epoch in &revocation.epochs {
                self.budget.release(epoch.0 as usize);
            }
            self.slots.retain(|slot| !revocation.epochs.contains(&slot.epoch));
            self.last = 0;
            // under the cooperative protocol also where the membership is lost: librdkafka refuses any other answer
            self.poller.consumer.incremental_unassign(&revocation.partitions)?;
        }
        Ok(())
    }

    fn work_the_gate(&mut self) -> Result<(), PollError> {
        let partitions = self.slots.len();
        let (mut pausing, mut resuming) = (TopicPartitionList::new(), TopicPartitionList::new());
        for slot in &mut self.slots {
            let id = slot.epoch.0 as usize;
            let (topic, number) = (&*slot.stream.topic, slot.stream.partition.0);
            if !slot.is_paused && (slot.has_left || self.budget.must_pause(id, partitions)) {
                slot.is_paused = true;
                pausing.add_partition(topic, number);
            } else if slot.is_paused && !slot.has_left && self.budget.may_resume(id, partitions) {
                slot.is_paused = false;
                resuming.add_partition(topic, number);
            }
        }
        let stats = &self.poller.stats;
        let paused = self.slots.iter().filter(|slot| slot.is_paused).count();
        stats.paused.store(paused as u64, Ordering::Relaxed);
        stats.throttled.store(self.slots.iter().any(|slot| slot.is_paused && !slot.has_left), Ordering::Relaxed);
        if pausing.count() > 0 {
            self.poller.consumer.pause(&pausing)?;
        }
        if resuming.count() > 0 {
            self.poller.consumer.resume(&resuming)?;
        }
        Ok(())
    }

    /// Takes what is there, at most one round, and hands over every chunk that got something.
    fn take_records(&mut self) -> Result<(), PollError> {
        let consumer = self.poller.consumer.clone();
        let mut wait = IDLE_WAIT;
        let (mut taken, mut bytes) = (0, 0);
        while taken < ROUND_RECORDS && bytes < ROUND_BYTES {
            match consumer.poll(wait) {
                None => break,
                Some(Ok(message)) => {
                    self.deliver(&message);
                    taken += 1;
                    bytes += message.payload_len();
                }
                Some(Err(error)) => self.judge(error)?,
            }
            wait = Duration::ZERO;
        }
        if taken > 0 {
            let elapsed = self.started.elapsed().as_millis() as i64;
            self.poller.stats.last_record_ms.store(elapsed, Ordering::Relaxed);
            self.poller.stats.records.fetch_add(taken as u64, Ordering::Relaxed);
            for index in 0..self.slots.len() {
                self.hand_over(index);
            }
        }
        Ok(())
    }

    fn deliver(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, partition) = (message.topic(), message.partition());
        let is_it = |slot: &Slot| slot.stream.partition.0 == partition && *slot.stream.topic == *topic;
        let index = match self.slots.get(self.last) {
            Some(slot) if is_it(slot) => self.last,
            _ => match self.slots.iter().position(is_it) {
                Some(index) => index,
                None => return, // of a partition that was just given back; its next owner reads it
            },
        };
        self.last = index;
        let slot = &mut self.slots[index];
        if slot.has_left {
            return;
        }
        let time = message.timestamp().to_millis().unwrap_or(-1);
        slot.chunk.push(Offset(message.offset() as u64), time, message.payload());
        if slot.chunk.len() >= CHUNK_RECORDS || slot.chunk.bytes() >= CHUNK_BYTES {
            self.hand_over(index);
        }
    }

    fn hand_over(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        if slot.chunk.is_empty() {
            return;
        }
        let next = Chunk::like(&slot.chunk);
        let chunk = std::mem::replace(&mut slot.chunk, next);
        self.budget.charge(slot.epoch.0 as usize, chunk.len(), chunk.bytes());
        self.poller.stats.bytes.fetch_add(chunk.bytes() as u64, Ordering::Relaxed);
        if let Err(returned) = slot.chunks.send(chunk) {
            self.budget.refund(slot.epoch.0 as usize, returned.0.len(), returned.0.bytes());
            slot.has_left = true;
        }
    }

    fn judge(&self, error: KafkaError) -> Result<(), PollError> {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AutoOffsetReset | RDKafkaErrorCode::OffsetOutOfRange) => {
                Err(PollError::OffsetRefused(error.to_string()))
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed) => {
                Err(PollError::Kafka(error))
            }
            Some(RDKafkaErrorCode::FencedInstanceId) => Err(PollError::NameTaken(error.to_string())),
            // the client is of no use from here on; what killed it stands beside the error
            Some(RDKafkaErrorCode::Fatal) => match self.poller.consumer.client().fatal_error() {
                Some((RDKafkaErrorCode::FencedInstanceId, reason)) => Err(PollError::NameTaken(reason)),
                _ => Err(PollError::Kafka(error)),
            },
            _ => {
                warn!(%error, "kafka"); // brokers come back; the rest follows as a rebalance
                Ok(())
            }
        }
    }
}
