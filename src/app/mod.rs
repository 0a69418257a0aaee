//! Wiring: the only place that knows everyone. Starts what a command needs and stops it again within one budget.

pub mod alerts;
mod member;
pub mod registry;
pub mod reload;
pub mod rules;
pub mod run;
pub mod start;

#[cfg(test)]
mod requests_tests;
#[cfg(test)]
mod sources_tests;
