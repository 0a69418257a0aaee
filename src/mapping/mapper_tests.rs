use super::*;
use crate::config::reference::Reference;
use crate::enrich::enricher::TextBooks;
use crate::enrich::names::NameLists;
use crate::model::words::{EventKind, Priority, Status};

const KEY: &str = "8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e9f8f1c9d3e5a7b2c4d6e8f0a1b3c5d7e90";

/// A mapper of a shipped pipeline file with the shipped dictionaries, and the names they were given.
fn mapper(name: &str) -> (Mapper, Arc<NameLists>) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let config = crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound");
    let names = Arc::new(NameLists::default());
    let reference: Arc<Reference> = Arc::new(config.reference.clone());
    let texts = TextBooks::build(&reference.texts).expect("sound phrases");
    let dictionaries = Arc::new(Dictionaries::new(reference, names.clone(), texts));
    let identity = Arc::new(IdentityKey::from_hex(KEY).expect("a key"));
    (Mapper::new(config.pipeline(name).expect("shipped"), dictionaries, identity), names)
}

fn map(mapper: &mut Mapper, payload: &str) -> (Result<Facts, Rejection>, Texts) {
    let mut slots = Vec::new();
    let mut texts = Texts::default();
    let received = Time::from_unix_seconds(1_780_000_000).expect("in range");
    let facts = mapper.map(payload.as_bytes(), received, &mut slots, &mut texts);
    (facts, texts)
}

const ROW: &str = r#"{"Номер":"100000001","Источник":"ПОС","Категория":"Дороги","Подкатегория":"-","Факт":"Ямы и выбоины",
  "Организация, в которую поступило сообщение":"Администрация города Рязани","Организация, в которой находится сообщение":"Школа № 7",
  "Дата поступления":"06.10.2025","Дата планируемого завершения работ":"16.10.2025","Дата фактического завершения работ":"-",
  "Стадия":"Исполнение","Статус":"Назначен исполнитель","Просрочено":"Нет","Фаст-трек":"Да","ФЗ":"Обычное сообщение",
  "Тип решения":"-","Оценка ответа заявителем":"-","Повторное рассмотрение":"-"}"#;

#[test]
fn a_row_of_the_export_becomes_the_facts_of_its_case() {
    let (mut mapper, names) = mapper("pos");
    let (facts, texts) = map(&mut mapper, ROW);
    let facts = facts.expect("sound");
    assert_eq!(texts.case_id, "100000001");
    assert_eq!(facts.status, Some(Status::InWork));
    assert_eq!((facts.fast_track, facts.source_overdue, facts.rating), (Some(true), Some(false), None));
    assert!(facts.day_only, "the export dates by days");
    assert_eq!(&*names.blocks.name(u16::from(facts.block.expect("known").0)), "roads");
    assert_eq!(&*names.topics.name(facts.topic.expect("known").0), "roads.pits");
    assert_eq!(&*names.bodies.name(facts.body.expect("given").0), "Школа № 7", "an unlisted body stands for itself");
}

#[test]
fn the_digest_ignores_columns_that_nobody_maps_and_the_order_of_keys() {
    let (mut mapper, _) = mapper("pos");
    let first = map(&mut mapper, ROW).0.expect("sound").digest;
    let with_staff = ROW.replace("\"Номер\"", "\"ФИО исполнителя\":\"-\",\"Номер\"");
    assert_eq!(map(&mut mapper, &with_staff).0.expect("sound").digest, first);
    let answered = ROW.replace("Назначен исполнитель", "Отправлен ответ заявителю");
    assert_ne!(map(&mut mapper, &answered).0.expect("sound").digest, first);
}

#[test]
fn a_rejection_names_the_column_of_the_source_and_the_wrong_value() {
    let (mut mapper, _) = mapper("pos");
    for (from, to, reason, column, detail) in [
        ("06.10.2025", "32.13.2025", "bad_time", "Дата поступления", "32.13.2025"),
        ("06.10.2025", "06.10.2099", "future_time", "Дата поступления", "06.10.2099"),
        ("Назначен исполнитель", "Потерян", "unknown_word", "Статус", "Потерян"),
        ("\"100000001\"", "\"-\"", "missing", "Номер", ""),
        ("\"Фаст-трек\":\"Да\"", "\"Фаст-трек\":[1]", "bad_type", "Фаст-трек", "an array"),
    ] {
        let rejection = map(&mut mapper, &ROW.replace(from, to)).0.expect_err(reason);
        assert_eq!((rejection.reason, rejection.column.as_str(), rejection.detail.as_str()), (reason, column, detail));
    }
}

#[test]
fn a_found_message_is_masked_placed_and_keyed() {
    let (mut mapper, names) = mapper("incident");
    let payload = r#"{"incident_id":"IM-1","event":"found","at":"2026-01-06T12:34:56+03:00","network":"vk","author_id":"id77",
      "text":"Яма! Мой телефон 8 910 123-45-67","municipality":"г. Рязань","address":"ул. Полевая, д. 5, кв. 12","lat":54.62951,"lon":"39,7","priority":"срочный"}"#;
    let (facts, texts) = map(&mut mapper, payload);
    let facts = facts.expect("sound");
    assert_eq!(facts.event, Some(EventKind::Registered));
    assert_eq!(facts.at.seconds(), 1_767_692_096);
    assert_eq!(std::str::from_utf8(&texts.text), Ok("Яма! Мой телефон ‹телефон›"));
    assert_eq!(std::str::from_utf8(&texts.place), Ok("ул. Полевая, д. 5"), "the flat makes a person");
    assert_eq!((texts.latitude, texts.longitude), (54.63, 39.7));
    assert_eq!(&*names.territories.name(facts.territory.expect("given").0), "ryazan");
    assert_ne!(facts.author_key, 0);
    assert_eq!(facts.priority, Some(Priority::Urgent));
}
