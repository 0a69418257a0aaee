//! Tests of the file readers.

use std::io::Cursor;

use super::*;
use crate::config::pipeline::{
    Delimiter, Encoding, FieldMapping, Format, Payload, Shape, TableLayout, TimeFormat, UnknownWord,
};
use crate::model::words::Field;

pub(super) fn pipeline(key: &str) -> Pipeline {
    let case = FieldMapping {
        field: Field::CaseId,
        columns: vec![key.to_owned()],
        value: None,
        format: TimeFormat::default(),
        join: None,
        unknown_words: None,
        decimals: 3,
    };
    Pipeline {
        name: "t".to_owned(),
        source: "t".to_owned(),
        kafka_topic: "in.t".to_owned(),
        partitions: 8,
        stream_epoch: 1,
        format: Format::Json,
        payload: Payload::default(),
        avro: None,
        shape: Shape::Snapshot,
        fields: vec![case],
        required: vec![Field::CaseId],
        empty: vec!["-".to_owned()],
        yes: Vec::new(),
        no: Vec::new(),
        status_map: Vec::new(),
        event_map: Vec::new(),
        law_map: Vec::new(),
        decision_map: Vec::new(),
        reaction_map: Vec::new(),
        priority_map: Vec::new(),
        kind_map: Vec::new(),
        status_of_event: Vec::new(),
        subject_map: Vec::new(),
        unknown_words: UnknownWord::Reject,
        table: None,
    }
}

/// Each row as `line key payload`, or the message.
pub(super) fn rows_of(kind: FileKind, bytes: &[u8], pipeline: &Pipeline, limit: usize) -> Vec<String> {
    let input = Box::new(Cursor::new(bytes.to_vec()));
    let mut reader =
        match TableReader::from_input("f", kind, input, pipeline, Limits { max_record_bytes: limit, sheet: None }) {
            Ok(reader) => reader,
            Err(error) => return vec![error.to_string()],
        };
    let mut row = Row::default();
    let mut rows = Vec::new();
    while let Some(read) = reader.read(&mut row) {
        rows.push(match read {
            Ok(()) => {
                let (key, payload) = (String::from_utf8_lossy(&row.key), String::from_utf8_lossy(&row.payload));
                format!("{} {key} {payload}", row.line)
            }
            Err(error) => error.to_string(),
        });
    }
    rows
}

fn csv(bytes: &[u8]) -> Vec<String> {
    rows_of(FileKind::Csv, bytes, &pipeline("Номер"), 1 << 20)
}

const EXPORT: &str = "Номер;Факт\n1;\"Яма; \"\"глубокая\"\"\nна дороге\"\n2;Снег\n";
const EXPORT_ROWS: [&str; 2] =
    ["2 1 {\"Номер\":\"1\",\"Факт\":\"Яма; \\\"глубокая\\\"\\nна дороге\"}", "4 2 {\"Номер\":\"2\",\"Факт\":\"Снег\"}"];

#[test]
fn a_table_is_read_in_utf8_with_and_without_bom_and_in_windows_1251() {
    assert_eq!(csv(EXPORT.as_bytes()), EXPORT_ROWS);
    assert_eq!(csv(format!("\u{feff}{EXPORT}").as_bytes()), EXPORT_ROWS);
    let (old, _, lost) = encoding_rs::WINDOWS_1251.encode(EXPORT);
    assert!(!lost);
    assert_eq!(csv(&old), EXPORT_ROWS);
    let dos = csv(EXPORT.replace('\n', "\r\n").as_bytes());
    assert_eq!(dos, [EXPORT_ROWS[0].replace("\\n", "\\r\\n").as_str(), EXPORT_ROWS[1]]);
}

#[test]
fn the_delimiter_is_the_one_the_header_has_most_of() {
    assert_eq!(csv("Номер,Факт\n1,а;б\n".as_bytes()), ["2 1 {\"Номер\":\"1\",\"Факт\":\"а;б\"}"]);
    assert_eq!(csv("Номер\tФакт, один\n1\tа\n".as_bytes()), ["2 1 {\"Номер\":\"1\",\"Факт, один\":\"а\"}"]);
    let mut fixed = pipeline("Номер");
    fixed.table = Some(TableLayout {
        delimiter: Delimiter::Comma,
        encoding: Encoding::Utf8,
        key: "Номер".to_owned(),
        drop: Vec::new(),
    });
    let rows = rows_of(FileKind::Csv, "Номер,\"а;б;в\"\n1,x\n".as_bytes(), &fixed, 1000);
    assert_eq!(rows, ["2 1 {\"Номер\":\"1\",\"а;б;в\":\"x\"}"]);
}

#[test]
fn a_bad_row_is_named_and_the_next_ones_are_read() {
    let text = "Номер;Факт\n1;а\n2\n-;б\n;;\n3;в;лишнее\n\n Номер ;Факт\n\r\n4;г;";
    assert_eq!(
        csv(text.as_bytes()),
        [
            "2 1 {\"Номер\":\"1\",\"Факт\":\"а\"}",
            "f:3: has 1 cells, the header has 2; put cells that contain the delimiter or a line end in quotation marks",
            "f:4: has no value in Номер; every row needs the number of its case there",
            "f:6: has 3 cells, the header has 2; put cells that contain the delimiter or a line end in quotation marks",
            "10 4 {\"Номер\":\"4\",\"Факт\":\"г\"}",
        ]
    );
}

#[test]
fn one_broken_letter_spoils_one_row_and_not_the_encoding() {
    let mut bytes = "Номер;Факт\n1;а\n2;".as_bytes().to_vec();
    bytes.extend_from_slice(b"\xff\n3;x\n");
    let rows = csv(&bytes);
    assert_eq!(rows.len(), 3);
    assert!(rows[1].starts_with("f:3: is not UTF-8"), "{rows:#?}");
}

#[test]
fn an_open_quotation_mark_does_not_fill_the_memory() {
    let mut text = "Номер;Факт\n1;а\n2;\"б\n".to_owned();
    text.push_str(&"3;в\n".repeat(1_000_000));
    let rows = rows_of(FileKind::Csv, text.as_bytes(), &pipeline("Номер"), 100_000);
    assert_eq!(rows.len(), 2);
    assert!(rows[1].starts_with("f:3: the row is longer than 100000 bytes"), "{}", rows[1]);
}

#[test]
fn a_table_without_the_column_of_the_case_is_refused_at_once() {
    let rows = csv("Номр;Факт\n1;а\n".as_bytes());
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0].contains("f:1: has no column \"Номер\"; did you mean \"Номр\"?; it has: Номр | Факт"),
        "{}",
        rows[0]
    );
    assert!(csv(b"")[0].starts_with("f:1: is empty"));
    assert!(csv(b"\xff\xfe1\x00")[0].contains("UTF-16"));
}

#[test]
fn json_lines_are_sent_as_they_are() {
    let text = "\u{feff}{\"id\": \"a\", \"x\": 1}\n\n{\"id\":7}\nnot json\n[1]\n{\"id\":\"-\"}\n{\"id\":\"b\"}";
    assert_eq!(
        rows_of(FileKind::JsonLines, text.as_bytes(), &pipeline("id"), 1000),
        [
            "1 a {\"id\": \"a\", \"x\": 1}",
            "3 7 {\"id\":7}",
            "f:4: is not JSON (column 2); each line must be one JSON object in UTF-8",
            "f:5: is not an object; each line must be one JSON object",
            "f:6: has no value in id; every row needs the number of its case there",
            "7 b {\"id\":\"b\"}",
        ]
    );
    let nested = rows_of(FileKind::JsonLines, b"{\"case\":{\"id\":5}}\n", &pipeline("case.id"), 1000);
    assert_eq!(nested, ["1 5 {\"case\":{\"id\":5}}"]);
}

#[test]
fn a_line_that_is_too_long_is_skipped() {
    let text = format!("{{\"id\":1}}\n{{\"id\":2,\"x\":\"{}\"}}\n{{\"id\":3}}\n", "y".repeat(200_000));
    let rows = rows_of(FileKind::JsonLines, text.as_bytes(), &pipeline("id"), 100);
    assert_eq!(rows.len(), 3);
    assert_eq!((rows[0].as_str(), rows[2].as_str()), ("1 1 {\"id\":1}", "3 3 {\"id\":3}"));
    assert!(rows[1].starts_with("f:2: the line is longer than 100 bytes"));
}

#[test]
fn columns_that_nobody_reads_are_left_out_of_tables_and_of_json() {
    let mut dropping = pipeline("id");
    dropping.table = Some(TableLayout {
        delimiter: Delimiter::Auto,
        encoding: Encoding::Auto,
        key: "id".to_owned(),
        drop: vec!["ФИО".to_owned(), "who.name".to_owned()],
    });
    let table = rows_of(FileKind::Csv, "ФИО;id;x\nИванов;1;а\n".as_bytes(), &dropping, 1000);
    assert_eq!(table, ["2 1 {\"id\":\"1\",\"x\":\"а\"}"]);
    let lines = "{\"id\":1, \"ФИО\":\"Иванов\",\"who\":{\"name\":\"И\",\"age\":5}}\n{\"id\": 2}\n";
    let lines = rows_of(FileKind::JsonLines, lines.as_bytes(), &dropping, 1000);
    assert_eq!(lines, ["1 1 {\"id\":1,\"who\":{\"age\":5}}", "2 2 {\"id\": 2}"]);
}

/// A pipeline as the export of a registry has it: a number, a date, a mark.
fn export() -> Pipeline {
    let mut export = pipeline("Номер");
    for (field, column, format) in [
        (Field::RegisteredAt, "Дата поступления", TimeFormat::DayMonthYear),
        (Field::EventAt, "Время", TimeFormat::Iso8601),
        (Field::Rating, "Оценка", TimeFormat::default()),
        (Field::Topic, "Факт", TimeFormat::default()),
    ] {
        let columns = vec![column.to_owned()];
        export.fields.push(FieldMapping { field, columns, format, ..export.fields[0].clone() });
    }
    export
}

#[test]
fn titles_above_the_header_are_passed_over_and_a_report_without_one_is_refused() {
    let text = "Выгрузка сообщений, Номер 5\nза период, с 01.01.2026\n\nНомер;Факт\n1;а\n";
    assert_eq!(csv(text.as_bytes()), ["5 1 {\"Номер\":\"1\",\"Факт\":\"а\"}"]);
    let (old, _, _) = encoding_rs::WINDOWS_1251.encode(text);
    assert_eq!(csv(&old), ["5 1 {\"Номер\":\"1\",\"Факт\":\"а\"}"]);
    let endless = format!("{}Номер;Факт\n1;а\n", "заголовок;\n".repeat(60));
    let refused = csv(endless.as_bytes());
    assert!(refused.len() == 1 && refused[0].contains("has no column \"Номер\""), "{refused:?}");
}

#[test]
fn a_repeated_name_is_left_out_where_nobody_reads_it_and_must_agree_where_somebody_does() {
    assert_eq!(csv("Номер;а;а\n1;x;y\n".as_bytes()), ["2 1 {\"Номер\":\"1\",\"а\":\"x\"}"]);
    let text = "Номер;Факт;Номер\n1;а;1\n2;б;3\n4;в;4.0\n";
    assert_eq!(
        csv(text.as_bytes()),
        [
            "2 1 {\"Номер\":\"1\",\"Факт\":\"а\"}",
            "f:3: has two values under \"Номер\"; the header has this name twice; rename the column that is not meant",
            "4 4 {\"Номер\":\"4\",\"Факт\":\"в\"}",
        ]
    );
    assert_eq!(
        csv("Номер;;Факт\n1;x;а\n".as_bytes()),
        ["2 1 {\"Номер\":\"1\",\"Факт\":\"а\"}"],
        "nobody reads a column without a name"
    );
}

#[test]
fn numbers_and_dates_that_a_spreadsheet_made_of_texts_are_what_the_pipeline_reads() {
    let text = "Номер;Дата поступления;Оценка;Факт\n327441806.0;46028;5.0;5.0\n7;06.01.2026;-;-\n";
    assert_eq!(
        rows_of(FileKind::Csv, text.as_bytes(), &export(), 1000),
        [
            "2 327441806 {\"Номер\":\"327441806\",\"Дата поступления\":\"06.01.2026\",\"Оценка\":\"5\",\"Факт\":\"5.0\"}",
            "3 7 {\"Номер\":\"7\",\"Дата поступления\":\"06.01.2026\",\"Оценка\":\"-\",\"Факт\":\"-\"}",
        ]
    );
}

fn example() -> Vec<u8> {
    use sample_xlsx::Value::{Date, Empty, Number, Text};
    let notes = vec![vec![Text("Пояснения")], vec![Text("кто составил")]];
    let january = vec![
        vec![Text("Выгрузка за январь")],
        vec![],
        vec![Text("Номер"), Text("Дата  поступления"), Text("Время"), Text("Оценка"), Text("Факт"), Empty],
        vec![Number(327_441_806.0), Date(46_028.0), Date(46_028.5), Number(5.0), Text("Яма <глубокая> & \"большая\"")],
        vec![],
        vec![Text("327441807"), Number(46_029.0), Empty, Text("4.0"), Number(2.5)],
        vec![Empty, Text("итого"), Empty, Number(9.0)],
        vec![Text("Номер"), Text("Дата поступления"), Text("Время"), Text("Оценка"), Text("Факт")],
    ];
    let february = vec![vec![Text("Факт"), Text("Номер")], vec![Text("Снег"), Number(8.0)]];
    let hidden = vec![vec![Text("Номер")], vec![Number(99.0)]];
    sample_xlsx::workbook(&[
        ("О файле", false, notes),
        ("Январь", false, january),
        ("Скрытый", true, hidden),
        ("Февраль", false, february),
    ])
}

#[test]
fn the_sheets_of_a_workbook_are_read_in_order_with_their_titles_dates_and_numbers() {
    let rows = rows_of(FileKind::Xlsx, &example(), &export(), 1000);
    assert_eq!(
        rows,
        [
            "4 327441806 {\"Номер\":\"327441806\",\"Дата поступления\":\"06.01.2026\",\"Время\":\"2026-01-06T12:00:00+03:00\",\
             \"Оценка\":\"5\",\"Факт\":\"Яма <глубокая> & \\\"большая\\\"\"}",
            "6 327441807 {\"Номер\":\"327441807\",\"Дата поступления\":\"07.01.2026\",\"Время\":\"\",\"Оценка\":\"4\",\"Факт\":\"2.5\"}",
            "f[Январь]:7: has no value in Номер; every row needs the number of its case there",
            "2 8 {\"Факт\":\"Снег\",\"Номер\":\"8\"}",
        ]
    );
    let input = || Box::new(Cursor::new(example()));
    let open = |sheet| {
        TableReader::from_input("f", FileKind::Xlsx, input(), &export(), Limits { max_record_bytes: 1000, sheet })
    };
    let mut february = open(Some("Февраль")).expect("there");
    let mut row = Row::default();
    assert_eq!((february.read(&mut row), row.key.as_slice(), february.name()), (Some(Ok(())), &b"8"[..], "f[Февраль]"));
    assert_eq!(february.read(&mut row), None);
    let refused = open(Some("Март")).err().expect("refused").to_string();
    assert!(refused.contains("has no sheet \"Март\""), "{refused}");
    let mut all = open(None).expect("there");
    while all.read(&mut row).is_some() {}
    assert_eq!(all.left_out(), ["f[О файле]"]);
}

#[test]
fn a_workbook_that_is_none_or_has_no_column_of_the_case_is_refused_at_once() {
    let rows = |bytes: &[u8]| rows_of(FileKind::Xlsx, bytes, &export(), 1000).join("\n");
    assert!(rows(b"not a workbook").contains("is no sound XLSX file"), "{}", rows(b"not a workbook"));
    assert!(rows(b"\xd0\xcf\x11\xe0 old").contains("is an old .xls file"));
    let mut cut = example();
    cut.truncate(cut.len() / 2);
    assert!(rows(&cut).contains("is no sound XLSX file"));
    let other = sample_xlsx::workbook(&[("Лист1", false, vec![vec![sample_xlsx::Value::Text("Номр")]])]);
    assert!(rows(&other).contains("f[Лист1]:1: has no column \"Номер\"; did you mean \"Номр\"?"), "{}", rows(&other));
}
