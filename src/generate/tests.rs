//! The simulation as its callers see it.

use std::collections::{HashMap, HashSet};

use super::region::tests::shipped;
use super::*;
use crate::model::time::Time;
use crate::model::words::Status;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds).expect("in range")
}

/// 2026-01-01 00:00 in Moscow.
const NEW_YEAR: i64 = 1_767_214_800;
const DAY: i64 = 86_400;

fn month(seed: u64, records: Option<u64>) -> SimulationConfig {
    SimulationConfig { records, keep_cases: true, ..SimulationConfig::new(seed, at(NEW_YEAR), at(NEW_YEAR + 31 * DAY)) }
}

fn run(config: SimulationConfig) -> (Vec<SimulatedRecord>, Ledger) {
    let mut simulation = Simulation::new(config, &shipped()).expect("sound");
    let (mut record, mut records) = (SimulatedRecord::default(), Vec::new());
    while simulation.next(&mut record) {
        records.push(record.clone());
    }
    (records, simulation.ledger().clone())
}

fn json(record: &SimulatedRecord) -> serde_json::Map<String, serde_json::Value> {
    serde_json::from_slice(&record.payload).expect("a sound record is a JSON object")
}

fn is_sound(record: &SimulatedRecord) -> bool {
    !matches!(record.fate, Fate::Broken(_))
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let (first, _) = run(month(7, Some(5_000)));
    assert_eq!(first, run(month(7, Some(5_000))).0);
    assert_ne!(first, run(month(8, Some(5_000))).0);
}

#[test]
fn exactly_the_wanted_number_is_published_within_the_span_and_in_order() {
    for wanted in [1, 100, 20_000] {
        let (records, ledger) = run(month(1, Some(wanted)));
        assert_eq!((records.len() as u64, ledger.records), (wanted, wanted));
        assert!(records.is_sorted_by_key(|record| record.timestamp));
    }
    let (records, _) = run(month(1, Some(20_000)));
    let last = records.last().expect("records").timestamp / 1000;
    assert!(
        ((NEW_YEAR + 28 * DAY)..(NEW_YEAR + 33 * DAY)).contains(&last),
        "{}",
        (last - NEW_YEAR) as f64 / DAY as f64
    );
}

#[test]
fn real_volumes_are_real_and_every_record_of_the_span_leaves() {
    let july = NEW_YEAR + 181 * DAY;
    let config = SimulationConfig { keep_cases: true, ..SimulationConfig::new(3, at(july), at(july + 28 * DAY)) };
    let (_, ledger) = run(config);
    let weekly = |cases: u64| cases / 4;
    assert!((600..1_600).contains(&weekly(ledger.incident.cases)), "{}", weekly(ledger.incident.cases));
    assert!((400..950).contains(&weekly(ledger.pos.cases)), "{}", weekly(ledger.pos.cases));
    assert_eq!(ledger.cases.len() as u64, ledger.incident.cases + ledger.pos.cases);
    let (_, winter) = run(month(3, None));
    assert!(
        winter.incident.cases > ledger.incident.cases * 5 / 4,
        "{} {}",
        winter.incident.cases,
        ledger.incident.cases
    );
}

#[test]
fn the_shares_of_faults_and_sources_are_the_configured_ones() {
    let config =
        SimulationConfig { duplicates: 0.05, broken: 0.02, late: 0.03, out_of_order: 0.03, ..month(5, Some(60_000)) };
    let (_, ledger) = run(config);
    let share = |pick: fn(&SourceLedger) -> u64| (pick(&ledger.pos) + pick(&ledger.incident)) as f64 / 60_000.0;
    let near = |share: f64, wanted: f64| (share - wanted).abs() < wanted * 0.2;
    assert!(near(share(|source| source.duplicates), 0.05), "{}", share(|source| source.duplicates));
    assert!(near(share(|source| source.broken.total()), 0.02));
    assert!(near(share(|source| source.late), 0.03), "{}", share(|source| source.late));
    assert!(near(share(|source| source.out_of_order), 0.03), "{}", share(|source| source.out_of_order));
    assert!(near(ledger.pos.records as f64 / 60_000.0, 0.35), "{}", ledger.pos.records);
    assert!(BrokenKind::ALL.iter().all(|kind| ledger.pos.broken.of(*kind) > 0 && ledger.incident.broken.of(*kind) > 0));
}

#[test]
fn the_ledger_adds_up_with_the_records() {
    let (records, ledger) = run(month(11, Some(30_000)));
    for (kind, source) in [(SourceKind::Pos, &ledger.pos), (SourceKind::Incident, &ledger.incident)] {
        let of = |fate: fn(&Fate) -> bool| records.iter().filter(|r| r.source == kind && fate(&r.fate)).count() as u64;
        assert_eq!(of(|_| true), source.records);
        assert_eq!(of(|fate| *fate == Fate::Fresh), source.fresh);
        assert_eq!(of(|fate| *fate == Fate::Duplicate), source.duplicates);
        assert_eq!(of(|fate| *fate == Fate::Late), source.late);
        assert_eq!(of(|fate| *fate == Fate::OutOfOrder), source.out_of_order);
        assert_eq!(of(|fate| matches!(fate, Fate::Broken(_))), source.broken.total());
        let sound = source.fresh + source.late + source.out_of_order;
        assert_eq!(sound + source.duplicates + source.broken.total(), source.records);
        assert_eq!(source.cases, source.cases_by_status.total());
        let lines = ledger.cases.iter().filter(|line| line.source == kind && !line.status.is_empty()).count();
        assert_eq!(lines as u64, source.cases);
    }
    assert_eq!(ledger.bytes, records.iter().map(|record| record.payload.len() as u64).sum::<u64>());
    assert_eq!(ledger.records, ledger.pos.records + ledger.incident.records);
}

#[test]
fn snapshots_have_the_twenty_five_columns_in_order_and_texts_only() {
    let (records, _) = run(month(13, Some(5_000)));
    for record in records.iter().filter(|record| record.source == SourceKind::Pos && is_sound(record)) {
        let text = std::str::from_utf8(&record.payload).expect("UTF-8");
        let row = json(record);
        assert_eq!(row.len(), 25);
        assert!(row.values().all(serde_json::Value::is_string));
        let places: Vec<_> = POS_COLUMNS.iter().map(|column| text.find(&format!("\"{column}\":"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
        assert_eq!(row["Номер"], record.key.as_str());
        assert_eq!(record.key.len(), 9);
    }
}

#[test]
fn the_ledgers_final_states_follow_from_the_records() {
    let (records, ledger) = run(month(17, Some(40_000)));
    let mut status: HashMap<&str, (String, &'static str)> = HashMap::new();
    let mut seen = HashSet::new();
    let (mut answered, mut rated) = (0, 0);
    for record in records.iter().filter(|record| is_sound(record) && record.fate != Fate::Duplicate) {
        assert!(
            seen.insert(record.payload.clone()),
            "two equal sound records: {}",
            String::from_utf8_lossy(&record.payload)
        );
        let row = json(record);
        let text = |name: &str| row.get(name).and_then(|value| value.as_str()).unwrap_or("");
        let (moment, word) = match record.source {
            SourceKind::Pos => (String::new(), canonical_pos(text("Статус"), text("Тип решения"))),
            _ => (text("at").to_owned(), canonical_incident(text("event"))),
        };
        answered += u64::from(text("event") == "answered");
        rated += u64::from(record.source == SourceKind::Pos && text("Оценка ответа заявителем") != "-");
        let known = status.entry(&record.key).or_insert_with(|| (String::new(), ""));
        if !word.is_empty() && moment >= known.0 {
            *known = (moment, word);
        }
    }
    assert_eq!(ledger.incident.facts.answered, answered);
    assert_eq!(ledger.pos.facts.rated, rated);
    assert!(ledger.pos.facts.rating_sum >= rated);
    for line in &ledger.cases {
        assert_eq!(line.status, status.get(line.case_id.as_str()).map_or("", |known| known.1), "{}", line.case_id);
    }
    let states = Status::ALL.iter().filter(|status| ledger.pos.cases_by_status.of(**status) > 0).count();
    assert!(states >= 7, "{:?}", ledger.pos.cases_by_status);
}

fn canonical_pos(status: &str, decision: &str) -> &'static str {
    match status {
        "На модерации" => "moderation",
        "На координации" => "coordination",
        "Назначен исполнитель" | "Передано в вышестоящую организацию" | "Направлено в подведомственную организацию" => {
            "in_work"
        }
        "Перенос срока обработки утвержден. Отправлен ответ Заявителю" => {
            "extended"
        }
        "Ответ на утверждении" => "approval",
        "Отправлен ответ заявителю" if decision == "Отложено" => "deferred",
        "Отправлен ответ заявителю" => "answered",
        "Отклонено модератором" => "rejected",
        other => panic!("unknown status {other}"),
    }
}

fn canonical_incident(event: &str) -> &'static str {
    match event {
        "found" => "new",
        "taken" => "moderation",
        "routed" => "in_work",
        "interim_answer" => "interim",
        "answered" => "answered",
        "closed" => "closed",
        "returned" => "returned",
        "duplicate" => "duplicate",
        "spam" => "rejected",
        "author_reaction" => "",
        other => panic!("unknown event {other}"),
    }
}

#[test]
fn duplicates_repeat_an_earlier_record_of_the_same_case_and_swaps_stay_within_minutes() {
    let (records, _) = run(SimulationConfig { out_of_order: 0.05, ..month(19, Some(30_000)) });
    let mut seen: HashMap<&[u8], &str> = HashMap::new();
    let mut newest: HashMap<&str, (String, i64)> = HashMap::new();
    let (mut stale, mut swapped) = (0, 0);
    for record in &records {
        let moment = if is_sound(record) && record.source == SourceKind::Incident {
            json(record)["at"].as_str().unwrap_or_default().to_owned()
        } else {
            String::new()
        };
        match record.fate {
            Fate::Duplicate => {
                assert_eq!(seen.get(record.payload.as_slice()).copied(), Some(record.key.as_str()));
                stale += u32::from(newest.get(record.key.as_str()).is_some_and(|known| known.0 > moment));
            }
            Fate::OutOfOrder => {
                let (later, published) = newest.get(record.key.as_str()).expect("its successor came first");
                assert!(*later > moment, "{later} {moment}");
                assert!(record.timestamp - published <= 36 * 3_600_000, "the case lived on");
                swapped += 1;
            }
            Fate::Fresh if !moment.is_empty() => {
                assert!(record.timestamp / 1000 - unix(&moment) < 3600);
                newest.insert(&record.key, (moment, record.timestamp));
            }
            Fate::Late if !moment.is_empty() => assert!(record.timestamp / 1000 - unix(&moment) >= 3600),
            _ => {}
        }
        if is_sound(record) {
            seen.insert(&record.payload, &record.key);
        }
    }
    assert!(swapped > 1_000 && stale > 50, "{swapped} {stale}");
}

fn unix(moment: &str) -> i64 {
    chrono::DateTime::parse_from_rfc3339(moment).expect("RFC 3339").timestamp()
}

#[test]
fn event_times_of_a_case_strictly_grow_and_keys_are_the_case_numbers() {
    let (records, _) = run(month(23, Some(30_000)));
    let mut moments: HashMap<String, HashSet<String>> = HashMap::new();
    for record in
        records.iter().filter(|r| r.source == SourceKind::Incident && is_sound(r) && r.fate != Fate::Duplicate)
    {
        let event = json(record);
        assert_eq!(event["incident_id"], record.key.as_str());
        let moment = event["at"].as_str().expect("a text").to_owned();
        assert!(moments.entry(record.key.clone()).or_default().insert(moment), "a tie in {}", record.key);
    }
    assert!(records.iter().all(|record| !record.key.is_empty()));
}

#[test]
fn broken_records_are_broken_as_their_kind_says() {
    let (records, _) = run(SimulationConfig { broken: 0.2, ..month(29, Some(20_000)) });
    for record in &records {
        let Fate::Broken(kind) = record.fate else { continue };
        let parsed = serde_json::from_slice::<serde_json::Value>(&record.payload);
        let utf8 = std::str::from_utf8(&record.payload);
        match kind {
            BrokenKind::TruncatedJson | BrokenKind::NotJson => assert!(parsed.is_err() && utf8.is_ok()),
            BrokenKind::InvalidUtf8 => assert!(utf8.is_err()),
            BrokenKind::EmptyPayload => assert!(record.payload.is_empty()),
            BrokenKind::BadDate => assert!(utf8.expect("text").contains("32.13.2026")),
            BrokenKind::MissingCaseId | BrokenKind::UnknownWord | BrokenKind::WrongType => assert!(parsed.is_ok()),
        }
    }
}

#[test]
fn people_write_in_the_morning_and_in_the_evening() {
    let (records, _) = run(month(31, Some(60_000)));
    let mut hours = [0u32; 24];
    for record in records.iter().filter(|r| r.source == SourceKind::Incident && r.fate == Fate::Fresh) {
        if record.payload.windows(7).any(|bytes| bytes == b"\"found\"") {
            hours[((record.timestamp / 1000 + 3 * 3600) / 3600 % 24) as usize] += 1;
        }
    }
    let mean = hours.iter().sum::<u32>() / 24;
    assert!([9, 10, 18, 19, 20].iter().all(|hour| hours[*hour] > mean * 5 / 4), "{hours:?}");
    assert!([1, 2, 3, 4].iter().all(|hour| hours[*hour] < mean / 3), "{hours:?}");
}

#[test]
fn some_answers_are_late_and_some_cases_stay_open() {
    let (records, ledger) = run(month(37, Some(60_000)));
    let (mut overdue, mut answers) = (0, 0);
    let mut found: HashMap<&str, i64> = HashMap::new();
    for record in records.iter().filter(|r| r.source == SourceKind::Incident && r.fate == Fate::Fresh) {
        let event = json(record);
        let moment = unix(event["at"].as_str().expect("a text"));
        match event["event"].as_str() {
            Some("found") => _ = found.insert(&record.key, moment),
            Some("answered" | "interim_answer") => {
                if let Some(start) = found.remove(record.key.as_str()) {
                    answers += 1;
                    overdue += i32::from(moment - start > 8 * 3600);
                }
            }
            _ => {}
        }
    }
    let share = f64::from(overdue) / f64::from(answers);
    assert!((0.05..0.16).contains(&share), "{share}");
    let done = ledger.incident.cases_by_status.of(Status::Closed);
    assert!(done > ledger.incident.cases / 2 && done < ledger.incident.cases * 95 / 100);
    assert!(ledger.incident.facts.merged > 0 && ledger.incident.facts.returned > 0 && ledger.pos.facts.reopened > 0);
}

#[test]
fn a_live_stream_goes_on_from_its_history_without_end() {
    let from = NEW_YEAR + 2 * DAY;
    let stream = LiveStream { from: at(from), cases_per_second: 20.0, pace: 60.0 };
    let config = SimulationConfig { records: Some(3_000), ..SimulationConfig::new(41, at(NEW_YEAR), at(NEW_YEAR)) };
    let mut simulation = Simulation::live(config, &shipped(), stream).expect("sound");
    let mut record = SimulatedRecord::default();
    let (mut history, mut minute) = (0, 0);
    while simulation.next(&mut record) && record.timestamp < (from + 60) * 1000 {
        if record.timestamp < from * 1000 { history += 1 } else { minute += 1 }
    }
    assert!((2_600..3_600).contains(&history), "{history}");
    assert!((1_200..6_000).contains(&minute), "{minute}");
}

#[test]
fn a_paced_stream_has_the_event_time_it_is_told() {
    let config = SimulationConfig {
        duplicates: 0.05,
        out_of_order: 0.03,
        ..SimulationConfig::new(43, at(NEW_YEAR), at(NEW_YEAR))
    };
    let mut simulation = Simulation::new(config, &shipped()).expect("sound");
    let mut record = SimulatedRecord::default();
    let mut last: HashMap<String, String> = HashMap::new();
    for number in 0..60_000i64 {
        let now = NEW_YEAR + number / 2_000;
        simulation.next_at(at(now), &mut record);
        if record.source == SourceKind::Incident && record.fate == Fate::Fresh {
            let moment = json(&record)["at"].as_str().expect("a text").to_owned();
            assert!((now - unix(&moment)) < 2);
            let before = last.insert(record.key.clone(), moment.clone());
            assert!(before.is_none_or(|before| before < moment));
        }
    }
    let ledger = simulation.ledger();
    assert_eq!(ledger.records, 60_000);
    assert!(ledger.incident.facts.answered > 1_000 && ledger.pos.facts.answered > 500, "{ledger:?}");
    let faults = |pick: fn(&SourceLedger) -> u64| pick(&ledger.pos) + pick(&ledger.incident);
    // Most re-deliveries of a paced stream are still to come after half a minute.
    assert!(faults(|source| source.duplicates) > 800, "{}", faults(|source| source.duplicates));
    assert!((700..1_500).contains(&faults(|source| source.late)), "{}", faults(|source| source.late));
    assert!((1_200..2_400).contains(&faults(|source| source.out_of_order)), "{}", faults(|source| source.out_of_order));
}

#[test]
fn channels_have_the_volumes_of_life_and_take_nothing_from_the_other_sources() {
    let (records, ledger) = run(SimulationConfig { channels: true, ..month(5, None) });
    let weeks = 31.0 / 7.0;
    let per_week = |source: SourceKind| ledger.of(source).cases as f64 / weeks;
    let month_of_snow = per_week(SourceKind::Pos) + per_week(SourceKind::Incident);
    assert!((1_500.0..4_500.0).contains(&month_of_snow), "{month_of_snow}");
    // 19 of a hundred calls of 4,000 a day, and the season of January like everybody
    let cards = per_week(SourceKind::S112) / month_of_snow;
    assert!((2.5..3.2).contains(&cards), "{cards} cards to one case of the others");
    for source in SourceKind::ALL {
        let share = ledger.of(source);
        assert_eq!(records.iter().filter(|record| record.source == source).count() as u64, share.records);
        assert!(share.cases > 500 && share.duplicates > 0 && share.broken.total() > 0, "{source:?}: {share:?}");
    }
    let (_, without) = run(month(5, Some(2_000)));
    assert_eq!((without.sed.records, without.s112.records, without.portal.records), (0, 0, 0));
}
