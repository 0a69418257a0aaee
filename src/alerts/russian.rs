//! Russian words of alerts: numbers with their nouns, spans, dates as people write them.
//! Pure. Invariants: dates are dd.mm.yyyy in Moscow time; a number agrees with its noun.

use crate::model::time::{MOSCOW_OFFSET_SECONDS, Time};

/// Moscow time as RFC 3339 with milliseconds.
pub fn iso(millis: i64) -> String {
    moscow(millis).map(|time| time.format("%Y-%m-%dT%H:%M:%S%.3f+03:00").to_string()).unwrap_or_default()
}

/// `05.01.2026 23:59`, Moscow time.
pub fn date_time(time: Time) -> String {
    let time = moscow(i64::from(time.seconds()) * 1000);
    time.map(|time| time.format("%d.%m.%Y %H:%M").to_string()).unwrap_or_default()
}

/// `05.01.2026`, Moscow time.
pub fn date(time: Time) -> String {
    let time = moscow(i64::from(time.seconds()) * 1000);
    time.map(|time| time.format("%d.%m.%Y").to_string()).unwrap_or_default()
}

fn moscow(millis: i64) -> Option<chrono::NaiveDateTime> {
    let shifted = millis + i64::from(MOSCOW_OFFSET_SECONDS) * 1000;
    chrono::DateTime::from_timestamp_millis(shifted).map(|time| time.naive_utc())
}

/// A length of time in its largest whole unit; "на 1 минуту", but "до срока 1 минута".
pub fn span(seconds: u32, accusative: bool) -> String {
    if seconds < 3_600 {
        let one = if accusative { "минуту" } else { "минута" };
        return counted(seconds / 60, [one, "минуты", "минут"]);
    }
    if seconds < 86_400 {
        return counted(seconds / 3_600, ["час", "часа", "часов"]);
    }
    counted(seconds / 86_400, ["день", "дня", "дней"])
}

/// A number with its noun: one, few, many.
pub fn counted(number: u32, [one, few, many]: [&str; 3]) -> String {
    let noun = match (number % 10, number % 100) {
        (1, tens) if tens != 11 => one,
        (2..=4, tens) if !(12..=14).contains(&tens) => few,
        _ => many,
    };
    format!("{number} {noun}")
}
