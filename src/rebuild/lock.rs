//! One rebuild at a time for each database: a query that only sleeps, under a name of which ClickHouse runs one at a time.
//! Owner: `rebuild`. Invariant: the lock is gone within a moment of its holder, however that died: the server ends the
//! query when the connection closes, so nothing has to be cleared by hand.

use std::time::{Duration, Instant};

use clickhouse::Client;
use tokio::task::JoinHandle;

use super::errors::{RebuildError, failed};
use crate::sink::errors::exception_code;

/// `QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING`
const SAME_ID: u32 = 216;
/// Longer than any rebuild, in seconds.
const LONGEST: u32 = 7 * 86_400;
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(5);

pub struct Lock {
    task: JoinHandle<clickhouse::error::Result<Vec<u8>>>,
    database: String,
    query_id: String,
}

impl Lock {
    /// Waits a moment for one that is just being given back: the server takes up to a second to see that its holder left.
    pub async fn take(client: &Client, database: &str) -> Result<Lock, RebuildError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Lock::try_take(client, database).await {
                Err(RebuildError::Busy { .. }) if Instant::now() < deadline => tokio::time::sleep(PAUSE).await,
                taken => return taken,
            }
        }
    }

    async fn try_take(client: &Client, database: &str) -> Result<Lock, RebuildError> {
        let query_id = format!("tsur-rebuild-{database}");
        let holder = format!("{}-{:x}", std::process::id(), nanoseconds());
        let sql = format!("SELECT sleepEachRow(1) FROM numbers({LONGEST}) WHERE 'held by {holder}' != ''");
        let query = client
            .query_raw(&sql)
            .with_setting("query_id", &query_id)
            .with_setting("max_block_size", "1")
            .with_setting("max_execution_time", "0")
            .with_setting("readonly", "1")
            .with_setting("cancel_http_readonly_queries_on_client_close", "1");
        let task = tokio::spawn(query.fetch_all::<u8>()); // to its end: a row a second
        let mut lock = Lock { task, database: database.to_owned(), query_id };
        for _ in 0..ATTEMPTS {
            if lock.task.is_finished() {
                return Err(lock.lost().await);
            }
            // another holder has a query of the same name, so ours is told by its text
            let held: u64 = client
                .query_raw("SELECT count() FROM system.processes WHERE query_id = {id:String} AND position(query, {holder:String}) > 0")
                .param("id", &lock.query_id)
                .param("holder", &holder)
                .fetch_one()
                .await
                .map_err(failed("lock"))?;
            if held > 0 {
                return Ok(lock);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(RebuildError::LockLost {
            database: lock.database.clone(),
            query_id: lock.query_id.clone(),
            problem: "it did not start in time".to_owned(),
        })
    }

    /// Nothing may be swapped without it.
    pub async fn check(&mut self) -> Result<(), RebuildError> {
        if self.task.is_finished() { Err(self.lost().await) } else { Ok(()) }
    }

    async fn lost(&mut self) -> RebuildError {
        let problem = match (&mut self.task).await {
            Ok(Ok(_)) => "it ended by itself".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        let (database, query_id) = (self.database.clone(), self.query_id.clone());
        if exception_code(&problem) == Some(SAME_ID) {
            return RebuildError::Busy { database, query_id };
        }
        RebuildError::LockLost { database, query_id, problem }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.task.abort(); // closes the connection, which ends the query
    }
}

fn nanoseconds() -> u128 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos())
}
