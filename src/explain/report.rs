//! What an explanation says, in the form that `--format json` prints and the tests read.
//! Invariants: times are ISO 8601 in Moscow time; codes are those of the configuration; the names of fields are a contract.

use serde::Serialize;

use super::days::{DaysOff, WorkedDay};
use super::russian;

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Explanation {
    pub case_id: String,
    pub source: String,
    pub status: &'static str,
    pub review_round: u8,
    pub holder: String,
    /// The policies above the one that matched, each with the conditions that were not met.
    pub passed_over: Vec<PassedOver>,
    pub policy: Option<String>,
    pub source_note: String,
    pub clocks: Vec<ClockExplanation>,
    pub history: Vec<HistoryLine>,
    pub remarks: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PassedOver {
    pub policy: String,
    pub unmet: Vec<Unmet>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Unmet {
    pub condition: &'static str,
    pub wanted: String,
    pub found: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ClockExplanation {
    pub clock: &'static str,
    pub goal: u32,
    pub unit: &'static str,
    pub calendar: Option<String>,
    /// What started it; `None` when it has not started.
    pub started_by: &'static str,
    pub start: Option<String>,
    pub pauses: Vec<PauseLine>,
    pub steps: Vec<StepLine>,
    pub due: Option<String>,
    pub stop: Option<String>,
    pub verdict: Verdict,
    /// Seconds past due, or left, by the verdict.
    pub seconds: u32,
    pub holder_at_due: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    NotStarted,
    NoCalendar,
    OnTime,
    Late,
    Running,
    RunningLate,
    Paused,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PauseLine {
    pub from: String,
    /// `None`: it still lasts.
    pub to: Option<String>,
    pub status: &'static str,
    pub seconds: u32,
    pub days: u16,
}

/// A step of the count, with what it passed over.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum StepLine {
    Counted {
        amount: u32,
        unit: &'static str,
        paused_seconds: u32,
        paused_days: u16,
        from: String,
        to: String,
        days_off: Vec<DaysOff>,
        working_weekends: Vec<String>,
        worked: Vec<WorkedDay>,
    },
    Rolled {
        roll: &'static str,
        from: String,
        to: String,
        why: String,
    },
    NotRolled {
        at: String,
    },
    Extended {
        at: String,
        amount: u32,
        unit: &'static str,
        /// The source says that it was prolonged, not when.
        date_unknown: bool,
    },
    NotExtended {
        at: String,
        is_late: bool,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct HistoryLine {
    pub at: Option<String>,
    pub event: &'static str,
    pub status: &'static str,
    pub holder: String,
}

impl Explanation {
    /// The explanation as people read it.
    pub fn text(&self) -> String {
        russian::text(self)
    }
}
