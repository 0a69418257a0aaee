//! `tsur explain`: the policy of a case and every step of its clocks, from the journal or from a file of records.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::app::rules::SharedRules;
use crate::commands::{load, now, runtime};
use crate::config::Config;
use crate::config::pipeline::TimeFormat;
use crate::explain::{Change, Explanation, Question, explain};
use crate::mapping::mapper::{Mapper, Texts};
use crate::mapping::times::read_time;
use crate::model::apply::apply;
use crate::model::case::{Case, RowVersion};
use crate::model::ids::Offset;
use crate::model::time::Time;
use crate::model::words::Outcome;
use crate::publish::{FileKind, Row, TableReader};
use crate::sink::clickhouse::client;
use crate::sink::history;

/// Authors are not shown, so no key of the installation is needed.
const NO_KEY: &str = "6578706c61696e206e65656473206e6f206b65792c206e6f20617574686f7273";
/// So many cases of one file are explained.
const CASES_OF_A_FILE: usize = 1000;

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    tsur explain IM-1042\n  \
    tsur explain 327441806 --source pos --json\n  \
    tsur explain --record events.jsonl --pipeline incident --at '20.01.2026 12:00'\n\n\
    The text is in Russian, times are Moscow time. Without --record the case is read from the journal; with it no server \
    is asked, and the records of the file are taken in their order.")]
pub struct Args {
    /// Number of the case in its source
    #[arg(required_unless_present = "record", conflicts_with = "record", value_name = "CASE")]
    case: Option<String>,
    /// The source, where several have a case of this number
    #[arg(long, conflicts_with = "record")]
    source: Option<String>,
    /// Records of cases: JSON lines, or a table as `tsur publish` takes it
    #[arg(long, value_name = "FILE", requires = "pipeline")]
    record: Option<PathBuf>,
    /// The pipeline that reads the records
    #[arg(long, value_name = "NAME", requires = "record")]
    pipeline: Option<String>,
    /// The moment running clocks are compared with, and at which rows without a time count as received; default now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<Time>,
    /// One JSON object, or with --record an array of them
    #[arg(long)]
    json: bool,
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
    let rules = SharedRules::build(&config, Some(NO_KEY))?;
    let now = args.at.unwrap_or_else(now);
    if let (Some(file), Some(pipeline)) = (&args.record, &args.pipeline) {
        let explanations = of_file(&config, &rules, file, pipeline, now)?;
        if args.json {
            println!("{}", serde_json::to_string_pretty(&explanations)?);
        } else {
            println!("{}", explanations.iter().map(Explanation::text).collect::<Vec<_>>().join("\n"));
        }
        return Ok(());
    }
    let case_id = args.case.as_deref().unwrap_or_default();
    let client = client(&config.settings.clickhouse);
    let read = history::read(&client, case_id, args.source.as_deref(), &rules.names);
    let history = runtime()?.block_on(read)?;
    let question = question(&config, &rules, (case_id, &history.source), &history.changes, now);
    let Some(explanation) = explain(&question) else { bail!("the journal has no applied row of case {case_id}") };
    if args.json {
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

/// Folds the records of a file as the pipeline would, and explains each case in the order of its first record.
pub fn of_file(
    config: &Config,
    rules: &SharedRules,
    file: &Path,
    pipeline: &str,
    now: Time,
) -> anyhow::Result<Vec<Explanation>> {
    let Some(pipeline) = config.pipeline(pipeline) else {
        let known: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
        bail!("there is no pipeline {pipeline:?}; there are {}", known.join(", "));
    };
    let of_source = rules.of_source(&pipeline.source);
    let mut mapper = Mapper::new(pipeline, rules.dictionaries.clone(), rules.identity.clone());
    let kind = FileKind::of(file).or(Some(FileKind::JsonLines));
    let mut reader = TableReader::open(file, kind, pipeline, config.settings.limits.max_record_bytes)?;
    let (mut row, mut texts) = (Row::default(), Texts::default());
    let mut order: Vec<String> = Vec::new();
    let mut changes: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    let mut offset = 0;
    while let Some(read) = reader.read(&mut row) {
        read?;
        let mut slots = Vec::new();
        let facts = match mapper.map(&row.payload, now, &mut slots, &mut texts) {
            Ok(facts) => facts,
            Err(wrong) => {
                let place = format!("{}:{}", file.display(), row.line);
                bail!("{place}: the record would be rejected: {} in {} ({})", wrong.reason, wrong.column, wrong.detail)
            }
        };
        if !changes.contains_key(&texts.case_id) {
            if order.len() == CASES_OF_A_FILE {
                bail!("{} has more than {CASES_OF_A_FILE} cases; cut it to those in question", file.display());
            }
            order.push(texts.case_id.clone());
        }
        let known = changes.entry(texts.case_id.clone()).or_default();
        let before: Option<Case> = known.last().map(|change| change.case);
        let version = RowVersion::new(Offset(offset), 0);
        offset += 1;
        let (case, verdict) = apply(before.as_ref(), &facts, version, &of_source, &mut Vec::new());
        if verdict.outcome == Outcome::Applied {
            known.push(Change { event: verdict.event, at: Some(facts.at), case });
        }
    }
    let explained =
        order.iter().filter_map(|id| explain(&question(config, rules, (id, &pipeline.source), changes.get(id)?, now)));
    let explained: Vec<Explanation> = explained.collect();
    if explained.is_empty() {
        return Err(anyhow::anyhow!("no record")).with_context(|| format!("{} explains nothing", file.display()));
    }
    Ok(explained)
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
