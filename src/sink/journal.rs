//! The journal block of one batch: one row pushed for each item of each record, encoded once when the batch is sealed.
//! Owner: the partition worker. Invariants: rows stand in the order of the log; the encoded bytes are a function of the
//! rows and the seal alone; the columns are those of `events` as the migrations make it, by name and by type.

use std::sync::Arc;

use crate::enrich::mask::MaskKind;
use crate::enrich::names::NameLists;
use crate::model::case::Case;
use crate::model::effects::{Dimensions, Effect};
use crate::model::ids::{CaseKey, Offset, RulesVersion};
use crate::model::reading::Reading;
use crate::model::time::{Time, seconds_or_zero};
use crate::model::words::{EffectKind, EventKind, Outcome, Subject};
use crate::partition::ports::StreamId;
use crate::sink::case_columns::CaseColumns;
use crate::sink::native::{BlockWriter, Dictionary, Fixed, Text};
use crate::sink::reading_columns::ReadingColumns;

/// Where a row comes from.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    pub offset: Offset,
    pub item: u16,
    pub items: u16,
    /// Kafka's time of the record, milliseconds since the epoch.
    pub kafka_time: i64,
}

/// What became of the record.
#[derive(Clone, Copy, Debug)]
pub struct Fate<'a> {
    pub outcome: Outcome,
    pub reason: &'a str,
    pub field: &'a str,
    pub excerpt: &'a [u8],
}

/// What the record said.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    pub event: Option<EventKind>,
    pub event_at: Option<Time>,
    pub case_key: CaseKey,
    pub case_id: &'a str,
    pub effects: &'a [Effect],
    /// Dimensions under which effects with sign -1 were counted.
    pub before: Dimensions,
    pub text: &'a [u8],
    /// Codes of the column `masked`.
    pub masked: &'a [u8],
    pub place: &'a [u8],
    pub latitude: f32,
    pub longitude: f32,
    /// What the words of the text say.
    pub reading: Reading,
    /// Text of the answer, masked.
    pub answer: &'a [u8],
    pub subject: Subject,
    /// What a record that is about no case says beside, as JSON.
    pub extra: &'a [u8],
}

/// The columns of one batch.
pub struct JournalBlock {
    stream: StreamId,
    names: Arc<NameLists>,
    reasons: crate::enrich::names::Names,
    rows: usize,
    offset: Fixed,
    item: Fixed,
    items: Fixed,
    kafka_time: Fixed,
    outcome: Fixed,
    reason: Dictionary,
    field: Dictionary,
    excerpt: Text,
    event: Fixed,
    event_at: Fixed,
    case_key: Fixed,
    case_id: Text,
    effects: EffectColumns,
    previous_block: Dictionary,
    previous_territory: Dictionary,
    text: Text,
    masked_ends: Fixed,
    masked: Fixed,
    masked_count: u64,
    place: Text,
    latitude: Fixed,
    longitude: Fixed,
    reading: ReadingColumns,
    subject: Fixed,
    extra: Text,
    case: CaseColumns,
}

#[derive(Default)]
struct EffectColumns {
    count: u64,
    ends: Fixed,
    kind: Fixed,
    at: Fixed,
    sign: Fixed,
    value: Fixed,
    body: Text,
    day_only: Fixed,
}

pub(super) const DATETIME: &str = "DateTime('Europe/Moscow')";
const DATETIME64: &str = "DateTime64(3, 'Europe/Moscow')";

impl JournalBlock {
    pub fn new(stream: StreamId, names: Arc<NameLists>) -> JournalBlock {
        JournalBlock {
            stream,
            names,
            reasons: Default::default(),
            rows: 0,
            offset: Fixed::default(),
            item: Fixed::default(),
            items: Fixed::default(),
            kafka_time: Fixed::default(),
            outcome: Fixed::default(),
            reason: Dictionary::default(),
            field: Dictionary::default(),
            excerpt: Text::default(),
            event: Fixed::default(),
            event_at: Fixed::default(),
            case_key: Fixed::default(),
            case_id: Text::default(),
            effects: EffectColumns::default(),
            previous_block: Dictionary::default(),
            previous_territory: Dictionary::default(),
            text: Text::default(),
            masked_ends: Fixed::default(),
            masked: Fixed::default(),
            masked_count: 0,
            place: Text::default(),
            latitude: Fixed::default(),
            longitude: Fixed::default(),
            reading: ReadingColumns::default(),
            subject: Fixed::default(),
            extra: Text::default(),
            case: CaseColumns::default(),
        }
    }

    /// Rows pushed since the last seal.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Roughly what the block will weigh, in bytes.
    pub fn bytes(&self) -> usize {
        self.text.bytes()
            + self.excerpt.bytes()
            + self.case_id.bytes()
            + self.place.bytes()
            + self.extra.bytes()
            + self.reading.bytes()
            + self.rows * 264
    }

    /// Adds one row. `case` is the case after the record, `None` where there is none (a rejected record).
    pub fn push(&mut self, position: Position, fate: Fate<'_>, told: &Told<'_>, case: Option<&Case>) {
        self.rows += 1;
        self.offset.u64(position.offset.0);
        self.item.u16(position.item);
        self.items.u16(position.items);
        self.kafka_time.i64(position.kafka_time);
        self.outcome.u8(fate.outcome.code());
        let reasons = &self.reasons;
        self.reason.push(reasons.number(fate.reason), |number| reasons.name(number));
        self.field.push(reasons.number(fate.field), |number| reasons.name(number));
        self.excerpt.push(fate.excerpt);
        self.event.u8(told.event.map_or(0, EventKind::code));
        self.event_at.u32(seconds_or_zero(told.event_at));
        self.case_key.u64(told.case_key.0);
        self.case_id.push(told.case_id.as_bytes());
        let takes_back = told.effects.iter().any(|effect| effect.sign < 0);
        let before = if takes_back { told.before } else { Dimensions::default() };
        let names = &self.names;
        self.previous_block.push(u16::from(before.block.0), |number| names.blocks.name(number));
        self.previous_territory.push(before.territory.0, |number| names.territories.name(number));
        self.effects.push(told.effects, names);
        self.text.push(told.text);
        for code in told.masked {
            self.masked.u8(*code);
        }
        self.masked_count += told.masked.len() as u64;
        self.masked_ends.u64(self.masked_count);
        self.place.push(told.place);
        self.latitude.f32(told.latitude);
        self.longitude.f32(told.longitude);
        self.reading.push(&told.reading, told.answer, &self.names);
        let nobody = Case::unknown(CaseKey(0));
        self.subject.u8(told.subject.code());
        self.extra.push(told.extra);
        self.case.push(case.unwrap_or(&nobody), case.is_some() && told.subject == Subject::Case, names);
    }

    /// The bytes of `INSERT … FORMAT Native`, and an empty block for the next batch.
    /// `tick` is the time of sealing (milliseconds), which the intent recorded.
    pub fn seal(&mut self, tick: i64, rules: RulesVersion) -> Vec<u8> {
        let mut out = BlockWriter::new(self.rows, self.bytes() + self.bytes() / 4);
        out.constant_word("kafka_topic", &self.stream.topic);
        out.constant("kafka_partition", "UInt16", &(self.stream.partition.0 as u16).to_le_bytes());
        out.fixed("kafka_offset", "UInt64", &mut self.offset);
        out.fixed("item", "UInt16", &mut self.item);
        out.fixed("items", "UInt16", &mut self.items);
        out.fixed("kafka_time", DATETIME64, &mut self.kafka_time);
        out.constant("sealed_at", DATETIME64, &tick.to_le_bytes());
        out.constant_word("pipeline", &self.stream.pipeline);
        out.constant("rules", "UInt32", &rules.0.to_le_bytes());
        out.fixed("outcome", &enum_type(Outcome::ALL, Outcome::name, Outcome::code, false), &mut self.outcome);
        out.dictionary("reason", &mut self.reason);
        out.dictionary("field", &mut self.field);
        out.text("excerpt", &mut self.excerpt);
        out.constant_word("source", &self.stream.source);
        out.fixed("event", &enum_type(EventKind::ALL, EventKind::name, EventKind::code, true), &mut self.event);
        out.fixed("event_at", DATETIME, &mut self.event_at);
        out.fixed("case_key", "UInt64", &mut self.case_key);
        out.text("case_id", &mut self.case_id);
        self.effects.write(&mut out);
        out.dictionary("previous_block", &mut self.previous_block);
        out.dictionary("previous_territory", &mut self.previous_territory);
        out.text("text", &mut self.text);
        out.array("masked", &masked_type(), &mut self.masked_ends, &mut [&mut self.masked]);
        self.masked_count = 0;
        out.constant("masker", "UInt16", &crate::enrich::mask::MASKER_VERSION.to_le_bytes());
        out.text("place", &mut self.place);
        out.fixed("latitude", "Float32", &mut self.latitude);
        out.fixed("longitude", "Float32", &mut self.longitude);
        self.reading.write(&mut out);
        out.fixed("subject", &enum_type(Subject::ALL, Subject::name, Subject::code, false), &mut self.subject);
        out.text("extra", &mut self.extra);
        self.case.write(&mut out);
        self.rows = 0;
        out.finish()
    }
}

impl EffectColumns {
    fn push(&mut self, effects: &[Effect], names: &NameLists) {
        for effect in effects {
            self.kind.u8(effect.kind.code());
            self.at.u32(effect.at.seconds());
            self.sign.u8(effect.sign as u8);
            self.value.i32(effect.value);
            self.body.push(names.bodies.name(effect.body.0).as_bytes());
            self.day_only.u8(u8::from(effect.day_only));
        }
        self.count += effects.len() as u64;
        self.ends.u64(self.count);
    }

    fn write(&mut self, out: &mut BlockWriter) {
        let kind = enum_type(EffectKind::ALL, EffectKind::name, EffectKind::code, false);
        let row =
            format!("Array(Tuple(kind {kind}, at {DATETIME}, sign Int8, value Int32, body String, day_only Bool))");
        let parts: &mut [&mut dyn crate::sink::native::Flat] =
            &mut [&mut self.kind, &mut self.at, &mut self.sign, &mut self.value, &mut self.body, &mut self.day_only];
        out.array("effects", &row, &mut self.ends, parts);
        self.count = 0;
    }
}

/// The `Enum8` type of a vocabulary, with an empty word zero where "not given" is possible.
pub(super) fn enum_type<T: Copy>(all: &[T], name: fn(T) -> &'static str, code: fn(T) -> u8, or_empty: bool) -> String {
    let mut words: Vec<String> = if or_empty { vec!["'' = 0".to_owned()] } else { Vec::new() };
    words.extend(all.iter().map(|word| format!("'{}' = {}", name(*word), code(*word))));
    format!("Enum8({})", words.join(", "))
}

/// The type of the column `masked`.
fn masked_type() -> String {
    format!("Array({})", enum_type(&MaskKind::ALL, MaskKind::word, MaskKind::code, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::words::{Clock, Decision, Law, MessageKind, Priority, Reaction, Status};

    #[test]
    fn the_kinds_of_the_masker_are_those_of_the_schema() {
        let schema = include_str!("../../schemas/clickhouse/0009_masked_kinds.sql");
        assert!(schema.contains(&masked_type()), "{}", masked_type());
    }

    #[test]
    fn the_enum_lists_of_the_schema_are_the_words_of_the_code() {
        let schema = concat!(
            include_str!("../../schemas/clickhouse/0001_journal.sql"),
            include_str!("../../schemas/clickhouse/0007_clocks.sql")
        );
        for list in [
            enum_type(Outcome::ALL, Outcome::name, Outcome::code, false),
            enum_type(EventKind::ALL, EventKind::name, EventKind::code, true),
            enum_type(EffectKind::ALL, EffectKind::name, EffectKind::code, false),
            enum_type(Status::ALL, Status::name, Status::code, true),
            enum_type(Priority::ALL, Priority::name, Priority::code, true),
            enum_type(MessageKind::ALL, MessageKind::name, MessageKind::code, true),
            enum_type(Law::ALL, Law::name, Law::code, true),
            enum_type(Decision::ALL, Decision::name, Decision::code, true),
            enum_type(Reaction::ALL, Reaction::name, Reaction::code, true),
            enum_type(Clock::ALL, Clock::name, Clock::code, true),
        ] {
            assert!(schema.contains(&list), "not in the schema: {list}");
        }
    }
}
