//! Schedules that once broke a law, shrunk, and single histories that chance does not draw.
//! How to add one: paste the schedule that a failing run prints, and name the test by what must hold.

use crate::model::ids::{Offset, OffsetRange, RulesVersion, StreamEpoch};
use crate::partition::batch::Intent;
use crate::testkit::faults::{Fault, Incident, Point};
use crate::testkit::house::{House, TOKENS};
use crate::testkit::records::{BEGIN, Sent, TestRules, fold, log_of, shared};
use crate::testkit::world::{Schedule, run, run_after};

fn event(case: u8, kind: u8) -> Sent {
    Sent::Event { case, kind, age: 0, minutes: 0, place: 1 }
}

fn schedule(records: Vec<Sent>, incidents: Vec<Incident>) -> Schedule {
    Schedule { records, chunks: vec![(2, 3)], rows: 10, rules: 1, incidents, second_life: Vec::new() }
}

fn incident(point: Point, skip: u8, fault: Fault) -> Incident {
    Incident { point, skip, fault, next_rules: 1, forgets_tokens: false }
}

#[test]
fn a_replay_whose_last_records_are_gone_stops_and_names_the_range_and_the_way_out() {
    let range = OffsetRange { begin: Offset(0), end: Offset(4) };
    let intent = Intent { range, epoch: StreamEpoch(1), rules: RulesVersion(1), tick: BEGIN * 1000 };
    let records = vec![event(1, 0), event(2, 0), Sent::Hole, Sent::Hole];
    let (stopped, _) = run_after(&schedule(records, Vec::new()), Some((Offset(0), intent.to_string())));
    let problem = stopped.expect_err("the records up to 4 never come");
    assert!(problem.contains("Stopped(\"the open intent [0,4) of tsur.in.incident/0 cannot be replayed"), "{problem}");
    assert!(problem.contains("commit offset 0 without metadata"), "{problem}");
}

#[test]
fn a_late_commit_of_a_partition_that_was_given_away_does_not_turn_the_offset_back() {
    let records: Vec<Sent> = (0..12).map(|place| event(place % 3, place)).collect();
    let late = Fault::Revoke { call: 70, drain: 5, queued: true };
    for skip in 0..3 {
        for point in [Point::Begin, Point::Finish] {
            let crash = incident(Point::Begin, 1, Fault::Crash { after: true });
            let schedule = schedule(records.clone(), vec![incident(point, skip, late), crash]);
            run(&schedule).expect("the laws hold");
        }
    }
}

#[test]
fn a_block_whose_token_was_noted_and_whose_rows_were_lost_goes_out_again() {
    let records: Vec<Sent> = (0..12).map(|place| event(place % 3, place)).collect();
    for (journal, crash) in [(false, false), (false, true), (true, false), (true, true)] {
        let torn = incident(Point::Write, 0, Fault::Torn { journal, crash });
        run(&schedule(records.clone(), vec![torn])).expect("the laws hold");
        run(&schedule(records.clone(), vec![torn, torn, torn])).expect("whatever happens to the token that follows");
    }
}

#[test]
fn a_replay_under_other_rules_writes_rows_that_say_so() {
    let records: Vec<Sent> = (0..6).map(|place| event(place % 2, place)).collect();
    let crash = Incident { next_rules: 2, ..incident(Point::Write, 0, Fault::Crash { after: false }) };
    run(&schedule(records, vec![crash])).expect("the laws hold");
}

fn block_of(sent: &[Sent]) -> Vec<u8> {
    let mut fold = fold(100, TestRules::new(1).into());
    let mut chunk = crate::kafka::chunk::Chunk::new(crate::model::ids::AssignmentEpoch(1));
    for record in log_of(sent).records {
        chunk.push(record.offset, record.time, record.payload.as_deref());
    }
    let now = crate::model::time::Time::from_unix_seconds(BEGIN).expect("in range");
    fold.process(&chunk, 0, 0..u64::MAX, now);
    fold.seal(BEGIN * 1000, RulesVersion(1))
}

#[test]
fn the_fake_clickhouse_drops_a_known_token_whatever_the_rows_and_forgets_it_after_enough_parts() {
    let mut house = House::new(shared().names.clone());
    assert!(house.insert(&block_of(&[event(1, 0)]), "a"));
    assert!(!house.insert(&block_of(&[event(2, 0), event(3, 0)]), "a"), "other rows under the same token are dropped");
    assert_eq!(house.journal.len(), 1);
    for other in 0..TOKENS {
        let rows = block_of(&[]);
        assert!(house.insert(&rows, &format!("other {other}")));
    }
    assert!(house.insert(&block_of(&[event(1, 0)]), "a"), "a token outside the window is unknown");
    assert_eq!(house.journal.len(), 2);
}
