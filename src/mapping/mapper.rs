//! The compiled pipeline file: turns the values of one record into facts.
//! Owner: the partition worker, one each (it remembers spellings). Invariants: a record is either mapped whole or
//! rejected with the first column that is wrong; raw text leaves here masked only; nothing depends on the wall clock.

use std::borrow::Cow;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::codec::avro::{AvroDecoder, SchemaId};
use crate::codec::payload::Wrapping;
use crate::codec::{DecodeError, Value, json};
use crate::config::pipeline::{self, Pipeline, TimeFormat, UnknownWord};
use crate::enrich::identity::IdentityKey;
use crate::enrich::mask::{MaskCounts, mask_into};
use crate::mapping::dictionaries::{Dictionaries, Lookup};
use crate::mapping::times::{read_time, time_of_day, time_of_instant};
use crate::mapping::words::{WordMap, as_text};
use crate::model::facts::{Facts, Shape};
use crate::model::ids::CaseKey;
use crate::model::time::Time;
use crate::model::words::{Decision, EventKind, Field, Law, MessageKind, Priority, Reaction, Status};

/// Clocks of upstreams may run ahead by this much (seconds); a fact further in the future is a mistake.
const FUTURE_TOLERANCE: i64 = 86_400;
/// A case number longer than this is a mistake (bytes).
const MAX_CASE_ID_BYTES: usize = 256;
/// So much of a wrong value is shown.
const MAX_DETAIL_CHARS: usize = 200;

/// Why a record cannot be used, and which column says so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejection {
    /// A stable word: `missing`, `bad_time`, `future_time`, `unknown_word`, `bad_value`, `bad_type`, or of the codec.
    pub reason: &'static str,
    /// The source's own name of the column; empty when the whole record is unreadable.
    pub column: String,
    /// What stood there (not yet masked), or what is wrong with an unreadable record. Never the record itself: its other
    /// columns hold names that no masker of texts knows.
    pub detail: String,
    field: Option<Field>,
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Rejection {
        Rejection { reason: error.reason(), column: String::new(), detail: error.to_string(), field: None }
    }
}

/// Texts of the record that the journal row keeps; buffers are used again for each record.
#[derive(Default)]
pub struct Texts {
    pub case_id: String,
    /// Masked.
    pub text: Vec<u8>,
    pub masked: MaskCounts,
    /// Masked, without flat.
    pub place: Vec<u8>,
    /// Rounded to about a hundred metres or what the file says; zero when unknown.
    pub latitude: f32,
    pub longitude: f32,
}

/// One canonical field: the slots that may hold it, or its constant.
struct Source {
    slots: Vec<usize>,
    constant: Option<Value<'static>>,
    column: String,
    format: TimeFormat,
    join: Option<Box<str>>,
    unknown_words: UnknownWord,
    decimals: u8,
}

/// A pipeline ready to map records.
pub struct Mapper {
    plan: Plan,
    /// `None` for JSON.
    avro: Option<AvroDecoder>,
    identity: Arc<IdentityKey>,
    lookup: Lookup,
}

/// The part that never changes.
struct Plan {
    source: String,
    shape: Shape,
    wrapping: Wrapping,
    columns: json::Columns,
    sources: Vec<Option<Source>>,
    required: Vec<Field>,
    empty: Vec<Box<str>>,
    yes: Vec<Box<str>>,
    no: Vec<Box<str>>,
    statuses: WordMap<Status>,
    events: WordMap<EventKind>,
    status_of_event: WordMap<Status>,
    laws: WordMap<Law>,
    decisions: WordMap<Decision>,
    reactions: WordMap<Reaction>,
    priorities: WordMap<Priority>,
    kinds: WordMap<MessageKind>,
}

impl Mapper {
    pub fn new(pipeline: &Pipeline, dictionaries: Arc<Dictionaries>, identity: Arc<IdentityKey>) -> Mapper {
        let mut names: Vec<&str> = Vec::new();
        let mut sources: Vec<Option<Source>> = Vec::new();
        sources.resize_with(Field::ALL.len() + 1, || None);
        for mapping in &pipeline.fields {
            let mut slots = Vec::new();
            for column in &mapping.columns {
                let known = names.iter().position(|name| *name == column.as_str());
                slots.push(known.unwrap_or_else(|| {
                    names.push(column);
                    names.len() - 1
                }));
            }
            sources[usize::from(mapping.field.code())] = Some(Source {
                slots,
                constant: mapping.value.clone().map(|text| Value::Text(Cow::Owned(text))),
                column: mapping.columns.join(" | "),
                format: mapping.format,
                join: mapping.join.as_deref().map(Box::from),
                unknown_words: mapping.unknown_words.unwrap_or(pipeline.unknown_words),
                decimals: mapping.decimals,
            });
        }
        let tidy_all = |words: &[String]| words.iter().map(|word| Box::from(word.trim())).collect();
        let plan = Plan {
            source: pipeline.source.clone(),
            shape: match pipeline.shape {
                pipeline::Shape::Event => Shape::Event,
                pipeline::Shape::Snapshot => Shape::Snapshot,
            },
            wrapping: Wrapping::new(pipeline.payload),
            columns: json::Columns::new(names),
            sources,
            required: pipeline.required.clone(),
            empty: tidy_all(&pipeline.empty),
            yes: tidy_all(&pipeline.yes),
            no: tidy_all(&pipeline.no),
            statuses: words(&pipeline.status_map, Status::ALL, Status::name),
            events: words(&pipeline.event_map, EventKind::ALL, EventKind::name),
            status_of_event: WordMap::new(
                pipeline.status_of_event.iter().map(|(word, status)| (word.as_str(), *status)),
            ),
            laws: words(&pipeline.law_map, Law::ALL, Law::name),
            decisions: words(&pipeline.decision_map, Decision::ALL, Decision::name),
            reactions: words(&pipeline.reaction_map, Reaction::ALL, Reaction::name),
            priorities: words(&pipeline.priority_map, Priority::ALL, Priority::name),
            kinds: words(&pipeline.kind_map, MessageKind::ALL, MessageKind::name),
        };
        let avro = pipeline.avro.as_ref().map(AvroDecoder::new);
        Mapper { plan, avro, identity, lookup: Lookup::new(dictionaries) }
    }

    /// How the items of a record are wrapped.
    pub fn wrapping(&self) -> Wrapping {
        self.plan.wrapping
    }

    /// The schema that must be fetched before an item can be read.
    pub fn missing_schema(&self, item: &[u8]) -> Option<SchemaId> {
        self.avro.as_ref()?.missing(item)
    }

    /// Takes the text of a schema, or why there is none.
    pub fn learn_schema(&mut self, id: SchemaId, schema: Result<&str, String>) {
        if let Some(avro) = &mut self.avro {
            avro.learn(id, schema);
        }
    }

    /// Asks again for schemas that nobody knew.
    pub fn forget_unusable_schemas(&mut self) {
        if let Some(avro) = &mut self.avro {
            avro.forget_unusable();
        }
    }

    /// Reads and maps one item of a record. `received` is Kafka's time of the record; `slots` is working memory.
    pub fn map<'a>(
        &mut self,
        payload: &'a [u8],
        received: Time,
        slots: &mut Vec<Value<'a>>,
        texts: &mut Texts,
    ) -> Result<Facts, Rejection> {
        texts.case_id.clear();
        texts.text.clear();
        texts.place.clear();
        texts.masked = MaskCounts::default();
        (texts.latitude, texts.longitude) = (0.0, 0.0);
        match &self.avro {
            None => json::decode(payload, &self.plan.columns, slots)?,
            Some(avro) => avro.decode(payload, &self.plan.columns, slots)?,
        }
        self.map_values(slots, received, texts).map_err(|rejection| self.plan.with_detail(rejection, slots))
    }

    fn map_values(&mut self, slots: &[Value<'_>], received: Time, texts: &mut Texts) -> Result<Facts, Rejection> {
        let Mapper { plan, identity, lookup, .. } = self;
        let case_id = plan.case_id(slots)?;
        if case_id.len() > MAX_CASE_ID_BYTES {
            return Err(plan.reject("bad_value", Field::CaseId));
        }
        texts.case_id.push_str(&case_id);
        let mut facts = Facts::empty(CaseKey::of(&plan.source, &case_id), plan.shape, received);
        facts.digest = digest(slots);
        if plan.shape == Shape::Event {
            plan.map_event(slots, &mut facts)?;
        }
        plan.map_times(slots, received, &mut facts)?;
        plan.map_words(slots, &mut facts)?;
        plan.map_numbers(slots, &mut facts)?;
        plan.map_names(slots, lookup, &mut facts)?;
        let author = plan.text(slots, Field::AuthorId)?;
        facts.author_key = identity.author_key(&plan.source, &author);
        plan.map_texts(slots, &mut facts, texts)?;
        for field in &plan.required {
            if plan.text(slots, *field)?.is_empty() {
                return Err(plan.reject("missing", *field));
            }
        }
        Ok(facts)
    }
}

impl Plan {
    fn map_event(&self, slots: &[Value<'_>], facts: &mut Facts) -> Result<(), Rejection> {
        let word = self.required_text(slots, Field::Event)?;
        let Some(event) = self.events.get(&word) else {
            return Err(self.reject("unknown_word", Field::Event)); // without its kind an event means nothing
        };
        facts.event = Some(event);
        facts.status = self.status_of_event.get(&word);
        Ok(())
    }

    fn map_times(&self, slots: &[Value<'_>], received: Time, facts: &mut Facts) -> Result<(), Rejection> {
        let latest = received.plus_seconds(FUTURE_TOLERANCE);
        if self.shape == Shape::Event {
            let Some(at) = self.time(slots, Field::EventAt, Some(latest), facts)? else {
                return Err(self.reject("missing", Field::EventAt));
            };
            facts.at = at;
        }
        facts.registered_at = self.time(slots, Field::RegisteredAt, Some(latest), facts)?;
        facts.completed_at = self.time(slots, Field::CompletedAt, Some(latest), facts)?;
        let day_only = facts.day_only;
        facts.planned_at = self.time(slots, Field::PlannedAt, None, facts)?;
        facts.day_only = day_only; // a deadline given as a day does not make the facts so
        Ok(())
    }

    fn map_words(&self, slots: &[Value<'_>], facts: &mut Facts) -> Result<(), Rejection> {
        if let Some(status) = self.word(slots, Field::Status, &self.statuses)? {
            facts.status = Some(status);
        }
        facts.law = self.word(slots, Field::Law, &self.laws)?;
        facts.decision = self.word(slots, Field::Decision, &self.decisions)?;
        facts.reaction = self.word(slots, Field::Reaction, &self.reactions)?;
        facts.priority = self.word(slots, Field::Priority, &self.priorities)?;
        facts.kind = self.word(slots, Field::Kind, &self.kinds)?;
        facts.fast_track = self.flag(slots, Field::FastTrack)?;
        facts.source_overdue = self.flag(slots, Field::SourceOverdue)?;
        Ok(())
    }

    fn map_numbers(&self, slots: &[Value<'_>], facts: &mut Facts) -> Result<(), Rejection> {
        let rating = self.text(slots, Field::Rating)?;
        if !rating.is_empty() {
            let mark = rating.strip_suffix(".0").unwrap_or(&rating).parse().ok().filter(|mark| (1..=5).contains(mark));
            facts.rating = Some(mark.ok_or_else(|| self.reject("bad_value", Field::Rating))?);
        }
        let review = self.text(slots, Field::Review)?;
        if !review.is_empty() {
            let rounds = match self.truth(&review) {
                Some(again) => u8::from(again),
                None => review.parse().map_err(|_| self.reject("bad_value", Field::Review))?,
            };
            facts.review = Some(rounds);
        }
        Ok(())
    }

    fn map_names(&self, slots: &[Value<'_>], lookup: &mut Lookup, facts: &mut Facts) -> Result<(), Rejection> {
        let topic = self.text(slots, Field::Topic)?;
        let subcategory = self.text(slots, Field::Subcategory)?;
        let category = self.text(slots, Field::Category)?;
        let block = self.text(slots, Field::Block)?;
        let (received_body, body) = (self.text(slots, Field::ReceivedBody)?, self.text(slots, Field::Body)?);
        let (territory, network) = (self.text(slots, Field::Territory)?, self.text(slots, Field::Network)?);

        let theme = lookup.theme(&[&topic, &subcategory, &category, &block]);
        let given = [&topic, &subcategory, &category, &block].iter().any(|word| !word.is_empty());
        facts.topic = given.then_some(theme.topic);
        facts.block = given.then_some(theme.block);
        let coarse = if category.is_empty() { &topic } else { &category };
        facts.category = (!coarse.is_empty()).then(|| lookup.word(coarse));
        facts.received_body = (!received_body.is_empty()).then(|| lookup.body(&received_body));
        facts.body = (!body.is_empty()).then(|| lookup.body(&body));
        facts.territory = (!territory.is_empty()).then(|| lookup.territory(&territory));
        facts.network = (!network.is_empty()).then(|| lookup.word(&network));
        Ok(())
    }

    fn map_texts(&self, slots: &[Value<'_>], facts: &mut Facts, texts: &mut Texts) -> Result<(), Rejection> {
        if let Some(text) = self.raw_text(slots, Field::Text)? {
            texts.masked = mask_into(text, &mut texts.text);
            facts.has_text = true;
        }
        if let Some(address) = self.raw_text(slots, Field::Address)? {
            mask_into(without_flat(address), &mut texts.place);
        }
        texts.latitude = self.coordinate(slots, Field::Latitude, 90.0)?;
        texts.longitude = self.coordinate(slots, Field::Longitude, 180.0)?;
        Ok(())
    }

    fn source_of(&self, field: Field) -> Option<&Source> {
        self.sources[usize::from(field.code())].as_ref()
    }

    fn reject(&self, reason: &'static str, field: Field) -> Rejection {
        let column = match self.source_of(field) {
            Some(source) if !source.column.is_empty() => source.column.clone(),
            _ => field.name().to_owned(),
        };
        Rejection { reason, column, detail: String::new(), field: Some(field) }
    }

    /// Adds what stood in the column, unless the column is one that holds people.
    fn with_detail(&self, mut rejection: Rejection, slots: &[Value<'_>]) -> Rejection {
        const PEOPLE: [Field; 4] = [Field::AuthorId, Field::Text, Field::AnswerText, Field::Address];
        if let Some(field) = rejection.field.filter(|field| !PEOPLE.contains(field))
            && let Some(value) = self.value(slots, field)
        {
            rejection.detail = match as_text(value) {
                Ok(text) => text.chars().take(MAX_DETAIL_CHARS).collect(),
                Err(found) => found.to_owned(),
            };
        }
        rejection
    }

    /// The first value of the field that is not one of the source's ways to say nothing.
    fn value<'s, 'a>(&'s self, slots: &'s [Value<'a>], field: Field) -> Option<&'s Value<'a>> {
        let source = self.source_of(field)?;
        if let Some(constant) = &source.constant {
            return Some(constant);
        }
        source.slots.iter().map(|slot| &slots[*slot]).find(|value| match value {
            Value::Missing | Value::Null => false,
            Value::Text(text) => {
                let text = text.trim();
                !text.is_empty() && !self.empty.iter().any(|word| **word == *text)
            }
            _ => true,
        })
    }

    /// The field as tidy text, empty when it is not given.
    fn text<'s>(&'s self, slots: &'s [Value<'_>], field: Field) -> Result<Cow<'s, str>, Rejection> {
        match self.value(slots, field) {
            None => Ok(Cow::Borrowed("")),
            Some(value) => as_text(value).map_err(|_| self.reject("bad_type", field)),
        }
    }

    fn required_text<'s>(&'s self, slots: &'s [Value<'_>], field: Field) -> Result<Cow<'s, str>, Rejection> {
        let text = self.text(slots, field)?;
        if text.is_empty() { Err(self.reject("missing", field)) } else { Ok(text) }
    }

    /// The number of the case; a joined one needs all its parts.
    fn case_id<'s>(&'s self, slots: &'s [Value<'_>]) -> Result<Cow<'s, str>, Rejection> {
        let Some((source, join)) =
            self.source_of(Field::CaseId).and_then(|source| Some((source, source.join.as_ref()?)))
        else {
            return self.required_text(slots, Field::CaseId);
        };
        let mut id = String::new();
        for (index, slot) in source.slots.iter().enumerate() {
            let value = &slots[*slot];
            let part = as_text(value).map_err(|_| self.reject("bad_type", Field::CaseId))?;
            if part.is_empty() || self.empty.iter().any(|word| **word == *part) {
                return Err(self.reject("missing", Field::CaseId));
            }
            if index > 0 {
                id.push_str(join);
            }
            id.push_str(&part);
        }
        Ok(Cow::Owned(id))
    }

    fn unknown_words(&self, field: Field) -> UnknownWord {
        self.source_of(field).map_or(UnknownWord::Reject, |source| source.unknown_words)
    }

    /// A free text, not tidied.
    fn raw_text<'s>(&'s self, slots: &'s [Value<'_>], field: Field) -> Result<Option<&'s str>, Rejection> {
        match self.value(slots, field) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.reject("bad_type", field)),
        }
    }

    fn time(
        &self,
        slots: &[Value<'_>],
        field: Field,
        latest: Option<Time>,
        facts: &mut Facts,
    ) -> Result<Option<Time>, Rejection> {
        let read = match self.value(slots, field) {
            Some(Value::Instant(millis)) => time_of_instant(*millis),
            Some(Value::Day(days)) => time_of_day(*days),
            _ => {
                let text = self.text(slots, field)?;
                if text.is_empty() {
                    return Ok(None);
                }
                let format = self.source_of(field).map_or(TimeFormat::Iso8601, |source| source.format);
                read_time(&text, format)
            }
        };
        let read = read.ok_or_else(|| self.reject("bad_time", field))?;
        if latest.is_some_and(|latest| read.at > latest) {
            return Err(self.reject("future_time", field));
        }
        facts.day_only |= read.day_only;
        Ok(Some(read.at))
    }

    fn word<T: Copy>(&self, slots: &[Value<'_>], field: Field, map: &WordMap<T>) -> Result<Option<T>, Rejection> {
        let word = self.text(slots, field)?;
        if word.is_empty() {
            return Ok(None);
        }
        match (map.get(&word), self.unknown_words(field)) {
            (Some(meaning), _) => Ok(Some(meaning)),
            (None, UnknownWord::Ignore) => Ok(None),
            (None, UnknownWord::Reject) => Err(self.reject("unknown_word", field)),
        }
    }

    fn truth(&self, word: &str) -> Option<bool> {
        if self.yes.iter().any(|yes| **yes == *word) {
            return Some(true);
        }
        self.no.iter().any(|no| **no == *word).then_some(false)
    }

    fn flag(&self, slots: &[Value<'_>], field: Field) -> Result<Option<bool>, Rejection> {
        if let Some(Value::Bool(flag)) = self.value(slots, field) {
            return Ok(Some(*flag));
        }
        let word = self.text(slots, field)?;
        if word.is_empty() {
            return Ok(None);
        }
        match (self.truth(&word), self.unknown_words(field)) {
            (Some(flag), _) => Ok(Some(flag)),
            (None, UnknownWord::Ignore) => Ok(None),
            (None, UnknownWord::Reject) => Err(self.reject("unknown_word", field)),
        }
    }

    fn coordinate(&self, slots: &[Value<'_>], field: Field, limit: f64) -> Result<f32, Rejection> {
        let degrees = match self.value(slots, field) {
            None => return Ok(0.0),
            Some(Value::Real(number)) => *number,
            Some(Value::Integer(number)) => *number as f64,
            Some(value) => {
                let text = as_text(value).map_err(|_| self.reject("bad_type", field))?;
                text.replace(',', ".").parse().map_err(|_| self.reject("bad_value", field))?
            }
        };
        if !degrees.is_finite() || degrees.abs() > limit {
            return Err(self.reject("bad_value", field));
        }
        let unit = 10f64.powi(i32::from(self.source_of(field).map_or(0, |source| source.decimals)));
        Ok(((degrees * unit).round() / unit) as f32)
    }
}

/// The file's own map, or the canonical words where it has none.
fn words<T: Copy>(map: &[(String, T)], all: &[T], name: fn(T) -> &'static str) -> WordMap<T> {
    if map.is_empty() {
        return WordMap::new(all.iter().map(|word| (name(*word), *word)));
    }
    WordMap::new(map.iter().map(|(word, meaning)| (word.as_str(), *meaning)))
}

/// Hash of everything the record says in columns that the pipeline names, whatever their order in the record.
fn digest(slots: &[Value<'_>]) -> u64 {
    let mut hash = 0;
    for value in slots {
        hash = match value {
            Value::Missing | Value::Null => xxh3_64_with_seed(b"\0", hash),
            Value::Text(text) => xxh3_64_with_seed(text.as_bytes(), hash),
            Value::Integer(number) => xxh3_64_with_seed(&number.to_le_bytes(), hash),
            Value::Real(number) => xxh3_64_with_seed(&number.to_le_bytes(), hash),
            Value::Bool(flag) => xxh3_64_with_seed(&[1, u8::from(*flag)], hash),
            Value::Instant(millis) => xxh3_64_with_seed(&millis.to_le_bytes(), hash),
            Value::Day(days) => xxh3_64_with_seed(&days.to_le_bytes(), hash),
            Value::Composite(what) => xxh3_64_with_seed(what.as_bytes(), hash),
        };
    }
    hash
}

/// Street and house make a hot spot; the flat makes a person.
fn without_flat(address: &str) -> &str {
    let is_flat = |at: &usize| {
        let (before, after) = (&address[..*at], &address[at + "кв".len()..]);
        before.ends_with(',') || before.ends_with(' ') && (after.starts_with(['.', ' ']) || after.starts_with("артира"))
    };
    let cut = memchr::memmem::find_iter(address.as_bytes(), "кв").find(is_flat).map_or(address.len(), |at| at - 1);
    address[..cut].trim_end_matches([' ', ','])
}

#[cfg(test)]
#[path = "mapper_tests.rs"]
mod tests;
