//! Reads `pipelines/reference/names.toml` into the lists the masker knows people by. Owner: `config`. Invariant: a folder
//! without the file has the lists that came with the binary: masking is never weaker because a file was forgotten.

use super::errors::{ConfigErrors, Errors};
use super::reader::{Document, Table};
use crate::enrich::mask::PersonLists;

const SHIPPED: &str = include_str!("../../pipelines/reference/names.toml");

/// The lists that came with the binary.
pub fn shipped_persons() -> Result<PersonLists, ConfigErrors> {
    let errors = Errors::default();
    let lists = read("names.toml (built in)", SHIPPED, &errors);
    errors.into_result()?;
    Ok(lists)
}

/// The lists of a file, or those that came with the binary.
pub fn read_or_shipped(file: Option<(&str, &str)>, errors: &Errors) -> PersonLists {
    let (name, text) = file.unwrap_or(("names.toml (built in)", SHIPPED));
    read(name, text, errors)
}

fn read(file: &str, text: &str, errors: &Errors) -> PersonLists {
    Document::read(file, text, errors, |root| {
        root.require("version", "the number of this state of the lists");
        root.integer::<u16>("version", 1..=60_000);
        let (given, patronymics, words) = (root.table("given"), root.table("patronymics"), root.table("words"));
        let irregular = given.table("irregular").entries();
        PersonLists {
            male: names(&given, "male"),
            female: names(&given, "female"),
            short: given.texts("short"),
            ambiguous: given.texts("ambiguous"),
            irregular: irregular.into_iter().map(|(name, cases)| (name, cases.texts())).collect(),
            patronymics_male: patronymics.texts("male"),
            patronymics_female: patronymics.texts("female"),
            tails: patronymics.texts("tails"),
            words: PersonLists::CLASSES.iter().map(|class| ((*class).to_owned(), words.texts(class))).collect(),
        }
    })
}

/// A list that must not be empty, of words in Russian letters.
fn names(table: &Table, key: &'static str) -> Vec<String> {
    let names = table.texts(key);
    let odd = names.iter().find(|name| !name.chars().all(|letter| matches!(letter, 'А'..='я' | 'ё' | 'Ё' | '-')));
    if let Some(odd) = odd {
        table.refuse(key, format!("{odd:?} is not a name in Russian letters"), "given names in the nominative");
    } else if names.is_empty() {
        table.refuse_missing(key, "no names", "given names in the nominative; without them names are not masked");
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_lists_are_sound() {
        let lists = shipped_persons().expect("sound");
        assert!(lists.male.len() > 100 && lists.female.len() > 100);
        assert!(lists.words.iter().all(|(class, words)| !words.is_empty() || panic!("{class} is empty")));
    }

    #[test]
    fn a_mistake_in_the_lists_names_file_and_key() {
        let errors = Errors::default();
        let text = "version = 1\n[given]\nmale = [\"Ivan\"]\nfemale = []\n[words]\nrole = []\n";
        read("names.toml", text, &errors);
        let problems = errors.into_result().expect_err("three mistakes").to_string();
        for part in ["names.toml:3", "given.male", "Ivan", "given.female", "words.role"] {
            assert!(problems.contains(part), "{part} in {problems}");
        }
    }
}
