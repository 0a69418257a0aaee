//! The tables `alerts` and `alert_digests`, as the outbox and the webhook's task read and write them.
//! Owner: whoever holds a copy; it has no state. Invariants: every call ends within `CALL`; every write is an upsert, so
//! all of them may be tried again; what is read is bounded, by a page or by the keys asked for.

use std::collections::HashMap;
use std::time::Duration;

use clickhouse::Row;
use serde::Deserialize;
use thiserror::Error;

use crate::alerts::digest::DigestRow;
use crate::alerts::notice::{AlertId, AlertRow, Known};
use crate::partition::ports::StreamId;

/// One call of ClickHouse.
const CALL: Duration = Duration::from_secs(30);
/// Keys in the text of one query, which ClickHouse takes up to 256 KiB.
const KEYS: usize = 4_000;
/// Rows of one page.
pub const PAGE: usize = 2_000;
/// A resolve that the webhook has not got in so many days is of no use to it.
const UNTOLD_DAYS: u32 = 7;

/// Each of them is tried again.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("clickhouse gave no answer within {CALL:?}")]
    Late(#[from] tokio::time::error::Elapsed),
}

#[derive(Clone)]
pub struct Store {
    client: clickhouse::Client,
}

#[derive(Row, Deserialize)]
struct OpenAlert {
    alert_id: String,
    case_key: u64,
    clock: String,
    level: String,
    due: u32,
}

impl Store {
    pub fn new(client: clickhouse::Client) -> Store {
        Store { client }
    }

    /// Writes rows of `alerts` as one block.
    pub async fn write(&self, rows: &[AlertRow]) -> Result<(), StoreError> {
        self.insert("alerts", rows).await
    }

    pub async fn write_digest(&self, digest: &DigestRow) -> Result<(), StoreError> {
        self.insert("alert_digests", std::slice::from_ref(digest)).await
    }

    async fn insert<R>(&self, table: &str, rows: &[R]) -> Result<(), StoreError>
    where
        R: clickhouse::RowOwned + clickhouse::RowWrite,
    {
        if rows.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut insert = self.client.insert::<R>(table).await?.with_setting("async_insert", "0");
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        };
        Ok(tokio::time::timeout(CALL, write).await??)
    }

    /// The firing alerts of a partition: at most a few for each open case.
    pub async fn firing(&self, stream: &StreamId) -> Result<Vec<Known>, StoreError> {
        let sql = "SELECT alert_id, case_key, toString(clock) AS clock, toString(level) AS level, due FROM alerts FINAL \
                   WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16} AND state = 'firing'";
        let query = self.client.query(sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        let rows = tokio::time::timeout(CALL, query.fetch_all::<OpenAlert>()).await??;
        Ok(rows.into_iter().filter_map(known_of).collect())
    }

    /// When the oldest state of a partition that Kafka has not came to be, in milliseconds; `None` when it has all.
    pub async fn unsent_since(&self, stream: &StreamId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT count(), toInt64(toUnixTimestamp64Milli(min(greatest(raised_at, resolved_at)))) FROM alerts FINAL \
                   WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16} \
                   AND toUnixTimestamp64Milli(kafka_sent_at) = 0";
        let query = self.client.query(sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        let (count, since) = tokio::time::timeout(CALL, query.fetch_one::<(u64, i64)>()).await??;
        Ok((count > 0).then_some(since))
    }

    /// Rows of a partition that Kafka has not, in the order of their ids, after an id.
    pub async fn unsent(&self, stream: &StreamId, after: &str) -> Result<Vec<AlertRow>, StoreError> {
        self.page(stream, after, "toUnixTimestamp64Milli(kafka_sent_at) = 0").await
    }

    /// Rows of a partition that the webhook has still to be told, alone or by a digest.
    pub async fn untold(&self, stream: &StreamId, after: &str) -> Result<Vec<AlertRow>, StoreError> {
        let due = format!(
            "toUnixTimestamp64Milli(kafka_sent_at) > 0 AND toUnixTimestamp64Milli(webhook_sent_at) = 0 \
             AND (state = 'firing' OR resolved_at > now() - INTERVAL {UNTOLD_DAYS} DAY)"
        );
        self.page(stream, after, &due).await
    }

    async fn page(&self, stream: &StreamId, after: &str, condition: &str) -> Result<Vec<AlertRow>, StoreError> {
        let sql = format!(
            "SELECT ?fields FROM alerts FINAL WHERE kafka_topic = {{topic:String}} AND kafka_partition = \
             {{partition:UInt16}} AND alert_id > {{after:String}} AND {condition} ORDER BY alert_id LIMIT {PAGE}"
        );
        let query = self.client.query(&sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        Ok(tokio::time::timeout(CALL, query.param("after", after).fetch_all()).await??)
    }

    /// Numbers of cases by their keys.
    pub async fn case_ids(&self, streams: &[StreamId], keys: &[u64]) -> Result<HashMap<u64, String>, StoreError> {
        let mut ids = HashMap::with_capacity(keys.len());
        for keys in keys.chunks(KEYS) {
            let keys: Vec<String> = keys.iter().map(u64::to_string).collect();
            let sql = format!(
                "SELECT case_key, any(case_id) FROM cases WHERE {} AND case_key IN ({}) GROUP BY case_key",
                places(streams),
                keys.join(",")
            );
            let query = self.client.query(&sql);
            ids.extend(tokio::time::timeout(CALL, query.fetch_all::<(u64, String)>()).await??);
        }
        Ok(ids)
    }

    /// Alerts by their ids.
    pub async fn rows_of(&self, streams: &[StreamId], ids: &[String]) -> Result<Vec<AlertRow>, StoreError> {
        let mut rows = Vec::with_capacity(ids.len());
        for ids in ids.chunks(KEYS) {
            let sql = format!(
                "SELECT ?fields FROM alerts FINAL WHERE {} AND alert_id IN ('{}')",
                places(streams),
                ids.join("','")
            );
            rows.extend(tokio::time::timeout(CALL, self.client.query(&sql).fetch_all::<AlertRow>()).await??);
        }
        Ok(rows)
    }
}

impl Store {
    /// Versions of those of some alerts that are resolved.
    pub async fn resolved_versions(
        &self,
        streams: &[StreamId],
        ids: &[String],
    ) -> Result<HashMap<String, u64>, StoreError> {
        let mut versions = HashMap::new();
        for ids in ids.chunks(KEYS) {
            let sql = format!(
                "SELECT alert_id, max(version) FROM alerts WHERE {} AND alert_id IN ('{}') \
                 GROUP BY alert_id HAVING argMax(state, version) = 'resolved'",
                places(streams),
                ids.join("','")
            );
            let query = self.client.query(&sql);
            versions.extend(tokio::time::timeout(CALL, query.fetch_all::<(String, u64)>()).await??);
        }
        Ok(versions)
    }
}

/// Narrows a query to some partitions. Names of Kafka topics have no quotes: the configuration and Kafka refuse them.
fn places(streams: &[StreamId]) -> String {
    let topics: Vec<String> = streams.iter().map(|stream| format!("'{}'", stream.topic)).collect();
    let partitions: Vec<String> = streams.iter().map(|stream| stream.partition.0.to_string()).collect();
    format!("kafka_topic IN ({}) AND kafka_partition IN ({})", topics.join(","), partitions.join(","))
}

fn known_of(row: OpenAlert) -> Option<Known> {
    let id = AlertId(u128::from_str_radix(&row.alert_id, 16).ok()?);
    Some(Known { id, case_key: row.case_key, clock: row.clock, level: row.level, due: row.due })
}
