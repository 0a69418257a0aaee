//! Alerts of running clocks: who must be told that a case nears its due time, or has missed it.
//! Owner: a desk belongs to its partition worker, the outbox to the process. Invariants: an alert is a row of `alerts`
//! before anybody is told; its id is a function of case, clock, due time and level, so after a crash it is the same alert;
//! only cases whose rows are in the journal raise or resolve one; what is held back from people comes in a digest; every
//! queue is bounded and makes the timers wait.

pub mod already;
pub mod calendars;
pub mod desk;
pub mod digest;
pub mod gate;
pub mod levels;
pub mod notice;
pub mod outbox;
pub mod rows;
pub mod russian;
pub mod store;
pub mod teller;
pub mod timers;
pub mod webhook;
