//! The compiled pipeline file: turns the values of one record into facts.
//! Owner: the partition worker, one each (it remembers spellings). Invariants: a record is either mapped whole or
//! rejected with the first column that is wrong; raw text leaves here masked only; nothing depends on the wall clock.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::codec::avro::{AvroDecoder, SchemaId};
use crate::codec::payload::Wrapping;
use crate::codec::{DecodeError, Value, json};
use crate::config::pipeline::Pipeline;
use crate::enrich::identity::IdentityKey;
use crate::enrich::mask::MaskCounts;
use crate::mapping::dictionaries::{Dictionaries, Lookup};
use crate::mapping::plan::Plan;
use crate::mapping::readers::Readers;
use crate::mapping::understanding::Understanding;
use crate::model::case::Case;
use crate::model::facts::{Facts, Shape};
use crate::model::ids::CaseKey;
use crate::model::reading::Reading;
use crate::model::time::Time;
use crate::model::words::{Field, Subject};

/// Clocks of upstreams may run ahead by this much (seconds); a fact further in the future is a mistake.
const FUTURE_TOLERANCE: i64 = 86_400;
/// A case number longer than this is a mistake (bytes).
const MAX_CASE_ID_BYTES: usize = 256;

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
    pub(super) field: Option<Field>,
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
    /// Identifiers of the text and of the answer.
    pub masked: MaskCounts,
    /// Text of the answer, masked.
    pub answer: Vec<u8>,
    /// Masked, without flat.
    pub place: Vec<u8>,
    /// Rounded to about a hundred metres or what the file says; zero when unknown.
    pub latitude: f32,
    pub longitude: f32,
    /// What the words say.
    pub reading: Reading,
    /// What a record that is about no case says beside; a JSON object, masked, or empty.
    pub extra: Vec<u8>,
}

/// A pipeline ready to map records.
pub struct Mapper {
    plan: Plan,
    /// `None` for JSON.
    avro: Option<AvroDecoder>,
    identity: Arc<IdentityKey>,
    lookup: Lookup,
    readers: Arc<Readers>,
    /// Lent by `readers` from the first text on until it is given back.
    reader: Option<Box<Understanding>>,
}

impl Mapper {
    /// A mapper that shares its caches with no other.
    pub fn new(pipeline: &Pipeline, dictionaries: Arc<Dictionaries>, identity: Arc<IdentityKey>) -> Mapper {
        Mapper::sharing(pipeline, Arc::new(Readers::new(dictionaries)), identity)
    }

    /// A mapper that borrows what reads words.
    pub fn sharing(pipeline: &Pipeline, readers: Arc<Readers>, identity: Arc<IdentityKey>) -> Mapper {
        let avro = pipeline.avro.as_ref().map(AvroDecoder::new);
        let lookup = Lookup::new(readers.dictionaries().clone());
        Mapper { plan: Plan::compile(pipeline), avro, identity, lookup, readers, reader: None }
    }

    /// Gives back what reads words, for the next mapper that has records.
    pub fn rest(&mut self) {
        if let Some(reader) = self.reader.take() {
            self.readers.give_back(reader);
        }
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

    /// Appends a text of a record that has no place in its row, masked.
    pub fn mask_into(&mut self, text: &str, out: &mut Vec<u8>) -> MaskCounts {
        self.reader.get_or_insert_with(|| self.readers.lend()).mask_into(text, out)
    }

    /// Completes what the row of a record says, once its case is known; `case` is the one after the record.
    pub fn settle(&mut self, known: Option<&Case>, case: &Case, reading: &mut Reading) {
        self.reader.get_or_insert_with(|| self.readers.lend()).settle(known, case, reading);
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
        texts.answer.clear();
        texts.extra.clear();
        texts.masked = MaskCounts::default();
        (texts.latitude, texts.longitude) = (0.0, 0.0);
        texts.reading = Reading::default();
        match &self.avro {
            None => json::decode(payload, &self.plan.columns, slots)?,
            Some(avro) => avro.decode(payload, &self.plan.columns, slots)?,
        }
        self.map_values(slots, received, texts).map_err(|rejection| self.plan.with_detail(rejection, slots))
    }

    fn map_values(&mut self, slots: &[Value<'_>], received: Time, texts: &mut Texts) -> Result<Facts, Rejection> {
        let Mapper { plan, identity, lookup, readers, reader, .. } = self;
        let understanding = &mut **reader.get_or_insert_with(|| readers.lend());
        let case_id = plan.case_id(slots)?;
        if case_id.len() > MAX_CASE_ID_BYTES {
            return Err(plan.reject("bad_value", Field::CaseId));
        }
        texts.case_id.push_str(&case_id);
        let mut facts = Facts::empty(CaseKey::of(&plan.source, &case_id), plan.shape, received);
        facts.digest = digest(slots);
        match plan.subject {
            Some(Subject::Case) if plan.shape == Shape::Event => plan.map_event(slots, &mut facts)?,
            Some(subject) => facts.subject = subject,
            None => plan.map_subject(slots, &mut facts)?,
        }
        plan.map_times(slots, received, &mut facts)?;
        plan.map_words(slots, &mut facts)?;
        plan.map_numbers(slots, &mut facts)?;
        plan.map_names(slots, lookup, &mut facts)?;
        let author = plan.text(slots, Field::AuthorId)?;
        facts.author_key = identity.author_key(&plan.source, &author);
        plan.map_texts(slots, understanding, &mut facts, texts)?;
        understanding.complete(&mut facts, texts);
        plan.map_extras(slots, &facts, texts)?;
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

    /// Everything that is made of words: masked texts, and what they say.
    fn map_texts(
        &self,
        slots: &[Value<'_>],
        understanding: &mut Understanding,
        facts: &mut Facts,
        texts: &mut Texts,
    ) -> Result<(), Rejection> {
        understanding.begin();
        if let Some(text) = self.raw_text(slots, Field::Text)? {
            texts.masked = understanding.mask_into(text, &mut texts.text);
            facts.has_text = true;
            understanding.read(text);
        }
        if let Some(address) = self.raw_text(slots, Field::Address)? {
            let address = without_flat(address);
            understanding.read_address(address, &mut texts.place);
        }
        if let Some(answer) = self.raw_text(slots, Field::AnswerText)? {
            texts.masked.add_all(understanding.read_answer(answer, facts, &mut texts.answer));
        }
        texts.latitude = self.coordinate(slots, Field::Latitude, 90.0)?;
        texts.longitude = self.coordinate(slots, Field::Longitude, 180.0)?;
        Ok(())
    }
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
