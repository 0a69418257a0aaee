//! The clocks of a case: what its policy says about it as it stands. Between the case, which knows what happened, and
//! the policies, which know how to count.
//! Owner: the rules of a source ask it for every change; explanations ask it with an observer, so they cannot disagree.
//! Invariants: pure; a clock whose start is not known has no due time; a calendar that is missing gives none either,
//! because a guessed deadline would be a wrong one.

use super::case::{Case, Flag, Paused, stage_of};
use super::policy::{CaseFacts, Course, Due, Goal, Policies, PolicyId};
use super::time::Time;
use super::words::{Clock, ClockStart};

/// What policies ask about a case.
pub fn facts_of(case: &Case, source: u8) -> CaseFacts {
    CaseFacts {
        source,
        law: case.law,
        fast_track: case.is(Flag::FastTrack),
        block: case.block.0,
        topic: case.topic.0,
        body: case.body.0,
        priority: case.priority,
        kind: case.kind,
        repeated: case.round_since.is_some(),
    }
}

/// What a clock has been through; `None` when it has not started. A new round starts the final answer anew, whatever
/// started it in the first.
pub fn course_of(case: &Case, clock: Clock, goal: Goal) -> Option<Course> {
    let registered = case.registered_at?;
    let first_start = |start: ClockStart| match start {
        ClockStart::Registration | ClockStart::Detection => Some(registered),
        ClockStart::Dispatch => case.routed_at.map(|routed| routed.max(registered)),
        ClockStart::InterimAnswer => case.interim_at(),
    };
    match clock {
        Clock::FirstAnswer => first_start(goal.start).map(Course::from),
        Clock::FinalAnswer => {
            let start = case.round_since.or_else(|| first_start(goal.start))?;
            Some(Course { start, paused: case.paused(), extended_at: case.extended_at })
        }
        Clock::Dispatch => Some(Course::from(registered)),
        Clock::Moderation | Clock::Coordination | Clock::Execution | Clock::Approval => {
            if stage_of(case.status) == Some(clock) { case.status_since.map(Course::from) } else { None }
        }
    }
}

/// The stage a case is in, as its policy sees it: on the way to the first body, or its status.
pub fn stage_now(case: &Case, policies: &Policies, id: PolicyId) -> Option<Clock> {
    if !case.is_open() {
        return None;
    }
    if case.routed_at.is_none() && policies.goal(id, Clock::Dispatch).is_some() {
        return Some(Clock::Dispatch);
    }
    stage_of(case.status).filter(|stage| policies.goal(id, *stage).is_some())
}

/// What the policies say about a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Assessment {
    pub policy: Option<PolicyId>,
    pub due_first: Option<Time>,
    pub due_final: Option<Time>,
    pub due_stage: Option<Time>,
    pub stage: Option<Clock>,
    pub is_paused: bool,
}

/// Every due time of a case as it stands.
pub fn assess(case: &Case, source: u8, policies: &Policies) -> Assessment {
    let Some(id) = policies.first_match(&facts_of(case, source)) else { return Assessment::default() };
    let due = |clock: Clock| {
        let course = course_of(case, clock, policies.goal(id, clock)?)?;
        match policies.due_of(id, clock, &course, &mut |_| {}) {
            Due::At(at) => Some(at),
            Due::None | Due::CalendarMissing => None,
        }
    };
    let stage = stage_now(case, policies, id);
    let due_stage = stage.and_then(due);
    Assessment {
        policy: Some(id),
        due_first: due(Clock::FirstAnswer),
        due_final: due(Clock::FinalAnswer),
        due_stage,
        stage: stage.filter(|_| due_stage.is_some()),
        is_paused: case.is_open() && policies.pauses(id, case.status),
    }
}

/// What a stay in the present status from `from` to `to` adds to the final answer, of a case that is paused in it.
pub fn pause_of(case: &Case, source: u8, policies: &Policies, from: Time, to: Time) -> Paused {
    let Some(id) = policies.first_match(&facts_of(case, source)) else { return Paused::default() };
    let goal = policies.goal(id, Clock::FinalAnswer);
    let start = goal.and_then(|goal| course_of(case, Clock::FinalAnswer, goal)).map(|course| course.start);
    // a clock that starts in the middle of the stay stands still from its start on
    start.map_or(Paused::default(), |start| policies.pause(id, from.max(start), to))
}

/// A clock of an open case that has not stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RunningClock {
    pub clock: Clock,
    pub start: Time,
    pub due: Time,
    pub goal: Goal,
    /// It stands still, so it does not fall due before the case goes on.
    pub is_paused: bool,
}

/// The running clocks of a case: first answer, final answer, stage; those without a due time are left out.
pub fn running_clocks(case: &Case, source: u8, policies: &Policies) -> [Option<RunningClock>; 3] {
    let now = assess(case, source, policies);
    let Some(id) = now.policy.filter(|_| case.is_open()) else { return [None; 3] };
    let running = |clock: Clock, due: Option<Time>, is_paused: bool| {
        let goal = policies.goal(id, clock)?;
        Some(RunningClock { clock, start: course_of(case, clock, goal)?.start, due: due?, goal, is_paused })
    };
    let first = if case.first_stop().is_none() { now.due_first } else { None };
    let last = if case.final_stop().is_none() { now.due_final } else { None };
    [
        running(Clock::FirstAnswer, first, false),
        running(Clock::FinalAnswer, last, now.is_paused),
        now.stage.and_then(|stage| running(stage, now.due_stage, false)),
    ]
}

#[cfg(test)]
#[path = "clocks_tests.rs"]
mod tests;
