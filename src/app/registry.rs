//! What the process knows of its partitions, for health, `/debug/partitions` and the end of `--until-idle`.
//! Owner: the application adds and removes; workers write their own status, everyone else reads copies.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::kafka::poll::PollStats;
use crate::model::ids::AssignmentEpoch;
use crate::partition::ports::StreamId;
use crate::partition::status::{PartitionStatus, Phase};

/// Partitions by assignment, and the figures of the poll thread.
pub struct Registry {
    partitions: Mutex<BTreeMap<AssignmentEpoch, (StreamId, watch::Receiver<PartitionStatus>)>>,
    pub poll: Arc<PollStats>,
    is_draining: std::sync::atomic::AtomicBool,
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
        Registry { partitions: Mutex::new(BTreeMap::new()), poll, is_draining: false.into() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AssignmentEpoch, (StreamId, watch::Receiver<PartitionStatus>)>> {
        match self.partitions.lock() {
            Ok(partitions) => partitions,
            Err(poisoned) => poisoned.into_inner(), // inserting and removing leave the map whole
        }
    }

    pub fn add(&self, epoch: AssignmentEpoch, stream: StreamId, status: watch::Receiver<PartitionStatus>) {
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
        if self.poll.throttled.load(Ordering::Relaxed) && !reasons.is_empty() {
            reasons.push("the memory budget is used up, partitions are paused".to_owned());
        }
        reasons
    }

    /// Everything, as JSON.
    pub fn describe(&self) -> Value {
        let partitions = self.lock();
        let list: Vec<Value> = partitions
            .iter()
            .map(|(epoch, (stream, status))| {
                let status = status.borrow();
                json!({
                    "kafka_topic": &*stream.topic, "partition": stream.partition.0, "assignment": epoch.0,
                    "phase": status.phase, "position": status.position.0, "written": status.written.0,
                    "rows": status.rows, "batches": status.batches, "filling": status.filling, "cases": status.cases,
                    "evicted": status.evicted, "windows": status.windows,
                    "stream_time": status.stream_time.map(|time| time.seconds()),
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
