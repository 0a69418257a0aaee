//! Runs a schedule: owners of the partition one after another, each with a real worker, until every record is settled.
//! Plays the part of the poll thread and of the group. Invariants: time is virtual, so a schedule is the same whenever it
//! runs; nobody waits without a limit; what a worker was handed is counted against what it gives back.

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::kafka::chunk::Chunk;
use crate::kafka::poll::Command;
use crate::model::ids::{AssignmentEpoch, Offset, RulesVersion, StreamEpoch};
use crate::model::windows::Retention;
use crate::partition::clock::Clock;
use crate::partition::flight::{Backoff, Stop};
use crate::partition::recovery::Consent;
use crate::partition::rulebook::Rulebook;
use crate::partition::status::{PartitionStatus, Phase};
use crate::partition::worker::{Assignment, Timing, Worker, WorkerEnd};
use crate::testkit::cluster::{Cluster, FROZEN, Happened, Process};
use crate::testkit::faults::{Fault, Incident, Script};
use crate::testkit::house::House;
use crate::testkit::laws;
use crate::testkit::records::{BEGIN, Sent, TestRules, fold, log_of, rulebook, shared, stream};

/// One history of a partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    pub records: Vec<Sent>,
    /// How the poll thread hands them over, again and again: so many records, then a pause in tenths of a second.
    pub chunks: Vec<(u8, u8)>,
    /// Rows that fill a batch.
    pub rows: u8,
    /// Version of the rules of the first owner.
    pub rules: u8,
    pub incidents: Vec<Incident>,
    /// The topic is recreated under a raised epoch and has these records; the rows of the old one were deleted.
    pub second_life: Vec<Sent>,
}

const SESSION: Duration = Duration::from_secs(45);
/// No schedule needs so long; one that does is stuck.
const BOUND: Duration = Duration::from_secs(3 * 3600);
/// Chunks after which the rules change, in schedules in which they do.
const CHANGE_EVERY: usize = 3;
const LOOK: Duration = Duration::from_millis(100);

/// A process with its worker, as the poll thread of that process knows it.
struct Owner {
    process: Process,
    stop: watch::Sender<Stop>,
    chunks: Option<UnboundedSender<Chunk>>,
    commands: Receiver<Command>,
    status: watch::Receiver<PartitionStatus>,
    handle: JoinHandle<WorkerEnd>,
    /// Place in the log of the next record to hand over, and in the plan of chunks.
    next: usize,
    turn: usize,
    handed: (usize, usize),
    returned: (usize, usize),
    has_left: bool,
    rules: u8,
    rulebooks: watch::Sender<Arc<Rulebook<TestRules>>>,
}

struct World {
    schedule: Schedule,
    cluster: Arc<Mutex<Cluster>>,
    happened: UnboundedReceiver<Happened>,
    happen: UnboundedSender<Happened>,
    started: Instant,
    owners: u32,
    epoch: StreamEpoch,
    zombies: Vec<Owner>,
    /// Requests of former owners may land until then.
    late_until: Instant,
    /// A zombie has other rules than its successor. Its journal block is dropped or is the one that counts, but an upsert
    /// of windows is not fenced: landing late with the same version, it may show what the zombie computed. Until the
    /// window changes again, `tsur audit` tells; the laws do not look at windows then.
    has_foreign_zombie: bool,
}

/// How an ownership ended.
enum Over {
    Next(Incident),
    Settled(Box<Owner>),
}

/// Runs the schedule and checks the laws; the error says which was broken, and what had happened.
pub fn run(schedule: &Schedule) -> Result<(), String> {
    run_after(schedule, None).0
}

/// The same with an offset that somebody has committed before; gives the incidents that happened too.
pub fn run_after(schedule: &Schedule, committed: Option<(Offset, String)>) -> (Result<(), String>, Vec<Incident>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(schedule.clone());
        world.cluster.lock().expect("sound").kafka.committed = committed;
        let outcome = match timeout(BOUND, world.history()).await {
            Ok(outcome) => outcome,
            Err(_) => Err("deadlock: nothing settled within the bound".to_owned()),
        };
        let cluster = world.cluster.lock().expect("sound");
        let outcome = outcome.map_err(|broken| format!("{broken}\n{}", cluster.trace.join("\n")));
        (outcome, cluster.met.clone())
    })
}

impl World {
    fn new(schedule: Schedule) -> World {
        let (happen, happened) = unbounded_channel();
        let cluster = Cluster {
            kafka: log_of(&schedule.records),
            house: House::new(shared().names.clone()),
            script: Script::new(&schedule.incidents),
            owner: 0,
            dead: Default::default(),
            met: Vec::new(),
            trace: Vec::new(),
        };
        World {
            schedule,
            cluster: Arc::new(Mutex::new(cluster)),
            happened,
            happen,
            started: Instant::now(),
            owners: 0,
            epoch: StreamEpoch(1),
            zombies: Vec::new(),
            late_until: Instant::now(),
            has_foreign_zombie: false,
        }
    }

    async fn history(&mut self) -> Result<(), String> {
        self.life().await?;
        if self.schedule.second_life.is_empty() {
            return Ok(());
        }
        {
            let mut cluster = self.cluster.lock().expect("sound");
            cluster.trace.push("             the topic is recreated, its rows are deleted".to_owned());
            cluster.house.delete_rows();
            cluster.kafka = log_of(&self.schedule.second_life);
        }
        self.epoch = StreamEpoch(2);
        self.life().await
    }

    /// Owners one after another until everything is settled, then the end of all of them, then the laws.
    async fn life(&mut self) -> Result<(), String> {
        let mut rules = self.schedule.rules;
        let owner = loop {
            let owner = self.start(rules);
            match self.own(owner).await? {
                Over::Settled(owner) => break *owner,
                Over::Next(incident) => {
                    let is_foreign = rules != incident.next_rules || self.changes_rules();
                    self.has_foreign_zombie |= is_foreign && Instant::now() < self.late_until;
                    rules = incident.next_rules;
                    // a request that is still on its way lands within its time-out, and the window of tokens is larger than that
                    let is_quiet = Instant::now() > self.late_until;
                    if incident.forgets_tokens && is_quiet {
                        self.cluster.lock().expect("sound").house.others_insert();
                    }
                }
            }
        };
        self.end(owner).await?;
        laws::check(&self.cluster, &self.happen, !self.has_foreign_zombie).await
    }

    fn start(&mut self, rules: u8) -> Owner {
        self.owners += 1;
        let id = self.owners;
        let process =
            Process { id, cluster: self.cluster.clone(), happened: self.happen.clone(), started: self.started };
        let (log_view, next) = {
            let mut cluster = process.cluster();
            cluster.kafka.join(id);
            cluster.owner = id;
            let view = cluster.kafka.view();
            let from = view.committed.as_ref().map_or(view.low, |(offset, _)| *offset);
            cluster.trace.push(format!("             process {id} with rules {rules} from {from}: {view:?}"));
            (view, cluster.kafka.records.iter().filter(|record| record.offset < from).count())
        };
        let started = self.started;
        let assignment = Assignment {
            stream: stream(),
            epoch: AssignmentEpoch(u64::from(id)),
            stream_epoch: self.epoch,
            rules: RulesVersion(u32::from(rules)),
            log_view,
            consent: Consent::default(),
            timing: Timing {
                max_age: Duration::from_millis(500),
                idle_age: Duration::from_secs(1),
                max_consecutive_rejects: 0,
                max_reject_ratio: 1.0,
            },
            retention: Retention::OF_TABLES,
            backoff: Backoff { first: Duration::from_millis(500), longest: Duration::from_secs(8), salt: 1 },
            clock: Clock::new(move || BEGIN * 1000 + started.elapsed().as_millis() as i64),
            alerts: None,
            rejects: None,
        };
        let (stop, stop_inbox) = watch::channel(Stop::No);
        let (status, status_copy) = watch::channel(PartitionStatus::default());
        let (chunks, chunk_inbox) = unbounded_channel();
        let (command, commands) = channel();
        let rulebooks = watch::Sender::new(rulebook(rules));
        let worker = Worker::new(
            assignment,
            fold(usize::from(self.schedule.rows), Arc::new(TestRules::new(rules))),
            process.clone(),
            Arc::new(process.clone()),
            chunk_inbox,
            command,
            Arc::new(Semaphore::new(1)),
            stop_inbox,
            status,
        )
        .with_rulebooks(rulebooks.subscribe());
        Owner {
            process,
            stop,
            chunks: Some(chunks),
            commands,
            status: status_copy,
            handle: tokio::spawn(worker.run()),
            next,
            turn: 0,
            handed: (0, 0),
            returned: (0, 0),
            has_left: false,
            rules,
            rulebooks,
        }
    }

    /// Plays poll thread and group for the owner until it is one no more.
    async fn own(&mut self, mut owner: Owner) -> Result<Over, String> {
        let mut feed_at = Instant::now();
        let mut expires: Option<(Instant, Incident)> = None;
        let mut taken: Option<(Instant, Incident)> = None;
        let far = Instant::now() + 2 * BOUND;
        loop {
            let is_fed = owner.next >= self.records();
            tokio::select! {
                biased; // what happened first, then the ends of waiting, then more work
                Some(Happened { process, incident }) = self.happened.recv() => {
                    if process != owner.process.id {
                        continue;
                    }
                    match incident.fault {
                        Fault::Crash { .. } | Fault::Torn { .. } => {
                            owner.handle.abort();
                            self.expel(process);
                            sleep(Duration::from_secs(1)).await;
                            return Ok(Over::Next(incident));
                        }
                        Fault::Hang { .. } => {
                            self.late_until = Instant::now() + FROZEN + Duration::from_secs(1);
                            expires = Some((Instant::now() + SESSION, incident));
                        }
                        Fault::Revoke { call, drain, .. } => {
                            let late = Instant::now() + Duration::from_millis(100 * u64::from(call)) + LOOK;
                            self.late_until = self.late_until.max(late);
                            let deadline = Instant::now() + Duration::from_millis(100 * u64::from(drain));
                            owner.stop.send_replace(Stop::DrainUntil(deadline));
                            taken = Some((deadline, incident));
                        }
                        Fault::Lost { .. } | Fault::Away { .. } => {}
                    }
                }
                end = &mut owner.handle => {
                    let end = end.map_err(|panic| format!("a worker panicked: {panic}"))?;
                    owner.obey()?;
                    owner.check_left()?;
                    return match (end, taken) {
                        (WorkerEnd::Drained, Some((_, incident))) => Ok(Over::Next(incident)),
                        (end, _) => Err(format!("process {} ended by itself: {end:?}", owner.process.id)),
                    };
                }
                () = sleep_until(expires.map_or(far, |(at, _)| at)), if expires.is_some() => {
                    self.expel(owner.process.id);
                    let Some((_, incident)) = expires else { continue };
                    if matches!(incident.fault, Fault::Hang { is_told: true, .. }) {
                        owner.stop.send_replace(Stop::DrainUntil(Instant::now()));
                        owner.chunks = None;
                    }
                    self.zombies.push(owner);
                    return Ok(Over::Next(incident));
                }
                () = sleep_until(taken.map_or(far, |(at, _)| at + LOOK)), if taken.is_some() => {
                    let Some((_, incident)) = taken else { continue };
                    owner.chunks = None; // it stays a member, so the broker would take its commits
                    self.zombies.push(owner);
                    return Ok(Over::Next(incident));
                }
                () = sleep_until(feed_at), if !is_fed && taken.is_none() => {
                    feed_at += self.feed(&mut owner);
                }
                () = sleep(LOOK) => {}
            }
            owner.obey()?;
            let is_settled = {
                let status = owner.status.borrow();
                status.is_settled && status.phase == Phase::Running && status.position >= self.end_of_log()
            };
            if is_fed && is_settled && expires.is_none() && taken.is_none() {
                if owner.handed != owner.returned {
                    let (handed, returned) = (owner.handed, owner.returned);
                    return Err(format!(
                        "the budget leaks: {handed:?} handed over, {returned:?} given back, all settled"
                    ));
                }
                return Ok(Over::Settled(Box::new(owner)));
            }
        }
    }

    /// Where owners have different rules, an owner's own change too.
    fn changes_rules(&self) -> bool {
        self.schedule.rules > 1 || self.schedule.incidents.iter().any(|incident| incident.next_rules > 1)
    }

    fn records(&self) -> usize {
        self.cluster.lock().expect("sound").kafka.records.len()
    }

    fn end_of_log(&self) -> Offset {
        self.cluster.lock().expect("sound").kafka.end()
    }

    fn expel(&self, process: u32) {
        let mut cluster = self.cluster.lock().expect("sound");
        cluster.kafka.expel(process);
        cluster.trace.push(format!("             process {process} is expelled"));
    }

    /// Hands one chunk over; gives the pause until the next.
    fn feed(&self, owner: &mut Owner) -> Duration {
        let (records, pause) = self.schedule.chunks[owner.turn % self.schedule.chunks.len()];
        owner.turn += 1;
        if self.changes_rules() && owner.turn.is_multiple_of(CHANGE_EVERY) {
            owner.rules = 3 - owner.rules;
            owner.rulebooks.send_replace(rulebook(owner.rules));
        }
        let mut chunk = Chunk::new(AssignmentEpoch(u64::from(owner.process.id)));
        let cluster = self.cluster.lock().expect("sound");
        for record in cluster.kafka.records.iter().skip(owner.next).take(usize::from(records.max(1))) {
            chunk.push(record.offset, record.time, record.payload.as_deref());
        }
        owner.next += chunk.len();
        owner.handed.0 += chunk.len();
        owner.handed.1 += chunk.bytes();
        if let Some(chunks) = &owner.chunks {
            let _ = chunks.send(chunk); // a worker that has ended is noticed by its end
        }
        Duration::from_millis(100 * u64::from(pause))
    }

    /// Late requests land, zombies are let go, the owner drains.
    async fn end(&mut self, owner: Owner) -> Result<(), String> {
        sleep_until(self.late_until + Duration::from_secs(5)).await;
        for mut zombie in std::mem::take(&mut self.zombies) {
            zombie.stop.send_replace(Stop::DrainUntil(Instant::now() + Duration::from_secs(5)));
            zombie.chunks = None;
            let id = zombie.process.id;
            match zombie.end().await? {
                // a zombie in its restore sees what its successor did and may well refuse to start
                WorkerEnd::Drained | WorkerEnd::Fenced(_) | WorkerEnd::Stopped(_) => {}
                end @ WorkerEnd::Failed(_) => return Err(format!("zombie {id} ended with {end:?}")),
            }
        }
        let deadline = Instant::now() + SESSION / 2;
        owner.stop.send_replace(Stop::DrainUntil(deadline));
        match owner.end().await? {
            WorkerEnd::Drained => Ok(()),
            end => Err(format!("the last owner ended with {end:?} instead of draining")),
        }
    }
}

impl Owner {
    /// What the poll thread does with the commands of its workers.
    fn obey(&mut self) -> Result<(), String> {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Refund { epoch, records, bytes } => {
                    assert_eq!(epoch.0, u64::from(self.process.id));
                    self.returned.0 += records;
                    self.returned.1 += bytes;
                    if self.returned.0 > self.handed.0 || self.returned.1 > self.handed.1 {
                        return Err(format!(
                            "more given back ({:?}) than handed over ({:?})",
                            self.returned, self.handed
                        ));
                    }
                }
                Command::Left { .. } => self.has_left = true,
                Command::Shutdown => return Err("a worker ended the process".to_owned()),
            }
        }
        Ok(())
    }

    fn check_left(&self) -> Result<(), String> {
        if self.has_left { Ok(()) } else { Err(format!("process {} ended and kept its budget", self.process.id)) }
    }

    async fn end(mut self) -> Result<WorkerEnd, String> {
        let id = self.process.id;
        let ended = timeout(Duration::from_secs(60), &mut self.handle).await;
        let ended = ended.map_err(|_| format!("process {id} was told to drain and did not end"))?;
        self.obey()?;
        self.check_left()?;
        ended.map_err(|panic| format!("a worker panicked: {panic}"))
    }
}
