//! The settings of the process: what `tsur.toml` may say, and what holds when it says nothing.
//! Owner: `config`; everyone else reads. Invariants: a `Settings` that exists has passed every range and cross check
//! (`settings_read.rs`), the defaults here equal the commented file `config/tsur.toml`, and a secret never prints itself.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// A password or key: usable, never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value itself; the name is long so that each use is seen in review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(unset)" } else { "(hidden)" })
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    pub kafka: Kafka,
    pub clickhouse: ClickHouse,
    pub schema_registry: SchemaRegistry,
    pub batch: Batch,
    pub budget: Budget,
    pub http: Http,
    pub shutdown: Shutdown,
    pub identity: Identity,
    pub limits: Limits,
    pub alerts: Alerts,
    pub rejects: Rejects,
    pub problems: Problems,
    pub log: Log,
    /// As written; relative to the folder of `tsur.toml`. The resolved path is `Config::pipelines_dir`.
    pub pipelines_dir: PathBuf,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Kafka {
    /// Comma-separated `host:port`, as librdkafka wants it. Environment: `TSUR_KAFKA`.
    pub brokers: String,
    pub group_id: String,
    /// Static membership: a process that comes back under the same name within the session gets its partitions at once.
    /// Unique in the group. Environment: `TSUR_INSTANCE_ID`.
    pub instance_id: Option<String>,
    pub session_timeout: Duration,
    pub max_poll_interval: Duration,
    /// More librdkafka properties (security, compression). Those that `tsur` sets itself are refused.
    pub properties: BTreeMap<String, String>,
}

impl Kafka {
    /// How long a revoked partition may finish the insert in flight: half the session, so that the fence still stands.
    pub fn drain(&self) -> Duration {
        self.session_timeout / 2
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct ClickHouse {
    /// Environment: `TSUR_CLICKHOUSE_URL`.
    pub url: String,
    pub database: String,
    /// Environment: `TSUR_CLICKHOUSE_USER`.
    pub user: String,
    /// Environment: `TSUR_CLICKHOUSE_PASSWORD`, the preferred place.
    pub password: Secret,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
    /// Pause before the second attempt; doubles up to eight seconds. A server that is away is waited for.
    pub first_backoff: Duration,
}

/// Where the schemas of Avro records with a schema number are. One that is away is waited for.
#[derive(Clone, PartialEq, Debug)]
pub struct SchemaRegistry {
    /// Environment: `TSUR_SCHEMA_REGISTRY`. `None`: no pipeline needs one.
    pub url: Option<String>,
    /// Environment: `TSUR_SCHEMA_REGISTRY_USER`.
    pub user: Option<String>,
    /// Environment: `TSUR_SCHEMA_REGISTRY_PASSWORD`, the preferred place.
    pub password: Secret,
    pub connect_timeout: Duration,
    pub request_timeout: Duration,
}

/// A batch is sealed by whichever comes first.
#[derive(Clone, PartialEq, Debug)]
pub struct Batch {
    pub max_rows: usize,
    pub max_bytes: usize,
    /// Age of the oldest record under a steady flow.
    pub max_age: Duration,
    /// The same when the partition is nearly idle.
    pub idle_age: Duration,
    /// Inserts of this process in flight at a time.
    pub insert_slots: usize,
}

/// Records in memory before partitions are paused.
#[derive(Clone, PartialEq, Debug)]
pub struct Budget {
    pub records: usize,
    pub bytes: usize,
    /// Paused partitions go on when this share of the budget is in use.
    pub reopen_ratio: f64,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Http {
    pub listen: SocketAddr,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Shutdown {
    /// From the signal to the end of the process.
    pub budget: Duration,
}

/// Where the key of the identity hashes comes from: the environment first, then the file.
#[derive(Clone, PartialEq, Debug)]
pub struct Identity {
    /// Name of the environment variable.
    pub key_env: String,
    /// A file that holds the key; relative to the folder of `tsur.toml`.
    pub key_file: Option<PathBuf>,
    /// The key itself, 64 hex digits. `None`: neither place has one, and commands that hash must refuse to start.
    pub key: Option<Secret>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Limits {
    /// A longer record is rejected unread.
    pub max_record_bytes: usize,
    /// So many rejects of one partition in a row mean a broken pipeline, not broken records: the partition stops. 0 = never.
    pub max_consecutive_rejects: u32,
    /// The same for the share of rejects among the last 10,000 records. 1.0 = never.
    pub max_reject_ratio: f64,
}

/// Rejected records, told to whoever sent them.
#[derive(Clone, PartialEq, Debug)]
pub struct Rejects {
    pub enabled: bool,
    /// Each rejected record is a message there, keyed by its position.
    pub kafka_topic: String,
}

/// Cases of all sources that speak of one thing.
#[derive(Clone, PartialEq, Debug)]
pub struct Problems {
    pub enabled: bool,
    /// Time between two messages that are linked, at most.
    pub window: Duration,
    /// Bits in which the fingerprints of two texts that say the same differ at most.
    pub differing_bits: u32,
    /// A shorter text, in words, says too little to be linked by its words alone.
    pub least_words: u16,
    /// Messages that a new one is compared with, the newest; about 700 bytes of memory each.
    pub remembered: usize,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Alerts {
    /// This process raises alerts. All processes of a group should say the same.
    pub enabled: bool,
    /// Each state of each alert is a record there, keyed by the id of the alert.
    pub kafka_topic: String,
    /// `POST /api/v2/alerts` of Alertmanager, or anything that takes the same JSON. `None` calls nobody.
    pub webhook_url: Option<String>,
    pub webhook_timeout: Duration,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Log {
    pub format: LogFormat,
    /// `error | warn | info | debug | trace`.
    pub level: LogLevel,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLevel {
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            kafka: Kafka::default(),
            clickhouse: ClickHouse::default(),
            schema_registry: SchemaRegistry::default(),
            batch: Batch::default(),
            budget: Budget::default(),
            http: Http::default(),
            shutdown: Shutdown::default(),
            identity: Identity::default(),
            limits: Limits::default(),
            alerts: Alerts::default(),
            rejects: Rejects::default(),
            problems: Problems::default(),
            log: Log::default(),
            pipelines_dir: PathBuf::from("../pipelines"),
        }
    }
}

impl Default for Kafka {
    fn default() -> Kafka {
        Kafka {
            brokers: "127.0.0.1:9092".to_owned(),
            group_id: "tsur".to_owned(),
            instance_id: None,
            session_timeout: Duration::from_secs(45),
            max_poll_interval: Duration::from_secs(300),
            properties: BTreeMap::new(),
        }
    }
}

impl Default for ClickHouse {
    fn default() -> ClickHouse {
        ClickHouse {
            url: "http://127.0.0.1:8123".to_owned(),
            database: "tsur".to_owned(),
            user: "default".to_owned(),
            password: Secret::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(65),
            first_backoff: Duration::from_millis(500),
        }
    }
}

impl Default for SchemaRegistry {
    fn default() -> SchemaRegistry {
        SchemaRegistry {
            url: None,
            user: None,
            password: Secret::default(),
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(15),
        }
    }
}

impl Default for Batch {
    fn default() -> Batch {
        Batch {
            max_rows: 50_000,
            max_bytes: 16 * MIB,
            max_age: Duration::from_millis(500),
            idle_age: Duration::from_secs(1),
            insert_slots: 4,
        }
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { records: 200_000, bytes: 256 * MIB, reopen_ratio: 0.5 }
    }
}

impl Default for Http {
    fn default() -> Http {
        Http { listen: SocketAddr::from(([127, 0, 0, 1], 9464)) }
    }
}

impl Default for Shutdown {
    fn default() -> Shutdown {
        Shutdown { budget: Duration::from_secs(20) }
    }
}

impl Default for Identity {
    fn default() -> Identity {
        Identity { key_env: "TSUR_IDENTITY_KEY".to_owned(), key_file: None, key: None }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_record_bytes: 20 * MIB, max_consecutive_rejects: 1000, max_reject_ratio: 0.5 }
    }
}

impl Default for Alerts {
    fn default() -> Alerts {
        Alerts {
            enabled: true,
            kafka_topic: "tsur.alerts".to_owned(),
            webhook_url: None,
            webhook_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Rejects {
    fn default() -> Rejects {
        Rejects { enabled: true, kafka_topic: "tsur.rejects".to_owned() }
    }
}

impl Default for Problems {
    fn default() -> Problems {
        let window = Duration::from_secs(14 * 86_400);
        Problems { enabled: true, window, differing_bits: 6, least_words: 8, remembered: 30_000 }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { format: LogFormat::Text, level: LogLevel::Info }
    }
}
