//! What the words of a message say, beside what its source says: the journal keeps both.
//! Owner: the mapper makes one for each record with a text or an address. Invariant: the source is believed first; the
//! text fills what the source leaves open, and only where it is sure.

use crate::model::case::{BlockId, TerritoryId, TopicId};
use crate::model::words::{Basis, Placed};

/// A block and how sure it is, in percent.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Guess {
    pub block: BlockId,
    pub percent: u8,
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
}
