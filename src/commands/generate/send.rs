//! The simulation to Kafka: a history as fast as Kafka takes it, or a live stream at a rate.
//! Owner: the command. Invariants: the key of a record is its case's number; a history has the timestamps of the
//! simulation (but none of the future), a live record that of the moment it is sent; what is reported as sent was confirmed by Kafka.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use indicatif::HumanCount;
use tokio::runtime::Runtime;

use super::plan::{Mode, Plan, now_millis};
use super::summary;
use crate::commands::pace::Pace;
use crate::commands::progress::Progress;
use crate::commands::require_topic;
use crate::commands::stop::Stop;
use crate::config::Config;
use crate::config::units::show_duration;
use crate::generate::{SimulatedRecord, Simulation, SourceKind};
use crate::kafka::admin::retention;
use crate::kafka::client::base_config;
use crate::kafka::producer::{Outgoing, Producer, ProducerOptions};
use crate::model::time::Time;

const FLUSH_PATIENCE: Duration = Duration::from_secs(30);
/// Live records are for watching and for measuring delays: they do not wait for company.
const LIVE_LINGER: Duration = Duration::from_millis(5);
/// A live run that reaches less than this part of its rate says so.
const KEPT_UP: f64 = 0.98;

/// Where the records go.
pub struct Publication {
    producer: Producer,
    /// In the order of [`SourceKind::ALL`].
    topics: Vec<String>,
}

impl Publication {
    pub fn open(config: &Config, plan: &Plan, runtime: &Runtime) -> anyhow::Result<Publication> {
        let topic = |source: SourceKind| {
            let pipeline = config.pipeline(source.code());
            pipeline
                .map(|pipeline| pipeline.kafka_topic.clone())
                .with_context(|| format!("there is no pipeline {}, whose topic the records go to", source.code()))
        };
        let sources = SourceKind::published(plan.simulation.channels);
        let topics = sources.iter().map(|source| topic(*source)).collect::<anyhow::Result<Vec<String>>>()?;
        let kafka = base_config(&config.settings.kafka);
        for topic in &topics {
            require_topic(&kafka, topic)?;
            if plan.mode == Mode::History {
                // a topic that will not tell is no reason not to publish
                if let Ok(Some(kept)) = runtime.block_on(retention(&kafka, topic)) {
                    warn_of_retention(topic, kept, plan);
                }
            }
        }
        let mut options = ProducerOptions::default();
        if plan.mode != Mode::History {
            options.linger = LIVE_LINGER;
        }
        Ok(Publication { producer: Producer::new(&kafka, options)?, topics })
    }

    /// Sends all there is to send and says in a line what it was.
    pub fn run(&self, simulation: &mut Simulation, plan: &Plan, stop: &Stop) -> anyhow::Result<String> {
        let started = Instant::now();
        let sent = match plan.mode {
            Mode::History => self.history(simulation, plan, stop),
            Mode::Live { rate, duration, records } => {
                let until = duration.map(|duration| started + duration);
                self.live(simulation, rate, until, records.unwrap_or(u64::MAX), stop)
            }
        };
        let took = started.elapsed();
        let confirmed = sent.and_then(|sent| Ok(self.producer.flush(FLUSH_PATIENCE).map(|()| sent)?));
        let sent = confirmed
            .with_context(|| format!("kafka confirmed {} records, then it failed", self.producer.delivered()))?;
        // a live stream is measured without the last flush, a history with it
        let took = if plan.mode == Mode::History { started.elapsed() } else { took };
        let reached = sent as f64 / took.as_secs_f64();
        ensure!(self.producer.delivered() == sent, "kafka confirmed {} of {sent} records", self.producer.delivered());
        if let Mode::Live { rate, .. } = plan.mode
            && reached < rate * KEPT_UP
            && took > Duration::from_secs(2)
        {
            eprintln!("the rate was not reached: {reached:.0} of {rate} records/s");
        }
        Ok(format!(
            "published {sent} records in {:.1} s ({}/s): {}",
            took.as_secs_f64(),
            HumanCount(reached as u64),
            summary(simulation.ledger())
        ))
    }

    fn history(&self, simulation: &mut Simulation, plan: &Plan, stop: &Stop) -> anyhow::Result<u64> {
        let mut progress = Progress::new(plan.simulation.records);
        let mut record = SimulatedRecord::default();
        let mut sent = 0;
        // late records of a history that ends today leave after today; Kafka refuses what comes from the future
        let present = now_millis();
        while !stop.is_asked() && simulation.next(&mut record) {
            self.send(&record, record.timestamp.min(present))?;
            sent += 1;
            progress.update(sent, sent);
        }
        progress.finish();
        Ok(sent)
    }

    fn live(
        &self,
        simulation: &mut Simulation,
        rate: f64,
        until: Option<Instant>,
        records: u64,
        stop: &Stop,
    ) -> anyhow::Result<u64> {
        let mut progress = Progress::new(None);
        let mut pace = Pace::new(rate);
        let mut record = SimulatedRecord::default();
        let mut sent = 0;
        // the clock may be set back, the simulation may not
        let mut latest = 0;
        while sent < records {
            pace.wait(stop);
            if stop.is_asked() || until.is_some_and(|until| Instant::now() >= until) {
                break;
            }
            latest = latest.max(now_millis());
            simulation.next_at(Time::from_unix_millis(latest).unwrap_or(Time::EARLIEST), &mut record);
            self.send(&record, latest)?;
            sent += 1;
            progress.update(sent, sent);
        }
        progress.finish();
        Ok(sent)
    }

    fn send(&self, record: &SimulatedRecord, timestamp: i64) -> anyhow::Result<()> {
        let topic = self.topics.get(record.source as usize).context("a source that was not announced")?;
        let (key, payload) = (record.key.as_bytes(), record.payload.as_slice());
        Ok(self.producer.send(&Outgoing { topic, key, payload, timestamp: Some(timestamp) })?)
    }
}

/// Kafka deletes by the timestamps of the records, and a history has old ones.
fn warn_of_retention(topic: &str, kept: Duration, plan: &Plan) {
    let age = now_millis() / 1000 - i64::from(plan.simulation.start.seconds());
    if age > i64::try_from(kept.as_secs()).unwrap_or(i64::MAX) {
        eprintln!(
            "note: topic {topic} keeps records for {} by their own time; older ones of this history may be deleted \
             before anybody reads them (retention.ms=-1 keeps them)",
            show_duration(kept)
        );
    }
}
