//! `tsur classify`: what a text is about and which words said so; or, with labels, how often that is right.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;

use crate::commands::load;
use crate::config::Config;
use crate::enrich::classify::Classifier;
use crate::enrich::classify::explain::{Explanation, Reason, explain};
use crate::enrich::classify::model_file;
use crate::enrich::classify::score::Reader;
use crate::enrich::enricher::{Enricher, TextBooks};
use crate::text::{Tokens, Words, tokenize};
use crate::train::corpus::label;
use crate::train::learn::names;
use crate::train::measure::{Answer, measure};
use crate::train::table;

/// A longer line is no message.
const LONGEST_LINE: u64 = 1 << 20;
/// Reasons that are printed.
const REASONS: usize = 8;
/// Labels without a meaning that are named.
const NAMED: usize = 10;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo 'Во дворе не вывозят мусор' | tsur classify
  tsur classify messages.txt --format json
  tsur classify --evaluate labelled.csv --text text --label block
  tsur classify --evaluate labelled.csv --text text --label block --lexicon-only --format json")]
pub struct Args {
    /// Texts, one a line; standard input, if not given
    #[arg(value_name = "FILE", conflicts_with = "evaluate")]
    file: Option<PathBuf>,
    /// Measure on a CSV table with labels: codes or names of blocks or topics
    #[arg(long, value_name = "FILE", requires = "text", requires = "label")]
    evaluate: Option<PathBuf>,
    /// Column of the text
    #[arg(long, value_name = "COLUMN", requires = "evaluate")]
    text: Option<String>,
    /// Column of the label
    #[arg(long, value_name = "COLUMN", requires = "evaluate")]
    label: Option<String>,
    /// A model of `tsur train`; reference/topics.model of the pipelines folder, if not given and there
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Leave the model out
    #[arg(long, conflicts_with = "model")]
    lexicon_only: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    let classifier = classifier(&config, args)?;
    if let (Some(file), Some(text), Some(label)) = (&args.evaluate, &args.text, &args.label) {
        return evaluate(&config, &classifier, file, (text, label), args.format);
    }
    let input: Box<dyn Read> = match &args.file {
        Some(file) => Box::new(std::fs::File::open(file).with_context(|| file.display().to_string())?),
        None => Box::new(std::io::stdin().lock()),
    };
    let mut input = BufReader::new(input);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut desk = Desk::default();
    let mut enricher = enricher(&config)?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        if text.trim().is_empty() {
            continue;
        }
        let text = masked(&mut enricher, text.trim());
        let explanation = desk.explain(&classifier, &text);
        match args.format {
            Format::Text => writeln!(out, "{}", shown(&config, &explanation))?,
            Format::Json => writeln!(out, "{}", as_json(&config, &explanation))?,
        }
        out.flush()?;
    }
    Ok(())
}

/// What masks texts as the pipeline does, before anything else reads them.
pub(super) fn enricher(config: &Config) -> anyhow::Result<Enricher> {
    Ok(Enricher::new(&TextBooks::build(&config.reference.texts)?))
}

pub(super) fn masked(enricher: &mut Enricher, text: &str) -> String {
    let mut masked = Vec::with_capacity(text.len());
    enricher.mask_into(text, &mut masked);
    String::from_utf8_lossy(&masked).into_owned()
}

/// What reading texts needs.
#[derive(Default)]
struct Desk {
    words: Words,
    tokens: Tokens,
    reader: Reader,
}

impl Desk {
    fn explain(&mut self, classifier: &Classifier, text: &str) -> Explanation {
        tokenize(text, &mut self.words, &mut self.tokens);
        explain(classifier, text, &self.tokens, &self.words, &mut self.reader)
    }
}

fn classifier(config: &Config, args: &Args) -> anyhow::Result<Classifier> {
    let mut classifier = config.classifier();
    if args.lexicon_only {
        classifier.model = None;
    }
    if let Some(file) = &args.model {
        let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
        let (model, _) = model_file::decode(&bytes, &config.reference).with_context(|| file.display().to_string())?;
        classifier.model = Some(model.into());
    }
    if classifier.lexicon.blocks == 0 {
        bail!("there are no blocks: {} has no reference folder", config.pipelines_dir.display());
    }
    Ok(classifier)
}

fn evaluate(
    config: &Config,
    classifier: &Classifier,
    file: &Path,
    columns: (&str, &str),
    format: Format,
) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let table = table::read(&bytes, columns.0, columns.1).with_context(|| file.display().to_string())?;
    let mut desk = Desk::default();
    let mut enricher = enricher(config)?;
    let mut answers = Vec::with_capacity(table.rows.len());
    let mut foreign: Vec<&str> = Vec::new();
    let mut skipped = 0;
    for (text, written) in &table.rows {
        let Some(label) = label(&config.reference, written) else {
            skipped += 1;
            if !foreign.contains(&written.as_str()) && foreign.len() < NAMED {
                foreign.push(written);
            }
            continue;
        };
        let text = masked(&mut enricher, text);
        tokenize(&text, &mut desk.words, &mut desk.tokens);
        let outcome = classifier.classify(&desk.tokens, &desk.words, &mut desk.reader);
        answers.push(Answer { label, outcome });
    }
    if skipped > 0 {
        eprintln!("note: {skipped} rows have a label that is no block or topic: {}", foreign.join(", "));
    }
    if answers.is_empty() {
        bail!("{} has no row with a text and a known label", file.display());
    }
    let measures = measure(&answers, &names(&config.reference));
    match format {
        Format::Text => println!("{measures}"),
        Format::Json => {
            let mut value = serde_json::to_value(&measures)?;
            value["skipped"] = json!(skipped);
            value["empty"] = json!(table.empty);
            value["model"] = json!(classifier.model.is_some());
            println!("{}", serde_json::to_string_pretty(&value)?);
        }
    }
    Ok(())
}

fn shown(config: &Config, explanation: &Explanation) -> String {
    let outcome = &explanation.outcome;
    let block = |block: u8| config.reference.blocks[usize::from(block)].name.as_str();
    let topic =
        outcome.topic.map_or(String::new(), |topic| format!(" · {}", config.reference.topics[usize::from(topic)].name));
    let unknown = if outcome.unknown { "не определено, скорее: " } else { "" };
    let mut lines = vec![format!("{unknown}{}{topic} · {}", block(outcome.block), share(outcome.confidence))];
    let others = outcome.top[1..].iter().filter(|candidate| candidate.confidence >= 0.005);
    let others: Vec<String> =
        others.map(|candidate| format!("{} {}", block(candidate.block), share(candidate.confidence))).collect();
    if !others.is_empty() {
        lines.push(format!("  ещё: {}", others.join("; ")));
    }
    for (title, reasons) in [("лексикон", &explanation.lexicon), ("модель", &explanation.model)] {
        let reasons: Vec<String> = loudest(reasons)
            .map(|reason| format!("«{}» {}", reason.what, format!("{:+.2}", reason.weight).replace('.', ",")))
            .collect();
        if !reasons.is_empty() {
            lines.push(format!("  {title}: {}", reasons.join(", ")));
        }
    }
    lines.join("\n")
}

fn share(confidence: f32) -> String {
    format!("{confidence:.2}").replace('.', ",")
}

fn loudest(reasons: &[Reason]) -> impl Iterator<Item = &Reason> {
    reasons.iter().take(REASONS).filter(|reason| reason.weight.abs() >= 0.005)
}

fn as_json(config: &Config, explanation: &Explanation) -> serde_json::Value {
    let outcome = &explanation.outcome;
    let block = |block: u8| config.reference.blocks[usize::from(block)].code.as_str();
    let reasons = |reasons: &[Reason]| -> Vec<serde_json::Value> {
        let reasons = loudest(reasons);
        reasons.map(|reason| json!({ "what": reason.what, "span": reason.span, "weight": reason.weight })).collect()
    };
    json!({
        "block": block(outcome.block),
        "topic": outcome.topic.map(|topic| config.reference.topics[usize::from(topic)].code.as_str()),
        "confidence": outcome.confidence,
        "unknown": outcome.unknown,
        "top3": outcome.top.map(|candidate| json!({ "block": block(candidate.block), "confidence": candidate.confidence })),
        "lexicon": reasons(&explanation.lexicon),
        "model": reasons(&explanation.model),
    })
}
