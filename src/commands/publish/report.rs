//! `tsur publish --report FILE`: what became of each row. Owner: the command. Invariants: a row is told as published only when
//! Kafka has confirmed it, as unknown when that was not to be learned; no line quotes a cell.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::publish::RowError;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Published,
    Bad,
    /// Sent, and Kafka was not heard of any more.
    Unknown,
    /// A sheet without the column of the case.
    LeftOut,
}

/// One line of the report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// The file, with the sheet of a workbook in brackets.
    pub file: String,
    pub line: u64,
    pub status: Fate,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub problem: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub remedy: String,
}

impl Line {
    pub fn sent(file: &str, line: u64) -> Line {
        Line { file: file.to_owned(), line, status: Fate::Published, problem: String::new(), remedy: String::new() }
    }

    pub fn bad(error: &RowError) -> Line {
        let RowError { file, line, problem, remedy } = error.clone();
        Line { file, line, status: Fate::Bad, problem, remedy }
    }

    pub fn left_out(sheet: &str) -> Line {
        let problem = "the sheet has no column of the case".to_owned();
        Line { file: sheet.to_owned(), line: 0, status: Fate::LeftOut, problem, remedy: String::new() }
    }
}

/// An open report: CSV by the ending of its name, else an object a line.
pub struct Report {
    out: BufWriter<File>,
    is_csv: bool,
    /// Lines that wait for the confirmation of Kafka.
    waiting: Vec<Line>,
}

impl Report {
    pub fn create(path: &Path) -> io::Result<Report> {
        let is_csv = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
        let mut out = BufWriter::new(File::create(path)?);
        if is_csv {
            out.write_all("\u{feff}file;line;status;problem;remedy\r\n".as_bytes())?; // as spreadsheet programs want it
        }
        Ok(Report { out, is_csv, waiting: Vec::new() })
    }

    pub fn add(&mut self, line: Line) {
        self.waiting.push(line);
    }

    /// Writes what waits; `is_confirmed` says whether Kafka has the rows among it that were sent.
    pub fn settle(&mut self, is_confirmed: bool) -> io::Result<()> {
        for mut line in self.waiting.drain(..) {
            if line.status == Fate::Published && !is_confirmed {
                line.status = Fate::Unknown;
            }
            if self.is_csv {
                let mut row = csv::WriterBuilder::new().delimiter(b';').has_headers(false).from_writer(&mut self.out);
                row.serialize((&line.file, line.line, line.status, &line.problem, &line.remedy))
                    .map_err(io::Error::other)?;
            } else {
                serde_json::to_writer(&mut self.out, &line)?;
                self.out.write_all(b"\n")?;
            }
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_published_only_when_kafka_has_said_so() {
        let folder = tempfile::tempdir().expect("a folder");
        let error =
            RowError { file: "f".to_owned(), line: 3, problem: "is; bad".to_owned(), remedy: "mend it".to_owned() };
        for (name, expected) in [
            (
                "report.csv",
                "\u{feff}file;line;status;problem;remedy\r\nf;2;published;;\nf;3;bad;\"is; bad\";mend it\nf;4;unknown;;\n",
            ),
            (
                "report.jsonl",
                "{\"file\":\"f\",\"line\":2,\"status\":\"published\"}\n{\"file\":\"f\",\"line\":3,\"status\":\"bad\",\"problem\":\"is; bad\",\
                 \"remedy\":\"mend it\"}\n{\"file\":\"f\",\"line\":4,\"status\":\"unknown\"}\n",
            ),
        ] {
            let path = folder.path().join(name);
            let mut report = Report::create(&path).expect("created");
            report.add(Line::sent("f", 2));
            report.add(Line::bad(&error));
            report.settle(true).expect("written");
            report.add(Line::sent("f", 4));
            report.settle(false).expect("written");
            assert_eq!(std::fs::read_to_string(&path).expect("there"), expected);
        }
    }
}
