//! The first life of a worker: ask journal and offsets what happened before, restore, replay an open intent.
//! Invariants: an open intent is obeyed exactly (range, tick) before anything else; after a replay the state is that of the
//! journal's rows, because another process may have written them under other rules.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::kafka::chunk::Chunk;
use crate::kafka::poll::Command;
use crate::model::apply::DeadlineRules;
use crate::model::ids::{Offset, OffsetRange};
use crate::model::time::Time;
use crate::partition::batch::{Intent, Written, resume};
use crate::partition::flight::{FlightError, pause};
use crate::partition::fold::Progress;
use crate::partition::ports::{CommitError, JournalFold, OffsetLog, ProjectionRows, Sink, SinkError, StreamId};
use crate::partition::recovery::{Action, decide};
use crate::partition::restore::restore;
use crate::partition::status::Phase;
use crate::partition::worker::{Worker, WorkerEnd};

/// A replay that gets no new record for this long will not get one: Kafka gives what it has within seconds.
const NO_RECORD_FOR: Duration = Duration::from_secs(300);

impl<R, L, S> Worker<R, L, S>
where
    R: DeadlineRules + Send + Sync + 'static,
    L: OffsetLog + Clone,
    S: Sink,
{
    /// Brings the partition to the point where it can run; gives the offset to read from.
    pub(super) async fn recover(&mut self) -> Result<Offset, WorkerEnd> {
        self.status.send_modify(|status| status.phase = Phase::Restoring);
        let last = self.patiently(|sink, stream| async move { sink.last_offset(&stream).await }).await?;
        let action = decide(&self.a.log_view, last.map(Offset::next), self.a.stream_epoch, self.a.consent)
            .map_err(|refusal| WorkerEnd::Stopped(refusal.to_string()))?;
        match action {
            Action::Run { from } => {
                self.refill_up_to(from).await?;
                self.restore_below(from).await?;
                self.remember_start(from).await?;
                Ok(from)
            }
            Action::RunAfterGap { gap } => {
                warn!(partition = %self.a.stream, %gap, "the range is accepted as lost");
                self.patiently(|sink, stream| async move { sink.accept_gap(&stream, gap).await }).await?;
                self.restore_below(gap.end).await?;
                self.remember_start(gap.end).await?;
                Ok(gap.end)
            }
            Action::Replay { intent } => {
                self.restore_below(intent.range.begin).await?;
                self.replay(intent).await?;
                Ok(intent.range.end)
            }
        }
    }

    /// Where the partition goes on behind its committed offset, an intent was passed over, and its rows may be in the
    /// journal alone.
    async fn refill_up_to(&mut self, from: Offset) -> Result<(), WorkerEnd> {
        let Some((committed, _)) = self.a.log_view.committed.as_ref().filter(|(offset, _)| *offset < from) else {
            return Ok(());
        };
        let range = OffsetRange { begin: *committed, end: from };
        self.patiently(|sink, stream| async move { sink.refill_cases(&stream, range).await }).await
    }

    /// An operator's consent is used up once: where the partition goes on is committed, even if no record ever comes.
    async fn remember_start(&mut self, from: Offset) -> Result<(), WorkerEnd> {
        let committed = self.a.log_view.committed.as_ref().map(|(offset, _)| *offset);
        let consented = self.a.consent.resume_from_journal || self.a.consent.accept_gap;
        if !consented || committed == Some(from) {
            return Ok(());
        }
        match self.log.commit(&self.a.stream, from, "").await {
            Ok(()) => Ok(()),
            Err(CommitError::Fenced(problem)) => Err(WorkerEnd::Fenced(problem)),
            Err(problem) => {
                warn!(partition = %self.a.stream, %problem, "the start was not committed; the first batch will");
                Ok(())
            }
        }
    }

    async fn restore_below(&mut self, below: Offset) -> Result<(), WorkerEnd> {
        let started = Instant::now();
        let mut attempt = 0;
        loop {
            let restored =
                restore(&mut self.fold, &*self.sink, &self.a.stream, below, self.a.retention, self.a.clock.now()).await;
            match restored {
                Ok(()) => break,
                Err(error) => self.judge(error, &mut attempt).await?,
            }
        }
        self.redate_restored();
        info!(partition = %self.a.stream, %below, cases = self.fold.cases.len(), windows = self.fold.windows.len(),
            ms = started.elapsed().as_millis() as u64, "state restored");
        Ok(())
    }

    async fn replay(&mut self, intent: Intent) -> Result<(), WorkerEnd> {
        self.status.send_modify(|status| status.phase = Phase::Replaying);
        let range = intent.range;
        let there = self.patiently(|sink, stream| async move { sink.rows_in(&stream, range).await }).await?;
        info!(partition = %self.a.stream, %range, there, "an open intent is finished first");
        let written = if there > 0 {
            self.patiently(|sink, stream| async move { sink.refill_cases(&stream, range).await }).await?;
            let rows = self.patiently(|sink, stream| async move { sink.applied_rows(&stream, range).await }).await?;
            self.fold_rows(&rows, intent);
            resume(intent).found_in_journal()
        } else {
            self.write_again(intent).await?
        };
        self.redate_restored(); // the rows may have been made under other rules
        // a window that this range pushed behind the horizon is not restored by the next owner, so it is written before
        // the range is finished (found by killing a process between the two)
        let projections = ProjectionRows {
            cold: self.fold.windows.take_cold(),
            windows: self.fold.windows.take_dirty(),
            ..ProjectionRows::default()
        };
        let rows = &projections;
        self.patiently(|sink, stream| async move { sink.write_projections(&stream, rows, range.end).await }).await?;
        if let Err(problem) = written.finish(&self.log, &self.a.stream).await {
            warn!(partition = %self.a.stream, %problem, "the replayed batch was not finished; the next begin will");
        }
        Ok(())
    }

    fn fold_rows(&mut self, rows: &[JournalFold], intent: Intent) {
        let now = tick_of(intent);
        for row in rows {
            self.fold.fold_row(row, now);
        }
    }

    /// Reads exactly the range again and writes it as one batch with the same token.
    async fn write_again(&mut self, intent: Intent) -> Result<Written, WorkerEnd> {
        let range = intent.range;
        let limits = self.fold.limits();
        self.fold.lift_limits(); // the intent may have been sealed under larger ones; it must stay one block all the same
        self.next = range.begin;
        while self.next < range.end {
            let chunk = self.next_chunk(intent).await?;
            self.replay_chunk(&chunk, intent).await?;
            let (records, bytes) = (chunk.len(), chunk.bytes());
            self.next = crate::partition::fold::end_of(&chunk).unwrap_or(self.next);
            if self.next <= range.end {
                let _ = self.commands.send(Command::Refund { epoch: self.a.epoch, records, bytes });
            } else {
                self.keep_rest(chunk);
            }
        }
        self.next = range.end;
        self.fold.set_limits(limits);
        let computed = self.fold.take_tally();
        // range and tick are the intent's, the rules are those that the rows were made with
        let block = Bytes::from(self.fold.seal(intent.tick, self.a.rules));
        let mut crew = self.crew();
        let written = crew.write(resume(intent), &block).await.map_err(|error| match error {
            FlightError::Fenced(problem) => WorkerEnd::Fenced(problem),
            FlightError::OutOfTime => WorkerEnd::Drained,
            FlightError::Refused(problem) => WorkerEnd::Failed(problem),
        })?;
        // a frozen former owner may have been faster with other rules: the rows in the journal are the truth, and where
        // the rules have changed since the intent, cases that look the same prove nothing about what was counted
        let rows = self.patiently(|sink, stream| async move { sink.applied_rows(&stream, range).await }).await?;
        let latest: std::collections::HashMap<_, _> = rows.iter().map(|row| (row.case.key, row.case)).collect();
        let agrees = intent.rules == self.a.rules
            && rows.len() as u64 == computed.applied
            && latest.iter().all(|(key, case)| self.fold.case(*key) == Some(case));
        if !agrees {
            warn!(partition = %self.a.stream, %range, "the journal may have other rows than this process computed; it is folded instead");
            self.restore_below(range.begin).await?;
            self.fold_rows(&rows, intent);
        }
        Ok(written)
    }

    async fn replay_chunk(&mut self, chunk: &Chunk, intent: Intent) -> Result<(), WorkerEnd> {
        let wanted = intent.range.begin.0..intent.range.end.0;
        let mut first = 0;
        loop {
            match self.fold.process(chunk, first, wanted.clone(), tick_of(intent)) {
                Progress::Done => return Ok(()),
                Progress::Full(index) => first = index, // cannot be: the limits are lifted
                Progress::NeedsSchema(index, id) => {
                    self.learn_schema(id).await?;
                    first = index;
                }
                Progress::NeedsCases(index) => {
                    let keys = self.fold.missing_cases(chunk, index, wanted.clone());
                    let below = intent.range.begin;
                    let wanted_keys = &keys;
                    let cases = self
                        .patiently(|sink, stream| async move { sink.load_cases(&stream, wanted_keys, below).await })
                        .await?;
                    if cases.len() < keys.len() {
                        return Err(WorkerEnd::Stopped(
                            "a case that was in the journal is gone: the journal was cut".to_owned(),
                        ));
                    }
                    for case in cases {
                        self.fold.cases.insert(case);
                    }
                    first = index;
                }
            }
        }
    }

    async fn next_chunk(&mut self, intent: Intent) -> Result<Chunk, WorkerEnd> {
        tokio::select! {
            biased; // a partition that is taken away needs no more records
            _ = self.stop.changed() => Err(WorkerEnd::Drained),
            chunk = self.chunks.recv() => chunk.ok_or(WorkerEnd::Drained),
            () = tokio::time::sleep(NO_RECORD_FOR) => Err(WorkerEnd::Stopped(format!(
                "the open intent {} of {} cannot be replayed: for {} s Kafka gave no record from {} on. Were the last records \
                 of the range removed (compaction)? Either restore the topic, or commit offset {} without metadata after checking \
                 that the journal has no row of the range: what is left of it is then read as a new batch",
                intent.range,
                self.a.stream,
                NO_RECORD_FOR.as_secs(),
                self.next,
                intent.range.begin
            ))),
        }
    }

    /// Asks the sink until it answers; gives up when told to stop or when the answer can only be no.
    pub(super) async fn patiently<T, F>(&mut self, ask: impl Fn(Arc<S>, StreamId) -> F) -> Result<T, WorkerEnd>
    where
        F: Future<Output = Result<T, SinkError>> + Send,
    {
        let mut attempt = 0;
        loop {
            match ask(self.sink.clone(), self.a.stream.clone()).await {
                Ok(answer) => {
                    self.trouble.send_replace(None);
                    return Ok(answer);
                }
                Err(error) => self.judge(error, &mut attempt).await?,
            }
        }
    }

    async fn judge(&mut self, error: SinkError, attempt: &mut u32) -> Result<(), WorkerEnd> {
        match error {
            SinkError::Refused(problem) => Err(WorkerEnd::Failed(problem)),
            SinkError::Unavailable(problem) => {
                warn!(partition = %self.a.stream, attempt = *attempt, problem, "will be asked again");
                self.status.send_modify(|status| status.trouble = Some(problem));
                pause(&mut self.stop, self.a.backoff, attempt).await.map_err(|_| WorkerEnd::Drained)
            }
        }
    }
}

/// The logical "now" of a batch, the same whenever it is folded.
fn tick_of(intent: Intent) -> Time {
    Time::from_unix_millis(intent.tick).unwrap_or(Time::EARLIEST)
}
