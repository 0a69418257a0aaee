//! Change of the rules while a partition runs. Owner: the worker; `app` sends rulebooks, each whole and sound.
//! Invariants: the switch is at the boundary of two batches, so the rows of a batch, its intent and its rules version
//! agree; after the switch every running clock of an open case is that of the new rules, in memory at once and in the
//! table `case_dues` with the next flights; what was counted stays counted. A restore does the same, because the rules may
//! have changed while nobody ran.

use std::sync::Arc;
use std::time::Instant;

use tracing::info;

use crate::alerts::calendars::CalendarEnd;
use crate::mapping::mapper::Mapper;
use crate::model::apply::DeadlineRules;
use crate::model::ids::RulesVersion;
use crate::partition::ports::{NewDues, OffsetLog, Sink};
use crate::partition::sealing::minute_of;
use crate::partition::worker::Worker;
use crate::telemetry::metrics;

/// New deadlines that one flight takes along: a part of ClickHouse, and a quarter of a second of it.
const DUES_A_FLIGHT: usize = 200_000;

/// Everything a source's records are read and judged by.
pub struct Rulebook<R> {
    pub version: RulesVersion,
    pub rules: Arc<R>,
    /// A mapper of its own for each worker.
    pub mapper: Box<dyn Fn() -> Mapper + Send + Sync>,
    /// Where the calendars of these rules end, for alerts.
    pub calendars: Vec<CalendarEnd>,
}

/// The present rulebook of a source; a change of it is a change of the rules.
pub type Rulebooks<R> = tokio::sync::watch::Receiver<Arc<Rulebook<R>>>;

impl<R, L, S> Worker<R, L, S>
where
    R: DeadlineRules + Send + Sync + 'static,
    L: OffsetLog + Clone,
    S: Sink,
{
    /// Where rules come from that change while the worker runs.
    pub fn with_rulebooks(mut self, rulebooks: Rulebooks<R>) -> Self {
        self.rulebooks = Some(rulebooks);
        self
    }

    /// The batch that is being filled is the last one under the present rules.
    pub(super) fn has_new_rules(&self) -> bool {
        // an error says that the sender is gone: the process ends
        self.rulebooks.as_ref().is_some_and(|rulebooks| rulebooks.has_changed().unwrap_or(false))
    }

    /// Switches to the newest rules, if there are newer ones and no batch has begun.
    pub(super) fn adopt_rules(&mut self) {
        if self.fold.rows() > 0 || !self.has_new_rules() {
            return;
        }
        let Some(rulebooks) = &mut self.rulebooks else { return };
        let book = rulebooks.borrow_and_update().clone();
        if book.version == self.a.rules {
            return;
        }
        self.a.rules = book.version;
        self.fold.adopt(book.rules.clone(), (book.mapper)());
        self.redate();
        if let Some(desk) = &mut self.a.alerts {
            desk.replan(&book.calendars, self.a.clock.unix_millis());
        }
    }

    /// Counts the running clocks of all open cases under the present rules.
    pub(super) fn redate(&mut self) {
        let started = Instant::now();
        let since = self.backlog_minute.max(self.batch_minute) + 1; // no backlog from there on was counted yet
        let moved = self.fold.redate(since, self.a.rules);
        let (cases, rules) = (self.fold.cases.len(), self.a.rules);
        if !moved.is_empty() {
            info!(partition = %self.a.stream, %rules, moved = moved.len(), cases, ms = started.elapsed().as_millis() as u64,
                "open clocks are counted by other rules");
            metrics::redated(&self.a.stream.topic, moved.len());
        }
        self.dues.extend(moved);
        self.status.send_modify(|status| status.rules = rules);
    }

    /// After a restore: deadlines that this process finds to have moved count from the next minute on. The owner before may
    /// have counted the one that runs, by the rules of then, so it is not counted again.
    pub(super) fn redate_restored(&mut self) {
        let counted = self.backlog_minute.max(self.fold.dues_since.saturating_sub(1));
        let before = self.dues.len();
        let running = counted.max(minute_of(self.a.clock.unix_millis()));
        self.backlog_minute = running;
        self.redate();
        if self.dues.len() == before {
            self.backlog_minute = counted;
        } else {
            self.batch_minute = self.batch_minute.max(running);
        }
    }

    /// New deadlines for the next flight.
    pub(super) fn take_dues(&mut self) -> Vec<NewDues> {
        let count = self.dues.len().min(DUES_A_FLIGHT);
        self.dues.drain(..count).collect()
    }
}
