use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::alerts::notice::{FIRING, sample_row};

/// Noon in Moscow on some day.
const NOON: u32 = 19_000 * DAY + 9 * HOUR;

fn gate(singles: u32, per_hour: u32, quiet: Option<Quiet>) -> Gate {
    Gate::new(Delivery { singles, group_seconds: 60, per_hour, quiet })
}

fn night() -> Option<Quiet> {
    Some(Quiet { from: 22 * HOUR, to: 7 * HOUR, except: vec!["breach".to_owned()] })
}

fn row(id: u32, level: &str) -> AlertRow {
    AlertRow {
        alert_id: format!("{id:032x}"),
        level: level.to_owned(),
        addressee: "Минздрав".to_owned(),
        ..sample_row()
    }
}

fn name(admitted: &Admitted) -> &'static str {
    match admitted {
        Admitted::Tell(_) => "tell",
        Admitted::Held(why, _) => why.name(),
        Admitted::Kept => "kept",
        Admitted::Silent(_) => "silent",
    }
}

fn admit(gate: &mut Gate, row: AlertRow, now: u32) -> &'static str {
    name(&gate.admit(row, now))
}

#[test]
fn the_first_alerts_of_a_minute_are_told_and_the_rest_come_as_one_digest() {
    let mut gate = gate(2, 100, None);
    let said: Vec<_> = (0..5).map(|id| admit(&mut gate, row(id, "breach"), NOON + id)).collect();
    assert_eq!(said, ["tell", "tell", "group", "group", "group"]);
    assert_eq!(gate.due(NOON + 59, |_| true), vec![]);
    let piles = gate.due(NOON + 60, |_| true);
    assert_eq!((piles.len(), piles[0].rows.len(), gate.held()), (1, 3, 0));
    assert!(piles[0].rows.iter().all(|row| row.held == "group" && row.state == FIRING));
    assert_eq!(admit(&mut gate, row(9, "breach"), NOON + 60), "tell", "a new minute");
}

#[test]
fn beyond_the_limit_of_an_hour_the_rest_waits_for_its_end() {
    let mut gate = gate(100, 3, None);
    let said: Vec<_> = (0..5).map(|id| admit(&mut gate, row(id, "breach"), NOON + 100 * id)).collect();
    assert_eq!(said, ["tell", "tell", "tell", "rate", "rate"]);
    assert!(gate.due(NOON + 3599, |_| true).is_empty());
    assert_eq!(gate.due(NOON + 3600, |_| true)[0].rows.len(), 2);
    let other = AlertRow { addressee: "Минтранс".to_owned(), ..row(7, "breach") };
    assert_eq!(admit(&mut gate, other, NOON + 3600), "tell", "each addressee has a limit of his own");
}

#[test]
fn quiet_hours_hold_all_but_the_named_levels_until_the_morning() {
    let mut gate = gate(100, 100, night());
    let evening = NOON + 11 * HOUR; // 23:00
    assert_eq!(admit(&mut gate, row(1, "warn_50"), evening), "quiet");
    assert_eq!(admit(&mut gate, row(2, "breach"), evening), "tell");
    assert_eq!(admit(&mut gate, row(3, "warn_80"), evening + 5 * HOUR), "quiet", "after midnight too");
    assert!(gate.due(evening + 8 * HOUR - 1, |_| true).is_empty());
    assert_eq!(gate.due(evening + 8 * HOUR, |_| true)[0].rows.len(), 2);
    assert_eq!(admit(&mut gate, row(4, "warn_50"), evening + 8 * HOUR), "tell", "07:00 is day");
}

#[test]
fn a_digest_of_the_evening_waits_for_the_morning_unless_a_named_level_is_in_it() {
    for (level, at_night) in [("warn_50", 0), ("breach", 1)] {
        let mut gate = gate(0, 100, night());
        let evening = NOON + 10 * HOUR - 30; // 21:59:30
        assert_eq!(admit(&mut gate, row(1, level), evening), "group");
        assert_eq!(gate.due(evening + 60, |_| true).len(), at_night, "{level}");
        assert_eq!(gate.due(evening + 60 + 9 * HOUR, |_| true).len(), 1 - at_night, "{level}");
    }
}

#[test]
fn what_ended_while_it_waited_is_still_said_and_what_a_digest_said_is_not_taken_back_alone() {
    let mut gate = gate(0, 100, None);
    assert_eq!(admit(&mut gate, row(1, "breach"), NOON), "group");
    assert_eq!(admit(&mut gate, row(1, "breach").resolved(5, 1), NOON + 1), "kept");
    let pile = gate.due(NOON + 60, |_| true).remove(0);
    assert!(!pile.rows[0].is_firing() && pile.rows[0].held == "group");
    let said = AlertRow { held: "group".to_owned(), digest_id: "d".to_owned(), ..row(1, "breach").resolved(5, 1) };
    assert_eq!(admit(&mut gate, said, NOON + 61), "silent");
    assert_eq!(admit(&mut gate, row(2, "breach").resolved(5, 1), NOON + 61), "tell", "one that was told alone");
    let found_after_a_restart = AlertRow { held: "quiet".to_owned(), ..row(3, "breach").resolved(5, 1) };
    assert_eq!(admit(&mut gate, found_after_a_restart, NOON + 61), "quiet");
    assert_eq!(gate.due(NOON + 61, |_| true)[0].rows.len(), 1);
}

#[test]
fn rows_of_a_partition_that_left_are_left_to_its_new_owner() {
    let mut gate = gate(0, 100, None);
    admit(&mut gate, row(1, "breach"), NOON);
    assert_eq!(gate.due(NOON + 60, |_| false), vec![]);
    assert_eq!(gate.held(), 0);
}

#[test]
fn more_rows_than_memory_has_room_for_are_told_early() {
    let mut gate = gate(0, 100, None);
    for id in 0..=HELD_AT_MOST as u32 {
        gate.admit(row(id, "breach"), NOON);
    }
    assert_eq!(gate.due(NOON, |_| true)[0].rows.len(), HELD_AT_MOST + 1);
}

proptest! {
    /// Every alert is told alone or in exactly one digest, whatever the limits and the times.
    #[test]
    fn nothing_is_left_unsaid_and_nothing_is_said_twice(
        steps in proptest::collection::vec((0..400u32, 0..3usize, 0..2000u32), 1..200),
        singles in 0..4u32, per_hour in 0..9u32, quiet: bool
    ) {
        let mut gate = gate(singles, per_hour, quiet.then(night).flatten());
        let (mut sent, mut said) = (BTreeSet::new(), Vec::new());
        let mut now = NOON;
        for (id, level, wait) in steps {
            let row = row(id, ["warn_50", "warn_80", "breach"][level]);
            if sent.insert(id)
                && let Admitted::Tell(row) = gate.admit(row, now)
            {
                said.push(row.alert_id);
            }
            now += wait;
            said.extend(gate.due(now, |_| true).into_iter().flat_map(|pile| pile.rows).map(|row| row.alert_id));
        }
        for _ in 0..24 {
            now += HOUR; // a digest may have to wait for the morning
            said.extend(gate.due(now, |_| true).into_iter().flat_map(|pile| pile.rows).map(|row| row.alert_id));
        }
        said.sort();
        let expected: Vec<String> = sent.iter().map(|id| format!("{id:032x}")).collect();
        prop_assert_eq!(said, expected);
        prop_assert_eq!(gate.held(), 0);
    }
}
