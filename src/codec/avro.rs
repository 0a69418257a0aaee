//! Avro records: the framing says by which schema a record was written, the contract (if there is one) which schema it is
//! read by; what comes out fills the same slots as JSON does. Nested records and maps are reached by dotted names.
//! Owner: the mapper of a partition worker. Invariants: no IO here: a schema that must be fetched is named by `missing`
//! and brought by `learn`; a record is read to its last byte or not at all; an error never quotes a value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read};

use apache_avro::Schema;
use apache_avro::error::Details;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::{NamespaceRef, ResolvedSchema};
use apache_avro::types::Value as Avro;

use crate::codec::avro_schema::{Parsed, column_of, parse};
use crate::codec::json::{Columns, Target};
use crate::codec::{DecodeError, Value};
use crate::config::pipeline::{AvroLayout, Framing};
use crate::model::time::MOSCOW_OFFSET_SECONDS;

/// A longer record is refused: decoded, it takes up to two hundred times as much memory.
const MAX_RECORD_BYTES: usize = 1 << 20;
const CONFLUENT_MAGIC: u8 = 0;
const CONFLUENT_HEADER: usize = 5;
const SINGLE_OBJECT_MAGIC: [u8; 2] = [0xC3, 0x01];
const SINGLE_OBJECT_HEADER: usize = 10;

/// Number of a schema in the registry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SchemaId(pub u32);

/// A pair of schemas: the one a record was written by, and the one it is read by.
struct Pair {
    reader: GenericDatumReader<'static>,
    /// Set where the contract renames fields: the crate resolves schemas, but not their aliases.
    contract_with_aliases: Option<&'static Parsed>,
    /// The schema of the values that come out.
    shape: &'static Parsed,
    names: ResolvedSchema<'static>,
}

/// What is known of a writer's schema.
enum Writer {
    Known(Box<Pair>),
    /// Records of it are rejected, with this problem.
    Unusable(String),
}

/// Decodes the records of one pipeline.
pub struct AvroDecoder {
    framing: Framing,
    contract: Option<&'static Parsed>,
    /// By number in the registry or by fingerprint; the only one of plain records is zero.
    writers: HashMap<u64, Writer, foldhash::fast::RandomState>,
}

impl AvroDecoder {
    /// The files of the layout were parsed when the configuration was read.
    pub fn new(layout: &AvroLayout) -> AvroDecoder {
        let contract = layout.contract.as_ref().and_then(|file| parse(&file.text).ok());
        let mut decoder = AvroDecoder { framing: layout.framing, contract, writers: HashMap::default() };
        let files = layout.writers.iter().chain(&layout.contract);
        match layout.framing {
            Framing::Confluent => {}
            Framing::SingleObject => {
                for parsed in files.filter_map(|file| parse(&file.text).ok()) {
                    decoder.writers.insert(parsed.fingerprint, decoder.pair(parsed));
                }
            }
            Framing::Plain => {
                if let Some(parsed) = files.filter_map(|file| parse(&file.text).ok()).next() {
                    decoder.writers.insert(0, decoder.pair(parsed));
                }
            }
        }
        decoder
    }

    /// The schema that must be fetched before this record can be decoded.
    pub fn missing(&self, record: &[u8]) -> Option<SchemaId> {
        if self.framing != Framing::Confluent {
            return None;
        }
        let id = confluent_id(record)?;
        (!self.writers.contains_key(&u64::from(id.0))).then_some(id)
    }

    /// Takes the text of a schema from the registry, or why there is none.
    pub fn learn(&mut self, id: SchemaId, schema: Result<&str, String>) {
        let writer = match schema.and_then(parse) {
            Ok(parsed) => self.pair(parsed),
            Err(problem) => Writer::Unusable(problem),
        };
        self.writers.insert(u64::from(id.0), writer);
    }

    /// Forgets the numbers that the registry did not know, so that they are asked for again: it may know them by now.
    pub fn forget_unusable(&mut self) {
        if self.framing == Framing::Confluent {
            self.writers.retain(|_, writer| matches!(writer, Writer::Known(_)));
        }
    }

    fn pair(&self, writer: &'static Parsed) -> Writer {
        let aliased = self.contract.filter(|contract| contract.has_aliases);
        let resolving = self.contract.filter(|_| aliased.is_none()).map(|contract| &contract.schema);
        let shape = self.contract.unwrap_or(writer);
        let reader = GenericDatumReader::builder(&writer.schema).maybe_reader_schema(resolving).build();
        match (reader, ResolvedSchema::new(&shape.schema)) {
            (Ok(reader), Ok(names)) => {
                Writer::Known(Box::new(Pair { reader, contract_with_aliases: aliased, shape, names }))
            }
            (Err(error), _) | (_, Err(error)) => Writer::Unusable(error.to_string()),
        }
    }

    /// Fills `slots` (one for each column, cleared first) from one record.
    pub fn decode(&self, record: &[u8], columns: &Columns, slots: &mut Vec<Value<'_>>) -> Result<(), DecodeError> {
        slots.clear();
        slots.resize(columns.width(), Value::Missing);
        if record.is_empty() {
            return Err(DecodeError::Empty);
        }
        if record.len() > MAX_RECORD_BYTES {
            let problem = format!("it has {} bytes, an Avro record may have {MAX_RECORD_BYTES}", record.len());
            return Err(DecodeError::InvalidAvro { problem });
        }
        let (number, body) = self.unframe(record)?;
        let pair = match self.writers.get(&number) {
            Some(Writer::Known(pair)) => pair,
            Some(Writer::Unusable(problem)) => {
                return Err(DecodeError::UnknownSchema { schema: self.name_of(number), problem: problem.clone() });
            }
            None => {
                let problem = "no file of writer_schemas has this fingerprint".to_owned();
                return Err(DecodeError::UnknownSchema { schema: self.name_of(number), problem });
            }
        };
        let value = pair.read(body)?;
        let filler = Filler { columns, names: &pair.names };
        filler.fill(value, &pair.shape.schema, None, columns.root(), slots);
        Ok(())
    }

    fn unframe<'r>(&self, record: &'r [u8]) -> Result<(u64, &'r [u8]), DecodeError> {
        match self.framing {
            Framing::Plain => Ok((0, record)),
            Framing::Confluent => match confluent_id(record) {
                Some(id) => Ok((u64::from(id.0), &record[CONFLUENT_HEADER..])),
                None => Err(DecodeError::BadFraming { wanted: "a zero byte and the four bytes of a schema number" }),
            },
            Framing::SingleObject => match record.split_at_checked(SINGLE_OBJECT_HEADER) {
                Some((header, body)) if header.starts_with(&SINGLE_OBJECT_MAGIC) => {
                    let fingerprint = header[2..].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                    Ok((fingerprint, body))
                }
                _ => Err(DecodeError::BadFraming { wanted: "C3 01 and the eight bytes of a fingerprint" }),
            },
        }
    }

    fn name_of(&self, number: u64) -> String {
        match self.framing {
            Framing::SingleObject => format!("{number:016x}"),
            Framing::Confluent | Framing::Plain => number.to_string(),
        }
    }
}

fn confluent_id(record: &[u8]) -> Option<SchemaId> {
    match record {
        [CONFLUENT_MAGIC, a, b, c, d, ..] => Some(SchemaId(u32::from_be_bytes([*a, *b, *c, *d]))),
        _ => None,
    }
}

impl Pair {
    fn read(&self, body: &[u8]) -> Result<Avro, DecodeError> {
        let mut rest = Exactly(body);
        let value = self.reader.read_value(&mut rest).map_err(|error| problem(&error))?;
        if !rest.0.is_empty() {
            return Err(DecodeError::InvalidAvro { problem: "the record goes on after its last field".to_owned() });
        }
        match self.contract_with_aliases {
            None => Ok(value),
            Some(contract) => {
                renamed(value, &contract.schema).resolve(&contract.schema).map_err(|error| problem(&error))
            }
        }
    }
}

/// What is wrong, without the values that the crate's own messages quote.
fn problem(error: &apache_avro::Error) -> DecodeError {
    match error.details() {
        Details::GetField(name) => DecodeError::SchemaMismatch {
            problem: format!("the contract's field {name} has no default, and the writer's schema does not have it"),
        },
        Details::ConvertToUtf8(_) => DecodeError::InvalidAvro { problem: "a text is not valid UTF-8".to_owned() },
        Details::GetUnionVariant { num_variants, .. } => {
            DecodeError::InvalidAvro { problem: format!("a union has {num_variants} variants, another is named") }
        }
        Details::ReadVariableIntegerBytes(_)
        | Details::ReadBytes(_)
        | Details::ReadString(_)
        | Details::ReadBoolean(_)
        | Details::ReadDouble(_)
        | Details::ReadFloat(_)
        | Details::ReadFixed(..)
        | Details::ReadDuration(_) => DecodeError::InvalidAvro { problem: "the record ends too early".to_owned() },
        Details::FindUnionVariant { .. } | Details::GetEnumDefault { .. } | Details::GetRecord { .. } => {
            DecodeError::SchemaMismatch { problem: "a value does not fit the contract's type".to_owned() }
        }
        _ => DecodeError::InvalidAvro { problem: "the bytes do not fit the schema".to_owned() },
    }
}

/// The end of the bytes is an error: the crate takes the usual sign of it for "null".
struct Exactly<'r>(&'r [u8]);

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() && !buffer.is_empty() {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        self.0.read(buffer)
    }
}

/// Fields under the contract's names where the writer knows them by an alias.
fn renamed(value: Avro, contract: &Schema) -> Avro {
    match (value, contract) {
        (Avro::Record(mut fields), Schema::Record(record)) => {
            for wanted in &record.fields {
                if !fields.iter().any(|(name, _)| *name == wanted.name)
                    && let Some((name, _)) = fields.iter_mut().find(|(name, _)| wanted.aliases.contains(name))
                {
                    name.clone_from(&wanted.name);
                }
            }
            for (name, value) in &mut fields {
                if let Some(wanted) = record.fields.iter().find(|wanted| wanted.name == *name) {
                    *value = renamed(std::mem::replace(value, Avro::Null), &wanted.schema);
                }
            }
            Avro::Record(fields)
        }
        (Avro::Union(index, inner), contract) => Avro::Union(index, Box::new(renamed(*inner, contract))),
        (value @ Avro::Record(_), Schema::Union(union)) => {
            match union.variants().iter().find(|variant| matches!(variant, Schema::Record(_))) {
                Some(record) => renamed(value, record),
                None => value,
            }
        }
        (value, _) => value,
    }
}

/// Puts the values of one record into the slots of their columns.
struct Filler<'f> {
    columns: &'f Columns,
    names: &'f ResolvedSchema<'static>,
}

impl Filler<'_> {
    fn fill(&self, value: Avro, schema: &Schema, space: NamespaceRef, target: Target, slots: &mut [Value<'_>]) {
        if target.is_nowhere() {
            return;
        }
        match (value, schema) {
            (value, Schema::Ref { name }) => {
                let full = name.fully_qualified_name(space);
                if let Some(named) = self.names.get_names().get(&*full) {
                    self.fill(value, named, full.namespace(), target, slots);
                }
            }
            (Avro::Union(index, inner), Schema::Union(union)) => {
                if let Some(variant) = union.variants().get(index as usize) {
                    self.fill(*inner, variant, space, target, slots);
                }
            }
            (Avro::Record(fields), Schema::Record(record)) => {
                let Some(node) = target.node() else { return target.set(slots, Value::Composite("an object")) };
                let full = record.name.fully_qualified_name(space);
                let mut guess = 0;
                for ((_, value), field) in fields.into_iter().zip(&record.fields) {
                    let inner = self.columns.find(node, column_of(field), &mut guess);
                    self.fill(value, &field.schema, full.namespace(), inner, slots);
                }
            }
            (Avro::Map(entries), Schema::Map(map)) => {
                let Some(node) = target.node() else { return target.set(slots, Value::Composite("an object")) };
                for (key, value) in entries {
                    let inner = self.columns.find(node, &key, &mut 0);
                    self.fill(value, &map.types, space, inner, slots);
                }
            }
            (value, schema) => target.set(slots, single(value, schema)),
        }
    }
}

/// A value that is not made of others.
fn single(value: Avro, schema: &Schema) -> Value<'static> {
    const MOSCOW_MILLIS: i64 = MOSCOW_OFFSET_SECONDS as i64 * 1000;
    let text = |text: String| Value::Text(Cow::Owned(text));
    match value {
        Avro::Null => Value::Null,
        Avro::Boolean(flag) => Value::Bool(flag),
        Avro::Int(number) | Avro::TimeMillis(number) => Value::Integer(i64::from(number)),
        Avro::Long(number) | Avro::TimeMicros(number) => Value::Integer(number),
        Avro::Float(number) => Value::Real(f64::from(number)),
        Avro::Double(number) => Value::Real(number),
        Avro::String(string) | Avro::Enum(_, string) => text(string),
        Avro::Uuid(uuid) => text(uuid.to_string()),
        Avro::Bytes(bytes) => String::from_utf8(bytes).map_or(Value::Composite("bytes that are no text"), text),
        Avro::Date(days) => Value::Day(days),
        Avro::TimestampMillis(at) => Value::Instant(at),
        Avro::TimestampMicros(at) => Value::Instant(at.div_euclid(1000)),
        Avro::TimestampNanos(at) => Value::Instant(at.div_euclid(1_000_000)),
        // a local time is Moscow time, like every time without a zone
        Avro::LocalTimestampMillis(at) => Value::Instant(at.saturating_sub(MOSCOW_MILLIS)),
        Avro::LocalTimestampMicros(at) => Value::Instant(at.div_euclid(1000).saturating_sub(MOSCOW_MILLIS)),
        Avro::LocalTimestampNanos(at) => Value::Instant(at.div_euclid(1_000_000).saturating_sub(MOSCOW_MILLIS)),
        Avro::Decimal(decimal) => match (Vec::try_from(&decimal), schema) {
            (Ok(bytes), Schema::Decimal(spec)) => {
                decimal_text(&bytes, spec.scale).map_or(Value::Composite("a decimal of more than 38 digits"), text)
            }
            _ => Value::Composite("a decimal"),
        },
        Avro::BigDecimal(_) => Value::Composite("a decimal without a scale"),
        Avro::Duration(_) => Value::Composite("a duration"),
        Avro::Fixed(..) => Value::Composite("fixed bytes"),
        Avro::Array(_) => Value::Composite("an array"),
        Avro::Map(_) | Avro::Record(_) | Avro::Union(..) => Value::Composite("an object"),
    }
}

/// Big-endian two's complement with so many digits after the point.
fn decimal_text(bytes: &[u8], scale: usize) -> Option<String> {
    if bytes.is_empty() || bytes.len() > 16 || scale > 38 {
        return None;
    }
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { -1 };
    let number = bytes.iter().fold(sign, |number: i128, byte| number << 8 | i128::from(*byte));
    let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let minus = if number < 0 { "-" } else { "" };
    Some(if scale == 0 { format!("{minus}{whole}") } else { format!("{minus}{whole}.{fraction}") })
}

#[cfg(test)]
#[path = "avro_tests.rs"]
mod tests;
