//! What must hold before anything is read: Kafka topics exist with their pinned number of partitions, the schema is the
//! one this binary knows and deduplicates.

use thiserror::Error;

use crate::config::Config;
use crate::kafka::admin::{AdminError, partition_counts};
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
    let counts = counts(config);
    let pins = client.query("SELECT kafka_topic, partitions, epoch FROM streams FINAL");
    let pins: Vec<(String, u16, u32)> = pins.fetch_all().await?;
    for (pipeline, found) in config.pipelines.iter().zip(counts.await?) {
        let found = found.ok_or_else(|| StartError::NoTopic {
            topic: pipeline.kafka_topic.clone(),
            partitions: pipeline.partitions,
        })?;
        let pinned = pins.iter().find(|(topic, ..)| *topic == pipeline.kafka_topic);
        let pinned = pinned.map(|(_, partitions, epoch)| (*partitions, *epoch));
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

/// Partitions of the topics of the pipelines, in their order; asked from now on.
fn counts(config: &Config) -> impl Future<Output = Result<Vec<Option<u32>>, StartError>> {
    let base = base_config(&config.settings.kafka);
    let topics: Vec<String> = config.pipelines.iter().map(|pipeline| pipeline.kafka_topic.clone()).collect();
    let asked = tokio::task::spawn_blocking(move || {
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        partition_counts(&base, &topics)
    });
    async { Ok(asked.await??) }
}
