//! The real sink: ClickHouse over HTTP.
//! Owner: shared by all workers of the process; holds no state but the connection pool. Invariants: one INSERT is one
//! block with one token; every insert carries the settings that deduplication needs (a server's defaults differ);
//! every call ends within the request time-out.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clickhouse::{Client, Compression};
use hyper_tls::HttpsConnector;
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::config::settings;
use crate::enrich::names::NameLists;
use crate::model::case::Case;
use crate::model::ids::{CaseKey, Offset, OffsetRange};
use crate::model::time::Time;
use crate::model::windows::{ColdWindow, Retention, WindowKey, WindowUnit, WindowValue};
use crate::partition::ports::{JournalFold, Landed, ProjectionRows, RestoredCases, Sink, SinkError, StreamId};
use crate::sink::case_rows::{CASE_COLUMNS, CaseRow, EffectRow, ROW_VERSION};
use crate::sink::errors::classify;
use crate::sink::{due_rows, window_rows, window_sql};

/// Everything an insert into the journal must say, whatever the server's defaults are (anchors of the protocol: async
/// inserts and a block split in two would both break the token).
const INSERT_SETTINGS: [(&str, &str); 5] = [
    ("async_insert", "0"),
    ("insert_deduplicate", "1"),
    ("deduplicate_blocks_in_dependent_materialized_views", "1"),
    ("max_execution_time", "60"),
    // Each insert analyses the queries of all views on its table, also of those that get no row of it. With the former
    // analyzer an insert of 1,700 rows costs the server 26 ms of CPU instead of 31 (medians of 45; ClickHouse 26.7); the
    // views mean the same to both. The older of its two names, which every server knows.
    ("allow_experimental_analyzer", "0"),
];

/// Idle connections are dropped before the server drops them (its keep-alive may be as low as three seconds).
const POOL_IDLE: Duration = Duration::from_secs(2);

/// An open case, as SQL over `cases`.
const OPEN: &str = "status NOT IN ('answered', 'closed', 'rejected', 'deferred', 'duplicate')";

/// A connection to one database.
#[derive(Clone)]
pub struct ClickHouse {
    client: Client,
    names: Arc<NameLists>,
    retention: Retention,
    request_timeout: Duration,
}

/// A client for commands that need no sink.
pub fn client(settings: &settings::ClickHouse) -> Client {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(settings.connect_timeout));
    connector.set_keepalive(Some(Duration::from_secs(15)));
    connector.enforce_http(false); // https comes through the connector around it
    let connector = HttpsConnector::new_with_connector(connector);
    let http = HttpClient::builder(TokioExecutor::new()).pool_idle_timeout(POOL_IDLE).build(connector);
    // compression costs about a microsecond a row, which a loopback or rack network does not give back
    let client = Client::with_http_client(http)
        .with_url(&settings.url)
        .with_database(&settings.database)
        .with_user(&settings.user)
        .with_compression(Compression::None);
    if settings.password.is_empty() { client } else { client.with_password(settings.password.expose()) }
}

impl ClickHouse {
    pub fn new(settings: &settings::ClickHouse, names: Arc<NameLists>, retention: Retention) -> ClickHouse {
        ClickHouse { client: client(settings), names, retention, request_timeout: settings.request_timeout }
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    async fn within<T>(&self, call: impl Future<Output = clickhouse::error::Result<T>>) -> Result<T, SinkError> {
        match tokio::time::timeout(self.request_timeout, call).await {
            Ok(done) => done.map_err(classify),
            Err(_) => Err(SinkError::Unavailable(format!("no answer within {:?}", self.request_timeout))),
        }
    }

    async fn insert(&self, table: &str, block: Bytes, token: Option<&str>) -> Result<(), SinkError> {
        let mut insert = self.client.insert_formatted_with(format!("INSERT INTO {table} FORMAT Native"));
        for (name, value) in INSERT_SETTINGS {
            insert = insert.with_setting(name, value);
        }
        if let Some(token) = token {
            insert = insert.with_setting("insert_deduplication_token", token);
        }
        self.within(async move {
            insert.send(block).await?;
            insert.end().await
        })
        .await
    }

    fn query(&self, sql: &str, stream: &StreamId) -> clickhouse::query::Query {
        self.client.query(sql).param("topic", &*stream.topic).param("partition", stream.partition.0)
    }

    /// A query over the effects of the rows below an offset.
    fn counted(&self, sql: &str, stream: &StreamId, below: Offset) -> clickhouse::query::Query {
        self.query(sql, stream)
            .param("below", below.0)
            .param("minute_keep", self.retention.minute)
            .param("hour_keep", self.retention.hour)
    }

    async fn recount(
        &self,
        sql: &str,
        stream: &StreamId,
        below: Offset,
        windows: &[ColdWindow],
    ) -> Result<(), SinkError> {
        let units: Vec<u8> = windows.iter().map(|window| window.unit as u8).collect();
        let starts: Vec<u32> = windows.iter().map(|window| window.start).collect();
        let query = self.counted(sql, stream, below).param("units", &units).param("starts", &starts);
        self.within(query.execute()).await
    }

    async fn cases(&self, query: clickhouse::query::Query) -> Result<Vec<Case>, SinkError> {
        let names = self.names.clone();
        self.within(async move {
            let mut rows = query.fetch::<CaseRow>()?;
            let mut cases = Vec::new();
            while let Some(row) = rows.next().await? {
                cases.push(row.into_case(&names));
            }
            Ok(cases)
        })
        .await
    }
}

const OF_STREAM: &str = "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}";

impl Sink for ClickHouse {
    async fn insert_journal(&self, block: Bytes, token: &str) -> Result<(), SinkError> {
        self.insert("events", block, Some(token)).await
    }

    async fn landed(&self, stream: &StreamId, range: OffsetRange, token: &str) -> Result<Landed, SinkError> {
        if self.rows_in(stream, range).await? > 0 {
            return Ok(Landed::There);
        }
        // replicated tables note a token and its part in one transaction, and an answer of another replica may be older
        // than the insert: there is no hole to mend, and rows that are not seen may be there
        let sql = "SELECT assumeNotNull((SELECT count() FROM system.processes WHERE Settings['insert_deduplication_token'] = {token:String})), \
                   assumeNotNull((SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'events' AND engine = 'MergeTree'))";
        let query = self.client.query(sql).param("token", token);
        let (running, plain) = self.within(query.fetch_one::<(u64, u64)>()).await?;
        if plain == 0 {
            return Ok(Landed::There);
        }
        // asked in this order, so that an attempt that ended in between has its rows counted
        let swallowed = running == 0 && self.rows_in(stream, range).await? == 0;
        Ok(if swallowed { Landed::Swallowed } else { Landed::OnItsWay })
    }

    async fn refill_cases(&self, stream: &StreamId, range: OffsetRange) -> Result<(), SinkError> {
        let sql =
            "SELECT as_select FROM system.tables WHERE database = currentDatabase() AND name = 'cases_from_events'";
        let view = self.within(self.client.query(sql).fetch_one::<String>()).await?;
        // the table keeps tokens too, and it is they that may lie
        let sql = format!(
            "INSERT INTO cases SELECT * FROM ({view}) WHERE {OF_STREAM} AND version >= {} AND version < {} \
             SETTINGS insert_deduplicate = 0",
            range.begin.0 << 16,
            range.end.0 << 16
        );
        self.within(self.query(&sql, stream).execute()).await
    }

    async fn write_projections(
        &self,
        stream: &StreamId,
        rows: &ProjectionRows,
        below: Offset,
    ) -> Result<(), SinkError> {
        let blocks = window_rows::blocks(stream, rows, below, &self.names);
        for (table, block) in blocks {
            self.insert(table, Bytes::from(block), None).await?;
        }
        for chunk in rows.cold.chunks(window_sql::RECOUNT_CHUNK) {
            let [sla, satisfaction] = window_sql::recount_windows_sql();
            self.recount(&sla, stream, below, chunk).await?;
            let about: Vec<ColdWindow> = chunk.iter().filter(|window| window.about_satisfaction).copied().collect();
            if !about.is_empty() {
                self.recount(&satisfaction, stream, below, &about).await?;
            }
        }
        Ok(())
    }

    async fn last_offset(&self, stream: &StreamId) -> Result<Option<Offset>, SinkError> {
        let sql = format!("SELECT count(), max(kafka_offset) FROM events WHERE {OF_STREAM}");
        let (rows, last) = self.within(self.query(&sql, stream).fetch_one::<(u64, u64)>()).await?;
        // a range accepted as lost is accounted too; without it the next start would ask for the same consent again
        let sql = format!("SELECT max(end) FROM accepted_gaps WHERE {OF_STREAM}");
        let accepted = self.within(self.query(&sql, stream).fetch_one::<u64>()).await?;
        let written = (rows > 0).then_some(Offset(last));
        Ok(written.max(accepted.checked_sub(1).map(Offset)))
    }

    async fn rows_in(&self, stream: &StreamId, range: OffsetRange) -> Result<u64, SinkError> {
        let sql = format!(
            "SELECT count() FROM events WHERE {OF_STREAM} AND kafka_offset >= {{begin:UInt64}} AND kafka_offset < {{end:UInt64}}"
        );
        let query = self.query(&sql, stream).param("begin", range.begin.0).param("end", range.end.0);
        self.within(query.fetch_one::<u64>()).await
    }

    async fn restore_cases(
        &self,
        stream: &StreamId,
        below: Offset,
        ended_before: Time,
    ) -> Result<RestoredCases, SinkError> {
        let recent = format!("({OPEN} OR status_at >= toDateTime({}, 'UTC'))", ended_before.seconds());
        let limit = below.0 << 16;
        let kept = format!(
            "SELECT version, {CASE_COLUMNS} FROM cases FINAL WHERE {OF_STREAM} AND version < {limit} AND {recent}"
        );
        // a case that moved on beyond the offset (its batch landed, the commit did not) is taken from the journal
        let moved = format!(
            "SELECT {ROW_VERSION} AS version, {CASE_COLUMNS} FROM events WHERE {OF_STREAM} AND kafka_offset < {} \
             AND outcome = 'applied' AND case_key IN (SELECT case_key FROM cases FINAL WHERE {OF_STREAM} AND version >= {limit}) \
             ORDER BY kafka_offset DESC, item DESC LIMIT 1 BY case_key",
            below.0
        );
        let gone = format!("SELECT case_key FROM cases FINAL WHERE {OF_STREAM} AND version < {limit} AND NOT {recent}");
        let mut cases = self.cases(self.query(&kept, stream)).await?;
        cases.extend(self.cases(self.query(&moved, stream)).await?);
        let evicted = self.within(self.query(&gone, stream).fetch_all::<u64>()).await?;
        let mut restored =
            RestoredCases { cases, evicted: evicted.into_iter().map(CaseKey).collect(), ..RestoredCases::default() };
        let dues = self.query(due_rows::LATEST, stream).param("limit", limit);
        due_rows::give(self.within(dues.fetch_all()).await?, &mut restored, &self.names);
        Ok(restored)
    }

    async fn load_cases(&self, stream: &StreamId, keys: &[CaseKey], below: Offset) -> Result<Vec<Case>, SinkError> {
        let list: Vec<String> = keys.iter().map(|key| key.0.to_string()).collect();
        let sql = format!(
            "SELECT {ROW_VERSION} AS version, {CASE_COLUMNS} FROM events WHERE {OF_STREAM} AND kafka_offset < {} \
             AND outcome = 'applied' AND case_key IN ({}) ORDER BY kafka_offset DESC, item DESC LIMIT 1 BY case_key",
            below.0,
            list.join(",")
        );
        self.cases(self.query(&sql, stream)).await
    }

    async fn stream_time(&self, stream: &StreamId, below: Offset) -> Result<Option<Time>, SinkError> {
        let query = self.query(&window_sql::stream_time_sql(), stream).param("below", below.0);
        let seconds = self.within(query.fetch_one::<u32>()).await?;
        Ok(Time::from_unix_seconds(i64::from(seconds)))
    }

    async fn restore_windows(
        &self,
        stream: &StreamId,
        below: Offset,
        horizons: [(WindowUnit, u32); 3],
    ) -> Result<Vec<(WindowKey, WindowValue)>, SinkError> {
        let mut query = self.counted(&window_sql::restore_windows_sql(), stream, below);
        for (unit, start) in horizons {
            query = query.param(&format!("{}_start", unit.name()), start);
        }
        let names = self.names.clone();
        self.within(async move {
            let mut rows = query.fetch::<window_sql::WindowRow>()?;
            let mut windows = Vec::new();
            while let Some(row) = rows.next().await? {
                windows.extend(window_rows::read_window(&row, &names));
            }
            Ok(windows)
        })
        .await
    }

    async fn recently_cold(
        &self,
        stream: &StreamId,
        below: Offset,
        horizons: [(WindowUnit, u32); 3],
    ) -> Result<Vec<ColdWindow>, SinkError> {
        let mut query = self.counted(&window_sql::recently_cold_sql(), stream, below);
        for (unit, start) in horizons {
            query = query.param(&format!("{}_start", unit.name()), start);
        }
        let rows = self.within(query.fetch_all::<(u8, u32, bool)>()).await?;
        let windows = rows.into_iter().filter_map(|(code, start, about_satisfaction)| {
            let unit = WindowUnit::ALL.into_iter().find(|unit| *unit as u8 == code)?;
            Some(ColdWindow { unit, start, about_satisfaction })
        });
        Ok(windows.collect())
    }

    async fn applied_rows(&self, stream: &StreamId, range: OffsetRange) -> Result<Vec<JournalFold>, SinkError> {
        let filter = format!(
            "FROM events WHERE {OF_STREAM} AND kafka_offset >= {} AND kafka_offset < {} AND outcome = 'applied' \
             AND subject = 'case' ORDER BY kafka_offset, item",
            range.begin, range.end
        );
        let cases = self
            .cases(self.query(&format!("SELECT {ROW_VERSION} AS version, {CASE_COLUMNS} {filter}"), stream))
            .await?;
        // the client library does not read tuples with names, so the effects travel without them
        let plain = "arrayMap(e -> (CAST(e.1, 'Int8'), toUInt32(e.2), e.3, e.4, e.5, e.6), effects) AS effects";
        let effects = format!("SELECT {plain}, previous_block, previous_territory {filter}");
        let effects = self.within(self.query(&effects, stream).fetch_all::<EffectRow>()).await?;
        if cases.len() != effects.len() {
            return Err(SinkError::Unavailable("the journal changed while it was read".to_owned()));
        }
        Ok(cases.into_iter().zip(effects).map(|(case, row)| row.into_fold(case, &self.names)).collect())
    }

    async fn accept_gap(&self, stream: &StreamId, range: OffsetRange) -> Result<(), SinkError> {
        let sql = "INSERT INTO accepted_gaps (kafka_topic, kafka_partition, begin, end, reason) \
                   VALUES ({topic:String}, {partition:UInt16}, {begin:UInt64}, {end:UInt64}, 'accepted with --accept-gap')";
        self.within(self.query(sql, stream).param("begin", range.begin.0).param("end", range.end.0).execute()).await
    }
}
