//! The SLA policies as the case machine asks them, and the dictionaries they speak of.
//! Owner: built once from the configuration, shared by all workers. Invariant: pure; the same case gets the same deadlines.

use std::sync::Arc;

use thiserror::Error;

use crate::alerts::calendars::CalendarEnd;
use crate::config::Config;
use crate::enrich::enricher::TextBooks;
use crate::enrich::identity::{IdentityKey, IdentityKeyError};
use crate::enrich::names::NameLists;
use crate::mapping::dictionaries::Dictionaries;
use crate::mapping::readers::Readers;
use crate::model::apply::{DeadlineRules, Deadlines};
use crate::model::calendar::{Calendar, MoscowDay};
use crate::model::case::{Case, Paused};
use crate::model::clocks::{self, RunningClock};
use crate::model::policy::{NameIds, Policies, PolicyId};
use crate::model::time::Time;
use crate::model::words::Clock;

#[derive(Debug, Error)]
pub enum RulesError {
    #[error("the rules do not fit together:\n{0}")]
    Inconsistent(String),
    #[error(
        "no identity key: authors are stored as keyed hashes only. Set {variable} to 64 hex digits (openssl rand -hex 32), \
         or name a file in identity.key_file of tsur.toml. Keep the key: with another one, repeats of an author are not recognised"
    )]
    NoIdentityKey { variable: String },
    #[error("identity key: {0}")]
    BadIdentityKey(#[from] IdentityKeyError),
}

/// Rules that all partitions share.
pub struct SharedRules {
    pub names: Arc<NameLists>,
    pub dictionaries: Arc<Dictionaries>,
    pub readers: Arc<Readers>,
    pub policies: Arc<Policies>,
    pub identity: Arc<IdentityKey>,
    sources: Vec<String>,
    calendars: Vec<Calendar>,
}

/// Deadlines reach this far (seconds): a calendar that ends sooner leaves new cases without a deadline. Half a year gives
/// the region time to enter the government's resolution on the next year's holidays.
const CALENDAR_NEEDED: i64 = 180 * 86_400;

/// The rules of one source.
pub struct SourceRules {
    policies: Arc<Policies>,
    /// Interned number of each policy's name.
    numbers: Vec<u16>,
    source: u8,
}

struct Ids<'a> {
    sources: &'a [String],
    names: &'a NameLists,
    config: &'a Config,
}

impl NameIds for Ids<'_> {
    fn source(&self, name: &str) -> Option<u8> {
        self.sources.iter().position(|source| source == name).map(|place| place as u8)
    }
    fn block(&self, name: &str) -> Option<u8> {
        let known = self.config.reference.blocks.iter().any(|block| block.code == name);
        known.then(|| self.names.blocks.number(name) as u8)
    }
    fn topic(&self, name: &str) -> Option<u16> {
        let known = self.config.reference.topics.iter().any(|topic| topic.code == name);
        known.then(|| self.names.topics.number(name))
    }
    fn body(&self, name: &str) -> Option<u16> {
        let known = self.config.reference.bodies.iter().any(|body| body.code == name);
        known.then(|| self.names.bodies.number(name))
    }
}

impl SharedRules {
    /// `identity`: the key itself, for the demo and tests; otherwise that of the configuration.
    pub fn build(config: &Config, identity: Option<&str>) -> Result<SharedRules, RulesError> {
        let key = match (identity, &config.settings.identity.key) {
            (Some(key), _) => IdentityKey::from_hex(key)?,
            (None, Some(key)) => IdentityKey::from_hex(key.expose())?,
            (None, None) => {
                return Err(RulesError::NoIdentityKey { variable: config.settings.identity.key_env.clone() });
            }
        };
        SharedRules::assemble(config, Arc::new(NameLists::default()), Arc::new(key))
    }

    /// Other rules for the same process: names keep their numbers, which the cases in memory have, and authors their key.
    pub fn renewed(&self, config: &Config) -> Result<SharedRules, RulesError> {
        SharedRules::assemble(config, self.names.clone(), self.identity.clone())
    }

    fn assemble(config: &Config, names: Arc<NameLists>, identity: Arc<IdentityKey>) -> Result<SharedRules, RulesError> {
        let texts = TextBooks::build(&config.reference.texts)
            .map_err(|problem| RulesError::Inconsistent(problem.to_string()))?;
        let dictionaries = Dictionaries::new(Arc::new(config.reference.clone()), names.clone(), texts);
        let has_words = !config.lexicon.blocks.is_empty() || config.trained.is_some();
        let dictionaries =
            Arc::new(if has_words { dictionaries.with_classifier(config.classifier()) } else { dictionaries });
        let mut problems = Vec::new();
        let mut calendars = Vec::new();
        for spec in &config.calendars {
            match Calendar::build(spec) {
                Ok(calendar) => calendars.push(calendar),
                Err(mistakes) => problems.extend(mistakes),
            }
        }
        let sources: Vec<String> = config.pipelines.iter().map(|pipeline| pipeline.source.clone()).collect();
        let ids = Ids { sources: &sources, names: &names, config };
        let policies = match Policies::build(&config.policies, &calendars, &ids) {
            Ok(policies) if problems.is_empty() => Arc::new(policies),
            Ok(_) => return Err(RulesError::Inconsistent(problems.join("\n"))),
            Err(mistakes) => {
                problems.extend(mistakes);
                return Err(RulesError::Inconsistent(problems.join("\n")));
            }
        };
        let readers = Arc::new(Readers::new(dictionaries.clone()));
        Ok(SharedRules { names, dictionaries, readers, policies, identity, sources, calendars })
    }

    /// What will go wrong if nobody acts: calendars that end within half a year of `now`.
    pub fn warnings(&self, now: Time) -> Vec<String> {
        let horizon = now.plus_seconds(CALENDAR_NEEDED);
        let ending = self.calendars.iter().filter(|calendar| calendar.ends_at() < horizon);
        ending
            .map(|calendar| {
                format!(
                    "calendar {} ends on {}: cases whose clocks run beyond that get no deadline. Add the next year to its \
                     file in pipelines/calendars",
                    calendar.name(),
                    date_of(calendar.ends_at())
                )
            })
            .collect()
    }

    /// Where each calendar ends, and when that is to be an alert.
    pub fn calendar_ends(&self, days_before: u16) -> Vec<CalendarEnd> {
        let end = |calendar: &Calendar| {
            let ends_at = calendar.ends_at();
            let told_at = ends_at.plus_seconds(-86_400 * i64::from(days_before));
            CalendarEnd { name: calendar.name().to_owned(), ends_at, told_at }
        };
        self.calendars.iter().map(end).collect()
    }

    /// The rules as a source's partitions ask them.
    pub fn of_source(&self, source: &str) -> SourceRules {
        let numbers = (0..self.policies.len() as u16)
            .map(|id| self.names.policies.number(self.policies.name(PolicyId(id)).unwrap_or_default()))
            .collect();
        let place = self.sources.iter().position(|known| known == source).unwrap_or(usize::from(u8::MAX));
        SourceRules { policies: self.policies.clone(), numbers, source: place as u8 }
    }
}

/// The Moscow date as people here write it.
fn date_of(time: Time) -> String {
    let date = i32::try_from(MoscowDay::of(time).0).ok().and_then(chrono::NaiveDate::from_epoch_days);
    date.map(|date| date.format("%d.%m.%Y").to_string()).unwrap_or_default()
}

impl SourceRules {
    /// The clocks of a case that run now, for whoever waits for them.
    pub fn running_clocks(&self, case: &Case) -> [Option<RunningClock>; 3] {
        clocks::running_clocks(case, self.source, &self.policies)
    }

    /// The number of the source, as the policies know it.
    pub fn source(&self) -> u8 {
        self.source
    }
}

impl DeadlineRules for SourceRules {
    fn deadlines(&self, case: &Case) -> Deadlines {
        let now = clocks::assess(case, self.source, &self.policies);
        Deadlines {
            policy: now.policy.map_or(0, |id| self.numbers[usize::from(id.0)]),
            due_first: now.due_first,
            due_final: now.due_final,
            due_stage: now.due_stage,
            stage_is_dispatch: now.stage == Some(Clock::Dispatch),
            is_paused: now.is_paused,
        }
    }

    fn pause(&self, case: &Case, from: Time, to: Time) -> Paused {
        clocks::pause_of(case, self.source, &self.policies, from, to)
    }

    fn start(&self, case: &Case, clock: Clock) -> Option<Time> {
        let id = self.policies.first_match(&clocks::facts_of(case, self.source))?;
        clocks::course_of(case, clock, self.policies.goal(id, clock)?).map(|course| course.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calendar_that_ends_within_half_a_year_is_announced_with_its_date() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config"));
        let config = crate::config::load(folder, &|_: &str| None).unwrap_or_else(|errors| panic!("{errors}"));
        let rules =
            SharedRules::build(&config, Some("8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f"))
                .expect("the shipped rules fit together");
        let last = rules.calendars.iter().map(Calendar::ends_at).min().expect("a calendar");
        assert_eq!(rules.warnings(last.plus_seconds(-CALENDAR_NEEDED)), Vec::<String>::new());
        let warned = rules.warnings(last.plus_seconds(1 - CALENDAR_NEEDED));
        assert!(!warned.is_empty() && warned[0].contains(&date_of(last)), "{warned:?}");
    }
}
