//! The shipped policies against dates worked out by hand, the order of matching, mistakes, and the laws of deadlines.

use super::*;
use crate::model::calendar::{CalendarSpec, MoscowDay};
use proptest::prelude::*;

/// Ids in the order of these lists.
struct Names;

impl NameIds for Names {
    fn source(&self, name: &str) -> Option<u8> {
        ["pos", "incident", "sed"].iter().position(|known| *known == name).map(|index| index as u8)
    }
    fn block(&self, name: &str) -> Option<u8> {
        (name == "ЖКХ").then_some(4)
    }
    fn topic(&self, name: &str) -> Option<u16> {
        name.strip_prefix("тема ").and_then(|number| number.parse().ok())
    }
    fn body(&self, name: &str) -> Option<u16> {
        (name == "Администрация Рязани").then_some(300)
    }
}

fn russia() -> Calendar {
    let spec: CalendarSpec =
        toml::from_str(include_str!("../../../pipelines/calendars/russia.toml")).expect("the shipped calendar reads");
    Calendar::build(&spec).expect("the shipped calendar is sound")
}

fn specs(text: &str) -> Vec<PolicySpec> {
    toml::from_str::<PolicyFile>(text).expect("the policies read").policies
}

fn ryazan() -> Policies {
    let specs = specs(include_str!("../../../pipelines/policies/ryazan.toml"));
    Policies::build(&specs, &[russia()], &Names).expect("the shipped policies are sound")
}

fn one(clock: &str) -> Policies {
    let text = format!(
        "[[policy]]\nname = \"p\"\nsource_note = \"test\"\n[[policy.clock]]\nclock = \"final_answer\"\n{clock}"
    );
    Policies::build(&specs(&text), &[russia()], &Names).expect("sound")
}

fn case(source: u8) -> CaseFacts {
    CaseFacts {
        source,
        law: Some(Law::None),
        fast_track: false,
        block: 0,
        topic: 0,
        body: 0,
        priority: Priority::Normal,
        kind: None,
        repeated: false,
    }
}
const POS: u8 = 0;
const INCIDENT: u8 = 1;
const SED: u8 = 2;

fn at(year: i32, month: u32, day: u32, hour: u32) -> Time {
    MoscowDay::from_date(year, month, day).expect("a date").second(hour * 3600)
}

fn end_of(year: i32, month: u32, day: u32) -> Due {
    Due::At(MoscowDay::from_date(year, month, day).expect("a date").end())
}

fn due(case: CaseFacts, clock: Clock, start: Time) -> Due {
    let policies = ryazan();
    policies.due(policies.first_match(&case).expect("a policy"), clock, start)
}

#[test]
fn an_appeal_under_59_fz_has_thirty_days_and_rolls_back() {
    let appeal = CaseFacts { law: Some(Law::Fz59), ..case(SED) };
    // 18.12.2025 + 30 days is Saturday 17.01.2026.
    assert_eq!(due(appeal, Clock::FinalAnswer, at(2025, 12, 18, 10)), end_of(2026, 1, 16));
    // 05.12.2025 + 30 days is Sunday 04.01.2026, inside the holidays: the last working day was 30.12.2025.
    assert_eq!(due(appeal, Clock::FinalAnswer, at(2025, 12, 5, 10)), end_of(2025, 12, 30));
    assert_eq!(due(appeal, Clock::FinalAnswer, at(2026, 1, 13, 10)), end_of(2026, 2, 12));
    assert_eq!(due(appeal, Clock::FirstAnswer, at(2026, 1, 13, 10)), Due::None);
}

#[test]
fn a_fast_track_has_ten_days_across_the_holidays_as_the_export_shows() {
    let message = CaseFacts { fast_track: true, ..case(POS) };
    assert_eq!(due(message, Clock::FinalAnswer, at(2026, 1, 6, 12)), end_of(2026, 1, 16));
    // The end on a Saturday stays there.
    assert_eq!(due(message, Clock::FinalAnswer, at(2026, 1, 7, 12)), end_of(2026, 1, 17));
    assert_eq!(due(case(POS), Clock::FinalAnswer, at(2026, 1, 6, 12)), end_of(2026, 2, 5));
}

#[test]
fn a_filing_under_59_fz_wins_over_the_fast_track() {
    let appeal = CaseFacts { law: Some(Law::Fz59), fast_track: true, ..case(POS) };
    assert_eq!(ryazan().first_match(&appeal), Some(PolicyId(0)));
}

#[test]
fn social_networks_have_eight_hours_and_seven_working_days() {
    assert_eq!(due(case(INCIDENT), Clock::FirstAnswer, at(2026, 1, 16, 18)), Due::At(at(2026, 1, 17, 2)));
    assert_eq!(due(case(INCIDENT), Clock::FinalAnswer, at(2026, 1, 16, 18)), end_of(2026, 1, 27));
    assert_eq!(due(case(INCIDENT), Clock::FinalAnswer, at(2025, 12, 30, 18)), end_of(2026, 1, 20));
    let urgent = CaseFacts { priority: Priority::Urgent, law: None, ..case(INCIDENT) };
    assert_eq!(due(urgent, Clock::FirstAnswer, at(2026, 1, 16, 18)), Due::At(at(2026, 1, 16, 22)));
}

#[test]
fn a_case_no_policy_wants_has_none() {
    assert_eq!(ryazan().first_match(&case(SED)), None);
    assert_eq!(ryazan().first_match(&case(200)), None);
    assert_eq!(ryazan().due(PolicyId(999), Clock::FinalAnswer, at(2026, 1, 1, 0)), Due::None);
}

#[test]
fn a_missing_calendar_year_is_said_and_not_guessed() {
    assert_eq!(due(case(INCIDENT), Clock::FinalAnswer, at(2027, 12, 28, 9)), Due::CalendarMissing);
    assert!(matches!(due(case(INCIDENT), Clock::FirstAnswer, at(2028, 1, 1, 9)), Due::At(_)));
}

#[test]
fn every_condition_narrows() {
    let text = r#"
        [[policy]]
        name = "узкая"
        source_note = "test"
        [policy.match]
        source = ["pos", "sed"]
        law = ["none", "8-fz"]
        block = ["ЖКХ"]
        topic = ["тема 7", "тема 3"]
        body = ["Администрация Рязани"]
        priority = ["urgent"]
        kind = ["complaint"]
        fast_track = false
        repeated = true
    "#;
    let policies = Policies::build(&specs(text), &[], &Names).expect("sound");
    let fits = CaseFacts {
        source: SED,
        law: Some(Law::Fz8),
        fast_track: false,
        block: 4,
        topic: 3,
        body: 300,
        priority: Priority::Urgent,
        kind: Some(MessageKind::Complaint),
        repeated: true,
    };
    assert_eq!(policies.first_match(&fits), Some(PolicyId(0)));
    assert!(policies.unmet(PolicyId(0), &fits).is_empty());
    for other in [
        CaseFacts { source: INCIDENT, ..fits },
        CaseFacts { law: Some(Law::Fz59), ..fits },
        CaseFacts { law: None, ..fits },
        CaseFacts { fast_track: true, ..fits },
        CaseFacts { block: 5, ..fits },
        CaseFacts { topic: 4, ..fits },
        CaseFacts { body: 0, ..fits },
        CaseFacts { priority: Priority::Normal, ..fits },
        CaseFacts { kind: Some(MessageKind::Thanks), ..fits },
        CaseFacts { kind: None, ..fits },
        CaseFacts { repeated: false, ..fits },
    ] {
        assert_eq!(policies.first_match(&other), None, "{other:?}");
        assert_eq!(policies.unmet(PolicyId(0), &other).len(), 1, "{other:?}");
    }
}

#[test]
fn a_roll_never_puts_the_deadline_before_the_start() {
    let policies = one("goal = 1\nunit = \"days\"\ncalendar = \"russia\"\nroll = \"previous\"");
    // Saturday 17.01 + 1 day is Sunday; the working day before is Friday, before the start.
    assert_eq!(policies.due(PolicyId(0), Clock::FinalAnswer, at(2026, 1, 17, 10)), end_of(2026, 1, 18));
}

#[test]
fn working_hours_and_a_roll_forward_count_by_the_calendar() {
    let hours = one("goal = 9\nunit = \"working_hours\"\ncalendar = \"russia\"");
    let expected = MoscowDay::from_date(2026, 1, 13).map(|day| Due::At(day.second(10 * 3600 + 48 * 60)));
    assert_eq!(Some(hours.due(PolicyId(0), Clock::FinalAnswer, at(2026, 1, 12, 10))), expected);
    let forward = one("goal = 5\nunit = \"days\"\ncalendar = \"russia\"\nroll = \"next\"");
    assert_eq!(forward.due(PolicyId(0), Clock::FinalAnswer, at(2025, 12, 29, 10)), end_of(2026, 1, 12));
}

#[test]
fn only_goals_in_days_roll() {
    let text = "[[policy]]\nname = \"p\"\nsource_note = \"test\"\n[[policy.clock]]\nclock = \"first_answer\"\n\
                goal = 8\nunit = \"hours\"\ncalendar = \"russia\"\nroll = \"next\"";
    let mistakes = Policies::build(&specs(text), &[russia()], &Names).expect_err("must be refused");
    assert_eq!(mistakes, ["policy[1] \"p\".clock[1].roll: only a goal in days can roll (allowed: none, with hours)"]);
}

#[test]
fn a_file_with_mistakes_gets_all_of_them_back() {
    let text = r#"
        [[policy]]
        name = "первая"
        source_note = ""
        [policy.match]
        source = ["poss"]
        law = ["44-fz"]
        body = ["Нет такого"]
        [[policy.clock]]
        clock = "final"
        goal = 0
        unit = "days"
        roll = "back"
        [[policy]]
        name = "все"
        source_note = "test"
        [[policy.clock]]
        clock = "final_answer"
        goal = 7
        unit = "working_days"
        [[policy.clock]]
        clock = "final_answer"
        goal = 7
        unit = "weeks"
        calendar = "mars"
        [[policy]]
        name = "все"
        source_note = "test"
        [policy.match]
        kind = ["thanks"]
    "#;
    let mistakes = Policies::build(&specs(text), &[russia()], &Names).expect_err("must be refused");
    for expected in [
        "policy[1] \"первая\".source_note: empty",
        "policy[1] \"первая\".match.source: \"poss\" (allowed:",
        "policy[1] \"первая\".match.law: \"44-fz\" (allowed: none, 59-fz, 8-fz)",
        "policy[1] \"первая\".match.body: \"Нет такого\"",
        "policy[1] \"первая\".clock[1].clock: \"final\" (allowed: first_answer, final_answer, dispatch,",
        "policy[1] \"первая\".clock[1].goal: 0 (allowed: 1 to 366 days)",
        "policy[1] \"первая\".clock[1].roll: \"back\" (allowed: none, previous, next)",
        "policy[2] \"все\".clock[1].calendar: missing",
        "policy[2] \"все\".clock[2].unit: \"weeks\" (allowed: hours, days, working_hours, working_days, minutes)",
        "policy[2] \"все\".clock[2].calendar: \"mars\" (allowed: russia)",
        "policy[2] \"все\".clock[2].clock: stands twice",
        "policy[3] \"все\".name: stands twice",
        "policy[3] \"все\": can never match",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.starts_with(expected)), "{expected} not in {mistakes:#?}");
    }
    assert_eq!(mistakes.len(), 13, "{mistakes:#?}");
}

#[test]
fn starts_pauses_and_extensions_are_refused_where_they_mean_nothing() {
    let text = r#"
        pause = ["answered", "sleeping"]
        [[policy.clock]]
        clock = "first_answer"
        goal = 8
        unit = "hours"
        start = "interim_answer"
        extension = 3
        [[policy.clock]]
        clock = "dispatch"
        goal = 60
        unit = "minutes"
        start = "registration"
        [[policy.clock]]
        clock = "moderation"
        goal = 1
        unit = "days"
        [[policy.clock]]
        clock = "final_answer"
        goal = 1
        unit = "days"
        start = "birth"
        extension = 400
    "#;
    let text = format!("[[policy]]\nname = \"p\"\nsource_note = \"test\"\n{text}");
    let mistakes = Policies::build(&specs(&text), &[russia()], &Names).expect_err("must be refused");
    let expected = [
        ".pause: \"answered\" (allowed: new, moderation, coordination, in_work, interim, approval, returned, transferred, extended)",
        ".pause: \"sleeping\" (allowed: new, moderation, coordination, in_work, interim, approval, returned, transferred, extended)",
        ".clock[1].start: \"interim_answer\" (allowed: registration, detection, dispatch)",
        ".clock[1].extension: only a final answer is extended (allowed: with clock = \"final_answer\")",
        ".clock[2].start: a stage starts with itself (allowed: no start)",
        ".clock[4].start: \"birth\" (allowed: registration, detection, dispatch, interim_answer)",
        ".clock[4].extension: 400 (allowed: 1 to 366 days)",
        ".clock: dispatch covers moderation and coordination (allowed: it, or those two; a case shows one stage at a time)",
    ];
    assert_eq!(mistakes, expected.map(|mistake| format!("policy[1] \"p\"{mistake}")));
    let without = "[[policy]]\nname = \"p\"\nsource_note = \"test\"\npause = [\"interim\"]";
    let mistakes = Policies::build(&specs(without), &[], &Names).expect_err("must be refused");
    assert!(mistakes[0].contains("there is no final_answer to stand still"), "{mistakes:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_pause_adds_exactly_the_pause(
        day in 0u32..700, second in 0u32..86_400, goal in 1u32..40, first_after in 0i64..200_000, long in 1i64..900_000,
        unit in prop::sample::select(GoalUnit::ALL.to_vec()),
    ) {
        let policies = one(&format!("goal = {goal}\nunit = \"{}\"\ncalendar = \"russia\"", unit.name()));
        let start = MoscowDay(MoscowDay::from_date(2024, 2, 1).expect("a date").0 + day).second(second);
        let (from, to) = (start.plus_seconds(first_after), start.plus_seconds(first_after + long));
        let paused = policies.pause(PolicyId(0), from, to);
        let due = |course: Course| match policies.due_of(PolicyId(0), Clock::FinalAnswer, &course, &mut |_| {}) {
            Due::At(time) => Ok(time),
            other => Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let (plain, later) = (due(Course::from(start))?, due(Course { paused, ..Course::from(start) })?);
        let calendar = russia();
        match unit {
            GoalUnit::Minutes | GoalUnit::Hours => prop_assert_eq!(i64::from(later.seconds_since(plain)), long),
            GoalUnit::WorkingHours => prop_assert_eq!(
                calendar.working_seconds_between(plain, later), calendar.working_seconds_between(from, to)),
            GoalUnit::Days => prop_assert_eq!(
                MoscowDay::of(later).0 - MoscowDay::of(plain).0, MoscowDay::of(to).0 - MoscowDay::of(from).0),
            GoalUnit::WorkingDays => prop_assert_eq!(
                calendar.working_days_between(plain, later), calendar.working_days_between(from, to)),
        }
        // two pauses one after the other are one long pause
        let middle = from.plus_seconds(long / 2);
        let (a, b) = (policies.pause(PolicyId(0), from, middle), policies.pause(PolicyId(0), middle, to));
        prop_assert_eq!((a.seconds + b.seconds, a.days + b.days), (paused.seconds, paused.days));
    }

    #[test]
    fn working_time_never_ends_before_as_much_calendar_time(
        day in 0u32..900, second in 0u32..86_400, goal in 1u32..60,
    ) {
        let start = MoscowDay(MoscowDay::from_date(2024, 2, 1).expect("a date").0 + day).second(second);
        for (working, calendar) in [("working_hours", "hours"), ("working_days", "days")] {
            let due = |unit: &str| {
                let policies = one(&format!("goal = {goal}\nunit = \"{unit}\"\ncalendar = \"russia\""));
                match policies.due(PolicyId(0), Clock::FinalAnswer, start) {
                    Due::At(time) => Ok(time),
                    other => Err(TestCaseError::fail(format!("{other:?}"))),
                }
            };
            prop_assert!(due(working)? >= due(calendar)?);
        }
    }

    #[test]
    fn an_extension_in_time_never_shortens_and_a_late_one_changes_nothing(
        day in 0u32..700, second in 0u32..86_400, goal in 1u32..40, more in 1u32..40, when in 0i64..8_000_000,
        roll in prop::sample::select(Roll::ALL.to_vec()),
    ) {
        let text = format!(
            "goal = {goal}\nunit = \"days\"\ncalendar = \"russia\"\nroll = \"{}\"\nextension = {more}", roll.name());
        let policies = one(&text);
        let start = MoscowDay(MoscowDay::from_date(2024, 2, 1).expect("a date").0 + day).second(second);
        let at = start.plus_seconds(when);
        let course = Course { extended_at: Some(at), ..Course::from(start) };
        let mut steps = Vec::new();
        let extended = policies.due_of(PolicyId(0), Clock::FinalAnswer, &course, &mut |step| steps.push(step));
        let (Due::At(plain), Due::At(extended)) = (policies.due(PolicyId(0), Clock::FinalAnswer, start), extended) else {
            return Err(TestCaseError::fail("covered years"));
        };
        if at <= plain {
            prop_assert!(extended >= plain);
            let expected = Step::Extended { at, amount: more };
            prop_assert!(steps.contains(&expected));
        } else {
            prop_assert_eq!(extended, plain);
            let expected = Step::NotExtended { at, is_late: true };
            prop_assert!(steps.contains(&expected));
        }
        // the last step of the count names the due time that was given
        let last = steps.iter().rev().find_map(|step| match step {
            Step::Counted { to, .. } | Step::Rolled { to, .. } => Some(*to),
            Step::NotRolled { at } => Some(*at),
            Step::Extended { .. } | Step::NotExtended { .. } => None,
        });
        prop_assert_eq!(last, Some(extended));
    }

    #[test]
    fn deadlines_grow_with_the_start_and_the_goal_and_never_precede_the_start(
        day in 0u32..900, second in 0u32..86_400, later in 0i64..3_000_000, goal in 1u32..60, more in 0u32..20,
        unit in prop::sample::select(GoalUnit::ALL.to_vec()), roll in prop::sample::select(Roll::ALL.to_vec()),
    ) {
        let roll = if unit == GoalUnit::Days { roll } else { Roll::None };
        let clock = |goal: u32| {
            format!("goal = {goal}\nunit = \"{}\"\ncalendar = \"russia\"\nroll = \"{}\"", unit.name(), roll.name())
        };
        let first = MoscowDay::from_date(2024, 2, 1).expect("a date");
        let start = MoscowDay(first.0 + day).second(second);
        let moment = |policies: &Policies, start| match policies.due(PolicyId(0), Clock::FinalAnswer, start) {
            Due::At(time) => Ok(time),
            other => Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let (policies, longer) = (one(&clock(goal)), one(&clock(goal + more)));
        let due = moment(&policies, start)?;
        prop_assert!(due >= start);
        prop_assert!(due <= moment(&policies, start.plus_seconds(later))?);
        prop_assert!(due <= moment(&longer, start)?);
    }
}
