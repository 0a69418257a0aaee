//! What must go and what must stay.

use super::*;

fn masked(text: &str) -> String {
    mask(text).0
}

/// Each text must become exactly the placeholder.
fn all_become(kind: MaskKind, texts: &[&str]) {
    for text in texts {
        assert_eq!(masked(text), kind.placeholder(), "«{text}»");
        let inside = format!("Пишите, {text}, жду ответа");
        assert_eq!(masked(&inside), format!("Пишите, {}, жду ответа", kind.placeholder()), "«{inside}»");
    }
}

fn all_stay(texts: &[&str]) {
    for text in texts {
        assert_eq!(masked(text), *text, "must survive");
    }
}

#[test]
fn mobile_phones_go_in_every_spelling() {
    all_become(
        MaskKind::Phone,
        &[
            "+7 (910) 123-45-67",
            "+7(910)1234567",
            "+79101234567",
            "+7 910 123 45 67",
            "+7-910-123-45-67",
            "+ 7 910 123-45-67",
            "7 910 123 45 67",
            "79101234567",
            "8 910 123-45-67",
            "8-910-123-45-67",
            "8(910)123-45-67",
            "8 (910)-123-45-67",
            "8 ( 910 ) 123 45 67",
            "8910 123 45 67",
            "8910-1234567",
            "89101234567",
            "8.910.123.45.67",
            "8–910–123–45–67",
            "8\u{a0}910\u{a0}123\u{2011}45\u{2011}67",
            "8 910 12 345 67",
            "8 9101 23 45 67",
            "8 91 01 23 45 67",
            "8 910 12 34 567",
            "910-123-45-67",
            "910 123 45 67",
            "910 1234567",
            "9101234567",
            "8 9 1 0 1 2 3 4 5 6 7",
        ],
    );
}

#[test]
fn city_and_foreign_phones_go() {
    all_become(
        MaskKind::Phone,
        &[
            "8 (4912) 25-25-25",
            "8(4912)252525",
            "8-4912-25-25-25",
            "+7 4912 25 25 25",
            "84912252525",
            "8 (49131) 2-12-34",
            "8 495 123-45-67",
            "4912-25-25-25",
            "+7 777 123 45 67",
            "+375 29 123-45-67",
            "+998 90 123 45 67",
            "+49 30 123456 78",
        ],
    );
    assert_eq!(masked("дом (4912) 25-25-25"), "дом (‹телефон›");
}

#[test]
fn a_local_phone_goes_only_where_the_words_say_so() {
    for (text, expected) in [
        ("тел. 25-25-25", "тел. ‹телефон›"),
        ("Тел: 252525", "Тел: ‹телефон›"),
        ("ТЕЛЕФОН 2-12-34", "ТЕЛЕФОН ‹телефон›"),
        ("звоните 25 25 25", "звоните ‹телефон›"),
        ("звоните по номеру 25-25-25", "звоните по номеру ‹телефон›"),
        ("номер 123-45-67", "номер ‹телефон›"),
        ("телефон диспетчера: 25-25-25", "телефон диспетчера: ‹телефон›"),
        ("Телефон для связи 252525", "Телефон для связи ‹телефон›"),
        ("https://site.ru/?phone=89101234567", "https://site.ru/?phone=‹телефон›"),
        ("тел. 25-25-25, 27-27-27 или 28-28-28", "тел. ‹телефон›, ‹телефон› или ‹телефон›"),
        ("8 910 123-45-67, 25-25-25", "‹телефон›, ‹телефон›"),
    ] {
        assert_eq!(masked(text), expected);
    }
    all_stay(&[
        "25-25-25",
        "квартиры 25-25-25",
        "номер 327441",
        "позвоните по заявке 327441",
        "телефон 112",
        "тел. 2026-01-15",
        "номер 12-34-56-78",
    ]);
}

#[test]
fn glued_words_do_not_hide_a_phone() {
    assert_eq!(masked("тел89101234567звоните"), "тел‹телефон›звоните");
    assert_eq!(masked("89101234567WhatsApp"), "‹телефон›WhatsApp");
    assert_eq!(masked("дом 5 8 910 123-45-67 8 910 765-43-21"), "дом 5 ‹телефон› ‹телефон›");
}

#[test]
fn hotlines_of_organisations_stay() {
    all_stay(&[
        "8-800-100-00-00",
        "8 (800) 555 35 35",
        "88005553535",
        "+7 800 200-01-22",
        "горячая линия 8‑800‑200‑01‑22",
        "800-100-20-30",
    ]);
}

#[test]
fn addresses_go_whatever_their_letters() {
    all_become(
        MaskKind::Email,
        &[
            "ivan@mail.ru",
            "Ivan.Petrov+tag@sub.yandex.ru",
            "иван@почта.рф",
            "иван.петров@mail.ru",
            "a@xn--80a1acny.xn--p1ai",
            "89101234567@mail.ru",
            "user_1985@bk.ru",
        ],
    );
    assert_eq!(masked("почта:-ivan@mail.ru.Спасибо"), "почта:-‹почта›.Спасибо");
    assert_eq!(masked("8 910 123-45-67ivan@mail.ru"), "‹телефон›‹почта›");
    all_stay(&["цена @ 5 рублей", "a@b", "@", "@@", "собака@"]);
}

#[test]
fn snils_goes_when_its_control_number_is_right() {
    all_become(MaskKind::Snils, &["112-233-445 95", "112-233-445-95", "112 233 445 95", "112233445 95", "11223344595"]);
    assert_eq!(masked("СНИЛС 112-233-445 00"), "СНИЛС ‹СНИЛС›");
    all_stay(&["112-233-445 96", "11223344596", "ОКТМО 11223344595", "№ 11223344595"]);
}

#[test]
fn cards_go_when_luhn_agrees() {
    all_become(
        MaskKind::Card,
        &[
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "4111111111111111",
            "2200 0000 0000 0004",
            "5555555555554444",
            "3782 822463 10005",
            "378282246310005",
            "4222222222222",
        ],
    );
    all_stay(&["4111 1111 1111 1112", "4111111111111112", "1111 2222 3333 4444"]);
}

#[test]
fn profiles_go() {
    all_become(
        MaskKind::Profile,
        &[
            "https://vk.com/id123456",
            "vk.com/ivan_petrov",
            "http://m.vk.com/ivan?from=search",
            "VK.COM/ivan",
            "vk.ru/id1",
            "https://ok.ru/profile/5512345",
            "t.me/ivan",
            "https://t.me/+AbCdEf",
            "instagram.com/ivan.petrov/",
            "https://www.instagram.com/p/abc/",
            "wa.me/79101234567",
            "https://www.youtube.com/@ivan",
            "[id123|Иван Петров]",
            "[club1|Подслушано]",
            "[id123:bp-1_2|Иван]",
            "@ivan_petrov",
            "@id123 (Иван Петров)",
            "*id123 (Иван)",
        ],
    );
    assert_eq!(masked("Мойvk.com/ivan."), "Мой‹профиль›.");
    assert_eq!(masked("(vk.com/ivan)"), "(‹профиль›)");
    assert_eq!(masked("[id123|Ива"), "‹профиль›");
    assert_eq!(masked("[id1|Аня], спасибо"), "‹профиль›, спасибо");
    all_stay(&[
        "vk.com/wall-123_456",
        "https://vk.com/wall-1_2?reply=3",
        "vk.com",
        "vk.com/",
        "ok.ru/group/5512345",
        "[важно]",
        "[1|2]",
        "https://ryazan.gov.ru/news/1",
        "https://pos.gosuslugi.ru/form/?opaId=261234&utm_source=vk&utm_medium=711&utm_campaign=1026201270260",
        "и/или",
    ]);
}

#[test]
fn what_analysts_live_on_stays() {
    all_stay(&[
        "112",
        "звоните 112 или 101",
        "8-ФЗ",
        "59-ФЗ",
        "ОГРН 1026201270260",
        "1026201270260",
        "ОГРНИП 304500116000157",
        "304500116000157",
        "ИНН 6231006876",
        "6231006875",
        "ИНН 9102006875",
        "ИНН 623100687512",
        "КПП 623401001",
        "№ 327441806",
        "327441806",
        "07/19-ОГ-10",
        "IM-2026-0001234",
        "дом 8, корпус 9",
        "ул. Новосёлов, д. 40А",
        "06.01.2026",
        "06.01.2026 12:30:45",
        "2026-01-06 12:30",
        "8.30-12.30 13.30-17.30",
        "8 31.12.2025 10",
        "8 900 рублей",
        "8 900 000 рублей",
        "9 500 000,50 руб.",
        "с 8 до 17",
        "8-17",
        "автобусы 8, 9, 10, 11, 12, 13",
        "дома 8 9 10 11 12 13 14",
        "54.629216, 39.736375",
        "54.629216 39.736375",
        "маршрут 47, 99 и 41",
        "40817810099910004312",
        "ПП РФ от 24.09.2025 № 1466",
        "62:29:0070021:1234",
        "",
    ]);
}

#[test]
fn numbers_of_documents_go_when_their_digits_or_words_say_so() {
    for (text, expected) in [
        ("ИНН 6231006875", "ИНН ‹ИНН›"),
        ("паспорт 6110 123456", "паспорт ‹паспорт›"),
        ("серия 61 10 № 123456, выдан", "серия ‹паспорт›, выдан"),
        ("полис ОМС 6251 0308 1234 5678", "полис ОМС ‹полис›"),
        ("машина А123ВС62", "машина ‹госномер›"),
        ("дата рождения 01.02.1985", "дата рождения ‹дата рождения›"),
        ("1985 г.р.", "‹дата рождения› г.р."),
        ("д. 40А, кв. 89, 2 подъезд", "д. 40А, кв. ‹квартира›, 2 подъезд"),
        ("в квартире 15 градусов", "в квартире 15 градусов"),
        ("6110 123456", "6110 123456"),
    ] {
        assert_eq!(masked(text), expected);
    }
}

#[test]
fn the_text_around_is_kept_and_everything_is_counted() {
    let (text, counts) =
        mask("Иван, 8 910 123-45-67, ivan@mail.ru, vk.com/ivan, 112-233-445 95, 4111 1111 1111 1111. Ул. Ленина, 5");
    assert_eq!(text, "Иван, ‹телефон›, ‹почта›, ‹профиль›, ‹СНИЛС›, ‹карта›. Ул. Ленина, 5");
    for kind in [MaskKind::Phone, MaskKind::Email, MaskKind::Profile, MaskKind::Snils, MaskKind::Card] {
        assert_eq!(counts.of(kind), 1, "{kind:?}");
    }
    assert_eq!(counts.total(), 5);
}

#[test]
fn counts_saturate() {
    let (_, counts) = mask(&"89101234567, ".repeat(300));
    assert_eq!(counts.of(MaskKind::Phone), 255);
}

#[test]
fn a_hostile_text_costs_linear_time() {
    let began = std::time::Instant::now();
    for piece in ["1 ", "@", "a@", "/", "vk.com/", "[id1|", "8-", "тел 1-", "‹", "a.", "1@", "(8("] {
        mask(&piece.repeat(200_000));
    }
    // a second pass finds as much as the first
    let twice = ["А123ВС62https://vk.com/8 ", "квартире 4111+711223344595кв. "];
    for piece in twice {
        assert_eq!(usize::from(mask(&piece.repeat(100)).1.total()), 200, "{piece}");
        mask(&piece.repeat(100_000));
    }
    assert!(began.elapsed().as_secs() < 20, "took {:?}", began.elapsed());
}
