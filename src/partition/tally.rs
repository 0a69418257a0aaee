//! What became of the records of a partition, counted: for its figures, and for the limit that stops a flood of rejects.
//! Owner: the fold. Invariants: pure; a count is of rows that were made, whether or not they have landed yet; what is kept
//! of a reject is masked.

use crate::model::ids::Offset;

/// Outcomes of the rows of one batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub applied: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub ignored: u64,
    /// Rejects since the last record that was not one; carried over from batch to batch.
    pub rejects_in_a_row: u32,
}

/// The share of rejects among the latest records.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recent {
    records: u32,
    rejected: u32,
}

/// What was wrong with the latest reject, for the message of a partition that stops for a flood of them.
#[derive(Clone, Debug)]
pub struct LastReject {
    pub offset: Offset,
    pub(super) reason: &'static str,
    pub(super) column: String,
    /// Masked.
    pub(super) excerpt: Vec<u8>,
}

impl std::fmt::Display for LastReject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason)?;
        if !self.column.is_empty() {
            write!(f, " in column {:?}", self.column)?;
        }
        if !self.excerpt.is_empty() {
            write!(f, " ({})", String::from_utf8_lossy(&self.excerpt))?;
        }
        Ok(())
    }
}

/// Records the share is told of; halved when reached, so that the past fades.
const RECENT_RECORDS: u32 = 10_000;

impl Recent {
    pub(super) fn note(&mut self, is_reject: bool) {
        if self.records == RECENT_RECORDS {
            self.records /= 2;
            self.rejected /= 2;
        }
        self.records += 1;
        self.rejected += u32::from(is_reject);
    }

    /// `None` while there are too few records to tell.
    pub fn reject_share(&self) -> Option<f64> {
        (self.records >= RECENT_RECORDS / 2).then(|| f64::from(self.rejected) / f64::from(self.records))
    }
}
