//! Problems over all sources, from records to the views, around a restart.

use crate::support::{Installation, text};

const YARD: &str = "Во дворе дома второй месяц не вывозят мусор, контейнеры переполнены, собаки растаскивают отходы по детской \
                    площадке, просим принять меры и навести порядок";

fn found(number: u8, day: u8, text: &str, more: &str) -> String {
    format!(
        r#"{{"incident_id":"IM-{number}","event":"found","at":"2026-02-{day:02}T10:00:00+03:00","text":"{text}"{more}}}"#
    )
}

fn submitted(number: u8, day: u8, text: &str, more: &str) -> String {
    format!(
        r#"{{"request_id":"ND-{number}","event":"submitted","at":"2026-02-{day:02}T11:00:00+03:00","text":"{text}"{more}}}"#
    )
}

fn publish(installation: &Installation, pipeline: &str, records: &[String]) {
    // keys of their own, so that they lie in several partitions
    let keys: Vec<String> = (0..records.len()).map(|number| format!("k{number}")).collect();
    let records: Vec<(&str, &[u8])> =
        keys.iter().zip(records).map(|(key, record)| (key.as_str(), record.as_bytes())).collect();
    installation.publish(pipeline, &records);
}

/// Number, sources, first and last day, open cases, and by what they are linked.
const PROBLEMS: &str = "SELECT toString(groupArray((cases, sources, toDayOfMonth(first_seen), toDayOfMonth(last_seen), open, by_author, by_place, by_text))) \
                        FROM (SELECT * FROM v_problems ORDER BY first_seen)";

#[tokio::test]
async fn cases_of_several_sources_are_one_problem_and_stay_cases() {
    let Some(installation) = Installation::new("problems") else { return };
    let house = r#","topic":"Течёт крыша","category":"ЖКХ","municipality":"г. Касимов","address":"ул. Полевая, д. 5""#;
    publish(
        &installation,
        "incident",
        &[
            found(1, 3, YARD, ""),
            // thanks in the same words are no problem, nor is another text
            found(2, 3, "Огромное спасибо дворнику за чистый двор, всё убрали быстро и очень аккуратно, молодцы!", ""),
            found(3, 4, "На остановке у школы нет освещения, дети ходят в темноте, поставьте фонари", ""),
        ],
    );
    publish(
        &installation,
        "portal",
        &[
            submitted(1, 5, &YARD.replace("мусор", "МУСОРА").replace(", ", " – "), ""),
            submitted(2, 6, "С потолка льёт, когда почините?", house),
            submitted(3, 7, "Опять залило квартиру на пятом этаже", house),
        ],
    );
    installation.run_until_idle();
    let first = "[(2,['incident','portal'],3,5,2,0,0,2),(2,['portal'],6,7,2,0,2,0)]";
    assert_eq!(installation.word(PROBLEMS).await, first);
    assert_eq!(installation.number("SELECT count() FROM v_cases WHERE is_open").await, 6, "cases are never merged");
    let rows = "SELECT toString(groupArray((case_key, problem_id, link, version))) FROM (SELECT * FROM problems FINAL ORDER BY case_key)";
    let before = installation.word(rows).await;

    // a restart reads its index back and writes nothing else
    installation.run_until_idle();
    assert_eq!(installation.word(rows).await, before);

    // a later case joins, and an earlier one that is heard of late gives the problem its name
    publish(&installation, "incident", &[found(4, 9, YARD, ""), found(5, 1, YARD, "")]);
    installation.run_until_idle();
    assert_eq!(installation.word(PROBLEMS).await, "[(4,['incident','portal'],1,9,4,0,0,4),(2,['portal'],6,7,2,0,2,0)]");
    let named = "SELECT uniqExact(problem_id) = 1 AND any(problem_id) = (SELECT case_key FROM cases WHERE case_id = 'IM-5') \
                 FROM v_problem_cases WHERE source = 'incident'";
    assert_eq!(installation.number(&format!("SELECT toInt64(({named}))")).await, 1);
    let deep = installation.tsur(&["audit", "--deep"]);
    assert!(deep.status.success(), "{}", text(&deep));

    // all of it anew, from the journal alone
    let rows = "SELECT toString(groupArray((case_key, problem_id, link, version))) FROM (SELECT * FROM problems FINAL ORDER BY case_key)";
    let before = installation.word(rows).await;
    installation.client().query_raw("TRUNCATE TABLE problems").execute().await.expect("emptied");
    installation.run_until_idle();
    assert_eq!(installation.word(rows).await, before);
}
