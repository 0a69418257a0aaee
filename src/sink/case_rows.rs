//! Cases read back from ClickHouse: the row type, and its way into a [`Case`].
//! Invariant: reading a row that a case was written to gives the same case (the kill test compares the cases of an interrupted run with those of a straight one).

use clickhouse::Row;
use serde::Deserialize;

use crate::enrich::names::NameLists;
use crate::model::case::{BlockId, BodyId, Case, Flag, Flags, RowVersion, TerritoryId, TopicId, WordId};
use crate::model::effects::{Dimensions, Effect};
use crate::model::ids::CaseKey;
use crate::model::time::Time;
use crate::model::words::{Clock, Decision, EffectKind, Law, MessageKind, Priority, Reaction, Status};
use crate::partition::ports::JournalFold;

/// The columns of a case, without its version, in the order of [`CaseRow`]; the same names in `events` and `cases`.
pub const CASE_COLUMNS: &str = "case_key, status, priority, kind, law, decision, reaction, rating, review_round, transfers, \
     fast_track, source_overdue, day_only, breach_locked, block, topic, category, territory, network, received_body, body, \
     first_answer_body, answer_body, breach_body, policy, author_key, registered_at, status_at, holder_since, first_answer_at, \
     answered_at, closed_at, rated_at, round_since, due_first, due_final, planned_at, final_breach_at, text_at, \
     fingerprint, first_breach_body, previous_body, routed_at, status_since, due_stage, extended_at, previous_since, bounces, paused, \
     paused_seconds, paused_days, stage";

/// The version of a journal row as `cases` has it.
pub const ROW_VERSION: &str = "bitShiftLeft(kafka_offset, 16) + item";

#[derive(Row, Deserialize)]
pub struct CaseRow {
    version: u64,
    case_key: u64,
    status: i8,
    priority: i8,
    kind: i8,
    law: i8,
    decision: i8,
    reaction: i8,
    rating: u8,
    review_round: u8,
    transfers: u8,
    fast_track: bool,
    source_overdue: bool,
    day_only: bool,
    breach_locked: bool,
    block: String,
    topic: String,
    category: String,
    territory: String,
    network: String,
    received_body: String,
    body: String,
    first_answer_body: String,
    answer_body: String,
    breach_body: String,
    policy: String,
    author_key: u64,
    registered_at: u32,
    status_at: u32,
    holder_since: u32,
    first_answer_at: u32,
    answered_at: u32,
    closed_at: u32,
    rated_at: u32,
    round_since: u32,
    due_first: u32,
    due_final: u32,
    planned_at: u32,
    final_breach_at: u32,
    text_at: u64,
    fingerprint: u128,
    first_breach_body: String,
    previous_body: String,
    routed_at: u32,
    status_since: u32,
    due_stage: u32,
    extended_at: u32,
    previous_since: u32,
    bounces: u8,
    paused: bool,
    paused_seconds: u32,
    paused_days: u16,
    stage: i8,
}

fn time(seconds: u32) -> Option<Time> {
    Time::from_unix_seconds(i64::from(seconds))
}

impl CaseRow {
    pub fn into_case(self, names: &NameLists) -> Case {
        let body = |name: &str| BodyId(names.bodies.number(name));
        let mut flags = Flags::default();
        flags.set(Flag::FastTrack, self.fast_track);
        flags.set(Flag::SourceOverdue, self.source_overdue);
        flags.set(Flag::DayOnly, self.day_only);
        flags.set(Flag::BreachLocked, self.breach_locked);
        flags.set(Flag::Paused, self.paused);
        flags.set(Flag::StageIsDispatch, Clock::from_code(self.stage as u8) == Some(Clock::Dispatch));
        Case {
            key: CaseKey(self.case_key),
            version: RowVersion(self.version),
            fingerprint: self.fingerprint,
            author_key: self.author_key,
            text_at: RowVersion(self.text_at),
            registered_at: time(self.registered_at),
            status_at: time(self.status_at),
            holder_since: time(self.holder_since),
            first_answer_at: time(self.first_answer_at),
            answered_at: time(self.answered_at),
            closed_at: time(self.closed_at),
            rated_at: time(self.rated_at),
            round_since: time(self.round_since),
            due_first: time(self.due_first),
            due_final: time(self.due_final),
            planned_at: time(self.planned_at),
            final_breach_at: time(self.final_breach_at),
            routed_at: time(self.routed_at),
            status_since: time(self.status_since),
            due_stage: time(self.due_stage),
            extended_at: time(self.extended_at),
            previous_since: time(self.previous_since),
            paused_seconds: self.paused_seconds,
            received_body: body(&self.received_body),
            body: body(&self.body),
            first_answer_body: body(&self.first_answer_body),
            answer_body: body(&self.answer_body),
            breach_body: body(&self.breach_body),
            first_breach_body: body(&self.first_breach_body),
            previous_body: body(&self.previous_body),
            paused_days: self.paused_days,
            topic: TopicId(names.topics.number(&self.topic)),
            category: WordId(names.words.number(&self.category)),
            network: WordId(names.words.number(&self.network)),
            territory: TerritoryId(names.territories.number(&self.territory)),
            policy: names.policies.number(&self.policy),
            block: BlockId(names.blocks.number(&self.block) as u8),
            status: Status::from_code(self.status as u8).unwrap_or(Status::New),
            priority: Priority::from_code(self.priority as u8).unwrap_or(Priority::Normal),
            kind: MessageKind::from_code(self.kind as u8),
            law: Law::from_code(self.law as u8),
            decision: Decision::from_code(self.decision as u8),
            reaction: Reaction::from_code(self.reaction as u8),
            rating: self.rating,
            review_round: self.review_round,
            transfers: self.transfers,
            bounces: self.bounces,
            flags,
        }
    }
}

/// One applied journal row: what it counted. Its case comes from a [`CaseRow`] of the same order.
#[derive(Row, Deserialize)]
pub struct EffectRow {
    effects: Vec<(i8, u32, i8, i32, String, bool)>,
    previous_block: String,
    previous_territory: String,
}

impl EffectRow {
    pub fn into_fold(self, case: Case, names: &NameLists) -> JournalFold {
        let effects = self
            .effects
            .into_iter()
            .filter_map(|(kind, at, sign, value, body, day_only)| {
                let (kind, at) = (EffectKind::from_code(kind as u8)?, time(at)?);
                Some(Effect { kind, at, sign, value, body: BodyId(names.bodies.number(&body)), day_only })
            })
            .collect();
        let before = Dimensions {
            block: BlockId(names.blocks.number(&self.previous_block) as u8),
            territory: TerritoryId(names.territories.number(&self.previous_territory)),
        };
        JournalFold { case, effects, before }
    }
}
