//! Ctrl-C for commands that work in a plain loop: the first one asks to end in good order, the second ends at once.
//! Owner: the command. Invariant: asking costs next to nothing, so that it can be done for every record.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::commands::signals;

/// Exit code of a process that Ctrl-C ended.
const INTERRUPTED: i32 = 130;
const CHUNK_BYTES: usize = 64 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Was the process asked to end? Clones share the answer.
#[derive(Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on; must be called inside the runtime.
    pub fn listen() -> anyhow::Result<Stop> {
        let stop = Stop::default();
        let (flag, mut signals) = (stop.0.clone(), signals()?);
        tokio::spawn(async move {
            while signals.changed().await.is_ok() {
                if *signals.borrow() > 1 {
                    std::process::exit(INTERRUPTED);
                }
                flag.store(true, Ordering::Relaxed);
            }
        });
        Ok(stop)
    }

    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    #[cfg(test)]
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Sleeps until then, or until asked to end.
    pub fn sleep_until(&self, moment: Instant) {
        loop {
            let left = moment.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_asked() {
                return;
            }
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// Standard input that a stop can interrupt: a thread reads, because a read itself cannot be called off.
pub struct StoppableInput {
    stop: Stop,
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    used: usize,
}

impl StoppableInput {
    pub fn stdin(stop: Stop) -> StoppableInput {
        let (sender, chunks) = sync_channel(4);
        std::thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let read = io::stdin().lock().read(&mut chunk);
                let ends = !matches!(read, Ok(1..));
                let sent = sender.send(read.map(|count| {
                    chunk.truncate(count);
                    chunk
                }));
                if ends || sent.is_err() {
                    return;
                }
            }
        });
        StoppableInput { stop, chunks, chunk: Vec::new(), used: 0 }
    }
}

impl Read for StoppableInput {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.used == self.chunk.len() {
            match self.chunks.recv_timeout(LOOK_EVERY) {
                Ok(chunk) => (self.chunk, self.used) = (chunk?, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.stop.is_asked() {
                return Err(io::Error::other("interrupted"));
            }
        }
        let count = buffer.len().min(self.chunk.len() - self.used);
        buffer[..count].copy_from_slice(&self.chunk[self.used..self.used + count]);
        self.used += count;
        Ok(count)
    }
}
