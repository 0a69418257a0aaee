//! `tsur demo`.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use crate::commands::{runtime, signals};
use crate::config::{self, units::parse_duration};
use crate::demo::{self, Options};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tsur demo\n  tsur demo --for 60s\n  tsur demo --records 300000 --rate 200\n  TSUR_CLICKHOUSE_URL=http://ch:8123 tsur demo --keep\n\nq or Ctrl-C ends it. Piped, it prints a plain line a second."
)]
pub struct Args {
    /// End by itself so long after the first picture, e.g. 60s
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    lasts: Option<Duration>,
    /// Length of the generated history
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "30d")]
    history: Duration,
    /// Records of the history, about; a month of a real region has some 50,000
    #[arg(long, value_name = "N", default_value_t = 60_000, value_parser = clap::value_parser!(u64).range(100..=20_000_000))]
    records: u64,
    /// Live records a second, about
    #[arg(long, value_name = "N", default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// The same seed gives the same region
    #[arg(long, value_name = "S", default_value_t = 2026)]
    seed: u64,
    /// Leave the data where they are at the end
    #[arg(long)]
    keep: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| format!("{text:?} is not a time like 60s, 5m or 30d"))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().ok().filter(|rate| (0.1..=5000.0).contains(rate));
    rate.ok_or_else(|| format!("{text:?} is not a number from 0.1 to 5000"))
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    // the demo has a Kafka and an identity key of its own; only a ClickHouse may be given
    let environment = |name: &str| name.starts_with("TSUR_CLICKHOUSE").then(|| std::env::var(name).ok()).flatten();
    let config = config::load(folder, &environment)?;
    let options = Options {
        lasts: args.lasts,
        history: args.history,
        records: args.records,
        rate: args.rate,
        seed: args.seed,
        keep: args.keep,
        given_clickhouse: environment("TSUR_CLICKHOUSE_URL").is_some_and(|url| !url.trim().is_empty()),
        folder: std::env::var_os("TSUR_LOCAL_DIR")
            .map_or_else(|| ".local".into(), std::path::PathBuf::from)
            .join("demo"),
        has_terminal: std::io::stdout().is_terminal(),
    };
    let runtime = runtime()?;
    let outcome = runtime.block_on(async { demo::run(options, config, signals()?).await.map_err(anyhow::Error::from) });
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}
