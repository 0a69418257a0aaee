//! The two engines under the benchmark: SQL, Kafka topics, and whose CPU time is whose.
//! Owner: the benchmark; `scripts/bench.sh` starts and stops them. Invariant: both run on this machine, because their
//! CPU time is read from /proc; TSUR_BENCH_CLICKHOUSE_PID and TSUR_BENCH_KAFKA_PID name those that others started.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clickhouse::Client;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use tokio::runtime::Runtime;

use crate::process::{cpu, machine_cpu};

const TIMEOUT: Duration = Duration::from_secs(15);
/// No merge for so long means that they are done: the next one is chosen within a few hundred milliseconds.
const QUIET: Duration = Duration::from_millis(1500);

pub struct Engines {
    pub kafka: String,
    pub url: String,
    clickhouse_pid: u32,
    kafka_pid: u32,
    runtime: Runtime,
    client: Client,
}

impl Engines {
    pub fn from_environment() -> Result<Engines> {
        let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set: use `make bench`"));
        let (kafka, url) = (variable("TSUR_KAFKA")?, variable("TSUR_CLICKHOUSE_URL")?);
        let client = client(&url);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Engines { clickhouse_pid: pid_of("clickhouse")?, kafka_pid: pid_of("kafka")?, kafka, url, runtime, client })
    }

    pub fn run(&self, sql: &str) -> Result<()> {
        self.runtime.block_on(self.client.query_raw(sql).execute()).with_context(|| beginning(sql))
    }

    pub fn rows<T>(&self, sql: &str) -> Result<Vec<T>>
    where
        T: clickhouse::RowOwned + clickhouse::RowRead,
    {
        self.runtime.block_on(self.client.query_raw(sql).fetch_all::<T>()).with_context(|| beginning(sql))
    }

    pub fn number(&self, sql: &str) -> Result<u64> {
        let sql = format!("SELECT toUInt64(assumeNotNull(({sql})))");
        self.runtime.block_on(self.client.query_raw(&sql).fetch_one::<u64>()).with_context(|| beginning(&sql))
    }

    /// CPU seconds of the server so far, its merges and all its threads.
    pub fn clickhouse_cpu(&self) -> Result<f64> {
        cpu(self.clickhouse_pid)
    }

    pub fn kafka_cpu(&self) -> Result<f64> {
        cpu(self.kafka_pid)
    }

    /// CPU seconds of everybody else on the machine so far: not the engines, not this program, not `pipeline`.
    pub fn neighbours_cpu(&self, pipeline: f64) -> Result<f64> {
        let ours = self.clickhouse_cpu()? + self.kafka_cpu()? + cpu(std::process::id())? + pipeline;
        Ok(machine_cpu()? - ours)
    }

    /// Waits until the server has nothing left to merge: those who wrote the parts are charged with it.
    pub fn wait_for_merges(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(90);
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < QUIET {
            if self.number("SELECT count() FROM system.merges")? > 0 {
                quiet_since = Instant::now();
            }
            ensure!(Instant::now() < deadline, "clickhouse still merges after 90 s");
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    pub fn parts(&self, database: &str) -> Result<u64> {
        self.number(&format!("SELECT count() FROM system.parts WHERE active AND database = '{database}'"))
    }

    pub fn kafka_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka).set("client.id", "tsur-bench");
        config
    }

    pub fn create_topics(&self, topics: &[(&str, u32)]) -> Result<()> {
        use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
        let admin: AdminClient<DefaultClientContext> = self.kafka_config().create()?;
        let new: Vec<NewTopic<'_>> = topics
            .iter()
            // generated history is older than any retention: without this the broker drops it as we read
            .map(|(name, partitions)| {
                NewTopic::new(name, *partitions as i32, TopicReplication::Fixed(1)).set("retention.ms", "-1")
            })
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(TIMEOUT));
        for result in self.runtime.block_on(admin.create_topics(&new, &options))? {
            if let Err((topic, code)) = result {
                anyhow::bail!("kafka topic {topic} could not be created: {code}");
            }
        }
        Ok(())
    }

    pub fn delete_topics(&self, topics: &[&str]) -> Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.kafka_config().create()?;
        let options = rdkafka::admin::AdminOptions::new().operation_timeout(Some(TIMEOUT));
        self.runtime.block_on(admin.delete_topics(topics, &options))?;
        Ok(())
    }

    /// Records in a topic that has lost none.
    pub fn records_in(&self, topic: &str, partitions: u32) -> Result<u64> {
        let consumer: BaseConsumer = self.kafka_config().create()?;
        let mut records = 0;
        for partition in 0..partitions {
            let (low, high) = consumer.fetch_watermarks(topic, partition as i32, TIMEOUT)?;
            records += (high - low) as u64;
        }
        Ok(records)
    }
}

/// A client for threads with a runtime of their own. Its queries are not logged: a prober asks too often.
pub fn client(url: &str) -> Client {
    Client::default().with_url(url).with_setting("log_queries", "0").with_compression(clickhouse::Compression::None)
}

/// A statement of the rival is longer than what went wrong with it.
fn beginning(sql: &str) -> String {
    sql.chars().take(300).collect()
}

fn pid_of(engine: &str) -> Result<u32> {
    if let Ok(pid) = std::env::var(format!("TSUR_BENCH_{}_PID", engine.to_uppercase())) {
        return Ok(pid.parse()?);
    }
    let folder = std::env::var("TSUR_LOCAL_DIR").unwrap_or_else(|_| ".local".to_owned());
    let file = Path::new(&folder).join(engine).join("pid");
    let text = fs::read_to_string(&file).with_context(|| {
        format!(
            "{} is not there: {engine} must run on this machine (or set its pid in the environment)",
            file.display()
        )
    })?;
    Ok(text.split_whitespace().next().context("a pid")?.parse()?)
}
