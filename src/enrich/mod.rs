//! From an event to an enriched event: masking, keyed identities, and later places, organisations, topics, signals.
//! Everything here is a pure function of the record and the dictionaries; nothing personal gets past this module
//! (design invariant 4).

pub mod identity;
pub mod mask;
