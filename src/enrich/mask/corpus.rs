//! What the masker finds and what it leaves, on the made-up lines of `tests/fixtures/mask/corpus.txt`.

use std::sync::Arc;

use super::*;
use crate::text::{Tokens, Words, tokenize};

const CORPUS: &str = include_str!("../../../tests/fixtures/mask/corpus.txt");

struct Line {
    text: String,
    wanted: Vec<MaskSpan>,
}

fn kind_of(letter: &str) -> MaskKind {
    match letter {
        "n" => MaskKind::Name,
        "p" => MaskKind::Phone,
        "e" => MaskKind::Email,
        "s" => MaskKind::Snils,
        "c" => MaskKind::Card,
        "v" => MaskKind::Profile,
        "i" => MaskKind::Inn,
        "d" => MaskKind::Passport,
        "o" => MaskKind::Policy,
        "a" => MaskKind::Plate,
        "b" => MaskKind::BirthDate,
        "f" => MaskKind::Flat,
        other => panic!("no kind {other}"),
    }
}

fn read(line: &str) -> Line {
    let mut parsed = Line { text: String::new(), wanted: Vec::new() };
    let mut rest = line;
    while let Some((before, inside)) = rest.split_once('{') {
        let (marked, after) = inside.split_once('}').expect("a closed span");
        let (kind, value) = marked.split_once(':').expect("kind:text");
        parsed.text.push_str(before);
        let start = parsed.text.len();
        parsed.text.push_str(value);
        parsed.wanted.push(MaskSpan { start, end: parsed.text.len(), kind: kind_of(kind) });
        rest = after;
    }
    parsed.text.push_str(rest);
    parsed
}

fn lines() -> Vec<Line> {
    CORPUS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(read).collect()
}

/// Wanted spans found and in all.
#[derive(Default)]
struct Recall {
    found: usize,
    all: usize,
}

impl Recall {
    fn share(&self) -> f64 {
        self.found as f64 / self.all as f64
    }
}

fn overlap(left: &MaskSpan, right: &MaskSpan) -> bool {
    left.start < right.end && right.start < left.end
}

/// A span counts as found when all of it is masked as what it is; the dot of an initial
/// and the bracket of a code may be left.
fn is_covered(wanted: &MaskSpan, found: &[MaskSpan], text: &str) -> bool {
    let end = wanted.start + text[wanted.start..wanted.end].trim_end_matches('.').len();
    let start = wanted.end - text[wanted.start..wanted.end].trim_start_matches('(').len();
    found.iter().any(|span| span.start <= start && span.end >= end && span.kind == wanted.kind)
}

#[test]
fn the_corpus_is_masked_and_its_traps_survive() {
    let mut masker =
        Masker::new(Arc::new(PersonLexicon::build(&crate::config::shipped_persons().expect("sound lists"))));
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    let (mut names, mut others) = (Recall::default(), Recall::default());
    let (mut false_spans, mut all_spans, mut hurt_traps, mut traps) = (0, 0, 0, 0);
    let all = lines();
    assert!(all.len() >= 400);
    for line in &all {
        tokenize(&line.text, &mut words, &mut tokens);
        let found = masker.find(&line.text, &words, &tokens).to_vec();
        for wanted in &line.wanted {
            let recall = if wanted.kind == MaskKind::Name { &mut names } else { &mut others };
            recall.all += 1;
            if is_covered(wanted, &found, &line.text) {
                recall.found += 1;
            } else {
                eprintln!("missed {:?} «{}» in «{}»", wanted.kind, &line.text[wanted.start..wanted.end], line.text);
            }
        }
        all_spans += found.len();
        let wrong = found.iter().filter(|span| !line.wanted.iter().any(|wanted| overlap(span, wanted))).count();
        false_spans += wrong;
        traps += usize::from(line.wanted.is_empty());
        hurt_traps += usize::from(line.wanted.is_empty() && wrong > 0);
        for span in &found {
            if !line.wanted.iter().any(|wanted| overlap(span, wanted)) {
                eprintln!("false {:?} «{}» in «{}»", span.kind, &line.text[span.start..span.end], line.text);
            }
        }
    }
    eprintln!(
        "names {}/{} = {:.3}, others {}/{} = {:.3}, false {false_spans}/{all_spans}, traps hurt {hurt_traps}/{traps}",
        names.found,
        names.all,
        names.share(),
        others.found,
        others.all,
        others.share()
    );
    assert!(traps * 2 >= all.len(), "half of the lines are traps");
    assert!(names.share() >= 0.93, "names {:.3}", names.share());
    assert!(others.share() >= 0.98, "structured identifiers {:.3}", others.share());
    assert!(false_spans * 100 <= all_spans, "{false_spans} of {all_spans}");
    assert!(hurt_traps * 100 <= traps, "{hurt_traps} of {traps}");
}

#[test]
fn masking_a_masked_corpus_changes_nothing() {
    let mut masker =
        Masker::new(Arc::new(PersonLexicon::build(&crate::config::shipped_persons().expect("sound lists"))));
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    let all: Vec<String> = lines().into_iter().map(|line| line.text).collect();
    for text in all.iter().cloned().chain(all.windows(3).map(|three| three.join(" "))) {
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        tokenize(&text, &mut words, &mut tokens);
        masker.mask_into(&text, &words, &tokens, &mut once);
        let once = String::from_utf8(once).expect("text");
        tokenize(&once, &mut words, &mut tokens);
        masker.mask_into(&once, &words, &tokens, &mut twice);
        assert_eq!(String::from_utf8(twice).expect("text"), once, "«{text}»");
    }
}
