//! The cases of one partition: a slab of blocks and an index of positions into it.
//! Owner: the partition worker. Invariants: a key is in the slab or in `evicted` or was never seen; the index stores no
//! second copy of the key; blocks never move, so growing costs no copy and no doubled memory.

use hashbrown::{HashSet, HashTable};

use crate::model::case::{BlockId, BodyId, Case, TerritoryId};
use crate::model::ids::CaseKey;
use crate::model::time::Time;

const BLOCK: usize = 1024;

/// What the store knows about a key.
pub enum Found {
    /// In memory, at this place.
    Here(u32),
    /// Ended long ago and dropped from memory; the journal has it.
    Evicted,
    /// Never seen.
    Unknown,
}

/// Open work at one moment under one set of dimensions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BacklogValue {
    pub open: u32,
    pub due_2h: u32,
    pub due_24h: u32,
    pub overdue: u32,
    /// Registration of the oldest open case; zero when unknown.
    pub oldest: u32,
}

/// All cases of a partition that memory holds.
#[derive(Default)]
pub struct CaseStore {
    blocks: Vec<Vec<Case>>,
    index: HashTable<u32>,
    free: Vec<u32>,
    evicted: HashSet<CaseKey, foldhash::fast::RandomState>,
}

impl CaseStore {
    /// Case keys are hashes already.
    fn hash(key: CaseKey) -> u64 {
        key.0
    }

    pub fn find(&self, key: CaseKey) -> Found {
        match self.index.find(CaseStore::hash(key), |place| self.at(*place).key == key) {
            Some(place) => Found::Here(*place),
            None if !self.evicted.is_empty() && self.evicted.contains(&key) => Found::Evicted,
            None => Found::Unknown,
        }
    }

    /// The case at a place given by `find`.
    pub fn at(&self, place: u32) -> &Case {
        &self.blocks[place as usize / BLOCK][place as usize % BLOCK]
    }

    /// Replaces the case at a place given by `find`; the key must be the same.
    pub fn replace(&mut self, place: u32, case: Case) {
        let slot = &mut self.blocks[place as usize / BLOCK][place as usize % BLOCK];
        debug_assert_eq!(slot.key, case.key);
        *slot = case;
    }

    /// Adds a case that is not in memory (new, or brought back from the journal).
    pub fn insert(&mut self, case: Case) {
        self.evicted.remove(&case.key);
        let place = match self.free.pop() {
            Some(place) => {
                self.blocks[place as usize / BLOCK][place as usize % BLOCK] = case;
                place
            }
            None => {
                if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
                    self.blocks.push(Vec::with_capacity(BLOCK));
                }
                let block = self.blocks.len() - 1;
                self.blocks[block].push(case);
                (block * BLOCK + self.blocks[block].len() - 1) as u32
            }
        };
        let blocks = &self.blocks;
        let key_at = |place: &u32| CaseStore::hash(blocks[*place as usize / BLOCK][*place as usize % BLOCK].key);
        self.index.insert_unique(CaseStore::hash(case.key), place, key_at);
    }

    /// Inserts or replaces.
    pub fn put(&mut self, case: Case) {
        match self.find(case.key) {
            Found::Here(place) => self.replace(place, case),
            Found::Evicted | Found::Unknown => self.insert(case),
        }
    }

    /// Remembers a key whose case stays in the journal only.
    pub fn remember_evicted(&mut self, key: CaseKey) {
        self.evicted.insert(key);
    }

    /// Drops the cases that ended before `ended_before`; only their keys stay, eight bytes each.
    pub fn evict_ended(&mut self, ended_before: Time) -> usize {
        let mut leaving = Vec::new();
        for (place, case) in self.places() {
            if !case.is_open() && case.status_at.is_some_and(|at| at < ended_before) {
                leaving.push((place, case.key));
            }
        }
        for (place, key) in &leaving {
            if let Ok(entry) = self.index.find_entry(CaseStore::hash(*key), |at| at == place) {
                entry.remove();
                self.free.push(*place);
                self.evicted.insert(*key);
            }
        }
        leaving.len()
    }

    /// Every case with its place, which stays the same until the case is dropped.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u32, &Case)> {
        self.index.iter().map(|place| (*place, self.at(*place)))
    }

    /// Replaces open cases; `change` gives the new one where something changes.
    pub fn change_open(&mut self, mut change: impl FnMut(&Case) -> Option<Case>) {
        for block in &mut self.blocks {
            // a freed place keeps an ended case, which is not open and so is passed over
            for case in block.iter_mut().filter(|case| case.is_open()) {
                if let Some(new) = change(case) {
                    debug_assert_eq!(new.key, case.key);
                    *case = new;
                }
            }
        }
    }

    /// Every case in memory, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Case> {
        self.places().map(|(_, case)| case)
    }

    /// Cases in memory.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Keys whose cases are in the journal only.
    pub fn evicted_len(&self) -> usize {
        self.evicted.len()
    }

    /// Counts the open work at a moment by dimensions, in a fixed order.
    pub fn backlog(&self, now: Time) -> Vec<((BlockId, TerritoryId, BodyId), BacklogValue)> {
        let mut sums: hashbrown::HashMap<(BlockId, TerritoryId, BodyId), BacklogValue> = Default::default();
        for block in &self.blocks {
            for case in block {
                // a freed place keeps an ended case, which is not open and so is passed over
                if !case.is_open() {
                    continue;
                }
                let sum = sums.entry((case.block, case.territory, case.body)).or_default();
                sum.open += 1;
                if let Some(due) = case.next_due() {
                    let left = i64::from(due.seconds()) - i64::from(now.seconds());
                    sum.overdue += u32::from(left < 0);
                    sum.due_2h += u32::from((0..7200).contains(&left));
                    sum.due_24h += u32::from((0..86_400).contains(&left));
                }
                if let Some(registered) = case.registered_at
                    && (sum.oldest == 0 || registered.seconds() < sum.oldest)
                {
                    sum.oldest = registered.seconds();
                }
            }
        }
        let mut rows: Vec<_> = sums.into_iter().collect();
        rows.sort_unstable_by_key(|(dims, _)| *dims);
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words::Status;

    fn case(id: u64, status: Status, at: i64) -> Case {
        let mut case = Case::unknown(CaseKey(id.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
        case.status = status;
        case.status_at = Time::from_unix_seconds(at);
        case.registered_at = case.status_at;
        case
    }

    #[test]
    fn a_case_is_found_after_thousands_of_others_came() {
        let mut store = CaseStore::default();
        for id in 0..5000 {
            store.insert(case(id, Status::New, 1_700_000_000));
        }
        let wanted = case(1234, Status::New, 1_700_000_000);
        assert!(matches!(store.find(wanted.key), Found::Here(place) if store.at(place).key == wanted.key));
        assert!(matches!(store.find(CaseKey(1)), Found::Unknown));
        assert_eq!(store.len(), 5000);
    }

    #[test]
    fn an_evicted_case_is_remembered_and_its_place_is_used_again() {
        let mut store = CaseStore::default();
        let old = case(1, Status::Closed, 1_600_000_000);
        store.insert(old);
        store.insert(case(2, Status::New, 1_600_000_000));
        let cutoff = Time::from_unix_seconds(1_700_000_000).expect("in range");
        assert_eq!(store.evict_ended(cutoff), 1);
        assert!(matches!(store.find(old.key), Found::Evicted));
        store.insert(old);
        assert!(matches!(store.find(old.key), Found::Here(_)));
        assert_eq!((store.len(), store.evicted_len()), (2, 0));
    }

    #[test]
    fn the_backlog_tells_overdue_from_due_soon() {
        let mut store = CaseStore::default();
        let now = Time::from_unix_seconds(1_700_000_000).expect("in range");
        for (id, left) in [(1, -60), (2, 3600), (3, 36_000), (4, 864_000)] {
            let mut open = case(id, Status::InWork, 1_699_000_000 + id as i64);
            open.due_final = Some(now.plus_seconds(left));
            store.insert(open);
        }
        let rows = store.backlog(now);
        let expected = BacklogValue { open: 4, due_2h: 1, due_24h: 2, overdue: 1, oldest: 1_699_000_001 };
        assert_eq!(rows[0].1, expected);
    }
}
