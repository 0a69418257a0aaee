//! Digits: reads a number with its groups once, then asks the detectors in turn: short numbers (flat, plate, date of
//! birth), documents, card, phone, СНИЛС.
//! Invariant: a detector uses a prefix of the groups and never asks what follows it, so a later match cannot change it.

use super::context::Context;
use super::phone::{self, Phone};
use super::{MaskKind, Verdict, View, birth, documents, flats, links, mask_span, plates};

/// Longest number read, digits (the longest payment card).
const MAX_DIGITS: usize = 19;
const MAX_GROUPS: usize = 12;

/// How two groups are parted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Separator {
    pub dot: bool,
    pub space: bool,
    pub dash: bool,
    pub opens: bool,
    pub closes: bool,
    /// Characters, 1 ..= 3.
    pub length: u8,
}

impl Separator {
    /// One space or one dash, as between the groups of a card.
    fn is_single(self) -> bool {
        self.length == 1 && (self.space || self.dash)
    }
}

/// Groups of digits with short separators between them: `8 (910) 123-45-67`.
pub struct Groups {
    digits: [u8; MAX_DIGITS],
    sizes: [u8; MAX_GROUPS],
    ends: [usize; MAX_GROUPS],
    /// `separators[i]` stands before group `i`; the first is empty.
    separators: [Separator; MAX_GROUPS],
    count: usize,
    /// Offset of the first digit.
    pub start: usize,
}

impl Groups {
    /// `None` when the first group alone is longer than any number known here.
    fn read(view: &View<'_>, start: usize) -> Option<Groups> {
        let mut groups = Groups {
            digits: [0; MAX_DIGITS],
            sizes: [0; MAX_GROUPS],
            ends: [0; MAX_GROUPS],
            separators: [Separator::default(); MAX_GROUPS],
            count: 0,
            start,
        };
        let (mut at, mut total, mut separator) = (start, 0, Separator::default());
        while groups.count < MAX_GROUPS {
            let size = view.bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if size == 0 || total + size > MAX_DIGITS {
                break;
            }
            for (digit, byte) in groups.digits[total..].iter_mut().zip(&view.bytes[at..at + size]) {
                *digit = byte - b'0';
            }
            total += size;
            at += size;
            groups.sizes[groups.count] = size as u8;
            groups.ends[groups.count] = at;
            groups.separators[groups.count] = separator;
            groups.count += 1;
            match read_separator(view, at) {
                Some((next, read)) => (at, separator) = (next, read),
                None => break,
            }
        }
        (groups.count > 0).then_some(groups)
    }

    pub fn sizes(&self) -> &[u8] {
        &self.sizes[..self.count]
    }

    pub fn separator(&self, group: usize) -> Separator {
        self.separators[group]
    }

    /// End offset of the first `groups` groups.
    pub fn end(&self, groups: usize) -> usize {
        self.ends[groups - 1]
    }

    pub fn digits(&self, count: usize) -> &[u8] {
        &self.digits[..count.min(MAX_DIGITS)]
    }

    pub fn digit(&self, index: usize) -> u8 {
        self.digits[index]
    }

    /// How many groups make exactly `digits` digits, if a group ends there.
    pub fn groups_of(&self, digits: usize) -> Option<usize> {
        let mut total = 0;
        for (index, size) in self.sizes().iter().enumerate() {
            total += usize::from(*size);
            if total >= digits {
                return (total == digits).then_some(index + 1);
            }
        }
        None
    }

    /// Whether the separators inside the first `groups` groups all satisfy `rule`.
    pub fn separators_are(&self, groups: usize, rule: impl Fn(Separator) -> bool) -> bool {
        self.separators[1..groups].iter().all(|separator| rule(*separator))
    }
}

/// One to three separating characters with a digit after them: its offset and what they were.
fn read_separator(view: &View<'_>, start: usize) -> Option<(usize, Separator)> {
    let mut separator = Separator::default();
    let mut at = start;
    for character in view.text[start..].chars().take(4) {
        match character {
            '0'..='9' if separator.length > 0 => return Some((at, separator)),
            ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' => separator.space = true,
            '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => separator.dash = true,
            '.' => separator.dot = true,
            '(' => separator.opens = true,
            ')' => separator.closes = true,
            _ => return None,
        }
        at += character.len_utf8();
        separator.length += 1;
    }
    None
}

/// Called for the first digit of a group.
pub fn digits(view: &View<'_>, at: usize) -> Verdict {
    if let Some(verdict) = links::old_mention(view, at) {
        return verdict;
    }
    let first_end = at + view.bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    // Most numbers of a text end on these lines.
    if !has_enough_digits(&view.bytes[at..]) {
        return short_number(view, at, first_end);
    }
    let plain_mobile = matches!(&view.bytes[at..first_end], [b'7' | b'8', b'9', rest @ ..] if rest.len() == 9);
    if inside_an_address(view, at) && !plain_mobile {
        return Verdict::Skip(first_end);
    }
    let Some(groups) = Groups::read(view, at) else {
        return Verdict::Skip(first_end);
    };
    if let Some((end, kind)) = documents::detect(view, &groups) {
        return mask_span(at, end, kind);
    }
    if let Some(end) = card(view, &groups) {
        return mask_span(at, end, MaskKind::Card);
    }
    match phone::detect(view, &groups) {
        Some(Phone::Personal { start, end }) => {
            // `89101234567@mail.ru` is an address whose local part is a phone.
            if let Some((mail_start, mail_end)) = links::email_that_starts_with(view, at, end) {
                return mask_span(mail_start, mail_end, MaskKind::Email);
            }
            return mask_span(start, end, MaskKind::Phone);
        }
        Some(Phone::Hotline { end }) => return Verdict::Skip(end),
        None => {}
    }
    if let Some(end) = snils(view, &groups) {
        return mask_span(at, end, MaskKind::Snils);
    }
    short_number(view, at, first_end)
}

/// What up to four digits can be by themselves.
fn short_number(view: &View<'_>, start: usize, end: usize) -> Verdict {
    if end - start > 4 {
        return Verdict::Skip(end);
    }
    let found = flats::detect(view, start, end)
        .or_else(|| plates::detect(view, start, end))
        .or_else(|| birth::detect(view, start, end))
        .or_else(|| documents::series(view, start, end));
    found.map_or(Verdict::Skip(end), Verdict::Mask)
}

/// The shortest thing of the others is a local phone of five digits. Looks at bytes only and may say yes too often.
fn has_enough_digits(bytes: &[u8]) -> bool {
    let mut digits = 0;
    let mut apart = 0;
    for byte in bytes {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                apart = 0;
                if digits == 5 {
                    return true;
                }
            }
            // Separators beyond ASCII begin with these two bytes; Cyrillic letters do not.
            b' ' | b'-' | b'.' | b'(' | b')' | 0xC2 | 0xE2 | 0x80..=0xBF if apart < 9 => apart += 1,
            _ => return false,
        }
    }
    false
}

/// Digits of `?opaId=26`, `wall-1_2`, `utm_campaign=1026201…`: part of a link, where only a mobile phone is personal.
fn inside_an_address(view: &View<'_>, at: usize) -> bool {
    let before = &view.bytes[view.done..at];
    match before {
        [.., b'_'] => true,
        [.., name, b'='] => name.is_ascii_alphanumeric(),
        _ => false,
    }
}

/// Sum of the digits of `number` by the rule of Luhn (ISO/IEC 7812) ends in zero.
fn luhn(number: &[u8]) -> bool {
    let sum: u32 = number
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let value = u32::from(*digit) << (index % 2);
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// End of a payment card: right sum, a first digit that cards have, and groups that cards are written in.
/// Unbroken runs of 13 and 15 digits are mostly ОГРН and ОГРНИП, so there the sum of those is tried first.
fn card(view: &View<'_>, groups: &Groups) -> Option<usize> {
    const SHAPES: [&[u8]; 8] =
        [&[4, 4, 4, 4, 3], &[4, 4, 4, 4, 2], &[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4], &[8, 8], &[8, 10], &[6, 10]];
    let raw = groups.sizes()[0] as usize;
    let (count, length) = if (13..=19).contains(&raw) {
        if raw != 16
            && (is_organisation_number(groups.digits(raw)) || Context::before(view, groups.start).names_a_registry())
        {
            return None;
        }
        (1, raw)
    } else {
        SHAPES.iter().find_map(|shape| {
            let length = shape.iter().map(|size| usize::from(*size)).sum();
            let fits = groups.sizes().starts_with(shape)
                && groups.separators_are(shape.len(), Separator::is_single)
                && luhn(groups.digits(length));
            fits.then_some((shape.len(), length))
        })?
    };
    // Diners 30, 36, 38; American Express 34, 37; Visa 4; Mir 2; Mastercard 2, 5; Maestro 5, 6; UnionPay 6.
    let issued = match (groups.digit(0), length) {
        (3, length) => length <= 16,
        (4, length) => [13, 16, 19].contains(&length),
        (2 | 5 | 6, length) => length >= 16,
        _ => false,
    };
    (issued && luhn(groups.digits(length))).then(|| groups.end(count))
}

/// ОГРН (13 digits: the last is the rest of the first 12 by 11) and ОГРНИП (15: of the first 14 by 13), last digit of it.
fn is_organisation_number(number: &[u8]) -> bool {
    let modulus = match number.len() {
        13 => 11,
        15 => 13,
        _ => return false,
    };
    let (body, control) = number.split_at(number.len() - 1);
    let value = body.iter().fold(0u64, |value, digit| value * 10 + u64::from(*digit));
    value % modulus % 10 == u64::from(control[0])
}

/// End of a СНИЛС: 123-456-789 00, 123456789 00 or eleven digits in a row with the right control number.
/// After the word «СНИЛС» the control number is not asked for: a mistyped one is personal all the same.
fn snils(view: &View<'_>, groups: &Groups) -> Option<usize> {
    const SHAPES: [&[u8]; 3] = [&[3, 3, 3, 2], &[9, 2], &[11]];
    let shape = SHAPES.iter().find(|shape| groups.sizes().starts_with(shape))?;
    let context = Context::before(view, groups.start);
    let sound = snils_control(groups.digits(9)) == Some(groups.digit(9) * 10 + groups.digit(10));
    let of_a_registry = shape.len() == 1 && context.names_a_registry();
    let plain = !of_a_registry && groups.separators_are(shape.len(), |separator| !separator.dot);
    (sound && plain || context.says_snils()).then(|| groups.end(shape.len()))
}

/// The control number of a СНИЛС (ПП РФ and ПФР rule: weights 9…1, rest by 101); none up to 001-001-998.
fn snils_control(number: &[u8]) -> Option<u8> {
    let value = number.iter().fold(0u32, |value, digit| value * 10 + u32::from(*digit));
    let sum: u32 = number.iter().zip((1..=9).rev()).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    (value > 1_001_998).then_some((sum % 101 % 100) as u8)
}
