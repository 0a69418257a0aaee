//! What the words of a message say, beside what its source says: the journal keeps both.
//! Owner: the mapper makes one for each record with a text or an address. Invariant: the source is believed first; the
//! text fills what the source leaves open, and only where it is sure.

use crate::model::case::{BlockId, TerritoryId, TopicId};
use crate::model::words::{Basis, Emotion, MessageKind, Placed};

/// A block and how sure it is, in percent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Guess {
    pub block: BlockId,
    pub percent: u8,
}

/// How a message is meant, and what tells it from others.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Message {
    pub kind: Option<MessageKind>,
    /// Signs of danger, a bit each: `enrich::tone::Urgency`.
    pub urgency: u8,
    /// `None` without a text.
    pub emotion: Option<Emotion>,
    /// 0 ..= 3.
    pub intensity: u8,
    /// It does not say what it is about.
    pub not_enough: bool,
    /// Fingerprint of the stems; near-duplicates differ in few bits.
    pub hash: u64,
    /// Words that were counted for it.
    pub words: u16,
}

/// What an answer is worth by its text and its record alone.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Answer {
    pub hash: u64,
    /// At least 1; 0 without an answer.
    pub words: u16,
    /// 0 ..= 100.
    pub score: u8,
    /// Signs of an empty answer, a bit each: `enrich::answer::Signs`.
    pub signs: u8,
    /// It says that the problem is solved.
    pub done: bool,
    /// It is an empty one: as it is, if it turns out a template, if the author disagrees later, and if both.
    pub empty: [bool; 4],
}

/// One text, read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Reading {
    /// Best first; empty without a text.
    pub guesses: [Guess; 3],
    /// Topic of the best guess.
    pub topic: TopicId,
    /// The best guess is under the threshold: «не определено», for people to look at.
    pub is_unsure: bool,
    /// Where the text, the address or the point places it.
    pub territory: TerritoryId,
    /// What the block of this record rests on.
    pub block_by: Option<Basis>,
    /// What the territory of this record rests on.
    pub territory_by: Option<Placed>,
    pub message: Message,
    /// What the kind of this record rests on.
    pub kind_by: Option<Basis>,
    /// Hash of territory, street and house; zero when one of them is unknown.
    pub address_key: u64,
    pub answer: Answer,
    /// Bodies that the rules of routing propose, by interned number; only where a record opens its case.
    pub proposed: u16,
}
