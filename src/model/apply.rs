//! The case machine: (case, facts) -> (case, effects, outcome). Pure; the partition worker owns the cases and calls it.
//! Invariants:
//! - the result depends on nothing but the arguments (design invariant 3);
//! - an order of arrival never loses a fact: an overtaken event still sets the times it knows, but not the status;
//! - the same record applied twice changes nothing and counts nothing the second time.

use crate::model::case::{BodyId, Case, Flag, Paused, RowVersion};
use crate::model::effects::{Effect, difference};
use crate::model::facts::{Facts, Shape};
use crate::model::holders::{ended, route, settle_holders};
use crate::model::snapshot;
use crate::model::time::Time;
use crate::model::words::{Clock, EffectKind, EventKind, Outcome, Reaction, Status};

/// What the deadline rules say about a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadlines {
    /// Index of the matching policy plus one; zero when none matches.
    pub policy: u16,
    pub due_first: Option<Time>,
    pub due_final: Option<Time>,
    pub due_stage: Option<Time>,
    /// `due_stage` is that of the clock `dispatch`.
    pub stage_is_dispatch: bool,
    /// The final-answer clock stands still in the present status.
    pub is_paused: bool,
}

/// The SLA rules as the case machine sees them. Must be a pure function of the case.
pub trait DeadlineRules {
    fn deadlines(&self, case: &Case) -> Deadlines;

    /// What a stay from `from` to `to` in the status of `case`, in which it is paused, adds to the final answer.
    fn pause(&self, case: &Case, from: Time, to: Time) -> Paused;

    /// What started a clock that runs, for warnings before its due time; `None` when that is not known.
    fn start(&self, case: &Case, clock: Clock) -> Option<Time> {
        match clock {
            Clock::FinalAnswer => case.round_since.or(case.registered_at),
            Clock::FirstAnswer | Clock::Dispatch => case.registered_at,
            Clock::Moderation | Clock::Coordination | Clock::Execution | Clock::Approval => case.status_since,
        }
    }
}

/// The judgement on one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Empty for `applied`.
    pub reason: &'static str,
    pub event: EventKind,
}

/// Reason of an event that is older than what is known and adds nothing.
pub const REASON_SUPERSEDED: &str = "superseded";
/// Reason of a record whose content is known already.
pub const REASON_SAME_CONTENT: &str = "same_content";

/// Folds one record into its case. `effects` must be empty; it receives what the record counts.
pub fn apply(
    known: Option<&Case>,
    facts: &Facts,
    version: RowVersion,
    rules: &impl DeadlineRules,
    effects: &mut Vec<Effect>,
) -> (Case, Verdict) {
    debug_assert!(effects.is_empty());
    let mut case = known.copied().unwrap_or_else(|| Case::unknown(facts.key));
    let event = match facts.shape {
        Shape::Event => {
            let event = facts.event.unwrap_or(EventKind::Updated);
            if seen_before(&case, facts.digest) && !is_news(&case, event, facts.at) {
                let verdict = Verdict { outcome: Outcome::Duplicate, reason: REASON_SAME_CONTENT, event };
                return (case, verdict);
            }
            apply_event(&mut case, event, facts, effects);
            event
        }
        Shape::Snapshot => {
            if known.is_some() && row_seen_before(&case, facts.digest) {
                let verdict =
                    Verdict { outcome: Outcome::Duplicate, reason: REASON_SAME_CONTENT, event: EventKind::Updated };
                return (case, verdict);
            }
            snapshot::apply(&mut case, known.is_none(), facts, effects)
        }
    };
    if facts.day_only {
        case.flags.set(Flag::DayOnly, true);
    }
    if facts.has_text && case.text_at == RowVersion(0) {
        case.text_at = version;
    }
    if let Some(before) = known {
        leave_status(before, &mut case, rules, effects);
    }
    renew_deadlines(known, &mut case, rules);
    settle_breaches(&mut case);
    settle_holders(&mut case);
    ended(known, &case, effects);
    difference(known, &case, effects);

    if let Some(before) = known
        && effects.is_empty()
        && case.same_facts(before)
    {
        let (outcome, reason) = match facts.shape {
            Shape::Event => (Outcome::Ignored, REASON_SUPERSEDED),
            Shape::Snapshot => (Outcome::Duplicate, REASON_SAME_CONTENT),
        };
        return (*before, Verdict { outcome, reason, event });
    }
    case.version = version;
    case.fingerprint = match facts.shape {
        Shape::Event => (case.fingerprint << 16) | u128::from(event_hash(facts.digest)),
        Shape::Snapshot => (case.fingerprint << 32) | u128::from(row_hash(facts.digest)),
    };
    (case, Verdict { outcome: Outcome::Applied, reason: "", event })
}

/// Sixteen bits of the digest, never zero, because zero marks an empty place in the ring of the last eight events.
fn event_hash(digest: u64) -> u16 {
    (digest >> 48) as u16 | 1
}

/// Thirty-two bits of the digest, never zero.
fn row_hash(digest: u64) -> u32 {
    (digest >> 32) as u32 | 1
}

/// An export that is delivered again brings rows that newer ones have overtaken; a row has no time of its own, so the
/// last four are remembered. A false "seen" has a chance of 1 in 500 million.
fn row_seen_before(case: &Case, digest: u64) -> bool {
    let wanted = row_hash(digest);
    (0..4).any(|place| (case.fingerprint >> (32 * place)) as u32 == wanted)
}

/// The ring gives a false "seen" for about one late event in 4,000; `is_news` keeps it from ever hiding a newer event.
fn seen_before(case: &Case, digest: u64) -> bool {
    let wanted = event_hash(digest);
    (0..8).any(|place| (case.fingerprint >> (16 * place)) as u16 == wanted)
}

/// Newer than everything the case knows, or the registration it waits for: it cannot have been applied before.
fn is_news(case: &Case, event: EventKind, at: Time) -> bool {
    if event == EventKind::Registered && case.registered_at.is_none() {
        return true;
    }
    let latest = case.status_at.max(case.holder_since).max(case.rated_at);
    latest.is_none_or(|latest| at > latest)
}

fn apply_event(case: &mut Case, event: EventKind, facts: &Facts, effects: &mut Vec<Effect>) {
    let at = facts.at;
    match event {
        EventKind::Registered => {
            let registered = facts.registered_at.unwrap_or(at);
            case.registered_at = Some(case.registered_at.map_or(registered, |known| known.min(registered)));
            advance(case, facts.status.unwrap_or(Status::New), at);
        }
        EventKind::Routed => {
            route(case, facts.body, at, effects);
            move_status(case, facts.status.unwrap_or(Status::InWork), at, effects);
        }
        EventKind::InterimAnswer => {
            answer_first(case, at);
            move_status(case, facts.status.unwrap_or(Status::Interim), at, effects);
        }
        EventKind::Answered => {
            answer_first(case, at);
            if case.round_since.is_none_or(|round| at >= round) {
                case.answered_at = Some(case.answered_at.map_or(at, |known| known.min(at)));
            }
            advance(case, facts.status.unwrap_or(Status::Answered), at);
        }
        EventKind::Closed => end(case, facts.status.unwrap_or(Status::Closed), at, None, effects),
        EventKind::Declined => {
            end(case, facts.status.unwrap_or(Status::Rejected), at, Some(EffectKind::Declined), effects)
        }
        EventKind::Deferred => {
            end(case, facts.status.unwrap_or(Status::Deferred), at, Some(EffectKind::Deferred), effects)
        }
        EventKind::Merged => {
            end(case, facts.status.unwrap_or(Status::Duplicate), at, Some(EffectKind::Merged), effects)
        }
        EventKind::Returned | EventKind::Reopened => {
            let (kind, status) = match event {
                EventKind::Returned => (EffectKind::Returned, Status::Returned),
                _ => (EffectKind::Reopened, Status::InWork),
            };
            effects.push(counted(case, kind, at, 0));
            if is_current(case, at) {
                start_round(case, at);
            } else {
                start_round_late(case, at);
            }
            advance(case, facts.status.unwrap_or(status), at);
        }
        EventKind::Extended => {
            answer_first(case, at); // the author was told
            extend(case, at);
            move_status(case, facts.status.unwrap_or(Status::Extended), at, effects);
        }
        EventKind::Rated => rate(case, facts, at, effects),
        EventKind::StatusChanged => {
            if let Some(status) = facts.status {
                move_status(case, status, at, effects);
            }
        }
        EventKind::Updated => {}
    }
    take_attributes(case, facts);
}

/// At least as new as the status the case has.
fn is_current(case: &Case, at: Time) -> bool {
    case.status_at.is_none_or(|known| at >= known)
}

fn advance(case: &mut Case, status: Status, at: Time) {
    if is_current(case, at) {
        if case.status != status || case.status_at.is_none() {
            case.status_since = Some(at);
        }
        case.status = status;
        case.status_at = Some(at);
    }
}

/// Like `advance`, but work on a case that had ended begins a new round.
fn move_status(case: &mut Case, status: Status, at: Time, effects: &mut Vec<Effect>) {
    if is_current(case, at) && !case.is_open() && !status.is_terminal() {
        effects.push(counted(case, EffectKind::Reopened, at, 0));
        start_round(case, at);
    }
    advance(case, status, at);
}

/// An effect of the present holder at a moment.
pub(super) fn counted(case: &Case, kind: EffectKind, at: Time, value: i32) -> Effect {
    Effect { kind, at, sign: 1, value, body: case.body, day_only: case.is(Flag::DayOnly) }
}

/// The case comes back: the answer no longer stands, nor its mark, the final-answer clock starts anew, the total time goes on.
pub(super) fn start_round(case: &mut Case, at: Time) {
    if case.final_breach_at.is_some() {
        case.flags.set(Flag::BreachLocked, true);
    }
    case.review_round = case.review_round.saturating_add(1);
    case.round_since = Some(at);
    case.answered_at = None;
    case.closed_at = None;
    case.extended_at = None;
    case.paused_seconds = 0;
    case.paused_days = 0;
    // a mark is of an answer; the windows keep that it was given
    case.rating = 0;
    case.reaction = None;
}

/// A return that was overtaken: what the case knows of its end after that moment is the end of the new round.
fn start_round_late(case: &mut Case, at: Time) {
    if case.round_since.or(case.registered_at).is_some_and(|start| at <= start) {
        return; // an even later round is known
    }
    let after = |known: Option<Time>| known.filter(|known| *known > at);
    let (answered, closed) = (after(case.answered_at), after(case.closed_at));
    let status_at = case.status_at;
    let marks = (case.rating, case.reaction);
    start_round(case, at);
    if case.rated_at.is_some_and(|rated| rated > at) {
        (case.rating, case.reaction) = marks;
    }
    case.answered_at = answered.or(if case.status == Status::Answered { status_at } else { None });
    case.closed_at = closed;
}

/// The term is prolonged once in a round; what counts is the earliest word of it.
pub(super) fn extend(case: &mut Case, at: Time) {
    if case.round_since.is_none_or(|round| at >= round) {
        case.extended_at = Some(case.extended_at.map_or(at, |known| known.min(at)));
    }
}

pub(super) fn answer_first(case: &mut Case, at: Time) {
    if case.first_answer_at.is_none_or(|known| at < known) {
        case.first_answer_at = Some(at);
    }
}

fn end(case: &mut Case, status: Status, at: Time, kind: Option<EffectKind>, effects: &mut Vec<Effect>) {
    if let Some(kind) = kind {
        effects.push(counted(case, kind, at, 0));
    }
    if case.round_since.is_none_or(|round| at >= round) {
        case.closed_at = Some(case.closed_at.map_or(at, |known| known.min(at)));
    }
    advance(case, status, at);
}

pub(super) fn rate(case: &mut Case, facts: &Facts, at: Time, effects: &mut Vec<Effect>) {
    if let Some(rating) = facts.rating {
        effects.push(counted(case, EffectKind::Rated, at, i32::from(rating)));
    }
    match facts.reaction {
        Some(Reaction::Satisfied) => effects.push(counted(case, EffectKind::Reacted, at, 1)),
        Some(Reaction::NotSatisfied) => effects.push(counted(case, EffectKind::Reacted, at, -1)),
        Some(Reaction::None) | None => {}
    }
    let is_of_this_round = case.round_since.is_none_or(|round| at >= round);
    if is_of_this_round && case.rated_at.is_none_or(|known| at >= known) {
        case.rating = facts.rating.unwrap_or(case.rating);
        case.reaction = facts.reaction.or(case.reaction);
        case.rated_at = Some(at);
    }
}

/// What the record says of the case itself. An event only adds: it rarely repeats what an earlier one said.
fn take_attributes(case: &mut Case, facts: &Facts) {
    if facts.author_key != 0 {
        case.author_key = facts.author_key;
    }
    if case.received_body == BodyId(0) {
        case.received_body = facts.received_body.unwrap_or_default();
    }
    case.block = facts.block.unwrap_or(case.block);
    case.topic = facts.topic.unwrap_or(case.topic);
    case.category = facts.category.unwrap_or(case.category);
    case.territory = facts.territory.unwrap_or(case.territory);
    case.network = facts.network.unwrap_or(case.network);
    case.law = facts.law.or(case.law);
    case.decision = facts.decision.or(case.decision);
    case.kind = facts.kind.or(case.kind).or(facts.text_kind);
    case.priority = facts.priority.unwrap_or(case.priority);
    if let Some(is_fast) = facts.fast_track {
        case.flags.set(Flag::FastTrack, is_fast);
    }
    if let Some(is_overdue) = facts.source_overdue {
        case.flags.set(Flag::SourceOverdue, is_overdue);
    }
    case.planned_at = facts.planned_at.or(case.planned_at);
}

/// What leaving a status settles: the pause it was, the stage it was.
fn leave_status(before: &Case, case: &mut Case, rules: &impl DeadlineRules, effects: &mut Vec<Effect>) {
    let has_left = case.status_since != before.status_since;
    if let (true, Some(from), Some(to)) = (has_left && before.is(Flag::Paused), before.status_since, case.status_since)
        && before.round_since == case.round_since
    {
        let pause = rules.pause(before, from, to);
        case.paused_seconds = case.paused_seconds.saturating_add(pause.seconds);
        case.paused_days = case.paused_days.saturating_add(pause.days);
    }
    leave_dispatch(before, case, rules, effects);
    let Some(due) = before.due_stage.filter(|_| !before.is(Flag::StageIsDispatch)) else { return };
    if case.status_since.is_some_and(|left| has_left && left > due) {
        let body = before.holder_at(due).unwrap_or(before.body);
        effects.push(Effect { body, ..counted(before, EffectKind::StageBreached, due, 0) });
    }
}

/// The way to the first body ends with the first hand-over, also when that is heard of late. No body had the case when this
/// stage was due, so its breach is nobody's; a case that ended without a hand-over was never on the way to one.
fn leave_dispatch(before: &Case, case: &Case, rules: &impl DeadlineRules, effects: &mut Vec<Effect>) {
    let way = |case: &Case| (case.registered_at, case.routed_at);
    if way(before) == way(case) {
        return;
    }
    let missed = |case: &Case| {
        let routed = case.routed_at?;
        let on_the_way = Case { status: Status::New, routed_at: None, ..*case };
        let deadlines = rules.deadlines(&on_the_way);
        deadlines.due_stage.filter(|due| deadlines.stage_is_dispatch && routed > *due)
    };
    let (was, is) = (missed(before), missed(case));
    if was == is {
        return;
    }
    for (due, sign) in [(was, -1), (is, 1)] {
        if let Some(due) = due {
            effects.push(Effect { body: BodyId(0), sign, ..counted(before, EffectKind::StageBreached, due, 0) });
        }
    }
}

/// Asks the rules again only when something they look at has changed. A case that has ended is judged by the rules of
/// its last day: after that only a late fact about the course of its clocks moves them.
fn renew_deadlines(known: Option<&Case>, case: &mut Case, rules: &impl DeadlineRules) {
    let Some(_) = case.registered_at else { return };
    let subject = |case: &Case| {
        let who = (case.block, case.topic, case.body, case.priority, case.kind, case.law);
        (who, case.is(Flag::FastTrack))
    };
    let course = |case: &Case| {
        let starts = (case.registered_at, case.round_since, case.routed_at, case.interim_at());
        (starts, case.paused_seconds, case.paused_days, case.extended_at)
    };
    let status = |case: &Case| (case.status, case.status_since);
    let before = known.filter(|before| before.policy != 0);
    let same_course = before.is_some_and(|before| course(before) == course(case));
    if same_course && before.is_some_and(|before| subject(before) == subject(case) && status(before) == status(case)) {
        return;
    }
    if same_course && !case.is_open() {
        case.due_stage = None;
        case.flags.set(Flag::StageIsDispatch, false);
        case.flags.set(Flag::Paused, false);
        return;
    }
    let deadlines = rules.deadlines(case);
    case.policy = deadlines.policy;
    // a clock that had stopped is not judged again by what has nothing to do with it, such as a later day's rules
    let same = before.filter(|before| subject(before) == subject(case));
    let start = |case: &Case| (case.registered_at, case.round_since, case.routed_at);
    if !same.is_some_and(|before| before.first_stop().is_some() && start(before) == start(case)) {
        case.due_first = deadlines.due_first;
    }
    if !same.is_some_and(|before| before.final_stop().is_some() && same_course) {
        case.due_final = deadlines.due_final;
    }
    case.due_stage = deadlines.due_stage;
    case.flags.set(Flag::StageIsDispatch, deadlines.stage_is_dispatch);
    case.flags.set(Flag::Paused, deadlines.is_paused);
}

fn settle_breaches(case: &mut Case) {
    if !case.is(Flag::BreachLocked) {
        case.final_breach_at = case.due_final.filter(|due| case.final_stop().is_some_and(|stop| stop > *due));
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
