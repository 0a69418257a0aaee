//! Invariant 1 by SQL: per partition the counts, records that are there twice, records of which an item is missing.
//! Owner: `audit`. Invariant: the queries follow the sorting key of the journal, so memory does not grow with it.

use clickhouse::{Client, Row};
use serde::Deserialize;

use super::{AuditError, failed};

/// The counts of one partition.
#[derive(Row, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct PartitionAccount {
    pub kafka_topic: String,
    pub kafka_partition: u16,
    pub rows: u64,
    /// Rows that are the first item of their record.
    pub first_items: u64,
    /// Distinct offsets.
    pub offsets: u64,
    pub first_offset: u64,
    pub last_offset: u64,
    pub applied: u64,
    pub duplicate: u64,
    pub rejected: u64,
    pub ignored: u64,
}

impl PartitionAccount {
    /// Length of the range of offsets.
    pub fn span(&self) -> u64 {
        self.last_offset - self.first_offset + 1
    }
}

/// An item that the journal has more than once.
#[derive(Row, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Double {
    pub kafka_topic: String,
    pub kafka_partition: u16,
    pub kafka_offset: u64,
    pub item: u16,
    pub count: u64,
    /// How many such items there are in all.
    pub total: u64,
}

/// A record whose items do not add up to what each of them says.
#[derive(Row, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Incomplete {
    pub kafka_topic: String,
    pub kafka_partition: u16,
    pub kafka_offset: u64,
    pub items_found: u64,
    pub items_least: u16,
    pub items_most: u16,
    /// How many such records there are in all.
    pub total: u64,
}

pub(super) async fn partitions(client: &Client) -> Result<Vec<PartitionAccount>, AuditError> {
    const SQL: &str = "
        SELECT
            kafka_topic, kafka_partition, count() AS rows, countIf(item = 0) AS first_items, uniqExact(kafka_offset) AS offsets,
            min(kafka_offset) AS first_offset, max(kafka_offset) AS last_offset,
            countIf(outcome = 'applied') AS applied, countIf(outcome = 'duplicate') AS duplicate,
            countIf(outcome = 'rejected') AS rejected, countIf(outcome = 'ignored') AS ignored
        FROM events GROUP BY kafka_topic, kafka_partition";
    client.query_raw(SQL).fetch_all().await.map_err(failed("counts of the partitions"))
}

pub(super) async fn doubles(client: &Client) -> Result<Vec<Double>, AuditError> {
    const SQL: &str = "
        SELECT kafka_topic, kafka_partition, kafka_offset, item, count() AS count, count() OVER () AS total
        FROM events GROUP BY kafka_topic, kafka_partition, kafka_offset, item HAVING count > 1
        ORDER BY kafka_topic, kafka_partition, kafka_offset, item LIMIT 1000
        SETTINGS optimize_aggregation_in_order = 1";
    client.query_raw(SQL).fetch_all().await.map_err(failed("doubles"))
}

/// A lone row that says it is item 0 of 1 is complete by itself, so only the others are grouped. A second row of the
/// same offset is one of them, or a double.
pub(super) async fn incomplete(client: &Client) -> Result<Vec<Incomplete>, AuditError> {
    const SQL: &str = "
        SELECT
            kafka_topic, kafka_partition, kafka_offset,
            uniqExact(item) AS items_found, min(items) AS items_least, max(items) AS items_most, count() OVER () AS total
        FROM events WHERE items != 1 OR item != 0
        GROUP BY kafka_topic, kafka_partition, kafka_offset
        HAVING items_least != items_most OR items_found != items_most OR max(item) + 1 != items_most
        ORDER BY kafka_topic, kafka_partition, kafka_offset LIMIT 1000
        SETTINGS optimize_aggregation_in_order = 1";
    client.query_raw(SQL).fetch_all().await.map_err(failed("items"))
}
