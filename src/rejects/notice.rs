//! The message about one rejected record: `schemas/json/reject.schema.json` is its contract.
//! Invariants: it is a function of the journal row and of the stream epoch alone, so what is sent again is the same; it holds
//! nothing that the row does not hold, and there texts are masked.

use chrono::{DateTime, FixedOffset, SecondsFormat};
use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::kafka::courier::Message;
use crate::model::ids::{RulesVersion, StreamEpoch};
use crate::model::time::MOSCOW_OFFSET_SECONDS;

/// Raised when a field changes its meaning or goes; a new field does not raise it.
const SCHEMA: u8 = 1;

/// A rejected row of the journal. Names and order are those of the columns.
#[derive(Row, Deserialize, Clone, Debug)]
pub struct RejectRow {
    pub kafka_topic: String,
    pub kafka_partition: u16,
    pub kafka_offset: u64,
    pub item: u16,
    pub items: u16,
    pub kafka_time: i64,
    pub sealed_at: i64,
    pub pipeline: String,
    pub source: String,
    pub rules: u32,
    pub reason: String,
    pub field: String,
    pub excerpt: String,
}

#[derive(Serialize)]
struct Notice<'a> {
    schema: u8,
    id: String,
    kafka_topic: &'a str,
    kafka_partition: u16,
    kafka_offset: u64,
    item: u16,
    items: u16,
    kafka_time: String,
    rejected_at: String,
    pipeline: &'a str,
    source: &'a str,
    reason: &'a str,
    field: &'a str,
    excerpt: &'a str,
    rules: String,
}

impl RejectRow {
    /// The key is the position, so a compacted topic keeps one message a record; the id adds the epoch, because a recreated
    /// topic uses the same positions for other records.
    pub fn message(&self, epoch: StreamEpoch) -> Message {
        let key = format!("{}/{}/{}/{}", self.kafka_topic, self.kafka_partition, self.kafka_offset, self.item);
        let notice = Notice {
            schema: SCHEMA,
            id: format!("{}/{key}", epoch.0),
            kafka_topic: &self.kafka_topic,
            kafka_partition: self.kafka_partition,
            kafka_offset: self.kafka_offset,
            item: self.item,
            items: self.items,
            kafka_time: moscow(self.kafka_time),
            rejected_at: moscow(self.sealed_at),
            pipeline: &self.pipeline,
            source: &self.source,
            reason: &self.reason,
            field: &self.field,
            excerpt: &self.excerpt,
            rules: RulesVersion(self.rules).to_string(),
        };
        (key, serde_json::to_vec(&notice).unwrap_or_default()) // texts and numbers always become JSON
    }
}

fn moscow(millis: i64) -> String {
    let at = DateTime::from_timestamp_millis(millis);
    let zone = FixedOffset::east_opt(MOSCOW_OFFSET_SECONDS as i32);
    match (at, zone) {
        (Some(at), Some(zone)) => at.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> RejectRow {
        RejectRow {
            kafka_topic: "tsur.in.pos".to_owned(),
            kafka_partition: 3,
            kafka_offset: 42,
            item: 1,
            items: 2,
            kafka_time: 1_768_500_000_123,
            sealed_at: 1_768_500_001_000,
            pipeline: "pos".to_owned(),
            source: "pos".to_owned(),
            rules: 0xabc,
            reason: "unknown_word".to_owned(),
            field: "Статус".to_owned(),
            excerpt: "Потерян ‹телефон›".to_owned(),
        }
    }

    #[test]
    fn the_same_row_gives_the_same_message_and_another_life_of_the_topic_another_id() {
        let (key, payload) = row().message(StreamEpoch(1));
        assert_eq!(key, "tsur.in.pos/3/42/1");
        assert_eq!(row().message(StreamEpoch(1)), (key.clone(), payload.clone()));
        let json: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
        assert_eq!(json["id"], "1/tsur.in.pos/3/42/1");
        let (again, other) = row().message(StreamEpoch(2));
        let other: serde_json::Value = serde_json::from_slice(&other).expect("JSON");
        assert_eq!((again, &other["id"]), (key, &serde_json::json!("2/tsur.in.pos/3/42/1")));
        assert_eq!(json["kafka_time"], "2026-01-15T21:00:00.123+03:00");
        assert_eq!((&json["rules"], &json["field"]), (&serde_json::json!("00000abc"), &serde_json::json!("Статус")));
    }

    /// The contract names every field of the message and no other.
    #[test]
    fn the_fields_of_the_message_are_those_of_its_schema() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../schemas/json/reject.schema.json")).expect("JSON");
        let message: serde_json::Value = serde_json::from_slice(&row().message(StreamEpoch(1)).1).expect("JSON");
        let fields = |value: &serde_json::Value| -> Vec<String> {
            let mut names: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
            names.sort();
            names
        };
        assert_eq!(fields(&message), fields(&schema["properties"]));
        let mut required: Vec<&str> =
            schema["required"].as_array().expect("a list").iter().filter_map(serde_json::Value::as_str).collect();
        required.sort_unstable();
        assert_eq!(required, fields(&message), "every field is always there");
        for (name, value) in message.as_object().expect("an object") {
            let wanted = schema["properties"][name]["type"].as_str().expect("a type");
            assert_eq!(wanted == "string", value.is_string(), "{name}");
        }
    }
}
