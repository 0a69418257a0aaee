//! Filling `cases` and the windows from the journal, partition by partition and chunk by chunk.
//! Owner: `rebuild`. Invariants: rows at or above the end given for a partition are never looked at; every statement may
//! run again; memory does not grow with the journal (rows pass through, sums that do not fit go to disk).

use clickhouse::Client;
use clickhouse::query::Query;
use serde::Deserialize;

use super::errors::{RebuildError, failed};
use super::{Projection, Watch};
use crate::model::windows::{Retention, WindowUnit};
use crate::sink::case_rows::ROW_VERSION;
use crate::sink::fact_rows::FactTable;
use crate::sink::window_sql::WindowTable;

/// Offsets of the journal that one statement copies.
const CHUNK: u64 = 500_000;

/// Settings of everything that is written here. Nothing is deduplicated: what is written again must arrive again. Two
/// threads, because `tsur run` goes on meanwhile.
pub(super) const WRITING: [(&str, &str); 5] = [
    ("async_insert", "0"),
    ("insert_deduplicate", "0"),
    ("max_execution_time", "7200"),
    ("max_threads", "2"),
    ("max_bytes_before_external_group_by", "500000000"),
];

/// How far the journal of a partition reaches.
#[derive(clickhouse::Row, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct Reach {
    pub topic: String,
    pub partition: u16,
    pub first: u64,
    /// The offset after the last one.
    pub end: u64,
    pub rows: u64,
}

impl Reach {
    /// The part that came after an earlier look.
    pub fn since(&self, earlier: &[Reach]) -> u64 {
        let same = |other: &&Reach| other.topic == self.topic && other.partition == self.partition;
        earlier.iter().find(same).map_or(self.first, |other| other.end)
    }

    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.topic, self.partition)
    }
}

pub async fn reaches(client: &Client) -> Result<Vec<Reach>, RebuildError> {
    let sql = "SELECT kafka_topic::String AS topic, kafka_partition AS partition, min(kafka_offset) AS first, \
        max(kafka_offset) + 1 AS end, count() AS rows FROM events GROUP BY topic, partition ORDER BY topic, partition";
    client.query_raw(sql).fetch_all().await.map_err(failed("reach of the journal"))
}

pub(super) fn writing(query: Query) -> Query {
    WRITING.iter().fold(query, |query, (name, value)| query.with_setting(*name, *value))
}

/// Fills tables of one database.
pub struct Filler<'a> {
    pub client: &'a Client,
    pub retention: Retention,
    /// Seconds since the epoch; windows that have outlived their retention by now are not written.
    pub now: u32,
}

impl Filler<'_> {
    /// Applied rows of the range as rows of `cases`: the newest of a case wins in the table itself.
    pub async fn cases(
        &self,
        into: &str,
        reach: &Reach,
        from: u64,
        watch: &mut impl Watch,
    ) -> Result<(), RebuildError> {
        let sql = self.cases_sql(into).await?;
        let mut begin = from;
        while begin < reach.end {
            let end = reach.end.min(begin.saturating_add(CHUNK));
            let query = self.client.query_raw(&sql).param("topic", &reach.topic).param("partition", reach.partition);
            let what = format!("cases of {} [{begin},{end})", reach.name());
            writing(query.param("begin", begin).param("end", end)).execute().await.map_err(failed(what))?;
            watch.read(end - begin);
            begin = end;
        }
        Ok(())
    }

    /// Rows of the range that are about no case, as rows of the table of their kind.
    pub async fn facts(
        &self,
        table: FactTable,
        into: &str,
        reach: &Reach,
        from: u64,
        watch: &mut impl Watch,
    ) -> Result<(), RebuildError> {
        let sql = format!(
            "INSERT INTO {into} ({}) SELECT {} FROM events WHERE {} AND kafka_topic = {{topic:String}} AND kafka_partition = \
             {{partition:UInt16}} AND kafka_offset >= {{begin:UInt64}} AND kafka_offset < {{end:UInt64}} ORDER BY kafka_offset, item",
            table.columns(),
            table.values(),
            table.filter()
        );
        let mut begin = from;
        while begin < reach.end {
            let end = reach.end.min(begin.saturating_add(CHUNK));
            let query = self.client.query_raw(&sql).param("topic", &reach.topic).param("partition", reach.partition);
            let what = format!("{into} of {} [{begin},{end})", reach.name());
            writing(query.param("begin", begin).param("end", end)).execute().await.map_err(failed(what))?;
            watch.read(end - begin);
            begin = end;
        }
        Ok(())
    }

    async fn cases_sql(&self, into: &str) -> Result<String, RebuildError> {
        let columns: Vec<String> = self
            .client
            .query_raw("SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'cases' ORDER BY position")
            .fetch_all()
            .await
            .map_err(failed("columns of cases"))?;
        Ok(copy_cases_sql(into, &columns))
    }

    /// The windows of one length of a partition, whole.
    pub async fn windows(
        &self,
        table: WindowTable,
        into: &str,
        reach: &Reach,
        unit: WindowUnit,
    ) -> Result<(), RebuildError> {
        let query = self.counted(&table.fill_sql(into), reach);
        let query = query.param("unit", unit as u8).param("from", self.oldest(unit));
        let what = format!("{} windows of {} for {into}", unit.name(), reach.name());
        writing(query).execute().await.map_err(failed(what))
    }

    /// The windows that rows from `since` on have touched, whole.
    pub async fn touched_windows(&self, table: WindowTable, reach: &Reach, since: u64) -> Result<(), RebuildError> {
        let mut query = self.counted(&table.catch_up_sql(), reach).param("since", since);
        for unit in WindowUnit::ALL {
            query = query.param(&format!("{}_start", unit.name()), self.oldest(unit));
        }
        let what = format!("windows of {} that [{since},{}) touched", reach.name(), reach.end);
        writing(query).execute().await.map_err(failed(what))
    }

    fn counted(&self, sql: &str, reach: &Reach) -> Query {
        self.client
            .query_raw(sql)
            .param("topic", &reach.topic)
            .param("partition", reach.partition)
            .param("below", reach.end)
            .param("minute_keep", self.retention.minute)
            .param("hour_keep", self.retention.hour)
    }

    /// Start of the oldest window worth writing.
    fn oldest(&self, unit: WindowUnit) -> u32 {
        match unit {
            WindowUnit::Minute => self.now.saturating_sub(self.retention.minute),
            WindowUnit::Hour => self.now.saturating_sub(self.retention.hour),
            WindowUnit::Day => 0,
        }
    }
}

/// The columns of `cases` are those of the journal, but for two.
fn copy_cases_sql(into: &str, columns: &[String]) -> String {
    let values: Vec<&str> = columns
        .iter()
        .map(|column| match column.as_str() {
            "version" => ROW_VERSION,
            "updated_at" => "sealed_at",
            same => same,
        })
        .collect();
    format!(
        "INSERT INTO {into} ({}) SELECT {} FROM events WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt16}} \
         AND kafka_offset >= {{begin:UInt64}} AND kafka_offset < {{end:UInt64}} AND outcome = 'applied' AND subject = 'case'",
        columns.join(", "),
        values.join(", ")
    )
}

/// The table of windows that a projection is.
pub(super) fn window_table(projection: Projection) -> Option<WindowTable> {
    match projection {
        Projection::SlaWindows => Some(WindowTable::Sla),
        Projection::SatisfactionWindows => Some(WindowTable::Satisfaction),
        Projection::Cases | Projection::Backlog | Projection::Votes | Projection::Pages => None,
    }
}

/// The table of facts that a projection is.
pub(super) fn fact_table(projection: Projection) -> Option<FactTable> {
    match projection {
        Projection::Votes => Some(FactTable::Votes),
        Projection::Pages => Some(FactTable::Pages),
        Projection::Cases | Projection::Backlog | Projection::SlaWindows | Projection::SatisfactionWindows => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(partition: u16, first: u64, end: u64) -> Reach {
        Reach { topic: "t".to_owned(), partition, first, end, rows: end - first }
    }

    #[test]
    fn what_came_since_begins_at_the_earlier_end_and_a_new_partition_is_all_new() {
        let earlier = [reach(0, 0, 10)];
        assert_eq!(reach(0, 0, 25).since(&earlier), 10);
        assert_eq!(reach(1, 3, 25).since(&earlier), 3);
    }

    #[test]
    fn a_row_of_cases_is_its_journal_row_with_position_and_time_of_sealing() {
        let columns = ["case_key", "version", "updated_at", "status"].map(str::to_owned);
        let sql = copy_cases_sql("cases_rebuild", &columns);
        assert!(
            sql.starts_with("INSERT INTO cases_rebuild (case_key, version, updated_at, status) SELECT case_key, "),
            "{sql}"
        );
        assert!(sql.contains(&format!("{ROW_VERSION}, sealed_at, status FROM events")), "{sql}");
    }
}
