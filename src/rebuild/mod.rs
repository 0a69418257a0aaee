//! `tsur rebuild`: every projection anew from the journal, into a table beside the live one that is then swapped in, while
//! `tsur run` goes on writing. Owner: the command line. Invariant: at every moment the live name holds a table that `run`
//! and the readers may use; a rebuild that dies leaves the live table untouched (before the swap) or complete (after it),
//! and starting again clears what it left.
//!
//! # Protocol, for one projection X, and why nothing is missed
//!
//! 1. **Lock.** One rebuild a database (`lock`). Whatever an earlier one left is dropped: first its feed, then its table.
//! 2. **Beside.** `X_rebuild` is made with the structure of X, and a *feed*: a materialized view that hands every row
//!    written to X from now on to `X_rebuild` too (for `cases`, the double of the view that fills it from `events`).
//! 3. **Drain.** Wait until the inserts that run now have ended; every later one knows the feed.
//! 4. **Fill.** `P` := end of each partition's journal. `X_rebuild` gets everything that follows from rows below `P`:
//!    windows with version `P`, cases with their own position as version, backlog minutes with the version of their mark.
//! 5. **Swap.** `EXCHANGE TABLES X AND X_rebuild`, atomic. Views find both their source and their target by name (seen on
//!    ClickHouse 26.7): from now on `cases_from_events` writes the new `cases`, and the feed hands on to the old table.
//! 6. **Drain**, then **catch up**: `P2` := end of the journal; what rows of `[P,P2)` touched is written once more from
//!    the journal, with version `P2`. Then the feed is dropped.
//! 7. **Compare** with the journal (`audit::deep`, which shares no SQL with this module), then drop the old table.
//!
//! *A fact of a row below `P`*: in the new table by the fill. No row of `run` can hide it: rows are whole values, and the
//! highest version wins; a row of `run` with version v > P counts all rows below v, among them this one.
//! *A fact of a row at or above `P`*: `run` writes its projection after the row is in the journal, that is after 3, so the
//! insert knows the feed or the new table, and reaches the new table either way. The one exception: an insert that looked
//! up the live name before the swap and the feed's target after it writes the old table twice. Such an insert was running
//! at the swap, so after the drain in 6 its rows are in the journal, in `[P,P2)`, and the catch-up writes what they touched.
//! Between swap and catch-up a live table may lack the rows of such an insert and of no other.
//! (A worker that restores its cases in that moment could miss them, if the owner of that insert finished it and gave the
//! partition away meanwhile. The two look-ups lie microseconds apart, the catch-up follows within the drain.)
//! *Facts that `run` holds in memory and has not written*: it writes them later, with a higher version, to the new table.
//! *A later catch-up row hides a newer row of `run`*: no, its version `P2` is lower than that of a row that counts more.
//! *Deduplication*: the new `cases` remembers no tokens. A replayed block that `events` drops may therefore reach it
//! again: the same row with the same version, which changes nothing.
//! *The process dies* before 5: X was never touched; the feed goes on filling an orphan, at the price of a second write,
//! until the next rebuild drops both. After 5: X is the new table, complete but for the exception above.

pub mod backlog;
mod beside;
mod errors;
mod fill;
mod lock;
pub mod open_work;
mod projection;

use clickhouse::Client;

pub use errors::RebuildError;
pub use projection::Projection;

use crate::audit::deep::{self, DeepReport};
use crate::model::windows::{Retention, WindowUnit};
use backlog::Target;
use beside::Tables;
use fill::{Filler, Reach, fact_table, reaches, window_table};
use lock::Lock;

/// What to rebuild, and where.
#[derive(Clone, Debug)]
pub struct Options {
    pub database: String,
    pub retention: Retention,
    pub projections: Vec<Projection>,
    /// The old tables stay, under a name with the time.
    pub keep_old: bool,
    /// Differences that the comparison names.
    pub named: usize,
}

/// Who watches a rebuild.
pub trait Watch: Send {
    /// So many rows of the journal will be read, some of them more than once.
    fn expects(&mut self, rows: u64);
    /// So many were read since the last time.
    fn read(&mut self, rows: u64);
    /// A step is done or begins.
    fn says(&mut self, line: &str);
}

/// What a rebuild would do.
#[derive(Clone, Debug)]
pub struct Plan {
    pub projections: Vec<Projection>,
    pub partitions: usize,
    /// Rows of the journal.
    pub journal: u64,
    /// Table and rows in it now.
    pub tables: Vec<(&'static str, u64)>,
}

/// Looks, and changes nothing.
pub async fn plan(client: &Client, options: &Options) -> Result<Plan, RebuildError> {
    let client = client.clone().with_database(&options.database);
    let reaches = reaches(&client).await?;
    let mut tables = Vec::new();
    for table in options.projections.iter().flat_map(|projection| projection.tables()) {
        let sql = format!("SELECT count() FROM {table}");
        let rows: u64 = client.query_raw(&sql).fetch_one().await.map_err(errors::failed(format!("table {table}")))?;
        tables.push((*table, rows));
    }
    let journal = reaches.iter().map(|reach| reach.rows).sum();
    Ok(Plan { projections: options.projections.clone(), partitions: reaches.len(), journal, tables })
}

/// What a rebuild did.
#[derive(Debug)]
pub struct Rebuilt {
    pub report: DeepReport,
    /// Tables that still hold what was live before.
    pub kept: Vec<String>,
}

/// Rebuilds the projections one after another, then compares them with the journal.
pub async fn rebuild(client: &Client, options: &Options, watch: &mut impl Watch) -> Result<Rebuilt, RebuildError> {
    let client = client.clone().with_database(&options.database);
    let mut lock = Lock::take(&client, &options.database).await?;
    let tables = Tables { client: &client, database: &options.database };
    let now = clock(&client).await?;
    watch.expects(
        reaches(&client).await?.iter().map(|reach| reach.end - reach.first).sum::<u64>()
            * options.projections.len() as u64,
    );
    for projection in &options.projections {
        let filler = Filler { client: &client, retention: options.retention, now };
        rebuild_one(*projection, &tables, &filler, &mut lock, watch).await?;
    }
    watch.says("comparing the new tables with the journal");
    let asked = deep::Asked {
        database: options.database.clone(),
        retention: options.retention,
        projections: options.projections.clone(),
        named: options.named,
    };
    let report = deep::compare(&client, &asked, &mut |line| watch.says(line)).await?;
    let mut kept = Vec::new();
    for projection in &options.projections {
        if options.keep_old {
            kept.extend(tables.keep_old(projection.tables(), &stamp(&client).await?).await?);
        } else if report.is_ok() {
            tables.drop_beside(projection.tables()).await?;
        } else {
            kept.extend(projection.tables().iter().map(|table| beside::beside(table)));
        }
    }
    Ok(Rebuilt { report, kept })
}

async fn rebuild_one(
    projection: Projection,
    tables: &Tables<'_>,
    filler: &Filler<'_>,
    lock: &mut Lock,
    watch: &mut impl Watch,
) -> Result<(), RebuildError> {
    tables.prepare(projection.tables()).await?;
    tables.drain("the feed was made").await?;
    let reach = reaches(filler.client).await?;
    watch.says(&format!("{projection}: filling from {} partitions", reach.len()));
    fill(projection, filler, &reach, watch).await?;
    lock.check().await?;
    tables.swap(projection.tables()).await?;
    watch.says(&format!("{projection}: swapped in"));
    tables.drain("the swap").await?;
    catch_up(projection, filler, &reach, watch).await?;
    tables.stop_feeding(projection.tables()).await
}

async fn fill(
    projection: Projection,
    filler: &Filler<'_>,
    reaches: &[Reach],
    watch: &mut impl Watch,
) -> Result<(), RebuildError> {
    if projection == Projection::Backlog {
        for share in backlog::shares(filler.client).await? {
            backlog::fill(filler.client, &share, filler.now, watch).await?;
        }
        return Ok(());
    }
    let into = beside::beside(projection.name());
    for reach in reaches {
        if let Some(table) = fact_table(projection) {
            filler.facts(table, &into, reach, reach.first, watch).await?;
            continue;
        }
        let Some(table) = window_table(projection) else {
            filler.cases(&into, reach, reach.first, watch).await?;
            continue;
        };
        for (done, unit) in WindowUnit::ALL.into_iter().enumerate() {
            filler.windows(table, &into, reach, unit).await?;
            let third = |parts: usize| (reach.end - reach.first) * parts as u64 / WindowUnit::ALL.len() as u64;
            watch.read(third(done + 1) - third(done));
        }
    }
    Ok(())
}

/// What came since the fill is written again, into the live table.
async fn catch_up(
    projection: Projection,
    filler: &Filler<'_>,
    filled: &[Reach],
    watch: &mut impl Watch,
) -> Result<(), RebuildError> {
    if projection == Projection::Backlog {
        for share in backlog::shares(filler.client).await? {
            let marks = backlog::left_behind(filler.client, &share).await?;
            backlog::write(filler.client, &share, &marks, Target::LIVE, watch).await?;
        }
        return Ok(());
    }
    for reach in reaches(filler.client).await? {
        let since = reach.since(filled);
        if since >= reach.end {
            continue;
        }
        match (window_table(projection), fact_table(projection)) {
            (Some(table), _) => filler.touched_windows(table, &reach, since).await?,
            (None, Some(table)) => filler.facts(table, projection.name(), &reach, since, watch).await?,
            (None, None) => filler.cases(projection.name(), &reach, since, watch).await?,
        }
    }
    Ok(())
}

async fn clock(client: &Client) -> Result<u32, RebuildError> {
    client.query_raw("SELECT toUnixTimestamp(now())").fetch_one().await.map_err(errors::failed("clock"))
}

async fn stamp(client: &Client) -> Result<String, RebuildError> {
    let sql = "SELECT formatDateTime(now('Europe/Moscow'), '%Y%m%d_%H%i%S')";
    client.query_raw(sql).fetch_one().await.map_err(errors::failed("clock"))
}
