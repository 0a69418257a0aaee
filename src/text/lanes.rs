//! Russian letters read sixteen at once: how long a word is, its folded key and where its capitals stand, in plain 64-bit
//! arithmetic over lanes of two bytes, a letter each. Owner: [`super::tokens`]. Invariants: what is read here is what a
//! walk over the letters gives (a test compares them); whatever is not Russian letters alone is refused, not guessed.

use super::key::{Key, RUSSIAN};
use super::tokens::Letters;

/// Bytes that are looked at: 16 letters.
pub const REACH: usize = 32;

/// The same number in every lane.
const fn each(lane: u8) -> u128 {
    lane as u128 * 0x0001_0001_0001_0001_0001_0001_0001_0001
}

/// Bit 7 of every lane: the answer of comparisons.
const ANSWER: u128 = each(0x80);

/// By length in bytes: what is kept of both halves.
const KEPT: [[u128; 2]; REACH] = {
    let mut table = [[0; 2]; REACH];
    let mut length = 0;
    while length < REACH {
        let mut byte = 0;
        while byte < length {
            table[length][byte / 16] |= 0xFF << (byte % 16 * 8);
            byte += 1;
        }
        length += 1;
    }
    table
};

/// Bytes beyond ASCII that follow one another.
#[derive(Clone, Copy)]
pub struct Run {
    halves: [u128; 2],
    /// Less than [`REACH`].
    pub length: usize,
}

/// A word of Russian letters.
#[derive(Clone, Copy)]
pub struct RussianWord {
    pub key: Key,
    pub letters: Letters,
}

impl Run {
    /// The run that begins a piece of text of [`REACH`] bytes or more; `None` if the piece is shorter or the run longer.
    #[inline]
    pub fn read(piece: &[u8]) -> Option<Run> {
        let (reached, _) = piece.split_first_chunk::<REACH>()?;
        let (halves, _) = reached.as_chunks::<16>();
        let halves = [u128::from_le_bytes(halves[0]), u128::from_le_bytes(halves[1])];
        // No branch inside a half: the lengths of words cannot be foretold.
        let first = before_ascii(halves[0]);
        let length = if first < 16 { first } else { 16 + before_ascii(halves[1]) };
        (length < REACH).then_some(Run { halves, length })
    }

    /// The word, if the run is Russian letters and nothing else.
    #[inline]
    pub fn word(&self) -> Option<RussianWord> {
        let kept = &KEPT[self.length];
        let first = Half::read(self.halves[0], kept[0]);
        let second = if self.length > 16 { Half::read(self.halves[1], kept[1]) } else { Half::NOTHING };
        if (first.foreign | second.foreign) != 0 || !self.length.is_multiple_of(2) {
            return None;
        }
        let letters = match (first.capitals, second.capitals) {
            (0, 0) => Letters::Lower,
            (first, second) => self.letters(first, second),
        };
        Some(RussianWord { key: Key::packed(first.codes, second.codes, self.length as u32 / 2), letters })
    }

    fn letters(&self, first: u128, second: u128) -> Letters {
        let count = first.count_ones() + second.count_ones();
        if count as usize == self.length / 2 && count > 1 {
            Letters::Upper
        } else if count == 1 && first & 0xFFFF != 0 {
            Letters::Capital
        } else {
            Letters::Mixed
        }
    }
}

/// Bytes before the first one of ASCII.
#[inline]
fn before_ascii(half: u128) -> usize {
    const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
    let (low, high) = (!(half as u64) & HIGH_BITS, !((half >> 64) as u64) & HIGH_BITS);
    let in_high = 8 + high.trailing_zeros() as usize / 8;
    if low == 0 { in_high } else { low.trailing_zeros() as usize / 8 }
}

/// Eight letters.
struct Half {
    /// Zero if all of them are Russian.
    foreign: u128,
    /// A bit for each capital.
    capitals: u128,
    /// Of the small letters, a byte each.
    codes: u64,
}

impl Half {
    const NOTHING: Half = Half { foreign: 0, capitals: 0, codes: 0 };

    #[inline]
    fn read(lanes: u128, kept: u128) -> Half {
        // Place in the block that begins with U+0400, 7 bits of each lane.
        let place = (lanes & each(1)) << 6 | lanes >> 8 & each(0x3F);
        let from = |least: u8| (place + each(0x80 - least)) & ANSWER;
        let is = |wanted: u8| !((place ^ each(wanted)) + each(0x7F)) & ANSWER;
        let capital_yo = is(0x01);
        let yo = is(0x51) | capital_yo;
        let capital = from(0x10) & !from(0x30);
        let letter = from(0x10) & !from(0x50) | yo;
        let lead = lanes & each(0xFE) ^ each(0xD0);
        let small = place + (capital >> 2);
        let yo = yo - (yo >> 7); // the 7 bits of the place
        let codes = ((small & !yo | each(0x35) & yo) + each(RUSSIAN - 0x30)) & each(0xFF) & kept;
        Half {
            foreign: (lead | letter ^ ANSWER) & kept,
            capitals: (capital | capital_yo) & kept,
            codes: packed(codes as u64) | packed((codes >> 64) as u64) << 32,
        }
    }
}

/// The low bytes of four lanes.
#[inline]
fn packed(lanes: u64) -> u64 {
    let pairs = (lanes | lanes >> 8) & 0x0000_FFFF_0000_FFFF;
    (pairs | pairs >> 16) & 0xFFFF_FFFF
}
