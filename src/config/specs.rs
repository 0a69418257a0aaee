//! Reads the files whose form another module owns as serde structs (calendars, policies) into the common list of
//! mistakes: what serde finds (one a file, it stops there), else all that the owner's own check finds.
//! Owner: `config`. Invariant: a message of the owner, `key: problem (allowed: …)`, gets the line of its key.

use serde::de::DeserializeOwned;

use super::errors::{ConfigError, Errors};
use super::files::ConfigFile;

/// The file as the owner's struct.
pub fn parse<S: DeserializeOwned>(file: &ConfigFile, errors: &Errors) -> Option<S> {
    let error = match toml::from_str::<S>(&file.text) {
        Ok(spec) => return Some(spec),
        Err(error) => error,
    };
    let start = error.span().map_or(0, |span| span.start.min(file.text.len()));
    let line = file.text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count() + 1;
    let (problem, allowed) = split_expected(error.message());
    errors.add(ConfigError { file: file.name.clone(), line, key: String::new(), problem, allowed });
    None
}

/// Serde's messages say what is allowed after `expected`.
fn split_expected(message: &str) -> (String, String) {
    let message = message.trim().replace('\n', " ");
    match message.split_once(", expected ") {
        Some((problem, allowed)) => (problem.to_owned(), allowed.trim_start_matches("one of ").replace('`', "")),
        None => (message, "see the comments of the shipped files".to_owned()),
    }
}

/// A message of the owner. Its key lies below line `after` of the file; `prefix` goes before the key that people see.
pub fn add(file: &ConfigFile, after: usize, prefix: &str, message: &str, errors: &Errors) {
    let (key, rest) = message.split_once(": ").unwrap_or(("", message));
    let (problem, allowed) = match rest.rsplit_once(" (allowed: ") {
        Some((problem, allowed)) => (problem, allowed.strip_suffix(')').unwrap_or(allowed)),
        None => (rest, ""),
    };
    errors.add(ConfigError {
        file: file.name.clone(),
        line: line_of(&file.text, after, key),
        key: format!("{prefix}{key}"),
        problem: problem.to_owned(),
        allowed: allowed.to_owned(),
    });
}

/// The line of the `count`-th (from 1) table `[[name]]`.
pub fn line_of_table(text: &str, name: &str, count: usize) -> usize {
    line_of(text, 0, &format!("{name}[{count}]"))
}

/// Follows a key like `year 2026.days_off` or `clock[2].goal` down the file: each part that begins a line after the one
/// before moves on to that line. `after` when no part does.
fn line_of(text: &str, after: usize, key: &str) -> usize {
    let mut found = after;
    for part in key.split(['.', ' ']).filter(|part| !part.is_empty()) {
        let (name, count) = match part.strip_suffix(']').and_then(|part| part.split_once('[')) {
            Some((name, count)) => (name, count.parse().unwrap_or(1)),
            None => (part, 1_usize),
        };
        let mut lines = text.lines().enumerate().skip(found).filter(|(_, line)| begins(line, name));
        found = lines.nth(count.saturating_sub(1)).map_or(found, |(index, _)| index + 1);
    }
    found
}

/// `[a.name]`, `[[a.name]]`, `name = …`, or `key = name` for a part that is a value.
fn begins(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('[') {
        let header = line.trim_matches(|c: char| matches!(c, '[' | ']') || c.is_whitespace());
        return header.rsplit('.').next() == Some(name);
    }
    let Some((key, value)) = line.split_once('=') else {
        return false;
    };
    let value = value.split('#').next().unwrap_or("").trim().trim_matches('"');
    key.trim() == name || value == name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_to_its_line() {
        let text = "name = \"r\"\n[[year]]\nyear = 2025\nshort = []\n[[year]]\nyear = 2026 # next\n\nshort = []\n[year.x]\ny = 1\n";
        assert_eq!(line_of(text, 0, "name"), 1);
        assert_eq!(line_of(text, 0, "year 2025.short"), 4);
        assert_eq!(line_of(text, 0, "year 2026.short"), 8);
        assert_eq!(line_of(text, 0, "x.y"), 10);
        assert_eq!(line_of_table(text, "year", 1), 2);
        assert_eq!(line_of(text, 0, "absent"), 0);
    }

    #[test]
    fn what_serde_expected_is_what_is_allowed() {
        let split = split_expected("unknown field `b`, expected one of `a`, `c`");
        assert_eq!(split, ("unknown field `b`".to_owned(), "a, c".to_owned()));
    }
}
