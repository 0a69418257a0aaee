//! Several processes in one consumer group: partitions go from hand to hand and no record is lost or doubled.

use std::process::Command;
use std::time::Duration;

use crate::support::{Installation, eventually};

const RECORDS: u64 = 60_000;

#[tokio::test]
async fn partitions_go_from_process_to_process_and_back_without_a_loss_or_a_double() {
    let Some(installation) = Installation::new("group") else { return };
    let mut first = installation.start(&["run"]);
    installation.publish_simulation(RECORDS / 2, 21);
    let rows = "SELECT count() FROM events";
    eventually("the first process reads", Duration::from_secs(60), async || installation.number(rows).await > 1000)
        .await;
    let mut second = installation.start(&["run"]);
    installation.publish_simulation_numbered(RECORDS / 2, 22, 5_000_000);
    tokio::time::sleep(Duration::from_secs(4)).await;

    // a polite end drains inside the budget and hands over at once
    let asked = std::time::Instant::now();
    let sent = Command::new("kill").args(["-TERM", &first.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let status = tokio::task::spawn_blocking(move || first.wait()).await.expect("joined").expect("ended");
    assert!(status.success(), "{status}");
    assert!(asked.elapsed() < Duration::from_secs(15), "took {:?}", asked.elapsed());

    eventually("the second process reads the rest", Duration::from_secs(90), async || {
        installation.number(rows).await == RECORDS as i64
    })
    .await;
    second.kill().expect("kill -9");
    second.wait().expect("it is gone");
    installation.run_until_idle();
    installation.audit();
    assert_eq!(installation.number(rows).await, RECORDS as i64);
}
