//! Durations and sizes as people write them: `500ms`, `5m`, `90d`, `16MiB`.
//! Invariant: what `show_*` writes, `parse_*` reads back to the same value.

use std::time::Duration;

const DURATIONS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

pub fn parse_duration(text: &str) -> Option<Duration> {
    parse(text, DURATIONS).map(Duration::from_millis)
}

pub fn parse_size(text: &str) -> Option<usize> {
    parse(text, SIZES).and_then(|bytes| usize::try_from(bytes).ok())
}

pub fn show_duration(duration: Duration) -> String {
    show(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), DURATIONS)
}

pub fn show_size(bytes: usize) -> String {
    show(bytes as u64, SIZES)
}

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that divides the value.
fn show(value: u64, units: &[(&str, u64)]) -> String {
    let fitting = units.iter().rev().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    let (name, factor) = fitting.or(units.first()).copied().unwrap_or(("", 1));
    format!("{}{name}", value / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_people_write_them() {
        assert_eq!(parse_duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_duration("5 m"), Some(Duration::from_secs(300)));
        assert_eq!(parse_size("16MiB"), Some(16 << 20));
        for wrong in ["", "5", "s", "-1s", "1.5s", "16MB", "99999999999999999999d", "400000000000d"] {
            assert_eq!((parse_duration(wrong), parse_size(wrong)), (None, None), "{wrong}");
        }
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for millis in [0, 1, 250, 1000, 65_000, 86_400_000, 90_061_001] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show_duration(duration)), Some(duration));
        }
        assert_eq!((show_size(20 << 20), show_size(1500)), ("20MiB".to_owned(), "1500B".to_owned()));
    }
}
