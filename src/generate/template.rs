//! A sentence with slots, compiled once, and what the slots are filled with.
//! Owner: [`super::texts`]. Invariant: filling a slot allocates nothing beyond the text it is appended to.

use chrono::Datelike;

use super::dice::Dice;
use super::json::push_digits;
use super::rhythm::{civil, moscow_day};
use crate::model::time::Time;

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

/// What the slots of one text are filled with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) topic: usize,
    pub(super) block: usize,
    pub(super) topic_name: &'a str,
    pub(super) place: &'a str,
    pub(super) street: &'a str,
    pub(super) house: u16,
    pub(super) now: Time,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Slot {
    Address,
    Street,
    StreetName,
    House,
    Flat,
    Place,
    Topic,
    Date,
    Future,
    Days,
    Number,
    Hours,
    ClockTime,
}

#[derive(Clone, Debug)]
enum Piece {
    Words(String),
    Fill(Slot),
}

/// A sentence with its slots found.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

impl Template {
    /// An unknown slot stays in the text as it is written; a test keeps the shipped phrases free of them.
    pub(super) fn compile(text: &str) -> Template {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((name, tail)) = after.split_once('}') else {
                break;
            };
            let slot = match name {
                "addr" => Slot::Address,
                "street" => Slot::Street,
                "name" => Slot::StreetName,
                "house" => Slot::House,
                "flat" => Slot::Flat,
                "place" => Slot::Place,
                "topic" => Slot::Topic,
                "date" => Slot::Date,
                "future" => Slot::Future,
                "days" => Slot::Days,
                "n" => Slot::Number,
                "hours" => Slot::Hours,
                "time" => Slot::ClockTime,
                _ => break,
            };
            pieces.push(Piece::Words(before.to_owned()));
            pieces.push(Piece::Fill(slot));
            rest = tail;
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Template(pieces)
    }
}

/// Appends the sentence with its slots filled.
pub(super) fn write(template: &Template, out: &mut String, subject: &Subject<'_>, dice: &mut Dice) {
    for piece in &template.0 {
        match piece {
            Piece::Words(words) => out.push_str(words),
            Piece::Fill(slot) => fill(*slot, out, subject, dice),
        }
    }
}

fn fill(slot: Slot, out: &mut String, subject: &Subject<'_>, dice: &mut Dice) {
    match slot {
        Slot::Address => push_address(out, subject.street, subject.house),
        Slot::Street => push_street(out, subject.street),
        Slot::StreetName => out.push_str(subject.street),
        Slot::House => push_digits(out, u64::from(subject.house), 1),
        Slot::Flat => push_digits(out, u64::from(dice.between(1, 180)), 1),
        Slot::Place => out.push_str(subject.place),
        Slot::Topic => out.push_str(subject.topic_name),
        Slot::Date => push_some_date(out, moscow_day(subject.now).saturating_sub(dice.between(1, 25)), dice),
        Slot::Future => push_some_date(out, moscow_day(subject.now) + dice.between(1, 25), dice),
        Slot::Days => push_digits(out, u64::from(dice.between(5, 20)), 1),
        Slot::Number => push_digits(out, u64::from(dice.between(5, 20)), 1),
        Slot::Hours => push_digits(out, u64::from(dice.between(5, 12)), 1),
        Slot::ClockTime => {
            push_digits(out, u64::from(dice.between(5, 23)), 2);
            out.push(':');
            push_digits(out, u64::from(dice.between(0, 11) * 5), 2);
        }
    }
}

/// «12.01.2026» or «12 января».
fn push_some_date(out: &mut String, day: u32, dice: &mut Dice) {
    let date = civil(day);
    if dice.chance(0.5) {
        push_date(out, date);
    } else {
        push_digits(out, u64::from(date.day()), 1);
        out.push(' ');
        out.push_str(MONTHS[date.month0() as usize]);
    }
}

/// «ул. Ленина, д. 5»
pub(super) fn push_address(out: &mut String, street: &str, house: u16) {
    push_street(out, street);
    out.push_str(", д. ");
    push_digits(out, u64::from(house), 1);
}

/// Avenues and highways already carry their kind.
fn push_street(out: &mut String, street: &str) {
    if !street.contains("шоссе") && !street.contains("проспект") && !street.contains("бульвар") {
        out.push_str("ул. ");
    }
    out.push_str(street);
}

/// `dd.mm.yyyy`.
pub(super) fn push_date(out: &mut String, date: chrono::NaiveDate) {
    push_digits(out, u64::from(date.day()), 2);
    out.push('.');
    push_digits(out, u64::from(date.month()), 2);
    out.push('.');
    push_digits(out, u64::from(date.year().unsigned_abs()), 4);
}
