//! When people write: the hours of a day, the days of a week, the months of a year, and when offices answer.
//! Owner: the simulation. Everything is counted in Moscow time. Invariant: over a whole week the mean intensity is 1, so
//! volumes per week are what the configuration says; the months multiply the topics, not the hours.

use super::dice::{Dice, scatter};
use crate::model::time::{DAY_SECONDS, MOSCOW_OFFSET_SECONDS, Time};
use chrono::{Datelike, NaiveDate};

/// Relative inflow by the Moscow hour: peaks at 9–11 and 18–21.
const HOURS: [f64; 24] = [
    0.28, 0.16, 0.10, 0.08, 0.10, 0.22, 0.55, 0.95, 1.35, 1.85, 1.90, 1.55, 1.20, 1.10, 1.10, 1.10, 1.15, 1.35, 1.75,
    1.90, 1.70, 1.20, 0.80, 0.56,
];
/// Relative inflow by the day of the week, Monday first.
const WEEKDAYS: [f64; 7] = [1.22, 1.15, 1.10, 1.08, 1.05, 0.74, 0.66];

/// Seasonal multipliers of a topic, January first. Topics without an entry are steady.
const SEASONS: &[(&str, [f64; 12])] = &[
    ("roads.snow", [9.0, 6.0, 2.0, 0.1, 0.02, 0.02, 0.02, 0.02, 0.02, 0.1, 1.5, 5.0]),
    ("improvement.sidewalk_snow", [8.0, 6.0, 2.0, 0.1, 0.02, 0.02, 0.02, 0.02, 0.02, 0.1, 1.2, 4.5]),
    ("roads.ice", [5.0, 4.5, 3.0, 0.2, 0.02, 0.02, 0.02, 0.02, 0.02, 0.3, 2.5, 4.0]),
    ("improvement.yard_snow", [8.0, 5.5, 1.8, 0.1, 0.02, 0.02, 0.02, 0.02, 0.02, 0.1, 1.2, 4.5]),
    ("housing.icicles", [4.0, 5.0, 4.0, 0.4, 0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.4, 2.0]),
    ("housing.heating", [1.8, 1.5, 0.8, 0.8, 0.2, 0.05, 0.05, 0.2, 3.5, 5.0, 1.6, 1.5]),
    ("housing.hot_water", [0.8, 0.8, 0.8, 0.8, 1.5, 2.2, 2.2, 1.8, 1.3, 1.0, 0.8, 0.8]),
    ("housing.roof", [0.8, 1.2, 2.5, 1.8, 1.0, 1.0, 1.2, 1.0, 1.0, 1.0, 0.8, 0.8]),
    ("ecology.flood", [0.05, 0.1, 5.0, 9.0, 0.8, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05]),
    ("ecology.forest", [0.1, 0.1, 0.6, 3.5, 2.5, 1.5, 1.8, 1.8, 1.0, 0.6, 0.2, 0.1]),
    ("ecology.animals", [0.2, 0.2, 0.4, 1.5, 3.0, 3.0, 2.0, 1.5, 0.8, 0.4, 0.2, 0.2]),
    ("roads.pits", [0.5, 0.7, 3.0, 4.5, 3.0, 1.3, 1.1, 1.0, 1.0, 0.9, 0.7, 0.5]),
    ("improvement.drainage", [0.3, 0.5, 3.0, 2.5, 1.3, 1.6, 1.8, 1.3, 1.2, 1.2, 0.6, 0.3]),
    ("improvement.grass", [0.02, 0.02, 0.05, 0.4, 3.0, 5.0, 3.5, 2.0, 0.8, 0.1, 0.02, 0.02]),
    ("improvement.lighting", [1.3, 1.1, 0.9, 0.8, 0.6, 0.5, 0.6, 0.9, 1.2, 1.5, 1.6, 1.6]),
    ("education.kindergarten", [0.7, 0.7, 0.9, 1.3, 1.5, 1.5, 1.3, 1.6, 1.3, 0.7, 0.6, 0.5]),
    ("education.process", [0.9, 1.0, 1.0, 1.0, 0.9, 0.2, 0.1, 0.8, 2.5, 1.3, 1.0, 0.9]),
    ("sport.rink", [5.0, 4.0, 0.8, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.1, 1.0, 4.0]),
    ("health.appointment", [1.3, 1.4, 1.2, 1.0, 0.9, 0.8, 0.8, 0.8, 1.0, 1.2, 1.2, 1.2]),
];

/// The seasonal multiplier of a topic in a month (0 = January).
pub(super) fn season(topic_code: &str, month: usize) -> f64 {
    SEASONS.iter().find(|(code, _)| *code == topic_code).map_or(1.0, |(_, months)| months[month % 12])
}

/// Days since 1970-01-01 of the Moscow day.
pub(super) fn moscow_day(at: Time) -> u32 {
    (at.seconds() / DAY_SECONDS) + u32::from(at.seconds() % DAY_SECONDS >= DAY_SECONDS - MOSCOW_OFFSET_SECONDS)
}

/// Seconds since Moscow midnight.
pub(super) fn second_of_day(at: Time) -> u32 {
    (at.seconds() % DAY_SECONDS + MOSCOW_OFFSET_SECONDS) % DAY_SECONDS
}

/// The civil date of a Moscow day number.
pub(super) fn civil(day: u32) -> NaiveDate {
    const EPOCH_FROM_COMMON_ERA: i32 = 719_163;
    NaiveDate::from_num_days_from_ce_opt(day as i32 + EPOCH_FROM_COMMON_ERA).unwrap_or_default()
}

/// The month of an instant, 0 = January.
pub(super) fn month(at: Time) -> usize {
    civil(moscow_day(at)).month0() as usize
}

/// Monday is 0; 1970-01-01 was a Thursday.
fn weekday(day: u32) -> usize {
    ((day + 3) % 7) as usize
}

/// Relative inflow at an instant without the season: the hour, the day of the week, and the mood of that day.
pub(super) fn intensity(at: Time) -> f64 {
    let day = moscow_day(at);
    let mood = 0.85 + 0.30 * (scatter(u64::from(day), 77) >> 11) as f64 / (1u64 << 53) as f64;
    HOURS[(second_of_day(at) / 3600) as usize] * WEEKDAYS[weekday(day)] * mood
}

/// Moves an instant that falls outside the working day to the next morning; a part of the work is done out of hours anyway.
pub(super) fn into_office(at: Time, out_of_hours: f64, weekends: bool, dice: &mut Dice) -> Time {
    let hour = second_of_day(at) / 3600;
    let day_off = !weekends && weekday(moscow_day(at)) >= 5;
    if ((8..19).contains(&hour) && !day_off) || dice.chance(out_of_hours) {
        return at;
    }
    let mut morning = at.moscow_midnight();
    if hour >= 8 {
        morning = morning.plus_seconds(i64::from(DAY_SECONDS));
    }
    while !weekends && weekday(moscow_day(morning)) >= 5 {
        morning = morning.plus_seconds(i64::from(DAY_SECONDS));
    }
    morning.plus_seconds(i64::from(8 * 3600 + dice.between(0, 2 * 3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moscow(day: u32, hour: u32) -> Time {
        Time::from_unix_seconds(i64::from(day * DAY_SECONDS + hour * 3600) - i64::from(MOSCOW_OFFSET_SECONDS))
            .expect("in range")
    }

    #[test]
    fn a_week_has_the_mean_intensity_one() {
        assert!((HOURS.iter().sum::<f64>() / 24.0 - 1.0).abs() < 0.01, "{}", HOURS.iter().sum::<f64>() / 24.0);
        assert!((WEEKDAYS.iter().sum::<f64>() / 7.0 - 1.0).abs() < 0.01);
    }

    #[test]
    fn the_moscow_day_and_hour_are_read_off_utc_seconds() {
        let at = moscow(20_459, 1); // 2026-01-06 01:00 in Moscow is still the 5th in UTC
        assert_eq!(civil(moscow_day(at)).to_string(), "2026-01-06");
        assert_eq!(second_of_day(at), 3600);
        assert_eq!(month(at), 0);
        assert_eq!(weekday(moscow_day(at)), 1);
    }

    #[test]
    fn offices_answer_in_the_morning() {
        let mut dice = Dice::new(3);
        let saturday_night = moscow(20_463, 23);
        let answered = into_office(saturday_night, 0.0, false, &mut dice);
        assert_eq!(weekday(moscow_day(answered)), 0);
        assert!((8..=10).contains(&(second_of_day(answered) / 3600)));
        assert_eq!(into_office(moscow(20_459, 12), 0.0, false, &mut dice), moscow(20_459, 12));
    }
}
