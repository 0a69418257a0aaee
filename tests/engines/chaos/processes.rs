//! The `tsur` processes of the run, and the supervisor that starts them again as `Restart=on-failure` of systemd does.
//! Owner: the run; dropping it kills them all. Invariants: each process reaches the engines through proxies of its own; one that
//! ended without being told to is counted and starts again after a second.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::engines::{Engines, send_signal};
use super::proxy::Proxy;
use crate::support::Installation;

const RESTART_AFTER: Duration = Duration::from_secs(1);

/// Place for one process.
struct Seat {
    child: Option<Child>,
    /// The supervisor keeps it running.
    is_wanted: bool,
    /// Its end was ours to cause.
    is_ours_to_end: bool,
    start_at: Instant,
}

pub struct Processes {
    installation: Installation,
    pub ways_to_kafka: Vec<Proxy>,
    pub ways_to_clickhouse: Vec<Proxy>,
    logs: PathBuf,
    seats: Mutex<Vec<Seat>>,
    /// Ends that nobody asked for, with the last words.
    own_ends: Mutex<Vec<String>>,
}

impl Processes {
    pub fn new(installation: Installation, kafka: Vec<Proxy>, clickhouse: Vec<Proxy>, engines: &Engines) -> Processes {
        let logs = engines.folder().join("tsur");
        std::fs::create_dir_all(&logs).expect("the folder of the logs");
        let seat = || Seat { child: None, is_wanted: false, is_ours_to_end: false, start_at: Instant::now() };
        let seats = Mutex::new(kafka.iter().map(|_| seat()).collect());
        let own_ends = Mutex::new(Vec::new());
        Processes { installation, ways_to_kafka: kafka, ways_to_clickhouse: clickhouse, logs, seats, own_ends }
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    pub fn logs(&self) -> &Path {
        &self.logs
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn log_of(&self, number: usize) -> PathBuf {
        self.logs.join(format!("{number}.log"))
    }

    fn start(&self, number: usize) -> Child {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_of(number)).expect("log");
        self.installation
            .command(&["run"])
            .env("TSUR_KAFKA", self.ways_to_kafka[number].address.to_string())
            .env("TSUR_CLICKHOUSE_URL", format!("http://{}", self.ways_to_clickhouse[number].address))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("tsur starts")
    }

    /// From now on this process runs, and runs again when it ends.
    pub fn want(&self, number: usize) {
        let seat = &mut self.seats()[number];
        (seat.is_wanted, seat.start_at) = (true, Instant::now());
    }

    /// One look of the supervisor.
    pub fn supervise(&self) {
        let mut seats = self.seats();
        for (number, seat) in seats.iter_mut().enumerate() {
            if let Some(child) = &mut seat.child
                && let Ok(Some(status)) = child.try_wait()
            {
                seat.child = None;
                if !std::mem::take(&mut seat.is_ours_to_end) {
                    let words = format!("process {number} ended by itself with {status}: {}", self.last_words(number));
                    let mut own_ends = self.own_ends.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    if !own_ends.contains(&words) {
                        println!("chaos: {words}"); // while an engine is away it says the same every second
                    }
                    own_ends.push(words);
                }
                seat.start_at = Instant::now() + RESTART_AFTER;
            }
            if seat.child.is_none() && seat.is_wanted && Instant::now() >= seat.start_at {
                seat.child = Some(self.start(number));
            }
        }
    }

    fn last_words(&self, number: usize) -> String {
        let log = std::fs::read_to_string(self.log_of(number)).unwrap_or_default();
        log.lines().next_back().unwrap_or_default().chars().take(300).collect()
    }

    /// A signal to the process, if it runs. `is_end` says that it ends of it.
    pub fn signal(&self, number: usize, signal: &str, is_end: bool) {
        let seat = &mut self.seats()[number];
        if let Some(child) = &seat.child {
            seat.is_ours_to_end |= is_end;
            send_signal(&child.id().to_string(), signal);
        }
    }

    /// Asks the process to end, as an operator does; the supervisor does not start it again.
    pub fn ask_to_leave(&self, number: usize) {
        self.seats()[number].is_wanted = false;
        self.signal(number, "TERM", true);
    }

    /// Waits for the end of a process that was asked to leave, and kills it when that takes longer.
    pub async fn left(&self, number: usize, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        while self.seats()[number].child.is_some() {
            if Instant::now() > deadline {
                self.signal(number, "KILL", true);
                return false;
            }
            tokio::time::sleep(Duration::from_millis(50)).await; // the supervisor sees it
        }
        true
    }

    pub fn own_ends(&self) -> Vec<String> {
        self.own_ends.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for seat in self.seats().iter_mut() {
            if let Some(child) = &mut seat.child {
                let _ = child.kill(); // ended already
                let _ = child.wait();
            }
        }
    }
}
