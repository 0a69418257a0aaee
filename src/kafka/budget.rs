//! The budget of records and bytes in memory, and which partitions are paused for it.
//! Owner: the poll thread. Invariants: what is charged is refunded exactly once (by assignment epoch, when the batch is
//! written or the partition leaves); the gate closes at the limit and opens at the reopen ratio, so it does not flutter.

use std::collections::HashMap;

/// What a partition has in memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    pub records: usize,
    pub bytes: usize,
}

/// Limits of the process.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub records: usize,
    pub bytes: usize,
    pub reopen_ratio: f64,
}

/// Loads by partition slot.
pub struct Budget {
    limits: Limits,
    total: Load,
    loads: HashMap<usize, Load>,
}

impl Budget {
    pub fn new(limits: Limits) -> Budget {
        Budget { limits, total: Load::default(), loads: HashMap::new() }
    }

    pub fn total(&self) -> Load {
        self.total
    }

    pub fn charge(&mut self, slot: usize, records: usize, bytes: usize) {
        let load = self.loads.entry(slot).or_default();
        load.records += records;
        load.bytes += bytes;
        self.total.records += records;
        self.total.bytes += bytes;
    }

    pub fn refund(&mut self, slot: usize, records: usize, bytes: usize) {
        let Some(load) = self.loads.get_mut(&slot) else { return };
        debug_assert!(load.records >= records && load.bytes >= bytes, "refunded more than was charged");
        let (records, bytes) = (records.min(load.records), bytes.min(load.bytes));
        load.records -= records;
        load.bytes -= bytes;
        self.total.records -= records;
        self.total.bytes -= bytes;
    }

    /// The partition is gone: everything it still had is refunded.
    pub fn release(&mut self, slot: usize) {
        if let Some(load) = self.loads.remove(&slot) {
            self.total.records -= load.records;
            self.total.bytes -= load.bytes;
        }
    }

    /// This partition must pause: the process is full, or the partition has more than its fair part of it.
    pub fn must_pause(&self, slot: usize, partitions: usize) -> bool {
        let own = self.loads.get(&slot).copied().unwrap_or_default();
        let fair = self.fair(partitions);
        self.total.records >= self.limits.records
            || self.total.bytes >= self.limits.bytes
            || own.records >= fair.records
            || own.bytes >= fair.bytes
    }

    /// A paused partition may go on.
    pub fn may_resume(&self, slot: usize, partitions: usize) -> bool {
        let own = self.loads.get(&slot).copied().unwrap_or_default();
        let fair = self.fair(partitions);
        let open = |used: usize, limit: usize| (used as f64) < limit as f64 * self.limits.reopen_ratio;
        open(self.total.records, self.limits.records)
            && open(self.total.bytes, self.limits.bytes)
            && open(own.records, fair.records)
            && open(own.bytes, fair.bytes)
    }

    /// With many partitions one may still take a quarter: a partition that lags behind the others needs the room.
    fn fair(&self, partitions: usize) -> Load {
        let part = partitions.clamp(1, 4);
        Load { records: (self.limits.records / part).max(1), bytes: (self.limits.bytes / part).max(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { records: 100, bytes: 10_000, reopen_ratio: 0.5 };

    #[test]
    fn the_gate_closes_at_the_limit_and_opens_at_half() {
        let mut budget = Budget::new(LIMITS);
        budget.charge(1, 100, 100);
        assert!(budget.must_pause(1, 1) && budget.must_pause(2, 1));
        budget.refund(1, 49, 49);
        assert!(!budget.may_resume(1, 1));
        budget.refund(1, 2, 2);
        assert!(budget.may_resume(1, 1));
    }

    #[test]
    fn one_stuck_partition_does_not_close_the_others() {
        let mut budget = Budget::new(LIMITS);
        budget.charge(1, 30, 30);
        assert!(budget.must_pause(1, 8));
        assert!(!budget.must_pause(2, 8));
    }

    proptest! {
        #[test]
        fn whatever_happens_the_budget_returns_to_zero(steps in proptest::collection::vec((0usize..4, 0usize..50), 0..200)) {
            let mut budget = Budget::new(LIMITS);
            let mut held = [0usize; 4];
            for (slot, records) in steps {
                if records % 3 == 0 {
                    budget.refund(slot, held[slot], held[slot] * 10);
                    held[slot] = 0;
                } else if records % 7 == 0 {
                    budget.release(slot);
                    held[slot] = 0;
                } else {
                    budget.charge(slot, records, records * 10);
                    held[slot] += records;
                }
                prop_assert_eq!(budget.total().records, held.iter().sum::<usize>());
            }
            (0..4).for_each(|slot| budget.release(slot));
            prop_assert_eq!(budget.total(), Load::default());
        }
    }
}
