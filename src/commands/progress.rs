//! Progress of long commands: a bar on a terminal, elsewhere a plain line every few seconds. Both on standard error, so
//! that standard output has only the result. Owner: the command. Invariant: may be called for every record.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(5);
const BAR_EVERY: Duration = Duration::from_millis(200);

/// A bar or lines.
pub struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    shown: Instant,
    shown_records: u64,
}

impl Progress {
    /// `total` is the whole work in whatever unit `update` is told the part that is done; `None` when nobody knows.
    pub fn new(total: Option<u64>) -> Progress {
        let bar = stderr().is_terminal().then(|| match total {
            Some(total) => ProgressBar::new(total).with_style(style("{bar:30} {percent:>3} %  {msg}  {eta} left")),
            None => ProgressBar::new_spinner().with_style(style("{spinner} {msg}  {elapsed}")),
        });
        let now = Instant::now();
        Progress { bar, started: now, shown: now, shown_records: 0 }
    }

    /// Shows where the work is, if it is time to.
    pub fn update(&mut self, done: u64, records: u64) {
        let since = self.shown.elapsed();
        if since < if self.bar.is_some() { BAR_EVERY } else { LINE_EVERY } {
            return;
        }
        let rate = (records - self.shown_records) as f64 / since.as_secs_f64();
        let message = format!("{} records, {}/s", HumanCount(records), HumanCount(rate as u64));
        match &self.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(message);
            }
            None => eprintln!("{message}, {} s", self.started.elapsed().as_secs()),
        }
        (self.shown, self.shown_records) = (Instant::now(), records);
    }

    /// A line of its own above the bar.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
