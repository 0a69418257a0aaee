//! Enrichment: masking, identities, names. Pure functions of the record and the dictionaries.

pub mod names;
