//! The state of one partition and the pure fold of records into it: decode, map, mask, apply, count, push a row.
//! Owner: the partition worker. Invariants: `process` does no IO and reads no clock; every record it takes becomes exactly
//! one journal row, or one for each of its items, all in one batch (design invariant 1); the state after a record depends on the rows before it and the rules alone.

use std::sync::Arc;

use crate::codec::Value;
use crate::codec::avro::SchemaId;
use crate::codec::payload::Room;
use crate::enrich::mask::{MaskCounts, MaskKind};
use crate::enrich::names::NameLists;
use crate::kafka::chunk::{Chunk, RecordAt};
use crate::mapping::mapper::{Mapper, Texts};
use crate::model::apply::{DeadlineRules, apply};
use crate::model::case::{BlockId, BodyId, Case, RowVersion, TerritoryId};
use crate::model::case_store::{BacklogValue, CaseStore, Found};
use crate::model::effects::{Dimensions, Effect};
use crate::model::facts::Facts;
use crate::model::ids::{CaseKey, Offset, RulesVersion};
use crate::model::reading::Reading;
use crate::model::redate::redated;
use crate::model::time::Time;
use crate::model::windows::{Retention, Windows};
use crate::model::words::{Outcome, Subject};
use crate::partition::ports::{BacklogRow, JournalFold, NewDues, StreamId};
use crate::partition::seen::Seen;
use crate::partition::tally::{LastReject, Recent, Tally};
use crate::sink::journal::{Fate, JournalBlock, Position, Told};

#[path = "fold_facts.rs"]
mod facts;
#[path = "fold_items.rs"]
mod items;

/// What bounds a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    pub rows: usize,
    pub bytes: usize,
    pub max_record_bytes: usize,
}

/// Where `process` stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The chunk is used up.
    Done,
    /// The batch is full; go on at this record after sealing.
    Full(usize),
    /// Cases that left memory are needed; bring them back and go on at this record.
    NeedsCases(usize),
    /// A schema is needed; fetch it and go on at this record.
    NeedsSchema(usize, SchemaId),
}

/// What became of one record.
enum Step {
    Done,
    /// Its items do not fit into the batch that is being filled; nothing was done.
    NoRoom,
    /// A case must be brought back first; nothing was done.
    NeedsCases,
    /// A schema must be fetched first; nothing was done.
    NeedsSchema(SchemaId),
}

/// State and rules of one partition.
pub struct Fold<R> {
    pub cases: CaseStore,
    pub windows: Windows,
    pub tally: Tally,
    pub recent: Recent,
    pub last_reject: LastReject,
    /// Cases whose clocks changed since this was last emptied; only filled where somebody empties it.
    pub clock_changes: Option<Vec<CaseKey>>,
    /// The latest backlog minute from which restored cases have new deadlines.
    pub dues_since: u32,
    journal: JournalBlock,
    mapper: Mapper,
    rules: Arc<R>,
    limits: BatchLimits,
    effects: Vec<Effect>,
    texts: Texts,
    excerpt: Vec<u8>,
    masked: Vec<u8>,
    room: Room,
    /// The items of the next record do not fit beside the rows that are there.
    is_crowded: bool,
    /// What became of the records, where somebody asks.
    seen: Option<Vec<Seen>>,
}

impl<R: DeadlineRules> Fold<R> {
    pub fn new(
        stream: StreamId,
        names: Arc<NameLists>,
        mapper: Mapper,
        rules: Arc<R>,
        limits: BatchLimits,
        retention: Retention,
    ) -> Fold<R> {
        Fold {
            cases: CaseStore::default(),
            windows: Windows::new(retention, None),
            tally: Tally::default(),
            recent: Recent::default(),
            last_reject: LastReject { offset: Offset(0), reason: "", column: String::new(), excerpt: Vec::new() },
            clock_changes: None,
            dues_since: 0,
            journal: JournalBlock::new(stream, names),
            mapper,
            rules,
            limits,
            effects: Vec::new(),
            texts: Texts::default(),
            excerpt: Vec::new(),
            masked: Vec::new(),
            room: Room::default(),
            is_crowded: false,
            seen: None,
        }
    }

    /// Tells from now on what became of each record.
    pub fn watch(&mut self) {
        self.seen = Some(Vec::new());
    }

    /// What became of the records since it was asked last.
    pub fn take_seen(&mut self) -> Vec<Seen> {
        self.seen.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Rows of the batch that is being filled.
    pub fn rows(&self) -> usize {
        self.journal.rows()
    }

    /// Bytes of the batch that is being filled.
    pub fn bytes(&self) -> usize {
        self.journal.bytes()
    }

    pub fn is_full(&self) -> bool {
        self.is_crowded || self.rows() >= self.limits.rows || self.bytes() >= self.limits.bytes
    }

    /// For a replay, whose range is given: one batch, however large.
    pub fn lift_limits(&mut self) {
        self.limits.rows = usize::MAX;
        self.limits.bytes = usize::MAX;
    }

    /// Sets what bounds a batch.
    pub fn set_limits(&mut self, limits: BatchLimits) {
        self.limits = limits;
    }

    pub fn limits(&self) -> BatchLimits {
        self.limits
    }

    /// Folds the records of the chunk from `first` on, as far as the batch has room. Records outside `wanted` were
    /// accounted before and are passed over. `now` decides only which windows are still kept.
    pub fn process(&mut self, chunk: &Chunk, first: usize, wanted: std::ops::Range<u64>, now: Time) -> Progress {
        let progress = self.process_with_reader(chunk, first, wanted, now);
        self.mapper.rest();
        progress
    }

    fn process_with_reader(
        &mut self,
        chunk: &Chunk,
        first: usize,
        wanted: std::ops::Range<u64>,
        now: Time,
    ) -> Progress {
        let mut slots = Vec::new();
        for index in first..chunk.len() {
            let (record, payload) = chunk.record(index);
            if !wanted.contains(&record.offset.0) {
                continue;
            }
            if self.is_full() {
                return Progress::Full(index);
            }
            match self.record(record, payload, &mut slots, now) {
                Step::Done => {}
                Step::NoRoom => {
                    self.is_crowded = true;
                    return Progress::Full(index);
                }
                Step::NeedsCases => return Progress::NeedsCases(index),
                Step::NeedsSchema(id) => return Progress::NeedsSchema(index, id),
            }
        }
        Progress::Done
    }

    fn record<'a>(&mut self, record: RecordAt, payload: &'a [u8], slots: &mut Vec<Value<'a>>, now: Time) -> Step {
        let position = Position { offset: record.offset, item: 0, items: 1, kafka_time: record.time.max(0) };
        if record.is_tombstone {
            self.account(position, Outcome::Ignored, "tombstone", "", "");
            return Step::Done;
        }
        if payload.len() > self.limits.max_record_bytes {
            let size = format!("{} bytes, limits.max_record_bytes is {}", payload.len(), self.limits.max_record_bytes);
            self.account(position, Outcome::Rejected, "too_large", "", &size);
            return Step::Done;
        }
        let Some(received) = Time::from_unix_millis(record.time) else {
            self.account(position, Outcome::Rejected, "no_timestamp", "", "the record has no time of Kafka");
            return Step::Done;
        };
        if self.mapper.wrapping().is_plain(payload) {
            if let Some(id) = self.mapper.missing_schema(payload) {
                return Step::NeedsSchema(id);
            }
            return if self.item(position, payload, received, slots, now) { Step::Done } else { Step::NeedsCases };
        }
        self.wrapped(position, payload, received, now)
    }

    fn apply(&mut self, position: Position, facts: &Facts, now: Time) -> bool {
        let place = match self.cases.find(facts.key) {
            Found::Here(place) => Some(place),
            Found::Unknown => None,
            Found::Evicted => return false,
        };
        let known = place.map(|place| *self.cases.at(place));
        let version = RowVersion::new(position.offset, position.item);
        self.effects.clear();
        let (case, verdict) = apply(known.as_ref(), facts, version, &*self.rules, &mut self.effects);
        let before = known.as_ref().map_or_else(Dimensions::default, Dimensions::of);
        match verdict.outcome {
            Outcome::Applied => {
                self.windows.count(&self.effects, before, Dimensions::of(&case), now);
                if let Some(changes) = &mut self.clock_changes
                    && known.as_ref().is_none_or(|known| !known.same_clocks(&case))
                {
                    changes.push(case.key);
                }
                match place {
                    Some(place) => self.cases.replace(place, case),
                    None => self.cases.insert(case),
                }
                self.tally.applied += 1;
            }
            Outcome::Duplicate => self.tally.duplicate += 1,
            Outcome::Ignored | Outcome::Rejected => self.tally.ignored += 1,
        }
        self.tally.rejects_in_a_row = 0;
        self.recent.note(false);
        list_masked(self.texts.masked, &mut self.masked);
        let mut reading = self.texts.reading;
        if verdict.outcome == Outcome::Applied {
            self.mapper.settle(known.as_ref(), &case, &mut reading);
        }
        let told = Told {
            event: Some(verdict.event),
            event_at: Some(facts.at),
            case_key: facts.key,
            case_id: &self.texts.case_id,
            effects: &self.effects,
            before,
            text: &self.texts.text,
            masked: &self.masked,
            place: &self.texts.place,
            latitude: self.texts.latitude,
            longitude: self.texts.longitude,
            reading,
            answer: &self.texts.answer,
            subject: Subject::Case,
            extra: b"",
        };
        let fate = Fate { outcome: verdict.outcome, reason: verdict.reason, field: "", excerpt: b"" };
        self.journal.push(position, fate, &told, Some(&case));
        if let Some(seen) = &mut self.seen {
            seen.push(Seen {
                position,
                outcome: verdict.outcome,
                reason: verdict.reason,
                field: String::new(),
                excerpt: String::new(),
                event: Some(verdict.event),
                subject: Subject::Case,
                at: Some(facts.at),
                case_id: self.texts.case_id.clone(),
                case: Some(case),
                masked: self.texts.masked,
                oldest_effect: self.effects.iter().map(|effect| (effect.at, effect.day_only)).min(),
            });
        }
        true
    }

    /// A row for a record that reached no case.
    fn account(&mut self, position: Position, outcome: Outcome, reason: &'static str, field: &str, detail: &str) {
        self.excerpt.clear();
        if outcome == Outcome::Rejected {
            self.mapper.mask_into(detail, &mut self.excerpt);
            self.tally.rejected += 1;
            self.tally.rejects_in_a_row += 1;
            self.recent.note(true);
            self.last_reject.offset = position.offset;
            self.last_reject.reason = reason;
            self.last_reject.column.clear();
            self.last_reject.column.push_str(field);
            self.last_reject.excerpt.clone_from(&self.excerpt);
        } else {
            self.tally.ignored += 1;
        }
        let told = Told {
            event: None,
            event_at: None,
            case_key: CaseKey(0),
            case_id: "",
            effects: &[],
            before: Dimensions::default(),
            text: b"",
            masked: b"",
            place: b"",
            latitude: 0.0,
            longitude: 0.0,
            reading: Reading::default(),
            answer: b"",
            subject: Subject::Case,
            extra: b"",
        };
        self.journal.push(position, Fate { outcome, reason, field, excerpt: &self.excerpt }, &told, None);
        if let Some(seen) = &mut self.seen {
            seen.push(Seen {
                position,
                outcome,
                reason,
                field: field.to_owned(),
                excerpt: String::from_utf8_lossy(&self.excerpt).into_owned(),
                event: None,
                subject: Subject::Case,
                at: None,
                case_id: String::new(),
                case: None,
                masked: MaskCounts::default(),
                oldest_effect: None,
            });
        }
    }

    /// Takes the text of a schema that was needed, or why there is none.
    pub fn learn_schema(&mut self, id: SchemaId, schema: Result<&str, String>) {
        self.mapper.learn_schema(id, schema);
    }

    /// Schemas that nobody knew are needed again: they may be known by now.
    pub fn forget_unusable_schemas(&mut self) {
        self.mapper.forget_unusable_schemas();
    }

    /// Folds a journal row instead of a record: the row counts, not what this process would have computed.
    pub fn fold_row(&mut self, row: &JournalFold, now: Time) {
        self.windows.count(&row.effects, row.before, Dimensions::of(&row.case), now);
        self.cases.put(row.case);
    }

    /// Other rules from now on. Only between two batches: the rows of a batch have the rules of its intent.
    pub fn adopt(&mut self, rules: Arc<R>, mapper: Mapper) {
        debug_assert_eq!(self.rows(), 0);
        self.rules = rules;
        self.mapper = mapper;
    }

    /// Counts the running clocks of all open cases under the rules as they are; gives the cases whose deadlines moved.
    pub fn redate(&mut self, since: u32, version: RulesVersion) -> Vec<NewDues> {
        let rules = &*self.rules;
        let mut moved = Vec::new();
        self.cases.change_open(|case| {
            let new = redated(case, rules)?;
            moved.push(NewDues::of(&new, since, version));
            Some(new)
        });
        if let Some(changes) = &mut self.clock_changes {
            changes.extend(moved.iter().map(|dues| dues.key));
        }
        moved
    }

    /// The case in memory, if it is there.
    pub fn case(&self, key: CaseKey) -> Option<&Case> {
        match self.cases.find(key) {
            Found::Here(place) => Some(self.cases.at(place)),
            Found::Evicted | Found::Unknown => None,
        }
    }

    /// The rules in force.
    pub fn rules(&self) -> &R {
        &self.rules
    }

    /// The bytes of the batch; the next one starts empty.
    pub fn seal(&mut self, tick: i64, rules: RulesVersion) -> Vec<u8> {
        self.is_crowded = false;
        self.journal.seal(tick, rules)
    }

    /// Counts of the sealed batch; the run of rejects goes on.
    pub fn take_tally(&mut self) -> Tally {
        let tally = self.tally;
        self.tally = Tally { rejects_in_a_row: tally.rejects_in_a_row, ..Tally::default() };
        tally
    }

    /// Open work at the start of a minute. The first row is the mark that the partition was counted at all.
    pub fn backlog(&self, minute: Time) -> Vec<BacklogRow> {
        let mark = BacklogRow {
            minute: minute.seconds(),
            block: BlockId(0),
            territory: TerritoryId(0),
            body: BodyId(0),
            value: BacklogValue::default(),
        };
        let rows = self.cases.backlog(minute).into_iter().map(|((block, territory, body), value)| BacklogRow {
            minute: minute.seconds(),
            block,
            territory,
            body,
            value,
        });
        std::iter::once(mark).chain(rows).collect()
    }
}

/// The `masked` column: the code of each identifier's kind, once for each time it was found (Enum8 of the journal).
pub(super) fn list_masked(counts: MaskCounts, out: &mut Vec<u8>) {
    out.clear();
    if counts == MaskCounts::default() {
        return;
    }
    for kind in MaskKind::ALL {
        out.extend(std::iter::repeat_n(kind.code(), usize::from(counts.of(kind))));
    }
}

/// The offset after the last record of a chunk.
pub fn end_of(chunk: &Chunk) -> Option<Offset> {
    chunk.len().checked_sub(1).map(|last| chunk.record(last).0.offset.next())
}
