//! What new owners of partitions ask, and what earlier ones left unsent.
//! Owner: the outbox. Invariants: a state that an earlier owner wrote and did not send is sent, but not if the topic has it;
//! the topic is read beside the rounds, because new alerts need not wait for that; until it is done nothing is resolved.

use futures_util::future::join_all;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tracing::warn;

use super::{Outbox, State};
use crate::alerts::already::{Sent, already_sent};
use crate::alerts::notice::{AlertRow, Known};
use crate::alerts::store::PAGE;
use crate::alerts::teller::ToWebhook;
use crate::partition::ports::StreamId;

/// Partitions that the table is asked about at the same time.
const ASKED_AT_ONCE: usize = 4;

/// A new owner and where it waits.
pub(super) type Ask = (StreamId, oneshot::Sender<Vec<Known>>);

/// Partitions with states that Kafka may not have.
#[derive(Default)]
pub(super) struct Left {
    /// With the time of the oldest such state, milliseconds.
    waiting: Vec<(StreamId, i64)>,
    reading: Option<(JoinHandle<Sent>, Vec<StreamId>)>,
}

impl Left {
    pub(super) fn is_some(&self) -> bool {
        self.reading.is_some() || !self.waiting.is_empty()
    }

    /// What the topic has, once it is read; never without a reading. Nothing is lost where this is given up.
    pub(super) async fn known(&mut self) -> Sent {
        match &mut self.reading {
            Some((reading, _)) => reading.await.unwrap_or_default(), // only the end of the process takes it away
            None => std::future::pending().await,
        }
    }
}

impl Outbox {
    /// Answers new owners. A start waits for the last of many answers, so a few are asked for at a time.
    pub(super) async fn answer(&self, asks: Vec<Ask>, state: &mut State) {
        if asks.is_empty() {
            return;
        }
        self.write(&mut state.notes, Vec::new()).await;
        let permits = &Semaphore::new(ASKED_AT_ONCE);
        let answers = asks.into_iter().map(|(stream, answer)| async move {
            let _permit = permits.acquire().await;
            let known = self.patiently(|| self.store.firing(&stream)).await;
            let _ = answer.send(known); // the worker may be gone already
            let since = self.patiently(|| self.store.unsent_since(&stream)).await;
            (stream, since)
        });
        for (stream, since) in join_all(answers).await {
            match since {
                Some(since) => state.left.waiting.push((stream, since)),
                None => self.tell_webhook(ToWebhook::Look(stream)),
            }
        }
        self.read_topic(&mut state.left);
    }

    /// Once for all that wait.
    fn read_topic(&self, left: &mut Left) {
        let Some(since) = left.waiting.iter().map(|(_, since)| *since).min().filter(|_| left.reading.is_none()) else {
            return;
        };
        let streams = left.waiting.drain(..).map(|(stream, _)| stream).collect();
        left.reading = Some((self.already(since), streams));
    }

    /// What the topic has since a time; nothing when it cannot be read, and then more is sent than need be.
    pub(super) fn already(&self, since: i64) -> JoinHandle<Sent> {
        let (kafka, topic) = (self.kafka.clone(), self.topic.clone());
        tokio::task::spawn_blocking(move || {
            already_sent(&kafka, &topic, since).unwrap_or_else(|problem| {
                warn!(%problem, topic, "what was sent before is not known; alerts may be there twice, under the same keys");
                Sent::new()
            })
        })
    }

    /// Sends what earlier owners wrote and did not send. What was raised meanwhile is sent and noted already.
    pub(super) async fn catch_up(&self, sent: &Sent, state: &mut State) {
        self.write(&mut state.notes, Vec::new()).await;
        let streams = state.left.reading.take().map(|(_, streams)| streams).unwrap_or_default();
        for stream in streams {
            self.send_unsent(&stream, sent, state).await;
            self.tell_webhook(ToWebhook::Look(stream));
        }
        self.read_topic(&mut state.left);
    }

    async fn send_unsent(&self, stream: &StreamId, sent: &Sent, state: &mut State) {
        let mut after = String::new();
        loop {
            let rows = self.patiently(|| self.store.unsent(stream, &after)).await;
            let Some(last) = rows.last() else { break };
            after.clone_from(&last.alert_id);
            let is_last = rows.len() < PAGE;
            let (known, new): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| is_in(sent, row));
            self.note_sent(known, state);
            self.send(new, state).await;
            if is_last {
                break;
            }
        }
    }
}

pub(super) fn is_in(sent: &Sent, row: &AlertRow) -> bool {
    sent.contains(&(row.alert_id.clone(), row.state_version()))
}
