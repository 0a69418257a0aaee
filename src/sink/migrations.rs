//! Numbered migrations of the ClickHouse database, embedded in the binary, and the check of them at start.
//! Owner: `tsur migrate` applies, `tsur run` only verifies. Invariants: a migration that was applied anywhere is never
//! edited (its hash is recorded), it gets a successor; every statement may run twice (`IF NOT EXISTS`, `CREATE OR
//! REPLACE VIEW`), so a crash in the middle is repaired by running again; a binary never works on a newer database.
//! In a cluster the engines would be `Replicated…MergeTree` in a `Replicated` database; the statements stay the same,
//! and the windows to verify are then `replicated_deduplication_window` and its `_seconds`.

use clickhouse::{Client, Row};
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::sink::statements;

/// One file of `schemas/clickhouse/`.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    pub number: u16,
    pub name: &'static str,
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($number:literal $name:literal,)+) => {
        /// Every migration, in order.
        pub const MIGRATIONS: &[Migration] = &[$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/clickhouse/", $name, ".sql")),
        },)+];
    };
}

migrations! {
    1 "0001_journal",
    2 "0002_cases",
    3 "0003_windows",
    4 "0004_views",
    5 "0005_window_views",
    6 "0006_dead_letters_view",
    7 "0007_clocks",
    8 "0008_alerts",
    9 "0009_masked_kinds",
    10 "0010_feedback",
    11 "0011_votes_pages",
    12 "0012_dues",
    13 "0013_readings",
    14 "0014_dues_read",
    15 "0015_messages",
    16 "0016_problems",
}

impl Migration {
    /// Names the content; independent of the machine and the build.
    pub fn hash(&self) -> String {
        format!("{:032x}", xxh3_128(self.sql.as_bytes()))
    }
}

/// A token is worthless below this many remembered parts.
const DEDUPLICATION_FLOOR: u64 = 1000;

/// Tables that a journal insert reaches: without its own window each of them would take a replayed block twice.
const DEDUPLICATED: &[&str] = &["events", "cases", "votes", "pages"];

/// Views that fill tables; without one of them its table silently stops growing.
const FILLING_VIEWS: &[&str] =
    &["cases_from_events", "backlog_marks_from_backlog", "votes_from_events", "pages_from_events"];

#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    #[error("ClickHouse, {what}: {source}")]
    ClickHouse { what: String, source: clickhouse::error::Error },
    #[error(
        "migration {name} was applied to database `{database}` with other content ({recorded}) than this binary has \
         ({embedded}); restore the file schemas/clickhouse/{name}.sql and put the change into a new migration"
    )]
    Changed { database: String, name: String, recorded: String, embedded: String },
    #[error(
        "database `{database}` has migration {number} ({name}), this binary knows only up to {newest}; \
         use a newer tsur, or another database"
    )]
    Newer { database: String, number: u16, name: String, newest: u16 },
    #[error("database `{database}` lacks {missing}; run `tsur migrate`")]
    NotApplied { database: String, missing: String },
    #[error(
        "table `{database}.{table}` remembers {window} inserts, at least {DEDUPLICATION_FLOOR} are needed, else a batch \
         that is sent again after a crash would be counted twice; run: \
         ALTER TABLE {database}.{table} MODIFY SETTING {setting} = 10000"
    )]
    NoDeduplication { database: String, table: String, window: u64, setting: &'static str },
    #[error(
        "database `{database}` has no {what}; it was dropped after `tsur migrate`. Drop the database and rebuild it, or create it again from schemas/clickhouse/"
    )]
    Dropped { database: String, what: String },
    #[error("`{0}` is not a database name: letters, digits and underscores only")]
    BadName(String),
}

/// What `apply` did with one migration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    pub number: u16,
    pub name: &'static str,
    /// False: it was there already.
    pub is_new: bool,
}

#[derive(Row, Deserialize, Debug)]
struct Recorded {
    number: u16,
    name: String,
    hash: String,
}

#[derive(Row, Deserialize, Debug)]
struct Table {
    name: String,
    engine: String,
    plain_window: u64,
    replicated_window: u64,
}

const RECORDS: &str = "CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt16 COMMENT 'Number of the migration',
    name String COMMENT 'File in schemas/clickhouse/',
    hash String COMMENT 'XXH3-128 of its content',
    applied_at DateTime64(3, 'Europe/Moscow') DEFAULT now64(3) COMMENT 'When it was applied'
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number
COMMENT 'Migrations this database has'";

fn failed(what: impl Into<String>) -> impl FnOnce(clickhouse::error::Error) -> MigrationError {
    let what = what.into();
    move |source| MigrationError::ClickHouse { what, source }
}

/// Brings the database to the state this binary needs, creating it where it is missing.
pub async fn apply(client: &Client, database: &str) -> Result<Vec<Applied>, MigrationError> {
    apply_all(client, database, MIGRATIONS).await
}

/// `apply` with another list, for tests.
pub async fn apply_all(client: &Client, database: &str, all: &[Migration]) -> Result<Vec<Applied>, MigrationError> {
    create_database(client, database).await?;
    let client = client.clone().with_database(database);
    client.query_raw(RECORDS).execute().await.map_err(failed("table schema_migrations"))?;
    let recorded = recorded(&client).await?;
    check(database, all, &recorded)?;

    let mut applied = Vec::with_capacity(all.len());
    for migration in all {
        let is_new = !recorded.iter().any(|row| row.number == migration.number);
        if is_new {
            run(&client, migration).await?;
        }
        applied.push(Applied { number: migration.number, name: migration.name, is_new });
    }
    Ok(applied)
}

async fn create_database(client: &Client, database: &str) -> Result<(), MigrationError> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if database.is_empty() || !database.chars().all(is_name) {
        return Err(MigrationError::BadName(database.to_owned()));
    }
    // `default` always exists; the client's own database may be the one that is still to be made
    let client = client.clone().with_database("default");
    let there: u64 = client
        .query_raw("SELECT count() FROM system.databases WHERE name = {name:String}")
        .param("name", database)
        .fetch_one()
        .await
        .map_err(failed("list of databases"))?;
    if there == 0 {
        // Atomic: CREATE OR REPLACE needs it, and where it is not the default nothing else would say so
        let create = format!("CREATE DATABASE IF NOT EXISTS `{database}` ENGINE = Atomic");
        client.query_raw(&create).execute().await.map_err(failed(format!("database `{database}`")))?;
    }
    Ok(())
}

async fn run(client: &Client, migration: &Migration) -> Result<(), MigrationError> {
    for (place, statement) in statements::split(migration.sql).iter().enumerate() {
        let first_line = statement.lines().next().unwrap_or_default();
        let what = format!("migration {}, statement {} ({first_line})", migration.name, place + 1);
        client.query_raw(statement).execute().await.map_err(failed(what))?;
    }
    client
        .query_raw(
            "INSERT INTO schema_migrations (number, name, hash) SELECT {number:UInt16}, {name:String}, {hash:String}",
        )
        .param("number", migration.number)
        .param("name", migration.name)
        .param("hash", migration.hash())
        .execute()
        .await
        .map_err(failed(format!("record of migration {}", migration.name)))
}

async fn recorded(client: &Client) -> Result<Vec<Recorded>, MigrationError> {
    client
        .query_raw("SELECT number, name, hash FROM schema_migrations FINAL ORDER BY number")
        .fetch_all()
        .await
        .map_err(failed("table schema_migrations"))
}

/// The binary and the database agree on every migration the database has.
fn check(database: &str, all: &[Migration], recorded: &[Recorded]) -> Result<(), MigrationError> {
    for row in recorded {
        let Some(migration) = all.iter().find(|migration| migration.number == row.number) else {
            return Err(MigrationError::Newer {
                database: database.to_owned(),
                number: row.number,
                name: row.name.clone(),
                newest: all.last().map_or(0, |migration| migration.number),
            });
        };
        let embedded = migration.hash();
        if embedded != row.hash {
            return Err(MigrationError::Changed {
                database: database.to_owned(),
                name: migration.name.to_owned(),
                recorded: row.hash.clone(),
                embedded,
            });
        }
    }
    Ok(())
}

/// Start-up check of `tsur run`: every migration applied, nothing dropped since, insert deduplication switched on.
pub async fn verify(client: &Client, database: &str) -> Result<(), MigrationError> {
    let tables = tables(client, database).await?;
    let has = |name: &str| tables.iter().find(|table| table.name == name);
    let recorded = match has("schema_migrations") {
        Some(_) => recorded(&client.clone().with_database(database)).await?,
        None => Vec::new(),
    };
    check(database, MIGRATIONS, &recorded)?;
    let missing: Vec<&str> = MIGRATIONS
        .iter()
        .filter(|migration| !recorded.iter().any(|row| row.number == migration.number))
        .map(|migration| migration.name)
        .collect();
    if !missing.is_empty() {
        let missing = format!("migration {}", missing.join(", "));
        return Err(MigrationError::NotApplied { database: database.to_owned(), missing });
    }
    if let Some(view) = FILLING_VIEWS.iter().find(|view| has(view).is_none()) {
        let what = format!("materialized view {view}");
        return Err(MigrationError::Dropped { database: database.to_owned(), what });
    }
    for name in DEDUPLICATED {
        let Some(table) = has(name) else {
            return Err(MigrationError::Dropped { database: database.to_owned(), what: format!("table {name}") });
        };
        let (window, setting) = if table.engine.starts_with("Replicated") {
            (table.replicated_window, "replicated_deduplication_window")
        } else {
            (table.plain_window, "non_replicated_deduplication_window")
        };
        if window < DEDUPLICATION_FLOOR {
            let (database, table) = (database.to_owned(), (*name).to_owned());
            return Err(MigrationError::NoDeduplication { database, table, window, setting });
        }
    }
    Ok(())
}

/// A table that does not set a window itself has the server's.
async fn tables(client: &Client, database: &str) -> Result<Vec<Table>, MigrationError> {
    const SQL: &str = r"
        WITH
            (SELECT groupArray((name, toUInt64OrZero(value))) FROM system.merge_tree_settings
             WHERE name IN ('non_replicated_deduplication_window', 'replicated_deduplication_window')) AS defaults,
            extract(engine_full, '\\bnon_replicated_deduplication_window = (\\d+)') AS plain,
            extract(engine_full, '\\breplicated_deduplication_window = (\\d+)') AS replicated
        SELECT
            name, engine,
            if(plain != '', toUInt64OrZero(plain),
                arrayFirst(s -> s.1 = 'non_replicated_deduplication_window', defaults).2) AS plain_window,
            if(replicated != '', toUInt64OrZero(replicated),
                arrayFirst(s -> s.1 = 'replicated_deduplication_window', defaults).2) AS replicated_window
        FROM system.tables WHERE database = {database:String}";
    client
        .clone()
        .with_database("default")
        .query_raw(SQL)
        .param("database", database)
        .fetch_all()
        .await
        .map_err(failed(format!("tables of database `{database}`")))
}

#[cfg(test)]
#[path = "migrations_tests.rs"]
mod tests;
