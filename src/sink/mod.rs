//! Everything that leaves for ClickHouse: rows, blocks, tokens, retries, migrations.

pub mod migrations;
pub mod native;
mod statements;
pub mod window_sql;
