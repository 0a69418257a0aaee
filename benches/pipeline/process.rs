//! What the kernel knows of a process, and `tsur` as a child process with a configuration of its own.
//! Owner: the benchmark. Invariants: a child never outlives the benchmark; its CPU time is read when it has ended and
//! nobody has waited for it yet, so nothing is missed; configuration and logs stay below `target/bench`.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::engines::Engines;

/// Clock ticks a second in /proc; fixed on Linux for all the architectures we build for.
const TICKS: f64 = 100.0;
/// Not a secret: these authors are invented.
const IDENTITY: &str = "5f1c0b7a9d3e48269c7b10fe2d8a6453b1908e7f6c5d4a3b2918070605f4e3d2";

/// CPU seconds, user and system, of a process and all its threads; and the letter of its state.
pub fn cpu_and_state(pid: u32) -> Result<(f64, char)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid} is gone"))?;
    // the second field is the name of the program, which may hold blanks: count from behind its closing bracket
    let fields: Vec<&str> = stat.rsplit_once(')').context("/proc/PID/stat")?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    let state = fields.first().and_then(|field| field.chars().next()).unwrap_or('?');
    Ok(((ticks(11) + ticks(12)) / TICKS, state))
}

pub fn cpu(pid: u32) -> Result<f64> {
    cpu_and_state(pid).map(|(seconds, _)| seconds)
}

/// CPU seconds of a process by kind of thread: the name up to the first digit or colon.
fn threads(pid: u32) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        // a thread may end while we look
        let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
        let Some((name, rest)) = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')')) else { continue };
        let end = name.find(|letter: char| letter.is_ascii_digit() || letter == ':').unwrap_or(name.len());
        let ticks: f64 = rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        *sums.entry(name[..end].to_owned()).or_insert(0.0) += ticks / TICKS;
    }
    sums
}

/// CPU seconds that all processes of the machine have used. What is not ours of it are the neighbours.
pub fn machine_cpu() -> Result<f64> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields: Vec<f64> =
        stat.lines().next().unwrap_or("").split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal
    let idle: f64 = fields.iter().skip(3).take(2).sum();
    Ok((fields.iter().take(8).sum::<f64>() - idle) / TICKS)
}

/// A value of /proc/PID/status that is given in kB, in bytes.
pub fn memory(pid: u32, name: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(name)).with_context(|| format!("{name} of {pid}"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1).context("a number")?.parse()?;
    Ok(kilobytes * 1024)
}

/// Everything of the repository a run needs, with Kafka topics, group and database of its own.
pub struct Setup {
    pub folder: PathBuf,
    pub database: String,
    pub http: SocketAddr,
}

impl Setup {
    /// Default settings, but for names and addresses. `topics`: (pipeline file, Kafka topic).
    pub fn write(name: &str, topics: &[(&str, &str)]) -> Result<Setup> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folder = output_folder().join(name);
        let _ = fs::remove_dir_all(&folder); // may not be there
        let pipelines = folder.join("pipelines");
        fs::create_dir_all(&pipelines)?;
        for kind in ["alerts", "calendars", "policies", "reference", "reference/gazetteer", "reference/lexicon"] {
            fs::create_dir_all(pipelines.join(kind))?;
            for entry in fs::read_dir(root.join("pipelines").join(kind))? {
                let entry = entry?;
                // its terms are of sources whose pipelines are not here, and are refused without them
                if entry.path().is_file() && entry.file_name() != "ryazan_channels.toml" {
                    fs::copy(entry.path(), pipelines.join(kind).join(entry.file_name()))?;
                }
            }
        }
        for (pipeline, topic) in topics {
            let file = format!("{pipeline}.toml");
            let text = fs::read_to_string(root.join("pipelines").join(&file))?;
            let text: Vec<String> = text
                .lines()
                .map(|line| match line.split_once('=') {
                    Some((key, _)) if key.trim() == "kafka_topic" => format!("kafka_topic = \"{topic}\""),
                    _ => line.to_owned(),
                })
                .collect();
            fs::write(pipelines.join(file), text.join("\n"))?;
        }
        let http = TcpListener::bind("127.0.0.1:0")?.local_addr()?; // free now, and in all likelihood a moment later
        let database = format!("bench_{name}");
        let settings = format!(
            "pipelines_dir = \"pipelines\"\n[kafka]\ngroup_id = \"bench.{name}.{}\"\ninstance_id = \"bench\"\n[clickhouse]\ndatabase = \"{database}\"\n\
             [http]\nlisten = \"{http}\"\n",
            std::process::id()
        );
        // other settings than the default ones, to see what they would give
        let more = match std::env::var("TSUR_BENCH_TOML") {
            Ok(path) => fs::read_to_string(&path).with_context(|| path)?,
            Err(_) => String::new(),
        };
        fs::write(folder.join("tsur.toml"), settings + &more)?;
        Ok(Setup { folder, database, http })
    }

    fn command(&self, engines: &Engines, arguments: &[&str]) -> Result<Command> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsur"));
        command
            .arg("--config")
            .arg(&self.folder)
            .args(arguments)
            .env("TSUR_KAFKA", &engines.kafka)
            .env("TSUR_CLICKHOUSE_URL", &engines.url)
            .env("TSUR_IDENTITY_KEY", IDENTITY)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("tsur.log")
    }

    /// Runs a command to its end.
    pub fn call(&self, engines: &Engines, arguments: &[&str]) -> Result<()> {
        let status = self.command(engines, arguments)?.status()?;
        ensure!(status.success(), "tsur {} failed: {}", arguments.join(" "), self.last_words());
        Ok(())
    }

    /// A fresh database with the schema.
    pub fn migrate(&self, engines: &Engines) -> Result<()> {
        engines.run(&format!("DROP DATABASE IF EXISTS {} SYNC", self.database))?;
        self.call(engines, &["migrate"])
    }

    pub fn start(&self, engines: &Engines, arguments: &[&str]) -> Result<Tsur<'_>> {
        Ok(Tsur { child: self.command(engines, arguments)?.spawn()?, setup: self, peak: 0, threads: BTreeMap::new() })
    }

    fn last_words(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

/// `target/bench` of the checkout, wherever cargo builds.
pub fn output_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench")
}

/// A running `tsur run`.
pub struct Tsur<'s> {
    child: Child,
    setup: &'s Setup,
    /// Highest resident memory seen so far.
    pub peak: u64,
    /// CPU seconds by kind of thread when last looked at.
    pub threads: BTreeMap<String, f64>,
}

impl Tsur<'_> {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails when the process has ended.
    pub fn check(&mut self) -> Result<()> {
        self.threads = threads(self.pid());
        self.peak = self.peak.max(memory(self.pid(), "VmHWM").unwrap_or(0)); // a dead one has none
        let (_, state) = cpu_and_state(self.pid())?;
        ensure!(state != 'Z', "tsur ended early: {}", self.setup.last_words());
        Ok(())
    }

    /// The answer of an HTTP path: status code and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut stream = TcpStream::connect(self.setup.http)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: bench\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer")?;
        let code = head.split(' ').nth(1).context("a status")?.parse()?;
        Ok((code, body.to_owned()))
    }

    /// What the process says of its partitions.
    pub fn partitions(&self) -> Result<Vec<serde_json::Value>> {
        let body: serde_json::Value = serde_json::from_str(&self.get("/debug/partitions")?.1)?;
        Ok(body["partitions"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until all partitions are assigned, restored and have nothing to write.
    pub fn wait_settled(&mut self, partitions: usize, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            self.check()?;
            let list = self.partitions().unwrap_or_default(); // not listening yet
            if list.len() == partitions && list.iter().all(|partition| partition["settled"] == true) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "tsur did not settle within {limit:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the process to end by itself; its CPU seconds.
    pub fn wait(mut self, limit: Duration) -> Result<f64> {
        let deadline = Instant::now() + limit;
        loop {
            let (seconds, state) = cpu_and_state(self.pid())?;
            if state == 'Z' {
                let status = self.child.wait()?;
                ensure!(status.success(), "tsur run ended with {status}: {}", self.setup.last_words());
                return Ok(seconds);
            }
            if Instant::now() > deadline {
                bail!("tsur run did not end within {limit:?}: {}", self.setup.last_words());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it without a word, as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?; // std sends SIGKILL
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end, as an operator would.
    pub fn stop(self) -> Result<f64> {
        let status = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        ensure!(status.success(), "the signal was not delivered");
        self.wait(Duration::from_secs(30))
    }
}

impl Drop for Tsur<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill(); // of no effect on one that has ended
        let _ = self.child.wait();
    }
}
