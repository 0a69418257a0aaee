//! What one record says of itself, with the shipped dictionaries.

use super::*;
use crate::config::Config;
use crate::enrich::answer::Signs;
use crate::enrich::enricher::TextBooks;
use crate::enrich::identity::IdentityKey;
use crate::enrich::names::NameLists;
use crate::mapping::mapper::Mapper;
use crate::model::ids::CaseKey;
use crate::model::time::Time;
use crate::model::words::MessageKind;

const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";

struct Bench {
    mapper: Mapper,
    names: Arc<NameLists>,
}

fn bench(pipeline: &str) -> Bench {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let config: Config = crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound");
    let names = Arc::new(NameLists::default());
    let texts = TextBooks::build(&config.reference.texts).expect("sound phrases");
    let dictionaries = Dictionaries::new(Arc::new(config.reference.clone()), names.clone(), texts);
    let identity = Arc::new(IdentityKey::from_hex(KEY).expect("a key"));
    let pipeline = config.pipeline(pipeline).expect("shipped");
    Bench { mapper: Mapper::new(pipeline, Arc::new(dictionaries), identity), names }
}

impl Bench {
    fn map(&mut self, record: &str) -> (Facts, Texts) {
        let (mut slots, mut texts) = (Vec::new(), Texts::default());
        let received = Time::from_unix_seconds(1_780_000_000).expect("in range");
        let facts = self.mapper.map(record.as_bytes(), received, &mut slots, &mut texts).expect("sound");
        (facts, texts)
    }

    /// A request of the portal with these further columns.
    fn request(&mut self, more: &str) -> (Facts, Texts) {
        self.map(&format!(r#"{{"request_id":"1","event":"submitted","at":"2026-02-03T10:00:00+03:00"{more}}}"#))
    }

    fn answer(&mut self, text: &str) -> (Answer, String) {
        let record = format!(
            r#"{{"request_id":"1","event":"answered","at":"2026-02-04T10:00:00+03:00","answer_text":"{text}"}}"#
        );
        let (_, texts) = self.map(&record);
        (texts.reading.answer, String::from_utf8(texts.answer).expect("text"))
    }
}

const THANKS: &str = "Огромное спасибо дворнику за чистый двор!";

#[test]
fn the_source_is_believed_and_words_fill_what_it_leaves_open() {
    let mut bench = bench("portal");
    let (facts, texts) = bench.request(&format!(r#","text":"{THANKS}""#));
    assert_eq!((facts.kind, facts.text_kind), (None, Some(MessageKind::Thanks)));
    assert_eq!(texts.reading.kind_by, Some(Basis::Text));
    let (facts, texts) = bench.request(&format!(r#","text":"{THANKS}","kind":"Проблема""#));
    assert_eq!((facts.kind, facts.text_kind), (Some(MessageKind::Complaint), Some(MessageKind::Thanks)));
    assert_eq!(texts.reading.kind_by, Some(Basis::Source));
    let (facts, texts) = bench.request("");
    assert_eq!((facts.kind, facts.text_kind, texts.reading.kind_by), (None, None, None));
    assert_eq!(texts.reading.message, Message::default(), "nothing is read where there is no text");
}

#[test]
fn a_kind_that_the_case_has_already_is_not_of_the_words() {
    let mut bench = bench("portal");
    let (_, texts) = bench.request(&format!(r#","text":"{THANKS}""#));
    let known = Case { kind: Some(MessageKind::Complaint), ..Case::unknown(CaseKey(1)) };
    let mut reading = texts.reading;
    bench.mapper.settle(Some(&known), &known, &mut reading);
    assert_eq!(reading.kind_by, None);
    let mut reading = texts.reading;
    bench.mapper.settle(None, &known, &mut reading);
    assert_eq!(reading.kind_by, Some(Basis::Text));
}

#[test]
fn urgency_emotion_and_emptiness_come_with_the_text() {
    let mut bench = bench("portal");
    let (_, texts) = bench.request(r#","text":"Сильно пахнет газом в подъезде дома 5, в квартире ребёнок!""#);
    let message = texts.reading.message;
    let urgency = tone::Urgency(message.urgency);
    assert!(urgency.has(tone::Urgency::GAS) && urgency.level() == 2, "{message:?}");
    assert!(message.emotion.is_some() && !message.not_enough && message.words > 3 && message.hash != 0, "{message:?}");
    let (_, texts) = bench.request(r#","text":"Добрый день""#);
    assert!(texts.reading.message.not_enough);
}

#[test]
fn an_answer_is_masked_and_read_with_what_its_record_says() {
    let mut bench = bench("portal");
    let (answer, text) = bench.answer("Обратитесь в управляющую компанию по телефону 8 (910) 123-45-67");
    assert!(!text.contains("910"), "{text}");
    let signs = Signs(answer.signs);
    assert!(signs.has(Signs::REDIRECT) && signs.has(Signs::SHORT) && !signs.has(Signs::TEMPLATE), "{answer:?}");
    assert_eq!((answer.score, answer.empty[0], answer.done), (50, false, false));
    assert!(answer.empty[1], "as a template it would be an empty one");
    let (nothing, text) = bench.answer("");
    assert_eq!((nothing, text.as_str()), (Answer::default(), ""));
}

#[test]
fn a_house_is_one_in_every_spelling_and_only_with_its_territory() {
    let mut bench = bench("portal");
    let mut key = |address: &str, town: &str| {
        bench.request(&format!(r#","address":"{address}","municipality":"{town}""#)).1.reading.address_key
    };
    let here = key("ул. Полевая, д. 5", "г. Касимов");
    assert_ne!(here, 0);
    assert_eq!(key("улица Полевая, дом 5, кв. 7", "г. Касимов"), here);
    assert_ne!(key("ул. Полевая, д. 6", "г. Касимов"), here);
    assert_ne!(key("ул. Полевая, д. 5", "г. Скопин"), here);
    assert_eq!(key("ул. Полевая", "г. Касимов"), 0, "a street is no house");
    assert_eq!(key("ул. Полевая, д. 5", ""), 0, "the same street is in many towns");
}

#[test]
fn the_record_that_opens_a_case_has_the_proposal_and_no_other() {
    let mut bench = bench("portal");
    let (facts, texts) = bench.request(r#","category":"Дороги","municipality":"г. Касимов""#);
    let opened = Case {
        registered_at: Some(facts.at),
        block: facts.block.expect("known"),
        territory: facts.territory.expect("known"),
        ..Case::unknown(CaseKey(1))
    };
    let mut reading = texts.reading;
    bench.mapper.settle(None, &opened, &mut reading);
    assert!(!bench.names.proposals.name(reading.proposed).is_empty(), "rules of roads lead to somebody");
    let mut reading = texts.reading;
    bench.mapper.settle(Some(&opened), &opened, &mut reading);
    assert_eq!(reading.proposed, 0);
}
