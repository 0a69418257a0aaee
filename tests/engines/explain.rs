//! `tsur explain` reads the journal and says what it says of the same records in a file.

use serde_json::Value;

use crate::support::{Installation, text};

#[tokio::test]
async fn the_journal_explains_a_case_as_its_records_do() {
    let Some(installation) = Installation::new("explain") else { return };
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/explain/incident.jsonl");
    let records = std::fs::read_to_string(&file).expect("fixture");
    let records: Vec<(&str, &[u8])> = records.lines().map(|line| ("IM-1042", line.as_bytes())).collect();
    installation.publish("incident", &records);
    installation.run_until_idle();
    installation.audit();

    let at = ["--at", "01.02.2026 12:00", "--format", "json"];
    let journal = installation.tsur(&[&["explain", "IM-1042"][..], &at].concat());
    assert!(journal.status.success(), "{}", text(&journal));
    let journal: Value = serde_json::from_slice(&journal.stdout).expect("JSON");
    let path = file.to_string_lossy();
    let told = installation.tsur(&[&["explain", "--file", &path, "--pipeline", "incident"][..], &at].concat());
    let told: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(told[0], journal);

    // a fortnight and half a day with the first, a week less 45 minutes with the second, in whose hands the term ran out
    let holders = "SELECT arrayStringConcat(groupArray(concat(body, ' ', toString(held_seconds), ' ', toString(handed_on), ' ', toString(final_breached))), '; ') \
        FROM (SELECT * FROM v_case_holders WHERE case_id = 'IM-1042' ORDER BY held_seconds DESC)";
    let expected = "admryazan 1261800 1 0; Дирекция благоустройства 602100 0 1";
    assert_eq!(installation.word(holders).await, expected);

    let unknown = installation.tsur(&["explain", "IM-0"]);
    assert!(!unknown.status.success());
    assert!(text(&unknown).contains("no case IM-0 in the tables"), "{}", text(&unknown));
}
