//! The alerts of one partition: which levels were raised, which timer comes next, what the outbox must be told.
//! Owner: the partition worker. Pure but for the channel. Invariants: a level of a clock is raised once for each due time;
//! a case counts only when its row is in the journal; nothing leaves while the partition is catching up (a case that looks
//! overdue may have been answered in the next record); without room in the outbox the timers wait.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::warn;

use crate::alerts::calendars::CalendarEnd;
use crate::alerts::levels::{CLOCKS, Ladder, Run, running};
use crate::alerts::notice::{AlertId, Known, Order, Raise, Resolve, alert_id};
use crate::alerts::timers::{Timer, Timers};
use crate::model::apply::DeadlineRules;
use crate::model::case::Case;
use crate::model::case_store::{CaseStore, Found};
use crate::model::ids::{CaseKey, Offset};
use crate::partition::ports::StreamId;

/// Orders that leave at once; more follow on the next turn.
const ORDERS_AT_MOST: usize = 2_000;
/// Changed cases that are looked at in one turn, a few milliseconds of work.
const CASES_AT_MOST: usize = 20_000;
/// More changed cases than this, as after a backlog, are not listed: all cases are looked at once instead.
const TOUCHED_AT_MOST: usize = 50_000;
/// Records older than this are a backlog.
const LAG_MILLIS: i64 = 30_000;
/// The backlog is over when no old record came for so long.
const CALM: Duration = Duration::from_secs(2);

/// Fewer records than this between what was read and the end of the log are no backlog.
const NEARLY_READ: u64 = 1_000;

/// The end of a partition's log as far as Kafka was asked.
pub type LogEnd = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// What workers tell and ask the outbox.
pub enum Message {
    Orders(StreamId, Vec<Order>),
    /// What the table knows of a partition: its firing alerts. What an earlier owner wrote and did not send is sent.
    Ask(StreamId, oneshot::Sender<Vec<Known>>),
    /// The same alerts, and nothing else.
    Check(StreamId, oneshot::Sender<Vec<Known>>),
}

/// Raised levels of one clock under one due time.
#[derive(Clone, Copy, Debug)]
struct Raised {
    due: u32,
    levels: u8,
}

/// The state itself.
pub struct Desk {
    stream: StreamId,
    ladder: Arc<Ladder>,
    outbox: Sender<Message>,
    log_end: LogEnd,
    /// Only one desk of the installation has them.
    calendars: Vec<CalendarEnd>,
    calendars_raised: BTreeSet<AlertId>,
    timers: Timers,
    /// By `slot_key`; only clocks that have a raised level.
    raised: HashMap<u64, Raised>,
    /// Cases whose clocks changed by a record below the offset, in the order of the offsets.
    touched: VecDeque<(Offset, CaseKey)>,
    /// Any case may have changed.
    is_all_touched: bool,
    /// Timers of cases whose latest row is not in the journal yet.
    waiting: Vec<Timer>,
    /// Alerts that are over and must be told so.
    over: Vec<Resolve>,
    /// The journal has the partition below this offset.
    landed: Offset,
    /// The partition was read up to here.
    read: Offset,
    /// When the clocks were last judged without records, and what had landed then.
    judged: (u32, Offset),
    busy_until: Instant,
    /// What was in the log at the start has been read.
    is_level: bool,
    start: Start,
    check: Check,
}

/// Nothing is raised before the table said what was raised; records are read meanwhile.
enum Start {
    Wanted,
    Asked(oneshot::Receiver<Vec<Known>>),
    Done,
}

impl Desk {
    pub fn new(stream: StreamId, ladder: Arc<Ladder>, outbox: Sender<Message>, log_end: LogEnd) -> Desk {
        Desk {
            stream,
            ladder,
            outbox,
            log_end,
            calendars: Vec::new(),
            calendars_raised: BTreeSet::new(),
            timers: Timers::default(),
            raised: HashMap::new(),
            touched: VecDeque::new(),
            is_all_touched: false,
            waiting: Vec::new(),
            over: Vec::new(),
            landed: Offset(0),
            read: Offset(0),
            judged: (0, Offset(0)),
            busy_until: Instant::now() + CALM,
            is_level: false,
            start: Start::Wanted,
            check: Check::first(),
        }
    }

    /// This desk tells of calendars that end.
    pub fn watching(mut self, calendars: Vec<CalendarEnd>) -> Desk {
        self.calendars = calendars;
        self
    }

    /// Other rules are in force: every clock is looked at anew. What was raised under a due time that still holds stays.
    pub fn replan(&mut self, calendars: &[CalendarEnd], now_millis: i64) {
        self.judge(now_millis);
        self.touch_all();
        if self.calendars.is_empty() {
            return; // another desk tells of them
        }
        self.calendars = calendars.to_vec();
        let is_over = |id: &AlertId| calendars.iter().all(|end| end.id() != *id);
        for id in self.calendars_raised.extract_if(.., is_over) {
            self.over.push(Resolve { id, version: now_millis as u64 });
        }
    }

    /// Levels that were reached by now may have been raised and resolved before, under other rules.
    fn judge(&mut self, now_millis: i64) {
        self.judged = ((now_millis / 1000) as u32, self.landed);
    }

    /// Asks what was raised before, once; `true` when it is known.
    fn has_started(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules, now_millis: i64) -> bool {
        match &mut self.start {
            Start::Done => return true,
            Start::Wanted => {
                let (answer, known) = oneshot::channel();
                if self.outbox.try_send(Message::Ask(self.stream.clone(), answer)).is_ok() {
                    self.start = Start::Asked(known);
                }
            }
            Start::Asked(answer) => match answer.try_recv() {
                Ok(known) => {
                    self.judge(now_millis);
                    self.restore(cases, rules, known, now_millis);
                    return true;
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
                Err(oneshot::error::TryRecvError::Closed) => self.start = Start::Wanted,
            },
        }
        false
    }

    /// Takes over what was raised; the timers of all open cases follow.
    fn restore(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules, known: Vec<Known>, now_millis: i64) {
        self.start = Start::Done;
        self.raised.clear();
        for alert in known {
            self.take_over(cases, rules, &alert, now_millis);
        }
        self.touch_all();
    }

    fn restore_calendar(&mut self, alert: &Known, now_millis: i64) {
        if self.calendars.iter().any(|end| end.id() == alert.id) {
            self.calendars_raised.insert(alert.id);
        } else {
            self.over.push(Resolve { id: alert.id, version: now_millis as u64 });
        }
    }

    /// The fold changed the clocks of a case by a record below the offset.
    pub fn touch(&mut self, key: CaseKey, below: Offset) {
        if self.is_all_touched && self.touched.is_empty() {
            return; // nothing was looked at since
        }
        if self.touched.len() == TOUCHED_AT_MOST {
            self.touch_all();
        } else {
            self.touched.push_back((below, key));
        }
    }

    fn touch_all(&mut self) {
        self.is_all_touched = true;
        self.touched = VecDeque::new(); // with its memory
    }

    /// A record of this age was read, and the log goes on at `next`. A sender may date its records back, so an old record is
    /// a backlog only if more of them wait.
    pub fn note_read(&mut self, record_millis: i64, now_millis: i64, next: Offset) {
        self.read = self.read.max(next);
        let is_old = now_millis - record_millis > LAG_MILLIS;
        if is_old && (self.log_end)().is_none_or(|end| end > next.0 + NEARLY_READ) {
            self.busy_until = Instant::now() + CALM;
        }
    }

    /// The journal has everything below the offset.
    pub fn landed(&mut self, below: Offset) {
        self.landed = self.landed.max(below);
        self.read = self.read.max(below);
        for timer in std::mem::take(&mut self.waiting) {
            self.push(timer);
        }
    }

    /// Hands over what is due; never waits.
    pub fn turn(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules, now_millis: i64) {
        let has_started = self.has_started(cases, rules, now_millis);
        if self.is_busy() || !has_started {
            return;
        }
        self.check(cases, rules);
        let outbox = self.outbox.clone();
        let Ok(room) = outbox.try_reserve() else { return };
        let orders = self.take(cases, rules, now_millis);
        if !orders.is_empty() {
            room.send(Message::Orders(self.stream.clone(), orders));
        }
    }

    /// A start need not wait to see whether old records come where Kafka said how far the log reaches.
    fn is_busy(&mut self) -> bool {
        if !self.is_level && (self.log_end)().is_some_and(|end| self.read.0 >= end) {
            self.is_level = true;
            self.busy_until = Instant::now();
        }
        Instant::now() < self.busy_until
    }

    fn take(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules, now_millis: i64) -> Vec<Order> {
        if self.timers.len() > 8 * cases.len() + 4096 {
            self.touch_all(); // too many stale ones
        }
        let mut orders: Vec<Order> = Vec::new();
        if self.is_all_touched {
            self.reconcile_all(cases, rules);
        }
        self.reconcile(cases, rules);
        let some = self.over.len().min(ORDERS_AT_MOST);
        orders.extend(self.over.drain(..some).map(Order::Resolve));
        let now = (now_millis / 1000) as u32;
        self.tell_calendars(now, &mut orders);
        while orders.len() < ORDERS_AT_MOST
            && let Some(timer) = self.timers.pop_due(now)
        {
            let case = cases.at(timer.place);
            if case.version.offset() >= self.landed {
                self.waiting.push(timer);
            } else if let Some(run) =
                CLOCKS.get(usize::from(timer.clock)).and_then(|clock| running(case, rules, *clock))
                && let Some(raise) = self.raise(case, run, timer, now_millis)
            {
                self.set_next(timer.place, case, timer.clock, Some(run));
                orders.push(Order::Raise(raise));
            }
        }
        orders
    }

    fn tell_calendars(&mut self, now: u32, orders: &mut Vec<Order>) {
        for end in &self.calendars {
            if end.told_at.seconds() <= now && self.calendars_raised.insert(end.id()) {
                orders.push(Order::Calendar(end.clone()));
            }
        }
    }

    /// Cases whose clocks changed: what was raised under another due time is over, what comes next gets its timer.
    fn reconcile(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules) {
        for _ in 0..CASES_AT_MOST {
            if self.over.len() >= ORDERS_AT_MOST {
                return; // the rest has its turn next
            }
            let Some((_, key)) = self.touched.pop_front_if(|(below, _)| *below <= self.landed) else { return };
            let Found::Here(place) = cases.find(key) else { continue };
            let case = cases.at(place);
            if case.version.offset() >= self.landed {
                self.touched.push_back((case.version.offset().next(), key)); // changed again since
                continue;
            }
            for clock in 0..CLOCKS.len() as u8 {
                let run = running(case, rules, CLOCKS[usize::from(clock)]);
                self.end_raised(case, clock, run);
                self.set_next(place, case, clock, run);
            }
        }
    }

    /// The same for every case, and all timers anew.
    fn reconcile_all(&mut self, cases: &CaseStore, rules: &dyn DeadlineRules) {
        self.is_all_touched = false;
        self.timers.clear();
        self.waiting = Vec::new();
        for (place, case) in cases.places() {
            if case.version.offset() >= self.landed {
                self.touched.push_back((case.version.offset().next(), case.key));
                continue;
            }
            for clock in 0..CLOCKS.len() as u8 {
                let run = running(case, rules, CLOCKS[usize::from(clock)]);
                self.end_raised(case, clock, run);
                self.set_next(place, case, clock, run);
            }
        }
    }

    fn end_raised(&mut self, case: &Case, clock: u8, run: Option<Run>) {
        let Some(raised) = self.raised.get(&slot_key(case.key, clock)).copied() else { return };
        if run.is_some_and(|run| run.due.seconds() == raised.due) {
            return;
        }
        self.raised.remove(&slot_key(case.key, clock));
        let levels = self.ladder.levels.iter().enumerate().filter(|(place, _)| raised.levels >> place & 1 == 1);
        self.over.extend(levels.map(|(_, level)| Resolve {
            id: alert_id(case.key, clock, raised.due, &level.name),
            version: case.version.0,
        }));
    }

    /// The alert of a timer, unless the case has moved on or the alert exists.
    fn raise(&mut self, case: &Case, run: Run, timer: Timer, now_millis: i64) -> Option<Raise> {
        let level = self.ladder.levels.get(usize::from(timer.level))?;
        if level.reached_at(run) != timer.at || self.is_raised(case.key, timer.clock, run, timer.level) {
            return None;
        }
        let id = alert_id(case.key, timer.clock, run.due.seconds(), &level.name);
        self.mark(case.key, timer.clock, run.due.seconds(), timer.level);
        Some(Raise {
            id,
            case_key: case.key,
            version: case.version.0,
            clock: timer.clock,
            level: timer.level,
            due: run.due.seconds(),
            level_at: timer.at,
            raised_millis: now_millis,
            block: case.block,
            body: case.body,
            territory: case.territory,
            may_be_back: timer.at <= self.judged.0 && case.version.offset() < self.judged.1,
        })
    }

    fn is_raised(&self, key: CaseKey, clock: u8, run: Run, level: u8) -> bool {
        let raised = self.raised.get(&slot_key(key, clock));
        raised.is_some_and(|raised| raised.due == run.due.seconds() && raised.levels >> level & 1 == 1)
    }

    fn mark(&mut self, key: CaseKey, clock: u8, due: u32, level: u8) {
        let raised = self.raised.entry(slot_key(key, clock)).or_insert(Raised { due, levels: 0 });
        if raised.due != due {
            *raised = Raised { due, levels: 0 };
        }
        raised.levels |= 1 << level;
    }

    fn set_next(&mut self, place: u32, case: &Case, clock: u8, run: Option<Run>) {
        let Some(run) = run else { return };
        let mut levels = self.ladder.levels.iter().enumerate().filter(|(_, level)| level.covers(clock));
        let open = levels.find(|(at, _)| !self.is_raised(case.key, clock, run, *at as u8));
        let next = open.map(|(at, level)| Timer { at: level.reached_at(run), place, clock, level: at as u8 });
        if let Some(timer) = next {
            self.push(timer);
        }
    }

    fn push(&mut self, timer: Timer) {
        if !self.timers.push(timer) {
            warn!(partition = %self.stream, "the partition has more cases than timers can name; spread the topic over more partitions");
        }
    }
}

/// Case keys are hashes, so a neighbouring number is as good as another hash.
fn slot_key(key: CaseKey, clock: u8) -> u64 {
    key.0.wrapping_add(u64::from(clock))
}

/// The id as tables and messages write it.
pub fn id_text(id: AlertId) -> String {
    format!("{:032x}", id.0)
}

#[path = "desk_check.rs"]
mod check;
use check::Check;
#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
