//! Rules that change while `tsur run` goes on: deadlines of open cases move, those of ended ones stay, broken files change
//! nothing, and the journal says by which rules each of its rows was made.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::support::{Installation, eventually, send_record, text};
use rdkafka::producer::{BaseRecord, Producer};

const CALENDAR: &str = "pipelines/calendars/russia.toml";
/// The year 2026 of the shipped calendar, and the same with Wednesday 4 March off.
const YEAR: &str = "working_days = 247\ndays_off = [\"01-01..01-09\", \"02-23\", \"03-08..03-09\",";
const WITH_A_DAY_OFF: &str =
    "working_days = 246\ndays_off = [\"01-01..01-09\", \"02-23\", \"03-04\", \"03-08..03-09\",";

/// A process that does not outlive its test.
struct Running(Child);

impl Running {
    fn start(installation: &Installation) -> Running {
        Running(installation.start(&["run"]))
    }

    fn kill(mut self) {
        self.0.kill().expect("kill -9"); // std sends SIGKILL
        self.0.wait().expect("it is gone");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill(); // it may be gone already
        let _ = self.0.wait();
    }
}

fn event(case: &str, event: &str, at: &str, more: &str) -> String {
    format!(
        "{{\"incident_id\":\"{case}\",\"event\":\"{event}\",\"at\":\"{at}+03:00\",\"network\":\"vk\",\"text\":\"Яма\",\"group\":\"Дороги\"{more}}}"
    )
}

async fn due(installation: &Installation, case: &str) -> String {
    let sql = format!("SELECT ifNull(toString(due_final), '') FROM v_cases WHERE case_id = '{case}'");
    installation.client().query_raw(&sql).fetch_one().await.unwrap_or_default()
}

async fn is_due(installation: &Installation, case: &str, expected: &str, within: Duration) {
    let what = format!("case {case} is due at {expected}");
    eventually(&what, within, async || due(installation, case).await == expected).await;
}

#[tokio::test]
async fn open_deadlines_follow_a_calendar_that_changes_under_way_and_broken_files_change_nothing() {
    let Some(installation) = Installation::new("rules") else { return };
    let mut running = Running::start(&installation);
    let body = ",\"body\":\"Администрация города Рязани\"";
    let records = [
        ("IM-1", event("IM-1", "found", "2026-03-02T10:00:00", "")),
        ("IM-2", event("IM-2", "found", "2026-03-02T10:00:00", "")),
        ("IM-2", event("IM-2", "routed", "2026-03-02T10:30:00", body)),
        ("IM-2", event("IM-2", "answered", "2026-03-16T10:00:00", body)),
        ("IM-2", event("IM-2", "closed", "2026-03-17T10:00:00", "")),
    ];
    let records: Vec<(&str, &[u8])> = records.iter().map(|(key, record)| (*key, record.as_bytes())).collect();
    installation.publish("incident", &records);
    is_due(&installation, "IM-1", "2026-03-12 23:59:59", Duration::from_secs(60)).await;
    is_due(&installation, "IM-2", "2026-03-12 23:59:59", Duration::from_secs(30)).await;

    installation.publish_simulation(20_000, 31);
    installation.edit(CALENDAR, YEAR, WITH_A_DAY_OFF);
    is_due(&installation, "IM-1", "2026-03-13 23:59:59", Duration::from_secs(30)).await;
    let open = "SELECT ifNull(toString(next_due), '') FROM v_open_cases WHERE case_id = 'IM-1'";
    assert_eq!(installation.word(open).await, "2026-03-02 18:00:00", "the first answer counts in plain hours");
    assert_eq!(due(&installation, "IM-2").await, "2026-03-12 23:59:59", "what has ended stays as it was judged");

    // a mistake keeps all of the old rules and is said in the log, in a metric and in /readyz
    installation.edit(CALENDAR, "working_days = 246", "working_days = 200");
    let told = async || installation.metric("tsur_rules_refused", "") == Some(1.0);
    eventually("the mistake is told", Duration::from_secs(30), told).await;
    let (code, ready) = installation.http("/readyz").expect("it answers");
    assert_eq!(code, 200, "{ready}");
    assert!(ready.contains("russia.toml") && ready.contains("\"refused\""), "{ready}");
    assert!(installation.log().contains("the changed rules are refused, those in force stay"));
    installation.publish("incident", &[("IM-3", event("IM-3", "found", "2026-03-02T11:00:00", "").as_bytes())]);
    is_due(&installation, "IM-3", "2026-03-13 23:59:59", Duration::from_secs(30)).await;
    installation.edit(CALENDAR, "working_days = 200", "working_days = 246");
    let mended = async || installation.metric("tsur_rules_refused", "") == Some(0.0);
    eventually("the mending is seen", Duration::from_secs(30), mended).await;

    // every row says by which rules it was made, and one batch has one version
    let versions = "SELECT uniqExact(rules) FROM events";
    eventually("rows of both versions", Duration::from_secs(60), async || installation.number(versions).await == 2)
        .await;
    let mixed = "SELECT count() FROM (SELECT uniqExact(rules) AS n FROM events GROUP BY kafka_topic, kafka_partition, sealed_at HAVING n > 1)";
    assert_eq!(installation.number(mixed).await, 0);

    // a start under the old rules gives the old deadlines back
    running.kill();
    installation.edit(CALENDAR, WITH_A_DAY_OFF, YEAR);
    running = Running::start(&installation);
    is_due(&installation, "IM-1", "2026-03-12 23:59:59", Duration::from_secs(60)).await;
    is_due(&installation, "IM-3", "2026-03-12 23:59:59", Duration::from_secs(30)).await;
    // the next record of a case carries the deadlines of the rules in force into the journal
    let routed = event("IM-1", "routed", "2026-03-02T12:00:00", body);
    installation.publish("incident", &[("IM-1", routed.as_bytes())]);
    let holds = "SELECT countIf(body = 'admryazan' AND due_final = '2026-03-12 23:59:59') FROM cases FINAL WHERE case_id = 'IM-1'";
    eventually("the row is written", Duration::from_secs(30), async || installation.number(holds).await == 1).await;
    running.kill();
    installation.run_until_idle();
    installation.audit();
    let deep = installation.tsur(&["audit", "--deep"]);
    assert!(deep.status.success() && text(&deep).contains("deep audit: ok"), "{}", text(&deep));
    let backlog = installation.tsur(&["rebuild", "--table", "backlog"]);
    assert!(backlog.status.success(), "{}", text(&backlog));
    let deep = installation.tsur(&["audit", "--deep"]);
    assert!(deep.status.success() && text(&deep).contains("deep audit: ok"), "{}", text(&deep));
}

/// Prints how long it takes; TSUR_REDATE_CASES sets the number of cases.
#[tokio::test]
#[ignore = "publishes a million records first; run it alone"]
async fn a_million_open_clocks_are_counted_anew_in_under_five_seconds_while_records_flow() {
    let Some(installation) = Installation::new("redate") else { return };
    let cases: u32 = std::env::var("TSUR_REDATE_CASES").map_or(1_000_000, |text| text.parse().expect("a number"));
    let _running = Running::start(&installation);
    let (producer, topic) = (installation.producer(), installation.topic("incident"));
    for number in 0..cases {
        let id = format!("IM-{number}");
        let record = event(&id, "found", "2026-03-02T10:00:00", "");
        send_record(&producer, || BaseRecord::to(&topic).key(&id).payload(record.as_bytes()));
    }
    producer.flush(Duration::from_secs(120)).expect("delivered");
    let rows = "SELECT count() FROM events";
    let all = i64::from(cases);
    eventually("all cases are open", Duration::from_secs(300), async || installation.number(rows).await == all).await;
    let moved = "SELECT countIf(due_final = '2026-03-13 23:59:59') FROM v_open_cases";
    assert_eq!(installation.number(moved).await, 0);

    // a steady flow beside it, whose age on arrival tells whether it ever stood still
    let flow = tokio::task::spawn_blocking({
        let (producer, topic) = (installation.producer(), topic.clone());
        move || {
            for number in 0..3_000 {
                let id = format!("FLOW-{number}");
                let record = event(&id, "found", "2026-03-02T10:00:00", "");
                send_record(&producer, || BaseRecord::to(&topic).key(&id).payload(record.as_bytes()));
                std::thread::sleep(Duration::from_millis(5));
            }
            producer.flush(Duration::from_secs(30)).expect("delivered");
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    installation.edit(CALENDAR, YEAR, WITH_A_DAY_OFF);
    let began = Instant::now();
    let taken = async || installation.log().contains("new rules; every partition switches");
    eventually("the rules are taken", Duration::from_secs(30), taken).await;
    let noticed = began.elapsed();
    let new = "SELECT count() FROM case_dues";
    eventually("all are written", Duration::from_secs(60), async || installation.number(new).await >= all).await;
    let written = began.elapsed();
    let seen = installation.number(moved).await;
    let shown = began.elapsed();
    flow.await.expect("published");
    let rows_at_end = all + 3_000;
    eventually("the flow is written", Duration::from_secs(60), async || installation.number(rows).await == rows_at_end)
        .await;
    let late = "SELECT max(toUnixTimestamp64Milli(sealed_at) - toUnixTimestamp64Milli(kafka_time)) FROM events WHERE case_id LIKE 'FLOW-%'";
    let late = installation.number(late).await;
    let log = installation.log();
    for line in log.lines().filter(|line| line.contains("open clocks are counted")) {
        eprintln!("{line}");
    }
    eprintln!(
        "{cases} open cases: rules taken {noticed:?} after the edit, all deadlines in ClickHouse {written:?} after it \
         ({:?} from taking them), seen in v_open_cases: {seen} in {:?}; a record of the flow waited {late} ms at most",
        written - noticed,
        shown - written
    );
    assert!(seen >= all, "{seen}");
    assert!(written - noticed < Duration::from_secs(5), "{:?}", written - noticed);
}
