//! The whole path on real engines: the release binary `tsur` as a process of its own, real Kafka, real ClickHouse.
//! Owner: `make bench` (`scripts/bench.sh` brings the engines). Four parts: drain, rival (ClickHouse's Kafka engine on the
//! same topics), latency, memory. The last line is one JSON object, also in `target/bench.json`.
//! Invariants: a run that is not correct has no figures (exit 1); ratios compare parts of one run only.
//!
//! Environment: TSUR_BENCH_RECORDS (1000000), TSUR_BENCH_ROUNDS (1: drain and rival in turn), TSUR_BENCH_RATE (20000),
//! TSUR_BENCH_SECONDS (30), TSUR_BENCH_CASES (1000000), TSUR_BENCH_PARTS (drain,rival,latency,memory),
//! TSUR_BENCH_TOML (a file appended to tsur.toml, e.g. with a [batch] table; default: none, so the defaults are measured).

mod baseline;
mod drain;
mod engines;
mod latency;
mod memory;
mod process;
mod report;
mod workload;

use std::time::Instant;

use anyhow::{Context, Result};

use engines::Engines;
use report::Report;
use workload::Topics;

fn setting(name: &str, default: u64) -> Result<u64> {
    match std::env::var(name) {
        Ok(text) => text.replace('_', "").parse().with_context(|| format!("{name}={text} is not a number")),
        Err(_) => Ok(default),
    }
}

fn main() -> Result<()> {
    // `cargo test --benches` calls it too, and there it has nothing to do
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let engines = Engines::from_environment()?;
    let begin = Instant::now();
    let step = |what: &str| eprintln!("[{:>4.0} s] {what}", begin.elapsed().as_secs_f64());
    let mut report = Report::default();
    let outcome = measure(&engines, &mut report, &step);
    step("done");
    let figures = report.print();
    let text = figures.to_string();
    let folder = process::output_folder();
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.with_extension("json"), format!("{text}\n"))?;
    println!("{text}");
    outcome
}

/// The parts one after another; a part that fails ends it, and leaves the figures of those before.
fn measure(engines: &Engines, report: &mut Report, step: &dyn Fn(&str)) -> Result<()> {
    let records = setting("TSUR_BENCH_RECORDS", 1_000_000)?;
    let rounds = setting("TSUR_BENCH_ROUNDS", 1)?.max(1) as usize;
    let parts = std::env::var("TSUR_BENCH_PARTS").unwrap_or_else(|_| "drain,rival,latency,memory".to_owned());
    let wants = |part: &str| parts.split(',').any(|wanted| wanted.trim() == part);

    if wants("drain") || wants("rival") {
        let topics = Topics::create(engines, "drain")?;
        step(&format!("publishing {records} records"));
        workload::publish(engines, &topics, records, 1)?;
        for round in 0..rounds {
            if wants("drain") {
                step("draining with tsur");
                let drained = drain::drain(engines, &topics, records, round)?;
                report.drained.get_or_insert_default().add(drained);
            }
            if wants("rival") {
                step("draining with the Kafka engine of clickhouse");
                let rival = baseline::rival(engines, &topics, records, round)?;
                report.rival.get_or_insert_default().add(rival);
            }
        }
        topics.delete(engines)?;
    }
    if wants("latency") {
        let (rate, seconds) = (setting("TSUR_BENCH_RATE", 20_000)?, setting("TSUR_BENCH_SECONDS", 30)?);
        step(&format!("latency at {rate} records/s for {seconds} s"));
        report.latency = Some(latency::latency(engines, rate, seconds)?);
    }
    if wants("memory") {
        let cases = setting("TSUR_BENCH_CASES", 1_000_000)?;
        step(&format!("memory of {cases} open cases"));
        report.memory = Some(memory::memory_of_cases(engines, cases)?);
    }
    Ok(())
}
