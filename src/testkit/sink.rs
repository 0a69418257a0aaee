//! The sink port over the fake tables: what the queries of `sink::clickhouse` answer.
//! Invariant: every method is one call of the cluster, so that an incident can fall on it; writing projections is
//! several requests, and an incident may leave only the first of them done.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::model::case::Case;
use crate::model::ids::{CaseKey, Offset, OffsetRange};
use crate::model::time::Time;
use crate::model::windows::{ColdWindow, WindowKey, WindowUnit, WindowValue};
use crate::partition::ports::{JournalFold, Landed, ProjectionRows, RestoredCases, Sink, SinkError, StreamId};
use crate::testkit::cluster::{Cluster, Process, Reply};
use crate::testkit::faults::Point;
use crate::testkit::house::House;

fn answer<T>(reply: Reply<T>) -> Result<T, SinkError> {
    match reply {
        Reply::Done(answer) => Ok(answer),
        Reply::Away => Err(SinkError::Unavailable("connection refused".to_owned())),
        Reply::Lost => Err(SinkError::Unavailable("no answer".to_owned())),
    }
}

impl Process {
    async fn ask<T: Send + 'static>(
        &self,
        what: &str,
        query: impl FnOnce(&House) -> T + Send + 'static,
    ) -> Result<T, SinkError> {
        let effect = move |cluster: &mut Cluster, _| query(&cluster.house);
        answer(self.call(Point::Restore, what.to_owned(), effect).await)
    }
}

/// The newest applied row of each case below the offset.
fn latest(house: &House, below: Offset) -> BTreeMap<CaseKey, Case> {
    let whole = OffsetRange { begin: Offset(0), end: below };
    house.applied(whole).into_iter().map(|fold| (fold.case.key, fold.case)).collect()
}

fn restored(house: &House, below: Offset, ended_before: Time) -> RestoredCases {
    // the table `cases` has the newest row of each case, whatever the offset
    let whole = OffsetRange { begin: Offset(0), end: Offset(u64::MAX) };
    let rows = house.applied_in_cases(whole).into_iter();
    let newest: BTreeMap<CaseKey, Case> = rows.map(|fold| (fold.case.key, fold.case)).collect();
    let moved: BTreeSet<CaseKey> =
        newest.values().filter(|case| case.version.offset() >= below).map(|case| case.key).collect();
    let recent = |case: &Case| case.is_open() || case.status_at >= Some(ended_before);
    let mut answer = RestoredCases::default();
    for case in newest.into_values().filter(|case| !moved.contains(&case.key)) {
        if recent(&case) {
            answer.cases.push(case);
        } else {
            answer.evicted.push(case.key);
        }
    }
    answer.cases.extend(latest(house, below).into_values().filter(|case| moved.contains(&case.key)));
    answer.cases.iter_mut().for_each(|case| house.give_dues(case, u32::MAX));
    let of_rows_below = house.dues.keys().filter(|(_, version, _)| version.offset() < below);
    answer.dues_since = of_rows_below.map(|(.., since)| *since).max().unwrap_or_default();
    answer
}

impl Sink for Process {
    async fn insert_journal(&self, block: Bytes, token: &str) -> Result<(), SinkError> {
        let (what, token) = (format!("insert {token}"), token.to_owned());
        let process = self.clone();
        let effect = move |cluster: &mut Cluster, _| {
            if !cluster.house.insert(&block, &token) {
                let line = format!("            the token {token} of process {} is known: dropped", process.id);
                cluster.trace.push(line);
            }
        };
        answer(self.call(Point::Write, what, effect).await)
    }

    async fn landed(&self, _: &StreamId, range: OffsetRange, _: &str) -> Result<Landed, SinkError> {
        let there = self.ask("rows that should have landed", move |house| house.rows_in(range)).await?;
        Ok(if there > 0 { Landed::There } else { Landed::Swallowed })
    }

    async fn refill_cases(&self, _: &StreamId, range: OffsetRange) -> Result<(), SinkError> {
        let effect = move |cluster: &mut Cluster, _| cluster.house.refill_cases(range);
        answer(self.call(Point::Project, format!("cases of {range}"), effect).await)
    }

    async fn write_projections(&self, _: &StreamId, rows: &ProjectionRows, below: Offset) -> Result<(), SinkError> {
        let (windows, backlog, cold) = (rows.windows.clone(), rows.backlog.clone(), rows.cold.clone());
        let what =
            format!("{} windows, {} of backlog, {} cold below {below}", windows.len(), backlog.len(), cold.len());
        if !windows.is_empty() {
            let effect = move |cluster: &mut Cluster, _| cluster.house.upsert_windows(&windows, below);
            answer(self.call(Point::Project, what.clone(), effect).await)?;
        }
        if !backlog.is_empty() {
            let effect = move |cluster: &mut Cluster, _| cluster.house.upsert_backlog(&backlog, below);
            answer(self.call(Point::Project, what.clone(), effect).await)?;
        }
        if !rows.dues.is_empty() {
            let dues = rows.dues.clone();
            let effect = move |cluster: &mut Cluster, _| {
                cluster.house.dues.extend(dues.into_iter().map(|dues| ((dues.key, dues.version, dues.since), dues)));
            };
            answer(self.call(Point::Project, format!("{what}, {} deadlines", rows.dues.len()), effect).await)?;
        }
        if !cold.is_empty() {
            let effect = move |cluster: &mut Cluster, _| cluster.house.recount_cold(&cold, below);
            answer(self.call(Point::Project, what, effect).await)?;
        }
        Ok(())
    }

    async fn last_offset(&self, _: &StreamId) -> Result<Option<Offset>, SinkError> {
        self.ask("last offset", |house| house.journal.iter().map(|row| row.offset).max()).await
    }

    async fn rows_in(&self, _: &StreamId, range: OffsetRange) -> Result<u64, SinkError> {
        self.ask("rows of the range", move |house| house.rows_in(range)).await
    }

    async fn restore_cases(&self, _: &StreamId, below: Offset, ended_before: Time) -> Result<RestoredCases, SinkError> {
        self.ask("cases", move |house| restored(house, below, ended_before)).await
    }

    async fn load_cases(&self, _: &StreamId, keys: &[CaseKey], below: Offset) -> Result<Vec<Case>, SinkError> {
        let keys: BTreeSet<CaseKey> = keys.iter().copied().collect();
        self.ask("single cases", move |house| {
            latest(house, below).into_values().filter(|case| keys.contains(&case.key)).collect()
        })
        .await
    }

    async fn stream_time(&self, _: &StreamId, below: Offset) -> Result<Option<Time>, SinkError> {
        self.ask("stream time", move |house| house.stream_time(below)).await
    }

    async fn restore_windows(
        &self,
        _: &StreamId,
        below: Offset,
        horizons: [(WindowUnit, u32); 3],
    ) -> Result<Vec<(WindowKey, WindowValue)>, SinkError> {
        let is_hot = move |key: &WindowKey| horizons.iter().any(|(unit, from)| *unit == key.unit && key.start >= *from);
        self.ask("windows", move |house| house.recount(below).into_iter().filter(|(key, _)| is_hot(key)).collect())
            .await
    }

    async fn recently_cold(
        &self,
        _: &StreamId,
        below: Offset,
        horizons: [(WindowUnit, u32); 3],
    ) -> Result<Vec<ColdWindow>, SinkError> {
        self.ask("cold windows", move |house| house.recently_cold(below, horizons)).await
    }

    async fn applied_rows(&self, _: &StreamId, range: OffsetRange) -> Result<Vec<JournalFold>, SinkError> {
        self.ask("applied rows", move |house| house.applied(range)).await
    }

    async fn accept_gap(&self, _: &StreamId, range: OffsetRange) -> Result<(), SinkError> {
        Err(SinkError::Refused(format!("no schedule accepts the gap {range}")))
    }
}
