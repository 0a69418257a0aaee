//! Files into Kafka records, for `tsur publish`: CSV tables and JSON lines, row by row, in constant memory.
//! Owner: the command; Kafka is not known here. Invariants: a bad row is reported and the file goes on, a message never
//! quotes a cell (it may be personal), and the records of one case always get the same key.

mod csv_rows;
mod json_rows;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::pipeline::Pipeline;
use csv_rows::CsvRows;
use json_rows::JsonRows;

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
    JsonLines,
}

impl FileKind {
    /// By the ending of the name.
    pub fn of(path: &Path) -> Option<FileKind> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Some(FileKind::Csv),
            "jsonl" | "ndjson" => Some(FileKind::JsonLines),
            _ => None,
        }
    }
}

/// Reads one file.
pub struct TableReader(Rows);

enum Rows {
    Csv(Box<CsvRows>),
    Json(JsonRows),
}

impl TableReader {
    /// `max_record_bytes` is the limit the pipeline itself has: a longer row would be rejected there.
    /// The kind follows from the name where it is not given.
    pub fn open(
        path: &Path,
        kind: Option<FileKind>,
        pipeline: &Pipeline,
        max_record_bytes: usize,
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
                "name it .csv, .tsv, .txt, .jsonl or .ndjson, or give its format",
            )
        })?;
        let file = File::open(path)
            .map_err(|error| refuse(format!("cannot be opened: {error}"), "check the path and the permissions"))?;
        TableReader::from_input(&name, kind, Box::new(file), pipeline, max_record_bytes)
    }

    /// The same for anything that can be read; `name` is for messages.
    pub fn from_input(
        name: &str,
        kind: FileKind,
        input: Box<dyn Read + Send>,
        pipeline: &Pipeline,
        max_record_bytes: usize,
    ) -> Result<TableReader, RowError> {
        let source = Source {
            file: name.to_owned(),
            key_columns: pipeline.key_columns().to_vec(),
            drop: pipeline.table.as_ref().map_or_else(Vec::new, |table| table.drop.clone()),
            empty: pipeline.empty.clone(),
            max_record_bytes,
        };
        let rows = match kind {
            FileKind::Csv => Rows::Csv(Box::new(CsvRows::new(source, input, pipeline.table.as_ref())?)),
            FileKind::JsonLines => Rows::Json(JsonRows::new(source, input)),
        };
        Ok(TableReader(rows))
    }

    /// Fills `row` with the next record. `None` at the end of the file; after an `Err` the next row follows.
    pub fn read(&mut self, row: &mut Row) -> Option<Result<(), RowError>> {
        match &mut self.0 {
            Rows::Csv(rows) => rows.read(row),
            Rows::Json(rows) => rows.read(row),
        }
    }

    /// What messages call the file.
    pub fn name(&self) -> &str {
        match &self.0 {
            Rows::Csv(rows) => &rows.source.file,
            Rows::Json(rows) => &rows.source.file,
        }
    }

    /// Bytes of the file done with, for a progress bar.
    pub fn bytes_done(&self) -> u64 {
        match &self.0 {
            Rows::Csv(rows) => rows.bytes_done(),
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
    max_record_bytes: usize,
}

impl Source {
    fn error(&self, line: u64, problem: impl Into<String>, remedy: impl Into<String>) -> RowError {
        RowError { file: self.file.clone(), line, problem: problem.into(), remedy: remedy.into() }
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
mod tests;
