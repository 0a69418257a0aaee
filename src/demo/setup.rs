//! Everything that must stand before the first record: configuration, schema, the generated region.
//! Owner: the session. Invariant: the user's own database is never touched; the demo has one with its own name.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::broker::PARTITIONS;
use super::lines::Places;
use super::{DemoError, Options};
use crate::config::settings::Secret;
use crate::config::{Config, Settings};
use crate::generate::{LiveStream, Region, Simulation, SimulationConfig, SourceKind};
use crate::model::time::Time;
use crate::sink::clickhouse::client;
use crate::sink::migrations;

pub const DATABASE: &str = "tsur_demo";
/// How many times faster than in life new cases are worked on: answers are seen within minutes.
const PACE: f64 = 4_000.0;
/// Live records that a new case brings within the first minutes.
const RECORDS_PER_CASE: f64 = 4.0;

/// Points the configuration at the servers of the demo. `url`: of its own ClickHouse, `None` for the configured one.
pub fn configure(config: &mut Config, brokers: &str, url: Option<&str>) {
    let Settings { kafka, clickhouse, http, shutdown, .. } = &mut config.settings;
    brokers.clone_into(&mut kafka.brokers);
    kafka.properties.clear(); // those of the real Kafka
    "tsur-demo".clone_into(&mut kafka.group_id);
    if let Some(url) = url {
        url.clone_into(&mut clickhouse.url);
        "default".clone_into(&mut clickhouse.user);
        clickhouse.password = Secret::default();
    }
    DATABASE.clone_into(&mut clickhouse.database);
    http.listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    shutdown.budget = Duration::from_secs(8);
    for pipeline in &mut config.pipelines {
        pipeline.partitions = PARTITIONS;
    }
}

/// An empty database of the demo, whatever an earlier one left there.
pub async fn create_database(config: &Config) -> Result<(), DemoError> {
    drop_database(config).await?;
    migrations::apply(&client(&config.settings.clickhouse), DATABASE).await?;
    Ok(())
}

pub async fn drop_database(config: &Config) -> Result<(), DemoError> {
    let sql = format!("DROP DATABASE IF EXISTS {DATABASE} SYNC");
    let client = client(&config.settings.clickhouse).with_database("default"); // its own may not exist
    client.query_raw(&sql).execute().await?;
    Ok(())
}

/// The topic a source of the simulation publishes to.
pub fn topic_of(config: &Config, source: SourceKind) -> Result<String, DemoError> {
    let found = config.pipelines.iter().find(|pipeline| pipeline.source == source.code());
    found.map(|pipeline| pipeline.kafka_topic.clone()).ok_or(DemoError::NoPipeline(source.code()))
}

/// The region's past and present, without a seam at `now`.
pub fn simulation(options: &Options, pipelines_dir: &Path, now: Time) -> Result<Simulation, DemoError> {
    let folder = pipelines_dir.join("reference");
    let read = |name: &str| {
        let path = folder.join(name);
        fs::read_to_string(&path).map_err(|source| DemoError::Reference { path, source })
    };
    let region = Region::from_toml(
        &read("blocks.toml")?,
        &read("topics.toml")?,
        &read("territories.toml")?,
        &read("bodies.toml")?,
    )?;
    let start = now.plus_seconds(-(options.history.as_secs().max(60) as i64));
    let history =
        SimulationConfig { records: Some(options.records), ..SimulationConfig::new(options.seed, start, now) };
    let stream = LiveStream { from: now, cases_per_second: options.rate / RECORDS_PER_CASE, pace: PACE };
    Ok(Simulation::live(history, &region, stream)?)
}

/// A key for this run alone: the demo's authors are invented and gone with it.
pub fn identity_key() -> Result<String, DemoError> {
    use std::io::Read;
    let mut bytes = [0u8; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|problem| DemoError::Setup(format!("/dev/urandom: {problem}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Where everything is, for people.
pub fn places(config: &Config, is_given: bool, metrics: String) -> Places {
    let clickhouse = &config.settings.clickhouse;
    let has_password = !clickhouse.password.is_empty();
    let named = is_given && (has_password || clickhouse.user != "default");
    Places {
        kafka: config.settings.kafka.brokers.clone(),
        topics: config.pipelines.iter().map(|pipeline| pipeline.kafka_topic.clone()).collect(),
        clickhouse: clickhouse.url.clone(),
        database: clickhouse.database.clone(),
        user: named.then(|| (clickhouse.user.clone(), has_password)),
        metrics,
    }
}
