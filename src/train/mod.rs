//! `tsur train`: learns a linear model of blocks from texts that people have labelled. Owner: the command; nothing of it runs
//! in a pipeline. Invariants: pure but for threads; the same texts, options and seed give the same file, byte for byte.

pub mod corpus;
pub mod extract;
pub mod fit;
pub mod folds;
pub mod learn;
pub mod measure;
pub mod solver;
pub mod table;

#[cfg(test)]
mod tests;
