//! Fingerprints of texts (SimHash over stems and pairs of neighbours): near-duplicates differ in few bits.
//! Owner: the enrichment of one worker. Invariants: a fingerprint depends on the stems alone, not on the process or on
//! earlier texts; words of one or two letters are passed over; numbers count, because two complaints may differ in the
//! house alone.

use xxhash_rust::xxh3::xxh3_64;

use crate::text::{Token, WordTable, Words};

/// A fingerprint of the stems of a text.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Fingerprint {
    /// Zero when the text has no words.
    pub hash: u64,
    /// Words that were counted, up to 65,535. Short texts are alike by chance.
    pub words: u16,
}

impl Fingerprint {
    /// Bits that differ.
    pub fn distance(self, other: Fingerprint) -> u32 {
        (self.hash ^ other.hash).count_ones()
    }
}

/// What a word is that does not count.
const PASSED_OVER: u64 = 1;
/// Words that are hashed; a text of more is told by its beginning. With their pairs they fill the counters.
const LONGEST: usize = 1 << 15;

/// Makes fingerprints; keeps the hash of every stem.
#[derive(Default)]
pub struct Fingerprinter {
    hashes: WordTable<u64>,
    /// The words of the text that count.
    text: Vec<u64>,
}

impl Fingerprinter {
    /// The fingerprint of the text of these tokens.
    pub fn read(&mut self, words: &Words, tokens: &[Token]) -> Fingerprint {
        let room = tokens.len().min(LONGEST) + 1;
        if self.text.len() < room {
            self.text.resize(room, 0);
        }
        // Every hash is written, and the next one over it if it does not count: no branch, as there is no pattern in it.
        let hashes = self.hashes.of(words, |form, stem| match form.chars().count() {
            0 => PASSED_OVER,
            1 | 2 if !form.starts_with(|first: char| first.is_ascii_digit()) => PASSED_OVER,
            _ => xxh3_64(words.stem_text(stem).as_bytes()).max(PASSED_OVER),
        });
        let mut counted = 0;
        for token in tokens {
            let hash = hashes.get(token.word);
            self.text[counted.min(LONGEST)] = hash;
            counted += usize::from(hash != PASSED_OVER);
        }
        let mut counts = BitCounts::default();
        counts.add_text(&self.text[..counted.min(LONGEST)]);
        Fingerprint { hash: counts.majority(), words: u16::try_from(counted).unwrap_or(u16::MAX) }
    }
}

/// Two hashes as one.
pub(super) fn pair(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ 0x9e37_79b9_7f4a_7c15) * u128::from(right.rotate_left(31) ^ 0xd6e8_feb8_6659_fd93);
    product as u64 ^ (product >> 64) as u64
}

/// For each of 64 bits, how many hashes had it: counters that lie across words, so that adding a hash costs a few
/// operations instead of 64.
#[derive(Default)]
struct BitCounts {
    planes: [u64; PLANES],
    hashes: u32,
}

/// Room for the words of the longest text and their pairs.
const PLANES: usize = 16;

impl BitCounts {
    /// Adds the words and the pairs of neighbours.
    fn add_text(&mut self, words: &[u64]) {
        let Some(first) = words.first() else { return };
        self.add(*first);
        let mut before = *first;
        let (fours, rest) = words[1..].as_chunks::<4>();
        for &[one, two, three, four] in fours {
            self.add_eight([
                one,
                pair(before, one),
                two,
                pair(one, two),
                three,
                pair(two, three),
                four,
                pair(three, four),
            ]);
            before = four;
        }
        for &word in rest {
            self.add(word);
            self.add(pair(before, word));
            before = word;
        }
    }

    fn add(&mut self, hash: u64) {
        self.hashes += 1;
        self.carry(0, hash);
    }

    /// Eight at once: full adders fill the first three planes, and one carry is left for the others.
    fn add_eight(&mut self, hashes: [u64; 8]) {
        self.hashes += 8;
        let [ones, twos, fours, ..] = &mut self.planes;
        let [a, b, c, d, e, f, g, h] = hashes;
        let first = carry_out(twos, carry_out(ones, a, b), carry_out(ones, c, d));
        let second = carry_out(twos, carry_out(ones, e, f), carry_out(ones, g, h));
        let eights = carry_out(fours, first, second);
        self.carry(3, eights);
    }

    fn carry(&mut self, from: usize, mut carry: u64) {
        for plane in &mut self.planes[from..] {
            if carry == 0 {
                return;
            }
            let both = *plane & carry;
            *plane ^= carry;
            carry = both;
        }
    }

    /// Bits that more than half of the hashes had.
    fn majority(&self) -> u64 {
        let half = self.hashes / 2;
        let (mut more, mut equal) = (0, u64::MAX);
        for (place, plane) in self.planes.iter().enumerate().rev() {
            let limit = if half >> place & 1 == 1 { u64::MAX } else { 0 };
            more |= equal & plane & !limit;
            equal &= !(plane ^ limit);
        }
        more
    }
}

/// Adds two to a plane; what is carried to the next.
fn carry_out(plane: &mut u64, left: u64, right: u64) -> u64 {
    let either = left ^ right;
    let carry = left & right | either & *plane;
    *plane ^= either;
    carry
}
