//! What must hold before anything is read: Kafka topics exist with their pinned number of partitions, the schema is the
//! one this binary knows and deduplicates.

use rdkafka::config::ClientConfig;
use thiserror::Error;

use crate::config::Config;
use crate::kafka::admin::{AdminError, partition_count};
use crate::kafka::client::base_config;
use crate::sink::clickhouse::client;
use crate::sink::migrations::{self, MigrationError};

#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error(
        "kafka topic {topic} does not exist. Create it with {partitions} partitions, or run `tsur migrate --create-topics`"
    )]
    NoTopic { topic: String, partitions: u32 },
    #[error(
        "kafka topic {topic} has {found} partitions, the journal was begun with {pinned}: another number moves cases away from \
         their state. Restore the number, or start a new stream with a raised stream_epoch and another topic"
    )]
    PartitionsChanged { topic: String, found: u32, pinned: u16 },
    #[error(
        "pipeline {pipeline} says stream_epoch {configured}, the journal of {topic} is at epoch {pinned}: an epoch never goes back"
    )]
    EpochWentBack { pipeline: String, topic: String, configured: u32, pinned: u32 },
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("the question to kafka did not end: {0}")]
    Join(#[from] tokio::task::JoinError),
}

/// Checks the schema and pins the streams.
pub async fn check(config: &Config) -> Result<(), StartError> {
    let client = client(&config.settings.clickhouse);
    migrations::verify(&client, &config.settings.clickhouse.database).await?;
    let base = base_config(&config.settings.kafka);
    for pipeline in &config.pipelines {
        let found = count(&base, &pipeline.kafka_topic).await?.ok_or_else(|| StartError::NoTopic {
            topic: pipeline.kafka_topic.clone(),
            partitions: pipeline.partitions,
        })?;
        let sql = "SELECT partitions, epoch FROM streams FINAL WHERE kafka_topic = {topic:String}";
        let pinned = client.query(sql).param("topic", &pipeline.kafka_topic).fetch_optional::<(u16, u32)>().await?;
        match pinned {
            Some((partitions, _)) if u32::from(partitions) != found => {
                return Err(StartError::PartitionsChanged {
                    topic: pipeline.kafka_topic.clone(),
                    found,
                    pinned: partitions,
                });
            }
            Some((_, epoch)) if epoch > pipeline.stream_epoch => {
                return Err(StartError::EpochWentBack {
                    pipeline: pipeline.name.clone(),
                    topic: pipeline.kafka_topic.clone(),
                    configured: pipeline.stream_epoch,
                    pinned: epoch,
                });
            }
            Some((_, epoch)) if epoch == pipeline.stream_epoch => {}
            _ => {
                let sql = "INSERT INTO streams (kafka_topic, partitions, epoch) VALUES ({topic:String}, {partitions:UInt16}, {epoch:UInt32})";
                let query = client.query(sql).param("topic", &pipeline.kafka_topic);
                query.param("partitions", found).param("epoch", pipeline.stream_epoch).execute().await?;
            }
        }
    }
    Ok(())
}

async fn count(base: &ClientConfig, topic: &str) -> Result<Option<u32>, StartError> {
    let (base, topic) = (base.clone(), topic.to_owned());
    Ok(tokio::task::spawn_blocking(move || partition_count(&base, &topic)).await??)
}
