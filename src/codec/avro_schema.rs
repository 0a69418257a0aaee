//! Avro schemas, parsed once and kept for the life of the process: a schema registry has dozens of them, and the reader of
//! a record borrows its schemas.
//! Invariants: a schema that is here has a record at its root, does not contain itself (a few bytes would otherwise nest
//! without end), and has no array whose elements take no bytes (a few bytes would otherwise fill the memory).

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::schema::{InnerDecimalSchema, Name, NamespaceRef, RecordSchema, ResolvedSchema, UuidSchema};

/// More different schemas than this are not kept: a registry with more is a mistake of configuration.
const MOST_SCHEMAS: usize = 4096;
/// The longest allocation that the bytes of a record may ask for; a record is shorter than that.
const MAX_ALLOCATION: usize = 64 << 20;

/// A schema ready to read with.
pub struct Parsed {
    pub(super) schema: Schema,
    /// CRC-64-AVRO of its canonical form.
    pub fingerprint: u64,
    pub(super) has_aliases: bool,
}

impl Parsed {
    /// Fields of the record at the root under the names of their columns, see `column_of`.
    pub fn columns(&self) -> Vec<&str> {
        match &self.schema {
            Schema::Record(record) => record.fields.iter().map(column_of).collect(),
            _ => Vec::new(),
        }
    }
}

/// The column a field stands for: its attribute `column`, because an Avro name is latin letters only, or its own name.
pub(super) fn column_of(field: &apache_avro::schema::RecordField) -> &str {
    field.custom_attributes.get("column").and_then(|column| column.as_str()).unwrap_or(&field.name)
}

type Known = HashMap<String, Result<&'static Parsed, String>>;
static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);

/// Reads the JSON text of a schema. `Err` says what is wrong with it.
pub fn parse(text: &str) -> Result<&'static Parsed, String> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(parsed) = known.get(text) {
        return parsed.clone();
    }
    if known.len() >= MOST_SCHEMAS {
        return Err(format!("more than {MOST_SCHEMAS} different schemas"));
    }
    apache_avro::util::max_allocation_bytes(MAX_ALLOCATION);
    let parsed = check(text).map(|parsed| &*Box::leak(Box::new(parsed)));
    known.insert(text.to_owned(), parsed.clone());
    parsed
}

fn check(text: &str) -> Result<Parsed, String> {
    let schema = Schema::parse_str(text).map_err(|error| format!("not an Avro schema: {error}"))?;
    if !matches!(schema, Schema::Record(_)) {
        return Err("the schema is no record".to_owned());
    }
    let mut walk =
        Walk { resolved: ResolvedSchema::new(&schema).map_err(|error| error.to_string())?, open: Vec::new() };
    let Width { is_zero: _, has_aliases } = walk.visit(&schema, None)?;
    let fingerprint = schema.fingerprint::<Rabin>().bytes;
    let fingerprint = fingerprint.try_into().map_or(0, u64::from_le_bytes);
    drop(walk);
    Ok(Parsed { schema, fingerprint, has_aliases })
}

struct Walk<'s> {
    resolved: ResolvedSchema<'s>,
    /// Records that the walk is inside of.
    open: Vec<Name>,
}

#[derive(Clone, Copy, Default)]
struct Width {
    /// A value may take no byte at all.
    is_zero: bool,
    has_aliases: bool,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, schema: &'s Schema, namespace: NamespaceRef) -> Result<Width, String> {
        let narrow = Width { is_zero: false, has_aliases: false };
        match schema {
            Schema::Null => Ok(Width { is_zero: true, ..narrow }),
            Schema::Fixed(fixed) | Schema::Duration(fixed) | Schema::Uuid(UuidSchema::Fixed(fixed)) => {
                Ok(Width { is_zero: fixed.size == 0, ..narrow })
            }
            Schema::Decimal(decimal) => match &decimal.inner {
                InnerDecimalSchema::Fixed(fixed) => Ok(Width { is_zero: fixed.size == 0, ..narrow }),
                InnerDecimalSchema::Bytes => Ok(narrow),
            },
            Schema::Array(array) => {
                let items = self.visit(&array.items, namespace)?;
                if items.is_zero {
                    return Err("an array has elements that may take no byte".to_owned());
                }
                Ok(Width { is_zero: false, ..items })
            }
            Schema::Map(map) => Ok(Width { is_zero: false, ..self.visit(&map.types, namespace)? }),
            Schema::Union(union) => {
                let mut width = narrow;
                for variant in union.variants() {
                    width.has_aliases |= self.visit(variant, namespace)?.has_aliases;
                }
                Ok(width)
            }
            Schema::Record(record) => self.record(record, namespace),
            Schema::Ref { name } => {
                let full = name.fully_qualified_name(namespace).into_owned();
                if self.open.contains(&full) {
                    return Err(format!("the record {full} contains itself"));
                }
                let target = self.resolved.get_names().get(&full).copied();
                self.visit(target.ok_or_else(|| format!("no schema is named {full}"))?, full.namespace())
            }
            _ => Ok(narrow),
        }
    }

    fn record(&mut self, record: &'s RecordSchema, namespace: NamespaceRef) -> Result<Width, String> {
        let full = record.name.fully_qualified_name(namespace).into_owned();
        if self.open.contains(&full) {
            return Err(format!("the record {full} contains itself"));
        }
        self.open.push(full.clone());
        let mut width = Width { is_zero: true, has_aliases: false };
        for field in &record.fields {
            let found = self.visit(&field.schema, full.namespace())?;
            width.is_zero &= found.is_zero;
            width.has_aliases |= found.has_aliases || !field.aliases.is_empty();
        }
        self.open.pop();
        Ok(width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        parse(text).err().unwrap_or_default()
    }

    #[test]
    fn a_schema_that_a_few_bytes_could_blow_up_is_refused() {
        let list = r#"{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"]}]}"#;
        assert!(problem(list).contains("contains itself"), "{}", problem(list));
        let nothing = r#"{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}"#;
        assert!(problem(nothing).contains("no byte"), "{}", problem(nothing));
        let empty = r#"{"type":"record","name":"S","fields":[{"name":"a","type":{"type":"array","items":
            {"type":"record","name":"E","fields":[]}}}]}"#;
        assert!(problem(empty).contains("no byte"), "{}", problem(empty));
        assert!(problem("\"string\"").contains("no record"));
        assert!(problem("{").contains("not an Avro schema"));
    }

    #[test]
    fn a_named_type_used_twice_is_no_recursion() {
        let text = r#"{"type":"record","name":"R","namespace":"x","fields":[
            {"name":"a","type":{"type":"record","name":"P","fields":[{"name":"v","type":"long"}]}},
            {"name":"b","type":["null","P"]}]}"#;
        let parsed = parse(text).expect("sound");
        assert_eq!(parsed.columns(), ["a", "b"]);
        assert!(std::ptr::eq(parsed, parse(text).expect("sound")), "parsed once");
    }
}
