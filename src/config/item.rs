//! One value of a TOML file, turned into what is wanted or refused with what is allowed.
//! Owner: `config`; made by `reader.rs` only. Invariant: every getter that returns `None` has reported why.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::errors::Place;
use super::reader::{Document, Table};
use super::suggest::did_you_mean;
use super::units;

/// One value with its place.
#[derive(Clone)]
pub struct Item<'t> {
    pub(super) document: &'t Document<'t>,
    /// Key path, as messages show it.
    pub path: String,
    pub line: usize,
    pub(super) value: &'t DeValue<'t>,
}

impl<'t> Item<'t> {
    pub fn refuse(&self, problem: impl Into<String>, allowed: impl Into<String>) {
        self.document.refuse(self.line, &self.path, problem, allowed);
    }

    /// For mistakes that are found when the file is closed again.
    pub fn place(&self) -> Place {
        Place { file: self.document.file.clone(), line: self.line, key: self.path.clone() }
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
        let value = value.filter(|value| range.contains(value)).and_then(|value| T::try_from(value).ok());
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
