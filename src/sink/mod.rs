//! Everything that leaves for ClickHouse: rows, blocks, tokens, retries, migrations.

mod case_columns;
pub(crate) mod case_rows;
pub mod clickhouse;
mod due_rows;
pub(crate) mod errors;
pub mod fact_rows;
pub mod history;
pub mod journal;
pub mod migrations;
pub mod native;
mod reading_columns;
mod statements;
mod window_rows;
pub mod window_sql;
