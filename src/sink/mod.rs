//! Everything that leaves for ClickHouse: rows, blocks, tokens, retries, migrations.

pub mod native;
