use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::figures::{Bar, Bars, Flow, Inflow, Latest, Outcomes};
use super::*;

fn sample() -> Figures {
    let bar = |name: &str, open, overdue| Bar { name: name.to_owned(), open, overdue };
    Figures {
        at_millis: 1_767_636_903_400,
        newest_millis: Some(1_767_636_903_000),
        inflow: vec![Inflow { name: "Инциденты".to_owned(), minute: 12, hour: 1_310 }],
        open: 4_512,
        overdue: 133,
        due: 48,
        blocks: Bars { named: vec![bar("ЖКХ", 1_200, 31), bar("Дороги", 600, 0)], unknown: 12 },
        territories: Bars {
            named: vec![bar("Железнодорожный район г. Рязани", 410, 7)], unknown: 0
        },
        rows: Outcomes { applied: 58_001, duplicate: 1_833, rejected: 306, ignored: 0 },
        latest: vec![Latest {
            at_millis: 1_767_636_900_000,
            place: "ПОС".to_owned(),
            text: "Не горит фонарь".to_owned(),
        }],
        flow: Flow { records_read: 61_234, rows_per_second: 1_843.0, ..Flow::default() },
        ..Figures::default()
    }
}

fn places() -> Places {
    Places {
        kafka: "127.0.0.1:40001".to_owned(),
        topics: vec!["tsur.in.incident".to_owned(), "tsur.in.pos".to_owned()],
        clickhouse: "http://127.0.0.1:28123".to_owned(),
        database: "tsur_demo".to_owned(),
        ..Places::default()
    }
}

fn drawn(figures: &Figures, is_live: bool, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    let places = places();
    let view = View { figures, places: &places, is_live, history: 120_280 };
    terminal.draw(|frame| draw(frame, &view)).expect("drawn");
    let buffer = terminal.backend().buffer().clone();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn everything_fits_into_100_by_30() {
    let picture = drawn(&sample(), true, 100, 30);
    for text in [
        "05.01.2026 21:15:03 МСК",
        "данные отстают на 0,4 с",
        "4 512",
        "133",
        "ЖКХ",
        "не указано 12",
        "Железнодорожный",
        "1 310/ч",
        "61 234 записи",
        "отклонено 306",
        "127.0.0.1:40001",
        QUESTIONS[0],
        QUESTIONS[1],
        "curl -s 'http://127.0.0.1:28123/?database=tsur_demo' -d 'SELECT * FROM v_accounting FORMAT Pretty'",
        "q или Ctrl-C – выход",
    ] {
        assert!(picture.contains(text), "{text} is not in\n{picture}");
    }
}

#[test]
fn a_large_screen_has_the_latest_messages_too() {
    assert!(drawn(&sample(), true, 160, 48).contains("Не горит фонарь"));
}

#[test]
fn small_terminals_get_the_most_important() {
    let picture = drawn(&sample(), true, 40, 8);
    assert!(picture.contains("просрочено 133") && picture.contains("q – выход"), "{picture}");
    drawn(&sample(), true, 1, 1);
}

#[test]
fn old_data_say_so() {
    let mut figures = sample();
    assert!(drawn(&figures, false, 100, 30).contains("загружается история: 60 140 записей, 50 %"));
    figures.at_millis += 120_000;
    assert!(drawn(&figures, true, 100, 30).contains("ДАННЫЕ УСТАРЕЛИ: отстают на 2 минуты"));
    figures.trouble = Some("нет связи".to_owned());
    assert!(drawn(&figures, true, 100, 30).contains("ДАННЫЕ НЕ ОБНОВЛЯЮТСЯ"));
}

#[test]
fn bars_are_in_proportion() {
    assert_eq!(bar(8, 8, 4), "████");
    assert_eq!(bar(1, 8, 4), "▌");
    assert_eq!(bar(0, 0, 4), "");
}
