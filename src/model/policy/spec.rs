//! The policy file and how it becomes [`Policies`]: names turn into ids, words into codes, goals get their calendar.
//! Invariant: every mistake is collected and names its policy, its key and what is allowed there.

use serde::Deserialize;

use super::{ByteSet, Conditions, Goal, Policies, Policy, WideSet};
use crate::model::calendar::Calendar;
use crate::model::words::{Clock, ClockStart, GoalUnit, Law, MessageKind, Priority, Roll, Status};

/// One policy file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    #[serde(rename = "policy")]
    pub policies: Vec<PolicySpec>,
}

/// One policy: `[[policy]]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySpec {
    /// Unique; stands in tables and alerts.
    pub name: String,
    /// Where the rule comes from, for people.
    pub source_note: String,
    #[serde(default, rename = "match")]
    pub conditions: MatchSpec,
    /// None at all is allowed: such cases have no deadline.
    #[serde(default, rename = "clock")]
    pub clocks: Vec<ClockSpec>,
    /// Statuses in which the final-answer clock stands still.
    #[serde(default)]
    pub pause: Vec<String>,
}

/// `[policy.match]`: all named conditions must hold, inside a list any word will do; nothing named matches every case.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MatchSpec {
    pub source: Vec<String>,
    pub law: Vec<String>,
    pub block: Vec<String>,
    pub topic: Vec<String>,
    pub body: Vec<String>,
    pub priority: Vec<String>,
    pub kind: Vec<String>,
    pub fast_track: Option<bool>,
    /// The case came back after an answer.
    pub repeated: Option<bool>,
}

/// `[[policy.clock]]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockSpec {
    pub clock: String,
    /// In `unit`s.
    pub goal: u32,
    pub unit: String,
    /// Needed for working time and for a roll.
    pub calendar: Option<String>,
    /// `none` when absent.
    pub roll: Option<String>,
    /// `registration` when absent; only for the clocks of the author.
    pub start: Option<String>,
    /// In `unit`s, for `final_answer`: what one extension adds.
    pub extension: Option<u32>,
}

/// The ids that the caller gave to names; `None` for a name it does not know.
pub trait NameIds {
    fn source(&self, name: &str) -> Option<u8>;
    fn block(&self, name: &str) -> Option<u8>;
    fn topic(&self, name: &str) -> Option<u16>;
    fn body(&self, name: &str) -> Option<u16>;
}

pub(super) fn build(
    specs: &[PolicySpec],
    calendars: &[Calendar],
    names: &dyn NameIds,
) -> Result<Policies, Vec<String>> {
    let mut mistakes = Vec::new();
    if specs.len() > usize::from(u16::MAX) {
        mistakes.push(format!("policy: {} policies (allowed: up to {})", specs.len(), u16::MAX));
    }
    let mut policies: Vec<Policy> = Vec::with_capacity(specs.len());
    for (index, spec) in specs.iter().enumerate() {
        let key = format!("policy[{}] \"{}\"", index + 1, spec.name);
        if spec.name.trim().is_empty() {
            mistakes.push(format!("{key}.name: empty (allowed: a name of its own)"));
        } else if policies.iter().any(|policy| policy.name == spec.name) {
            mistakes.push(format!("{key}.name: stands twice (allowed: a name of its own)"));
        }
        if spec.source_note.trim().is_empty() {
            mistakes.push(format!("{key}.source_note: empty (allowed: the rule it comes from, or \"default\")"));
        }
        let before = mistakes.len();
        let conditions = conditions(&spec.conditions, &key, names, &mut mistakes);
        let readable = mistakes.len() == before;
        if let Some(earlier) = policies.iter().find(|earlier| readable && earlier.conditions.covers(&conditions)) {
            mistakes.push(format!(
                "{key}: can never match, \"{}\" above takes all its cases (allowed: narrower policies first)",
                earlier.name
            ));
        }
        let mut policy = Policy {
            name: spec.name.clone(),
            conditions,
            goals: [None; Clock::ALL.len()],
            pause: pause(spec, &key, &mut mistakes),
        };
        for (number, clock) in spec.clocks.iter().enumerate() {
            let key = format!("{key}.clock[{}]", number + 1);
            let (clock, goal) = read_clock(clock, &key, calendars, &mut mistakes);
            let Some(clock) = clock else { continue };
            let slot = &mut policy.goals[usize::from(clock.code()) - 1];
            if slot.is_some() {
                mistakes.push(format!("{key}.clock: stands twice (allowed: each clock once in a policy)"));
            }
            *slot = goal;
        }
        check_together(&policy, spec, &key, &mut mistakes);
        policies.push(policy);
    }
    if mistakes.is_empty() { Ok(Policies { policies, calendars: calendars.to_vec() }) } else { Err(mistakes) }
}

/// Bits of the statuses of the pause list.
fn pause(spec: &PolicySpec, key: &str, mistakes: &mut Vec<String>) -> u32 {
    let mut bits = 0;
    for word in &spec.pause {
        match Status::from_name(word).filter(|status| !status.is_terminal()) {
            Some(status) => bits |= 1 << status.code(),
            None => {
                let open: Vec<Status> = Status::ALL.iter().copied().filter(|status| !status.is_terminal()).collect();
                mistakes.push(format!("{key}.pause: \"{word}\" (allowed: {})", all(&open, Status::name)));
            }
        }
    }
    bits
}

/// What the parts of a policy say of each other.
fn check_together(policy: &Policy, spec: &PolicySpec, key: &str, mistakes: &mut Vec<String>) {
    let has = |clock: Clock| policy.goals[usize::from(clock.code()) - 1].is_some();
    let named = |clock: Clock| spec.clocks.iter().any(|spec| spec.clock == clock.name());
    if !spec.pause.is_empty() && !named(Clock::FinalAnswer) {
        mistakes.push(format!("{key}.pause: there is no final_answer to stand still (allowed: with that clock only)"));
    }
    if has(Clock::Dispatch) && (has(Clock::Moderation) || has(Clock::Coordination)) {
        mistakes.push(format!(
            "{key}.clock: dispatch covers moderation and coordination (allowed: it, or those two; a case shows one stage at a time)"
        ));
    }
}

fn conditions(spec: &MatchSpec, key: &str, names: &dyn NameIds, mistakes: &mut Vec<String>) -> Conditions {
    let mut note = |list: &str, word: &str, allowed: &str| {
        mistakes.push(format!("{key}.match.{list}: \"{word}\" (allowed: {allowed})"));
    };
    Conditions {
        sources: byte_set(
            &spec.source,
            |name| names.source(name),
            |word| note("source", word, "the sources of the pipeline files"),
        ),
        blocks: byte_set(
            &spec.block,
            |name| names.block(name),
            |word| note("block", word, "the blocks of the reference"),
        ),
        laws: bits(
            &spec.law,
            |word| Law::from_name(word).map(Law::code),
            |word| note("law", word, &all(Law::ALL, Law::name)),
        ),
        priorities: bits(
            &spec.priority,
            |word| Priority::from_name(word).map(Priority::code),
            |word| note("priority", word, &all(Priority::ALL, Priority::name)),
        ),
        kinds: bits(
            &spec.kind,
            |word| MessageKind::from_name(word).map(MessageKind::code),
            |word| note("kind", word, &all(MessageKind::ALL, MessageKind::name)),
        ),
        fast_track: spec.fast_track,
        repeated: spec.repeated,
        topics: wide_set(
            &spec.topic,
            |name| names.topic(name),
            |word| note("topic", word, "the topics of the reference"),
        ),
        bodies: wide_set(&spec.body, |name| names.body(name), |word| note("body", word, "the bodies of the reference")),
    }
}

fn byte_set(words: &[String], id: impl Fn(&str) -> Option<u8>, mut unknown: impl FnMut(&str)) -> ByteSet {
    if words.is_empty() {
        return ByteSet::ALL;
    }
    let mut set = ByteSet::EMPTY;
    for word in words {
        match id(word) {
            Some(id) => set.insert(id),
            None => unknown(word),
        }
    }
    set
}

fn wide_set(words: &[String], id: impl Fn(&str) -> Option<u16>, mut unknown: impl FnMut(&str)) -> WideSet {
    let mut ids = Vec::with_capacity(words.len());
    for word in words {
        match id(word) {
            Some(id) => ids.push(id),
            None => unknown(word),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    WideSet(ids.into_boxed_slice())
}

/// Codes of these vocabularies are 1 ..= 7, so a byte holds them with the bit of the unknown.
fn bits(words: &[String], code: impl Fn(&str) -> Option<u8>, mut unknown: impl FnMut(&str)) -> u8 {
    if words.is_empty() {
        return u8::MAX;
    }
    let mut set = 0;
    for word in words {
        match code(word) {
            Some(code) => set |= 1 << (code & 7),
            None => unknown(word),
        }
    }
    set
}

/// The words of a vocabulary, for a message.
fn all<Word: Copy>(words: &[Word], name: impl Fn(Word) -> &'static str) -> String {
    words.iter().map(|word| name(*word)).collect::<Vec<_>>().join(", ")
}

/// The goals that make sense; anything beyond is a slip of the pen, and working time must fit into a calendar.
fn largest_goal(unit: GoalUnit) -> u32 {
    match unit {
        GoalUnit::Hours => 8784,
        GoalUnit::Days => 366,
        GoalUnit::WorkingHours => 2000,
        GoalUnit::WorkingDays => 250,
        GoalUnit::Minutes => 527_040,
    }
}

fn read_clock(
    spec: &ClockSpec,
    key: &str,
    calendars: &[Calendar],
    mistakes: &mut Vec<String>,
) -> (Option<Clock>, Option<Goal>) {
    let clock = Clock::from_name(&spec.clock);
    if clock.is_none() {
        mistakes.push(format!("{key}.clock: \"{}\" (allowed: {})", spec.clock, all(Clock::ALL, Clock::name)));
    }
    let unit = GoalUnit::from_name(&spec.unit);
    match unit {
        None => {
            mistakes.push(format!("{key}.unit: \"{}\" (allowed: {})", spec.unit, all(GoalUnit::ALL, GoalUnit::name)))
        }
        Some(unit) if !(1..=largest_goal(unit)).contains(&spec.goal) => {
            mistakes.push(format!("{key}.goal: {} (allowed: 1 to {} {})", spec.goal, largest_goal(unit), unit.name()));
        }
        Some(_) => {}
    }
    let roll = match &spec.roll {
        None => Some(Roll::None),
        Some(word) => Roll::from_name(word),
    };
    if roll.is_none() {
        let word = spec.roll.as_deref().unwrap_or_default();
        mistakes.push(format!("{key}.roll: \"{word}\" (allowed: {})", all(Roll::ALL, Roll::name)));
    }
    let counts_working_time = matches!(unit, Some(GoalUnit::WorkingHours | GoalUnit::WorkingDays));
    let rolls = roll.is_some_and(|roll| roll != Roll::None);
    // Working time never ends on a day off; and hours with a roll forward would let an earlier case fall due later.
    if rolls && unit.is_some_and(|unit| unit != GoalUnit::Days) {
        mistakes.push(format!("{key}.roll: only a goal in days can roll (allowed: none, with {})", spec.unit));
    }
    let known = || calendars.iter().map(Calendar::name).collect::<Vec<_>>().join(", ");
    let calendar = spec.calendar.as_ref().and_then(|name| {
        let index = calendars.iter().position(|calendar| calendar.name() == name);
        if index.is_none() {
            mistakes.push(format!("{key}.calendar: \"{name}\" (allowed: {})", known()));
        }
        index.and_then(|index| u16::try_from(index).ok())
    });
    if spec.calendar.is_none() && (counts_working_time || rolls) {
        mistakes.push(format!("{key}.calendar: missing, working time and rolls need one (allowed: {})", known()));
    }
    let start = start(spec, clock, key, mistakes);
    let extension = spec.extension.unwrap_or(0);
    if spec.extension.is_some() && clock.is_some_and(|clock| clock != Clock::FinalAnswer) {
        mistakes
            .push(format!("{key}.extension: only a final answer is extended (allowed: with clock = \"final_answer\")"));
    } else if let Some(unit) =
        unit.filter(|unit| spec.extension.is_some_and(|more| more == 0 || more > largest_goal(*unit)))
    {
        mistakes.push(format!("{key}.extension: {extension} (allowed: 1 to {} {})", largest_goal(unit), unit.name()));
    }
    let goal = unit.zip(roll).map(|(unit, roll)| Goal { amount: spec.goal, unit, roll, start, extension, calendar });
    (clock, goal)
}

fn start(spec: &ClockSpec, clock: Option<Clock>, key: &str, mistakes: &mut Vec<String>) -> ClockStart {
    let Some(word) = &spec.start else { return ClockStart::Registration };
    let allowed: &[ClockStart] = match clock {
        Some(Clock::FinalAnswer) | None => ClockStart::ALL,
        Some(Clock::FirstAnswer) => &[ClockStart::Registration, ClockStart::Detection, ClockStart::Dispatch],
        Some(_) => {
            mistakes.push(format!("{key}.start: a stage starts with itself (allowed: no start)"));
            return ClockStart::Registration;
        }
    };
    match ClockStart::from_name(word).filter(|start| allowed.contains(start)) {
        Some(start) => start,
        None => {
            mistakes.push(format!("{key}.start: \"{word}\" (allowed: {})", all(allowed, ClockStart::name)));
            ClockStart::Registration
        }
    }
}
