//! Times as sources write them, read by hand: a record has up to a dozen, and a general parser costs ten times more.
//! Pure. Invariants: a time without a zone is Moscow time; a day is its Moscow midnight; nothing outside 1970–2106 passes.

use crate::config::pipeline::TimeFormat;
use crate::model::time::{MOSCOW_OFFSET_SECONDS, Time};

/// A time as read, and whether it was a day only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadTime {
    pub at: Time,
    pub day_only: bool,
}

/// `None` when the text does not have the format, or names a day or hour that does not exist.
pub fn read_time(text: &str, format: TimeFormat) -> Option<ReadTime> {
    let bytes = text.as_bytes();
    match format {
        TimeFormat::DayMonthYear => {
            let day = read_day_first(bytes)?;
            (bytes.len() == 10).then_some(())?;
            moscow(day, 0).map(|at| ReadTime { at, day_only: true })
        }
        TimeFormat::DayMonthYearTime => {
            let day = read_day_first(bytes)?;
            if bytes.len() == 10 {
                return moscow(day, 0).map(|at| ReadTime { at, day_only: true });
            }
            let seconds = read_clock(bytes.get(11..)?)?;
            (bytes[10] == b' ').then_some(())?;
            moscow(day, seconds.0).filter(|_| seconds.1 == bytes.len() - 11).map(|at| ReadTime { at, day_only: false })
        }
        TimeFormat::Iso8601 => read_iso(bytes),
        TimeFormat::UnixSeconds => {
            let at = Time::from_unix_seconds(text.parse().ok()?)?;
            Some(ReadTime { at, day_only: false })
        }
        TimeFormat::UnixMillis => {
            let at = Time::from_unix_millis(text.parse().ok()?)?;
            Some(ReadTime { at, day_only: false })
        }
    }
}

/// A time of a format that has times: milliseconds since the epoch.
pub fn time_of_instant(millis: i64) -> Option<ReadTime> {
    Time::from_unix_millis(millis).map(|at| ReadTime { at, day_only: false })
}

/// A day of a format that has days: days since the epoch.
pub fn time_of_day(days: i32) -> Option<ReadTime> {
    moscow(i64::from(days), 0).map(|at| ReadTime { at, day_only: true })
}

fn read_iso(bytes: &[u8]) -> Option<ReadTime> {
    let year = digits(bytes.get(0..4)?)?;
    let month = digits(bytes.get(5..7)?)?;
    let day = digits(bytes.get(8..10)?)?;
    (bytes[4] == b'-' && bytes[7] == b'-').then_some(())?;
    let days = days_from_civil(year, month, day)?;
    if bytes.len() == 10 {
        return moscow(days, 0).map(|at| ReadTime { at, day_only: true });
    }
    matches!(bytes[10], b'T' | b't' | b' ').then_some(())?;
    let (seconds, length) = read_clock(&bytes[11..])?;
    let mut rest = &bytes[11 + length..];
    if let Some((b'.' | b',', fraction)) = rest.split_first() {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (length > 0).then_some(())?;
        rest = &fraction[length..];
    }
    let offset = read_zone(rest)?;
    let at = Time::from_unix_seconds(days * 86_400 + i64::from(seconds) - offset)?;
    Some(ReadTime { at, day_only: false })
}

/// Seconds east of UTC; no zone means Moscow.
fn read_zone(bytes: &[u8]) -> Option<i64> {
    let (sign, clock) = match bytes.split_first() {
        None => return Some(i64::from(MOSCOW_OFFSET_SECONDS)),
        Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', clock)) => (1, clock),
        Some((b'-', clock)) => (-1, clock),
        Some(_) => return None,
    };
    let hours = digits(clock.get(0..2)?)?;
    let minutes = match &clock[2..] {
        [] => 0,
        [b':', minutes @ ..] | minutes if minutes.len() == 2 => digits(minutes)?,
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some(sign * i64::from(hours * 3600 + minutes * 60))
}

/// `hh:mm` or `hh:mm:ss` at the start; gives seconds of the day and how many bytes it took.
fn read_clock(bytes: &[u8]) -> Option<(u32, usize)> {
    let hours = digits(bytes.get(0..2)?)?;
    let minutes = digits(bytes.get(3..5)?)?;
    (bytes[2] == b':' && hours < 24 && minutes < 60).then_some(())?;
    if bytes.get(5) != Some(&b':') {
        return Some((hours * 3600 + minutes * 60, 5));
    }
    let seconds = digits(bytes.get(6..8)?)?;
    (seconds < 60).then_some((hours * 3600 + minutes * 60 + seconds, 8))
}

/// Days since the epoch of `dd.mm.yyyy` at the start.
fn read_day_first(bytes: &[u8]) -> Option<i64> {
    let day = digits(bytes.get(0..2)?)?;
    let month = digits(bytes.get(3..5)?)?;
    let year = digits(bytes.get(6..10)?)?;
    (bytes[2] == b'.' && bytes[5] == b'.').then_some(())?;
    days_from_civil(year, month, day)
}

fn digits(bytes: &[u8]) -> Option<u32> {
    let mut number = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + u32::from(byte - b'0');
    }
    Some(number)
}

fn moscow(days: i64, seconds: u32) -> Option<Time> {
    Time::from_unix_seconds(days * 86_400 + i64::from(seconds) - i64::from(MOSCOW_OFFSET_SECONDS))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar, `None` when there is no such day.
fn days_from_civil(year: u32, month: u32, day: u32) -> Option<i64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    (day >= 1 && day <= length && (1970..=2106).contains(&year)).then_some(())?;
    // months counted from March, so that the leap day ends the year
    let (y, m) =
        if month <= 2 { (i64::from(year) - 1, i64::from(month) + 9) } else { (i64::from(year), i64::from(month) - 3) };
    let day_of_year = (153 * m + 2) / 5 + i64::from(day) - 1;
    Some(y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Datelike, NaiveDate};
    use proptest::prelude::*;

    fn seconds(text: &str, format: TimeFormat) -> Option<u32> {
        read_time(text, format).map(|read| read.at.seconds())
    }

    #[test]
    fn a_day_is_its_moscow_midnight() {
        assert_eq!(seconds("06.01.2026", TimeFormat::DayMonthYear), Some(1_767_646_800));
        assert_eq!(seconds("2026-01-06", TimeFormat::Iso8601), Some(1_767_646_800));
    }

    #[test]
    fn zones_are_obeyed_and_their_absence_means_moscow() {
        for text in [
            "2026-01-06T12:34:56+03:00",
            "2026-01-06 12:34:56",
            "2026-01-06T09:34:56Z",
            "2026-01-06T09:34:56.789Z",
            "2026-01-06T12:34:56+0300",
        ] {
            assert_eq!(seconds(text, TimeFormat::Iso8601), Some(1_767_692_096), "{text}");
        }
        assert_eq!(seconds("06.01.2026 12:34:56", TimeFormat::DayMonthYearTime), Some(1_767_692_096));
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for text in [
            "32.13.2026",
            "29.02.2025",
            "00.01.2026",
            "1.1.2026",
            "06-01-2026",
            "06.01.26",
            "01.01.0000",
            "01.01.9999",
            "",
        ] {
            assert_eq!(seconds(text, TimeFormat::DayMonthYear), None, "{text}");
        }
        for text in ["2026-01-06T25:00:00Z", "2026-01-06T12:34:56+99:00", "2026-01-06Tnoon", "2026-01-06T12:34:56x"] {
            assert_eq!(seconds(text, TimeFormat::Iso8601), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_day_agrees_with_the_calendar_library(days in 0i32..49_000) {
            let date = NaiveDate::from_num_days_from_ce_opt(719_163 + days).expect("in range");
            let read = days_from_civil(date.year() as u32, date.month(), date.day());
            prop_assert_eq!(read, Some(i64::from(days)));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,30}") {
            for format in [TimeFormat::Iso8601, TimeFormat::DayMonthYear, TimeFormat::DayMonthYearTime, TimeFormat::UnixSeconds, TimeFormat::UnixMillis] {
                let _ = read_time(&text, format);
            }
        }
    }
}
