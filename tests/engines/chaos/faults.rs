//! One fault from its beginning to the moment rows flow again.
//! Owner: a task each. Invariant: what a fault breaks it heals itself, also when rows do not come back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::engines::Engines;
use super::generator::{Generator, Place};
use super::processes::Processes;
use super::proxy::{EXCEPTIONS, Mode};
use super::schedule::{Fault, Kind};

/// Everything there is to break, and the means to see what it did.
pub struct Ground {
    /// Ends first: its processes and database need the engines.
    pub processes: Processes,
    pub engines: Engines,
    pub generator: Generator,
    /// The offset after the last row of each partition in the journal.
    pub journal: watch::Receiver<HashMap<Place, i64>>,
    pub started: Instant,
    /// Number of processes that run all the time; the next seat is the guest's.
    pub members: usize,
}

/// What became of a fault.
#[derive(Clone)]
pub struct Outcome {
    pub fault: Fault,
    pub target: String,
    pub began: Duration,
    pub lasted: Duration,
    /// From its beginning until every partition had a row that Kafka took after the beginning.
    pub flowed: Option<Duration>,
    pub note: String,
}

/// Rows that have not come back by then never will.
const LONGEST_STANDSTILL: Duration = Duration::from_secs(120);
/// An end by SIGTERM has a budget of half a session and some room for closing.
const LEAVES_WITHIN: Duration = Duration::from_secs(40);
/// About a tenth of what the processes write at the usual rate.
const TRICKLE: u32 = 12 * 1024;

/// `None` where the fault cannot be had on this machine.
pub async fn perform(ground: Arc<Ground>, fault: Fault) -> Option<Outcome> {
    if fault.kind == Kind::DiskFull && !ground.engines.has_small_disk {
        println!("{} {:<24} skipped: no small filesystem", clock(ground.started.elapsed()), fault.kind.name());
        return None;
    }
    if fault.kind == Kind::DiskFull && !merges_end(&ground).await {
        println!("{} {:<24} skipped: merges do not end", clock(ground.started.elapsed()), fault.kind.name());
        ordered(&ground, "SYSTEM START MERGES").await;
        return None;
    }
    let target = target_of(&ground, &fault);
    let disturbed_before = disturbed(&ground);
    inject(&ground, &fault).await;
    let (began, since) = (ground.started.elapsed(), Instant::now());
    println!("{} {:<24} {target}", clock(began), fault.kind.name());
    let wanted = ground.generator.positions();
    let flow = tokio::spawn(flows_again(ground.journal.clone(), wanted, since));
    tokio::time::sleep(fault.held).await;
    let note = heal(&ground, &fault).await;
    let lasted = since.elapsed();
    let answers = disturbed(&ground) - disturbed_before;
    let note = if answers > 0 && fault.kind.is_of_answers() { format!("{answers} answers; {note}") } else { note };
    let flowed = flow.await.ok().flatten();
    let text = flowed.map_or("NOT AGAIN".to_owned(), |flowed| format!("{:.1} s", flowed.as_secs_f64()));
    println!(
        "{} {:<24} {target}: lasted {:.1} s, rows in every partition after {text} {note}",
        clock(ground.started.elapsed()),
        fault.kind.name(),
        lasted.as_secs_f64()
    );
    Some(Outcome { fault, target, began, lasted, flowed, note })
}

impl Kind {
    fn is_of_answers(self) -> bool {
        matches!(self, Kind::InsertsRefused | Kind::RepliesLost)
    }
}

fn disturbed(ground: &Ground) -> u64 {
    ground.processes.ways_to_clickhouse.iter().map(super::proxy::Proxy::disturbed).sum()
}

fn target_of(ground: &Ground, fault: &Fault) -> String {
    match fault.kind {
        Kind::ProcessKilled | Kind::ProcessFrozen | Kind::MemberLeaves => format!("process {}", fault.process),
        Kind::KafkaCut | Kind::ClickHouseCut => format!("from process {}", fault.process),
        Kind::MemberJoins => format!("process {}", ground.members),
        Kind::ClickHouseStopped if is_frozen(fault) => "frozen".to_owned(),
        Kind::ClickHouseStopped => "ended in order".to_owned(),
        Kind::ClickHouseKilled => "in the middle of an insert".to_owned(),
        Kind::InsertsRefused => format!("with code {}", exception(fault).code),
        Kind::ClickHouseSlow => format!("{} KiB/s a connection", TRICKLE / 1024),
        Kind::RepliesLost => "to all processes".to_owned(),
        Kind::KafkaKilled | Kind::DiskFull => String::new(),
    }
}

fn is_frozen(fault: &Fault) -> bool {
    fault.variant.is_multiple_of(2)
}

fn exception(fault: &Fault) -> super::proxy::Exception {
    EXCEPTIONS[fault.variant as usize % EXCEPTIONS.len()]
}

async fn inject(ground: &Arc<Ground>, fault: &Fault) {
    let processes = &ground.processes;
    match fault.kind {
        Kind::ProcessKilled => processes.signal(fault.process, "KILL", true),
        Kind::ProcessFrozen => processes.signal(fault.process, "STOP", false),
        Kind::MemberLeaves => processes.ask_to_leave(fault.process),
        Kind::MemberJoins => processes.want(ground.members),
        Kind::ClickHouseStopped if is_frozen(fault) => ground.engines.signal("clickhouse", "STOP"),
        Kind::ClickHouseStopped => script(ground, "clickhouse", "stop").await,
        Kind::ClickHouseKilled => {
            an_insert_runs(ground).await;
            script(ground, "clickhouse", "kill").await;
        }
        Kind::ClickHouseSlow => to_clickhouse(ground, Mode::Throttle(TRICKLE)),
        Kind::InsertsRefused => to_clickhouse(ground, Mode::RefuseInserts(exception(fault))),
        Kind::RepliesLost => to_clickhouse(ground, Mode::DropReplies),
        Kind::ClickHouseCut => processes.ways_to_clickhouse[fault.process].set(Mode::Cut),
        Kind::KafkaKilled => script(ground, "kafka", "kill").await,
        Kind::KafkaCut => processes.ways_to_kafka[fault.process].set(Mode::Cut),
        Kind::DiskFull => {
            let filling = ground.clone();
            tokio::task::spawn_blocking(move || filling.engines.fill_disk()).await.expect("filled");
            // by now there is no room for any; stopped for good they would only be one more fault
            for _ in 0..30 {
                if ordered(ground, "SYSTEM START MERGES").await {
                    break;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// `false` where ClickHouse does not answer. One that is not there runs no merges and forgets orders.
async fn ordered(ground: &Ground, order: &str) -> bool {
    let client = clickhouse::Client::default().with_url(&ground.engines.clickhouse);
    tokio::time::timeout(Duration::from_secs(5), client.query(order).execute()).await.is_ok()
}

/// No merge runs any more and none begins; `false` where that cannot be had.
async fn merges_end(ground: &Ground) -> bool {
    if !ordered(ground, "SYSTEM STOP MERGES").await {
        return false;
    }
    let client = clickhouse::Client::default().with_url(&ground.engines.clickhouse);
    for _ in 0..50 {
        let running = client.query("SELECT count() FROM system.merges").fetch_one::<u64>();
        match tokio::time::timeout(Duration::from_secs(5), running).await {
            Ok(Ok(running)) if running > 0 => tokio::time::sleep(Duration::from_millis(100)).await,
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
    false
}

async fn heal(ground: &Arc<Ground>, fault: &Fault) -> String {
    let processes = &ground.processes;
    match fault.kind {
        Kind::ProcessKilled => {}
        Kind::ProcessFrozen => processes.signal(fault.process, "CONT", false),
        Kind::MemberLeaves => {
            let left = processes.left(fault.process, LEAVES_WITHIN).await;
            processes.want(fault.process);
            return in_time(left);
        }
        Kind::MemberJoins => {
            processes.ask_to_leave(ground.members);
            return in_time(processes.left(ground.members, LEAVES_WITHIN).await);
        }
        Kind::ClickHouseStopped if is_frozen(fault) => ground.engines.signal("clickhouse", "CONT"),
        Kind::ClickHouseStopped | Kind::ClickHouseKilled => script(ground, "clickhouse", "start").await,
        Kind::ClickHouseSlow | Kind::InsertsRefused | Kind::RepliesLost => to_clickhouse(ground, Mode::Pass),
        Kind::ClickHouseCut => processes.ways_to_clickhouse[fault.process].set(Mode::Pass),
        Kind::KafkaKilled => script(ground, "kafka", "start").await,
        Kind::KafkaCut => processes.ways_to_kafka[fault.process].set(Mode::Pass),
        Kind::DiskFull => ground.engines.free_disk(),
    }
    String::new()
}

fn in_time(left: bool) -> String {
    if left { String::new() } else { format!("(SIGTERM did not end it within {LEAVES_WITHIN:?})") }
}

fn to_clickhouse(ground: &Ground, mode: Mode) {
    for way in &ground.processes.ways_to_clickhouse {
        way.set(mode);
    }
}

async fn script(ground: &Arc<Ground>, engine: &'static str, verb: &'static str) {
    let ground = ground.clone();
    tokio::task::spawn_blocking(move || ground.engines.script(engine, verb)).await.expect("the script ends well");
}

/// Waits, but not for long, until ClickHouse works on an insert into the journal.
async fn an_insert_runs(ground: &Ground) {
    let client = ground.processes.installation().client();
    let sql = "SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND query LIKE 'INSERT INTO events%'";
    let looks = async {
        while !matches!(client.query(sql).fetch_one::<u64>().await, Ok(running) if running > 0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(3), looks).await; // an idle moment is as good a moment
}

/// The time until every partition of the journal has passed the positions.
async fn flows_again(
    mut journal: watch::Receiver<HashMap<Place, i64>>,
    wanted: HashMap<Place, i64>,
    since: Instant,
) -> Option<Duration> {
    let passed =
        |rows: &HashMap<Place, i64>| wanted.iter().all(|(place, next)| rows.get(place).is_some_and(|row| row > next));
    let reached = tokio::time::timeout(LONGEST_STANDSTILL, journal.wait_for(passed)).await;
    matches!(reached, Ok(Ok(_))).then(|| since.elapsed())
}

/// Minutes and seconds of the run.
pub fn clock(since: Duration) -> String {
    let seconds = since.as_secs();
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}
