//! Plates of cars: А123ВС62, «а 123 вс 62 rus». Only the twelve letters that Latin has too, in either script.
//! Invariant: a plate that is not written in one piece needs a word that speaks of a car, or «RUS» after it.

use super::context::{Context, is_letter_or_digit};
use super::{MaskKind, MaskSpan, View};

const LETTERS: &str = "АВЕКМНОРСТУХавекмнорстухABEKMHOPCTYXabekmhopctyx";
/// Beginnings of words that speak of a car.
const CARS: [&str; 6] = ["госномер", "номер", "авто", "машин", "регистр", "госзнак"];
/// The same as whole words.
const CARS_EXACT: [&str; 4] = ["гос", "грз", "гн", "тс"];

fn is_plate_letter(character: char) -> bool {
    LETTERS.contains(character)
}

/// Called for the three digits in the middle.
pub fn detect(view: &View<'_>, start: usize, end: usize) -> Option<MaskSpan> {
    if end - start != 3 {
        return None;
    }
    let (plate_start, front_gap) = letter_before(view, start)?;
    let rest = &view.text[end..];
    let series = rest.trim_start_matches(' ');
    let mut gaps = front_gap || series.len() < rest.len();
    let mut letters = series.chars();
    if !letters.next().is_some_and(is_plate_letter) || !letters.next().is_some_and(is_plate_letter) {
        return None;
    }
    let after = letters.as_str();
    let tail = after.trim_start_matches([' ', '/', '|']);
    let region = tail.bytes().take(4).take_while(u8::is_ascii_digit).count();
    let mut plate_end = view.text.len() - after.len();
    let mut rus = false;
    if region == 2 || region == 3 {
        gaps |= tail.len() < after.len();
        plate_end = view.text.len() - tail.len() + region;
        let ending = view.text[plate_end..].trim_start_matches(' ');
        if ending.get(..3).is_some_and(|country| country.eq_ignore_ascii_case("rus")) {
            rus = true;
            plate_end = view.text.len() - ending.len() + 3;
        }
    }
    if view.text[plate_end..].starts_with(is_letter_or_digit) {
        return None;
    }
    let sure = !gaps && (region == 2 || region == 3) || rus;
    (sure || speaks_of_a_car(view, plate_start)).then_some(MaskSpan {
        start: plate_start,
        end: plate_end,
        kind: MaskKind::Plate,
    })
}

/// The one letter before the digits, and whether a space parts them.
fn letter_before(view: &View<'_>, start: usize) -> Option<(usize, bool)> {
    let before = view.back(start, 8);
    let bare = before.strip_suffix(' ').unwrap_or(before);
    let mut letters = bare.chars().rev();
    let letter = letters.next().filter(|letter| is_plate_letter(*letter))?;
    if letters.next().is_some_and(|next| is_letter_or_digit(next) || next == '-') {
        return None;
    }
    Some((start - (before.len() - bare.len()) - letter.len_utf8(), bare.len() < before.len()))
}

fn speaks_of_a_car(view: &View<'_>, start: usize) -> bool {
    let context = Context::before(view, start);
    CARS.iter().any(|word| context.says(word)) || CARS_EXACT.iter().any(|word| context.says_word(word))
}
