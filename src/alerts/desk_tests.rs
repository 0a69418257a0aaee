use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::mpsc::channel;

use super::*;
use crate::alerts::calendars::CALENDAR;
use crate::model::apply::Deadlines;
use crate::model::case::{Flag, Paused, RowVersion};
use crate::model::time::Time;
use crate::model::words::{Clock, Status};

const BEGIN: i64 = 1_700_000_000;

fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(BEGIN + seconds).expect("in range")
}

/// Clocks start as the trait says where no policy says otherwise.
struct Plain;

impl DeadlineRules for Plain {
    fn deadlines(&self, _: &Case) -> Deadlines {
        Deadlines::default()
    }
    fn pause(&self, _: &Case, _: Time, _: Time) -> Paused {
        Paused::default()
    }
}

fn desk() -> Desk {
    desk_with(Ladder::default())
}

fn desk_with(ladder: Ladder) -> Desk {
    let (outbox, _) = channel(1);
    Desk::new(StreamId::new("pos", "in", 0), Arc::new(ladder), outbox, Arc::new(|| None))
}

fn case(id: u64, start: i64, due: i64) -> Case {
    let mut case = Case::unknown(CaseKey(id.wrapping_mul(0x9E37_79B9_7F4A_7C15)));
    case.status = Status::InWork;
    case.registered_at = Some(time(start));
    case.due_final = Some(time(due));
    case
}

fn change(cases: &mut CaseStore, desk: &mut Desk, case: Case) {
    cases.put(case);
    desk.touch(case.key, case.version.offset().next());
}

fn take(desk: &mut Desk, cases: &CaseStore, now: i64) -> (Vec<AlertId>, Vec<AlertId>) {
    let (mut raised, mut resolved) = (Vec::new(), Vec::new());
    loop {
        let orders = desk.take(cases, &Plain, (BEGIN + now) * 1000);
        if orders.is_empty() {
            return (raised, resolved);
        }
        for order in orders {
            match order {
                Order::Raise(raise) => raised.push(raise.id),
                Order::Calendar(end) => raised.push(end.id()),
                Order::Resolve(resolve) => resolved.push(resolve.id),
            }
        }
    }
}

#[test]
fn each_level_is_raised_once_at_its_moment_and_an_answer_ends_them_all() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    let mut open = case(1, 0, 1000);
    change(&mut cases, &mut desk, open);
    for (now, count) in
        [(499, 0), (500, 1), (500, 0), (799, 0), (800, 1), (1000, 0), (1001, 1), (87_400, 0), (87_401, 1)]
    {
        assert_eq!(take(&mut desk, &cases, now).0.len(), count, "at {now}");
    }
    open.answered_at = Some(time(90_000));
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 90_000).1.len(), 4);
    assert_eq!(take(&mut desk, &cases, 900_000), (vec![], vec![]));
}

#[test]
fn a_case_that_is_not_in_the_journal_yet_raises_nothing() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    let mut open = case(1, 0, 1000);
    open.version = RowVersion::new(Offset(5), 0);
    desk.landed(Offset(5));
    change(&mut cases, &mut desk, open);
    assert!(take(&mut desk, &cases, 2000).0.is_empty());
    desk.landed(Offset(6));
    assert_eq!(take(&mut desk, &cases, 2000).0.len(), 3);
}

#[test]
fn after_a_restart_what_was_raised_stays_what_was_missed_comes_at_once_and_what_ended_is_resolved() {
    let mut cases = CaseStore::default();
    let (open, mut done) = (case(1, 0, 1000), case(2, 0, 1000));
    done.answered_at = Some(time(10));
    cases.put(open);
    cases.put(done);
    let due = (BEGIN + 1000) as u32;
    let known = |case: &Case, level: &str| Known {
        id: alert_id(case.key, 1, due, level),
        case_key: case.key.0,
        clock: "final_answer".to_owned(),
        level: level.to_owned(),
        due,
    };
    let mut desk = desk();
    desk.landed(Offset(1));
    desk.restore(&cases, &Plain, vec![known(&open, "warn_50"), known(&open, "gone_level"), known(&done, "warn_50")], 0);
    let (raised, resolved) = take(&mut desk, &cases, 1001);
    assert_eq!(raised, vec![alert_id(open.key, 1, due, "warn_80"), alert_id(open.key, 1, due, "breach")]);
    let over: BTreeSet<AlertId> = resolved.into_iter().collect();
    assert_eq!(over, [known(&open, "gone_level").id, known(&done, "warn_50").id].into());
}

#[test]
fn a_paused_clock_does_not_fire_and_goes_on_under_its_new_due_time() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    let mut open = case(1, 0, 1000);
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 600).0.len(), 1);
    open.flags.set(Flag::Paused, true);
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 700), (vec![], vec![alert_id(open.key, 1, (BEGIN + 1000) as u32, "warn_50")]));
    assert_eq!(take(&mut desk, &cases, 5000), (vec![], vec![]), "it stands still");
    open.flags.set(Flag::Paused, false);
    open.due_final = Some(time(5300));
    change(&mut cases, &mut desk, open);
    let due = (BEGIN + 5300) as u32;
    let early = vec![alert_id(open.key, 1, due, "warn_50"), alert_id(open.key, 1, due, "warn_80")];
    assert_eq!(take(&mut desk, &cases, 5000), (early, vec![]));
    assert_eq!(take(&mut desk, &cases, 5301).0, vec![alert_id(open.key, 1, due, "breach")]);
}

#[test]
fn a_pause_that_adds_nothing_lets_the_same_alert_fire_again() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    let mut open = case(1, 0, 1000);
    change(&mut cases, &mut desk, open);
    let before = take(&mut desk, &cases, 600).0;
    open.flags.set(Flag::Paused, true);
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 610).1, before);
    open.flags.set(Flag::Paused, false);
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 620), (before, vec![]));
}

#[test]
fn an_extension_ends_what_was_raised_and_starts_over() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    let mut open = case(1, 0, 1000);
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 1001).0.len(), 3);
    open.due_final = Some(time(4000));
    open.extended_at = Some(time(1002));
    change(&mut cases, &mut desk, open);
    let (raised, resolved) = take(&mut desk, &cases, 1002);
    assert_eq!((raised.len(), resolved.len()), (0, 3));
    assert_eq!(take(&mut desk, &cases, 2000).0, vec![alert_id(open.key, 1, (BEGIN + 4000) as u32, "warn_50")]);
}

#[test]
fn each_stage_has_a_clock_that_ends_with_the_stage() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    let mut open = case(1, 0, 100_000);
    open.status = Status::Moderation;
    open.status_since = Some(time(0));
    open.due_stage = Some(time(100));
    change(&mut cases, &mut desk, open);
    let moderation = |level| alert_id(open.key, 3, (BEGIN + 100) as u32, level);
    assert_eq!(take(&mut desk, &cases, 50).0, vec![moderation("warn_50")]);
    open.status = Status::Coordination;
    open.status_since = Some(time(60));
    open.due_stage = Some(time(200));
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 60), (vec![], vec![moderation("warn_50")]));
    assert_eq!(take(&mut desk, &cases, 130).0, vec![alert_id(open.key, 4, (BEGIN + 200) as u32, "warn_50")]);
    assert_eq!(take(&mut desk, &cases, 201).0.len(), 2);
}

#[test]
fn after_a_backlog_all_cases_are_looked_at_and_memory_does_not_list_them() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    let done = case(0, 0, 1000);
    change(&mut cases, &mut desk, done);
    assert_eq!(take(&mut desk, &cases, 500).0.len(), 1);
    change(&mut cases, &mut desk, Case { answered_at: Some(time(600)), ..done });
    let count = TOUCHED_AT_MOST as u64 + 10;
    for id in 1..=count {
        change(&mut cases, &mut desk, case(id, 0, 1000));
    }
    let mut late = case(count + 1, 0, 1000);
    late.version = RowVersion::new(Offset(7), 0);
    change(&mut cases, &mut desk, late);
    assert!(desk.touched.len() <= 2, "{}", desk.touched.len());
    let (raised, resolved) = take(&mut desk, &cases, 700);
    assert_eq!((raised.len() as u64, resolved.len()), (count, 1));
    desk.landed(Offset(8));
    assert_eq!(take(&mut desk, &cases, 700).0.len(), 1, "the last one was not in the journal yet");
}

#[test]
fn a_level_of_some_clocks_is_not_raised_for_the_others() {
    let mut ladder = Ladder::default();
    ladder.levels[0].clocks = 1 << 2; // dispatch only
    let (mut cases, mut desk) = (CaseStore::default(), desk_with(ladder));
    desk.landed(Offset(1));
    let open = case(1, 0, 1000);
    change(&mut cases, &mut desk, open);
    assert_eq!(take(&mut desk, &cases, 900).0, vec![alert_id(open.key, 1, (BEGIN + 1000) as u32, "warn_80")]);
}

#[test]
fn other_rules_move_every_timer_and_resolve_what_they_undo() {
    let (mut cases, mut desk) = (CaseStore::default(), desk());
    desk.landed(Offset(1));
    for id in 1..=3 {
        change(&mut cases, &mut desk, case(id, 0, 1000));
    }
    assert_eq!(take(&mut desk, &cases, 600).0.len(), 3);
    for id in 1..=2 {
        cases.put(case(id, 0, 2000)); // recomputed without a record
    }
    desk.replan(&[], (BEGIN + 600) * 1000);
    assert_eq!(take(&mut desk, &cases, 700).1.len(), 2);
    assert_eq!(take(&mut desk, &cases, 1000).0.len(), 3, "two halves of the new terms, one 80 % of the old");
    for id in 1..=2 {
        cases.put(case(id, 0, 1000)); // and back again
    }
    desk.replan(&[], (BEGIN + 1000) * 1000);
    let orders = desk.take(&cases, &Plain, (BEGIN + 1000) * 1000);
    let back = orders.iter().filter(|order| matches!(order, Order::Raise(raise) if raise.may_be_back)).count();
    assert_eq!(back, 4, "warnings that were taken back fire again, and the outbox is told to look");
}

#[test]
fn a_calendar_that_ends_soon_is_told_once_also_over_a_restart_and_resolved_when_it_was_mended() {
    let end = |at| CalendarEnd { name: "russia".to_owned(), ends_at: time(at), told_at: time(at - 100) };
    let cases = CaseStore::default();
    let mut first = desk().watching(vec![end(500)]);
    assert_eq!(take(&mut first, &cases, 399).0, vec![]);
    assert_eq!(take(&mut first, &cases, 400), (vec![end(500).id()], vec![]));
    let known = Known {
        id: end(500).id(),
        case_key: 0,
        clock: CALENDAR.to_owned(),
        level: CALENDAR.to_owned(),
        due: time(500).seconds(),
    };
    let mut second = desk().watching(vec![end(500)]);
    second.restore(&cases, &Plain, vec![known.clone()], 0);
    assert_eq!(take(&mut second, &cases, 450), (vec![], vec![]));
    second.replan(&[end(9000)], (BEGIN + 460) * 1000);
    assert_eq!(take(&mut second, &cases, 460), (vec![], vec![known.id]), "the file was mended under way");
    let mut mended = desk().watching(vec![end(5000)]);
    mended.restore(&cases, &Plain, vec![known.clone()], 0);
    assert_eq!(take(&mut mended, &cases, 450), (vec![], vec![known.id]));
}

#[test]
fn old_records_hold_alerts_back_only_while_more_of_them_wait() {
    let (outbox, _inbox) = channel(1);
    let new = |end: Option<u64>| {
        let log_end = Arc::new(move || end);
        let mut desk = Desk::new(StreamId::new("pos", "in", 0), Arc::new(Ladder::default()), outbox.clone(), log_end);
        desk.busy_until = Instant::now();
        desk.note_read(0, 60_000, Offset(10));
        desk.busy_until > Instant::now()
    };
    assert!(new(None), "nobody knows");
    assert!(new(Some(50_000)), "a backlog");
    assert!(!new(Some(11)), "a sender that dates its records back");
}

#[tokio::test(start_paused = true)]
async fn a_start_is_calm_at_once_when_the_log_was_read_to_its_end_and_after_a_while_when_that_is_not_known() {
    let (outbox, _inbox) = channel(1);
    let new = |end: Option<u64>| {
        let log_end = Arc::new(move || end);
        let mut desk = Desk::new(StreamId::new("pos", "in", 0), Arc::new(Ladder::default()), outbox.clone(), log_end);
        desk.landed(Offset(10));
        desk
    };
    assert!(!new(Some(10)).is_busy(), "nothing waits");
    let mut behind = new(Some(12));
    assert!(behind.is_busy(), "two records wait");
    behind.note_read(60_000, 60_000, Offset(12));
    assert!(!behind.is_busy(), "they were read");
    behind.note_read(0, 60_000, Offset(13));
    assert!(!behind.is_busy(), "an old record, but no more of them");
    let mut blind = new(None);
    assert!(blind.is_busy());
    tokio::time::advance(CALM).await;
    assert!(!blind.is_busy(), "no old record came");
}

proptest! {
    /// What a model that looks at every case at every second would have raised, each exactly once, whatever happens to
    /// the due times and however often the process starts again.
    #[test]
    fn nothing_is_missed_and_nothing_doubled(
        steps in proptest::collection::vec((0..8u64, 1..400i64, 0..10u8, 1..60i64), 1..60)
    ) {
        let (mut cases, mut desk) = (CaseStore::default(), desk());
        desk.landed(Offset(1));
        let mut firing: BTreeMap<AlertId, Known> = BTreeMap::new();
        let mut model: BTreeSet<AlertId> = BTreeSet::new();
        let mut now = 0;
        for (id, goal, kind, wait) in steps {
            let mut changed = case(id, now, now + goal);
            match kind {
                0 => changed.answered_at = Some(time(now)),
                1 => changed.flags.set(Flag::Paused, true),
                2 => {
                    changed.status_since = Some(time(now));
                    changed.due_stage = Some(time(now + goal / 2));
                }
                3 => changed.due_first = Some(time(now + goal / 3)),
                _ => {}
            }
            if kind < 8 {
                change(&mut cases, &mut desk, changed);
                if kind == 7 {
                    desk.touch_all();
                }
            } else {
                desk = self::desk();
                desk.landed(Offset(1));
                desk.restore(&cases, &Plain, firing.values().cloned().collect(), 0);
            }
            now += wait;
            for order in desk.take(&cases, &Plain, (BEGIN + now) * 1000) {
                match order {
                    Order::Raise(raise) => {
                        let level = Ladder::default().levels[usize::from(raise.level)].name.clone();
                        let known = Known {
                            id: raise.id,
                            case_key: raise.case_key.0,
                            clock: CLOCKS[usize::from(raise.clock)].name().to_owned(),
                            level,
                            due: raise.due,
                        };
                        prop_assert!(firing.insert(raise.id, known).is_none(), "raised twice");
                    }
                    Order::Calendar(_) => prop_assert!(false, "nobody asked for calendars"),
                    Order::Resolve(resolve) => {
                        prop_assert!(firing.remove(&resolve.id).is_some(), "resolved what does not fire");
                    }
                }
            }
            model.clear();
            for case in cases.iter() {
                for (clock, which) in CLOCKS.iter().enumerate() {
                    let Some(run) = running(case, &Plain, *which) else { continue };
                    for level in &Ladder::default().levels {
                        if i64::from(level.reached_at(run)) <= BEGIN + now {
                            model.insert(alert_id(case.key, clock as u8, run.due.seconds(), &level.name));
                        }
                    }
                }
            }
            // a start that moves under the same due time takes back nothing that was said
            for (id, known) in &firing {
                let case = cases.iter().find(|case| case.key.0 == known.case_key);
                let run = case.and_then(|case| running(case, &Plain, Clock::from_name(&known.clock)?));
                if run.is_some_and(|run| run.due.seconds() == known.due) {
                    model.insert(*id);
                }
            }
            let held: BTreeSet<AlertId> = firing.keys().copied().collect();
            prop_assert_eq!(&held, &model);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_frozen_owner_wrote_after_the_start_is_resolved_by_a_later_check() {
    let (outbox, mut inbox) = channel(4);
    let ladder = Arc::new(Ladder::default());
    let mut desk = Desk::new(StreamId::new("pos", "in", 0), ladder.clone(), outbox, Arc::new(|| None));
    let mut cases = CaseStore::default();
    let mut ended = case(1, 0, 1000);
    ended.status = Status::Answered;
    ended.answered_at = Some(time(10));
    cases.put(ended);
    desk.landed(ended.version.offset().next());
    let now = (BEGIN + 990) * 1000;

    tokio::time::advance(CALM).await;
    desk.turn(&cases, &Plain, now);
    let Ok(Message::Ask(_, answer)) = inbox.try_recv() else { panic!("asks first") };
    answer.send(Vec::new()).expect("waits");
    desk.turn(&cases, &Plain, now);
    assert!(inbox.try_recv().is_err(), "nothing runs, nothing fires");

    tokio::time::advance(std::time::Duration::from_secs(6)).await;
    desk.turn(&cases, &Plain, now);
    let Ok(Message::Check(_, answer)) = inbox.try_recv() else { panic!("asks again") };
    let clock = CLOCKS.iter().position(|clock| *clock == Clock::FinalAnswer).expect("a clock") as u8;
    let level = &ladder.levels[0].name;
    let due = time(1000).seconds();
    let id = alert_id(ended.key, clock, due, level);
    let late =
        Known { id, case_key: ended.key.0, clock: Clock::FinalAnswer.name().to_owned(), due, level: level.clone() };
    answer.send(vec![late]).expect("waits");
    desk.turn(&cases, &Plain, now);
    let Ok(Message::Orders(_, orders)) = inbox.try_recv() else { panic!("tells that it is over") };
    assert!(matches!(&orders[..], [Order::Resolve(resolve)] if resolve.id == id), "{orders:?}");
}
