//! One partition and all its state: recovery, batches, the fold of records into cases and windows.

pub mod batch;
pub mod ports;
pub mod recovery;
