//! Dates of birth: a date or a year is one only where the words say so: «дата рождения 01.02.1985», «1985 г.р.»,
//! «родилась 1 февраля 1985 года». Dates of events stay.

use super::context::{Context, equals, is_letter, lower, starts_with};
use super::{MaskKind, MaskSpan, View};

const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

/// Called for one to four digits.
pub fn detect(view: &View<'_>, start: usize, end: usize) -> Option<MaskSpan> {
    let digits = end - start;
    let (date_end, year_only) = match digits {
        4 if is_year(&view.bytes[start..end]) => (end, true),
        1 | 2 => (date(view, end)?, false),
        _ => return None,
    };
    (says_birth_after(view, date_end) || says_birth_before(view, start, year_only)).then_some(MaskSpan {
        start,
        end: date_end,
        kind: MaskKind::BirthDate,
    })
}

fn is_year(digits: &[u8]) -> bool {
    matches!(digits, [b'1', b'9', ..] | [b'2', b'0', ..])
}

fn number(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// End of the date whose day ends at `end`: `.02.1985`, `/02/85`, ` февраля 1985`.
fn date(view: &View<'_>, end: usize) -> Option<usize> {
    let rest = &view.text[end..];
    let whole = view.text.len();
    if let Some(separator @ (b'.' | b'/' | b'-')) = rest.bytes().next() {
        let month = &rest[1..];
        let length = number(month);
        let year = month[length..].strip_prefix(char::from(separator))?;
        let digits = number(year);
        let sound = (1..=2).contains(&length) && (digits == 2 || digits == 4 && is_year(year.as_bytes()));
        return sound.then_some(whole - year.len() + digits);
    }
    let word = rest.strip_prefix([' ', '\u{a0}'])?;
    let month = month_at(word)?;
    let after = word.get(month.len()..)?;
    let year = after.strip_prefix([' ', '\u{a0}'])?;
    (number(year) == 4 && is_year(year.as_bytes())).then_some(whole - year.len() + 4)
}

/// Most words after a number are no months, which their first letter tells.
fn month_at(word: &str) -> Option<&'static str> {
    let first = word.chars().next()?;
    let may_be = |month: &&&str| lower(first).is_none_or(|first| month.starts_with(first));
    MONTHS.iter().filter(may_be).find(|month| starts_with(word, month)).copied()
}

/// «г.р.», «года рождения», «г. рождения».
fn says_birth_after(view: &View<'_>, end: usize) -> bool {
    let rest = view.text[end..].trim_start_matches([' ', '\u{a0}']);
    let after = ["года", "год", "г.", "г"].into_iter().find_map(|word| rest.strip_prefix(word)).unwrap_or(rest);
    let word = after.trim_start_matches([' ', '\u{a0}']);
    if after.len() < rest.len() && word.strip_prefix(['р', 'Р']).is_some_and(|next| !next.starts_with(is_letter)) {
        return true;
    }
    starts_with(word, "рождени") || starts_with(word, "рожд") && word.get(8..).is_none_or(|next| next.starts_with('.'))
}

/// «дата рождения», «д.р.», «родился»; but not «день рождения».
fn says_birth_before(view: &View<'_>, start: usize, year_only: bool) -> bool {
    let context = Context::before(view, start);
    let (nearest, second, third) = (context.word(0), context.word(1), context.word(2));
    if starts_with(nearest, "родил") || starts_with(second, "родил") {
        return true;
    }
    if year_only {
        return false;
    }
    if equals(nearest, "рождения") {
        return starts_with(second, "дат") || equals(second, "г") || equals(second, "года");
    }
    if equals(second, "рождения") {
        return starts_with(third, "дат");
    }
    equals(nearest, "др") || equals(nearest, "р") && equals(second, "д")
}
