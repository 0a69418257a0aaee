//! `tsur`: one live picture of everything people tell a region's authorities. Kafka in, exactly-once ClickHouse out.
//! `docs/architecture.md` has the flow and the invariants; each module opens with its role, its owner and what always holds.

pub mod against;
pub mod alerts;
pub mod app;
pub mod audit;
pub mod codec;
pub mod commands;
pub mod config;
pub mod demo;
pub mod enrich;
pub mod explain;
pub mod generate;
pub mod kafka;
pub mod mapping;
pub mod model;
pub mod partition;
pub mod problems;
pub mod publish;
pub mod rebuild;
pub mod rejects;
pub mod schema_registry;
pub mod sink;
pub mod telemetry;
#[cfg(test)]
mod testkit;
pub mod text;
pub mod train;
