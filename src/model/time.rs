//! Time of the trade. A [`Time`] is a whole second in UTC; days are Moscow days, because every regulation counts them so.
//! Invariant: a `Time` is never zero, so `Option<Time>` costs four bytes and "unset" cannot be mistaken for 1970.

use std::num::NonZeroU32;

/// Moscow is UTC+3 the whole year (no daylight saving since 2014-10-26).
pub const MOSCOW_OFFSET_SECONDS: u32 = 3 * 3600;
/// Seconds in a civil day.
pub const DAY_SECONDS: u32 = 86_400;

/// A second in UTC: 1970-01-01T00:00:01Z ..= 2106-02-07T06:28:15Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Time(NonZeroU32);

impl Time {
    /// 1970-01-01T00:00:01Z, where arithmetic into the past stops.
    pub const EARLIEST: Time = Time(NonZeroU32::MIN);

    /// `None` outside the representable range: such a date is a mistake of the sender, never a real one.
    pub fn from_unix_seconds(seconds: i64) -> Option<Time> {
        u32::try_from(seconds).ok().and_then(NonZeroU32::new).map(Time)
    }

    /// Milliseconds are cut, not rounded, so that a minute window never receives an event of the next minute.
    pub fn from_unix_millis(millis: i64) -> Option<Time> {
        Time::from_unix_seconds(millis.div_euclid(1000))
    }

    /// Seconds since the Unix epoch.
    pub fn seconds(self) -> u32 {
        self.0.get()
    }

    /// The same instant `seconds` later (or earlier, when negative); saturates at the ends of the range.
    pub fn plus_seconds(self, seconds: i64) -> Time {
        let shifted = (i64::from(self.seconds()) + seconds).clamp(1, i64::from(u32::MAX));
        Time::from_unix_seconds(shifted).unwrap_or(self)
    }

    /// Whole seconds from `earlier` to `self`, zero when `earlier` is later.
    pub fn seconds_since(self, earlier: Time) -> u32 {
        self.seconds().saturating_sub(earlier.seconds())
    }

    /// Midnight in Moscow of the Moscow day this instant falls into.
    pub fn moscow_midnight(self) -> Time {
        let local = u64::from(self.seconds()) + u64::from(MOSCOW_OFFSET_SECONDS);
        let midnight = local - local % u64::from(DAY_SECONDS);
        Time::from_unix_seconds(midnight as i64 - i64::from(MOSCOW_OFFSET_SECONDS)).unwrap_or(self)
    }
}

/// ClickHouse stores an unset time as zero.
pub fn seconds_or_zero(time: Option<Time>) -> u32 {
    time.map_or(0, Time::seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unset_time_takes_no_extra_room() {
        assert_eq!(std::mem::size_of::<Option<Time>>(), 4);
    }

    #[test]
    fn the_moscow_day_starts_at_21_utc_of_the_day_before() {
        let evening = Time::from_unix_seconds(1_767_646_799).expect("in range"); // 2026-01-05T20:59:59Z
        assert_eq!(evening.moscow_midnight().seconds(), 1_767_560_400); // 2026-01-04T21:00:00Z
        assert_eq!(evening.plus_seconds(1).moscow_midnight(), evening.plus_seconds(1));
    }

    #[test]
    fn dates_outside_the_range_are_refused() {
        assert_eq!(Time::from_unix_seconds(0), None);
        assert_eq!(Time::from_unix_seconds(-1), None);
        assert_eq!(Time::from_unix_seconds(253_402_300_799), None); // year 9999
    }
}
