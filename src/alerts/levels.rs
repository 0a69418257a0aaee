//! The ladder of escalation: at which moment of a clock who is told, and how the addressees are called.
//! Owner: the configuration; workers and the outbox read. Pure. Invariants: one to eight levels, in the order of their
//! moments; the names are unique, because a name is a part of the alert's id.

use std::collections::HashMap;

use crate::alerts::gate::Delivery;
use crate::model::apply::DeadlineRules;
use crate::model::case::{Case, Flag};
use crate::model::time::Time;
use crate::model::words::Clock;

/// A level is three bits of a timer.
pub const MAX_LEVELS: usize = 8;

/// Who is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The body that holds the case.
    Body,
    /// Runs the sector block day by day.
    Head,
    /// Answers for the sector block before the government.
    Responsible,
    /// The curator of the control centre.
    Curator,
}

/// When a level is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// So many percent of the time between start and due time are used up, 1 to 99.
    Share(u8),
    /// The due time was missed, and so many seconds went by since.
    Breach { after: u32 },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Level {
    pub name: String,
    pub moment: Moment,
    pub role: Role,
    /// Bits of the clocks that have this level, by their places in [`CLOCKS`].
    pub clocks: u8,
}

/// Every clock.
pub const ALL_CLOCKS: u8 = 0x7f;

impl Level {
    pub fn covers(&self, clock: u8) -> bool {
        self.clocks >> clock & 1 == 1
    }

    /// The first second at which the level is reached.
    pub fn reached_at(&self, run: Run) -> u32 {
        let (start, due) = (run.start.seconds().min(run.due.seconds()), run.due.seconds());
        match self.moment {
            Moment::Share(percent) => start + (u64::from(due - start) * u64::from(percent) / 100) as u32,
            // the due time is the last second that is still in time
            Moment::Breach { after } => due.saturating_add(1).saturating_add(after),
        }
    }
}

/// A clock that runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Run {
    pub start: Time,
    pub due: Time,
}

/// The clocks that have alerts, by their number in a timer and in an id.
pub const CLOCKS: [Clock; 7] = [
    Clock::FirstAnswer,
    Clock::FinalAnswer,
    Clock::Dispatch,
    Clock::Moderation,
    Clock::Coordination,
    Clock::Execution,
    Clock::Approval,
];

/// The clock of a case as far as it runs; one that stands still does not. The due time is the one that the tables have,
/// the rules know what started the clock.
pub fn running(case: &Case, rules: &dyn DeadlineRules, clock: Clock) -> Option<Run> {
    if !case.is_open() {
        return None;
    }
    let due = match clock {
        Clock::FirstAnswer => case.due_first.filter(|_| case.first_stop().is_none()),
        Clock::FinalAnswer => case.due_final.filter(|_| case.final_stop().is_none() && !case.is(Flag::Paused)),
        stage => case.due_stage.filter(|_| case.stage() == Some(stage)),
    }?;
    // rules that changed since may know no start; the breach comes at the due time all the same
    let start = rules.start(case, clock).or(case.registered_at).unwrap_or(due);
    Some(Run { start, due })
}

/// Levels and names.
#[derive(Clone, PartialEq, Debug)]
pub struct Ladder {
    pub levels: Vec<Level>,
    /// Block code → head, responsible; where it is missing, the post with the name of the block stands in.
    pub posts: HashMap<String, (Option<String>, Option<String>)>,
    pub curator: String,
    /// What people are told at once.
    pub delivery: Delivery,
    /// The end of a calendar is an alert so many days before.
    pub calendar_days: u16,
}

impl Default for Ladder {
    /// Equals the shipped `pipelines/alerts/ladder.toml`.
    fn default() -> Ladder {
        let level = |name: &str, moment, role| Level { name: name.to_owned(), moment, role, clocks: ALL_CLOCKS };
        Ladder {
            levels: vec![
                level("warn_50", Moment::Share(50), Role::Body),
                level("warn_80", Moment::Share(80), Role::Head),
                level("breach", Moment::Breach { after: 0 }, Role::Responsible),
                level("breach_24h", Moment::Breach { after: 86_400 }, Role::Curator),
            ],
            posts: HashMap::new(),
            curator: "Куратор ЦУР".to_owned(),
            delivery: Delivery::default(),
            calendar_days: 180,
        }
    }
}

impl Ladder {
    pub fn place(&self, name: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.name == name)
    }

    /// How the addressee of a level is called. `block_name` and `body_name` are for people; the code finds the posts.
    pub fn addressee(&self, role: Role, block: &str, block_name: &str, body_name: &str) -> String {
        let posts = self.posts.get(block);
        let post = |given: Option<&String>, title: &str| match given {
            Some(name) => name.clone(),
            None if block_name.is_empty() => self.curator.clone(), // a case of no block has nobody else
            None => format!("{title} «{block_name}»"),
        };
        match role {
            Role::Body if body_name.is_empty() => {
                post(posts.and_then(|(head, _)| head.as_ref()), "Руководитель отраслевого блока")
            }
            Role::Body => body_name.to_owned(),
            Role::Head => post(posts.and_then(|(head, _)| head.as_ref()), "Руководитель отраслевого блока"),
            Role::Responsible => post(posts.and_then(|(_, who)| who.as_ref()), "Ответственный за отраслевой блок"),
            Role::Curator => self.curator.clone(),
        }
    }
}
