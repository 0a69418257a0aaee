//! Reads `tsur.toml` and the environment into `Settings`: ranges, then what the values must be to each other.
//! Owner: `config`. Invariants: the environment wins over the file, an empty variable counts as unset, and two values are
//! compared only where both are sound, so that one mistake gives one message.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::errors::Errors;
use super::reader::{Document, Table};
use super::settings::*;
use super::settings_checks::{Tables, cross_checks};

/// How the environment is asked; a closure in tests.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

const ENVIRONMENT: &str = "environment";
const BROKERS: &str = "a comma-separated list of host:port";
const URL: &str = "http://host:port or https://host:port, without user and password";
const INSTANCE: &str = "1 to 249 latin letters, digits, '.', '_', '-'; another name for each process of the group";
const TOPIC: &str = "1 to 249 latin letters, digits, '.', '_', '-'";
const KEY: &str = "at least 32 bytes";
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
/// ClickHouse would split a longer INSERT, and the batch would no longer be one atomic block.
const MAX_BLOCK_ROWS: i64 = 1_048_449;

/// librdkafka properties that the exactly-once protocol depends on, so they are not the user's.
const OWN_PROPERTIES: &[&str] = &[
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "session.timeout.ms",
    "max.poll.interval.ms",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "partition.assignment.strategy",
    "enable.partition.eof",
    "isolation.level",
    "enable.idempotence",
    "acks",
];

/// `folder` is the folder of the file; `key_file` is relative to it.
pub fn read(file: &str, text: &str, folder: &Path, env: Environment, errors: &Errors) -> Settings {
    let env = |name: &str| env(name).filter(|value| !value.trim().is_empty());
    Document::read(file, text, errors, |root| {
        let tables = Tables {
            kafka: root.table("kafka"),
            clickhouse: root.table("clickhouse"),
            batch: root.table("batch"),
            budget: root.table("budget"),
            limits: root.table("limits"),
        };
        let settings = Settings {
            kafka: kafka(&tables.kafka, &env, errors),
            clickhouse: clickhouse(&tables.clickhouse, &env, errors),
            schema_registry: schema_registry(&root.table("schema_registry"), &env, errors),
            batch: batch(&tables.batch),
            budget: budget(&tables.budget),
            http: http(&root.table("http")),
            shutdown: shutdown(&root.table("shutdown")),
            identity: identity(&root.table("identity"), folder, &env, errors),
            limits: limits(&tables.limits),
            alerts: alerts(&root.table("alerts")),
            rejects: rejects(&root.table("rejects")),
            problems: problems(&root.table("problems")),
            log: log(&root.table("log")),
            pipelines_dir: root.text("pipelines_dir").map_or_else(|| Settings::default().pipelines_dir, PathBuf::from),
        };
        cross_checks(&settings, &tables);
        settings
    })
}

fn seconds(range: RangeInclusive<u64>) -> RangeInclusive<Duration> {
    Duration::from_secs(*range.start())..=Duration::from_secs(*range.end())
}

fn millis(range: RangeInclusive<u64>) -> RangeInclusive<Duration> {
    Duration::from_millis(*range.start())..=Duration::from_millis(*range.end())
}

fn kafka(table: &Table, env: Environment, errors: &Errors) -> Kafka {
    let default = Kafka::default();
    let written = table.text("brokers").inspect(|brokers| {
        if !is_broker_list(brokers) {
            table.refuse("brokers", format!("{brokers:?} is not a list of brokers"), BROKERS);
        }
    });
    let brokers = env("TSUR_KAFKA").inspect(|brokers| {
        if !is_broker_list(brokers) {
            errors.add_whole(ENVIRONMENT, "TSUR_KAFKA", format!("{brokers:?} is not a list of brokers"), BROKERS);
        }
    });
    Kafka {
        brokers: brokers.or(written).unwrap_or(default.brokers),
        group_id: table.text("group_id").unwrap_or(default.group_id),
        instance_id: instance_id(table, env, errors),
        session_timeout: table.duration("session_timeout", seconds(6..=1800)).unwrap_or(default.session_timeout),
        max_poll_interval: table.duration("max_poll_interval", seconds(10..=3600)).unwrap_or(default.max_poll_interval),
        properties: properties(&table.table("properties")),
    }
}

fn instance_id(table: &Table, env: Environment, errors: &Errors) -> Option<String> {
    let problem = |name: &str| format!("{name:?} is not a name of a group member");
    let written = table.text("instance_id").inspect(|name| {
        if !is_instance_name(name) {
            table.refuse("instance_id", problem(name), INSTANCE);
        }
    });
    let given = env("TSUR_INSTANCE_ID").inspect(|name| {
        if !is_instance_name(name) {
            errors.add_whole(ENVIRONMENT, "TSUR_INSTANCE_ID", problem(name), INSTANCE);
        }
    });
    given.or(written)
}

/// What Kafka allows, as for the name of a topic.
fn is_instance_name(text: &str) -> bool {
    let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    letters && (1..=249).contains(&text.len()) && text != "." && text != ".."
}

fn is_broker_list(text: &str) -> bool {
    text.split(',').all(|broker| {
        // A broker may carry its security protocol: `SASL_SSL://host:9093`.
        let address = broker.trim().rsplit_once("://").map_or(broker.trim(), |(_, address)| address);
        let (host, port) = address.rsplit_once(':').unwrap_or(("", ""));
        !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

fn properties(table: &Table) -> BTreeMap<String, String> {
    let mut properties = BTreeMap::new();
    for (name, item) in table.entries() {
        if OWN_PROPERTIES.contains(&name.as_str()) {
            item.refuse("is set by tsur itself", "any other librdkafka property");
        } else if let Some(value) = item.scalar() {
            properties.insert(name, value);
        }
    }
    properties
}

fn clickhouse(table: &Table, env: Environment, errors: &Errors) -> ClickHouse {
    let default = ClickHouse::default();
    let written = table.text("url").inspect(|url| {
        if !is_url(url) {
            table.refuse("url", "is not an address of ClickHouse's HTTP server", URL);
        }
    });
    let url = env("TSUR_CLICKHOUSE_URL").inspect(|url| {
        if !is_url(url) {
            errors.add_whole(ENVIRONMENT, "TSUR_CLICKHOUSE_URL", "is not an address of ClickHouse's HTTP server", URL);
        }
    });
    let database = table.text("database").inspect(|name| {
        let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !letters || name.starts_with(|c: char| c.is_ascii_digit()) {
            table.refuse(
                "database",
                format!("{name:?} is not a plain name"),
                "latin letters, digits and _, not starting with a digit",
            );
        }
    });
    let password = table.text("password").map(Secret::new);
    let user = table.text("user");
    ClickHouse {
        url: url.or(written).map_or(default.url, |url| url.trim_end_matches('/').to_owned()),
        database: database.unwrap_or(default.database),
        user: env("TSUR_CLICKHOUSE_USER").or(user).unwrap_or(default.user),
        password: env("TSUR_CLICKHOUSE_PASSWORD").map(Secret::new).or(password).unwrap_or_default(),
        connect_timeout: table.duration("connect_timeout", millis(100..=60_000)).unwrap_or(default.connect_timeout),
        request_timeout: table.duration("request_timeout", seconds(1..=600)).unwrap_or(default.request_timeout),
        first_backoff: table.duration("first_backoff", millis(10..=30_000)).unwrap_or(default.first_backoff),
    }
}

fn schema_registry(table: &Table, env: Environment, errors: &Errors) -> SchemaRegistry {
    const VARIABLE: &str = "TSUR_SCHEMA_REGISTRY";
    let default = SchemaRegistry::default();
    let problem = "is not an address of a schema registry";
    let written = table.text("url").inspect(|url| {
        if !is_url(url) {
            table.refuse("url", problem, URL);
        }
    });
    let given = env(VARIABLE).inspect(|url| {
        if !is_url(url) {
            errors.add_whole(ENVIRONMENT, VARIABLE, problem, URL);
        }
    });
    let (user, password) = (table.text("user"), table.text("password").map(Secret::new));
    SchemaRegistry {
        url: given.or(written).map(|url| url.trim_end_matches('/').to_owned()),
        user: env("TSUR_SCHEMA_REGISTRY_USER").or(user),
        password: env("TSUR_SCHEMA_REGISTRY_PASSWORD").map(Secret::new).or(password).unwrap_or_default(),
        connect_timeout: table.duration("connect_timeout", millis(100..=60_000)).unwrap_or(default.connect_timeout),
        request_timeout: table.duration("request_timeout", seconds(1..=120)).unwrap_or(default.request_timeout),
    }
}

fn is_url(url: &str) -> bool {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '@' || c == '?'))
}

fn batch(table: &Table) -> Batch {
    let default = Batch::default();
    Batch {
        max_rows: table.integer("max_rows", 1..=MAX_BLOCK_ROWS).unwrap_or(default.max_rows),
        max_bytes: table.size("max_bytes", 64 * KIB..=256 * MIB).unwrap_or(default.max_bytes),
        max_age: table.duration("max_age", millis(200..=1000)).unwrap_or(default.max_age),
        idle_age: table.duration("idle_age", millis(200..=5000)).unwrap_or(default.idle_age),
        insert_slots: table.integer("insert_slots", 1..=64).unwrap_or(default.insert_slots),
    }
}

fn budget(table: &Table) -> Budget {
    let default = Budget::default();
    Budget {
        records: table.integer("records", 1..=100_000_000).unwrap_or(default.records),
        bytes: table.size("bytes", MIB..=64 * GIB).unwrap_or(default.bytes),
        reopen_ratio: table.number("reopen_ratio", 0.1..=0.9).unwrap_or(default.reopen_ratio),
    }
}

fn http(table: &Table) -> Http {
    let listen = table.item("listen").and_then(|item| {
        let text = item.text()?;
        let address = text.parse::<SocketAddr>().ok();
        if address.is_none() {
            item.refuse(
                format!("{text:?} is not an address to listen on"),
                "ip:port, such as \"127.0.0.1:9464\" or \"0.0.0.0:9464\"",
            );
        }
        address
    });
    listen.map_or_else(Http::default, |listen| Http { listen })
}

fn shutdown(table: &Table) -> Shutdown {
    Shutdown { budget: table.duration("budget", seconds(1..=600)).unwrap_or(Shutdown::default().budget) }
}

fn identity(table: &Table, folder: &Path, env: Environment, errors: &Errors) -> Identity {
    let key_env = table.text("key_env").unwrap_or_else(|| Identity::default().key_env);
    let key_file = table.text("key_file").map(PathBuf::from);
    let mut key = env(&key_env).map(Secret::new);
    if let Some(key) = &key
        && key.expose().len() < 32
    {
        errors.add_whole(ENVIRONMENT, &key_env, "is too short for a key", KEY);
    } else if key.is_none()
        && let Some(path) = &key_file
    {
        match std::fs::read_to_string(folder.join(path)) {
            Ok(text) if text.trim().len() >= 32 => key = Some(Secret::new(text.trim())),
            Ok(_) => table.refuse("key_file", format!("the key in {} is too short", path.display()), KEY),
            Err(error) => table.refuse(
                "key_file",
                format!("cannot read {}: {error}", path.display()),
                "a readable file that holds the key",
            ),
        }
    }
    Identity { key_env, key_file, key }
}

fn limits(table: &Table) -> Limits {
    let default = Limits::default();
    Limits {
        max_record_bytes: table.size("max_record_bytes", KIB..=128 * MIB).unwrap_or(default.max_record_bytes),
        max_consecutive_rejects: table
            .integer("max_consecutive_rejects", 0..=1_000_000_000)
            .unwrap_or(default.max_consecutive_rejects),
        max_reject_ratio: table.number("max_reject_ratio", 0.01..=1.0).unwrap_or(default.max_reject_ratio),
    }
}

fn alerts(table: &Table) -> Alerts {
    let default = Alerts::default();
    let kafka_topic = table.text("kafka_topic").inspect(|name| {
        if !is_instance_name(name) {
            table.refuse("kafka_topic", format!("{name:?} is not a name of a Kafka topic"), TOPIC);
        }
    });
    let webhook_url = table.text("webhook_url").inspect(|url| {
        if !is_url(url) {
            table.refuse(
                "webhook_url",
                "is not an address",
                "http://host:port/api/v2/alerts, without user and password",
            );
        }
    });
    Alerts {
        enabled: table.boolean("enabled").unwrap_or(default.enabled),
        kafka_topic: kafka_topic.unwrap_or(default.kafka_topic),
        webhook_url,
        webhook_timeout: table.duration("webhook_timeout", millis(100..=60_000)).unwrap_or(default.webhook_timeout),
    }
}

fn rejects(table: &Table) -> Rejects {
    let default = Rejects::default();
    let kafka_topic = table.text("kafka_topic").inspect(|name| {
        if !is_instance_name(name) {
            let problem = format!("{name:?} is not a name of a Kafka topic");
            table.refuse("kafka_topic", problem, "1 to 249 latin letters, digits, '.', '_', '-'");
        }
    });
    Rejects {
        enabled: table.boolean("enabled").unwrap_or(default.enabled),
        kafka_topic: kafka_topic.unwrap_or(default.kafka_topic),
    }
}

fn problems(table: &Table) -> Problems {
    let default = Problems::default();
    Problems {
        enabled: table.boolean("enabled").unwrap_or(default.enabled),
        window: table.duration("window", seconds(3600..=90 * 86_400)).unwrap_or(default.window),
        differing_bits: table.integer("differing_bits", 0..=16).unwrap_or(default.differing_bits),
        least_words: table.integer("least_words", 1..=1000).unwrap_or(default.least_words),
        remembered: table.integer("remembered", 1000..=1_000_000).unwrap_or(default.remembered),
    }
}

fn log(table: &Table) -> Log {
    let default = Log::default();
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace]
        .map(|level| (level.name(), level));
    Log {
        format: table
            .choice("format", &[("text", LogFormat::Text), ("json", LogFormat::Json)])
            .unwrap_or(default.format),
        level: table.choice("level", &levels).unwrap_or(default.level),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
