//! Groups of records that must reach Kafka and may reach it twice: messages to the outside, such as rejects.
//! Owner: an outbox task of the process. Invariants: `deliver` answers `Ok` only when Kafka has confirmed every record of the
//! group; after a failure the next group gets a new producer, because the old one repeats its failure for ever.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use thiserror::Error;

use crate::kafka::producer::{Outgoing, ProduceError, Producer, ProducerOptions};

/// Kafka is away when it confirms nothing for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages are few; they need not wait for company.
const LINGER: Duration = Duration::from_millis(5);

/// Try again with the same group: the receivers drop what they know.
#[derive(Debug, Error)]
pub enum CourierError {
    #[error("kafka: {0}")]
    Kafka(#[from] ProduceError),
    #[error("the sending thread ended: {0}")]
    Join(#[from] tokio::task::JoinError),
}

/// One message: its key and its payload.
pub type Message = (String, Vec<u8>);

/// A producer that is renewed after a failure.
pub struct Courier {
    kafka: ClientConfig,
    producer: Option<Arc<Producer>>,
}

impl Courier {
    /// `kafka` is that of `client::base_config`. Nothing is connected before the first group.
    pub fn new(kafka: ClientConfig) -> Courier {
        Courier { kafka, producer: None }
    }

    /// Sends a group and waits until Kafka has all of it.
    pub async fn deliver(&mut self, topic: &str, group: Vec<Message>) -> Result<(), CourierError> {
        let delivered = self.attempt(topic, group).await;
        if delivered.is_err() {
            self.producer = None;
        }
        delivered
    }

    async fn attempt(&mut self, topic: &str, group: Vec<Message>) -> Result<(), CourierError> {
        let producer = match &self.producer {
            Some(ready) => ready.clone(),
            None => {
                let options = ProducerOptions { linger: LINGER, ..ProducerOptions::default() };
                self.producer.insert(Arc::new(Producer::new(&self.kafka, options)?)).clone()
            }
        };
        let topic = topic.to_owned();
        let sending = tokio::task::spawn_blocking(move || {
            for (key, payload) in &group {
                producer.send(&Outgoing { topic: &topic, key: key.as_bytes(), payload, timestamp: None })?;
            }
            producer.flush(PATIENCE)
        });
        Ok(sending.await??)
    }
}
