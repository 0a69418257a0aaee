//! What a record says, in the words of the trade: the output of mapping and enrichment, the input of the case machine.
//! Invariant: nothing personal is in here but the raw text reference, which only the masker may read.

use crate::model::case::Case;
use crate::model::case::{BlockId, BodyId, Flag, TerritoryId, TopicId, WordId};
use crate::model::ids::CaseKey;
use crate::model::time::Time;
use crate::model::words::{Decision, EventKind, Law, MessageKind, Priority, Reaction, Status, Subject};

/// How a source speaks: one fact a record, or the whole row of a case a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Event,
    Snapshot,
}

/// One mapped record. `None` means that the record does not say.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub key: CaseKey,
    pub subject: Subject,
    pub shape: Shape,
    /// Events only.
    pub event: Option<EventKind>,
    /// The event's own time; for a snapshot, which has none, the time Kafka received it.
    pub at: Time,
    /// Hash of everything the record says that the pipeline maps.
    pub digest: u64,
    pub registered_at: Option<Time>,
    pub planned_at: Option<Time>,
    pub completed_at: Option<Time>,
    pub status: Option<Status>,
    pub received_body: Option<BodyId>,
    pub body: Option<BodyId>,
    pub block: Option<BlockId>,
    pub topic: Option<TopicId>,
    pub category: Option<WordId>,
    pub territory: Option<TerritoryId>,
    pub network: Option<WordId>,
    pub author_key: u64,
    pub law: Option<Law>,
    pub decision: Option<Decision>,
    pub reaction: Option<Reaction>,
    pub kind: Option<MessageKind>,
    /// What the words of the text say it is: stands where no source says.
    pub text_kind: Option<MessageKind>,
    pub priority: Option<Priority>,
    pub fast_track: Option<bool>,
    pub source_overdue: Option<bool>,
    /// 1..=5.
    pub rating: Option<u8>,
    /// Rounds of repeated consideration as the source counts them.
    pub review: Option<u8>,
    pub has_text: bool,
    /// Times of this source are whole days.
    pub day_only: bool,
}

impl Facts {
    /// A record that says nothing but which case it is about and when.
    pub fn empty(key: CaseKey, shape: Shape, at: Time) -> Facts {
        Facts {
            key,
            subject: Subject::Case,
            shape,
            event: None,
            at,
            digest: 0,
            registered_at: None,
            planned_at: None,
            completed_at: None,
            status: None,
            received_body: None,
            body: None,
            block: None,
            topic: None,
            category: None,
            territory: None,
            network: None,
            author_key: 0,
            law: None,
            decision: None,
            reaction: None,
            kind: None,
            text_kind: None,
            priority: None,
            fast_track: None,
            source_overdue: None,
            rating: None,
            review: None,
            has_text: false,
            day_only: false,
        }
    }

    /// What is about no case, in the columns that a case has in the journal. It is never kept as one.
    pub fn as_columns(&self) -> Case {
        let mut case = Case {
            author_key: self.author_key,
            fingerprint: u128::from(self.digest),
            body: self.body.unwrap_or_default(),
            block: self.block.unwrap_or_default(),
            topic: self.topic.unwrap_or_default(),
            category: self.category.unwrap_or_default(),
            territory: self.territory.unwrap_or_default(),
            network: self.network.unwrap_or_default(),
            registered_at: self.registered_at,
            planned_at: self.planned_at,
            closed_at: self.completed_at,
            ..Case::unknown(CaseKey(0))
        };
        case.flags.set(Flag::DayOnly, self.day_only);
        case
    }
}
