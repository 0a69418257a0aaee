//! What an open case costs in memory: registrations only, at a steady rate, then the resident memory of the process; and
//! how long a process with that many takes to be back after a crash.
//! Owner: the benchmark. Invariants: all cases stay open and in memory; what buffers and libraries hold after the run is
//! charged to the cases too, because an operator cannot give it to anybody else either.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::engines::Engines;
use crate::process::{Setup, memory};
use crate::workload::{Mix, PARTITIONS, Topics, publish_paced};

const RATE: u64 = 30_000;
/// By then the allocator has given back what buffers used (see `MALLOC_CONF` in src/main.rs); the peak is reported beside.
const GIVEN_BACK: Duration = Duration::from_secs(8);
/// Records that wait for the process when it comes back.
const AFTER_CRASH: u64 = 1_000;

pub struct Memory {
    pub cases: u64,
    pub base: u64,
    pub after: u64,
    pub peak: u64,
    /// After a restart: the state read back, nothing else.
    pub restored: u64,
    /// After `kill -9`: from the start of the new process to the last partition ready, seconds.
    pub restore_seconds: f64,
    /// The same to the first new row in the journal.
    pub first_row_seconds: f64,
}

impl Memory {
    pub fn bytes_per_case(&self) -> f64 {
        self.after.saturating_sub(self.base) as f64 / self.cases.max(1) as f64
    }
}

pub fn memory_of_cases(engines: &Engines, records: u64) -> Result<Memory> {
    let topics = Topics::create(engines, "memory")?;
    let setup = Setup::write("memory", &topics.by_pipeline())?;
    setup.migrate(engines)?;
    let mut tsur = setup.start(engines, &["run"])?;
    let limit = Duration::from_secs(120);
    tsur.wait_settled(2 * PARTITIONS as usize, limit)?;
    let base = memory(tsur.pid(), "VmRSS")?;
    publish_paced(engines, &topics, Mix::OpenCases, RATE, records, Instant::now())?;
    let deadline = Instant::now() + limit;
    let cases = loop {
        tsur.check()?;
        let of = |name: &str| -> Result<u64> {
            Ok(tsur.partitions()?.iter().filter_map(|partition| partition[name].as_u64()).sum())
        };
        if of("written")? == records {
            break of("cases")?;
        }
        ensure!(Instant::now() < deadline, "not all registrations were written");
        std::thread::sleep(Duration::from_millis(200));
    };
    tsur.wait_settled(2 * PARTITIONS as usize, limit)?;
    std::thread::sleep(GIVEN_BACK);
    let after = memory(tsur.pid(), "VmRSS")?;
    ensure!(cases == records, "{records} registrations made {cases} cases");
    tsur.check()?;
    let peak = tsur.peak;
    tsur.kill()?;
    publish_paced(engines, &topics, Mix::Usual, RATE, AFTER_CRASH, Instant::now())?;

    let rows = || engines.rows::<u64>(&format!("SELECT count() FROM {}.events", setup.database));
    let before = rows()?;
    let start = Instant::now();
    let mut tsur = setup.start(engines, &["run"])?;
    while rows()? == before {
        tsur.check()?;
        ensure!(start.elapsed() < limit, "no new row within {limit:?} of the crash");
        std::thread::sleep(Duration::from_millis(50));
    }
    let first_row_seconds = start.elapsed().as_secs_f64();
    tsur.wait_settled(2 * PARTITIONS as usize, limit)?;
    let restore_seconds = start.elapsed().as_secs_f64();
    std::thread::sleep(GIVEN_BACK);
    let restored = memory(tsur.pid(), "VmRSS")?;
    tsur.stop()?;
    engines.run(&format!("DROP DATABASE {} SYNC", setup.database))?;
    topics.delete(engines)?;
    Ok(Memory { cases, base, after, peak, restored, restore_seconds, first_row_seconds })
}
