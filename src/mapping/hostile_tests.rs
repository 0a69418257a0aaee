//! Bytes that nobody should send, through decoder, mapper and masker: always an outcome, never a panic, in bounded time.
//! PROPTEST_CASES raises the number of cases.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use crate::codec::Value;
use crate::codec::json::{Columns, decode};
use crate::config::reference::Reference;
use crate::enrich::enricher::TextBooks;
use crate::enrich::identity::IdentityKey;
use crate::enrich::mask::{mask, mask_into};
use crate::enrich::names::NameLists;
use crate::generate::{Region, SimulatedRecord, Simulation, SimulationConfig};
use crate::mapping::dictionaries::Dictionaries;
use crate::mapping::mapper::{Mapper, Texts};
use crate::model::time::Time;

const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";
/// Far above what is needed and far below what anything quadratic takes on a megabyte.
const PATIENCE: Duration = Duration::from_secs(5);
const MIB: usize = 1 << 20;

/// Words a rejection may have; anything else is a reason that no operator knows.
const REASONS: [&str; 10] = [
    "empty",
    "invalid_utf8",
    "invalid_json",
    "not_an_object",
    "missing",
    "bad_time",
    "future_time",
    "unknown_word",
    "bad_value",
    "bad_type",
];

fn received() -> Time {
    Time::from_unix_seconds(1_780_000_000).expect("in range")
}

fn config() -> &'static crate::config::Config {
    static CONFIG: OnceLock<crate::config::Config> = OnceLock::new();
    CONFIG.get_or_init(|| {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound")
    })
}

/// Mappers of the shipped pipelines; they own buffers, so each case makes its own.
fn mappers() -> [Mapper; 2] {
    let reference: Arc<Reference> = Arc::new(config().reference.clone());
    let texts = TextBooks::build(&reference.texts).expect("sound phrases");
    let dictionaries = Arc::new(Dictionaries::new(reference, Arc::new(NameLists::default()), texts));
    let identity = Arc::new(IdentityKey::from_hex(KEY).expect("a key"));
    ["pos", "incident"]
        .map(|name| Mapper::new(config().pipeline(name).expect("shipped"), dictionaries.clone(), identity.clone()))
}

/// Records as the upstreams send them, of both sources, with the faults of the simulation.
fn real_records() -> &'static [Vec<u8>] {
    static RECORDS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let read = |name: &str| {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("pipelines/reference");
            std::fs::read_to_string(folder.join(name)).expect("reference")
        };
        let [blocks, topics, territories, bodies] =
            ["blocks.toml", "topics.toml", "territories.toml", "bodies.toml"].map(read);
        let region = Region::from_toml(&blocks, &topics, &territories, &bodies).expect("sound");
        let end = received();
        let mut config = SimulationConfig::new(41, end.plus_seconds(-30 * 86_400), end);
        config.records = Some(600);
        config.broken = 0.1;
        let mut simulation = Simulation::new(config, &region).expect("a simulation");
        let mut record = SimulatedRecord::default();
        let mut records = Vec::new();
        while simulation.next(&mut record) {
            records.push(record.payload.clone());
        }
        records
    })
}

/// Maps by every pipeline and checks that the outcome is a defined one.
fn outcome_is_defined(mappers: &mut [Mapper], payload: &[u8]) {
    for mapper in mappers {
        let (mut slots, mut texts) = (Vec::new(), Texts::default());
        match mapper.map(payload, received(), &mut slots, &mut texts) {
            Ok(_) => {
                assert!(!texts.case_id.is_empty() && texts.case_id.len() <= 256);
                assert!(std::str::from_utf8(&texts.text).is_ok() && std::str::from_utf8(&texts.place).is_ok());
                assert!(texts.latitude.is_finite() && texts.longitude.is_finite());
            }
            Err(rejection) => {
                assert!(REASONS.contains(&rejection.reason), "{}", rejection.reason);
                let of_record = REASONS[..4].contains(&rejection.reason);
                assert_eq!(rejection.column.is_empty(), of_record, "a field, or the whole record: {rejection:?}");
                assert!(rejection.detail.chars().count() <= 400, "dead letters stay short");
                assert!(!of_record || !rejection.detail.is_empty(), "an unreadable record says where");
            }
        }
    }
}

/// One act of damage at a place between 0 and 1.
#[derive(Clone, Debug)]
enum Damage {
    Flip(u8),
    Cut(usize),
    Insert(Vec<u8>),
    Repeat(usize),
}

/// What breaks parsers when it stands where it should not.
const SHARDS: [&[u8]; 26] = [
    b"\0",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\\ud800",
    b"\\udc00\\ud800",
    b"\\u0000",
    b"1e999",
    b"-1e-999",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"0.000000000000000000000000000000000000000000000000001",
    b"\"01.01.0000\"",
    b"\"31.12.9999\"",
    b"\"0000-01-01T00:00:00Z\"",
    b"\"9999-12-31T23:59:59+99:99\"",
    b"null",
    b"{\"\":{\"\":[]}}",
    b"[[[[[[[[[[[[[[[[",
    b"\"\":\"\",",
    b"\"incident_id\":null,",
    b"\"incident_id\":\"\",",
    b",",
    b"\"",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
];

fn damage() -> impl Strategy<Value = (f64, Damage)> {
    let kinds = prop_oneof![
        any::<u8>().prop_map(Damage::Flip),
        (1usize..40).prop_map(Damage::Cut),
        vec(any::<u8>(), 1..12).prop_map(Damage::Insert),
        proptest::sample::select(&SHARDS[..]).prop_map(|shard| Damage::Insert(shard.to_vec())),
        (1usize..200).prop_map(Damage::Repeat),
    ];
    (0.0..1.0, kinds)
}

fn damaged(record: &[u8], damages: &[(f64, Damage)]) -> Vec<u8> {
    let mut bytes = record.to_vec();
    for (place, damage) in damages {
        let at = (place * bytes.len() as f64) as usize;
        let rest = bytes.len() - at;
        match damage {
            Damage::Flip(mask) => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= mask),
            Damage::Cut(count) => drop(bytes.drain(at..at + (*count).min(rest))),
            Damage::Insert(more) => drop(bytes.splice(at..at, more.iter().copied())),
            Damage::Repeat(count) => {
                let again = bytes[at..at + (*count).min(rest)].to_vec();
                bytes.splice(at..at, again);
            }
        }
    }
    bytes
}

proptest! {
    #[test]
    fn real_records_with_flipped_cut_and_inserted_bytes_have_a_defined_outcome(
        picks in vec((any::<proptest::sample::Index>(), vec(damage(), 1..6)), 40),
    ) {
        let mut mappers = mappers();
        let records = real_records();
        for (pick, damages) in picks {
            let record: &Vec<u8> = pick.get(records);
            outcome_is_defined(&mut mappers, &damaged(record, &damages));
        }
    }

    #[test]
    fn any_bytes_have_a_defined_outcome(payloads in vec(vec(any::<u8>(), 0..200), 20)) {
        let mut mappers = mappers();
        payloads.iter().for_each(|payload| outcome_is_defined(&mut mappers, payload));
    }

    /// Any value under any known column: wrong types, numbers out of range, dates of year 0, doubled and empty keys.
    #[test]
    fn any_value_under_any_column_has_a_defined_outcome(
        fields in vec((any::<proptest::sample::Index>(), "\\PC{0,20}|-?[0-9]{1,40}(\\.[0-9]{1,5})?([eE][-+]?[0-9]{1,4})?|[0-9]{2}\\.[0-9]{2}\\.[0-9]{4}", 0u8..6), 1..12),
    ) {
        let mut mappers = mappers();
        let mut columns: Vec<String> = vec![String::new()];
        for name in ["pos", "incident"] {
            columns.extend(config().pipeline(name).expect("shipped").fields.iter().flat_map(|field| field.columns.clone()));
        }
        let mut record = String::from(r#"{"incident_id":"IM-1","event":"found","at":"2026-01-06T12:00:00Z","Номер":"1","Статус":"Назначен исполнитель""#);
        for (column, text, kind) in fields {
            let name = serde_json::to_string(column.get(&columns)).expect("a text");
            let text = match kind {
                0 => text, // raw: often no JSON at all
                1 => format!("[{text:?}]"),
                2 => format!("{{\"\":{}}}", serde_json::to_string(&text).expect("a text")),
                3 => "null".to_owned(),
                _ => serde_json::to_string(&text).expect("a text"),
            };
            record.push_str(&format!(",{name}:{text}"));
        }
        record.push('}');
        outcome_is_defined(&mut mappers, record.as_bytes());
    }

    #[test]
    fn the_decoder_fills_every_slot_or_says_what_is_wrong(payload in vec(any::<u8>(), 0..300), wrap in any::<bool>()) {
        let columns = Columns::new(["a", "a.b", "", ".", "a.b.c"]);
        let payload = if wrap { [b"{\"a\":".as_slice(), &payload, b"}"].concat() } else { payload };
        let mut slots: Vec<Value<'_>> = Vec::new();
        match decode(&payload, &columns, &mut slots) {
            Ok(()) => prop_assert_eq!(slots.len(), columns.width()),
            Err(problem) => prop_assert!(!problem.to_string().is_empty()),
        }
    }

    #[test]
    fn the_masker_takes_any_text_made_of_what_it_looks_for(text in "([0-9+()@/\\[\\]|._ -]|\\PC|vk\\.com/|\\+7|id[0-9]|mailto:){0,120}") {
        let (masked, _) = mask(&text);
        prop_assert_eq!(&mask(&masked).0, &masked, "masking twice changes nothing");
        let mut bytes = Vec::new();
        mask_into(&text, &mut bytes);
        prop_assert_eq!(bytes, masked.into_bytes());
    }
}

#[test]
fn a_megabyte_of_anything_is_decoded_mapped_and_masked_in_bounded_time() {
    let mut mappers = mappers();
    let units = [
        "@", "/", "[", "1", "+7", "8 (", "1-", "@a", "a@", "vk.com/", "[id1|", "/1", "1 ", "я1", "@я", ".", "  ",
        "\u{a0}",
    ];
    for unit in units {
        let text = unit.repeat(MIB / unit.len());
        let started = Instant::now();
        mask_into(&text, &mut Vec::new());
        assert!(started.elapsed() < PATIENCE, "masking {unit:?} took {:?}", started.elapsed());
        for column in ["text", "address", "incident_id", "lat", "topic", "body", "municipality", "at", "author_id"] {
            let value = serde_json::to_string(&text).expect("a text");
            let record =
                format!(r#"{{"incident_id":"IM-1","event":"found","at":"2026-01-06T12:00:00Z","{column}":{value}}}"#);
            let started = Instant::now();
            outcome_is_defined(&mut mappers, record.as_bytes());
            assert!(started.elapsed() < PATIENCE, "{unit:?} in {column} took {:?}", started.elapsed());
        }
    }
    for payload in ["[", "{\"a\":", "{\"text\":[", "\"", "{\"\":1,", "1", "\\u0000", "{\"text\":{\"text\":"] {
        let started = Instant::now();
        outcome_is_defined(&mut mappers, payload.repeat(MIB / payload.len()).as_bytes());
        assert!(started.elapsed() < PATIENCE, "{payload:?} took {:?}", started.elapsed());
    }
}
