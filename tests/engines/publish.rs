//! `tsur publish` and `tsur generate` as processes against a real Kafka.
//! Needs TSUR_KAFKA (`make engines-up` prints it); without it every test says so and passes.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rdkafka::Message;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tsur::generate::Ledger;
use tsur::kafka::admin::create_topics;

const PARTITIONS: u32 = 4;
const POS: &str = include_str!("../../pipelines/pos.toml");
const INCIDENT: &str = include_str!("../../pipelines/incident.toml");

/// A configuration of its own with fresh topics.
struct Place {
    home: tempfile::TempDir,
    kafka: ClientConfig,
    suffix: String,
}

impl Place {
    fn open(test: &str) -> Option<Place> {
        let Ok(brokers) = std::env::var("TSUR_KAFKA") else {
            eprintln!("skipped {test}: TSUR_KAFKA is not set");
            return None;
        };
        let mut kafka = ClientConfig::new();
        kafka.set("bootstrap.servers", brokers);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let place =
            Place { home: tempfile::tempdir().expect("folder"), kafka, suffix: format!("{test}.{}", now.as_millis()) };
        let pipelines = place.home.path().join("pipelines");
        std::fs::create_dir_all(pipelines.join("reference")).expect("made");
        std::fs::write(place.home.path().join("tsur.toml"), "pipelines_dir = \"pipelines\"\n").expect("written");
        for (name, text) in [("pos", POS), ("incident", INCIDENT)] {
            let text = text.replace(&format!("\"tsur.in.{name}\""), &format!("{:?}", place.topic(name)));
            std::fs::write(pipelines.join(format!("{name}.toml")), text).expect("written");
        }
        for file in std::fs::read_dir("pipelines/reference").expect("there") {
            let file = file.expect("readable");
            if file.path().is_dir() {
                continue; // places and words have no part in reading a file
            }
            std::fs::copy(file.path(), pipelines.join("reference").join(file.file_name())).expect("copied");
        }
        Some(place)
    }

    fn topic(&self, pipeline: &str) -> String {
        format!("test.{pipeline}.{}", self.suffix)
    }

    fn create_topics(&self) {
        let (pos, incident) = (self.topic("pos"), self.topic("incident"));
        let topics = [(pos.as_str(), PARTITIONS), (incident.as_str(), PARTITIONS)];
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        runtime.block_on(create_topics(&self.kafka, &topics, 1, 1 << 20)).expect("created");
    }

    fn tsur(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsur"));
        command.arg("--config").arg(self.home.path()).args(arguments).output().expect("started")
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    /// Every record of a topic as partition, key, payload, timestamp.
    fn read(&self, topic: &str) -> Vec<(i32, String, Vec<u8>, i64)> {
        let mut config = self.kafka.clone();
        config.set("group.id", "test-publish").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create().expect("consumer");
        let mut list = TopicPartitionList::new();
        let mut expected = 0;
        for partition in 0..PARTITIONS as i32 {
            list.add_partition_offset(topic, partition, Offset::Beginning).expect("added");
            let (low, high) = consumer.fetch_watermarks(topic, partition, Duration::from_secs(10)).expect("answered");
            expected += (high - low) as usize;
        }
        consumer.assign(&list).expect("assigned");
        let (mut records, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(30));
        while records.len() < expected && Instant::now() < deadline {
            if let Some(Ok(message)) = consumer.poll(Duration::from_millis(200)) {
                let key = String::from_utf8(message.key().expect("keyed").to_vec()).expect("UTF-8");
                let payload = message.payload().expect("not a tombstone").to_vec();
                records.push((message.partition(), key, payload, message.timestamp().to_millis().expect("timed")));
            }
        }
        assert_eq!(records.len(), expected);
        records
    }
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// The 25 columns of the ПОС export; `number` and `status` differ.
fn pos_row(number: &str, status: &str) -> String {
    let dashes = ["-"; 25];
    let mut cells: Vec<String> = dashes.iter().map(ToString::to_string).collect();
    for (index, column) in tsur::generate::POS_COLUMNS.iter().enumerate() {
        match *column {
            "Номер" => cells[index] = number.to_owned(),
            "Статус" => cells[index] = status.to_owned(),
            "Дата поступления" => cells[index] = "06.01.2026".to_owned(),
            "Факт" => cells[index] = "\"Яма; \"\"глубокая\"\"\"".to_owned(),
            "ФИО исполнителя" => cells[index] = "Образцов Образец Образцович".to_owned(),
            _ => {}
        }
    }
    cells.join(";")
}

#[test]
fn an_export_published_twice_is_in_the_topic_twice_under_the_same_keys() {
    let Some(place) = Place::open("export") else { return };
    let rows: Vec<String> =
        (0..500).map(|number| pos_row(&(300_000_000 + number).to_string(), "На модерации")).collect();
    let header = tsur::generate::POS_COLUMNS.join(";");
    let file = place.file("export.csv", &format!("\u{feff}{header}\r\n{}\r\n", rows.join("\r\n")));

    let (code, _, problem) = said(&place.tsur(&["publish", "pos", &file]));
    assert_eq!(code, 1);
    assert!(problem.contains("does not exist") && problem.contains("tsur migrate --create-topics"), "{problem}");

    place.create_topics();
    for again in [&[][..], &["--again"]] {
        let (code, result, problem) = said(&place.tsur(&[&["publish", "pos", &file], again].concat()));
        assert_eq!(result, format!("published 500 records to topic {}, 0 bad rows\n", place.topic("pos")), "{problem}");
        assert_eq!(code, 0);
    }
    let records = place.read(&place.topic("pos"));
    assert_eq!(records.len(), 1000);
    let mut by_key: HashMap<&str, Vec<(i32, &[u8])>> = HashMap::new();
    for (partition, key, payload, _) in &records {
        by_key.entry(key).or_default().push((*partition, payload));
    }
    assert_eq!(by_key.len(), 500);
    assert!(by_key.values().all(|both| both.len() == 2 && both[0] == both[1]), "same partition, same bytes");
    let payload: serde_json::Value = serde_json::from_slice(&records[0].2).expect("JSON");
    assert_eq!(payload["Факт"], "Яма; \"глубокая\"");
    assert_eq!(payload.as_object().expect("object").len(), 22, "three names of staff stay in the file");
    let used: std::collections::HashSet<i32> = records.iter().map(|record| record.0).collect();
    assert_eq!(used.len(), PARTITIONS as usize);
}

#[test]
fn bad_rows_are_named_with_their_line_and_the_others_are_published() {
    let Some(place) = Place::open("bad") else { return };
    place.create_topics();
    let header = tsur::generate::POS_COLUMNS.join(";");
    let good = |number| pos_row(number, "На модерации");
    let file = place.file("bad.csv", &format!("{header}\n{}\nодна;две\n{}\n{}\n", good("1"), good("-"), good("2")));
    let (code, result, problems) = said(&place.tsur(&["publish", "pos", &file]));
    assert_eq!((code, result), (1, format!("published 2 records to topic {}, 2 bad rows\n", place.topic("pos"))));
    assert!(problems.contains("bad.csv:3: has 2 cells, the header has 25; put cells"), "{problems}");
    assert!(problems.contains("bad.csv:4: has no value in Номер; every row"), "{problems}");

    let (code, result, problems) = said(&place.tsur(&["publish", "pos", &file, "--from-line", "5", "--strict"]));
    assert_eq!((code, result), (0, format!("published 1 records to topic {}, 0 bad rows\n", place.topic("pos"))));
    assert_eq!(problems, "");
    let mut keys: Vec<String> = place.read(&place.topic("pos")).into_iter().map(|record| record.1).collect();
    keys.sort();
    assert_eq!(keys, ["1", "2", "2"]);
}

#[test]
fn a_workbook_is_published_once_goes_on_after_an_interruption_and_reports_row_by_row() {
    use crate::sample_xlsx::{Value, workbook};
    let Some(place) = Place::open("workbook") else { return };
    place.create_topics();
    let header = || tsur::generate::POS_COLUMNS.iter().map(|name| Value::Text(name)).collect::<Vec<_>>();
    let row = |number: f64| {
        let cell = |name: &&str| match *name {
            "Номер" => Value::Number(number),
            "Дата поступления" => Value::Date(46_028.0),
            "Оценка ответа заявителем" => Value::Number(5.0),
            "Статус" => Value::Text("На модерации"),
            "ФИО исполнителя" => Value::Text("Образцов Образец Образцович"),
            _ => Value::Text("-"),
        };
        tsur::generate::POS_COLUMNS.iter().map(cell).collect::<Vec<_>>()
    };
    let first =
        vec![vec![Value::Text("Выгрузка ПОС")], header(), row(1.0), row(2.0), vec![Value::Empty, Value::Text("итого")]];
    let second = vec![header(), row(3.0), row(4.0)];
    let notes = vec![vec![Value::Text("Пояснения")]];
    let sheets = [("Январь", false, first), ("Февраль", false, second), ("Пояснения", false, notes)];
    let path = place.home.path().join("export.xlsx");
    std::fs::write(&path, workbook(&sheets)).expect("written");
    let (file, report) = (path.display().to_string(), place.home.path().join("report.csv").display().to_string());

    let (code, result, problems) = said(&place.tsur(&["publish", "pos", &file, "--limit", "1", "--report", &report]));
    assert_eq!(code, 0, "{problems}");
    assert!(result.contains("[Январь]") || result.contains("repeat the command"), "{result}");
    let (code, result, problems) = said(&place.tsur(&["publish", "pos", &file, "--report", &report]));
    assert_eq!((code, result), (1, format!("published 3 records to topic {}, 1 bad rows\n", place.topic("pos"))));
    assert!(problems.contains("1 rows were published before; going on after them"), "{problems}");
    assert!(problems.contains("export.xlsx[Январь]:5: has no value in Номер"), "{problems}");
    assert!(problems.contains("export.xlsx[Пояснения] is left out"), "{problems}");
    let told = std::fs::read_to_string(&report).expect("there");
    let fates: Vec<String> = told
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(';').collect();
            format!("{}:{} {}", cells[0].rsplit('[').next().unwrap_or_default(), cells[1], cells[2])
        })
        .collect();
    assert_eq!(
        fates,
        [
            "Январь]:4 published",
            "Январь]:5 bad",
            "Февраль]:2 published",
            "Февраль]:3 published",
            "Пояснения]:0 left_out"
        ]
    );
    assert!(!told.contains("Образцов") && !told.contains("итого"), "{told}");

    let (code, result, problems) = said(&place.tsur(&["publish", "pos", &file]));
    assert_eq!((code, result.as_str()), (1, ""), "{problems}");
    assert!(problems.contains("all 5 rows were published before; say --again"), "{problems}");
    let records = place.read(&place.topic("pos"));
    let mut keys: Vec<&str> = records.iter().map(|record| record.1.as_str()).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["1", "2", "3", "4"], "each once");
    let payload: serde_json::Value = serde_json::from_slice(&records[0].2).expect("JSON");
    assert_eq!(payload["Дата поступления"], "06.01.2026");
    assert_eq!(payload["Оценка ответа заявителем"], "5");
    assert!(payload.get("ФИО исполнителя").is_none(), "names of staff stay in the file");
}

#[test]
fn a_publication_that_was_cut_off_is_not_repeated_without_being_told() {
    let Some(place) = Place::open("cut") else { return };
    place.create_topics();
    let rows: Vec<String> = (0..200_000).map(|number| pos_row(&number.to_string(), "На модерации")).collect();
    let file = place.file("export.csv", &format!("{}\n{}\n", tsur::generate::POS_COLUMNS.join(";"), rows.join("\n")));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsur"));
    command.arg("--config").arg(place.home.path()).args(["publish", "pos", &file, "--rate", "8000"]);
    let mut process =
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().expect("started");
    let state = format!("{file}.{}.published.json", place.topic("pos"));
    let deadline = Instant::now() + Duration::from_secs(60);
    let confirmed = |text: &str| {
        let state: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        state["confirmed"].as_u64().unwrap_or_default()
    };
    let is_far = || std::fs::read_to_string(&state).is_ok_and(|text| confirmed(&text) >= 5_000);
    while !is_far() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
    process.kill().expect("kill -9");
    process.wait().expect("ended");
    let certain = confirmed(&std::fs::read_to_string(&state).expect("a state"));
    assert!(certain >= 5_000, "{certain}");
    let (code, _, problems) = said(&place.tsur(&["publish", "pos", &file]));
    assert_eq!(code, 1);
    assert!(
        problems.contains("was cut off") && problems.contains(&format!("{certain} rows are in Kafka for certain")),
        "{problems}"
    );
    let before = place.read(&place.topic("pos")).len() as u64;
    assert!(before >= certain, "{before} of {certain}");

    let (code, result, problems) = said(&place.tsur(&["publish", "pos", &file, "--resume"]));
    assert_eq!(code, 0, "{problems}");
    assert!(result.starts_with(&format!("published {} records", 200_000 - certain)), "{result}");
    let keys: std::collections::HashSet<String> =
        place.read(&place.topic("pos")).into_iter().map(|record| record.1).collect();
    assert_eq!(keys.len(), 200_000, "no row is missing");
}

#[test]
fn a_generated_history_is_in_the_topics_as_its_ledger_says_and_the_same_when_repeated() {
    let Some(place) = Place::open("generated") else { return };
    place.create_topics();
    let ledger = place.home.path().join("ledger.json").display().to_string();
    let mut command =
        vec!["generate", "--records", "5000", "--seed", "3", "--from", "2026-01-01", "--to", "2026-01-31"];
    command.extend(["--fault-share", "0.2", "--publish", "--ledger", &ledger]);
    let (code, result, problem) = said(&place.tsur(&command));
    assert_eq!(code, 0, "{problem}");
    assert!(result.starts_with("published 5000 records in "), "{result}");
    let ledger: Ledger = serde_json::from_str(&std::fs::read_to_string(&ledger).expect("there")).expect("JSON");
    let (pos, incident) = (place.read(&place.topic("pos")), place.read(&place.topic("incident")));
    assert_eq!((pos.len() as u64, incident.len() as u64), (ledger.pos.records, ledger.incident.records));
    let bytes: usize = pos.iter().chain(&incident).map(|record| record.2.len()).sum();
    assert_eq!(bytes as u64, ledger.bytes);
    let january = 1_767_214_800_000..1_767_214_800_000 + 45 * 86_400_000;
    assert!(pos.iter().chain(&incident).all(|record| january.contains(&record.3)), "timestamps of the simulation");
    assert!(incident.iter().all(|record| record.1.starts_with("IM-2026-30")), "{}", incident[0].1);

    let folder = place.home.path().join("files").display().to_string();
    let mut again = command[..11].to_vec();
    again.extend(["--out", &folder]);
    let (code, _, problem) = said(&place.tsur(&again));
    assert_eq!(code, 0, "{problem}");
    let written = std::fs::read_to_string(Path::new(&folder).join("incident.jsonl")).expect("there");
    let published: std::collections::HashSet<&[u8]> = incident.iter().map(|record| record.2.as_slice()).collect();
    assert!(written.lines().all(|line| published.contains(line.as_bytes())), "the same seed gives the same bytes");
}
