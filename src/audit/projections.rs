//! Invariant 2 for the table that repeats rows of the journal: `cases` against the journal itself.
//! Owner: `audit`. Method: both sides give a key and a hash of all columns; a key is sound when each side has it exactly
//! once with the same hash.

use clickhouse::{Client, Row};
use serde::Deserialize;

use super::{AuditError, NAMED, failed};

/// A table against the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Comparison {
    /// Keys on either side.
    pub compared: u64,
    pub differing: u64,
    /// Some of the differing ones.
    pub named: Vec<String>,
}

#[derive(Row, Deserialize)]
struct Counted {
    compared: u64,
    differing: u64,
    named: Vec<String>,
}

impl From<Counted> for Comparison {
    fn from(row: Counted) -> Comparison {
        Comparison { compared: row.compared, differing: row.differing, named: row.named }
    }
}

/// The column of the journal that a column of `cases` repeats.
pub(super) fn journal_column(column: &str) -> &str {
    match column {
        "version" => "kafka_offset * 65536 + item",
        "updated_at" => "sealed_at",
        same => same,
    }
}

pub(super) async fn cases(client: &Client) -> Result<Comparison, AuditError> {
    let columns: Vec<String> = client
        .query_raw(
            "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'cases' ORDER BY position",
        )
        .fetch_all()
        .await
        .map_err(failed("columns of cases"))?;
    let journal: Vec<&str> = columns.iter().map(|column| journal_column(column)).collect();
    // the hash takes values, not types: kafka_offset * 65536 + item is a UInt64 as version is
    let table = format!(
        "SELECT 1 AS side, kafka_topic, kafka_partition, case_key, case_id, cityHash64({}) AS hash FROM cases FINAL",
        columns.join(", ")
    );
    let journal = format!(
        "SELECT 0 AS side, kafka_topic, kafka_partition, case_key,
            argMax(case_id, (kafka_offset, item)), argMax(cityHash64({}), (kafka_offset, item))
        FROM events WHERE outcome = 'applied' AND subject = 'case' GROUP BY kafka_topic, kafka_partition, case_key",
        journal.join(", ")
    );
    let label = "concat(any(case_id), ' (', kafka_topic, '/', toString(kafka_partition), ')')";
    compare(client, &table, &journal, "kafka_topic, kafka_partition, case_key", label, "cases").await
}

async fn compare(
    client: &Client,
    table: &str,
    journal: &str,
    key: &str,
    label: &str,
    what: &'static str,
) -> Result<Comparison, AuditError> {
    let sql = format!(
        "SELECT count() AS compared, countIf(differs) AS differing, groupArraySortedIf({NAMED})(label, differs) AS named FROM
        (
            SELECT countIf(side = 0) AS journal, countIf(side = 1) AS tabled,
                journal != 1 OR tabled != 1 OR groupBitXor(hash) != 0 AS differs,
                if(differs, concat({label}, multiIf(tabled = 0, ': not in the table', journal = 0, ': not in the journal', ': other values')), '') AS label
            FROM ({table} UNION ALL {journal}) GROUP BY {key}
        )"
    );
    let row: Counted = client.query_raw(&sql).fetch_one().await.map_err(failed(what))?;
    Ok(row.into())
}
