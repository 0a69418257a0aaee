//! Reads the files whose form another module owns as serde structs (calendars, policies) into the common list of
//! mistakes: what serde finds (one a file, it stops there), else all that the owner's own check finds.
//! Owner: `config`. Invariant: a message of the owner, `key: problem (allowed: …)`, gets the line of its key.

use serde::de::DeserializeOwned;

use super::errors::{ConfigError, Errors};
use super::files::{ConfigFile, Folder};

/// The sound files of one folder, by name. `check` gives every mistake of one file.
pub fn read<S: DeserializeOwned>(
    folder: &Folder,
    name: &str,
    errors: &Errors,
    check: impl Fn(&S) -> Vec<String>,
) -> Vec<S> {
    let mut specs = Vec::new();
    for file in folder.inside(name) {
        match toml::from_str::<S>(&file.text) {
            Ok(spec) => {
                check(&spec).iter().for_each(|message| add(file, message, errors));
                specs.push(spec);
            }
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start.min(file.text.len()));
                let line = file.text.as_bytes()[..start]
                    .iter()
                    .filter(|byte| **byte == b'\n')
                    .count()
                    + 1;
                let (problem, allowed) = split_expected(error.message());
                let error = ConfigError {
                    file: file.name.clone(),
                    line,
                    key: String::new(),
                    problem,
                    allowed,
                };
                errors.add(error);
            }
        }
    }
    specs
}

/// Serde's messages say what is allowed after `expected`.
fn split_expected(message: &str) -> (String, String) {
    let message = message.trim().replace('\n', " ");
    match message.split_once(", expected ") {
        Some((problem, allowed)) => (
            problem.to_owned(),
            allowed.trim_start_matches("one of ").replace('`', ""),
        ),
        None => (message, "see the comments of the shipped files".to_owned()),
    }
}

fn add(file: &ConfigFile, message: &str, errors: &Errors) {
    let (key, rest) = message.split_once(": ").unwrap_or(("", message));
    let (problem, allowed) = match rest.rsplit_once(" (allowed: ") {
        Some((problem, allowed)) => (problem, allowed.strip_suffix(')').unwrap_or(allowed)),
        None => (rest, ""),
    };
    errors.add(ConfigError {
        file: file.name.clone(),
        line: line_of(&file.text, key),
        key: key.to_owned(),
        problem: problem.to_owned(),
        allowed: allowed.to_owned(),
    });
}

/// Follows a key like `year 2026.days_off` or `office.monday.hours` down the file: each part that begins a line after
/// the one before moves on to that line. Zero when no part does.
fn line_of(text: &str, key: &str) -> usize {
    let mut found = 0;
    for part in key.split(['.', ' ']).filter(|part| !part.is_empty()) {
        let next = text
            .lines()
            .enumerate()
            .skip(usize::saturating_sub(found, 1))
            .find(|(_, line)| begins(line, part));
        found = next.map_or(found, |(index, _)| index + 1);
    }
    found
}

/// `[part]`, `[[part]]`, `part = …`, or `key = part` for a part that is a value.
fn begins(line: &str, part: &str) -> bool {
    let line = line.trim_start_matches(['[', ' ', '\t']);
    let named = line
        .strip_prefix(part)
        .is_some_and(|rest| rest.trim_start().starts_with([']', '=', '.']));
    let value = line
        .split_once('=')
        .map(|(_, value)| value.split('#').next().unwrap_or("").trim().trim_matches('"'));
    named || value == Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Spec {
        #[serde(rename = "year")]
        years: Vec<Year>,
    }

    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Year {
        year: u16,
        days_off: Vec<String>,
    }

    fn mistakes(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("calendars")).expect("made");
        std::fs::write(folder.path().join("calendars/r.toml"), text).expect("written");
        let errors = Errors::default();
        let files = Folder::read(folder.path(), &errors);
        read(&files, "calendars", &errors, |spec: &Spec| {
            let bad = spec.years.iter().filter(|year| year.days_off.is_empty());
            bad.map(|year| format!("year {}.days_off: empty (allowed: some days)", year.year))
                .collect()
        });
        let root = format!("{}/", folder.path().display());
        let list = errors.into_result().expect_err("mistakes");
        list.0
            .iter()
            .map(|error| error.to_string().replace(&root, ""))
            .collect()
    }

    #[test]
    fn a_mistake_the_owner_finds_gets_the_line_of_its_key() {
        let text = "[[year]]\nyear = 2025\ndays_off = [\"01-01\"]\n[[year]]\nyear = 2026 # next\n\ndays_off = []\n";
        assert_eq!(
            mistakes(text),
            ["calendars/r.toml:7: year 2026.days_off: empty (allowed: some days)"]
        );
    }

    #[test]
    fn a_key_serde_does_not_know_is_one_mistake_of_its_line() {
        let found = mistakes("[[year]]\nyear = 2025\ndays_of = []\n");
        assert_eq!(
            found,
            ["calendars/r.toml:3: unknown field `days_of` (allowed: year or days_off)"]
        );
    }
}
