//! The simulation itself: opens cases, lives them, decides the fate of every record and hands records out in publishing order.
//! Owner: the caller, one thread. Invariants: timestamps never go back; a fact enters the ledger when its record leaves; a
//! case's slot is reused only when nothing of it is pending.

use std::collections::VecDeque;

use super::agenda::Agenda;
use super::calibration::{Calibration, calibrate};
use super::case::{Case, Decision, Mood, Step};
use super::config::{LiveStream, SimulationConfig};
use super::dice::Dice;
use super::faults::{BrokenKind, damage};
use super::ledger::{CaseOutcome, Effect, Ledger};
use super::region::{Region, RegionError};
use super::rhythm::{intensity, month};
use super::texts::TextBook;
use super::world::World;
use super::{Fate, SimulatedRecord, SourceKind, incident, pos};
use crate::model::time::Time;

const HOUR_SECONDS: f64 = 3600.0;
const LATE_FROM_MILLIS: i64 = 3_600_000;
/// Two events farther apart than this are not swapped: the first would be late, not merely out of order.
const SWAP_GAP_SECONDS: u32 = 30 * 60;
const ACCIDENT_MEAN_MESSAGES: f64 = 38.0;
/// How many recent authors and incidents can be repeated.
const RECENT: usize = 256;

/// A pending thing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Item {
    Arrival,
    AccidentArrival(u32),
    Step { case: u32, step: Step, at: Time },
    Parcel(u32),
}

/// A record that is written and waits for its moment.
#[derive(Default)]
struct Parcel {
    key: String,
    payload: Vec<u8>,
    source: SourceKind,
    fate: Fate,
    /// The case and what the record says about it; `None` for a re-delivery.
    news: Option<(u32, Effect)>,
}

/// One breakdown many people write about.
struct Accident {
    topic: u16,
    territory: u16,
    street: u16,
    house: u16,
    /// The first incident about it; zero before there is one.
    leader: u64,
}

/// Chances of a fault at one sound record.
struct Odds {
    duplicate: f64,
    broken: f64,
    late: f64,
    out_of_order: f64,
}

/// The seeded simulation.
pub struct Simulation {
    config: SimulationConfig,
    calibration: Calibration,
    odds: Odds,
    live: Option<LiveStream>,
    world: World,
    book: TextBook,
    dice: Dice,
    agenda: Agenda<Item>,
    cases: Vec<Case>,
    free_cases: Vec<u32>,
    parcels: Vec<Parcel>,
    free_parcels: Vec<u32>,
    accidents: Vec<Accident>,
    /// Open cases of the paced mode, the longest untouched first.
    paced: Option<VecDeque<(u32, Step)>>,
    started: bool,
    /// Second of the latest regular arrival, and the inflow of the hour it fell into.
    arrival: f64,
    hour_end: f64,
    hour_rate: f64,
    next_serial: u64,
    recent_authors: Vec<u32>,
    recent_incidents: Vec<u64>,
    /// Sound records so far, and those of them that could have been swapped with their successor.
    sound: u64,
    swappable: u64,
    last_timestamp: i64,
    ledger: Ledger,
    spare: String,
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
                let late = self.dice.chance(self.odds.late / opening.max(0.01));
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
    fn within(&self, at: Time) -> bool {
        self.live.is_some() || self.config.records.is_some() || at < self.config.end
    }

    fn is_live_at(&self, at: Time) -> Option<LiveStream> {
        self.live.filter(|stream| at >= stream.from)
    }

    /// Plans the next regular arrival: a Poisson stream whose rate follows the hour, the day and the month.
    fn plan_arrival(&mut self) {
        let mut need = self.dice.exponential();
        let regular = 1.0 - self.config.accidents.clamp(0.0, 0.9);
        loop {
            if self.arrival >= self.hour_end {
                let Some(at) = Time::from_unix_seconds(self.arrival as i64) else { return };
                match self.is_live_at(at) {
                    Some(stream) => self.hour_rate = stream.cases_per_second.max(1e-6) * regular,
                    None => self.hour_rate = self.calibration.cases_per_second * intensity(at) * self.world.volume(month(at)) * regular,
                }
                self.hour_end = ((self.arrival / HOUR_SECONDS).floor() + 1.0) * HOUR_SECONDS;
                if let Some(from) = self.live.map(|stream| f64::from(stream.from.seconds())).filter(|from| *from > self.arrival) {
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

    fn maybe_start_accident(&mut self, at: Time, millis: i64) {
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

    fn open_case(&mut self, at: Time, millis: i64, accident: Option<u32>, out: &mut SimulatedRecord) -> bool {
        let dice = &mut self.dice;
        let source = if dice.chance(self.calibration.pos_cases) { SourceKind::Pos } else { SourceKind::Incident };
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
            push_key(&mut case_id, &case);
            self.ledger.cases.push(CaseOutcome { source, case_id, status: String::new(), answered_at: 0, rating: 0 });
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

    /// Performs a step and writes its record: into `out` (true), or into a parcel for later (false).
    fn take_step(&mut self, slot: u32, step: Step, at: Time, millis: i64, out: &mut SimulatedRecord) -> bool {
        let effect = self.cases[slot as usize].take(step, at, &self.world, &mut self.dice);
        self.sound += 1;
        let pace = self.is_live_at(at).map_or(1.0, |stream| stream.pace.max(1.0));
        let next = self.cases[slot as usize].next(pace, &mut self.dice);
        let holding = self.cases[slot as usize].held.is_some();
        let source = self.cases[slot as usize].source;
        if !holding && self.dice.chance(self.odds.broken) {
            self.write(slot, None, out);
            let sound = self.pack(out, Fate::Fresh, Some((slot, effect)));
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
            if source == SourceKind::Pos {
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
        let overdue = millis - i64::from(at.seconds()) * 1000 >= LATE_FROM_MILLIS;
        let fate = if overdue { Fate::Late } else { Fate::Fresh };
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

    /// Shall this event be held back behind its successor? The chance is steered so that the share of all records comes out.
    fn is_swapped(&mut self, source: SourceKind, at: Time, next: Option<(Step, Time)>) -> bool {
        let Some((_, following)) = next else { return false };
        let near = self.paced.is_some() || following.seconds_since(at) <= SWAP_GAP_SECONDS;
        if source != SourceKind::Incident || !near || !self.within(following) {
            return false;
        }
        self.swappable += 1;
        let chance = self.odds.out_of_order * self.sound as f64 / self.swappable as f64;
        self.dice.chance(chance.min(0.9))
    }

    fn late_delay(&mut self) -> i64 {
        let hours = 1.0 + self.dice.log_normal(9.0, 1.1).min(144.0);
        (hours * HOUR_SECONDS * 1000.0) as i64
    }

    /// Some re-deliveries come right after the record, some after minutes, some after days and later records of the case.
    fn duplicate_delay(&mut self, source: SourceKind) -> i64 {
        let at_once = self.dice.chance(0.4);
        if at_once || (source == SourceKind::Pos && !self.config.stale_snapshots) {
            return 1 + self.dice.below(900) as i64;
        }
        // Evenly over the orders of magnitude from five seconds to two days.
        let spread = (172_800.0f64 / 5.0).powf(self.dice.unit());
        (5_000.0 * spread) as i64
    }

    fn write(&mut self, slot: u32, broken: Option<BrokenKind>, out: &mut SimulatedRecord) {
        let case = &self.cases[slot as usize];
        out.key.clear();
        push_key(&mut out.key, case);
        match case.source {
            SourceKind::Pos => pos::write(case, &self.world, broken, &mut out.payload, &mut self.spare),
            SourceKind::Incident => {
                let mut desk = incident::Desk {
                    book: &mut self.book,
                    spare: &mut self.spare,
                    dice: &mut self.dice,
                    identifiers_share: self.config.identifiers,
                };
                incident::write(case, &self.world, broken, &mut out.payload, &mut desk);
            }
        }
        out.source = case.source;
        if let Some(kind) = broken {
            damage(kind, &mut out.payload, &mut self.dice);
        }
    }

    fn pack(&mut self, record: &SimulatedRecord, fate: Fate, news: Option<(u32, Effect)>) -> u32 {
        let index = self.free_parcels.pop().unwrap_or_else(|| {
            self.parcels.push(Parcel::default());
            (self.parcels.len() - 1) as u32
        });
        let parcel = &mut self.parcels[index as usize];
        parcel.key.clone_from(&record.key);
        parcel.payload.clone_from(&record.payload);
        (parcel.source, parcel.fate, parcel.news) = (record.source, fate, news);
        if let Some((slot, _)) = news {
            self.cases[slot as usize].waiting += 1;
        }
        index
    }

    fn deliver(&mut self, index: u32, millis: i64, out: &mut SimulatedRecord) {
        let parcel = &mut self.parcels[index as usize];
        std::mem::swap(&mut parcel.key, &mut out.key);
        std::mem::swap(&mut parcel.payload, &mut out.payload);
        out.source = parcel.source;
        let (source, fate, news) = (parcel.source, parcel.fate, parcel.news);
        self.free_parcels.push(index);
        self.publish(out, source, fate, millis);
        if let Some((slot, effect)) = news {
            self.cases[slot as usize].waiting -= 1;
            self.account(slot, effect);
            self.free_if_done(slot);
        }
    }

    fn publish(&mut self, out: &mut SimulatedRecord, source: SourceKind, fate: Fate, millis: i64) {
        self.last_timestamp = self.last_timestamp.max(millis);
        out.timestamp = self.last_timestamp;
        out.fate = fate;
        self.ledger.published(source, fate, out.payload.len());
    }

    fn account(&mut self, slot: u32, effect: Effect) {
        let case = &mut self.cases[slot as usize];
        let line = self.config.keep_cases.then_some((case.serial - self.config.first_serial.max(1)) as usize);
        self.ledger.apply(case.source, line, &mut case.standing, effect);
    }

    fn plan_next(&mut self, slot: u32, next: Option<(Step, Time)>) {
        let Some((step, at)) = next.filter(|(_, at)| self.paced.is_some() || self.within(*at)) else {
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

    fn free_if_done(&mut self, slot: u32) {
        let case = &self.cases[slot as usize];
        if case.ended && case.waiting == 0 && case.held.is_none() {
            self.free_cases.push(slot);
        }
    }
}

fn push_key(out: &mut String, case: &Case) {
    match case.source {
        SourceKind::Pos => pos::push_number(out, case),
        SourceKind::Incident => incident::push_id(out, case.serial, incident::year_of(case.registered)),
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
