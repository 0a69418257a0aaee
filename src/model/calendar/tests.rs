//! Dates worked out by hand on a paper calendar, and the laws of counting.

use super::*;
use proptest::prelude::*;

fn russia_spec() -> CalendarSpec {
    toml::from_str(include_str!("../../../pipelines/calendars/russia.toml")).expect("the shipped file reads")
}

fn russia() -> Calendar {
    Calendar::build(&russia_spec()).expect("the shipped calendar is sound")
}

/// Moscow time.
fn at(text: &str) -> Time {
    let naive = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").expect("a date and a time");
    Time::from_unix_seconds(naive.and_utc().timestamp() - i64::from(MOSCOW_OFFSET_SECONDS)).expect("in range")
}

fn end_of(date: &str) -> Time {
    at(&format!("{date} 23:59:59"))
}

fn day(year: i32, month: u32, day: u32) -> MoscowDay {
    MoscowDay::from_date(year, month, day).expect("a date")
}

fn working_days(calendar: &Calendar, year: i32, month: u32) -> usize {
    (1..=31)
        .filter_map(|number| MoscowDay::from_date(year, month, number))
        .filter(|day| calendar.is_working_day(*day) == Some(true))
        .count()
}

#[test]
fn the_years_have_the_working_days_of_the_production_calendar() {
    let calendar = russia();
    for (year, days) in [(2024, 248), (2025, 247), (2026, 247), (2027, 249)] {
        assert_eq!((1..=12).map(|month| working_days(&calendar, year, month)).sum::<usize>(), days, "{year}");
    }
    let months: Vec<usize> = (1..=12).map(|month| working_days(&calendar, 2026, month)).collect();
    assert_eq!(months, [15, 19, 21, 22, 19, 21, 23, 21, 22, 22, 20, 22]);
}

#[test]
fn a_year_has_the_hours_of_a_forty_hour_week() {
    let calendar = russia();
    // 247 days; hours differ by weekday here, so the sum is near, not equal to, the 247 * 8 - 4 = 1972 of the decree.
    let hours = calendar.working_seconds_between(at("2026-01-01 00:00:00"), end_of("2026-12-31")).map(|s| s / 3600);
    assert!(hours.is_some_and(|hours| (1960..1990).contains(&hours)), "{hours:?}");
}

#[test]
fn counting_goes_over_weekends_and_the_long_january_holidays() {
    let calendar = russia();
    assert_eq!(calendar.add_working_days(at("2026-01-16 11:00:00"), 7), Some(end_of("2026-01-27")));
    assert_eq!(calendar.add_working_days(at("2026-01-17 11:00:00"), 1), Some(end_of("2026-01-19")));
    assert_eq!(calendar.add_working_days(at("2025-12-30 10:00:00"), 1), Some(end_of("2026-01-12")));
    assert_eq!(calendar.add_working_days(at("2025-12-30 23:59:59"), 2), Some(end_of("2026-01-13")));
    assert_eq!(calendar.add_working_days(at("2026-01-04 00:00:00"), 0), Some(end_of("2026-01-04")));
}

#[test]
fn a_working_saturday_counts_and_the_days_off_it_paid_for_do_not() {
    let calendar = russia();
    assert_eq!(calendar.is_working_day(day(2025, 11, 1)), Some(true));
    assert_eq!(calendar.add_working_days(at("2025-10-31 12:00:00"), 1), Some(end_of("2025-11-01")));
    assert_eq!(calendar.add_working_days(at("2025-10-31 12:00:00"), 2), Some(end_of("2025-11-05")));
    assert_eq!(calendar.add_working_days(at("2024-04-26 12:00:00"), 2), Some(end_of("2024-05-02")));
}

#[test]
fn the_hour_before_midnight_belongs_to_the_moscow_day() {
    let calendar = russia();
    // 2026-01-18 22:30 UTC is Monday 01:30 in Moscow: counting starts on Tuesday.
    let monday_night = Time::from_unix_seconds(1_768_775_400).expect("in range");
    assert_eq!(monday_night, at("2026-01-19 01:30:00"));
    assert_eq!(calendar.add_working_days(monday_night, 1), Some(end_of("2026-01-20")));
}

#[test]
fn working_hours_stop_for_lunch_nights_and_weekends() {
    let calendar = russia();
    let hour = 3600;
    for (from, seconds, due) in [
        ("2026-01-12 12:30:00", hour, "2026-01-12 14:18:00"),
        ("2026-01-16 16:00:00", 2 * hour, "2026-01-19 10:00:00"),
        ("2026-01-12 10:00:00", 9 * hour, "2026-01-13 10:48:00"),
        ("2026-01-12 03:00:00", hour, "2026-01-12 10:00:00"),
        ("2026-01-12 13:20:00", hour, "2026-01-12 14:48:00"),
        ("2026-01-03 15:00:00", 8 * hour, "2026-01-12 17:48:00"),
        // The whole office day: due at closing, not at the next opening.
        ("2026-01-12 09:00:00", 8 * hour + 12 * 60, "2026-01-12 18:00:00"),
        ("2026-01-12 09:00:00", 8 * hour + 12 * 60 + 1, "2026-01-13 09:00:01"),
        ("2026-01-12 09:00:00", 4 * hour, "2026-01-12 13:00:00"),
    ] {
        assert_eq!(calendar.add_working_seconds(at(from), seconds), Some(at(due)), "{from} + {seconds}");
    }
}

#[test]
fn a_short_day_closes_an_hour_earlier() {
    let calendar = russia();
    // Thursday 30.04 closes at 17:00; 01.05 to 03.05 are off.
    assert_eq!(calendar.add_working_seconds(at("2026-04-30 16:30:00"), 3600), Some(at("2026-05-04 09:30:00")));
    let friday = calendar.working_seconds_between(at("2026-05-08 00:00:00"), end_of("2026-05-08"));
    assert_eq!(friday, Some(6 * 3600 + 12 * 60));
}

#[test]
fn holidays_hold_no_working_time() {
    let calendar = russia();
    let between = |from, to| calendar.working_seconds_between(at(from), at(to));
    assert_eq!(between("2025-12-30 17:00:00", "2026-01-12 10:00:00"), Some(2 * 3600));
    assert_eq!(between("2026-01-01 00:00:00", "2026-01-12 09:00:00"), Some(0));
    assert_eq!(between("2026-01-12 10:00:00", "2026-01-12 09:30:00"), Some(0));
    assert_eq!(between("2026-01-12 12:00:00", "2026-01-12 13:30:00"), Some(3600));
}

#[test]
fn a_deadline_on_a_day_off_rolls_where_it_is_told() {
    let calendar = russia();
    let saturday = at("2026-01-17 02:00:00");
    assert_eq!(calendar.roll(saturday, Roll::None), Some(saturday));
    assert_eq!(calendar.roll(saturday, Roll::Previous), Some(end_of("2026-01-16")));
    assert_eq!(calendar.roll(saturday, Roll::Next), Some(end_of("2026-01-19")));
    assert_eq!(calendar.roll(end_of("2026-01-05"), Roll::Previous), Some(end_of("2025-12-30")));
    assert_eq!(calendar.roll(end_of("2026-01-05"), Roll::Next), Some(end_of("2026-01-12")));
    assert_eq!(calendar.roll(at("2026-01-16 15:00:00"), Roll::Previous), Some(at("2026-01-16 15:00:00")));
    assert_eq!(calendar.roll(end_of("2025-11-01"), Roll::Next), Some(end_of("2025-11-01")));
}

#[test]
fn calendar_days_go_on_over_holidays_as_in_the_pos_export() {
    assert_eq!(add_calendar_days(at("2026-01-06 12:00:00"), 10), end_of("2026-01-16"));
    assert_eq!(add_hours(at("2026-01-16 18:00:00"), 8), at("2026-01-17 02:00:00"));
}

#[test]
fn beyond_the_covered_years_there_is_no_answer() {
    let calendar = russia();
    assert_eq!(calendar.ends_at(), end_of("2027-12-31"));
    assert_eq!(calendar.is_working_day(day(2028, 1, 1)), None);
    assert_eq!(calendar.is_working_day(day(2023, 12, 31)), None);
    assert_eq!(calendar.add_working_days(at("2027-12-30 12:00:00"), 1), Some(end_of("2027-12-31")));
    assert_eq!(calendar.add_working_days(at("2027-12-30 12:00:00"), 2), None);
    assert_eq!(calendar.add_working_days(at("2026-12-30 12:00:00"), u32::MAX), None);
    assert_eq!(calendar.add_working_seconds(at("2027-12-31 16:00:00"), 3600), None);
    assert_eq!(calendar.add_working_seconds(at("2027-12-31 16:00:00"), u32::MAX), None);
    assert_eq!(calendar.working_seconds_between(at("2023-12-31 12:00:00"), at("2024-01-10 12:00:00")), None);
    assert_eq!(calendar.roll(at("2028-01-01 12:00:00"), Roll::Next), None);
    assert_eq!(calendar.roll(at("2024-01-01 12:00:00"), Roll::Previous), None);
}

#[test]
fn a_provisional_year_says_so() {
    let calendar = russia();
    assert_eq!(calendar.status_at(at("2026-12-31 23:59:59")), Some(CalendarStatus::Final));
    assert_eq!(calendar.status_at(at("2027-01-01 00:00:00")), Some(CalendarStatus::Provisional));
    assert_eq!(calendar.status_at(at("2028-01-01 00:00:00")), None);
}

#[test]
fn a_file_with_mistakes_gets_all_of_them_back() {
    let mut spec = russia_spec();
    spec.name.clear();
    spec.office.monday = Some(HoursSpec { hours: "18:00-09:00".to_owned(), lunch: None });
    spec.office.saturday = None;
    spec.years[0].status = "finnal".to_owned();
    spec.years[0].working_days = 200;
    spec.years[1].days_off.push("02-30".to_owned());
    spec.years[2].short_days.push("01-05".to_owned());
    spec.years[3].year = 2029;
    let mistakes = Calendar::build(&spec).expect_err("must be refused");
    for expected in [
        "name: empty",
        "office.monday.hours: \"18:00-09:00\" (allowed: \"HH:MM-HH:MM\"",
        "office.saturday: missing, but 2024",
        "year 2024.status: \"finnal\" (allowed: final, provisional)",
        "year 2024.working_days: 200 is stated, the lists give 248",
        "year 2025.days_off: \"02-30\" is no date of that year",
        "year 2026.short_days: \"01-05\" is a day off",
        "year 2029: does not follow 2026",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{expected} not in {mistakes:#?}");
    }
}

#[test]
fn an_unknown_key_is_refused() {
    let text = include_str!("../../../pipelines/calendars/russia.toml").replace("short_days", "shortdays");
    assert!(toml::from_str::<CalendarSpec>(&text).is_err());
}

/// An instant of 2024 to 2026, so that sums stay inside the covered years.
fn instant() -> impl Strategy<Value = Time> {
    (at("2024-01-01 00:00:00").seconds()..=end_of("2026-12-31").seconds())
        .prop_filter_map("in range", |seconds| Time::from_unix_seconds(i64::from(seconds)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn adding_then_measuring_gives_the_amount_back(from in instant(), seconds in 0u32..1_500_000) {
        let calendar = russia();
        let due = calendar.add_working_seconds(from, seconds).expect("covered");
        prop_assert_eq!(calendar.working_seconds_between(from, due), Some(seconds));
        // The first such instant: one second earlier the amount is not reached.
        if seconds > 0 {
            prop_assert_eq!(calendar.working_seconds_between(from, due.plus_seconds(-1)), Some(seconds - 1));
        }
    }

    #[test]
    fn working_time_never_exceeds_calendar_time(a in instant(), b in instant()) {
        let (from, to) = (a.min(b), a.max(b));
        let worked = russia().working_seconds_between(from, to).expect("covered");
        prop_assert!(worked <= to.seconds_since(from));
    }

    #[test]
    fn deadlines_never_move_back_when_the_start_or_the_goal_grows(
        a in instant(), later in 0i64..20_000_000, seconds in 0u32..1_000_000, days in 0u32..120, more in 0u32..50,
    ) {
        let calendar = russia();
        let b = a.plus_seconds(later).min(end_of("2026-12-31"));
        prop_assert!(calendar.add_working_seconds(a, seconds) <= calendar.add_working_seconds(b, seconds));
        prop_assert!(calendar.add_working_seconds(a, seconds) <= calendar.add_working_seconds(a, seconds + more));
        prop_assert!(calendar.add_working_days(a, days) <= calendar.add_working_days(b, days));
        prop_assert!(calendar.add_working_days(a, days) <= calendar.add_working_days(a, days + more));
        prop_assert!(calendar.add_working_days(a, days) >= Some(add_calendar_days(a, days)));
        for roll in [Roll::None, Roll::Previous, Roll::Next] {
            let rolled = |time| calendar.roll(MoscowDay::of(time).end(), roll);
            prop_assert!(rolled(a) <= rolled(b));
        }
    }

    #[test]
    fn the_tables_agree_with_counting_day_by_day(from in instant(), days in 1u32..60) {
        let calendar = russia();
        let mut day = MoscowDay::of(from);
        let mut left = days;
        while left > 0 {
            day = MoscowDay(day.0 + 1);
            left -= u32::from(calendar.is_working_day(day).expect("covered"));
        }
        prop_assert_eq!(calendar.add_working_days(from, days), Some(day.end()));
    }
}
