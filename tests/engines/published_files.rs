//! Files that people have, through `tsur publish` and the whole pipeline: the ПОС export, and any table by a small
//! pipeline file of its own.

use std::path::PathBuf;

use crate::support::{Installation, text};

/// Two cases of the documented layout: one in work, one answered and rated.
const POS_EXPORT: &str = "\u{feff}Номер;Номер ЕПГУ;Источник;Верхнеуровневый ЛКО;Категория;Подкатегория;Факт;Организация, в которую поступило сообщение;Организация, в которой находится сообщение;Дата поступления;Дата планируемого завершения работ;Дата фактического завершения работ;Стадия;Статус;Просрочено;Фаст-трек;ФЗ;Заявитель выбрал подачу по 59-ФЗ;Тип решения;Направлено по email в ФОИВ, не подключенный к ПОС;Оценка ответа заявителем;Повторное рассмотрение;ФИО координатора;ФИО исполнителя;ФИО руководителя
100000001;5500000001;ПОС;Рязанская область;Дороги;Ямы;Ямы и выбоины;Администрация города Рязани;Администрация города Рязани;06.10.2025;16.10.2025;-;Исполнение;Назначен исполнитель;Нет;Да;Обычное сообщение;Нет;-;-;-;-;-;-;-
100000002;5500000002;ПОС;Рязанская область;Дороги;Ямы;Ямы и выбоины;Администрация города Рязани;\"Управление \"\"Дорог\"\"; города\";01.10.2025;11.10.2025;07.10.2025;Завершено;Отправлен ответ заявителю;Нет;Да;Обычное сообщение;Нет;Решено;-;5;-;-;-;-
";

#[tokio::test]
async fn a_pos_export_published_twice_changes_no_case_the_second_time_and_every_row_is_a_duplicate() {
    let Some(installation) = Installation::new("pos_twice") else { return };
    installation.write("export.csv", POS_EXPORT);
    let file = installation.folder.path().join("export.csv");
    let file = file.to_str().expect("a plain path");
    for round in 1..=2 {
        let again = if round == 1 { &[][..] } else { &["--again"] };
        let published = installation.tsur(&[&["publish", "pos", file], again].concat());
        assert!(published.status.success(), "{}", text(&published));
        installation.run_until_idle();
        installation.audit();
        let rows = installation.number("SELECT count() FROM events").await;
        let duplicates = installation.number("SELECT count() FROM events WHERE outcome = 'duplicate'").await;
        assert_eq!((rows, duplicates), (2 * round, 2 * (round - 1)));
    }
    let cases = installation
        .word("SELECT arrayStringConcat(groupArray(concat(case_id, ' ', toString(status), ' ', toString(ifNull(rating, 0)))), ', ') FROM (SELECT case_id, status, rating FROM v_cases ORDER BY case_id)")
        .await;
    assert_eq!(cases, "100000001 in_work 0, 100000002 answered 5");
    let overdue = installation.word("SELECT case_id FROM v_overdue").await;
    assert_eq!(overdue, "100000001", "ten days of a fast track have passed for the open case");
}

/// A table of appeals with its own columns needs one file and no code.
const APPEALS_PIPELINE: &str = r#"
source = "appeals"
kafka_topic = "TOPIC"
partitions = 4
format = "json"
shape = "snapshot"
unknown_words = "ignore"
empty = ["-"]

[table]
delimiter = ","
encoding = "utf-8"
key = "id"

[fields]
case_id = "id"
text = "text"
topic = "theme"
body = "responsible"
block = "block"
status = { value = "new" }
"#;

#[tokio::test]
async fn three_thousand_real_appeals_become_three_thousand_rows_with_cases() {
    let file = std::env::var_os("TSUR_APPEALS_CSV").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/kursk/appeals_masked.csv"),
        PathBuf::from,
    );
    if !file.exists() {
        eprintln!(
            "skipped: no file of real appeals here (TSUR_APPEALS_CSV names one with id,text,theme,responsible,block)"
        );
        return;
    }
    let Some(installation) = Installation::new("appeals") else { return };
    let topic = installation.topic("appeals");
    installation.write("pipelines/appeals.toml", &APPEALS_PIPELINE.replace("TOPIC", &topic));
    let migrated = installation.tsur(&["migrate", "--create-topics"]);
    assert!(migrated.status.success(), "{}", text(&migrated));
    let published = installation.tsur(&["publish", "appeals", file.to_str().expect("a plain path")]);
    assert!(published.status.success(), "{}", text(&published));
    installation.run_until_idle();
    installation.audit();
    assert_eq!(
        installation.number("SELECT count() FROM events WHERE source = 'appeals' AND outcome = 'applied'").await,
        3000
    );
    assert_eq!(installation.number("SELECT count() FROM v_open_cases WHERE source = 'appeals'").await, 3000);
    assert_eq!(installation.number("SELECT count() FROM events WHERE empty(text)").await, 0);
    let roads = installation.number("SELECT count() FROM v_open_cases WHERE block = 'roads'").await;
    assert!(roads > 500, "{roads} cases have the block that the file gives");
}
