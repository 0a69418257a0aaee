//! Reads `pipelines/NAME.toml` into a `Pipeline` and checks what its parts must be to each other.
//! Owner: `config`. Invariants: see `pipeline.rs`; a mistake names the line of the entry that has to change.

use std::path::Path;

use super::errors::Errors;
use super::pipeline::*;
use super::reader::{Document, Item, Table, did_you_mean, words};
use super::reference::normalise_name;
use crate::model::words::{Decision, EventKind, Field, Law, MessageKind, Priority, Reaction, Status, Subject};

const FORMATS: &[(&str, Format)] = &[("json", Format::Json), ("avro", Format::Avro)];
const ITEMS: &[(&str, Items)] = &[("one", Items::One), ("array", Items::Array), ("lines", Items::Lines)];
const COMPRESSIONS: &[(&str, Compression)] = &[
    ("auto", Compression::Auto),
    ("none", Compression::None),
    ("gzip", Compression::Gzip),
    ("zstd", Compression::Zstd),
];
const TEXT_ENCODINGS: &[(&str, Encoding)] = &[("utf-8", Encoding::Utf8), ("windows-1251", Encoding::Windows1251)];
const SHAPES: &[(&str, Shape)] =
    &[("event", Shape::Event), ("snapshot", Shape::Snapshot), ("vote", Shape::Vote), ("page", Shape::Page)];
const UNKNOWN_WORDS: &[(&str, UnknownWord)] = &[("reject", UnknownWord::Reject), ("ignore", UnknownWord::Ignore)];
const DELIMITERS: &[(&str, Delimiter)] =
    &[("auto", Delimiter::Auto), (";", Delimiter::Semicolon), (",", Delimiter::Comma), ("tab", Delimiter::Tab)];
const ENCODINGS: &[(&str, Encoding)] =
    &[("auto", Encoding::Auto), ("utf-8", Encoding::Utf8), ("windows-1251", Encoding::Windows1251)];
const TIME_FORMATS: &[(&str, TimeFormat)] = &[
    ("iso8601", TimeFormat::Iso8601),
    ("dd.mm.yyyy", TimeFormat::DayMonthYear),
    ("dd.mm.yyyy hh:mm", TimeFormat::DayMonthYearTime),
    ("unix", TimeFormat::UnixSeconds),
    ("unix_ms", TimeFormat::UnixMillis),
];

/// Kafka topics that tsur writes itself; reading one would be a loop.
const OWN_TOPICS: &[&str] = &["tsur.alerts", "tsur.rejects", "tsur.control"];
const MAPPING: &str = "a column, a list of columns, { column = \"…\" }, { columns = [ … ] } or { value = \"…\" }";

pub fn read(file: &str, text: &str, errors: &Errors) -> Pipeline {
    Document::read(file, text, errors, |root| {
        let name = Path::new(file).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        if !is_code(&name) {
            errors.add_whole(
                file,
                "",
                format!("{name:?} cannot name a pipeline"),
                "latin small letters, digits, _ and - before .toml",
            );
        }
        let shape = root
            .require("shape", "event | snapshot | vote | page")
            .and_then(|item| item.choice(SHAPES))
            .unwrap_or(Shape::Snapshot);
        let format = root.choice("format", FORMATS).unwrap_or(Format::Json);
        let mut payload = payload(root);
        let fields_table = root.table("fields");
        let fields = fields(&fields_table);
        let mapped = |field: Field| fields.iter().find(|mapping| mapping.field == field);
        let event_table = root.table("event");
        let (mut event_map, mut subject_map) = (Vec::new(), Vec::new());
        if shape == Shape::Vote {
            subject_map = word_map(&event_table, mapped(Field::Event), shape.subjects(), Subject::name);
        } else {
            event_map = word_map(&event_table, mapped(Field::Event), EventKind::ALL, EventKind::name);
        }
        let pipeline = Pipeline {
            source: code(root, "source"),
            kafka_topic: kafka_topic(root),
            partitions: root.integer("partitions", 1..=1024).unwrap_or(8),
            stream_epoch: root.integer("stream_epoch", 1..=i64::from(u32::MAX)).unwrap_or(1),
            avro: super::avro_read::read(root, file, format, &mut payload),
            format,
            payload,
            shape,
            required: required(root, shape, &fields),
            empty: root.texts("empty"),
            yes: root.texts("yes"),
            no: root.texts("no"),
            status_map: word_map(&root.table("status"), mapped(Field::Status), Status::ALL, Status::name),
            law_map: word_map(&root.table("law"), mapped(Field::Law), Law::ALL, Law::name),
            decision_map: word_map(&root.table("decision"), mapped(Field::Decision), Decision::ALL, Decision::name),
            reaction_map: word_map(&root.table("reaction"), mapped(Field::Reaction), Reaction::ALL, Reaction::name),
            priority_map: word_map(&root.table("priority"), mapped(Field::Priority), Priority::ALL, Priority::name),
            kind_map: word_map(&root.table("kind"), mapped(Field::Kind), MessageKind::ALL, MessageKind::name),
            status_of_event: status_of_event(&root.table("status_of_event"), &event_map),
            unknown_words: root.choice("unknown_words", UNKNOWN_WORDS).unwrap_or(UnknownWord::Reject),
            table: table_layout(&root.table("table"), &fields),
            name,
            event_map,
            subject_map,
            fields,
        };
        check_needs(&fields_table, &pipeline);
        check_events(&event_table, &pipeline);
        check_yes_no(root, &pipeline);
        pipeline
    })
}

fn is_code(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

fn code(root: &Table, key: &'static str) -> String {
    let allowed = "latin small letters, digits, _ and -";
    let code = root.require(key, allowed).and_then(|item| item.text()).unwrap_or_default();
    if !code.is_empty() && !is_code(&code) {
        root.refuse(key, format!("{code:?} is not a code"), allowed);
    }
    code
}

fn kafka_topic(root: &Table) -> String {
    let topic = root.require_text("kafka_topic").unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.len() > 249 || !topic.chars().all(legal) || topic.starts_with("__") {
        root.refuse(
            "kafka_topic",
            format!("{topic:?} is not a name Kafka takes"),
            "up to 249 latin letters, digits, '.', '_', '-'",
        );
    } else if OWN_TOPICS.contains(&topic.as_str()) {
        root.refuse("kafka_topic", format!("tsur itself writes to {topic}"), "an input topic, such as \"tsur.in.pos\"");
    }
    topic
}

fn payload(root: &Table) -> Payload {
    let default = Payload::default();
    let payload = Payload {
        items: root.choice("items", ITEMS).unwrap_or(default.items),
        max_items: root.integer("max_items", 1..=i64::from(u16::MAX)).unwrap_or(default.max_items),
        compression: root.choice("compression", COMPRESSIONS).unwrap_or(default.compression),
        encoding: root.choice("encoding", TEXT_ENCODINGS).unwrap_or(default.encoding),
    };
    if payload.items == Items::One && root.item("max_items").is_some() && root.is_sound("items") {
        root.refuse("max_items", "has no meaning for records of one item", "items = \"array\" or \"lines\" beside it");
    }
    payload
}

fn fields(table: &Table) -> Vec<FieldMapping> {
    let mut mappings = Vec::new();
    for (name, item) in table.entries() {
        match Field::from_name(&name) {
            Some(field) => mappings.extend(mapping(field, &item)),
            None => {
                let hint = did_you_mean(&name, Field::ALL.iter().map(|field| field.name()));
                let known: Vec<&str> = Field::ALL.iter().map(|field| field.name()).collect();
                item.refuse(format!("no such field{hint}"), known.join(", "));
            }
        }
    }
    mappings
}

fn mapping(field: Field, item: &Item) -> Option<FieldMapping> {
    let mut mapping = FieldMapping {
        field,
        columns: Vec::new(),
        value: None,
        format: TimeFormat::default(),
        join: None,
        unknown_words: None,
        decimals: USUAL_DECIMALS,
    };
    if item.is_text() || item.is_list() {
        mapping.columns = columns(item);
        return Some(mapping);
    }
    if !item.is_table() {
        item.refuse("does not say where the value comes from", MAPPING);
        return None;
    }
    let table = item.table()?;
    let (column, list, value) = (table.item("column"), table.item("columns"), table.item("value"));
    mapping.format = table.choice("format", TIME_FORMATS).unwrap_or_default();
    if table.item("format").is_some() && !is_time(field) {
        table.refuse(
            "format",
            format!("{} is not a time", field.name()),
            "event_at, registered_at, planned_at, completed_at, last_post_at",
        );
    }
    refinements(&table, &mut mapping);
    match (column, list, value) {
        (Some(item), None, None) | (None, Some(item), None) => mapping.columns = columns(&item),
        (None, None, Some(item)) => mapping.value = constant(field, &item),
        _ => {
            item.refuse("must have exactly one of column, columns, value", MAPPING);
            return None;
        }
    }
    Some(mapping)
}

/// What only some fields can have beside their columns.
fn refinements(table: &Table, mapping: &mut FieldMapping) {
    let field = mapping.field;
    mapping.join = table.text("join");
    if mapping.join.is_some() && field != Field::CaseId {
        table.refuse("join", format!("{} is one value, not several", field.name()), "only in case_id");
    }
    mapping.unknown_words = table.choice("unknown_words", UNKNOWN_WORDS);
    if mapping.unknown_words.is_some() && !has_words(field) {
        table.refuse("unknown_words", format!("{} has no list of words", field.name()), WORD_FIELDS);
    }
    let decimals = table.integer("decimals", 0..=3);
    if decimals.is_some() && !matches!(field, Field::Latitude | Field::Longitude) {
        table.refuse("decimals", format!("{} is not a coordinate", field.name()), "latitude, longitude");
    }
    mapping.decimals = decimals.unwrap_or(USUAL_DECIMALS);
}

const WORD_FIELDS: &str =
    "status, law, decision, reaction, priority, kind, fast_track, source_overdue, published, widget";

/// Without its kind an event means nothing, so its words are not among these.
fn has_words(field: Field) -> bool {
    matches!(
        field,
        Field::Status
            | Field::Law
            | Field::Decision
            | Field::Reaction
            | Field::Priority
            | Field::Kind
            | Field::FastTrack
            | Field::SourceOverdue
            | Field::Published
            | Field::Widget
    )
}

fn columns(item: &Item) -> Vec<String> {
    let columns = item.texts();
    let twice = columns.iter().enumerate().any(|(index, column)| columns[..index].contains(column));
    if twice || columns.iter().any(|column| column.trim().is_empty()) || (columns.is_empty() && item.is_list()) {
        item.refuse("the list is empty, or has an empty or repeated name", "names of columns, each once");
    }
    columns
}

fn is_time(field: Field) -> bool {
    matches!(field, Field::EventAt | Field::RegisteredAt | Field::PlannedAt | Field::CompletedAt | Field::LastPostAt)
}

/// A constant is the same for all records, so it makes no sense for what tells records apart.
fn constant(field: Field, item: &Item) -> Option<String> {
    let value = item.text()?;
    match field {
        Field::Status => drop(item.choice(&words(Status::ALL, Status::name))),
        Field::Event => drop(item.choice(&words(EventKind::ALL, EventKind::name))),
        Field::Law => drop(item.choice(&words(Law::ALL, Law::name))),
        Field::Decision => drop(item.choice(&words(Decision::ALL, Decision::name))),
        Field::Reaction => drop(item.choice(&words(Reaction::ALL, Reaction::name))),
        Field::Priority => drop(item.choice(&words(Priority::ALL, Priority::name))),
        Field::Kind => drop(item.choice(&words(MessageKind::ALL, MessageKind::name))),
        Field::Stage | Field::Category | Field::Subcategory | Field::Topic | Field::Block => {}
        Field::ReceivedBody | Field::Body | Field::Territory | Field::Network => {}
        _ => item.refuse(format!("{} cannot be a constant", field.name()), "a column"),
    }
    Some(value)
}

/// What the shape needs, then what the file adds.
fn required(root: &Table, shape: Shape, fields: &[FieldMapping]) -> Vec<Field> {
    let mut required = shape.needs().to_vec();
    let names = words(Field::ALL, Field::name);
    for item in root.item("required").map_or_else(Vec::new, |item| item.list()) {
        let Some(field) = item.choice(&names) else { continue };
        if !fields.iter().any(|mapping| mapping.field == field) {
            item.refuse(format!("{} is required but not mapped", field.name()), "a field of the table fields");
        } else if !required.contains(&field) {
            required.push(field);
        }
    }
    required
}

/// Source word → canonical word. Without a table the canonical words stand for themselves.
fn word_map<T: Copy + PartialEq>(
    table: &Table,
    mapping: Option<&FieldMapping>,
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> Vec<(String, T)> {
    let words = words(all, name);
    let from_columns = mapping.is_some_and(|mapping| mapping.value.is_none());
    if !table.is_present() {
        return if from_columns {
            words.iter().map(|(word, value)| ((*word).to_owned(), *value)).collect()
        } else {
            Vec::new()
        };
    }
    if !from_columns {
        table.refuse_whole(
            "has words, but the field of this name has no column",
            "a column in the table fields, or no such table",
        );
    }
    let mut map: Vec<(String, T)> = Vec::new();
    let mut seen: Vec<(String, T)> = Vec::new();
    for (word, item) in table.entries() {
        let Some(value) = item.choice(&words) else { continue };
        let mut normal = String::new();
        normalise_name(&word, &mut normal);
        match seen.iter().find(|(known, other)| *known == normal && *other != value) {
            Some((_, other)) => item.refuse(
                format!("the same word in another spelling means {:?} above", name(*other)),
                format!("one meaning for both: {} or {}", name(*other), name(value)),
            ),
            None => seen.push((normal, value)),
        }
        map.push((word, value));
    }
    map
}

fn status_of_event(table: &Table, events: &[(String, EventKind)]) -> Vec<(String, Status)> {
    let statuses = words(Status::ALL, Status::name);
    let mut map = Vec::new();
    for (word, item) in table.entries() {
        if !events.iter().any(|(known, _)| *known == word) {
            let known: Vec<&str> = events.iter().map(|(known, _)| known.as_str()).collect();
            let hint = did_you_mean(&word, known.iter().copied());
            item.refuse(format!("not a word of the table event{hint}"), known.join(", "));
        } else if let Some(status) = item.choice(&statuses) {
            map.push((word, status));
        }
    }
    map
}

fn table_layout(table: &Table, fields: &[FieldMapping]) -> Option<TableLayout> {
    let case_columns =
        fields.iter().find(|mapping| mapping.field == Field::CaseId).map_or(&[][..], |mapping| &mapping.columns);
    let layout = TableLayout {
        delimiter: table.choice("delimiter", DELIMITERS).unwrap_or(Delimiter::Auto),
        encoding: table.choice("encoding", ENCODINGS).unwrap_or(Encoding::Auto),
        key: table.text("key").or_else(|| case_columns.first().cloned()).unwrap_or_default(),
        drop: table.texts("drop"),
    };
    let read = |column: &String| fields.iter().any(|mapping| mapping.columns.contains(column));
    if let Some(column) = layout.drop.iter().find(|column| read(column) || **column == layout.key) {
        table.refuse("drop", format!("{column:?} is read by the table fields"), "columns that no field reads");
    }
    // With another key the records of one case would be spread over partitions, and no worker would know the whole case.
    if !case_columns.is_empty() && !case_columns.contains(&layout.key) {
        table.refuse("key", format!("{:?} is not the column of case_id", layout.key), case_columns.join(", "));
    }
    table.is_present().then_some(layout)
}

fn check_needs(fields: &Table, pipeline: &Pipeline) {
    for need in pipeline.shape.needs() {
        let mapped = pipeline.field(*need);
        if mapped.is_none() && fields.is_sound(need.name()) {
            fields.refuse_missing(need.name(), "is missing: records of this shape need it", MAPPING);
        }
    }
    for field in Field::ALL {
        let is_foreign =
            field.only_of().is_some_and(|of| !of.iter().any(|one| pipeline.shape.subjects().contains(one)));
        if is_foreign && pipeline.field(*field).is_some() {
            fields.refuse(field.name(), "has no meaning in records of this shape", "leave it out");
        }
    }
    if matches!(pipeline.shape, Shape::Snapshot | Shape::Page) {
        for field in [Field::Event, Field::EventAt] {
            let is_needed = pipeline.shape.needs().contains(&field);
            if pipeline.field(field).is_some() && !is_needed {
                fields.refuse(
                    field.name(),
                    "has no meaning in a snapshot: its events follow from the comparison",
                    "leave it out",
                );
            }
        }
    }
}

fn check_events(table: &Table, pipeline: &Pipeline) {
    let has = |field: Field| pipeline.field(field).is_some();
    for (word, kind) in pipeline.event_map.iter().filter(|_| table.is_present()) {
        let has_status = has(Field::Status) || pipeline.status_of_event.iter().any(|(known, _)| known == word);
        match kind {
            EventKind::StatusChanged if !has_status => {
                table.refuse(
                    word,
                    "a status_changed must say to which status",
                    "an entry in status_of_event, or a column for status",
                );
            }
            EventKind::Rated if !has(Field::Rating) && !has(Field::Reaction) => {
                table.refuse(word, "a rated event must say how", "a column for rating or for reaction");
            }
            _ => {}
        }
    }
}

fn check_yes_no(root: &Table, pipeline: &Pipeline) {
    let both = pipeline.yes.iter().find(|word| pipeline.no.contains(word));
    if let Some(word) = both {
        root.refuse("no", format!("{word:?} is a yes already"), "words that are not in yes");
    }
    let nothing = pipeline.empty.iter().find(|word| pipeline.yes.contains(word) || pipeline.no.contains(word));
    if let Some(word) = nothing {
        root.refuse("empty", format!("{word:?} is a yes or a no already"), "words that are in neither yes nor no");
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
