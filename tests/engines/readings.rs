//! What the words of messages add to what their source says, from a record to the views.

use crate::support::Installation;

/// A message of a social network, found a moment ago. `more`: further columns, each with a comma before it.
fn found(number: u8, text: &str, more: &str) -> String {
    format!(r#"{{"incident_id":"IM-{number}","event":"found","at":"2026-02-03T10:00:00+03:00","text":"{text}"{more}}}"#)
}

#[tokio::test]
async fn words_fill_what_a_source_leaves_open_and_what_is_unclear_waits_for_people() {
    let Some(installation) = Installation::new("readings") else { return };
    let pothole = "На дороге огромные ямы, асфальт разбит, колёса пробиваем, когда будет ямочный ремонт дороги?";
    let records = [
        // the source says nothing
        found(1, &format!("Скопин, улица Ленина. {pothole} Город Скопин"), ""),
        // the source is believed, even against the words
        found(2, pothole, r#","group":"ЖКХ","municipality":"г. Касимов""#),
        // a category nobody knows says nothing
        found(3, pothole, r#","group":"Разное без названия""#),
        // words that say nothing
        found(4, "Ну и как это понимать", ""),
        // a later event without words takes back nothing
        r#"{"incident_id":"IM-1","event":"taken","at":"2026-02-03T11:00:00+03:00"}"#.to_owned(),
    ];
    let records: Vec<(&str, &[u8])> = records.iter().map(|record| ("k", record.as_bytes())).collect();
    installation.publish("incident", &records);
    installation.run_until_idle();

    let cases =
        "SELECT toString(groupArray((case_id, block, territory))) FROM (SELECT * FROM v_cases ORDER BY case_id)";
    assert_eq!(
        installation.word(cases).await,
        "[('IM-1','roads','skopinsky'),('IM-2','housing','kasimov'),('IM-3','roads',''),('IM-4','','')]"
    );
    let basis = "SELECT toString(groupArray((case_id, block_by, territory_by, text_block))) FROM \
                 (SELECT * FROM events WHERE event = 'registered' ORDER BY case_id)";
    let basis = installation.word(basis).await;
    for row in ["('IM-1','text','text','roads')", "('IM-2','source','name','roads')", "('IM-3','text','','roads')"] {
        assert!(basis.contains(row), "{row} in {basis}");
    }
    let queue = "SELECT toString(groupArray((case_id, text))) FROM v_review_queue";
    assert_eq!(installation.word(queue).await, "[('IM-4','Ну и как это понимать')]");
    let agreement = "SELECT toString(groupArray((category, block, messages, same, mostly))) FROM v_category_agreement";
    assert_eq!(installation.word(agreement).await, "[('ЖКХ','housing',1,0,'roads')]");
    installation.audit();
}
