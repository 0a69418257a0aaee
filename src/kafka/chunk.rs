//! Records on their way from the poll thread to a worker: one allocation and one wake-up for hundreds of records.
//! Owner: moves from the poll thread to the worker. Invariant: offsets inside a chunk grow, and a chunk belongs to one
//! assignment of one partition.

use crate::model::ids::{AssignmentEpoch, Offset};

/// Where one record lies in the bytes of its chunk.
#[derive(Clone, Copy, Debug)]
pub struct RecordAt {
    pub offset: Offset,
    /// Kafka's time, milliseconds since the epoch; negative when the record has none.
    pub time: i64,
    start: u32,
    end: u32,
    /// The record has no value at all (a tombstone), which is not the same as an empty one.
    pub is_tombstone: bool,
}

/// Successive records of one partition.
pub struct Chunk {
    pub epoch: AssignmentEpoch,
    bytes: Vec<u8>,
    records: Vec<RecordAt>,
}

impl Chunk {
    pub fn new(epoch: AssignmentEpoch) -> Chunk {
        Chunk { epoch, bytes: Vec::new(), records: Vec::new() }
    }

    /// An empty one with room for as much as another has: growing by doubling would copy every record once more.
    pub fn like(other: &Chunk) -> Chunk {
        Chunk {
            epoch: other.epoch,
            bytes: Vec::with_capacity(other.bytes.len()),
            records: Vec::with_capacity(other.records.len()),
        }
    }

    /// Copies one record in: librdkafka's own buffer is free at once, and the worker borrows from one place.
    pub fn push(&mut self, offset: Offset, time: i64, payload: Option<&[u8]>) {
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(payload.unwrap_or_default());
        let end = self.bytes.len() as u32;
        self.records.push(RecordAt { offset, time, start, end, is_tombstone: payload.is_none() });
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Bytes of all payloads.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub fn record(&self, index: usize) -> (RecordAt, &[u8]) {
        let record = self.records[index];
        (record, &self.bytes[record.start as usize..record.end as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_as_they_went_in() {
        let mut chunk = Chunk::new(AssignmentEpoch(1));
        chunk.push(Offset(5), 10, Some(b"abc"));
        chunk.push(Offset(6), 11, None);
        chunk.push(Offset(9), 12, Some(b""));
        assert_eq!(chunk.record(0).1, b"abc");
        assert!(chunk.record(1).0.is_tombstone);
        assert!(!chunk.record(2).0.is_tombstone);
        assert_eq!(chunk.record(2).0.offset, Offset(9));
    }
}
