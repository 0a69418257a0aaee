//! Whole lives of cases under the shipped policies and those of other regions, one row for each deadline the domain knows.
//! Every due date was worked out by hand on the production calendar; the comment says how.

use super::*;
use crate::model::apply::{DeadlineRules, Deadlines, apply};
use crate::model::calendar::{Calendar, CalendarSpec, MoscowDay};
use crate::model::case::{BlockId, BodyId, RowVersion};
use crate::model::facts::{Facts, Shape};
use crate::model::ids::{CaseKey, Offset};
use crate::model::policy::{NameIds, PolicyFile};
use crate::model::words::{EffectKind, EventKind, Law, Priority, Status};

const SOURCES: [&str; 3] = ["pos", "incident", "sed"];
const SEVASTOPOL: BlockId = BlockId(4);

struct Names;

impl NameIds for Names {
    fn source(&self, name: &str) -> Option<u8> {
        SOURCES.iter().position(|known| *known == name).map(|place| place as u8)
    }
    fn block(&self, name: &str) -> Option<u8> {
        (name == "ЖКХ").then_some(SEVASTOPOL.0)
    }
    fn topic(&self, _: &str) -> Option<u16> {
        None
    }
    fn body(&self, _: &str) -> Option<u16> {
        None
    }
}

struct Rules {
    policies: Policies,
    source: u8,
}

impl Rules {
    fn read(text: &str, source: &str) -> Rules {
        let calendar: CalendarSpec =
            toml::from_str(include_str!("../../pipelines/calendars/russia.toml")).expect("calendar");
        let calendar = Calendar::build(&calendar).expect("sound");
        let file: PolicyFile = toml::from_str(text).expect("policies");
        let policies = Policies::build(&file.policies, &[calendar], &Names).expect("sound");
        Rules { policies, source: Names.source(source).expect("a source") }
    }

    fn ryazan(source: &str) -> Rules {
        Rules::read(include_str!("../../pipelines/policies/ryazan.toml"), source)
    }

    fn regions(source: &str) -> Rules {
        Rules::read(include_str!("../../tests/fixtures/policies_of_regions.toml"), source)
    }

    /// One final answer with a pause list.
    fn pausing(goal: &str) -> Rules {
        let text = format!(
            "[[policy]]\nname = \"p\"\nsource_note = \"test\"\npause = [\"coordination\"]\n[[policy.clock]]\n\
             clock = \"final_answer\"\ncalendar = \"russia\"\n{goal}"
        );
        Rules::read(&text, "sed")
    }
}

impl DeadlineRules for Rules {
    fn deadlines(&self, case: &Case) -> Deadlines {
        let now = assess(case, self.source, &self.policies);
        Deadlines {
            policy: now.policy.map_or(0, |id| id.0 + 1),
            due_first: now.due_first,
            due_final: now.due_final,
            due_stage: now.due_stage,
            stage_is_dispatch: now.stage == Some(Clock::Dispatch),
            is_paused: now.is_paused,
        }
    }

    fn pause(&self, case: &Case, from: Time, to: Time) -> Paused {
        pause_of(case, self.source, &self.policies, from, to)
    }
}

/// `dd.mm.yyyy` is the last second of the day, `dd.mm.yyyy hh:mm` the minute. Moscow time.
fn at(text: &str) -> Time {
    let number = |range: std::ops::Range<usize>| -> u32 { text[range].parse().expect("digits") };
    let day = MoscowDay::from_date(number(6..10) as i32, number(3..5), number(0..2)).expect("a date");
    if text.len() == 10 { day.end() } else { day.second(number(11..13) * 3600 + number(14..16) * 60) }
}

fn event(kind: EventKind, when: &str) -> Facts {
    let mut facts = Facts::empty(CaseKey(7), Shape::Event, at(when));
    facts.event = Some(kind);
    facts.digest = xxhash_rust::xxh3::xxh3_64(format!("{kind:?}{when}").as_bytes());
    facts
}

fn status(status: Status, when: &str) -> Facts {
    Facts { status: Some(status), ..event(EventKind::StatusChanged, when) }
}

fn routed(body: u16, when: &str) -> Facts {
    Facts { body: Some(BodyId(body)), ..event(EventKind::Routed, when) }
}

fn live(rules: &Rules, facts: &[Facts]) -> Case {
    let mut case = None;
    for (offset, facts) in facts.iter().enumerate() {
        let version = RowVersion::new(Offset(offset as u64), 0);
        case = Some(apply(case.as_ref(), facts, version, rules, &mut Vec::new()).0);
    }
    case.expect("a case")
}

fn registered(when: &str) -> Facts {
    event(EventKind::Registered, when)
}

fn under(law: Law, when: &str) -> Facts {
    Facts { law: Some(law), ..registered(when) }
}

#[test]
fn pos_messages_have_ten_days_on_the_fast_track_and_thirty_otherwise() {
    let rules = Rules::ryazan("pos");
    for (is_fast, start, due) in [
        (true, "06.01.2026 12:00", "16.01.2026"), // as the export shows, across the January holidays
        (true, "07.01.2026 12:00", "17.01.2026"), // a Saturday stays: no roll
        (true, "22.10.2025 09:00", "01.11.2025"), // the working Saturday
        (true, "20.04.2026 09:00", "30.04.2026"), // a short day is a whole day of a term in days
        (false, "06.01.2026 12:00", "05.02.2026"), // 25 days of January and 5
        (false, "01.12.2025 12:00", "31.12.2025"), // a day off stays: no roll
    ] {
        let case = live(&rules, &[Facts { fast_track: Some(is_fast), ..registered(start) }]);
        assert_eq!(case.due_final, Some(at(due)), "{start}");
    }
}

#[test]
fn a_pos_message_that_comes_back_has_thirty_days_from_its_return_also_on_the_fast_track() {
    let rules = Rules::ryazan("pos");
    let fast = Facts { fast_track: Some(true), ..registered("06.01.2026 12:00") };
    let life = [fast, event(EventKind::Answered, "12.01.2026 10:00"), event(EventKind::Reopened, "20.01.2026 10:00")];
    // 11 days of January and 19 of February
    assert_eq!(live(&rules, &life).due_final, Some(at("19.02.2026")));
}

#[test]
fn the_stages_of_pos_have_working_days_from_the_status() {
    let rules = Rules::ryazan("pos");
    for (stage, since, clock, due) in [
        (Status::Moderation, "16.01.2026 12:00", Clock::Moderation, "19.01.2026"), // Friday to Monday
        (Status::Moderation, "30.12.2025 15:00", Clock::Moderation, "12.01.2026"), // over the long January
        (Status::Moderation, "31.10.2025 15:00", Clock::Moderation, "01.11.2025"), // to the working Saturday
        (Status::Coordination, "31.10.2025 15:00", Clock::Coordination, "05.11.2025"), // Sa 01.11; 02–04.11 off; We 05.11
        (Status::Coordination, "29.04.2026 15:00", Clock::Coordination, "04.05.2026"), // Th 30.04; 01–03.05 off; Mo 04.05
    ] {
        let case = live(&rules, &[registered(since), status(stage, since)]);
        assert_eq!((case.stage(), case.due_stage), (Some(clock), Some(at(due))), "{stage:?} {since}");
    }
    // another status is another stage; execution has no agreed term
    let case = live(
        &rules,
        &[
            registered("16.01.2026 12:00"),
            status(Status::Moderation, "16.01.2026 12:00"),
            routed(1, "16.01.2026 14:00"),
        ],
    );
    assert_eq!((case.stage(), case.due_stage), (None, None));
}

#[test]
fn a_stage_that_took_too_long_is_a_breach_of_its_own_and_none_of_the_author() {
    let rules = Rules::ryazan("pos");
    let before = live(&rules, &[registered("16.01.2026 12:00"), status(Status::Moderation, "16.01.2026 12:00")]);
    let mut effects = Vec::new();
    let (after, _) = apply(Some(&before), &routed(1, "20.01.2026 09:00"), RowVersion(9), &rules, &mut effects);
    let stage: Vec<_> = effects.iter().filter(|effect| effect.kind == EffectKind::StageBreached).collect();
    assert_eq!(stage.len(), 1);
    assert_eq!(stage[0].at, at("19.01.2026"));
    assert_eq!((after.final_breach_at, after.first_breach_at()), (None, None));
}

#[test]
fn the_way_to_the_first_body_is_judged_by_the_earliest_hand_over_whenever_it_is_heard_of() {
    let rules = Rules::ryazan("incident");
    let life = |routed_at: &'static str| {
        [registered("16.01.2026 12:00"), routed(1, routed_at), event(EventKind::Answered, "16.01.2026 16:00")]
    };
    let breaches = |records: &[Facts]| {
        let (mut case, mut sum) = (None, 0);
        for (place, facts) in records.iter().enumerate() {
            let facts = Facts { digest: (place as u64 + 1) << 49, ..*facts };
            let mut effects = Vec::new();
            case = Some(apply(case.as_ref(), &facts, RowVersion(place as u64), &rules, &mut effects).0);
            let of_stage = effects.iter().filter(|effect| effect.kind == EffectKind::StageBreached);
            sum += of_stage.map(|effect| i32::from(effect.sign)).sum::<i32>();
        }
        sum
    };
    for (routed_at, expected) in [("16.01.2026 12:40", 0), ("16.01.2026 13:10", 1)] {
        let [found, routed, answered] = life(routed_at);
        for order in [[found, routed, answered], [found, answered, routed], [routed, answered, found]] {
            assert_eq!(breaches(&order), expected, "{routed_at}");
        }
    }
    let [found, late, _] = life("16.01.2026 13:10");
    assert_eq!(breaches(&[found, late, routed(2, "16.01.2026 12:30")]), 0, "another body had it in time");
}

#[test]
fn sevastopol_counts_the_first_answer_from_the_dispatch_in_working_hours() {
    let rules = Rules::regions("incident");
    for (dispatch, due) in [
        // Mo 10–13 and 13:48–18 are 7 h 12; 1 h 48 of Tuesday from 9:00
        ("12.01.2026 10:00", "13.01.2026 10:48"),
        // the short Thursday closes at 17: 3 h; Mo 04.05 9–13 are 4 h; 2 h more from 13:48
        ("30.04.2026 14:00", "04.05.2026 15:48"),
        // a Saturday evening counts from Monday 9:00: 8 h 12 that day, 48 minutes of Tuesday
        ("17.01.2026 20:00", "20.01.2026 09:48"),
        // Tu 30.12 15–18 are 3 h; the next working day is 12.01: 4 h before lunch, 2 h after
        ("30.12.2025 15:00", "12.01.2026 15:48"),
        // Fr 31.10 15–17 are 2 h; the working Saturday is a short one, 9–13 and 13:48–17 are 7 h 12 and 7 are left
        ("31.10.2025 15:00", "01.11.2025 16:48"),
    ] {
        let found = Facts { block: Some(SEVASTOPOL), ..registered("01.10.2025 10:00") };
        assert_eq!(live(&rules, &[found]).due_first, None, "nothing runs before the dispatch");
        assert_eq!(live(&rules, &[found, routed(1, dispatch)]).due_first, Some(at(due)), "{dispatch}");
        // the hand-over from one body to another is no new dispatch
        let twice = live(&rules, &[found, routed(1, dispatch), routed(2, "01.06.2026 10:00")]);
        assert_eq!(twice.due_first, Some(at(due)));
        // nor does it matter which of the two was heard of first
        let swapped = live(&rules, &[found, routed(2, "01.06.2026 10:00"), routed(1, dispatch)]);
        assert_eq!(swapped.due_first, Some(at(due)));
    }
    let urgent = Facts { block: Some(SEVASTOPOL), priority: Some(Priority::Urgent), ..registered("16.01.2026 20:00") };
    let case = live(&rules, &[urgent, routed(1, "16.01.2026 22:00")]);
    assert_eq!(case.due_first, Some(at("17.01.2026 02:00")), "four hours round the clock");
}

#[test]
fn sevastopol_counts_the_final_answer_from_the_interim_one() {
    let rules = Rules::regions("incident");
    let found = Facts { block: Some(SEVASTOPOL), ..registered("12.01.2026 10:00") };
    assert_eq!(live(&rules, &[found, routed(1, "12.01.2026 11:00")]).due_final, None);
    for (interim, due) in [
        ("19.01.2026 15:00", "28.01.2026"), // 20, 21, 22, 23, 26, 27, 28
        ("24.01.2026 15:00", "03.02.2026"), // a Saturday: 26, 27, 28, 29, 30, 02, 03
        ("29.04.2026 15:00", "12.05.2026"), // 30.04; 01–03.05 off; 04, 05, 06, 07, 08.05; 09–11.05 off; 12.05
    ] {
        let case = live(&rules, &[found, routed(1, "12.01.2026 11:00"), event(EventKind::InterimAnswer, interim)]);
        assert_eq!(case.due_final, Some(at(due)), "{interim}");
    }
    // answered at once: there was no interim answer to count from
    let case = live(&rules, &[found, event(EventKind::Answered, "19.01.2026 15:00")]);
    assert_eq!((case.due_final, case.final_breach_at), (None, None));
}

#[test]
fn yaroslavl_sends_on_within_an_hour_and_answers_within_a_day() {
    let rules = Rules::regions("incident");
    let found = Facts { priority: Some(Priority::Urgent), ..registered("12.01.2026 23:30") };
    let case = live(&rules, &[found]);
    assert_eq!((case.stage(), case.due_stage), (Some(Clock::Dispatch), Some(at("13.01.2026 00:30"))));
    assert_eq!(case.due_first, Some(at("13.01.2026 23:30")));
    // taken by an operator is not yet sent on
    let taken = live(&rules, &[found, status(Status::Moderation, "12.01.2026 23:40")]);
    assert_eq!(taken.stage(), Some(Clock::Dispatch));
    assert_eq!(live(&rules, &[found, routed(1, "12.01.2026 23:50")]).stage(), None);
}

#[test]
fn ulyanovsk_and_ryazan_have_eight_hours_round_the_clock() {
    for rules in [Rules::regions("incident"), Rules::ryazan("incident")] {
        for (start, due) in [
            ("31.12.2025 20:00", "01.01.2026 04:00"), // New Year's night counts
            ("16.01.2026 18:00", "17.01.2026 02:00"),
        ] {
            assert_eq!(live(&rules, &[registered(start)]).due_first, Some(at(due)));
        }
    }
    let ryazan = Rules::ryazan("incident");
    let case = live(&ryazan, &[registered("30.12.2025 18:00")]);
    assert_eq!(case.due_final, Some(at("20.01.2026"))); // 12, 13, 14, 15, 16, 19, 20
    assert_eq!((case.stage(), case.due_stage), (Some(Clock::Dispatch), Some(at("30.12.2025 19:00"))));
    let urgent = Facts { priority: Some(Priority::Urgent), ..registered("16.01.2026 18:00") };
    assert_eq!(live(&ryazan, &[urgent]).due_first, Some(at("16.01.2026 22:00")));
}

#[test]
fn moscow_answers_on_the_merits_within_eight_working_days() {
    let rules = Rules::regions("sed");
    let life = [under(Law::None, "22.12.2025 12:00"), status(Status::Moderation, "22.12.2025 12:00")];
    let case = live(&rules, &life);
    assert_eq!(case.due_final, Some(at("13.01.2026"))); // 23, 24, 25, 26, 29, 30.12; 31.12–11.01 off; 12, 13
    assert_eq!(case.due_stage, Some(at("23.12.2025")));
}

#[test]
fn an_appeal_under_59_fz_has_thirty_days_that_roll_back_and_seven_to_be_sent_on() {
    let rules = Rules::ryazan("sed");
    for (start, due) in [
        ("18.12.2025 10:00", "16.01.2026"), // Saturday 17.01 rolls back
        ("05.12.2025 10:00", "30.12.2025"), // Sunday 04.01, inside the holidays: 31.12 was off too
        ("13.01.2026 10:00", "12.02.2026"), // a Thursday
        ("02.10.2025 10:00", "01.11.2025"), // the working Saturday stays
        ("31.03.2026 10:00", "30.04.2026"), // the short day stays, whole
    ] {
        assert_eq!(live(&rules, &[under(Law::Fz59, start)]).due_final, Some(at(due)), "{start}");
    }
    let case = live(&rules, &[under(Law::Fz59, "12.01.2026 10:00")]);
    assert_eq!((case.stage(), case.due_stage), (Some(Clock::Dispatch), Some(at("19.01.2026"))));
}

#[test]
fn an_appeal_is_extended_once_and_only_in_time() {
    let rules = Rules::ryazan("sed");
    let appeal = under(Law::Fz59, "18.12.2025 10:00");
    let extended = |when| event(EventKind::Extended, when);
    // 60 days from registration: 13 of December, 31 of January, 16 of February, a Monday
    let case = live(&rules, &[appeal, extended("15.01.2026 10:00")]);
    assert_eq!((case.status, case.due_final), (Status::Extended, Some(at("16.02.2026"))));
    let twice = live(&rules, &[appeal, extended("15.01.2026 10:00"), extended("10.02.2026 10:00")]);
    assert_eq!(twice.due_final, Some(at("16.02.2026")));
    let late = live(&rules, &[appeal, extended("17.01.2026 10:00"), event(EventKind::Answered, "20.01.2026 10:00")]);
    assert_eq!((late.due_final, late.final_breach_at), (Some(at("16.01.2026")), Some(at("16.01.2026"))));
    // the same whichever came first
    let swapped = live(&rules, &[extended("15.01.2026 10:00"), appeal]);
    assert_eq!(swapped.due_final, Some(at("16.02.2026")));
    // an answer inside the prolonged term is in time, and the notice of the extension solved nothing
    let life = [appeal, extended("15.01.2026 10:00"), event(EventKind::Answered, "10.02.2026 10:00")];
    assert_eq!(live(&rules, &life[..2]).answered_at, None);
    assert_eq!(live(&rules, &life).final_breach_at, None);
}

#[test]
fn a_request_under_8_fz_has_thirty_days_and_up_to_fifteen_more() {
    let rules = Rules::ryazan("sed");
    let request = under(Law::Fz8, "13.01.2026 10:00");
    assert_eq!(live(&rules, &[request]).due_final, Some(at("12.02.2026")));
    let case = live(&rules, &[request, event(EventKind::Extended, "10.02.2026 10:00")]);
    assert_eq!(case.due_final, Some(at("27.02.2026"))); // 18 days of January and 27
    assert_eq!(live(&rules, &[request]).due_stage, Some(at("20.01.2026")));
}

#[test]
fn a_snapshot_that_says_extended_prolongs_and_solves_nothing() {
    let rules = Rules::ryazan("pos");
    let row = |status: Status, when: &str, digest: u64| Facts {
        registered_at: Some(at("12.01.2026 00:00")),
        status: Some(status),
        digest,
        ..Facts::empty(CaseKey(7), Shape::Snapshot, at(when))
    };
    let case = live(
        &rules,
        &[row(Status::InWork, "13.01.2026 06:00", 1 << 40), row(Status::Extended, "20.02.2026 06:00", 2 << 40)],
    );
    // 60 days from 12.01: 19 of January, 28 of February, 13 of March; the row comes after the 30 days, but says not when
    assert_eq!((case.due_final, case.answered_at), (Some(at("13.03.2026")), None));
}

#[test]
fn a_pause_adds_its_own_length_in_the_unit_of_the_goal() {
    for (goal, start, pause, resume, due) in [
        // 10:00 + 8 h + the 3 h of the pause
        ("goal = 8\nunit = \"hours\"", "12.01.2026 10:00", "12.01.2026 12:00", "12.01.2026 15:00", "12.01.2026 21:00"),
        (
            "goal = 90\nunit = \"minutes\"",
            "12.01.2026 10:00",
            "12.01.2026 10:30",
            "12.01.2026 11:00",
            "12.01.2026 12:00",
        ),
        // 22.01, and three midnights passed in the pause
        ("goal = 10\nunit = \"days\"", "12.01.2026 10:00", "14.01.2026 10:00", "17.01.2026 09:00", "25.01.2026"),
        // inside one day a pause takes no day
        ("goal = 10\nunit = \"days\"", "12.01.2026 10:00", "14.01.2026 10:00", "14.01.2026 19:00", "22.01.2026"),
        // 21.01, and of Fr–Mo only Monday is a working day
        ("goal = 7\nunit = \"working_days\"", "12.01.2026 10:00", "16.01.2026 10:00", "19.01.2026 10:00", "22.01.2026"),
        // 13.01 10:48, and 12–13 and 13:48–14 are 1 h 12
        (
            "goal = 9\nunit = \"working_hours\"",
            "12.01.2026 10:00",
            "12.01.2026 12:00",
            "12.01.2026 14:00",
            "13.01.2026 12:00",
        ),
        // 12.01 15:48; the pause holds an hour of 30.12 and one of 12.01, the holidays between are no working time
        (
            "goal = 9\nunit = \"working_hours\"",
            "30.12.2025 15:00",
            "30.12.2025 17:00",
            "12.01.2026 10:00",
            "12.01.2026 17:48",
        ),
        // a pause on a weekend is none
        (
            "goal = 9\nunit = \"working_hours\"",
            "16.01.2026 15:00",
            "17.01.2026 10:00",
            "18.01.2026 10:00",
            "19.01.2026 16:48",
        ),
    ] {
        let rules = Rules::pausing(goal);
        let life = [
            registered(start),
            status(Status::InWork, start),
            status(Status::Coordination, pause),
            status(Status::InWork, resume),
        ];
        let case = live(&rules, &life);
        assert_eq!(case.due_final, Some(at(due)), "{goal} from {start}, paused {pause} to {resume}");
        let standing = live(&rules, &life[..3]);
        assert!(standing.is(Flag::Paused) && standing.next_due().is_none(), "nothing falls due in a pause");
        let clock = running_clocks(&standing, rules.source, &rules.policies)[1].expect("the final answer");
        assert!(clock.is_paused && clock.start == at(start));
    }
}

#[test]
fn a_case_that_ends_in_a_pause_is_judged_with_the_whole_pause() {
    let rules = Rules::pausing("goal = 8\nunit = \"hours\"");
    let start = "12.01.2026 10:00";
    // due 18:00; seven hours stood still, so an answer at 20:00 is in time, and it would not be without the pause
    let life = [
        registered(start),
        status(Status::Coordination, "12.01.2026 13:00"),
        event(EventKind::Answered, "12.01.2026 20:00"),
    ];
    let case = live(&rules, &life);
    assert_eq!((case.due_final, case.final_breach_at), (Some(at("13.01.2026 01:00")), None));
    assert_eq!(live(&rules, &[life[0], life[2]]).final_breach_at, Some(at("12.01.2026 18:00")));
}

#[test]
fn a_new_round_forgets_pauses_and_extension_of_the_last() {
    let rules = Rules::pausing("goal = 10\nunit = \"days\"\nextension = 5");
    let life = [
        registered("12.01.2026 10:00"),
        status(Status::Coordination, "13.01.2026 10:00"),
        status(Status::InWork, "16.01.2026 10:00"),
        event(EventKind::Extended, "17.01.2026 10:00"),
        event(EventKind::Answered, "19.01.2026 10:00"),
        event(EventKind::Returned, "21.01.2026 10:00"),
    ];
    assert_eq!(live(&rules, &life[..5]).due_final, Some(at("30.01.2026"))); // 22.01 + 3 + 5
    assert_eq!(live(&rules, &life).due_final, Some(at("31.01.2026")));
}

#[test]
fn running_clocks_are_those_that_have_not_stopped() {
    let rules = Rules::ryazan("incident");
    let names = |facts: &[Facts]| -> Vec<&str> {
        let clocks = running_clocks(&live(&rules, facts), rules.source, &rules.policies);
        clocks.iter().flatten().map(|clock| clock.clock.name()).collect()
    };
    let life = [
        registered("12.01.2026 10:00"),
        routed(1, "12.01.2026 10:30"),
        event(EventKind::InterimAnswer, "12.01.2026 12:00"),
        event(EventKind::Answered, "13.01.2026 12:00"),
    ];
    assert_eq!(names(&life[..1]), ["first_answer", "final_answer", "dispatch"]);
    assert_eq!(names(&life[..2]), ["first_answer", "final_answer"]);
    assert_eq!(names(&life[..3]), ["final_answer"]);
    assert!(names(&life).is_empty());
}
