//! `tsur generate`: a seeded region, to Kafka or to files. Owner: `dispatch`.
//! Invariants: the span and the seed are printed, so that any run can be repeated byte for byte; the ledger holds exactly
//! what was sent; a run with another seed has other case numbers, so runs may share topics.

mod files;
mod plan;
mod send;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::commands::pace::parse_rate;
use crate::commands::progress::Progress;
use crate::commands::stop::Stop;
use crate::commands::{load, now, runtime, time_argument};
use crate::generate::{Ledger, Region, SimulatedRecord, Simulation, SourceKind};
use crate::model::time::Time;
use files::Files;
use plan::{Mode, Plan, parse_day, parse_share, plan};
use send::Publication;

#[derive(clap::Args)]
#[command(
    group = clap::ArgGroup::new("target").required(true),
    after_help = "Examples:\n  \
        tsur generate --records 1000000 --seed 7 --publish\n  \
        tsur generate --records 200000 --seed 7 --fault-share 0.05 --out /tmp/region\n  \
        tsur generate --seed 3 --from 2026-01-01 --to 2026-02-01 --publish --ledger ledger.json\n  \
        tsur generate --rate 200/s --for 60s --publish\n\n\
        The history ends today at 00:00 Moscow and is 30 days long, unless --from and --to say otherwise; the same seed, \
        span and shares give the same bytes. With --rate the records are of now and end with --for, --records or Ctrl-C."
)]
pub struct Args {
    /// How many records; without it as many as a region has in such a span
    #[arg(long, value_name = "N")]
    records: Option<u64>,
    /// Where all chance comes from [default: 1; with --rate one of the clock]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Send to the Kafka topics of the pipelines pos and incident, and of the channels
    #[arg(long, group = "target")]
    publish: bool,
    /// Write a file of each source (pos.jsonl, …), broken.jsonl, ledger.json and cases.jsonl into this folder
    #[arg(long, group = "target", value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write what was sent, counted, to this file
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    ledger: Option<PathBuf>,
    /// First Moscow day of the history
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, conflicts_with = "rate")]
    from: Option<Time>,
    /// Moscow day on whose 00:00 the history ends
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = parse_day, conflicts_with = "rate")]
    to: Option<Time>,
    /// Records of now, so many a second, instead of a history at full speed
    #[arg(long, value_name = "N[/s]", value_parser = parse_rate, conflicts_with = "out")]
    rate: Option<f64>,
    /// End after this time, e.g. 60s
    #[arg(long = "for", value_name = "TIME", value_parser = time_argument, requires = "rate")]
    duration: Option<Duration>,
    /// Take in the channels: СЭД, Система-112 and the portal, with the volumes they have beside the other two
    #[arg(long)]
    channels: bool,
    /// Share of ПОС among the records of ПОС and social networks [default: 0.35]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    pos_share: Option<f64>,
    /// Share of repeated deliveries [default: 0.03]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    duplicates: Option<f64>,
    /// Share of records nobody can use [default: 0.005]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    broken: Option<f64>,
    /// Share of records sent hours or days late [default: 0.02]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    late: Option<f64>,
    /// Share of records sent after their successor [default: 0.02]
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    out_of_order: Option<f64>,
    /// All four faults together: a quarter of this each, unless one is given itself
    #[arg(long, value_name = "SHARE", value_parser = parse_share)]
    fault_share: Option<f64>,
    /// Number of the first case [default: of the seed, so that runs with different seeds can share topics]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..1 << 60))]
    first_serial: Option<u64>,
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let plan = plan(args, now()).map_err(anyhow::Error::msg)?;
    let config = load(folder)?;
    let region = Region::from_reference(&config.reference)
        .with_context(|| format!("the simulation needs the lists in {}/reference", config.pipelines_dir.display()))?;
    let mut simulation = Simulation::new(plan.simulation.clone(), &region)?;
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let stop = Stop::listen()?;
    // to standard error like the progress: standard output has the result
    eprintln!("{plan}");
    match &args.out {
        Some(folder) => to_files(&mut simulation, &plan, folder, &stop),
        None => {
            let publication = Publication::open(&config, &plan, &runtime)?;
            let sent = publication.run(&mut simulation, &plan, &stop);
            if let Some(file) = &args.ledger {
                write_ledger(file, simulation.ledger())?;
            }
            println!("{}", sent?);
            if stop.is_asked() && plan.mode == Mode::History {
                bail!("interrupted: the history is not complete");
            }
            Ok(())
        }
    }
}

fn to_files(simulation: &mut Simulation, plan: &Plan, folder: &Path, stop: &Stop) -> anyhow::Result<()> {
    let mut files = Files::create(folder, SourceKind::published(plan.simulation.channels))?;
    let mut progress = Progress::new(plan.simulation.records);
    let mut record = SimulatedRecord::default();
    let mut count = 0;
    while !stop.is_asked() && simulation.next(&mut record) {
        files.write(&record)?;
        count += 1;
        progress.update(count, count);
    }
    progress.finish();
    files.finish(simulation.ledger())?;
    println!("wrote {count} records to {}: {}", folder.display(), summary(simulation.ledger()));
    if stop.is_asked() {
        bail!("interrupted: the history is not complete");
    }
    Ok(())
}

fn write_ledger(file: &Path, ledger: &Ledger) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(ledger)?;
    std::fs::write(file, text + "\n").with_context(|| format!("{} cannot be written", file.display()))
}

/// The ledger in a line.
fn summary(ledger: &Ledger) -> String {
    let sources = SourceKind::ALL.map(|source| ledger.of(source));
    let all = |count: fn(&crate::generate::SourceLedger) -> u64| sources.iter().map(|share| count(share)).sum::<u64>();
    let told = SourceKind::ALL
        .iter()
        .zip(&sources)
        .filter(|(source, share)| share.records > 0 || SourceKind::published(false).contains(source));
    let records: Vec<String> = told.map(|(source, share)| format!("{} {}", share.records, source.code())).collect();
    format!(
        "{}; {} cases, {} duplicates, {} broken, {} late, {} out of order",
        records.join(", "),
        all(|source| source.cases),
        all(|source| source.duplicates),
        all(|source| source.broken.total()),
        all(|source| source.late),
        all(|source| source.out_of_order),
    )
}
