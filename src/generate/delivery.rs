//! How records leave the simulation: written, kept back as parcels, counted in the ledger; and the delays of the faults.
//! Owner: [`Simulation`], of which this is a part. Invariant: a record is written right after its step and counted when it leaves.

use super::case::{Case, Step};
use super::faults::{BrokenKind, damage};
use super::ledger::Effect;
use super::simulation::Simulation;
use super::{Fate, SimulatedRecord, SourceKind, channel_records, incident, pos};
use crate::model::time::Time;

/// Two events farther apart than this are not swapped: the first would be late, not merely out of order.
const SWAP_GAP_SECONDS: u32 = 30 * 60;
const HOUR_MILLIS: f64 = 3_600_000.0;

/// A record that is written and waits for its moment.
#[derive(Default)]
pub(super) struct Parcel {
    pub(super) key: String,
    pub(super) payload: Vec<u8>,
    pub(super) source: SourceKind,
    pub(super) fate: Fate,
    /// The case and what the record says about it; `None` for a re-delivery.
    pub(super) news: Option<(u32, Effect)>,
}

/// Chances of a fault at one sound record.
pub(super) struct Odds {
    pub(super) duplicate: f64,
    pub(super) broken: f64,
    pub(super) late: f64,
    pub(super) out_of_order: f64,
}

impl Simulation {
    /// Shall this event be held back behind its successor? The chance is steered so that the share of all records comes out.
    pub(super) fn is_swapped(&mut self, source: SourceKind, at: Time, next: Option<(Step, Time)>) -> bool {
        let Some((_, following)) = next else { return false };
        let near = self.paced.is_some() || following.seconds_since(at) <= SWAP_GAP_SECONDS;
        if source.is_snapshot() || !near || !self.within(following) {
            return false;
        }
        self.swappable += 1;
        let chance = self.odds.out_of_order * self.sound as f64 / self.swappable as f64;
        self.dice.chance(chance.min(0.9))
    }

    pub(super) fn late_delay(&mut self) -> i64 {
        let hours = 1.0 + self.dice.log_normal(9.0, 1.1).min(144.0);
        (hours * HOUR_MILLIS) as i64
    }

    /// Some re-deliveries come right after the record, some after minutes, some after days and later records of the case.
    pub(super) fn duplicate_delay(&mut self, source: SourceKind) -> i64 {
        let at_once = self.dice.chance(0.4);
        if at_once || (source.is_snapshot() && !self.config.stale_snapshots) {
            return 1 + self.dice.below(900) as i64;
        }
        // Evenly over the orders of magnitude from five seconds to two days.
        let spread = (172_800.0f64 / 5.0).powf(self.dice.unit());
        (5_000.0 * spread) as i64
    }

    pub(super) fn write(&mut self, slot: u32, broken: Option<BrokenKind>, out: &mut SimulatedRecord) {
        let case = &self.cases[slot as usize];
        out.key.clear();
        push_key(&mut out.key, case);
        let mut desk = incident::Desk {
            book: &mut self.book,
            spare: &mut self.spare,
            dice: &mut self.dice,
            identifiers_share: self.config.identifiers,
        };
        match case.source {
            SourceKind::Pos => pos::write(case, &self.world, broken, &mut out.payload, desk.spare),
            SourceKind::Incident => incident::write(case, &self.world, broken, &mut out.payload, &mut desk),
            SourceKind::Sed | SourceKind::S112 | SourceKind::Portal => {
                channel_records::write(case, &self.world, broken, &mut out.payload, &mut desk);
            }
        }
        out.source = case.source;
        if let Some(kind) = broken {
            damage(kind, &mut out.payload, &mut self.dice);
        }
    }

    pub(super) fn pack(&mut self, record: &SimulatedRecord, fate: Fate, news: Option<(u32, Effect)>) -> u32 {
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

    pub(super) fn deliver(&mut self, index: u32, millis: i64, out: &mut SimulatedRecord) {
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

    pub(super) fn publish(&mut self, out: &mut SimulatedRecord, source: SourceKind, fate: Fate, millis: i64) {
        self.last_timestamp = self.last_timestamp.max(millis);
        out.timestamp = self.last_timestamp;
        out.fate = fate;
        self.ledger.published(source, fate, out.payload.len());
    }

    pub(super) fn account(&mut self, slot: u32, effect: Effect) {
        let case = &mut self.cases[slot as usize];
        let line = self.config.keep_cases.then_some((case.serial - self.config.first_serial.max(1)) as usize);
        self.ledger.apply(case.source, line, &mut case.standing, effect);
    }
}

pub(super) fn push_key(out: &mut String, case: &Case) {
    match case.source {
        SourceKind::Pos => pos::push_number(out, case),
        SourceKind::Incident => incident::push_id(out, case.serial, incident::year_of(case.registered)),
        SourceKind::Sed | SourceKind::S112 | SourceKind::Portal => channel_records::push_key(out, case),
    }
}

/// The number of the case, which is its Kafka key nearly everywhere.
pub(super) fn push_case_id(out: &mut String, case: &Case) {
    match case.source {
        SourceKind::Sed => channel_records::push_id(out, case),
        _ => push_key(out, case),
    }
}
