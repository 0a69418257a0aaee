//! What was published, counted while it was published: the answer sheet for tests, the audit and the benchmarks.
//! Owner: the simulation, which writes it at the moment a record leaves. Invariant: `records` = `fresh` + `late` +
//! `out_of_order` + `duplicates` + all `broken`; only sound, first deliveries change cases and facts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::faults::BrokenKind;
use super::{Fate, SourceKind};
use crate::model::time::Time;
use crate::model::words::Status;

/// Everything the simulation has published so far.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    pub seed: u64,
    pub records: u64,
    pub bytes: u64,
    pub pos: SourceLedger,
    pub incident: SourceLedger,
    #[serde(default)]
    pub sed: SourceLedger,
    #[serde(default)]
    pub s112: SourceLedger,
    #[serde(default)]
    pub portal: SourceLedger,
    /// One line a case, in the order of opening; empty unless `SimulationConfig::keep_cases`.
    #[serde(skip)]
    pub cases: Vec<CaseOutcome>,
}

/// The share of one source.
#[derive(Clone, Default, Debug, PartialEq, Serialize, Deserialize)]
pub struct SourceLedger {
    pub records: u64,
    pub fresh: u64,
    pub duplicates: u64,
    pub late: u64,
    pub out_of_order: u64,
    pub broken: BrokenCounts,
    /// Cases with at least one sound record.
    pub cases: u64,
    pub cases_by_status: StatusCounts,
    pub facts: Facts,
}

/// How often each fact was published soundly (re-deliveries are not counted again).
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub registered: u64,
    /// Sent to a body, the first time and again.
    pub routed: u64,
    /// Sent on from one body to another after the first routing.
    pub transferred: u64,
    pub interim_answers: u64,
    /// Terms that were prolonged.
    pub extended: u64,
    /// Final answers; one case may have several after a return. A deferral is not an answer.
    pub answered: u64,
    pub deferred: u64,
    pub closed: u64,
    pub rejected: u64,
    pub merged: u64,
    pub returned: u64,
    pub reopened: u64,
    /// Ratings given (ПОС, 1..5) and their sum.
    pub rated: u64,
    pub rating_sum: u64,
    /// Reactions (incidents).
    pub satisfied: u64,
    pub not_satisfied: u64,
    pub no_reaction: u64,
}

/// A case as it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseOutcome {
    pub source: SourceKind,
    pub case_id: String,
    /// Unix seconds of its registration; zero when no sound record that says it was published.
    pub registered_at: u32,
    /// Canonical status name; empty when no sound record of the case was published.
    pub status: String,
    /// An event of it was published after a newer one. Who reads it may take it for a repetition, in rare cases.
    pub overtaken: bool,
    /// Unix seconds of the last final answer, zero when there was none.
    pub answered_at: u32,
    /// The last rating, zero when there was none.
    pub rating: u8,
}

/// Cases by their canonical status.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, u64>", from = "BTreeMap<String, u64>")]
pub struct StatusCounts([u64; 16]);

impl StatusCounts {
    pub fn of(&self, status: Status) -> u64 {
        self.0[usize::from(status.code())]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl From<StatusCounts> for BTreeMap<String, u64> {
    fn from(counts: StatusCounts) -> Self {
        let held = Status::ALL.iter().filter(|status| counts.of(**status) > 0);
        held.map(|status| (status.name().to_owned(), counts.of(*status))).collect()
    }
}

impl From<BTreeMap<String, u64>> for StatusCounts {
    fn from(map: BTreeMap<String, u64>) -> Self {
        let mut counts = StatusCounts::default();
        for (name, count) in map {
            if let Some(status) = Status::from_name(&name) {
                counts.0[usize::from(status.code())] = count;
            }
        }
        counts
    }
}

/// Broken records by kind.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, u64>", from = "BTreeMap<String, u64>")]
pub struct BrokenCounts([u64; BrokenKind::ALL.len()]);

impl BrokenCounts {
    pub fn of(&self, kind: BrokenKind) -> u64 {
        self.0[kind as usize]
    }

    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl From<BrokenCounts> for BTreeMap<String, u64> {
    fn from(counts: BrokenCounts) -> Self {
        BrokenKind::ALL.iter().map(|kind| (kind.name().to_owned(), counts.of(*kind))).collect()
    }
}

impl From<BTreeMap<String, u64>> for BrokenCounts {
    fn from(map: BTreeMap<String, u64>) -> Self {
        let mut counts = BrokenCounts::default();
        for kind in BrokenKind::ALL {
            counts.0[*kind as usize] = map.get(kind.name()).copied().unwrap_or(0);
        }
        counts
    }
}

/// What one sound record says about its case; applied when the record leaves, not when it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effect {
    pub(super) fact: Fact,
    /// `None` leaves the status as it is (a rating, a reaction).
    pub(super) status: Option<Status>,
    pub(super) at: Time,
}

/// The fact a sound record carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fact {
    Registered,
    Taken,
    Routed,
    Transferred,
    Interim,
    Extended,
    Approval,
    Answered,
    Deferred,
    Closed,
    Rejected,
    Merged,
    Returned,
    Reopened,
    Rated(u8),
    Satisfied,
    NotSatisfied,
    NoReaction,
}

/// What the ledger remembers of a case while it lives.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Standing {
    status: Option<Status>,
    /// Event time of the latest status-changing event that was published.
    status_at: Option<Time>,
}

impl Ledger {
    /// The share of a source.
    pub fn of(&self, source: SourceKind) -> &SourceLedger {
        match source {
            SourceKind::Pos => &self.pos,
            SourceKind::Incident => &self.incident,
            SourceKind::Sed => &self.sed,
            SourceKind::S112 => &self.s112,
            SourceKind::Portal => &self.portal,
        }
    }

    fn of_mut(&mut self, source: SourceKind) -> &mut SourceLedger {
        match source {
            SourceKind::Pos => &mut self.pos,
            SourceKind::Incident => &mut self.incident,
            SourceKind::Sed => &mut self.sed,
            SourceKind::S112 => &mut self.s112,
            SourceKind::Portal => &mut self.portal,
        }
    }

    /// Counts one record on its way out.
    pub(super) fn published(&mut self, source: SourceKind, fate: Fate, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
        let share = self.of_mut(source);
        share.records += 1;
        match fate {
            Fate::Fresh => share.fresh += 1,
            Fate::Duplicate => share.duplicates += 1,
            Fate::Late => share.late += 1,
            Fate::OutOfOrder => share.out_of_order += 1,
            Fate::Broken(kind) => share.broken.0[kind as usize] += 1,
        }
    }

    /// Applies a sound record: an event changes the status only if it is not older than the one that set it.
    pub(super) fn apply(&mut self, source: SourceKind, line: Option<usize>, standing: &mut Standing, effect: Effect) {
        let share = self.of_mut(source);
        share.facts.count(effect.fact);
        let current = standing.status_at.is_none_or(|known| effect.at >= known);
        if let Some(status) = effect.status.filter(|_| current) {
            match standing.status {
                Some(before) => share.cases_by_status.0[usize::from(before.code())] -= 1,
                None => share.cases += 1,
            }
            share.cases_by_status.0[usize::from(status.code())] += 1;
            standing.status = Some(status);
            standing.status_at = Some(effect.at);
        }
        if let Some(outcome) = line.and_then(|line| self.cases.get_mut(line)) {
            match effect.fact {
                Fact::Registered if outcome.registered_at == 0 => outcome.registered_at = effect.at.seconds(),
                Fact::Answered => outcome.answered_at = outcome.answered_at.max(effect.at.seconds()),
                Fact::Rated(rating) => outcome.rating = rating,
                Fact::Reopened => outcome.rating = 0,
                _ => {}
            }
            outcome.overtaken |= !current;
            if outcome.status != standing.status.map_or("", Status::name) {
                outcome.status = standing.status.map_or("", Status::name).to_owned();
            }
        }
    }
}

impl Facts {
    fn count(&mut self, fact: Fact) {
        match fact {
            Fact::Registered => self.registered += 1,
            Fact::Taken | Fact::Approval => {}
            Fact::Routed => self.routed += 1,
            Fact::Transferred => {
                self.routed += 1;
                self.transferred += 1;
            }
            Fact::Interim => self.interim_answers += 1,
            Fact::Extended => self.extended += 1,
            Fact::Answered => self.answered += 1,
            Fact::Deferred => self.deferred += 1,
            Fact::Closed => self.closed += 1,
            Fact::Rejected => self.rejected += 1,
            Fact::Merged => self.merged += 1,
            Fact::Returned => self.returned += 1,
            Fact::Reopened => self.reopened += 1,
            Fact::Rated(rating) => {
                self.rated += 1;
                self.rating_sum += u64::from(rating);
            }
            Fact::Satisfied => self.satisfied += 1,
            Fact::NotSatisfied => self.not_satisfied += 1,
            Fact::NoReaction => self.no_reaction += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds).expect("in range")
    }

    #[test]
    fn an_overtaken_event_does_not_change_the_status() {
        let mut ledger = Ledger::default();
        let mut standing = Standing::default();
        let answered = Effect { fact: Fact::Answered, status: Some(Status::Answered), at: at(200) };
        let routed = Effect { fact: Fact::Routed, status: Some(Status::InWork), at: at(100) };
        ledger.apply(SourceKind::Incident, None, &mut standing, answered);
        ledger.apply(SourceKind::Incident, None, &mut standing, routed);
        assert_eq!(ledger.incident.cases_by_status.of(Status::Answered), 1);
        assert_eq!(ledger.incident.cases_by_status.total(), 1);
        assert_eq!((ledger.incident.cases, ledger.incident.facts.routed), (1, 1));
    }

    #[test]
    fn the_line_of_a_case_says_that_an_event_was_overtaken() {
        let line = |case_id: &str| CaseOutcome {
            source: SourceKind::Incident,
            case_id: case_id.to_owned(),
            registered_at: 100,
            status: String::new(),
            overtaken: false,
            answered_at: 0,
            rating: 0,
        };
        let mut ledger = Ledger { cases: vec![line("in order"), line("overtaken")], ..Ledger::default() };
        let routed = Effect { fact: Fact::Routed, status: Some(Status::InWork), at: at(100) };
        let answered = Effect { fact: Fact::Answered, status: Some(Status::Answered), at: at(200) };
        for (line, effects) in [[routed, answered], [answered, routed]].iter().enumerate() {
            let mut standing = Standing::default();
            for effect in effects {
                ledger.apply(SourceKind::Incident, Some(line), &mut standing, *effect);
            }
        }
        for (line, overtaken) in ledger.cases.iter().zip([false, true]) {
            assert_eq!(
                (line.overtaken, line.answered_at, &*line.status),
                (overtaken, 200, "answered"),
                "{}",
                line.case_id
            );
        }
    }

    #[test]
    fn the_ledger_survives_its_json() {
        let mut ledger = Ledger { seed: 7, ..Ledger::default() };
        ledger.published(SourceKind::Pos, Fate::Broken(BrokenKind::NotJson), 10);
        let effect = Effect { fact: Fact::Rated(4), status: Some(Status::Answered), at: at(5) };
        ledger.apply(SourceKind::Pos, None, &mut Standing::default(), effect);
        let text = serde_json::to_string(&ledger).expect("serialises");
        assert_eq!(serde_json::from_str::<Ledger>(&text).expect("parses"), ledger);
    }
}
