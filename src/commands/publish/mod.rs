//! `tsur publish`: files into a Kafka topic, row by row. Owner: `dispatch`.
//! Invariants: nothing is published when one of the files cannot be read at all, or was published before; a bad row is named and
//! the others go on; whoever is interrupted goes on by the same command. Publishing twice is harmless all the same: the
//! pipeline tells repeats apart.

mod books;
mod ledger;
mod report;
mod transfer;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::commands::pace::{Pace, parse_rate};
use crate::commands::progress::Progress;
use crate::commands::stop::{Stop, StoppableInput};
use crate::commands::{load, require_topic, runtime};
use crate::config::{Config, Pipeline};
use crate::kafka::client::base_config;
use crate::kafka::producer::{Outgoing, Producer, ProducerOptions};
use crate::publish::{FileKind, Limits, RowError, TableReader};
use books::KafkaBooks;
use ledger::{Decision, Ledger, Told};
use report::Report;
use transfer::{Ended, Orders, Outcome, transfer};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tsur publish pos export.csv\n  \
    tsur publish pos january.csv february.csv --rate 500\n  \
    tsur publish pos export.xlsx --report report.csv\n  \
    tsur publish incident events.jsonl --limit 1000\n  \
    zcat big.csv.gz | tsur publish pos - --format csv\n\n\
    A bad row is reported as FILE:LINE and the rest is published; the exit code is 1 then. How far a file was published \
    is kept beside it in FILE.TOPIC.published.json: an interrupted command goes on when it is repeated, and a file that was \
    published is not published again without --again. A corrected file is another file; its rows that were published before \
    are recognised by the pipeline as duplicates.")]
pub struct Args {
    /// The pipeline whose source the files come from: its columns, its key, its topic
    pipeline: String,
    /// CSV tables (.csv .tsv .txt), workbooks (.xlsx) or JSON lines (.jsonl .ndjson); - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Publish into this Kafka topic instead of the pipeline's
    #[arg(long)]
    topic: Option<String>,
    /// What the files are, whatever they are called
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// At most so many records a second
    #[arg(long, value_name = "N[/s]", value_parser = parse_rate)]
    rate: Option<f64>,
    /// Stop after so many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Go on at this line of the first file
    #[arg(long, value_name = "LINE", default_value_t = 1, hide_default_value = true)]
    from_line: u64,
    /// Stop at the first bad row
    #[arg(long)]
    strict: bool,
    /// Read this sheet of a workbook only
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
    /// Write what became of each row: CSV if the name ends so, else JSON lines
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Keep the state of the (only) file here instead of beside it
    #[arg(long, value_name = "FILE", conflicts_with = "no_state")]
    state: Option<PathBuf>,
    /// Neither read nor keep how far a file was published
    #[arg(long)]
    no_state: bool,
    /// Publish a file once more that was published before
    #[arg(long)]
    again: bool,
    /// After a crash, go on after the last confirmed row, even if some rows are sent twice
    #[arg(long, conflicts_with = "again")]
    resume: bool,
}

impl Args {
    /// The state of a file says where to begin, unless the command line does.
    fn keeps_state(&self, file: &Path) -> bool {
        !self.no_state && self.from_line == 1 && !is_stdin(file)
    }

    fn limits<'s>(&'s self, config: &Config) -> Limits<'s> {
        Limits { max_record_bytes: config.settings.limits.max_record_bytes, sheet: self.sheet.as_deref() }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
enum Format {
    Csv,
    Xlsx,
    Jsonl,
}

impl Format {
    fn kind(self) -> FileKind {
        match self {
            Format::Csv => FileKind::Csv,
            Format::Xlsx => FileKind::Xlsx,
            Format::Jsonl => FileKind::JsonLines,
        }
    }
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    let pipeline = pipeline_of(&config, &args.pipeline)?;
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let stop = Stop::listen()?;
    check_files(args, pipeline, &config)?;
    let topic = args.topic.as_deref().unwrap_or(&pipeline.kafka_topic);
    let kafka = base_config(&config.settings.kafka);
    require_topic(&kafka, topic)?;
    let limits = args.limits(&config);
    let max_record_bytes = limits.max_record_bytes;
    let (ledgers, done) = open_ledgers(args, topic)?;
    let report = args.report.as_deref().map(Report::create).transpose().context("the report cannot be written")?;
    let producer = Producer::new(&kafka, ProducerOptions { max_record_bytes, ..ProducerOptions::default() })?;

    let mut pace = args.rate.map(Pace::new);
    let mut progress = Progress::new(total(args));
    let (files, from_line) = (args.files.len(), args.from_line);
    let orders = Orders { files, limit: args.limit, from_line, strict: args.strict, done };
    let mut books = KafkaBooks::new(&producer, ledgers, report);
    let outcome = transfer(
        &orders,
        |index| open(&args.files[index], args.format, pipeline, limits, Some(&stop)),
        |row| {
            if let Some(pace) = &mut pace {
                pace.wait(&stop);
            }
            producer.send(&Outgoing { topic, key: &row.key, payload: &row.payload, timestamp: None })
        },
        &mut books,
        &mut progress,
        &stop,
    );
    if outcome.is_err() {
        books.give_up().context("the report cannot be written")?;
    }
    progress.finish();
    let published = producer.delivered();
    let outcome = outcome.with_context(|| {
        format!(
            "{published} records are in topic {topic}, then it failed. Repeat the command when Kafka is well again: it says \
             what it would send twice"
        )
    })?;
    println!("published {published} records to topic {topic}, {} bad rows", outcome.bad);
    conclude(args, &outcome)
}

/// What the exit code and the last words are.
fn conclude(args: &Args, outcome: &Outcome) -> anyhow::Result<()> {
    match outcome.ended {
        Ended::Stopped { file, line } => bail!("interrupted. {}", how_to_go_on(args, file, line)),
        Ended::BadRow { file, line } => bail!("stopped at a bad row. {}", how_to_go_on(args, file, line)),
        Ended::Limit { file, line } => println!("the limit is reached. {}", how_to_go_on(args, file, line)),
        Ended::Whole => {}
    }
    if outcome.bad > 0 {
        bail!("{} bad rows were not published, see above", outcome.bad);
    }
    Ok(())
}

fn how_to_go_on(args: &Args, file: usize, line: u64) -> String {
    if args.keeps_state(&args.files[file]) {
        return format!("The next row is {}:{line}; repeat the command to go on there", args.files[file].display());
    }
    let mut command = format!("tsur publish {}", args.pipeline);
    for path in &args.files[file..] {
        command += &format!(" {}", shell_word(&path.display().to_string()));
    }
    command += &format!(" --from-line {line}");
    if let Some(topic) = &args.topic {
        command += &format!(" --topic {topic}");
    }
    if let Some(format) = args.format {
        command += match format {
            Format::Csv => " --format csv",
            Format::Xlsx => " --format xlsx",
            Format::Jsonl => " --format jsonl",
        };
    }
    if let Some(rate) = args.rate {
        command += &format!(" --rate {rate}");
    }
    format!("The next row is {}:{line}; go on with: {command}", args.files[file].display())
}

fn shell_word(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:@".contains(letter);
    if text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn pipeline_of<'c>(config: &'c Config, name: &str) -> anyhow::Result<&'c Pipeline> {
    let pipeline = config.pipeline(name).with_context(|| {
        let known: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        format!("there is no pipeline {name:?}; there are: {}", known.join(", "))
    })?;
    if !pipeline.takes_plain_json() {
        bail!(
            "pipeline {name} reads Avro or compressed records, and publish sends plain JSON: each would be rejected. Publish \
             to a pipeline with format = \"json\" and compression = \"auto\""
        );
    }
    Ok(pipeline)
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// The state of each file, and the rows of it that are done with.
fn open_ledgers(args: &Args, topic: &str) -> anyhow::Result<(Vec<Option<Ledger>>, Vec<u64>)> {
    if args.state.is_some() && args.files.len() > 1 {
        bail!("--state is for one file; several files keep their states beside them");
    }
    let told = Told { again: args.again, resume: args.resume };
    let (mut ledgers, mut done, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for file in &args.files {
        if !args.keeps_state(file) {
            ledgers.push(None);
            done.push(0);
            continue;
        }
        let state = args.state.clone().unwrap_or_else(|| ledger::beside(file, topic));
        let (ledger, decision) = Ledger::open(file, &state, &args.pipeline, topic, told)
            .with_context(|| format!("{}: its state {} cannot be read", file.display(), state.display()))?;
        match decision {
            Decision::Begin => done.push(0),
            Decision::GoOn(rows) => {
                eprintln!("{}: {rows} rows were published before; going on after them", file.display());
                done.push(rows);
            }
            Decision::Refuse(why) => refused.push(format!("{}: {why}", file.display())),
        }
        ledgers.push(Some(ledger));
    }
    if !refused.is_empty() {
        bail!("nothing was published:\n{}", refused.join("\n"));
    }
    Ok((ledgers, done))
}

/// Every file is opened once and its header read, so that a mistyped name shows before anything is sent.
fn check_files(args: &Args, pipeline: &Pipeline, config: &Config) -> anyhow::Result<()> {
    if args.files.iter().filter(|path| is_stdin(path)).count() > 1 {
        bail!("standard input (-) can be read only once");
    }
    let mut problems = Vec::new();
    for path in &args.files {
        if is_stdin(path) {
            if args.format.is_none() {
                problems.push(
                    "standard input has no name to tell its kind from: add --format csv, xlsx or jsonl".to_owned(),
                );
            }
        } else if let Err(problem) = open(path, args.format, pipeline, args.limits(config), None) {
            problems.push(problem.to_string());
        }
        let is_workbook = args.format.map(Format::kind).or_else(|| FileKind::of(path)) == Some(FileKind::Xlsx);
        if is_workbook && args.from_line > 1 {
            problems.push(
                "--from-line has no meaning in a workbook, which has a line of each number in every sheet".to_owned(),
            );
        }
    }
    if !problems.is_empty() {
        bail!("nothing was published:\n{}", problems.join("\n"));
    }
    Ok(())
}

/// Without `stop` standard input is not touched.
fn open(
    path: &Path,
    format: Option<Format>,
    pipeline: &Pipeline,
    limits: Limits<'_>,
    stop: Option<&Stop>,
) -> Result<TableReader, RowError> {
    let kind = format.map(Format::kind);
    match (stop.filter(|_| is_stdin(path)), kind) {
        (Some(stop), Some(kind)) => {
            let input = Box::new(StoppableInput::stdin(stop.clone()));
            TableReader::from_input("stdin", kind, input, pipeline, limits)
        }
        (_, kind) => TableReader::open(path, kind, pipeline, limits),
    }
}

/// Bytes to be read, as far as that says anything.
fn total(args: &Args) -> Option<u64> {
    if args.limit.is_some() {
        return None;
    }
    args.files.iter().map(|path| std::fs::metadata(path).ok().map(|data| data.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(line: &str) -> Args {
        Line::try_parse_from(std::iter::once("publish").chain(line.split(' '))).expect("parses").args
    }

    #[test]
    fn the_interrupted_learn_the_command_to_go_on_with() {
        assert!(how_to_go_on(&args("pos a.csv"), 0, 7).ends_with("a.csv:7; repeat the command to go on there"));
        let all = args("pos a.csv b.csv --topic t --rate 5/s --format csv --no-state");
        assert_eq!(
            how_to_go_on(&all, 1, 7),
            "The next row is b.csv:7; go on with: tsur publish pos b.csv --from-line 7 --topic t --format csv --rate 5"
        );
        assert_eq!(shell_word("мой файл.csv"), "'мой файл.csv'");
    }

    #[test]
    fn bad_rows_and_interruptions_are_errors_and_a_limit_is_none() {
        let args = args("pos a.csv --no-state");
        let ended = |bad, ended| conclude(&args, &Outcome { bad, ended }).map_err(|error| error.to_string());
        assert_eq!(ended(0, Ended::Whole), Ok(()));
        assert_eq!(ended(0, Ended::Limit { file: 0, line: 3 }), Ok(()));
        assert_eq!(ended(2, Ended::Whole), Err("2 bad rows were not published, see above".to_owned()));
        assert!(ended(0, Ended::Stopped { file: 0, line: 3 }).is_err_and(|text| text.contains("--from-line 3")));
    }

    #[test]
    fn every_file_that_cannot_be_read_is_named_before_anything_is_sent() {
        let config = load(Path::new("config")).expect("sound");
        let pos = pipeline_of(&config, "pos").expect("there");
        let problem = check_files(&args("pos none.csv - none.ods"), pos, &config).expect_err("refused").to_string();
        assert!(problem.contains("none.csv:0: cannot be opened"), "{problem}");
        assert!(problem.contains("none.ods:0: the kind of this file is not known"), "{problem}");
        assert!(problem.contains("add --format"), "{problem}");
        assert!(
            pipeline_of(&config, "poss")
                .is_err_and(|error| error.to_string().contains("incident, pages, portal, pos, s112, sed, votes"))
        );
    }
}
