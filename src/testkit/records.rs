//! Records of a schedule and the rules that fold them: the shipped pipeline `incident` with its real mapper and
//! dictionaries, and deadlines that depend on the version of the rules.
//! Invariant: nothing lies near a limit of retention, so a schedule that takes minutes longer keeps the same windows.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::config::Config;
use crate::config::reference::Reference;
use crate::enrich::enricher::TextBooks;
use crate::enrich::identity::IdentityKey;
use crate::enrich::names::NameLists;
use crate::mapping::dictionaries::Dictionaries;
use crate::mapping::mapper::Mapper;
use crate::model::apply::{DeadlineRules, Deadlines};
use crate::model::case::{Case, Paused};
use crate::model::ids::{Offset, RulesVersion};
use crate::model::time::Time;
use crate::model::windows::Retention;
use crate::partition::fold::{BatchLimits, Fold};
use crate::partition::ports::StreamId;
use crate::partition::rulebook::Rulebook;
use crate::testkit::log::{Kafka, LogRecord};

/// When a schedule begins, by the wall clock: 6 January 2026, noon in Moscow.
pub const BEGIN: i64 = 1_767_690_000;
const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sent {
    /// `minutes` before the time that lies `AGES[age]` before the begin.
    Event {
        case: u8,
        kind: u8,
        age: u8,
        minutes: u8,
        place: u8,
    },
    /// The record that stood so many places before, once more.
    Again {
        back: u8,
    },
    Broken,
    Tombstone,
    /// An offset that Kafka never gives out (a transaction marker).
    Hole,
}

/// Now, behind the horizon of minutes, of hours, an old case, behind the horizon of days (seconds).
pub const AGES: [i64; 5] = [0, 5 * 3600, 6 * 86_400, 40 * 86_400, 450 * 86_400];
pub const KINDS: [&str; 10] = [
    "found",
    "taken",
    "routed",
    "interim_answer",
    "answered",
    "closed",
    "author_reaction",
    "returned",
    "duplicate",
    "spam",
];
pub const PLACES: [&str; 4] = [
    r#""network":"vk""#,
    r#""municipality":"г. Рязань","topic":"Ямы и выбоины","body":"Администрация города Рязани","reaction":"satisfied""#,
    r#""municipality":"Московский район г. Рязани","body":"Школа № 7","reaction":"not_satisfied""#,
    r#""body":"Школа № 7","priority":"срочный""#,
];

fn payload(case: u8, kind: u8, age: u8, minutes: u8, place: u8) -> Vec<u8> {
    let at = BEGIN - AGES[usize::from(age) % AGES.len()] - 60 * i64::from(minutes);
    let at = chrono::DateTime::from_timestamp(at, 0).expect("in range").to_rfc3339();
    let kind = KINDS[usize::from(kind) % KINDS.len()];
    let place = PLACES[usize::from(place) % PLACES.len()];
    format!(r#"{{"incident_id":"IM-{case}","event":"{kind}","at":"{at}","text":"Яма {case}",{place}}}"#).into_bytes()
}

/// The topic as Kafka has it.
pub fn log_of(sent: &[Sent]) -> Kafka {
    let mut records: Vec<LogRecord> = Vec::new();
    let mut payloads: Vec<Option<Vec<u8>>> = Vec::new();
    for (place, what) in sent.iter().enumerate() {
        let payload = match *what {
            Sent::Hole => continue,
            Sent::Event { case, kind, age, minutes, place } => Some(payload(case, kind, age, minutes, place)),
            Sent::Again { back } => {
                payloads.len().checked_sub(1 + usize::from(back)).and_then(|place| payloads[place].clone())
            }
            Sent::Broken => Some(r#"{"incident_id":"IM-1","event":"found","at":"вчера"}"#.as_bytes().to_vec()),
            Sent::Tombstone => None,
        };
        payloads.push(payload.clone());
        records.push(LogRecord { offset: Offset(place as u64), time: (BEGIN - 600) * 1000 + place as i64, payload });
    }
    Kafka::new(records, Offset(sent.len() as u64))
}

/// Deadlines of version 1 are twice as long as those of version 2.
pub struct TestRules {
    version: AtomicU8,
    names: Arc<NameLists>,
}

impl TestRules {
    pub fn new(version: u8) -> TestRules {
        TestRules { version: AtomicU8::new(version), names: shared().names.clone() }
    }

    /// For the straight run, which follows the journal from version to version.
    pub fn set(&self, version: u8) {
        self.version.store(version, Ordering::Relaxed);
    }
}

impl DeadlineRules for TestRules {
    fn deadlines(&self, case: &Case) -> Deadlines {
        let version = self.version.load(Ordering::Relaxed);
        let hours = 2 / i64::from(version.clamp(1, 2));
        Deadlines {
            policy: self.names.policies.number(&format!("rules {version}")),
            due_first: case.registered_at.map(|at| at.plus_seconds(hours * 1800)),
            due_final: case.round_since.or(case.registered_at).map(|at| at.plus_seconds(hours * 3600)),
            ..Deadlines::default()
        }
    }

    fn pause(&self, _: &Case, _: Time, _: Time) -> Paused {
        Paused::default() // nothing is ever paused under these rules
    }
}

/// What all schedules share: the shipped configuration and one numbering of names.
pub struct Shared {
    config: Config,
    pub names: Arc<NameLists>,
    dictionaries: Arc<Dictionaries>,
    identity: Arc<IdentityKey>,
}

pub fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let config = crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound");
        let names = Arc::new(NameLists::default());
        let reference: Arc<Reference> = Arc::new(config.reference.clone());
        let texts = TextBooks::build(&reference.texts).expect("sound phrases");
        let dictionaries = Arc::new(Dictionaries::new(reference, names.clone(), texts));
        let identity = Arc::new(IdentityKey::from_hex(KEY).expect("a key"));
        Shared { config, names, dictionaries, identity }
    })
}

pub fn stream() -> StreamId {
    StreamId::new("incident", "tsur.in.incident", 0)
}

fn mapper() -> Mapper {
    let shared = shared();
    let pipeline = shared.config.pipeline("incident").expect("shipped");
    Mapper::new(pipeline, shared.dictionaries.clone(), shared.identity.clone())
}

/// What a worker is sent when the rules change.
pub fn rulebook(version: u8) -> Arc<Rulebook<TestRules>> {
    let rules = Arc::new(TestRules::new(version));
    Arc::new(Rulebook {
        version: RulesVersion(u32::from(version)),
        rules,
        mapper: Box::new(mapper),
        calendars: Vec::new(),
    })
}

/// An empty fold.
pub fn fold(rows: usize, rules: Arc<TestRules>) -> Fold<TestRules> {
    let limits = BatchLimits { rows, bytes: 1 << 20, max_record_bytes: 1 << 20 };
    Fold::new(stream(), shared().names.clone(), mapper(), rules, limits, Retention::OF_TABLES)
}
