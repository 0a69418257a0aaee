//! Tests of `settings_read.rs`.

use super::*;

const SHIPPED: &str = include_str!("../../config/tsur.toml");

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
    let errors = Errors::default();
    let lookup = |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    let settings = read("tsur.toml", text, Path::new("/nowhere"), &lookup, &errors);
    let result = errors.into_result().map_err(|list| list.0.iter().map(ToString::to_string).collect());
    result.map(|()| settings)
}

#[test]
fn the_commented_file_is_the_defaults() {
    assert_eq!(load(SHIPPED, &[]), Ok(Settings::default()));
    assert_eq!(load("", &[]), Ok(Settings::default()));
}

/// A change of a default is a change for everyone who runs tsur: it must be made on purpose, here too.
#[test]
fn the_defaults_are_these() {
    let shown = format!("{:?}", Settings::default());
    assert_eq!(
        shown,
        "Settings { kafka: Kafka { brokers: \"127.0.0.1:9092\", group_id: \"tsur\", instance_id: None, session_timeout: 45s, \
         max_poll_interval: 300s, properties: {} }, clickhouse: ClickHouse { url: \"http://127.0.0.1:8123\", \
         database: \"tsur\", user: \"default\", password: (unset), connect_timeout: 5s, request_timeout: 65s, \
         first_backoff: 500ms }, schema_registry: SchemaRegistry { url: None, user: None, password: (unset), \
         connect_timeout: 5s, request_timeout: 15s }, batch: Batch { max_rows: 50000, max_bytes: 16777216, max_age: 500ms, \
         idle_age: 1s, insert_slots: 4 }, budget: Budget { records: 200000, bytes: 268435456, reopen_ratio: 0.5 }, \
         http: Http { listen: 127.0.0.1:9464 }, shutdown: Shutdown { budget: 20s }, \
         identity: Identity { key_env: \"TSUR_IDENTITY_KEY\", \
         key_file: None, key: None }, limits: Limits { max_record_bytes: 20971520, max_consecutive_rejects: 1000, \
         max_reject_ratio: 0.5 }, alerts: Alerts { enabled: true, kafka_topic: \"tsur.alerts\", \
         webhook_url: None, webhook_timeout: 5s }, rejects: Rejects { enabled: true, kafka_topic: \"tsur.rejects\" }, \
         problems: Problems { enabled: true, window: 1209600s, differing_bits: 6, least_words: 8, remembered: 30000 }, \
         log: Log { format: Text, level: Info }, pipelines_dir: \"../pipelines\" }"
    );
}

#[test]
fn the_environment_wins_over_the_file_and_an_empty_variable_is_unset() {
    let env = [
        ("TSUR_KAFKA", "k1:9092,k2:9092"),
        ("TSUR_CLICKHOUSE_URL", "http://ch:8123/"),
        ("TSUR_INSTANCE_ID", "node-1.region"),
        ("TSUR_CLICKHOUSE_USER", ""),
        ("TSUR_CLICKHOUSE_PASSWORD", "secret"),
        ("TSUR_IDENTITY_KEY", "0123456789abcdef0123456789abcdef"),
    ];
    let settings = load(SHIPPED, &env).expect("sound");
    assert_eq!(settings.kafka.brokers, "k1:9092,k2:9092");
    assert_eq!(settings.clickhouse.url, "http://ch:8123");
    assert_eq!(settings.kafka.instance_id.as_deref(), Some("node-1.region"));
    assert_eq!(settings.clickhouse.user, "default");
    assert_eq!(settings.clickhouse.password.expose(), "secret");
    assert!(settings.identity.key.is_some());
    assert!(!format!("{settings:?}").contains("secret"), "a secret never prints itself");
}

#[test]
fn mistakes_in_the_environment_name_the_variable_but_not_the_secret() {
    let found =
        load("", &[("TSUR_KAFKA", "no-port"), ("TSUR_IDENTITY_KEY", "short-secret")]).expect_err("two mistakes");
    assert_eq!(
        found,
        [
            "environment: TSUR_IDENTITY_KEY: is too short for a key (allowed: at least 32 bytes)",
            "environment: TSUR_KAFKA: \"no-port\" is not a list of brokers (allowed: a comma-separated list of host:port)",
        ]
    );
}

#[test]
fn values_that_do_not_fit_each_other_are_refused() {
    let found =
        load("[clickhouse]\nconnect_timeout = \"9s\"\nrequest_timeout = \"8s\"\n[batch]\nmax_rows = 300000\n", &[]);
    assert_eq!(
        found.expect_err("two mistakes"),
        [
            "tsur.toml:2: clickhouse.connect_timeout: 9s does not fit clickhouse.request_timeout = 8s: a request includes its connection (allowed: less than 8s)",
            "tsur.toml:5: batch.max_rows: 300000 does not fit budget.records = 200000: the budget must hold a batch (allowed: at most 200000)",
        ]
    );
}

#[test]
fn a_value_out_of_range_is_not_compared_a_second_time() {
    let found =
        load("[clickhouse]\nconnect_timeout = \"90s\"\nrequest_timeout = \"1h\"\n", &[]).expect_err("two mistakes");
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn what_exactly_once_depends_on_is_not_the_users() {
    let found = load("[kafka.properties]\n\"enable.auto.commit\" = true\n\"fetch.min.bytes\" = 65536\n", &[]);
    assert_eq!(
        found.expect_err("one mistake"),
        [
            "tsur.toml:2: kafka.properties.\"enable.auto.commit\": is set by tsur itself (allowed: any other librdkafka property)"
        ]
    );
    let settings = load("[kafka.properties]\n\"fetch.min.bytes\" = 65536\n", &[]).expect("sound");
    assert_eq!(settings.kafka.properties["fetch.min.bytes"], "65536");
}

#[test]
fn a_key_file_is_read_and_a_missing_one_named() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("k"), "0123456789abcdef0123456789abcdef\n").expect("written");
    let errors = Errors::default();
    let settings = read("t", "[identity]\nkey_file = \"k\"\n", folder.path(), &|_| None, &errors);
    assert_eq!(settings.identity.key.expect("read").expose().len(), 32);
    let found = load("[identity]\nkey_file = \"absent\"\n", &[]).expect_err("one mistake");
    assert!(found[0].starts_with("tsur.toml:2: identity.key_file: cannot read absent:"), "{found:?}");
}
