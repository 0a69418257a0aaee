//! The pure core: words, time, cases, clocks, windows. Nothing here does IO, reads a wall clock or draws a random number;
//! everything arrives as an argument, so that the state of a partition is a fold of its records (design invariant 3).

pub mod apply;
pub mod calendar;
pub mod case;
pub mod case_store;
pub mod clocks;
pub mod effects;
pub mod facts;
mod holders;
pub mod ids;
pub mod policy;
pub mod reading;
pub mod redate;
mod snapshot;
pub mod time;
pub mod windows;
pub mod words;
