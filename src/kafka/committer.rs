//! Synchronous offset commits with metadata, off the async threads.
//! Owner: one thread; workers wait for its answer under a time-out. Invariants: a commit is answered exactly once; "no
//! answer in time" is reported as unknown and never as done or not done (rust-rdkafka gives no result of asynchronous
//! commits at all, and librdkafka's synchronous one waits without a limit).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
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

enum Request {
    Commit { stream: StreamId, offset: Offset, metadata: String, done: oneshot::Sender<Result<(), CommitError>> },
    Committed { stream: StreamId, done: oneshot::Sender<Result<Option<(Offset, String)>, CommitError>> },
}

/// The handle that workers share.
#[derive(Clone)]
pub struct Committer {
    requests: Sender<Request>,
}

impl Committer {
    /// The thread ends when the last handle is dropped.
    pub fn start(consumer: Arc<GroupConsumer>) -> std::io::Result<(Committer, std::thread::JoinHandle<()>)> {
        let (requests, inbox) = channel();
        let thread =
            std::thread::Builder::new().name("tsur-commit".to_owned()).spawn(move || serve(&consumer, &inbox))?;
        Ok((Committer { requests }, thread))
    }
}

fn serve(consumer: &GroupConsumer, inbox: &Receiver<Request>) {
    while let Ok(request) = inbox.recv() {
        match request {
            Request::Commit { done, .. } if done.is_closed() => {} // the worker has given the partition back meanwhile
            Request::Commit { stream, offset, metadata, done } => {
                let _ = done.send(commit(consumer, &stream, offset, &metadata)); // a waiter that left needs no answer
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

/// The coordinator's refusals of a member that is no longer one mean "fenced"; the rest is tried again.
fn classify(error: &KafkaError) -> CommitError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::UnknownMemberId
            | RDKafkaErrorCode::IllegalGeneration
            | RDKafkaErrorCode::FencedInstanceId
            | RDKafkaErrorCode::AssignmentLost
            | RDKafkaErrorCode::StaleMemberEpoch
            | RDKafkaErrorCode::FencedMemberEpoch,
        ) => CommitError::Fenced(error.to_string()),
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
        let request = Request::Commit { stream: stream.clone(), offset, metadata: metadata.to_owned(), done };
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
