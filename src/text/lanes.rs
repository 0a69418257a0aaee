//! Russian letters read sixteen at once: how long a word is, its folded key and where its capitals stand. Arrays of lanes of
//! two bytes, a letter each, without a branch: the compiler makes vector instructions of the loops.
//! Owner: [`super::tokens`]. Invariants: what is read here is what a walk over the letters gives (a test compares them);
//! whatever is not Russian letters alone is refused, not guessed.

use super::key::{Key, RUSSIAN};
use super::token::Letters;

/// Letters that are looked at; a word has to be shorter.
const LANES: usize = 16;
/// The bytes of them.
pub const REACH: usize = LANES * 2;

/// The highest bit of a byte: the answer of comparisons.
const ANSWER: u16 = 0x80;

/// By letters of a word: the bytes that they take when they take one each.
const KEPT: [u128; LANES] = {
    let mut table = [0; LANES];
    let mut letters = 0;
    while letters < LANES {
        table[letters] = (1 << (letters * 8)) - 1;
        letters += 1;
    }
    table
};

/// A word of Russian letters.
#[derive(Clone, Copy)]
pub struct RussianWord {
    pub key: Key,
    pub letters: Letters,
    /// Bytes, less than [`REACH`].
    pub length: usize,
}

/// The Russian letters that a piece of text begins with; `None` if there are too many. What follows them is not asked.
#[inline]
pub fn read(piece: &[u8; REACH]) -> Option<RussianWord> {
    let (pairs, _) = piece.as_chunks::<2>();
    let mut lanes = [0u16; LANES]; // in a loop of their own, else they are not loaded at once
    for (lane, pair) in lanes.iter_mut().zip(pairs) {
        *lane = u16::from_le_bytes(*pair);
    }
    let (mut codes, mut foreign, mut capital) = ([0u8; LANES], [0u8; LANES], [0u8; LANES]);
    for at in 0..LANES {
        let letter = Letter::read(lanes[at]);
        codes[at] = letter.code as u8;
        foreign[at] = letter.foreign as u8;
        capital[at] = letter.capital as u8;
    }
    let count = u128::from_le_bytes(foreign).trailing_zeros() as usize / 8;
    let kept = KEPT.get(count)?;
    let codes = u128::from_le_bytes(codes) & kept;
    let letters = match u128::from_le_bytes(capital) & kept {
        0 => Letters::Lower,
        capitals => written(capitals, count),
    };
    Some(RussianWord { key: Key::packed(codes as u64, (codes >> 64) as u64, count as u32), letters, length: count * 2 })
}

/// `capitals` has a bit for each, in the byte of its letter.
fn written(capitals: u128, letters: usize) -> Letters {
    let count = capitals.count_ones() as usize;
    if count == letters && count > 1 {
        Letters::Upper
    } else if count == 1 && capitals & 0xFF != 0 {
        Letters::Capital
    } else {
        Letters::Mixed
    }
}

/// What two bytes are, each in the low byte of a lane.
struct Letter {
    /// Of the small letter; as of a key.
    code: u16,
    /// [`ANSWER`] or zero, as the next one.
    capital: u16,
    /// Not zero if they are no Russian letter.
    foreign: u16,
}

impl Letter {
    #[inline(always)]
    fn read(lane: u16) -> Letter {
        // Place in the block that begins with U+0400, 7 bits.
        let place = (lane & 1) << 6 | lane >> 8 & 0x3F;
        let from = |least: u16| (place + (0x80 - least)) & ANSWER;
        let is = |wanted: u16| !((place ^ wanted) + 0x7F) & ANSWER;
        let capital_yo = is(0x01);
        let yo = is(0x51) | capital_yo;
        let capital = from(0x10) & !from(0x30);
        let known = from(0x10) & !from(0x50) | yo;
        let lead = lane & 0xFE ^ 0xD0;
        let small = place + (capital >> 2);
        let yo = yo - (yo >> 7); // the 7 bits of the place
        let code = (small & !yo | 0x35 & yo) + u16::from(RUSSIAN - 0x30);
        Letter { code: code & 0xFF, capital: capital | capital_yo, foreign: lead | known ^ ANSWER }
    }
}
