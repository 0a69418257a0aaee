//! The plain rival: ClickHouse's own Kafka engine reads the same topics into its own journal, aggregate and cases.
//! Owner: the benchmark. Invariants: it does the like of our work as well as SQL can (typed columns, errors kept as
//! rows, phrases looked for in the text, hourly sums, latest state of a case) and nothing that we do not do; it is
//! at-least-once, has no deadlines, no windows by effect and no masking, which the comparison gives it for free.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::engines::Engines;
use crate::workload::{Topics, region};

const DATABASE: &str = "bench_rival";
const PHRASES: usize = 300;
const LIMIT: Duration = Duration::from_secs(240);
/// It loses a few broken records (an empty one is no row to it), so it is done when nothing comes any more.
const STILL: Duration = Duration::from_secs(4);
const ALMOST_ALL: f64 = 0.99;

/// Latency of the like of ours: blocks are flushed after a second at the latest.
const KAFKA_SETTINGS: &str = "kafka_format = 'JSONEachRow', kafka_num_consumers = 1, kafka_handle_error_mode = 'stream', \
     kafka_max_block_size = 65536, kafka_poll_max_batch_size = 65536, kafka_flush_interval_ms = 1000, kafka_thread_per_consumer = 1";

const JOURNAL: &str = "CREATE TABLE journal (
    kafka_topic LowCardinality(String), kafka_partition UInt16, kafka_offset UInt64 CODEC(Delta(8), LZ4),
    kafka_time DateTime64(3) CODEC(Delta(8), LZ4), outcome Enum8('applied' = 1, 'rejected' = 3), source LowCardinality(String),
    event LowCardinality(String), event_at DateTime, case_id String, text String, place String, latitude Float32, longitude Float32,
    status LowCardinality(String), priority LowCardinality(String), law LowCardinality(String), decision LowCardinality(String),
    reaction LowCardinality(String), rating UInt8, review LowCardinality(String), fast_track Bool, source_overdue Bool,
    block LowCardinality(String), topic LowCardinality(String), category LowCardinality(String), territory LowCardinality(String),
    network LowCardinality(String), received_body LowCardinality(String), body LowCardinality(String), author_key UInt64,
    registered_at DateTime, planned_at DateTime, completed_at DateTime, excerpt String
) ENGINE = MergeTree ORDER BY (kafka_topic, kafka_partition, kafka_offset)";

const POS: &str = "`Номер` String, `Источник` LowCardinality(String), `Категория` LowCardinality(String), `Подкатегория` LowCardinality(String),
    `Факт` LowCardinality(String), `Организация, в которую поступило сообщение` LowCardinality(String),
    `Организация, в которой находится сообщение` LowCardinality(String), `Дата поступления` String,
    `Дата планируемого завершения работ` String, `Дата фактического завершения работ` String, `Стадия` LowCardinality(String),
    `Статус` LowCardinality(String), `Просрочено` LowCardinality(String), `Фаст-трек` LowCardinality(String), `ФЗ` LowCardinality(String),
    `Тип решения` LowCardinality(String), `Оценка ответа заявителем` String, `Повторное рассмотрение` LowCardinality(String)";

const INCIDENT: &str = "incident_id String, event LowCardinality(String), at String, network LowCardinality(String), author_id String,
    text String, `group` LowCardinality(String), topic LowCardinality(String), municipality LowCardinality(String), address String,
    lat Float32, lon Float32, priority LowCardinality(String), body LowCardinality(String), answer_text String,
    reaction LowCardinality(String), duplicate_of String";

const HOURS: &str = "CREATE TABLE hours (hour DateTime, source LowCardinality(String), block LowCardinality(String),
    status LowCardinality(String), records UInt64) ENGINE = SummingMergeTree ORDER BY (hour, source, block, status)";
const HOURS_VIEW: &str =
    "CREATE MATERIALIZED VIEW hours_view TO hours AS SELECT toStartOfHour(event_at) AS hour, source, block, status,
    count() AS records FROM journal WHERE outcome = 'applied' GROUP BY hour, source, block, status";

const CASES: &str = "CREATE TABLE cases ENGINE = ReplacingMergeTree(kafka_offset) ORDER BY (source, case_id)
    AS SELECT * EXCEPT (text, excerpt, outcome) FROM journal LIMIT 0";
const CASES_VIEW: &str = "CREATE MATERIALIZED VIEW cases_view TO cases AS SELECT * EXCEPT (text, excerpt, outcome) FROM journal WHERE outcome = 'applied'";

/// What the rival took.
#[derive(Clone, Copy, Default)]
pub struct Rival {
    pub records: u64,
    pub rows: u64,
    /// CPU seconds.
    pub clickhouse: f64,
    pub kafka: f64,
    pub wall: f64,
    pub first_row: f64,
}

impl Rival {
    pub fn add(&mut self, other: Rival) {
        self.records += other.records;
        self.rows += other.rows;
        self.clickhouse += other.clickhouse;
        self.kafka += other.kafka;
        self.wall += other.wall;
        self.first_row = self.first_row.max(other.first_row);
    }
}

pub fn rival(engines: &Engines, topics: &Topics, records: u64, round: usize) -> Result<Rival> {
    engines.run(&format!("DROP DATABASE IF EXISTS {DATABASE} SYNC"))?;
    engines.run(&format!("CREATE DATABASE {DATABASE} ENGINE = Atomic"))?;
    let within = |sql: &str| engines.run(&qualified(sql));
    for sql in [JOURNAL, HOURS, HOURS_VIEW, CASES, CASES_VIEW] {
        within(sql)?;
    }
    let group = format!("bench.rival.{}.{round}", std::process::id());
    for (name, columns, topic) in [("pos", POS, &topics.pos), ("incident", INCIDENT, &topics.incident)] {
        engines.run(&format!(
            "CREATE TABLE {DATABASE}.kafka_{name} ({columns}) ENGINE = Kafka SETTINGS kafka_broker_list = '{}', \
             kafka_topic_list = '{topic}', kafka_group_name = '{group}.{name}', {KAFKA_SETTINGS}",
            engines.kafka
        ))?;
    }
    engines.wait_for_merges()?;

    let (clickhouse, kafka) = (engines.clickhouse_cpu()?, engines.kafka_cpu()?);
    let start = Instant::now();
    for sql in views()? {
        engines.run(&sql)?;
    }
    let count = format!("SELECT count() FROM {DATABASE}.journal");
    let (mut rows, mut first_row, mut last_row) = (0, 0.0, Instant::now());
    loop {
        std::thread::sleep(Duration::from_millis(100));
        let now = engines.number(&count)?;
        if now > rows {
            if rows == 0 {
                first_row = start.elapsed().as_secs_f64();
            }
            (rows, last_row) = (now, Instant::now());
        }
        let enough = rows as f64 >= records as f64 * ALMOST_ALL;
        if enough && last_row.elapsed() >= STILL {
            break;
        }
        ensure!(start.elapsed() < LIMIT, "the Kafka engine has {rows} of {records} rows after {LIMIT:?}");
    }
    let wall = last_row.duration_since(start).as_secs_f64();
    for name in ["pos", "incident"] {
        engines.run(&format!("DROP TABLE {DATABASE}.view_{name} SYNC"))?;
        engines.run(&format!("DROP TABLE {DATABASE}.kafka_{name} SYNC"))?;
    }
    let kafka = engines.kafka_cpu()? - kafka;
    engines.wait_for_merges()?;
    let clickhouse = engines.clickhouse_cpu()? - clickhouse;
    engines.run(&format!("DROP DATABASE {DATABASE} SYNC"))?;
    Ok(Rival { records, rows, clickhouse, kafka, wall, first_row })
}

/// Table names of the statements above stand in our database.
fn qualified(sql: &str) -> String {
    let mut sql = sql.to_owned();
    for word in ["CREATE TABLE ", "CREATE MATERIALIZED VIEW ", " TO ", "FROM "] {
        sql = sql.replace(word, &format!("{word}{DATABASE}."));
    }
    sql
}

/// The two readers. A phrase found in the text gives topic and block.
fn views() -> Result<[String; 2]> {
    let region = region()?;
    let (mut phrases, mut topics, mut blocks) = (Vec::new(), Vec::new(), Vec::new());
    for topic in &region.topics {
        for phrase in topic.aliases.iter().chain([&topic.name]) {
            if phrases.len() < PHRASES {
                let plain: String =
                    phrase.chars().filter(|letter| letter.is_alphanumeric() || *letter == ' ').collect();
                phrases.push(format!("'{plain}'"));
                topics.push(format!("'{}'", topic.code));
                blocks.push(format!("'{}'", topic.block));
            }
        }
    }
    let [phrases, topics, blocks] = [phrases, topics, blocks].map(|list| list.join(","));
    let found = |text: &str| format!("WITH multiMatchAnyIndex({text}, [{phrases}]) AS phrase");
    let theme = format!("[{topics}][phrase] AS topic, [{blocks}][phrase] AS block");
    let place = "_topic AS kafka_topic, toUInt16(_partition) AS kafka_partition, _offset AS kafka_offset, \
         ifNull(_timestamp_ms, toDateTime64(0, 3)) AS kafka_time, if(_error = '', 'applied', 'rejected') AS outcome, \
         substring(_raw_message, 1, 300) AS excerpt";
    let day = |column: &str| format!("parseDateTimeOrZero(`{column}`, '%d.%m.%Y')");
    let words = "concat(`Факт`, ' ', `Подкатегория`, ' ', `Категория`)";
    let pos = format!(
        "CREATE MATERIALIZED VIEW {DATABASE}.view_pos TO {DATABASE}.journal AS {} SELECT {place}, 'pos' AS source, 'updated' AS event, \
         toDateTime(kafka_time) AS event_at, `Номер` AS case_id, `Статус` AS status, `ФЗ` AS law, `Тип решения` AS decision, \
         toUInt8OrZero(`Оценка ответа заявителем`) AS rating, `Повторное рассмотрение` AS review, `Фаст-трек` = 'Да' AS fast_track, \
         `Просрочено` = 'Да' AS source_overdue, {theme}, `Категория` AS category, `Источник` AS network, \
         `Организация, в которую поступило сообщение` AS received_body, `Организация, в которой находится сообщение` AS body, \
         {} AS registered_at, {} AS planned_at, {} AS completed_at FROM {DATABASE}.kafka_pos",
        found(words),
        day("Дата поступления"),
        day("Дата планируемого завершения работ"),
        day("Дата фактического завершения работ")
    );
    let incident = format!(
        "CREATE MATERIALIZED VIEW {DATABASE}.view_incident TO {DATABASE}.journal AS {} SELECT {place}, 'incident' AS source, event, \
         parseDateTimeBestEffortOrZero(at) AS event_at, incident_id AS case_id, event AS status, priority, reaction, {theme}, \
         `group` AS category, municipality AS territory, network, body, if(author_id = '', 0, sipHash64(source, author_id)) AS author_key, \
         text, address AS place, round(lat, 3) AS latitude, round(lon, 3) AS longitude, \
         if(event = 'found', event_at, toDateTime(0)) AS registered_at FROM {DATABASE}.kafka_incident",
        found("text")
    );
    Ok([pos, incident])
}
