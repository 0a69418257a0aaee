//! Days as an explanation names them: why a day is off, which working hours a span holds.
//! Invariant: whether a day is off is asked of the calendar; only its name is from here (ТК РФ ст. 112).

use chrono::Datelike;
use serde::Serialize;

use crate::model::calendar::{Calendar, MoscowDay};
use crate::model::time::Time;

/// So many lines of a list are shown; terms of years are not read day by day.
const SHOWN: usize = 60;

/// Days off in a row, with one name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DaysOff {
    pub from: String,
    pub to: String,
    pub why: String,
}

/// The working time of one day inside a span.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WorkedDay {
    pub day: String,
    pub seconds: u32,
}

/// `dd.mm.yyyy`.
pub fn date_text(day: MoscowDay) -> String {
    day.date().map(|date| date.format("%d.%m.%Y").to_string()).unwrap_or_default()
}

/// Why the calendar has the day off.
pub fn name_of_day_off(day: MoscowDay) -> &'static str {
    let Some(date) = day.date() else { return "нерабочий день" };
    match (date.month(), date.day()) {
        (1, 7) => "Рождество Христово",
        (1, 1..=8) => "Новогодние каникулы",
        (2, 23) => "День защитника Отечества",
        (3, 8) => "Международный женский день",
        (5, 1) => "Праздник Весны и Труда",
        (5, 9) => "День Победы",
        (6, 12) => "День России",
        (11, 4) => "День народного единства",
        _ if day.is_weekend() => "выходные",
        _ => "перенесённый выходной",
    }
}

/// Days off after the day of `from`, up to and with the day of `to`.
pub fn days_off(calendar: &Calendar, from: Time, to: Time) -> Vec<DaysOff> {
    let mut found: Vec<(MoscowDay, MoscowDay, &str)> = Vec::new();
    for number in MoscowDay::of(from).0 + 1..=MoscowDay::of(to).0 {
        let day = MoscowDay(number);
        if calendar.is_working_day(day) != Some(false) {
            continue;
        }
        let why = name_of_day_off(day);
        match found.last_mut() {
            Some((_, last, name)) if last.0 + 1 == number && *name == why => *last = day,
            _ => found.push((day, day, why)),
        }
    }
    let text = |(from, to, why): (MoscowDay, MoscowDay, &str)| DaysOff {
        from: date_text(from),
        to: date_text(to),
        why: why.to_owned(),
    };
    found.into_iter().take(SHOWN).map(text).collect()
}

/// Weekend days of the span that are worked.
pub fn working_weekends(calendar: &Calendar, from: Time, to: Time) -> Vec<String> {
    let days = (MoscowDay::of(from).0 + 1..=MoscowDay::of(to).0).map(MoscowDay);
    days.filter(|day| day.is_weekend() && calendar.is_working_day(*day) == Some(true))
        .take(SHOWN)
        .map(date_text)
        .collect()
}

/// The working time of each day of the span that has any.
pub fn worked_days(calendar: &Calendar, from: Time, to: Time) -> Vec<WorkedDay> {
    let mut worked = Vec::new();
    for number in MoscowDay::of(from).0..=MoscowDay::of(to).0 {
        let day = MoscowDay(number);
        let seconds = calendar.working_seconds_between(from.max(day.second(0)), to.min(day.end())).unwrap_or(0);
        if seconds > 0 && worked.len() < SHOWN {
            worked.push(WorkedDay { day: date_text(day), seconds });
        }
    }
    worked
}
