//! One batch on its way: intent, INSERT, projections. Runs as a task of its own while the next batch fills.
//! Owner: the worker that spawned it; at most one a partition. Invariants: nothing is inserted before the broker took the
//! intent; every attempt sends the same bytes with the same token; a server that is away is waited for as long as the
//! partition is ours, because giving up would only move the wait to the next owner.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tracing::warn;

use crate::model::ids::Offset;
use crate::partition::batch::{Intent, OpenIntent, Written, begin};
use crate::partition::ports::{CommitError, OffsetLog, ProjectionRows, Sink, SinkError, StreamId};

/// How often a server that is away is asked again.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first: Duration,
    pub longest: Duration,
    /// Another one for each partition, so that they do not knock together.
    pub salt: u64,
}

impl Backoff {
    /// Doubles up to the longest, with up to a fifth of jitter: a function of partition and attempt, as everything else.
    pub fn pause(&self, attempt: u32) -> Duration {
        let doubled = self.first.saturating_mul(1 << attempt.min(10)).min(self.longest);
        let dice = xxhash_rust::xxh3::xxh3_64_with_seed(&attempt.to_le_bytes(), self.salt);
        doubled.mul_f64(0.9 + 0.2 * (dice % 1000) as f64 / 1000.0)
    }
}

/// What the worker is told from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    No,
    /// Take nothing new; what is in flight may land until then.
    DrainUntil(Instant),
}

/// Why a flight did not arrive.
#[derive(Debug)]
pub enum FlightError {
    /// The partition has another owner.
    Fenced(String),
    /// The time to drain is over; the intent stays for the next owner.
    OutOfTime,
    /// Trying again gives the same.
    Refused(String),
}

/// What travels.
pub struct Cargo {
    /// `None` for projections alone.
    pub batch: Option<(Intent, Bytes)>,
    pub projections: ProjectionRows,
    /// Version of the projections: the offset they are complete below.
    pub below: Offset,
}

/// What a flight needs.
pub struct Crew<L, S> {
    pub stream: StreamId,
    pub log: L,
    pub sink: Arc<S>,
    pub backoff: Backoff,
    pub stop: watch::Receiver<Stop>,
    /// Told while the server is away, for health and `/debug/partitions`.
    pub trouble: watch::Sender<Option<String>>,
}

impl<L: OffsetLog, S: Sink> Crew<L, S> {
    /// Flies the whole way. Holding the slot bounds the inserts of the process.
    pub async fn fly(
        mut self,
        cargo: Cargo,
        _slot: Option<OwnedSemaphorePermit>,
    ) -> Result<Option<Written>, FlightError> {
        let written = match &cargo.batch {
            None => None,
            Some((intent, block)) => {
                let open = self.begin(*intent).await?;
                Some(self.write(open, block).await?)
            }
        };
        self.project(&cargo).await?;
        Ok(written)
    }

    async fn begin(&mut self, intent: Intent) -> Result<OpenIntent, FlightError> {
        let mut attempt = 0;
        loop {
            match begin(&self.log, &self.stream, intent).await {
                Ok(open) => return Ok(open),
                Err(CommitError::Fenced(problem)) => return Err(FlightError::Fenced(problem)),
                Err(error) => self.wait(&mut attempt, &error.to_string()).await?,
            }
        }
    }

    /// Writes the block of an open intent, however long the server is away.
    pub async fn write(&mut self, mut open: OpenIntent, block: &Bytes) -> Result<Written, FlightError> {
        let mut attempt = 0;
        loop {
            match open.write(&*self.sink, &self.stream, block).await {
                Ok(written) => {
                    self.trouble.send_replace(None);
                    return Ok(written);
                }
                Err((_, SinkError::Refused(problem))) => return Err(FlightError::Refused(problem)),
                Err((back, SinkError::Unavailable(problem))) => {
                    open = back;
                    self.wait(&mut attempt, &problem).await?;
                }
            }
        }
    }

    /// Upserts of whole values; writing them twice changes nothing.
    async fn project(&mut self, cargo: &Cargo) -> Result<(), FlightError> {
        if cargo.projections.is_empty() {
            return Ok(());
        }
        let mut attempt = 0;
        loop {
            match self.sink.write_projections(&self.stream, &cargo.projections, cargo.below).await {
                Ok(()) => {
                    self.trouble.send_replace(None);
                    return Ok(());
                }
                Err(SinkError::Refused(problem)) => return Err(FlightError::Refused(problem)),
                Err(SinkError::Unavailable(problem)) => self.wait(&mut attempt, &problem).await?,
            }
        }
    }

    async fn wait(&mut self, attempt: &mut u32, problem: &str) -> Result<(), FlightError> {
        warn!(partition = %self.stream, attempt = *attempt, problem, "will be tried again");
        self.trouble.send_replace(Some(problem.to_owned()));
        pause(&mut self.stop, self.backoff, attempt).await
    }
}

/// Ends when the time to drain is over; never, as long as nobody says stop.
pub async fn time_is_up(mut stop: watch::Receiver<Stop>) {
    loop {
        let told = *stop.borrow_and_update();
        match told {
            Stop::No => {
                if stop.changed().await.is_err() {
                    return std::future::pending().await; // nobody is left to set a time; the channels end the worker
                }
            }
            Stop::DrainUntil(deadline) => {
                tokio::select! {
                    biased; // a nearer deadline may be set
                    Ok(()) = stop.changed() => {}
                    () = tokio::time::sleep_until(deadline) => return,
                }
            }
        }
    }
}

/// Waits between two attempts, but not beyond the time to drain.
pub async fn pause(stop: &mut watch::Receiver<Stop>, backoff: Backoff, attempt: &mut u32) -> Result<(), FlightError> {
    let until = Instant::now() + backoff.pause(*attempt);
    *attempt += 1;
    loop {
        let deadline = match *stop.borrow_and_update() {
            Stop::No => None,
            Stop::DrainUntil(deadline) => Some(deadline),
        };
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(FlightError::OutOfTime);
        }
        let wake = deadline.map_or(until, |deadline| deadline.min(until));
        tokio::select! {
            biased; // a stop must be seen before another attempt
            changed = stop.changed() => {
                if changed.is_err() {
                    return Err(FlightError::OutOfTime); // the worker is gone
                }
            }
            () = tokio::time::sleep_until(wake) => {
                if wake == until {
                    return Ok(());
                }
            }
        }
    }
}
