//! Record values to facts, as the pipeline file says: which column is which field, which word means what.
//! Pure: everything arrives as an argument. Code here knows canonical fields and no column name.

pub mod dictionaries;
mod extras;
mod house_key;
pub mod mapper;
mod plan;
mod proposing;
pub mod readers;
pub mod times;
pub mod understanding;
pub mod words;

#[cfg(test)]
mod hostile_tests;
