//! Rows of `alerts` as they are raised: names for numbers, the addressee, the text.
//! Owner: the outbox. Pure. Invariant: a row says nothing of the author of a case.

use std::sync::Arc;

use crate::alerts::calendars::{CALENDAR, CalendarEnd};
use crate::alerts::desk::id_text;
use crate::alerts::levels::{CLOCKS, Ladder};
use crate::alerts::notice::{AlertRow, FIRING, Raise, VERSION_BITS, text};
use crate::config::reference::Reference;
use crate::enrich::names::NameLists;
use crate::model::time::Time;
use crate::partition::ports::StreamId;

/// What rows are made with.
pub struct Rows {
    pub ladder: Arc<Ladder>,
    pub names: Arc<NameLists>,
    pub reference: Reference,
}

impl Rows {
    /// The alert of a case.
    pub fn of_case(&self, stream: &StreamId, raise: &Raise, case_id: &str) -> AlertRow {
        let block = self.names.blocks.name(u16::from(raise.block.0));
        let body = self.names.bodies.name(raise.body.0);
        let block_name =
            self.reference.blocks.iter().find(|known| known.code == *block).map_or("", |known| &known.name);
        let body_name =
            self.reference.bodies.iter().find(|known| known.code == *body).map_or(&*body, |known| &known.short);
        let level = &self.ladder.levels[usize::from(raise.level)];
        let time = |seconds: i64| Time::from_unix_seconds(seconds).unwrap_or(Time::EARLIEST);
        let due = time(i64::from(raise.due));
        AlertRow {
            version: raise.version << VERSION_BITS,
            case_key: raise.case_key.0,
            case_id: case_id.to_owned(),
            clock: CLOCKS[usize::from(raise.clock)].name().to_owned(),
            level: level.name.clone(),
            due: raise.due,
            level_at: raise.level_at,
            raised_at: raise.raised_millis,
            addressee: self.ladder.addressee(level.role, &block, block_name, body_name),
            body: body.to_string(),
            block: block.to_string(),
            territory: self.names.territories.name(raise.territory.0).to_string(),
            text: text(case_id, raise.clock, due, time(raise.raised_millis / 1000), body_name),
            ..blank(stream, id_text(raise.id))
        }
    }

    /// The alert that a calendar ends.
    pub fn of_calendar(&self, stream: &StreamId, end: &CalendarEnd, now: i64) -> AlertRow {
        AlertRow {
            version: (now as u64) << VERSION_BITS,
            case_id: end.name.clone(),
            clock: CALENDAR.to_owned(),
            level: CALENDAR.to_owned(),
            due: end.ends_at.seconds(),
            level_at: end.told_at.seconds(),
            raised_at: now,
            addressee: self.ladder.curator.clone(),
            text: end.text(),
            source: String::new(),
            ..blank(stream, id_text(end.id()))
        }
    }
}

/// A firing row of a partition with nothing in it.
fn blank(stream: &StreamId, alert_id: String) -> AlertRow {
    AlertRow {
        kafka_topic: stream.topic.to_string(),
        kafka_partition: stream.partition.0 as u16,
        alert_id,
        version: 0,
        state: FIRING.to_owned(),
        source: stream.source.to_string(),
        case_key: 0,
        case_id: String::new(),
        clock: String::new(),
        level: String::new(),
        due: 0,
        level_at: 0,
        raised_at: 0,
        resolved_at: 0,
        addressee: String::new(),
        body: String::new(),
        block: String::new(),
        territory: String::new(),
        text: String::new(),
        kafka_sent_at: 0,
        webhook_sent_at: 0,
        held: String::new(),
        digest_id: String::new(),
    }
}
