//! A seeded simulation of a region: the records that ПОС and «Инцидент Менеджмент» would publish, and on request СЭД, Система-112 and
//! the portal (the channels), with the rhythm, the texts, the case lives and the faults of real life, and a ledger of what was sent.
//! Owner: `tsur generate`, the demo and the benchmarks; nothing of the pipeline depends on it. Invariants: pure (no IO, no wall
//! clock), every random choice comes from the seed, and the same seed and configuration give the same bytes.
//!
//! Event times of one case strictly grow. ПОС snapshots of one case never overtake each other, except as re-deliveries.
//! A broken record is an extra delivery before the sound one, so it takes nothing away.

mod agenda;
mod calibration;
mod case;
mod channel_records;
mod channels;
mod config;
mod delivery;
mod dice;
mod faults;
mod from_reference;
mod identifiers;
mod incident;
mod json;
mod ledger;
mod names;
mod opening;
mod pos;
mod region;
mod rhythm;
mod simulation;
mod template;
mod texts;
mod world;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use config::{LiveStream, SimulationConfig};
pub use faults::BrokenKind;
pub use ledger::{BrokenCounts, CaseOutcome, Facts, Ledger, SourceLedger, StatusCounts};
pub use pos::POS_COLUMNS;
pub use region::{Block, Body, Region, RegionError, Territory, Topic};
pub use simulation::Simulation;

/// The upstream system a record comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// «Госуслуги. Решаем вместе»: a record is a snapshot of a row.
    Pos,
    /// «Инцидент Менеджмент»: a record is an event.
    #[default]
    Incident,
    /// СЭД: a record is a snapshot of a question.
    Sed,
    /// Система-112: a record is an event of a card.
    S112,
    /// The regional portal: a record is an event.
    Portal,
}

impl SourceKind {
    /// Every source; the channels come last.
    pub const ALL: [SourceKind; 5] =
        [SourceKind::Pos, SourceKind::Incident, SourceKind::Sed, SourceKind::S112, SourceKind::Portal];

    /// The sources that a simulation publishes.
    pub fn published(channels: bool) -> &'static [SourceKind] {
        if channels { &SourceKind::ALL } else { &SourceKind::ALL[..2] }
    }

    /// Is a record the whole case as it stands, so that records of a case must not overtake each other.
    pub(crate) fn is_snapshot(self) -> bool {
        matches!(self, SourceKind::Pos | SourceKind::Sed)
    }

    /// The source's code in configuration files and tables.
    pub fn code(self) -> &'static str {
        match self {
            SourceKind::Pos => "pos",
            SourceKind::Incident => "incident",
            SourceKind::Sed => "sed",
            SourceKind::S112 => "s112",
            SourceKind::Portal => "portal",
        }
    }
}

/// What became of a record on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fate {
    /// Sound, first delivery, in time.
    #[default]
    Fresh,
    /// Byte-identical re-delivery of an earlier record of the case.
    Duplicate,
    /// Sound, but published an hour or more after its event time.
    Late,
    /// Sound, but published after the event that followed it.
    OutOfOrder,
    /// Cannot be used.
    Broken(BrokenKind),
}

/// One Kafka record. The caller keeps it between calls, so that its buffers are reused.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SimulatedRecord {
    pub source: SourceKind,
    /// The Kafka key: the number of the case, also for broken records.
    pub key: String,
    pub payload: Vec<u8>,
    /// Publishing time, Unix milliseconds; never goes back.
    pub timestamp: i64,
    pub fate: Fate,
}
