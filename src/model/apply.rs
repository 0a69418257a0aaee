//! The case machine: (case, facts) -> (case, effects, outcome). Pure; the partition worker owns the cases and calls it.
//! Invariants:
//! - the result depends on nothing but the arguments (design invariant 3);
//! - an order of arrival never loses a fact: an overtaken event still sets the times it knows, but not the status;
//! - the same record applied twice changes nothing and counts nothing the second time.

use crate::model::case::{BodyId, Case, RowVersion};
use crate::model::effects::{Effect, difference};
use crate::model::facts::{Facts, Shape};
use crate::model::snapshot;
use crate::model::time::Time;
use crate::model::words::{EffectKind, EventKind, Outcome, Reaction, Status};

/// What the deadline rules say about a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadlines {
    /// Index of the matching policy plus one; zero when none matches.
    pub policy: u16,
    pub due_first: Option<Time>,
    pub due_final: Option<Time>,
}

/// The SLA rules as the case machine sees them. Must be a pure function of the case.
pub trait DeadlineRules {
    fn deadlines(&self, case: &Case) -> Deadlines;
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
            if seen_before(&case, facts.digest) && !is_news(&case, facts.at) {
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
    case.day_only |= facts.day_only;
    if facts.has_text && case.text_at == RowVersion(0) {
        case.text_at = version;
    }
    renew_deadlines(known, &mut case, rules);
    settle_breaches(&mut case);
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

/// Newer than everything the case knows, so it cannot have been applied before.
fn is_news(case: &Case, at: Time) -> bool {
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
                if case.answered_at.is_none() {
                    case.answer_body = case.body;
                }
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
            }
            advance(case, facts.status.unwrap_or(status), at);
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
    Effect { kind, at, sign: 1, value, body: case.body, day_only: case.day_only }
}

/// The case comes back: the answer no longer stands, nor its mark, the final-answer clock starts anew, the total time goes on.
pub(super) fn start_round(case: &mut Case, at: Time) {
    if case.final_breach_at.is_some() {
        case.breach_locked = true;
    }
    case.review_round = case.review_round.saturating_add(1);
    case.round_since = Some(at);
    case.answered_at = None;
    case.closed_at = None;
    // a mark is of an answer; the windows keep that it was given
    case.rating = 0;
    case.reaction = None;
}

pub(super) fn answer_first(case: &mut Case, at: Time) {
    if case.first_answer_at.is_none_or(|known| at < known) {
        case.first_answer_at = Some(at);
        case.first_answer_body = case.body;
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

/// Hands the case over. A deadline that fell due before belongs to the body that let it pass.
pub(super) fn route(case: &mut Case, to: Option<BodyId>, at: Time, effects: &mut Vec<Effect>) {
    let Some(to) = to.filter(|body| *body != BodyId(0)) else { return };
    if case.holder_since.is_some_and(|known| at < known) {
        return; // overtaken: the later hand-over is known already
    }
    if case.received_body == BodyId(0) {
        case.received_body = to;
    }
    if case.body != BodyId(0) && case.body != to {
        let overdue = |due: Option<Time>, stop: Option<Time>| {
            due.is_some_and(|due| due < at && stop.is_none_or(|stop| stop > due))
        };
        if case.breach_body == BodyId(0)
            && (overdue(case.due_first, case.first_stop()) || overdue(case.due_final, case.final_stop()))
        {
            case.breach_body = case.body;
        }
        effects.push(counted(case, EffectKind::Transferred, at, 0));
        case.transfers = case.transfers.saturating_add(1);
    }
    case.body = to;
    case.holder_since = Some(at);
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
    case.kind = facts.kind.or(case.kind);
    case.priority = facts.priority.unwrap_or(case.priority);
    case.fast_track = facts.fast_track.unwrap_or(case.fast_track);
    case.source_overdue = facts.source_overdue.unwrap_or(case.source_overdue);
    case.planned_at = facts.planned_at.or(case.planned_at);
}

/// Asks the rules again only when something they look at has changed, and never for a case that has ended:
/// closed history keeps the deadlines it was judged by.
fn renew_deadlines(known: Option<&Case>, case: &mut Case, rules: &impl DeadlineRules) {
    let Some(_) = case.registered_at else { return };
    let inputs = |case: &Case| {
        let subject = (case.block, case.topic, case.body, case.priority, case.kind, case.law, case.fast_track);
        (subject, case.registered_at, case.round_since)
    };
    let unchanged = known.is_some_and(|before| before.policy != 0 && inputs(before) == inputs(case));
    let judged = known.is_some_and(|before| before.policy != 0 && !case.is_open());
    if unchanged || judged {
        return;
    }
    let deadlines = rules.deadlines(case);
    case.policy = deadlines.policy;
    case.due_first = deadlines.due_first;
    case.due_final = deadlines.due_final;
}

fn settle_breaches(case: &mut Case) {
    let missed = |due: Option<Time>, stop: Option<Time>| due.filter(|due| stop.is_some_and(|stop| stop > *due));
    case.first_breach_at = missed(case.due_first, case.first_stop());
    if !case.breach_locked {
        case.final_breach_at = missed(case.due_final, case.final_stop());
    }
    let breached = case.first_breach_at.is_some() || case.final_breach_at.is_some();
    if breached && case.breach_body == BodyId(0) {
        case.breach_body = case.body;
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
