//! The Kafka of the demo: librdkafka's mock cluster in our own process, and the questions it is asked.
//! Owner: the session. Invariants: the topics exist before anybody asks for them (the mock would make up its own number of
//! partitions), and clients end before the cluster does.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

/// Partitions of each topic: enough to see the work spread, and few enough for a laptop.
pub const PARTITIONS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// A running cluster of one broker.
pub struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Broker {
    pub fn start(topics: &[&str]) -> KafkaResult<Broker> {
        let cluster = MockCluster::new(1)?;
        for topic in topics {
            cluster.create_topic(topic, PARTITIONS as i32, 1)?;
        }
        Ok(Broker { cluster })
    }

    pub fn address(&self) -> String {
        self.cluster.bootstrap_servers()
    }
}

/// Asks how far the log of each partition reaches, whoever published there.
#[derive(Clone)]
pub struct Watermarks {
    consumer: Arc<BaseConsumer>,
    topics: Arc<[String]>,
}

/// The end of one partition's log.
pub struct LogEnd {
    pub topic: String,
    pub partition: i32,
    pub end: u64,
}

impl Watermarks {
    pub fn new(address: &str, topics: Vec<String>) -> KafkaResult<Watermarks> {
        let consumer: BaseConsumer = ClientConfig::new().set("bootstrap.servers", address).create()?;
        Ok(Watermarks { consumer: Arc::new(consumer), topics: topics.into() })
    }

    /// Blocks; call it off the async threads.
    pub fn read(&self) -> KafkaResult<Vec<LogEnd>> {
        let mut ends = Vec::new();
        for topic in self.topics.iter() {
            for partition in 0..PARTITIONS as i32 {
                let (_, end) = self.consumer.fetch_watermarks(topic, partition, PATIENCE)?;
                ends.push(LogEnd { topic: topic.clone(), partition, end: end.max(0) as u64 });
            }
        }
        Ok(ends)
    }
}
