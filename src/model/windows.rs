//! Tumbling windows of one partition: sums of effects by minute, hour and Moscow day × block × territory × body.
//! Owner: the partition worker. Invariants: a window in memory holds its whole value (never a delta), so a row written
//! from it may be written again; every window at or after the horizon is in memory, every older one is recounted from
//! the journal by the sink ("cold"); stream time (the newest effect) moves the horizon, the wall clock never does.

use std::collections::BTreeMap;

use hashbrown::HashMap;

use crate::model::case::{BlockId, BodyId, TerritoryId};
use crate::model::effects::{Dimensions, Effect};
use crate::model::time::Time;
use crate::model::words::EffectKind;

/// The length of a window.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum WindowUnit {
    Minute = 1,
    Hour = 2,
    Day = 3,
}

impl WindowUnit {
    pub const ALL: [WindowUnit; 3] = [WindowUnit::Minute, WindowUnit::Hour, WindowUnit::Day];

    /// Start of the window that holds the instant.
    pub fn start(self, at: Time) -> u32 {
        match self {
            WindowUnit::Minute => at.seconds() - at.seconds() % 60,
            WindowUnit::Hour => at.seconds() - at.seconds() % 3600, // Moscow is a whole number of hours from UTC
            WindowUnit::Day => at.moscow_midnight().seconds(),
        }
    }

    /// How far behind stream time a window stays in memory, in seconds.
    fn horizon(self) -> u32 {
        match self {
            WindowUnit::Minute => 3 * 3600,
            WindowUnit::Hour => 4 * 86_400,
            WindowUnit::Day => 400 * 86_400, // a re-delivered year of an export dated by days stays in memory
        }
    }

    /// Name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            WindowUnit::Minute => "minute",
            WindowUnit::Hour => "hour",
            WindowUnit::Day => "day",
        }
    }
}

/// How long windows of a length are kept at all, in seconds before the present; older ones are not written.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    pub minute: u32,
    pub hour: u32,
}

impl Retention {
    /// The TTL of the tables (`schemas/clickhouse/0003_windows.sql`) in seconds; both change together, by a migration.
    pub const OF_TABLES: Retention = Retention { minute: 3 * 86_400, hour: 90 * 86_400 };

    /// The oldest instant whose windows of this length are still kept.
    fn oldest(&self, unit: WindowUnit, now: Time) -> u32 {
        match unit {
            WindowUnit::Minute => now.seconds().saturating_sub(self.minute),
            WindowUnit::Hour => now.seconds().saturating_sub(self.hour),
            WindowUnit::Day => 0,
        }
    }
}

/// Which window, under which dimensions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct WindowKey {
    pub unit: WindowUnit,
    pub start: u32,
    pub block: BlockId,
    pub territory: TerritoryId,
    pub body: BodyId,
}

/// A window behind the horizon whose rows must be recounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColdWindow {
    pub unit: WindowUnit,
    pub start: u32,
    /// It got a mark or a reaction, so its satisfaction rows are to be recounted too.
    pub about_satisfaction: bool,
}

/// The whole value of one window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WindowValue {
    pub registered: i32,
    pub first_answered: i32,
    pub first_seconds: i64,
    pub answered: i32,
    pub answer_seconds: i64,
    pub closed: i32,
    pub first_breached: i32,
    pub final_breached: i32,
    pub returned: i32,
    pub reopened: i32,
    pub deferred: i32,
    pub declined: i32,
    pub transferred: i32,
    pub merged: i32,
    pub stage_breached: i32,
    pub held_seconds: i64,
    pub rated: i32,
    pub rating_sum: i32,
    pub rated_high: i32,
    pub rated_low: i32,
    pub satisfied: i32,
    pub not_satisfied: i32,
}

impl WindowValue {
    fn add(&mut self, effect: &Effect) {
        let sign = i32::from(effect.sign);
        let value = i64::from(effect.sign) * i64::from(effect.value);
        match effect.kind {
            EffectKind::Registered => self.registered += sign,
            EffectKind::FirstAnswered => {
                self.first_answered += sign;
                self.first_seconds += value;
            }
            EffectKind::Answered => {
                self.answered += sign;
                self.answer_seconds += value;
            }
            EffectKind::Closed => self.closed += sign,
            EffectKind::FirstBreached => self.first_breached += sign,
            EffectKind::FinalBreached => self.final_breached += sign,
            EffectKind::Returned => self.returned += sign,
            EffectKind::Reopened => self.reopened += sign,
            EffectKind::Deferred => self.deferred += sign,
            EffectKind::Declined => self.declined += sign,
            EffectKind::Transferred => self.transferred += sign,
            EffectKind::Merged => self.merged += sign,
            EffectKind::StageBreached => self.stage_breached += sign,
            EffectKind::Held => self.held_seconds += value,
            EffectKind::Rated => {
                self.rated += sign;
                self.rating_sum += value as i32;
                self.rated_high += if effect.value >= 4 { sign } else { 0 };
                self.rated_low += if effect.value <= 2 { sign } else { 0 };
            }
            EffectKind::Reacted if effect.value > 0 => self.satisfied += sign,
            EffectKind::Reacted => self.not_satisfied += sign,
        }
    }

    /// It says something about satisfaction.
    pub fn has_satisfaction(&self) -> bool {
        self.rated != 0 || self.satisfied != 0 || self.not_satisfied != 0
    }
}

#[derive(Clone, Copy)]
struct Slot {
    value: WindowValue,
    is_dirty: bool,
}

/// All windows of one partition.
pub struct Windows {
    slots: HashMap<WindowKey, Slot, foldhash::fast::RandomState>,
    dirty: Vec<WindowKey>,
    /// Oldest start among the changed windows, by unit.
    oldest_dirty: [u32; 3],
    /// Windows behind the horizon that got an effect; `true` when one about satisfaction.
    cold: BTreeMap<(WindowUnit, u32), bool>,
    stream_time: Option<Time>,
    swept_hour: u32,
    retention: Retention,
}

impl Windows {
    /// Empty windows whose horizon follows `stream_time` (the newest effect before the restored offset).
    pub fn new(retention: Retention, stream_time: Option<Time>) -> Windows {
        Windows {
            slots: HashMap::default(),
            dirty: Vec::new(),
            oldest_dirty: [u32::MAX; 3],
            cold: BTreeMap::new(),
            stream_time,
            swept_hour: 0,
            retention,
        }
    }

    /// First window start that memory is responsible for, for a stream that has come to `stream_time`.
    pub fn horizon_start(unit: WindowUnit, stream_time: Option<Time>) -> u32 {
        stream_time.map_or(0, |time| unit.start(time).saturating_sub(unit.horizon()))
    }

    /// The newest effect so far.
    pub fn stream_time(&self) -> Option<Time> {
        self.stream_time
    }

    /// Counts the effects of one row. `now` (the batch tick) only decides which lengths are still kept at all.
    /// Effects with sign -1 count under `before`, the others under `after`.
    pub fn count(&mut self, effects: &[Effect], before: Dimensions, after: Dimensions, now: Time) {
        for effect in effects {
            let dims = if effect.sign < 0 { before } else { after };
            let smallest = if effect.day_only { WindowUnit::Day } else { WindowUnit::Minute };
            for unit in WindowUnit::ALL {
                let start = unit.start(effect.at);
                if unit < smallest || start < self.retention.oldest(unit, now) {
                    continue;
                }
                let key = WindowKey { unit, start, block: dims.block, territory: dims.territory, body: effect.body };
                if start < Windows::horizon_start(unit, self.stream_time) && !self.slots.contains_key(&key) {
                    let about_satisfaction = matches!(effect.kind, EffectKind::Rated | EffectKind::Reacted);
                    self.note_cold(ColdWindow { unit, start, about_satisfaction });
                    continue;
                }
                let slot = self.slots.entry(key).or_insert(Slot { value: WindowValue::default(), is_dirty: false });
                slot.value.add(effect);
                if !slot.is_dirty {
                    slot.is_dirty = true;
                    self.note_dirty(key);
                }
            }
        }
        for effect in effects {
            // only after counting: a row is judged by the horizon it found, as a recount up to this row would
            if self.stream_time.is_none_or(|newest| effect.at > newest) && effect.at <= now.plus_seconds(86_400) {
                self.stream_time = Some(effect.at); // a date far in the future must not push real windows out
            }
        }
    }

    fn note_dirty(&mut self, key: WindowKey) {
        self.dirty.push(key);
        let oldest = &mut self.oldest_dirty[key.unit as usize - 1];
        *oldest = key.start.min(*oldest);
    }

    /// Puts back a window that the journal was asked for; it is written again, because nobody knows whether it was.
    pub fn restore(&mut self, key: WindowKey, value: WindowValue) {
        let known = self.slots.insert(key, Slot { value, is_dirty: true });
        if known.is_none_or(|slot| !slot.is_dirty) {
            self.note_dirty(key);
        }
    }

    /// Number of windows that wait to be written.
    pub fn dirty_len(&self) -> usize {
        self.dirty.len()
    }

    /// A changed window has fallen behind the horizon. It must be written with the batch that moved the horizon: a later
    /// owner, who restores from the horizon on, would never see it.
    pub fn must_be_written_now(&self) -> bool {
        let behind =
            |unit: WindowUnit| self.oldest_dirty[unit as usize - 1] < Windows::horizon_start(unit, self.stream_time);
        WindowUnit::ALL.into_iter().any(behind)
    }

    /// Number of windows in memory.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Remembers a window that must be recounted from the journal.
    pub fn note_cold(&mut self, window: ColdWindow) {
        *self.cold.entry((window.unit, window.start)).or_default() |= window.about_satisfaction;
    }

    /// Number of windows that wait for a recount.
    pub fn cold_len(&self) -> usize {
        self.cold.len()
    }

    /// Windows before the horizon that got an effect and must be recounted from the journal.
    pub fn take_cold(&mut self) -> Vec<ColdWindow> {
        let cold = std::mem::take(&mut self.cold).into_iter();
        cold.map(|((unit, start), about_satisfaction)| ColdWindow { unit, start, about_satisfaction }).collect()
    }

    /// The changed windows, each with its whole value, in a fixed order; windows behind the horizon leave memory.
    pub fn take_dirty(&mut self) -> Vec<(WindowKey, WindowValue)> {
        let mut keys = std::mem::take(&mut self.dirty);
        self.oldest_dirty = [u32::MAX; 3];
        keys.sort_unstable();
        let mut changed = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(slot) = self.slots.get_mut(&key) {
                slot.is_dirty = false;
                changed.push((key, slot.value));
            }
        }
        let stream_time = self.stream_time;
        let hour = stream_time.map_or(0, |time| time.seconds() / 3600);
        if hour != self.swept_hour {
            self.swept_hour = hour; // once an hour of stream time: a sweep looks at every window
            self.slots.retain(|key, _| key.start >= Windows::horizon_start(key.unit, stream_time));
        }
        changed
    }
}

#[cfg(test)]
#[path = "windows_tests.rs"]
mod tests;
