//! Wiring of alerts: the outbox and the webhook's task of the process, a desk for each partition.
//! Owner: the member of the group. Invariant: the tasks end with the last desk, or when `end` has waited long enough.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::sync::mpsc::{Sender, channel};
use tokio::task::JoinSet;
use tracing::warn;

use crate::alerts::calendars::CalendarEnd;
use crate::alerts::desk::{Desk, Message};
use crate::alerts::levels::Ladder;
use crate::alerts::outbox::{self, Outbox, Webhooks};
use crate::alerts::rows::Rows;
use crate::alerts::store::Store;
use crate::alerts::teller::{self, Teller};
use crate::alerts::webhook::Webhook;
use crate::app::registry::Registry;
use crate::app::rules::SharedRules;
use crate::app::run::LONGEST_BACKOFF;
use crate::config::Config;
use crate::kafka::client::base_config;
use crate::kafka::ends::Ends;
use crate::partition::flight::Backoff;
use crate::partition::ports::StreamId;
use crate::sink::clickhouse::ClickHouse;

/// Alerts on their way out get so long at the end.
const CLOSING: Duration = Duration::from_millis(1500);

pub struct Alerts {
    orders: Sender<Message>,
    ladder: Arc<Ladder>,
    registry: Arc<Registry>,
    calendars: Vec<CalendarEnd>,
    /// Its partition 0 tells of calendars: Kafka gives it to one process.
    first_topic: String,
    tasks: JoinSet<()>,
}

impl Alerts {
    /// Starts the tasks; `None` when alerts are off.
    pub fn start(config: &Config, shared: &SharedRules, sink: &ClickHouse, registry: &Arc<Registry>) -> Option<Alerts> {
        let settings = &config.settings.alerts;
        if !settings.enabled {
            return None;
        }
        let mut tasks = JoinSet::new();
        let backoff = Backoff { first: config.settings.clickhouse.first_backoff, longest: LONGEST_BACKOFF, salt: 0 };
        let ladder = Arc::new(config.ladder.clone());
        let store = Store::new(sink.client().clone());
        let webhooks = settings.webhook_url.as_ref().map(|url| {
            let (queue, inbox) = channel(teller::QUEUE);
            let missed = Arc::new(AtomicBool::new(false));
            let partitions = registry.clone();
            let teller = Teller {
                webhook: Webhook::new(url, settings.webhook_timeout),
                store: store.clone(),
                ladder: ladder.clone(),
                streams: Arc::new(move || partitions.streams()),
                missed: missed.clone(),
                backoff,
            };
            tasks.spawn(teller.run(inbox));
            Webhooks { queue, missed }
        });
        let (orders, inbox) = channel(outbox::QUEUE);
        let outbox = Outbox {
            store,
            kafka: base_config(&config.settings.kafka),
            topic: settings.kafka_topic.clone(),
            rows: Rows { ladder: ladder.clone(), names: shared.names.clone(), reference: config.reference.clone() },
            webhooks,
            backoff,
        };
        tasks.spawn(outbox.run(inbox));
        let topics = config.pipelines.iter().map(|pipeline| &pipeline.kafka_topic);
        Some(Alerts {
            orders,
            calendars: shared.calendar_ends(ladder.calendar_days),
            ladder,
            registry: registry.clone(),
            first_topic: topics.min().cloned().unwrap_or_default(),
            tasks,
        })
    }

    /// The desk of a partition.
    pub fn desk(&self, stream: &StreamId) -> Desk {
        let (registry, place) = (self.registry.clone(), stream.clone());
        let log_end = Arc::new(move || registry.end_of(&place));
        let desk = Desk::new(stream.clone(), self.ladder.clone(), self.orders.clone(), log_end);
        let tells_of_calendars = *stream.topic == *self.first_topic && stream.partition.0 == 0;
        if tells_of_calendars { desk.watching(self.calendars.clone()) } else { desk }
    }

    /// Lets out what was raised, but not for long: what is left is raised or sent again after the next start.
    pub async fn end(mut self, at_once: bool) {
        drop(self.orders);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let patience = if at_once { Duration::ZERO } else { CLOSING };
        if tokio::time::timeout(patience, all).await.is_err() {
            warn!("alerts that were not sent yet are sent after the next start");
        }
        self.tasks.shutdown().await;
    }
}
