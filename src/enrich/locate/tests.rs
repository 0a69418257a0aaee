//! Placeholder until the corpus is read.
