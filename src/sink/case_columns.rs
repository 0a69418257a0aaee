//! The columns of the journal that say how a case stands after the row.
//! Owner: the journal block. Invariants: every field of a case is in them, so that a case can be read back from its last
//! row; the columns are those of `events` as the migrations make it, by name and by type.

use crate::enrich::names::NameLists;
use crate::model::case::{Case, Flag};
use crate::model::time::seconds_or_zero;
use crate::model::words::{Clock, Decision, Law, MessageKind, Priority, Reaction, Status};
use crate::sink::journal::{DATETIME, enum_type};
use crate::sink::native::{BlockWriter, Dictionary, Fixed};

/// The case as it stood after the row.
#[derive(Default)]
pub struct CaseColumns {
    status: Fixed,
    priority: Fixed,
    kind: Fixed,
    law: Fixed,
    decision: Fixed,
    reaction: Fixed,
    rating: Fixed,
    review_round: Fixed,
    transfers: Fixed,
    fast_track: Fixed,
    source_overdue: Fixed,
    day_only: Fixed,
    breach_locked: Fixed,
    block: Dictionary,
    topic: Dictionary,
    category: Dictionary,
    territory: Dictionary,
    network: Dictionary,
    received_body: Dictionary,
    body: Dictionary,
    first_answer_body: Dictionary,
    answer_body: Dictionary,
    breach_body: Dictionary,
    first_breach_body: Dictionary,
    previous_body: Dictionary,
    policy: Dictionary,
    author_key: Fixed,
    times: [Fixed; TIME_COLUMNS.len()],
    text_at: Fixed,
    fingerprint: Fixed,
    bounces: Fixed,
    paused: Fixed,
    paused_seconds: Fixed,
    paused_days: Fixed,
    stage: Fixed,
}

/// Names of the time columns, in the order of `CaseColumns::times`.
pub const TIME_COLUMNS: [&str; 18] = [
    "registered_at",
    "status_at",
    "holder_since",
    "first_answer_at",
    "answered_at",
    "closed_at",
    "rated_at",
    "round_since",
    "due_first",
    "due_final",
    "planned_at",
    "first_breach_at",
    "final_breach_at",
    "routed_at",
    "status_since",
    "due_stage",
    "extended_at",
    "previous_since",
];

impl CaseColumns {
    pub fn push(&mut self, case: &Case, known: bool, names: &NameLists) {
        self.status.u8(if known { case.status.code() } else { 0 });
        self.priority.u8(if known { case.priority.code() } else { 0 });
        self.kind.u8(case.kind.map_or(0, MessageKind::code));
        self.law.u8(case.law.map_or(0, Law::code));
        self.decision.u8(case.decision.map_or(0, Decision::code));
        self.reaction.u8(case.reaction.map_or(0, Reaction::code));
        self.rating.u8(case.rating);
        self.review_round.u8(case.review_round);
        self.transfers.u8(case.transfers);
        self.fast_track.u8(u8::from(case.is(Flag::FastTrack)));
        self.source_overdue.u8(u8::from(case.is(Flag::SourceOverdue)));
        self.day_only.u8(u8::from(case.is(Flag::DayOnly)));
        self.breach_locked.u8(u8::from(case.is(Flag::BreachLocked)));
        self.block.push(u16::from(case.block.0), |number| names.blocks.name(number));
        self.topic.push(case.topic.0, |number| names.topics.name(number));
        self.category.push(case.category.0, |number| names.words.name(number));
        self.territory.push(case.territory.0, |number| names.territories.name(number));
        self.network.push(case.network.0, |number| names.words.name(number));
        self.received_body.push(case.received_body.0, |number| names.bodies.name(number));
        self.body.push(case.body.0, |number| names.bodies.name(number));
        self.first_answer_body.push(case.first_answer_body.0, |number| names.bodies.name(number));
        self.answer_body.push(case.answer_body.0, |number| names.bodies.name(number));
        self.breach_body.push(case.breach_body.0, |number| names.bodies.name(number));
        self.first_breach_body.push(case.first_breach_body.0, |number| names.bodies.name(number));
        self.previous_body.push(case.previous_body.0, |number| names.bodies.name(number));
        self.policy.push(case.policy, |number| names.policies.name(number));
        self.author_key.u64(case.author_key);
        let times = [
            case.registered_at,
            case.status_at,
            case.holder_since,
            case.first_answer_at,
            case.answered_at,
            case.closed_at,
            case.rated_at,
            case.round_since,
            case.due_first,
            case.due_final,
            case.planned_at,
            case.first_breach_at(),
            case.final_breach_at,
            case.routed_at,
            case.status_since,
            case.due_stage,
            case.extended_at,
            case.previous_since,
        ];
        for (column, time) in self.times.iter_mut().zip(times) {
            column.u32(seconds_or_zero(time));
        }
        self.text_at.u64(case.text_at.0);
        self.fingerprint.u128(case.fingerprint);
        self.bounces.u8(case.bounces);
        self.paused.u8(u8::from(case.is(Flag::Paused)));
        self.paused_seconds.u32(case.paused_seconds);
        self.paused_days.u16(case.paused_days);
        self.stage.u8(case.stage().map_or(0, Clock::code));
    }

    pub fn write(&mut self, out: &mut BlockWriter) {
        out.fixed("status", &enum_type(Status::ALL, Status::name, Status::code, true), &mut self.status);
        out.fixed("priority", &enum_type(Priority::ALL, Priority::name, Priority::code, true), &mut self.priority);
        out.fixed("kind", &enum_type(MessageKind::ALL, MessageKind::name, MessageKind::code, true), &mut self.kind);
        out.fixed("law", &enum_type(Law::ALL, Law::name, Law::code, true), &mut self.law);
        out.fixed("decision", &enum_type(Decision::ALL, Decision::name, Decision::code, true), &mut self.decision);
        out.fixed("reaction", &enum_type(Reaction::ALL, Reaction::name, Reaction::code, true), &mut self.reaction);
        out.fixed("rating", "UInt8", &mut self.rating);
        out.fixed("review_round", "UInt8", &mut self.review_round);
        out.fixed("transfers", "UInt8", &mut self.transfers);
        out.fixed("fast_track", "Bool", &mut self.fast_track);
        out.fixed("source_overdue", "Bool", &mut self.source_overdue);
        out.fixed("day_only", "Bool", &mut self.day_only);
        out.fixed("breach_locked", "Bool", &mut self.breach_locked);
        out.dictionary("block", &mut self.block);
        out.dictionary("topic", &mut self.topic);
        out.dictionary("category", &mut self.category);
        out.dictionary("territory", &mut self.territory);
        out.dictionary("network", &mut self.network);
        out.dictionary("received_body", &mut self.received_body);
        out.dictionary("body", &mut self.body);
        out.dictionary("first_answer_body", &mut self.first_answer_body);
        out.dictionary("answer_body", &mut self.answer_body);
        out.dictionary("breach_body", &mut self.breach_body);
        out.dictionary("first_breach_body", &mut self.first_breach_body);
        out.dictionary("previous_body", &mut self.previous_body);
        out.dictionary("policy", &mut self.policy);
        out.fixed("author_key", "UInt64", &mut self.author_key);
        for (name, column) in TIME_COLUMNS.iter().zip(&mut self.times) {
            out.fixed(name, DATETIME, column);
        }
        out.fixed("text_at", "UInt64", &mut self.text_at);
        out.fixed("fingerprint", "UInt128", &mut self.fingerprint);
        out.fixed("bounces", "UInt8", &mut self.bounces);
        out.fixed("paused", "Bool", &mut self.paused);
        out.fixed("paused_seconds", "UInt32", &mut self.paused_seconds);
        out.fixed("paused_days", "UInt16", &mut self.paused_days);
        out.fixed("stage", &enum_type(Clock::ALL, Clock::name, Clock::code, true), &mut self.stage);
    }
}
