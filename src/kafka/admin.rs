//! Kafka topics: creating them, counting their partitions, asking where records are.
//! Invariant: an existing topic is never changed.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use thiserror::Error;

const TIMEOUT: Duration = Duration::from_secs(15);
/// How often it is asked whether new topics are to be seen, and the pause between.
const VISIBLE_TRIES: u32 = 50;
const VISIBLE_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Error)]
pub enum AdminError {
    #[error("kafka does not answer: {0}. Check kafka.brokers or TSUR_KAFKA")]
    Unreachable(KafkaError),
    #[error("kafka topic {topic} could not be created: {code}")]
    NotCreated { topic: String, code: RDKafkaErrorCode },
}

/// What a record has besides its payload: key, headers, the frame of a batch of one.
const ENVELOPE_BYTES: usize = 64 << 10;

/// Creates the topics that are not there, for records as long as the pipeline takes; existing ones stay as they are.
pub async fn create_topics(
    config: &ClientConfig,
    topics: &[(&str, u32)],
    replication: i32,
    max_record_bytes: usize,
) -> Result<(), AdminError> {
    let max_bytes = (max_record_bytes + ENVELOPE_BYTES).to_string();
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(AdminError::Unreachable)?;
    let new: Vec<NewTopic<'_>> = topics
        .iter()
        .map(|(name, partitions)| NewTopic::new(name, *partitions as i32, TopicReplication::Fixed(replication)))
        .map(|topic| topic.set("max.message.bytes", &max_bytes))
        .collect();
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT)).operation_timeout(Some(TIMEOUT));
    let results = admin.create_topics(&new, &options).await.map_err(AdminError::Unreachable)?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => return Err(AdminError::NotCreated { topic, code }),
        }
    }
    wait_for_topics(config, topics).await;
    Ok(())
}

/// A topic is created before every broker knows it, and what starts next would not find it. The wait ends in any case: who
/// needs the topics asks again and says which is missing.
async fn wait_for_topics(config: &ClientConfig, topics: &[(&str, u32)]) {
    for _ in 0..VISIBLE_TRIES {
        let (config, names) = (config.clone(), topics.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
        let asked = tokio::task::spawn_blocking(move || {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            partition_counts(&config, &names)
        });
        match asked.await {
            Ok(Ok(counts)) if counts.iter().any(Option::is_none) => tokio::time::sleep(VISIBLE_PAUSE).await,
            _ => return,
        }
    }
}

/// Number of partitions of a topic, `None` when it does not exist. Blocks.
pub fn partition_count(config: &ClientConfig, topic: &str) -> Result<Option<u32>, AdminError> {
    Ok(partition_counts(config, &[topic])?[0])
}

/// The same for some topics, in their order, over one connection: each new one costs a start some fifty milliseconds.
pub fn partition_counts(config: &ClientConfig, topics: &[&str]) -> Result<Vec<Option<u32>>, AdminError> {
    let consumer: BaseConsumer = config.create().map_err(AdminError::Unreachable)?;
    let mut counts = Vec::with_capacity(topics.len());
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).map_err(AdminError::Unreachable)?;
        let found = metadata.topics().iter().find(|entry| entry.name() == *topic && entry.error().is_none());
        counts.push(found.map(|entry| entry.partitions().len() as u32).filter(|count| *count > 0));
    }
    Ok(counts)
}

/// How long a topic keeps records by their own time, `None` when it keeps them for ever or will not say.
pub async fn retention(config: &ClientConfig, topic: &str) -> Result<Option<Duration>, AdminError> {
    let admin: AdminClient<DefaultClientContext> = config.create().map_err(AdminError::Unreachable)?;
    let options = AdminOptions::new().request_timeout(Some(TIMEOUT));
    let resources = [ResourceSpecifier::Topic(topic)];
    let answers = admin.describe_configs(&resources, &options).await.map_err(AdminError::Unreachable)?;
    let told = answers.into_iter().flatten().next().and_then(|resource| resource.get("retention.ms")?.value.clone());
    Ok(told
        .and_then(|millis| millis.parse().ok()) // -1: for ever
        .map(Duration::from_millis))
}
