//! `tsur check --against`: the records of a file through the real fold, in memory, without any server.
//! Owner: the command. Invariants: the configuration, the mapping, the case machine and the clocks are those of `tsur run`;
//! nothing is sent and nothing is stored; what is told of a record is masked as the journal would be.

mod input;
mod report;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;

use crate::app::rules::{SharedRules, SourceRules};
use crate::codec::avro::SchemaId;
use crate::config::Config;
use crate::config::pipeline::Pipeline;
use crate::kafka::chunk::Chunk;
use crate::mapping::mapper::Mapper;
use crate::model::ids::{AssignmentEpoch, Offset, RulesVersion};
use crate::model::time::Time;
use crate::model::windows::{Retention, WindowUnit, Windows};
use crate::partition::fold::{BatchLimits, Fold, Progress};
use crate::partition::ports::StreamId;
use crate::partition::seen::Seen;

pub use input::{Input, InputKind};
pub use report::{Line, Summary};

/// Authors are told apart by a keyed hash that nobody sees here; where no key is configured, any will do.
const NO_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The rows of the block that nobody will insert are dropped after so many.
const ROWS: usize = 10_000;

/// A record of a file on its way through the fold.
pub struct Against {
    fold: Fold<SourceRules>,
    shared: SharedRules,
    now: Time,
    next: u64,
}

impl Against {
    /// `now` stands in for the time at which Kafka would receive the records.
    pub fn new(config: &Config, pipeline: &Pipeline, now: Time) -> anyhow::Result<Against> {
        let key = config.settings.identity.key.is_none().then_some(NO_KEY);
        let shared = SharedRules::build(config, key).context("the rules do not fit together")?;
        let mapper = Mapper::new(pipeline, shared.dictionaries.clone(), shared.identity.clone());
        let max_record_bytes = config.settings.limits.max_record_bytes;
        let limits = BatchLimits { rows: usize::MAX, bytes: usize::MAX, max_record_bytes };
        let rules = Arc::new(shared.of_source(&pipeline.source));
        let stream = StreamId {
            pipeline: Arc::from(pipeline.name.as_str()),
            source: Arc::from(pipeline.source.as_str()),
            ..StreamId::new("", &pipeline.kafka_topic, 0)
        };
        let mut fold = Fold::new(stream, shared.names.clone(), mapper, rules, limits, Retention::OF_TABLES);
        fold.watch();
        Ok(Against { fold, shared, now, next: 0 })
    }

    /// The rules that the records are folded by.
    pub fn shared(&self) -> &SharedRules {
        &self.shared
    }

    /// What would become of one record; a line for each of its items.
    pub fn record(&mut self, place: u64, payload: &[u8]) -> Vec<Line> {
        let stream_time = self.fold.windows.stream_time();
        let seen = self.fold(payload);
        seen.iter().map(|seen| Line::of(place, seen, &late_for(seen, stream_time), &self.shared.names)).collect()
    }

    /// Folds one record; gives what became of each of its items.
    pub fn fold(&mut self, payload: &[u8]) -> Vec<Seen> {
        let mut chunk = Chunk::new(AssignmentEpoch(0));
        chunk.push(Offset(self.next), i64::from(self.now.seconds()) * 1000, Some(payload));
        self.next += 1;
        // no limit of a batch applies and no case ever left memory, so only a schema can be missing
        while let Progress::NeedsSchema(_, id) = self.fold.process(&chunk, 0, 0..u64::MAX, self.now) {
            self.fold.learn_schema(id, Err(no_registry(id)));
        }
        if self.fold.rows() >= ROWS {
            self.fold.windows.take_dirty();
            self.fold.windows.take_cold();
            self.fold.seal(0, RulesVersion(0));
        }
        self.fold.take_seen()
    }
}

/// Windows that are out of memory by the time of the newest record so far, and that the record counts in all the same.
fn late_for(seen: &Seen, stream_time: Option<Time>) -> Vec<WindowUnit> {
    let Some((at, day_only)) = seen.oldest_effect else { return Vec::new() };
    let is_late = |unit: &WindowUnit| unit.start(at) < Windows::horizon_start(*unit, stream_time);
    let counted = |unit: &WindowUnit| !day_only || *unit == WindowUnit::Day;
    WindowUnit::ALL.into_iter().filter(counted).filter(is_late).collect()
}

fn no_registry(id: SchemaId) -> String {
    format!("check asks no schema registry for number {}; give an Avro container file, which carries its schema", id.0)
}

/// Reads the whole file and hands each line of the report to `tell`.
pub fn run(
    config: &Config,
    pipeline: &Pipeline,
    file: &Path,
    kind: Option<InputKind>,
    now: Time,
    mut tell: impl FnMut(&Line) -> anyhow::Result<()>,
) -> anyhow::Result<Summary> {
    let mut input = Input::open(file, kind, pipeline, config.settings.limits.max_record_bytes)?;
    let mut against = Against::new(config, &input.pipeline(pipeline)?, now)?;
    let mut summary = Summary::default();
    while let Some((place, record)) = input.read()? {
        let lines = match record {
            Ok(payload) => against.record(place, &payload),
            Err(problem) => vec![Line::unread(place, problem)],
        };
        for line in &lines {
            summary.count(line);
            tell(line)?;
        }
    }
    Ok(summary)
}

#[cfg(test)]
mod tests;
