//! `tsur run`: starts the poll thread, the member of the consumer group (see `member`) and what works beside it, and ends
//! everything within one shutdown budget.
//! Invariants: what is started here is ended here, in the opposite order; ending never waits without a limit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::warn;

use crate::app::alerts::Alerts;
use crate::app::member::Member;
use crate::app::registry::Registry;
use crate::app::reload::{NewRules, rulebook};
use crate::app::rules::{RulesError, SharedRules};
use crate::config::{Config, Pipeline};
use crate::kafka::admin::AdminError;
use crate::kafka::client::{base_config, consumer};
use crate::kafka::committer::Committer;
use crate::kafka::courier::Courier;
use crate::kafka::ends::{self, Ends};
use crate::kafka::poll::{PollError, Poller};
use crate::model::windows::Retention;
use crate::partition::flight::Backoff;
use crate::partition::ports::SchemaSource;
use crate::partition::recovery::Consent;
use crate::problems::job::{self as problems, Problems};
use crate::rejects::Landings;
use crate::rejects::outbox::Outbox;
use crate::schema_registry::SchemaRegistry;
use crate::sink::clickhouse::ClickHouse;

/// Longest pause between two attempts at a server that is away.
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Leaving the group takes this long at most, and with a second signal no longer than the other.
const CLOSING: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_millis(500);
/// Telling the last rejects takes this long at most; what is left is told after the next start.
const TELLING: Duration = Duration::from_secs(3);
/// The part of the shutdown budget that is kept for leaving the group.
pub(super) const CLOSING_SHARE: u32 = 10;

/// What the command line adds to the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunOptions {
    pub consent: Consent,
    /// End when nothing was left to read for this long.
    pub until_idle: Option<Duration>,
}

#[derive(Debug, Error)]
pub enum RunError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Admin(#[from] AdminError),
    #[error("kafka: {0}")]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Poll(#[from] PollError),
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
    #[error("partition {partition} failed: {problem}")]
    Failed { partition: String, problem: String },
    #[error("{count} partition(s) stopped and need an operator; the first is {partition}: {problem}")]
    Stopped { count: usize, partition: String, problem: String },
}

/// How the process is told to end: 0 go on, 1 drain, 2 at once.
pub type Signal = watch::Receiver<u8>;

/// Runs until told to stop, until idle, or until something needs a restart.
pub async fn run(
    config: Arc<Config>,
    shared: Arc<SharedRules>,
    registry: Arc<Registry>,
    options: RunOptions,
    mut signal: Signal,
    mut changes: UnboundedReceiver<NewRules>,
) -> Result<(), RunError> {
    let (rebalances, rebalance_inbox) = channel();
    let (commands, command_inbox) = channel();
    let (events, mut event_inbox) = unbounded_channel();
    let consumer = consumer(&config.settings.kafka, rebalances)?;
    let topics: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.kafka_topic.as_str()).collect();
    consumer.subscribe(&topics)?;
    let (committer, _commit_thread) = Committer::start(consumer.clone())?;
    let _ends = ends::watch(&base_config(&config.settings.kafka), registry.clone())?;
    let budget = &config.settings.budget;
    let poller = Poller {
        consumer,
        rebalances: rebalance_inbox,
        commands: command_inbox,
        events,
        stats: registry.poll.clone(),
        limits: crate::kafka::budget::Limits {
            records: budget.records,
            bytes: budget.bytes,
            reopen_ratio: budget.reopen_ratio,
        },
        drain: config.settings.kafka.drain(),
        sources: config.pipelines.iter().map(source_entry).collect(),
    };
    let poll_thread =
        std::thread::Builder::new().name("tsur-poll".to_owned()).spawn(move || crate::kafka::poll::run(poller))?;

    let sink = Arc::new(ClickHouse::new(&config.settings.clickhouse, shared.names.clone(), Retention::OF_TABLES));
    let alerts = Alerts::start(&config, &shared, &sink, &registry);
    let rulebooks = config
        .pipelines
        .iter()
        .map(|pipeline| (pipeline.source.clone(), watch::Sender::new(rulebook(&config, &shared, pipeline))))
        .collect();
    let problems = start_problems(&config, &sink, &registry);
    let schemas = SchemaRegistry::connect(&config.settings.schema_registry);
    let slots = Arc::new(Semaphore::new(config.settings.batch.insert_slots));
    let (rejects, telling) = start_rejects(&config, &sink);
    let mut member = Member {
        config,
        shared,
        rulebooks,
        options,
        sink,
        committer,
        commands,
        slots,
        schemas: schemas.map(|schemas| Arc::new(schemas) as Arc<dyn SchemaSource>),
        rejects,
        registry,
        alerts,
        running: HashMap::new(),
        workers: JoinSet::new(),
        stopped: Vec::new(),
        told: Vec::new(),
    };
    let outcome = member.serve(&mut event_inbox, &mut signal, &mut changes).await;
    let budget_ends = member.shut_down(&mut signal, &mut event_inbox).await;
    let alerts = member.alerts.take();
    member.rejects = None; // the last handle but those of the workers, which are gone
    let at_once = *signal.borrow() >= 2;
    let last_words = async {
        let end_alerts = async {
            if let Some(alerts) = alerts {
                alerts.end(at_once).await;
            }
        };
        tokio::join!(end_alerts, end_rejects(telling, at_once), problems.end(at_once));
    };
    // with a server away there is nothing to wait for, and one budget is for all
    if tokio::time::timeout_at(budget_ends, last_words).await.is_err() {
        warn!("what was not told yet is told after the next start");
    }
    // the last handles of the consumer go here; closing it leaves the group, which must not outlast the budget
    drop(member.committer);
    let closing = tokio::task::spawn_blocking(move || poll_thread.join());
    let patience = if *signal.borrow() >= 2 { AT_ONCE } else { CLOSING };
    if tokio::time::timeout(patience, closing).await.is_err() {
        warn!("the consumer did not close in time; the group will notice by its session");
    }
    outcome?;
    match member.stopped.first() {
        Some((_, partition, problem)) => Err(RunError::Stopped {
            count: member.stopped.len(),
            partition: partition.to_string(),
            problem: problem.clone(),
        }),
        None => Ok(()),
    }
}

/// The task that tells upstreams of their rejected records.
fn start_rejects(config: &Config, sink: &ClickHouse) -> (Option<Landings>, JoinSet<()>) {
    let mut tasks = JoinSet::new();
    let settings = &config.settings.rejects;
    if !settings.enabled {
        return (None, tasks);
    }
    let (landings, reaches) = Landings::new();
    let outbox = Outbox {
        client: sink.client().clone(),
        courier: Courier::new(base_config(&config.settings.kafka)),
        topic: settings.kafka_topic.clone(),
        backoff: Backoff { first: config.settings.clickhouse.first_backoff, longest: LONGEST_BACKOFF, salt: 0 },
    };
    tasks.spawn(outbox.run(reaches));
    (Some(landings), tasks)
}

/// The task that links cases into problems, in the process that has the first partition.
fn start_problems(config: &Config, sink: &ClickHouse, registry: &Arc<Registry>) -> Problems {
    let topics = config.pipelines.iter().map(|pipeline| pipeline.kafka_topic.as_str());
    let (first, partitions) = (topics.min().unwrap_or_default().to_owned(), registry.clone());
    let is_ours = move || {
        let streams = partitions.streams();
        streams.iter().any(|stream| *stream.topic == *first && stream.partition.0 == 0)
    };
    problems::start(sink.client().clone(), config.settings.problems.clone(), Box::new(is_ours))
}

/// Lets the last rejects out, but not for long: the journal has them, and the next start tells what is left.
async fn end_rejects(mut telling: JoinSet<()>, at_once: bool) {
    let patience = if at_once { Duration::ZERO } else { TELLING };
    let told = tokio::time::timeout(patience, async { while telling.join_next().await.is_some() {} }).await;
    if told.is_err() {
        warn!("rejects that were not told yet are told after the next start");
    }
    telling.shutdown().await;
}

fn source_entry(pipeline: &Pipeline) -> (String, (Arc<str>, Arc<str>)) {
    (pipeline.kafka_topic.clone(), (Arc::from(pipeline.name.as_str()), Arc::from(pipeline.source.as_str())))
}
