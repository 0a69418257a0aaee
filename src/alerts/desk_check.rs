//! What the table says is firing, against what runs: at the start, and again later.
//! Owner: the desk. Invariants: an alert of the table whose clock does not run is resolved, whoever wrote it and whenever;
//! a check that fails is told and made again after the pause.

use tokio::sync::oneshot;
use tokio::time::{Duration, Instant};

use super::{Desk, Message};
use crate::alerts::calendars::CALENDAR;
use crate::alerts::levels::{CLOCKS, running};
use crate::alerts::notice::{Known, Resolve};
use crate::model::apply::DeadlineRules;
use crate::model::case::RowVersion;
use crate::model::case_store::{CaseStore, Found};
use crate::model::ids::CaseKey;

/// The first and the longest pause between two checks of the table.
const FIRST_CHECK: Duration = Duration::from_secs(5);
const LONGEST_CHECK: Duration = Duration::from_secs(300);

/// The table is compared again with what runs, soon after the start and then ever more seldom: an earlier owner may have been
/// frozen, or its insert may have been on its way, and what it wrote after we had asked would fire for ever.
pub(super) struct Check {
    due: Instant,
    pause: Duration,
    asked: Option<oneshot::Receiver<Vec<Known>>>,
}

impl Check {
    pub(super) fn first() -> Check {
        Check { due: Instant::now() + FIRST_CHECK, pause: FIRST_CHECK, asked: None }
    }
}

impl Desk {
    /// A firing alert of the table: it goes on where its clock runs, and is over where it does not.
    pub(super) fn take_over(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules, alert: &Known, now_millis: i64) {
        if alert.clock == CALENDAR {
            return self.restore_calendar(alert, now_millis);
        }
        match self.goes_on(cases, rules, alert) {
            // a case that changed since its last landing is judged again when that lands
            Ok((clock, level)) => self.mark(CaseKey(alert.case_key), clock, alert.due, level),
            Err(version) => self.over.push(Resolve { id: alert.id, version }),
        }
    }

    /// Clock and level of an alert whose clock runs; else the row that its case stands at.
    fn goes_on(&self, cases: &CaseStore, rules: &dyn DeadlineRules, alert: &Known) -> Result<(u8, u8), u64> {
        let case = match cases.find(CaseKey(alert.case_key)) {
            Found::Here(place) => Some(cases.at(place)),
            Found::Evicted | Found::Unknown => None,
        };
        let clock = CLOCKS.iter().position(|clock| clock.name() == alert.clock);
        let run = case.zip(clock).and_then(|(case, clock)| running(case, rules, CLOCKS[clock]));
        let level = self.ladder.place(&alert.level);
        match (clock, run, level) {
            (Some(clock), Some(run), Some(level))
                if run.due.seconds() == alert.due && self.ladder.levels[level].covers(clock as u8) =>
            {
                Ok((clock as u8, level as u8))
            }
            _ => Err(case.map_or(0, |case| case.version.0)),
        }
    }

    /// Asks the table again where it is time, and takes up the answer.
    /// It only ends alerts: what runs raises its own, and the answer may be older than an alert that ended since.
    pub(super) fn check(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules) {
        let Some(asked) = &mut self.check.asked else {
            if Instant::now() >= self.check.due {
                let (answer, known) = oneshot::channel();
                if self.outbox.try_send(Message::Check(self.stream.clone(), answer)).is_ok() {
                    self.check.asked = Some(known);
                }
            }
            return;
        };
        let known = match asked.try_recv() {
            Ok(known) => known,
            Err(oneshot::error::TryRecvError::Empty) => return,
            Err(oneshot::error::TryRecvError::Closed) => Vec::new(), // asked again after the pause
        };
        for alert in known.iter().filter(|alert| alert.clock != CALENDAR) {
            // what is not in the journal yet is judged when it is
            if let Err(version) = self.goes_on(cases, rules, alert)
                && RowVersion(version).offset() < self.landed
            {
                self.over.push(Resolve { id: alert.id, version });
            }
        }
        let pause = (self.check.pause * 2).min(LONGEST_CHECK);
        self.check = Check { due: Instant::now() + pause, pause, asked: None };
    }
}
