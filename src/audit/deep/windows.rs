//! `sla_windows` and `satisfaction_windows` row by row. Owner: `audit::deep`. Method: effects of a partition are joined
//! with the version of the row they belong to and summed up to it; no row and a row of zeros say the same. The table is read
//! twice for that: a row of which the two readings saw different versions was written meanwhile, and is asked again.
//! Minute and hour windows are compared while all that could count in them was inside the retention.

use clickhouse::Client;

use super::report::Compared;
use super::{Asked, BEHIND, Journal, Look, NEWER, Part, Pass, WRONG, journals, settle, verdict_sql};
use crate::audit::windows::{self, Measure};
use crate::audit::{AuditError, failed};

/// Clocks of the machines may differ by so much.
const SKEW_SECONDS: u32 = 600;
/// Journals of more rows are compared in slices of time.
const LARGE: u64 = 2_000_000;
const DAY: u32 = 86_400;

/// A table and its measures.
#[derive(Clone, Copy)]
pub(super) struct Table {
    name: &'static str,
    measures: &'static [Measure],
}

pub(super) const SLA: Table = Table { name: "sla_windows", measures: windows::SLA };
pub(super) const SATISFACTION: Table = Table { name: "satisfaction_windows", measures: windows::SATISFACTION };

/// A length of windows and a half-open range of their starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Slice {
    unit: &'static str,
    from: u32,
    until: u32,
}

pub(super) async fn compare(
    client: &Client,
    asked: &Asked,
    table: Table,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<Compared, AuditError> {
    let now: u32 = client.query_raw("SELECT toUnixTimestamp(now())").fetch_one().await.map_err(failed("clock"))?;
    let mut compared = Compared::new(table.name);
    let mut parts = Vec::new();
    for journal in journals(client).await? {
        let slices = slices(asked, now, journal.rows > LARGE);
        parts.extend(slices.into_iter().map(|slice| Part::new(journal.clone(), slice)));
    }
    let ask = async |journal: &Journal, slice: &Slice, look: Look| ask(client, table, journal, *slice, look).await;
    for (_, pass) in settle(client, parts, ask, says).await? {
        compared.add(pass, asked.named);
    }
    Ok(compared)
}

fn slices(asked: &Asked, now: u32, is_large: bool) -> Vec<Slice> {
    let from = |keep: u32| now.saturating_sub(keep).saturating_add(SKEW_SECONDS);
    let lengths = [
        ("minute", from(asked.retention.minute), DAY),
        ("hour", from(asked.retention.hour), 30 * DAY),
        ("day", 0, 365 * DAY),
    ];
    let mut slices = Vec::new();
    for (unit, oldest, step) in lengths {
        let mut from = oldest;
        if is_large {
            // everything more than a few steps ago in one: there is little of it
            let mut until = now.saturating_sub(3 * step).max(oldest);
            while until < now {
                slices.push(Slice { unit, from, until });
                (from, until) = (until, until.saturating_add(step));
            }
        }
        slices.push(Slice { unit, from, until: u32::MAX });
    }
    slices
}

async fn ask(client: &Client, table: Table, journal: &Journal, slice: Slice, look: Look) -> Result<Pass, AuditError> {
    client
        .query_raw(&comparison_sql(table, slice.unit))
        .param("topic", &journal.topic)
        .param("partition", journal.partition)
        .param("from", slice.from)
        .param("until", slice.until)
        .param("below", look.below)
        .param("settled", look.settled)
        .fetch_one()
        .await
        .map_err(failed(table.name))
}

fn comparison_sql(table: Table, unit: &str) -> String {
    let join = |shape: &dyn Fn(&str) -> String, by: &str| {
        table.measures.iter().map(|(name, _)| shape(name)).collect::<Vec<_>>().join(by)
    };
    let sums = |condition: &str, prefix: &str| {
        let sum = |(name, adds): &Measure| format!("sumIf(toInt64({adds}) * sgn, {condition}) AS {prefix}_{name}");
        table.measures.iter().map(sum).collect::<Vec<_>>().join(", ")
    };
    let (start_of, only) = match unit {
        "minute" => ("toStartOfMinute", "NOT only_days AND"),
        "hour" => ("toStartOfHour", "NOT only_days AND"),
        _ => ("toStartOfDay", ""),
    };
    let of_share = "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}";
    let of_table = format!(
        "FROM {} FINAL WHERE {of_share} AND unit = '{unit}' AND toUnixTimestamp(window_start) >= {{from:UInt32}} \
         AND toUnixTimestamp(window_start) < {{until:UInt32}}",
        table.name
    );
    let key = "source, blk, terr, holder, started";
    let effects = format!(
        "SELECT kafka_offset AS off, source, k, sgn, amount, holder, blk, terr, started FROM
        (
            SELECT kafka_offset, toString(source) AS source, effect.1::Int8 AS k, toInt64(effect.3) AS sgn, toInt64(effect.4) AS amount,
                effect.5 AS holder, effect.6 AS only_days, toUnixTimestamp({start_of}(effect.2, 'Etc/GMT-3')) AS started,
                toString(multiIf(sgn = -1, previous_block, block)) AS blk, toString(multiIf(sgn = -1, previous_territory, territory)) AS terr
            FROM (SELECT kafka_offset, source, block, territory, previous_block, previous_territory, arrayJoin(effects) AS effect
                FROM events WHERE {of_share} AND kafka_offset < {{below:UInt64}})
        )
        WHERE {only} started >= {{from:UInt32}} AND started < {{until:UInt32}}"
    );
    let keys = "toString(source) AS source, toString(block) AS blk, toString(territory) AS terr, toString(body) AS holder, toUnixTimestamp(window_start) AS started";
    let inner = format!(
        "SELECT concat({{topic:String}}, '/', toString({{partition:UInt16}}), ' {unit} ', formatDateTime(toDateTime(started, 'Europe/Moscow'), '%F %H:%i'),
                ' [', source, ' | ', blk, ' | ', terr, ' | ', holder, ']') AS label, v AS row_version,
            multiIf(v > {{below:UInt64}}, if({stale}, {NEWER}, 0), counts > 0 AND joined != v, {NEWER}, {stale}, {WRONG}, waits > 0 AND ({late}), {BEHIND}, 0)::UInt8 AS class,
            if(class = 0, [], arrayFilter(d -> d.2 != d.3, [{columns}])) AS differences
        FROM
        (
            SELECT {key}, max(version) AS v, max(counted_to) AS joined, sum(counting) AS counts, sum(waiting) AS waits, {totals} FROM
            (
                SELECT {key}, 0 AS version, max(at) AS counted_to, 1 AS counting, countIf(off >= at AND off < {{settled:UInt64}}) AS waiting, {none}, {counted}, {present}
                FROM ({effects}) AS e LEFT JOIN (SELECT {keys}, version AS at {of_table}) AS t USING ({key})
                GROUP BY {key}
                UNION ALL
                SELECT {keys}, version, 0, 0, 0, {held}, {zeros} {of_table}
            )
            GROUP BY {key}
        )",
        stale = join(&|name| format!("t_{name} != r_{name}"), " OR "),
        late = join(&|name| format!("t_{name} != p_{name}"), " OR "),
        columns = join(&|name| format!("('{name}', toString(t_{name}), toString(if(class = {BEHIND}, p_{name}, r_{name})))"), ", "),
        totals = join(&|name| format!("sum(t_{name}) AS t_{name}, sum(r_{name}) AS r_{name}, sum(p_{name}) AS p_{name}"), ", "),
        none = join(&|name| format!("toInt64(0) AS t_{name}"), ", "),
        counted = sums("off < at", "r"),
        present = sums("1", "p"),
        held = join(&|name| format!("toInt64({name})"), ", "),
        zeros = join(&|_| "toInt64(0), toInt64(0)".to_owned(), ", "),
    );
    verdict_sql(&inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::windows::Retention;

    #[test]
    fn slices_of_a_large_journal_leave_no_start_out_and_do_not_overlap() {
        let asked =
            Asked { database: String::new(), retention: Retention::OF_TABLES, projections: Vec::new(), named: 1 };
        let now = 1_800_000_000;
        let large = slices(&asked, now, true);
        for unit in ["minute", "hour", "day"] {
            let of_unit: Vec<&Slice> = large.iter().filter(|slice| slice.unit == unit).collect();
            assert!(of_unit.len() > 2, "{unit}: {of_unit:?}");
            assert!(of_unit.windows(2).all(|pair| pair[0].until == pair[1].from), "{of_unit:?}");
            let whole = slices(&asked, now, false).into_iter().find(|slice| slice.unit == unit).expect("one");
            assert_eq!((of_unit[0].from, of_unit[of_unit.len() - 1].until), (whole.from, u32::MAX));
        }
    }
}
