//! The wall clock of a worker: ticks of batches, minutes of the backlog, the age at which windows and cases leave memory.
//! Owner: the wiring; a worker asks nothing else for the time of day. Invariant: durations and deadlines come from
//! `tokio::time::Instant` and never from here, so a clock that is set back delays nothing.

use std::sync::Arc;
use std::time::SystemTime;

use crate::model::time::Time;

/// Where the time of day comes from. Tests bring one that moves with the paused time of their runtime.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Clock {
        Clock::new(|| SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64))
    }

    /// A clock that reads milliseconds since the epoch from the function.
    pub fn new(unix_millis: impl Fn() -> i64 + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(unix_millis))
    }

    /// Milliseconds since the epoch, the tick of a batch.
    pub fn unix_millis(&self) -> i64 {
        (self.0)()
    }

    pub fn now(&self) -> Time {
        Time::from_unix_millis(self.unix_millis()).unwrap_or(Time::EARLIEST)
    }
}
