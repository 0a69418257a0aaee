use apache_avro::types::Value as Avro;

use super::*;

fn config() -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound")
}

fn now() -> Time {
    Time::from_unix_seconds(1_768_500_000).expect("in range") // 2026-01-15T18:00:00Z
}

fn check(pipeline: &str, name: &str, content: &[u8]) -> (Vec<Line>, Summary) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("a file");
    let (config, mut lines) = (config(), Vec::new());
    let told = |line: &Line| {
        lines.push(line.clone());
        Ok(())
    };
    let summary = run(&config, config.pipeline(pipeline).expect("shipped"), &file, None, now(), told).expect("read");
    (lines, summary)
}

const MESSAGES: &str = r#"{"incident_id":"IM-1","event":"found","at":"2026-01-12T10:00:00+03:00","municipality":"г. Рязань","topic":"Ямы и выбоины","text":"Яма, звоните 8 910 123-45-67, почта ivan@example.org","author_name":"Иванов"}
{"incident_id":"IM-1","event":"found","at":"2026-01-12T10:00:00+03:00","municipality":"г. Рязань","topic":"Ямы и выбоины","text":"Яма, звоните 8 910 123-45-67, почта ivan@example.org"}
{"incident_id":"IM-2","event":"found","at":"2026-01-15T20:00:00+03:00","text":"Снег"}

{"incident_id":"IM-1","event":"answered","at":"2026-01-12T11:00:00+03:00"}
{"incident_id":"IM-3","event":"found","at":"32.13.2026"}
{"incident_id":"IM-4","event":"пропал 8 910 123-45-67","at":"2026-01-12T10:00:00+03:00"}
{"incident_id":
"#;

#[test]
fn each_line_of_a_file_is_told_what_would_become_of_it() {
    let (lines, summary) = check("incident", "messages.jsonl", MESSAGES.as_bytes());
    assert_eq!(summary, Summary { applied: 3, duplicate: 1, ignored: 0, rejected: 3, late: 1 });
    let outcomes: Vec<(u64, &str, &str)> = lines.iter().map(|line| (line.record, line.outcome, line.reason)).collect();
    assert_eq!(
        outcomes[..4],
        [(1, "applied", ""), (2, "duplicate", "same_content"), (3, "applied", ""), (5, "applied", "")]
    );
    assert_eq!(
        outcomes[4..],
        [(6, "rejected", "bad_time"), (7, "rejected", "unknown_word"), (8, "rejected", "invalid_json")]
    );

    let first = &lines[0];
    assert_eq!((first.case.as_str(), first.event), ("IM-1", Some("registered")));
    let state = first.state.as_ref().expect("a case");
    assert_eq!((state.status, state.block.as_str(), state.topic.as_str()), ("new", "roads", "roads.pits"));
    assert_eq!(state.territory, "ryazan");
    assert_eq!(state.registered_at.as_deref(), Some("2026-01-12T10:00:00+03:00"));
    assert!(!state.policy.is_empty() && state.due_first.is_some(), "{state:?}");
    assert_eq!(serde_json::to_value(first.masked).expect("JSON"), serde_json::json!({"phone": 1, "email": 1}));

    assert_eq!(lines[3].late_for, ["minute"], "three days behind the newest record of the file");
    assert_eq!(lines[3].state.as_ref().expect("a case").status, "answered");
    assert_eq!((lines[4].field.as_str(), lines[4].value.as_str()), ("at", "32.13.2026"));
    assert_eq!((lines[5].field.as_str(), lines[5].value.as_str()), ("event", "пропал ‹телефон›"));
}

#[test]
fn nothing_personal_is_told_in_either_form() {
    let (lines, _) = check("incident", "messages.jsonl", MESSAGES.as_bytes());
    for line in lines {
        let told = format!("{line}\n{}", serde_json::to_string(&line).expect("JSON"));
        for secret in ["123-45-67", "ivan@", "Иванов"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
}

#[test]
fn a_line_in_words_names_reason_column_and_value() {
    let (lines, summary) = check("incident", "messages.jsonl", MESSAGES.as_bytes());
    assert_eq!(lines[4].to_string(), "6: rejected, bad_time in «at»: 32.13.2026");
    assert!(lines[0].to_string().contains("\n    masked: phone 1, email 1"), "{}", lines[0]);
    assert_eq!(summary.to_string(), "3 applied (1 of them late), 1 duplicate, 0 ignored, 3 rejected");
}

#[test]
fn a_table_is_read_as_publish_reads_it() {
    let header = "Номер;Дата поступления;Статус;Факт;Организация, в которой находится сообщение";
    let rows = "1;12.01.2026;На модерации;Ямы и выбоины;Школа № 7\n1;12.01.2026;На модерации;Ямы и выбоины;Школа № 7\n\
                2;12.01.2026;Потерян;;\n3;12.01.2026\n";
    let text = format!("{header}\n{rows}");
    let old = encoding_rs::WINDOWS_1251.encode(&text).0;
    for content in [text.as_bytes(), &old] {
        let (lines, summary) = check("pos", "export.csv", content);
        assert_eq!(summary, Summary { applied: 1, duplicate: 1, ignored: 0, rejected: 2, late: 0 }, "{lines:#?}");
        assert_eq!((lines[2].record, lines[2].field.as_str(), lines[2].value.as_str()), (4, "Статус", "Потерян"));
        assert_eq!((lines[3].record, lines[3].reason), (5, "not_a_record"));
    }
}

#[test]
fn an_array_and_a_single_record_are_read_too() {
    let one = r#"{"incident_id":"IM-1","event":"found","at":"2026-01-12T10:00:00+03:00"}"#;
    let (lines, _) = check("incident", "page.json", format!("[{one},{one},7]").as_bytes());
    let outcomes: Vec<(u64, &str)> = lines.iter().map(|line| (line.record, line.outcome)).collect();
    assert_eq!(outcomes, [(1, "applied"), (2, "duplicate"), (3, "rejected")]);
    let (lines, _) = check("incident", "record.bin", one.as_bytes());
    assert_eq!((lines.len(), lines[0].outcome), (1, "applied"));
}

#[test]
fn a_container_file_written_by_the_contract_is_read_by_it() {
    let contract = include_str!("../../schemas/avro/pos.avsc");
    let schema = apache_avro::Schema::parse_str(contract).expect("sound");
    let mut row = apache_avro::types::Record::new(&schema).expect("a record");
    row.put("case_id", "100");
    row.put("registered_at", Avro::Date(20_465)); // 2026-01-12
    row.put("status", "Назначен исполнитель");
    row.put("source_overdue", Some(true));
    row.put("topic", Some("Ямы и выбоины"));
    let mut writer = apache_avro::Writer::new(&schema, Vec::new()).expect("a writer");
    writer.append_value(row.clone()).expect("fits");
    row.put("status", "Потерян");
    writer.append_value(row).expect("fits");
    let (lines, summary) = check("pos", "rows.avro", &writer.into_inner().expect("in memory"));
    assert_eq!((summary.applied, summary.rejected), (1, 1), "{lines:#?}");
    let state = lines[0].state.as_ref().expect("a case");
    assert_eq!((lines[0].case.as_str(), state.status, state.topic.as_str()), ("100", "in_work", "roads.pits"));
    assert_eq!(state.registered_at.as_deref(), Some("2026-01-12T00:00:00+03:00"));
    assert_eq!((lines[1].field.as_str(), lines[1].value.as_str()), ("Статус", "Потерян"));
}

/// Good, repeated, late, broken and personal records, as a table.
const TABLE: [[&str; 7]; 8] = [
    ["incident_id", "event", "at", "municipality", "topic", "text", "author_name"],
    [
        "IM-1",
        "found",
        "2026-01-12T10:00:00+03:00",
        "г. Рязань",
        "Ямы и выбоины",
        "Яма, звоните 8 910 123-45-67, почта ivan@example.org",
        "Иванов И. И.",
    ],
    [
        "IM-1",
        "found",
        "2026-01-12T10:00:00+03:00",
        "г. Рязань",
        "Ямы и выбоины",
        "Яма, звоните 8 910 123-45-67, почта ivan@example.org",
        "Иванов И. И.",
    ],
    ["IM-2", "found", "2026-01-15T20:00:00+03:00", "", "", "Снег", "-"],
    ["IM-1", "answered", "2026-01-12T11:00:00+03:00", "", "", "", "-"],
    ["IM-3", "found", "32.13.2026", "", "", "", "-"],
    ["IM-4", "пропал 8 910 123-45-67", "2026-01-12T10:00:00+03:00", "", "", "", "-"],
    ["", "found", "2026-01-12T10:00:00+03:00", "", "", "Без номера", "Петров П. П."],
];

fn as_csv() -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().delimiter(b';').from_writer(Vec::new());
    TABLE.iter().for_each(|row| writer.write_record(row).expect("written"));
    writer.into_inner().expect("in memory")
}

/// The times that are some are serials, as a spreadsheet program makes them.
fn as_workbook() -> Vec<u8> {
    use crate::publish::sample_xlsx::{Value, workbook};
    let cell = |text: &&'static str| match *text {
        "2026-01-12T10:00:00+03:00" => Value::Date(46_034.0 + 10.0 / 24.0),
        "2026-01-12T11:00:00+03:00" => Value::Date(46_034.0 + 11.0 / 24.0),
        "2026-01-15T20:00:00+03:00" => Value::Date(46_037.0 + 20.0 / 24.0),
        "" => Value::Empty,
        text => Value::Text(text),
    };
    let mut rows = vec![vec![Value::Text("Сообщения за неделю")]];
    rows.extend(TABLE.iter().map(|row| row.iter().map(cell).collect()));
    workbook(&[("Лист1", false, rows)])
}

#[test]
fn each_row_of_a_table_and_of_a_workbook_is_told_what_would_become_of_it() {
    for (name, content, first_row) in [("messages.csv", as_csv(), 2), ("messages.xlsx", as_workbook(), 3)] {
        let (lines, summary) = check("incident", name, &content);
        assert_eq!(
            summary,
            Summary { applied: 3, duplicate: 1, ignored: 0, rejected: 3, late: 1 },
            "{name}: {lines:#?}"
        );
        let told: Vec<(u64, &str, &str, &str)> = lines
            .iter()
            .map(|line| (line.record - first_row, line.outcome, line.reason, line.field.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (0, "applied", "", ""),
                (1, "duplicate", "same_content", ""),
                (2, "applied", "", ""),
                (3, "applied", "", ""),
                (4, "rejected", "bad_time", "at"),
                (5, "rejected", "unknown_word", "event"),
                (6, "rejected", "not_a_record", ""),
            ],
            "{name}"
        );
        assert_eq!(lines[3].late_for, ["minute"], "{name}");
        let json: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::to_value(line).expect("JSON")).collect();
        let state = &json[0]["state"];
        assert_eq!((&state["topic"], &state["territory"]), (&"roads.pits".into(), &"ryazan".into()), "{name}");
        assert_eq!(state["registered_at"], "2026-01-12T10:00:00+03:00", "{name}");
        assert!(state["policy"].as_str().is_some_and(|policy| !policy.is_empty()), "{name}");
        assert_eq!((&json[0]["masked"]["phone"], &json[0]["masked"]["email"]), (&1.into(), &1.into()), "{name}");
        assert_eq!(json[5]["value"], "пропал ‹телефон›", "{name}");
        for line in &json {
            let text = line.to_string();
            assert!(["123-45-67", "ivan@", "Иванов", "Петров"].iter().all(|secret| !text.contains(secret)), "{text}");
        }
    }
}
