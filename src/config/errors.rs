//! What is wrong with a configuration: each mistake with its file, line, key, problem and what is allowed.
//! Owner: `config`. Invariant: mistakes are collected, never returned one by one, and print sorted by file and line.

use std::cell::RefCell;
use std::fmt;

/// One mistake.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ConfigError {
    pub file: String,
    /// From 1; 0 where there is no line (a missing file, the environment).
    pub line: usize,
    /// `table.key`; empty for the file as a whole.
    pub key: String,
    pub problem: String,
    pub allowed: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.allowed.is_empty() {
            write!(f, " (allowed: {})", self.allowed)?;
        }
        Ok(())
    }
}

/// Where a value stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub file: String,
    pub line: usize,
    pub key: String,
}

/// Every mistake of one run, sorted; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.0.len() == 1 { "mistake" } else { "mistakes" };
        write!(f, "the configuration has {} {noun}", self.0.len())?;
        for (number, error) in self.0.iter().enumerate() {
            write!(f, "\n{:>3}. {error}", number + 1)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Where readers put mistakes. Shared by all tables of a run, hence the cell.
#[derive(Default, Debug)]
pub struct Errors(RefCell<Vec<ConfigError>>);

impl Errors {
    pub fn add(&self, error: ConfigError) {
        self.0.borrow_mut().push(error);
    }

    pub fn add_at(&self, place: &Place, problem: impl Into<String>, allowed: impl Into<String>) {
        self.add(ConfigError {
            file: place.file.clone(),
            line: place.line,
            key: place.key.clone(),
            problem: problem.into(),
            allowed: allowed.into(),
        });
    }

    /// A mistake of a file as a whole, or of the environment.
    pub fn add_whole(&self, file: &str, key: &str, problem: impl Into<String>, allowed: impl Into<String>) {
        self.add(ConfigError {
            file: file.to_owned(),
            line: 0,
            key: key.to_owned(),
            problem: problem.into(),
            allowed: allowed.into(),
        });
    }

    /// There is a mistake in this key already.
    pub fn mentions(&self, file: &str, key: &str) -> bool {
        self.0.borrow().iter().any(|error| error.file == file && error.key == key)
    }

    /// `Err` when there was any mistake; the same mistake found on two ways is one.
    pub fn into_result(self) -> Result<(), ConfigErrors> {
        let mut list = self.0.into_inner();
        list.sort();
        list.dedup();
        if list.is_empty() { Ok(()) } else { Err(ConfigErrors(list)) }
    }
}
