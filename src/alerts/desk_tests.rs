use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tokio::sync::mpsc::channel;

use super::*;
use crate::model::case::RowVersion;
use crate::model::time::Time;
use crate::model::words::Status;

const BEGIN: i64 = 1_700_000_000;

fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(BEGIN + seconds).expect("in range")
}

fn desk() -> Desk {
    let (outbox, _) = channel(1);
    Desk::new(StreamId::new("pos", "in", 0), Arc::new(Ladder::default()), outbox)
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
    desk.touch(case.key);
}

fn take(desk: &mut Desk, cases: &CaseStore, now: i64) -> (Vec<AlertId>, Vec<AlertId>) {
    let (mut raised, mut resolved) = (Vec::new(), Vec::new());
    loop {
        let orders = desk.take(cases, (BEGIN + now) * 1000);
        if orders.is_empty() {
            return (raised, resolved);
        }
        for order in orders {
            match order {
                Order::Raise(raise) => raised.push(raise.id),
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
        clock: 1,
        level: level.to_owned(),
        due,
    };
    let mut desk = desk();
    desk.landed(Offset(1));
    desk.restore(&cases, vec![known(&open, "warn_50"), known(&open, "gone_level"), known(&done, "warn_50")]);
    let (raised, resolved) = take(&mut desk, &cases, 1001);
    assert_eq!(raised, vec![alert_id(open.key, 1, due, "warn_80"), alert_id(open.key, 1, due, "breach")]);
    let over: BTreeSet<AlertId> = resolved.into_iter().collect();
    assert_eq!(over, [known(&open, "gone_level").id, known(&done, "warn_50").id].into());
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
            if kind == 0 {
                changed.answered_at = Some(time(now));
            }
            if kind < 8 {
                change(&mut cases, &mut desk, changed);
            } else {
                desk = self::desk();
                desk.landed(Offset(1));
                desk.restore(&cases, firing.values().cloned().collect());
            }
            now += wait;
            for order in desk.take(&cases, (BEGIN + now) * 1000) {
                match order {
                    Order::Raise(raise) => {
                        let level = Ladder::default().levels[usize::from(raise.level)].name.clone();
                        let known = Known {
                            id: raise.id, case_key: raise.case_key.0, clock: raise.clock, level, due: raise.due,
                        };
                        prop_assert!(firing.insert(raise.id, known).is_none(), "raised twice");
                    }
                    Order::Resolve(resolve) => {
                        prop_assert!(firing.remove(&resolve.id).is_some(), "resolved what does not fire");
                    }
                }
            }
            model.clear();
            for case in cases.iter() {
                let Some(run) = running(case, CLOCKS[1]) else { continue };
                for level in &Ladder::default().levels {
                    if i64::from(level.reached_at(run)) <= BEGIN + now {
                        model.insert(alert_id(case.key, 1, run.due.seconds(), &level.name));
                    }
                }
            }
            // a start that moves under the same due time takes back nothing that was said
            for (id, known) in &firing {
                let case = cases.iter().find(|case| case.key.0 == known.case_key);
                let run = case.and_then(|case| running(case, CLOCKS[usize::from(known.clock)]));
                if run.is_some_and(|run| run.due.seconds() == known.due) {
                    model.insert(*id);
                }
            }
            let held: BTreeSet<AlertId> = firing.keys().copied().collect();
            prop_assert_eq!(&held, &model);
        }
    }
}
