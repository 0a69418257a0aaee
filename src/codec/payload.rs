//! What lies around the items of a record: how many there are and where each begins.
//! Owner: the mapper of a partition worker. Invariants: a plain record (one item, nothing around it) is never copied and
//! costs no allocation; the result depends on the bytes of the record and the pipeline file alone.

use std::ops::Range;

use crate::codec::{DecodeError, items};
use crate::config::pipeline::{Items, Payload};

/// Working memory, used again for each record that is not plain.
#[derive(Default)]
pub struct Room {
    items: Vec<Range<usize>>,
}

/// A record taken apart.
pub struct Unpacked<'r> {
    bytes: &'r [u8],
    items: &'r [Range<usize>],
}

impl<'r> Unpacked<'r> {
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The bytes of each item in their order.
    pub fn items(&self) -> impl Iterator<Item = &'r [u8]> + use<'r> {
        let bytes = self.bytes;
        self.items.iter().map(move |item| &bytes[item.clone()])
    }
}

/// The wrapping of one pipeline's records.
#[derive(Clone, Copy, Debug)]
pub struct Wrapping {
    spec: Payload,
}

impl Wrapping {
    pub fn new(spec: Payload) -> Wrapping {
        Wrapping { spec }
    }

    /// The record is one item as it stands: `unpack` would change nothing.
    pub fn is_plain(&self, _record: &[u8]) -> bool {
        self.spec.items == Items::One
    }

    pub fn unpack<'r>(&self, record: &'r [u8], room: &'r mut Room) -> Result<Unpacked<'r>, DecodeError> {
        let Room { items } = room;
        match self.spec.items {
            Items::One => {
                items.clear();
                items.push(0..record.len());
            }
            Items::Array => items::of_array(record, self.spec.max_items, items)?,
            Items::Lines => items::of_lines(record, self.spec.max_items, items)?,
        }
        Ok(Unpacked { bytes: record, items })
    }
}
