//! The SQL by which the pipeline sums effects of the journal into windows: restore of a partition's memory, and recount
//! of windows that lie behind its horizon.
//! Owner: the partition worker (restore) and the sink (recount). Invariants: both give exactly what `Windows::count`
//! gives for the same rows in any order (same starts, same retention by the tick of each row's own batch, same
//! dimensions by sign); rows at or above `{below}` are never looked at. `tsur audit` has its own SQL on purpose.

use clickhouse::Row;
use serde::Deserialize;

use crate::model::windows::WindowValue;

/// So many windows at most in one recount: the parameters travel in the address, which has room for 64 KiB.
pub const RECOUNT_CHUNK: usize = 2000;

/// The measures of `sla_windows`, in the order of its columns.
const SLA: [(&str, &str); 16] = [
    ("registered", "toInt32(sumIf(sign, kind = 'registered'))"),
    ("first_answered", "toInt32(sumIf(sign, kind = 'first_answered'))"),
    ("first_seconds", "toInt64(sumIf(toInt64(sign) * value, kind = 'first_answered'))"),
    ("answered", "toInt32(sumIf(sign, kind = 'answered'))"),
    ("answer_seconds", "toInt64(sumIf(toInt64(sign) * value, kind = 'answered'))"),
    ("closed", "toInt32(sumIf(sign, kind = 'closed'))"),
    ("first_breached", "toInt32(sumIf(sign, kind = 'first_breached'))"),
    ("final_breached", "toInt32(sumIf(sign, kind = 'final_breached'))"),
    ("returned", "toInt32(sumIf(sign, kind = 'returned'))"),
    ("reopened", "toInt32(sumIf(sign, kind = 'reopened'))"),
    ("deferred", "toInt32(sumIf(sign, kind = 'deferred'))"),
    ("declined", "toInt32(sumIf(sign, kind = 'declined'))"),
    ("transferred", "toInt32(sumIf(sign, kind = 'transferred'))"),
    ("merged", "toInt32(sumIf(sign, kind = 'merged'))"),
    ("stage_breached", "toInt32(sumIf(sign, kind = 'stage_breached'))"),
    ("held_seconds", "toInt64(sumIf(toInt64(sign) * value, kind = 'held'))"),
];

/// The measures of `satisfaction_windows`, in the order of its columns.
const SATISFACTION: [(&str, &str); 6] = [
    ("rated", "toInt32(sumIf(sign, kind = 'rated'))"),
    ("rating_sum", "toInt32(sumIf(toInt64(sign) * value, kind = 'rated'))"),
    ("rated_high", "toInt32(sumIf(sign, kind = 'rated' AND value >= 4))"),
    ("rated_low", "toInt32(sumIf(sign, kind = 'rated' AND value <= 2))"),
    ("satisfied", "toInt32(sumIf(sign, kind = 'reacted' AND value > 0))"),
    ("not_satisfied", "toInt32(sumIf(sign, kind = 'reacted' AND value <= 0))"),
];

/// One restored window.
#[derive(Row, Deserialize, Clone, PartialEq, Eq, Debug)]
pub struct WindowRow {
    /// Code of the `WindowUnit`.
    pub unit: u8,
    pub start: u32,
    pub block: String,
    pub territory: String,
    pub body: String,
    pub registered: i32,
    pub first_answered: i32,
    pub first_seconds: i64,
    pub answered: i32,
    pub answer_seconds: i64,
    pub closed: i32,
    pub first_breached: i32,
    pub final_breached: i32,
    pub returned: i32,
    pub reopened: i32,
    pub deferred: i32,
    pub declined: i32,
    pub transferred: i32,
    pub merged: i32,
    pub stage_breached: i32,
    pub held_seconds: i64,
    pub rated: i32,
    pub rating_sum: i32,
    pub rated_high: i32,
    pub rated_low: i32,
    pub satisfied: i32,
    pub not_satisfied: i32,
}

impl WindowRow {
    pub fn value(&self) -> WindowValue {
        WindowValue {
            registered: self.registered,
            first_answered: self.first_answered,
            first_seconds: self.first_seconds,
            answered: self.answered,
            answer_seconds: self.answer_seconds,
            closed: self.closed,
            first_breached: self.first_breached,
            final_breached: self.final_breached,
            returned: self.returned,
            reopened: self.reopened,
            deferred: self.deferred,
            declined: self.declined,
            transferred: self.transferred,
            merged: self.merged,
            stage_breached: self.stage_breached,
            held_seconds: self.held_seconds,
            rated: self.rated,
            rating_sum: self.rating_sum,
            rated_high: self.rated_high,
            rated_low: self.rated_low,
            satisfied: self.satisfied,
            not_satisfied: self.not_satisfied,
        }
    }
}

/// Every effect of the partition below the offset, once for each window it belongs to.
/// Starts are counted in whole seconds from UTC+3, as the model does, and not by the zone `Europe/Moscow`, which had
/// another offset before 26 October 2014.
const COUNTED: &str = "
    SELECT
        source, if(e.sign < 0, previous_block, block) AS block_of, if(e.sign < 0, previous_territory, territory) AS territory_of,
        e.body AS body_of, e.kind AS kind, e.sign AS sign, e.value AS value,
        toUInt32(e.at) AS at,
        arrayJoin(if(e.day_only, [3], [1, 2, 3]))::UInt8 AS unit_code,
        toUInt32(multiIf(unit_code = 1, at - at % 60, unit_code = 2, at - at % 3600, at - (toUInt64(at) + 10800) % 86400)) AS start
    FROM events
    ARRAY JOIN effects AS e
    WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16} AND kafka_offset < {below:UInt64}
        AND (unit_code = 3 OR
            toUInt64(start) + if(unit_code = 1, {minute_keep:UInt32}, {hour_keep:UInt32}) >= toUnixTimestamp(sealed_at))";

fn columns(measures: &[(&str, &str)]) -> String {
    let parts: Vec<String> = measures.iter().map(|(name, sum)| format!("{sum} AS {name}")).collect();
    parts.join(",\n    ")
}

/// Windows of one partition as of an offset: rows for [`WindowRow`].
/// Parameters: `topic`, `partition`, `below`; `minute_keep`, `hour_keep` (the retention in seconds); `minute_start`,
/// `hour_start`, `day_start` (`Windows::horizon_start` of each length for the stream time of the same offset).
pub fn restore_windows_sql() -> String {
    format!(
        "SELECT
    unit_code AS unit, start, block_of AS block, territory_of AS territory, body_of AS body,
    {},
    {}
FROM ({COUNTED}
        AND start >= multiIf(unit_code = 1, {{minute_start:UInt32}}, unit_code = 2, {{hour_start:UInt32}}, {{day_start:UInt32}}))
GROUP BY unit_code, start, block_of, territory_of, body_of",
        columns(&SLA),
        columns(&SATISFACTION)
    )
}

/// How long before the newest row a recount may have been owed, in seconds of batch ticks; far more than the worker waits.
pub const RECOUNT_LOOKBACK: u32 = 300;

/// Windows behind the horizon that the latest rows touched: unit code, start, whether a mark or reaction was among them.
/// Parameters: those of the restore.
pub fn recently_cold_sql() -> String {
    format!(
        "SELECT unit_code, start, max(kind IN ('rated', 'reacted'))::Bool
FROM ({COUNTED}
        AND sealed_at >= (
            SELECT max(sealed_at) - INTERVAL {RECOUNT_LOOKBACK} SECOND FROM events
            WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt16}} AND kafka_offset < {{below:UInt64}})
        AND start < multiIf(unit_code = 1, {{minute_start:UInt32}}, unit_code = 2, {{hour_start:UInt32}}, {{day_start:UInt32}}))
GROUP BY unit_code, start"
    )
}

/// Stream time of one partition as of an offset, in seconds; 0 when there is none. Parameters: `topic`, `partition`, `below`.
pub fn stream_time_sql() -> String {
    "SELECT toUInt32(max(at)) FROM
(
    SELECT toUInt32(e.at) AS at
    FROM events
    ARRAY JOIN effects AS e
    WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16} AND kafka_offset < {below:UInt64}
        AND toUInt32(e.at) <= toUnixTimestamp(sealed_at) + 86400
)"
    .to_owned()
}

/// Two statements that write the whole value of given windows anew, for `sla_windows` and `satisfaction_windows`.
/// Parameters: those of the restore without the starts, and `units` with `starts` (two arrays of one length, at most
/// [`RECOUNT_CHUNK`]). The rows get the version `below`, so they replace what was written from fewer rows.
pub fn recount_windows_sql() -> [String; 2] {
    let given = "(SELECT pair.1, pair.2 FROM
                (SELECT arrayJoin(arrayZip({units:Array(UInt8)}, {starts:Array(UInt32)})) AS pair))";
    [WindowTable::Sla, WindowTable::Satisfaction]
        .map(|table| table.count_into(table.name(), &format!("(unit_code, start) IN\n            {given}")))
}

/// One of the two tables of windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WindowTable {
    Sla,
    Satisfaction,
}

impl WindowTable {
    pub fn name(self) -> &'static str {
        match self {
            WindowTable::Sla => "sla_windows",
            WindowTable::Satisfaction => "satisfaction_windows",
        }
    }

    /// Writes every window of one length and partition from a start on into a table of the same structure.
    /// Parameters: those of the restore without the starts, `unit` and `from`.
    pub fn fill_sql(self, into: &str) -> String {
        self.count_into(into, "unit_code = {unit:UInt8} AND start >= {from:UInt32}")
    }

    /// Writes every window that rows from offset `since` on have touched, with all its dimensions.
    /// Parameters: those of the restore, with the starts as the oldest window of each length to write, and `since`.
    pub fn catch_up_sql(self) -> String {
        self.count_into(
            self.name(),
            &format!(
                "(unit_code, start) IN (SELECT unit_code, start FROM ({COUNTED} AND kafka_offset >= {{since:UInt64}}
        AND start >= multiIf(unit_code = 1, {{minute_start:UInt32}}, unit_code = 2, {{hour_start:UInt32}}, {{day_start:UInt32}})))"
            ),
        )
    }

    fn measures(self) -> &'static [(&'static str, &'static str)] {
        match self {
            WindowTable::Sla => &SLA,
            WindowTable::Satisfaction => &SATISFACTION,
        }
    }

    fn count_into(self, into: &str, filter: &str) -> String {
        let measures = self.measures();
        let names: Vec<&str> = measures.iter().map(|(name, _)| *name).collect();
        // a window that never saw a mark has no satisfaction row; a sum of zero with marks in it must be written
        let having = match self {
            WindowTable::Sla => "",
            WindowTable::Satisfaction => "\nHAVING countIf(kind IN ('rated', 'reacted')) > 0",
        };
        format!(
            "INSERT INTO {into}
    (unit, window_start, source, block, territory, body, kafka_topic, kafka_partition, version, {})
SELECT
    unit_code, start, source, block_of, territory_of, body_of, {{topic:String}}, {{partition:UInt16}}, {{below:UInt64}},
    {}
FROM ({COUNTED}
        AND {filter})
GROUP BY unit_code, start, source, block_of, territory_of, body_of{having}",
            names.join(", "),
            columns(measures)
        )
    }
}
