//! SLA policies: which clocks a case has and when they fall due. Ordered; the first policy that matches a case is its
//! policy and no other is asked.
//! Owner: the rules; built once from [`PolicySpec`], read for every event. Nothing is remembered between questions.
//! Invariants: matching compares small numbers and allocates nothing; a deadline is a function of the policy, the start
//! and the calendar alone; it never lies before its start; a policy that could never be reached is refused at build time.

mod spec;
#[cfg(test)]
mod tests;

pub use spec::{ClockSpec, MatchSpec, NameIds, PolicyFile, PolicySpec};

use super::calendar::{Calendar, add_calendar_days, add_hours};
use super::time::Time;
use super::words::{Clock, GoalUnit, Law, MessageKind, Priority, Roll};

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
    /// Index of the calendar; always there when the unit or the roll needs one.
    calendar: Option<u16>,
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
    topics: WideSet,
    bodies: WideSet,
}

impl Conditions {
    fn hold(&self, case: &CaseFacts) -> bool {
        let bit = |set: u8, code: u8| set >> (code & 7) & 1 == 1;
        self.sources.contains(case.source)
            && bit(self.laws, case.law.map_or(0, Law::code))
            && self.fast_track.is_none_or(|wanted| wanted == case.fast_track)
            && bit(self.priorities, case.priority.code())
            && bit(self.kinds, case.kind.map_or(0, MessageKind::code))
            && self.blocks.contains(case.block)
            && self.topics.contains(case.topic)
            && self.bodies.contains(case.body)
    }

    /// Whether every case of `other` is a case of these.
    fn covers(&self, other: &Conditions) -> bool {
        self.sources.covers(&other.sources)
            && self.blocks.covers(&other.blocks)
            && other.laws & !self.laws == 0
            && other.priorities & !self.priorities == 0
            && other.kinds & !self.kinds == 0
            && (self.fast_track.is_none() || self.fast_track == other.fast_track)
            && self.topics.covers(&other.topics)
            && self.bodies.covers(&other.bodies)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Policy {
    name: String,
    conditions: Conditions,
    first_answer: Option<Goal>,
    final_answer: Option<Goal>,
}

impl Policy {
    fn goal(&self, clock: Clock) -> Option<Goal> {
        match clock {
            Clock::FirstAnswer => self.first_answer,
            Clock::FinalAnswer => self.final_answer,
        }
    }
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

    /// The name of a policy; `None` for an id of other rules.
    pub fn name(&self, id: PolicyId) -> Option<&str> {
        self.policies.get(usize::from(id.0)).map(|policy| policy.name.as_str())
    }

    /// What a clock of a policy allows.
    pub fn goal(&self, id: PolicyId, clock: Clock) -> Option<Goal> {
        self.policies.get(usize::from(id.0))?.goal(clock)
    }

    /// The calendars, for the alert about a year that will be missing.
    pub fn calendars(&self) -> &[Calendar] {
        &self.calendars
    }

    /// When `clock` falls due for a case that started it at `start`.
    pub fn due(&self, id: PolicyId, clock: Clock, start: Time) -> Due {
        match self.goal(id, clock) {
            None => Due::None,
            Some(goal) => self.deadline(goal, start).map_or(Due::CalendarMissing, Due::At),
        }
    }

    fn deadline(&self, goal: Goal, start: Time) -> Option<Time> {
        let calendar = || self.calendars.get(usize::from(goal.calendar?));
        let due = match goal.unit {
            GoalUnit::Hours => add_hours(start, goal.amount),
            GoalUnit::Days => add_calendar_days(start, goal.amount),
            GoalUnit::WorkingHours => calendar()?.add_working_seconds(start, goal.amount.checked_mul(3600)?)?,
            GoalUnit::WorkingDays => calendar()?.add_working_days(start, goal.amount)?,
        };
        if goal.roll == Roll::None {
            return Some(due);
        }
        let rolled = calendar()?.roll(due, goal.roll)?;
        // Back over a holiday that is longer than the goal: nobody can be late before the start.
        Some(if rolled < start { due } else { rolled })
    }
}
