//! Problems: cases of all sources that speak of one thing, linked and never merged. Each case keeps its row and its clocks.
//! `graph` says what belongs together; `job` reads the journal and writes the table `problems`.
//! Invariant: a row depends on the messages it was made from and not on their order, and of two rows of a case the one
//! made from more messages wins; so a restart, or a process that lost its partition without knowing, harms nothing.

pub mod graph;
pub mod job;
