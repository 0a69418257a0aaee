//! Enrichment: masking, identities, names. Pure functions of the record and the dictionaries.

pub mod answer;
pub mod enricher;
pub mod identity;
pub mod mask;
pub mod names;
pub mod phrases;
pub mod repeats;
pub mod tone;
