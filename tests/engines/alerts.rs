//! Alerts of clocks that fall due while the process is killed: each is one row, each reaches Kafka and, alone or in a digest,
//! the webhook, and none comes that should not. TSUR_ALERT_CLOCKS and TSUR_ALERT_SECONDS set the size of the measured run.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::support::{Installation, eventually};

const WAIT: Duration = Duration::from_secs(120);
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

/// What the webhook was told.
#[derive(Default)]
struct Told {
    /// Alert and whether it fires, with how often it came.
    alerts: HashMap<(String, bool), usize>,
    /// Digest and the alerts in it.
    digests: HashMap<String, u64>,
}

/// A small HTTP server that refuses the first requests and keeps what the others say.
fn webhook(refusals: usize) -> (String, Arc<Mutex<Told>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/api/v2/alerts", listener.local_addr().expect("an address"));
    let seen: Arc<Mutex<Told>> = Arc::default();
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
                let (labels, notes) = (&alert["labels"], &alert["annotations"]);
                assert!(alert["startsAt"].is_string() && notes["summary"].is_string(), "{alert}");
                if labels["alertname"] == "tsur_digest" {
                    let count = notes["alerts"].as_str().and_then(|count| count.parse().ok()).expect("a count");
                    seen.digests.insert(labels["digest_id"].as_str().expect("an id").to_owned(), count);
                    continue;
                }
                let id = labels["alert_id"].as_str().expect("an id").to_owned();
                let fires = alert["endsAt"].as_str().expect("an end") > now.as_str();
                *seen.alerts.entry((id, fires)).or_default() += 1;
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        }
    });
    (url, seen)
}

/// The shipped levels for the terms of the author alone, and small limits for the webhook.
fn ladder(group_seconds: u32) -> String {
    let level = |name: &str, moment: &str, to: &str| {
        format!(
            "[[level]]\nname = \"{name}\"\n{moment}\nto = \"{to}\"\nclocks = [\"first_answer\", \"final_answer\"]\n"
        )
    };
    [
        level("warn_50", "percent = 50", "body"),
        level("warn_80", "percent = 80", "head"),
        level("breach", "hours_after = 0", "responsible"),
        level("breach_24h", "hours_after = 24", "curator"),
        format!("[delivery]\nsingles = 200\ngroup_seconds = {group_seconds}\nper_hour = 100000\n"),
        "[calendar]\ndays_before = 730\n".to_owned(), // the shipped calendar ends sooner than that
    ]
    .concat()
}

fn with_ladder(installation: &Installation, group_seconds: u32) {
    std::fs::create_dir_all(installation.folder.path().join("pipelines/alerts")).expect("a folder");
    installation.write("pipelines/alerts/ladder.toml", &ladder(group_seconds));
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
pub fn topic_states(installation: &Installation) -> HashMap<(String, String), usize> {
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
    installation.edit("config/tsur.toml", "[alerts]\n", &format!("[alerts]\nwebhook_url = \"{url}\"\n"));
    with_ladder(&installation, 5);
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
    let all = count as i64 * 3 + 1;
    let sent = "SELECT countIf(webhook_sent_at IS NOT NULL) FROM v_alerts";
    eventually("every alert is told", WAIT, async || installation.number(sent).await >= all).await;

    assert_eq!(installation.number("SELECT count() FROM v_alerts").await, all, "none is unexpected");
    let calendar = "SELECT count() FROM v_alerts WHERE clock = 'calendar' AND case_id = 'russia'";
    assert_eq!(installation.number(calendar).await, 1, "the calendar that ends is one alert, over three lives");
    let levels = "SELECT count() FROM (SELECT case_id, level FROM v_alerts WHERE level IN ('warn_50', 'warn_80', 'breach') \
                  AND clock = 'first_answer' GROUP BY ALL HAVING count() = 1)";
    assert_eq!(installation.number(levels).await, all - 1, "each level of each case is one alert");
    let states = topic_states(&installation);
    let in_topic: HashSet<String> = states.keys().map(|(id, _)| id.clone()).collect();
    assert_eq!(in_topic, ids(&installation, "1").await, "every alert is in the topic and nothing else is");
    assert_eq!(
        states.values().sum::<usize>(),
        in_topic.len(),
        "none is there twice, although the process was killed twice"
    );
    nothing_is_unsaid(&installation, &told).await;
    let page = installation.http("/metrics").expect("metrics").1;
    for name in ["tsur_alerts_fired_total", "tsur_alerts_delivered_total{output=\"kafka\"}", "tsur_alert_delay_seconds"]
    {
        assert!(page.contains(name), "{name} is not in {page}");
    }

    publish(&installation, "answered", (0..100).map(|number| (number, now())));
    let resolved = "SELECT countIf(state = 'resolved' AND webhook_sent_at IS NOT NULL) FROM v_alerts";
    eventually("answers resolve", WAIT, async || installation.number(resolved).await == 300).await;
    assert_eq!(installation.number("SELECT count() FROM v_alerts").await, all);
    assert_eq!(topic_states(&installation).keys().filter(|(_, state)| state == "resolved").count(), 300);
    let alone = ids(&installation, "state = 'resolved' AND digest_id = ''").await;
    let taken_back: HashSet<String> =
        told.lock().expect("no panic").alerts.keys().filter(|(_, fires)| !fires).map(|(id, _)| id.clone()).collect();
    assert_eq!(taken_back, alone, "what was told alone is taken back alone");
}

async fn ids(installation: &Installation, condition: &str) -> HashSet<String> {
    let sql = format!("SELECT arrayStringConcat(groupArray(alert_id), ',') FROM v_alerts WHERE {condition}");
    let joined: String = installation.word(&sql).await;
    joined.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

/// Every alert was told alone or is in a digest that was told, and a digest says how many are in it.
async fn nothing_is_unsaid(installation: &Installation, told: &Mutex<Told>) {
    let alone = ids(installation, "digest_id = ''").await;
    was_told(&alone, &told.lock().expect("no panic"));
    let digests = "SELECT count() FROM (SELECT digest_id, count() AS found, any(d.alerts) AS said FROM v_alerts AS a \
                   INNER JOIN v_alert_digests AS d ON a.digest_id = d.digest_id WHERE d.sent_at IS NOT NULL \
                   GROUP BY digest_id HAVING found = said)";
    let used = "SELECT uniqExact(digest_id) FROM v_alerts WHERE digest_id != ''";
    let (right, used) = (installation.number(digests).await, installation.number(used).await);
    assert!(used > 0, "something was held back");
    assert_eq!(right, used, "every digest was told and counts its alerts");
}

fn was_told(alone: &HashSet<String>, told: &Told) {
    assert!(alone.iter().all(|id| told.alerts.contains_key(&(id.clone(), true))), "those without a digest were told");
    let repeated = told.alerts.values().filter(|times| **times > 1).count();
    println!("told alone: {}, {repeated} of them more than once; digests: {}", alone.len(), told.digests.len());
}

/// `TSUR_ALERT_CLOCKS=100000 TSUR_ALERT_SECONDS=300 cargo test --release --test engines -- --ignored --nocapture the_delay`
#[tokio::test]
#[ignore = "minutes; run by hand for the figure"]
async fn the_delay_of_alerts_under_a_mass_of_clocks_and_two_kills_is_measured() {
    let Some(installation) = Installation::new("alert_delay") else { return };
    let number = |name: &str, default: i64| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default);
    let (clocks, seconds) = (number("TSUR_ALERT_CLOCKS", 10_000), number("TSUR_ALERT_SECONDS", 30));
    let (url, told) = webhook(0);
    installation.edit("config/tsur.toml", "[alerts]\n", &format!("[alerts]\nwebhook_url = \"{url}\"\n"));
    with_ladder(&installation, 60);
    let mut process = Process(installation.start_as("alerts-1", "life-0.log"));
    let lead = 30 + clocks / 1_500;
    let first_due = now() + lead;
    publish(&installation, "found", (0..clocks).map(|n| (n as usize, first_due + n % seconds - GOAL)));
    let mut kills = Vec::new();
    for life in 1..=2 {
        let at = first_due + life * seconds / 3;
        tokio::time::sleep(Duration::from_secs((at - now()).max(0) as u64)).await;
        kills.push(SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_millis() as i64);
        drop(process); // kill -9
        process = Process(installation.start_as("alerts-1", &format!("life-{life}.log")));
    }
    tokio::time::sleep(Duration::from_secs((first_due + seconds + 2 - now()).max(0) as u64)).await;
    let all = clocks * 3 + 1;
    let sent = "SELECT uniqExact(alert_id) FROM alerts WHERE toUnixTimestamp64Milli(kafka_sent_at) > 0";
    eventually("every alert is out", WAIT, async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        installation.number(sent).await >= all
    })
    .await;
    let untold = "SELECT countIf(webhook_sent_at IS NULL) FROM v_alerts";
    eventually("every alert is told", WAIT, async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        installation.number(untold).await == 0
    })
    .await;

    assert_eq!(installation.number("SELECT count() FROM v_alerts").await, all, "none missed, none unexpected");
    let once = "SELECT count() FROM (SELECT case_id, clock, level FROM v_alerts GROUP BY ALL HAVING count() = 1)";
    assert_eq!(installation.number(once).await, all, "none doubled");
    let states = topic_states(&installation);
    assert_eq!(states.len() as i64, all, "each is in the Kafka topic");
    let records = states.values().sum::<usize>() as i64;
    println!("records in the Kafka topic: {records} for {all} alerts");
    assert_eq!(records, all, "none is there twice");
    nothing_is_unsaid(&installation, &told).await;
    measure(&installation, &kills, clocks, seconds).await;
}

/// Prints the delays, and asserts the 99th percentile: of all, and of levels that were reached while the process ran.
async fn measure(installation: &Installation, kills: &[i64], clocks: i64, seconds: i64) {
    let mut running = "level = 'breach'".to_owned();
    for kill in kills {
        let first = format!(
            "SELECT toUnixTimestamp64Milli(min(raised_at)) FROM v_alerts WHERE level = 'breach' AND \
             toUnixTimestamp64Milli(raised_at) > {kill} + 500"
        );
        let back = installation.number(&first).await;
        println!("killed; the first alert of the next life came {} ms later", back - kill);
        running += &format!(
            " AND (toUnixTimestamp(level_at) * 1000 < {kill} - 1500 OR toUnixTimestamp(level_at) * 1000 > {back})"
        );
    }
    for (name, condition) in [("all", "level = 'breach'"), ("while it ran", &running)] {
        for until in ["raised_at", "assumeNotNull(kafka_sent_at)"] {
            let sql = format!(
                "SELECT concat(toString(count()), ' alerts, p50 ', toString(round(quantile(0.5)(d))), ' ms, p99 ', \
                 toString(round(quantile(0.99)(d))), ' ms, max ', toString(max(d)), ' ms') FROM (SELECT \
                 toUnixTimestamp64Milli({until}) - toInt64(toUnixTimestamp(level_at)) * 1000 AS d FROM v_alerts WHERE {condition})"
            );
            println!(
                "{clocks} clocks in {seconds} s, {name}, {until} after the level: {}",
                installation.word(&sql).await
            );
        }
    }
    for condition in ["level = 'breach'", &running] {
        let late = format!(
            "SELECT toInt64(quantile(0.99)(toUnixTimestamp64Milli(assumeNotNull(kafka_sent_at)) - \
             toInt64(toUnixTimestamp(level_at)) * 1000)) FROM v_alerts WHERE {condition}"
        );
        let late = installation.number(&late).await;
        assert!(
            late < 1000,
            "the 99th percentile, to Kafka's confirmation, is under a second: {late} where {condition}"
        );
    }
}
