//! What is told of each record: for people in one paragraph, for programs as one JSON object a line.
//! Owner: `against`. Invariants: no text of a record is here but the masked wrong value; times are Moscow time.

use std::fmt;

use chrono::{DateTime, FixedOffset};
use serde::Serialize;

use crate::enrich::mask::{MaskCounts, MaskKind};
use crate::enrich::names::NameLists;
use crate::model::case::Case;
use crate::model::time::{MOSCOW_OFFSET_SECONDS, Time};
use crate::model::windows::WindowUnit;
use crate::model::words::{EventKind, Outcome, Status, Subject};
use crate::partition::seen::Seen;

/// The fate of one item of one record.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Line {
    /// The line of a table or of JSON lines, else the number of the record in the file; from 1.
    pub record: u64,
    pub item: u16,
    pub items: u16,
    pub outcome: &'static str,
    /// Why it was not applied.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub reason: &'static str,
    /// The column that is wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What stood there, masked, or what is wrong with the record.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub case: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'static str>,
    /// The case as it stands after the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Masked::is_nothing")]
    pub masked: Masked,
    /// Windows that the record corrects although their time is over: each is counted again from the journal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub late_for: Vec<&'static str>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct State {
    pub status: &'static str,
    pub block: String,
    pub topic: String,
    pub territory: String,
    pub body: String,
    /// The policy that matched; empty when none did, and the case has no clocks then.
    pub policy: String,
    pub registered_at: Option<String>,
    pub due_first: Option<String>,
    pub due_final: Option<String>,
}

/// How many identifiers of each kind were replaced in its texts; kinds that were not found are left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Masked(pub MaskCounts);

impl Masked {
    fn is_nothing(&self) -> bool {
        self.0.total() == 0
    }

    fn found(&self) -> impl Iterator<Item = (&'static str, u8)> {
        let counts = self.0;
        MaskKind::ALL.into_iter().map(move |kind| (kind.word(), counts.of(kind))).filter(|(_, count)| *count > 0)
    }
}

impl Serialize for Masked {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.found())
    }
}

impl Line {
    pub(super) fn of(record: u64, seen: &Seen, late: &[WindowUnit], names: &NameLists) -> Line {
        let is_applied = seen.outcome == Outcome::Applied;
        Line {
            record,
            item: seen.position.item,
            items: seen.position.items,
            outcome: seen.outcome.name(),
            reason: seen.reason,
            field: seen.field.clone(),
            value: seen.excerpt.clone(),
            case: seen.case_id.clone(),
            event: seen.event.map(EventKind::name).or((seen.subject != Subject::Case).then(|| seen.subject.name())),
            state: seen.case.as_ref().map(|case| State::of(case, names)),
            masked: Masked(seen.masked),
            late_for: late.iter().filter(|_| is_applied).map(|unit| unit_name(*unit)).collect(),
        }
    }

    /// A row that does not even become a record.
    pub(super) fn unread(record: u64, problem: String) -> Line {
        Line {
            record,
            item: 0,
            items: 1,
            outcome: Outcome::Rejected.name(),
            reason: "not_a_record",
            field: String::new(),
            value: problem,
            case: String::new(),
            event: None,
            state: None,
            masked: Masked::default(),
            late_for: Vec::new(),
        }
    }
}

fn unit_name(unit: WindowUnit) -> &'static str {
    match unit {
        WindowUnit::Minute => "minute",
        WindowUnit::Hour => "hour",
        WindowUnit::Day => "day",
    }
}

impl State {
    fn of(case: &Case, names: &NameLists) -> State {
        State {
            status: Status::name(case.status),
            block: names.blocks.name(u16::from(case.block.0)).to_string(),
            topic: names.topics.name(case.topic.0).to_string(),
            territory: names.territories.name(case.territory.0).to_string(),
            body: names.bodies.name(case.body.0).to_string(),
            policy: names.policies.name(case.policy).to_string(),
            registered_at: case.registered_at.map(moscow),
            due_first: case.due_first.map(moscow),
            due_final: case.due_final.map(moscow),
        }
    }
}

fn moscow(time: Time) -> String {
    let zone = FixedOffset::east_opt(MOSCOW_OFFSET_SECONDS as i32);
    let at = DateTime::from_timestamp(i64::from(time.seconds()), 0);
    match (at, zone) {
        (Some(at), Some(zone)) => at.with_timezone(&zone).to_rfc3339(),
        _ => time.seconds().to_string(),
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.record)?;
        if self.items > 1 {
            write!(f, " item {} of {}", self.item + 1, self.items)?;
        }
        write!(f, ": {}", self.outcome)?;
        for (name, value) in [("", self.reason), ("in", &self.field)] {
            match name {
                _ if value.is_empty() => {}
                "" => write!(f, ", {value}")?,
                name => write!(f, " {name} «{value}»")?,
            }
        }
        if !self.value.is_empty() {
            write!(f, ": {}", self.value)?;
        }
        if !self.case.is_empty() {
            write!(f, "\n    case {}", self.case)?;
        }
        if let Some(event) = self.event {
            write!(f, ", event {event}")?;
        }
        if let Some(state) = &self.state {
            let State { status, block, topic, territory, body, policy, registered_at, due_first, due_final } = state;
            write!(f, "\n    status {status}")?;
            let given =
                [("block", block), ("topic", topic), ("territory", territory), ("body", body), ("policy", policy)];
            for (name, value) in given {
                if !value.is_empty() {
                    write!(f, ", {name} {value}")?;
                }
            }
            let times =
                [("registered", registered_at), ("first answer due", due_first), ("final answer due", due_final)];
            for (name, time) in times {
                if let Some(time) = time {
                    write!(f, "\n    {name} {time}")?;
                }
            }
        }
        if !self.masked.is_nothing() {
            let found: Vec<String> = self.masked.found().map(|(kind, count)| format!("{kind} {count}")).collect();
            write!(f, "\n    masked: {}", found.join(", "))?;
        }
        if !self.late_for.is_empty() {
            write!(f, "\n    late: corrects windows of a {} that are over", self.late_for.join(" and a "))?;
        }
        Ok(())
    }
}

/// What became of all of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Summary {
    pub applied: u64,
    pub duplicate: u64,
    pub ignored: u64,
    pub rejected: u64,
    /// Of the applied: those that came after the time of a window they belong to.
    pub late: u64,
}

impl Summary {
    pub(super) fn count(&mut self, line: &Line) {
        let counter = match line.outcome {
            "applied" => &mut self.applied,
            "duplicate" => &mut self.duplicate,
            "ignored" => &mut self.ignored,
            _ => &mut self.rejected,
        };
        *counter += 1;
        self.late += u64::from(!line.late_for.is_empty());
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { applied, duplicate, ignored, rejected, late } = self;
        write!(
            f,
            "{applied} applied ({late} of them late), {duplicate} duplicate, {ignored} ignored, {rejected} rejected"
        )
    }
}
