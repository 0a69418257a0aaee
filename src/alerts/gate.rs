//! Who is told at once and what is held back: grouping, quiet hours, a limit an hour, for each addressee.
//! Owner: the webhook's task. Pure. Invariants: what is held back comes out again, in the digest of its addressee and
//! reason, whatever happened to the alert meanwhile; at most `HELD_AT_MOST` rows wait, beyond that the largest pile is
//! told early; a row that waits has no `webhook_sent_at`, so a restart finds it in the table.

use std::collections::{BTreeMap, HashMap};

use crate::alerts::notice::{AlertRow, HELD_BIT};
use crate::model::time::MOSCOW_OFFSET_SECONDS;

/// Rows in memory that wait for a digest, about a kilobyte each.
const HELD_AT_MOST: usize = 20_000;
const DAY: u32 = 86_400;
const HOUR: u32 = 3_600;

/// Hours in which only some levels speak; seconds of the Moscow day, may run over midnight.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quiet {
    pub from: u32,
    pub to: u32,
    /// Levels that are told all the same.
    pub except: Vec<String>,
}

/// `[delivery]` of the ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// So many alerts of one addressee within `group_seconds` are told one by one, the rest in a digest.
    pub singles: u32,
    pub group_seconds: u32,
    /// So many alerts of one addressee within an hour are told one by one.
    pub per_hour: u32,
    pub quiet: Option<Quiet>,
}

impl Default for Delivery {
    fn default() -> Delivery {
        Delivery { singles: 10, group_seconds: 60, per_hour: 120, quiet: None }
    }
}

impl Quiet {
    /// When the quiet hours end that hold at a moment; `None` outside them.
    fn ends_at(&self, now: u32) -> Option<u32> {
        let of_day = (now + MOSCOW_OFFSET_SECONDS) % DAY;
        let into = (of_day + DAY - self.from) % DAY;
        let length = (self.to + DAY - self.from) % DAY;
        (into < length).then(|| now + length - into)
    }
}

/// Why an alert waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Why {
    Group,
    Rate,
    Quiet,
}

impl Why {
    /// As the table and the metrics write it.
    pub fn name(self) -> &'static str {
        match self {
            Why::Group => "group",
            Why::Rate => "rate",
            Why::Quiet => "quiet",
        }
    }

    fn from_name(name: &str) -> Option<Why> {
        [Why::Group, Why::Rate, Why::Quiet].into_iter().find(|why| why.name() == name)
    }
}

/// What becomes of a row.
#[derive(Debug)]
pub enum Admitted {
    Tell(AlertRow),
    /// Waits from now on; the row says so.
    Held(Why, AlertRow),
    /// It waits already; what it holds is the newer state now.
    Kept,
    /// Its addressee knows it from a digest only, so there is nothing to take back.
    Silent(AlertRow),
}

/// What one addressee was told lately.
#[derive(Clone, Copy, Default, Debug)]
struct Person {
    hour: u32,
    in_hour: u32,
    group: u32,
    in_group: u32,
}

/// Rows of one addressee that wait for the same reason.
#[derive(Clone, PartialEq, Debug)]
pub struct Pile {
    pub addressee: String,
    pub why: Why,
    pub rows: Vec<AlertRow>,
}

#[derive(Debug)]
struct Waiting {
    until: u32,
    rows: BTreeMap<String, AlertRow>,
}

pub struct Gate {
    delivery: Delivery,
    people: HashMap<String, Person>,
    piles: BTreeMap<(String, Why), Waiting>,
    /// The pile of each waiting alert.
    places: HashMap<String, (String, Why)>,
}

impl Gate {
    pub fn new(delivery: Delivery) -> Gate {
        Gate { delivery, people: HashMap::new(), piles: BTreeMap::new(), places: HashMap::new() }
    }

    /// Alerts that wait.
    pub fn held(&self) -> usize {
        self.places.len()
    }

    /// Decides about one row; `now` in seconds.
    pub fn admit(&mut self, row: AlertRow, now: u32) -> Admitted {
        if let Some(place) = self.places.get(&row.alert_id)
            && let Some(waiting) = self.piles.get_mut(place)
        {
            let kept = waiting.rows.entry(row.alert_id.clone()).or_insert_with(|| row.clone());
            if row.version >= kept.version {
                *kept = AlertRow { held: place.1.name().to_owned(), version: row.version | HELD_BIT, ..row };
            }
            return Admitted::Kept;
        }
        if !row.is_firing() {
            return match Why::from_name(&row.held) {
                Some(_) if !row.digest_id.is_empty() => Admitted::Silent(row),
                Some(why) => self.hold(row, why, now),
                None => Admitted::Tell(row),
            };
        }
        if let Some(until) = self.quiet_for(&row.level, now) {
            return self.hold(row, Why::Quiet, until);
        }
        let delivery = &self.delivery;
        let person = self.people.entry(row.addressee.clone()).or_default();
        if now >= person.hour + HOUR {
            (person.hour, person.in_hour) = (now, 0);
        }
        if now >= person.group + delivery.group_seconds {
            (person.group, person.in_group) = (now, 0);
        }
        let (hour_ends, group_ends) = (person.hour + HOUR, person.group + delivery.group_seconds);
        if person.in_hour >= delivery.per_hour {
            return self.hold(row, Why::Rate, hour_ends);
        }
        if person.in_group >= delivery.singles {
            return self.hold(row, Why::Group, group_ends);
        }
        person.in_hour += 1;
        person.in_group += 1;
        Admitted::Tell(row)
    }

    fn quiet_for(&self, level: &str, now: u32) -> Option<u32> {
        let quiet = self.delivery.quiet.as_ref()?;
        if quiet.except.iter().any(|except| except == level) { None } else { quiet.ends_at(now) }
    }

    fn hold(&mut self, mut row: AlertRow, why: Why, until: u32) -> Admitted {
        row.held = why.name().to_owned();
        row.version |= HELD_BIT;
        let place = (row.addressee.clone(), why);
        let waiting = self.piles.entry(place.clone()).or_insert(Waiting { until, rows: BTreeMap::new() });
        waiting.rows.insert(row.alert_id.clone(), row.clone());
        self.places.insert(row.alert_id.clone(), place);
        if self.places.len() > HELD_AT_MOST
            && let Some(largest) = self.piles.values_mut().max_by_key(|waiting| waiting.rows.len())
        {
            largest.until = 0;
        }
        Admitted::Held(why, row)
    }

    /// The piles whose time has come. Rows that are not ours any more are left to their new owner, who has them from the
    /// table.
    pub fn due(&mut self, now: u32, is_ours: impl Fn(&AlertRow) -> bool) -> Vec<Pile> {
        let mut piles = Vec::new();
        let ripe: Vec<(String, Why)> =
            self.piles.iter().filter(|(_, waiting)| waiting.until <= now).map(|(place, _)| place.clone()).collect();
        for place in ripe {
            let Some(mut waiting) = self.piles.remove(&place) else { continue };
            let quiet = waiting.rows.values().map(|row| self.quiet_for(&row.level, now)).min().flatten();
            if let Some(quiet) = quiet
                && waiting.until > 0
            {
                // nobody in it may speak now
                waiting.until = quiet;
                self.piles.insert(place, waiting);
                continue;
            }
            for id in waiting.rows.keys() {
                self.places.remove(id);
            }
            let rows: Vec<AlertRow> = waiting.rows.into_values().filter(&is_ours).collect();
            if !rows.is_empty() {
                piles.push(Pile { addressee: place.0, why: place.1, rows });
            }
        }
        let idle = 2 * HOUR.max(self.delivery.group_seconds);
        self.people.retain(|_, person| now < person.hour.max(person.group) + idle);
        piles
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
