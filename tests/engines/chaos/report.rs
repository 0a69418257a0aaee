//! What a run prints at its end: fault by fault, a table by kind, what is wrong, and one line for machines.
//! Owner: the run. Invariant: the last line has every count that must be zero.

use std::collections::BTreeMap;
use std::time::Duration;

use super::faults::{Outcome, clock};
use super::recount::Recount;
use super::schedule::Kind;

pub struct Report {
    pub outcomes: Vec<Outcome>,
    pub own_ends: Vec<String>,
    pub records: usize,
    pub recount: Recount,
}

fn seconds(duration: Option<Duration>) -> String {
    duration.map_or("never".to_owned(), |duration| format!("{:.1}", duration.as_secs_f64()))
}

impl Report {
    fn by_kind(&self) -> BTreeMap<Kind, Vec<&Outcome>> {
        let mut kinds: BTreeMap<Kind, Vec<&Outcome>> = BTreeMap::new();
        for outcome in &self.outcomes {
            kinds.entry(outcome.fault.kind).or_default().push(outcome);
        }
        kinds
    }

    pub fn print(&self) {
        println!("\n    began  lasted s  rows again s  fault");
        for (number, outcome) in self.outcomes.iter().enumerate() {
            println!(
                "{:>3} {}  {:>8.1}  {:>12}  {} {} {}",
                number + 1,
                clock(outcome.began),
                outcome.lasted.as_secs_f64(),
                seconds(outcome.flowed),
                outcome.fault.kind.name(),
                outcome.target,
                outcome.note
            );
        }
        println!("\nfaults  rows again s: shortest  median  longest  kind");
        for (kind, outcomes) in self.by_kind() {
            let mut times: Vec<Duration> = outcomes.iter().filter_map(|outcome| outcome.flowed).collect();
            times.sort();
            println!(
                "{:>6}  {:>22}  {:>6}  {:>7}  {}",
                outcomes.len(),
                seconds(times.first().copied()),
                seconds(times.get(times.len() / 2).copied()),
                seconds(times.last().copied()),
                kind.name()
            );
        }
        println!("\n{} times a process ended by itself and was started again", self.own_ends.len());
        for problem in &self.recount.problems {
            println!("problem: {problem}");
        }
    }

    pub fn last_line(&self) -> String {
        format!(
            "chaos: records={} faults={} kinds={} alerts={} lost={} doubled={} wrong_cases={}",
            self.records,
            self.outcomes.len(),
            self.by_kind().len(),
            self.recount.alerts,
            self.recount.lost,
            self.recount.doubled,
            self.recount.wrong_cases.len()
        )
    }

    pub fn must_be_clean(&self) {
        assert_eq!(self.recount.problems, Vec::<String>::new());
        let stuck: Vec<&str> =
            self.outcomes.iter().filter(|outcome| outcome.flowed.is_none()).map(|o| o.fault.kind.name()).collect();
        assert_eq!(stuck, Vec::<&str>::new(), "rows never flowed again after these");
        assert!(self.records > 0 && !self.outcomes.is_empty());
    }
}
