//! Columns of ClickHouse's Native format, filled row by row and sent as one block.
//! Owner: whoever builds a block. Invariants: every column of a block has the same number of rows when it is encoded;
//! the bytes depend only on the values pushed (design invariant 3), so a replayed batch has the same bytes.
//! Why by hand: the server parses columns with dictionaries about twelve times cheaper than RowBinary, and the client
//! library's own block builder goes through a boxed value a field.

use std::sync::Arc;

/// Appends an unsigned LEB128 number, the length prefix of the format.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends a string with its length.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    write_varint(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// A column that grew larger than this in a drain is not kept for the small batches that follow (bytes).
const KEPT_CAPACITY: usize = 64 * 1024;

fn empty(column: &mut Vec<u8>) {
    if column.capacity() > KEPT_CAPACITY {
        *column = Vec::new();
    } else {
        column.clear();
    }
}

/// A column of values of a fixed width; the caller pushes the width that the type has.
#[derive(Default)]
pub struct Fixed(Vec<u8>);

impl Fixed {
    pub fn u8(&mut self, value: u8) {
        self.0.push(value);
    }
    pub fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn u128(&mut self, value: u128) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn f32(&mut self, value: f32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A column of strings.
#[derive(Default)]
pub struct Text(Vec<u8>);

impl Text {
    pub fn push(&mut self, text: &[u8]) {
        write_string(&mut self.0, text);
    }
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

/// A `LowCardinality(String)` column, filled with interned numbers; each distinct one is named once a block.
#[derive(Default)]
pub struct Dictionary {
    codes: Vec<u16>,
    /// Number of the block's dictionary entry plus one, by interned number.
    entry_of: Vec<u16>,
    used: Vec<u16>,
    names: Vec<Arc<str>>,
}

impl Dictionary {
    /// `name` is asked only for the first row of a block that has this number.
    pub fn push(&mut self, number: u16, name: impl FnOnce(u16) -> Arc<str>) {
        let place = usize::from(number);
        if place >= self.entry_of.len() {
            self.entry_of.resize(place + 1, 0);
        }
        if self.entry_of[place] == 0 {
            self.names.push(name(number));
            self.used.push(number);
            self.entry_of[place] = self.names.len() as u16;
        }
        self.codes.push(self.entry_of[place] - 1);
    }

    fn clear(&mut self) {
        for number in self.used.drain(..) {
            self.entry_of[usize::from(number)] = 0;
        }
        self.names.clear();
        self.codes.clear();
    }

    pub fn bytes(&self) -> usize {
        self.codes.len()
    }
}

/// Shared-dictionary version, and the flag bits of the index word (type in the low byte, own keys, new dictionary).
const DICTIONARY_VERSION: u64 = 1;
const DICTIONARY_FLAGS: u64 = (1 << 9) | (1 << 10);

/// Writes blocks: header, then columns one after another.
pub struct BlockWriter {
    out: Vec<u8>,
    columns: u8,
    rows: usize,
}

/// A block's number of columns is one byte of its header as long as it stays below this.
const MAX_COLUMNS: u8 = 127;

impl BlockWriter {
    /// `capacity`: expected bytes of all columns.
    pub fn new(rows: usize, capacity: usize) -> BlockWriter {
        let mut out = Vec::with_capacity(capacity + 8 * 1024);
        out.push(0); // number of columns, known at the end
        write_varint(&mut out, rows as u64);
        BlockWriter { out, columns: 0, rows }
    }

    fn head(&mut self, name: &str, kind: &str) {
        self.columns += 1;
        debug_assert!(self.columns <= MAX_COLUMNS);
        write_string(&mut self.out, name.as_bytes());
        write_string(&mut self.out, kind.as_bytes());
    }

    /// A fixed-width column; clears it.
    pub fn fixed(&mut self, name: &str, kind: &str, column: &mut Fixed) {
        self.head(name, kind);
        debug_assert_eq!(column.0.len() % self.rows.max(1), 0, "column {name}");
        self.out.extend_from_slice(&column.0);
        empty(&mut column.0);
    }

    /// A column that has the same value in each row.
    pub fn constant(&mut self, name: &str, kind: &str, value: &[u8]) {
        self.head(name, kind);
        for _ in 0..self.rows {
            self.out.extend_from_slice(value);
        }
    }

    /// A string column; clears it.
    pub fn text(&mut self, name: &str, column: &mut Text) {
        self.head(name, "String");
        self.out.extend_from_slice(&column.0);
        empty(&mut column.0);
    }

    /// A dictionary column; clears it.
    pub fn dictionary(&mut self, name: &str, column: &mut Dictionary) {
        debug_assert_eq!(column.codes.len(), self.rows, "column {name}");
        self.head(name, "LowCardinality(String)");
        let wide = column.names.len() > 256;
        self.dictionary_head(u64::from(wide), column.names.iter().map(|name| name.as_bytes()));
        if wide {
            for code in &column.codes {
                self.out.extend_from_slice(&code.to_le_bytes());
            }
        } else {
            self.out.extend(column.codes.iter().map(|code| *code as u8));
        }
        column.clear();
    }

    /// A dictionary column of one word.
    pub fn constant_word(&mut self, name: &str, word: &str) {
        self.head(name, "LowCardinality(String)");
        self.dictionary_head(0, std::iter::once(word.as_bytes()));
        self.out.resize(self.out.len() + self.rows, 0);
    }

    fn dictionary_head<'a>(&mut self, index_type: u64, names: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.out.extend_from_slice(&DICTIONARY_VERSION.to_le_bytes());
        self.out.extend_from_slice(&(index_type | DICTIONARY_FLAGS).to_le_bytes());
        self.out.extend_from_slice(&(names.len() as u64).to_le_bytes());
        for name in names {
            write_string(&mut self.out, name);
        }
        self.out.extend_from_slice(&(self.rows as u64).to_le_bytes());
    }

    /// An array column: the running ends of the rows, then the flattened parts in order; clears them.
    pub fn array(&mut self, name: &str, kind: &str, ends: &mut Fixed, parts: &mut [&mut dyn Flat]) {
        self.head(name, kind);
        self.out.extend_from_slice(&ends.0);
        empty(&mut ends.0);
        for part in parts {
            part.drain_into(&mut self.out);
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.out[0] = self.columns;
        self.out
    }
}

/// A part of an array column.
pub trait Flat {
    fn drain_into(&mut self, out: &mut Vec<u8>);
}

impl Flat for Fixed {
    fn drain_into(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        empty(&mut self.0);
    }
}

impl Flat for Text {
    fn drain_into(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
        empty(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_names_each_word_once_a_block() {
        let mut column = Dictionary::default();
        let mut asked = 0;
        for number in [7, 3, 7, 7] {
            column.push(number, |number| {
                asked += 1;
                Arc::from(format!("word {number}"))
            });
        }
        assert_eq!(asked, 2);
        let mut writer = BlockWriter::new(4, 0);
        writer.dictionary("d", &mut column);
        let bytes = writer.finish();
        assert_eq!(&bytes[bytes.len() - 4..], &[0, 1, 0, 0]);
        column.push(3, |_| Arc::from("again"));
        assert_eq!(column.codes, vec![0]);
    }

    #[test]
    fn long_lengths_take_more_bytes() {
        let mut out = Vec::new();
        write_varint(&mut out, 300);
        assert_eq!(out, vec![0xAC, 0x02]);
    }
}
