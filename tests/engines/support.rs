//! One installation of tsur for one test: its own configuration folder, Kafka topics, consumer group and database.
//! Everything is named after the test and the process, so tests run side by side and leave nothing to the next run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::ToBytes;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tsur::generate::{Ledger, Region, SimulatedRecord, Simulation, SimulationConfig};
use tsur::model::time::Time;

/// Any key will do for a test.
const IDENTITY_KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";

pub struct Installation {
    pub folder: tempfile::TempDir,
    pub name: String,
    kafka: String,
    clickhouse: String,
    /// Where the processes of the installation find ClickHouse, when it is not the real address.
    served: Option<String>,
    pub database: String,
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

impl Installation {
    /// `None`, with a message, where there are no engines.
    pub fn new(test: &str) -> Option<Installation> {
        let (Ok(kafka), Ok(clickhouse)) = (std::env::var("TSUR_KAFKA"), std::env::var("TSUR_CLICKHOUSE_URL")) else {
            eprintln!("skipped {test}: TSUR_KAFKA and TSUR_CLICKHOUSE_URL are not set (see `make engines-up`)");
            return None;
        };
        Some(Installation::at(test, kafka, clickhouse))
    }

    /// On engines of the test's own.
    pub fn at(test: &str, kafka: String, clickhouse: String) -> Installation {
        let name = format!("{test}_{}", std::process::id());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let installation =
            Installation { database: format!("tsur_{name}"), folder, name, kafka, clickhouse, served: None };
        installation.write_config();
        let migrated = installation.tsur(&["migrate", "--create-topics"]);
        assert!(migrated.status.success(), "{}", text(&migrated));
        installation
    }

    /// The same topics read by another group into another database.
    pub fn beside(&self, suffix: &str) -> Installation {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let other = Installation {
            folder,
            name: self.name.clone(),
            kafka: self.kafka.clone(),
            clickhouse: self.clickhouse.clone(),
            served: None,
            database: format!("{}_{suffix}", self.database),
        };
        other.write_config();
        // the topic of alerts belongs to the first
        other.edit("config/tsur.toml", "[alerts]\n", "[alerts]\nenabled = false\n");
        let migrated = other.tsur(&["migrate"]);
        assert!(migrated.status.success(), "{}", text(&migrated));
        other
    }

    fn write_config(&self) {
        let config = self.folder.path().join("config");
        let pipelines = self.folder.path().join("pipelines");
        std::fs::create_dir_all(&config).expect("config folder");
        let settings = format!(
            "[kafka]\ngroup_id = \"{db}\"\nsession_timeout = \"6s\"\n[clickhouse]\ndatabase = \"{db}\"\n\
             [http]\nlisten = \"127.0.0.1:0\"\n[alerts]\nkafka_topic = \"{db}.alerts\"\n[rejects]\nkafka_topic = \"{db}.rejects\"\n",
            db = self.database
        );
        std::fs::write(config.join("tsur.toml"), settings).expect("settings");
        for sub in ["", "alerts", "calendars", "policies", "reference", "reference/gazetteer", "reference/lexicon"] {
            std::fs::create_dir_all(pipelines.join(sub)).expect("pipelines folder");
            for entry in std::fs::read_dir(project("pipelines").join(sub)).expect("shipped pipelines") {
                let path = entry.expect("entry").path();
                if !path.is_file() {
                    continue;
                }
                let mut content = std::fs::read_to_string(&path).expect("shipped file");
                content = content.replace("\"tsur.in.", &format!("\"{}.", self.name));
                std::fs::write(pipelines.join(sub).join(path.file_name().expect("name")), content).expect("copy");
            }
        }
    }

    pub fn topic(&self, pipeline: &str) -> String {
        format!("{}.{pipeline}", self.name)
    }

    pub fn config_folder(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// From now on processes reach ClickHouse by this address.
    pub fn serve_by(&mut self, url: &str) {
        self.served = Some(url.to_owned());
    }

    /// `host:port` of the real ClickHouse.
    pub fn clickhouse_address(&self) -> &str {
        self.clickhouse.trim_start_matches("http://")
    }

    /// Adds tables and keys to `tsur.toml`; `[kafka]`, `[clickhouse]` and `[http]` are there already.
    pub fn add_settings(&self, more: &str) {
        let path = self.config_folder().join("tsur.toml");
        let settings = std::fs::read_to_string(&path).expect("settings");
        std::fs::write(path, format!("{settings}{more}\n")).expect("settings");
    }

    /// Replaces a text in a file below the folder of the installation; it must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let path = self.folder.path().join(path);
        let content = std::fs::read_to_string(&path).expect("file");
        assert!(content.contains(from), "{from:?} is not in {}", path.display());
        std::fs::write(path, content.replacen(from, to, 1)).expect("file");
    }

    /// A client configuration for Kafka, of no group.
    pub fn kafka(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.kafka);
        config
    }

    /// What the started processes have logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("tsur.log")).unwrap_or_default()
    }

    /// Asks the process started last over HTTP; status and body, `None` while it does not answer.
    pub fn http(&self, path: &str) -> Option<(u16, String)> {
        use std::io::{Read, Write};
        let log = self.log();
        let line = log.lines().rev().find(|line| line.contains("tsur runs"))?;
        let address = line.split("address=").nth(1)?.split_whitespace().next()?;
        let mut stream = std::net::TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: tsur\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }

    /// The sum of a metric over its labels, as far as they contain `label`.
    pub fn metric(&self, name: &str, label: &str) -> Option<f64> {
        let (_, body) = self.http("/metrics")?;
        let of_name = |line: &&str| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])) && line.contains(label)
        };
        let mut values = body.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        let first = values.next()?;
        Some(first + values.sum::<f64>())
    }

    /// Publishes records with the present time into one partition.
    pub fn publish_into(&self, pipeline: &str, partition: i32, payloads: &[&[u8]]) {
        let producer = self.producer();
        let topic = self.topic(pipeline);
        for payload in payloads {
            send_record(&producer, || {
                BaseRecord::<str, [u8]>::to(&topic).partition(partition).key("k").payload(payload)
            });
        }
        producer.flush(Duration::from_secs(60)).expect("all records are delivered");
    }

    /// Adds or replaces a file below the folder of the installation.
    pub fn write(&self, path: &str, content: &str) {
        std::fs::write(self.folder.path().join(path), content).expect("file");
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsur"));
        command
            .arg("--config")
            .arg(self.config_folder())
            .args(args)
            .env("TSUR_KAFKA", &self.kafka)
            .env("TSUR_CLICKHOUSE_URL", self.served.as_ref().unwrap_or(&self.clickhouse))
            .env("TSUR_IDENTITY_KEY", IDENTITY_KEY)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn tsur(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("tsur starts")
    }

    /// Starts a command whose end the test decides; its log goes to a file of the installation.
    pub fn start(&self, args: &[&str]) -> Child {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.folder.path().join("tsur.log"))
            .expect("log file");
        self.command(args).stdout(Stdio::null()).stderr(log).spawn().expect("tsur starts")
    }

    /// Starts a group member with a name of its own (static membership).
    pub fn start_as(&self, instance: &str, log: &str) -> Child {
        let log = std::fs::File::create(self.folder.path().join(log)).expect("log file");
        let mut command = self.command(&["run"]);
        command.env("TSUR_INSTANCE_ID", instance).stdout(Stdio::null()).stderr(log).spawn().expect("tsur starts")
    }

    /// A file of the installation.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).expect("file")
    }

    /// Reads everything there is to read and checks the books.
    pub fn run_until_idle(&self) {
        let run = self.tsur(&["run", "--until-idle", "4s"]);
        assert!(run.status.success(), "{}", text(&run));
    }

    pub fn audit(&self) -> String {
        let audit = self.tsur(&["audit"]);
        let report = text(&audit);
        assert!(audit.status.success(), "{report}");
        assert!(report.contains("audit: ok"), "{report}");
        report
    }

    pub fn client(&self) -> clickhouse::Client {
        clickhouse::Client::default().with_url(&self.clickhouse).with_database(&self.database)
    }

    /// One number by SQL.
    pub async fn number(&self, sql: &str) -> i64 {
        let sql = format!("SELECT toInt64(assumeNotNull(({sql})))");
        self.client().query_raw(&sql).fetch_one().await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// One text by SQL.
    pub async fn word(&self, sql: &str) -> String {
        self.client().query_raw(sql).fetch_one().await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    pub fn producer(&self) -> BaseProducer {
        ClientConfig::new()
            .set("bootstrap.servers", &self.kafka)
            .set("compression.type", "lz4")
            .set("linger.ms", "20")
            .set("enable.idempotence", "true")
            .set("message.max.bytes", "40000000")
            .set("queue.buffering.max.kbytes", "262144")
            .create()
            .expect("a producer")
    }

    /// Publishes single records with the present time.
    pub fn publish(&self, pipeline: &str, records: &[(&str, &[u8])]) {
        let producer = self.producer();
        for (key, payload) in records {
            send(&producer, &self.topic(pipeline), key, payload, None);
        }
        producer.flush(Duration::from_secs(30)).expect("all records are delivered");
    }

    /// The region of the shipped reference files.
    pub fn region() -> Region {
        let read = |name: &str| std::fs::read_to_string(project("pipelines/reference").join(name)).expect("reference");
        Region::from_toml(&read("blocks.toml"), &read("topics.toml"), &read("territories.toml"), &read("bodies.toml"))
            .expect("the shipped reference is sound")
    }

    /// Publishes a seeded simulation of both sources and gives its ledger.
    pub fn publish_simulation(&self, records: u64, seed: u64) -> Ledger {
        self.publish_simulation_numbered(records, seed, 1)
    }

    /// The same with case numbers from `serial` on: two simulations in one topic must not share cases.
    pub fn publish_simulation_numbered(&self, records: u64, seed: u64, serial: u64) -> Ledger {
        let region = Installation::region();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("a clock").as_secs() as i64;
        let time = |seconds| Time::from_unix_seconds(seconds).expect("in range");
        let mut config = SimulationConfig::new(seed, time(now - 30 * 86_400), time(now));
        config.records = Some(records);
        config.first_serial = serial;
        (config.duplicates, config.broken, config.late, config.out_of_order) = (0.02, 0.01, 0.01, 0.01);
        let mut simulation = Simulation::new(config, &region).expect("a simulation");
        let producer = self.producer();
        let mut record = SimulatedRecord::default();
        while simulation.next(&mut record) {
            let pipeline = record.source.code();
            // re-deliveries may leave after the end of the history, and Kafka refuses times in the future
            let timestamp = record.timestamp.min(now * 1000);
            send(&producer, &self.topic(pipeline), &record.key, &record.payload, Some(timestamp));
        }
        producer.flush(Duration::from_secs(60)).expect("all records are delivered");
        simulation.ledger().clone()
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("tsur.log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("the end of tsur.log, newest first:\n{}", tail.join("\n"));
        }
        // the database is dropped with the engines; here it only makes room while they run
        let drop = format!("DROP DATABASE IF EXISTS {} SYNC", self.database);
        let url = self.clickhouse.trim_start_matches("http://").to_owned();
        if let Ok(mut stream) = std::net::TcpStream::connect(&url) {
            use std::io::{Read, Write};
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10))); // a server may be frozen
            let request = format!("POST / HTTP/1.0\r\nHost: {url}\r\nContent-Length: {}\r\n\r\n{drop}", drop.len());
            let _ = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_string(&mut String::new()));
        }
    }
}

fn send(producer: &BaseProducer, topic: &str, key: &str, payload: &[u8], timestamp: Option<i64>) {
    send_record(producer, || {
        let record = BaseRecord::to(topic).key(key).payload(payload);
        match timestamp {
            Some(timestamp) => record.timestamp(timestamp),
            None => record,
        }
    });
}

/// Sends one record, waiting while the queue is full.
pub fn send_record<'a, K: ToBytes + ?Sized + 'a>(
    producer: &BaseProducer,
    record: impl Fn() -> BaseRecord<'a, K, [u8]>,
) {
    while let Err((problem, _)) = producer.send(record()) {
        let full = Some(RDKafkaErrorCode::QueueFull);
        assert!(problem.rdkafka_error_code() == full, "{problem}");
        producer.poll(Duration::from_millis(20));
    }
    producer.poll(Duration::ZERO);
}

/// Asks a process to end, as a supervisor does.
pub fn terminate(process: &Child) {
    let sent = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().expect("kill");
    assert!(sent.success());
}

/// Waits for the end of a process: its exit code, and how long that took. Kills it, and fails, after a minute.
pub fn ended(process: &mut Child) -> (Option<i32>, Duration) {
    let asked = Instant::now();
    loop {
        if let Some(status) = process.try_wait().expect("a child") {
            return (status.code(), asked.elapsed());
        }
        if asked.elapsed() > Duration::from_secs(60) {
            process.kill().expect("kill -9");
            panic!("the process does not end");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A figure of `/proc/PID/status` in MiB, e.g. `VmHWM`.
pub fn memory_mib(process: &Child, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a figure");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}

/// Standard output and error of a command.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Waits until the condition holds; fails the test after the time.
pub async fn eventually(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !holds().await {
        assert!(Instant::now() < deadline, "did not happen within {within:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
