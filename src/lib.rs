//! `tsur`: one live picture of everything people tell a region's authorities. Kafka in, exactly-once ClickHouse out.
//! `docs/architecture.md` has the flow and the invariants; each module opens with its role, its owner and what always holds.

pub mod generate;
pub mod model;
