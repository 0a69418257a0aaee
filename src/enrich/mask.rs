//! The masker: every identifier of a person in a text gives way to a typed placeholder before the text goes anywhere.
//! Owner: the enrichment stage; it runs on every text of every record. Structured identifiers are found here in one pass
//! from left to right: a cheap scan finds the bytes one can start at or is known by (digits, `@`, `/`, `[`), detectors
//! look around such a byte. Names are found in the tokens; [`Masker`] does both, [`mask`] alone leaves names as they are.
//! Invariants: output is valid UTF-8; masking a masked text changes nothing; text outside the spans is kept byte for byte.
//! The second needs care in detectors: what was masked must look to a neighbour like the placeholder that replaces it, so
//! nobody looks back past [`View::done`]. What is masked after a match cannot be known yet, so [`Found`] reads a text that
//! changed again.
//! When in doubt a phone is masked, but numbers of laws, cases and organisations survive: analysts live on them.

mod birth;
mod context;
#[cfg(test)]
mod corpus;
mod documents;
mod flats;
mod found;
#[cfg(test)]
mod laws;
mod links;
mod masker;
mod numbers;
mod people;
mod phone;
mod plates;
#[cfg(test)]
mod tests;

use found::Found;
pub use masker::Masker;
pub use people::{PersonLexicon, PersonLists};

/// Raised with every change of what is masked; stored beside each text (152-ФЗ: it must be known how it was treated).
pub const MASKER_VERSION: u16 = 3;

/// The types of identifiers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MaskKind {
    /// Mobile, city and foreign numbers; 8-800 is an organisation's number and stays.
    Phone,
    Email,
    /// СНИЛС: the number of a personal pension account.
    Snils,
    /// A payment card.
    Card,
    /// A page, a mention or a handle of a person in a network.
    Profile,
    /// A person: a full name, a surname with initials, a name after a word that introduces people.
    Name,
    /// ИНН: the number of a taxpayer.
    Inn,
    Passport,
    /// The policy of the compulsory medical insurance (ОМС).
    Policy,
    /// The plate of a car.
    Plate,
    BirthDate,
    /// The number of a flat; street and house stay, they make a place and no person.
    Flat,
}

impl MaskKind {
    pub const ALL: [MaskKind; 12] = [
        MaskKind::Phone,
        MaskKind::Email,
        MaskKind::Snils,
        MaskKind::Card,
        MaskKind::Profile,
        MaskKind::Name,
        MaskKind::Inn,
        MaskKind::Passport,
        MaskKind::Policy,
        MaskKind::Plate,
        MaskKind::BirthDate,
        MaskKind::Flat,
    ];

    /// What stands in the text instead. Holds no byte the scan stops at, so a second pass goes over it.
    pub const fn placeholder(self) -> &'static str {
        match self {
            MaskKind::Phone => "‹телефон›",
            MaskKind::Email => "‹почта›",
            MaskKind::Snils => "‹СНИЛС›",
            MaskKind::Card => "‹карта›",
            MaskKind::Profile => "‹профиль›",
            MaskKind::Name => "‹имя›",
            MaskKind::Inn => "‹ИНН›",
            MaskKind::Passport => "‹паспорт›",
            MaskKind::Policy => "‹полис›",
            MaskKind::Plate => "‹госномер›",
            MaskKind::BirthDate => "‹дата рождения›",
            MaskKind::Flat => "‹квартира›",
        }
    }

    /// In the column `masked`.
    pub const fn code(self) -> u8 {
        self as u8 + 1
    }

    /// The word of the column `masked` and of every report.
    pub const fn word(self) -> &'static str {
        match self {
            MaskKind::Phone => "phone",
            MaskKind::Email => "email",
            MaskKind::Snils => "snils",
            MaskKind::Card => "card",
            MaskKind::Profile => "profile",
            MaskKind::Name => "name",
            MaskKind::Inn => "inn",
            MaskKind::Passport => "passport",
            MaskKind::Policy => "policy",
            MaskKind::Plate => "plate",
            MaskKind::BirthDate => "birth_date",
            MaskKind::Flat => "flat",
        }
    }
}

/// How many identifiers of each type a text had; saturates at 255.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct MaskCounts {
    by_kind: [u8; MaskKind::ALL.len()],
}

impl MaskCounts {
    pub fn of(self, kind: MaskKind) -> u8 {
        self.by_kind[kind as usize]
    }

    /// All types together.
    pub fn total(self) -> u16 {
        self.by_kind.into_iter().map(u16::from).sum()
    }

    pub fn add(&mut self, kind: MaskKind) {
        let count = &mut self.by_kind[kind as usize];
        *count = count.saturating_add(1);
    }

    /// Counts those of another text too.
    pub fn add_all(&mut self, other: MaskCounts) {
        for (count, more) in self.by_kind.iter_mut().zip(other.by_kind) {
            *count = count.saturating_add(more);
        }
    }
}

/// One identifier: bytes `[start, end)` of the text, on character boundaries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaskSpan {
    pub start: usize,
    pub end: usize,
    pub kind: MaskKind,
}

/// Appends `text` to `out` with every structured identifier replaced by its placeholder.
pub fn mask_into(text: &str, out: &mut Vec<u8>) -> MaskCounts {
    numbers_of(text).pieces(text, |piece| out.extend_from_slice(piece.as_bytes()))
}

/// The masked text (but for names) and what was found; for places where an allocation does not matter.
pub fn mask(text: &str) -> (String, MaskCounts) {
    let mut out = String::with_capacity(text.len());
    let counts = numbers_of(text).pieces(text, |piece| out.push_str(piece));
    (out, counts)
}

/// Where the structured identifiers are, in order, without overlaps.
pub fn spans(text: &str) -> Vec<MaskSpan> {
    numbers_of(text).spans().to_vec()
}

/// Allocates only for a text that has something to mask.
fn numbers_of(text: &str) -> Found {
    let mut found = Found::default();
    found.numbers(text);
    found
}

/// What detectors may see: the whole text ahead, and back to the end of the last match.
struct View<'t> {
    text: &'t str,
    bytes: &'t [u8],
    /// End of the last match. What stands before it is, to everybody, that match's placeholder.
    done: usize,
    /// The kind of that match; `None` before the first.
    last: Option<MaskKind>,
}

impl<'t> View<'t> {
    /// The character before `at`, or `None` at the start of the text and right after a match.
    fn before(&self, at: usize) -> Option<char> {
        self.text[self.done..at].chars().next_back()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// A cut of the last at most `limit` bytes before `at`, on a character boundary, not past the last match.
    fn back(&self, at: usize, limit: usize) -> &'t str {
        let mut start = at.saturating_sub(limit).max(self.done);
        while !self.text.is_char_boundary(start) {
            start += 1;
        }
        &self.text[start..at]
    }
}

/// What a detector makes of the byte it was called for.
enum Verdict {
    Mask(MaskSpan),
    /// Nothing to mask before this offset, which is after the byte.
    Skip(usize),
}

fn mask_span(start: usize, end: usize, kind: MaskKind) -> Verdict {
    Verdict::Mask(MaskSpan { start, end, kind })
}

/// The pass itself. Each detector either gives a span that starts at or after `done`, or moves on.
fn walk(text: &str, mut found: impl FnMut(MaskSpan)) {
    let bytes = text.as_bytes();
    let mut view = View { text, bytes, done: 0, last: None };
    let mut at = 0;
    while let Some(trigger) = next_trigger(bytes, at) {
        let verdict = match bytes[trigger] {
            b'@' => links::at_sign(&view, trigger),
            b'/' => links::slash(&view, trigger),
            b'[' => links::bracket(&view, trigger),
            _ => numbers::digits(&view, trigger),
        };
        at = match verdict {
            Verdict::Mask(span) => {
                found(span);
                view.done = span.end;
                view.last = Some(span.kind);
                span.end
            }
            Verdict::Skip(next) => next,
        };
    }
}

/// Digits and `/` are neighbours in ASCII, so it takes one subtraction and three
/// comparisons.
fn is_trigger(byte: u8) -> bool {
    (byte.wrapping_sub(b'/') <= b'9' - b'/') | (byte == b'@') | (byte == b'[')
}

/// Bytes looked at together.
const BLOCK: usize = 32;

/// The first byte worth a look at or after `from`. Blocks without a branch inside become vector instructions, which is
/// what clean text costs.
fn next_trigger(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let (blocks, tail) = rest.as_chunks::<BLOCK>();
    for (index, block) in blocks.iter().enumerate() {
        if let Some(inside) = trigger_in(block) {
            return Some(from + index * BLOCK + inside);
        }
    }
    let mut last = [0; BLOCK];
    last[..tail.len()].copy_from_slice(tail);
    trigger_in(&last).map(|inside| from + blocks.len() * BLOCK + inside)
}

#[inline]
fn trigger_in(block: &[u8; BLOCK]) -> Option<usize> {
    let mut found = [0u8; BLOCK];
    for (found, byte) in found.iter_mut().zip(block) {
        *found = u8::from(is_trigger(*byte));
    }
    let (halves, _) = found.as_chunks::<{ BLOCK / 2 }>();
    let (first, second) = (u128::from_le_bytes(halves[0]), u128::from_le_bytes(halves[1]));
    if first | second == 0 {
        return None;
    }
    let inside = if first != 0 { first.trailing_zeros() } else { 128 + second.trailing_zeros() };
    Some(inside as usize / 8)
}
