//! Votes and pages on real engines: facts that are about no case, from a file to the views, audited and rebuilt.

use crate::support::{Installation, text};

const VOTES: &str = include_str!("../fixtures/sources/votes.jsonl");
const PAGES: &str = include_str!("../fixtures/sources/pages.jsonl");

/// Each table in one number.
async fn seen(installation: &Installation) -> Vec<String> {
    let mut seen = Vec::new();
    for table in ["votes", "pages"] {
        let sql =
            format!("SELECT toString((count(), sum(cityHash64(* EXCEPT (version, kafka_offset))))) FROM {table} FINAL");
        seen.push(installation.word(&sql).await);
    }
    seen
}

fn publish(installation: &Installation, pipeline: &str, content: &str) {
    let records: Vec<(&str, &[u8])> = content.lines().map(|line| ("k", line.as_bytes())).collect();
    installation.publish(pipeline, &records);
}

#[tokio::test]
async fn a_vote_counts_once_a_person_and_a_page_once_a_moment() {
    let Some(installation) = Installation::new("facts") else { return };
    publish(&installation, "votes", VOTES);
    publish(&installation, "pages", PAGES);
    installation.run_until_idle();
    let first = seen(&installation).await;
    let poll = "SELECT toString((title, category, territory, votes, comments, commenters, eligible, leader, leader_share, \
                leader_margin, decision_published, is_open)) FROM v_votes WHERE poll_id = '412233'";
    assert_eq!(
        installation.word(poll).await,
        "('Какую площадь благоустроить в 2026 году','Голосование','ryazan',2,1,1,415000,'Площадь Победы',1,1,true,false)"
    );
    let unknown = "SELECT toString((title, votes, eligible, turnout, leader)) FROM v_votes WHERE poll_id = '412235'";
    assert_eq!(installation.word(unknown).await, "('',1,NULL,NULL,'За')", "votes of a poll nobody announced");
    let turnout = "SELECT toInt64(round(turnout * 415000)) FROM v_votes WHERE poll_id = '412233'";
    assert_eq!(installation.number(turnout).await, 2);
    // from 1 December 9:00 to 15 December 18:00
    let pace = "SELECT toInt64(round(votes_per_hour * 345)) FROM v_votes WHERE poll_id = '412233'";
    assert_eq!(installation.number(pace).await, 2);
    assert_eq!(installation.number("SELECT sum(votes) FROM v_votes_hourly WHERE poll_id = '412233'").await, 2);
    assert_eq!(installation.number("SELECT toInt64(sum(share)) FROM v_vote_options WHERE poll_id = '412233'").await, 1);

    let page = "SELECT toString((network, territory, subscribers, subscribers_gained, views, unanswered, widget, toDate(last_post_at))) \
                FROM v_pages WHERE page_id = 'vk.com/adm_example'";
    assert_eq!(installation.word(page).await, "('VK','shilovsky',5190,70,910,0,true,'2025-12-07')");
    let bare = "SELECT toString((subscribers, subscribers_gained, views, unanswered, widget, last_post_at)) \
                FROM v_pages WHERE page_id = 't.me/example_school'";
    assert_eq!(installation.word(bare).await, "(310,NULL,NULL,NULL,NULL,NULL)", "unknown is not zero");
    assert_eq!(installation.number("SELECT count() FROM v_page_history").await, 3);

    // nothing of it is a case, and every record is one row
    assert_eq!(installation.number("SELECT count() FROM cases").await, 0);
    let rows = "SELECT toString((count(), countIf(outcome = 'applied'), countIf(outcome = 'rejected'))) FROM events";
    assert_eq!(installation.word(rows).await, "(20,12,8)");
    installation.audit();

    // all of it again, backwards
    let backwards = |content: &str| content.lines().rev().collect::<Vec<_>>().join("\n");
    publish(&installation, "votes", &backwards(VOTES));
    publish(&installation, "pages", &backwards(PAGES));
    installation.run_until_idle();
    assert_eq!(seen(&installation).await, first, "a repeat changes nothing, in whatever order");

    let deep = installation.tsur(&["audit", "--deep", "--differences", "100"]);
    assert!(deep.status.success(), "{}", text(&deep));
    let damage = "ALTER TABLE votes UPDATE option = 'Против' WHERE poll_id = '412235' SETTINGS mutations_sync = 1";
    installation.client().query_raw(damage).execute().await.expect("damaged");
    let deep = installation.tsur(&["audit", "--deep", "--differences", "100"]);
    let report = text(&deep);
    assert!(!deep.status.success() && report.contains("vote of 412235") && report.contains("Против"), "{report}");
    let rebuild = installation.tsur(&["rebuild", "--table", "votes", "--table", "pages"]);
    assert!(rebuild.status.success() && text(&rebuild).contains("rebuild: ok"), "{}", text(&rebuild));
    assert_eq!(seen(&installation).await, first, "mended from the journal");
    // the views that fill them still do
    publish(
        &installation,
        "votes",
        r#"{"record":"vote","poll_id":"412235","at":"2025-12-03T09:00:00+03:00","voter":"esia-2","option":"Против"}"#,
    );
    installation.run_until_idle();
    assert_eq!(installation.number("SELECT sum(votes) FROM v_votes WHERE poll_id = '412235'").await, 2);
    let deep = installation.tsur(&["audit", "--deep"]);
    assert!(deep.status.success(), "{}", text(&deep));
}
