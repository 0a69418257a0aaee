//! `tsur check`: the configuration as a whole, and what would become of the records of a file, both without any server.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};

use crate::against::{self, InputKind};
use crate::app::rules::{RulesError, SharedRules};
use crate::commands::{load, now};
use crate::config::Config;
use crate::config::pipeline::TimeFormat;
use crate::config::reader::did_you_mean;
use crate::enrich::locate::notes::gazetteer_notes;
use crate::enrich::routing::Routing;
use crate::mapping::times::read_time;
use crate::model::time::Time;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  tsur check
  tsur --config /etc/tsur check
  tsur check --against export.csv --pipeline pos
  tsur check --against records.jsonl --pipeline incident --format json")]
pub struct Args {
    /// Tell what would become of each record of this file: CSV, JSON lines, a JSON array, an Avro container, or one record
    #[arg(long, value_name = "FILE", requires = "pipeline")]
    against: Option<PathBuf>,
    /// The pipeline that would read the records
    #[arg(long, value_name = "NAME", requires = "against")]
    pipeline: Option<String>,
    /// How it is told: text, or json with one object a line and the counts in the last
    #[arg(long, value_enum, default_value = "text", requires = "against")]
    format: Format,
    /// What the file is, where its name does not say
    #[arg(long, value_enum, requires = "against")]
    kind: Option<InputKind>,
    /// When Kafka would receive the records, ISO 8601; now, if not given
    #[arg(long, value_parser = time_of, value_name = "TIME", requires = "against")]
    at: Option<Time>,
}

/// How a report is told.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

fn time_of(text: &str) -> Result<Time, String> {
    let read = read_time(text, TimeFormat::Iso8601);
    read.map(|read| read.at).ok_or_else(|| format!("{text:?} is not a time like 2026-01-06T10:15:00+03:00"))
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    if let (Some(file), Some(pipeline)) = (&args.against, &args.pipeline) {
        return check_file(&config, file, pipeline, args);
    }
    match SharedRules::build(&config, None) {
        Ok(rules) => rules.warnings(now()).iter().for_each(|warning| println!("note: {warning}")),
        Err(RulesError::NoIdentityKey { variable }) => {
            println!("note: {variable} is not set; `tsur run` needs it");
        }
        Err(problem) => return Err(problem.into()),
    }
    let routing = Routing::new(&config.reference);
    routing.findings().iter().for_each(|finding| println!("note: {}", routing.say(finding)));
    gazetteer_notes(&config.reference).iter().for_each(|note| println!("note: {note}"));
    for pipeline in &config.pipelines {
        println!(
            "pipeline {}: {} fields from {} ({} partitions)",
            pipeline.name,
            pipeline.fields.len(),
            pipeline.kafka_topic,
            pipeline.partitions
        );
    }
    println!(
        "{} blocks, {} topics, {} territories, {} bodies, {} calendars, {} policies",
        config.reference.blocks.len(),
        config.reference.topics.len(),
        config.reference.territories.len(),
        config.reference.bodies.len(),
        config.calendars.len(),
        config.policies.len()
    );
    let words: usize = config.lexicon.blocks.iter().map(|block| block.entries.len()).sum();
    let rules: usize = config.lexicon.blocks.iter().map(|block| block.rules.len()).sum();
    println!("lexicon of {} blocks: {words} words and phrases, {rules} rules", config.lexicon.blocks.len());
    if let Some(trained) = &config.trained {
        println!(
            "model of {}: {} texts, {} blocks",
            trained.header.day,
            trained.header.texts,
            trained.header.classes.len()
        );
        if trained.header.lexicon != config.lexicon.fingerprint() {
            println!("note: the model was taught beside another lexicon; `tsur train` again when you can");
        }
    }
    let silent: Vec<&str> = config.silent_topics().collect();
    if !silent.is_empty() {
        println!("note: no word of the lexicon speaks for {}", silent.join(", "));
    }
    println!("configuration is sound, rules version {}", config.rules);
    Ok(())
}

fn check_file(config: &Config, file: &Path, name: &str, args: &Args) -> anyhow::Result<()> {
    let pipeline = config.pipeline(name).ok_or_else(|| {
        let names: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        anyhow!("no pipeline {name:?}{}; there are: {}", did_you_mean(name, names.iter().copied()), names.join(", "))
    })?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let at = args.at.unwrap_or_else(now);
    let summary = against::run(config, pipeline, file, args.kind, at, |line| {
        match args.format {
            Format::Text => writeln!(out, "{line}")?,
            Format::Json => writeln!(out, "{}", serde_json::to_string(line)?)?,
        }
        Ok(())
    })?;
    match args.format {
        Format::Text => writeln!(out, "{summary}")?,
        Format::Json => writeln!(out, "{}", serde_json::json!({ "summary": summary }))?,
    }
    out.flush()?;
    if summary.rejected > 0 {
        bail!("{} records of {} would be rejected", summary.rejected, file.display());
    }
    Ok(())
}
