//! A Kafka and a ClickHouse of the run's own, because they are killed. Started and ended by the scripts of `deploy/local`.
//! Owner: the run; dropping it ends both, whatever state they are in. Invariant: an engine that comes back comes back on its ports.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Engines {
    folder: PathBuf,
    listeners: String,
    /// Where the scripts begin to look for free ports.
    ports: [u16; 4],
    pub kafka: String,
    pub clickhouse: String,
    /// ClickHouse's data are on a small filesystem that can be filled.
    pub has_small_disk: bool,
}

/// Room for the data of ten minutes, and little enough to be filled in a second.
const SMALL_DISK: &str = "size=3g";
/// ClickHouse reserves a mebibyte at least.
const KEPT_FREE: u64 = 900 << 10;
const CLOSE_ENOUGH: u64 = 64 << 10;

impl Engines {
    /// `ways` are pairs of a port of the broker and the port it tells its clients.
    pub fn start(folder: PathBuf, ways: &[(u16, u16)], wants_small_disk: bool) -> Engines {
        let listeners: Vec<String> = ways.iter().map(|(port, advertised)| format!("{port}:{advertised}")).collect();
        let mut engines = Engines {
            folder,
            listeners: listeners.join(" "),
            ports: own_ports(),
            kafka: String::new(),
            clickhouse: String::new(),
            has_small_disk: false,
        };
        engines.end(); // what a run that was killed has left
        let _ = std::fs::remove_dir_all(&engines.folder); // may not be there
        std::fs::create_dir_all(engines.data()).expect("the folder of the engines");
        engines.has_small_disk = wants_small_disk && engines.mount();
        std::thread::scope(|scope| {
            let kafka = scope.spawn(|| engines.script("kafka", "start"));
            engines.script("clickhouse", "start");
            kafka.join().expect("kafka starts");
        });
        engines.kafka = engines.recorded("kafka", "TSUR_KAFKA=");
        engines.clickhouse = engines.recorded("clickhouse", "TSUR_CLICKHOUSE_URL=");
        engines
    }

    fn data(&self) -> PathBuf {
        self.folder.join("clickhouse/data")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn clickhouse_port(&self) -> u16 {
        self.clickhouse.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port")
    }

    /// Runs a verb of the engine's script; panics with what it said when it fails.
    pub fn script(&self, engine: &str, verb: &str) {
        let output = self.command(engine, verb).output().expect("the script runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{engine}.sh {verb}: {said}");
        if verb == "start" && !self.clickhouse.is_empty() {
            // its clients have only the address of before; another process must have taken it meanwhile
            let now = (self.recorded("kafka", "TSUR_KAFKA="), self.recorded("clickhouse", "TSUR_CLICKHOUSE_URL="));
            assert_eq!(now, (self.kafka.clone(), self.clickhouse.clone()), "{engine} came back on another port");
        }
    }

    fn command(&self, engine: &str, verb: &str) -> Command {
        let scripts = std::env::var("TSUR_ENGINE_SCRIPTS").map(PathBuf::from);
        let scripts = scripts.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/local"));
        let mut command = Command::new(scripts.join(format!("{engine}.sh")));
        command
            .arg(verb)
            .env_remove("TSUR_KAFKA")
            .env_remove("TSUR_CLICKHOUSE_URL")
            .env("TSUR_LOCAL_DIR", &self.folder)
            .env("TSUR_KAFKA_LISTENERS", &self.listeners)
            .env("TSUR_KAFKA_PORT", self.ports[0].to_string())
            .env("TSUR_KAFKA_CONTROLLER_PORT", self.ports[1].to_string())
            .env("TSUR_CLICKHOUSE_HTTP_PORT", self.ports[2].to_string())
            .env("TSUR_CLICKHOUSE_TCP_PORT", self.ports[3].to_string())
            .stdin(Stdio::null());
        command
    }

    fn recorded(&self, engine: &str, key: &str) -> String {
        let text = std::fs::read_to_string(self.folder.join(engine).join("env")).expect("the script wrote it");
        text.lines().find_map(|line| line.strip_prefix(key)).expect("the address").to_owned()
    }

    /// Sends a signal to an engine, if it runs.
    pub fn signal(&self, engine: &str, signal: &str) {
        let pid = std::fs::read_to_string(self.folder.join(engine).join("pid")).unwrap_or_default();
        if let Some(pid) = pid.split(' ').next().filter(|pid| !pid.is_empty()) {
            send_signal(pid, signal);
        }
    }

    fn mount(&self) -> bool {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", SMALL_DISK, "tmpfs"]).arg(self.data()).output();
        match done {
            Ok(output) if output.status.success() => true,
            _ => {
                println!("chaos: no small filesystem can be mounted here, so the disk of ClickHouse is never full");
                false
            }
        }
    }

    fn ballast(&self) -> PathBuf {
        self.data().join("ballast")
    }

    /// Leaves less free than ClickHouse reserves for the smallest insert or merge, so that all of them are refused. Never less than that, not
    /// even for a moment, and no merge may run meanwhile: with no byte left under a running merge, this ClickHouse commits a
    /// merged part of empty files and throws its sources away.
    pub fn fill_disk(&self) {
        let mut ballast = 0;
        for _ in 0..100 {
            let free = self.free_space();
            if free <= KEPT_FREE + CLOSE_ENOUGH {
                break;
            }
            // half of the way at a time: the server writes meanwhile, and what does not fit is taken for a moment before it is refused
            ballast += (free - KEPT_FREE) / 2;
            let length = ballast.to_string();
            let taken =
                Command::new("fallocate").args(["-l", &length]).arg(self.ballast()).status().expect("fallocate");
            assert!(taken.success(), "{ballast} bytes, {free} were free");
        }
    }

    fn free_space(&self) -> u64 {
        let free = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(self.data()).output().expect("stat");
        let numbers = String::from_utf8_lossy(&free.stdout).into_owned();
        numbers.split_whitespace().map(|number| number.parse::<u64>().expect("a number")).product()
    }

    pub fn free_disk(&self) {
        let _ = std::fs::remove_file(self.ballast()); // freed already
    }

    fn end(&self) {
        self.signal("clickhouse", "CONT"); // a frozen server hears nothing
        self.free_disk();
        for engine in ["clickhouse", "kafka"] {
            let _ = self.command(engine, "stop").output(); // the folder may be new
        }
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        if mounts.contains(&*self.data().to_string_lossy()) {
            let _ = Command::new("umount").arg(self.data()).output(); // the next run tries again
        }
    }
}

impl Drop for Engines {
    fn drop(&mut self) {
        self.end();
    }
}

/// `kill -SIGNAL PID`.
pub fn send_signal(pid: &str, signal: &str) {
    let _ = Command::new("kill").args([&format!("-{signal}"), pid]).output(); // it may have ended by itself
}

/// Two runs on one machine must not meet: while an engine is down, the other could take its port. Below the ports that the kernel gives to
/// clients, which could take one just as well.
fn first_port() -> u16 {
    18_000 + (std::process::id() % 220) as u16 * 40
}

/// Kafka and its controller, then ClickHouse by HTTP and natively.
fn own_ports() -> [u16; 4] {
    let first = first_port();
    [first, first + 1, first + 10, first + 20]
}

/// Free ports for the listeners of the broker.
pub fn free_ports(number: usize) -> Vec<u16> {
    let first = first_port() + 30;
    let free = (first..first + 10).filter(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(number).collect();
    assert_eq!(ports.len(), number, "too few free ports from {first} on");
    ports
}
