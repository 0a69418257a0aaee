//! How cases come into the simulation: the Poisson stream of arrivals, accidents, repeated authors and doubles.
//! Owner: [`Simulation`], of which this is a part. Invariant: every case gets the next serial number, and its first record is
//! written at its opening.

use super::case::{Case, Decision, Mood};
use super::delivery::push_case_id;
use super::dice::Dice;
use super::ledger::CaseOutcome;
use super::rhythm::{intensity, month};
use super::simulation::{Item, Simulation};
use super::world::World;
use super::{SimulatedRecord, SourceKind};
use crate::model::time::Time;

const HOUR_SECONDS: f64 = 3600.0;
const ACCIDENT_MEAN_MESSAGES: f64 = 38.0;
/// How many recent authors and incidents can be repeated.
const RECENT: usize = 256;

/// One breakdown many people write about.
pub(super) struct Accident {
    pub(super) topic: u16,
    pub(super) territory: u16,
    pub(super) street: u16,
    pub(super) house: u16,
    /// The first incident about it; zero before there is one.
    pub(super) leader: u64,
}

/// A new case of a source: topic, place, author, bodies, promises.
pub(super) fn draw_case(source: SourceKind, at: Time, serial: u64, world: &World, dice: &mut Dice) -> Case {
    let topic = world.topic(month(at), dice);
    let territory = world.territory(dice);
    let holder = world.body(world.block_of[topic], territory, None, dice);
    let fast_track = dice.chance(0.45);
    Case {
        serial,
        seed: dice.bits(),
        source,
        topic: topic as u16,
        territory: territory as u16,
        street: dice.below(world.places[territory].streets.len()) as u16,
        house: 1 + (dice.unit() * dice.unit() * 90.0) as u16,
        author: dice.bits() as u32,
        twin: 0,
        registered: at,
        touched: at,
        planned_day: 0,
        completed_day: 0,
        received_by: holder,
        holder,
        step: Case::first_step(source),
        steps: 0,
        transfers: 0,
        round: 0,
        rating: 0,
        decision: Decision::None,
        mood: Mood::None,
        fast_track,
        law59: !fast_track && dice.chance(0.14),
        urgent: dice.chance(0.08),
        interim_given: false,
        not_before: 0,
        held: None,
        standing: Default::default(),
        waiting: 0,
        ended: false,
    }
}

impl Simulation {
    /// Plans the next regular arrival: a Poisson stream whose rate follows the hour, the day and the month.
    pub(super) fn plan_arrival(&mut self) {
        let mut need = self.dice.exponential();
        let regular = 1.0 - self.config.accidents.clamp(0.0, 0.9);
        loop {
            if self.arrival >= self.hour_end {
                let Some(at) = Time::from_unix_seconds(self.arrival as i64) else {
                    return;
                };
                match self.is_live_at(at) {
                    Some(stream) => self.hour_rate = stream.cases_per_second.max(1e-6) * regular,
                    None => {
                        self.hour_rate =
                            self.calibration.cases_per_second * intensity(at) * self.world.volume(month(at)) * regular
                    }
                }
                self.hour_end = ((self.arrival / HOUR_SECONDS).floor() + 1.0) * HOUR_SECONDS;
                if let Some(from) =
                    self.live.map(|stream| f64::from(stream.from.seconds())).filter(|from| *from > self.arrival)
                {
                    self.hour_end = self.hour_end.min(from);
                }
            }
            let possible = self.hour_rate * (self.hour_end - self.arrival);
            if possible >= need {
                self.arrival += need / self.hour_rate;
                break;
            }
            need -= possible;
            self.arrival = self.hour_end;
        }
        let millis = (self.arrival * 1000.0) as i64;
        if Time::from_unix_millis(millis).is_some_and(|at| self.within(at)) {
            self.agenda.plan(millis, Item::Arrival);
        }
    }

    pub(super) fn maybe_start_accident(&mut self, at: Time, millis: i64) {
        let share = self.config.accidents.clamp(0.0, 0.9);
        if !self.dice.chance(share / (1.0 - share) / ACCIDENT_MEAN_MESSAGES) {
            return;
        }
        let dice = &mut self.dice;
        let territory = self.world.territory(dice);
        let accident = self.accidents.len() as u32;
        self.accidents.push(Accident {
            topic: self.world.accident_topic(month(at), dice) as u16,
            territory: territory as u16,
            street: dice.below(self.world.places[territory].streets.len()) as u16,
            house: dice.between(1, 60) as u16,
            leader: 0,
        });
        let messages = dice.log_normal(30.0, 0.7).clamp(10.0, 150.0) as usize;
        let pace = self.is_live_at(at).map_or(1.0, |stream| stream.pace.max(1.0));
        for _ in 0..messages {
            let hours = (self.dice.exponential() * 1.5).min(12.0);
            let moment = millis + (hours * HOUR_SECONDS * 1000.0 / pace) as i64;
            if Time::from_unix_millis(moment).is_some_and(|at| self.within(at)) {
                self.agenda.plan(moment, Item::AccidentArrival(accident));
            }
        }
    }

    pub(super) fn open_case(
        &mut self,
        at: Time,
        millis: i64,
        accident: Option<u32>,
        out: &mut SimulatedRecord,
    ) -> bool {
        let dice = &mut self.dice;
        let source = self.calibration.draw_source(dice);
        let mut case = draw_case(source, at, self.next_serial, &self.world, dice);
        self.next_serial += 1;
        if dice.chance(0.22) {
            case.author = dice.pick(&self.recent_authors).copied().unwrap_or(case.author);
        }
        if dice.chance(0.02) && source == SourceKind::Incident {
            case.twin = dice.pick(&self.recent_incidents).copied().unwrap_or(0);
        }
        if let Some(accident) = accident.and_then(|index| self.accidents.get_mut(index as usize)) {
            (case.topic, case.territory) = (accident.topic, accident.territory);
            (case.street, case.house) = (accident.street, accident.house + dice.between(0, 3) as u16 * 2);
            case.urgent = dice.chance(0.3);
            let block = self.world.block_of[usize::from(case.topic)];
            case.holder = self.world.body(block, usize::from(case.territory), None, dice);
            case.received_by = case.holder;
            if source == SourceKind::Incident {
                if accident.leader == 0 {
                    accident.leader = case.serial;
                } else if dice.chance(0.2) {
                    case.twin = accident.leader;
                }
            }
        }
        remember(&mut self.recent_authors, case.author, dice);
        if source == SourceKind::Incident {
            remember(&mut self.recent_incidents, case.serial, dice);
        }
        if self.config.keep_cases {
            let mut case_id = String::new();
            push_case_id(&mut case_id, &case);
            self.ledger.cases.push(CaseOutcome {
                source,
                case_id,
                // an incident is known to be registered only when its first event comes; each row of an export says it
                registered_at: if source.is_snapshot() { at.seconds() } else { 0 },
                status: String::new(),
                overtaken: false,
                answered_at: 0,
                rating: 0,
            });
        }
        let slot = match self.free_cases.pop() {
            Some(slot) => {
                self.cases[slot as usize] = case;
                slot
            }
            None => {
                self.cases.push(case);
                (self.cases.len() - 1) as u32
            }
        };
        self.take_step(slot, Case::first_step(source), at, millis, out)
    }
}

/// Keeps a bounded sample of recent values.
fn remember<T: Copy>(recent: &mut Vec<T>, value: T, dice: &mut Dice) {
    if recent.len() < RECENT {
        recent.push(value);
    } else {
        let place = dice.below(RECENT);
        recent[place] = value;
    }
}
