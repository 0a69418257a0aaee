//! The loop of `tsur publish`: rows of several files to a sender, bad ones to the terminal.
//! Owner: the command. Invariants: rows leave in the order of the files; the place told at the end is the first row that
//! was not sent; a message about a row names its place and never quotes it.

use super::books::{Books, TransferError};
use super::report::Line;
use crate::commands::progress::Progress;
use crate::commands::stop::Stop;
use crate::kafka::producer::ProduceError;
use crate::publish::{Row, RowError, TableReader};

/// More of them are only counted: the mistake is usually the same.
const SHOWN_PROBLEMS: u64 = 20;

/// What is wanted.
pub struct Orders {
    pub files: usize,
    pub limit: Option<u64>,
    /// The first line that is wanted, in the first file.
    pub from_line: u64,
    /// Rows of each file, bad ones counted, that are done with.
    pub done: Vec<u64>,
    pub strict: bool,
}

/// What became of it.
#[derive(Debug)]
pub struct Outcome {
    pub bad: u64,
    pub ended: Ended,
}

/// Where it ended: `file` by its place among the files, `line` the first that was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    Whole,
    Limit { file: usize, line: u64 },
    Stopped { file: usize, line: u64 },
    BadRow { file: usize, line: u64 },
}

pub fn transfer(
    orders: &Orders,
    mut open: impl FnMut(usize) -> Result<TableReader, RowError>,
    mut send: impl FnMut(&Row) -> Result<(), ProduceError>,
    books: &mut impl Books,
    progress: &mut Progress,
    stop: &Stop,
) -> Result<Outcome, TransferError> {
    let (mut sent, mut problems) = (0u64, Problems::default());
    let mut row = Row::default();
    let mut bytes_before = 0;
    let mut ended = Ended::Whole;
    'files: for file in 0..orders.files {
        let wanted_from = if file == 0 { orders.from_line } else { 1 };
        let mut line = wanted_from;
        let done = orders.done.get(file).copied().unwrap_or_default();
        let mut rows = 0;
        let mut reader = match open(file) {
            Ok(reader) => reader,
            Err(problem) => {
                problems.add(&problem, progress);
                books.note(Line::bad(&problem));
                continue;
            }
        };
        loop {
            if orders.limit.is_some_and(|limit| sent >= limit) {
                books.close(file, rows, false)?;
                ended = Ended::Limit { file, line };
                break 'files;
            }
            let read = reader.read(&mut row);
            // standard input that was interrupted ends in the middle of a row
            if stop.is_asked() && read.is_some() {
                books.close(file, rows, false)?;
                ended = Ended::Stopped { file, line };
                break 'files;
            }
            if read.is_some() {
                rows += 1;
                if rows <= done {
                    continue;
                }
                books.before(file, rows - 1)?;
            }
            let problem = match read {
                None => break,
                Some(Ok(())) if row.line < wanted_from => continue,
                Some(Err(problem)) if problem.line < wanted_from => continue,
                Some(Err(problem)) => Some(problem),
                Some(Ok(())) => match send(&row) {
                    Ok(()) => {
                        sent += 1;
                        line = row.line + 1;
                        books.note(Line::sent(reader.name(), row.line));
                        None
                    }
                    Err(problem @ ProduceError::TooLarge { .. }) => Some(RowError {
                        file: reader.name().to_owned(),
                        line: row.line,
                        problem: problem.to_string(),
                        remedy: "or shorten the row".to_owned(),
                    }),
                    Err(problem) => return Err(problem.into()),
                },
            };
            if let Some(problem) = problem {
                problems.add(&problem, progress);
                books.note(Line::bad(&problem));
                line = problem.line + 1;
                if orders.strict {
                    books.close(file, rows - 1, false)?;
                    ended = Ended::BadRow { file, line: problem.line };
                    break 'files;
                }
            }
            progress.update(bytes_before + reader.bytes_done(), sent);
        }
        for sheet in reader.left_out() {
            progress.say(&format!("{sheet} is left out: no row of it names the column of the case"));
            books.note(Line::left_out(sheet));
        }
        books.close(file, rows, true)?;
        bytes_before += reader.bytes_done();
    }
    problems.finish(progress);
    Ok(Outcome { bad: problems.count, ended })
}

/// The first are shown, all are counted.
#[derive(Default)]
struct Problems {
    count: u64,
}

impl Problems {
    fn add(&mut self, problem: &RowError, progress: &Progress) {
        self.count += 1;
        if self.count <= SHOWN_PROBLEMS {
            progress.say(&problem.to_string());
        }
    }

    fn finish(&self, progress: &Progress) {
        if self.count > SHOWN_PROBLEMS {
            progress.say(&format!("… and {} more bad rows", self.count - SHOWN_PROBLEMS));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Pipeline;
    use crate::publish::{FileKind, Limits};
    use std::io::Cursor;
    use std::path::Path;

    fn pos() -> Pipeline {
        let config = crate::config::load(Path::new("config"), &|_| None).expect("sound");
        config.pipeline("pos").expect("there").clone()
    }

    /// Remembers what it was told: claims, and closed files with their rows.
    #[derive(Default)]
    struct Told {
        closed: Vec<(usize, u64, bool)>,
        bad: Vec<u64>,
    }

    impl Books for Told {
        fn before(&mut self, _: usize, _: u64) -> Result<(), TransferError> {
            Ok(())
        }

        fn note(&mut self, line: Line) {
            if line.status == super::super::report::Fate::Bad {
                self.bad.push(line.line);
            }
        }

        fn close(&mut self, file: usize, rows: u64, is_whole: bool) -> Result<(), TransferError> {
            self.closed.push((file, rows, is_whole));
            Ok(())
        }
    }

    fn run(files: &[&str], orders: &Orders, stop_after: usize) -> (Outcome, Vec<String>) {
        let (outcome, keys, _) = told(files, orders, stop_after);
        (outcome, keys)
    }

    fn told(files: &[&str], orders: &Orders, stop_after: usize) -> (Outcome, Vec<String>, Told) {
        let (pipeline, stop) = (pos(), Stop::default());
        let mut books = Told::default();
        let mut keys = Vec::new();
        let open = |index: usize| {
            let input = Box::new(Cursor::new(files[index].as_bytes().to_vec()));
            let limits = Limits { max_record_bytes: 1000, sheet: None };
            TableReader::from_input("f", FileKind::Csv, input, &pipeline, limits)
        };
        let send = |row: &Row| {
            if row.key == b"huge" {
                return Err(ProduceError::TooLarge { bytes: 1 });
            }
            keys.push(String::from_utf8_lossy(&row.key).into_owned());
            if keys.len() == stop_after {
                stop.ask();
            }
            Ok(())
        };
        let outcome = transfer(orders, open, send, &mut books, &mut Progress::new(None), &stop).expect("sent");
        (outcome, keys, books)
    }

    const ALL: Orders = Orders { files: 2, limit: None, from_line: 1, strict: false, done: Vec::new() };
    const FILES: [&str; 2] = ["Номер;Факт\n1;а\n2\n3;в\n", "Номер;Факт\n4;г\nhuge;д\n5;\"е\nё\"\n6;ж\n"];

    #[test]
    fn good_rows_of_all_files_are_sent_and_bad_ones_counted() {
        let (outcome, keys) = run(&FILES, &ALL, usize::MAX);
        assert_eq!(keys, ["1", "3", "4", "5", "6"]);
        assert_eq!((outcome.bad, outcome.ended), (2, Ended::Whole));
    }

    #[test]
    fn whoever_stops_goes_on_at_the_next_row() {
        let (outcome, keys) = run(&FILES, &ALL, 4);
        assert_eq!((keys.len(), outcome.ended), (4, Ended::Stopped { file: 1, line: 5 }));
        let rest = Orders { files: 1, from_line: 5, ..ALL };
        let (outcome, keys) = run(&FILES[1..], &rest, usize::MAX);
        assert_eq!((keys, outcome.bad), (vec!["6".to_owned()], 0));
    }

    #[test]
    fn a_limit_and_a_strict_run_end_early_and_say_where() {
        let (outcome, keys) = run(&FILES, &Orders { limit: Some(2), ..ALL }, usize::MAX);
        assert_eq!((keys.len(), outcome.ended), (2, Ended::Limit { file: 0, line: 5 }));
        let (outcome, keys) = run(&FILES, &Orders { strict: true, ..ALL }, usize::MAX);
        assert_eq!((keys.len(), outcome.bad, outcome.ended), (1, 1, Ended::BadRow { file: 0, line: 3 }));
    }

    #[test]
    fn rows_that_are_done_are_passed_over_and_the_books_say_how_far_it_came() {
        let (_, keys, books) = told(&FILES, &Orders { limit: Some(3), ..ALL }, usize::MAX);
        assert_eq!((keys.len(), &books.closed[..]), (3, &[(0, 3, true), (1, 1, false)][..]));
        let rest = Orders { done: vec![3, 1], ..ALL };
        let (_, keys, books) = told(&FILES, &rest, usize::MAX);
        assert_eq!(
            (keys, &books.closed[..]),
            (vec!["5".to_owned(), "6".to_owned()], &[(0, 3, true), (1, 4, true)][..])
        );
        assert_eq!(books.bad, [3], "the row that Kafka does not take; the bad row of the first file was told before");
    }
}
