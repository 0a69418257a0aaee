//! Enrichment: masking, identities, names. Pure functions of the record and the dictionaries.

pub mod answer;
pub mod bodies;
pub mod classify;
pub mod enricher;
pub mod identity;
pub mod locate;
pub mod mask;
pub mod names;
pub mod phrases;
pub mod repeats;
pub mod routing;
pub mod tone;
