//! Tests on a real Kafka and a real ClickHouse, in one binary. `make test` starts both; without TSUR_KAFKA and
//! TSUR_CLICKHOUSE_URL every test says that it was skipped and passes.

mod alerts;
mod all_sources;
mod backpressure;
mod bad_input;
mod broken_input;
mod chaos;
mod demo;
mod exactly_once;
mod explain;
mod facts;
mod formats;
mod group;
mod messages;
mod problems;
mod proxy;
mod publish;
mod published_files;
mod readings;
mod rebuild;
mod recovery_table;
mod rejects;
mod rules;
#[path = "../../src/publish/sample_xlsx.rs"]
mod sample_xlsx;
mod schema;
mod shutdown;
mod support;
