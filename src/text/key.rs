//! The key of a folded word: one byte a letter (Russian and ASCII letters, digits, hyphen), packed into 128 bits.
//! Invariants: words of up to 16 such letters have different keys, so comparing keys compares the words; longer words
//! and words in other scripts are mixed into 128 bits, where a collision is not to be expected by chance.

/// Codes in one block.
const BLOCK: u32 = 16;
/// Introduces a character without a code of its own; three bytes of it follow.
const ESCAPE: u8 = 1;
/// First code of the Russian letters: а = 0xE0 ... я = 0xFF, as in windows-1251. `ё` is folded to `е` and has none.
pub(super) const RUSSIAN: u8 = 0xE0;

const K: [u64; 4] = [0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93, 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];

/// What a word is found by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    low: u64,
    high: u64,
    /// Codes in the word; tells a mixed key from a packed one.
    length: u32,
}

impl Key {
    /// Of up to 16 codes, the first one lowest; zeroes after the last.
    pub fn packed(low: u64, high: u64, length: u32) -> Key {
        Key { low, high, length }
    }

    /// Where to look first in a table.
    pub fn hash(self) -> u64 {
        multiply(self.low ^ K[0], self.high ^ K[1] ^ u64::from(self.length))
    }
}

/// Takes a word letter by letter.
#[derive(Clone, Copy)]
pub struct KeyMaker {
    block: u128,
    mixed: (u64, u64),
    length: u32,
}

impl KeyMaker {
    pub const fn new() -> KeyMaker {
        KeyMaker { block: 0, mixed: (0, 0), length: 0 }
    }

    pub fn push(&mut self, code: u8) {
        if self.length != 0 && self.length.is_multiple_of(BLOCK) {
            self.mix();
        }
        self.block |= u128::from(code) << (self.length % BLOCK * 8);
        self.length += 1;
    }

    /// A character of a folded word.
    pub fn push_char(&mut self, character: char) {
        match character {
            'а'..='я' => self.push(RUSSIAN + (character as u32 - 'а' as u32) as u8),
            'a'..='z' | '0'..='9' | '-' => self.push(character as u8),
            other => {
                let [_, high, middle, low] = (other as u32).to_be_bytes();
                for code in [ESCAPE, high, middle, low] {
                    self.push(code);
                }
            }
        }
    }

    fn mix(&mut self) {
        let (low, high) = (self.block as u64, (self.block >> 64) as u64);
        self.mixed = (
            multiply(low ^ K[0] ^ self.mixed.0, high ^ K[1]),
            multiply(high ^ K[2] ^ self.mixed.1, low ^ K[3]).wrapping_add(self.mixed.0),
        );
        self.block = 0;
    }

    pub fn key(mut self) -> Key {
        if self.length <= BLOCK {
            return Key { low: self.block as u64, high: (self.block >> 64) as u64, length: self.length };
        }
        self.mix();
        Key { low: self.mixed.0, high: self.mixed.1, length: self.length }
    }
}

/// The key of a folded word.
pub fn key_of(folded: &str) -> Key {
    let mut maker = KeyMaker::new();
    for character in folded.chars() {
        maker.push_char(character);
    }
    maker.key()
}

fn multiply(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}
