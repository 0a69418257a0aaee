//! Invariant 2 for the windows: a recount of the journal's effects against `sla_windows` and `satisfaction_windows`.
//! Owner: `audit`. Method: the recount with sign +1 and the table with sign -1 must sum to zero under every key; a key
//! without a row counts as zero. Written apart from `sink::window_sql`, with other functions and another shape.
//! Minute and hour windows are compared while all that could count in them was inside the retention: a window that is
//! young enough now was young enough at the tick of every batch before. Older ones may be gone, or lack late effects.

use clickhouse::{Client, Row};
use serde::Deserialize;

use super::projections::Comparison;
use super::{AuditError, NAMED, Options, failed};

/// Clocks of the machines may differ by so much.
const SKEW_SECONDS: u32 = 600;

/// A measure of a table and what an effect adds to it, before its sign.
pub(super) type Measure = (&'static str, &'static str);

pub(super) const SLA: &[Measure] = &[
    ("registered", "k = 1"),
    ("first_answered", "k = 2"),
    ("first_seconds", "(k = 2) * amount"),
    ("answered", "k = 3"),
    ("answer_seconds", "(k = 3) * amount"),
    ("closed", "k = 4"),
    ("first_breached", "k = 5"),
    ("final_breached", "k = 6"),
    ("returned", "k = 9"),
    ("reopened", "k = 10"),
    ("deferred", "k = 11"),
    ("declined", "k = 12"),
    ("transferred", "k = 13"),
    ("merged", "k = 14"),
    ("stage_breached", "k = 15"),
    ("held_seconds", "(k = 16) * amount"),
];

pub(super) const SATISFACTION: &[Measure] = &[
    ("rated", "k = 7"),
    ("rating_sum", "(k = 7) * amount"),
    ("rated_high", "k = 7 AND amount > 3"),
    ("rated_low", "k = 7 AND amount < 3"),
    ("satisfied", "k = 8 AND amount = 1"),
    ("not_satisfied", "k = 8 AND amount != 1"),
];

const KEY: &str = "kafka_topic, kafka_partition, unit, started, source, blk, terr, holder";

#[derive(Row, Deserialize)]
struct Counted {
    compared: u64,
    differing: u64,
    named: Vec<String>,
}

pub(super) async fn sla(client: &Client, options: &Options) -> Result<Comparison, AuditError> {
    compare(client, options, "sla_windows", SLA).await
}

pub(super) async fn satisfaction(client: &Client, options: &Options) -> Result<Comparison, AuditError> {
    compare(client, options, "satisfaction_windows", SATISFACTION).await
}

/// One length of window, recounted. The zone Etc/GMT-3 is UTC+3 at all times, as days of the model are.
fn recount(unit: &str, start_of: &str, filter: &str, measures: &[Measure]) -> String {
    let sums: Vec<String> =
        measures.iter().map(|(name, adds)| format!("sum(toInt64({adds}) * sgn) AS {name}")).collect();
    format!(
        "SELECT kafka_topic, kafka_partition, '{unit}' AS unit, toUnixTimestamp({start_of}(happened, 'Etc/GMT-3')) AS started,
            source, blk, terr, holder, {}
        FROM
        (
            SELECT kafka_topic, kafka_partition, source, effect.1::Int8 AS k, effect.2 AS happened, toInt64(effect.3) AS sgn,
                toInt64(effect.4) AS amount, effect.5 AS holder, effect.6 AS only_days,
                multiIf(sgn = -1, previous_block, block) AS blk, multiIf(sgn = -1, previous_territory, territory) AS terr
            FROM (SELECT kafka_topic, kafka_partition, source, block, territory, previous_block, previous_territory,
                arrayJoin(effects) AS effect FROM events)
        )
        WHERE {filter}
        GROUP BY {KEY}",
        sums.join(", ")
    )
}

fn comparison_sql(table: &str, measures: &[Measure]) -> String {
    let names =
        |shape: fn(&str) -> String, by: &str| measures.iter().map(|(name, _)| shape(name)).collect::<Vec<_>>().join(by);
    let minute = recount("minute", "toStartOfMinute", "NOT only_days AND started >= {minute_from:UInt32}", measures);
    let hour = recount("hour", "toStartOfHour", "NOT only_days AND started >= {hour_from:UInt32}", measures);
    let day = recount("day", "toStartOfDay", "1", measures);
    format!(
        "SELECT count() AS compared, countIf(differs) AS differing, groupArraySortedIf({NAMED})(label, differs) AS named FROM
        (
            SELECT {}, {} AS differs,
                if(differs, concat(unit, ' ', formatDateTime(toDateTime(started, 'Europe/Moscow'), '%F %H:%i'), ' ', kafka_topic, '/',
                    toString(kafka_partition), ' [', source, ' | ', blk, ' | ', terr, ' | ', holder, ']: journal minus table ', {}), '') AS label
            FROM
            (
                {minute} UNION ALL {hour} UNION ALL {day} UNION ALL
                SELECT kafka_topic, kafka_partition, toString(unit), toUnixTimestamp(window_start), source, block, territory, body, {}
                FROM {table} FINAL
                WHERE toString(unit) = 'day' OR toUnixTimestamp(window_start) >=
                    if(toString(unit) = 'minute', {{minute_from:UInt32}}, {{hour_from:UInt32}})
            )
            GROUP BY {KEY}
        )",
        names(|name| format!("sum({name}) AS {name}_off"), ", "),
        names(|name| format!("{name}_off != 0"), " OR "),
        names(|name| format!("if({name}_off != 0, concat('{name} ', toString({name}_off), ' '), '')"), ", "),
        names(|name| format!("-toInt64({name})"), ", "),
    )
}

async fn compare(
    client: &Client,
    options: &Options,
    table: &'static str,
    measures: &[Measure],
) -> Result<Comparison, AuditError> {
    let now: u32 = client.query_raw("SELECT toUnixTimestamp(now())").fetch_one().await.map_err(failed("clock"))?;
    let from = |keep: u32| now.saturating_sub(keep).saturating_add(SKEW_SECONDS);
    let row: Counted = client
        .query_raw(&comparison_sql(table, measures))
        .param("minute_from", from(options.minute_keep))
        .param("hour_from", from(options.hour_keep))
        .fetch_one()
        .await
        .map_err(failed(table))?;
    Ok(Comparison { compared: row.compared, differing: row.differing, named: row.named })
}
