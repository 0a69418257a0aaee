//! Reads `pipelines/reference/answer_quality.toml`. Owner: `config`. Invariant: a folder without the file has the lists and
//! weights that came with the binary.

use super::errors::{ConfigErrors, Errors};
use super::reader::Document;
use crate::enrich::answer::{AnswerBook, AnswerLists, PHRASES, SIGNS};

const SHIPPED: &str = include_str!("../../pipelines/reference/answer_quality.toml");

/// The lists that came with the binary.
pub fn shipped_answer_quality() -> Result<AnswerLists, ConfigErrors> {
    let errors = Errors::default();
    let lists = read_or_shipped(None, &errors);
    errors.into_result()?;
    Ok(lists)
}

/// The lists of a file, or those that came with the binary.
pub fn read_or_shipped(file: Option<(&str, &str)>, errors: &Errors) -> AnswerLists {
    let (name, text) = file.unwrap_or(("answer_quality.toml (built in)", SHIPPED));
    Document::read(name, text, errors, |root| {
        root.require("version", "the number of this state of the lists");
        root.integer::<u16>("version", 1..=60_000);
        let (weights, limits, phrases) = (root.table("weights"), root.table("limits"), root.table("phrases"));
        let mut lists = AnswerLists {
            phrases: PHRASES.iter().map(|group| ((*group).to_owned(), phrases.texts(group))).collect(),
            short_words: limits.integer("short_words", 0..=1000).unwrap_or(15),
            laws_per_hundred: limits.integer("laws_per_hundred", 1..=100).unwrap_or(5),
            officialese_per_hundred: limits.integer("officialese_per_hundred", 1..=100).unwrap_or(4),
            empty_below: limits.integer("empty_below", 0..=100).unwrap_or(50),
            ..AnswerLists::default()
        };
        for (weight, sign) in lists.weights.iter_mut().zip(SIGNS) {
            *weight = weights.integer(sign, 0..=100).unwrap_or(0);
        }
        if let Err(problem) = AnswerBook::build(&lists) {
            root.refuse_whole(problem.to_string(), "words apart by blanks; =word for one form, word* for a beginning");
        }
        lists
    })
}
