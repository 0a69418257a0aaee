//! The timers of a partition: for each running clock the next level that was not raised yet.
//! Owner: the desk of the partition. Pure. Invariants: a timer is eight bytes; removing is lazy – whoever takes a timer
//! compares it with the case, and one that no longer fits is dropped; what is taken comes in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

const LEVEL_BITS: u32 = 3;
const CLOCK_BITS: u32 = 3;
const SLOT_BITS: u32 = LEVEL_BITS + CLOCK_BITS;
/// Cases of one partition that can have timers: 67 million, 11 GB of cases.
const MAX_PLACES: u32 = 1 << (32 - SLOT_BITS);

/// A level of a clock of the case at a place of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Seconds since the epoch.
    pub at: u32,
    pub place: u32,
    /// Index into `levels::CLOCKS`, up to 7.
    pub clock: u8,
    /// Index into the ladder, up to 7.
    pub level: u8,
}

impl Timer {
    fn pack(self) -> u64 {
        let slot = u32::from(self.clock & 7) << LEVEL_BITS | u32::from(self.level & 7);
        u64::from(self.at) << 32 | u64::from(self.place << SLOT_BITS | slot)
    }

    fn unpack(packed: u64) -> Timer {
        let low = packed as u32;
        Timer {
            at: (packed >> 32) as u32,
            place: low >> SLOT_BITS,
            clock: (low >> LEVEL_BITS & 7) as u8,
            level: (low & 7) as u8,
        }
    }
}

/// A heap of packed timers, the earliest first.
#[derive(Default)]
pub struct Timers(BinaryHeap<Reverse<u64>>);

impl Timers {
    /// Adds a timer; `false` when the store is larger than timers can name.
    pub fn push(&mut self, timer: Timer) -> bool {
        let fits = timer.place < MAX_PLACES;
        if fits {
            self.0.push(Reverse(timer.pack()));
        }
        fits
    }

    /// The earliest timer, if its time has come.
    pub fn pop_due(&mut self, now: u32) -> Option<Timer> {
        let Reverse(first) = self.0.peek()?;
        if Timer::unpack(*first).at > now {
            return None;
        }
        self.0.pop().map(|Reverse(packed)| Timer::unpack(packed))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0 = BinaryHeap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timers_come_back_whole_and_in_the_order_of_time(
            raw in proptest::collection::vec((1..u32::MAX, 0..MAX_PLACES, 0..8u8, 0..8u8), 0..200)
        ) {
            let mut timers = Timers::default();
            for (at, place, clock, level) in &raw {
                let fits = timers.push(Timer { at: *at, place: *place, clock: *clock, level: *level });
                prop_assert!(fits);
            }
            prop_assert_eq!(timers.pop_due(0), None);
            let mut taken = Vec::new();
            while let Some(timer) = timers.pop_due(u32::MAX) {
                taken.push((timer.at, timer.place, timer.clock, timer.level));
            }
            let mut expected = raw;
            expected.sort_unstable();
            prop_assert_eq!(taken, expected);
        }
    }

    #[test]
    fn a_place_beyond_the_bits_is_refused_and_not_cut() {
        assert!(!Timers::default().push(Timer { at: 1, place: MAX_PLACES, clock: 0, level: 0 }));
    }
}
