//! Reads a TOML text into typed values and keeps going after a mistake (serde would stop at the first).
//! Owner: `config`. A getter returns `None` for what is absent or wrong; what is wrong is in `Errors` then. A `Table`
//! knows which keys were asked for and, when dropped, reports all others: no reader can forget to refuse an unknown key.
//! Invariant: a mistake is reported with the line it stands on; what is missing, with the line of its table.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::de::DeTable;

use super::errors::{ConfigError, Errors};
pub use super::item::{Item, words};
pub use super::suggest::did_you_mean;

/// One file while it is read.
pub struct Document<'e> {
    pub(super) file: String,
    line_starts: Vec<usize>,
    /// Lines that are not TOML. What the parser made of them is not judged again, and nothing is called missing.
    broken_lines: BTreeSet<usize>,
    errors: &'e Errors,
}

impl<'e> Document<'e> {
    /// Parses `text` and hands its root to `read`.
    pub fn read<T>(file: &str, text: &str, errors: &'e Errors, read: impl FnOnce(&Table) -> T) -> T {
        let (root, mistakes) = DeTable::parse_recoverable(text);
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let mut document = Document { file: file.to_owned(), line_starts, broken_lines: BTreeSet::new(), errors };
        for mistake in mistakes {
            let line = document.line_of(mistake.span().unwrap_or(0..0));
            // One broken line often gives several parser messages; the first is the cause.
            if document.broken_lines.insert(line) {
                document.report(line, "", format!("not TOML: {}", mistake.message()), "TOML, see https://toml.io");
            }
        }
        read(&Table::new(&document, String::new(), 1, Some(root.get_ref())))
    }

    pub(super) fn line_of(&self, span: Range<usize>) -> usize {
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

    pub(super) fn refuse(&self, line: usize, key: &str, problem: impl Into<String>, allowed: impl Into<String>) {
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

impl<'t> Table<'t> {
    pub(super) fn new(
        document: &'t Document<'t>,
        path: String,
        line: usize,
        entries: Option<&'t DeTable<'t>>,
    ) -> Table<'t> {
        Table { document, path, line, entries, known: RefCell::default(), open: std::cell::Cell::new(false) }
    }

    pub fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    fn child(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key, which counts as known from now on.
    pub fn item(&self, key: &'static str) -> Option<Item<'t>> {
        self.known.borrow_mut().push(key);
        let value = self.entries?.get(key)?;
        let line = self.document.line_of(value.span());
        Some(Item { document: self.document, path: self.child(key), line, value: value.get_ref() })
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
            Some(item) => item.table().unwrap_or_else(|| Table::new(self.document, item.path, item.line, None)),
        }
    }

    /// The tables `[[key]]`.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'t>> {
        self.item(key)
            .map_or_else(Vec::new, |item| item.list().into_iter().filter_map(|element| element.table()).collect())
    }

    /// All entries in the order of the file, for tables whose keys are the user's own.
    pub fn entries(&self) -> Vec<(String, Item<'t>)> {
        self.open.set(true);
        let mut entries: Vec<_> = self.entries.into_iter().flat_map(|table| table.iter()).collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let located = entries.into_iter().map(|(key, value)| {
            let line = self.document.line_of(value.span());
            let path = self.child(&quoted_if_needed(key.get_ref()));
            (key.get_ref().to_string(), Item { document: self.document, path, line, value: value.get_ref() })
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
                self.document.refuse(line, &self.child(&quoted_if_needed(name)), problem, known.join(", "));
            }
        }
    }
}

fn quoted_if_needed(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { format!("{key:?}") }
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
