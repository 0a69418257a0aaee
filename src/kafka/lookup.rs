//! Single questions to the log: what is the first record at or after an offset. Blocks; never joins a group.

use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::Offset;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::TopicPartitionList;

/// The offset of the first record that a consumer gets at or after `offset`; the high watermark when there is none up
/// to the end of the log; `None` when Kafka cannot tell (the range is gone, or nobody answers in time).
pub fn next_record(config: &ClientConfig, topic: &str, partition: i32, offset: u64, wait: Duration) -> Option<u64> {
    let mut config = config.clone();
    config.set("group.id", "tsur-lookup").set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().ok()?;
    let (low, high) = consumer.fetch_watermarks(topic, partition, wait).ok()?;
    let wanted = i64::try_from(offset).ok()?;
    if wanted < low {
        return None;
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(wanted)).ok()?;
    consumer.assign(&list).ok()?;
    let deadline = Instant::now() + wait;
    while Instant::now() < deadline {
        match consumer.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => return Some(message.offset() as u64),
            Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return u64::try_from(high).ok(),
            Some(Err(_)) | None => {}
        }
    }
    None
}
