//! Phones in all the ways people write them: +7 (910) 123-45-67, 8 910 1234567, 8-(4912)-25-25-25, (49131) 2-12-34,
//! 9101234567, +375 29 …, and «тел. 25-25-25». Eight digits more or less prove nothing: prices, dates and hours look alike,
//! so each form asks for the group sizes that phones have, and the shorter the form, the more context it needs.

use super::View;
use super::context::Context;
use super::numbers::{Groups, Separator};

/// A phone, from its `+` or first digit to its last digit.
pub enum Phone {
    Personal {
        start: usize,
        end: usize,
    },
    /// 8-800: free for the caller, belongs to an organisation, must stay readable.
    Hotline {
        end: usize,
    },
}

/// Number lengths of neighbours, digits with the code, for where one space too many would join the next number.
const NEIGHBOURS: [(&[u8], usize); 10] = [
    (&[3, 7, 5], 12),
    (&[3, 8, 0], 12),
    (&[9, 9, 8], 12),
    (&[9, 9, 6], 12),
    (&[9, 9, 2], 12),
    (&[9, 9, 4], 12),
    (&[3, 7, 4], 11),
    (&[9, 9, 5], 12),
    (&[3, 7, 3], 11),
    (&[9, 9, 3], 11),
];

/// The phone that starts with the first of the groups.
pub fn detect(view: &View<'_>, groups: &Groups) -> Option<Phone> {
    let plus = plus_before(view, groups.start);
    if inside_a_word(view, groups) && plus.is_none() {
        return None;
    }
    let start = plus.unwrap_or(groups.start);
    let personal = |used: usize| Phone::Personal { start, end: groups.end(used) };
    if let Some(used) = national(view, groups, plus.is_some()) {
        let hotline = groups.digits(4)[1..] == [8, 0, 0];
        return Some(if hotline { Phone::Hotline { end: groups.end(used) } } else { personal(used) });
    }
    if plus.is_some() {
        return foreign(groups).map(personal);
    }
    if let Some(used) = mobile_without_prefix(view, groups) {
        return Some(personal(used));
    }
    if let Some(used) = city_without_prefix(view, groups) {
        let hotline = groups.digits(3) == [8, 0, 0];
        return Some(if hotline { Phone::Hotline { end: groups.end(used) } } else { personal(used) });
    }
    local(view, groups).map(personal)
}

/// The words before the number: read only by the forms that need them, and after the cheap tests.
fn words<'t>(view: &View<'t>, groups: &Groups) -> Context<'t> {
    Context::before(view, groups.start)
}

/// Offset of a `+` right before the number, or with one space between.
fn plus_before(view: &View<'_>, start: usize) -> Option<usize> {
    match &view.bytes[view.done..start] {
        [.., b'+'] => Some(start - 1),
        [.., b'+', b' '] => Some(start - 2),
        _ => None,
    }
}

/// `3f89101234567`: letters and digits mixed before the number make a hash or a serial number. Letters alone make a
/// phone glued to a word. What follows must not matter here: it could be masked later.
fn inside_a_word(view: &View<'_>, groups: &Groups) -> bool {
    let before = &view.bytes[view.done..groups.start];
    let word = before.iter().rev().take(32).take_while(|byte| byte.is_ascii_alphanumeric());
    before.last().is_some_and(u8::is_ascii_alphabetic) && word.into_iter().any(u8::is_ascii_digit)
}

/// Eleven digits from 7 or 8: the groups used.
fn national(view: &View<'_>, groups: &Groups, plus: bool) -> Option<usize> {
    let used = groups.groups_of(11)?;
    let (prefix, code) = (groups.digit(0), groups.digit(1));
    let mobile = code == 9;
    // Area codes of Russia begin with 3, 4, 8; mobile ones with 9; +76… and +77… are Kazakhstan, written with the plus.
    let code_exists = matches!(code, 3 | 4 | 8 | 9) || plus && (5..=7).contains(&code);
    if !matches!(prefix, 7 | 8) || !code_exists {
        return None;
    }
    if used == 1 {
        return (mobile || plus || !words(view, groups).names_a_registry()).then_some(used);
    }
    // «8 9 1 0 1 2 3 4 5 6 7»: spelled out to get past filters.
    if used == 11 {
        return mobile.then_some(used);
    }
    // The sizes after the prefix, which stands alone or is glued to the code.
    let mut rest = [0u8; 12];
    let sizes = &groups.sizes()[..used];
    let rest = if sizes[0] == 1 {
        &sizes[1..]
    } else {
        rest[..used].copy_from_slice(sizes);
        rest[0] -= 1;
        &rest[..used]
    };
    let (code_size, number) = rest.split_first()?;
    let dots = !groups.separators_are(used, |separator| !separator.dot);
    let singles = number.iter().filter(|size| **size == 1).count();
    let shaped = match code_size {
        3..=5 => singles == 0 || number == [1, 2, 2] || mobile && singles == 1 && !dots,
        6..=10 => singles == 0 && (mobile || plus),
        _ => singles == 0 && mobile && !dots && *code_size > 1,
    };
    shaped.then_some(used)
}

/// A number of another country after a plus.
fn foreign(groups: &Groups) -> Option<usize> {
    if let Some((_, length)) = NEIGHBOURS.iter().find(|(code, _)| groups.digits(3) == *code) {
        return groups.groups_of(*length);
    }
    (11..=13).chain([10, 14, 15]).find_map(|length| groups.groups_of(length))
}

/// 910 123-45-67 and 9101234567. ИНН of organisations have ten digits too, and say so before them.
fn mobile_without_prefix(view: &View<'_>, groups: &Groups) -> Option<usize> {
    let used = groups.groups_of(10)?;
    let (code_size, number) = groups.sizes()[..used].split_first()?;
    if groups.digit(0) != 9 || number.contains(&1) {
        return None;
    }
    match code_size {
        10 => !words(view, groups).names_a_registry(),
        3 => groups.separators_are(used, |separator| !separator.dot) || number == [3, 2, 2],
        6.. => true,
        _ => false,
    }
    .then_some(used)
}

/// (4912) 25-25-25, and without brackets 4912-25-25-25 when it is all dashes.
fn city_without_prefix(view: &View<'_>, groups: &Groups) -> Option<usize> {
    const NUMBERS: [&[u8]; 3] = [&[2, 2, 2], &[3, 2, 2], &[1, 2, 2]];
    let used = groups.groups_of(10)?;
    let (code_size, number) = groups.sizes()[..used].split_first()?;
    if !matches!(groups.digit(0), 3 | 4 | 8) || !(3..=5).contains(code_size) {
        return None;
    }
    let in_brackets = view.before(groups.start) == Some('(') && groups.separator(1).closes;
    let dashed = NUMBERS.contains(&number)
        && groups.separators_are(used, |separator| separator.dash)
        && (2..used).all(|group| groups.separator(group).length == 1);
    let shaped = dashed || in_brackets && (!number.contains(&1) || number == [1, 2, 2]);
    (shaped && !words(view, groups).number_sign).then_some(used)
}

/// 25-25-25, 2-12-34, 123-45-67, 252525: a phone only where the words say so.
fn local(view: &View<'_>, groups: &Groups) -> Option<usize> {
    const SHAPES: [&[u8]; 5] = [&[2, 2, 2], &[3, 2, 2], &[1, 2, 2], &[3, 3], &[3, 4]];
    let sizes = groups.sizes();
    if let Some(shape) = SHAPES.iter().find(|shape| sizes.starts_with(shape)) {
        let used = shape.len();
        let one = |separator: Separator| separator.length == 1 && (separator.dash || separator.space);
        let dashed = groups.separators_are(used, |separator| separator.dash);
        if !groups.separators_are(used, one) || goes_on(view, groups.end(used)) {
            return None;
        }
        let context = words(view, groups);
        return (context.speaks_of_a_phone() || dashed && context.says_number()).then_some(used);
    }
    if !(5..=7).contains(&sizes[0]) || goes_on(view, groups.end(1)) {
        return None;
    }
    let context = words(view, groups);
    // «телефон для связи 252525», but not «позвоните по заявке 327441».
    (context.calls_for_a_phone() || context.speaks_of_a_phone() && !context.names_a_registry()).then_some(1)
}

/// `25-25-25-7` is some other number. A placeholder counts as digits: they may have been masked in an earlier pass.
fn goes_on(view: &View<'_>, end: usize) -> bool {
    view.text[end..]
        .strip_prefix('-')
        .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit() || next == '‹'))
}
