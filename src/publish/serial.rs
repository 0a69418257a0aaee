//! Numbers and dates of spreadsheet programs as the texts that pipelines read.
//! Invariants: a serial is days since the end of 1899 (the 1904 epoch is shifted by the reader), a wall clock of Moscow as every
//! time without a zone; what is no sensible date is left as it stands, so that the pipeline rejects it by name.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

use super::header::Cell;
use crate::config::pipeline::TimeFormat;

/// 1970-01-01 to 2099-12-31. Smaller numbers are numbers.
const SENSIBLE: std::ops::Range<f64> = 25_569.0..73_051.0;
const SECONDS_OF_DAY: f64 = 86_400.0;

/// A number as a person would write it: `5`, not `5.0`.
pub fn number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { number.to_string() }
}

/// A date in a column that is no time: with the time of day where there is one.
pub fn day_and_time(days: f64) -> String {
    match moment(days) {
        Some(at) if at.num_seconds_from_midnight() == 0 => at.format("%d.%m.%Y").to_string(),
        Some(at) => at.format("%d.%m.%Y %H:%M:%S").to_string(),
        None => number(days),
    }
}

/// What the cell says in a column of times, where it is a serial; `None` where it is a text of its own.
pub fn as_time(cell: &Cell<'_>, format: TimeFormat) -> Option<String> {
    let days = match cell {
        Cell::Serial(days) => *days,
        Cell::Number(number) if is_written_as_text(format) => *number,
        // a table saved as CSV: `46028` or `46028.0`
        Cell::Text(text) if is_written_as_text(format) && looks_like_serial(text.trim()) => text.trim().parse().ok()?,
        Cell::Number(_) | Cell::Text(_) => return None,
    };
    let at = moment(days)?;
    Some(match format {
        TimeFormat::DayMonthYear => at.format("%d.%m.%Y").to_string(),
        TimeFormat::DayMonthYearTime => at.format("%d.%m.%Y %H:%M").to_string(),
        TimeFormat::Iso8601 => at.format("%Y-%m-%dT%H:%M:%S+03:00").to_string(),
        TimeFormat::UnixSeconds => unix(at).to_string(),
        TimeFormat::UnixMillis => (unix(at) * 1000).to_string(),
    })
}

/// A plain number in such a column is a serial; in a column of unix times it is a unix time.
fn is_written_as_text(format: TimeFormat) -> bool {
    !matches!(format, TimeFormat::UnixSeconds | TimeFormat::UnixMillis)
}

fn looks_like_serial(text: &str) -> bool {
    let (days, part) = text.split_once('.').unwrap_or((text, ""));
    days.len() == 5 && days.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit())
}

fn moment(days: f64) -> Option<NaiveDateTime> {
    if !SENSIBLE.contains(&days) {
        return None;
    }
    let midnight = NaiveDate::from_ymd_opt(1899, 12, 30)?.and_hms_opt(0, 0, 0)?;
    let seconds = (days * SECONDS_OF_DAY).round() as i64; // a tenth of a millisecond is what a serial can hold
    midnight.checked_add_signed(TimeDelta::seconds(seconds)).filter(|at| at.year() < 2100)
}

fn unix(at: NaiveDateTime) -> i64 {
    at.and_utc().timestamp() - i64::from(crate::model::time::MOSCOW_OFFSET_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_becomes_the_text_that_the_column_is_read_by() {
        let noon = Cell::Serial(46_028.5); // 6 January 2026, 12:00
        let of = |format| as_time(&noon, format).expect("a time");
        assert_eq!(of(TimeFormat::DayMonthYear), "06.01.2026");
        assert_eq!(of(TimeFormat::DayMonthYearTime), "06.01.2026 12:00");
        assert_eq!(of(TimeFormat::Iso8601), "2026-01-06T12:00:00+03:00");
        assert_eq!(of(TimeFormat::UnixSeconds), "1767690000");
        let text = |text: &'static str| as_time(&Cell::Text(text.into()), TimeFormat::DayMonthYear);
        assert_eq!((text("46028").as_deref(), text("46028.0").as_deref()), (Some("06.01.2026"), Some("06.01.2026")));
        assert_eq!((text("06.01.2026"), text("99999"), text("2026"), text("-")), (None, None, None, None));
        assert_eq!(as_time(&Cell::Number(1_767_690_000.0), TimeFormat::UnixSeconds), None, "a unix time stays one");
    }

    #[test]
    fn whole_numbers_lose_their_point_and_dates_keep_their_time() {
        assert_eq!((number(5.0).as_str(), number(2.5).as_str(), number(-0.0).as_str()), ("5", "2.5", "-0"));
        assert_eq!(
            (day_and_time(46_028.0).as_str(), day_and_time(46_028.75).as_str()),
            ("06.01.2026", "06.01.2026 18:00:00")
        );
    }
}
