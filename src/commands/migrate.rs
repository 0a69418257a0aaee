//! `tsur migrate`: the schema of ClickHouse, and on request the Kafka topics of the pipelines.

use std::path::Path;

use crate::commands::{load, runtime};
use crate::kafka::admin::create_topics;
use crate::kafka::client::base_config;
use crate::sink::clickhouse::client;
use crate::sink::migrations;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tsur migrate\n  tsur migrate --create-topics --replication 3")]
pub struct Args {
    /// Create the Kafka topics that do not exist yet; existing ones are not changed
    #[arg(long)]
    create_topics: bool,
    /// Replication factor of created topics
    #[arg(long, default_value_t = 1, value_name = "N")]
    replication: i32,
}

/// Alerts are few; their key keeps the states of one in order.
const ALERT_PARTITIONS: u32 = 1;
/// Rejects are few, and each upstream reads all of them to find its own.
const REJECT_PARTITIONS: u32 = 1;

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    runtime()?.block_on(async {
        // the database may not exist yet, so nothing may be sent into it before it is created
        let applied =
            migrations::apply(&client(&config.settings.clickhouse), &config.settings.clickhouse.database).await?;
        for migration in applied {
            let what = if migration.is_new { "applied" } else { "there already" };
            println!("{:04} {}: {what}", migration.number, migration.name);
        }
        if args.create_topics {
            let mut topics: Vec<(&str, u32)> =
                config.pipelines.iter().map(|pipeline| (pipeline.kafka_topic.as_str(), pipeline.partitions)).collect();
            let alerts = &config.settings.alerts;
            if alerts.enabled {
                topics.push((alerts.kafka_topic.as_str(), ALERT_PARTITIONS));
            }
            let rejects = &config.settings.rejects;
            if rejects.enabled {
                topics.push((rejects.kafka_topic.as_str(), REJECT_PARTITIONS));
            }
            let longest = config.settings.limits.max_record_bytes;
            create_topics(&base_config(&config.settings.kafka), &topics, args.replication, longest).await?;
            for (topic, partitions) in topics {
                println!("kafka topic {topic}: there, {partitions} partitions if new");
            }
        }
        Ok(())
    })
}
