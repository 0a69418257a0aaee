//! Files that nobody should publish: each row is read or refused by its line, the reader ends, and never panics.
//! PROPTEST_CASES raises the number of cases.

use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::{pipeline, rows_of};
use super::*;

const LIMIT: usize = 4096;

/// Every outcome is a row of one JSON object under a key, or a message with file and line; the reader comes to its end.
fn each_row_is_read_or_refused(kind: FileKind, bytes: &[u8]) {
    let input = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let pipeline = pipeline("id");
    let mut reader =
        match TableReader::from_input("f", kind, input, &pipeline, Limits { max_record_bytes: LIMIT, sheet: None }) {
            Ok(reader) => reader,
            Err(problem) => {
                assert!(problem.to_string().starts_with("f:"), "{problem}");
                return;
            }
        };
    let mut row = Row::default();
    let mut outcomes = 0;
    while let Some(read) = reader.read(&mut row) {
        match read {
            Ok(()) => {
                let value: serde_json::Value = serde_json::from_slice(&row.payload).expect("a row is JSON");
                assert!(value.is_object() && !row.key.is_empty() && row.payload.len() <= LIMIT + 2);
            }
            Err(problem) => assert!(!problem.problem.is_empty() && !problem.remedy.is_empty()),
        }
        outcomes += 1;
        assert!(outcomes <= bytes.len() + 2, "the reader does not end");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_rows_or_messages(bytes in vec(any::<u8>(), 0..600), with_header in any::<bool>()) {
        let bytes = if with_header { [b"id;text\n".as_slice(), &bytes].concat() } else { bytes };
        each_row_is_read_or_refused(FileKind::Csv, &bytes);
        each_row_is_read_or_refused(FileKind::JsonLines, &bytes);
        each_row_is_read_or_refused(FileKind::Xlsx, &bytes);
    }

    #[test]
    fn tables_made_of_what_tables_are_made_of_are_rows_or_messages(
        body in "(id|text|[;,\t\"\r\n]|\"\"|\\PC|[0-9]{1,3}|\u{feff}){0,200}",
        header in "(id|text|\"id\"|id;id|;id)([;,\t][a-zа-я]{0,3}){0,3}\r?\n",
    ) {
        each_row_is_read_or_refused(FileKind::Csv, format!("{header}{body}").as_bytes());
    }

    #[test]
    fn lines_made_of_what_json_is_made_of_are_rows_or_messages(
        body in "(\\{\"id\":\"?[0-9]{0,3}\"?|[{}\\[\\]:,\"\n]|null|true|1e999|-0|\"id\":|\\\\ud800|\\\\u0000|\\PC){0,120}",
    ) {
        each_row_is_read_or_refused(FileKind::JsonLines, body.as_bytes());
    }
}

#[test]
fn nests_and_rows_without_an_end_are_refused_by_their_line_and_the_next_line_is_read() {
    let deep = "[".repeat(3000);
    let long = "x".repeat(3 * LIMIT);
    let lines = format!("{{\"id\":{deep}\n{{\"id\":\"{long}\"}}\n{{\"id\":\"7\"}}\n");
    let rows = rows_of(FileKind::JsonLines, lines.as_bytes(), &pipeline("id"), LIMIT);
    assert!(rows[0].starts_with("f:1: is not JSON") && rows[1].starts_with("f:2: the line is longer"), "{rows:?}");
    assert_eq!(rows[2], "3 7 {\"id\":\"7\"}");
}
