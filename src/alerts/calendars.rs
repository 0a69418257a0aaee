//! The alert that a calendar ends: months ahead, because without its next year new cases get no deadlines.
//! Owner: the desk of one partition of the installation, so that it is raised once. Pure.

use crate::alerts::notice::AlertId;
use crate::alerts::russian::date;
use crate::model::time::Time;

/// The end of a calendar of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarEnd {
    pub name: String,
    pub ends_at: Time,
    /// From then on it is an alert.
    pub told_at: Time,
}

/// Stands where alerts of cases have the name of a clock and of a level.
pub const CALENDAR: &str = "calendar";

impl CalendarEnd {
    pub fn id(&self) -> AlertId {
        let mut bytes = self.ends_at.seconds().to_le_bytes().to_vec();
        bytes.extend_from_slice(b"calendar/");
        bytes.extend_from_slice(self.name.as_bytes());
        AlertId(xxhash_rust::xxh3::xxh3_128(&bytes))
    }

    /// What the curator reads.
    pub fn text(&self) -> String {
        format!(
            "Производственный календарь «{}» внесён по {}: обращения, срок которых наступает позже, останутся без срока. \
             Внесите следующий год в pipelines/calendars.",
            self.name,
            date(self.ends_at)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_the_calendar_its_last_day_and_the_remedy() {
        let ends_at = Time::from_unix_seconds(1_830_286_799).expect("in range"); // 31.12.2027 23:59:59 in Moscow
        let end = CalendarEnd { name: "russia".to_owned(), ends_at, told_at: ends_at };
        assert!(end.text().starts_with("Производственный календарь «russia» внесён по 31.12.2027:"), "{}", end.text());
        assert!(end.text().contains("pipelines/calendars"));
    }

    #[test]
    fn another_end_is_another_alert() {
        let end = |name: &str, at: i64| {
            let ends_at = Time::from_unix_seconds(at).expect("in range");
            CalendarEnd { name: name.to_owned(), ends_at, told_at: ends_at }.id()
        };
        assert_eq!(end("a", 5), end("a", 5));
        assert!(end("a", 5) != end("a", 6) && end("a", 5) != end("b", 5));
    }
}
