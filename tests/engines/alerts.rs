//! Alerts of clocks that fall due while the process is killed: each is one row, each reaches Kafka and the webhook, and
//! none comes that should not. TSUR_ALERT_CLOCKS and TSUR_ALERT_SECONDS set the size of the measured run.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::support::{Installation, eventually};

const WAIT: Duration = Duration::from_secs(90);
/// The first answer of an ordinary message is due after eight hours.
const GOAL: i64 = 8 * 3600;

/// Ends with the test, also when the test fails.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A small HTTP server that refuses the first requests and keeps the ids and states of the others.
fn webhook(refusals: usize) -> (String, Arc<Mutex<HashSet<(String, bool)>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/api/v2/alerts", listener.local_addr().expect("an address"));
    let seen: Arc<Mutex<HashSet<(String, bool)>>> = Arc::default();
    let keeper = seen.clone();
    std::thread::spawn(move || {
        let mut refused = 0;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let Some(body) = read_request(&mut stream) else { continue };
            if refused < refusals {
                refused += 1;
                let _ = stream.write_all(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                continue;
            }
            let now = chrono_text();
            let alerts: Vec<serde_json::Value> = serde_json::from_slice(&body).expect("JSON of Alertmanager");
            let mut seen = keeper.lock().expect("no panic");
            for alert in alerts {
                let id = alert["labels"]["alert_id"].as_str().expect("an id").to_owned();
                assert!(alert["startsAt"].is_string() && alert["annotations"]["summary"].is_string());
                seen.insert((id, alert["endsAt"].as_str().expect("an end") > now.as_str()));
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (url, seen)
}

/// Tomorrow, in a form that compares with `endsAt` as text: firing alerts end later, resolved ones have ended.
fn chrono_text() -> String {
    let tomorrow = now() + 86_400;
    chrono::DateTime::from_timestamp(tomorrow, 0).expect("in range").format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn read_request(stream: &mut std::net::TcpStream) -> Option<Vec<u8>> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut bytes = Vec::new();
    let mut part = [0; 65_536];
    loop {
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length: usize = text.split("content-length: ").nth(1)?.lines().next()?.trim().parse().ok()?;
        if bytes.len() >= head + 4 + length {
            return Some(bytes[head + 4..].to_vec());
        }
    }
}

fn now() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs() as i64
}

fn iso(seconds: i64) -> String {
    let moscow = chrono::DateTime::from_timestamp(seconds + 3 * 3600, 0).expect("in range");
    moscow.format("%Y-%m-%dT%H:%M:%S+03:00").to_string()
}

fn publish(installation: &Installation, event: &str, cases: impl Iterator<Item = (usize, i64)>) {
    let records: Vec<(String, String)> = cases
        .map(|(number, at)| {
            let record = format!(
                r#"{{"incident_id":"IM-{number}","event":"{event}","at":"{}","text":"Яма","priority":"обычный"}}"#,
                iso(at)
            );
            (format!("IM-{number}"), record)
        })
        .collect();
    let borrowed: Vec<(&str, &[u8])> = records.iter().map(|(key, record)| (key.as_str(), record.as_bytes())).collect();
    installation.publish("incident", &borrowed);
}

/// Id and state of every record of the topic, with how often it came.
fn topic_states(installation: &Installation) -> HashMap<(String, String), usize> {
    let topic = format!("{}.alerts", installation.database);
    let consumer: BaseConsumer = installation
        .kafka()
        .set("group.id", "alerts-test")
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&topic, 0, Offset::Beginning).expect("a partition");
    consumer.assign(&from).expect("assigned");
    let (_, end) = consumer.fetch_watermarks(&topic, 0, Duration::from_secs(10)).expect("watermarks");
    let mut states = HashMap::new();
    let mut next = 0;
    while next < end {
        let Some(record) = consumer.poll(Duration::from_secs(10)) else { break };
        let record = record.expect("a record");
        next = record.offset() + 1;
        let value: serde_json::Value = serde_json::from_slice(record.payload().expect("a payload")).expect("JSON");
        let id = value["alert_id"].as_str().expect("an id").to_owned();
        assert_eq!(record.key(), Some(id.as_bytes()));
        *states.entry((id, value["state"].as_str().expect("a state").to_owned())).or_default() += 1;
    }
    states
}

#[tokio::test]
async fn clocks_that_fall_due_around_two_kills_raise_each_alert_once_and_an_answer_resolves_it() {
    let Some(installation) = Installation::new("alerts") else { return };
    let (url, told) = webhook(3);
    installation.add_settings(&format!("webhook_url = \"{url}\""));
    let count = 3_000;
    let first_due = now() + 12;
    publish(&installation, "found", (0..count).map(|number| (number, first_due + (number % 20) as i64 - GOAL)));
    for life in 0..2 {
        let process = Process(installation.start(&["run"]));
        let wanted = count as i64 * 2 + 300 + 900 * life;
        eventually("alerts are raised", WAIT, async || {
            installation.number("SELECT count() FROM v_alerts").await >= wanted
        })
        .await;
        drop(process); // kill -9
    }
    let _process = Process(installation.start(&["run"]));
    let all = count as i64 * 3;
    let sent = "SELECT countIf(webhook_sent_at IS NOT NULL) FROM v_alerts";
    eventually("every alert is sent", WAIT, async || installation.number(sent).await >= all).await;

    assert_eq!(installation.number("SELECT count() FROM v_alerts").await, all, "none is unexpected");
    let levels = "SELECT count() FROM (SELECT case_id, level FROM v_alerts WHERE level IN ('warn_50', 'warn_80', 'breach') \
                  AND clock = 'first_answer' GROUP BY ALL HAVING count() = 1)";
    assert_eq!(installation.number(levels).await, all, "each level of each case is one alert");
    let ids: String = installation.word("SELECT arrayStringConcat(groupArray(alert_id), ',') FROM v_alerts").await;
    let ids: HashSet<String> = ids.split(',').map(str::to_owned).collect();
    let states = topic_states(&installation);
    let in_topic: HashSet<String> = states.keys().map(|(id, _)| id.clone()).collect();
    assert_eq!(in_topic, ids, "every alert is in the topic and nothing else is");
    assert!(ids.iter().all(|id| told.lock().expect("no panic").contains(&(id.clone(), true))), "the webhook has them");
    println!("records in the topic: {} for {} alerts", states.values().sum::<usize>(), ids.len());

    publish(&installation, "answered", (0..100).map(|number| (number, now())));
    let resolved = "SELECT countIf(state = 'resolved' AND webhook_sent_at IS NOT NULL) FROM v_alerts";
    eventually("answers resolve", WAIT, async || installation.number(resolved).await == 300).await;
    assert_eq!(installation.number("SELECT count() FROM v_alerts").await, all);
    assert_eq!(topic_states(&installation).keys().filter(|(_, state)| state == "resolved").count(), 300);
    assert_eq!(told.lock().expect("no panic").iter().filter(|(_, fires)| !fires).count(), 300);
}

/// `TSUR_ALERT_CLOCKS=100000 TSUR_ALERT_SECONDS=300 cargo test --release --test engines -- --ignored --nocapture alerts`
#[tokio::test]
#[ignore = "minutes; run by hand for the figure"]
async fn the_delay_of_alerts_under_a_mass_of_clocks_is_measured() {
    let Some(installation) = Installation::new("alert_delay") else { return };
    let number = |name: &str, default: i64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (clocks, seconds) = (number("TSUR_ALERT_CLOCKS", 10_000), number("TSUR_ALERT_SECONDS", 30));
    let _process = Process(installation.start(&["run"]));
    let lead = 20 + clocks / 2_000;
    let first_due = now() + lead;
    publish(&installation, "found", (0..clocks).map(|n| (n as usize, first_due + n % seconds - GOAL)));
    let breaches = "SELECT countIf(level = 'breach' AND kafka_sent_at IS NOT NULL) FROM v_alerts";
    let within = Duration::from_secs((lead + seconds + 60) as u64);
    eventually("every clock breached", within, async || installation.number(breaches).await >= clocks).await;
    for (name, until) in [("raised_at", "raised_at"), ("kafka_sent_at", "assumeNotNull(kafka_sent_at)")] {
        let sql = format!(
            "SELECT concat('p50 ', toString(round(quantile(0.5)(d))), ' ms, p99 ', toString(round(quantile(0.99)(d))), \
             ' ms, max ', toString(max(d)), ' ms') FROM (SELECT toUnixTimestamp64Milli({until}) - \
             toInt64(toUnixTimestamp(level_at)) * 1000 AS d FROM v_alerts WHERE level = 'breach')"
        );
        println!("{clocks} clocks in {seconds} s, {name} after the level: {}", installation.word(&sql).await);
    }
    let late = "SELECT quantile(0.99)(toUnixTimestamp64Milli(raised_at) - toInt64(toUnixTimestamp(level_at)) * 1000) \
                FROM v_alerts WHERE level = 'breach'";
    assert!(
        installation.number(&format!("SELECT toInt64(({late}))")).await < 1000,
        "the 99th percentile is under a second"
    );
}
