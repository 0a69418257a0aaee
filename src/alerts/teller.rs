//! The webhook's task: passes rows through the gate, calls the webhook, tells digests, notes what was told.
//! Owner: the process, one task. Invariants: a row that was not told is in the table without `webhook_sent_at`, so neither a
//! full queue nor a restart loses it; calls and notes are bounded; a call that failed is repeated with growing pauses, and
//! one that is refused for its content is split until the alert that is at fault is alone and can be named.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::time::Instant;
use tracing::{error, warn};

use crate::alerts::digest::{DigestRow, digest, told};
use crate::alerts::gate::{Admitted, Gate, Pile};
use crate::alerts::levels::Ladder;
use crate::alerts::notice::{AlertRow, WEBHOOK_BIT};
use crate::alerts::outbox::now_millis;
use crate::alerts::store::{PAGE, Store, StoreError};
use crate::alerts::webhook::{Webhook, WebhookError, alert, digest_alert};
use crate::partition::flight::Backoff;
use crate::partition::ports::StreamId;
use crate::telemetry::alert_metrics as metrics;

/// Messages that wait, each of up to 7,000 rows.
pub const QUEUE: usize = 4;
/// Alerts of one call.
const CALL_AT_MOST: usize = 500;
/// Piles and notes are looked at so often.
const LOOK: Duration = Duration::from_millis(500);
/// Notes are written after so long, or when so many wait.
const NOTES_WAIT: Duration = Duration::from_secs(1);
const NOTES_AT_MOST: usize = 5_000;

/// What the outbox hands on.
pub enum ToWebhook {
    /// Rows that Kafka has.
    Rows(Vec<AlertRow>),
    /// A partition came: what of it was not told is in the table.
    Look(StreamId),
}

/// What the task is given.
pub struct Teller {
    pub webhook: Webhook,
    pub store: Store,
    pub ladder: Arc<Ladder>,
    /// The partitions of the process.
    pub streams: Arc<dyn Fn() -> Vec<StreamId> + Send + Sync>,
    pub missed: Arc<AtomicBool>,
    pub backoff: Backoff,
}

struct State {
    gate: Gate,
    /// Alert → version of what a look took up while the same rows may be in the queue.
    looked: HashMap<String, u64>,
    notes: Vec<AlertRow>,
    noted: Instant,
}

impl Teller {
    /// Ends with the outbox; what waits then is told after the next start.
    pub async fn run(self, mut inbox: Receiver<ToWebhook>) {
        let gate = Gate::new(self.ladder.delivery.clone());
        let mut state = State { gate, looked: HashMap::new(), notes: Vec::new(), noted: Instant::now() };
        loop {
            match tokio::time::timeout(LOOK, inbox.recv()).await {
                Ok(Some(ToWebhook::Rows(mut rows))) => {
                    rows.retain(|row| state.looked.get(&row.alert_id).is_none_or(|seen| row.version > *seen));
                    self.take(rows, &mut state).await;
                }
                Ok(Some(ToWebhook::Look(stream))) => self.look(&stream, &mut state).await,
                Ok(None) => break,
                Err(_) => {
                    state.looked.clear();
                    if self.missed.swap(false, Ordering::Relaxed) {
                        for stream in (self.streams)() {
                            self.look(&stream, &mut state).await;
                        }
                    }
                }
            }
            self.digests(&mut state).await;
            if state.noted.elapsed() >= NOTES_WAIT || state.notes.len() >= NOTES_AT_MOST {
                self.note(&mut state).await;
            }
            metrics::waiting(state.gate.held());
        }
        self.note(&mut state).await;
    }

    /// Takes up what the table says was not told.
    async fn look(&self, stream: &StreamId, state: &mut State) {
        self.note(state).await; // what was told must not be found
        let mut after = String::new();
        loop {
            let rows = self.patiently(|| self.store.untold(stream, &after)).await;
            let Some(last) = rows.last() else { return };
            after.clone_from(&last.alert_id);
            let is_last = rows.len() < PAGE;
            state.looked.extend(rows.iter().map(|row| (row.alert_id.clone(), row.version)));
            self.take(rows, state).await;
            if is_last {
                return;
            }
        }
    }

    async fn take(&self, rows: Vec<AlertRow>, state: &mut State) {
        let now = (now_millis() / 1000) as u32;
        let mut tell = Vec::new();
        for row in rows {
            match state.gate.admit(row, now) {
                Admitted::Tell(row) => tell.push(row),
                Admitted::Held(why, row) => {
                    metrics::held(why.name());
                    state.notes.push(row);
                }
                Admitted::Kept => {}
                Admitted::Silent(row) => state.notes.push(noted(row, now_millis())),
            }
        }
        for rows in tell.chunks(CALL_AT_MOST) {
            let alerts: Vec<Value> = rows.iter().map(alert).collect();
            let taken = self.tell(&alerts).await;
            metrics::delivered("webhook", taken.len());
            let now = now_millis();
            state.notes.extend(taken.into_iter().map(|place| noted(rows[place].clone(), now)));
        }
    }

    /// Tells the piles whose time has come.
    async fn digests(&self, state: &mut State) {
        let now = (now_millis() / 1000) as u32;
        let streams: HashSet<(String, u16)> =
            (self.streams)().iter().map(|stream| (stream.topic.to_string(), stream.partition.0 as u16)).collect();
        let is_ours = |row: &AlertRow| streams.contains(&(row.kafka_topic.clone(), row.kafka_partition));
        for pile in state.gate.due(now, is_ours) {
            self.tell_digest(&pile, state).await;
        }
    }

    async fn tell_digest(&self, pile: &Pile, state: &mut State) {
        let digest = digest(pile, &self.ladder, now_millis());
        self.patiently(|| self.store.write_digest(&digest)).await;
        if self.tell(&[digest_alert(&digest)]).await.is_empty() {
            return; // it was named; the rows stay untold in the table
        }
        metrics::digested(pile.rows.len());
        let now = now_millis();
        let sent = DigestRow { sent_at: now, ..digest };
        self.patiently(|| self.store.write_digest(&sent)).await;
        state.notes.extend(pile.rows.iter().map(|row| told(row, &sent.digest_id, now)));
        self.note(state).await;
    }

    /// Calls until everything was taken or refused for its content; the places of what was taken.
    async fn tell(&self, alerts: &[Value]) -> Vec<usize> {
        let mut taken = Vec::with_capacity(alerts.len());
        let mut parts: Vec<Range<usize>> = std::iter::once(0..alerts.len()).collect();
        let mut attempt = 0;
        while let Some(part) = parts.pop() {
            match self.webhook.post(&alerts[part.clone()]).await {
                Ok(()) => {
                    attempt = 0;
                    taken.extend(part);
                }
                Err(WebhookError::Content(status)) if part.len() == 1 => {
                    metrics::failed("webhook");
                    error!(%status, alert = %alerts[part.start]["labels"], "the webhook refuses this alert for its content; it stays untold in v_alerts");
                }
                Err(WebhookError::Content(_)) => {
                    let middle = part.start + part.len() / 2;
                    parts.push(middle..part.end);
                    parts.push(part.start..middle);
                }
                Err(problem) => {
                    metrics::failed("webhook");
                    warn!(%problem, attempt, "the webhook will be called again");
                    tokio::time::sleep(self.backoff.pause(attempt)).await;
                    attempt += 1;
                    parts.push(part);
                }
            }
        }
        taken
    }

    async fn note(&self, state: &mut State) {
        for rows in state.notes.chunks(NOTES_AT_MOST) {
            self.patiently(|| self.store.write(rows)).await;
        }
        state.notes.clear();
        state.noted = Instant::now();
    }

    async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(&self, call: impl Fn() -> F) -> T {
        let mut attempt = 0;
        loop {
            match call().await {
                Ok(done) => return done,
                Err(problem) => {
                    metrics::failed("table");
                    warn!(%problem, attempt, "what the webhook was told will be noted again");
                    tokio::time::sleep(self.backoff.pause(attempt)).await;
                    attempt += 1;
                }
            }
        }
    }
}

fn noted(row: AlertRow, now_millis: i64) -> AlertRow {
    AlertRow { version: row.version | WEBHOOK_BIT, webhook_sent_at: now_millis, ..row }
}
