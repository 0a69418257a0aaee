//! What the entries of the lexicon say about each other: entries that can never speak, entries that contradict, rules
//! that can never hold. Owner: `config`. Invariant: everything reported names the entry it collides with.

use std::collections::HashMap;

use super::errors::{Errors, Place};
use super::lexicon::*;

pub fn check(spec: &LexiconSpec, errors: &Errors) {
    for words in &spec.blocks {
        dead_entries(words, errors);
        words.rules.iter().for_each(|rule| unreachable(rule, errors));
    }
    undecided(spec, errors);
}

/// A word speaks once for a topic, with its strongest entry; a phrase once.
fn dead_entries(words: &BlockWords, errors: &Errors) {
    let mut patterns: HashMap<(Option<u32>, &Pattern), &Place> = HashMap::new();
    let mut prefixes: HashMap<(Option<u32>, &str), (Level, &Place)> = HashMap::new();
    for entry in &words.entries {
        if let Some(first) = patterns.insert((entry.topic, &entry.pattern), &entry.place) {
            let problem = format!("{:?} is here already (line {})", entry.written, line_of(first));
            errors.add_at(&entry.place, problem, "one entry for a pattern and topic");
        }
        for term in single(entry) {
            if let Term::Prefix(prefix) = term {
                prefixes.entry((entry.topic, prefix)).or_insert((entry.level, &entry.place));
            }
        }
    }
    for entry in words.entries.iter().filter(|entry| entry.level != Level::Against) {
        for term in single(entry) {
            let (Term::Stem(word) | Term::Prefix(word) | Term::Form(word)) = term;
            let whole = matches!(term, Term::Prefix(_));
            let covered =
                word.char_indices().skip(1).map(|(at, _)| &word[..at]).chain((!whole).then_some(word.as_str()));
            for prefix in covered {
                let Some((level, place)) = prefixes.get(&(entry.topic, prefix)) else { continue };
                if *level >= entry.level && *place != &entry.place {
                    let problem =
                        format!("{:?} never speaks: {prefix}* (line {}) says as much", entry.written, line_of(place));
                    errors.add_at(&entry.place, problem, "a stronger level, or neither of the two");
                }
            }
        }
    }
}

/// The same word as strong evidence for two blocks decides nothing.
fn undecided(spec: &LexiconSpec, errors: &Errors) {
    let mut seen: HashMap<&Pattern, (u32, &Place)> = HashMap::new();
    for words in &spec.blocks {
        for entry in words.entries.iter().filter(|entry| entry.level >= Level::Strong) {
            match seen.get(&entry.pattern) {
                Some((block, first)) if *block != words.block => {
                    let problem = format!(
                        "{:?} is strong evidence for another block too ({}:{})",
                        entry.written,
                        first.file,
                        line_of(first)
                    );
                    errors.add_at(&entry.place, problem, "usual or weak in one of the two, or a longer phrase");
                }
                Some(_) => {}
                None => drop(seen.insert(&entry.pattern, (words.block, &entry.place))),
            }
        }
    }
}

fn unreachable(rule: &Rule, errors: &Errors) {
    if let Some(none) = &rule.none {
        let excluded = |slot: &Slot| slot.0.iter().all(|term| none.0.contains(term));
        if rule.all.iter().any(excluded) || rule.any.as_ref().is_some_and(excluded) {
            errors.add_at(
                &rule.place,
                format!("rule {:?} never holds: `none` has what it demands", rule.name),
                "other words",
            );
        }
    }
    let needed = rule.all.len() + usize::from(rule.any.is_some());
    if rule.within.is_some_and(|within| (within as usize) + 1 < needed) {
        let problem = format!("rule {:?} never holds: {needed} words cannot stand that near", rule.name);
        errors.add_at(&rule.place, problem, format!("within of at least {}", needed - 1));
    }
    if needed == 1 && rule.none.is_none() && rule.against.is_empty() {
        let problem = format!("rule {:?} is an entry: one condition and nothing against", rule.name);
        errors.add_at(&rule.place, problem, "an entry of the topic, or a second condition");
    }
}

fn single(entry: &Entry) -> &[Term] {
    match entry.pattern.0.as_slice() {
        [slot] => &slot.0,
        _ => &[],
    }
}

fn line_of(place: &Place) -> usize {
    place.line
}
