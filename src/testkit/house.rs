//! The tables of one ClickHouse, as far as a partition touches them.
//! Invariants, as the server has them: a block lands whole or not at all; a block whose token is remembered is dropped
//! without a word, whatever its rows are; the window of tokens counts parts; an upsert with a newer version, or a later
//! one with the same, wins. The sums here share no code with the worker's windows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::enrich::names::NameLists;
use crate::model::case::{BlockId, BodyId, Case, RowVersion, TerritoryId};
use crate::model::case_store::BacklogValue;
use crate::model::effects::{Dimensions, Effect};
use crate::model::ids::{CaseKey, Offset, OffsetRange};
use crate::model::time::Time;
use crate::model::windows::{ColdWindow, Retention, WindowKey, WindowUnit, WindowValue};
use crate::model::words::EffectKind;
use crate::partition::ports::{BacklogRow, JournalFold, NewDues};
use crate::testkit::block::{Row, read_block};

/// What `tsur` accepts at least as the window of a table (see `migrations`).
pub const TOKENS: usize = 1000;

/// Windows by key, with the version that is the truth.
pub type WindowTable = BTreeMap<WindowKey, (Offset, WindowValue)>;
/// Minute, block, territory, body.
pub type BacklogKey = (u32, BlockId, TerritoryId, BodyId);

/// How far an insert came when the server died.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Torn {
    TokenOnly,
    JournalOnly,
}

/// The tables.
pub struct House {
    pub names: Arc<NameLists>,
    pub journal: Vec<Row>,
    /// Offsets of rows that the table `cases` has not got.
    pub missing_in_cases: BTreeSet<Offset>,
    /// What the next insert leaves behind; see `Fault::Torn`.
    pub torn: Option<Torn>,
    tokens: VecDeque<String>,
    pub sla: WindowTable,
    pub satisfaction: WindowTable,
    pub backlog: BTreeMap<BacklogKey, (Offset, BacklogValue)>,
    /// `case_dues` by case, row and minute.
    pub dues: BTreeMap<(CaseKey, RowVersion, u32), NewDues>,
}

impl House {
    pub fn new(names: Arc<NameLists>) -> House {
        House {
            names,
            journal: Vec::new(),
            missing_in_cases: BTreeSet::new(),
            torn: None,
            tokens: VecDeque::new(),
            sla: WindowTable::new(),
            satisfaction: WindowTable::new(),
            backlog: BTreeMap::new(),
            dues: BTreeMap::new(),
        }
    }

    /// `INSERT INTO events`: `false` when the block was dropped for its token.
    pub fn insert(&mut self, block: &[u8], token: &str) -> bool {
        if self.tokens.iter().any(|known| known == token) {
            return false;
        }
        self.remember(token.to_owned());
        let torn = self.torn.take();
        if torn == Some(Torn::TokenOnly) {
            return true;
        }
        let rows = read_block(block, &self.names);
        if torn == Some(Torn::JournalOnly) {
            self.missing_in_cases.extend(rows.iter().map(|row| row.offset));
        }
        self.journal.extend(rows);
        true
    }

    /// `INSERT INTO cases SELECT …` of a range.
    pub fn refill_cases(&mut self, range: OffsetRange) {
        self.missing_in_cases.retain(|offset| !range.contains(*offset));
    }

    fn remember(&mut self, token: String) {
        self.tokens.push_back(token);
        if self.tokens.len() > TOKENS {
            self.tokens.pop_front();
        }
    }

    /// Other partitions insert as many parts as the table remembers.
    pub fn others_insert(&mut self) {
        self.tokens.clear();
    }

    /// `ALTER TABLE … DELETE` of a topic everywhere: the rows go, the tokens stay.
    pub fn delete_rows(&mut self) {
        self.journal.clear();
        self.missing_in_cases.clear();
        self.sla.clear();
        self.satisfaction.clear();
        self.backlog.clear();
        self.dues.clear();
    }

    /// Gives a case the new deadlines that it had in a minute.
    pub fn give_dues(&self, case: &mut Case, minute: u32) {
        let of_row = (case.key, case.version, 0)..=(case.key, case.version, minute);
        if let Some((_, dues)) = self.dues.range(of_row).next_back() {
            dues.give(case);
        }
    }

    pub fn rows_in(&self, range: OffsetRange) -> u64 {
        self.journal.iter().filter(|row| range.contains(row.offset)).count() as u64
    }

    /// The same for what reached the table `cases`.
    pub fn applied_in_cases(&self, range: OffsetRange) -> Vec<JournalFold> {
        let mut rows: Vec<&Row> = self.journal.iter().filter(|row| range.contains(row.offset)).collect();
        rows.retain(|row| !self.missing_in_cases.contains(&row.offset));
        rows.sort_by_key(|row| (row.offset, row.item));
        rows.into_iter().filter_map(|row| row.fold.clone()).collect()
    }

    /// The applied rows of the range in the order of the log.
    pub fn applied(&self, range: OffsetRange) -> Vec<JournalFold> {
        let mut rows: Vec<&Row> = self.journal.iter().filter(|row| range.contains(row.offset)).collect();
        rows.sort_by_key(|row| (row.offset, row.item));
        rows.into_iter().filter_map(|row| row.fold.clone()).collect()
    }

    /// Every effect below the offset with the tick of its row and its dimensions.
    fn effects(&self, below: Offset) -> Vec<(&Row, &Effect, Dimensions)> {
        let mut effects = Vec::new();
        for row in self.journal.iter().filter(|row| row.offset < below) {
            let Some(fold) = &row.fold else { continue };
            for effect in &fold.effects {
                let dims = if effect.sign < 0 { fold.before } else { Dimensions::of(&fold.case) };
                effects.push((row, effect, dims));
            }
        }
        effects
    }

    pub fn stream_time(&self, below: Offset) -> Option<Time> {
        let real = |row: &Row, at: Time| i64::from(at.seconds()) <= row.sealed_at / 1000 + 86_400;
        self.effects(below).into_iter().filter(|(row, effect, _)| real(row, effect.at)).map(|(_, e, _)| e.at).max()
    }

    /// Every window below the offset, summed from nothing.
    pub fn recount(&self, below: Offset) -> BTreeMap<WindowKey, WindowValue> {
        let mut windows: BTreeMap<WindowKey, WindowValue> = BTreeMap::new();
        for (row, effect, dims) in self.effects(below) {
            for (unit, start) in windows_of(effect, row.sealed_at) {
                let key = WindowKey { unit, start, block: dims.block, territory: dims.territory, body: effect.body };
                add(windows.entry(key).or_default(), effect);
            }
        }
        windows
    }

    /// Windows behind the horizon in rows that were sealed within the look-back of the newest.
    pub fn recently_cold(&self, below: Offset, horizons: [(WindowUnit, u32); 3]) -> Vec<ColdWindow> {
        let newest = self.journal.iter().filter(|row| row.offset < below).map(|row| row.sealed_at).max();
        let lookback = i64::from(crate::sink::window_sql::RECOUNT_LOOKBACK) * 1000;
        let mut cold: BTreeMap<(WindowUnit, u32), bool> = BTreeMap::new();
        for (row, effect, _) in self.effects(below) {
            if newest.is_some_and(|newest| row.sealed_at < newest - lookback) {
                continue;
            }
            for (unit, start) in windows_of(effect, row.sealed_at) {
                if horizons.iter().any(|(of, from)| *of == unit && start < *from) {
                    *cold.entry((unit, start)).or_default() |= is_about_satisfaction(effect);
                }
            }
        }
        let windows = cold.into_iter();
        windows.map(|((unit, start), about_satisfaction)| ColdWindow { unit, start, about_satisfaction }).collect()
    }

    pub fn upsert_windows(&mut self, windows: &[(WindowKey, WindowValue)], version: Offset) {
        for (key, value) in windows {
            let (sla, satisfaction) = split(value);
            upsert(&mut self.sla, *key, version, sla);
            if value.has_satisfaction() {
                upsert(&mut self.satisfaction, *key, version, satisfaction);
            }
        }
    }

    pub fn upsert_backlog(&mut self, rows: &[BacklogRow], version: Offset) {
        for row in rows {
            upsert(&mut self.backlog, (row.minute, row.block, row.territory, row.body), version, row.value);
        }
    }

    /// `INSERT INTO sla_windows SELECT …` of whole windows, and the same for satisfaction where it is concerned.
    pub fn recount_cold(&mut self, cold: &[ColdWindow], version: Offset) {
        for (key, value) in self.recount(version) {
            let Some(window) = cold.iter().find(|cold| (cold.unit, cold.start) == (key.unit, key.start)) else {
                continue;
            };
            let (sla, satisfaction) = split(&value);
            upsert(&mut self.sla, key, version, sla);
            if window.about_satisfaction && value.has_satisfaction() {
                upsert(&mut self.satisfaction, key, version, satisfaction);
            }
        }
    }
}

fn upsert<K: Ord, V>(table: &mut BTreeMap<K, (Offset, V)>, key: K, version: Offset, value: V) {
    if table.get(&key).is_none_or(|(known, _)| version >= *known) {
        table.insert(key, (version, value));
    }
}

fn is_about_satisfaction(effect: &Effect) -> bool {
    matches!(effect.kind, EffectKind::Rated | EffectKind::Reacted)
}

fn windows_of(effect: &Effect, sealed_at: i64) -> Vec<(WindowUnit, u32)> {
    let keep = Retention::OF_TABLES;
    let kept = |start: u32, seconds: u32| i64::from(start) + i64::from(seconds) >= sealed_at / 1000;
    let starts = WindowUnit::ALL.into_iter().map(|unit| (unit, unit.start(effect.at)));
    let wanted = starts.filter(|(unit, start)| match unit {
        WindowUnit::Minute => !effect.day_only && kept(*start, keep.minute),
        WindowUnit::Hour => !effect.day_only && kept(*start, keep.hour),
        WindowUnit::Day => true,
    });
    wanted.collect()
}

fn add(window: &mut WindowValue, effect: &Effect) {
    let sign = i32::from(effect.sign);
    let seconds = i64::from(sign) * i64::from(effect.value);
    match effect.kind {
        EffectKind::Registered => window.registered += sign,
        EffectKind::FirstAnswered => {
            window.first_answered += sign;
            window.first_seconds += seconds;
        }
        EffectKind::Answered => {
            window.answered += sign;
            window.answer_seconds += seconds;
        }
        EffectKind::Closed => window.closed += sign,
        EffectKind::FirstBreached => window.first_breached += sign,
        EffectKind::FinalBreached => window.final_breached += sign,
        EffectKind::Returned => window.returned += sign,
        EffectKind::Reopened => window.reopened += sign,
        EffectKind::Deferred => window.deferred += sign,
        EffectKind::Declined => window.declined += sign,
        EffectKind::Transferred => window.transferred += sign,
        EffectKind::Merged => window.merged += sign,
        EffectKind::StageBreached => window.stage_breached += sign,
        EffectKind::Held => window.held_seconds += seconds,
        EffectKind::Rated => {
            window.rated += sign;
            window.rating_sum += sign * effect.value;
            window.rated_high += if effect.value >= 4 { sign } else { 0 };
            window.rated_low += if effect.value <= 2 { sign } else { 0 };
        }
        EffectKind::Reacted => {
            window.satisfied += if effect.value > 0 { sign } else { 0 };
            window.not_satisfied += if effect.value > 0 { 0 } else { sign };
        }
    }
}

/// The shares of the two tables.
pub fn split(value: &WindowValue) -> (WindowValue, WindowValue) {
    let satisfaction = WindowValue {
        rated: value.rated,
        rating_sum: value.rating_sum,
        rated_high: value.rated_high,
        rated_low: value.rated_low,
        satisfied: value.satisfied,
        not_satisfied: value.not_satisfied,
        ..WindowValue::default()
    };
    let sla =
        WindowValue { rated: 0, rating_sum: 0, rated_high: 0, rated_low: 0, satisfied: 0, not_satisfied: 0, ..*value };
    (sla, satisfaction)
}
