//! The task that tells of rejected records: reads them from the journal, sends them, notes how far it came.
//! Owner: the process, one task; `Landings` is the way in. Invariants: rows are read in the order of the journal in pages of
//! `PAGE`; a partition is noted as told up to an offset only when Kafka has confirmed everything below it; a failure makes
//! the outbox wait and never the workers. What a crash leaves between sending and noting is sent again.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use clickhouse::{Client, Row};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::kafka::courier::{Courier, CourierError};
use crate::model::ids::{Offset, StreamEpoch};
use crate::partition::flight::Backoff;
use crate::partition::ports::StreamId;
use crate::rejects::notice::RejectRow;
use crate::rejects::{Reach, Reaches};
use crate::telemetry::metrics;

/// Rows of one query and one group of messages; an excerpt is short, so a page is about a megabyte.
const PAGE: usize = 2_000;
/// The journal is looked at no more often than this.
const EVERY: Duration = Duration::from_secs(1);
/// Notes are parts of a table and ClickHouse likes few: at most one in this time. A crash sends this much again.
const NOTE_EVERY: Duration = Duration::from_secs(5);
/// One call of ClickHouse.
const CALL: Duration = Duration::from_secs(60);

/// Every kind is tried again.
#[derive(Debug, Error)]
enum OutboxError {
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("clickhouse gave no answer within {CALL:?}")]
    Late(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Courier(#[from] CourierError),
}

/// How far a partition was told.
#[derive(Clone, Copy, Debug)]
struct Told {
    epoch: StreamEpoch,
    below: Offset,
    is_noted: bool,
}

#[derive(Row, Serialize)]
struct Note<'a> {
    kafka_topic: &'a str,
    kafka_partition: u16,
    epoch: u32,
    sent_below: u64,
    noted_at: i64,
}

/// What the outbox is given.
pub struct Outbox {
    pub client: Client,
    pub courier: Courier,
    pub topic: String,
    pub backoff: Backoff,
}

impl Outbox {
    /// Ends when the last worker is gone and all that was rejected is told.
    pub async fn run(mut self, mut reaches: Receiver<Reaches>) {
        let mut told: HashMap<StreamId, Told> = HashMap::new();
        let (mut attempt, mut noted_at) = (0, Instant::now());
        loop {
            let has_ended = self.wait(&mut reaches, attempt, is_all_noted(&told)).await;
            let wanted = reaches.borrow_and_update().clone();
            let is_time = has_ended || noted_at.elapsed() >= NOTE_EVERY;
            match self.round(&wanted, &mut told, is_time).await {
                Ok(()) => {
                    attempt = 0;
                    if is_time {
                        noted_at = Instant::now();
                    }
                    if has_ended {
                        return;
                    }
                }
                Err(problem) => {
                    warn!(%problem, attempt, topic = self.topic, "rejects are in the journal and will be told again; is the \
                        Kafka topic there? `tsur migrate --create-topics` makes it");
                    attempt += 1;
                }
            }
        }
    }

    /// Waits for news, for the time of the next note, or for the pause after a failure; tells whether the workers are gone.
    async fn wait(&self, reaches: &mut Receiver<Reaches>, attempt: u32, is_all_noted: bool) -> bool {
        if attempt > 0 {
            tokio::time::sleep(self.backoff.pause(attempt - 1)).await;
            return reaches.has_changed().is_err();
        }
        let has_ended = if is_all_noted {
            reaches.changed().await.is_err()
        } else {
            tokio::time::timeout(NOTE_EVERY, reaches.changed()).await.is_ok_and(|changed| changed.is_err())
        };
        if !has_ended {
            tokio::time::sleep(EVERY).await; // one look for the batches of a second
        }
        has_ended || reaches.has_changed().is_err()
    }

    async fn round(
        &mut self,
        wanted: &Reaches,
        told: &mut HashMap<StreamId, Told>,
        with_notes: bool,
    ) -> Result<(), OutboxError> {
        for (stream, reach) in wanted {
            let from = match told.get(stream).filter(|told| told.epoch == reach.epoch) {
                Some(told) => told.below,
                None => self.noted(stream, reach.epoch).await?,
            };
            if from < reach.below {
                self.tell(stream, *reach, from).await?;
            }
            let is_noted = from >= reach.below && told.get(stream).is_none_or(|told| told.is_noted);
            let below = from.max(reach.below);
            told.insert(stream.clone(), Told { epoch: reach.epoch, below, is_noted });
        }
        if with_notes { self.note(told).await } else { Ok(()) }
    }

    /// Where an earlier process came to; the beginning, where none ever did.
    async fn noted(&self, stream: &StreamId, epoch: StreamEpoch) -> Result<Offset, OutboxError> {
        let sql = "SELECT max(sent_below) FROM rejects_sent WHERE kafka_topic = {topic:String} AND kafka_partition = \
                   {partition:UInt16} AND epoch = {epoch:UInt32}";
        let query = self.client.query(sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        let below = tokio::time::timeout(CALL, query.param("epoch", epoch.0).fetch_one::<u64>()).await??;
        Ok(Offset(below))
    }

    /// Sends what was rejected in `[from, reach.below)`.
    async fn tell(&mut self, stream: &StreamId, reach: Reach, from: Offset) -> Result<(), OutboxError> {
        let (mut offset, mut item, mut count) = (from.0, 0u16, 0);
        loop {
            let rows = self.page(stream, (offset, item), reach.below).await?;
            let Some(last) = rows.last() else { break };
            (offset, item) = (last.kafka_offset, last.item.saturating_add(1));
            let is_last = rows.len() < PAGE;
            let group = rows.iter().map(|row| row.message(reach.epoch)).collect();
            self.courier.deliver(&self.topic, group).await?;
            for row in &rows {
                metrics::reject_told(&row.kafka_topic, &row.reason);
            }
            count += rows.len();
            if is_last {
                break;
            }
        }
        if count > 0 {
            info!(partition = %stream, rejects = count, below = reach.below.0, "rejects told");
        }
        Ok(())
    }

    async fn page(&self, stream: &StreamId, from: (u64, u16), below: Offset) -> Result<Vec<RejectRow>, OutboxError> {
        let sql = format!(
            "SELECT ?fields FROM events WHERE kafka_topic = {{topic:String}} AND kafka_partition = {{partition:UInt16}} \
             AND kafka_offset >= {{offset:UInt64}} AND kafka_offset < {{below:UInt64}} AND outcome = 'rejected' \
             AND (kafka_offset > {{offset:UInt64}} OR item >= {{item:UInt16}}) ORDER BY kafka_offset, item LIMIT {PAGE}"
        );
        let query = self.client.query(&sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        let query = query.param("offset", from.0).param("item", from.1).param("below", below.0);
        Ok(tokio::time::timeout(CALL, query.fetch_all()).await??)
    }

    async fn note(&self, told: &mut HashMap<StreamId, Told>) -> Result<(), OutboxError> {
        if is_all_noted(told) {
            return Ok(());
        }
        let noted_at = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64);
        let write = async {
            let mut insert = self.client.insert::<Note<'_>>("rejects_sent").await?.with_setting("async_insert", "0");
            for (stream, told) in told.iter().filter(|(_, told)| !told.is_noted) {
                let note = Note {
                    kafka_topic: &stream.topic,
                    kafka_partition: stream.partition.0 as u16,
                    epoch: told.epoch.0,
                    sent_below: told.below.0,
                    noted_at,
                };
                insert.write(&note).await?;
            }
            insert.end().await
        };
        tokio::time::timeout(CALL, write).await??;
        told.values_mut().for_each(|told| told.is_noted = true);
        Ok(())
    }
}

fn is_all_noted(told: &HashMap<StreamId, Told>) -> bool {
    told.values().all(|told| told.is_noted)
}
