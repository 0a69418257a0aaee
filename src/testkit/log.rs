//! One Kafka partition and its consumer group: records, committed offset with metadata, members and generations.
//! Invariants, as the broker has them: a commit is taken from any member under the present generation, whether or not
//! the partition is its own; from an expelled member, or under an older generation, it is refused.

use std::collections::BTreeSet;

use crate::model::ids::Offset;
use crate::partition::ports::{CommitError, OffsetLog, StreamId};
use crate::partition::recovery::LogView;
use crate::testkit::cluster::{Generation, Process, Reply};
use crate::testkit::faults::Point;

/// One record of the partition.
#[derive(Clone, Debug)]
pub struct LogRecord {
    pub offset: Offset,
    /// Kafka's time, milliseconds.
    pub time: i64,
    pub payload: Option<Vec<u8>>,
}

/// The partition and its group.
pub struct Kafka {
    pub records: Vec<LogRecord>,
    /// Offset after the last one given out, whether or not its record can be read.
    pub high: Offset,
    pub committed: Option<(Offset, String)>,
    members: BTreeSet<u32>,
    generation: u64,
}

impl Kafka {
    /// The records of a topic that nobody has read.
    pub fn new(records: Vec<LogRecord>, high: Offset) -> Kafka {
        Kafka { records, high, members: BTreeSet::new(), committed: None, generation: 0 }
    }

    /// Offset after the last record that can be read.
    pub fn end(&self) -> Offset {
        self.records.last().map_or(Offset(0), |record| record.offset.next())
    }

    pub fn view(&self) -> LogView {
        LogView { committed: self.committed.clone(), low: Offset(0), high: self.high }
    }

    /// A process joins; like everything that changes the members, that starts a new generation.
    pub fn join(&mut self, process: u32) {
        self.members.insert(process);
        self.generation += 1;
    }

    pub fn expel(&mut self, process: u32) {
        self.members.remove(&process);
        self.generation += 1;
    }

    pub fn generation_of(&self, process: u32) -> Generation {
        self.members.contains(&process).then_some(self.generation)
    }

    fn commit(&mut self, sent: Generation, offset: Offset, metadata: String) -> Result<(), CommitError> {
        if sent != Some(self.generation) {
            return Err(CommitError::Fenced("unknown member or illegal generation".to_owned()));
        }
        self.committed = Some((offset, metadata));
        Ok(())
    }
}

impl OffsetLog for Process {
    async fn commit(&self, _: &StreamId, offset: Offset, metadata: &str) -> Result<(), CommitError> {
        let point = if metadata.is_empty() { Point::Finish } else { Point::Begin };
        let what = format!("commit {offset} {metadata:?}");
        let metadata = metadata.to_owned();
        match self.call(point, what, move |cluster, sent| cluster.kafka.commit(sent, offset, metadata)).await {
            Reply::Done(result) => result,
            Reply::Away => Err(CommitError::NotTaken("the coordinator is loading".to_owned())),
            Reply::Lost => Err(CommitError::Unknown("no answer".to_owned())),
        }
    }

    async fn committed(&self, _: &StreamId) -> Result<Option<(Offset, String)>, CommitError> {
        let what = "read the committed offset".to_owned();
        match self.call(Point::Readback, what, |cluster, _| cluster.kafka.committed.clone()).await {
            Reply::Done(committed) => Ok(committed),
            Reply::Away | Reply::Lost => Err(CommitError::NotTaken("the coordinator is away".to_owned())),
        }
    }
}
