//! Open work of one partition at any moment of its history, kept up case by case: what `CaseStore::backlog` counts by
//! looking at every case, here by sums, because a rebuild asks for every minute of 90 days.
//! Owner: `rebuild::backlog`. Pure. Invariant: after any changes, `rows` is what `CaseStore::backlog` gives for the same
//! cases at the same moment (`open_work_counts_what_the_case_store_counts`).

use std::collections::BTreeMap;
use std::ops::Range;

use hashbrown::HashMap;

use crate::model::case::{Case, RowVersion};
use crate::model::case_store::BacklogValue;
use crate::model::ids::CaseKey;
use crate::model::time::{Time, seconds_or_zero};

const SOON: u32 = 2 * 3600;
const TODAY: u32 = 86_400;

/// Block, territory and body, by name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    pub block: String,
    pub territory: String,
    pub body: String,
}

/// What an open case adds.
#[derive(Clone, Copy)]
struct Counted {
    place: usize,
    /// Nearest due time; zero when no clock runs.
    due: u32,
    /// Zero when unknown.
    registered: u32,
    /// The row it stands at, and which of its clocks run.
    version: RowVersion,
    first_runs: bool,
    final_runs: bool,
}

/// The sums of one place at the moment of `OpenWork`.
#[derive(Default)]
struct Sums {
    open: u32,
    overdue: u32,
    due_2h: u32,
    due_24h: u32,
    /// How many open cases have this due time, or this registration.
    dues: BTreeMap<u32, u32>,
    registered: BTreeMap<u32, u32>,
}

impl Sums {
    fn due_in(&self, range: Range<u64>) -> u32 {
        if range.is_empty() {
            return 0;
        }
        let end = u32::try_from(range.end).unwrap_or(u32::MAX);
        let start = u32::try_from(range.start).unwrap_or(u32::MAX);
        self.dues.range(start..end).map(|(_, count)| count).sum()
    }

    /// Moves from one moment to a later one: only what falls between the old and the new limits is looked at.
    fn advance(&mut self, from: u32, to: u32) {
        if self.dues.is_empty() {
            return;
        }
        let (from, to) = (u64::from(from), u64::from(to));
        let passed = self.due_in(from..to);
        self.overdue += passed;
        let soon = self.due_in(to.max(from + u64::from(SOON))..to + u64::from(SOON));
        let gone_soon = self.due_in(from..to.min(from + u64::from(SOON)));
        self.due_2h = self.due_2h + soon - gone_soon;
        let today = self.due_in(to.max(from + u64::from(TODAY))..to + u64::from(TODAY));
        let gone_today = self.due_in(from..to.min(from + u64::from(TODAY)));
        self.due_24h = self.due_24h + today - gone_today;
    }
}

/// Open cases of a partition, by place, as of a moment.
#[derive(Default)]
pub struct OpenWork {
    now: u32,
    cases: HashMap<CaseKey, Counted, foldhash::fast::RandomState>,
    places: Vec<(Place, Sums)>,
    numbers: HashMap<Place, usize>,
}

impl OpenWork {
    /// The case as it stands from now on.
    pub fn put(&mut self, case: &Case, place: &Place) {
        if let Some(before) = self.cases.remove(&case.key) {
            self.change(before, false);
        }
        if !case.is_open() {
            return;
        }
        let place = self.number(place);
        let (due, registered) = (seconds_or_zero(case.next_due()), seconds_or_zero(case.registered_at));
        let (first_runs, final_runs) = (case.first_stop().is_none(), case.final_stop().is_none());
        let counted = Counted { place, due, registered, version: case.version, first_runs, final_runs };
        self.change(counted, true);
        self.cases.insert(case.key, counted);
    }

    /// New deadlines of a case, if it stands at this row.
    pub fn give_dues(&mut self, key: CaseKey, version: RowVersion, due_first: Option<Time>, due_final: Option<Time>) {
        let Some(before) = self.cases.get(&key).copied().filter(|case| case.version == version) else { return };
        let first = due_first.filter(|_| before.first_runs);
        let last = due_final.filter(|_| before.final_runs);
        let due = seconds_or_zero(match (first, last) {
            (Some(first), Some(last)) => Some(first.min(last)),
            (first, last) => first.or(last),
        });
        self.change(before, false);
        let after = Counted { due, ..before };
        self.change(after, true);
        self.cases.insert(key, after);
    }

    /// Number of open cases.
    pub fn len(&self) -> usize {
        self.cases.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
    }

    /// The open work at a moment; moments mostly come in order, which is what makes this fast.
    pub fn rows(&mut self, moment: u32) -> impl Iterator<Item = (&Place, BacklogValue)> {
        if moment < self.now {
            self.now = 0; // clocks of two processes may differ: count from the beginning of time
            for (_, sums) in &mut self.places {
                (sums.overdue, sums.due_2h, sums.due_24h) =
                    (0, sums.due_in(0..u64::from(SOON)), sums.due_in(0..u64::from(TODAY)));
            }
        }
        for (_, sums) in &mut self.places {
            sums.advance(self.now, moment);
        }
        self.now = moment;
        self.places.iter().filter(|(_, sums)| sums.open > 0).map(|(place, sums)| {
            let oldest = sums.registered.first_key_value().map_or(0, |(at, _)| *at);
            let Sums { open, overdue, due_2h, due_24h, .. } = *sums;
            (place, BacklogValue { open, due_2h, due_24h, overdue, oldest })
        })
    }

    fn number(&mut self, place: &Place) -> usize {
        if let Some(number) = self.numbers.get(place) {
            return *number;
        }
        self.places.push((place.clone(), Sums::default()));
        self.numbers.insert(place.clone(), self.places.len() - 1);
        self.places.len() - 1
    }

    fn change(&mut self, counted: Counted, comes: bool) {
        let sums = &mut self.places[counted.place].1;
        let step = |count: &mut u32| *count = if comes { *count + 1 } else { *count - 1 };
        step(&mut sums.open);
        if counted.registered != 0 {
            count_key(&mut sums.registered, counted.registered, comes);
        }
        if counted.due == 0 {
            return;
        }
        count_key(&mut sums.dues, counted.due, comes);
        match counted.due.checked_sub(self.now) {
            None => step(&mut sums.overdue),
            Some(left) => {
                if left < SOON {
                    step(&mut sums.due_2h);
                }
                if left < TODAY {
                    step(&mut sums.due_24h);
                }
            }
        }
    }
}

fn count_key(counts: &mut BTreeMap<u32, u32>, key: u32, comes: bool) {
    let count = counts.entry(key).or_default();
    *count = if comes { *count + 1 } else { *count - 1 };
    if *count == 0 {
        counts.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::case::{BlockId, BodyId, Flag, TerritoryId};
    use crate::model::case_store::CaseStore;
    use crate::model::words::Status;

    /// A fixed sequence of numbers, so that a failure can be seen again.
    struct Draw(u64);

    impl Draw {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }

        fn time(&mut self, around: u32, spread: u64) -> Option<Time> {
            let seconds = i64::from(around) + self.below(spread * 2) as i64 - spread as i64;
            if self.below(5) == 0 { None } else { Time::from_unix_seconds(seconds) }
        }
    }

    fn place(case: &Case) -> Place {
        Place {
            block: case.block.0.to_string(),
            territory: case.territory.0.to_string(),
            body: case.body.0.to_string(),
        }
    }

    #[test]
    fn open_work_counts_what_the_case_store_counts() {
        let mut draw = Draw(7);
        let (mut store, mut work) = (CaseStore::default(), OpenWork::default());
        let mut now = 1_700_000_000;
        for step in 0..3_000_u32 {
            let mut case = Case::unknown(CaseKey(draw.below(200) + 1));
            case.status = [Status::New, Status::InWork, Status::Interim, Status::Answered, Status::Closed]
                [draw.below(5) as usize];
            case.block = BlockId(draw.below(3) as u8);
            case.territory = TerritoryId(draw.below(2) as u16);
            case.body = BodyId(draw.below(2) as u16);
            case.registered_at = draw.time(now, 10 * 86_400);
            case.due_first = draw.time(now, 3 * 86_400);
            case.due_final = draw.time(now, 3 * 86_400);
            case.flags.set(Flag::Paused, draw.below(4) == 0);
            case.first_answer_at = if draw.below(3) == 0 { draw.time(now, 86_400) } else { None };
            store.put(case);
            work.put(&case, &place(&case));
            if draw.below(4) == 0 {
                (case.due_first, case.due_final) = (draw.time(now, 3 * 86_400), draw.time(now, 3 * 86_400));
                let running = if case.is(Flag::Paused) { None } else { case.due_final };
                store.put(case);
                work.give_dues(case.key, case.version, case.due_first, running);
            }
            if draw.below(3) > 0 {
                continue;
            }
            // minutes, hours, days ahead, and now and then back: two processes may disagree about the time
            now = match draw.below(10) {
                0 => now + draw.below(3 * 86_400) as u32,
                1 => now + draw.below(3 * 3600) as u32,
                2 => now - draw.below(7200) as u32,
                _ => now + 60,
            };
            let expected: BTreeMap<Place, BacklogValue> = store
                .backlog(Time::from_unix_seconds(i64::from(now)).expect("in range"))
                .into_iter()
                .map(|((block, territory, body), value)| {
                    let name = Place {
                        block: block.0.to_string(),
                        territory: territory.0.to_string(),
                        body: body.0.to_string(),
                    };
                    (name, value)
                })
                .collect();
            let counted: BTreeMap<Place, BacklogValue> =
                work.rows(now).map(|(place, value)| (place.clone(), value)).collect();
            assert_eq!(counted, expected, "step {step}");
        }
        assert!(!work.is_empty());
    }
}
