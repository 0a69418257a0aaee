//! One partition and all its state: recovery, batches, the fold of records into cases and windows.

pub mod batch;
pub mod clock;
pub mod flight;
pub mod fold;
pub mod ports;
pub mod recovery;
pub mod restore;
pub mod rulebook;
mod schemas;
mod sealing;
pub mod seen;
mod start;
pub mod status;
pub mod tally;
pub mod worker;
