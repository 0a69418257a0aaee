//! A simulated case and its life: what the next step is and how long it takes.
//! Owner: the simulation. Invariants: event times of one case grow by at least two seconds a step; a step changes the
//! case first and is written afterwards, so a record always shows the case as it stood right after the step.

use super::SourceKind;
use super::channels;
use super::dice::{Dice, scatter};
use super::ledger::{Effect, Fact, Standing};
use super::rhythm::{into_office, moscow_day};
use super::world::World;
use crate::model::time::Time;
use crate::model::words::Status;

/// A step of a case; the first group belongs to incidents, the second to ПОС. The channels take theirs from both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Step {
    Found,
    Taken,
    Routed,
    InterimAnswer,
    Answered,
    Closed,
    Reaction,
    Returned,
    MarkedDuplicate,
    MarkedSpam,

    OnModeration,
    Declined,
    OnCoordination,
    Assigned,
    SentDown,
    SentUp,
    Extended,
    OnApproval,
    Answer,
    Rating,
    Reopening,

    /// A service of 112 is on the spot.
    Arrived,
}

/// The kinds of decision of a ПОС answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    None,
    Solved,
    NotSolved,
    Explained,
    Deferred,
}

/// The author's reaction to an incident's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mood {
    None,
    Satisfied,
    NotSatisfied,
}

/// One case as the source system would hold it. Everything that never changes after the opening follows from `seed`.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) serial: u64,
    pub(super) seed: u64,
    pub(super) source: SourceKind,
    pub(super) topic: u16,
    pub(super) territory: u16,
    pub(super) street: u16,
    pub(super) house: u16,
    /// The author: repeats share it.
    pub(super) author: u32,
    /// The serial number of the case this one repeats; zero when it repeats none.
    pub(super) twin: u64,
    pub(super) registered: Time,
    /// Event time of the last step.
    pub(super) touched: Time,
    /// Moscow day the answer is due on.
    pub(super) planned_day: u32,
    /// Moscow day of the answer or refusal; zero while there is none.
    pub(super) completed_day: u32,
    pub(super) received_by: u16,
    pub(super) holder: u16,
    pub(super) step: Step,
    pub(super) steps: u8,
    pub(super) transfers: u8,
    pub(super) round: u8,
    pub(super) rating: u8,
    pub(super) decision: Decision,
    pub(super) mood: Mood,
    pub(super) fast_track: bool,
    pub(super) law59: bool,
    pub(super) urgent: bool,
    pub(super) interim_given: bool,
    /// No record of the case may leave before this moment (snapshots must not overtake each other).
    pub(super) not_before: i64,
    /// A record held back until the next one has left.
    pub(super) held: Option<u32>,
    pub(super) standing: Standing,
    /// Records of the case that are written but not yet published.
    pub(super) waiting: u16,
    pub(super) ended: bool,
}

/// Ordinary and fast-track terms of ПОС in days.
const TERM: u32 = 30;
const FAST_TERM: u32 = 10;
pub(super) const MINUTE: f64 = 60.0;
pub(super) const HOUR: f64 = 3600.0;
pub(super) const DAY: f64 = 86_400.0;

impl Case {
    pub(super) fn first_step(source: SourceKind) -> Step {
        match source {
            SourceKind::Pos | SourceKind::Sed => Step::OnModeration,
            SourceKind::Incident | SourceKind::S112 | SourceKind::Portal => Step::Found,
        }
    }

    /// Term of the present round in seconds.
    fn term(&self) -> f64 {
        f64::from(if self.fast_track { FAST_TERM } else { TERM }) * DAY
    }

    /// Changes the case by the step at an event time and says what the record will mean.
    pub(super) fn take(&mut self, step: Step, at: Time, world: &World, dice: &mut Dice) -> Effect {
        let before = std::mem::replace(&mut self.step, step);
        self.steps = self.steps.saturating_add(1);
        self.touched = at;
        let block = world.block_of[usize::from(self.topic)];
        let other_body = |dice: &mut Dice| world.body(block, usize::from(self.territory), Some(self.holder), dice);
        let (fact, status) = match step {
            Step::Found => (Fact::Registered, Some(Status::New)),
            Step::Taken => (Fact::Taken, Some(Status::Moderation)),
            Step::Routed => {
                // Routed straight after being routed: the body passed it on. After a return the same body does it again.
                let passed_on = before == Step::Routed;
                if passed_on {
                    self.transfers += 1;
                    self.holder = other_body(dice);
                }
                (if passed_on { Fact::Transferred } else { Fact::Routed }, Some(Status::InWork))
            }
            Step::InterimAnswer => {
                self.interim_given = true;
                (Fact::Interim, Some(Status::Interim))
            }
            Step::Answered => (Fact::Answered, Some(Status::Answered)),
            Step::Closed => (Fact::Closed, Some(Status::Closed)),
            Step::Reaction => {
                let (mood, fact) = match dice.below(20) {
                    0..=8 => (Mood::Satisfied, Fact::Satisfied),
                    9..=16 => (Mood::NotSatisfied, Fact::NotSatisfied),
                    _ => (Mood::None, Fact::NoReaction),
                };
                self.mood = mood;
                (fact, None)
            }
            Step::Returned => {
                self.round += 1;
                (Fact::Returned, Some(Status::Returned))
            }
            Step::MarkedDuplicate => (Fact::Merged, Some(Status::Duplicate)),
            Step::MarkedSpam => (Fact::Rejected, Some(Status::Rejected)),

            Step::OnModeration => {
                self.planned_day = moscow_day(at) + (self.term() / DAY) as u32;
                (Fact::Registered, Some(Status::Moderation))
            }
            Step::Declined => {
                self.completed_day = moscow_day(at);
                (Fact::Rejected, Some(Status::Rejected))
            }
            Step::OnCoordination => (Fact::Taken, Some(Status::Coordination)),
            Step::Assigned => (Fact::Routed, Some(Status::InWork)),
            Step::SentDown | Step::SentUp => {
                self.transfers += 1;
                self.holder = other_body(dice);
                (Fact::Transferred, Some(Status::InWork))
            }
            Step::Extended => {
                self.interim_given = true;
                self.planned_day += TERM;
                (Fact::Extended, Some(Status::Extended))
            }
            Step::OnApproval => (Fact::Approval, Some(Status::Approval)),
            Step::Answer => {
                self.completed_day = moscow_day(at);
                self.decision = match dice.below(100) {
                    0..=57 => Decision::Solved,
                    58..=87 => Decision::Explained,
                    88..=94 => Decision::NotSolved,
                    _ => Decision::Deferred,
                };
                if self.source == SourceKind::Sed && self.decision == Decision::Deferred {
                    self.decision = Decision::Explained; // ССТУ knows no deferral
                }
                match self.decision {
                    Decision::Deferred => (Fact::Deferred, Some(Status::Deferred)),
                    _ => (Fact::Answered, Some(Status::Answered)),
                }
            }
            Step::Rating => {
                self.rating = [1, 1, 1, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 2, 5, 4][dice.below(20)];
                (Fact::Rated(self.rating), None)
            }
            Step::Reopening => {
                self.round += 1;
                self.rating = 0;
                self.completed_day = 0;
                self.decision = Decision::None;
                self.planned_day = moscow_day(at) + TERM;
                (Fact::Reopened, Some(Status::Coordination))
            }
            Step::Arrived => (Fact::Taken, Some(Status::InWork)),
        };
        let status = status.map(|usual| channels::status(self.source, step, usual));
        Effect { fact, status, at }
    }

    /// What comes after the present step and when; `None` when nothing does. `pace` above 1 makes life faster.
    pub(super) fn next(&self, pace: f64, dice: &mut Dice) -> Option<(Step, Time)> {
        // The median and spread of the delay, and whether it is office work (then: how much of it is done out of hours, and weekends).
        let after = |step, median: f64, sigma: f64, office: Option<(f64, bool)>, dice: &mut Dice| {
            let delay = (dice.log_normal(median, sigma) / pace).max(2.0);
            let mut at = self.touched.plus_seconds(delay as i64);
            if let Some((out_of_hours, weekends)) = office.filter(|_| pace <= 1.0) {
                at = into_office(at, out_of_hours, weekends, dice);
            }
            Some((step, at))
        };
        if let Some(plan) = channels::next(self, dice) {
            let (step, at) = plan.and_then(|plan| after(plan.step, plan.median, plan.sigma, plan.office, dice))?;
            return Some((step, at.max(self.touched.plus_seconds(2))));
        }
        let duty = Some((0.9, true));
        let office = Some((0.15, false));
        match self.step {
            Step::Found => after(Step::Taken, 7.0 * MINUTE, 0.8, duty, dice),
            Step::Taken if self.twin != 0 => after(Step::MarkedDuplicate, 15.0 * MINUTE, 0.7, None, dice),
            Step::Taken if dice.chance(0.03) => after(Step::MarkedSpam, 15.0 * MINUTE, 0.7, None, dice),
            Step::Taken => after(Step::Routed, 18.0 * MINUTE, 0.7, duty, dice),
            Step::Routed if self.transfers < 4 && dice.chance(0.10) => {
                after(Step::Routed, 50.0 * MINUTE, 0.8, duty, dice)
            }
            Step::Routed if dice.chance(0.012) => None,
            Step::Routed if !self.interim_given && dice.chance(0.22) => {
                after(Step::InterimAnswer, 2.0 * HOUR, 0.7, duty, dice)
            }
            Step::Routed => after(Step::Answered, if self.urgent { 1.0 } else { 1.7 } * HOUR, 0.7, duty, dice),
            Step::InterimAnswer => after(Step::Answered, 3.5 * DAY, 0.7, office, dice),
            Step::Answered if dice.chance(0.30) => after(Step::Reaction, 1.5 * HOUR, 1.2, None, dice),
            Step::Answered => after(Step::Closed, 20.0 * HOUR, 0.7, office, dice),
            Step::Reaction if self.mood == Mood::NotSatisfied && self.round < 2 && dice.chance(0.35) => {
                after(Step::Returned, 3.0 * HOUR, 0.8, duty, dice)
            }
            Step::Reaction => after(Step::Closed, 14.0 * HOUR, 0.7, office, dice),
            Step::Returned => after(Step::Routed, HOUR, 0.7, duty, dice),
            Step::Closed | Step::MarkedDuplicate | Step::MarkedSpam => None,

            Step::OnModeration if dice.chance(0.06) => after(Step::Declined, 5.0 * HOUR, 0.7, office, dice),
            Step::OnModeration => after(Step::OnCoordination, 2.5 * HOUR, 0.8, office, dice),
            Step::OnCoordination => after(Step::Assigned, 7.0 * HOUR, 0.7, office, dice),
            Step::Assigned | Step::SentDown | Step::SentUp if self.transfers < 4 && dice.chance(0.18) => {
                let step = if dice.chance(0.7) { Step::SentDown } else { Step::SentUp };
                after(step, 20.0 * HOUR, 0.7, office, dice)
            }
            Step::Assigned | Step::SentDown | Step::SentUp if dice.chance(0.015) => None,
            Step::Assigned | Step::SentDown | Step::SentUp if !self.interim_given && dice.chance(0.06) => {
                after(Step::Extended, 0.55 * self.term(), 0.3, office, dice)
            }
            Step::Assigned | Step::SentDown | Step::SentUp => {
                after(Step::OnApproval, 0.36 * self.term(), 0.62, office, dice)
            }
            Step::Extended => after(Step::OnApproval, 16.0 * DAY, 0.5, office, dice),
            Step::OnApproval => after(Step::Answer, 14.0 * HOUR, 0.7, office, dice),
            Step::Answer if dice.chance(0.32) => after(Step::Rating, 18.0 * HOUR, 1.0, None, dice),
            Step::Rating if self.rating <= 2 && self.round == 0 && dice.chance(0.45) => {
                after(Step::Reopening, 1.2 * DAY, 0.5, office, dice)
            }
            Step::Reopening => after(Step::Assigned, 10.0 * HOUR, 0.7, office, dice),
            Step::Answer | Step::Rating | Step::Declined | Step::Arrived => None,
        }
        .map(|(step, at)| (step, at.max(self.touched.plus_seconds(2))))
    }

    /// A value of the case's own that needs no memory: the same `salt` always gives the same value.
    pub(super) fn trait_of(&self, salt: u64, limit: usize) -> usize {
        ((u128::from(scatter(self.seed, salt)) * limit as u128) >> 64) as usize
    }

    /// Is the answer of a ПОС case overdue as of its last step.
    pub(super) fn is_overdue(&self) -> bool {
        let day = if self.completed_day > 0 { self.completed_day } else { moscow_day(self.touched) };
        day > self.planned_day
    }
}
