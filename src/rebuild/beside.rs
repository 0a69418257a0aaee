//! The tables beside the live ones: made, fed, swapped in, dropped. Owner: `rebuild`. Invariants: a feed never outlives its
//! table (an insert into a table whose view has no target fails, and that insert is `tsur run`'s); nothing is dropped
//! that the rebuild did not make itself or swap out.

use std::time::{Duration, Instant};

use clickhouse::Client;

use super::errors::{RebuildError, failed};

/// Longest insert of `tsur run`, with much to spare (`max_execution_time` of its inserts is 60 s).
const DRAIN_AT_MOST: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Name of the table that is built beside a live one; after the swap, of the old one.
pub fn beside(table: &str) -> String {
    format!("{table}_rebuild")
}

/// Name of the view that hands what `tsur run` writes to the table beside as well.
pub fn feed(table: &str) -> String {
    format!("{table}_rebuild_feed")
}

/// Tables whose rows come through a view of the journal, `X_from_events`.
const FROM_EVENTS: [&str; 3] = ["cases", "votes", "pages"];

/// Where the feed of a table reads: rows reach `cases`, `votes` and `pages` through a view of the journal, and a view does the
/// same for the double; rows of the other tables are copied as they come.
fn feed_sql(table: &str, live_view: &str) -> String {
    let (feed, beside) = (feed(table), beside(table));
    if FROM_EVENTS.contains(&table) {
        format!("CREATE MATERIALIZED VIEW {feed} TO {beside} AS {live_view}")
    } else {
        format!("CREATE MATERIALIZED VIEW {feed} TO {beside} AS SELECT * FROM {table}")
    }
}

/// One connection with the name of its database.
pub struct Tables<'a> {
    pub client: &'a Client,
    pub database: &'a str,
}

impl Tables<'_> {
    async fn run(&self, what: String, sql: &str) -> Result<(), RebuildError> {
        self.client.query_raw(sql).execute().await.map_err(failed(what))
    }

    /// Clears what an earlier rebuild left, makes the empty table and feeds it.
    pub async fn prepare(&self, tables: &[&str]) -> Result<(), RebuildError> {
        for table in tables {
            self.require(table).await?;
        }
        self.stop_feeding(tables).await?;
        self.drop_beside(tables).await?;
        for table in tables {
            let beside = beside(table);
            self.run(format!("table {beside}"), &format!("CREATE TABLE {beside} AS {table}")).await?;
            let live_view = if FROM_EVENTS.contains(table) { self.live_view(table).await? } else { String::new() };
            self.run(format!("view {}", feed(table)), &feed_sql(table, &live_view)).await?;
        }
        Ok(())
    }

    /// The query of the live view itself, so that the double cannot differ from it.
    async fn live_view(&self, table: &str) -> Result<String, RebuildError> {
        let view = format!("{table}_from_events");
        self.client
            .query_raw(
                "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = {view:String}",
            )
            .param("view", &view)
            .fetch_one()
            .await
            .map_err(failed(format!("view {view} (was it dropped? `tsur run` says so at its start)")))
    }

    async fn require(&self, table: &str) -> Result<(), RebuildError> {
        let there: u64 = self
            .client
            .query_raw("SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {table:String}")
            .param("table", table)
            .fetch_one()
            .await
            .map_err(failed(format!("table {table}")))?;
        if there == 0 {
            return Err(RebuildError::NoTable { database: self.database.to_owned(), table: table.to_owned() });
        }
        Ok(())
    }

    pub async fn stop_feeding(&self, tables: &[&str]) -> Result<(), RebuildError> {
        let mut stopped = false;
        for table in tables {
            let feed = feed(table);
            let there: u64 = self
                .client
                .query_raw(
                    "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = {feed:String}",
                )
                .param("feed", &feed)
                .fetch_one()
                .await
                .map_err(failed(format!("view {feed}")))?;
            if there > 0 {
                self.run(format!("drop of view {feed}"), &format!("DROP VIEW IF EXISTS {feed} SYNC")).await?;
                stopped = true;
            }
        }
        // an insert that still knows the feed needs its table
        if stopped { self.drain("the feed was dropped").await } else { Ok(()) }
    }

    pub async fn drop_beside(&self, tables: &[&str]) -> Result<(), RebuildError> {
        for table in tables {
            let beside = beside(table);
            // the server's limit against dropping large tables by mistake is not meant for this one
            let sql = format!("DROP TABLE IF EXISTS {beside} SYNC SETTINGS max_table_size_to_drop = 0");
            self.run(format!("drop of table {beside}"), &sql).await?;
        }
        Ok(())
    }

    /// One atomic exchange of names for each table.
    pub async fn swap(&self, tables: &[&str]) -> Result<(), RebuildError> {
        for table in tables {
            let beside = beside(table);
            let sql = format!("EXCHANGE TABLES {table} AND {beside}");
            self.run(format!("swap of {table} and {beside} (the database must be of engine Atomic)"), &sql).await?;
        }
        Ok(())
    }

    /// Gives the old table, which has the name beside now, a name that no later rebuild touches.
    pub async fn keep_old(&self, tables: &[&str], stamp: &str) -> Result<Vec<String>, RebuildError> {
        let mut kept = Vec::new();
        for table in tables {
            let name = format!("{table}_old_{stamp}");
            self.run(format!("old table {name}"), &format!("RENAME TABLE {} TO {name}", beside(table))).await?;
            kept.push(name);
        }
        Ok(kept)
    }

    /// Waits until every insert that runs now has ended: those that begin later know the present names and views.
    pub async fn drain(&self, moment: &'static str) -> Result<(), RebuildError> {
        const OURS: &str = "query_kind ILIKE '%insert%' AND \
            (current_database = {database:String} OR position(query, {database:String}) > 0)";
        let began: Vec<String> = self
            .client
            .query_raw(&format!("SELECT query_id FROM system.processes WHERE {OURS}"))
            .param("database", self.database)
            .fetch_all()
            .await
            .map_err(failed("list of running inserts"))?;
        let deadline = Instant::now() + DRAIN_AT_MOST;
        let sql = "SELECT concat(query_id, ' by ', user, ' for ', toString(round(elapsed)), ' s') FROM system.processes \
            WHERE has({began:Array(String)}, query_id)";
        loop {
            if began.is_empty() {
                return Ok(());
            }
            let left: Vec<String> = self
                .client
                .query_raw(sql)
                .param("began", &began)
                .fetch_all()
                .await
                .map_err(failed("list of running inserts"))?;
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                let (database, seconds) = (self.database.to_owned(), DRAIN_AT_MOST.as_secs());
                return Err(RebuildError::InsertsStillRun { database, moment, seconds, inserts: left.join(", ") });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_fed_from_the_journal_and_other_tables_from_themselves() {
        let of_cases = feed_sql("cases", "SELECT a FROM db.events WHERE outcome = 'applied'");
        assert!(of_cases.contains("TO cases_rebuild AS SELECT a FROM db.events"), "{of_cases}");
        let of_windows = feed_sql("sla_windows", "");
        assert!(of_windows.ends_with("TO sla_windows_rebuild AS SELECT * FROM sla_windows"), "{of_windows}");
    }
}
