//! Reads `pipelines/reference/tone.toml`. Owner: `config`. Invariant: a folder without the file has the lists that came
//! with the binary.

use super::errors::{ConfigErrors, Errors};
use super::reader::{Document, Table};
use crate::enrich::phrases::PhraseLists;
use crate::enrich::tone::{GROUPS, ToneBook, ToneLists};

const SHIPPED: &str = include_str!("../../pipelines/reference/tone.toml");

/// The lists that came with the binary.
pub fn shipped_tone() -> Result<ToneLists, ConfigErrors> {
    let errors = Errors::default();
    let lists = read_or_shipped(None, &errors);
    errors.into_result()?;
    Ok(lists)
}

/// The lists of a file, or those that came with the binary.
pub fn read_or_shipped(file: Option<(&str, &str)>, errors: &Errors) -> ToneLists {
    let (name, text) = file.unwrap_or(("tone.toml (built in)", SHIPPED));
    Document::read(name, text, errors, |root| {
        root.require("version", "the number of this state of the lists");
        root.integer::<u16>("version", 1..=60_000);
        let (limits, weights) = (root.table("limits"), root.table("weights"));
        let lists = ToneLists {
            kind: groups(&root.table("phrases"), &GROUPS[..9]),
            urgency: groups(&root.table("urgency"), &GROUPS[9..15]),
            emotion: groups(&root.table("emotion"), &GROUPS[15..18]),
            empty: root.table("empty").texts("words"),
            weights: GROUPS[1..9]
                .iter()
                .map(|group| ((*group).to_owned(), weights.integer(group, 0..=100).unwrap_or(0)))
                .collect(),
            enough_words: limits.integer("enough_words", 1..=50).unwrap_or(2),
            shouting_percent: limits.integer("shouting_percent", 1..=100).unwrap_or(40),
        };
        if let Err(problem) = ToneBook::build(&lists) {
            root.refuse_whole(problem.to_string(), "words apart by blanks; =word for one form, word* for a beginning");
        }
        lists
    })
}

fn groups(table: &Table, names: &[&'static str]) -> PhraseLists {
    names.iter().map(|name| ((*name).to_owned(), table.texts(name))).collect()
}
