//! The production calendar: which Moscow days are working days and which of their seconds are working time.
//! Owner: the rules; built once from [`CalendarSpec`], then read by every clock. Calendars are data, never code: a new
//! decree is a changed TOML file.
//! Invariants: years are covered without holes; a question about a day outside of them has no answer (`None`), never a
//! guess, and the caller reports it; all counting is by running totals made at build time, so a question costs one or
//! two array reads, or one binary search for working hours.

mod spec;
#[cfg(test)]
mod tests;

pub use spec::{CalendarSpec, HoursSpec, OfficeSpec, YearSpec};

use super::time::{DAY_SECONDS, MOSCOW_OFFSET_SECONDS, Time};
use super::words::Roll;

/// A civil day in Moscow, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MoscowDay(pub u32);

impl MoscowDay {
    /// The Moscow day an instant falls into.
    pub fn of(time: Time) -> MoscowDay {
        MoscowDay(((u64::from(time.seconds()) + u64::from(MOSCOW_OFFSET_SECONDS)) / u64::from(DAY_SECONDS)) as u32)
    }

    /// `None` for a date that does not exist or lies before 1970.
    pub fn from_date(year: i32, month: u32, day: u32) -> Option<MoscowDay> {
        let date = chrono::NaiveDate::from_ymd_opt(year, month, day)?;
        u32::try_from(date.to_epoch_days()).ok().map(MoscowDay)
    }

    /// Year, month and day of the month.
    pub fn date(self) -> Option<chrono::NaiveDate> {
        i32::try_from(self.0).ok().and_then(chrono::NaiveDate::from_epoch_days)
    }

    pub fn is_weekend(self) -> bool {
        self.weekday() >= 5
    }

    /// The second `offset` of the day, 0 ..= 86399, Moscow time; the end of the range for days beyond 2106.
    pub fn second(self, offset: u32) -> Time {
        let seconds = i64::from(self.0) * i64::from(DAY_SECONDS) + i64::from(offset) - i64::from(MOSCOW_OFFSET_SECONDS);
        Time::EARLIEST.plus_seconds(seconds - i64::from(Time::EARLIEST.seconds()))
    }

    /// 23:59:59 Moscow time: what "by that day" means in every regulation.
    pub fn end(self) -> Time {
        self.second(DAY_SECONDS - 1)
    }

    /// 0 Monday ..= 6 Sunday.
    fn weekday(self) -> usize {
        // 1970-01-01 was a Thursday.
        (self.0 as usize + 3) % 7
    }
}

/// How far a year can be relied on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CalendarStatus {
    /// The Government has adopted the transfers.
    Final,
    /// Statutory holidays only, or a forecast: deadlines in this year will be computed again.
    Provisional,
}

impl CalendarStatus {
    /// The word as it stands in the file.
    pub fn name(self) -> &'static str {
        match self {
            CalendarStatus::Final => "final",
            CalendarStatus::Provisional => "provisional",
        }
    }

    pub fn from_name(name: &str) -> Option<CalendarStatus> {
        [CalendarStatus::Final, CalendarStatus::Provisional].into_iter().find(|status| status.name() == name)
    }
}

/// Office hours of one kind of day, seconds after Moscow midnight. `opens <= lunch_from <= lunch_to <= closes`;
/// without a lunch both its ends are the closing time. A day off is all zeros.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct DayShape {
    opens: u32,
    lunch_from: u32,
    lunch_to: u32,
    closes: u32,
}

impl DayShape {
    fn morning(self) -> u32 {
        self.lunch_from - self.opens
    }

    fn working_seconds(self) -> u32 {
        self.morning() + self.closes - self.lunch_to
    }

    /// Working seconds of the day that have passed at `second`.
    fn worked_until(self, second: u32) -> u32 {
        let morning = second.clamp(self.opens, self.lunch_from) - self.opens;
        let afternoon = second.clamp(self.lunch_to, self.closes) - self.lunch_to;
        morning + afternoon
    }

    /// The first second of the day at which `worked` working seconds have passed; `1 <= worked <= working_seconds()`.
    fn second_when(self, worked: u32) -> u32 {
        if worked <= self.morning() { self.opens + worked } else { self.lunch_to + worked - self.morning() }
    }
}

/// A calendar, ready for questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Calendar {
    name: String,
    years: Vec<(u16, CalendarStatus)>,
    first_day: u32,
    /// The kinds of days; the first is the day off.
    shapes: Vec<DayShape>,
    /// The kind of each covered day.
    shape_of_day: Vec<u8>,
    /// Working seconds before each covered day, and the sum at the end: one longer than the days.
    seconds_before: Vec<u32>,
    /// Working days before each covered day, and the sum at the end.
    days_before: Vec<u32>,
    /// The working days in order.
    working_days: Vec<MoscowDay>,
}

impl Calendar {
    /// Builds the calendar or returns every mistake of the file, each with its key and what is allowed there.
    pub fn build(spec: &CalendarSpec) -> Result<Calendar, Vec<String>> {
        spec::build(spec)
    }

    /// The name policies know it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The covered years in order.
    pub fn years(&self) -> &[(u16, CalendarStatus)] {
        &self.years
    }

    /// The last second covered. An alert goes out when it comes within months.
    pub fn ends_at(&self) -> Time {
        MoscowDay(self.first_day + self.shape_of_day.len() as u32 - 1).end()
    }

    /// Whether the year of `time` (Moscow) is final; `None` when it is not covered.
    pub fn status_at(&self, time: Time) -> Option<CalendarStatus> {
        let date = chrono::NaiveDate::from_epoch_days(i32::try_from(MoscowDay::of(time).0).ok()?)?;
        let year = chrono::Datelike::year(&date);
        self.years.iter().find(|(covered, _)| i32::from(*covered) == year).map(|(_, status)| *status)
    }

    /// `None` when the day is not covered.
    pub fn is_working_day(&self, day: MoscowDay) -> Option<bool> {
        self.index(day).map(|index| self.shape_of_day[index] != 0)
    }

    /// The end (23:59:59) of the `count`-th working day after the day of `from`: counting begins on the next day, as in
    /// ГК РФ ст. 191. Zero is the end of the day itself, whatever day it is.
    pub fn add_working_days(&self, from: Time, count: u32) -> Option<Time> {
        let day = MoscowDay::of(from);
        let index = self.index(day)?;
        let Some(following) = count.checked_sub(1) else {
            return Some(day.end());
        };
        let position = (self.days_before[index + 1] as usize).checked_add(following as usize)?;
        self.working_days.get(position).map(|day| day.end())
    }

    /// The first instant at which `seconds` of working time have passed since `from`; zero is `from` itself. An amount
    /// that ends with the office day falls due at the closing time, not at the next opening.
    pub fn add_working_seconds(&self, from: Time, seconds: u32) -> Option<Time> {
        let start = self.working_seconds_until(from)?;
        if seconds == 0 {
            return Some(from);
        }
        let target = start.checked_add(seconds)?;
        // The first day at whose end the target is reached.
        let index = self.seconds_before[1..].partition_point(|total| *total < target);
        let shape = self.shapes[usize::from(*self.shape_of_day.get(index)?)];
        let second = shape.second_when(target - self.seconds_before[index]);
        Some(MoscowDay(self.first_day + index as u32).second(second))
    }

    /// Working seconds from `from` to `to`, zero when `to` is not later. Both must be covered.
    pub fn working_seconds_between(&self, from: Time, to: Time) -> Option<u32> {
        Some(self.working_seconds_until(to)?.saturating_sub(self.working_seconds_until(from)?))
    }

    /// Working days after the day of `from` up to and with the day of `to`; zero when `to` is not later.
    pub fn working_days_between(&self, from: Time, to: Time) -> Option<u32> {
        let before = |time| self.index(MoscowDay::of(time)).map(|index| self.days_before[index + 1]);
        Some(before(to)?.saturating_sub(before(from)?))
    }

    /// Moves a deadline that falls on a day off to the end of the nearest working day before or after it; on a working
    /// day it stays as it is. Meant for deadlines counted in days: only of ends of days the order survives a roll.
    pub fn roll(&self, deadline: Time, roll: Roll) -> Option<Time> {
        if roll == Roll::None {
            return Some(deadline);
        }
        let index = self.index(MoscowDay::of(deadline))?;
        if self.shape_of_day[index] != 0 {
            return Some(deadline);
        }
        let following = self.days_before[index] as usize;
        let position = if roll == Roll::Next { following } else { following.checked_sub(1)? };
        self.working_days.get(position).map(|day| day.end())
    }

    fn index(&self, day: MoscowDay) -> Option<usize> {
        let index = day.0.checked_sub(self.first_day)? as usize;
        (index < self.shape_of_day.len()).then_some(index)
    }

    /// Working seconds from the first covered day to `time`.
    fn working_seconds_until(&self, time: Time) -> Option<u32> {
        let day = MoscowDay::of(time);
        let index = self.index(day)?;
        let second = time.seconds_since(day.second(0));
        Some(self.seconds_before[index] + self.shapes[usize::from(self.shape_of_day[index])].worked_until(second))
    }
}

/// The end (23:59:59 Moscow) of the `count`-th calendar day after the day of `from`; needs no calendar.
pub fn add_calendar_days(from: Time, count: u32) -> Time {
    MoscowDay(MoscowDay::of(from).0.saturating_add(count)).end()
}

/// The instant `count` hours later, round the clock; needs no calendar.
pub fn add_hours(from: Time, count: u32) -> Time {
    from.plus_seconds(i64::from(count) * 3600)
}
