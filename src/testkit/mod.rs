//! The laws of the exactly-once protocol, checked on random schedules: real workers between a fake Kafka and a fake
//! ClickHouse, in virtual time, with everything that can go wrong at every point where a worker touches the world.
//! Only tests are built with it. Invariants: the fakes behave as the engines do where they hurt (see `log` and `house`);
//! the same schedule gives the same history, so a failure can be shrunk and kept.

mod block;
mod cluster;
mod faults;
mod house;
mod laws;
mod log;
mod records;
mod regressions;
mod sink;
mod world;
