//! What the deep comparison found, as text for people and as a decision for the exit code.
//! Owner: `audit::deep`. Invariant: the last line is `deep audit: ok` or `deep audit: N rows differ`, and says the same as
//! `differing()`.

use std::fmt;

use super::Pass;

/// One column of one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub key: String,
    pub column: String,
    pub table_has: String,
    pub journal_says: String,
    /// The row is right as of its version and was not written since, in all the time it was given.
    pub is_late: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { key, column, table_has, journal_says, is_late } = self;
        let late = if *is_late { " (right once, and not written since)" } else { "" };
        write!(f, "{key}: {column}: the table has {table_has}, the journal says {journal_says}{late}")
    }
}

/// One table against the journal.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Compared {
    pub table: &'static str,
    /// Rows of the table, and rows that it should have.
    pub rows: u64,
    /// Rows that are not what the journal says.
    pub differing: u64,
    /// Some columns of some of them.
    pub named: Vec<Difference>,
    /// Rows that changed each time they were looked at.
    pub newer: u64,
    /// What is no difference and still worth knowing.
    pub notes: Vec<String>,
}

impl Compared {
    pub(super) fn new(table: &'static str) -> Compared {
        Compared { table, ..Compared::default() }
    }

    /// Takes up what was found in a part of the table.
    pub(super) fn add(&mut self, pass: Pass, named: usize) {
        self.rows += pass.compared;
        self.differing += pass.wrong + pass.behind;
        self.newer += pass.newer;
        for (key, class, _, differences) in pass.found {
            let is_late = class == super::BEHIND;
            for (column, table_has, journal_says) in differences {
                if self.named.len() < named {
                    self.named.push(Difference { key: key.clone(), column, table_has, journal_says, is_late });
                }
            }
        }
    }
}

/// Every table that was compared.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeepReport {
    pub compared: Vec<Compared>,
}

impl DeepReport {
    pub fn differing(&self) -> u64 {
        self.compared.iter().map(|table| table.differing).sum()
    }

    pub fn is_ok(&self) -> bool {
        self.differing() == 0
    }
}

impl fmt::Display for DeepReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Compared { table, rows, differing, named, newer, notes } in &self.compared {
            write!(f, "{table}: {rows} rows compared with the journal, {differing} differ")?;
            if *newer > 0 {
                write!(f, ", {newer} changed while they were compared and were passed over")?;
            }
            writeln!(f)?;
            for difference in named {
                writeln!(f, "  {difference}")?;
            }
            for note in notes {
                writeln!(f, "  note: {note}")?;
            }
        }
        match self.differing() {
            0 => write!(f, "deep audit: ok"),
            count => {
                write!(f, "deep audit: {count} rows differ; `tsur rebuild` makes the tables anew from the journal")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_table_key_column_and_both_values() {
        let mut compared = Compared::new("sla_windows");
        let differences = vec![
            ("closed".to_owned(), "5".to_owned(), "4".to_owned()),
            ("merged".to_owned(), "1".to_owned(), "0".to_owned()),
        ];
        let found = vec![("t/0 day 2026-11-20".to_owned(), super::super::WRONG, 7, differences)];
        compared.add(Pass { compared: 3, wrong: 1, found, ..Pass::default() }, 1);
        let report = DeepReport { compared: vec![compared] };
        let text = report.to_string();
        assert!(text.contains("sla_windows: 3 rows compared with the journal, 1 differ\n"), "{text}");
        assert!(text.contains("t/0 day 2026-11-20: closed: the table has 5, the journal says 4\n"), "{text}");
        assert!(!text.contains("merged"), "one was asked for: {text}");
        assert!(
            !report.is_ok() && text.lines().last().is_some_and(|line| line.starts_with("deep audit: 1 rows differ"))
        );
    }

    #[test]
    fn rows_that_changed_meanwhile_are_counted_and_are_no_difference() {
        let mut compared = Compared::new("cases");
        compared.add(Pass { compared: 9, newer: 2, ..Pass::default() }, 5);
        let report = DeepReport { compared: vec![compared] };
        assert!(report.is_ok() && report.to_string().contains("2 changed while they were compared"));
        assert!(report.to_string().ends_with("deep audit: ok"));
    }
}
