//! The simulation itself: opens cases, lives them, decides the fate of every record and hands records out in publishing order.
//! Owner: the caller, one thread. Invariants: timestamps never go back; a fact enters the ledger when its record leaves; a
//! case's slot is reused only when nothing of it is pending.

use std::collections::VecDeque;

use super::agenda::Agenda;
use super::calibration::{Calibration, calibrate};
use super::case::{Case, Step};
use super::config::{LiveStream, SimulationConfig};
use super::delivery::{Odds, Parcel};
use super::dice::Dice;
use super::faults::BrokenKind;
use super::ledger::Ledger;
use super::opening::Accident;
use super::region::{Region, RegionError};
use super::texts::TextBook;
use super::world::World;
use super::{Fate, SimulatedRecord};
use crate::model::time::Time;

const LATE_FROM_MILLIS: i64 = 3_600_000;

/// A pending thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Item {
    Arrival,
    AccidentArrival(u32),
    Step { case: u32, step: Step, at: Time },
    Parcel(u32),
}

/// The seeded simulation.
pub struct Simulation {
    pub(super) config: SimulationConfig,
    pub(super) calibration: Calibration,
    pub(super) odds: Odds,
    pub(super) live: Option<LiveStream>,
    pub(super) world: World,
    pub(super) book: TextBook,
    pub(super) dice: Dice,
    pub(super) agenda: Agenda<Item>,
    pub(super) cases: Vec<Case>,
    pub(super) free_cases: Vec<u32>,
    pub(super) parcels: Vec<Parcel>,
    pub(super) free_parcels: Vec<u32>,
    pub(super) accidents: Vec<Accident>,
    /// Open cases of the paced mode, the longest untouched first.
    pub(super) paced: Option<VecDeque<(u32, Step)>>,
    pub(super) started: bool,
    /// Second of the latest regular arrival, and the inflow of the hour it fell into.
    pub(super) arrival: f64,
    pub(super) hour_end: f64,
    pub(super) hour_rate: f64,
    pub(super) next_serial: u64,
    pub(super) recent_authors: Vec<u32>,
    pub(super) recent_incidents: Vec<u64>,
    /// Sound records so far, and those of them that could have been swapped with their successor.
    pub(super) sound: u64,
    pub(super) swappable: u64,
    pub(super) last_timestamp: i64,
    pub(super) ledger: Ledger,
    pub(super) spare: String,
}

impl Simulation {
    /// A simulation of `[config.start, config.end)`. Fails only when the built-in phrases or places cannot be read.
    pub fn new(config: SimulationConfig, region: &Region) -> Result<Simulation, RegionError> {
        Simulation::build(config, region, None)
    }

    /// History from `config.start` to `stream.from`, then an endless live stream without a seam: the cases of the history
    /// go on. The caller publishes what is due by its clock and waits for the rest.
    pub fn live(config: SimulationConfig, region: &Region, stream: LiveStream) -> Result<Simulation, RegionError> {
        Simulation::build(config, region, Some(stream))
    }

    fn build(config: SimulationConfig, region: &Region, live: Option<LiveStream>) -> Result<Simulation, RegionError> {
        let world = World::new(region)?;
        let calibration = calibrate(&config, live.map_or(config.end, |stream| stream.from), &world);
        let sound = (1.0 - config.duplicates - config.broken).max(0.05);
        let start = f64::from(config.start.seconds());
        Ok(Simulation {
            odds: Odds {
                duplicate: config.duplicates / sound,
                broken: config.broken / sound,
                late: config.late / sound,
                out_of_order: config.out_of_order / sound,
            },
            calibration,
            live,
            book: TextBook::new(region)?,
            dice: Dice::new(config.seed),
            agenda: Agenda::new(i64::from(config.start.seconds()) * 1000),
            cases: Vec::new(),
            free_cases: Vec::new(),
            parcels: Vec::new(),
            free_parcels: Vec::new(),
            accidents: Vec::new(),
            paced: None,
            started: false,
            arrival: start,
            hour_end: start,
            hour_rate: 0.0,
            next_serial: config.first_serial.max(1),
            recent_authors: Vec::new(),
            recent_incidents: Vec::new(),
            sound: 0,
            swappable: 0,
            last_timestamp: 0,
            ledger: Ledger { seed: config.seed, ..Ledger::default() },
            spare: String::new(),
            world,
            config,
        })
    }

    /// What has been published so far.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Writes the next record in publishing order into `out`; false at the end.
    pub fn next(&mut self, out: &mut SimulatedRecord) -> bool {
        if !std::mem::replace(&mut self.started, true) {
            self.plan_arrival();
        }
        if self.live.is_none() && self.config.records.is_some_and(|wanted| self.ledger.records >= wanted) {
            return false;
        }
        while let Some((millis, item)) = self.agenda.pop() {
            if self.perform(item, millis, out) {
                return true;
            }
        }
        false
    }

    /// Writes a record whose event time is `now` (a late one: an earlier time): a new case or the next step of an open one. For callers that
    /// set the rate themselves; do not mix with [`Simulation::next`]. `now` must not go back.
    pub fn next_at(&mut self, now: Time, out: &mut SimulatedRecord) {
        let millis = i64::from(now.seconds()) * 1000;
        let opening = self.config.opening_share.unwrap_or(1.0 / self.calibration.steps_per_case);
        loop {
            let parcel = self.agenda.next_at().filter(|at| *at <= millis).and_then(|_| self.agenda.pop());
            let open = self.paced.get_or_insert_default();
            let ready = open.front().is_some_and(|(case, _)| self.cases[*case as usize].touched < now);
            let done = if let Some((_, item)) = parcel {
                self.perform(item, millis, out)
            } else if !ready || self.dice.chance(opening) {
                // Only an opening can be told an earlier time, so their chance is raised by what they are among all.
                let opened = self.next_serial - self.config.first_serial.max(1) + 1;
                let late = self.dice.chance((self.odds.late * (self.sound + 1) as f64 / opened as f64).min(0.9));
                let delay = if late { self.late_delay() / 1000 } else { 0 };
                self.open_case(now.plus_seconds(-delay), millis, None, out)
            } else {
                match self.paced.as_mut().and_then(VecDeque::pop_front) {
                    Some((case, step)) => self.take_step(case, step, now, millis, out),
                    None => false,
                }
            };
            if done {
                return;
            }
        }
    }

    fn perform(&mut self, item: Item, millis: i64, out: &mut SimulatedRecord) -> bool {
        let second = Time::from_unix_millis(millis).unwrap_or(self.config.start);
        match item {
            Item::Arrival => {
                self.plan_arrival();
                self.maybe_start_accident(second, millis);
                self.open_case(second, millis, None, out)
            }
            Item::AccidentArrival(accident) => self.open_case(second, millis, Some(accident), out),
            Item::Step { case, step, at } => self.take_step(case, step, at, millis, out),
            Item::Parcel(parcel) => {
                self.deliver(parcel, millis, out);
                true
            }
        }
    }

    /// Does anything still happen at this event time?
    pub(super) fn within(&self, at: Time) -> bool {
        self.paced.is_some() || self.live.is_some() || self.config.records.is_some() || at < self.config.end
    }

    pub(super) fn is_live_at(&self, at: Time) -> Option<LiveStream> {
        self.live.filter(|stream| at >= stream.from)
    }

    /// Performs a step and writes its record: into `out` (true), or into a parcel for later (false).
    pub(super) fn take_step(
        &mut self,
        slot: u32,
        step: Step,
        at: Time,
        millis: i64,
        out: &mut SimulatedRecord,
    ) -> bool {
        let effect = self.cases[slot as usize].take(step, at, &self.world, &mut self.dice);
        self.sound += 1;
        let pace = self.is_live_at(at).map_or(1.0, |stream| stream.pace.max(1.0));
        let next = self.cases[slot as usize].next(pace, &mut self.dice);
        let holding = self.cases[slot as usize].held.is_some();
        let source = self.cases[slot as usize].source;
        // A record pushed back by a late predecessor, or opened late by the paced mode, is late itself.
        let overdue = millis - i64::from(at.seconds()) * 1000 >= LATE_FROM_MILLIS;
        let fate = if overdue { Fate::Late } else { Fate::Fresh };
        if !holding && self.dice.chance(self.odds.broken) {
            self.write(slot, None, out);
            let sound = self.pack(out, fate, Some((slot, effect)));
            self.agenda.plan(millis + 40, Item::Parcel(sound));
            let kind = BrokenKind::ALL[self.dice.below(BrokenKind::ALL.len())];
            self.write(slot, Some(kind), out);
            self.cases[slot as usize].not_before = millis + 41;
            self.plan_next(slot, next);
            self.publish(out, source, Fate::Broken(kind), millis);
            return true;
        }
        self.write(slot, None, out);
        if !holding && self.paced.is_none() && self.dice.chance(self.odds.late) {
            let due = millis + self.late_delay();
            let parcel = self.pack(out, Fate::Late, Some((slot, effect)));
            self.agenda.plan(due, Item::Parcel(parcel));
            if source.is_snapshot() {
                self.cases[slot as usize].not_before = due + 1;
            }
            self.plan_next(slot, next);
            return false;
        }
        if !holding && self.is_swapped(source, at, next) {
            let parcel = self.pack(out, Fate::OutOfOrder, Some((slot, effect)));
            self.cases[slot as usize].held = Some(parcel);
            self.plan_next(slot, next);
            return false;
        }
        if let Some(held) = self.cases[slot as usize].held.take() {
            let wait = if self.paced.is_some() { 3_000 } else { 120_000 };
            let due = millis + 1 + self.dice.below(wait) as i64;
            self.agenda.plan(due, Item::Parcel(held));
        }
        if self.dice.chance(self.odds.duplicate) {
            let delay = self.duplicate_delay(source);
            let parcel = self.pack(out, Fate::Duplicate, None);
            self.agenda.plan(millis + delay, Item::Parcel(parcel));
        }
        self.publish(out, source, fate, millis);
        self.account(slot, effect);
        self.plan_next(slot, next);
        true
    }

    pub(super) fn plan_next(&mut self, slot: u32, next: Option<(Step, Time)>) {
        let Some((step, at)) = next.filter(|(_, at)| self.within(*at)) else {
            self.cases[slot as usize].ended = true;
            self.free_if_done(slot);
            return;
        };
        if let Some(open) = &mut self.paced {
            open.push_back((slot, step));
            return;
        }
        let moment = i64::from(at.seconds()) * 1000 + self.dice.below(1000) as i64;
        self.agenda.plan(moment.max(self.cases[slot as usize].not_before), Item::Step { case: slot, step, at });
    }

    pub(super) fn free_if_done(&mut self, slot: u32) {
        let case = &self.cases[slot as usize];
        if case.ended && case.waiting == 0 && case.held.is_none() {
            self.free_cases.push(slot);
        }
    }
}
