//! Why a rebuild ended. Owner: `rebuild`. Invariant: every message says what became of the live tables and what to do.
//! None of these is tried again by the rebuild itself; starting `tsur rebuild` again is always right.

use thiserror::Error;

use crate::audit::AuditError;

#[derive(Debug, Error)]
pub enum RebuildError {
    #[error("rebuild, {what}: {source}. Start `tsur rebuild` again when that is mended; it clears what this one left")]
    ClickHouse { what: String, source: clickhouse::error::Error },
    #[error(
        "another `tsur rebuild` works on database `{database}` (query {query_id}); wait for it, or end it and start again"
    )]
    Busy { database: String, query_id: String },
    #[error(
        "the lock on database `{database}` was lost (ClickHouse ended query {query_id}): {problem}. The live tables were \
         not touched since; start `tsur rebuild` again"
    )]
    LockLost { database: String, query_id: String, problem: String },
    #[error(
        "inserts into database `{database}` that began before {moment} still run after {seconds} s: {inserts}. Look at \
         system.processes, end them, and start `tsur rebuild` again"
    )]
    InsertsStillRun { database: String, moment: &'static str, seconds: u64, inserts: String },
    #[error("database `{database}` has no table {table}; run `tsur migrate` first")]
    NoTable { database: String, table: String },
    #[error(transparent)]
    Audit(#[from] AuditError),
}

pub(super) fn failed(what: impl Into<String>) -> impl FnOnce(clickhouse::error::Error) -> RebuildError {
    let what = what.into();
    move |source| RebuildError::ClickHouse { what, source }
}
