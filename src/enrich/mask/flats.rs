//! Flat numbers: «кв. 12», «квартира № 12», «в 12-й квартире». Street and house stay.
//! Invariant: what parts a flat from a count («в квартире 15 градусов») is a word that is never masked.

use super::context::{is_letter, is_letter_or_digit, starts_with};
use super::{MaskKind, MaskSpan, View};

/// How the word for a flat is written in full.
const FORMS: [&str; 5] = ["квартира", "квартиры", "квартире", "квартиру", "квартирой"];
/// Beginnings of words after which a number was no flat's.
const COUNTED: [&str; 44] = [
    "градус",
    "раз",
    "месяц",
    "лет",
    "год",
    "день",
    "дня",
    "дней",
    "сут",
    "недел",
    "час",
    "минут",
    "человек",
    "чел",
    "ребен",
    "ребён",
    "дет",
    "комнат",
    "окн",
    "окон",
    "батар",
    "радиат",
    "рубл",
    "руб",
    "метр",
    "кв",
    "квадрат",
    "тыс",
    "процент",
    "взросл",
    "счетчик",
    "счётчик",
    "стояк",
    "прописан",
    "собственник",
    "этаж",
    "подъезд",
    "подьезд",
    "пенсионер",
    "инвалид",
    "семь",
    "раст",
    "лиц",
    "дом",
];
/// The same as whole words.
const COUNTED_EXACT: [&str; 5] = ["м", "м2", "с", "гр", "т"];

/// Called for one to four digits.
pub fn detect(view: &View<'_>, start: usize, end: usize) -> Option<MaskSpan> {
    let digits = &view.bytes[start..end];
    if digits[0] == b'0' || digits.len() == 4 && matches!(digits, [b'1', b'9', ..] | [b'2', b'0', ..]) {
        return None;
    }
    if is_of_three_groups(&view.text[end..]) {
        return None;
    }
    let end = with_letter(view, end)?;
    let found = match flat_word(view, start) {
        Some(Word::Signed) => true,
        Some(Word::Short) => !measures_something(view, end),
        Some(Word::Full) => !counts_something(view, end),
        None => goes_on(view, start) && !counts_something(view, end) || comes_before_the_word(view, start, end),
    };
    found.then_some(MaskSpan { start, end, kind: MaskKind::Flat })
}

/// `-25-25` after the first group: no list of flats. A placeholder counts as digits: they may have been masked before.
fn is_of_three_groups(rest: &str) -> bool {
    if rest.starts_with("-‹") {
        return true;
    }
    let group = |text: &str| -> Option<usize> {
        let digits = text.strip_prefix('-')?.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0).then_some(digits + 1)
    };
    group(rest).is_some_and(|first| rest[first..].starts_with("-‹") || group(&rest[first..]).is_some())
}

/// End with the letter of `12а`; `None` when more letters or digits follow.
fn with_letter(view: &View<'_>, end: usize) -> Option<usize> {
    let mut rest = view.text[end..].chars();
    match rest.next() {
        Some('С' | 'C' | 'с' | 'c') => None, // degrees
        Some(letter) if is_letter(letter) => {
            // A placeholder may have been digits.
            let alone = !rest.next().is_some_and(|next| is_letter_or_digit(next) || next == '‹');
            alone.then_some(end + letter.len_utf8())
        }
        _ => Some(end),
    }
}

/// How the word before the number is written.
#[derive(Clone, Copy)]
enum Word {
    /// With «№»: nothing else can be meant.
    Signed,
    /// «кв.», which is also half of «кв. м».
    Short,
    Full,
}

/// The word for a flat right before the number.
fn flat_word(view: &View<'_>, start: usize) -> Option<Word> {
    let before = view.back(start, 40);
    let bare = before.trim_end_matches([' ', '\u{a0}', '.', '№', ':', 'N', '#', '(']);
    // No word for a flat ends in other letters.
    if !bare.ends_with(['в', 'а', 'е', 'у', 'ы', 'р', 'й', 'В', 'А', 'Е', 'У', 'Ы', 'Р', 'Й']) {
        return None;
    }
    let word_start = bare
        .char_indices()
        .rev()
        .take_while(|(_, character)| is_letter(*character) || *character == '-')
        .last()
        .map_or(bare.len(), |(index, _)| index);
    let word = &bare[word_start..];
    let mut letters = word.chars();
    if !matches!((letters.next(), letters.next()), (Some('к' | 'К'), Some('в' | 'В'))) {
        return None;
    }
    let folded = word.to_lowercase();
    let written = match folded.as_str() {
        "кв" | "кв-ра" | "кв-ре" | "кв-ры" | "кв-ру" | "квар" => Word::Short,
        full if FORMS.contains(&full) => Word::Full,
        _ => return None,
    };
    let signed = before[bare.len()..].contains(['№', 'N', '#']);
    Some(if signed { Word::Signed } else { written })
}

/// «12, 14», «12 и 14», «12-14» after a flat.
fn goes_on(view: &View<'_>, start: usize) -> bool {
    let before = &view.text[view.done..start];
    // The last bytes of the joints; most numbers have others before them.
    if !matches!(before.as_bytes(), [.., b',' | 0xB8, b' '] | [.., b',' | b'-' | 0x93]) {
        return false;
    }
    for joint in [", ", " и ", ",", "-", "–"] {
        let Some(rest) = before.strip_suffix(joint) else { continue };
        let after_match = rest.is_empty() && view.last == Some(MaskKind::Flat);
        if after_match || rest.ends_with(MaskKind::Flat.placeholder()) {
            return true;
        }
    }
    false
}

/// «15 градусов», «15-16 °С», «15%».
fn counts_something(view: &View<'_>, end: usize) -> bool {
    let word = counted(view, end);
    is_a_sign(word)
        || COUNTED.iter().any(|prefix| starts_with(word, prefix)) && !starts_with(word, "дома")
        || COUNTED_EXACT.contains(&word)
}

/// «кв. 12 м», «кв. 15°».
fn measures_something(view: &View<'_>, end: usize) -> bool {
    let word = counted(view, end);
    is_a_sign(word)
        || ["метр", "квадрат", "тыс", "градус"].iter().any(|prefix| starts_with(word, prefix))
        || word == "м"
}

/// The word after a number or a range, or the sign there.
fn counted<'t>(view: &View<'t>, end: usize) -> &'t str {
    let mut rest = view.text[end..].trim_start_matches([' ', '\u{a0}']);
    if let Some(range) = rest.strip_prefix(['-', '–', '.', ',', '+', '/', 'х', 'x']) {
        let digits = range.trim_start_matches(' ').trim_start_matches(|next: char| next.is_ascii_digit());
        if digits.len() < range.len() && range.starts_with(|next: char| next.is_ascii_digit()) {
            rest = digits.trim_start_matches([' ', '\u{a0}']);
        }
    }
    let length: usize = rest.chars().take(12).take_while(|next| is_letter_or_digit(*next)).map(char::len_utf8).sum();
    match length {
        0 => rest.chars().next().map_or("", |sign| &rest[..sign.len_utf8()]),
        _ => &rest[..length],
    }
}

fn is_a_sign(word: &str) -> bool {
    ["°", "%", "⁰", "℃", "º"].contains(&word)
}

/// «в 12 квартире», «12-я квартира», «из 12-й кв.».
fn comes_before_the_word(view: &View<'_>, start: usize, end: usize) -> bool {
    let rest = &view.text[end..];
    let ordinal = match rest.starts_with('-') {
        true => ["-я", "-й", "-ой", "-ю", "-ей"].into_iter().find_map(|suffix| rest.strip_prefix(suffix)),
        false => None,
    };
    let word = ordinal.unwrap_or(rest).trim_start_matches([' ', '\u{a0}']);
    let has = |form: &str| word.strip_prefix(form).is_some_and(|after| !after.starts_with(is_letter));
    match ordinal {
        Some(_) => FORMS.iter().any(|form| has(form)),
        None => has("квартире") && ["в ", "В "].iter().any(|preposition| view.back(start, 3).ends_with(preposition)),
    }
}
