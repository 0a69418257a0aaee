//! The header of a table and the rows under it as records: which column is which, what is left out, how a cell is written.
//! Owner: the reader of a table. Invariants: all cells are texts under the names of the header in its order, but for the columns
//! that the pipeline drops; a repeated name is read only where its columns agree; numbers and dates that a spreadsheet program
//! made of texts become what the pipeline reads, and nothing else is changed.

use std::borrow::Cow;

use super::{Row, RowError, Source};
use crate::config::pipeline::TimeFormat;
use crate::config::reader::did_you_mean;
use crate::publish::serial;

/// Titles, dates and empty rows above the header: at most so many.
const ROWS_ABOVE: usize = 50;

/// One cell of a table.
#[derive(Clone, PartialEq, Debug)]
pub enum Cell<'c> {
    Text(Cow<'c, str>),
    Number(f64),
    /// A number that the table shows as a date: days since the end of 1899.
    Serial(f64),
}

impl Cell<'_> {
    pub fn is_empty(&self) -> bool {
        matches!(self, Cell::Text(text) if text.trim().is_empty())
    }
}

/// What a pipeline reads from a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    /// The number of a case, or a count: `5.0` is 5.
    Number,
    Time(TimeFormat),
}

/// The columns of a table.
pub struct Header {
    names: Vec<String>,
    kinds: Vec<Kind>,
    /// `"name":` of each column, escaped once; `None` where the column is left out.
    prefixes: Vec<Option<Vec<u8>>>,
    keys: Vec<usize>,
    /// Columns of a name that is there twice, and the first column of that name.
    repeated: Vec<(usize, usize)>,
}

/// The name of a column as pipelines write it.
pub fn tidy(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Header {
    /// The names of a row if it is the header: it has a column of the key.
    pub fn of(source: &Source, cells: &[Cell<'_>]) -> Option<Header> {
        let mut names: Vec<String> = cells.iter().map(|cell| tidy(&plain(cell))).collect();
        while names.last().is_some_and(String::is_empty) {
            names.pop(); // lines that end with a delimiter
        }
        let keys: Vec<usize> =
            source.key_columns.iter().filter_map(|key| names.iter().position(|name| name == key)).collect();
        if keys.is_empty() {
            return None;
        }
        let (mut prefixes, mut kinds, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            kinds.push(source.kind_of(name));
            let first = names[..index].iter().position(|other| other == name);
            if let Some(first) = first.filter(|_| source.is_read(name)) {
                repeated.push((index, first));
            }
            // nobody can read a column without a name, and a record has each name once
            let is_left_out = name.is_empty() || first.is_some() || source.drop.contains(name);
            let mut prefix = Vec::new();
            push_json_text(&mut prefix, name);
            prefix.push(b':');
            prefixes.push((!is_left_out).then_some(prefix));
        }
        Some(Header { names, kinds, prefixes, keys, repeated })
    }

    /// Fills `row`. `false` for a header that comes again, as in files put together from several exports.
    pub fn fill(&self, source: &Source, line: u64, cells: &[Cell<'_>], row: &mut Row) -> Result<bool, RowError> {
        let width = self.names.len();
        let beyond = cells.iter().skip(width).any(|cell| !cell.is_empty());
        if cells.len() < width || beyond {
            let problem = format!("has {} cells, the header has {width}", cells.len());
            let remedy = "put cells that contain the delimiter or a line end in quotation marks";
            return Err(source.error(line, problem, remedy));
        }
        row.key.clear();
        row.payload.clear();
        let mut is_header = true;
        for (index, cell) in cells.iter().take(width).enumerate() {
            let text = self.text(index, cell);
            is_header &= tidy(&text) == self.names[index];
            if let Some(prefix) = &self.prefixes[index] {
                row.payload.push(if row.payload.is_empty() { b'{' } else { b',' });
                row.payload.extend_from_slice(prefix);
                push_json_text(&mut row.payload, &text);
            }
        }
        row.payload.push(b'}');
        if is_header {
            return Ok(false);
        }
        for (again, first) in &self.repeated {
            if self.text(*again, &cells[*again]).trim() != self.text(*first, &cells[*first]).trim() {
                let problem = format!("has two values under {:?}", self.names[*first]);
                let remedy = "the header has this name twice; rename the column that is not meant";
                return Err(source.error(line, problem, remedy));
            }
        }
        for key in &self.keys {
            let text = self.text(*key, &cells[*key]);
            if source.is_key(text.trim()) {
                row.key.extend_from_slice(text.trim().as_bytes());
                break;
            }
        }
        if row.key.is_empty() {
            return Err(source.no_key(line));
        }
        if row.payload.len() > source.max_record_bytes {
            let problem = format!("is {} bytes long as JSON", row.payload.len());
            return Err(source.error(line, problem, format!("at most {} are allowed", source.max_record_bytes)));
        }
        Ok(true)
    }

    pub fn width(&self) -> usize {
        self.names.len()
    }

    fn text<'c>(&self, index: usize, cell: &'c Cell<'_>) -> Cow<'c, str> {
        match self.kinds[index] {
            Kind::Text => plain(cell),
            Kind::Number => whole(plain(cell)),
            Kind::Time(format) => serial::as_time(cell, format).map_or_else(|| plain(cell), Cow::Owned),
        }
    }
}

/// A cell in a column that is read as text.
fn plain<'c>(cell: &'c Cell<'_>) -> Cow<'c, str> {
    match cell {
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Number(number) => Cow::Owned(serial::number(*number)),
        Cell::Serial(days) => Cow::Owned(serial::day_and_time(*days)),
    }
}

/// `327441806.0`, which tables make of a number, is `327441806`.
fn whole(text: Cow<'_, str>) -> Cow<'_, str> {
    let trimmed = text.trim();
    match trimmed.strip_suffix(".0") {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Cow::Owned(digits.to_owned())
        }
        _ => text,
    }
}

/// Collects the rows above a header until it comes.
#[derive(Default)]
pub struct Search {
    rows: usize,
    /// The row with most names so far, for the message that there is none.
    best: Option<(u64, Vec<String>)>,
}

impl Search {
    /// A row that is not the header.
    pub fn pass(&mut self, line: u64, cells: &[Cell<'_>]) {
        let names: Vec<String> = cells.iter().map(|cell| tidy(&plain(cell))).filter(|name| !name.is_empty()).collect();
        if self.best.as_ref().is_none_or(|(_, best)| names.len() > best.len()) {
            self.best = Some((line, names));
        }
        self.rows += 1;
    }

    /// So many rows were passed that no header will come.
    pub fn is_over(&self) -> bool {
        self.rows >= ROWS_ABOVE
    }

    /// The file, or the sheet, has no header.
    pub fn failed(self, source: &Source) -> RowError {
        let Some((line, names)) = self.best else {
            return source.error(1, "is empty", "the first row must name the columns");
        };
        let wanted = source.key_columns.join(" or ");
        let hint = did_you_mean(&wanted, names.iter().map(String::as_str));
        // a title of a report is no list of names; a header is short
        let shown: Vec<String> = names.iter().map(|name| name.chars().take(60).collect()).collect();
        let problem = format!("has no column {wanted:?}{hint}; it has: {}", shown.join(" | "));
        source.error(line, problem, "check the delimiter and the encoding, or the pipeline's case_id")
    }
}

/// `text` as a JSON string.
fn push_json_text(out: &mut Vec<u8>, text: &str) {
    // Writing a str into a Vec cannot fail.
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok());
}
