//! What a caller asks of the simulation.
//! Owner: the caller; the simulation copies it. Invariant: the same configuration and reference data give the same bytes.

use crate::model::time::Time;

/// The knobs of [`super::Simulation`].
#[derive(Clone, Debug)]
pub struct SimulationConfig {
    pub seed: u64,
    /// Exactly so many records are published; the density of cases is scaled so that they fill `[start, end)`.
    /// Without it the volumes are real ones (times `volume`), and publishing ends when the last record has left.
    pub records: Option<u64>,
    /// Event time of the first cases.
    pub start: Time,
    /// No case makes a step at or after this moment, unless `records` are not yet reached, or the simulation is live.
    pub end: Time,
    /// Share of ПОС among the records of ПОС and of social networks.
    pub pos_share: f64,
    /// Beside these two publish СЭД, Система-112 and the portal, as many cases of each as life has to the others.
    pub channels: bool,
    /// Share of records that are byte-identical re-deliveries of an earlier record of the same case.
    pub duplicates: f64,
    /// Share of records that cannot be used.
    pub broken: f64,
    /// Share of records published hours to days after their event time.
    pub late: f64,
    /// Share of records (all of them incidents) published just after the event that followed them.
    pub out_of_order: f64,
    /// Multiplies the real volumes when `records` is not given.
    pub volume: f64,
    /// Share of messages that carry an invented personal identifier.
    pub identifiers: f64,
    /// Share of cases that belong to accidents: dozens of messages about one address within hours.
    pub accidents: f64,
    /// May a re-delivered ПОС snapshot arrive after a newer one of its case.
    pub stale_snapshots: bool,
    /// The first case's serial number: runs that share Kafka topics must not share numbers.
    pub first_serial: u64,
    /// Share of records of [`super::Simulation::next_at`] that open a case; by default what keeps the open cases steady.
    pub opening_share: Option<f64>,
    /// Keep one ledger line a case (costs memory in long runs).
    pub keep_cases: bool,
}

impl SimulationConfig {
    /// A configuration with the usual shares for a span of event time.
    pub fn new(seed: u64, start: Time, end: Time) -> SimulationConfig {
        SimulationConfig {
            seed,
            records: None,
            start,
            end,
            pos_share: 0.35,
            channels: false,
            duplicates: 0.03,
            broken: 0.005,
            late: 0.02,
            out_of_order: 0.02,
            volume: 1.0,
            identifiers: 0.14,
            accidents: 0.08,
            stale_snapshots: true,
            first_serial: 1,
            opening_share: None,
            keep_cases: false,
        }
    }
}

/// How the stream goes on after the history, see [`super::Simulation::live`].
#[derive(Clone, Copy, Debug)]
pub struct LiveStream {
    /// From this moment on the stream is live; before it the history has the density of the configuration.
    pub from: Time,
    /// New cases a second, evenly: nobody wants to watch a demonstration of the night.
    pub cases_per_second: f64,
    /// How many times faster than in life the new steps follow one another; 1 is real.
    pub pace: f64,
}
