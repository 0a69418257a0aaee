//! Design invariant 2 on real engines: every projection follows from the journal. `tsur rebuild` makes it anew while
//! `tsur run` works, `tsur audit --deep` finds what differs and names the place.

use std::process::{Child, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::{Installation, eventually, text};

/// What readers see of each projection, in one number a table. `updated_at` and the versions of windows depend on how
/// the batches were cut and on how far the writer was, and are no part of it.
const CASES: &str = "SELECT toString(sum(cityHash64(* EXCEPT (updated_at)))) FROM cases FINAL";
/// A row of zeros and no row say the same.
const NOT_ZERO: &str = "(registered, first_answered, first_seconds, answered, answer_seconds, closed, first_breached, final_breached, returned, \
     reopened, deferred, declined, transferred, merged, stage_breached, held_seconds) != (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)";
const BACKLOG: &str = "SELECT toString(sum(cityHash64(*))) FROM backlog FINAL
     WHERE (minute, kafka_topic, kafka_partition, version) IN (SELECT minute, kafka_topic, kafka_partition, version FROM backlog_marks FINAL)";
const MARKS: &str = "SELECT toString(sum(cityHash64(*))) FROM backlog_marks FINAL";

/// Windows near their end of life may go at any moment, so they are looked at as of one moment of the test.
fn windows(table: &str, condition: &str, now: u64) -> String {
    format!(
        "SELECT toString(sum(cityHash64(* EXCEPT (version)))) FROM {table} FINAL WHERE {condition} AND \
         (unit = 'day' OR toUnixTimestamp(window_start) > {now} - if(unit = 'hour', 89 * 86400, 71 * 3600))"
    )
}

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs()
}

/// Cases, windows and marks of people: what is the same whoever wrote it and in whatever batches.
async fn facts(installation: &Installation, now: u64) -> Vec<String> {
    let mut facts = vec![installation.word(CASES).await];
    facts.push(installation.word(&windows("sla_windows", NOT_ZERO, now)).await);
    facts.push(installation.word(&windows("satisfaction_windows", "true", now)).await);
    facts
}

/// The facts, and the backlog with its marks.
async fn seen(installation: &Installation, now: u64) -> Vec<String> {
    let mut seen = facts(installation, now).await;
    seen.extend([installation.word(BACKLOG).await, installation.word(MARKS).await]);
    seen
}

fn deep(installation: &Installation) -> Output {
    installation.tsur(&["audit", "--deep", "--differences", "1000"])
}

fn deep_is_ok(installation: &Installation) -> String {
    let audit = deep(installation);
    let report = text(&audit);
    assert!(audit.status.success() && report.contains("deep audit: ok"), "{report}");
    report
}

fn rebuilt(installation: &Installation, args: &[&str]) -> String {
    let rebuild = installation.tsur(&[&["rebuild"], args].concat());
    let report = text(&rebuild);
    assert!(rebuild.status.success() && report.contains("rebuild: ok"), "{report}");
    report
}

async fn sql(installation: &Installation, sql: &str) {
    let client = installation.client().with_setting("async_insert", "0").with_setting("mutations_sync", "1");
    client.query_raw(sql).execute().await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
}

/// A process that ends with the test, however that ends.
struct Running(Child);

impl Running {
    fn kill(&mut self) {
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

/// Nothing of a rebuild is left but what was asked for.
async fn nothing_is_left(installation: &Installation) {
    let left = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%rebuild%'";
    assert_eq!(installation.number(left).await, 0, "tables or views of a rebuild are left");
}

#[tokio::test]
async fn a_rebuild_gives_tables_equal_to_those_that_the_run_wrote() {
    let Some(installation) = Installation::new("rebuild_equal") else { return };
    installation.publish_simulation(20_000, 41);
    installation.run_until_idle();
    let now = now();
    let before = seen(&installation, now).await;
    deep_is_ok(&installation);

    let plan = text(&installation.tsur(&["rebuild", "--dry-run"]));
    assert!(plan.contains("would read 20000 rows") && plan.contains("would replace backlog_marks"), "{plan}");
    let report = rebuilt(&installation, &["--keep-old"]);
    assert_eq!(seen(&installation, now).await, before, "{report}");
    let kept = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%\\_old\\_%'";
    assert_eq!(installation.number(kept).await, 7, "each old table is kept: {report}");
    nothing_is_left(&installation).await;
    rebuilt(&installation, &[]);
    assert_eq!(seen(&installation, now).await, before, "a rebuild of a rebuilt table changes nothing");
    installation.audit();

    // the views that fill tables still do, and a restart goes on from the rebuilt tables
    installation.publish_simulation_numbered(2_000, 42, 5_000_000);
    installation.run_until_idle();
    installation.audit();
    deep_is_ok(&installation);
    assert_eq!(installation.number("SELECT count() FROM events").await, 22_000);
}

/// Publishes a small simulation every second until told to stop; gives the number of records. Not as fast as it can: on a
/// busy machine the rebuild would take longer the more came in, and more come in the longer it took (a million records once).
fn pour(installation: &Installation, stop: &AtomicBool) -> i64 {
    let (mut seed, mut records) = (1_000, 0);
    let begin = std::time::Instant::now();
    while !stop.load(Ordering::Relaxed) {
        let due = Duration::from_secs(seed - 1_000);
        std::thread::sleep(due.saturating_sub(begin.elapsed()));
        installation.publish_simulation_numbered(2_000, seed, seed * 10_000);
        (seed, records) = (seed + 1, records + 2_000);
    }
    records
}

#[tokio::test]
async fn a_rebuild_while_records_pour_in_misses_nothing() {
    let Some(installation) = Installation::new("rebuild_busy") else { return };
    let now = now();
    installation.publish_simulation(60_000, 43);
    let straight = installation.beside("straight");
    let mut run = Running(installation.start(&["run"]));
    let rows = "SELECT count() FROM events";
    eventually("rows flow", Duration::from_secs(90), async || installation.number(rows).await > 5_000).await;
    let at_first = installation.number(rows).await;
    let stop = AtomicBool::new(false);
    let poured = std::thread::scope(|scope| {
        let publisher = scope.spawn(|| pour(&installation, &stop));
        let works = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            rebuilt(&installation, &[]);
            deep_is_ok(&installation); // records still come in
        }));
        stop.store(true, Ordering::Relaxed);
        let poured = publisher.join().expect("published");
        if let Err(problem) = works {
            std::panic::resume_unwind(problem);
        }
        poured
    });
    let at_last = installation.number(rows).await;
    run.kill();
    installation.run_until_idle();
    straight.run_until_idle();

    assert!(at_last > at_first + 5_000, "rows came in during the rebuilds: {at_first} before, {at_last} after");
    assert_eq!(installation.number(rows).await, 60_000 + poured);
    assert_eq!(facts(&installation, now).await, facts(&straight, now).await, "equal to a run without a rebuild");
    installation.audit();
    deep_is_ok(&installation);
    nothing_is_left(&installation).await;
}

#[tokio::test]
async fn damage_is_named_by_the_deep_audit_and_mended_by_a_rebuild() {
    let Some(installation) = Installation::new("rebuild_mend") else { return };
    installation.publish_simulation(10_000, 45);
    installation.run_until_idle();
    let now = now();
    let before = seen(&installation, now).await;

    let case = installation.word("SELECT case_id FROM cases FINAL ORDER BY case_key LIMIT 1").await;
    let lost = installation.word("SELECT case_id FROM cases FINAL ORDER BY case_key DESC LIMIT 1").await;
    sql(&installation, "INSERT INTO cases SELECT * REPLACE (if(body = 'x', 'y', 'x') AS body) FROM cases FINAL ORDER BY case_key LIMIT 1").await;
    sql(&installation, &format!("DELETE FROM cases WHERE case_id = '{lost}'")).await;
    sql(
        &installation,
        "INSERT INTO cases SELECT * REPLACE (1 AS case_key, 'ghost' AS case_id) FROM cases FINAL LIMIT 1",
    )
    .await;
    sql(&installation, "INSERT INTO sla_windows SELECT * REPLACE (closed + 2 AS closed) FROM sla_windows FINAL WHERE unit = 'day' ORDER BY window_start LIMIT 1").await;
    sql(&installation, "DELETE FROM sla_windows WHERE unit = 'hour' AND registered > 0 AND window_start = (SELECT max(window_start) FROM sla_windows WHERE unit = 'hour' AND registered > 0)").await;
    sql(&installation, "INSERT INTO satisfaction_windows SELECT * REPLACE ('ghost' AS block, rated + 1 AS rated) FROM satisfaction_windows FINAL WHERE unit = 'day' LIMIT 1").await;
    sql(&installation, "INSERT INTO backlog SELECT * REPLACE (open + 7 AS open) FROM backlog FINAL WHERE source != '' ORDER BY minute LIMIT 1").await;
    sql(&installation, "INSERT INTO backlog SELECT * REPLACE ('ghost' AS body) FROM backlog FINAL WHERE source != '' ORDER BY minute DESC LIMIT 1").await;

    let audit = deep(&installation);
    let report = text(&audit);
    assert_eq!(audit.status.code(), Some(1), "{report}");
    let named = |parts: &[&str]| report.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    assert!(named(&[&format!("({case})"), "body: the table has"]), "a changed column: {report}");
    assert!(named(&[&format!("({lost})"), "row: the table has none"]), "a lost row: {report}");
    assert!(named(&["(ghost)", "the journal says none"]), "a foreign row: {report}");
    assert!(named(&[" day ", "closed: the table has"]), "a changed sum: {report}");
    assert!(named(&[" hour ", "registered: the table has 0"]), "a lost window: {report}");
    assert!(named(&["ghost", "rated: the table has"]), "a foreign window: {report}");
    assert!(named(&["minute", "open: the table has"]), "a changed count: {report}");
    assert!(named(&["minute", "ghost]", "the journal says 0"]), "a foreign count: {report}");
    assert!(report.contains("cases: ") && report.contains(", 3 differ"), "{report}");

    rebuilt(&installation, &[]);
    assert_eq!(seen(&installation, now).await, before, "mended");
    deep_is_ok(&installation);

    // all of it gone: cases and windows come back whole, the backlog for every minute with a batch
    let of_batches = format!(
        "{BACKLOG} AND (minute, kafka_topic, kafka_partition) IN
         (SELECT toStartOfMinute(sealed_at)::DateTime('Europe/Moscow'), kafka_topic, kafka_partition FROM events)"
    );
    let counted = installation.word(&of_batches).await;
    for table in ["cases", "sla_windows", "satisfaction_windows", "backlog", "backlog_marks"] {
        sql(&installation, &format!("TRUNCATE TABLE {table}")).await;
    }
    let audit = deep(&installation);
    assert!(!audit.status.success() && text(&audit).contains("row: the table has none"), "{}", text(&audit));
    rebuilt(&installation, &[]);
    assert_eq!(seen(&installation, now).await[..3], before[..3], "cases and windows");
    assert_eq!(installation.word(&of_batches).await, counted, "the backlog of every minute with a batch");
    let minutes = "SELECT uniqExact(kafka_topic, kafka_partition, toStartOfMinute(sealed_at)) FROM events";
    let marks = "SELECT count() FROM backlog_marks FINAL";
    assert_eq!(installation.number(marks).await, installation.number(minutes).await);
    deep_is_ok(&installation);
}

#[tokio::test]
async fn a_rebuild_that_is_killed_harms_nothing_and_is_started_again() {
    let Some(installation) = Installation::new("rebuild_killed") else { return };
    installation.publish_simulation(60_000, 46);
    let mut run = Running(installation.start(&["run"]));
    eventually("rows flow", Duration::from_secs(90), async || {
        installation.number("SELECT count() FROM events").await > 5_000
    })
    .await;
    let mut refused = 0;
    for pause in [50, 300, 700, 1500] {
        let mut rebuild = Running(installation.start(&["rebuild"]));
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let second = installation.tsur(&["rebuild", "--table", "cases"]);
        let report = text(&second);
        refused += i32::from(!second.status.success() && report.contains("another `tsur rebuild` works"));
        assert!(second.status.success() || report.contains("another `tsur rebuild` works"), "{report}");
        rebuild.kill();
    }
    assert!(refused > 0, "two rebuilds at once are refused");
    // the lock leaves with its holder, a moment later
    eventually("the lock is free", Duration::from_secs(20), async || {
        let held =
            format!("SELECT count() FROM system.processes WHERE query_id = 'tsur-rebuild-{}'", installation.database);
        installation.number(&held).await == 0
    })
    .await;
    rebuilt(&installation, &[]);
    run.kill();
    installation.run_until_idle();
    installation.audit();
    deep_is_ok(&installation);
    nothing_is_left(&installation).await;
    assert_eq!(installation.number("SELECT count() FROM events").await, 60_000);
}
