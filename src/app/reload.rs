//! Rules that change while `tsur run` goes on: the files are watched, read whole and checked whole, and only a sound set
//! reaches the workers. Owner: `tsur run`. Invariants: a mistake in any file keeps all of the old rules, and is said in the
//! log, in a metric and in `/readyz` until it is mended; what a running process cannot change (Kafka topics, partitions,
//! epochs, sources) is refused by name; `tsur.toml` is not a rule.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing::{error, info, warn};

use crate::app::registry::Registry;
use crate::app::rules::{RulesError, SharedRules, SourceRules};
use crate::config::files::FOLDERS;
use crate::config::{Config, ConfigErrors, Pipeline};
use crate::mapping::mapper::Mapper;
use crate::model::time::Time;
use crate::partition::rulebook::Rulebook;
use crate::telemetry::metrics;

/// How often the files are looked at. They count when they have not changed for one more look: an editor may be at them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Reads the configuration as at the start.
pub type Loader = Arc<dyn Fn() -> Result<Config, ConfigErrors> + Send + Sync>;

/// A sound set of rules that differs from the one before.
pub struct NewRules {
    pub config: Config,
    pub shared: Arc<SharedRules>,
}

/// Why a set of files is not taken; the old rules stay.
#[derive(Debug, Error)]
pub enum Refused {
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error("{0}: that needs a restart of tsur run")]
    NeedsRestart(String),
}

/// What a worker of this pipeline is given.
pub fn rulebook(config: &Config, shared: &SharedRules, pipeline: &Pipeline) -> Arc<Rulebook<SourceRules>> {
    let rules = Arc::new(shared.of_source(&pipeline.source));
    let (pipeline, readers, identity) = (pipeline.clone(), shared.readers.clone(), shared.identity.clone());
    let calendars = shared.calendar_ends(config.ladder.calendar_days);
    let mapper = move || Mapper::sharing(&pipeline, readers.clone(), identity.clone());
    Arc::new(Rulebook { version: config.rules, rules, mapper: Box::new(mapper), calendars })
}

/// Watches the files of the rules, and SIGHUP, until the process ends.
pub fn watch(
    config: Arc<Config>,
    shared: Arc<SharedRules>,
    load: Loader,
    registry: Arc<Registry>,
) -> std::io::Result<UnboundedReceiver<NewRules>> {
    let hang_up = signal(SignalKind::hangup())?;
    let (changes, inbox) = unbounded_channel();
    registry.note_rules(config.rules, None);
    let watcher = Watcher { config: (*config).clone(), shared, load, registry, changes };
    tokio::spawn(watcher.run(hang_up));
    Ok(inbox)
}

struct Watcher {
    /// The rules in force.
    config: Config,
    shared: Arc<SharedRules>,
    load: Loader,
    registry: Arc<Registry>,
    changes: UnboundedSender<NewRules>,
}

impl Watcher {
    async fn run(mut self, mut hang_up: Signal) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut read = look(&self.config.pipelines_dir).await;
        let mut last = read.clone();
        loop {
            let is_told = tokio::select! {
                told = hang_up.recv() => told.is_some(),
                _ = tick.tick() => false,
            };
            let now = look(&self.config.pipelines_dir).await;
            let is_new = now != read && now == last;
            last.clone_from(&now);
            if is_told || is_new {
                read = now;
                self.take().await;
            }
            if self.changes.is_closed() {
                return;
            }
        }
    }

    async fn take(&mut self) {
        let load = self.load.clone();
        let loaded = match tokio::task::spawn_blocking(move || load()).await {
            Ok(loaded) => loaded.map_err(Refused::from),
            Err(panic) => {
                error!(%panic, "the rules could not be read");
                return;
            }
        };
        let taken = loaded.and_then(|config| self.check(config));
        match taken {
            Ok(None) => {
                info!(rules = %self.config.rules, "the rules on disk are those in force");
                self.registry.note_rules(self.config.rules, None);
            }
            Ok(Some(new)) => {
                info!(from = %self.config.rules, to = %new.config.rules, "new rules; every partition switches with its next batch");
                self.config.clone_from(&new.config);
                self.shared = new.shared.clone();
                self.registry.note_rules(self.config.rules, None);
                metrics::rules_changed();
                for warning in self.shared.warnings(now()) {
                    warn!("{warning}");
                }
                let _ = self.changes.send(new); // the process ends
            }
            Err(refused) => {
                let problem = refused.to_string();
                error!(rules = %self.config.rules, problem, "the changed rules are refused, those in force stay");
                self.registry.note_rules(self.config.rules, Some(problem));
            }
        }
    }

    fn check(&self, config: Config) -> Result<Option<NewRules>, Refused> {
        if config.ladder != self.config.ladder {
            return Err(Refused::NeedsRestart("the ladder of the alerts has changed".to_owned()));
        }
        if config.rules == self.config.rules {
            return Ok(None);
        }
        same_streams(&self.config.pipelines, &config.pipelines).map_err(Refused::NeedsRestart)?;
        let shared = Arc::new(self.shared.renewed(&config)?);
        let config = Config { settings: self.config.settings.clone(), ..config };
        Ok(Some(NewRules { config, shared }))
    }
}

/// What the consumer subscribed to and the journal is keyed by stays as it was at the start.
fn same_streams(old: &[Pipeline], new: &[Pipeline]) -> Result<(), String> {
    for pipeline in old {
        let Some(other) = new.iter().find(|other| other.name == pipeline.name) else {
            return Err(format!("pipeline {} is gone", pipeline.name));
        };
        let differences = [
            ("source", pipeline.source != other.source),
            ("kafka_topic", pipeline.kafka_topic != other.kafka_topic),
            ("partitions", pipeline.partitions != other.partitions),
            ("stream_epoch", pipeline.stream_epoch != other.stream_epoch),
            ("shape", pipeline.shape != other.shape),
        ];
        if let Some((key, _)) = differences.iter().find(|(_, differs)| *differs) {
            return Err(format!("{key} of pipeline {} has changed", pipeline.name));
        }
    }
    match new.iter().find(|pipeline| old.iter().all(|known| known.name != pipeline.name)) {
        Some(added) => Err(format!("pipeline {} is new", added.name)),
        None => Ok(()),
    }
}

/// Names, lengths and times of the files below the folder; what cannot be looked at is not in it.
type Look = Vec<(PathBuf, u64, Option<SystemTime>)>;

async fn look(folder: &Path) -> Look {
    let folder = folder.to_owned();
    // a look that panicked saw nothing; the next one will
    tokio::task::spawn_blocking(move || files_of(&folder)).await.unwrap_or_default()
}

fn files_of(folder: &Path) -> Look {
    let mut files = Look::new();
    for folder in FOLDERS.map(|name| folder.join(name)) {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            // the target of a link, because a mounted configuration changes by another link
            if let Ok(about) = std::fs::metadata(entry.path())
                && about.is_file()
            {
                files.push((entry.path(), about.len(), about.modified().ok()));
            }
        }
    }
    files.sort();
    files
}

fn now() -> Time {
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64);
    Time::from_unix_millis(since).unwrap_or(Time::EARLIEST)
}

#[cfg(test)]
#[path = "reload_tests.rs"]
mod tests;
