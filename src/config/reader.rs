//! Reads a TOML text into typed values and keeps going after a mistake (serde would stop at the first).
//! Owner: `config`. A getter returns `None` for what is absent or wrong; what is wrong is in `Errors` then. A `Table`
//! knows which keys were asked for and, when dropped, reports all others: no reader can forget to refuse an unknown key.
//! Invariant: a mistake is reported with the line it stands on; what is missing, with the line of its table.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::errors::{ConfigError, Errors, Place};
use super::units;

/// One file while it is read.
pub struct Document<'e> {
    file: String,
    line_starts: Vec<usize>,
    /// Lines that are not TOML. What the parser made of them is not judged again, and nothing is called missing.
    broken_lines: BTreeSet<usize>,
    errors: &'e Errors,
}

impl<'e> Document<'e> {
    /// Parses `text` and hands its root to `read`.
    pub fn read<T>(file: &str, text: &str, errors: &'e Errors, read: impl FnOnce(&Table) -> T) -> T {
        let (root, mistakes) = DeTable::parse_recoverable(text);
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let mut document = Document {
            file: file.to_owned(),
            line_starts,
            broken_lines: BTreeSet::new(),
            errors,
        };
        for mistake in mistakes {
            let line = document.line_of(mistake.span().unwrap_or(0..0));
            // One broken line often gives several parser messages; the first is the cause.
            if document.broken_lines.insert(line) {
                document.report(
                    line,
                    "",
                    format!("not TOML: {}", mistake.message()),
                    "TOML 1.0, see https://toml.io",
                );
            }
        }
        read(&Table::new(&document, String::new(), 1, Some(root.get_ref())))
    }

    fn line_of(&self, span: Range<usize>) -> usize {
        self.line_starts.partition_point(|start| *start <= span.start)
    }

    fn report(&self, line: usize, key: &str, problem: impl Into<String>, allowed: impl Into<String>) {
        self.errors.add(ConfigError {
            file: self.file.clone(),
            line,
            key: key.to_owned(),
            problem: problem.into(),
            allowed: allowed.into(),
        });
    }

    fn refuse(&self, line: usize, key: &str, problem: impl Into<String>, allowed: impl Into<String>) {
        if !self.broken_lines.contains(&line) {
            self.report(line, key, problem, allowed);
        }
    }
}

/// One table, or the absence of one: an absent table has no keys, so what it must have is reported as missing.
pub struct Table<'t> {
    document: &'t Document<'t>,
    path: String,
    line: usize,
    entries: Option<&'t DeTable<'t>>,
    known: RefCell<Vec<&'static str>>,
    /// The keys are the user's own (word maps); none is unknown.
    open: std::cell::Cell<bool>,
}

/// One value with its place.
#[derive(Clone)]
pub struct Item<'t> {
    document: &'t Document<'t>,
    /// Key path, as messages show it.
    pub path: String,
    pub line: usize,
    value: &'t DeValue<'t>,
}

impl<'t> Table<'t> {
    fn new(document: &'t Document<'t>, path: String, line: usize, entries: Option<&'t DeTable<'t>>) -> Table<'t> {
        Table {
            document,
            path,
            line,
            entries,
            known: RefCell::default(),
            open: std::cell::Cell::new(false),
        }
    }

    pub fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    fn child(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The value of a key, which counts as known from now on.
    pub fn item(&self, key: &'static str) -> Option<Item<'t>> {
        self.known.borrow_mut().push(key);
        let value = self.entries?.get(key)?;
        let line = self.document.line_of(value.span());
        Some(Item {
            document: self.document,
            path: self.child(key),
            line,
            value: value.get_ref(),
        })
    }

    /// Like `item`, but its absence is a mistake.
    pub fn require(&self, key: &'static str, allowed: &str) -> Option<Item<'t>> {
        let item = self.item(key);
        if item.is_none() {
            self.refuse_missing(key, "is missing", allowed);
        }
        item
    }

    /// A table inside this one; an absent one is empty.
    pub fn table(&self, key: &'static str) -> Table<'t> {
        match self.item(key) {
            None => Table::new(self.document, self.child(key), self.line, None),
            Some(item) => item
                .table()
                .unwrap_or_else(|| Table::new(self.document, item.path, item.line, None)),
        }
    }

    /// The tables `[[key]]`.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'t>> {
        self.item(key).map_or_else(Vec::new, |item| {
            item.list().into_iter().filter_map(|element| element.table()).collect()
        })
    }

    /// All entries in the order of the file, for tables whose keys are the user's own.
    pub fn entries(&self) -> Vec<(String, Item<'t>)> {
        self.open.set(true);
        let mut entries: Vec<_> = self.entries.into_iter().flat_map(|table| table.iter()).collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let located = entries.into_iter().map(|(key, value)| {
            let line = self.document.line_of(value.span());
            let path = self.child(&quoted_if_needed(key.get_ref()));
            (
                key.get_ref().to_string(),
                Item {
                    document: self.document,
                    path,
                    line,
                    value: value.get_ref(),
                },
            )
        });
        located.collect()
    }

    /// Refuses what a key says together with others. `key` need not be there; the table's line stands in.
    pub fn refuse(&self, key: &str, problem: impl Into<String>, allowed: impl Into<String>) {
        let value = self.entries.and_then(|entries| entries.get(key));
        let line = value.map_or(self.line, |value| self.document.line_of(value.span()));
        self.document.refuse(line, &self.child(key), problem, allowed);
    }

    /// Refuses the table itself.
    pub fn refuse_whole(&self, problem: impl Into<String>, allowed: impl Into<String>) {
        self.document.refuse(self.line, &self.path, problem, allowed);
    }

    /// For keys that must be there because of what others say.
    pub fn refuse_missing(&self, key: &str, problem: impl Into<String>, allowed: impl Into<String>) {
        if self.document.broken_lines.is_empty() {
            self.document.report(self.line, &self.child(key), problem, allowed);
        }
    }

    /// No mistake was found in this key so far, so it may be compared with others.
    pub fn is_sound(&self, key: &str) -> bool {
        !self.document.errors.mentions(&self.document.file, &self.child(key))
    }

    pub fn text(&self, key: &'static str) -> Option<String> {
        self.item(key)?.text()
    }

    /// A text that is not blank.
    pub fn require_text(&self, key: &'static str) -> Option<String> {
        self.require(key, "a text that is not empty")?.text()
    }

    pub fn texts(&self, key: &'static str) -> Vec<String> {
        self.item(key).map_or_else(Vec::new, |item| item.texts())
    }

    pub fn integer<T: TryFrom<i64>>(&self, key: &'static str, range: RangeInclusive<i64>) -> Option<T> {
        self.item(key)?.integer(range)
    }

    pub fn number(&self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        self.item(key)?.number(range)
    }

    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.item(key)?.boolean()
    }

    pub fn duration(&self, key: &'static str, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.item(key)?.duration(range)
    }

    pub fn size(&self, key: &'static str, range: RangeInclusive<usize>) -> Option<usize> {
        self.item(key)?.size(range)
    }

    pub fn choice<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.item(key)?.choice(words)
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        let Some(entries) = self.entries.filter(|_| !self.open.get()) else {
            return;
        };
        let known = self.known.borrow();
        for (key, value) in entries {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let line = self.document.line_of(value.span());
                let problem = format!("unknown key{}", did_you_mean(name, known.iter().copied()));
                self.document
                    .refuse(line, &self.child(&quoted_if_needed(name)), problem, known.join(", "));
            }
        }
    }
}

impl<'t> Item<'t> {
    pub fn refuse(&self, problem: impl Into<String>, allowed: impl Into<String>) {
        self.document.refuse(self.line, &self.path, problem, allowed);
    }

    /// For mistakes that are found when the file is closed again.
    pub fn place(&self) -> Place {
        Place {
            file: self.document.file.clone(),
            line: self.line,
            key: self.path.clone(),
        }
    }

    fn wrong_type(&self, wanted: &str) {
        self.refuse(format!("is {}", a_kind(self.value)), wanted);
    }

    pub fn is_text(&self) -> bool {
        self.value.is_str()
    }

    pub fn is_table(&self) -> bool {
        self.value.is_table()
    }

    pub fn is_list(&self) -> bool {
        self.value.is_array()
    }

    pub fn text(&self) -> Option<String> {
        match self.value.as_str() {
            Some(text) if !text.trim().is_empty() => return Some(text.to_owned()),
            Some(_) => self.refuse("is empty", "a text that is not empty"),
            None => self.wrong_type("a text in quotes"),
        }
        None
    }

    /// A text, number or truth value as text (for values that go on to a library as they are).
    pub fn scalar(&self) -> Option<String> {
        match self.value {
            DeValue::String(text) => Some(text.to_string()),
            DeValue::Integer(number) => Some(number.to_string()),
            DeValue::Float(number) => Some(number.as_str().to_owned()),
            DeValue::Boolean(value) => Some(value.to_string()),
            _ => {
                self.wrong_type("a text, a number, true or false");
                None
            }
        }
    }

    /// A date of TOML, quoted or not, as text.
    pub fn text_or_date(&self) -> Option<String> {
        match self.value {
            DeValue::Datetime(date) => Some(date.to_string()),
            _ => self.text(),
        }
    }

    /// A list of texts, or one text. The empty text is allowed here: it is a word of some sources.
    pub fn texts(&self) -> Vec<String> {
        if let Some(text) = self.value.as_str() {
            return vec![text.to_owned()];
        }
        let texts = self.list().into_iter().filter_map(|item| match item.value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                item.wrong_type("a text in quotes");
                None
            }
        });
        texts.collect()
    }

    /// The elements of a list; their paths are `key[0]`, `key[1]`…
    pub fn list(&self) -> Vec<Item<'t>> {
        let Some(array) = self.value.as_array() else {
            self.wrong_type("a list in [ ]");
            return Vec::new();
        };
        let items = array.iter().enumerate().map(|(index, element)| Item {
            document: self.document,
            path: format!("{}[{index}]", self.path),
            line: self.document.line_of(element.span()),
            value: element.get_ref(),
        });
        items.collect()
    }

    pub fn table(&self) -> Option<Table<'t>> {
        let entries = self.value.as_table();
        if entries.is_none() {
            self.wrong_type("a table");
        }
        entries.map(|entries| Table::new(self.document, self.path.clone(), self.line, Some(entries)))
    }

    pub fn integer<T: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Option<T> {
        let allowed = format!("a whole number from {} to {}", range.start(), range.end());
        let Some(integer) = self.value.as_integer() else {
            self.wrong_type(&allowed);
            return None;
        };
        let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let value = value
            .filter(|value| range.contains(value))
            .and_then(|value| T::try_from(value).ok());
        if value.is_none() {
            self.refuse(format!("{integer} is out of range"), allowed);
        }
        value
    }

    pub fn number(&self, range: RangeInclusive<f64>) -> Option<f64> {
        let allowed = format!("a number from {:?} to {:?}", range.start(), range.end());
        let written = match self.value {
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Integer(integer) => integer.as_str().to_owned(),
            _ => {
                self.wrong_type(&allowed);
                return None;
            }
        };
        let value = written.parse::<f64>().ok().filter(|value| range.contains(value));
        if value.is_none() {
            self.refuse(format!("{written} is out of range"), allowed);
        }
        value
    }

    pub fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.wrong_type("true | false");
        }
        value
    }

    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let (from, to) = (units::show_duration(*range.start()), units::show_duration(*range.end()));
        self.unit(
            units::parse_duration,
            &range,
            &format!("a time like \"500ms\", \"1s\", \"5m\", \"3h\", \"90d\", from {from} to {to}"),
        )
    }

    pub fn size(&self, range: RangeInclusive<usize>) -> Option<usize> {
        let (from, to) = (units::show_size(*range.start()), units::show_size(*range.end()));
        self.unit(
            units::parse_size,
            &range,
            &format!("a size like \"64KiB\", \"16MiB\", \"1GiB\", from {from} to {to}"),
        )
    }

    fn unit<T: PartialOrd>(&self, parse: fn(&str) -> Option<T>, range: &RangeInclusive<T>, allowed: &str) -> Option<T> {
        let Some(text) = self.value.as_str() else {
            self.wrong_type(allowed);
            return None;
        };
        match parse(text) {
            Some(value) if range.contains(&value) => return Some(value),
            Some(_) => self.refuse(format!("{text:?} is out of range"), allowed),
            None => self.refuse(format!("{text:?} has no meaning here"), allowed),
        }
        None
    }

    /// One of a closed list of words.
    pub fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let allowed = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" | ");
        let Some(text) = self.value.as_str() else {
            self.wrong_type(&allowed);
            return None;
        };
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let hint = did_you_mean(text, words.iter().map(|(word, _)| *word));
            self.refuse(format!("{text:?} is not a word of this list{hint}"), allowed);
        }
        found
    }
}

/// The words of a closed vocabulary of `model::words`, for `choice`.
pub fn words<T: Copy>(all: &'static [T], name: fn(T) -> &'static str) -> Vec<(&'static str, T)> {
    all.iter().map(|word| (name(*word), *word)).collect()
}

/// `; did you mean "x"?` when a candidate is near enough, else nothing.
pub fn did_you_mean<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let written = written.to_lowercase();
    let limit = (written.chars().count() / 3).min(3);
    let nearest = candidates
        .map(|name| (edits(&written, &name.to_lowercase()), name))
        .min();
    match nearest {
        Some((distance, name)) if distance <= limit => format!("; did you mean \"{name}\"?"),
        _ => String::new(),
    }
}

/// Edit distance in letters; two neighbours swapped are one edit, as fingers do it.
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

fn quoted_if_needed(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { format!("{key:?}") }
}

fn a_kind(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
