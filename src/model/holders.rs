//! Who held a case, and what that makes of its breaches, answers and time. Part of the case machine in `apply`.
//! Invariants: a breach and an answer belong to the holder of their moment, also when the hand-over is heard of later;
//! memory knows the last two holders, so a hand-over that is older than both finds only the counts corrected. What cannot
//! be known in any order: of A, B, A heard of as A, A, B the last hand-over is lost.

use crate::model::apply::counted;
use crate::model::case::{BodyId, Case, Flag};
use crate::model::effects::Effect;
use crate::model::time::Time;
use crate::model::words::EffectKind;

/// Hands the case over.
pub(super) fn route(case: &mut Case, to: Option<BodyId>, at: Time, effects: &mut Vec<Effect>) {
    let Some(to) = to.filter(|body| *body != BodyId(0)) else { return };
    let Some(since) = case.holder_since else {
        case.received_body = first_known(case.received_body, to);
        case.body = to;
        case.holder_since = Some(at);
        case.routed_at = Some(at);
        if let Some(end) = end_of(case) {
            held(case, to, at, end, 1, effects); // it had ended before anybody heard who had it
        }
        return;
    };
    let is_earliest = case.routed_at.is_some_and(|first| at < first);
    if is_earliest {
        case.routed_at = Some(at);
    }
    if at >= since {
        hand_over(case, to, at, since, effects);
    } else if case.previous_since.is_none_or(|previous| at >= previous) {
        put_between(case, to, at, since, effects);
    } else {
        put_before(case, to, at, effects);
    }
    if is_earliest {
        case.received_body = to;
    }
}

fn first_known(known: BodyId, new: BodyId) -> BodyId {
    if known == BodyId(0) { new } else { known }
}

/// The usual case: the newest hand-over.
fn hand_over(case: &mut Case, to: BodyId, at: Time, since: Time, effects: &mut Vec<Effect>) {
    if case.body == to {
        return; // told again; the holder has it since the first time
    }
    fix_breaches(case, at);
    match end_of(case).filter(|end| at < *end) {
        Some(end) => {
            held(case, case.body, since, end, -1, effects); // counted when it ended; the last part was the other's
            held(case, case.body, since, at, 1, effects);
            held(case, to, at, end, 1, effects);
        }
        None if case.is_open() => held(case, case.body, since, at, 1, effects),
        None => {}
    }
    transferred(case, case.body, at, 1, effects);
    case.transfers = case.transfers.saturating_add(1);
    if to == case.previous_body || to == case.received_body {
        case.bounces = case.bounces.saturating_add(1);
    }
    case.previous_body = case.body;
    case.previous_since = Some(since);
    case.body = to;
    case.holder_since = Some(at);
}

/// A hand-over that was overtaken by the newest one only.
fn put_between(case: &mut Case, to: BodyId, at: Time, since: Time, effects: &mut Vec<Effect>) {
    let previous = case.previous_since.map(|from| (case.previous_body, from));
    if previous.is_some_and(|(body, _)| body == to) {
        return;
    }
    if let Some((body, from)) = previous {
        transferred(case, body, since, -1, effects);
        transferred(case, body, at, 1, effects);
        if case.round_since.is_none_or(|round| round <= from) {
            held(case, body, from, since, -1, effects);
            held(case, body, from, at, 1, effects);
        }
    }
    if to == case.body {
        if !case.is_open() {
            held(case, to, at, since, 1, effects);
        }
        case.holder_since = Some(at); // the present holder had it earlier than was known
        return;
    }
    transferred(case, to, since, 1, effects);
    held(case, to, at, since, 1, effects);
    case.transfers = case.transfers.saturating_add(1);
    case.previous_body = to;
    case.previous_since = Some(at);
}

/// A hand-over older than both holders that are known: it counts, but takes nothing from them.
fn put_before(case: &mut Case, to: BodyId, at: Time, effects: &mut Vec<Effect>) {
    let Some(previous) = case.previous_since else { return };
    if to == case.previous_body {
        if case.transfers <= 1 {
            case.previous_since = Some(at);
        }
        return;
    }
    transferred(case, to, previous, 1, effects);
    held(case, to, at, previous, 1, effects);
    case.transfers = case.transfers.saturating_add(1);
}

fn transferred(case: &Case, from: BodyId, at: Time, sign: i8, effects: &mut Vec<Effect>) {
    effects.push(Effect { body: from, sign, ..counted(case, EffectKind::Transferred, at, 0) });
}

/// Time in the hands of a body, from the start of the round on.
fn held(case: &Case, body: BodyId, from: Time, to: Time, sign: i8, effects: &mut Vec<Effect>) {
    let from = case.round_since.map_or(from, |round| round.max(from));
    let seconds = i32::try_from(to.seconds_since(from)).unwrap_or(i32::MAX);
    if seconds > 0 {
        effects.push(Effect { body, sign, ..counted(case, EffectKind::Held, to, seconds) });
    }
}

/// When the present round ended.
fn end_of(case: &Case) -> Option<Time> {
    case.final_stop().filter(|_| !case.is_open())
}

/// The time of the last holder is counted when the case ends, and corrected when it turns out to have ended earlier.
pub(super) fn ended(known: Option<&Case>, case: &Case, effects: &mut Vec<Effect>) {
    let (Some(end), Some(since)) = (end_of(case), case.holder_since) else { return };
    let before = known.filter(|before| before.round_since == case.round_since).and_then(end_of);
    match before {
        Some(before) if before == end => {}
        Some(before) => {
            held(case, case.body, since, before, -1, effects);
            held(case, case.body, since, end, 1, effects);
        }
        None => held(case, case.body, since, end, 1, effects),
    }
}

/// Before a holder is forgotten: a deadline that passed in the hands of the last two is theirs for good.
fn fix_breaches(case: &mut Case, at: Time) {
    let passed =
        |due: Option<Time>, stop: Option<Time>| due.filter(|due| *due < at && stop.is_none_or(|stop| stop > *due));
    if let Some(body) = passed(case.due_first, case.first_stop()).and_then(|due| case.holder_at(due)) {
        case.first_breach_body = body;
    }
    if !case.is(Flag::BreachLocked)
        && let Some(body) = passed(case.due_final, case.final_stop()).and_then(|due| case.holder_at(due))
    {
        case.breach_body = body;
    }
}

/// Gives breaches and answers to the holder of their moment, as far as memory goes back; what is older was settled when
/// the case was handed over.
pub(super) fn settle_holders(case: &mut Case) {
    let holder = |at: Option<Time>, known: BodyId| match at {
        None => BodyId(0),
        Some(at) if case.routed_at.is_none_or(|first| at < first) => earliest(case),
        Some(at) => case.holder_at(at).unwrap_or_else(|| {
            // settled while less was known: neither of the last two held it as early as that
            let is_doubtful = [BodyId(0), case.body, case.previous_body].contains(&known);
            if is_doubtful { earliest(case) } else { known }
        }),
    };
    let first_answer = holder(case.first_answer_at, case.first_answer_body);
    let answer = holder(case.answered_at, case.answer_body);
    let first_breach = match (case.first_breach_at(), case.first_stop()) {
        (None, None) => case.first_breach_body, // it may wait for the answer that makes the breach known
        (breach, _) => holder(breach, case.first_breach_body),
    };
    let final_breach = match (case.final_breach_at, case.final_stop()) {
        _ if case.is(Flag::BreachLocked) => case.breach_body,
        (None, None) => case.breach_body,
        (breach, _) => holder(breach, case.breach_body),
    };
    case.first_answer_body = first_answer;
    case.answer_body = answer;
    case.first_breach_body = first_breach;
    case.breach_body = final_breach;
}

/// Whoever had it first, for a moment before any holder is known.
fn earliest(case: &Case) -> BodyId {
    first_known(case.received_body, case.body)
}
