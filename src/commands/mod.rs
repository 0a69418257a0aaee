//! The commands of the binary, one file each. Owner: `main`. Invariant: a command that found something wrong ends with
//! an exit code other than 0 (`exit_code`) and says what to do; help texts have an example.

mod audit;
mod check;
mod classify;
mod demo;
mod explain;
mod generate;
mod locate;
mod mask;
mod migrate;
mod pace;
mod progress;
mod publish;
mod rebuild;
mod run;
mod stop;
mod train;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::bail;
use clap::{Parser, Subcommand};
use rdkafka::config::ClientConfig;

use crate::app::rules::RulesError;
use crate::app::run::RunError;
use crate::config::errors::ConfigErrors;
use crate::config::units::parse_duration;
use crate::config::{self, Config};
use crate::kafka::admin::partition_count;
use crate::model::time::Time;

const FAILURE: i32 = 1;
const NEEDS_OPERATOR: i32 = 3;
const WRONG_CONFIGURATION: i32 = 78;

/// Stream processing for a regional control centre: Kafka in, exactly-once ClickHouse out.
#[derive(Parser)]
#[command(name = "tsur", version, max_term_width = 110)]
pub struct Cli {
    /// Folder of tsur.toml
    #[arg(long, global = true, env = "TSUR_CONFIG", default_value = "config", value_name = "DIR")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read the Kafka topics and write ClickHouse until told to stop
    Run(run::Args),
    /// Show the whole pipeline live in one terminal, without Kafka and with generated appeals
    Demo(demo::Args),
    /// Check every configuration file and report all mistakes at once
    Check(check::Args),
    /// Mask lines of text: names, phones, documents and other identifiers give way to placeholders
    Mask(mask::Args),
    /// Explain a case: which SLA policy it has and why, and every step of its clocks
    Explain(explain::Args),
    /// Create or update the ClickHouse schema, and the Kafka topics if asked
    Migrate(migrate::Args),
    /// Tell where messages are from, and why
    Locate(locate::Args),
    /// Publish files (ПОС export, CSV, JSON lines) into a Kafka topic
    Publish(publish::Args),
    /// Simulate a region: publish its records to Kafka, or write them to files
    Generate(generate::Args),
    /// Prove by SQL that every record is accounted once and that projections equal the journal
    Audit(audit::Args),
    /// Tell what texts are about and which words said so, or measure that on labelled texts
    Classify(classify::Args),
    /// Learn a model of blocks from labelled texts and measure it by cross-validation
    Train(train::Args),
    /// Make tables anew from the journal and swap them in, while `tsur run` goes on
    Rebuild(rebuild::Args),
}

/// Runs the command; the error chain is for people.
pub fn dispatch(cli: Cli) -> anyhow::Result<()> {
    let folder = cli.config;
    match cli.command {
        Command::Run(args) => run::main(&folder, &args),
        Command::Demo(args) => demo::main(&folder, &args),
        Command::Check(args) => check::main(&folder, &args),
        Command::Mask(args) => mask::main(&folder, &args),
        Command::Explain(args) => explain::main(&folder, &args),
        Command::Migrate(args) => migrate::main(&folder, &args),
        Command::Locate(args) => locate::main(&folder, &args),
        Command::Publish(args) => publish::main(&folder, &args),
        Command::Generate(args) => generate::main(&folder, &args),
        Command::Audit(args) => audit::main(&folder, &args),
        Command::Classify(args) => classify::main(&folder, &args),
        Command::Train(args) => train::main(&folder, &args),
        Command::Rebuild(args) => rebuild::main(&folder, &args),
    }
}

/// The exit code of a failure, for supervisors and scripts.
///
/// | code | meaning | does a new start help? |
/// |---|---|---|
/// | 1 | an engine is away, a partition failed, something was found wrong | yes, or it is said what to do |
/// | 3 | told to end with stopped partitions | no, an operator is needed |
/// | 78 | the configuration is wrong (`EX_CONFIG` of sysexits.h) | no, until a file is changed |
pub fn exit_code(problem: &anyhow::Error) -> i32 {
    let rules = |cause: &(dyn std::error::Error + 'static)| cause.is::<ConfigErrors>() || cause.is::<RulesError>();
    if problem.chain().any(rules) {
        return WRONG_CONFIGURATION;
    }
    match problem.downcast_ref::<RunError>() {
        Some(RunError::Stopped { .. }) => NEEDS_OPERATOR,
        _ => FAILURE,
    }
}

/// The configuration of the folder and of the process's environment.
fn load(folder: &std::path::Path) -> anyhow::Result<Arc<Config>> {
    let environment = |name: &str| std::env::var(name).ok();
    Ok(Arc::new(config::load(folder, &environment)?))
}

/// A time as an argument.
fn time_argument(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is not a time like 10s, 500ms or 5m"))
}

/// A topic that is not there is never made in passing.
fn require_topic(kafka: &ClientConfig, topic: &str) -> anyhow::Result<()> {
    if partition_count(kafka, topic)?.is_none() {
        bail!("kafka topic {topic} does not exist; `tsur migrate --create-topics` makes those of the pipelines");
    }
    Ok(())
}

/// The clock of the machine.
fn now() -> Time {
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64);
    Time::from_unix_millis(since).unwrap_or(Time::EARLIEST)
}

/// The async runtime of a command.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("tsur-async").build()
}

/// Counts the signals to end: the first drains, the second stops at once.
fn signals() -> anyhow::Result<tokio::sync::watch::Receiver<u8>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (count, copy) = tokio::sync::watch::channel(0u8);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|count| *count = count.saturating_add(1));
        }
    });
    Ok(copy)
}
