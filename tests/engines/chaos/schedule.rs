//! The plan of a chaos run, a pure function of seed, length and number of processes: what breaks, when, and for how long.
//! Owner: the run. Invariants: the same arguments give the same plan; two faults never hold the same thing at the same
//! time (a server, the way to an engine, a process), so that each can be healed on its own.

use std::time::Duration;

use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{RngCore, SeedableRng};

/// What breaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    ProcessKilled,
    /// Stopped by the kernel for longer than the session time-out, then woken: the zombie.
    ProcessFrozen,
    MemberLeaves,
    MemberJoins,
    ClickHouseStopped,
    ClickHouseKilled,
    ClickHouseSlow,
    InsertsRefused,
    RepliesLost,
    ClickHouseCut,
    KafkaKilled,
    KafkaCut,
    DiskFull,
}

impl Kind {
    pub const ALL: [Kind; 13] = [
        Kind::ProcessKilled,
        Kind::ProcessFrozen,
        Kind::MemberLeaves,
        Kind::MemberJoins,
        Kind::ClickHouseStopped,
        Kind::ClickHouseKilled,
        Kind::ClickHouseSlow,
        Kind::InsertsRefused,
        Kind::RepliesLost,
        Kind::ClickHouseCut,
        Kind::KafkaKilled,
        Kind::KafkaCut,
        Kind::DiskFull,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::ProcessKilled => "process killed (-9)",
            Kind::ProcessFrozen => "process frozen",
            Kind::MemberLeaves => "member leaves",
            Kind::MemberJoins => "member joins",
            Kind::ClickHouseStopped => "clickhouse stopped",
            Kind::ClickHouseKilled => "clickhouse killed (-9)",
            Kind::ClickHouseSlow => "clickhouse slow",
            Kind::InsertsRefused => "inserts refused",
            Kind::RepliesLost => "replies lost",
            Kind::ClickHouseCut => "clickhouse cut off",
            Kind::KafkaKilled => "kafka killed (-9)",
            Kind::KafkaCut => "kafka cut off",
            Kind::DiskFull => "disk full",
        }
    }

    /// Shortest and longest time the fault lasts, in seconds.
    fn held(self) -> (u64, u64) {
        match self {
            Kind::ProcessKilled => (0, 0),
            // the session time-out is six seconds
            Kind::ProcessFrozen => (8, 12),
            Kind::MemberLeaves => (2, 5),
            Kind::MemberJoins => (8, 14),
            Kind::ClickHouseStopped => (5, 60),
            Kind::ClickHouseKilled | Kind::KafkaKilled => (0, 3),
            Kind::ClickHouseSlow => (8, 15),
            Kind::InsertsRefused => (6, 12),
            Kind::RepliesLost => (5, 10),
            Kind::ClickHouseCut => (8, 20),
            Kind::KafkaCut => (8, 14),
            Kind::DiskFull => (5, 10),
        }
    }

    fn thing(self, process: usize) -> Thing {
        match self {
            Kind::ProcessKilled | Kind::ProcessFrozen | Kind::MemberLeaves => Thing::Process(process),
            Kind::MemberJoins => Thing::Guest,
            Kind::ClickHouseStopped | Kind::ClickHouseKilled | Kind::DiskFull => Thing::ClickHouse,
            Kind::ClickHouseSlow | Kind::InsertsRefused | Kind::RepliesLost | Kind::ClickHouseCut => {
                Thing::WayToClickHouse
            }
            Kind::KafkaKilled => Thing::Kafka,
            Kind::KafkaCut => Thing::WayToKafka,
        }
    }
}

/// What a fault holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thing {
    Process(usize),
    Guest,
    ClickHouse,
    WayToClickHouse,
    Kafka,
    WayToKafka,
}

/// One planned fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Since the beginning of the run.
    pub at: Duration,
    pub kind: Kind,
    /// The process it is about, where it is about one.
    pub process: usize,
    pub held: Duration,
    /// Chooses between variants of a kind.
    pub variant: u32,
}

/// A quiet beginning, in which the group forms, and an end.
const MARGIN: Duration = Duration::from_secs(8);
const FAULTS_A_MINUTE: f64 = 4.6;
const FAULTS_AT_LEAST: usize = 5;
/// A short run has short faults, but a frozen process must outlast its session.
const LONGEST_OF_A_SHORT_RUN: Duration = Duration::from_secs(8);
/// What was held is left alone for so long after it is healed: a server needs time to come back.
const REST: Duration = Duration::from_secs(8);

struct Dice(Pcg64Mcg);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(limit)) >> 64) as u64
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(low * 1000 + self.below((high - low) * 1000 + 1))
    }

    fn shuffled(&mut self) -> Vec<Kind> {
        let mut kinds = Kind::ALL.to_vec();
        for place in (1..kinds.len()).rev() {
            kinds.swap(place, self.below(place as u64 + 1) as usize);
        }
        kinds
    }
}

/// The plan of a run, in the order of time.
pub fn plan(seed: u64, length: Duration, processes: usize) -> Vec<Fault> {
    let mut dice = Dice(Pcg64Mcg::seed_from_u64(seed));
    let wanted = ((length.as_secs_f64() / 60.0 * FAULTS_A_MINUTE).round() as usize).max(FAULTS_AT_LEAST);
    let spacing = length.saturating_sub(MARGIN * 2) / wanted as u32;
    let longest = LONGEST_OF_A_SHORT_RUN.max(length / 10);
    let mut bag: Vec<Kind> = Vec::new();
    let mut busy: Vec<(Thing, Duration)> = Vec::new();
    let mut faults = Vec::new();
    for number in 0..wanted {
        let at = MARGIN + spacing * number as u32 + spacing.mul_f64(dice.below(500) as f64 / 1000.0);
        busy.retain(|(_, until)| *until > at);
        if bag.len() < Kind::ALL.len() {
            bag.extend(dice.shuffled());
        }
        let process = dice.below(processes.max(1) as u64) as usize;
        let is_free = |kind: &Kind| busy.iter().all(|(thing, _)| *thing != kind.thing(process));
        let Some(place) = bag.iter().position(is_free) else { continue };
        let kind = bag.remove(place);
        let (low, high) = kind.held();
        let held = dice.millis(low, high).min(longest);
        busy.push((kind.thing(process), at + held + REST));
        faults.push(Fault { at, kind, process, held, variant: dice.below(1000) as u32 });
    }
    faults
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const TEN_MINUTES: Duration = Duration::from_secs(600);

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_plan(seed: u64, minutes in 1u64..20, processes in 1usize..6) {
            let length = Duration::from_secs(60 * minutes);
            prop_assert_eq!(plan(seed, length, processes), plan(seed, length, processes));
        }

        #[test]
        fn ten_minutes_have_forty_faults_of_every_kind_even_where_no_disk_can_be_filled(seed: u64, processes in 1usize..6) {
            let faults = plan(seed, TEN_MINUTES, processes);
            let kinds: HashSet<Kind> = faults.iter().map(|fault| fault.kind).collect();
            prop_assert_eq!(kinds.len(), Kind::ALL.len());
            prop_assert!(faults.iter().filter(|fault| fault.kind != Kind::DiskFull).count() >= 40);
        }

        #[test]
        fn faults_come_in_order_within_the_run_and_never_hold_one_thing_twice(seed: u64, seconds in 40u64..1200, processes in 1usize..6) {
            let length = Duration::from_secs(seconds);
            let faults = plan(seed, length, processes);
            prop_assert!(faults.len() >= 4, "{}", faults.len());
            prop_assert!(faults.is_sorted_by_key(|fault| fault.at));
            for (place, fault) in faults.iter().enumerate() {
                prop_assert!(fault.at < length && fault.process < processes);
                prop_assert!(fault.kind != Kind::ProcessFrozen || fault.held >= Duration::from_secs(8));
                let thing = fault.kind.thing(fault.process);
                for later in &faults[place + 1..] {
                    prop_assert!(later.kind.thing(later.process) != thing || later.at >= fault.at + fault.held);
                }
            }
        }
    }

    #[test]
    fn another_seed_gives_another_plan() {
        assert_ne!(plan(1, TEN_MINUTES, 4), plan(2, TEN_MINUTES, 4));
    }
}
