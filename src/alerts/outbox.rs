//! The way out: an alert becomes a row, then a record of Kafka and a call of the webhook, then a row that says so.
//! Owner: the process, one task. Invariants: nobody is told of an alert that is not a row; a round takes at most
//! `ROUND` orders and begins at most once a second; what fails is tried again with growing pauses, while the
//! bounded queue before it fills and the timers wait. Kafka gets each state at least once, under the same key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rdkafka::config::ClientConfig;
use thiserror::Error;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::alerts::desk::{Message, id_text};
use crate::alerts::levels::Ladder;
use crate::alerts::notice::*;
use crate::alerts::webhook::Webhook;
use crate::config::reference::Reference;
use crate::enrich::names::NameLists;
use crate::kafka::producer::{Outgoing, ProduceError, Producer, ProducerOptions};
use crate::model::time::Time;
use crate::partition::flight::Backoff;
use crate::partition::ports::StreamId;

/// Messages of workers that wait; each holds up to 2,000 orders.
pub const QUEUE: usize = 8;
/// Orders of one round; their keys are in the text of a query, which ClickHouse takes up to 256 KiB.
const ROUND: usize = 5_000;
const EVERY: Duration = Duration::from_secs(1);
/// Kafka is away when it confirms nothing for so long.
const KAFKA_PATIENCE: Duration = Duration::from_secs(10);
/// One call of ClickHouse.
const CALL: Duration = Duration::from_secs(30);

#[derive(Debug, Error)]
enum OutboxError {
    /// Tried again: the rows are upserts.
    #[error("clickhouse: {0}")]
    ClickHouse(#[from] clickhouse::error::Error),
    #[error("clickhouse gave no answer within {CALL:?}")]
    Late(#[from] tokio::time::error::Elapsed),
    /// Tried again with a new producer: the key makes a repeated record the same alert.
    #[error("kafka: {0}")]
    Kafka(#[from] ProduceError),
    #[error("the sending thread ended: {0}")]
    Join(#[from] tokio::task::JoinError),
}

/// What the outbox is given.
pub struct Outbox {
    pub client: clickhouse::Client,
    pub kafka: ClientConfig,
    pub topic: String,
    pub ladder: Arc<Ladder>,
    pub names: Arc<NameLists>,
    pub reference: Reference,
    /// Rows that Kafka has and the webhook has not; a full queue leaves them to the next start.
    pub webhook: Option<Sender<Vec<AlertRow>>>,
    pub backoff: Backoff,
}

impl Outbox {
    /// Ends when the last worker is gone and everything it told is out.
    pub async fn run(self, mut inbox: Receiver<Message>) {
        let mut producer: Option<Arc<Producer>> = None;
        let mut orders: Vec<Order> = Vec::new();
        let mut unsent: Vec<AlertRow> = Vec::new();
        while let Some(message) = inbox.recv().await {
            let started = Instant::now();
            self.note(message, &mut orders, &mut unsent).await;
            while orders.len() < ROUND
                && let Ok(message) = inbox.try_recv()
            {
                self.note(message, &mut orders, &mut unsent).await;
            }
            while !orders.is_empty() || !unsent.is_empty() {
                let some: Vec<Order> = orders.drain(..orders.len().min(ROUND)).collect();
                let mut rows = self.patiently(|| self.write(&some)).await;
                rows.append(&mut unsent);
                for part in rows.chunks(ROUND) {
                    self.send(part, &mut producer).await;
                }
            }
            tokio::time::sleep_until(started + EVERY).await;
        }
    }

    async fn note(&self, message: Message, orders: &mut Vec<Order>, unsent: &mut Vec<AlertRow>) {
        match message {
            Message::Orders(mut more) => orders.append(&mut more),
            Message::Ask(stream, answer) => {
                let rows = self.patiently(|| self.open_rows(&stream)).await;
                let known = rows.iter().filter(|row| row.is_firing()).filter_map(known_of).collect();
                let (waiting, sent): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.kafka_sent_at == 0);
                unsent.extend(waiting);
                // also what fired before a webhook was configured: its receiver wants the present alerts
                let untold: Vec<AlertRow> = sent.into_iter().filter(|row| row.webhook_sent_at == 0).collect();
                for part in untold.chunks(ROUND) {
                    self.tell_webhook(part.to_vec());
                }
                let _ = answer.send(known); // the worker may be gone already
            }
        }
    }

    /// Asks until it works; the pauses grow.
    async fn patiently<T, F: Future<Output = Result<T, OutboxError>>>(&self, call: impl Fn() -> F) -> T {
        let mut attempt = 0;
        loop {
            match call().await {
                Ok(done) => return done,
                Err(problem) => {
                    warn!(%problem, attempt, "alerts wait and will be tried again");
                    tokio::time::sleep(self.backoff.pause(attempt)).await;
                    attempt += 1;
                }
            }
        }
    }

    /// Firing alerts of a partition, and those whose latest state was not sent.
    async fn open_rows(&self, stream: &StreamId) -> Result<Vec<AlertRow>, OutboxError> {
        let sql = "SELECT ?fields FROM alerts FINAL WHERE kafka_topic = {topic:String} AND kafka_partition = \
                   {partition:UInt16} AND (state = 'firing' OR toUnixTimestamp64Milli(kafka_sent_at) = 0)";
        let query = self.client.query(sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        Ok(tokio::time::timeout(CALL, query.fetch_all()).await??)
    }

    /// The rows of a round, written; a resolve reads the row of its alert, which an earlier insert made.
    async fn write(&self, orders: &[Order]) -> Result<Vec<AlertRow>, OutboxError> {
        let mut raises: HashMap<&StreamId, Vec<&Raise>> = HashMap::new();
        let mut resolves: HashMap<String, u64> = HashMap::new();
        for order in orders {
            match order {
                Order::Raise(raise) => raises.entry(&raise.stream).or_default().push(raise),
                Order::Resolve(resolve) => {
                    resolves.insert(id_text(resolve.id), resolve.version);
                }
            }
        }
        let mut rows = Vec::new();
        for (stream, raises) in raises {
            let ids = self.case_ids(stream, &raises).await?;
            for raise in raises {
                match ids.get(&raise.case_key.0) {
                    Some(case_id) => rows.push(self.row(raise, case_id)),
                    None => warn!(partition = %stream, case = raise.case_key.0, "no alert: the case is not in `cases`"),
                }
            }
        }
        self.insert(&rows).await?;
        if !resolves.is_empty() {
            let now = now_millis();
            let firing = self.rows_of(&resolves).await?;
            let over: Vec<AlertRow> = firing
                .iter()
                .filter(|row| row.is_firing())
                .filter_map(|row| Some(row.resolved(*resolves.get(&row.alert_id)?, now)))
                .collect();
            self.insert(&over).await?;
            rows.extend(over);
        }
        Ok(rows)
    }

    async fn case_ids(&self, stream: &StreamId, raises: &[&Raise]) -> Result<HashMap<u64, String>, OutboxError> {
        let keys: Vec<String> = raises.iter().map(|raise| raise.case_key.0.to_string()).collect();
        let sql = format!(
            "SELECT case_key, any(case_id) FROM cases WHERE kafka_topic = {{topic:String}} AND kafka_partition = \
             {{partition:UInt16}} AND case_key IN ({}) GROUP BY case_key",
            keys.join(",")
        );
        let query = self.client.query(&sql).param("topic", &*stream.topic).param("partition", stream.partition.0);
        let found = tokio::time::timeout(CALL, query.fetch_all::<(u64, String)>()).await??;
        Ok(found.into_iter().collect())
    }

    async fn rows_of(&self, ids: &HashMap<String, u64>) -> Result<Vec<AlertRow>, OutboxError> {
        let ids: Vec<String> = ids.keys().map(|id| format!("'{id}'")).collect();
        let sql = format!("SELECT ?fields FROM alerts FINAL WHERE alert_id IN ({})", ids.join(","));
        Ok(tokio::time::timeout(CALL, self.client.query(&sql).fetch_all()).await??)
    }

    async fn insert(&self, rows: &[AlertRow]) -> Result<(), OutboxError> {
        insert(&self.client, rows).await
    }

    fn row(&self, raise: &Raise, case_id: &str) -> AlertRow {
        let block = self.names.blocks.name(u16::from(raise.block.0));
        let body = self.names.bodies.name(raise.body.0);
        let block_name =
            self.reference.blocks.iter().find(|known| known.code == *block).map_or("", |known| &known.name);
        let body_name =
            self.reference.bodies.iter().find(|known| known.code == *body).map_or(&*body, |known| &known.short);
        let level = &self.ladder.levels[usize::from(raise.level)];
        let time = |seconds: i64| Time::from_unix_seconds(seconds).unwrap_or(Time::EARLIEST);
        let due = time(i64::from(raise.due));
        AlertRow {
            kafka_topic: raise.stream.topic.to_string(),
            kafka_partition: raise.stream.partition.0 as u16,
            alert_id: id_text(raise.id),
            version: raise.version << VERSION_BITS,
            state: FIRING.to_owned(),
            source: raise.stream.source.to_string(),
            case_key: raise.case_key.0,
            case_id: case_id.to_owned(),
            clock: CLOCK_NAMES[usize::from(raise.clock)].to_owned(),
            level: level.name.clone(),
            due: raise.due,
            level_at: raise.level_at,
            raised_at: raise.raised_millis,
            resolved_at: 0,
            addressee: self.ladder.addressee(level.role, &block, block_name, body_name),
            body: body.to_string(),
            block: block.to_string(),
            territory: self.names.territories.name(raise.territory.0).to_string(),
            text: text(case_id, raise.clock, due, time(raise.raised_millis / 1000), body_name),
            kafka_sent_at: 0,
            webhook_sent_at: 0,
        }
    }

    /// Sends rows until Kafka has them all, then notes that.
    async fn send(&self, rows: &[AlertRow], producer: &mut Option<Arc<Producer>>) {
        let records: Arc<Vec<(String, Vec<u8>)>> =
            Arc::new(rows.iter().map(|row| (row.alert_id.clone(), row.to_json().to_string().into_bytes())).collect());
        let mut attempt = 0;
        while let Err(problem) = self.produce(records.clone(), producer).await {
            *producer = None; // its failure would be the answer to every later record
            warn!(%problem, attempt, topic = self.topic, "alerts are rows already and will be sent again");
            tokio::time::sleep(self.backoff.pause(attempt)).await;
            attempt += 1;
        }
        let now = now_millis();
        let sent: Vec<AlertRow> = rows
            .iter()
            .map(|row| AlertRow { version: row.version | KAFKA_BIT, kafka_sent_at: now, ..row.clone() })
            .collect();
        self.patiently(|| self.insert(&sent)).await;
        info!(alerts = sent.len(), "alerts sent");
        self.tell_webhook(sent);
    }

    fn tell_webhook(&self, rows: Vec<AlertRow>) {
        if let Some(webhook) = &self.webhook
            && webhook.try_send(rows).is_err()
        {
            warn!("the webhook is behind; those of these alerts that still fire reach it after the next start");
        }
    }

    async fn produce(
        &self,
        records: Arc<Vec<(String, Vec<u8>)>>,
        producer: &mut Option<Arc<Producer>>,
    ) -> Result<(), OutboxError> {
        let ready = match producer {
            Some(ready) => ready.clone(),
            None => {
                let options = ProducerOptions { linger: Duration::from_millis(5), ..ProducerOptions::default() };
                producer.insert(Arc::new(Producer::new(&self.kafka, options)?)).clone()
            }
        };
        let topic = self.topic.clone();
        let sending = tokio::task::spawn_blocking(move || {
            for (key, payload) in records.iter() {
                ready.send(&Outgoing { topic: &topic, key: key.as_bytes(), payload, timestamp: None })?;
            }
            ready.flush(KAFKA_PATIENCE)
        });
        Ok(sending.await??)
    }
}

/// Writes rows of `alerts` as one block.
async fn insert(client: &clickhouse::Client, rows: &[AlertRow]) -> Result<(), OutboxError> {
    if rows.is_empty() {
        return Ok(());
    }
    let write = async {
        let mut insert = client.insert::<AlertRow>("alerts").await?.with_setting("async_insert", "0");
        for row in rows {
            insert.write(row).await?;
        }
        insert.end().await
    };
    Ok(tokio::time::timeout(CALL, write).await??)
}

/// Calls the webhook with what comes out of the queue, in order, and notes what it took.
pub async fn run_webhook(
    webhook: Webhook,
    client: clickhouse::Client,
    mut inbox: Receiver<Vec<AlertRow>>,
    backoff: Backoff,
) {
    while let Some(rows) = inbox.recv().await {
        let mut attempt = 0;
        while let Err(problem) = webhook.post(&rows).await {
            warn!(%problem, attempt, "the webhook will be called again");
            tokio::time::sleep(backoff.pause(attempt)).await;
            attempt += 1;
        }
        let now = now_millis();
        let told: Vec<AlertRow> = rows
            .into_iter()
            .map(|row| AlertRow { version: row.version | WEBHOOK_BIT, webhook_sent_at: now, ..row })
            .collect();
        if let Err(problem) = insert(&client, &told).await {
            // the webhook has them; only the note is missing, and after a restart they may be sent once more
            warn!(%problem, "that the webhook was called could not be noted");
        }
    }
}

fn known_of(row: &AlertRow) -> Option<Known> {
    let clock = CLOCK_NAMES.iter().position(|name| *name == row.clock)? as u8;
    let id = AlertId(u128::from_str_radix(&row.alert_id, 16).ok()?);
    Some(Known { id, case_key: row.case_key, clock, level: row.level.clone(), due: row.due })
}

fn now_millis() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64)
}
