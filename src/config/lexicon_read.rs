//! Reads `pipelines/reference/lexicon/*.toml`. Owner: `config`. A pattern is words with a blank between them: `дорога` is
//! the word in any form, `асфальт*` any word that begins so, `=мост` this form only, `яма|выбоина` one of several,
//! `@clean` a set of `common.toml`. What the entries say about each other is checked by `lexicon_checks.rs`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::errors::Errors;
use super::lexicon::*;
use super::lexicon_checks;
use super::reader::{Document, Item, Table, did_you_mean};
use super::reference::Reference;
use crate::text::{fold, stem_word};

/// The file with what all blocks share.
const COMMON: &str = "common";
const PATTERN: &str = "words with a blank between them, each `слово`, `нач*`, `=форма`, `одно|другое` or `@set`";
const LEVELS: &str = "against | weak | usual | strong | decisive";

/// A file of the folder: its stem, its name for messages, its text.
pub struct LexiconFile<'a> {
    pub stem: &'a str,
    pub name: &'a str,
    pub text: &'a str,
}

/// What patterns may refer to.
#[derive(Default)]
struct Sets {
    terms: BTreeMap<String, Slot>,
    used: RefCell<BTreeSet<String>>,
}

pub fn read(files: &[LexiconFile], reference: &Reference, errors: &Errors) -> LexiconSpec {
    let mut spec = LexiconSpec::default();
    if files.is_empty() {
        return spec;
    }
    let mut sets = Sets::default();
    match files.iter().find(|file| file.stem == COMMON) {
        Some(file) => Document::read(file.name, file.text, errors, |root| common(root, &mut spec, &mut sets)),
        None => errors.add_whole(files[0].name, "", "there is no common.toml beside it", "common.toml with [levels]"),
    }
    for file in files.iter().filter(|file| file.stem != COMMON) {
        Document::read(file.name, file.text, errors, |root| {
            if let Some(words) = block(root, file, reference, &sets) {
                spec.blocks.push(words);
            }
        });
    }
    if let Some(file) = files.iter().find(|file| file.stem == COMMON) {
        for name in sets.terms.keys().filter(|name| !sets.used.borrow().contains(*name)) {
            let key = format!("sets.{name}");
            errors.add_whole(file.name, &key, "no entry uses this set", "a set that some pattern names as @set");
        }
    }
    lexicon_checks::check(&spec, errors);
    spec
}

fn common(root: &Table, spec: &mut LexiconSpec, sets: &mut Sets) {
    root.require("version", "a whole number that grows with every change")
        .and_then(|item| item.integer::<u32>(1..=1_000_000));
    let levels = root.table("levels");
    for (place, level) in Level::ALL.into_iter().enumerate() {
        let range = if level == Level::Against { -20.0..=0.0 } else { 0.0..=20.0 };
        let number = levels.require(level.name(), "a number from 0 to 20, or down to -20 for against");
        spec.levels[place] = number.and_then(|item| item.number(range)).unwrap_or_default();
    }
    drop(levels);
    let scoring = root.table("scoring");
    spec.gap = scoring.integer("gap", 0..=20).unwrap_or(3);
    spec.lead_words = scoring.integer("lead_words", 0..=1000).unwrap_or(0);
    spec.lead_gain = scoring.number("lead_gain", 0.0..=4.0).unwrap_or(0.0);
    spec.threshold = scoring.number("threshold", 0.0..=1.0).unwrap_or(0.0);
    spec.sharpness = scoring.number("sharpness", 0.01..=100.0).unwrap_or(1.0);
    spec.share_weight = scoring.number("share_weight", 0.0..=10.0).unwrap_or(1.0);
    drop(scoring);
    for (name, item) in root.table("sets").entries() {
        let terms = item.list().into_iter().filter_map(|element| {
            let text = element.text()?;
            term(text.trim(), &element)
        });
        let slot = slot_of(terms.collect());
        if slot.0.is_empty() {
            item.refuse("has no words", "a list of words");
        }
        sets.terms.insert(name, slot);
    }
    let negation = root.table("negation");
    spec.negation_reach = negation.integer("reach", 0..=20).unwrap_or(2);
    let phrases = negation.item("phrases").map_or_else(Vec::new, |item| item.list());
    spec.negations = phrases.iter().filter_map(|item| pattern(&item.text()?, item, sets)).collect();
}

fn block(root: &Table, file: &LexiconFile, reference: &Reference, sets: &Sets) -> Option<BlockWords> {
    let version = root
        .require("version", "a whole number that grows with every change")
        .and_then(|item| item.integer(1..=1_000_000));
    let item = root.require("block", "the code of a block")?;
    let code = item.text()?;
    let found = reference.blocks.iter().position(|block| block.code == code);
    let Some(index) = found else {
        let hint = did_you_mean(&code, reference.blocks.iter().map(|block| block.code.as_str()));
        item.refuse(format!("there is no block {code:?}{hint}"), "the code of a block of blocks.toml");
        return None;
    };
    if file.stem != code {
        item.refuse(format!("{code:?} is not the name of the file"), "one file a block, named by its code");
    }
    let share =
        root.require("share", "the share of all texts expected here").and_then(|item| item.number(0.0001..=1.0));
    let mut words = BlockWords {
        block: index as u32,
        version: version.unwrap_or(1),
        share: share.unwrap_or(0.01),
        entries: Vec::new(),
        rules: Vec::new(),
    };
    entries(root, None, sets, &mut words.entries);
    for table in root.tables("topic") {
        let topic = table
            .require("code", "the code of a topic of this block")
            .and_then(|item| topic_of(&item, &words, reference));
        let before = words.entries.len();
        entries(&table, topic, sets, &mut words.entries);
        if words.entries.len() == before {
            table.refuse_whole("has no words", "at least one of decisive, strong, usual, weak");
        }
    }
    for table in root.tables("rule") {
        if let Some(rule) = rule(&table, &words, reference, sets) {
            words.rules.push(rule);
        }
    }
    Some(words)
}

fn topic_of(item: &Item, words: &BlockWords, reference: &Reference) -> Option<u32> {
    let code = item.text()?;
    let found = reference.topics.iter().position(|topic| topic.code == code && topic.block == words.block);
    if found.is_none() {
        let known = reference.topics.iter().filter(|topic| topic.block == words.block).map(|topic| topic.code.as_str());
        let hint = did_you_mean(&code, known);
        item.refuse(
            format!("this block has no topic {code:?}{hint}"),
            "the code of a topic of topics.toml with this block",
        );
    }
    found.map(|index| index as u32)
}

fn entries(table: &Table, topic: Option<u32>, sets: &Sets, entries: &mut Vec<Entry>) {
    // The strongest first, so that a weaker repetition is the one that is reported.
    for level in Level::ALL.into_iter().rev() {
        let Some(list) = table.item(level.name()) else { continue };
        for item in list.list() {
            let Some(written) = item.text() else { continue };
            if let Some(pattern) = pattern(&written, &item, sets) {
                entries.push(Entry { topic, level, pattern, written, place: item.place() });
            }
        }
    }
}

fn rule(table: &Table, words: &BlockWords, reference: &Reference, sets: &Sets) -> Option<Rule> {
    let name = table.require_text("name");
    let topic = table.item("topic").and_then(|item| topic_of(&item, words, reference));
    let levels: Vec<(&str, Level)> = Level::ALL.iter().map(|level| (level.name(), *level)).collect();
    let level = table.require("level", LEVELS).and_then(|item| item.choice(&levels));
    let slots = |key| -> Vec<Slot> {
        let items = table.item(key).map_or_else(Vec::new, |item| item.list());
        items.iter().filter_map(|item| slot(item.text()?.trim(), item, sets)).collect()
    };
    let all = slots("all");
    let merged = |slots: Vec<Slot>| {
        let terms: Vec<Term> = slots.into_iter().flat_map(|slot| slot.0).collect();
        if terms.is_empty() { None } else { Some(slot_of(terms)) }
    };
    let (any, none) = (merged(slots("any")), merged(slots("none")));
    if all.is_empty() {
        table.refuse("all", "has no words", "at least one word that must be there");
        return None;
    }
    let within = table.integer("within", 1..=1000);
    let mut against = Vec::new();
    for item in table.item("against").map_or_else(Vec::new, |item| item.list()) {
        let Some(code) = item.text() else { continue };
        match reference.blocks.iter().position(|block| block.code == code) {
            Some(index) if index as u32 != words.block => against.push(index as u32),
            Some(_) => item.refuse("is the block of the rule itself", "other blocks"),
            None => item.refuse(format!("there is no block {code:?}"), "the code of a block of blocks.toml"),
        }
    }
    let place = table.item("level").map(|item| item.place())?;
    Some(Rule { name: name?, topic, level: level?, all, any, none, within, against, place })
}

fn pattern(written: &str, item: &Item, sets: &Sets) -> Option<Pattern> {
    let slots: Option<Vec<Slot>> = written.split_whitespace().map(|part| slot(part, item, sets)).collect();
    let slots = slots?;
    if slots.len() > 8 {
        item.refuse("has more than 8 words", "a phrase of up to 8 words; leave out what does not matter");
        return None;
    }
    Some(Pattern(slots))
}

/// One place: alternatives with `|` between them.
fn slot(written: &str, item: &Item, sets: &Sets) -> Option<Slot> {
    let mut terms = Vec::new();
    for part in written.split('|') {
        match part.strip_prefix('@') {
            Some(name) => match sets.terms.get(name) {
                Some(set) => {
                    sets.used.borrow_mut().insert(name.to_owned());
                    terms.extend(set.0.iter().cloned());
                }
                None => {
                    let hint = did_you_mean(name, sets.terms.keys().map(String::as_str));
                    item.refuse(format!("there is no set {name:?}{hint}"), "a set of common.toml");
                    return None;
                }
            },
            None => terms.push(term(part, item)?),
        }
    }
    Some(slot_of(terms))
}

fn slot_of(mut terms: Vec<Term>) -> Slot {
    terms.sort();
    terms.dedup();
    Slot(terms)
}

fn term(written: &str, item: &Item) -> Option<Term> {
    let (marked, bare) = match written.strip_prefix('=') {
        Some(bare) => (true, bare),
        None => (false, written),
    };
    let prefix = bare.strip_suffix('*');
    let word = fold(prefix.unwrap_or(bare));
    let sound =
        !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '-') && !(marked && prefix.is_some());
    if !sound {
        item.refuse(format!("{written:?} is not a word of a pattern"), PATTERN);
        return None;
    }
    if prefix.is_some_and(|_| word.chars().count() < 3) {
        item.refuse(format!("{written:?} begins too many words"), "at least three letters before the star");
        return None;
    }
    Some(match (marked, prefix) {
        (true, _) => Term::Form(word),
        (false, Some(_)) => Term::Prefix(word),
        (false, None) => Term::Stem(stem_word(&word)),
    })
}
