//! The end of a process: in order, without ClickHouse, at once, before it has begun. Nothing is lost or doubled by any of
//! them, and the exit code says whether a new start is the cure.

use std::time::Duration;

use crate::proxy::{Mode, Proxy};
use crate::support::{Installation, ended, eventually, terminate, text};

const ROWS: &str = "SELECT count() FROM events";
const WAIT: Duration = Duration::from_secs(60);
/// Half the session of the tests (6s) is shorter than shutdown.budget, so it is what a drain gets.
const BUDGET: Duration = Duration::from_secs(3);
/// Starting and ending the process itself on a loaded machine.
const SLACK: Duration = Duration::from_secs(2);

/// More than a fast machine drains between the first rows and the signal.
const LOAD: i64 = 200_000;

#[tokio::test]
async fn sigterm_under_load_drains_inside_the_budget_and_the_next_start_doubles_nothing() {
    let Some(installation) = Installation::new("term") else { return };
    installation.publish_simulation(LOAD as u64, 31);
    let mut process = installation.start(&["run"]);
    eventually("rows flow", WAIT, async || installation.number(ROWS).await > 3_000).await;
    terminate(&process);
    let (code, took) = ended(&mut process);
    assert_eq!(code, Some(0), "a stop that was asked for is no failure");
    assert!(took < BUDGET + SLACK, "took {took:?}");
    let written = installation.number(ROWS).await;
    assert!(written < LOAD, "the load was still on");
    let open = installation.log().matches("left to the next owner").count();
    assert_eq!(open, 0, "everything in flight landed and was finished");

    installation.run_until_idle();
    assert_eq!(installation.number(ROWS).await, LOAD);
    assert_eq!(installation.log().matches("an open intent").count(), 0, "there was nothing to finish");
    installation.audit();
}

#[tokio::test]
async fn an_end_without_clickhouse_keeps_to_the_budget_a_second_signal_is_at_once_and_neither_loses_anything() {
    let Some(mut installation) = Installation::new("term_away") else { return };
    let proxy = Proxy::before(installation.clickhouse_address());
    installation.serve_by(&proxy.url());
    installation.publish_simulation(40_000, 32);
    for signals in [1, 2] {
        proxy.set(Mode::Pass);
        let before = installation.number(ROWS).await;
        let mut process = installation.start(&["run"]);
        eventually("rows flow", WAIT, async || installation.number(ROWS).await > before).await;
        proxy.set(if signals == 1 { Mode::Cut } else { Mode::Hang });
        // a fast machine may have written all the others
        installation.publish_simulation_numbered(1_000, 40 + signals, signals * 1_000_000);
        tokio::time::sleep(Duration::from_millis(1500)).await; // batches are in flight and do not land
        terminate(&process);
        if signals == 2 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            terminate(&process);
        }
        let (code, took) = ended(&mut process);
        assert_eq!(code, Some(0), "signals: {signals}");
        let limit = if signals == 1 { BUDGET + SLACK } else { SLACK };
        assert!(took < limit, "{signals} signals: took {took:?}");
    }
    proxy.set(Mode::Pass);
    assert!(installation.number(ROWS).await < 42_000, "there was something left to lose");
    installation.run_until_idle();
    assert_eq!(installation.number(ROWS).await, 42_000);
    installation.audit();
}

#[tokio::test]
async fn lost_answers_of_clickhouse_double_nothing() {
    let Some(mut installation) = Installation::new("replies") else { return };
    let proxy = Proxy::before(installation.clickhouse_address());
    installation.serve_by(&proxy.url());
    let mut process = installation.start(&["run"]);
    eventually("it is ready", WAIT, async || installation.http("/readyz").is_some_and(|(code, _)| code == 200)).await;
    proxy.set(Mode::LoseReplies);
    installation.publish_simulation(5_000, 33);
    eventually("inserts are repeated", WAIT, async || proxy.lost_replies() > 12).await;
    proxy.set(Mode::Pass);
    eventually("all rows are there", WAIT, async || installation.number(ROWS).await >= 5_000).await;
    terminate(&process);
    assert_eq!(ended(&mut process).0, Some(0));
    assert_eq!(installation.number(ROWS).await, 5_000, "the same token each time");
    installation.audit();
}

#[tokio::test]
async fn exit_codes_say_whether_a_new_start_is_the_cure() {
    let Some(mut installation) = Installation::new("codes") else { return };
    let proxy = Proxy::before(installation.clickhouse_address());
    installation.serve_by(&proxy.url());
    proxy.set(Mode::Cut);
    let away = installation.tsur(&["run"]);
    assert_eq!(away.status.code(), Some(1), "a new start is the cure: {}", text(&away));

    proxy.set(Mode::Hang);
    let mut process = installation.start(&["run"]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    terminate(&process);
    let (code, took) = ended(&mut process);
    assert_eq!(code, Some(0), "a process that waits for ClickHouse can be told to end");
    assert!(took < BUDGET, "took {took:?}");

    installation.edit("config/tsur.toml", "session_timeout", "sesion_timeout");
    let wrong = installation.tsur(&["run"]);
    assert_eq!(wrong.status.code(), Some(78), "no start is the cure: {}", text(&wrong));
    // stopped partitions: code 3, in the tests of the recovery table
    let unit = include_str!("../../deploy/systemd/tsur.service");
    assert!(unit.contains("\nRestart=on-failure\n") && unit.contains("\nRestartPreventExitStatus=3 78\n"), "{unit}");
}
