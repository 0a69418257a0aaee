//! Synchronous offset commits with metadata, off the async threads.
//! Owner: one thread; workers wait for its answer under a time-out. Invariants: a commit is answered exactly once; "no
//! answer in time" is reported as unknown and never as done or not done (rust-rdkafka gives no result of asynchronous
//! commits at all, and librdkafka's synchronous one waits without a limit); nothing is committed for an assignment that was
//! given back, however long the request has waited here.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use rdkafka::Offset as KafkaOffset;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use tokio::sync::oneshot;

use crate::kafka::client::GroupConsumer;
use crate::model::ids::Offset;
use crate::partition::ports::{CommitError, OffsetLog, StreamId};

/// A commit that takes longer has an unknown outcome.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Reading committed offsets back.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether commits of one assignment may still go out. The group fences whole members, not partitions: a commit that waited here
/// while the member lost a partition and joined again would carry the new membership, and be taken over the head of the
/// partition's new owner.
pub struct Gate(Mutex<bool>);

impl Gate {
    pub fn open() -> Arc<Gate> {
        Arc::new(Gate(Mutex::new(true)))
    }

    /// Closes it for ever; false while a commit is on its way, and then it must be tried again.
    pub fn try_close(&self) -> bool {
        match self.0.try_lock() {
            Ok(mut is_open) => *is_open = false,
            Err(TryLockError::Poisoned(poisoned)) => *poisoned.into_inner() = false,
            Err(TryLockError::WouldBlock) => return false,
        }
        true
    }

    /// Runs the commit, unless the gate is closed; it cannot be closed meanwhile.
    fn pass(&self, commit: impl FnOnce() -> Result<(), CommitError>) -> Result<(), CommitError> {
        let is_open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_open { commit() } else { Err(CommitError::Fenced("the partition was given back".to_owned())) }
    }
}

struct Commit {
    stream: StreamId,
    offset: Offset,
    metadata: String,
    gate: Arc<Gate>,
    done: oneshot::Sender<Result<(), CommitError>>,
}

enum Request {
    Commit(Commit),
    Committed { stream: StreamId, done: oneshot::Sender<Result<Option<(Offset, String)>, CommitError>> },
}

/// The handle of one assignment.
#[derive(Clone)]
pub struct Committer {
    requests: Sender<Request>,
    gate: Arc<Gate>,
}

impl Committer {
    /// The thread ends when the last handle is dropped.
    pub fn start(consumer: Arc<GroupConsumer>) -> std::io::Result<(Committer, std::thread::JoinHandle<()>)> {
        let (requests, inbox) = channel();
        let thread =
            std::thread::Builder::new().name("tsur-commit".to_owned()).spawn(move || serve(&consumer, &inbox))?;
        Ok((Committer { requests, gate: Gate::open() }, thread))
    }

    /// A handle whose commits end with the assignment that the gate belongs to.
    pub fn behind(&self, gate: Arc<Gate>) -> Committer {
        Committer { requests: self.requests.clone(), gate }
    }
}

fn serve(consumer: &GroupConsumer, inbox: &Receiver<Request>) {
    while let Ok(request) = inbox.recv() {
        match request {
            // whoever gave up waiting may have given up the partition, and the broker would not know: it fences members
            Request::Commit(commit) if commit.done.is_closed() => {}
            Request::Commit(Commit { stream, offset, metadata, gate, done }) => {
                let outcome = gate.pass(|| commit(consumer, &stream, offset, &metadata));
                let _ = done.send(outcome); // a waiter that left needs no answer
            }
            Request::Committed { stream, done } => {
                let _ = done.send(committed(consumer, &stream));
            }
        }
    }
}

fn commit(consumer: &GroupConsumer, stream: &StreamId, offset: Offset, metadata: &str) -> Result<(), CommitError> {
    let mut list = TopicPartitionList::new();
    let refused = |error: KafkaError| CommitError::NotTaken(error.to_string());
    list.add_partition_offset(&stream.topic, stream.partition.0, KafkaOffset::Offset(offset.0 as i64))
        .map_err(refused)?;
    if !metadata.is_empty()
        && let Some(mut element) = list.find_partition(&stream.topic, stream.partition.0)
    {
        element.set_metadata(metadata);
    }
    consumer.commit(&list, CommitMode::Sync).map_err(|error| classify(&error))
}

/// "Fenced" is what ends the membership of this process for good; the rest is tried again. An old generation or an unknown member is
/// no proof that the partition is gone: in a rebalance every member is refused so until it knows the new generation, and keeps the partitions that
/// are not revoked. A worker that gave up then would leave a partition of ours without anybody to read it. When it is gone,
/// the revocation says so, and the gate is closed.
fn classify(error: &KafkaError) -> CommitError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::FencedInstanceId | RDKafkaErrorCode::FencedMemberEpoch) => {
            CommitError::Fenced(error.to_string())
        }
        Some(
            RDKafkaErrorCode::RequestTimedOut
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::BrokerTransportFailure,
        ) => CommitError::Unknown(error.to_string()),
        _ => CommitError::NotTaken(error.to_string()),
    }
}

fn committed(consumer: &GroupConsumer, stream: &StreamId) -> Result<Option<(Offset, String)>, CommitError> {
    let mut list = TopicPartitionList::new();
    list.add_partition(&stream.topic, stream.partition.0);
    let list =
        consumer.committed_offsets(list, READ_TIMEOUT).map_err(|error| CommitError::NotTaken(error.to_string()))?;
    Ok(read_committed(&list, stream))
}

/// The offset and metadata of one partition in a list of committed offsets.
pub fn read_committed(list: &TopicPartitionList, stream: &StreamId) -> Option<(Offset, String)> {
    let element = list.find_partition(&stream.topic, stream.partition.0)?;
    match element.offset() {
        KafkaOffset::Offset(offset) if offset >= 0 => Some((Offset(offset as u64), element.metadata().to_owned())),
        _ => None,
    }
}

impl OffsetLog for Committer {
    async fn commit(&self, stream: &StreamId, offset: Offset, metadata: &str) -> Result<(), CommitError> {
        let (done, answer) = oneshot::channel();
        let (stream, metadata, gate) = (stream.clone(), metadata.to_owned(), self.gate.clone());
        let request = Request::Commit(Commit { stream, offset, metadata, gate, done });
        if self.requests.send(request).is_err() {
            return Err(CommitError::NotTaken("the consumer is closed".to_owned()));
        }
        match tokio::time::timeout(COMMIT_TIMEOUT, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(CommitError::Unknown("the commit thread ended".to_owned())),
            Err(_) => Err(CommitError::Unknown(format!("no answer within {COMMIT_TIMEOUT:?}"))),
        }
    }

    async fn committed(&self, stream: &StreamId) -> Result<Option<(Offset, String)>, CommitError> {
        let (done, answer) = oneshot::channel();
        if self.requests.send(Request::Committed { stream: stream.clone(), done }).is_err() {
            return Err(CommitError::NotTaken("the consumer is closed".to_owned()));
        }
        match tokio::time::timeout(COMMIT_TIMEOUT + READ_TIMEOUT, answer).await {
            Ok(Ok(result)) => result,
            _ => Err(CommitError::NotTaken("committed offsets could not be read".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_of_an_assignment_that_was_given_back_does_not_go_out() {
        let gate = Gate::open();
        assert!(gate.pass(|| Ok(())).is_ok());
        assert!(gate.try_close());
        let late = gate.pass(|| unreachable!("the partition has another owner"));
        assert!(matches!(late, Err(CommitError::Fenced(_))));
    }

    #[test]
    fn an_assignment_is_not_given_back_while_a_commit_of_it_is_on_its_way() {
        let gate = Gate::open();
        let during = gate.pass(|| {
            assert!(!gate.try_close());
            Ok(())
        });
        assert!(during.is_ok() && gate.try_close());
    }

    #[test]
    fn a_refusal_in_a_rebalance_is_tried_again_because_the_partition_may_still_be_ours() {
        for code in [
            RDKafkaErrorCode::IllegalGeneration,
            RDKafkaErrorCode::UnknownMemberId,
            RDKafkaErrorCode::RebalanceInProgress,
        ] {
            assert!(matches!(classify(&KafkaError::ConsumerCommit(code)), CommitError::NotTaken(_)), "{code}");
        }
        let fenced = KafkaError::ConsumerCommit(RDKafkaErrorCode::FencedInstanceId);
        assert!(matches!(classify(&fenced), CommitError::Fenced(_)));
    }
}
