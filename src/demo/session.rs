//! One demo from its first line to its last: starts the servers, the pipeline and the publisher, shows what happens, and
//! ends in the order that loses nothing (publisher, drain, audit, servers, files).
//! Owner: the command. Invariants: things are dropped in the reverse order of their making, so a client never outlives its
//! server nor a server its files; the first request to end is graceful, the second one waits for nothing.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::broker::{Broker, Watermarks};
use super::figures::{Figures, Reader};
use super::folder::{Folder, Keeps};
use super::lines::{self, Places, Summary};
use super::picture::{self, View};
use super::publisher::{Progress, PublishError, Publisher, unix_millis};
use super::screen::{Input, Screen};
use super::setup;
use super::{DemoError, Options, server};
use crate::app::registry::Registry;
use crate::app::rules::SharedRules;
use crate::app::run::{self, RunError, RunOptions, Signal};
use crate::app::start;
use crate::audit::{NoOracle, Options as AuditOptions, audit};
use crate::config::Config;
use crate::generate::SourceKind;
use crate::model::time::Time;
use crate::sink::clickhouse::client;
use crate::telemetry::{http, logs, metrics};

const SECOND: Duration = Duration::from_secs(1);
/// For the last records to land, once nothing more is published.
const SETTLE: Duration = Duration::from_secs(10);

/// With fewer records left of the history, the present is shown.
const CAUGHT_UP: u64 = 500;

/// Everything that runs. The fields are dropped in this order: clients, then their servers.
struct Show {
    config: Arc<Config>,
    places: Places,
    registry: Arc<Registry>,
    progress: Arc<Progress>,
    watermarks: Watermarks,
    pipeline: JoinHandle<Result<(), RunError>>,
    /// 0 go on, 1 drain, 2 at once.
    told: watch::Sender<u8>,
    publisher: oneshot::Receiver<Result<(), PublishError>>,
    figures: watch::Receiver<Figures>,
    begun: Instant,
    /// The history is out and written.
    is_live: bool,
    _broker: Broker,
    server: Option<server::Server>,
}

/// Runs the demo and prints its summary.
pub async fn run(options: Options, mut config: Config, signal: Signal) -> Result<(), DemoError> {
    if !options.given_clickhouse {
        server::script()?; // before anything is made that would have to be removed
    }
    let mut folder = Folder::take(&options.folder)?;
    logs::start_in_file(&config.settings.log, folder.log()?);
    let outcome = perform(&options, &mut config, &folder, signal).await;
    if options.given_clickhouse && !options.keep {
        let dropped = tokio::time::timeout(SETTLE, setup::drop_database(&config)).await;
        if !matches!(dropped, Ok(Ok(()))) {
            say(&format!("база {} осталась на сервере, её удалит следующий показ", setup::DATABASE));
        }
    }
    match &outcome {
        _ if options.keep => folder.keep(Keeps::Everything),
        Ok(_) => folder.keep(Keeps::Nothing),
        Err(_) => folder.keep(Keeps::Log),
    }
    if outcome.is_err() {
        say(&format!("журнал работы: {}", folder.log_path().display()));
    }
    drop(folder);
    tracing::info!("nothing is left");
    if let Some(summary) = outcome? {
        let _ = writeln!(io::stdout(), "{}", summary.text()); // a reader that has gone saw what it wanted
    }
    Ok(())
}

/// `None`: asked to end before there was anything to show.
async fn perform(
    options: &Options,
    config: &mut Config,
    folder: &Folder,
    mut signal: Signal,
) -> Result<Option<Summary>, DemoError> {
    let mut show = tokio::select! {
        show = Show::start(options, config, folder) => show?,
        _ = signal.changed() => return Ok(None),
    };
    match show.watch(options, &mut signal).await {
        // `tsur demo | head` has seen enough: an end like any other
        Err(DemoError::Output(problem)) if problem.kind() == io::ErrorKind::BrokenPipe => {}
        outcome => outcome?,
    }
    say("завершение: дочитываются последние записи, сверяется учёт");
    tokio::select! {
        summary = show.finish(options, folder) => summary.map(Some),
        _ = signal.changed() => {
            let _ = show.told.send(2); // an error: the pipeline has ended
            let figures = show.figures.borrow().clone();
            Ok(Some(show.summary(figures, None, options, folder)))
        }
    }
}

impl Show {
    async fn start(options: &Options, config: &mut Config, folder: &Folder) -> Result<Show, DemoError> {
        let topics: Vec<String> = config.pipelines.iter().map(|pipeline| pipeline.kafka_topic.clone()).collect();
        let of_sources = [setup::topic_of(config, SourceKind::Pos)?, setup::topic_of(config, SourceKind::Incident)?];
        let server = match options.given_clickhouse {
            true => None,
            false => {
                say("запускается ClickHouse…");
                Some(server::start(folder.path(), options.keep).await?)
            }
        };
        let broker = Broker::start(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        setup::configure(config, &broker.address(), server.as_ref().map(|server| server.url.as_str()));
        setup::create_database(config).await?;
        start::check(config).await?;
        let shared = SharedRules::build(config, Some(&setup::identity_key()?))?;

        let config = Arc::new(config.clone());
        let registry = Arc::new(Registry::new(Arc::default()));
        let recorder = PrometheusBuilder::new().install_recorder();
        let recorder = recorder.map_err(|problem| DemoError::Setup(format!("metrics: {problem}")))?;
        metrics::describe();
        let upkeep = recorder.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(5 * SECOND).await;
                upkeep.run_upkeep(); // nobody may ever ask for the metrics, and samples must not pile up
            }
        });
        let address = http::serve(config.settings.http.listen, recorder, registry.clone()).await;
        let address = address.map_err(|problem| DemoError::Setup(format!("http: {problem}")))?;
        let places = setup::places(&config, options.given_clickhouse, format!("http://{address}/metrics"));

        let (told, telling) = watch::channel(0);
        let (_, no_changes) = unbounded_channel(); // the rules of the demo are its own
        let shared = Arc::new(shared);
        let pipeline = run::run(config.clone(), shared, registry.clone(), RunOptions::default(), telling, no_changes);
        let pipeline = tokio::spawn(pipeline);
        let watermarks = Watermarks::new(&places.kafka, topics)?;
        let progress = Arc::new(Progress::default());
        let publisher = publish(options, &config, of_sources, &places, &registry, &progress)?;
        let database = client(&config.settings.clickhouse);
        let reader = Reader::new(database, watermarks.clone(), registry.clone(), &config.reference);
        let figures = read_every_second(reader);
        Ok(Show {
            config,
            places,
            registry,
            progress,
            watermarks,
            pipeline,
            told,
            publisher,
            figures,
            begun: Instant::now(),
            is_live: false,
            _broker: broker,
            server,
        })
    }

    /// Shows the figures until it is time to end.
    async fn watch(&mut self, options: &Options, signal: &mut Signal) -> Result<(), DemoError> {
        let mut screen = match options.has_terminal {
            true => Some(Screen::open().map_err(DemoError::Output)?),
            false => None,
        };
        if screen.is_none() {
            writeln!(io::stdout(), "{}", self.places.line()).map_err(DemoError::Output)?;
        }
        let mut hangup = signal_of_a_closed_terminal()?;
        let end = tokio::time::sleep(options.lasts.unwrap_or(Duration::MAX / 4));
        tokio::pin!(end);
        loop {
            tokio::select! {
                biased; // what ends the show comes before what it shows
                _ = signal.changed() => return Ok(()),
                _ = hangup.recv() => return Ok(()),
                () = &mut end => return Ok(()),
                ended = &mut self.pipeline => return Err(ended?.err().map_or(DemoError::PipelineEnded, DemoError::from)),
                ended = &mut self.publisher => return Err(ended_early(ended)),
                input = next_input(&mut screen) => match input {
                    Input::Quit => return Ok(()),
                    Input::Redraw => {}
                },
                changed = self.figures.changed() => if changed.is_err() {
                    return Err(DemoError::Setup("the reader of the figures has ended".to_owned()));
                },
            }
            let figures = self.figures.borrow_and_update().clone();
            if self.server.as_mut().is_some_and(server::Server::has_ended) {
                return Err(DemoError::NoServer("it has ended while the demo ran".to_owned()));
            }
            if let Some(problem) = &figures.flow.problem {
                return Err(DemoError::Uneven(problem.clone()));
            }
            if figures.at_millis > 0 {
                self.is_live |= self.progress.is_live.load(Ordering::Relaxed) && figures.flow.lag < CAUGHT_UP;
                self.show(&figures, &mut screen, options)?;
            }
        }
    }

    fn show(&self, figures: &Figures, screen: &mut Option<Screen>, options: &Options) -> Result<(), DemoError> {
        let is_live = self.is_live;
        match screen {
            Some(screen) => {
                let view = View { figures, places: &self.places, is_live, history: options.records };
                screen.draw(|frame| picture::draw(frame, &view)).map_err(DemoError::Output)
            }
            None => writeln!(io::stdout(), "{}", lines::line(figures, is_live)).map_err(DemoError::Output),
        }
    }

    /// Nothing more is published, everything published is written, and the books are checked.
    async fn finish(&mut self, options: &Options, folder: &Folder) -> Result<Summary, DemoError> {
        self.progress.stop.store(true, Ordering::Relaxed);
        match (&mut self.publisher).await {
            Ok(Ok(())) => {}
            ended => return Err(ended_early(ended)),
        }
        let deadline = Instant::now() + SETTLE;
        let database = client(&self.config.settings.clickhouse);
        let mut reader =
            Reader::new(database.clone(), self.watermarks.clone(), self.registry.clone(), &self.config.reference);
        let mut figures = reader.read().await;
        // windows follow their rows within a second, and a drain does not wait for them: the next owner would write them
        while (figures.flow.lag > 0 || !self.registry.totals().all_settled) && Instant::now() < deadline {
            tokio::time::sleep(SECOND / 5).await;
            figures = reader.read().await;
        }
        let watermarks = self.watermarks.clone();
        let ends = tokio::task::spawn_blocking(move || watermarks.read()).await??;
        tracing::info!(lag = figures.flow.lag, "everything published is written");
        let _ = self.told.send(1); // an error: the pipeline has ended, which the next line notices
        (&mut self.pipeline).await??;
        tracing::info!("the pipeline has ended");

        let retention = crate::model::windows::Retention::OF_TABLES;
        let database_name = self.config.settings.clickhouse.database.clone();
        let asked = AuditOptions { database: database_name, minute_keep: retention.minute, hour_keep: retention.hour };
        let report = audit(&database, &asked, &NoOracle).await?;
        tracing::info!("{report}");
        if !report.is_ok() {
            return Err(DemoError::Uneven(report.to_string()));
        }
        for log in &ends {
            let account = report.partitions.iter().find(|account| {
                account.kafka_topic == log.topic && i32::from(account.kafka_partition) == log.partition
            });
            let in_journal = account.map_or(0, |account| account.offsets);
            // more may have come from another producer since
            if in_journal < log.end {
                return Err(DemoError::Uneven(format!(
                    "{}/{}: Kafka took {} records, the journal has {in_journal}",
                    log.topic, log.partition, log.end
                )));
            }
        }
        let records = report.partitions.iter().map(|account| account.offsets).sum();
        let published = self.progress.records.load(Ordering::Relaxed);
        if records < published {
            return Err(DemoError::Uneven(format!("{published} records were published, the journal has {records}")));
        }
        let rows = report.partitions.iter().map(|account| account.rows).sum();
        Ok(self.summary(figures, Some((records, rows)), options, folder))
    }

    fn summary(&self, figures: Figures, accounting: Option<(u64, u64)>, options: &Options, folder: &Folder) -> Summary {
        let how = match options.given_clickhouse {
            true => format!("база {} на {}", self.places.database, self.places.clickhouse),
            false => format!("TSUR_LOCAL_DIR={} deploy/local/clickhouse.sh start", folder.path().display()),
        };
        let seconds = self.begun.elapsed().as_secs_f64();
        Summary { figures, seconds, accounting, places: self.places.clone(), kept: options.keep.then_some(how) }
    }
}

/// A word beside the figures; nobody may be there to read it, and the demo goes on.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Starts the publisher on a thread of its own.
fn publish(
    options: &Options,
    config: &Config,
    topics: [String; 2],
    places: &Places,
    registry: &Arc<Registry>,
    progress: &Arc<Progress>,
) -> Result<oneshot::Receiver<Result<(), PublishError>>, DemoError> {
    let now = unix_millis();
    let from =
        Time::from_unix_millis(now).ok_or_else(|| DemoError::Setup("the clock of the machine is off".to_owned()))?;
    let simulation = setup::simulation(options, &config.pipelines_dir, from)?;
    let publisher = Publisher::new(&places.kafka, topics, simulation, now, registry.clone(), progress.clone())?;
    let (report, reported) = oneshot::channel();
    let thread = std::thread::Builder::new().name("tsur-publish".to_owned());
    let spawned = thread.spawn(move || {
        let _ = report.send(publisher.run()); // an error: the demo is over
    });
    spawned.map_err(|problem| DemoError::Setup(format!("a thread could not be started: {problem}")))?;
    Ok(reported)
}

fn ended_early(ended: Result<Result<(), PublishError>, oneshot::error::RecvError>) -> DemoError {
    match ended {
        Ok(Err(problem)) => problem.into(),
        Ok(Ok(())) | Err(_) => DemoError::Setup("the publisher has ended".to_owned()),
    }
}

fn read_every_second(mut reader: Reader) -> watch::Receiver<Figures> {
    let (sender, receiver) = watch::channel(Figures::default());
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(SECOND);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !sender.is_closed() {
            tick.tick().await;
            let figures = reader.read().await;
            sender.send_replace(figures);
        }
    });
    receiver
}

fn signal_of_a_closed_terminal() -> Result<tokio::signal::unix::Signal, DemoError> {
    signal(SignalKind::hangup()).map_err(|problem| DemoError::Setup(format!("signals: {problem}")))
}

async fn next_input(screen: &mut Option<Screen>) -> Input {
    match screen {
        Some(screen) => screen.input.recv().await.unwrap_or(Input::Quit),
        None => std::future::pending().await,
    }
}
