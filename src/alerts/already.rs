//! What the Kafka topic of alerts has already, asked before something is sent again: after a crash, or when Kafka's answer was lost.
//! Owner: the outbox. Invariants: it joins no group and commits nothing; it ends within `PATIENCE`; an answer is complete up to
//! the ends of the log when it was asked, and no answer means that everything is sent again, under the same keys.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::Deserialize;
use thiserror::Error;

const PATIENCE: Duration = Duration::from_secs(20);
const CALL: Duration = Duration::from_secs(5);
/// Clocks of two machines may differ by so much.
const SLACK_MILLIS: i64 = 60_000;

/// Each of them means: send everything.
#[derive(Debug, Error)]
pub enum AlreadyError {
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error("the topic was not read to its end within {PATIENCE:?}")]
    Late,
}

/// Id and state version of an alert, as a record has them.
pub type Sent = HashSet<(String, u64)>;

/// The records of the topic that are not older than `since_millis`.
pub fn already_sent(config: &ClientConfig, topic: &str, since_millis: i64) -> Result<Sent, AlreadyError> {
    let started = Instant::now();
    let mut config = config.clone();
    config.set("group.id", "tsur-alerts-sent").set("enable.auto.commit", "false").set("auto.offset.reset", "error");
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(topic), CALL)?;
    let mut times = TopicPartitionList::new();
    for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
        times.add_partition_offset(topic, partition.id(), Offset::Offset((since_millis - SLACK_MILLIS).max(0)))?;
    }
    let mut open = 0;
    let mut ends = std::collections::HashMap::new();
    let mut from = TopicPartitionList::new();
    for place in consumer.offsets_for_times(times, CALL)?.elements() {
        // without an offset there is nothing so new
        if let Offset::Offset(first) = place.offset() {
            let (_, end) = consumer.fetch_watermarks(topic, place.partition(), CALL)?;
            if first < end {
                from.add_partition_offset(topic, place.partition(), Offset::Offset(first))?;
                ends.insert(place.partition(), end);
                open += 1;
            }
        }
    }
    let mut sent = Sent::new();
    if open == 0 {
        return Ok(sent);
    }
    consumer.assign(&from)?;
    while open > 0 {
        if started.elapsed() > PATIENCE {
            return Err(AlreadyError::Late);
        }
        let Some(record) = consumer.poll(Duration::from_millis(200)) else { continue };
        let record = record?;
        sent.extend(record.payload().and_then(sent_of));
        if ends.get(&record.partition()).is_some_and(|end| record.offset() + 1 == *end) {
            open -= 1;
        }
    }
    Ok(sent)
}

/// The two columns of a record that matter here: a start reads a minute of the topic, and new alerts wait for it.
#[derive(Deserialize)]
struct Named {
    alert_id: String,
    version: String,
}

fn sent_of(payload: &[u8]) -> Option<(String, u64)> {
    let named: Named = serde_json::from_slice(payload).ok()?;
    Some((named.alert_id, named.version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::notice::sample_row;

    #[test]
    fn a_record_of_ours_names_its_alert_and_state_and_anything_else_names_none() {
        let row = sample_row();
        let record = row.to_json().to_string();
        assert_eq!(sent_of(record.as_bytes()), Some((row.alert_id.clone(), row.state_version())));
        assert_eq!(sent_of(b"{\"alert_id\":\"x\"}"), None);
        assert_eq!(sent_of(b"\xff"), None);
    }
}
