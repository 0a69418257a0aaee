//! Files into Kafka records, for `tsur publish`: CSV tables, XLSX workbooks and JSON lines, row by row, in bounded memory.
//! Owner: the command; Kafka is not known here. Invariants: a bad row is reported and the file goes on, a message never
//! quotes a cell (it may be personal), and the records of one case always get the same key.

mod csv_rows;
mod header;
mod json_rows;
mod serial;
mod xlsx_rows;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::pipeline::Pipeline;
use crate::model::words::Field;
use csv_rows::CsvRows;
use header::Kind;
use json_rows::JsonRows;
use xlsx_rows::XlsxRows;

/// One record to be sent. The buffers are used again for the next one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Row {
    pub key: Vec<u8>,
    /// One JSON object.
    pub payload: Vec<u8>,
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
}

/// Why a row, or a whole file, is not sent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{file}:{line}: {problem}; {remedy}")]
pub struct RowError {
    pub file: String,
    pub line: u64,
    pub problem: String,
    /// What to do about it.
    pub remedy: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    Csv,
    Xlsx,
    JsonLines,
}

impl FileKind {
    /// By the ending of the name.
    pub fn of(path: &Path) -> Option<FileKind> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Some(FileKind::Csv),
            "xlsx" | "xlsm" => Some(FileKind::Xlsx),
            "jsonl" | "ndjson" => Some(FileKind::JsonLines),
            _ => None,
        }
    }
}

/// How much of a file is taken.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'s> {
    /// The limit the pipeline itself has: a longer row would be rejected there.
    pub max_record_bytes: usize,
    /// The only sheet of a workbook to be read; all of them without one.
    pub sheet: Option<&'s str>,
}

/// Reads one file.
pub struct TableReader(Rows);

enum Rows {
    Csv(Box<CsvRows>),
    Xlsx(Box<XlsxRows>),
    Json(Box<JsonRows>),
}

impl TableReader {
    /// The kind follows from the name where it is not given.
    pub fn open(
        path: &Path,
        kind: Option<FileKind>,
        pipeline: &Pipeline,
        limits: Limits<'_>,
    ) -> Result<TableReader, RowError> {
        let name = path.display().to_string();
        let refuse = |problem: String, remedy: &str| RowError {
            file: name.clone(),
            line: 0,
            problem,
            remedy: remedy.to_owned(),
        };
        let kind = kind.or_else(|| FileKind::of(path)).ok_or_else(|| {
            refuse(
                "the kind of this file is not known".to_owned(),
                "name it .csv, .tsv, .txt, .xlsx, .jsonl or .ndjson, or give its format",
            )
        })?;
        let file = File::open(path)
            .map_err(|error| refuse(format!("cannot be opened: {error}"), "check the path and the permissions"))?;
        TableReader::from_input(&name, kind, Box::new(file), pipeline, limits)
    }

    /// The same for anything that can be read; `name` is for messages.
    pub fn from_input(
        name: &str,
        kind: FileKind,
        input: Box<dyn Read + Send>,
        pipeline: &Pipeline,
        limits: Limits<'_>,
    ) -> Result<TableReader, RowError> {
        let Limits { max_record_bytes, sheet } = limits;
        let source = Source {
            file: name.to_owned(),
            key_columns: pipeline.key_columns().to_vec(),
            drop: pipeline.table.as_ref().map_or_else(Vec::new, |table| table.drop.clone()),
            empty: pipeline.empty.clone(),
            columns: columns_of(pipeline),
            max_record_bytes,
        };
        let rows = match kind {
            FileKind::Csv => Rows::Csv(Box::new(CsvRows::new(source, input, pipeline.table.as_ref())?)),
            FileKind::Xlsx => Rows::Xlsx(Box::new(XlsxRows::new(source, input, sheet.map(str::to_owned))?)),
            FileKind::JsonLines => Rows::Json(Box::new(JsonRows::new(source, input))),
        };
        Ok(TableReader(rows))
    }

    /// Fills `row` with the next record. `None` at the end of the file; after an `Err` the next row follows.
    pub fn read(&mut self, row: &mut Row) -> Option<Result<(), RowError>> {
        match &mut self.0 {
            Rows::Csv(rows) => rows.read(row),
            Rows::Xlsx(rows) => rows.read(row),
            Rows::Json(rows) => rows.read(row),
        }
    }

    /// Sheets that were passed over so far because no row of them names the column of the case.
    pub fn left_out(&self) -> &[String] {
        match &self.0 {
            Rows::Xlsx(rows) => rows.left_out(),
            Rows::Csv(_) | Rows::Json(_) => &[],
        }
    }

    /// What messages call the file, with the sheet of the latest row.
    pub fn name(&self) -> &str {
        match &self.0 {
            Rows::Csv(rows) => &rows.source.file,
            Rows::Xlsx(rows) => &rows.source.file,
            Rows::Json(rows) => &rows.source.file,
        }
    }

    /// Bytes of the file done with, for a progress bar; nothing is known of a workbook.
    pub fn bytes_done(&self) -> u64 {
        match &self.0 {
            Rows::Csv(rows) => rows.bytes_done(),
            Rows::Xlsx(_) => 0,
            Rows::Json(rows) => rows.bytes_done(),
        }
    }
}

/// What both kinds of file know about themselves.
struct Source {
    file: String,
    key_columns: Vec<String>,
    /// Columns that are left out of the records.
    drop: Vec<String>,
    /// Values that mean "nothing"; such a key is none.
    empty: Vec<String>,
    /// Columns that a field reads, as what.
    columns: Vec<(String, Kind)>,
    max_record_bytes: usize,
}

/// What the fields of a pipeline read from its columns.
fn columns_of(pipeline: &Pipeline) -> Vec<(String, Kind)> {
    let mut columns = Vec::new();
    for mapping in &pipeline.fields {
        let kind = match mapping.field {
            Field::EventAt | Field::RegisteredAt | Field::PlannedAt | Field::CompletedAt | Field::LastPostAt => {
                Kind::Time(mapping.format)
            }
            Field::CaseId | Field::DuplicateOf | Field::AuthorId | Field::Rating | Field::Review => Kind::Number,
            Field::Eligible | Field::Subscribers | Field::Views | Field::Unanswered => Kind::Number,
            _ => Kind::Text,
        };
        columns.extend(mapping.columns.iter().map(|column| (column.clone(), kind)));
    }
    columns
}

impl Source {
    fn error(&self, line: u64, problem: impl Into<String>, remedy: impl Into<String>) -> RowError {
        RowError { file: self.file.clone(), line, problem: problem.into(), remedy: remedy.into() }
    }

    /// A field reads the column, or the key is taken from it.
    fn is_read(&self, column: &str) -> bool {
        self.columns.iter().any(|(known, _)| known == column) || self.key_columns.iter().any(|key| key == column)
    }

    /// What the column is read as.
    fn kind_of(&self, column: &str) -> Kind {
        if self.key_columns.iter().any(|key| key == column) {
            return Kind::Number;
        }
        self.columns.iter().find(|(known, _)| known == column).map_or(Kind::Text, |(_, kind)| *kind)
    }

    fn is_key(&self, value: &str) -> bool {
        !value.is_empty() && !self.empty.iter().any(|empty| empty == value)
    }

    fn no_key(&self, line: u64) -> RowError {
        let columns = self.key_columns.join(" or ");
        self.error(line, format!("has no value in {columns}"), "every row needs the number of its case there")
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
pub(crate) mod sample_xlsx;
#[cfg(test)]
mod tests;
