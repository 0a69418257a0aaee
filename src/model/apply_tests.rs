use super::*;
use crate::model::ids::{CaseKey, Offset};

struct TenDays;

impl DeadlineRules for TenDays {
    fn deadlines(&self, case: &Case) -> Deadlines {
        let start = case.registered_at;
        Deadlines {
            policy: 1,
            due_first: start.map(|at| at.plus_seconds(8 * 3600)),
            due_final: case.round_since.or(start).map(|at| at.plus_seconds(10 * 86_400)),
        }
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
fn an_overtaken_hand_over_is_ignored_and_not_called_a_duplicate() {
    let (case, outcomes, _) = fold(&[event(EventKind::Registered, 0), routed(2, 900), routed(1, 600)]);
    assert_eq!(case.body, BodyId(2));
    assert_eq!(outcomes[2], Outcome::Ignored);
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
    assert!(without.is_empty());
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
