//! Tests on a real Kafka and a real ClickHouse, in one binary. `make test` starts both; without TSUR_KAFKA and
//! TSUR_CLICKHOUSE_URL every test says that it was skipped and passes.

mod broken_input;
mod demo;
mod exactly_once;
mod explain;
mod group;
mod publish;
mod published_files;
mod schema;
mod support;
