//! `tsur train`: learns a model of blocks from the region's own labelled history, measures it by cross-validation and
//! writes one file. Invariants: the file appears whole or not at all; texts are masked before anything is learned, as the
//! pipeline masks them before anything is classified.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::commands::classify::{enricher, masked};
use crate::commands::{load, now, runtime};
use crate::config::Config;
use crate::enrich::classify::model_file::{self, Header};
use crate::enrich::mask::MASKER_VERSION;
use crate::sink::clickhouse::client;
use crate::train::corpus::{Corpus, CorpusBuilder, label};
use crate::train::fit::Recipe;
use crate::train::learn::{LEAST_TEXTS, Learned, learn};
use crate::train::table;

/// Labels without a meaning that are named.
const NAMED: usize = 10;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  tsur train --csv history.csv --text text --label block
  tsur train --csv history.csv --text text --label block --folds 0 --output region.model
  tsur train --clickhouse \"SELECT text, block FROM region.history WHERE year >= 2024\"

Labels are codes or names of blocks or topics; a label of a topic counts for its block. `tsur run` and `tsur classify`
use reference/topics.model of the pipelines folder; the model is part of the version of the rules.")]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub struct Args {
    /// A CSV table
    #[arg(long, value_name = "FILE", group = "source", requires = "text", requires = "label")]
    csv: Option<PathBuf>,
    /// Column of the text
    #[arg(long, value_name = "COLUMN", requires = "csv")]
    text: Option<String>,
    /// Column of the label
    #[arg(long, value_name = "COLUMN", requires = "csv")]
    label: Option<String>,
    /// A query whose first column is the text and whose second is the label
    #[arg(long, value_name = "SELECT", group = "source")]
    clickhouse: Option<String>,
    /// Where the model is written; reference/topics.model of the pipelines folder, if not given
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Folds of the cross-validation that measures and calibrates; 0 leaves it out
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(0..=20))]
    folds: u8,
    /// Measure only, write nothing
    #[arg(long)]
    dry_run: bool,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    threads: u8,
    /// Different texts at most, the first ones
    #[arg(long, default_value_t = 100_000, value_name = "N")]
    limit: usize,
    /// Under this confidence a text will be «не определено»
    #[arg(long, default_value_t = 0.4, value_name = "SHARE")]
    threshold: f32,
    /// Print the measures as JSON
    #[arg(long)]
    json: bool,
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    if !(0.0..1.0).contains(&args.threshold) {
        bail!("--threshold {} is not a share; 0 to 1", args.threshold);
    }
    let begun = Instant::now();
    let rows = match (&args.csv, &args.text, &args.label, &args.clickhouse) {
        (Some(file), Some(text), Some(label), _) => {
            let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
            table::read(&bytes, text, label).with_context(|| file.display().to_string())?.rows
        }
        (_, _, _, Some(query)) => runtime()?.block_on(selected(&config, query))?,
        _ => bail!("either --csv FILE --text COLUMN --label COLUMN, or --clickhouse SELECT"),
    };
    let classifier = config.classifier();
    let corpus = corpus(&config, rows, args)?.build(&classifier.lexicon);
    eprintln!("{} texts, {} rows repeat one of them", corpus.texts.len(), corpus.repeated);
    let mut recipe = Recipe::default();
    recipe.solver.seed = args.seed;
    recipe.solver.threads = usize::from(args.threads);
    let learned = learn(&corpus, &classifier.lexicon, &config.reference, &recipe, args.folds, args.threshold, |step| {
        eprintln!("{step}")
    });
    match &learned.measures {
        Some(measures) if args.json => println!("{}", serde_json::to_string_pretty(measures)?),
        Some(measures) => println!("{measures}"),
        None => {}
    }
    let seconds = begun.elapsed().as_secs_f64();
    if args.dry_run {
        eprintln!("{seconds:.1} s, nothing is written");
        return Ok(());
    }
    let output = args.output.clone().unwrap_or_else(|| config.model_path());
    let size = write(&config, &corpus, &learned, args.seed, &output)?;
    eprintln!("{seconds:.1} s, {} bytes in {}", size, output.display());
    Ok(())
}

async fn selected(config: &Config, query: &str) -> anyhow::Result<Vec<(String, String)>> {
    let mut cursor = client(&config.settings.clickhouse).query(query).fetch_bytes("JSONCompactStringsEachRow")?;
    let bytes = cursor.collect().await.context("the query of --clickhouse")?;
    let mut rows = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let cells: Vec<String> = serde_json::from_slice(line).context("a row of --clickhouse")?;
        let [text, label] = <[String; 2]>::try_from(cells).map_err(|cells| {
            anyhow::anyhow!("--clickhouse gives {} columns; two are wanted: text, label", cells.len())
        })?;
        rows.push((text, label));
    }
    Ok(rows)
}

fn corpus(config: &Config, rows: Vec<(String, String)>, args: &Args) -> anyhow::Result<CorpusBuilder> {
    let mut corpus = CorpusBuilder::default();
    let mut enricher = enricher(config)?;
    let (mut skipped, mut foreign) = (0, Vec::<String>::new());
    for (text, written) in rows {
        if corpus.len() >= args.limit {
            eprintln!("note: more than {} different texts; the rest is left out, see --limit", args.limit);
            break;
        }
        match label(&config.reference, &written) {
            Some(label) if !text.trim().is_empty() => corpus.add(masked(&mut enricher, &text), label),
            Some(_) => {}
            None => {
                skipped += 1;
                if !foreign.contains(&written) && foreign.len() < NAMED {
                    foreign.push(written);
                }
            }
        }
    }
    if skipped > 0 {
        eprintln!("note: {skipped} rows have a label that is no block or topic: {}", foreign.join(", "));
    }
    if corpus.len() < LEAST_TEXTS {
        bail!("{} texts with a known label are too few to learn from; at least {LEAST_TEXTS}", corpus.len());
    }
    Ok(corpus)
}

fn write(config: &Config, corpus: &Corpus, learned: &Learned, seed: u64, output: &Path) -> anyhow::Result<usize> {
    let header = Header {
        format: 0,
        features: 0,
        tsur: env!("CARGO_PKG_VERSION").to_owned(),
        day: today(),
        seed,
        texts: corpus.texts.len(),
        repeated: corpus.repeated,
        classes: Vec::new(),
        slots: Vec::new(),
        lexicon: config.lexicon.fingerprint(),
        masker: MASKER_VERSION,
        sharpness: 0.0,
        lexicon_share: 0.0,
        threshold: 0.0,
        metrics: serde_json::to_value(&learned.measures)?,
        weights: 0,
        sha256: String::new(),
    };
    let bytes = model_file::encode(&learned.model, header, &config.reference)?;
    let named = || output.display().to_string();
    let beside = output.with_extension("new");
    let mut file = std::fs::File::create(&beside).with_context(named)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).with_context(named)?;
    std::fs::rename(&beside, output).with_context(named)?;
    Ok(bytes.len())
}

/// The Moscow day.
fn today() -> String {
    let moscow = now().seconds() as i64 + 3 * 3600;
    chrono::DateTime::from_timestamp(moscow, 0).map_or_else(String::new, |time| time.date_naive().to_string())
}
