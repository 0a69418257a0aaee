//! A case as memory holds it: everything later decisions need, and nothing else (its text stays in the journal).
//! Owner: the partition worker of the case's Kafka partition. Invariants: every field is also a column of the journal
//! row written with it, so that a case can be read back from its last row; a `Case` is `Copy` and 160 bytes,
//! because a region keeps a million of them open.

use crate::model::ids::{CaseKey, Offset};
use crate::model::time::Time;
use crate::model::words::{Clock, Decision, Law, MessageKind, Priority, Reaction, Status};

/// Interned name of a body; zero is "not known".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BodyId(pub u16);
/// Interned topic; zero is "not known".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TopicId(pub u16);
/// Interned sector block; zero is "not known".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct BlockId(pub u8);
/// Interned territory; zero is "not known".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TerritoryId(pub u16);
/// Interned free word (a source's own category, a network); zero is "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct WordId(pub u16);

/// Position of a journal row inside its partition, as one number that grows with the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RowVersion(pub u64);

impl RowVersion {
    /// An offset has room for 48 bits (a partition would need 8,900 years at 1,000 records a second), an item for 16.
    pub fn new(offset: Offset, item: u16) -> RowVersion {
        RowVersion((offset.0 << 16) | u64::from(item))
    }

    /// The offset of the row.
    pub fn offset(self) -> Offset {
        Offset(self.0 >> 16)
    }
}

/// A truth about a case that needs one bit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Flag {
    FastTrack = 1,
    /// The source's own overdue flag.
    SourceOverdue = 2,
    /// The source gives days, not seconds: such a case counts in day windows only.
    DayOnly = 4,
    /// Nobody answered by the due time although the case has ended; the breach outlives a later round.
    BreachLocked = 8,
    /// The final-answer clock stands still in the present status.
    Paused = 16,
    /// `due_stage` is that of the clock `dispatch`, not of the status.
    StageIsDispatch = 32,
}

/// Eight truths in a byte: as a `bool` each they would cost a region eight megabytes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Flags(u8);

impl Flags {
    pub fn has(self, flag: Flag) -> bool {
        self.0 & flag as u8 != 0
    }

    pub fn set(&mut self, flag: Flag, is_so: bool) {
        if is_so {
            self.0 |= flag as u8;
        } else {
            self.0 &= !(flag as u8);
        }
    }
}

/// How long a clock stood still. Seconds and days are working ones where the policy counts in working time.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Paused {
    pub seconds: u32,
    /// Days whose end came while the clock stood still: what a goal in days grows by.
    pub days: u16,
}

/// One appeal, message, call or incident, as it stands after its last applied record.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Case {
    pub key: CaseKey,
    /// The journal row that last changed this case.
    pub version: RowVersion,
    /// Snapshots: hashes of the last four rows. Events: of the last eight, sixteen bits each (see `apply`).
    pub fingerprint: u128,
    /// Keyed identity of the author, zero when the source gives none.
    pub author_key: u64,
    /// Row that holds the masked text; zero version means no text was seen.
    pub text_at: RowVersion,

    pub registered_at: Option<Time>,
    /// Time of the latest status-changing event.
    pub status_at: Option<Time>,
    /// The present holder has the case since then.
    pub holder_since: Option<Time>,
    /// First answer of any kind, interim or final.
    pub first_answer_at: Option<Time>,
    /// Final answer of the present round.
    pub answered_at: Option<Time>,
    /// Left the work in another way than by an answer, or after it.
    pub closed_at: Option<Time>,
    pub rated_at: Option<Time>,
    /// Start of the present review round; `None` in the first.
    pub round_since: Option<Time>,
    pub due_first: Option<Time>,
    pub due_final: Option<Time>,
    /// The source's own deadline, kept beside ours.
    pub planned_at: Option<Time>,
    /// The final answer is known to have missed its due time (equals that due time). The breach of the first answer
    /// follows from the other fields: [`Case::first_breach_at`].
    pub final_breach_at: Option<Time>,
    /// First hand-over to a body ever.
    pub routed_at: Option<Time>,
    /// The status is what it is since then; `None` when that was before anybody watched.
    pub status_since: Option<Time>,
    /// The present stage is to be left by then.
    pub due_stage: Option<Time>,
    /// The term of the present round was prolonged.
    pub extended_at: Option<Time>,
    /// The holder before the present one had the case since then.
    pub previous_since: Option<Time>,
    /// Finished pauses of the final-answer clock in the present round: see [`Paused`].
    pub paused_seconds: u32,

    /// Where the case came in first.
    pub received_body: BodyId,
    /// The holder now.
    pub body: BodyId,
    /// Holder when the first answer was given.
    pub first_answer_body: BodyId,
    /// Holder when the final answer was given.
    pub answer_body: BodyId,
    /// Holder when the final answer fell due.
    pub breach_body: BodyId,
    /// Holder when the first answer fell due.
    pub first_breach_body: BodyId,
    /// Holder before the present one.
    pub previous_body: BodyId,
    /// See `paused_seconds`.
    pub paused_days: u16,
    pub topic: TopicId,
    pub category: WordId,
    pub network: WordId,
    pub territory: TerritoryId,
    /// Index of the SLA policy plus one; zero when none matched.
    pub policy: u16,
    pub block: BlockId,

    pub status: Status,
    pub priority: Priority,
    pub kind: Option<MessageKind>,
    pub law: Option<Law>,
    pub decision: Option<Decision>,
    pub reaction: Option<Reaction>,
    /// 1..=5, zero when not rated.
    pub rating: u8,
    /// Number of times the case came back after an answer.
    pub review_round: u8,
    /// Number of times it went from one body to another.
    pub transfers: u8,
    /// Number of times it went back to a body that had held it before.
    pub bounces: u8,
    pub flags: Flags,
}

impl Case {
    /// A case of which nothing is known but its key.
    pub fn unknown(key: CaseKey) -> Case {
        Case {
            key,
            version: RowVersion(0),
            fingerprint: 0,
            author_key: 0,
            text_at: RowVersion(0),
            registered_at: None,
            status_at: None,
            holder_since: None,
            first_answer_at: None,
            answered_at: None,
            closed_at: None,
            rated_at: None,
            round_since: None,
            due_first: None,
            due_final: None,
            planned_at: None,
            final_breach_at: None,
            routed_at: None,
            status_since: None,
            due_stage: None,
            extended_at: None,
            previous_since: None,
            paused_seconds: 0,
            received_body: BodyId(0),
            body: BodyId(0),
            first_answer_body: BodyId(0),
            answer_body: BodyId(0),
            breach_body: BodyId(0),
            first_breach_body: BodyId(0),
            previous_body: BodyId(0),
            paused_days: 0,
            topic: TopicId(0),
            category: WordId(0),
            network: WordId(0),
            territory: TerritoryId(0),
            policy: 0,
            block: BlockId(0),
            status: Status::New,
            priority: Priority::Normal,
            kind: None,
            law: None,
            decision: None,
            reaction: None,
            rating: 0,
            review_round: 0,
            transfers: 0,
            bounces: 0,
            flags: Flags::default(),
        }
    }

    /// Somebody still owes this case something.
    pub fn is_open(&self) -> bool {
        !self.status.is_terminal()
    }

    /// When the final-answer clock stopped: the answer, or the end without one.
    pub fn final_stop(&self) -> Option<Time> {
        match (self.answered_at, self.closed_at) {
            (Some(answered), Some(closed)) => Some(answered.min(closed)),
            (answered, closed) => answered.or(closed),
        }
    }

    /// When the first-answer clock stopped.
    pub fn first_stop(&self) -> Option<Time> {
        match (self.first_answer_at, self.final_stop()) {
            (Some(first), Some(stop)) => Some(first.min(stop)),
            (first, stop) => first.or(stop),
        }
    }

    pub fn paused(&self) -> Paused {
        Paused { seconds: self.paused_seconds, days: self.paused_days }
    }

    pub fn is(&self, flag: Flag) -> bool {
        self.flags.has(flag)
    }

    /// The due time that the first answer is known to have missed.
    pub fn first_breach_at(&self) -> Option<Time> {
        self.due_first.filter(|due| self.first_stop().is_some_and(|stop| stop > *due))
    }

    /// The interim answer of the first round: the first answer, as long as it was not the final one.
    pub fn interim_at(&self) -> Option<Time> {
        self.first_answer_at.filter(|first| self.answered_at.is_none_or(|answered| *first < answered))
    }

    /// The clock that `due_stage` belongs to.
    pub fn stage(&self) -> Option<Clock> {
        self.due_stage?;
        if self.is(Flag::StageIsDispatch) { Some(Clock::Dispatch) } else { stage_of(self.status) }
    }

    /// Who held the case at a moment; `None` where that is before the last two holders.
    pub fn holder_at(&self, at: Time) -> Option<BodyId> {
        if self.holder_since.is_some_and(|since| at >= since) {
            return Some(self.body);
        }
        self.previous_since.filter(|since| at >= *since).map(|_| self.previous_body)
    }

    /// The nearest due time of a clock of the author that still runs. A clock that stands still falls due never.
    pub fn next_due(&self) -> Option<Time> {
        if !self.is_open() {
            return None;
        }
        let first = if self.first_stop().is_none() { self.due_first } else { None };
        let runs = self.final_stop().is_none() && !self.is(Flag::Paused);
        let last = if runs { self.due_final } else { None };
        match (first, last) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// The same clocks run, from the same start to the same due time; a pause, an extension or another policy is a change.
    pub fn same_clocks(&self, other: &Case) -> bool {
        let clocks = |case: &Case| {
            let state =
                (case.is_open(), case.first_stop().is_some(), case.final_stop().is_some(), case.is(Flag::Paused));
            let starts = (case.registered_at, case.round_since, case.routed_at, case.interim_at(), case.status_since);
            let dues = (case.due_first, case.due_final, case.due_stage, case.stage());
            (state, starts, dues, case.extended_at, case.policy)
        };
        clocks(self) == clocks(other)
    }

    /// Equal in everything a reader can see; the bookkeeping of duplicates and positions does not count as a change.
    pub fn same_facts(&self, other: &Case) -> bool {
        let mut aligned = *other;
        aligned.version = self.version;
        aligned.fingerprint = self.fingerprint;
        aligned.text_at = self.text_at;
        *self == aligned
    }
}

/// The stage that a status is.
pub fn stage_of(status: Status) -> Option<Clock> {
    match status {
        Status::Moderation => Some(Clock::Moderation),
        Status::Coordination => Some(Clock::Coordination),
        Status::InWork | Status::Returned | Status::Transferred => Some(Clock::Execution),
        Status::Approval => Some(Clock::Approval),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 160 bytes and six of the index leave a million open cases far below the floor of 300 bytes each. The last sixteen
    /// bought pauses, extension, stage and dispatch clocks, and the holder before the present one.
    #[test]
    fn a_case_fits_the_memory_target() {
        assert!(std::mem::size_of::<Case>() <= 160, "{} bytes", std::mem::size_of::<Case>());
    }

    #[test]
    fn row_versions_grow_with_offset_then_item() {
        assert!(RowVersion::new(Offset(7), 65_535) < RowVersion::new(Offset(8), 0));
        assert_eq!(RowVersion::new(Offset(9), 3).offset(), Offset(9));
    }
}
