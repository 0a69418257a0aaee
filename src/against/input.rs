//! The records of a file as a producer would send them: tables as `tsur publish` reads them, JSON lines and arrays, Avro
//! container files, or one record as it is. Owner: `against`.
//! Invariant: what cannot be read becomes a line of the report, and the rest of the file is read where that is possible.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use apache_avro::schema::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;

use crate::codec::{avro_schema, items};
use crate::config::pipeline::{AvroLayout, Format, Framing, Payload, Pipeline, SchemaFile};
use crate::publish::{FileKind, Limits, Row, TableReader};

#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum InputKind {
    /// A table with a header
    Csv,
    /// A workbook; the sheets that have the column of the case
    Xlsx,
    /// A record a line
    Jsonl,
    /// An array of records, or one record
    Json,
    /// An Avro container file
    Avro,
    /// The whole file is one record, byte for byte
    Raw,
}

impl InputKind {
    /// By the ending of the name; a file of another ending is one record.
    fn of(path: &Path) -> InputKind {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
        match (FileKind::of(path), ending.as_str()) {
            (Some(FileKind::Csv), _) => InputKind::Csv,
            (Some(FileKind::Xlsx), _) => InputKind::Xlsx,
            (Some(FileKind::JsonLines), _) => InputKind::Jsonl,
            (None, "json") => InputKind::Json,
            (None, "avro") => InputKind::Avro,
            (None, _) => InputKind::Raw,
        }
    }
}

/// An open file.
pub enum Input {
    Table(Box<TableReader>, Row),
    Lines { input: BufReader<File>, line: u64 },
    Whole { bytes: Vec<u8>, items: std::vec::IntoIter<Range<usize>>, place: u64, is_raw: bool },
    Container { values: Vec<Result<Vec<u8>, String>>, schema: String, next: usize },
}

/// The place in the file, and the record or why there is none.
pub type Read = Option<(u64, Result<Vec<u8>, String>)>;

impl Input {
    pub fn open(path: &Path, kind: Option<InputKind>, pipeline: &Pipeline, longest: usize) -> anyhow::Result<Input> {
        let name = path.display();
        let bytes = || std::fs::read(path).with_context(|| format!("{name} cannot be read"));
        match kind.unwrap_or_else(|| InputKind::of(path)) {
            kind @ (InputKind::Csv | InputKind::Xlsx) => {
                let kind = if kind == InputKind::Csv { FileKind::Csv } else { FileKind::Xlsx };
                let limits = Limits { max_record_bytes: longest, sheet: None };
                let reader = TableReader::open(path, Some(kind), pipeline, limits)?;
                Ok(Input::Table(Box::new(reader), Row::default()))
            }
            InputKind::Jsonl => {
                let file = File::open(path).with_context(|| format!("{name} cannot be opened"))?;
                Ok(Input::Lines { input: BufReader::new(file), line: 0 })
            }
            InputKind::Json => {
                let (bytes, mut found) = (bytes()?, Vec::new());
                items::of_array(&bytes, usize::MAX, &mut found).with_context(|| format!("{name} is no JSON"))?;
                Ok(Input::Whole { bytes, items: found.into_iter(), place: 0, is_raw: false })
            }
            InputKind::Raw => {
                let bytes = bytes()?;
                let whole = std::iter::once(0..bytes.len()).collect::<Vec<_>>();
                Ok(Input::Whole { bytes, items: whole.into_iter(), place: 0, is_raw: true })
            }
            InputKind::Avro => container(&bytes()?).with_context(|| format!("{name} is no Avro container file")),
        }
    }

    /// The pipeline as these records need it: a text is JSON and a container names its schema, whatever is in Kafka.
    pub fn pipeline(&self, pipeline: &Pipeline) -> anyhow::Result<Pipeline> {
        let mut pipeline = pipeline.clone();
        match self {
            Input::Whole { is_raw: true, .. } => {}
            Input::Container { schema, .. } => {
                avro_schema::parse(schema).map_err(|problem| anyhow!("the schema of the file: {problem}"))?;
                let contract = pipeline.avro.take().and_then(|layout| layout.contract);
                let writers = vec![SchemaFile { path: String::new(), text: schema.clone() }];
                pipeline.format = Format::Avro;
                pipeline.avro = Some(AvroLayout { framing: Framing::Plain, contract, writers });
                pipeline.payload =
                    Payload { compression: crate::config::pipeline::Compression::None, ..Payload::default() };
            }
            Input::Table(..) | Input::Lines { .. } | Input::Whole { .. } => {
                pipeline.format = Format::Json;
                pipeline.avro = None;
            }
        }
        Ok(pipeline)
    }

    /// The next record; `Err` when the file cannot be read further.
    pub fn read(&mut self) -> anyhow::Result<Read> {
        match self {
            Input::Table(reader, row) => Ok(reader.read(row).map(|read| match read {
                Ok(()) => (row.line, Ok(row.payload.clone())),
                Err(error) => (error.line, Err(format!("{}; {}", error.problem, error.remedy))),
            })),
            Input::Lines { input, line } => loop {
                let mut text = Vec::new();
                if input.read_until(b'\n', &mut text)? == 0 {
                    return Ok(None);
                }
                *line += 1;
                if !text.trim_ascii().is_empty() {
                    return Ok(Some((*line, Ok(text.trim_ascii_end().to_vec()))));
                }
            },
            Input::Whole { bytes, items, place, .. } => Ok(items.next().map(|item| {
                *place += 1;
                (*place, Ok(bytes[item].to_vec()))
            })),
            Input::Container { values, next, .. } => {
                *next += 1;
                let value = values.get_mut(*next - 1);
                Ok(value.map(|value| (*next as u64, std::mem::replace(value, Err(String::new())))))
            }
        }
    }
}

/// Each value of the file as the bytes of a bare record.
fn container(bytes: &[u8]) -> anyhow::Result<Input> {
    let reader = apache_avro::Reader::new(bytes)?;
    let schema: Schema = reader.writer_schema().clone();
    if !matches!(schema, Schema::Record(_)) {
        bail!("its schema is no record");
    }
    let writer = GenericDatumWriter::builder(&schema).build()?;
    let encode = |value: Result<Value, apache_avro::Error>| match value {
        Ok(value) => writer.write_value_to_vec(value).map_err(|_| "does not fit its own schema".to_owned()),
        Err(_) => Err("the file is broken from here on".to_owned()),
    };
    let values = reader.map(encode).collect();
    // the text that the file itself carries has what the parsed schema may lose: the names of columns
    let schema = header_schema(bytes).unwrap_or_else(|| serde_json::to_string(&schema).unwrap_or_default());
    Ok(Input::Container { values, schema, next: 0 })
}

/// The value of `avro.schema` in the header: a map of texts and bytes after the four bytes of magic.
fn header_schema(bytes: &[u8]) -> Option<String> {
    const KEY: &[u8] = b"avro.schema";
    let at = memchr::memmem::find(bytes, KEY)? + KEY.len();
    let (mut length, mut shift, mut rest) = (0u64, 0, bytes.get(at..)?);
    loop {
        let (byte, after) = rest.split_first()?;
        length |= u64::from(byte & 0x7F).checked_shl(shift)?;
        rest = after;
        if byte & 0x80 == 0 {
            break;
        }
        shift += 7;
    }
    let text = rest.get(..usize::try_from(length >> 1).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}
