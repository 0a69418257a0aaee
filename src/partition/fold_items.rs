//! The items of one record on their way into the fold.
//! Invariants: all items of a record are applied in one go or none is (nothing of a record is applied twice), and each
//! becomes one row; a record is unpacked and its items are decoded in their order.

use crate::codec::Value;
use crate::codec::payload::Unpacked;
use crate::kafka::chunk::Chunk;
use crate::mapping::mapper::Rejection;
use crate::model::apply::DeadlineRules;
use crate::model::case_store::Found;
use crate::model::ids::CaseKey;
use crate::model::time::Time;
use crate::model::words::{Outcome, Subject};
use crate::partition::fold::{Fold, Step};
use crate::sink::journal::Position;

impl<R: DeadlineRules> Fold<R> {
    /// A record that is not one plain item.
    pub(super) fn wrapped(&mut self, position: Position, payload: &[u8], received: Time, now: Time) -> Step {
        let mut room = std::mem::take(&mut self.room);
        let step = match self.mapper.wrapping().unpack(payload, self.limits.max_record_bytes, &mut room) {
            Ok(unpacked) => self.items(position, &unpacked, received, now),
            Err(error) => {
                self.account(position, Outcome::Rejected, error.reason(), "", &error.to_string());
                Step::Done
            }
        };
        self.room = room;
        step
    }

    /// All items of one record, or none of them.
    fn items(&mut self, position: Position, unpacked: &Unpacked<'_>, received: Time, now: Time) -> Step {
        if unpacked.is_empty() {
            self.account(position, Outcome::Ignored, "no_items", "", "");
            return Step::Done;
        }
        if self.rows() > 0 && self.rows().saturating_add(unpacked.len()) > self.limits.rows {
            return Step::NoRoom;
        }
        if let Some(id) = unpacked.items().find_map(|item| self.mapper.missing_schema(item)) {
            return Step::NeedsSchema(id);
        }
        let mut slots = Vec::new();
        // only a store that has let cases go can lack one, so the first look at the items is rarely needed
        if unpacked.len() > 1 && self.cases.evicted_len() > 0 {
            for item in unpacked.items() {
                if self.evicted_case(item, received, &mut slots).is_some() {
                    return Step::NeedsCases;
                }
            }
        }
        let items = unpacked.len() as u16; // max_items has 16 bits
        for (index, item) in unpacked.items().enumerate() {
            let position = Position { item: index as u16, items, ..position };
            let done = self.item(position, item, received, &mut slots, now);
            if !done && index == 0 {
                return Step::NeedsCases;
            }
            assert!(done, "every case of the record was in memory before its first item was applied");
        }
        Step::Done
    }

    /// `false`: nothing was done, because the case must be brought back first.
    pub(super) fn item<'a>(
        &mut self,
        position: Position,
        payload: &'a [u8],
        received: Time,
        slots: &mut Vec<Value<'a>>,
        now: Time,
    ) -> bool {
        match self.mapper.map(payload, received, slots, &mut self.texts) {
            Ok(facts) if facts.subject != Subject::Case => {
                self.note(position, &facts);
                true
            }
            Ok(facts) => self.apply(position, &facts, now),
            Err(Rejection { reason, column, detail, .. }) => {
                self.account(position, Outcome::Rejected, reason, &column, &detail);
                true
            }
        }
    }

    /// The key of the item's case if that case left memory.
    fn evicted_case<'a>(&mut self, payload: &'a [u8], received: Time, slots: &mut Vec<Value<'a>>) -> Option<CaseKey> {
        let facts = self.mapper.map(payload, received, slots, &mut self.texts).ok()?;
        matches!(self.cases.find(facts.key), Found::Evicted).then_some(facts.key)
    }

    /// Keys of the rest of the chunk whose cases left memory; nothing is changed.
    pub fn missing_cases(&mut self, chunk: &Chunk, first: usize, wanted: std::ops::Range<u64>) -> Vec<CaseKey> {
        let mut room = std::mem::take(&mut self.room);
        let mut keys = Vec::new();
        for index in first..chunk.len() {
            let (record, payload) = chunk.record(index);
            let Some(received) = Time::from_unix_millis(record.time) else { continue };
            if record.is_tombstone || payload.len() > self.limits.max_record_bytes || !wanted.contains(&record.offset.0)
            {
                continue;
            }
            let Ok(unpacked) = self.mapper.wrapping().unpack(payload, self.limits.max_record_bytes, &mut room) else {
                continue;
            };
            let mut slots = Vec::new();
            for item in unpacked.items() {
                keys.extend(self.evicted_case(item, received, &mut slots));
            }
        }
        self.room = room;
        self.mapper.rest();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
#[path = "fold_items_tests.rs"]
mod tests;
