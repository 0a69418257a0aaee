//! The member of the consumer group: which partitions this process has, and a worker for each.
//! Owner: `run`. Invariants: a worker exists exactly as long as its assignment; a failed worker ends the process (a restart
//! recovers from everything), a stopped one does not end the others; ending never waits without a limit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::app::alerts::Alerts;
use crate::app::registry::Registry;
use crate::app::reload::{NewRules, rulebook};
use crate::app::rules::{SharedRules, SourceRules};
use crate::app::run::{CLOSING_SHARE, LONGEST_BACKOFF, RunError, RunOptions, Signal};
use crate::config::Config;
use crate::kafka::chunk::Chunk;
use crate::kafka::committer::Committer;
use crate::kafka::poll::{Command, PollEvent, PollStats};
use crate::model::ids::{AssignmentEpoch, StreamEpoch};
use crate::model::windows::Retention;
use crate::partition::clock::Clock;
use crate::partition::flight::{Backoff, Stop};
use crate::partition::fold::{BatchLimits, Fold};
use crate::partition::ports::{SchemaSource, StreamId};
use crate::partition::recovery::LogView;
use crate::partition::rulebook::Rulebook;
use crate::partition::status::PartitionStatus;
use crate::partition::worker::{Assignment, Timing, Worker, WorkerEnd};
use crate::rejects::Landings;
use crate::sink::clickhouse::ClickHouse;
use crate::telemetry::metrics;

pub(super) struct Running {
    stop: watch::Sender<Stop>,
    stream: StreamId,
}

pub(super) struct Member {
    pub(super) config: Arc<Config>,
    pub(super) shared: Arc<SharedRules>,
    /// By source.
    pub(super) rulebooks: HashMap<String, watch::Sender<Arc<Rulebook<SourceRules>>>>,
    pub(super) options: RunOptions,
    pub(super) sink: Arc<ClickHouse>,
    pub(super) committer: Committer,
    pub(super) commands: Sender<Command>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) schemas: Option<Arc<dyn SchemaSource>>,
    pub(super) rejects: Option<Landings>,
    pub(super) registry: Arc<Registry>,
    /// `None` when they are off.
    pub(super) alerts: Option<Alerts>,
    pub(super) running: HashMap<AssignmentEpoch, Running>,
    pub(super) workers: JoinSet<(AssignmentEpoch, WorkerEnd)>,
    pub(super) stopped: Vec<(AssignmentEpoch, StreamId, String)>,
    /// Partitions whose lag was told, so that it can be taken back when another process has them.
    pub(super) told: Vec<StreamId>,
}

impl Member {
    pub(super) async fn serve(
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
    pub(super) async fn shut_down(
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
