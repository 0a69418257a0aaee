//! The one list of projections: tables that follow from the journal and that `tsur rebuild` makes anew and
//! `tsur audit --deep` compares. Owner: `rebuild`. Invariant: both match on it without a catch-all, so a new projection
//! does not compile before it can be rebuilt and compared.
//! Not in it: plain views, which have nothing of their own, and `streams` and `accepted_gaps`, which are decisions of
//! people and not derived from anything, `rejects_sent`, which says what Kafka has, and `problems`, which a job with a bounded
//! memory finds (see `problems`).

use std::fmt;

/// A table, or two that belong together, derived from the journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Projection {
    /// Each case as it stands now
    Cases,
    /// Facts of the work by minute, hour and day
    SlaWindows,
    /// Marks and reactions by minute, hour and day
    SatisfactionWindows,
    /// Open work minute by minute, with `backlog_marks`
    Backlog,
    /// Votes, polls and comments of discussions
    Votes,
    /// Figures of official pages
    Pages,
}

impl Projection {
    pub const ALL: [Projection; 6] = [
        Projection::Cases,
        Projection::SlaWindows,
        Projection::SatisfactionWindows,
        Projection::Backlog,
        Projection::Votes,
        Projection::Pages,
    ];

    pub fn name(self) -> &'static str {
        self.tables()[0]
    }

    /// The tables, in the order in which they are swapped in.
    pub fn tables(self) -> &'static [&'static str] {
        match self {
            Projection::Cases => &["cases"],
            Projection::SlaWindows => &["sla_windows"],
            Projection::SatisfactionWindows => &["satisfaction_windows"],
            Projection::Backlog => &["backlog", "backlog_marks"],
            Projection::Votes => &["votes"],
            Projection::Pages => &["pages"],
        }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
