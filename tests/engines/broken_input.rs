//! Bad input: a poison record costs one row with a reason that names the column; a flood of them stops the partition.

use crate::support::{Installation, text};

#[tokio::test]
async fn a_broken_record_is_rejected_with_the_column_and_its_masked_beginning() {
    let Some(installation) = Installation::new("broken") else { return };
    let sound = r#"{"event_id":"1","incident_id":"IM-1","event":"found","at":"2026-01-06T12:00:00+03:00","text":"Яма, звоните +7 910 123-45-67"}"#;
    let records: Vec<(&str, &[u8])> = vec![
        ("IM-1", sound.as_bytes()),
        (
            "IM-1",
            br#"{"event_id":"2","incident_id":"IM-1","event":"routed","at":"32.13.2026","text":"+7 910 123-45-67"}"#,
        ),
        ("IM-1", br#"{"event_id":"3","incident_id":"IM-1","event":"vanished","at":"2026-01-06T13:00:00+03:00"}"#),
        ("IM-1", br#"{"event_id":"4","event":"routed","at":"2026-01-06T13:00:00+03:00"}"#),
        ("IM-1", b"{\"incident_id\": \"IM-1\", \"event\""),
        ("IM-1", b"\xff\xfe"),
        ("IM-1", b""),
        ("IM-1", br#"[1,2,3]"#),
    ];
    installation.publish("incident", &records);
    installation.run_until_idle();
    installation.audit();
    let reasons = installation
        .word("SELECT arrayStringConcat(groupArray(concat(reason, ':', field)), ' ') FROM (SELECT reason, field FROM v_dead_letters ORDER BY kafka_offset)")
        .await;
    assert_eq!(
        reasons,
        "bad_time:at unknown_word:event missing:incident_id invalid_json: invalid_utf8: empty: not_an_object:"
    );
    assert_eq!(installation.number("SELECT count() FROM events WHERE outcome = 'applied'").await, 1);
    let shown = installation.word("SELECT excerpt FROM v_dead_letters WHERE reason = 'bad_time'").await;
    assert_eq!(shown, "32.13.2026", "the sender sees what was wrong");
    let leaks =
        installation.number("SELECT countIf(position(concat(text, excerpt), '123-45-67') > 0) FROM events").await;
    assert_eq!(leaks, 0, "no phone reaches the tables");
    let masked = installation.word("SELECT text FROM events WHERE outcome = 'applied'").await;
    assert_eq!(masked, "Яма, звоните ‹телефон›");
}

#[tokio::test]
async fn a_flood_of_broken_records_stops_the_partition_and_loses_none() {
    let Some(installation) = Installation::new("flood") else { return };
    let settings = std::fs::read_to_string(installation.config_folder().join("tsur.toml")).expect("settings");
    installation.write("config/tsur.toml", &format!("{settings}\n[limits]\nmax_consecutive_rejects = 100\n"));
    let flood: Vec<(&str, &[u8])> = (0..500).map(|_| ("same key", &b"not json"[..])).collect();
    installation.publish("incident", &flood);
    let stopped = installation.tsur(&["run", "--until-idle", "3s"]);
    let report = text(&stopped);
    assert!(!stopped.status.success(), "{report}");
    assert!(
        report.contains("records in a row were rejected") && report.contains("max_consecutive_rejects"),
        "{report}"
    );
    installation.write(
        "config/tsur.toml",
        &settings.replace("[http]", "[limits]\nmax_consecutive_rejects = 0\nmax_reject_ratio = 1.0\n[http]"),
    );
    installation.run_until_idle();
    installation.audit();
    assert_eq!(installation.number("SELECT count() FROM v_dead_letters").await, 500);
}

#[test]
fn five_mistakes_in_the_configuration_give_five_messages_in_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("pipelines")).expect("pipelines");
    std::fs::create_dir_all(folder.path().join("config")).expect("config");
    std::fs::write(
        folder.path().join("config/tsur.toml"),
        "[kafka]\ngroup_ld = \"x\"\nsession_timeout = \"soon\"\n[batch]\ninsert_slots = 0\n",
    )
    .expect("settings");
    let pos = include_str!("../../pipelines/pos.toml")
        .replace("format = \"json\"", "format = \"yaml\"")
        .replace("= \"in_work\"", "= \"in_wrk\"");
    assert!(pos.contains("in_wrk") && pos.contains("yaml"), "the shipped file still has what is broken here");
    let broken_words = pos.matches("in_wrk").count();
    std::fs::write(folder.path().join("pipelines/pos.toml"), pos).expect("pipeline");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tsur"))
        .args(["--config".as_ref(), folder.path().join("config").as_os_str(), "check".as_ref()])
        .output()
        .expect("tsur starts");
    let report = text(&output);
    assert!(!output.status.success(), "{report}");
    for (file, key) in [
        ("tsur.toml", "group_ld"),
        ("tsur.toml", "session_timeout"),
        ("tsur.toml", "insert_slots"),
        ("pos.toml", "format"),
        ("pos.toml", "in_wrk"),
    ] {
        assert!(report.lines().any(|line| line.contains(file) && line.contains(key)), "{file} {key} in\n{report}");
    }
    let messages = report.lines().filter(|line| line.contains("(allowed")).count();
    assert_eq!(messages, 4 + broken_words, "{report}");
}
