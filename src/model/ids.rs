//! Newtypes for positions and keys: an offset cannot be passed where a partition is meant, and ranges are half-open.

use std::fmt;

/// A Kafka partition number, zero or more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Partition(pub i32);

/// A Kafka offset, zero or more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Offset(pub u64);

impl Offset {
    /// The offset right after this one.
    pub fn next(self) -> Offset {
        Offset(self.0 + 1)
    }
}

/// A half-open range of offsets `[begin, end)` of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OffsetRange {
    pub begin: Offset,
    pub end: Offset,
}

impl OffsetRange {
    /// Number of offsets in the range; Kafka itself may have holes in it.
    pub fn len(self) -> u64 {
        self.end.0.saturating_sub(self.begin.0)
    }

    pub fn is_empty(self) -> bool {
        self.end <= self.begin
    }

    pub fn contains(self, offset: Offset) -> bool {
        self.begin <= offset && offset < self.end
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for OffsetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{},{})", self.begin, self.end)
    }
}

/// Names the history of a Kafka topic. Raised on purpose only, when a topic was recreated: old offsets then mean other records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StreamEpoch(pub u32);

/// Counts the assignments of a partition to this process; a completion that carries an older one is dropped.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AssignmentEpoch(pub u64);

/// Names one exact set of rules (field maps, policies, calendars, dictionaries): a hash of their content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RulesVersion(pub u32);

impl fmt::Display for RulesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The key of a case inside its partition: XXH3-64 of the source and the source's own number.
/// With ten million cases in one partition two of them meet with a probability below 3e-6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CaseKey(pub u64);

impl CaseKey {
    /// The separator cannot occur in a source code, so (`a`, `bc`) and (`ab`, `c`) differ.
    pub fn of(source: &str, external_id: &str) -> CaseKey {
        let seed = xxhash_rust::xxh3::xxh3_64(source.as_bytes());
        CaseKey(xxhash_rust::xxh3::xxh3_64_with_seed(external_id.as_bytes(), seed))
    }
}
