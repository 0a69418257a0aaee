//! The compiled form of a pipeline file: which slots hold which field, what its words mean, and how one field is read.
//! Owner: the mapper. Invariants: nothing changes after `compile`; a field that cannot be read rejects the record and
//! names the source's own column; a value that the source uses to say nothing is no value.

use std::borrow::Cow;

use crate::codec::payload::Wrapping;
use crate::codec::{Value, json};
use crate::config::pipeline::{self, Pipeline, TimeFormat, UnknownWord};
use crate::mapping::mapper::Rejection;
use crate::mapping::times::{read_time, time_of_day, time_of_instant};
use crate::mapping::words::{WordMap, as_text};
use crate::model::facts::{Facts, Shape};
use crate::model::time::Time;
use crate::model::words::{Decision, EventKind, Field, Law, MessageKind, Priority, Reaction, Status, Subject};

/// So much of a wrong value is shown.
const MAX_DETAIL_CHARS: usize = 200;

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

/// The part that never changes.
pub(super) struct Plan {
    pub(super) source: String,
    pub(super) shape: Shape,
    /// What a record is about where no word of it says so.
    pub(super) subject: Option<Subject>,
    pub(super) subjects: WordMap<Subject>,
    pub(super) wrapping: Wrapping,
    pub(super) columns: json::Columns,
    sources: Vec<Option<Source>>,
    pub(super) required: Vec<Field>,
    empty: Vec<Box<str>>,
    yes: Vec<Box<str>>,
    no: Vec<Box<str>>,
    pub(super) statuses: WordMap<Status>,
    pub(super) events: WordMap<EventKind>,
    pub(super) status_of_event: WordMap<Status>,
    pub(super) laws: WordMap<Law>,
    pub(super) decisions: WordMap<Decision>,
    pub(super) reactions: WordMap<Reaction>,
    pub(super) priorities: WordMap<Priority>,
    pub(super) kinds: WordMap<MessageKind>,
}

impl Plan {
    pub(super) fn compile(pipeline: &Pipeline) -> Plan {
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
        Plan {
            source: pipeline.source.clone(),
            shape: match pipeline.shape {
                pipeline::Shape::Event | pipeline::Shape::Vote | pipeline::Shape::Page => Shape::Event,
                pipeline::Shape::Snapshot => Shape::Snapshot,
            },
            subject: match pipeline.shape {
                pipeline::Shape::Event | pipeline::Shape::Snapshot => Some(Subject::Case),
                pipeline::Shape::Page => Some(Subject::Page),
                pipeline::Shape::Vote => None,
            },
            subjects: WordMap::new(pipeline.subject_map.iter().map(|(word, subject)| (word.as_str(), *subject))),
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
        }
    }

    fn source_of(&self, field: Field) -> Option<&Source> {
        self.sources[usize::from(field.code())].as_ref()
    }

    pub(super) fn reject(&self, reason: &'static str, field: Field) -> Rejection {
        let column = match self.source_of(field) {
            Some(source) if !source.column.is_empty() => source.column.clone(),
            _ => field.name().to_owned(),
        };
        Rejection { reason, column, detail: String::new(), field: Some(field) }
    }

    /// Adds what stood in the column, unless the column is one that holds people.
    pub(super) fn with_detail(&self, mut rejection: Rejection, slots: &[Value<'_>]) -> Rejection {
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
    pub(super) fn text<'s>(&'s self, slots: &'s [Value<'_>], field: Field) -> Result<Cow<'s, str>, Rejection> {
        match self.value(slots, field) {
            None => Ok(Cow::Borrowed("")),
            Some(value) => as_text(value).map_err(|_| self.reject("bad_type", field)),
        }
    }

    pub(super) fn required_text<'s>(&'s self, slots: &'s [Value<'_>], field: Field) -> Result<Cow<'s, str>, Rejection> {
        let text = self.text(slots, field)?;
        if text.is_empty() { Err(self.reject("missing", field)) } else { Ok(text) }
    }

    /// The number of the case; a joined one needs all its parts.
    pub(super) fn case_id<'s>(&'s self, slots: &'s [Value<'_>]) -> Result<Cow<'s, str>, Rejection> {
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
    pub(super) fn raw_text<'s>(&'s self, slots: &'s [Value<'_>], field: Field) -> Result<Option<&'s str>, Rejection> {
        match self.value(slots, field) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.reject("bad_type", field)),
        }
    }

    pub(super) fn time(
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

    pub(super) fn word<T: Copy>(
        &self,
        slots: &[Value<'_>],
        field: Field,
        map: &WordMap<T>,
    ) -> Result<Option<T>, Rejection> {
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

    pub(super) fn truth(&self, word: &str) -> Option<bool> {
        if self.yes.iter().any(|yes| **yes == *word) {
            return Some(true);
        }
        self.no.iter().any(|no| **no == *word).then_some(false)
    }

    pub(super) fn flag(&self, slots: &[Value<'_>], field: Field) -> Result<Option<bool>, Rejection> {
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

    pub(super) fn coordinate(&self, slots: &[Value<'_>], field: Field, limit: f64) -> Result<f32, Rejection> {
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
