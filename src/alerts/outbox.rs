//! The way out: an alert becomes a row, then a record of Kafka, then a row that says so; the webhook's task gets it next.
//! Owner: the process, one task. Invariants: nobody is told of an alert that is not a row; a round begins at most every
//! `EVERY` and takes a bounded number of orders; what fails is tried again with growing pauses, while the bounded queue
//! before it fills and the timers wait. Kafka gets each state at least once, under the same key; before a state is sent again
//! the topic is asked whether it has it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rdkafka::config::ClientConfig;
use thiserror::Error;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::alerts::calendars::CalendarEnd;
use crate::alerts::desk::{Message, id_text};
use crate::alerts::notice::*;
use crate::alerts::rows::Rows;
use crate::alerts::store::{Store, StoreError};
use crate::alerts::teller::ToWebhook;
use crate::kafka::producer::{Outgoing, ProduceError, Producer, ProducerOptions};
use crate::partition::flight::Backoff;
use crate::partition::ports::StreamId;
use crate::telemetry::alert_metrics as metrics;

/// Messages of workers that wait; each holds up to 2,000 orders of about a hundred bytes.
pub const QUEUE: usize = 64;
/// No further message is taken into a round that has so many orders.
const ROUND: usize = 5_000;
/// Short enough for an alert to be out within a second of its moment, long enough to write few parts.
const EVERY: Duration = Duration::from_millis(250);
/// What Kafka has is noted with the next round's rows, or after so long.
const NOTES_WAIT: Duration = Duration::from_millis(750);
/// Kafka is away when it confirms nothing for so long.
const KAFKA_PATIENCE: Duration = Duration::from_secs(10);
/// A case whose row is not in `cases` yet is asked for so often.
const CASE_TRIES: u32 = 3;

#[derive(Debug, Error)]
enum SendError {
    /// Tried again with a new producer: the key makes a repeated record the same alert.
    #[error("kafka: {0}")]
    Kafka(#[from] ProduceError),
    #[error("the sending thread ended: {0}")]
    Join(#[from] tokio::task::JoinError),
}

/// The queue to the webhook's task and the sign that something did not fit into it.
#[derive(Clone)]
pub struct Webhooks {
    pub queue: Sender<ToWebhook>,
    pub missed: Arc<AtomicBool>,
}

/// What the outbox is given.
pub struct Outbox {
    pub store: Store,
    pub kafka: ClientConfig,
    pub topic: String,
    pub rows: Rows,
    pub webhooks: Option<Webhooks>,
    pub backoff: Backoff,
}

/// Orders of one turn of the outbox.
#[derive(Default)]
struct Round {
    streams: HashSet<StreamId>,
    raises: Vec<(StreamId, Raise)>,
    calendars: Vec<(StreamId, CalendarEnd)>,
    /// Alert → row of the case that ended it.
    resolves: HashMap<AlertId, u64>,
    asks: Vec<Ask>,
}

impl Round {
    fn len(&self) -> usize {
        self.raises.len() + self.calendars.len() + self.resolves.len()
    }

    fn add(&mut self, stream: StreamId, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Raise(raise) => {
                    self.resolves.remove(&raise.id); // it fires anew
                    self.raises.push((stream.clone(), raise));
                }
                Order::Calendar(end) => self.calendars.push((stream.clone(), end)),
                Order::Resolve(resolve) => {
                    self.resolves.insert(resolve.id, resolve.version);
                }
            }
        }
        self.streams.insert(stream);
    }
}

/// What lives as long as the task.
#[derive(Default)]
struct State {
    producer: Option<Arc<Producer>>,
    /// Rows that Kafka has and whose note is not written yet.
    notes: Vec<AlertRow>,
    /// What earlier owners left.
    left: Left,
    /// Resolves wait until all of that is sent: a state is sent before the one that ends it.
    held: Round,
}

impl Outbox {
    /// Ends when the last worker is gone and everything it told is out.
    pub async fn run(self, mut inbox: Receiver<Message>) {
        // A new producer needs half a second until Kafka gave it an id; the first alerts of a start are late already.
        let mut state = State { producer: self.new_producer().ok(), ..State::default() };
        loop {
            let message = tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => message,
                    None => break,
                },
                sent = state.left.known() => {
                    self.catch_up(&sent, &mut state).await;
                    let held = std::mem::take(&mut state.held);
                    self.deliver(held, &mut state).await;
                    continue;
                }
                () = tokio::time::sleep(NOTES_WAIT) => {
                    self.write(&mut state.notes, Vec::new()).await;
                    continue;
                }
            };
            let started = Instant::now();
            let mut round = std::mem::take(&mut state.held);
            self.take(message, &mut round).await;
            while round.len() < ROUND
                && let Ok(message) = inbox.try_recv()
            {
                self.take(message, &mut round).await;
            }
            self.answer(std::mem::take(&mut round.asks), &mut state).await;
            if round.len() > 0 {
                self.deliver(round, &mut state).await;
                tokio::time::sleep_until(started + EVERY).await;
            }
        }
        while state.left.is_some() {
            let sent = state.left.known().await;
            self.catch_up(&sent, &mut state).await;
        }
        let held = std::mem::take(&mut state.held);
        self.deliver(held, &mut state).await;
        self.write(&mut state.notes, Vec::new()).await;
    }

    async fn take(&self, message: Message, round: &mut Round) {
        match message {
            Message::Orders(stream, orders) => round.add(stream, orders),
            Message::Check(stream, answer) => {
                // tried once: a check is made again later, and must not hold up anybody's orders
                match self.store.firing(&stream).await {
                    Ok(known) => drop(answer.send(known)), // the worker may be gone already
                    Err(problem) => {
                        metrics::failed("table");
                        warn!(%problem, partition = %stream, "firing alerts are compared with running clocks later");
                    }
                }
            }
            Message::Ask(stream, answer) => round.asks.push((stream, answer)),
        }
    }

    /// Asks until it works; the pauses grow.
    async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(&self, call: impl Fn() -> F) -> T {
        let mut attempt = 0;
        loop {
            match call().await {
                Ok(done) => return done,
                Err(problem) => {
                    metrics::failed("table");
                    warn!(%problem, attempt, "alerts wait and will be tried again");
                    tokio::time::sleep(self.backoff.pause(attempt)).await;
                    attempt += 1;
                }
            }
        }
    }

    /// Writes rows, and with them the notes that wait.
    async fn write(&self, notes: &mut Vec<AlertRow>, rows: Vec<AlertRow>) -> Vec<AlertRow> {
        let count = notes.len();
        notes.extend(rows);
        self.patiently(|| self.store.write(notes)).await;
        let rows = notes.split_off(count);
        notes.clear();
        rows
    }

    async fn deliver(&self, round: Round, state: &mut State) {
        let streams: Vec<StreamId> = round.streams.into_iter().collect();
        let mut rows = self.raised(&streams, &round.raises).await;
        self.revive(&streams, &round.raises, &mut rows).await;
        rows.extend(round.calendars.iter().map(|(stream, end)| self.rows.of_calendar(stream, end, now_millis())));
        let raised = self.write(&mut state.notes, rows).await;
        for row in &raised {
            metrics::fired(&row.level);
        }
        self.send(raised, state).await;

        if state.left.is_some() {
            state.held = Round { resolves: round.resolves, streams: streams.into_iter().collect(), ..Round::default() };
            return;
        }
        let ids: Vec<String> = round.resolves.keys().map(|id| id_text(*id)).collect();
        if ids.is_empty() {
            return;
        }
        // the rows of before, with what is known of their sending
        self.write(&mut state.notes, Vec::new()).await;
        let firing = self.patiently(|| self.store.rows_of(&streams, &ids)).await;
        let now = now_millis();
        let versions: HashMap<String, u64> =
            round.resolves.into_iter().map(|(id, version)| (id_text(id), version)).collect();
        let over = firing
            .iter()
            .filter(|row| row.is_firing())
            .filter_map(|row| Some(row.resolved(*versions.get(&row.alert_id)?, now)))
            .collect();
        let over = self.write(&mut state.notes, over).await;
        metrics::resolved(over.len());
        self.send(over, state).await;
    }

    async fn raised(&self, streams: &[StreamId], raises: &[(StreamId, Raise)]) -> Vec<AlertRow> {
        if raises.is_empty() {
            return Vec::new();
        }
        let keys: Vec<u64> = raises.iter().map(|(_, raise)| raise.case_key.0).collect();
        let mut ids = self.patiently(|| self.store.case_ids(streams, &keys)).await;
        for attempt in 0..CASE_TRIES {
            let missing: Vec<u64> = keys.iter().copied().filter(|key| !ids.contains_key(key)).collect();
            if missing.is_empty() {
                break;
            }
            tokio::time::sleep(self.backoff.pause(attempt)).await; // a replica may be behind
            ids.extend(self.patiently(|| self.store.case_ids(streams, &missing)).await);
        }
        raises
            .iter()
            .map(|(stream, raise)| match ids.get(&raise.case_key.0) {
                Some(case_id) => self.rows.of_case(stream, raise, case_id),
                None => {
                    let key = raise.case_key.0;
                    warn!(partition = %stream, case_key = key, "the case is not in `cases`; its alert has the key for a number");
                    self.rows.of_case(stream, raise, &key.to_string())
                }
            })
            .collect()
    }

    /// An alert that was resolved at the same row of its case, or later, fires again above that. There is room above: what
    /// is added counts items of a record, and the next record of the case is 65,536 away.
    async fn revive(&self, streams: &[StreamId], raises: &[(StreamId, Raise)], rows: &mut [AlertRow]) {
        let back = raises.iter().filter(|(_, raise)| raise.may_be_back);
        let ids: Vec<String> = back.map(|(_, raise)| id_text(raise.id)).collect();
        if ids.is_empty() {
            return;
        }
        let known = self.patiently(|| self.store.resolved_versions(streams, &ids)).await;
        for row in rows {
            if let Some(version) = known.get(&row.alert_id) {
                row.version = row.version.max(((version >> VERSION_BITS) + 1) << VERSION_BITS);
            }
        }
    }

    /// Sends rows until Kafka has them all; their notes go with the next write.
    async fn send(&self, rows: Vec<AlertRow>, state: &mut State) {
        let started = now_millis();
        let mut left = Arc::new(rows);
        let mut attempt = 0;
        while !left.is_empty() {
            let Err(problem) = self.produce(left.clone(), &mut state.producer).await else { break };
            state.producer = None; // its failure would be the answer to every later record
            metrics::failed("kafka");
            warn!(%problem, attempt, topic = self.topic, "alerts are rows already and will be sent again");
            tokio::time::sleep(self.backoff.pause(attempt)).await;
            attempt += 1;
            let sent = self.already(started).await.unwrap_or_default(); // some may have arrived
            let (known, new): (Vec<_>, Vec<_>) = left.iter().cloned().partition(|row| is_in(&sent, row));
            self.note_sent(known, state);
            left = Arc::new(new);
        }
        self.note_sent(Arc::unwrap_or_clone(left), state);
    }

    /// Kafka has these.
    fn note_sent(&self, rows: Vec<AlertRow>, state: &mut State) {
        if rows.is_empty() {
            return;
        }
        let now = now_millis();
        let sent: Vec<AlertRow> = rows
            .into_iter()
            .map(|row| AlertRow { version: row.version | KAFKA_BIT, kafka_sent_at: now, ..row })
            .collect();
        metrics::delivered("kafka", sent.len());
        for row in sent.iter().filter(|row| row.is_firing()) {
            metrics::delay((now - i64::from(row.level_at) * 1000).max(0) as f64 / 1000.0);
        }
        info!(alerts = sent.len(), "alerts sent");
        state.notes.extend(sent.iter().cloned());
        self.tell_webhook(ToWebhook::Rows(sent));
    }

    fn tell_webhook(&self, message: ToWebhook) {
        if let Some(webhooks) = &self.webhooks
            && webhooks.queue.try_send(message).is_err()
        {
            webhooks.missed.store(true, Ordering::Relaxed); // it finds them in the table
        }
    }

    fn new_producer(&self) -> Result<Arc<Producer>, ProduceError> {
        let options = ProducerOptions { linger: Duration::from_millis(5), ..ProducerOptions::default() };
        Ok(Arc::new(Producer::new(&self.kafka, options)?))
    }

    async fn produce(&self, rows: Arc<Vec<AlertRow>>, producer: &mut Option<Arc<Producer>>) -> Result<(), SendError> {
        let ready = match producer {
            Some(ready) => ready.clone(),
            None => producer.insert(self.new_producer()?).clone(),
        };
        let topic = self.topic.clone();
        let sending = tokio::task::spawn_blocking(move || {
            for row in rows.iter() {
                let payload = row.to_json().to_string();
                let (key, payload) = (row.alert_id.as_bytes(), payload.as_bytes());
                ready.send(&Outgoing { topic: &topic, key, payload, timestamp: None })?;
            }
            ready.flush(KAFKA_PATIENCE)
        });
        Ok(sending.await??)
    }
}

pub(super) fn now_millis() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_millis() as i64)
}

#[path = "outbox_start.rs"]
mod start;
use start::{Ask, Left, is_in};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::case::{BlockId, BodyId, TerritoryId};
    use crate::model::ids::CaseKey;

    fn raise(id: u128) -> Order {
        Order::Raise(Raise {
            id: AlertId(id),
            case_key: CaseKey(1),
            version: 1,
            clock: 0,
            level: 0,
            due: 1,
            level_at: 1,
            raised_millis: 1,
            block: BlockId(0),
            body: BodyId(0),
            territory: TerritoryId(0),
            may_be_back: false,
        })
    }

    #[test]
    fn an_alert_that_ends_and_fires_anew_in_one_round_fires() {
        let end = |id| Order::Resolve(Resolve { id: AlertId(id), version: 1 });
        let mut round = Round::default();
        round.add(StreamId::new("pos", "in", 0), vec![end(1), raise(1), raise(2), end(2)]);
        assert_eq!(round.raises.len(), 2);
        assert_eq!(round.resolves.keys().copied().collect::<Vec<_>>(), vec![AlertId(2)]);
    }
}
