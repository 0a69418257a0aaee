//! Numbers of documents: ИНН with its control digits, passport after its word, policy of ОМС after its word.
//! Invariant: a detector uses a prefix of the groups and never asks what follows, but for the number after a series.

use super::context::Context;
use super::numbers::Groups;
use super::{MaskKind, MaskSpan, View};

/// Called for a number of five digits or more with its groups; the end of what it is.
pub fn detect(view: &View<'_>, groups: &Groups) -> Option<(usize, MaskKind)> {
    inn(view, groups)
        .map(|end| (end, MaskKind::Inn))
        .or_else(|| policy(view, groups).map(|end| (end, MaskKind::Policy)))
        .or_else(|| passport(view, groups).map(|end| (end, MaskKind::Passport)))
}

/// 12 digits are a person's, 10 an organisation's; the second ones are masked only after their word, for any ten digits
/// in eleven would do otherwise.
fn inn(view: &View<'_>, groups: &Groups) -> Option<usize> {
    let size = usize::from(groups.sizes()[0]);
    if !matches!(size, 10 | 12) || !inn_is_sound(groups.digits(size)) {
        return None;
    }
    let context = Context::before(view, groups.start);
    (context.says_word("инн") || size == 12 && !context.names_a_registry() && !is_inside_a_link(view, groups.start))
        .then(|| groups.end(1))
}

/// `id=123456789012`: no more than a part of an address.
fn is_inside_a_link(view: &View<'_>, start: usize) -> bool {
    matches!(&view.bytes[view.done..start], [.., b'=' | b'/' | b'_' | b'-' | b'+'])
}

/// Control digits by the order of ФНС ММВ-7-6/435@: weighted sum by 11, then by 10.
fn inn_is_sound(number: &[u8]) -> bool {
    const WEIGHTS: [u32; 11] = [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8];
    let control = |length: usize| {
        let weights = &WEIGHTS[WEIGHTS.len() - length..];
        let sum: u32 = number.iter().zip(weights).map(|(digit, weight)| u32::from(*digit) * weight).sum();
        (sum % 11 % 10) as u8
    };
    match number.len() {
        10 => control(9) == number[9],
        12 => control(10) == number[10] && control(11) == number[11],
        _ => false,
    }
}

/// 16 digits of the one sort that everybody has; four by four too.
fn policy(view: &View<'_>, groups: &Groups) -> Option<usize> {
    let used = groups.groups_of(16)?;
    let context = Context::before(view, groups.start);
    (context.says("полис") || context.says_word("омс") || context.says_word("енп")).then(|| groups.end(used))
}

/// 6110 123456, 61 10 123456, 6110123456 and 123456 after the word; 9 digits abroad.
fn passport(view: &View<'_>, groups: &Groups) -> Option<usize> {
    const SHAPES: [&[u8]; 6] = [&[4, 6], &[2, 2, 6], &[10], &[2, 7], &[9], &[6]];
    let shape = SHAPES.iter().find(|shape| groups.sizes().starts_with(shape))?;
    if !groups.separators_are(shape.len(), |separator| !separator.dot && separator.length == 1) {
        return None;
    }
    says_passport(view, groups.start).then(|| groups.end(shape.len()))
}

fn says_passport(view: &View<'_>, start: usize) -> bool {
    let context = Context::before(view, start);
    let of_a_person = context.says("паспорт") || context.says("загранпаспорт") || context.says("сери");
    of_a_person && !["технич", "кадастр", "энерг", "готовност", "объект"].iter().any(|word| context.says(word))
}

/// Called for up to four digits: «серия 6110 № 123456», «61 10 номер 123456».
pub fn series(view: &View<'_>, start: usize, end: usize) -> Option<MaskSpan> {
    let mut at = end;
    match end - start {
        4 => {}
        2 => {
            let second = view.text[end..].strip_prefix(' ')?;
            if digits(second) != 2 {
                return None;
            }
            at = end + 3;
        }
        _ => return None,
    }
    let rest = view.text[at..].trim_start_matches([' ', ',', '\u{a0}']);
    let sign = ["номер", "№", "N", "ном."].into_iter().find_map(|sign| rest.strip_prefix(sign))?;
    let number = sign.trim_start_matches([' ', ':', '\u{a0}']);
    let length = match digits(number) {
        6 => 6,
        3 if number[3..].strip_prefix(' ').is_some_and(|rest| digits(rest) == 3) => 7,
        _ => return None,
    };
    let end = view.text.len() - number.len() + length;
    says_passport(view, start).then_some(MaskSpan { start, end, kind: MaskKind::Passport })
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}
