//! Holes in the offsets of the journal: found by SQL, then excused by an operator (`accepted_gaps`) or by Kafka itself.
//! Owner: `audit`. Invariants: a gap is half-open; an excuse splits a gap where it covers only a part of it, and what is
//! left stays lost; nothing is excused because it could not be asked.

use clickhouse::{Client, Row};
use serde::Deserialize;

use super::accounting::PartitionAccount;
use super::{AuditError, OffsetOracle, failed};

/// So many holes of one partition are looked at.
const LIMIT: usize = 100_000;
/// A hole with more records than this in it is lost as a whole; counting them one by one would take too long.
const LOST_RECORDS: usize = 1000;

/// Why a hole is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nobody knows: records are missing.
    Lost,
    /// An operator accepted it, for this reason.
    Accepted(String),
    /// Kafka has no record there either.
    Kafka,
}

/// Offsets `[begin, end)` of which the journal has no row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    pub topic: String,
    pub partition: u16,
    pub begin: u64,
    pub end: u64,
    pub verdict: Verdict,
    /// Offsets of the gap that do hold a record in Kafka, as far as they were asked for.
    pub records: Vec<u64>,
}

#[derive(Row, Deserialize, Clone, Debug)]
pub(super) struct AcceptedGap {
    pub kafka_topic: String,
    pub kafka_partition: u16,
    pub begin: u64,
    pub end: u64,
    pub reason: String,
}

#[derive(Row, Deserialize)]
struct Hole {
    begin: u64,
    end: u64,
}

/// The holes of every partition that has some, in order.
pub(super) async fn find(client: &Client, partitions: &[PartitionAccount]) -> Result<Vec<Gap>, AuditError> {
    const SQL: &str = "
        SELECT previous + 1 AS begin, kafka_offset AS end FROM
        (
            SELECT kafka_offset, lagInFrame(kafka_offset, 1, kafka_offset) OVER
                (ORDER BY kafka_offset ASC ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS previous
            FROM events WHERE kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}
        )
        WHERE kafka_offset > previous + 1 ORDER BY begin LIMIT {limit:UInt32}";
    let mut gaps = Vec::new();
    for account in partitions.iter().filter(|account| account.offsets < account.span()) {
        let holes: Vec<Hole> = client
            .query_raw(SQL)
            .param("topic", &account.kafka_topic)
            .param("partition", account.kafka_partition)
            .param("limit", LIMIT as u32)
            .fetch_all()
            .await
            .map_err(failed("gaps"))?;
        gaps.extend(holes.into_iter().map(|hole| Gap {
            topic: account.kafka_topic.clone(),
            partition: account.kafka_partition,
            begin: hole.begin,
            end: hole.end,
            verdict: Verdict::Lost,
            records: Vec::new(),
        }));
    }
    Ok(gaps)
}

pub(super) async fn accepted(client: &Client) -> Result<Vec<AcceptedGap>, AuditError> {
    const SQL: &str = "SELECT kafka_topic, kafka_partition, begin, end, reason FROM accepted_gaps FINAL
        ORDER BY kafka_topic, kafka_partition, begin";
    client.query_raw(SQL).fetch_all().await.map_err(failed("accepted gaps"))
}

/// Cuts the accepted ranges out of the gaps; `accepted` is in order.
pub(super) fn accept(gaps: Vec<Gap>, accepted: &[AcceptedGap]) -> Vec<Gap> {
    let mut result = Vec::with_capacity(gaps.len());
    for gap in gaps {
        let mut at = gap.begin;
        for range in accepted {
            let is_same = range.kafka_topic == gap.topic && range.kafka_partition == gap.partition;
            let (begin, end) = (range.begin.max(at), range.end.min(gap.end));
            if !is_same || begin >= end {
                continue;
            }
            if at < begin {
                result.push(Gap { begin: at, end: begin, ..gap.clone() });
            }
            result.push(Gap { begin, end, verdict: Verdict::Accepted(range.reason.clone()), ..gap.clone() });
            at = end;
        }
        if at < gap.end {
            result.push(Gap { begin: at, ..gap });
        }
    }
    result
}

/// Asks Kafka which offsets of a lost gap hold records; a gap without any is Kafka's own.
pub(super) async fn excuse_by_kafka(gap: &mut Gap, oracle: &impl OffsetOracle) {
    if gap.verdict != Verdict::Lost {
        return;
    }
    let mut at = gap.begin;
    while at < gap.end && gap.records.len() < LOST_RECORDS {
        match oracle.next_offset_at_or_after(&gap.topic, gap.partition, at).await {
            Some(next) if next < at => return, // an answer that makes no sense excuses nothing
            Some(next) if next < gap.end => {
                gap.records.push(next);
                at = next + 1;
            }
            Some(_) => break,
            None => return,
        }
    }
    if gap.records.is_empty() {
        gap.verdict = Verdict::Kafka;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(begin: u64, end: u64) -> Gap {
        Gap { topic: "t".to_owned(), partition: 3, begin, end, verdict: Verdict::Lost, records: Vec::new() }
    }

    fn accepted(begin: u64, end: u64, partition: u16) -> AcceptedGap {
        let reason = "disk".to_owned();
        AcceptedGap { kafka_topic: "t".to_owned(), kafka_partition: partition, begin, end, reason }
    }

    /// A Kafka that has records at these offsets only.
    struct Log(Vec<u64>);

    impl OffsetOracle for Log {
        async fn next_offset_at_or_after(&self, _: &str, _: u16, offset: u64) -> Option<u64> {
            self.0.iter().copied().find(|at| *at >= offset)
        }
    }

    fn block_on<F: std::future::Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().expect("runtime").block_on(future)
    }

    #[test]
    fn an_accepted_range_excuses_only_what_it_covers() {
        let ranges = [accepted(0, 12, 3), accepted(10, 15, 3), accepted(17, 18, 3), accepted(0, 100, 4)];
        let parts = accept(vec![gap(10, 20)], &ranges);
        let shape: Vec<_> = parts.iter().map(|part| (part.begin, part.end, part.verdict == Verdict::Lost)).collect();
        assert_eq!(shape, [(10, 12, false), (12, 15, false), (15, 17, true), (17, 18, false), (18, 20, true)]);
    }

    #[test]
    fn a_hole_in_kafka_itself_is_no_loss() {
        let mut hole = gap(10, 20);
        block_on(excuse_by_kafka(&mut hole, &Log(vec![9, 20])));
        assert_eq!(hole.verdict, Verdict::Kafka);
    }

    #[test]
    fn records_that_kafka_still_has_are_named() {
        let mut hole = gap(10, 20);
        block_on(excuse_by_kafka(&mut hole, &Log(vec![9, 12, 19, 20])));
        assert_eq!((hole.verdict, hole.records), (Verdict::Lost, vec![12, 19]));
    }

    #[test]
    fn nobody_to_ask_is_no_excuse() {
        let mut hole = gap(10, 20);
        block_on(excuse_by_kafka(&mut hole, &super::super::NoOracle));
        assert_eq!(hole.verdict, Verdict::Lost);
    }
}
