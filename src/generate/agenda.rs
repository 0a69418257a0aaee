//! What happens next: pending things in the order of their time. A calendar queue: far things wait unsorted in buckets, only
//! the bucket at hand is a heap. Owner: the simulation. Invariant: things leave in (time, order of planning), and a
//! thing planned for the past leaves at once; so the order is the same in every run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Ten minutes: a bucket of a dense run still fits the processor's cache.
const BUCKET_MILLIS: i64 = 600_000;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Planned<T> {
    at: i64,
    order: u64,
    what: T,
}

/// The pending things of a simulation, earliest first.
#[derive(Debug)]
pub(super) struct Agenda<T> {
    near: BinaryHeap<Reverse<Planned<T>>>,
    /// Buckets after the one at hand.
    far: VecDeque<Vec<Planned<T>>>,
    /// Emptied buckets, kept for their capacity.
    spare: Vec<Vec<Planned<T>>>,
    /// The first millisecond after the bucket at hand.
    near_end: i64,
    order: u64,
}

impl<T: Copy + Ord> Agenda<T> {
    pub(super) fn new(start_millis: i64) -> Agenda<T> {
        Agenda {
            near: BinaryHeap::new(),
            far: VecDeque::new(),
            spare: Vec::new(),
            near_end: start_millis + BUCKET_MILLIS,
            order: 0,
        }
    }

    pub(super) fn plan(&mut self, at_millis: i64, what: T) {
        let planned = Planned { at: at_millis, order: self.order, what };
        self.order += 1;
        if at_millis < self.near_end {
            self.near.push(Reverse(planned));
            return;
        }
        let bucket = ((at_millis - self.near_end) / BUCKET_MILLIS) as usize;
        while self.far.len() <= bucket {
            self.far.push_back(self.spare.pop().unwrap_or_default());
        }
        self.far[bucket].push(planned);
    }

    /// The earliest thing and its time.
    pub(super) fn pop(&mut self) -> Option<(i64, T)> {
        self.advance();
        let Reverse(planned) = self.near.pop()?;
        Some((planned.at, planned.what))
    }

    /// The time of the earliest thing.
    pub(super) fn next_at(&mut self) -> Option<i64> {
        self.advance();
        self.near.peek().map(|Reverse(planned)| planned.at)
    }

    fn advance(&mut self) {
        while self.near.is_empty() {
            let Some(mut bucket) = self.far.pop_front() else { return };
            self.near_end += BUCKET_MILLIS;
            self.near.extend(bucket.drain(..).map(Reverse));
            if self.spare.len() < 64 {
                self.spare.push(bucket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_leave_in_the_order_of_time_then_of_planning() {
        let mut agenda = Agenda::new(0);
        for (at, what) in [(9_000_000, 'd'), (5, 'a'), (700_000, 'c'), (5, 'b'), (9_000_000, 'e')] {
            agenda.plan(at, what);
        }
        assert_eq!(agenda.next_at(), Some(5));
        let mut left = String::new();
        while let Some((_, what)) = agenda.pop() {
            left.push(what);
        }
        assert_eq!(left, "abcde");
    }

    #[test]
    fn a_thing_planned_for_the_past_leaves_at_once() {
        let mut agenda = Agenda::new(0);
        agenda.plan(5_000_000, 1);
        agenda.plan(6_000_000, 2);
        assert_eq!(agenda.pop(), Some((5_000_000, 1)));
        agenda.plan(100, 3);
        assert_eq!(agenda.pop(), Some((100, 3)));
        assert_eq!(agenda.pop(), Some((6_000_000, 2)));
        assert_eq!(agenda.pop(), None);
    }
}
