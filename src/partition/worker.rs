//! The one task that owns a Kafka partition and all its state: Restoring, Replaying, Running, Draining.
//! Invariants: one batch is in flight at a time and the next one fills meanwhile; a batch is sealed when it is due and a
//! slot is free; a partition that is taken away leaves its open intent to the next owner; nothing here is shared or locked.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::alerts::desk::Desk;
use crate::kafka::chunk::Chunk;
use crate::kafka::poll::Command;
use crate::model::apply::DeadlineRules;
use crate::model::ids::{AssignmentEpoch, Offset, RulesVersion, StreamEpoch};
use crate::model::windows::Retention;
use crate::partition::batch::Written;
use crate::partition::clock::Clock;
use crate::partition::flight::{Backoff, FlightError, Stop, time_is_up};
use crate::partition::fold::{Fold, Progress};
use crate::partition::ports::{NewDues, OffsetLog, SchemaSource, Sink, StreamId};
use crate::partition::recovery::{Consent, LogView};
use crate::partition::rulebook::Rulebooks;
use crate::partition::status::{PartitionStatus, Phase};
use crate::partition::tally::Tally;
use crate::rejects::Landings;

/// How often an idle partition looks at the clock.
const TICK: Duration = Duration::from_millis(200);

/// When a batch is due.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    pub max_age: Duration,
    /// For a partition that gets only a few records.
    pub idle_age: Duration,
    /// So many rejects in a row stop the partition; 0 never does.
    pub max_consecutive_rejects: u32,
    /// So large a share of rejects among the last records stops the partition; 1.0 never does.
    pub max_reject_ratio: f64,
}

/// What a worker is given.
pub struct Assignment {
    pub stream: StreamId,
    pub epoch: AssignmentEpoch,
    pub stream_epoch: StreamEpoch,
    pub rules: RulesVersion,
    pub log_view: LogView,
    pub consent: Consent,
    pub timing: Timing,
    pub retention: Retention,
    pub backoff: Backoff,
    pub clock: Clock,
    /// `None`: this process raises no alerts.
    pub alerts: Option<Desk>,
    /// `None`: this process tells nobody of rejects.
    pub rejects: Option<Landings>,
}

/// How a worker ended.
#[derive(Debug)]
pub enum WorkerEnd {
    /// Told to; everything in flight landed or was left to the next owner.
    Drained,
    /// The group expelled us.
    Fenced(String),
    /// This partition cannot go on without an operator; others can.
    Stopped(String),
    /// The process cannot go on: a restart, or a repair, is needed.
    Failed(String),
}

/// The batch in flight.
pub(super) struct InFlight {
    pub(super) handle: JoinHandle<Result<Option<Written>, FlightError>>,
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) tally: Tally,
    pub(super) since: Instant,
    pub(super) is_batch: bool,
    pub(super) end: Offset,
}

impl Drop for InFlight {
    /// A flight ends with its worker: a commit of it that is still waiting could otherwise reach the broker after the next
    /// owner began, and as long as this process is a member of the group, the broker would take it.
    fn drop(&mut self) {
        self.handle.abort();
    }
}

type SlotWait = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// The worker itself.
pub struct Worker<R, L, S> {
    pub(super) a: Assignment,
    pub(super) fold: Fold<R>,
    pub(super) log: L,
    pub(super) sink: Arc<S>,
    pub(super) chunks: UnboundedReceiver<Chunk>,
    pub(super) commands: Sender<Command>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) status: watch::Sender<PartitionStatus>,
    pub(super) trouble: watch::Sender<Option<String>>,
    /// Offset after the last record that is accounted, in flight or in the batch being filled.
    pub(super) next: Offset,
    /// Begin of the batch being filled.
    pub(super) begin: Offset,
    pub(super) pending: VecDeque<(Chunk, usize)>,
    /// Room that the batch being filled holds in the budget.
    pub(super) held: (usize, usize),
    pub(super) oldest: Option<Instant>,
    pub(super) flight: Option<InFlight>,
    pub(super) written: Option<(Written, Instant)>,
    pub(super) windows_at: Instant,
    pub(super) recount_at: Instant,
    pub(super) backlog_minute: u32,
    pub(super) batch_minute: u32,
    /// `None` where no pipeline needs one.
    pub(super) schemas: Option<Arc<dyn SchemaSource>>,
    pub(super) schemas_at: Instant,
    /// `None` where the rules do not change.
    pub(super) rulebooks: Option<Rulebooks<R>>,
    /// New deadlines that wait for a flight.
    pub(super) dues: VecDeque<NewDues>,
}

impl<R, L, S> Worker<R, L, S>
where
    R: DeadlineRules + Send + Sync + 'static,
    L: OffsetLog + Clone,
    S: Sink,
{
    #[expect(clippy::too_many_arguments, reason = "the wiring of a worker stands in one place, `app`")]
    pub fn new(
        assignment: Assignment,
        fold: Fold<R>,
        log: L,
        sink: Arc<S>,
        chunks: UnboundedReceiver<Chunk>,
        commands: Sender<Command>,
        slots: Arc<Semaphore>,
        stop: watch::Receiver<Stop>,
        status: watch::Sender<PartitionStatus>,
    ) -> Worker<R, L, S> {
        Worker {
            a: assignment,
            fold,
            log,
            sink,
            chunks,
            commands,
            slots,
            stop,
            status,
            trouble: watch::Sender::new(None),
            next: Offset(0),
            begin: Offset(0),
            pending: VecDeque::new(),
            held: (0, 0),
            oldest: None,
            flight: None,
            written: None,
            windows_at: Instant::now(),
            recount_at: Instant::now(),
            backlog_minute: 0,
            batch_minute: 0,
            schemas: None,
            schemas_at: Instant::now(),
            rulebooks: None,
            dues: VecDeque::new(),
        }
    }

    /// Where schemas come from that records name by number.
    pub fn with_schemas(mut self, schemas: Option<Arc<dyn SchemaSource>>) -> Self {
        self.schemas = schemas;
        self
    }

    /// Owns the partition from assignment to end.
    pub async fn run(mut self) -> WorkerEnd {
        let epoch = self.a.epoch;
        let stop = self.stop.clone();
        let end = tokio::select! {
            biased; // wherever the worker is, it does not outlive its time: a commit that still waits then must not be sent
            () = time_is_up(stop) => WorkerEnd::Drained,
            end = self.live() => end,
        };
        match &end {
            WorkerEnd::Drained => info!(partition = %self.a.stream, "partition drained"),
            WorkerEnd::Fenced(problem) => warn!(partition = %self.a.stream, problem, "partition lost"),
            WorkerEnd::Stopped(problem) | WorkerEnd::Failed(problem) => {
                error!(partition = %self.a.stream, problem, "partition stopped");
            }
        }
        self.status.send_modify(|status| {
            status.phase = Phase::Ended;
            if let WorkerEnd::Stopped(problem) | WorkerEnd::Failed(problem) = &end {
                status.problem = Some(problem.clone());
            }
        });
        let _ = self.commands.send(Command::Left { epoch }); // the poll thread may be gone already
        end
    }

    async fn live(&mut self) -> WorkerEnd {
        match self.recover().await {
            Ok(from) => {
                self.next = from;
                self.begin = from;
                if let Some(desk) = &mut self.a.alerts {
                    self.fold.clock_changes = Some(Vec::new());
                    desk.landed(from);
                }
                self.tell_rejects(from); // what an earlier owner did not get to
                self.status.send_modify(|status| {
                    (status.phase, status.position, status.written) = (Phase::Running, from, from);
                });
                self.serve().await
            }
            Err(end) => end,
        }
    }

    /// Rejects below the offset are in the journal.
    pub(super) fn tell_rejects(&self, below: Offset) {
        if let Some(rejects) = &self.a.rejects {
            rejects.landed(&self.a.stream, self.a.stream_epoch, below);
        }
    }

    async fn serve(&mut self) -> WorkerEnd {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut slot_wait: Option<SlotWait> = None;
        loop {
            let stop = *self.stop.borrow();
            if let Stop::DrainUntil(deadline) = stop {
                return self.drain(deadline).await;
            }
            if self.is_due() && slot_wait.is_none() {
                let slots = self.slots.clone();
                slot_wait = Some(Box::pin(async move { slots.acquire_owned().await.ok() }));
            }
            // a batch never waits for the age of the next record: due and free are checked on every turn
            let wants_records = !self.fold.is_full() && self.pending.is_empty();
            tokio::select! {
                biased; // stop first, then landings (they free room), then sealing, then new records
                changed = self.stop.changed() => {
                    if changed.is_err() {
                        return self.drain(Instant::now()).await;
                    }
                }
                landed = landing(&mut self.flight), if self.flight.is_some() => {
                    if let Err(end) = self.landed(landed) {
                        return end;
                    }
                }
                slot = wait_for(&mut slot_wait), if slot_wait.is_some() => {
                    slot_wait = None;
                    if let Err(end) = self.seal(slot) {
                        return end;
                    }
                }
                chunk = self.chunks.recv(), if wants_records => {
                    let Some(chunk) = chunk else { return self.drain(Instant::now()).await };
                    self.pending.push_back((chunk, 0));
                }
                _ = tick.tick() => {
                    if let Err(end) = self.keep_up().await {
                        return end;
                    }
                }
            }
            if let Err(end) = self.work_off().await {
                return end;
            }
            self.raise_alerts();
        }
    }

    /// Alerts leave when nothing waits to be folded: the next record may be the answer.
    fn raise_alerts(&mut self) {
        let Some(desk) = &mut self.a.alerts else { return };
        for key in self.fold.clock_changes.iter_mut().flat_map(|changes| changes.drain(..)) {
            desk.touch(key, self.next);
        }
        if self.pending.is_empty() && !self.fold.is_full() {
            desk.turn(&self.fold.cases, self.fold.rules(), self.a.clock.unix_millis());
        }
    }

    /// Folds what is pending as far as the batch has room.
    async fn work_off(&mut self) -> Result<(), WorkerEnd> {
        self.adopt_rules();
        while let Some((chunk, first)) = self.pending.pop_front() {
            let wanted = self.next.0..u64::MAX;
            let now = self.a.clock.now();
            let rows = self.fold.rows();
            let progress = self.fold.process(&chunk, first, wanted, now);
            let stopped_at = match progress {
                Progress::Done => chunk.len(),
                Progress::Full(index) | Progress::NeedsCases(index) | Progress::NeedsSchema(index, _) => index,
            };
            if self.fold.rows() > rows && self.oldest.is_none() {
                self.oldest = Some(Instant::now());
            }
            if stopped_at > first {
                let last = chunk.record(stopped_at - 1).0;
                self.next = self.next.max(last.offset.next());
                if let Some(desk) = &mut self.a.alerts {
                    desk.note_read(last.time, self.a.clock.unix_millis(), self.next);
                }
            }
            self.watch_rejects()?;
            match progress {
                Progress::Done => self.hold(&chunk),
                Progress::Full(index) => {
                    self.pending.push_front((chunk, index));
                    return Ok(());
                }
                Progress::NeedsSchema(index, id) => {
                    self.learn_schema(id).await?;
                    self.pending.push_front((chunk, index));
                }
                Progress::NeedsCases(index) => {
                    let keys = self.fold.missing_cases(&chunk, index, self.next.0..u64::MAX);
                    let (wanted_keys, below) = (&keys, self.next);
                    let cases = self
                        .patiently(|sink, stream| async move { sink.load_cases(&stream, wanted_keys, below).await })
                        .await?;
                    let found: std::collections::HashSet<_> = cases.iter().map(|case| case.key).collect();
                    for case in cases {
                        self.fold.cases.insert(case);
                    }
                    if let Some(lost) = keys.iter().find(|key| !found.contains(key)) {
                        return Err(WorkerEnd::Stopped(format!(
                            "case {} was in the journal and is not any more: the journal was cut while we ran",
                            lost.0
                        )));
                    }
                    self.pending.push_front((chunk, index));
                }
            }
        }
        Ok(())
    }

    /// A flood of rejects is a broken pipeline file or sender: going on would empty the topic into dead letters.
    fn watch_rejects(&mut self) -> Result<(), WorkerEnd> {
        let timing = self.a.timing;
        let run = self.fold.tally.rejects_in_a_row;
        let in_a_row = timing.max_consecutive_rejects > 0 && run >= timing.max_consecutive_rejects;
        let share = self.fold.recent.reject_share();
        let too_many = timing.max_reject_ratio < 1.0 && share.is_some_and(|share| share > timing.max_reject_ratio);
        if !in_a_row && !too_many {
            return Ok(());
        }
        let what = if in_a_row {
            format!("{run} records in a row were rejected")
        } else {
            format!("{:.0} % of the last records were rejected", 100.0 * share.unwrap_or_default())
        };
        let last = &self.fold.last_reject;
        Err(WorkerEnd::Stopped(format!(
            "{what}, the last at offset {}: {last}. That is a broken pipeline file or sender, not a broken record. See \
             v_dead_letters, correct the one or the other, or raise limits.max_consecutive_rejects or limits.max_reject_ratio, and start again: what is not in the \
             journal yet will be read again",
            last.offset
        )))
    }

    /// Records read beyond a replayed range wait for the running phase.
    pub(super) fn keep_rest(&mut self, chunk: Chunk) {
        self.pending.push_back((chunk, 0)); // what lies before `next` is passed over
    }

    /// The whole chunk is folded: its room now belongs to the batch being filled.
    fn hold(&mut self, chunk: &Chunk) {
        if self.fold.rows() == 0 {
            // every record of it was accounted before
            let _ =
                self.commands.send(Command::Refund { epoch: self.a.epoch, records: chunk.len(), bytes: chunk.bytes() });
            return;
        }
        self.held.0 += chunk.len();
        self.held.1 += chunk.bytes();
    }
}

pub(super) async fn landing(
    flight: &mut Option<InFlight>,
) -> Result<Result<Option<Written>, FlightError>, tokio::task::JoinError> {
    match flight {
        Some(flight) => (&mut flight.handle).await,
        None => std::future::pending().await,
    }
}

async fn wait_for(slot: &mut Option<SlotWait>) -> Option<OwnedSemaphorePermit> {
    match slot {
        Some(slot) => slot.await,
        None => std::future::pending().await,
    }
}
