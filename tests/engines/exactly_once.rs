//! Design invariants 1 to 3 on real engines: full accounting, one table written exactly once, state as a fold.

use std::time::Duration;

use crate::support::{Installation, eventually};

const RECORDS: u64 = 200_000;

/// The tables that must not depend on how often the process died.
pub const CASES: &str = "SELECT toString(sum(cityHash64(* EXCEPT (updated_at)))) FROM cases FINAL";
pub const WINDOWS: &str = "SELECT toString(sum(cityHash64(unit, window_start, source, block, territory, body, registered, answered, \
     answer_seconds, first_breached, final_breached, transferred))) FROM sla_windows FINAL WHERE unit = 'day' \
     AND (registered, answered, answer_seconds, first_breached, final_breached, transferred) != (0, 0, 0, 0, 0, 0)";

#[tokio::test]
async fn invariants_1_to_3_hold_for_200_000_records_with_faults_and_three_kills() {
    let Some(killed) = Installation::new("kills") else { return };
    let ledger = killed.publish_simulation(RECORDS, 11);
    let straight = killed.beside("straight");

    for fraction in [10, 35, 60] {
        let mut process = killed.start(&["run"]);
        let wanted = (RECORDS * fraction / 100) as i64;
        eventually("rows flow", Duration::from_secs(90), async || {
            killed.number("SELECT count() FROM events").await > wanted
        })
        .await;
        process.kill().expect("kill -9"); // std sends SIGKILL
        process.wait().expect("it is gone");
    }
    killed.run_until_idle();
    straight.run_until_idle();

    for installation in [&killed, &straight] {
        installation.audit();
        let rows = installation.number("SELECT count() FROM events").await;
        assert_eq!(rows, RECORDS as i64, "every record is one journal row");
        let broken = ledger.pos.broken.total() + ledger.incident.broken.total();
        let rejected = installation.number("SELECT count() FROM events WHERE outcome = 'rejected'").await;
        assert_eq!(rejected, broken as i64, "every broken record is rejected and no sound one");
        let registered = installation.number("SELECT sum(registered) FROM v_sla WHERE unit = 'day'").await;
        assert_eq!(
            registered,
            installation.number("SELECT count() FROM v_cases WHERE registered_at IS NOT NULL").await
        );
    }
    assert_eq!(killed.word(CASES).await, straight.word(CASES).await, "the cases of both runs are equal");
    assert_eq!(killed.word(WINDOWS).await, straight.word(WINDOWS).await, "the windows of both runs are equal");
    duplicates_are_those_of_the_ledger(&straight, &ledger).await;
}

/// Every re-delivery is accounted as one. A few more rows may be: two snapshots that differ only in columns that no
/// pipeline maps (names of staff) say the same.
async fn duplicates_are_those_of_the_ledger(installation: &Installation, ledger: &tsur::generate::Ledger) {
    let duplicates = installation.number("SELECT count() FROM events WHERE outcome = 'duplicate'").await;
    let delivered_again = (ledger.pos.duplicates + ledger.incident.duplicates) as i64;
    let slack = ledger.records as i64 / 2000;
    assert!(
        (delivered_again - slack..=delivered_again + slack).contains(&duplicates),
        "{duplicates} rows are duplicates, {delivered_again} records were delivered again"
    );
}

#[tokio::test]
async fn a_second_run_over_finished_topics_changes_nothing() {
    let Some(installation) = Installation::new("again") else { return };
    installation.publish_simulation(5_000, 12);
    installation.run_until_idle();
    let before = (installation.word(CASES).await, installation.number("SELECT count() FROM events").await);
    installation.run_until_idle();
    let after = (installation.word(CASES).await, installation.number("SELECT count() FROM events").await);
    assert_eq!(before, after);
    installation.audit();
}

#[tokio::test]
async fn the_audit_names_a_lost_and_a_doubled_row() {
    let Some(installation) = Installation::new("tampered") else { return };
    installation.publish_simulation(3_000, 13);
    installation.run_until_idle();
    let topic = installation.topic("incident");
    let client = installation.client();
    let lost =
        format!("ALTER TABLE events DELETE WHERE kafka_topic = '{topic}' AND kafka_partition = 0 AND kafka_offset = 7");
    client.query_raw(&lost).with_setting("mutations_sync", "1").execute().await.expect("deleted");
    let doubled = format!(
        "INSERT INTO events SELECT * FROM events WHERE kafka_topic = '{topic}' AND kafka_partition = 1 AND kafka_offset = 3"
    );
    client.query_raw(&doubled).execute().await.expect("doubled");
    let audit = installation.tsur(&["audit"]);
    let report = crate::support::text(&audit);
    assert!(!audit.status.success(), "{report}");
    assert!(report.contains("[7,8)") && report.contains(&format!("{topic}/1")), "{report}");
}

#[tokio::test]
async fn offsets_reset_behind_our_back_stop_the_partition_and_name_both_ways_out() {
    let Some(installation) = Installation::new("reset") else { return };
    installation.publish_simulation(2_000, 14);
    installation.run_until_idle();
    let rows = installation.number("SELECT count() FROM events").await;
    // a new group has no committed offsets: to the pipeline that is the same as a reset
    let settings = std::fs::read_to_string(installation.config_folder().join("tsur.toml")).expect("settings");
    installation.write("config/tsur.toml", &settings.replace("group_id = \"", "group_id = \"other_"));
    let refused = installation.tsur(&["run", "--until-idle", "3s"]);
    let report = crate::support::text(&refused);
    assert!(!refused.status.success(), "{report}");
    assert!(report.contains("--resume-from-journal") && report.contains("journal ends at"), "{report}");
    let resumed = installation.tsur(&["run", "--until-idle", "3s", "--resume-from-journal"]);
    assert!(resumed.status.success(), "{}", crate::support::text(&resumed));
    assert_eq!(installation.number("SELECT count() FROM events").await, rows);
    installation.audit();
}
