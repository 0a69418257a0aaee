//! `tsur explain`: the policy of a case and every step of its clocks, from the journal or from a file of records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::against::{Against, Input};
use crate::app::rules::SharedRules;
use crate::commands::check::Format;
use crate::commands::{load, now, runtime};
use crate::config::Config;
use crate::config::pipeline::TimeFormat;
use crate::explain::{Change, Explanation, Question, explain};
use crate::mapping::times::read_time;
use crate::model::time::Time;
use crate::model::words::Outcome;
use crate::sink::clickhouse::client;
use crate::sink::history;

/// Authors are not shown, so no key of the installation is needed.
const NO_KEY: &str = "6578706c61696e206e65656473206e6f206b65792c206e6f20617574686f7273";
/// So many cases of one file are explained.
const CASES_OF_A_FILE: usize = 1000;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tsur explain IM-1042\n  \
    tsur explain 327441806 --source pos --format json\n  \
    tsur explain --file export.csv --pipeline pos --line 17\n  \
    tsur explain --file events.jsonl --pipeline incident --at '20.01.2026 12:00'\n\n\
    The text is in Russian, times are Moscow time. Without --file the case is read from the journal; with it no server \
    is asked, and the records of the file are taken in their order.")]
pub struct Args {
    /// Number of the case in its source
    #[arg(required_unless_present = "file", conflicts_with = "file", value_name = "CASE")]
    case: Option<String>,
    /// The source, where several have a case of this number
    #[arg(long, conflicts_with = "file")]
    source: Option<String>,
    /// Records of cases: CSV, JSON lines, a JSON array, an Avro container, or one record
    #[arg(long, value_name = "FILE", requires = "pipeline")]
    file: Option<PathBuf>,
    /// The pipeline that reads the records
    #[arg(long, value_name = "NAME", requires = "file")]
    pipeline: Option<String>,
    /// Only the case of the record at this line, as it stands after it
    #[arg(long, value_name = "N", requires = "file")]
    line: Option<u64>,
    /// The moment running clocks are compared with, and at which rows without a time count as received; default now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Time>,
    /// How it is told: text, or json with one object, with --file an array of them
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

fn moment(text: &str) -> Result<Time, String> {
    [TimeFormat::DayMonthYearTime, TimeFormat::DayMonthYear, TimeFormat::Iso8601]
        .into_iter()
        .find_map(|format| read_time(text, format))
        .map(|read| read.at)
        .ok_or_else(|| format!("{text:?} is not a time like \"20.01.2026 12:00\" or 2026-01-20T12:00:00"))
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    let now = args.at.unwrap_or_else(now);
    if let (Some(file), Some(pipeline)) = (&args.file, &args.pipeline) {
        let explanations = of_file(&config, file, pipeline, args.line, now)?;
        if args.format == Format::Json {
            println!("{}", serde_json::to_string_pretty(&explanations)?);
        } else {
            println!("{}", explanations.iter().map(Explanation::text).collect::<Vec<_>>().join("\n"));
        }
        return Ok(());
    }
    let rules = SharedRules::build(&config, Some(NO_KEY))?;
    let case_id = args.case.as_deref().unwrap_or_default();
    let client = client(&config.settings.clickhouse);
    let read = history::read(&client, case_id, args.source.as_deref(), &rules.names);
    let history = runtime()?.block_on(read)?;
    let question = question(&config, &rules, (case_id, &history.source), &history.changes, now);
    let Some(explanation) = explain(&question) else { bail!("the journal has no applied row of case {case_id}") };
    if args.format == Format::Json {
        println!("{}", serde_json::to_string_pretty(&explanation)?);
    } else {
        print!("{}", explanation.text());
    }
    Ok(())
}

fn question<'a>(
    config: &'a Config,
    rules: &'a SharedRules,
    (case_id, source): (&'a str, &'a str),
    changes: &'a [Change],
    now: Time,
) -> Question<'a> {
    Question {
        case_id,
        source,
        source_number: rules.of_source(source).source(),
        changes,
        policies: &rules.policies,
        specs: &config.policies,
        names: &rules.names,
        bodies: &config.reference.bodies,
        now,
    }
}

/// Folds the records of a file as `tsur run` would, and explains each case in the order of its first record; with `line` the
/// case of that line alone, as it stands after it.
pub fn of_file(
    config: &Config,
    file: &Path,
    pipeline: &str,
    line: Option<u64>,
    now: Time,
) -> anyhow::Result<Vec<Explanation>> {
    let Some(pipeline) = config.pipeline(pipeline) else {
        let known: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        bail!("there is no pipeline {pipeline:?}; there are {}", known.join(", "));
    };
    let mut input = Input::open(file, None, pipeline, config.settings.limits.max_record_bytes)?;
    let mut against = Against::new(config, &input.pipeline(pipeline)?, now)?;
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    let mut last = 0;
    while let Some((place, record)) = input.read()?.filter(|(place, _)| line.is_none_or(|line| *place <= line)) {
        last = place;
        let is_asked = line.is_none_or(|line| line == place);
        let payload = match record {
            Ok(payload) => payload,
            Err(problem) if is_asked => bail!("{}:{place}: {problem}", file.display()),
            Err(_) => continue,
        };
        for seen in against.fold(&payload) {
            if seen.outcome == Outcome::Rejected {
                if !is_asked {
                    continue; // another record is in question
                }
                let (name, reason, field) = (file.display(), seen.reason, &seen.field);
                bail!("{name}:{place}: the record would be rejected: {reason} in {field} ({})", seen.excerpt);
            }
            if is_asked && !seen.case_id.is_empty() && !order.contains(&seen.case_id) {
                if order.len() == CASES_OF_A_FILE {
                    bail!("{} has more than {CASES_OF_A_FILE} cases; name one by --line", file.display());
                }
                order.push(seen.case_id.clone());
            }
            if let (Outcome::Applied, Some(event), Some(case)) = (seen.outcome, seen.event, seen.case) {
                changes.entry(seen.case_id).or_default().push(Change { event, at: seen.at, case });
            }
        }
    }
    if let Some(line) = line.filter(|line| *line != last) {
        bail!("{} has no record at line {line}; the last before it is at {last}", file.display());
    }
    let rules = against.shared();
    let explained = order
        .iter()
        .filter_map(|id| explain(&question(config, rules, (id, &pipeline.source), changes.get(id)?, now)))
        .collect::<Vec<_>>();
    if explained.is_empty() {
        bail!("{} explains nothing: no record of it belongs to a case", file.display());
    }
    Ok(explained)
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
