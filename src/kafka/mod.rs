//! Kafka: the poll thread, rebalances, commits, topics. The only place that talks to librdkafka.

pub mod admin;
pub mod budget;
pub mod chunk;
pub mod client;
pub mod committer;
pub mod courier;
pub mod ends;
pub mod lookup;
pub mod poll;
pub mod producer;
