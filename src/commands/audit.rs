//! `tsur audit`: exit code 0 only when every record is accounted once and every projection equals the journal.

use std::path::Path;
use std::time::Duration;

use anyhow::bail;
use rdkafka::config::ClientConfig;

use crate::audit::{NoOracle, OffsetOracle, Options, audit, deep};
use crate::commands::rebuild::chosen;
use crate::commands::{load, runtime};
use crate::config::Config;
use crate::kafka::client::base_config;
use crate::kafka::lookup::next_record;
use crate::model::windows::Retention;
use crate::rebuild::Projection;
use crate::sink::clickhouse::client;

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tsur audit\n  tsur audit --no-kafka\n  tsur audit --deep                         # also while `tsur run` works\n  tsur audit --deep --differences 100\n  tsur audit --deep --table cases"
)]
pub struct Args {
    /// Do not ask Kafka whether a missing offset ever held a record; every hole is then a problem
    #[arg(long)]
    no_kafka: bool,
    /// Compare every projection with the journal row by row and name what differs, instead of the usual checks
    #[arg(long)]
    deep: bool,
    /// With --deep: only this projection; may be given more than once
    #[arg(long, value_enum, value_name = "TABLE", requires = "deep")]
    table: Vec<Projection>,
    /// With --deep: so many differences of each table are printed, all are counted
    #[arg(long, default_value_t = 20, value_name = "N", requires = "deep")]
    differences: usize,
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
    if args.deep {
        return deep_audit(&config, args);
    }
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

fn deep_audit(config: &Config, args: &Args) -> anyhow::Result<()> {
    let asked = deep::Asked {
        database: config.settings.clickhouse.database.clone(),
        retention: Retention::OF_TABLES,
        projections: chosen(&args.table),
        named: args.differences,
    };
    let client = client(&config.settings.clickhouse);
    let report = runtime()?.block_on(deep::compare(&client, &asked, &mut |line| eprintln!("{line}")))?;
    println!("{report}");
    if !report.is_ok() {
        bail!("projections differ from the journal, see above; `tsur rebuild` makes them anew");
    }
    Ok(())
}
