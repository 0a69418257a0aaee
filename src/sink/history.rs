//! The journal rows of one case, for `tsur explain`. Read only.
//! Invariant: rows come in the order of the log, applied ones alone, because no other changed the case.

use clickhouse::{Client, Row};
use serde::Deserialize;
use thiserror::Error;

use crate::enrich::names::NameLists;
use crate::explain::Change;
use crate::model::time::Time;
use crate::model::words::EventKind;
use crate::sink::case_rows::{CASE_COLUMNS, CaseRow, ROW_VERSION};

/// A case of more changes than that is shown by its latest ones.
const SHOWN: u32 = 1000;

#[derive(Debug, Error)]
pub enum HistoryError {
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("no case {0} in the tables; check the number, or name the source with --source")]
    Unknown(String),
    #[error("case {id} is there in several sources: {sources}; name one with --source")]
    Ambiguous { id: String, sources: String },
}

/// A case and what happened to it.
pub struct History {
    pub source: String,
    pub changes: Vec<Change>,
}

#[derive(Row, Deserialize)]
struct Place {
    source: String,
    kafka_topic: String,
    kafka_partition: u16,
    case_key: u64,
}

/// Reads the history of a case by its number.
pub async fn read(
    client: &Client,
    case_id: &str,
    source: Option<&str>,
    names: &NameLists,
) -> Result<History, HistoryError> {
    let sql = "SELECT DISTINCT source, kafka_topic, kafka_partition, case_key FROM cases
        WHERE case_id = {id:String} AND ({source:String} = '' OR source = {source:String})";
    let query = client.query_raw(sql).param("id", case_id).param("source", source.unwrap_or_default());
    let mut places = query.fetch_all::<Place>().await?;
    let Some(place) = places.pop() else { return Err(HistoryError::Unknown(case_id.to_owned())) };
    if !places.is_empty() {
        let mut sources: Vec<String> = places.into_iter().map(|place| place.source).collect();
        sources.push(place.source);
        sources.sort();
        return Err(HistoryError::Ambiguous { id: case_id.to_owned(), sources: sources.join(", ") });
    }
    let rows = |columns: &str| {
        let sql = format!(
            "SELECT {columns} FROM (SELECT * FROM events WHERE outcome = 'applied' AND case_key = {{key:UInt64}}
                AND kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt16}}
                ORDER BY kafka_offset DESC, item DESC LIMIT {SHOWN}) ORDER BY kafka_offset, item"
        );
        let query = client.query_raw(&sql).param("key", place.case_key).param("topic", &place.kafka_topic);
        query.param("partition", place.kafka_partition)
    };
    let cases = rows(&format!("{ROW_VERSION} AS version, {CASE_COLUMNS}")).fetch_all::<CaseRow>().await?;
    let events = rows("event, event_at").fetch_all::<(i8, u32)>().await?;
    let change = |(case, (event, at)): (CaseRow, (i8, u32))| Change {
        event: EventKind::from_code(event as u8).unwrap_or(EventKind::Updated),
        at: Time::from_unix_seconds(i64::from(at)),
        case: case.into_case(names),
    };
    Ok(History { source: place.source, changes: cases.into_iter().zip(events).map(change).collect() })
}
