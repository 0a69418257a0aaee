//! The SLA policies as the case machine asks them, and the dictionaries they speak of.
//! Owner: built once from the configuration, shared by all workers. Invariant: pure; the same case gets the same deadlines.

use std::sync::Arc;

use thiserror::Error;

use crate::config::Config;
use crate::enrich::identity::{IdentityKey, IdentityKeyError};
use crate::enrich::names::NameLists;
use crate::mapping::dictionaries::Dictionaries;
use crate::model::apply::{DeadlineRules, Deadlines};
use crate::model::calendar::Calendar;
use crate::model::case::Case;
use crate::model::policy::{CaseFacts, Due, NameIds, Policies, PolicyId};
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
    pub policies: Arc<Policies>,
    pub identity: Arc<IdentityKey>,
    sources: Vec<String>,
}

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
        let names = Arc::new(NameLists::default());
        let dictionaries = Arc::new(Dictionaries::new(Arc::new(config.reference.clone()), names.clone()));
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
        Ok(SharedRules { names, dictionaries, policies, identity: Arc::new(key), sources })
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

impl DeadlineRules for SourceRules {
    fn deadlines(&self, case: &Case) -> Deadlines {
        let facts = CaseFacts {
            source: self.source,
            law: case.law,
            fast_track: case.fast_track,
            block: case.block.0,
            topic: case.topic.0,
            body: case.body.0,
            priority: case.priority,
            kind: case.kind,
        };
        let (Some(id), Some(registered)) = (self.policies.first_match(&facts), case.registered_at) else {
            return Deadlines::default();
        };
        let due = |clock, start| match self.policies.due(id, clock, start) {
            Due::At(at) => Some(at),
            Due::None | Due::CalendarMissing => None, // a guessed deadline would be a wrong one
        };
        Deadlines {
            policy: self.numbers[usize::from(id.0)],
            due_first: due(Clock::FirstAnswer, registered),
            due_final: due(Clock::FinalAnswer, case.round_since.unwrap_or(registered)),
        }
    }
}
