//! `backlog` and `backlog_marks`, minute by minute. Owner: `audit::deep`. Method: each applied row of the journal stands
//! from its offset to that of the next row of its case; a minute with mark `(minute, version)` sees the rows that stand
//! at the version. (The rebuild keeps running sums instead; the worker looks at every case.)
//! Which minutes are counted is not in the journal (an idle process counts too), so marks are compared with each other
//! and taken as they are; minutes that have a batch and no mark are noted, because a process may have died there.

use clickhouse::{Client, Row};
use serde::Deserialize;

use super::report::Compared;
use super::{ASK_AGAIN, Asked, FOUND, NEWER_PASSES, Pass, WRONG, verdict_sql};
use crate::audit::{AuditError, failed};

/// The TTL of the tables, in seconds, less what clocks may differ by.
const KEEP: u32 = 90 * 86_400 - 600;
/// So many rows of cases, each once for each minute it stands in, one query may look at.
const LOOKS: u64 = 20_000_000;
const FEWEST_MINUTES: u64 = 10;
const MOST_MINUTES: u64 = 1440;

#[derive(Row, Deserialize, Clone, PartialEq, Eq, Debug)]
struct Share {
    topic: String,
    partition: u16,
}

/// What both tables say about a minute; zero: nothing.
#[derive(Row, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
struct Mark {
    minute: u32,
    of_rows: u64,
    of_marks: u64,
    is_marked: bool,
}

impl Mark {
    fn version(&self) -> u64 {
        self.of_rows.max(self.of_marks)
    }
}

const OF_SHARE: &str = "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}";

pub(super) async fn compare(
    client: &Client,
    asked: &Asked,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<Compared, AuditError> {
    let shares: Vec<Share> = client
        .query_raw(
            "SELECT DISTINCT kafka_topic::String AS topic, kafka_partition AS partition FROM
                (SELECT kafka_topic, kafka_partition FROM backlog_marks UNION ALL SELECT kafka_topic, kafka_partition FROM backlog
                 UNION ALL SELECT kafka_topic, kafka_partition FROM events GROUP BY kafka_topic, kafka_partition)
             ORDER BY topic, partition",
        )
        .fetch_all()
        .await
        .map_err(failed("partitions of backlog"))?;
    let mut compared = Compared::new("backlog");
    let mut uncounted = 0;
    for share in &shares {
        let marks = marks(client, share).await?;
        let minutes = minutes_a_query(client, share).await?;
        let whole = marks.len().div_ceil(minutes);
        for (done, chunk) in marks.chunks(minutes).enumerate() {
            if whole > 10 && done % 10 == 0 {
                says(&format!("{}/{}: minutes {} of {}", share.topic, share.partition, done * minutes, marks.len()));
            }
            compared.add(minutes_of(client, share, chunk).await?, asked.named);
        }
        compared.add(strays(client, share).await?, asked.named);
        uncounted += uncounted_minutes(client, share).await?;
    }
    if uncounted > 0 {
        compared.notes.push(format!(
            "{uncounted} minutes with a batch were not counted (a process ended there, or their rows were lost); \
             `tsur rebuild --table backlog` counts them"
        ));
    }
    Ok(compared)
}

async fn marks(client: &Client, share: &Share) -> Result<Vec<Mark>, AuditError> {
    let sql = format!(
        "SELECT toUnixTimestamp(at) AS minute, maxIf(version, side = 0) AS of_rows, maxIf(version, side = 1) AS of_marks,
            (uniqExact(side) = 2)::Bool AS is_marked
         FROM
         (
            SELECT 0 AS side, minute AS at, version FROM backlog WHERE {OF_SHARE} AND source = ''
            UNION ALL SELECT 1, minute, version FROM backlog_marks WHERE {OF_SHARE}
         )
         WHERE toUnixTimestamp(at) >= toUnixTimestamp(now()) - {KEEP} GROUP BY at ORDER BY minute"
    );
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    query.fetch_all().await.map_err(failed("marks of backlog"))
}

/// As many minutes as keep a query bounded for a partition with so many cases.
async fn minutes_a_query(client: &Client, share: &Share) -> Result<usize, AuditError> {
    let sql = format!("SELECT uniq(case_key) FROM events WHERE {OF_SHARE}");
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    let cases: u64 = query.fetch_one().await.map_err(failed("cases of a partition"))?;
    Ok((LOOKS / (cases + 1)).clamp(FEWEST_MINUTES, MOST_MINUTES) as usize)
}

/// Compares the rows of some minutes; what differs is asked again, because `run` may have counted a minute anew.
async fn minutes_of(client: &Client, share: &Share, chunk: &[Mark]) -> Result<Pass, AuditError> {
    let mut chunk = chunk.to_vec();
    for attempt in 1.. {
        let mut pass = ask(client, share, &chunk).await?;
        for mark in chunk.iter().filter(|mark| !mark.is_marked || mark.of_rows != mark.of_marks) {
            let what =
                |version: u64| if version == 0 { "none".to_owned() } else { format!("one of version {version}") };
            let differences = vec![(
                "mark (backlog_marks, and the mark among the rows of backlog)".to_owned(),
                what(mark.of_marks),
                what(mark.of_rows),
            )];
            pass.wrong += 1;
            pass.found.push((label(share, mark.minute), WRONG, mark.version(), differences));
        }
        if pass.wrong == 0 || attempt == NEWER_PASSES {
            return Ok(pass);
        }
        let (first, last) = (chunk.first().map_or(0, |mark| mark.minute), chunk.last().map_or(0, |mark| mark.minute));
        let now = marks(client, share).await?;
        let again: Vec<Mark> = now.into_iter().filter(|mark| (first..=last).contains(&mark.minute)).collect();
        if again == chunk {
            return Ok(pass); // nobody counted anew: it differs for good
        }
        chunk = again;
        tokio::time::sleep(ASK_AGAIN).await;
    }
    Ok(Pass::default())
}

fn label(share: &Share, minute: u32) -> String {
    use chrono::{DateTime, FixedOffset};
    let moscow = FixedOffset::east_opt(3 * 3600);
    let at = DateTime::from_timestamp(i64::from(minute), 0).zip(moscow).map(|(at, zone)| at.with_timezone(&zone));
    let at = at.map_or_else(|| minute.to_string(), |at| at.format("%F %H:%M").to_string());
    format!("{}/{} minute {at}", share.topic, share.partition)
}

async fn ask(client: &Client, share: &Share, chunk: &[Mark]) -> Result<Pass, AuditError> {
    let minutes: Vec<u32> = chunk.iter().map(|mark| mark.minute).collect();
    let versions: Vec<u64> = chunk.iter().map(Mark::version).collect();
    let lowest = versions.iter().min().copied().unwrap_or_default();
    let highest = versions.iter().max().copied().unwrap_or_default();
    // the pairs travel in the body of the statement: an address has no room for a day of them
    let sql = comparison_sql(&array(&minutes), &array(&versions));
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    query.param("lowest", lowest).param("highest", highest).fetch_one().await.map_err(failed("backlog"))
}

fn array<T: ToString>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    format!("[{}]", values.join(","))
}

fn comparison_sql(minutes: &str, versions: &str) -> String {
    const STATE: &str = "(toString(source), toString(block), toString(territory), toString(body), toString(status), \
        toUnixTimestamp(registered_at), toUnixTimestamp(first_answer_at), toUnixTimestamp(answered_at), \
        toUnixTimestamp(closed_at), toUnixTimestamp(due_first), toUnixTimestamp(due_final), paused, kafka_offset * 65536 + item)";
    let inner = format!(
        "WITH {minutes}::Array(UInt32) AS minutes, {versions}::Array(UInt64) AS versions
        SELECT concat({{topic:String}}, '/', toString({{partition:UInt16}}), ' minute ', formatDateTime(toDateTime(minute, 'Europe/Moscow'), '%F %H:%i'),
                ' [', src, ' | ', blk, ' | ', terr, ' | ', holder, ']') AS label, max(version) AS row_version,
            arrayFilter(d -> d.2 != d.3, [
                ('open', toString(sumIf(open, side = 1)), toString(sumIf(open, side = 0))),
                ('due_2h', toString(sumIf(soon, side = 1)), toString(sumIf(soon, side = 0))),
                ('due_24h', toString(sumIf(today, side = 1)), toString(sumIf(today, side = 0))),
                ('overdue', toString(sumIf(late, side = 1)), toString(sumIf(late, side = 0))),
                ('oldest', toString(toDateTime(sumIf(oldest, side = 1), 'Europe/Moscow')), toString(toDateTime(sumIf(oldest, side = 0), 'Europe/Moscow')))]) AS differences,
            if(notEmpty(differences), {WRONG}, 0)::UInt8 AS class
        FROM
        (
            SELECT 0 AS side, minute, src, blk, terr, holder, version, count() AS open, countIf(due >= minute AND due < minute + 7200) AS soon,
                countIf(due >= minute AND due < minute + 86400) AS today, countIf(due != 0 AND due < minute) AS late,
                minIf(registered, registered != 0) AS oldest
            FROM
            (
                SELECT s.1 AS src, s.2 AS blk, s.3 AS terr, s.4 AS holder, s.6 AS registered,
                    arrayMin(arrayFilter(x -> x != 0, [s.8, s.9])) AS ended, arrayMin(arrayFilter(x -> x != 0, [s.7, ended])) AS began,
                    arrayLast(x -> x.1 <= minute, moved) AS latest, latest.1 != 0 AS has_new, if(has_new, latest.4, s.12) AS stands,
                    arrayMin(arrayFilter(x -> x != 0, [if(began = 0, if(has_new, latest.2, s.10), 0), if(ended = 0 AND NOT stands, if(has_new, latest.3, s.11), 0)])) AS due,
                    arrayJoin(arrayFilter(i -> versions[i] > off AND versions[i] <= gone, arrayEnumerate(versions))) AS i,
                    minutes[i] AS minute, versions[i] AS version
                FROM
                (
                    SELECT case_key, s, off, leadInFrame(off, 1, 18446744073709551615) OVER (PARTITION BY case_key ORDER BY off, nth
                        ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS gone
                    FROM
                    (
                        SELECT case_key, max(kafka_offset) AS off, 0::UInt16 AS nth, argMax({STATE}, (kafka_offset, item)) AS s FROM events
                        WHERE {OF_SHARE} AND outcome = 'applied' AND subject = 'case' AND kafka_offset < {{lowest:UInt64}} GROUP BY case_key
                        UNION ALL
                        SELECT case_key, kafka_offset, item, {STATE} FROM events
                        WHERE {OF_SHARE} AND outcome = 'applied' AND subject = 'case' AND kafka_offset >= {{lowest:UInt64}} AND kafka_offset < {{highest:UInt64}}
                    )
                ) AS standing
                LEFT JOIN
                (
                    SELECT case_key AS moved_key, version AS moved_version,
                        arraySort(x -> x.1, groupArray((toUnixTimestamp(since), toUnixTimestamp(due_first), toUnixTimestamp(due_final), paused))) AS moved
                    FROM case_dues FINAL WHERE {OF_SHARE} GROUP BY case_key, version
                ) AS dues ON standing.case_key = dues.moved_key AND tupleElement(standing.s, 13) = dues.moved_version
                WHERE s.5 NOT IN ('answered', 'closed', 'rejected', 'deferred', 'duplicate')
            )
            GROUP BY minute, src, blk, terr, holder, version
            UNION ALL
            SELECT 1, toUnixTimestamp(b.minute) AS at, toString(source), toString(block), toString(territory), toString(body), version,
                toUInt64(open), toUInt64(due_2h), toUInt64(due_24h), toUInt64(overdue), toUnixTimestamp(oldest)
            FROM backlog AS b FINAL
            WHERE {OF_SHARE} AND source != '' AND has(minutes, at) AND version >= versions[indexOf(minutes, at)]
        )
        GROUP BY minute, src, blk, terr, holder"
    );
    verdict_sql(&inner)
}

/// Rows whose minute has no mark at all are shown to nobody and come from nowhere.
async fn strays(client: &Client, share: &Share) -> Result<Pass, AuditError> {
    let sql = format!(
        "SELECT toUnixTimestamp(minute) AS at, toUInt64(count()) FROM backlog WHERE {OF_SHARE} AND source != ''
            AND toUnixTimestamp(minute) >= toUnixTimestamp(now()) - {KEEP}
            AND minute NOT IN (SELECT minute FROM backlog_marks WHERE {OF_SHARE})
            AND minute NOT IN (SELECT minute FROM backlog WHERE {OF_SHARE} AND source = '')
         GROUP BY at ORDER BY at LIMIT {FOUND}"
    );
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    let minutes: Vec<(u32, u64)> = query.fetch_all().await.map_err(failed("rows of backlog without a mark"))?;
    let mut pass = Pass::default();
    for (minute, rows) in minutes {
        let differences = vec![("rows".to_owned(), rows.to_string(), "a minute that nobody counted".to_owned())];
        pass.compared += rows;
        pass.wrong += 1;
        pass.found.push((label(share, minute), WRONG, 0, differences));
    }
    Ok(pass)
}

/// Minutes in which a batch was sealed and no count was written; the newest ones may still be on their way.
async fn uncounted_minutes(client: &Client, share: &Share) -> Result<u64, AuditError> {
    let sql = format!(
        "SELECT uniqExact(toStartOfMinute(sealed_at)) FROM events WHERE {OF_SHARE}
            AND toUnixTimestamp(sealed_at) BETWEEN toUnixTimestamp(now()) - {KEEP} AND toUnixTimestamp(now()) - 180
            AND toUnixTimestamp(toStartOfMinute(sealed_at)) NOT IN (SELECT toUnixTimestamp(minute) FROM backlog_marks WHERE {OF_SHARE})"
    );
    let query = client.query_raw(&sql).param("topic", &share.topic).param("partition", share.partition);
    query.fetch_one().await.map_err(failed("minutes without a count"))
}
