//! `tsur mask`: lines from standard input, masked as `tsur run` would mask them.

use std::io::{BufRead, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use crate::commands::load;
use crate::config::{SETTINGS_FILE, shipped_persons};
use crate::enrich::mask::{MASKER_VERSION, MaskSpan, Masker, PersonLexicon};
use crate::text::{Tokens, Words, tokenize};

#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo 'Я, Иванова Мария Петровна, тел. 8 910 123-45-67' | tsur mask
  tsur mask < texts.txt > masked.txt
  tsur mask --spans < texts.txt

With --spans each line becomes one JSON object:
  {\"masker\": 2, \"spans\": [{\"type\": \"name\", \"start\": 3, \"end\": 25}, ...]}
start and end count characters (not bytes) of the line from 0; end is the first character after the span.")]
pub struct Args {
    /// Tell where the identifiers are instead of the masked text: one JSON object a line
    #[arg(long)]
    spans: bool,
}

#[derive(Serialize)]
struct Spans {
    masker: u16,
    spans: Vec<Span>,
}

#[derive(Serialize)]
struct Span {
    #[serde(rename = "type")]
    kind: &'static str,
    /// Characters from the start of the line.
    start: usize,
    end: usize,
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    // Works without an installation too.
    let lists = match folder.join(SETTINGS_FILE).exists() {
        true => load(folder)?.reference.texts.persons.clone(),
        false => shipped_persons()?,
    };
    let persons = Arc::new(PersonLexicon::build(&lists));
    let mut out = BufWriter::new(std::io::stdout().lock());
    match mask_lines(std::io::stdin().lock(), &mut out, persons, args.spans).and_then(|()| out.flush()) {
        Err(problem) if problem.kind() == std::io::ErrorKind::BrokenPipe => Ok(()), // `tsur mask | head`
        done => done.context("standard input or output"),
    }
}

/// Masks each line by itself; the line ends stay as they are. Lines must be UTF-8.
fn mask_lines(
    mut lines: impl BufRead,
    out: &mut impl Write,
    persons: Arc<PersonLexicon>,
    spans: bool,
) -> std::io::Result<()> {
    let (mut words, mut tokens, mut masker) = (Words::new(), Tokens::new(), Masker::new(persons));
    let (mut line, mut masked) = (String::new(), Vec::new());
    while lines.read_line(&mut line)? > 0 {
        let end = line.trim_end_matches(['\n', '\r']).len();
        let (text, line_end) = line.split_at(end);
        tokenize(text, &mut words, &mut tokens);
        masked.clear();
        if spans {
            let found = masker.find(text, &words, &tokens);
            serde_json::to_writer(&mut masked, &Spans { masker: MASKER_VERSION, spans: in_characters(text, found) })?;
        } else {
            masker.mask_into(text, &words, &tokens, &mut masked);
        }
        out.write_all(&masked)?;
        out.write_all(if line_end.is_empty() && spans { b"\n" } else { line_end.as_bytes() })?;
        line.clear();
    }
    Ok(())
}

fn in_characters(text: &str, found: &[MaskSpan]) -> Vec<Span> {
    let (mut bytes, mut characters) = (0, 0);
    let mut count = |to: usize| {
        characters += text[bytes..to].chars().count();
        bytes = to;
        characters
    };
    let span = |span: &MaskSpan| Span { kind: span.kind.word(), start: count(span.start), end: count(span.end) };
    found.iter().map(span).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(input: &str, spans: bool) -> String {
        let persons = Arc::new(PersonLexicon::build(&shipped_persons().expect("sound lists")));
        let mut out = Vec::new();
        mask_lines(input.as_bytes(), &mut out, persons, spans).expect("in memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn each_line_is_masked_and_its_end_kept() {
        assert_eq!(
            run("Меня зовут Иван Петров\r\n\nул. Гагарина, кв. 5", false),
            "Меня зовут ‹имя›\r\n\nул. Гагарина, кв. ‹квартира›"
        );
    }

    #[test]
    fn spans_count_characters() {
        assert_eq!(
            run("Я, Петрова Анна, 8 910 123-45-67\nпусто", true),
            "{\"masker\":3,\"spans\":[{\"type\":\"name\",\"start\":3,\"end\":15},{\"type\":\"phone\",\"start\":17,\"end\":32}]}\n\
             {\"masker\":3,\"spans\":[]}\n"
        );
    }
}
