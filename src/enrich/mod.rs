//! Enrichment: masking, identities, names. Pure functions of the record and the dictionaries.

pub mod classify;
pub mod enricher;
pub mod identity;
pub mod mask;
pub mod names;
