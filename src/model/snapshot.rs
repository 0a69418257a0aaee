//! Snapshots: a record is the whole row of a case as an export gives it (ПОС does), so the events are derived by
//! comparing it with the case as known. Pure; part of the case machine in `apply`.
//! Invariant: a row that says the same as the last one changes nothing and counts nothing, so a re-delivered history
//! is harmless. A row carries no time of its own: what it does not date happened when Kafka received it.

use crate::model::apply::{answer_first, counted, extend, rate, start_round};
use crate::model::case::{BodyId, Case, Flag};
use crate::model::effects::Effect;
use crate::model::facts::Facts;
use crate::model::holders::route;
use crate::model::words::{Decision, EffectKind, EventKind, Status};

/// Folds the row into the case and names the main thing that happened.
pub(super) fn apply(case: &mut Case, is_new: bool, row: &Facts, effects: &mut Vec<Effect>) -> EventKind {
    let before = *case;
    if row.day_only {
        case.flags.set(Flag::DayOnly, true);
    }
    take_attributes(case, row);
    case.registered_at = row.registered_at.or(case.registered_at).or(Some(row.at));
    route_snapshot(case, is_new, row, effects);

    let status = status_of(row).unwrap_or(case.status);
    let changed = is_new || status != before.status;
    if changed {
        case.status = status;
        case.status_at = Some(row.at);
        // a case that is met for the first time is in its status since nobody knows when, unless it is the first one
        let is_first = matches!(status, Status::New | Status::Moderation);
        case.status_since = if is_new { case.registered_at.filter(|_| is_first) } else { Some(row.at) };
    }
    let came_back = !is_new && !before.is_open() && case.is_open();
    let more_rounds = row.review.is_some_and(|rounds| rounds > case.review_round);
    if came_back || (more_rounds && case.is_open()) {
        effects.push(counted(case, EffectKind::Reopened, row.at, 0));
        start_round(case, row.at);
        case.rating = row.rating.unwrap_or(0); // an export that goes on showing the old mark does not give a second one
    }
    case.review_round = case.review_round.max(row.review.unwrap_or(0));
    stop_clocks(case, row, changed, effects);

    let rated = row.rating.is_some_and(|rating| rating != before.rating);
    if rated {
        rate(case, row, row.at, effects);
    }
    name_event(&before, case, is_new, came_back, rated)
}

/// «Отложено» is an answer in the export and a put-off case in truth: closed, but never as solved.
fn status_of(row: &Facts) -> Option<Status> {
    match (row.status, row.decision) {
        (Some(Status::Answered | Status::Closed), Some(Decision::Deferred)) => Some(Status::Deferred),
        (status, _) => status,
    }
}

fn route_snapshot(case: &mut Case, is_new: bool, row: &Facts, effects: &mut Vec<Effect>) {
    if let Some(received) = row.received_body {
        case.received_body = received;
    }
    if is_new || row.body.is_some_and(|body| body != case.body) {
        route(case, row.body, row.at, effects);
    }
}

/// Times of answer and end. The date of completion is the source's; a row that ends a case without one ends it now.
fn stop_clocks(case: &mut Case, row: &Facts, changed: bool, effects: &mut Vec<Effect>) {
    let ended_at = row.completed_at.unwrap_or(row.at);
    match case.status {
        Status::Answered | Status::Closed if changed || row.completed_at.is_some() => {
            let answered = if changed || case.answered_at.is_none() { Some(ended_at) } else { row.completed_at };
            case.answered_at = answered.or(case.answered_at);
            case.closed_at = if case.status == Status::Closed { case.answered_at } else { None };
            answer_first(case, ended_at);
        }
        Status::Interim => answer_first(case, row.at),
        Status::Extended => {
            answer_first(case, row.at);
            // the row does not say when the term was prolonged, and a late export must not make it late
            if let Some(start) = case.round_since.or(case.registered_at) {
                extend(case, start);
            }
        }
        Status::Rejected | Status::Deferred | Status::Duplicate if changed => {
            case.answered_at = None;
            case.closed_at = Some(ended_at);
            let kind = match case.status {
                Status::Rejected => EffectKind::Declined,
                Status::Deferred => EffectKind::Deferred,
                _ => EffectKind::Merged,
            };
            effects.push(counted(case, kind, ended_at, 0));
        }
        _ => {}
    }
}

/// A row is the whole truth about these: what it leaves empty is empty now.
fn take_attributes(case: &mut Case, row: &Facts) {
    if row.author_key != 0 {
        case.author_key = row.author_key;
    }
    case.block = row.block.unwrap_or_default();
    case.topic = row.topic.unwrap_or_default();
    case.category = row.category.unwrap_or_default();
    case.territory = row.territory.unwrap_or_default();
    case.network = row.network.unwrap_or_default();
    case.law = row.law;
    case.decision = row.decision;
    case.kind = row.kind.or(row.text_kind);
    case.priority = row.priority.unwrap_or(case.priority);
    case.flags.set(Flag::FastTrack, row.fast_track.unwrap_or(false));
    case.flags.set(Flag::SourceOverdue, row.source_overdue.unwrap_or(false));
    case.planned_at = row.planned_at;
}

fn name_event(before: &Case, after: &Case, is_new: bool, came_back: bool, rated: bool) -> EventKind {
    if is_new {
        return EventKind::Registered;
    }
    if came_back {
        return EventKind::Reopened;
    }
    if after.status != before.status {
        return match after.status {
            Status::Answered => EventKind::Answered,
            Status::Closed => EventKind::Closed,
            Status::Rejected => EventKind::Declined,
            Status::Deferred => EventKind::Deferred,
            Status::Duplicate => EventKind::Merged,
            Status::Returned => EventKind::Returned,
            Status::Interim => EventKind::InterimAnswer,
            Status::Extended => EventKind::Extended,
            _ if after.body != before.body => EventKind::Routed,
            _ => EventKind::StatusChanged,
        };
    }
    if rated {
        return EventKind::Rated;
    }
    if after.body != before.body && after.body != BodyId(0) { EventKind::Routed } else { EventKind::Updated }
}
