//! One alert: its id, its row, and what it says to people.
//! Pure. Invariants: the id depends on case, clock, due time and level alone; the version of a row grows with the case and
//! with what became of the alert, so a late writer never turns a newer state back; nothing personal is in a row.

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::alerts::calendars::CalendarEnd;
use crate::alerts::levels::CLOCKS;
use crate::alerts::russian::{date_time, iso, span};
use crate::model::case::{BlockId, BodyId, TerritoryId};
use crate::model::ids::CaseKey;
use crate::model::time::Time;
use crate::model::words::Clock;

/// XXH3-128 of what makes an alert this alert.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AlertId(pub u128);

pub const FIRING: &str = "firing";
pub const RESOLVED: &str = "resolved";

/// Bits of a version below the version of the case, the strongest first: what comes later in the life of a state is larger.
pub const VERSION_BITS: u32 = 4;
const RESOLVED_BIT: u64 = 8;
pub const WEBHOOK_BIT: u64 = 4;
pub const HELD_BIT: u64 = 2;
pub const KAFKA_BIT: u64 = 1;

pub fn alert_id(case: CaseKey, clock: u8, due: u32, level: &str) -> AlertId {
    let mut bytes = Vec::with_capacity(16 + level.len());
    bytes.extend_from_slice(&case.0.to_le_bytes());
    bytes.push(clock);
    bytes.extend_from_slice(&due.to_le_bytes());
    bytes.extend_from_slice(level.as_bytes());
    AlertId(xxhash_rust::xxh3::xxh3_128(&bytes))
}

/// A level was reached.
#[derive(Clone, Debug)]
pub struct Raise {
    pub id: AlertId,
    pub case_key: CaseKey,
    /// Row of the case that the alert follows from.
    pub version: u64,
    pub clock: u8,
    pub level: u8,
    pub due: u32,
    pub level_at: u32,
    pub raised_millis: i64,
    pub block: BlockId,
    pub body: BodyId,
    pub territory: TerritoryId,
    /// It may have been raised and resolved before without any record of the case, because rules changed to and fro.
    pub may_be_back: bool,
}

/// The cause of an alert has ended.
#[derive(Clone, Copy, Debug)]
pub struct Resolve {
    pub id: AlertId,
    /// Row of the case that ended it; zero when the case is not in memory any more.
    pub version: u64,
}

/// What a partition wants of the outbox, in this order for each alert.
#[derive(Clone, Debug)]
pub enum Order {
    Raise(Raise),
    Calendar(CalendarEnd),
    Resolve(Resolve),
}

/// A firing alert as the table knows it.
#[derive(Clone, Debug)]
pub struct Known {
    pub id: AlertId,
    pub case_key: u64,
    /// Its name.
    pub clock: String,
    pub level: String,
    pub due: u32,
}

/// A row of `alerts`; times in seconds or, where a fraction matters, in milliseconds. Zero is "not yet".
#[derive(Clone, PartialEq, Debug, Row, Serialize, Deserialize)]
pub struct AlertRow {
    pub kafka_topic: String,
    pub kafka_partition: u16,
    pub alert_id: String,
    pub version: u64,
    pub state: String,
    pub source: String,
    pub case_key: u64,
    pub case_id: String,
    pub clock: String,
    pub level: String,
    pub due: u32,
    pub level_at: u32,
    pub raised_at: i64,
    pub resolved_at: i64,
    pub addressee: String,
    pub body: String,
    pub block: String,
    pub territory: String,
    pub text: String,
    pub kafka_sent_at: i64,
    pub webhook_sent_at: i64,
    /// Why the webhook was not called at once; empty if nothing held it back.
    pub held: String,
    /// The digest that told it.
    pub digest_id: String,
}

impl AlertRow {
    /// The same alert after its cause ended; it has to be sent once more.
    pub fn resolved(&self, version: u64, now_millis: i64) -> AlertRow {
        let case = (self.version >> VERSION_BITS).max(version);
        AlertRow {
            version: case << VERSION_BITS | RESOLVED_BIT,
            state: RESOLVED.to_owned(),
            resolved_at: now_millis,
            kafka_sent_at: 0,
            webhook_sent_at: 0,
            ..self.clone()
        }
    }

    /// The version without what was told of the state.
    pub fn state_version(&self) -> u64 {
        self.version & !(KAFKA_BIT | HELD_BIT | WEBHOOK_BIT)
    }

    pub fn is_firing(&self) -> bool {
        self.state == FIRING
    }

    /// The record of the Kafka topic. Of two with the same id the one with the higher version is the newer; it is a text
    /// because readers that keep numbers as floats would round it.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "alert_id": self.alert_id, "version": self.state_version().to_string(), "state": self.state, "source": self.source, "case_id": self.case_id,
            "clock": self.clock, "level": self.level, "due": iso(i64::from(self.due) * 1000),
            "level_at": iso(i64::from(self.level_at) * 1000), "raised_at": iso(self.raised_at),
            "resolved_at": (self.resolved_at > 0).then(|| iso(self.resolved_at)), "addressee": self.addressee,
            "body": self.body, "block": self.block, "territory": self.territory, "text": self.text,
        })
    }
}

/// What the alert says on a wall: the case, its due time, how much is left or lost, who has it.
pub fn text(case_id: &str, clock: u8, due: Time, now: Time, body: &str) -> String {
    let what = CLOCKS.get(usize::from(clock)).map_or("ответа", |clock| term(*clock));
    let when = match (now > due, now.seconds_since(due), due.seconds_since(now)) {
        (true, ..60, _) => "просрочен менее чем на минуту".to_owned(),
        (true, late, _) => format!("просрочен на {}", span(late, true)),
        (false, _, ..60) => "до срока меньше минуты".to_owned(),
        (false, _, left) => format!("до срока {}", span(left, false)),
    };
    let holder = if body.is_empty() {
        "Исполнитель не назначен".to_owned()
    } else {
        format!("Исполнитель: {body}")
    };
    format!("Обращение № {case_id}: срок {what} {}, {when}. {holder}.", date_time(due))
}

/// What the term is of.
fn term(clock: Clock) -> &'static str {
    match clock {
        Clock::FirstAnswer => "первого ответа",
        Clock::FinalAnswer => "ответа",
        Clock::Dispatch => "направления исполнителю",
        Clock::Moderation => "модерации",
        Clock::Coordination => "координации",
        Clock::Execution => "исполнения",
        Clock::Approval => "согласования",
    }
}

#[cfg(test)]
pub fn sample_row() -> AlertRow {
    AlertRow {
        kafka_topic: "in".to_owned(),
        kafka_partition: 0,
        alert_id: format!("{:032x}", 1),
        version: 7 << VERSION_BITS | KAFKA_BIT,
        state: FIRING.to_owned(),
        source: "pos".to_owned(),
        case_key: 1,
        case_id: "1".to_owned(),
        clock: "final_answer".to_owned(),
        level: "breach".to_owned(),
        due: 1_767_646_799,
        level_at: 1_767_646_800,
        raised_at: 1_767_646_800_100,
        resolved_at: 0,
        addressee: "Минздрав".to_owned(),
        body: "minzdrav".to_owned(),
        block: "health".to_owned(),
        territory: String::new(),
        text: "x".to_owned(),
        kafka_sent_at: 1,
        webhook_sent_at: 0,
        held: String::new(),
        digest_id: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds).expect("in range")
    }

    #[test]
    fn the_text_has_the_date_as_people_write_it_and_the_right_plural() {
        let due = time(1_767_646_799); // 05.01.2026 23:59:59 in Moscow
        let said = |after: i64| text("17-1", 1, due, due.plus_seconds(after), "Минздрав");
        assert_eq!(
            said(86_400),
            "Обращение № 17-1: срок ответа 05.01.2026 23:59, просрочен на 1 день. Исполнитель: Минздрав."
        );
        for (after, words) in [
            (-60, "до срока 1 минута"),
            (-22 * 60, "до срока 22 минуты"),
            (-11 * 3600, "до срока 11 часов"),
            (-21 * 3600, "до срока 21 час"),
            (60, "просрочен на 1 минуту"),
            (3 * 86_400, "просрочен на 3 дня"),
            (112 * 86_400, "просрочен на 112 дней"),
            (1, "просрочен менее чем на минуту"),
        ] {
            assert!(said(after).contains(words), "{} has not {words}", said(after));
        }
    }

    #[test]
    fn a_later_state_of_a_row_has_a_larger_version_and_a_newer_row_of_the_case_the_largest() {
        let raised = AlertRow { version: 7 << VERSION_BITS, ..sample_row() };
        let told = raised.version | KAFKA_BIT | WEBHOOK_BIT;
        let held = raised.version | KAFKA_BIT | HELD_BIT;
        let resolved = raised.resolved(7, 5);
        assert!(raised.version < held && held < told && told < resolved.version);
        let all_told = resolved.version | KAFKA_BIT | HELD_BIT | WEBHOOK_BIT;
        assert!(all_told < AlertRow { version: 8 << VERSION_BITS, ..sample_row() }.version);
        assert_eq!((resolved.kafka_sent_at, resolved.resolved_at), (0, 5), "it is to be sent once more");
    }

    #[test]
    fn an_id_differs_by_case_clock_due_and_level() {
        let ids = [
            alert_id(CaseKey(1), 0, 5, "breach"),
            alert_id(CaseKey(2), 0, 5, "breach"),
            alert_id(CaseKey(1), 1, 5, "breach"),
            alert_id(CaseKey(1), 0, 6, "breach"),
            alert_id(CaseKey(1), 0, 5, "warn_50"),
        ];
        assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len());
        assert_eq!(ids[0], alert_id(CaseKey(1), 0, 5, "breach"));
    }
}
