//! What a partition worker needs from the world: a log of offsets and a sink. The real ones are in `kafka` and `sink`;
//! tests bring fakes that lose replies, wake up late and die in between.
//! Invariant: each error says whether to try again, to give up the partition, or to stop.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;

use crate::codec::avro::SchemaId;
use crate::model::case::{Case, Flag, RowVersion};
use crate::model::effects::{Dimensions, Effect};
use crate::model::ids::{CaseKey, Offset, OffsetRange, Partition, RulesVersion};
use crate::model::time::Time;
use crate::model::windows::{ColdWindow, WindowKey, WindowUnit, WindowValue};
use crate::model::words::Clock;

/// One partition of one source.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StreamId {
    pub pipeline: Arc<str>,
    pub source: Arc<str>,
    pub topic: Arc<str>,
    pub partition: Partition,
}

impl StreamId {
    /// A partition of a pipeline that is named like its source.
    pub fn new(pipeline: &str, topic: &str, partition: i32) -> StreamId {
        let pipeline: Arc<str> = Arc::from(pipeline);
        StreamId { source: pipeline.clone(), pipeline, topic: Arc::from(topic), partition: Partition(partition) }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// Why an offset was not committed.
#[derive(Debug, Error, Clone)]
pub enum CommitError {
    /// Give up the partition: another member owns it, or this one was expelled.
    #[error("the group coordinator refused the commit: {0}")]
    Fenced(String),
    /// Try again: nothing was written.
    #[error("the offset was not committed: {0}")]
    NotTaken(String),
    /// Read the committed offset back before anything else.
    #[error("the outcome of the commit is unknown: {0}")]
    Unknown(String),
}

/// Why the sink did not do what it was asked.
#[derive(Debug, Error)]
pub enum SinkError {
    /// Try again with the same bytes and the same token.
    #[error("clickhouse is not available: {0}")]
    Unavailable(String),
    /// Stop: trying again gives the same.
    #[error("clickhouse refused: {0}")]
    Refused(String),
}

/// What became of a block that an attempt with an unknown outcome may have brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Landed {
    /// Its rows are in the journal.
    There,
    /// An attempt is being executed, so nothing can be said yet.
    OnItsWay,
    /// The token is known and the rows are nowhere.
    Swallowed,
}

/// Committed offsets and their metadata, fenced by the group.
pub trait OffsetLog: Send + Sync + 'static {
    fn commit(
        &self,
        stream: &StreamId,
        offset: Offset,
        metadata: &str,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// The committed offset and metadata, `None` when there is none.
    fn committed(
        &self,
        stream: &StreamId,
    ) -> impl Future<Output = Result<Option<(Offset, String)>, CommitError>> + Send;
}

/// The cases of a partition below an offset.
#[derive(Default)]
pub struct RestoredCases {
    pub cases: Vec<Case>,
    /// Ended so long ago that only their keys are needed.
    pub evicted: Vec<CaseKey>,
    /// The latest `since` of the new deadlines that the cases have; zero without any.
    pub dues_since: u32,
}

/// One applied row of the journal, as a replay folds it.
#[derive(Clone)]
pub struct JournalFold {
    pub case: Case,
    pub effects: Vec<Effect>,
    pub before: Dimensions,
}

/// Projection rows of one partition; every one is an upsert of a whole value.
#[derive(Clone, Default)]
pub struct ProjectionRows {
    pub windows: Vec<(WindowKey, WindowValue)>,
    /// Minute (seconds since the epoch) and its open work.
    pub backlog: Vec<BacklogRow>,
    /// Windows that must be recounted from the journal.
    pub cold: Vec<ColdWindow>,
    /// Open cases whose deadlines other rules have moved.
    pub dues: Vec<NewDues>,
}

/// Deadlines of an open case that differ from those of its journal row, because the rules have changed since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewDues {
    pub key: CaseKey,
    /// The row the case stands at; after the next one these deadlines say nothing.
    pub version: RowVersion,
    /// Minute (of the epoch) of the first backlog that counts by them.
    pub since: u32,
    pub rules: RulesVersion,
    pub policy: u16,
    pub due_first: Option<Time>,
    pub due_final: Option<Time>,
    pub due_stage: Option<Time>,
    pub stage: Option<Clock>,
    pub is_paused: bool,
}

impl NewDues {
    /// Those of a case.
    pub fn of(case: &Case, since: u32, rules: RulesVersion) -> NewDues {
        NewDues {
            key: case.key,
            version: case.version,
            since,
            rules,
            policy: case.policy,
            due_first: case.due_first,
            due_final: case.due_final,
            due_stage: case.due_stage,
            stage: case.stage(),
            is_paused: case.is(Flag::Paused),
        }
    }

    /// Gives them to the case; it must stand at their row.
    pub fn give(&self, case: &mut Case) {
        debug_assert_eq!((self.key, self.version), (case.key, case.version));
        case.policy = self.policy;
        case.due_first = self.due_first;
        case.due_final = self.due_final;
        case.due_stage = self.due_stage;
        case.flags.set(Flag::StageIsDispatch, self.stage == Some(Clock::Dispatch));
        case.flags.set(Flag::Paused, self.is_paused);
    }
}

impl ProjectionRows {
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.backlog.is_empty() && self.cold.is_empty() && self.dues.is_empty()
    }
}

/// One row of `backlog`.
#[derive(Clone)]
pub struct BacklogRow {
    pub minute: u32,
    pub block: crate::model::case::BlockId,
    pub territory: crate::model::case::TerritoryId,
    pub body: crate::model::case::BodyId,
    pub value: crate::model::case_store::BacklogValue,
}

/// What a schema source answers: the text of the schema, or why records of this number cannot be read.
pub type SchemaAnswer = Result<Result<Arc<str>, String>, SinkError>;

/// Where the schemas of Avro records are fetched from.
pub trait SchemaSource: Send + Sync + 'static {
    /// An outer error is tried again; an inner one rejects the records that name this schema.
    fn fetch(&self, id: SchemaId) -> Pin<Box<dyn Future<Output = SchemaAnswer> + Send + '_>>;
}

/// Where rows go and where state comes back from.
pub trait Sink: Send + Sync + 'static {
    /// One block, one token, all or nothing.
    fn insert_journal(&self, block: Bytes, token: &str) -> impl Future<Output = Result<(), SinkError>> + Send;
    /// Where the block of this range and token is, after an insert that was answered with success.
    fn landed(
        &self,
        stream: &StreamId,
        range: OffsetRange,
        token: &str,
    ) -> impl Future<Output = Result<Landed, SinkError>> + Send;
    /// Brings the rows of the range into `cases` once more: a server that died may have put them into the journal alone.
    fn refill_cases(&self, stream: &StreamId, range: OffsetRange)
    -> impl Future<Output = Result<(), SinkError>> + Send;
    /// Upserts; `below` is the version: the values are those after all rows below it.
    fn write_projections(
        &self,
        stream: &StreamId,
        rows: &ProjectionRows,
        below: Offset,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;
    /// The last offset of the partition that is accounted: in the journal, or accepted as lost.
    fn last_offset(&self, stream: &StreamId) -> impl Future<Output = Result<Option<Offset>, SinkError>> + Send;
    /// Number of journal rows in the range.
    fn rows_in(&self, stream: &StreamId, range: OffsetRange) -> impl Future<Output = Result<u64, SinkError>> + Send;
    /// The cases as they stood below the offset, with the new deadlines they were given there; those that ended before `ended_before` by key only.
    fn restore_cases(
        &self,
        stream: &StreamId,
        below: Offset,
        ended_before: Time,
    ) -> impl Future<Output = Result<RestoredCases, SinkError>> + Send;
    /// Single cases as they stood below the offset.
    fn load_cases(
        &self,
        stream: &StreamId,
        keys: &[CaseKey],
        below: Offset,
    ) -> impl Future<Output = Result<Vec<Case>, SinkError>> + Send;
    /// The newest effect below the offset.
    fn stream_time(
        &self,
        stream: &StreamId,
        below: Offset,
    ) -> impl Future<Output = Result<Option<Time>, SinkError>> + Send;
    /// The windows at or after the horizon of their length, summed over the journal below the offset.
    fn restore_windows(
        &self,
        stream: &StreamId,
        below: Offset,
        horizons: [(WindowUnit, u32); 3],
    ) -> impl Future<Output = Result<Vec<(WindowKey, WindowValue)>, SinkError>> + Send;
    /// Windows behind the horizon that rows sealed shortly before the offset touched: their recount may still have been
    /// owed when the last owner died.
    fn recently_cold(
        &self,
        stream: &StreamId,
        below: Offset,
        horizons: [(WindowUnit, u32); 3],
    ) -> impl Future<Output = Result<Vec<ColdWindow>, SinkError>> + Send;
    /// The applied rows of the range in the order of the log.
    fn applied_rows(
        &self,
        stream: &StreamId,
        range: OffsetRange,
    ) -> impl Future<Output = Result<Vec<JournalFold>, SinkError>> + Send;
    /// Notes that an operator accepted the range as lost.
    fn accept_gap(&self, stream: &StreamId, range: OffsetRange) -> impl Future<Output = Result<(), SinkError>> + Send;
}
