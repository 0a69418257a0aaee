//! One source in the words of its file `pipelines/NAME.toml`: where its records come from, which column is which
//! canonical field, which of its words means what. Owner: `config`; mapping and publishing read it.
//! Invariants (checked by `pipeline_read.rs`): every field is mapped at most once, what the shape needs is mapped, every
//! target is a canonical word, and no two spellings of one source word mean different things.

use crate::model::words::{Decision, EventKind, Field, Law, MessageKind, Priority, Reaction, Status, Subject};

#[derive(Clone, PartialEq, Debug)]
pub struct Pipeline {
    /// The name of the file without `.toml`.
    pub name: String,
    /// Code of the upstream system; part of every case key.
    pub source: String,
    pub kafka_topic: String,
    /// Used when the Kafka topic is created; pinned in `streams` afterwards.
    pub partitions: u32,
    /// Raised by hand when the Kafka topic was recreated.
    pub stream_epoch: u32,
    pub format: Format,
    /// What a record is wrapped in.
    pub payload: Payload,
    /// How Avro records are read; `None` for JSON.
    pub avro: Option<AvroLayout>,
    pub shape: Shape,
    /// In the order of the file.
    pub fields: Vec<FieldMapping>,
    /// A record without one of these is rejected. Always holds what the shape needs (see `Shape`).
    pub required: Vec<Field>,
    /// Values that mean "nothing" (the empty string always does).
    pub empty: Vec<String>,
    pub yes: Vec<String>,
    pub no: Vec<String>,
    /// Source word → canonical word. A map the file does not have accepts the canonical words themselves.
    pub status_map: Vec<(String, Status)>,
    pub event_map: Vec<(String, EventKind)>,
    /// Of records of votes: what a source word is about.
    pub subject_map: Vec<(String, Subject)>,
    pub law_map: Vec<(String, Law)>,
    pub decision_map: Vec<(String, Decision)>,
    pub reaction_map: Vec<(String, Reaction)>,
    pub priority_map: Vec<(String, Priority)>,
    pub kind_map: Vec<(String, MessageKind)>,
    /// Source *event* word → the status it moves the case to, where the event's own default is not meant
    /// (a `status_changed` needs one, unless the `status` field is mapped).
    pub status_of_event: Vec<(String, Status)>,
    pub unknown_words: UnknownWord,
    /// How files of this source look; for `tsur publish`.
    pub table: Option<TableLayout>,
}

impl Pipeline {
    pub fn field(&self, field: Field) -> Option<&FieldMapping> {
        self.fields.iter().find(|mapping| mapping.field == field)
    }

    /// A plain JSON object is a record of this pipeline, so `tsur publish` and `tsur generate` can send one.
    pub fn takes_plain_json(&self) -> bool {
        self.format == Format::Json && matches!(self.payload.compression, Compression::Auto | Compression::None)
    }

    /// The columns whose first non-empty value is the Kafka key of a record: those of the case, so that all records of
    /// a case meet in one partition. Of a joined number any part will do: it is the same in all records of the case.
    pub fn key_columns(&self) -> &[String] {
        match (&self.table, self.field(Field::CaseId)) {
            (Some(table), _) => std::slice::from_ref(&table.key),
            (None, Some(case)) => &case.columns,
            (None, None) => &[],
        }
    }
}

/// What a record's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    Json,
    Avro,
}

/// How Avro records say by which schema they were written, and by which they are read.
#[derive(Clone, PartialEq, Debug)]
pub struct AvroLayout {
    pub framing: Framing,
    /// The schema that records are read by. Without one they are read by the schema they were written by.
    pub contract: Option<SchemaFile>,
    /// Schemas of writers, where no registry has them. The contract is always one of them.
    pub writers: Vec<SchemaFile>,
}

/// A schema that was read with the configuration; part of the rules version.
#[derive(Clone, PartialEq, Debug)]
pub struct SchemaFile {
    pub path: String,
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Framing {
    /// A zero byte and the number of the schema in a registry.
    Confluent,
    /// C3 01 and the CRC-64-AVRO fingerprint of a schema that is in a folder.
    SingleObject,
    /// Nothing: all records are of one schema.
    Plain,
}

/// What lies around the items of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payload {
    pub items: Items,
    /// A record with more of them is rejected; the count of a journal row has 16 bits.
    pub max_items: usize,
    pub compression: Compression,
    /// Of JSON text. Windows-1251 also takes records that are UTF-8 already; it is never `Auto` here.
    pub encoding: Encoding,
}

impl Default for Payload {
    fn default() -> Payload {
        Payload { items: Items::One, max_items: 10_000, compression: Compression::Auto, encoding: Encoding::Utf8 }
    }
}

/// How records are compressed by the sender himself; what Kafka compresses is unpacked before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Each record as its first bytes say.
    Auto,
    None,
    Gzip,
    Zstd,
}

/// How many items a record has. All items of a record are in its Kafka partition, so whoever sends several must see to it
/// that the other records of these cases are in the same one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Items {
    /// One object.
    One,
    /// An array of objects, or one object.
    Array,
    /// An object a line.
    Lines,
}

/// How a source speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// One fact a record; needs `case_id`, `event`, `event_at`. Where `registered_at` is not mapped, the time of the
    /// `registered` event stands in.
    Event,
    /// The whole row of a case a record; needs `case_id`. Where `registered_at` is not mapped, the time at which Kafka
    /// received the case's first record stands in.
    Snapshot,
    /// A poll as it stands, or what one person did in it; needs `case_id` (the number of the poll), `event`, `event_at`.
    Vote,
    /// The figures of an official page at one moment; needs `case_id` (the number of the page), `event_at`.
    Page,
}

impl Shape {
    /// What its records may be about.
    pub fn subjects(self) -> &'static [Subject] {
        match self {
            Shape::Event | Shape::Snapshot => &[Subject::Case],
            Shape::Vote => &[Subject::Poll, Subject::Vote, Subject::Comment],
            Shape::Page => &[Subject::Page],
        }
    }

    /// Fields without which a record of this shape says nothing.
    pub fn needs(self) -> &'static [Field] {
        match self {
            Shape::Event | Shape::Vote => &[Field::CaseId, Field::Event, Field::EventAt],
            Shape::Snapshot => &[Field::CaseId],
            Shape::Page => &[Field::CaseId, Field::EventAt],
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub struct FieldMapping {
    pub field: Field,
    /// The first column that is not empty wins; `a.b` is the key `b` of the object `a` (a column name that contains a
    /// dot itself is tried first). Empty when `value` is set.
    pub columns: Vec<String>,
    /// A constant in canonical words, the same for each record.
    pub value: Option<String>,
    /// For times; others have the default.
    pub format: TimeFormat,
    /// For `case_id`: the values of all columns with this between them are the number, instead of the first that is given.
    pub join: Option<String>,
    /// What becomes of a word of this field that its map does not have; otherwise what the file says for all.
    pub unknown_words: Option<UnknownWord>,
    /// For coordinates: so many digits after the point are kept.
    pub decimals: u8,
}

/// Three digits of a degree are about a hundred metres.
pub const USUAL_DECIMALS: u8 = 3;

/// How a time is written. The formats without a zone are Moscow time, those without a time of day are Moscow days.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TimeFormat {
    /// `2026-01-06T10:15:00+03:00`; without an offset it is Moscow time, without a time of day a Moscow day.
    #[default]
    Iso8601,
    /// `06.01.2026`
    DayMonthYear,
    /// `06.01.2026 10:15` or `06.01.2026 10:15:00`
    DayMonthYearTime,
    UnixSeconds,
    UnixMillis,
}

/// What happens to a record with a word that its map does not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnknownWord {
    /// The record is rejected and the reason names the field.
    Reject,
    /// The field counts as not given.
    Ignore,
}

#[derive(Clone, PartialEq, Debug)]
pub struct TableLayout {
    pub delimiter: Delimiter,
    pub encoding: Encoding,
    /// The column whose value becomes the Kafka key.
    pub key: String,
    /// Columns that are left out of the records: nobody reads them, and they name people. Never a mapped column.
    pub drop: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delimiter {
    /// Whichever of `;`, `,` and tab the header line has most of.
    Auto,
    Semicolon,
    Comma,
    Tab,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encoding {
    Auto,
    Utf8,
    Windows1251,
}
