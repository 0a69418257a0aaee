//! What a partition shows of itself: health, `/debug/partitions`, the picture of the demo.
//! Owner: the worker writes, everyone else reads a copy.

use std::time::Duration;

use serde::Serialize;

use crate::model::ids::{Offset, RulesVersion};
use crate::model::time::Time;

/// The state of the worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Restoring,
    Replaying,
    Running,
    Draining,
    Ended,
}

/// Rows by outcome since the assignment.
#[derive(Clone, Copy, Default, Debug, Serialize)]
pub struct Rows {
    pub applied: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub ignored: u64,
}

/// A partition at a glance.
#[derive(Clone, Debug)]
pub struct PartitionStatus {
    pub phase: Phase,
    /// Offset after the last record folded.
    pub position: Offset,
    /// Offset after the last record in the journal, as far as this worker wrote it.
    pub written: Offset,
    pub rows: Rows,
    pub batches: u64,
    pub filling: usize,
    pub cases: usize,
    pub evicted: usize,
    pub windows: usize,
    pub stream_time: Option<Time>,
    pub last_flight: Duration,
    /// The rules the partition works by.
    pub rules: RulesVersion,
    /// Nothing read is unwritten, nothing written is unfinished.
    pub is_settled: bool,
    /// The sink or the group is away; it is tried again.
    pub trouble: Option<String>,
    /// The partition has ended for this reason and needs an operator.
    pub problem: Option<String>,
}

impl Default for PartitionStatus {
    fn default() -> PartitionStatus {
        PartitionStatus {
            phase: Phase::Restoring,
            position: Offset(0),
            written: Offset(0),
            rows: Rows::default(),
            batches: 0,
            filling: 0,
            cases: 0,
            evicted: 0,
            windows: 0,
            stream_time: None,
            last_flight: Duration::ZERO,
            rules: RulesVersion(0),
            is_settled: false,
            trouble: None,
            problem: None,
        }
    }
}
