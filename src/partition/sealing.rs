//! Batches of a worker: sealing, sending off, landing, and what an idle or leaving partition still owes.
//! Owner: the worker. Invariants: a batch is sealed only when none is in flight; projections never show rows that are not
//! sealed; a partition that leaves hands over tables that agree, as far as its time reaches.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tracing::warn;

use crate::kafka::poll::Command;
use crate::model::apply::DeadlineRules;
use crate::model::ids::OffsetRange;
use crate::model::time::Time;
use crate::partition::batch::{Intent, Written};
use crate::partition::flight::{Cargo, Crew, FlightError};
use crate::partition::ports::{OffsetLog, ProjectionRows, Sink};
use crate::partition::restore::ENDED_STAYS_SECONDS;
use crate::partition::status::Phase;
use crate::partition::tally::Tally;
use crate::partition::worker::{InFlight, Worker, WorkerEnd, landing};
use crate::sink::window_sql::RECOUNT_CHUNK;
use crate::telemetry::metrics;

/// Windows that changed are written at most this often, so that a fast drain sums them up first.
const WINDOWS_EVERY: Duration = Duration::from_secs(3);
/// Windows behind the horizon are recounted at most this often; well below `RECOUNT_LOOKBACK`.
const RECOUNT_EVERY: Duration = Duration::from_secs(30);
/// More changed windows than this are written at once.
const WINDOWS_AT_MOST: usize = 20_000;
/// How long a written batch may wait for the next begin to finish it.
const FINISH_AFTER: Duration = Duration::from_secs(1);
/// A batch with fewer rows may wait for the idle age: ClickHouse likes few parts.
const FEW_ROWS: usize = 50;

impl<R, L, S> Worker<R, L, S>
where
    R: DeadlineRules + Send + Sync + 'static,
    L: OffsetLog + Clone,
    S: Sink,
{
    pub(super) fn is_due(&self) -> bool {
        if self.flight.is_some() || self.fold.rows() == 0 {
            return false;
        }
        let age = self.oldest.map_or(Duration::ZERO, |oldest| oldest.elapsed());
        let patience = if self.fold.rows() < FEW_ROWS { self.a.timing.idle_age } else { self.a.timing.max_age };
        age >= patience || self.fold.is_full() || self.has_new_rules()
    }

    /// Seals what is filled and sends it off.
    pub(super) fn seal(&mut self, slot: Option<OwnedSemaphorePermit>) -> Result<(), WorkerEnd> {
        let Some(slot) = slot else { return Err(WorkerEnd::Drained) }; // the slots are closed: the process ends
        if self.flight.is_some() || self.fold.rows() == 0 {
            return Ok(());
        }
        let tick = self.a.clock.unix_millis();
        let range = OffsetRange { begin: self.begin, end: self.next };
        let intent = Intent { range, epoch: self.a.stream_epoch, rules: self.a.rules, tick };
        let rows = self.fold.rows();
        let block = Bytes::from(self.fold.seal(tick, self.a.rules));
        let minute = minute_of(tick);
        let projections = self.projections(minute, minute > self.batch_minute);
        self.batch_minute = self.batch_minute.max(minute);
        metrics::sealed(&self.a.stream.topic, rows, block.len());
        self.written = None; // its end is this begin
        let cargo = Cargo { batch: Some((intent, block)), projections, below: range.end };
        let (records, bytes) = std::mem::take(&mut self.held);
        let tally = self.fold.take_tally();
        self.launch(cargo, Some(slot), records, bytes, tally, true);
        self.begin = range.end;
        self.oldest = None;
        Ok(())
    }

    /// Changed windows, if their time has come, and the open work of a minute in which this is the first batch.
    fn projections(&mut self, minute: u32, with_backlog: bool) -> ProjectionRows {
        let mut rows = ProjectionRows::default();
        if self.owes_recount(RECOUNT_EVERY) {
            self.recount_at = Instant::now();
            rows.cold = self.fold.windows.take_cold();
        }
        let dirty = self.fold.windows.dirty_len();
        let is_time = self.windows_at.elapsed() >= WINDOWS_EVERY || dirty >= WINDOWS_AT_MOST;
        if dirty > 0 && (is_time || self.fold.windows.must_be_written_now()) {
            self.windows_at = Instant::now();
            rows.windows = self.fold.windows.take_dirty();
        }
        if with_backlog && let Some(start) = Time::from_unix_seconds(i64::from(minute) * 60) {
            self.backlog_minute = self.backlog_minute.max(minute);
            rows.backlog = self.fold.backlog(start);
        }
        rows.dues = self.take_dues();
        rows
    }

    /// Windows behind the horizon wait for a recount for at least this long. Each one reads the partition's whole
    /// journal: one a batch took most of the time of a steady stream. What is owed at a crash, the restore finds again.
    fn owes_recount(&self, patience: Duration) -> bool {
        let cold = self.fold.windows.cold_len();
        cold > 0 && (self.recount_at.elapsed() >= patience || cold >= RECOUNT_CHUNK)
    }

    fn launch(
        &mut self,
        cargo: Cargo,
        slot: Option<OwnedSemaphorePermit>,
        records: usize,
        bytes: usize,
        tally: Tally,
        is_batch: bool,
    ) {
        let end = cargo.below;
        let crew = self.crew();
        let handle = tokio::spawn(crew.fly(cargo, slot));
        self.flight = Some(InFlight { handle, records, bytes, tally, since: Instant::now(), is_batch, end });
    }

    pub(super) fn crew(&self) -> Crew<L, S> {
        Crew {
            stream: self.a.stream.clone(),
            log: self.log.clone(),
            sink: self.sink.clone(),
            backoff: self.a.backoff,
            stop: self.stop.clone(),
            trouble: self.trouble.clone(),
        }
    }

    pub(super) fn landed(
        &mut self,
        result: Result<Result<Option<Written>, FlightError>, tokio::task::JoinError>,
    ) -> Result<(), WorkerEnd> {
        let Some(flight) = self.flight.take() else { return Ok(()) };
        match result {
            Ok(Ok(written)) => {
                if flight.is_batch {
                    if let Some(desk) = &mut self.a.alerts {
                        desk.landed(flight.end);
                    }
                    if flight.tally.rejected > 0 {
                        self.tell_rejects(flight.end);
                    }
                    self.written = written.map(|written| (written, Instant::now()));
                    metrics::landed(&self.a.stream.topic, flight.tally, flight.since.elapsed());
                    let _ = self.commands.send(Command::Refund {
                        epoch: self.a.epoch,
                        records: flight.records,
                        bytes: flight.bytes,
                    });
                }
                self.report(&flight);
                Ok(())
            }
            Ok(Err(FlightError::Fenced(problem))) => Err(WorkerEnd::Fenced(problem)),
            Ok(Err(FlightError::OutOfTime)) => Err(WorkerEnd::Drained),
            Ok(Err(FlightError::Refused(problem))) => Err(WorkerEnd::Failed(problem)),
            Err(join) => Err(WorkerEnd::Failed(format!("the flight of a batch panicked: {join}"))),
        }
    }

    fn report(&self, flight: &InFlight) {
        let is_settled = self.is_settled(); // position and this belong together: `--until-idle` ends the process by them
        self.status.send_modify(|status| {
            status.is_settled = is_settled;
            status.written = flight.end;
            status.position = self.next;
            status.cases = self.fold.cases.len();
            status.evicted = self.fold.cases.evicted_len();
            status.windows = self.fold.windows.len();
            status.stream_time = self.fold.windows.stream_time();
            if flight.is_batch {
                status.batches += 1;
                status.rows.applied += flight.tally.applied;
                status.rows.duplicate += flight.tally.duplicate;
                status.rows.rejected += flight.tally.rejected;
                status.rows.ignored += flight.tally.ignored;
                status.last_flight = flight.since.elapsed();
            }
        });
    }

    /// What an idle partition owes: windows, the backlog of a minute without a batch, the finish of the last batch.
    pub(super) async fn keep_up(&mut self) -> Result<(), WorkerEnd> {
        self.forget_unknown_schemas();
        let trouble = self.trouble.borrow().clone();
        let is_settled = self.is_settled();
        self.status.send_modify(|status| {
            status.trouble = trouble;
            status.is_settled = is_settled;
            status.position = self.next;
            status.filling = self.fold.rows();
        });
        if self.flight.is_some() || self.fold.rows() > 0 {
            return Ok(()); // rows that are not sealed yet must not show in a projection
        }
        // the minute before is over: if it had no batch, its backlog is what the partition had then
        let last_whole = minute_of(self.a.clock.unix_millis()).saturating_sub(1);
        let owes_backlog = last_whole > self.backlog_minute.max(self.batch_minute);
        let owes_windows = self.fold.windows.dirty_len() > 0 && self.windows_at.elapsed() >= WINDOWS_EVERY;
        let owes_recount = self.owes_recount(WINDOWS_EVERY);
        let owes_dues = !self.dues.is_empty();
        if owes_recount {
            self.recount_at = Instant::now().checked_sub(RECOUNT_EVERY).unwrap_or(self.recount_at); // nothing else to do
        }
        if owes_backlog || owes_windows || owes_recount || owes_dues {
            let projections = self.projections(last_whole, owes_backlog);
            let cargo = Cargo { batch: None, projections, below: self.begin };
            self.launch(cargo, None, 0, 0, Tally::default(), false);
            if owes_backlog {
                self.fold.cases.evict_ended(self.a.clock.now().plus_seconds(-ENDED_STAYS_SECONDS));
            }
            return Ok(());
        }
        if self.written.as_ref().is_some_and(|(_, since)| since.elapsed() >= FINISH_AFTER) {
            self.finish().await;
        }
        Ok(())
    }

    /// Nothing read is unwritten, nothing written is unfinished.
    fn is_settled(&self) -> bool {
        self.flight.is_none()
            && self.fold.rows() == 0
            && self.pending.is_empty()
            && self.written.is_none()
            && self.fold.windows.dirty_len() == 0
            && self.fold.windows.cold_len() == 0
            && self.dues.is_empty()
    }

    async fn finish(&mut self) {
        if let Some((written, _)) = self.written.take()
            && let Err(problem) = written.finish(&self.log, &self.a.stream).await
        {
            // the rows are there; the next owner finds the intent and sees that they are
            warn!(partition = %self.a.stream, %problem, "the end of the last batch was not committed");
        }
    }

    /// Lets everything that is folded land within the time, then hands the partition back. What has no time stays: the
    /// next owner reads it again, or finds its intent.
    pub(super) async fn drain(&mut self, deadline: Instant) -> WorkerEnd {
        self.status.send_modify(|status| status.phase = Phase::Draining);
        self.pending.clear();
        if let Err(end) = self.land_until(deadline).await {
            return end;
        }
        // a stop in order leaves tables that agree with each other, not only a journal that the next owner completes
        self.windows_at = Instant::now().checked_sub(WINDOWS_EVERY).unwrap_or(self.windows_at);
        self.recount_at = Instant::now().checked_sub(RECOUNT_EVERY).unwrap_or(self.recount_at);
        if deadline <= Instant::now() {
            return WorkerEnd::Drained; // the partition is not ours any more, or the process ends now
        }
        if self.fold.rows() > 0 {
            let slot = self.slots.clone().acquire_owned();
            match tokio::time::timeout_at(deadline, slot).await {
                Ok(slot) => {
                    if let Err(end) = self.seal(slot.ok()) {
                        return end;
                    }
                }
                Err(_) => return WorkerEnd::Drained,
            }
        } else if self.fold.windows.dirty_len() + self.fold.windows.cold_len() + self.dues.len() > 0 {
            let projections = self.projections(0, false);
            let cargo = Cargo { batch: None, projections, below: self.begin };
            self.launch(cargo, None, 0, 0, Tally::default(), false);
        }
        if let Err(end) = self.land_until(deadline).await {
            return end;
        }
        if deadline > Instant::now() {
            self.finish().await;
        }
        WorkerEnd::Drained
    }

    async fn land_until(&mut self, deadline: Instant) -> Result<(), WorkerEnd> {
        if self.flight.is_none() {
            return Ok(());
        }
        let landed = landing(&mut self.flight);
        match tokio::time::timeout_at(deadline, landed).await {
            Ok(result) => self.landed(result),
            Err(_) => {
                warn!(partition = %self.a.stream, "the batch in flight is left to the next owner");
                Err(WorkerEnd::Drained)
            }
        }
    }
}

pub(super) fn minute_of(tick: i64) -> u32 {
    (tick / 60_000) as u32
}
