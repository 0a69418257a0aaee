//! Labelled texts from a CSV table: UTF-8 or windows-1251, `,`, `;` or tab, a header with the names of the columns.
//! Pure: bytes in, rows out. Invariant: a row without a text or without a label is counted, not guessed.

use encoding_rs::WINDOWS_1251;
use thiserror::Error;

use crate::config::reader::did_you_mean;

#[derive(Debug, Error)]
pub enum TableError {
    #[error("line 1: there is no column {wanted:?}{hint}; there are: {columns}")]
    NoColumn { wanted: String, hint: String, columns: String },
    #[error("is not a CSV table: {0}")]
    Csv(#[from] csv::Error),
}

/// Text and label of each row.
#[derive(Debug)]
pub struct Table {
    pub rows: Vec<(String, String)>,
    /// Rows whose text or label is empty.
    pub empty: usize,
}

pub fn read(bytes: &[u8], text: &str, label: &str) -> Result<Table, TableError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let decoded = match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => WINDOWS_1251.decode_without_bom_handling(bytes).0,
    };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter(&decoded)).flexible(true).from_reader(decoded.as_bytes());
    let header = reader.headers()?.clone();
    let column = |wanted: &str| {
        let found = header.iter().position(|name| name.trim() == wanted);
        found.ok_or_else(|| TableError::NoColumn {
            wanted: wanted.to_owned(),
            hint: did_you_mean(wanted, header.iter()),
            columns: header.iter().collect::<Vec<_>>().join(", "),
        })
    };
    let (text, label) = (column(text)?, column(label)?);
    let mut table = Table { rows: Vec::new(), empty: 0 };
    for record in reader.records() {
        let record = record?;
        let cell = |column: usize| record.get(column).map_or("", str::trim);
        if cell(text).is_empty() || cell(label).is_empty() {
            table.empty += 1;
        } else {
            table.rows.push((cell(text).to_owned(), cell(label).to_owned()));
        }
    }
    Ok(table)
}

/// The one that the header line has most of.
fn delimiter(text: &str) -> u8 {
    let header = text.lines().next().unwrap_or("");
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_both_encodings_and_any_delimiter_are_read() {
        let rows = read("номер;текст;блок\n1;\"Яма; глубокая\";roads\n2;;housing\n".as_bytes(), "текст", "блок")
            .expect("sound");
        assert_eq!((rows.rows, rows.empty), (vec![("Яма; глубокая".to_owned(), "roads".to_owned())], 1));
        let (old, _, _) = WINDOWS_1251.encode("текст,блок\nНет света,energy\n");
        assert_eq!(read(&old, "текст", "блок").expect("sound").rows, [("Нет света".to_owned(), "energy".to_owned())]);
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let error = read(b"text,label\n", "txt", "label").expect_err("no column");
        assert_eq!(
            error.to_string(),
            "line 1: there is no column \"txt\"; did you mean \"text\"?; there are: text, label"
        );
    }
}
