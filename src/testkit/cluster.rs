//! The world around the workers: one Kafka partition with its group, one ClickHouse, the script, and the processes.
//! Invariants: a process that died does nothing any more; the effect of a call happens at most once, at one moment, and
//! a request that is on its way lands even if its caller has gone.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::testkit::faults::{Fault, Incident, Point, Script};
use crate::testkit::house::{House, Torn};
use crate::testkit::log::Kafka;

/// How long a call takes when all is well.
const CALL: Duration = Duration::from_millis(3);
/// How long a caller waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(10);
/// A frozen process wakes up after this; the session is shorter.
pub const FROZEN: Duration = Duration::from_secs(60);

/// What the group should know.
#[derive(Clone, Copy, Debug)]
pub struct Happened {
    pub process: u32,
    pub incident: Incident,
}

/// Everything that outlives a process.
pub struct Cluster {
    pub kafka: Kafka,
    pub house: House,
    pub script: Script,
    pub owner: u32,
    pub dead: BTreeSet<u32>,
    /// Incidents that happened.
    pub met: Vec<Incident>,
    /// What was called and what became of it, for the report of a failure.
    pub trace: Vec<String>,
}

/// One process as the cluster sees it.
#[derive(Clone)]
pub struct Process {
    pub id: u32,
    pub cluster: Arc<Mutex<Cluster>>,
    pub happened: UnboundedSender<Happened>,
    pub started: tokio::time::Instant,
}

/// What the caller gets.
pub enum Reply<T> {
    Done(T),
    /// Nothing was done.
    Away,
    /// Nobody knows.
    Lost,
}

/// From which generation of the group a commit comes; `None` for a process that is no member.
pub type Generation = Option<u64>;

impl Process {
    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().expect("no test panics with the cluster in hand")
    }

    fn is_dead(&self) -> bool {
        self.cluster().dead.contains(&self.id)
    }

    fn note(&self, what: String) {
        let at = self.started.elapsed().as_millis();
        self.cluster().trace.push(format!("{at:>7} ms  process {}: {what}", self.id));
    }

    fn do_it<T>(&self, what: &str, sent: Generation, effect: impl FnOnce(&mut Cluster, Generation) -> T) -> T {
        self.note(what.to_owned());
        effect(&mut self.cluster(), sent)
    }

    /// One call. The effect gets the generation under which it was sent.
    pub async fn call<T: Send + 'static>(
        &self,
        point: Point,
        what: String,
        effect: impl FnOnce(&mut Cluster, Generation) -> T + Send + 'static,
    ) -> Reply<T> {
        if self.is_dead() {
            return pending().await;
        }
        let sent = self.cluster().kafka.generation_of(self.id);
        tokio::time::sleep(CALL).await;
        if self.is_dead() {
            return pending().await;
        }
        let met = {
            let mut cluster = self.cluster();
            if cluster.owner == self.id { cluster.script.meet(point) } else { None }
        };
        let Some(incident) = met else { return Reply::Done(self.do_it(&what, sent, effect)) };
        self.cluster().met.push(incident);
        self.note(format!("{:?} at {point:?} of {what}", incident.fault));
        match incident.fault {
            Fault::Away { .. } => Reply::Away,
            Fault::Crash { after } => {
                if after {
                    self.do_it(&what, sent, effect);
                }
                self.cluster().dead.insert(self.id);
                let _ = self.happened.send(Happened { process: self.id, incident });
                pending().await
            }
            Fault::Torn { journal, crash } => {
                let torn = if journal { Torn::JournalOnly } else { Torn::TokenOnly };
                self.cluster().house.torn = Some(torn);
                self.do_it(&what, sent, effect);
                self.cluster().house.torn = None;
                if crash {
                    self.cluster().dead.insert(self.id);
                    let _ = self.happened.send(Happened { process: self.id, incident });
                    return pending().await;
                }
                Reply::Lost
            }
            Fault::Lost { after } => {
                if after {
                    self.do_it(&what, sent, effect);
                }
                tokio::time::sleep(PATIENCE).await;
                Reply::Lost
            }
            Fault::Hang { after, .. } => {
                let _ = self.happened.send(Happened { process: self.id, incident });
                if after {
                    let done = self.do_it(&what, sent, effect);
                    tokio::time::sleep(FROZEN).await;
                    return Reply::Done(done);
                }
                self.later(FROZEN, what, sent, effect).await
            }
            Fault::Revoke { call, queued, .. } => {
                let _ = self.happened.send(Happened { process: self.id, incident });
                let takes = Duration::from_millis(100 * u64::from(call));
                if queued && matches!(point, Point::Begin | Point::Finish) {
                    tokio::time::sleep(takes).await;
                    let sent = self.cluster().kafka.generation_of(self.id);
                    return Reply::Done(self.do_it(&what, sent, effect));
                }
                self.later(takes, what, sent, effect).await
            }
        }
    }

    /// The request is on its way, whatever becomes of its caller.
    async fn later<T: Send + 'static>(
        &self,
        takes: Duration,
        what: String,
        sent: Generation,
        effect: impl FnOnce(&mut Cluster, Generation) -> T + Send + 'static,
    ) -> Reply<T> {
        let process = self.clone();
        let landing = tokio::spawn(async move {
            tokio::time::sleep(takes).await;
            process.do_it(&format!("late: {what}"), sent, effect)
        });
        Reply::Done(landing.await.expect("the effect does not panic"))
    }
}
