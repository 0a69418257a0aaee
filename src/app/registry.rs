//! What the process knows of its partitions, for health, `/debug/partitions` and the end of `--until-idle`.
//! Owner: the application adds and removes; workers write their own status, everyone else reads copies.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kafka::ends::Ends;
use crate::kafka::poll::PollStats;
use crate::model::ids::{AssignmentEpoch, RulesVersion};
use crate::partition::ports::StreamId;
use crate::partition::status::{PartitionStatus, Phase};

/// What Kafka itself says, asked every few seconds: the end of each partition, or why it does not answer.
#[derive(Default)]
pub struct KafkaView {
    ends: HashMap<(Arc<str>, i32), u64>,
    trouble: Option<String>,
}

/// Partitions of the process by why it is not ready; for metrics, whose labels must be few.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Unready {
    /// Need an operator.
    pub stopped: usize,
    /// ClickHouse or the group is away.
    pub waiting: usize,
    pub restoring: usize,
    /// Kafka does not answer (0 or 1).
    pub kafka: usize,
    /// The process is ending (0 or 1).
    pub draining: usize,
}

/// Partitions by assignment, and the figures of the poll thread.
pub struct Registry {
    partitions: Mutex<BTreeMap<AssignmentEpoch, (StreamId, watch::Receiver<PartitionStatus>)>>,
    pub poll: Arc<PollStats>,
    kafka: Mutex<KafkaView>,
    rules: Mutex<(RulesVersion, Option<String>)>,
    is_draining: std::sync::atomic::AtomicBool,
}

impl Ends for Registry {
    fn streams(&self) -> Vec<StreamId> {
        self.lock().values().map(|(stream, _)| stream.clone()).collect()
    }

    fn is_one_unknown(&self) -> bool {
        let partitions = self.lock();
        let view = self.kafka();
        partitions.values().any(|(stream, _)| !view.ends.contains_key(&(stream.topic.clone(), stream.partition.0)))
    }

    fn note_end(&self, stream: &StreamId, end: u64) {
        let mut view = self.kafka();
        view.ends.insert((stream.topic.clone(), stream.partition.0), end);
        view.trouble = None;
    }

    fn note_trouble(&self, problem: String) {
        self.kafka().trouble = Some(problem);
    }
}

/// Sums over the partitions of the process.
#[derive(Clone, Copy, Default, Debug)]
pub struct Totals {
    pub partitions: usize,
    pub rows: u64,
    pub rejected: u64,
    pub batches: u64,
    pub cases: usize,
    pub windows: usize,
    pub all_settled: bool,
}

impl Registry {
    pub fn new(poll: Arc<PollStats>) -> Registry {
        Registry {
            partitions: Mutex::new(BTreeMap::new()),
            poll,
            kafka: Mutex::default(),
            rules: Mutex::new((RulesVersion(0), None)),
            is_draining: false.into(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AssignmentEpoch, (StreamId, watch::Receiver<PartitionStatus>)>> {
        match self.partitions.lock() {
            Ok(partitions) => partitions,
            Err(poisoned) => poisoned.into_inner(), // inserting and removing leave the map whole
        }
    }

    fn kafka(&self) -> MutexGuard<'_, KafkaView> {
        match self.kafka.lock() {
            Ok(view) => view,
            Err(poisoned) => poisoned.into_inner(), // single values, whole at any time
        }
    }

    /// The rules in force, and why those on disk are refused.
    pub fn rules(&self) -> (RulesVersion, Option<String>) {
        match self.rules.lock() {
            Ok(rules) => rules.clone(),
            Err(poisoned) => poisoned.into_inner().clone(), // one value, whole at any time
        }
    }

    pub fn note_rules(&self, in_force: RulesVersion, refused: Option<String>) {
        match self.rules.lock() {
            Ok(mut rules) => *rules = (in_force, refused),
            Err(mut poisoned) => **poisoned.get_mut() = (in_force, refused),
        }
    }

    /// Records of each partition of the process that Kafka has and the journal has not.
    pub fn lags(&self) -> Vec<(StreamId, u64)> {
        let partitions = self.lock();
        let view = self.kafka();
        partitions.values().filter_map(|(stream, status)| Some((stream.clone(), lag(&view, stream, status)?))).collect()
    }

    /// The end of a partition's log, as far as Kafka was asked.
    pub fn end_of(&self, stream: &StreamId) -> Option<u64> {
        self.kafka().ends.get(&(stream.topic.clone(), stream.partition.0)).copied()
    }

    pub fn add(&self, epoch: AssignmentEpoch, stream: StreamId, status: watch::Receiver<PartitionStatus>) {
        // while another process had the partition its log grew
        self.kafka().ends.remove(&(stream.topic.clone(), stream.partition.0));
        self.lock().insert(epoch, (stream, status));
    }

    pub fn remove(&self, epoch: AssignmentEpoch) {
        self.lock().remove(&epoch);
    }

    /// From now on the process is not ready.
    pub fn set_draining(&self) {
        self.is_draining.store(true, Ordering::Relaxed);
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals { all_settled: true, ..Totals::default() };
        for (_, status) in self.lock().values() {
            let status = status.borrow();
            totals.partitions += 1;
            totals.rows += status.rows.applied + status.rows.duplicate + status.rows.rejected + status.rows.ignored;
            totals.rejected += status.rows.rejected;
            totals.batches += status.batches;
            totals.cases += status.cases;
            totals.windows += status.windows;
            totals.all_settled &= status.is_settled || status.phase == Phase::Ended;
        }
        totals
    }

    /// A copy of what every partition says of itself.
    pub fn partitions(&self) -> Vec<(StreamId, PartitionStatus)> {
        self.lock().values().map(|(stream, status)| (stream.clone(), status.borrow().clone())).collect()
    }

    /// Why the process is not ready; empty when it is.
    pub fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.is_draining.load(Ordering::Relaxed) {
            reasons.push("shutting down".to_owned());
        }
        let partitions = self.lock();
        for (stream, status) in partitions.values() {
            let status = status.borrow();
            if let Some(problem) = status.problem.as_ref().or(status.trouble.as_ref()) {
                reasons.push(format!("{stream}: {problem}"));
            } else if matches!(status.phase, Phase::Restoring | Phase::Replaying) {
                reasons.push(format!("{stream}: restoring its state"));
            }
        }
        if let Some(problem) = &self.kafka().trouble {
            reasons.push(format!("kafka does not answer: {problem}"));
        }
        if self.poll.throttled.load(Ordering::Relaxed) && !reasons.is_empty() {
            reasons.push("the memory budget is used up, partitions are paused".to_owned());
        }
        reasons
    }

    /// The same by kind, for metrics.
    pub fn unready_by_kind(&self) -> Unready {
        let mut unready = Unready {
            draining: usize::from(self.is_draining.load(Ordering::Relaxed)),
            kafka: usize::from(self.kafka().trouble.is_some()),
            ..Unready::default()
        };
        for (_, status) in self.lock().values() {
            let status = status.borrow();
            if status.problem.is_some() {
                unready.stopped += 1;
            } else if status.trouble.is_some() {
                unready.waiting += 1;
            } else if matches!(status.phase, Phase::Restoring | Phase::Replaying) {
                unready.restoring += 1;
            }
        }
        unready
    }

    /// Everything, as JSON.
    pub fn describe(&self) -> Value {
        let partitions = self.lock();
        let view = self.kafka();
        let list: Vec<Value> = partitions
            .iter()
            .map(|(epoch, (stream, status))| {
                let lag = lag(&view, stream, status);
                let status = status.borrow();
                json!({
                    "kafka_topic": &*stream.topic, "partition": stream.partition.0, "assignment": epoch.0,
                    "phase": status.phase, "position": status.position.0, "written": status.written.0,
                    "lag": lag,
                    "rows": status.rows, "batches": status.batches, "filling": status.filling, "cases": status.cases,
                    "evicted": status.evicted, "windows": status.windows,
                    "stream_time": status.stream_time.map(|time| time.seconds()),
                    "rules": status.rules.to_string(),
                    "last_flight_ms": status.last_flight.as_millis() as u64, "settled": status.is_settled,
                    "trouble": status.trouble, "problem": status.problem,
                })
            })
            .collect();
        json!({
            "partitions": list,
            "budget": {
                "records": self.poll.in_memory_records.load(Ordering::Relaxed),
                "bytes": self.poll.in_memory_bytes.load(Ordering::Relaxed),
                "paused_partitions": self.poll.paused.load(Ordering::Relaxed),
            },
            "records_read": self.poll.records.load(Ordering::Relaxed),
        })
    }
}

/// `None` while Kafka was not asked yet, or the state below is not restored.
fn lag(view: &KafkaView, stream: &StreamId, status: &watch::Receiver<PartitionStatus>) -> Option<u64> {
    let status = status.borrow();
    let refused_to_start = status.problem.is_some() && status.written.0 == 0;
    if refused_to_start || matches!(status.phase, Phase::Restoring | Phase::Replaying) {
        return None;
    }
    let end = view.ends.get(&(stream.topic.clone(), stream.partition.0))?;
    Some(end.saturating_sub(status.written.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::Offset;

    fn registry(status: PartitionStatus) -> (Registry, StreamId) {
        let registry = Registry::new(Arc::default());
        let stream = StreamId::new("incident", "in", 3);
        registry.add(AssignmentEpoch(1), stream.clone(), watch::channel(status).1);
        (registry, stream)
    }

    #[test]
    fn the_lag_is_what_kafka_has_and_the_journal_has_not() {
        let status = PartitionStatus { phase: Phase::Running, written: Offset(70), ..PartitionStatus::default() };
        let (registry, stream) = registry(status);
        assert_eq!(registry.lags(), vec![], "kafka was not asked yet");
        registry.note_end(&stream, 100);
        assert_eq!(registry.lags(), vec![(stream, 30)]);
    }

    #[test]
    fn a_stopped_partition_and_a_silent_kafka_are_named_in_words_and_in_kinds() {
        let status = PartitionStatus {
            phase: Phase::Ended,
            problem: Some("a gap".to_owned()),
            trouble: Some("x".to_owned()),
            ..PartitionStatus::default()
        };
        let (registry, stream) = registry(status);
        registry.note_trouble("all brokers are down".to_owned());
        let reasons = registry.unready();
        assert_eq!(reasons, vec!["in/3: a gap", "kafka does not answer: all brokers are down"]);
        assert_eq!(registry.unready_by_kind(), Unready { stopped: 1, kafka: 1, ..Unready::default() });
        registry.note_end(&stream, 5);
        assert_eq!(registry.unready(), vec!["in/3: a gap"], "kafka answers again");
    }
}
