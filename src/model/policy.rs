//! SLA policies: which clocks a case has and when they fall due. Ordered; the first policy that matches a case is its
//! policy and no other is asked.
//! Owner: the rules; built once from [`PolicySpec`], read for every event. Nothing is remembered between questions.
//! Invariants: matching compares small numbers and allocates nothing; a deadline is a function of the policy, the course
//! of the clock (start, pauses, extension) and the calendar alone; it never lies before its start; a policy that could
//! never be reached is refused at build time. Who wants an explanation watches the one function that counts.

mod spec;
#[cfg(test)]
mod tests;

pub use spec::{ClockSpec, MatchSpec, NameIds, PolicyFile, PolicySpec};

use super::calendar::{Calendar, MoscowDay, add_calendar_days};
use super::case::Paused;
use super::time::Time;
use super::words::{Clock, ClockStart, GoalUnit, Law, MessageKind, Priority, Roll, Status};

/// What a policy may ask about a case: interned ids as the caller gave them out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaseFacts {
    pub source: u8,
    /// `None` while unknown: only policies that do not ask for a law match then.
    pub law: Option<Law>,
    pub fast_track: bool,
    pub block: u8,
    pub topic: u16,
    pub body: u16,
    pub priority: Priority,
    /// `None` while unknown, as with the law.
    pub kind: Option<MessageKind>,
    /// It came back after an answer.
    pub repeated: bool,
}

/// The place of a policy in the order, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PolicyId(pub u16);

/// When a clock falls due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// The policy has no such clock.
    None,
    /// The last second that is still in time.
    At(Time),
    /// The calendar does not cover the years needed. The caller reports it; a guess would be a wrong deadline.
    CalendarMissing,
}

/// What a clock allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Goal {
    /// In `unit`s, one or more.
    pub amount: u32,
    pub unit: GoalUnit,
    pub roll: Roll,
    /// What starts it; the clocks of stages start with their stage.
    pub start: ClockStart,
    /// In `unit`s: what an extension adds, once. Zero: no extension.
    pub extension: u32,
    /// Index of the calendar; always there when the unit or the roll needs one.
    calendar: Option<u16>,
}

/// What a clock has been through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    pub start: Time,
    /// Finished pauses.
    pub paused: Paused,
    pub extended_at: Option<Time>,
}

impl From<Time> for Course {
    fn from(start: Time) -> Course {
        Course { start, paused: Paused::default(), extended_at: None }
    }
}

/// One step of counting, as an explanation shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// `amount` units from `from` on; `paused` units are on top because the clock stood still.
    Counted { amount: u32, paused: Paused, from: Time, to: Time },
    /// The end fell on a day off and moved.
    Rolled { roll: Roll, from: Time, to: Time },
    /// The end fell on a day off; the working day before lies before the start, so it stays.
    NotRolled { at: Time },
    /// The term was prolonged in time: it is counted anew with so many units more.
    Extended { at: Time, amount: u32 },
    /// The extension does not count: too late, or the policy knows none.
    NotExtended { at: Time, is_late: bool },
}

/// A set of ids of up to 256 things; a test is one shift.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct ByteSet([u64; 4]);

impl ByteSet {
    const ALL: ByteSet = ByteSet([u64::MAX; 4]);
    const EMPTY: ByteSet = ByteSet([0; 4]);

    fn insert(&mut self, id: u8) {
        self.0[usize::from(id >> 6)] |= 1 << (id & 63);
    }

    fn contains(&self, id: u8) -> bool {
        self.0[usize::from(id >> 6)] >> (id & 63) & 1 == 1
    }

    fn covers(&self, other: &ByteSet) -> bool {
        self.0.iter().zip(other.0).all(|(own, theirs)| theirs & !own == 0)
    }
}

/// Sorted ids of bodies or topics; none means any.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct WideSet(Box<[u16]>);

impl WideSet {
    fn contains(&self, id: u16) -> bool {
        self.0.is_empty() || self.0.binary_search(&id).is_ok()
    }

    fn covers(&self, other: &WideSet) -> bool {
        self.0.is_empty() || !other.0.is_empty() && other.0.iter().all(|id| self.contains(*id))
    }
}

/// The conditions of a policy. Laws, priorities and kinds are bits by their code; bit 0 stands for "unknown".
#[derive(Clone, PartialEq, Eq, Debug)]
struct Conditions {
    sources: ByteSet,
    blocks: ByteSet,
    laws: u8,
    priorities: u8,
    kinds: u8,
    fast_track: Option<bool>,
    repeated: Option<bool>,
    topics: WideSet,
    bodies: WideSet,
}

impl Conditions {
    fn hold(&self, case: &CaseFacts) -> bool {
        let bit = |set: u8, code: u8| set >> (code & 7) & 1 == 1;
        self.sources.contains(case.source)
            && bit(self.laws, case.law.map_or(0, Law::code))
            && self.fast_track.is_none_or(|wanted| wanted == case.fast_track)
            && self.repeated.is_none_or(|wanted| wanted == case.repeated)
            && bit(self.priorities, case.priority.code())
            && bit(self.kinds, case.kind.map_or(0, MessageKind::code))
            && self.blocks.contains(case.block)
            && self.topics.contains(case.topic)
            && self.bodies.contains(case.body)
    }

    /// The conditions that do not hold, by the names of the policy file. None at all exactly when they `hold`.
    fn failing(&self, case: &CaseFacts) -> Vec<&'static str> {
        let bit = |set: u8, code: u8| set >> (code & 7) & 1 == 1;
        let each = [
            ("source", self.sources.contains(case.source)),
            ("law", bit(self.laws, case.law.map_or(0, Law::code))),
            ("fast_track", self.fast_track.is_none_or(|wanted| wanted == case.fast_track)),
            ("repeated", self.repeated.is_none_or(|wanted| wanted == case.repeated)),
            ("priority", bit(self.priorities, case.priority.code())),
            ("kind", bit(self.kinds, case.kind.map_or(0, MessageKind::code))),
            ("block", self.blocks.contains(case.block)),
            ("topic", self.topics.contains(case.topic)),
            ("body", self.bodies.contains(case.body)),
        ];
        each.into_iter().filter(|(_, holds)| !holds).map(|(name, _)| name).collect()
    }

    /// Whether every case of `other` is a case of these.
    fn covers(&self, other: &Conditions) -> bool {
        self.sources.covers(&other.sources)
            && self.blocks.covers(&other.blocks)
            && other.laws & !self.laws == 0
            && other.priorities & !self.priorities == 0
            && other.kinds & !self.kinds == 0
            && (self.fast_track.is_none() || self.fast_track == other.fast_track)
            && (self.repeated.is_none() || self.repeated == other.repeated)
            && self.topics.covers(&other.topics)
            && self.bodies.covers(&other.bodies)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Policy {
    name: String,
    conditions: Conditions,
    /// By the code of the clock, from 1.
    goals: [Option<Goal>; Clock::ALL.len()],
    /// Bits of the statuses in which the final-answer clock stands still.
    pause: u32,
}

/// Every policy, in order, with the calendars they count by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Policies {
    policies: Vec<Policy>,
    calendars: Vec<Calendar>,
}

impl Policies {
    /// Builds the policies or returns every mistake, each with its key and what is allowed there.
    pub fn build(specs: &[PolicySpec], calendars: &[Calendar], names: &dyn NameIds) -> Result<Policies, Vec<String>> {
        spec::build(specs, calendars, names)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.policies.len()
    }

    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }

    /// The policy of a case; `None` when no policy wants it, and then it has no clocks.
    pub fn first_match(&self, case: &CaseFacts) -> Option<PolicyId> {
        self.policies.iter().position(|policy| policy.conditions.hold(case)).map(|index| PolicyId(index as u16))
    }

    /// The conditions of a policy that a case does not meet, by the names of the policy file.
    pub fn unmet(&self, id: PolicyId, case: &CaseFacts) -> Vec<&'static str> {
        self.policies.get(usize::from(id.0)).map_or_else(Vec::new, |policy| policy.conditions.failing(case))
    }

    /// The name of a policy; `None` for an id of other rules.
    pub fn name(&self, id: PolicyId) -> Option<&str> {
        self.policies.get(usize::from(id.0)).map(|policy| policy.name.as_str())
    }

    /// What a clock of a policy allows.
    pub fn goal(&self, id: PolicyId, clock: Clock) -> Option<Goal> {
        self.policies.get(usize::from(id.0))?.goals[usize::from(clock.code()) - 1]
    }

    /// The final-answer clock stands still in this status.
    pub fn pauses(&self, id: PolicyId, status: Status) -> bool {
        let policy = self.policies.get(usize::from(id.0));
        policy.is_some_and(|policy| policy.pause >> (status.code() & 31) & 1 == 1)
    }

    /// What a pause from `from` to `to` adds to the final-answer clock: nothing where the calendar is missing.
    pub fn pause(&self, id: PolicyId, from: Time, to: Time) -> Paused {
        let Some(goal) = self.goal(id, Clock::FinalAnswer).filter(|_| to > from) else { return Paused::default() };
        let small = |days: u32| u16::try_from(days).unwrap_or(u16::MAX);
        let counts_working_time = matches!(goal.unit, GoalUnit::WorkingHours | GoalUnit::WorkingDays);
        if !counts_working_time {
            let days = small(MoscowDay::of(to).0 - MoscowDay::of(from).0);
            return Paused { seconds: to.seconds_since(from), days };
        }
        let working = self.calendar(goal).and_then(|calendar| {
            let days = small(calendar.working_days_between(from, to)?);
            Some(Paused { seconds: calendar.working_seconds_between(from, to)?, days })
        });
        working.unwrap_or_default()
    }

    /// The calendar a goal counts by.
    pub fn calendar(&self, goal: Goal) -> Option<&Calendar> {
        self.calendars.get(usize::from(goal.calendar?))
    }

    /// The calendars, for the alert about a year that will be missing.
    pub fn calendars(&self) -> &[Calendar] {
        &self.calendars
    }

    /// When `clock` falls due for a case that started it at `start` and went on without pause or extension.
    pub fn due(&self, id: PolicyId, clock: Clock, start: Time) -> Due {
        self.due_of(id, clock, &Course::from(start), &mut |_| {})
    }

    /// When `clock` falls due; `watch` is told every step of the count.
    pub fn due_of(&self, id: PolicyId, clock: Clock, course: &Course, watch: &mut impl FnMut(Step)) -> Due {
        match self.goal(id, clock) {
            None => Due::None,
            Some(goal) => self.deadline(goal, course, watch).map_or(Due::CalendarMissing, Due::At),
        }
    }

    fn deadline(&self, goal: Goal, course: &Course, watch: &mut impl FnMut(Step)) -> Option<Time> {
        let due = self.counted(goal, course, goal.amount, watch)?;
        let Some(at) = course.extended_at else { return Some(due) };
        if goal.extension == 0 || at > due {
            watch(Step::NotExtended { at, is_late: at > due });
            return Some(due);
        }
        watch(Step::Extended { at, amount: goal.extension });
        self.counted(goal, course, goal.amount.checked_add(goal.extension)?, watch)
    }

    fn counted(&self, goal: Goal, course: &Course, amount: u32, watch: &mut impl FnMut(Step)) -> Option<Time> {
        let (start, paused) = (course.start, course.paused);
        let seconds = |unit: u32| amount.checked_mul(unit)?.checked_add(paused.seconds);
        let days = amount.checked_add(u32::from(paused.days))?;
        let due = match goal.unit {
            GoalUnit::Minutes => start.plus_seconds(i64::from(seconds(60)?)),
            GoalUnit::Hours => start.plus_seconds(i64::from(seconds(3600)?)),
            GoalUnit::Days => add_calendar_days(start, days),
            GoalUnit::WorkingHours => self.calendar(goal)?.add_working_seconds(start, seconds(3600)?)?,
            GoalUnit::WorkingDays => self.calendar(goal)?.add_working_days(start, days)?,
        };
        watch(Step::Counted { amount, paused, from: start, to: due });
        if goal.roll == Roll::None {
            return Some(due);
        }
        let rolled = self.calendar(goal)?.roll(due, goal.roll)?;
        if rolled < start {
            watch(Step::NotRolled { at: due }); // nobody can be late before the start
            return Some(due);
        }
        if rolled != due {
            watch(Step::Rolled { roll: goal.roll, from: due, to: rolled });
        }
        Some(rolled)
    }
}
