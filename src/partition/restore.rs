//! Bringing the state of a partition back: cases and windows as they stood below an offset.
//! Invariant: what is restored is a function of the journal rows below the offset (design invariant 3); `cases` is only a
//! faster way to the same answer.

use crate::model::apply::DeadlineRules;
use crate::model::ids::Offset;
use crate::model::time::Time;
use crate::model::windows::{Retention, WindowUnit, Windows};
use crate::partition::fold::Fold;
use crate::partition::ports::{Sink, SinkError, StreamId};

/// How long an ended case stays in memory; a later record brings it back from the journal.
pub const ENDED_STAYS_SECONDS: i64 = 45 * 86_400;

/// Fills the empty state of `fold`. `now` decides which ended cases and which windows are worth their memory.
pub async fn restore<R: DeadlineRules>(
    fold: &mut Fold<R>,
    sink: &impl Sink,
    stream: &StreamId,
    below: Offset,
    retention: Retention,
    now: Time,
) -> Result<(), SinkError> {
    fold.cases = Default::default();
    fold.windows = Windows::new(retention, None);
    if below == Offset(0) {
        return Ok(());
    }
    let restored = sink.restore_cases(stream, below, now.plus_seconds(-ENDED_STAYS_SECONDS)).await?;
    for case in restored.cases {
        fold.cases.put(case);
    }
    fold.dues_since = restored.dues_since;
    for key in restored.evicted {
        fold.cases.remember_evicted(key);
    }
    let stream_time = sink.stream_time(stream, below).await?;
    let horizons = WindowUnit::ALL.map(|unit| (unit, Windows::horizon_start(unit, stream_time)));
    fold.windows = Windows::new(retention, stream_time);
    for (key, value) in sink.restore_windows(stream, below, horizons).await? {
        fold.windows.restore(key, value);
    }
    for window in sink.recently_cold(stream, below, horizons).await? {
        fold.windows.note_cold(window);
    }
    Ok(())
}
