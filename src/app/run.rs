//! `tsur run`: the consumer group member. Starts the poll thread, gives every assigned partition its worker, and ends
//! everything within one shutdown budget.
//! Invariants: a worker exists exactly as long as its assignment; a failed worker ends the process (a restart recovers
//! from everything), a stopped one does not end the others; ending never waits without a limit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use thiserror::Error;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::app::alerts::Alerts;
use crate::app::registry::Registry;
use crate::app::reload::{NewRules, rulebook};
use crate::app::rules::{RulesError, SharedRules, SourceRules};
use crate::config::{Config, Pipeline};
use crate::kafka::admin::AdminError;
use crate::kafka::chunk::Chunk;
use crate::kafka::client::{base_config, consumer};
use crate::kafka::committer::Committer;
use crate::kafka::courier::Courier;
use crate::kafka::ends::{self, Ends};
use crate::kafka::poll::{Command, PollError, PollEvent, PollStats, Poller};
use crate::model::ids::{AssignmentEpoch, StreamEpoch};
use crate::model::windows::Retention;
use crate::partition::clock::Clock;
use crate::partition::flight::{Backoff, Stop};
use crate::partition::fold::{BatchLimits, Fold};
use crate::partition::ports::{SchemaSource, StreamId};
use crate::partition::recovery::{Consent, LogView};
use crate::partition::rulebook::Rulebook;
use crate::partition::status::PartitionStatus;
use crate::partition::worker::{Assignment, Timing, Worker, WorkerEnd};
use crate::problems::job::{self as problems, Problems};
use crate::rejects::Landings;
use crate::rejects::outbox::Outbox;
use crate::schema_registry::SchemaRegistry;
use crate::sink::clickhouse::ClickHouse;
use crate::telemetry::metrics;

/// Longest pause between two attempts at a server that is away.
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_secs(8);

/// Leaving the group takes this long at most, and with a second signal no longer than the other.
const CLOSING: Duration = Duration::from_secs(5);
const AT_ONCE: Duration = Duration::from_millis(500);
/// Telling the last rejects takes this long at most; what is left is told after the next start.
const TELLING: Duration = Duration::from_secs(3);
/// The part of the shutdown budget that is kept for leaving the group.
const CLOSING_SHARE: u32 = 10;

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

struct Running {
    stop: watch::Sender<Stop>,
    stream: StreamId,
}

struct Member {
    config: Arc<Config>,
    shared: Arc<SharedRules>,
    /// By source.
    rulebooks: HashMap<String, watch::Sender<Arc<Rulebook<SourceRules>>>>,
    options: RunOptions,
    sink: Arc<ClickHouse>,
    committer: Committer,
    commands: Sender<Command>,
    slots: Arc<Semaphore>,
    schemas: Option<Arc<dyn SchemaSource>>,
    rejects: Option<Landings>,
    registry: Arc<Registry>,
    /// `None` when they are off.
    alerts: Option<Alerts>,
    running: HashMap<AssignmentEpoch, Running>,
    workers: JoinSet<(AssignmentEpoch, WorkerEnd)>,
    stopped: Vec<(AssignmentEpoch, StreamId, String)>,
    /// Partitions whose lag was told, so that it can be taken back when another process has them.
    told: Vec<StreamId>,
}

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
    problems::start(sink.client().clone(), Box::new(is_ours))
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

impl Member {
    async fn serve(
        &mut self,
        events: &mut UnboundedReceiver<PollEvent>,
        signal: &mut Signal,
        changes: &mut UnboundedReceiver<NewRules>,
    ) -> Result<(), RunError> {
        let mut second = tokio::time::interval(Duration::from_millis(250));
        let mut idle_since = Instant::now();
        let mut seen_records = 0;
        loop {
            tokio::select! {
                biased; // the end first, then partitions coming and going, then bookkeeping
                _ = signal.changed() => {
                    info!("asked to end, draining");
                    return Ok(());
                }
                event = events.recv() => match event {
                    Some(PollEvent::Assigned { stream, epoch, log, chunks, gate }) => {
                        let committer = self.committer.behind(gate);
                        self.assign(stream, epoch, log, chunks, committer);
                    }
                    Some(PollEvent::Revoked { epoch, within }) => self.revoke(epoch, within),
                    Some(PollEvent::Ended(result)) => return Ok(result?),
                    None => return Ok(()),
                },
                Some(ended) = self.workers.join_next() => self.ended(ended)?,
                Some(new) = changes.recv() => self.change_rules(new),
                _ = second.tick() => {
                    self.observe();
                    let records = self.registry.poll.records.load(Ordering::Relaxed);
                    let totals = self.registry.totals();
                    if records != seen_records || !totals.all_settled || totals.partitions == 0 {
                        seen_records = records;
                        idle_since = Instant::now();
                    }
                    if self.options.until_idle.is_some_and(|idle| idle_since.elapsed() >= idle) {
                        info!("nothing left to read");
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The workers switch by themselves, each between two batches.
    fn change_rules(&mut self, new: NewRules) {
        for pipeline in &new.config.pipelines {
            if let Some(book) = self.rulebooks.get(&pipeline.source) {
                book.send_replace(rulebook(&new.config, &new.shared, pipeline));
            }
        }
        self.config = Arc::new(new.config);
        self.shared = new.shared;
    }

    fn assign(
        &mut self,
        stream: StreamId,
        epoch: AssignmentEpoch,
        log: LogView,
        chunks: UnboundedReceiver<Chunk>,
        committer: Committer,
    ) {
        let found = self.config.pipelines.iter().find(|pipeline| pipeline.kafka_topic == *stream.topic);
        let (Some(pipeline), Some(rulebooks)) = (found, self.rulebooks.get(&*stream.source)) else {
            let _ = self.commands.send(Command::Left { epoch });
            return;
        };
        let settings = &self.config.settings;
        let limits = BatchLimits {
            rows: settings.batch.max_rows,
            bytes: settings.batch.max_bytes,
            max_record_bytes: settings.limits.max_record_bytes,
        };
        let retention = Retention::OF_TABLES;
        let rulebooks = rulebooks.subscribe();
        let book = rulebooks.borrow().clone();
        let names = self.shared.names.clone();
        let fold = Fold::new(stream.clone(), names, (book.mapper)(), book.rules.clone(), limits, retention);
        let assignment = Assignment {
            stream: stream.clone(),
            epoch,
            stream_epoch: StreamEpoch(pipeline.stream_epoch),
            rules: book.version,
            log_view: log,
            consent: self.options.consent,
            timing: Timing {
                max_age: settings.batch.max_age,
                idle_age: settings.batch.idle_age,
                max_consecutive_rejects: settings.limits.max_consecutive_rejects,
                max_reject_ratio: settings.limits.max_reject_ratio,
            },
            retention,
            backoff: Backoff { first: settings.clickhouse.first_backoff, longest: LONGEST_BACKOFF, salt: epoch.0 },
            clock: Clock::system(),
            alerts: self.alerts.as_ref().map(|alerts| alerts.desk(&stream)),
            rejects: self.rejects.clone(),
        };
        let (stop, stop_inbox) = watch::channel(Stop::No);
        let (status, status_copy) = watch::channel(PartitionStatus::default());
        let worker = Worker::new(
            assignment,
            fold,
            committer,
            self.sink.clone(),
            chunks,
            self.commands.clone(),
            self.slots.clone(),
            stop_inbox,
            status,
        )
        .with_schemas(self.schemas.clone())
        .with_rulebooks(rulebooks);
        self.registry.add(epoch, stream.clone(), status_copy);
        self.running.insert(epoch, Running { stop, stream });
        self.workers.spawn(async move { (epoch, worker.run().await) });
    }

    fn revoke(&mut self, epoch: AssignmentEpoch, within: Duration) {
        if let Some(running) = self.running.get(&epoch) {
            running.stop.send_replace(Stop::DrainUntil(tokio::time::Instant::now() + within));
        } else {
            // a stopped partition goes to another process, which will say the same of it if it is still true
            self.registry.remove(epoch);
            self.stopped.retain(|(stopped, ..)| *stopped != epoch);
        }
    }

    fn ended(&mut self, ended: Result<(AssignmentEpoch, WorkerEnd), tokio::task::JoinError>) -> Result<(), RunError> {
        let (epoch, end) =
            ended.map_err(|panic| RunError::Failed { partition: "?".to_owned(), problem: panic.to_string() })?;
        let stream = self.running.remove(&epoch).map(|running| running.stream);
        match (end, stream) {
            (WorkerEnd::Stopped(problem), Some(stream)) => {
                self.stopped.push((epoch, stream, problem)); // stays visible in health
            }
            (WorkerEnd::Failed(problem), stream) => {
                let partition = stream.map_or_else(|| "?".to_owned(), |stream| stream.to_string());
                return Err(RunError::Failed { partition, problem });
            }
            _ => self.registry.remove(epoch),
        }
        Ok(())
    }

    fn observe(&mut self) {
        let totals = self.registry.totals();
        let poll: &PollStats = &self.registry.poll;
        metrics::overview(&metrics::Overview {
            records: poll.records.load(Ordering::Relaxed),
            budget_records: poll.in_memory_records.load(Ordering::Relaxed),
            budget_bytes: poll.in_memory_bytes.load(Ordering::Relaxed),
            paused: poll.paused.load(Ordering::Relaxed),
            partitions: totals.partitions,
            cases: totals.cases,
            windows: totals.windows,
            unready: self.registry.unready_by_kind(),
            ready: self.registry.unready().is_empty(),
            rules_refused: self.registry.rules().1.is_some(),
        });
        let lags = self.registry.lags();
        for gone in self.told.iter().filter(|told| lags.iter().all(|(stream, _)| stream != *told)) {
            metrics::lag(&gone.topic, gone.partition.0, 0);
        }
        for (stream, records) in &lags {
            metrics::lag(&stream.topic, stream.partition.0, *records);
        }
        self.told = lags.into_iter().map(|(stream, _)| stream).collect();
    }

    /// Drains every worker within the budget; a second signal ends the waiting. What does not land is left as an open
    /// intent, so nothing is lost either way.
    /// Gives the moment at which the whole budget ends.
    async fn shut_down(
        &mut self,
        signal: &mut Signal,
        events: &mut UnboundedReceiver<PollEvent>,
    ) -> tokio::time::Instant {
        self.registry.set_draining();
        let budget = self.config.settings.shutdown.budget.min(self.config.settings.kafka.drain());
        let budget_ends = tokio::time::Instant::now() + budget;
        let deadline = budget_ends - budget / CLOSING_SHARE;
        for running in self.running.values() {
            running.stop.send_replace(Stop::DrainUntil(deadline));
        }
        while !self.running.is_empty() {
            tokio::select! {
                biased; // a second signal must not wait for anything
                () = second_signal(signal) => {
                    warn!("stopped at once; what was in flight is finished by the next owner");
                    break;
                }
                ended = self.workers.join_next() => match ended {
                    Some(Ok((epoch, end))) => {
                        let gone = self.running.remove(&epoch);
                        if let (Some(gone), WorkerEnd::Stopped(problem)) = (gone, end) {
                            self.stopped.push((epoch, gone.stream, problem));
                        }
                    }
                    Some(Err(panic)) => warn!(%panic, "a worker panicked while draining"),
                    None => break,
                },
                event = events.recv() => if let Some(PollEvent::Assigned { epoch, .. }) = event {
                    let _ = self.commands.send(Command::Left { epoch });
                },
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        self.workers.shutdown().await;
        let _ = self.commands.send(Command::Shutdown); // the poll thread may have ended by itself
        budget_ends
    }
}

async fn second_signal(signal: &mut Signal) {
    loop {
        if *signal.borrow_and_update() >= 2 {
            return;
        }
        if signal.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
