//! Feedback to the upstreams on real engines: the Kafka topic of rejects, and the figures of acceptance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::support::{Installation, eventually};

/// Every message of the topic of rejects: key and payload, in order.
fn told(installation: &Installation) -> Vec<(String, String)> {
    let topic = format!("{}.rejects", installation.database);
    let mut config = installation.kafka();
    config.set("group.id", "test-rejects").set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let (low, high) = consumer.fetch_watermarks(&topic, 0, Duration::from_secs(10)).expect("answered");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(low)).expect("added");
    consumer.assign(&list).expect("assigned");
    let (mut messages, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(20));
    while (messages.len() as i64) < high - low && Instant::now() < deadline {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.expect("there").to_vec()).expect("UTF-8");
            messages.push((text(message.key()), text(message.payload())));
        }
    }
    assert_eq!(messages.len() as i64, high - low);
    messages
}

/// The rejected rows of the journal by position.
async fn rejected(installation: &Installation) -> BTreeSet<String> {
    let sql = "SELECT concat(kafka_topic, '/', toString(kafka_partition), '/', toString(kafka_offset), '/', toString(item)) \
               FROM v_dead_letters";
    installation.client().query_raw(sql).fetch_all::<String>().await.expect("rows").into_iter().collect()
}

const GOOD: &str = r#"{"incident_id":"IM-1","event":"found","at":"2026-01-12T10:00:00+03:00","text":"Снег"}"#;

/// Broken in three ways; the second has a phone in its wrong value.
fn broken(number: usize) -> String {
    match number % 3 {
        0 => format!(r#"{{"incident_id":"IM-{number}","event":"found","at":"32.13.2026"}}"#),
        1 => format!(
            r#"{{"incident_id":"IM-{number}","event":"звоните 8 910 123-45-67","at":"2026-01-12T10:00:00+03:00"}}"#
        ),
        _ => format!(r#"{{"incident_id":"IM-{number}""#),
    }
}

fn publish(installation: &Installation, numbers: std::ops::Range<usize>) {
    let payloads: Vec<String> =
        numbers.map(|number| if number % 4 == 0 { GOOD.to_owned() } else { broken(number) }).collect();
    let key = |number: usize, payload: &str| if payload == GOOD { "IM-1".to_owned() } else { format!("k{number}") };
    let keys: Vec<String> = payloads.iter().enumerate().map(|(number, payload)| key(number, payload)).collect();
    let records: Vec<(&str, &[u8])> =
        keys.iter().zip(&payloads).map(|(key, payload)| (key.as_str(), payload.as_bytes())).collect();
    installation.publish("incident", &records);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reject_is_told_at_least_once_over_a_kill_and_under_the_same_id() {
    let Some(installation) = Installation::new("rejects_told") else { return };
    // rejects of a time in which nobody was told: the next start makes up for them
    installation.edit("config/tsur.toml", "[rejects]\n", "[rejects]\nenabled = false\n");
    publish(&installation, 0..200);
    installation.run_until_idle();
    assert_eq!(rejected(&installation).await.len(), 150);
    assert_eq!(told(&installation), []);

    installation.edit("config/tsur.toml", "enabled = false\n", "");
    publish(&installation, 200..400);
    let mut process = installation.start(&["run"]);
    eventually("the second half is in the journal", Duration::from_secs(60), async || {
        rejected(&installation).await.len() == 300
    })
    .await;
    process.kill().expect("kill -9"); // some time between the journal, Kafka and the note
    process.wait().expect("ended");
    publish(&installation, 400..440);
    installation.run_until_idle();

    let (journal, messages) = (rejected(&installation).await, told(&installation));
    assert_eq!(journal.len(), 330);
    let mut by_id: BTreeMap<String, &str> = BTreeMap::new();
    for (key, payload) in &messages {
        let message: serde_json::Value = serde_json::from_str(payload).expect("JSON");
        assert_eq!(message["id"], format!("1/{key}"));
        assert!(!payload.contains("123-45-67"), "{payload}");
        let first = by_id.entry(key.clone()).or_insert(payload);
        assert_eq!(first, payload, "a repeat equals the first");
    }
    assert_eq!(by_id.into_keys().collect::<BTreeSet<_>>(), journal, "each rejected row and no other");

    let before = messages.len();
    installation.run_until_idle();
    assert_eq!(told(&installation).len(), before, "what was noted as told is not told again");
    installation.audit();
}

#[tokio::test(flavor = "multi_thread")]
async fn acceptance_says_by_source_and_day_what_became_of_the_records_and_why() {
    let Some(installation) = Installation::new("acceptance") else { return };
    publish(&installation, 0..40);
    installation.run_until_idle();
    let counts = "SELECT concat(toString(sum(records)), ' ', toString(sum(applied)), ' ', toString(sum(duplicate)), ' ', \
                  toString(sum(rejected))) FROM v_acceptance WHERE source = 'incident'";
    assert_eq!(installation.word(counts).await, "40 1 9 30");
    let reasons = "SELECT toString(mapSort(sumMap(rejected_by_reason))) FROM v_acceptance WHERE source = 'incident'";
    assert_eq!(installation.word(reasons).await, "{'bad_time at':10,'invalid_json':10,'unknown_word event':10}");
    let shares = "SELECT toInt64(round(100 * min(accepted_share))) FROM v_acceptance WHERE pipeline = 'incident'";
    assert_eq!(installation.number(shares).await, 25);
    let newest = "SELECT toInt64(max(last_record) = (SELECT max(kafka_time) FROM events) AND max(last_accepted) IS NOT NULL) \
                  FROM v_acceptance";
    assert_eq!(installation.number(newest).await, 1);
}
