use super::*;
use crate::model::ids::{CaseKey, Offset};
use proptest::prelude::*;

struct TenDays;

impl DeadlineRules for TenDays {
    fn deadlines(&self, case: &Case) -> Deadlines {
        let start = case.registered_at;
        Deadlines {
            policy: 1,
            due_first: start.map(|at| at.plus_seconds(8 * 3600)),
            due_final: case.round_since.or(start).map(|at| at.plus_seconds(10 * 86_400)),
            ..Deadlines::default()
        }
    }

    fn pause(&self, _: &Case, from: Time, to: Time) -> Paused {
        Paused { seconds: to.seconds_since(from), days: 0 }
    }
}

const START: i64 = 1_767_607_200;

fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds).expect("in range")
}

fn event(kind: EventKind, after: i64) -> Facts {
    let mut facts = Facts::empty(CaseKey(7), Shape::Event, time(START + after));
    facts.event = Some(kind);
    facts.digest = xxhash_rust::xxh3::xxh3_64(format!("{kind:?}{after}").as_bytes());
    facts
}

fn routed(body: u16, after: i64) -> Facts {
    Facts { body: Some(BodyId(body)), ..event(EventKind::Routed, after) }
}

fn status(status: Status, after: i64) -> Facts {
    let digest = xxhash_rust::xxh3::xxh3_64(format!("{status:?}{after}").as_bytes());
    Facts { status: Some(status), digest, ..event(EventKind::StatusChanged, after) }
}

/// Folds the records and returns the case, the outcomes and the sum of each kind of effect.
fn fold(records: &[Facts]) -> (Case, Vec<Outcome>, std::collections::BTreeMap<EffectKind, i32>) {
    let mut case = None;
    let mut outcomes = Vec::new();
    let mut sums = std::collections::BTreeMap::new();
    for (offset, facts) in records.iter().enumerate() {
        let mut effects = Vec::new();
        let version = RowVersion::new(Offset(offset as u64), 0);
        let (after, verdict) = apply(case.as_ref(), facts, version, &TenDays, &mut effects);
        for effect in effects {
            *sums.entry(effect.kind).or_insert(0) += i32::from(effect.sign);
        }
        outcomes.push(verdict.outcome);
        if verdict.outcome == Outcome::Applied {
            case = Some(after);
        }
    }
    sums.retain(|_, sum| *sum != 0);
    (case.expect("at least one record applied"), outcomes, sums)
}

#[test]
fn a_straight_life_counts_every_fact_once() {
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 600),
        event(EventKind::InterimAnswer, 3600),
        event(EventKind::Answered, 7200),
        event(EventKind::Closed, 9000),
    ];
    let (case, _, sums) = fold(&life);
    assert_eq!(case.status, Status::Closed);
    assert_eq!(case.first_answer_at, Some(time(START + 3600)));
    assert_eq!(case.answered_at, Some(time(START + 7200)));
    assert_eq!(sums[&EffectKind::Registered], 1);
    assert_eq!(sums[&EffectKind::Answered], 1);
    assert!(!sums.contains_key(&EffectKind::FinalBreached));
}

#[test]
fn any_order_of_arrival_ends_in_the_same_facts() {
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 600),
        event(EventKind::InterimAnswer, 3600),
        event(EventKind::Answered, 7200),
    ];
    let (straight, _, straight_sums) = fold(&life);
    for order in [[3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 0, 1], [0, 3, 1, 2]] {
        let shuffled: Vec<Facts> = order.iter().map(|place| life[*place]).collect();
        let (case, _, sums) = fold(&shuffled);
        assert_eq!(
            (case.status, case.answered_at, case.first_answer_at),
            (straight.status, straight.answered_at, straight.first_answer_at)
        );
        assert_eq!(case.registered_at, straight.registered_at);
        assert_eq!(sums, straight_sums, "order {order:?}");
    }
}

#[test]
fn a_record_delivered_again_is_a_duplicate_and_counts_nothing() {
    let life = [event(EventKind::Registered, 0), routed(1, 600), routed(2, 900), event(EventKind::Answered, 7200)];
    let mut twice = life.to_vec();
    twice.extend(life);
    let (_, outcomes, sums) = fold(&twice);
    assert!(outcomes[4..].iter().all(|outcome| *outcome == Outcome::Duplicate), "{outcomes:?}");
    assert_eq!(sums[&EffectKind::Transferred], 1);
    assert_eq!(sums[&EffectKind::Answered], 1);
}

#[test]
fn an_overtaken_hand_over_makes_its_body_the_holder_before() {
    let (case, outcomes, sums) = fold(&[event(EventKind::Registered, 0), routed(2, 900), routed(1, 600)]);
    assert_eq!((case.body, case.previous_body, case.received_body), (BodyId(2), BodyId(1), BodyId(1)));
    assert_eq!((outcomes[2], case.transfers, sums[&EffectKind::Transferred]), (Outcome::Applied, 1, 1));
}

#[test]
fn an_overtaken_status_is_ignored_and_not_called_a_duplicate() {
    let (case, outcomes, _) =
        fold(&[event(EventKind::Registered, 0), status(Status::Approval, 900), status(Status::InWork, 600)]);
    assert_eq!((case.status, outcomes[2]), (Status::Approval, Outcome::Ignored));
}

#[test]
fn a_late_answer_is_a_breach_of_the_body_that_held_the_case_when_it_fell_due() {
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 600),
        routed(2, 11 * 86_400),
        event(EventKind::Answered, 12 * 86_400),
    ];
    let (case, _, sums) = fold(&life);
    assert_eq!(case.breach_body, BodyId(1));
    assert_eq!(case.final_breach_at, case.due_final);
    assert_eq!(sums[&EffectKind::FinalBreached], 1);
}

#[test]
fn a_returned_case_takes_its_answer_back_and_keeps_its_breach() {
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 600),
        event(EventKind::Answered, 12 * 86_400),
        event(EventKind::Returned, 13 * 86_400),
    ];
    let (case, _, sums) = fold(&life);
    assert_eq!((case.status, case.review_round), (Status::Returned, 1));
    assert_eq!(case.answered_at, None);
    assert!(!sums.contains_key(&EffectKind::Answered));
    assert_eq!(sums[&EffectKind::FinalBreached], 1);
    assert_eq!(case.due_final, Some(time(START + 23 * 86_400)));
}

#[test]
fn a_case_whose_first_event_never_came_is_counted_when_it_comes() {
    let (_, _, without) = fold(&[routed(1, 600), event(EventKind::Answered, 7200)]);
    assert_eq!(without.keys().collect::<Vec<_>>(), [&EffectKind::Held], "only the time in hands does not need a start");
    let (_, _, with) = fold(&[routed(1, 600), event(EventKind::Answered, 7200), event(EventKind::Registered, 0)]);
    assert_eq!((with[&EffectKind::Registered], with[&EffectKind::Answered]), (1, 1));
}

#[test]
fn a_new_block_moves_every_standing_fact_to_it() {
    let mut register = event(EventKind::Registered, 0);
    register.block = Some(crate::model::case::BlockId(3));
    let mut corrected = event(EventKind::Updated, 60);
    corrected.block = Some(crate::model::case::BlockId(5));
    let mut effects = Vec::new();
    let (case, _) = apply(None, &register, RowVersion(1), &TenDays, &mut effects);
    effects.clear();
    apply(Some(&case), &corrected, RowVersion(2), &TenDays, &mut effects);
    let signs: Vec<i8> = effects.iter().map(|effect| effect.sign).collect();
    assert_eq!(signs, vec![-1, 1]);
}

#[test]
fn an_older_row_delivered_again_does_not_turn_the_case_back() {
    let (case, outcomes, _) =
        fold(&[row(1 << 40, Status::InWork, 0), row(2 << 40, Status::Approval, 60), row(1 << 40, Status::InWork, 90)]);
    assert_eq!(case.status, Status::Approval);
    assert_eq!(outcomes[2], Outcome::Duplicate);
}

fn row(digest: u64, status: Status, after: i64) -> Facts {
    let mut facts = Facts::empty(CaseKey(7), Shape::Snapshot, time(START + after));
    facts.digest = digest;
    facts.status = Some(status);
    facts.registered_at = Some(time(START));
    facts.body = Some(BodyId(1));
    facts.day_only = true;
    facts
}

#[test]
fn the_same_snapshot_twice_changes_nothing() {
    let (_, outcomes, sums) = fold(&[row(1 << 40, Status::InWork, 0), row(1 << 40, Status::InWork, 9000)]);
    assert_eq!(outcomes, vec![Outcome::Applied, Outcome::Duplicate]);
    assert_eq!(sums[&EffectKind::Registered], 1);
}

#[test]
fn a_snapshot_derives_answer_rating_and_reopening() {
    let mut answered = row(2 << 40, Status::Answered, 5 * 86_400);
    answered.completed_at = Some(time(START + 4 * 86_400));
    let mut rated = Facts { digest: 3 << 40, rating: Some(2), ..answered };
    rated.at = time(START + 6 * 86_400);
    let mut reopened = row(4 << 40, Status::InWork, 7 * 86_400);
    reopened.review = Some(1);
    let (case, _, sums) = fold(&[row(1 << 40, Status::InWork, 0), answered, rated, reopened]);
    assert_eq!((case.status, case.review_round, case.rating), (Status::InWork, 1, 0), "a mark is of an answer");
    assert_eq!(case.first_answer_at, Some(time(START + 4 * 86_400)));
    assert_eq!((sums[&EffectKind::Rated], sums[&EffectKind::Reopened]), (1, 1));
    assert!(!sums.contains_key(&EffectKind::Answered));
}

#[test]
fn the_same_mark_for_the_answer_of_a_new_round_counts_again_and_an_old_one_that_stays_in_the_row_does_not() {
    let answered = |digest, after| {
        let mut answered = row(digest, Status::Answered, after);
        answered.completed_at = Some(time(START + after));
        answered
    };
    let rated = Facts { rating: Some(2), ..answered(2 << 40, 86_400) };
    let mut reopened = row(3 << 40, Status::InWork, 2 * 86_400);
    reopened.review = Some(1);
    let again = Facts { rating: Some(2), review: Some(1), ..answered(4 << 40, 3 * 86_400) };
    let (case, _, sums) = fold(&[row(1 << 40, Status::InWork, 0), rated, reopened, again]);
    assert_eq!((case.rating, sums[&EffectKind::Rated]), (2, 2));

    let stale = Facts { rating: Some(2), ..reopened };
    let (case, _, sums) = fold(&[row(1 << 40, Status::InWork, 0), rated, stale, again]);
    assert_eq!((case.rating, sums[&EffectKind::Rated]), (2, 1));
}

#[test]
fn a_corrected_completion_date_moves_the_answer_to_its_new_day() {
    let mut first = row(1 << 40, Status::Answered, 0);
    first.completed_at = Some(time(START + 86_400));
    let corrected = Facts { digest: 2 << 40, completed_at: Some(time(START + 2 * 86_400)), ..first };
    let mut effects = Vec::new();
    let (case, _) = apply(None, &first, RowVersion(1), &TenDays, &mut effects);
    effects.clear();
    let (case, _) = apply(Some(&case), &corrected, RowVersion(2), &TenDays, &mut effects);
    assert_eq!(case.answered_at, Some(time(START + 2 * 86_400)));
    let answers: Vec<(i8, Time)> = effects
        .iter()
        .filter(|effect| effect.kind == EffectKind::Answered)
        .map(|effect| (effect.sign, effect.at))
        .collect();
    assert_eq!(answers, vec![(-1, time(START + 86_400)), (1, time(START + 2 * 86_400))]);
}

/// Sums of effects by kind, time and body.
type Sums = std::collections::BTreeMap<(EffectKind, u32, u16), i64>;

/// A case that was folded, with what stands and what was counted by body.
fn standing(records: &[Facts]) -> (Vec<String>, Sums) {
    let mut case: Option<Case> = None;
    let mut sums = std::collections::BTreeMap::new();
    for (offset, facts) in records.iter().enumerate() {
        let mut effects = Vec::new();
        let version = RowVersion::new(Offset(offset as u64), 0);
        let (after, verdict) = apply(case.as_ref(), facts, version, &TenDays, &mut effects);
        for effect in effects {
            // seconds in hands add up by body, all else stands at its moment
            let (at, value) =
                if effect.kind == EffectKind::Held { (0, i64::from(effect.value)) } else { (effect.at.seconds(), 1) };
            *sums.entry((effect.kind, at, effect.body.0)).or_insert(0) += i64::from(effect.sign) * value;
        }
        if verdict.outcome == Outcome::Applied {
            case = Some(after);
        }
    }
    sums.retain(|_, sum| *sum != 0);
    let case = case.expect("a case");
    let facts = vec![
        format!("{:?} {:?} round {}", case.status, case.status_at, case.review_round),
        format!(
            "registered {:?} first {:?} answered {:?} closed {:?}",
            case.registered_at, case.first_answer_at, case.answered_at, case.closed_at
        ),
        format!(
            "held by {:?} since {:?}, first {:?} at {:?}",
            case.body, case.holder_since, case.received_body, case.routed_at
        ),
        format!(
            "due {:?} {:?}, breached {:?} {:?}",
            case.due_first,
            case.due_final,
            case.first_breach_at(),
            case.final_breach_at
        ),
        format!("answers by {:?} {:?}, transfers {}", case.first_answer_body, case.answer_body, case.transfers),
    ];
    (facts, sums)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// A life without a return: hand-overs and interim answers, then the end. Every order of arrival tells the same.
    #[test]
    fn any_order_of_the_events_of_a_life_ends_in_the_same_standing_facts(
        gaps in prop::collection::vec(1i64..400_000, 6), bodies in 0usize..4, has_interim: bool, ends in 0usize..3,
        order in Just((0..7usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut after = 0;
        let mut gaps = gaps.into_iter();
        let mut next = || { after += gaps.next().unwrap_or(1); after };
        let mut life = vec![event(EventKind::Registered, 0)];
        for body in 1..=bodies {
            life.push(routed(body as u16, next()));
        }
        if has_interim {
            life.push(event(EventKind::InterimAnswer, next()));
        }
        for kind in [EventKind::Answered, EventKind::Closed].iter().take(ends) {
            life.push(event(*kind, next()));
        }
        for (place, facts) in life.iter_mut().enumerate() {
            facts.digest = (place as u64 + 1) << 49; // marks of sixteen bits may coincide, which is another matter
        }
        let shuffled: Vec<Facts> = order.iter().filter_map(|place| life.get(*place)).copied().collect();
        let (straight, seen) = (standing(&life), standing(&shuffled));
        prop_assert_eq!(seen.0, straight.0);
        prop_assert_eq!(seen.1, straight.1);
    }
}

#[test]
fn statuses_and_rounds_of_every_kind_of_life() {
    use EventKind::*;
    let hour = 3600;
    for (life, (status, round, is_answered, is_closed), what) in [
        (vec![event(Registered, 0), event(Merged, hour)], (Status::Duplicate, 0, false, true), "joined to another"),
        (
            vec![event(Merged, hour), event(Registered, 0)],
            (Status::Duplicate, 0, false, true),
            "the join was heard of first",
        ),
        (
            vec![event(Registered, 0), event(Merged, hour), routed(1, 2 * hour)],
            (Status::InWork, 1, false, false),
            "a double after all not",
        ),
        (
            vec![event(Registered, 0), event(Merged, 2 * hour), routed(1, hour)],
            (Status::Duplicate, 0, false, true),
            "work before the join",
        ),
        (vec![event(Registered, 0), event(Declined, hour)], (Status::Rejected, 0, false, true), "declined"),
        (
            vec![event(Registered, 0), event(Deferred, hour)],
            (Status::Deferred, 0, false, true),
            "put off is closed and no answer",
        ),
        (
            vec![event(Registered, 0), status(Status::Approval, 2 * hour), status(Status::InWork, 3 * hour)],
            (Status::InWork, 0, false, false),
            "a regression of the status is no new round",
        ),
        (
            vec![event(Registered, 0), event(Answered, hour), event(Closed, 2 * hour), event(Reopened, 3 * hour)],
            (Status::InWork, 1, false, false),
            "reopened after the close",
        ),
        (
            vec![event(Registered, 0), event(Answered, hour), status(Status::InWork, 2 * hour)],
            (Status::InWork, 1, false, false),
            "work after the answer is a new round",
        ),
        (
            vec![
                event(Registered, 0),
                event(Answered, hour),
                event(Returned, 2 * hour),
                event(Answered, 3 * hour),
                event(Returned, 4 * hour),
                event(Answered, 5 * hour),
            ],
            (Status::Answered, 2, true, false),
            "two returns",
        ),
        (
            vec![event(Registered, 0), event(Answered, hour), event(Answered, 3 * hour), event(Returned, 2 * hour)],
            (Status::Answered, 1, true, false),
            "the return was heard of last",
        ),
        (
            vec![event(Answered, hour), event(Closed, 2 * hour)],
            (Status::Closed, 0, true, true),
            "the first event never came",
        ),
        (vec![event(InterimAnswer, hour)], (Status::Interim, 0, false, false), "an interim answer solves nothing"),
        (
            vec![event(Registered, 0), event(Extended, hour)],
            (Status::Extended, 0, false, false),
            "a longer term solves nothing",
        ),
    ] {
        let (case, _, _) = fold(&life);
        assert_eq!((case.status, case.review_round), (status, round), "{what}");
        assert_eq!((case.answered_at.is_some(), case.closed_at.is_some()), (is_answered, is_closed), "{what}");
    }
}

#[test]
fn a_return_heard_of_last_takes_the_answer_before_it_back_and_keeps_the_one_after() {
    let life = [
        event(EventKind::Registered, 0),
        event(EventKind::Answered, 100),
        event(EventKind::Answered, 300),
        event(EventKind::Returned, 200),
    ];
    let (case, _, sums) = fold(&life);
    assert_eq!((case.round_since, case.answered_at), (Some(time(START + 200)), Some(time(START + 300))));
    assert_eq!(sums[&EffectKind::Answered], 1);
}

#[test]
fn each_clock_is_a_breach_of_whoever_held_the_case_when_it_fell_due() {
    // first answer due after 8 hours with body 1, final answer after 10 days with body 2
    let day = 86_400;
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 600),
        routed(2, day),
        routed(3, 11 * day),
        event(EventKind::Answered, 12 * day),
    ];
    for order in [[0, 1, 2, 3, 4], [0, 1, 3, 2, 4], [4, 3, 2, 0, 1], [0, 4, 3, 2, 1], [3, 2, 1, 4, 0]] {
        let shuffled: Vec<Facts> = order.iter().map(|place| life[*place]).collect();
        let (case, _, _) = fold(&shuffled);
        assert_eq!(case.breach_body, BodyId(2), "order {order:?}");
        assert_eq!(case.answer_body, BodyId(3), "order {order:?}");
    }
    let (case, _, _) = fold(&life);
    assert_eq!((case.first_breach_body, case.breach_body), (BodyId(1), BodyId(2)));
}

#[test]
fn a_deadline_before_the_first_hand_over_is_of_the_first_holder_in_any_order() {
    let life =
        [event(EventKind::Registered, 0), routed(1, 28_801), routed(2, 28_802), event(EventKind::Answered, 28_803)];
    for order in [[0, 1, 2, 3], [2, 3, 0, 1]] {
        let shuffled: Vec<Facts> = order.iter().map(|place| life[*place]).collect();
        assert_eq!(fold(&shuffled).0.first_breach_body, BodyId(1), "order {order:?}");
    }
}

#[test]
fn the_time_in_hands_is_counted_at_each_hand_over_and_at_the_end() {
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 100),
        routed(2, 400),
        routed(1, 1000),
        event(EventKind::Answered, 1500),
    ];
    let (case, ..) = fold(&life);
    assert_eq!((case.transfers, case.bounces), (2, 1), "it went back once");
    let (_, sums) = standing(&life);
    let held: Vec<(u16, i64)> = sums
        .iter()
        .filter(|((kind, ..), _)| *kind == EffectKind::Held)
        .map(|((_, _, body), sum)| (*body, *sum))
        .collect();
    assert_eq!(held, [(1, 300 + 500), (2, 600)]);
}

#[test]
fn nobody_holds_a_case_between_its_answer_and_its_return() {
    let life = [
        event(EventKind::Registered, 0),
        routed(1, 100),
        event(EventKind::Answered, 400),
        event(EventKind::Returned, 9000),
        event(EventKind::Answered, 9500),
    ];
    let (_, sums) = standing(&life);
    let held: i64 = sums.iter().filter(|((kind, ..), _)| *kind == EffectKind::Held).map(|(_, sum)| *sum).sum();
    assert_eq!(held, 300 + 500);
}

#[test]
fn the_registration_a_case_waits_for_is_never_taken_for_a_duplicate() {
    let answered = event(EventKind::Answered, 7200);
    let same_mark = Facts { digest: answered.digest, ..event(EventKind::Registered, 0) };
    let (case, outcomes, _) = fold(&[answered, same_mark]);
    assert_eq!((case.registered_at, outcomes[1]), (Some(time(START)), Outcome::Applied));
}
