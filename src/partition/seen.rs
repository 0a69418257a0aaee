//! What became of each record, for those who ask before they send: `tsur check --against`, `tsur explain --file`. Not kept in a running process.
//! Invariant: a text is here as the journal would have it, masked.

use crate::enrich::mask::MaskCounts;
use crate::model::case::Case;
use crate::model::time::Time;
use crate::model::words::{EventKind, Outcome, Subject};
use crate::sink::journal::Position;

/// One journal row, told in full.
#[derive(Clone, Debug)]
pub struct Seen {
    pub position: Position,
    pub outcome: Outcome,
    /// Empty for `applied`.
    pub reason: &'static str,
    /// The source's own name of the column that is wrong.
    pub field: String,
    /// The wrong value, masked.
    pub excerpt: String,
    pub event: Option<EventKind>,
    pub subject: Subject,
    /// When it happened, by the source.
    pub at: Option<Time>,
    pub case_id: String,
    /// The case as it stands after the record.
    pub case: Option<Case>,
    pub masked: MaskCounts,
    /// The oldest thing it counts, and whether that is dated by a day.
    pub oldest_effect: Option<(Time, bool)>,
}
