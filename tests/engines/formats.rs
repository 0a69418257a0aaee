//! Formats on the way through Kafka and ClickHouse: records of several items, compressed records, Avro with a schema
//! registry that is away at first.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::support::{Installation, eventually};

fn found(case: u32) -> String {
    format!(r#"{{"incident_id":"IM-{case}","event":"found","at":"2026-01-06T12:00:00+03:00","text":"Яма"}}"#)
}

/// The shipped pipeline of incidents with more lines before its first table.
fn incident(installation: &Installation, lines: &str) -> String {
    let text = installation.read("pipelines/incident.toml");
    format!("{lines}\n{}", text.replace("format = \"json\"", ""))
}

#[tokio::test]
async fn every_item_of_every_record_is_one_row_of_one_batch_and_the_audit_counts_them() {
    let Some(installation) = Installation::new("items") else { return };
    installation.write("pipelines/incident.toml", &incident(&installation, "items = \"array\"\nmax_items = 40"));
    let settings = installation.read("config/tsur.toml");
    // small batches, so that records and batches end at different places
    installation.write("config/tsur.toml", &format!("{settings}\n[batch]\nmax_rows = 100\n"));
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for record in 0..60u32 {
        let items: Vec<String> = (0..record % 38).map(|item| found(record * 100 + item)).collect();
        let text = format!("[{}]", items.join(","));
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).expect("in memory");
        payloads.push(match record % 3 {
            0 => text.into_bytes(),
            1 => gzip.finish().expect("in memory"),
            _ => zstd::stream::encode_all(text.as_bytes(), 1).expect("in memory"),
        });
    }
    payloads.push(format!("[{},7,{{\"event\":tru}},{}]", found(7001), found(7002)).into_bytes());
    payloads.push(format!("[{},", found(7003)).into_bytes());
    payloads.push(format!("[{}]", vec![found(7004); 41].join(",")).into_bytes());
    payloads.push(zstd::stream::encode_all(&vec![b' '; 30 << 20][..], 1).expect("in memory"));
    let records: Vec<(&str, &[u8])> = payloads.iter().map(|payload| ("page", &payload[..])).collect();
    installation.publish("incident", &records);
    installation.run_until_idle();
    installation.audit();
    let applied: u32 = (0..60).map(|record| record % 38).sum::<u32>() + 2;
    assert_eq!(installation.number("SELECT count() FROM events WHERE outcome = 'applied'").await, i64::from(applied));
    let split =
        "SELECT count() FROM (SELECT kafka_offset FROM events GROUP BY kafka_offset HAVING uniqExact(sealed_at) > 1)";
    assert_eq!(installation.number(split).await, 0, "all items of a record are in one batch");
    assert!(installation.number("SELECT uniqExact(sealed_at) FROM events").await > 5, "there were several batches");
    let reasons = installation
        .word("SELECT arrayStringConcat(groupArray(reason), ' ') FROM (SELECT reason FROM v_dead_letters ORDER BY kafka_offset, item)")
        .await;
    assert_eq!(reasons, "not_an_object invalid_json invalid_json too_many_items too_large");
}

/// A registry that knows one schema, and none of them before it is told to be well.
async fn registry(well: Arc<AtomicBool>, asked: Arc<AtomicU32>) -> String {
    let schema = include_str!("../../schemas/avro/incident.avsc");
    let answer = move |Path(id): Path<u32>| {
        asked.fetch_add(1, Ordering::Relaxed);
        let (status, body) = match id {
            _ if !well.load(Ordering::Relaxed) => (StatusCode::SERVICE_UNAVAILABLE, json!({"error_code": 50001})),
            17 => (StatusCode::OK, json!({ "schema": schema })),
            _ => (StatusCode::NOT_FOUND, json!({"error_code": 40403, "message": "Schema not found"})),
        };
        async move { (status, Json(body)) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/schemas/ids/{id}", get(answer))).await });
    format!("http://{address}")
}

fn avro(id: u32, case: u32) -> Vec<u8> {
    let schema = apache_avro::Schema::parse_str(include_str!("../../schemas/avro/incident.avsc")).expect("sound");
    let mut record = apache_avro::types::Record::new(&schema).expect("a record");
    record.put("incident_id", format!("IM-{case}"));
    record.put("event", "found");
    record.put("at", Value::TimestampMillis(1_767_692_096_000));
    record.put("text", Some("Яма, звоните 8 910 123-45-67"));
    let body = GenericDatumWriter::builder(&schema).build().and_then(|writer| writer.write_value_to_vec(record));
    [&[0][..], &id.to_be_bytes(), &body.expect("fits")].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_a_schema_registry_that_is_away_and_only_an_unknown_schema_rejects() {
    let Some(installation) = Installation::new("avro") else { return };
    let (well, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let url = registry(well.clone(), asked.clone()).await;
    let contract = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/avro/incident.avsc");
    let table = format!("\n[avro]\nframing = \"confluent\"\ncontract = \"{contract}\"\n");
    installation.write("pipelines/incident.toml", &(incident(&installation, "format = \"avro\"") + &table));
    let settings = installation.read("config/tsur.toml");
    installation.write("config/tsur.toml", &format!("{settings}\n[schema_registry]\nurl = \"{url}\"\n"));
    let mut payloads: Vec<Vec<u8>> = (0..200).map(|case| avro(17, case)).collect();
    payloads.insert(100, avro(99, 1000));
    payloads.push(b"{}".to_vec());
    let records: Vec<(&str, &[u8])> = payloads.iter().map(|payload| ("IM", &payload[..])).collect();
    installation.publish("incident", &records);
    let run = tokio::task::spawn_blocking(move || {
        installation.run_until_idle();
        installation
    });
    eventually("the registry was asked", Duration::from_secs(30), async || asked.load(Ordering::Relaxed) >= 2).await;
    well.store(true, Ordering::Relaxed);
    let installation = run.await.expect("the run ends");
    installation.audit();
    assert_eq!(installation.number("SELECT count() FROM events WHERE outcome = 'applied'").await, 200);
    let reasons = installation
        .word("SELECT arrayStringConcat(groupArray(reason), ' ') FROM (SELECT reason FROM v_dead_letters ORDER BY kafka_offset)")
        .await;
    assert_eq!(reasons, "unknown_schema bad_framing");
    let text = installation.word("SELECT any(text) FROM events WHERE outcome = 'applied'").await;
    assert_eq!(text, "Яма, звоните ‹телефон›");
}
