//! The books of a transfer: which rows are claimed, which Kafka has confirmed, and the report.
//! Owner: `tsur publish`. Invariant: nothing is confirmed, in state or report, before a flush of the producer has succeeded.

use std::io;
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::report::{Line, Report};
use crate::kafka::producer::{ProduceError, Producer};

/// Rows and time between two confirmations: so much may be sent twice after a crash, if somebody says so.
const WINDOW: u64 = 5_000;
const WINDOW_TIME: Duration = Duration::from_secs(2);
/// How long Kafka may be silent while records are on their way.
const FLUSH_PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error(transparent)]
    Produce(#[from] ProduceError),
    #[error("state or report cannot be written: {0}; give another place with --state or --report, or say --no-state")]
    Write(#[from] io::Error),
}

/// Who is told of each row of a transfer.
pub trait Books {
    /// Row `row` of the file comes next; from 0, bad rows are counted too.
    fn before(&mut self, file: usize, row: u64) -> Result<(), TransferError>;
    fn note(&mut self, line: Line);
    /// So many rows of the file are done with; no other follows now.
    fn close(&mut self, file: usize, rows: u64, is_whole: bool) -> Result<(), TransferError>;
}

pub struct KafkaBooks<'p> {
    producer: &'p Producer,
    /// One a file, where its state is kept.
    ledgers: Vec<Option<Ledger>>,
    report: Option<Report>,
    /// The file, the end of the window that is open in it, and when it was opened.
    window: Option<(usize, u64, Instant)>,
}

impl<'p> KafkaBooks<'p> {
    pub fn new(producer: &'p Producer, ledgers: Vec<Option<Ledger>>, report: Option<Report>) -> KafkaBooks<'p> {
        KafkaBooks { producer, ledgers, report, window: None }
    }

    fn confirm(&mut self, file: usize, rows: u64, is_whole: bool) -> Result<(), TransferError> {
        self.producer.flush(FLUSH_PATIENCE)?;
        if let Some(Some(ledger)) = self.ledgers.get_mut(file) {
            ledger.confirm(rows, is_whole)?;
        }
        if let Some(report) = &mut self.report {
            report.settle(true)?;
        }
        Ok(())
    }

    /// The transfer failed: what was sent since the last confirmation may be in Kafka or not.
    pub fn give_up(&mut self) -> io::Result<()> {
        self.report.as_mut().map_or(Ok(()), |report| report.settle(false))
    }
}

impl Books for KafkaBooks<'_> {
    fn before(&mut self, file: usize, row: u64) -> Result<(), TransferError> {
        let open = self.window.filter(|(of, ..)| *of == file);
        if open.is_some_and(|(_, end, since)| row < end && since.elapsed() < WINDOW_TIME) {
            return Ok(());
        }
        if open.is_some() {
            self.confirm(file, row, false)?;
        }
        let end = row + WINDOW;
        if let Some(Some(ledger)) = self.ledgers.get_mut(file) {
            ledger.claim(end)?;
        }
        self.window = Some((file, end, Instant::now()));
        Ok(())
    }

    fn note(&mut self, line: Line) {
        if let Some(report) = &mut self.report {
            report.add(line);
        }
    }

    fn close(&mut self, file: usize, rows: u64, is_whole: bool) -> Result<(), TransferError> {
        self.window = None;
        self.confirm(file, rows, is_whole)
    }
}
