//! `tsur audit`: exit code 0 only when every record is accounted once and every projection equals the journal.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use rdkafka::config::ClientConfig;

use crate::audit::{NoOracle, OffsetOracle, Options, audit};
use crate::commands::{load, runtime};
use crate::kafka::client::base_config;
use crate::kafka::lookup::next_record;
use crate::model::windows::Retention;
use crate::sink::clickhouse::client;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tsur audit\n  tsur audit --no-kafka")]
pub struct Args {
    /// Do not ask Kafka whether a missing offset ever held a record; every hole is then a problem
    #[arg(long)]
    no_kafka: bool,
}

/// Asks Kafka itself what lies at an offset.
struct Kafka(ClientConfig);

impl OffsetOracle for Kafka {
    async fn next_offset_at_or_after(&self, topic: &str, partition: u16, offset: u64) -> Option<u64> {
        let (config, topic) = (self.0.clone(), topic.to_owned());
        let wait = Duration::from_secs(10);
        tokio::task::spawn_blocking(move || next_record(&config, &topic, i32::from(partition), offset, wait))
            .await
            .ok()?
    }
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    let options = Options {
        database: config.settings.clickhouse.database.clone(),
        minute_keep: Retention::OF_TABLES.minute,
        hour_keep: Retention::OF_TABLES.hour,
    };
    let report = runtime()?.block_on(async {
        let client = client(&config.settings.clickhouse);
        if args.no_kafka {
            audit(&client, &options, &NoOracle).await
        } else {
            audit(&client, &options, &Kafka(base_config(&config.settings.kafka))).await
        }
    })?;
    println!("{report}");
    if !report.is_ok() {
        bail!("the audit found problems, they are named above");
    }
    Ok(())
}
