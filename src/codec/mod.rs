//! Bytes to record values. The codec boundary: a codec fills one slot for each column that the pipeline names, and knows
//! nothing of what a column means. JSON and Avro fill the same slots.
//! Invariant: a value borrows from the record wherever the format allows it.

pub mod avro;
pub mod avro_schema;
pub mod items;
pub mod json;
pub mod payload;

use std::borrow::Cow;

use thiserror::Error;

/// The value of one column in one record.
#[derive(Clone, PartialEq, Debug, Default)]
pub enum Value<'a> {
    /// The record does not have the column.
    #[default]
    Missing,
    Null,
    Text(Cow<'a, str>),
    Integer(i64),
    Real(f64),
    Bool(bool),
    /// Milliseconds since the epoch, of a format that knows what a time is.
    Instant(i64),
    /// Days since the epoch, likewise.
    Day(i32),
    /// An array or object where a single value is due; names which.
    Composite(&'static str),
}

/// Why a record cannot be read at all. Every kind means "reject": reading it again gives the same.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("the record is empty")]
    Empty,
    #[error("the record is not valid UTF-8 (byte {at})")]
    InvalidUtf8 { at: usize },
    #[error("the record is not valid JSON: {problem}")]
    InvalidJson { problem: String },
    #[error("the record is {found}, not a JSON object")]
    NotAnObject { found: &'static str },
    #[error("the record has more than {limit} items, the pipeline's max_items")]
    TooManyItems { limit: usize },
    #[error("without its compression the record is longer than {limit} bytes, limits.max_record_bytes")]
    TooLarge { limit: usize },
    #[error("the record cannot be unpacked as {kind}")]
    BadCompression { kind: &'static str },
    #[error("the record does not begin with {wanted}")]
    BadFraming { wanted: &'static str },
    #[error("no schema {schema}: {problem}")]
    UnknownSchema { schema: String, problem: String },
    #[error("the record is not valid Avro of its schema: {problem}")]
    InvalidAvro { problem: String },
    #[error("the record cannot be read by the contract: {problem}")]
    SchemaMismatch { problem: String },
}

impl DecodeError {
    /// The `reason` column.
    pub fn reason(&self) -> &'static str {
        match self {
            DecodeError::Empty => "empty",
            DecodeError::InvalidUtf8 { .. } => "invalid_utf8",
            DecodeError::InvalidJson { .. } => "invalid_json",
            DecodeError::NotAnObject { .. } => "not_an_object",
            DecodeError::TooManyItems { .. } => "too_many_items",
            DecodeError::TooLarge { .. } => "too_large",
            DecodeError::BadCompression { .. } => "bad_compression",
            DecodeError::BadFraming { .. } => "bad_framing",
            DecodeError::UnknownSchema { .. } => "unknown_schema",
            DecodeError::InvalidAvro { .. } => "invalid_avro",
            DecodeError::SchemaMismatch { .. } => "schema_mismatch",
        }
    }
}
