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
