//! The lives of cases in the channels beside ПОС and social networks: СЭД, Система-112 and the portal.
//! Owner: the simulation. Invariants: the statuses are those that `pipelines/{sed,s112,portal}.toml` give the words of
//! `channel_records.rs`; a source that is no channel is left to `case.rs`, so runs without channels throw the same dice as ever.

use super::SourceKind;
use super::case::{Case, DAY, HOUR, MINUTE, Step};
use super::dice::Dice;
use crate::model::words::Status;

/// New cases a week. 112 of Ryazan has about 4,000 calls a day, and 19 of a hundred become a card. The volumes of the portal and of the
/// questions of СЭД are not published: a guess, to be replaced by the customer's.
const CASES_PER_WEEK: [(SourceKind, f64); 3] =
    [(SourceKind::Sed, 250.0), (SourceKind::S112, 4_000.0 * 0.19 * 7.0), (SourceKind::Portal, 300.0)];

/// The channels and their cases to one case of the other sources, of which a week has `others`.
pub(super) fn to_one_other(others: f64) -> [(SourceKind, f64); 3] {
    CASES_PER_WEEK.map(|(source, cases)| (source, cases / others))
}

/// What comes next: the step, its delay (median in seconds and spread), and whether offices do it (the share done out of hours;
/// weekends too).
pub(super) struct Plan {
    pub(super) step: Step,
    pub(super) median: f64,
    pub(super) sigma: f64,
    pub(super) office: Option<(f64, bool)>,
}

const OFFICE: Option<(f64, bool)> = Some((0.15, false));

/// `None`: not a channel. `Some(None)`: nothing comes any more.
pub(super) fn next(case: &Case, dice: &mut Dice) -> Option<Option<Plan>> {
    match case.source {
        SourceKind::Pos | SourceKind::Incident => None,
        SourceKind::Sed => Some(next_of_question(case, dice)),
        SourceKind::S112 => Some(next_of_card(case, dice)),
        SourceKind::Portal => Some(next_of_request(case, dice)),
    }
}

fn plan(step: Step, median: f64, sigma: f64, office: Option<(f64, bool)>) -> Option<Plan> {
    Some(Plan { step, median, sigma, office })
}

fn next_of_question(case: &Case, dice: &mut Dice) -> Option<Plan> {
    match case.step {
        Step::OnModeration if dice.chance(0.05) => plan(Step::Declined, 5.0 * DAY, 0.4, OFFICE),
        Step::OnModeration => plan(Step::Assigned, DAY, 0.6, OFFICE),
        Step::Assigned | Step::SentDown if case.transfers < 2 && dice.chance(0.25) => {
            plan(Step::SentDown, 4.0 * DAY, 0.5, OFFICE)
        }
        Step::Assigned | Step::SentDown if dice.chance(0.01) => None,
        Step::Assigned | Step::SentDown if !case.interim_given && dice.chance(0.08) => {
            plan(Step::Extended, 24.0 * DAY, 0.1, OFFICE)
        }
        Step::Assigned | Step::SentDown => plan(Step::Answer, 20.0 * DAY, 0.35, OFFICE),
        Step::Extended => plan(Step::Answer, 14.0 * DAY, 0.4, OFFICE),
        _ => None,
    }
}

fn next_of_card(case: &Case, dice: &mut Dice) -> Option<Plan> {
    match case.step {
        Step::Found => plan(Step::Taken, 2.0 * MINUTE, 0.7, None),
        Step::Taken if dice.chance(0.06) => plan(Step::MarkedSpam, 3.0 * MINUTE, 0.6, None),
        Step::Taken if dice.chance(0.12) => plan(Step::MarkedDuplicate, 2.0 * MINUTE, 0.6, None),
        Step::Taken if dice.chance(0.6) => plan(Step::Arrived, 14.0 * MINUTE, 0.6, None),
        Step::Taken | Step::Arrived => plan(Step::Closed, 1.2 * HOUR, 0.9, None),
        _ => None,
    }
}

fn next_of_request(case: &Case, dice: &mut Dice) -> Option<Plan> {
    match case.step {
        Step::Found => plan(Step::Taken, 1.5 * HOUR, 0.7, OFFICE),
        Step::Taken if dice.chance(0.07) => plan(Step::MarkedSpam, HOUR, 0.6, OFFICE),
        Step::Taken if dice.chance(0.04) => plan(Step::MarkedDuplicate, HOUR, 0.6, OFFICE),
        Step::Taken => plan(Step::Routed, 2.0 * HOUR, 0.7, OFFICE),
        Step::Routed if case.transfers < 4 && dice.chance(0.08) => plan(Step::Routed, 8.0 * HOUR, 0.7, OFFICE),
        Step::Routed if dice.chance(0.012) => None,
        Step::Routed if !case.interim_given && dice.chance(0.15) => plan(Step::InterimAnswer, 3.0 * DAY, 0.5, OFFICE),
        Step::Routed => plan(Step::Answered, 4.5 * DAY, 0.6, OFFICE),
        Step::InterimAnswer => plan(Step::Answered, 4.0 * DAY, 0.6, OFFICE),
        Step::Answered if dice.chance(0.4) => plan(Step::Rating, 10.0 * HOUR, 1.0, None),
        Step::Answered => plan(Step::Closed, 20.0 * HOUR, 0.7, OFFICE),
        Step::Rating if case.rating <= 2 && case.round < 2 && dice.chance(0.6) => {
            plan(Step::Returned, 2.0 * HOUR, 0.8, None)
        }
        Step::Rating => plan(Step::Closed, 14.0 * HOUR, 0.7, OFFICE),
        Step::Returned => plan(Step::Routed, 3.0 * HOUR, 0.7, OFFICE),
        _ => None,
    }
}

/// The status a step leads to in this source; `usual` is what it means elsewhere.
pub(super) fn status(source: SourceKind, step: Step, usual: Status) -> Status {
    match (source, step) {
        (SourceKind::Sed, Step::OnModeration) => Status::New,
        (SourceKind::Sed, Step::SentDown) => Status::Transferred,
        (SourceKind::S112, Step::Taken) => Status::InWork,
        (SourceKind::Portal, Step::Found) => Status::Moderation,
        (SourceKind::Portal, Step::Taken) => Status::Coordination,
        _ => usual,
    }
}
