//! The consumer and its settings. Rebalance callbacks only report; the poll thread decides.
//! Invariants: offsets are committed by us alone, synchronously; a partition starts at an explicit offset, never at a
//! default; a callback that comes while the consumer closes is answered at once, or librdkafka's close never returns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use tracing::{debug, error, info, warn};

use crate::config::settings;

/// What the group did to us.
pub enum Rebalance {
    Assigned(TopicPartitionList),
    Revoked(TopicPartitionList),
}

/// Passes rebalances on to the poll thread.
pub struct Context {
    rebalances: Mutex<Sender<Rebalance>>,
    closing: AtomicBool,
}

impl Context {
    pub fn new(rebalances: Sender<Rebalance>) -> Context {
        Context { rebalances: Mutex::new(rebalances), closing: AtomicBool::new(false) }
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                error!(target: "librdkafka", fac, "{message}");
            }
            RDKafkaLogLevel::Warning => warn!(target: "librdkafka", fac, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => info!(target: "librdkafka", fac, "{message}"),
            RDKafkaLogLevel::Debug => debug!(target: "librdkafka", fac, "{message}"),
        }
    }

    fn error(&self, problem: KafkaError, reason: &str) {
        warn!(target: "librdkafka", "{problem}: {reason}");
    }
}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, code: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let is_assign = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let is_revoke = code == RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS;
        if self.closing.load(Ordering::Acquire) || !(is_assign || is_revoke) {
            if is_revoke {
                let _ = consumer.incremental_unassign(partitions);
            } else {
                let _ = consumer.unassign();
            }
            return;
        }
        let event =
            if is_assign { Rebalance::Assigned(partitions.clone()) } else { Rebalance::Revoked(partitions.clone()) };
        let sender = match self.rebalances.lock() {
            Ok(sender) => sender,
            Err(poisoned) => poisoned.into_inner(),
        };
        if sender.send(event).is_err() {
            let _ = consumer.unassign(); // the poll thread is gone; nobody else will answer
        }
    }
}

pub type GroupConsumer = BaseConsumer<Context>;

/// From here on rebalances are answered inside the callback.
pub fn prepare_to_close(consumer: &GroupConsumer) {
    consumer.context().closing.store(true, Ordering::Release);
}

/// The settings every client of the process shares.
pub fn base_config(settings: &settings::Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &settings.brokers);
    config.set("client.id", "tsur");
    for (name, value) in &settings.properties {
        config.set(name, value);
    }
    config
}

/// The group consumer. Prefetching is bounded, because it comes on top of the budget.
pub fn consumer(settings: &settings::Kafka, rebalances: Sender<Rebalance>) -> KafkaResult<Arc<GroupConsumer>> {
    let heartbeat = (settings.session_timeout.as_millis() / 10).clamp(200, 5000);
    let mut config = base_config(settings);
    config
        .set("group.id", &settings.group_id)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", settings.session_timeout.as_millis().to_string())
        .set("heartbeat.interval.ms", heartbeat.to_string())
        .set("max.poll.interval.ms", settings.max_poll_interval.max(settings.session_timeout).as_millis().to_string())
        .set("enable.partition.eof", "false")
        // at a steady 20,000 records/s the broker and we answered each other every few records: together a tenth of a core
        // more than with this; a quiet topic waits for at most the time below
        .set("fetch.min.bytes", "131072")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", "4194304")
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "65536");
    if let Some(instance) = &settings.instance_id {
        config.set("group.instance.id", instance);
    }
    config.create_with_context(Context::new(rebalances)).map(Arc::new)
}
