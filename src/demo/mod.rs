//! `tsur demo`: the whole pipeline in one process and one terminal. A mock Kafka inside, a ClickHouse as a child (or a given
//! one), a generated region that goes on living, and the real pipeline (`app::run`) between them.
//! Owner: the command. Invariants: the pipeline is the one of `tsur run`, only its servers are small; history is published
//! no faster than it is read and a lost record is an error; nothing is left behind, however the demo ends.

mod broker;
mod figures;
mod folder;
mod lines;
mod picture;
mod publisher;
mod screen;
mod server;
mod session;
mod setup;
mod text;

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

pub use session::run;

/// What the command line asks for.
#[derive(Clone, Debug)]
pub struct Options {
    /// End so long after the first picture.
    pub lasts: Option<Duration>,
    pub history: Duration,
    /// About so many records of history.
    pub records: u64,
    /// About so many live records a second.
    pub rate: f64,
    pub seed: u64,
    pub keep: bool,
    /// The ClickHouse of the configuration is used instead of a child.
    pub given_clickhouse: bool,
    /// Everything the demo writes to disk lies here.
    pub folder: PathBuf,
    pub has_terminal: bool,
}

#[derive(Debug, Error)]
pub enum DemoError {
    #[error("{script} is not here: the demo starts its own ClickHouse by it. Run the demo in a checkout of tsur, or set TSUR_CLICKHOUSE_URL", script = script.display())]
    NoScripts { script: PathBuf },
    #[error("another demo runs in {path}: end it first, or set TSUR_LOCAL_DIR to another folder", path = path.display())]
    Busy { path: PathBuf },
    #[error("{path}: {source}", path = path.display())]
    Folder { path: PathBuf, source: std::io::Error },
    #[error("deploy/local/clickhouse.sh could not be run: {0}")]
    Script(std::io::Error),
    #[error("the ClickHouse of the demo: {0}")]
    NoServer(String),
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error("no pipeline of the configuration reads source {0:?}, which the generated region publishes")]
    NoPipeline(&'static str),
    #[error("the generated region: {0}")]
    Region(#[from] crate::generate::RegionError),
    #[error("{path}: {source}", path = path.display())]
    Reference { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Rules(#[from] crate::app::rules::RulesError),
    #[error(transparent)]
    Migration(#[from] crate::sink::migrations::MigrationError),
    #[error(transparent)]
    Start(#[from] crate::app::start::StartError),
    #[error("publishing: {0}")]
    Publish(#[from] publisher::PublishError),
    #[error("the pipeline ended: {0}")]
    Pipeline(#[from] crate::app::run::RunError),
    #[error("the pipeline ended by itself")]
    PipelineEnded,
    #[error(transparent)]
    Audit(#[from] crate::audit::AuditError),
    #[error("the accounting does not come out even: {0}")]
    Uneven(String),
    #[error("{0}")]
    Setup(String),
    #[error("the output is gone: {0}")]
    Output(std::io::Error),
    #[error("a task of the demo ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
}
