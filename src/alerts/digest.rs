//! What was held back, said in one message: the row of `alert_digests` and its text.
//! Pure. Invariants: the id follows from the alerts in it, so the same digest sent again is the same; every alert in it is
//! counted, those that ended meanwhile too; the text is bounded.

use std::collections::BTreeSet;

use clickhouse::Row;
use serde::{Deserialize, Serialize};

use crate::alerts::gate::{Pile, Why};
use crate::alerts::levels::{Ladder, Moment};
use crate::alerts::notice::AlertRow;
use crate::alerts::russian::{counted, date_time, span};
use crate::model::time::Time;

/// Case numbers that a text names.
const NAMED: usize = 10;

/// A row of `alert_digests`; times in milliseconds, zero is "not yet".
#[derive(Clone, PartialEq, Debug, Row, Serialize, Deserialize)]
pub struct DigestRow {
    pub digest_id: String,
    pub addressee: String,
    pub why: String,
    pub held_from: i64,
    pub held_until: i64,
    pub alerts: u32,
    pub ended: u32,
    pub text: String,
    pub sent_at: i64,
}

/// The digest of a pile, told at `now_millis`.
pub fn digest(pile: &Pile, ladder: &Ladder, now_millis: i64) -> DigestRow {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    hash.update(pile.addressee.as_bytes());
    for row in &pile.rows {
        hash.update(row.alert_id.as_bytes());
    }
    let ended = pile.rows.iter().filter(|row| !row.is_firing()).count();
    let held_from = pile.rows.iter().map(|row| row.raised_at).min().unwrap_or(now_millis);
    DigestRow {
        digest_id: format!("{:032x}", hash.digest128()),
        addressee: pile.addressee.clone(),
        why: pile.why.name().to_owned(),
        held_from,
        held_until: now_millis,
        alerts: pile.rows.len() as u32,
        ended: ended as u32,
        text: text(pile, ladder, held_from, now_millis),
        sent_at: 0,
    }
}

fn text(pile: &Pile, ladder: &Ladder, from: i64, until: i64) -> String {
    let count = counted(pile.rows.len() as u32, ["уведомление", "уведомления", "уведомлений"]);
    let reason = match pile.why {
        Why::Group => "одним сообщением",
        Why::Rate => "сверх часового предела отложено",
        Why::Quiet => "за тихие часы отложено",
    };
    let time = |millis: i64| date_time(Time::from_unix_seconds(millis / 1000).unwrap_or(Time::EARLIEST));
    let mut text = format!("{}: {reason} {count}, с {} по {}.", pile.addressee, time(from), time(until));
    for level in &ladder.levels {
        let cases = pile.rows.iter().filter(|row| row.level == level.name).count();
        if cases > 0 {
            text.push_str(&format!(" {}: {cases}.", moment_words(level.moment)));
        }
    }
    let ended = pile.rows.iter().filter(|row| !row.is_firing()).count();
    if ended > 0 {
        text.push_str(&format!(" Уже снято: {ended}."));
    }
    let cases: BTreeSet<(u32, &str)> =
        pile.rows.iter().filter(|row| row.is_firing()).map(|row| (row.due, row.case_id.as_str())).collect();
    if cases.is_empty() {
        return text;
    }
    let named: Vec<String> = cases.iter().take(NAMED).map(|(due, case_id)| case_words(*due, case_id)).collect();
    text.push_str(&format!(" Обращения: {}", named.join(", ")));
    match cases.len().saturating_sub(NAMED) {
        0 => text.push('.'),
        more => text.push_str(&format!(" и ещё {}.", more)),
    }
    text
}

fn case_words(due: u32, case_id: &str) -> String {
    let due = Time::from_unix_seconds(i64::from(due)).unwrap_or(Time::EARLIEST);
    format!("№ {case_id} (срок {})", date_time(due))
}

fn moment_words(moment: Moment) -> String {
    match moment {
        Moment::Share(percent) => format!("Прошло {percent} % срока"),
        Moment::Breach { after: 0 } => "Срок нарушен".to_owned(),
        Moment::Breach { after } => format!("После срока прошло не меньше чем {}", span(after, false)),
    }
}

/// What the rows of a digest become when it was told.
pub fn told(row: &AlertRow, digest_id: &str, now_millis: i64) -> AlertRow {
    AlertRow {
        digest_id: digest_id.to_owned(),
        webhook_sent_at: now_millis,
        version: row.version | crate::alerts::notice::WEBHOOK_BIT,
        ..row.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::notice::sample_row;

    fn pile(why: Why, count: u32) -> Pile {
        let row = |number: u32| AlertRow {
            alert_id: format!("{number:032x}"),
            case_id: format!("ОБ-{number}"),
            level: ["warn_50", "breach", "breach_24h"][number as usize % 3].to_owned(),
            due: 1_767_646_799 + 60 * number, // 05.01.2026 23:59:59 in Moscow
            raised_at: 1_767_640_000_000,     // 22:06:40
            ..sample_row()
        };
        Pile { addressee: "Минздрав".to_owned(), why, rows: (0..count).map(row).collect() }
    }

    #[test]
    fn a_digest_says_how_much_was_held_back_why_and_which_cases_are_first() {
        let mut held = pile(Why::Quiet, 3);
        held.rows[2] = held.rows[2].resolved(9, 1);
        let digest = digest(&held, &Ladder::default(), 1_767_672_000_000);
        assert_eq!((digest.alerts, digest.ended), (3, 1));
        assert_eq!(
            digest.text,
            "Минздрав: за тихие часы отложено 3 уведомления, с 05.01.2026 22:06 по 06.01.2026 07:00. Прошло 50 % срока: 1. \
             Срок нарушен: 1. После срока прошло не меньше чем 1 день: 1. Уже снято: 1. \
             Обращения: № ОБ-0 (срок 05.01.2026 23:59), № ОБ-1 (срок 06.01.2026 00:00)."
        );
    }

    #[test]
    fn the_number_agrees_with_its_noun_and_the_list_of_cases_is_bounded() {
        for (count, words, more) in [
            (1, "отложено 1 уведомление,", "."),
            (12, "12 уведомлений,", " и ещё 2."),
            (22, "22 уведомления,", " и ещё 12."),
        ] {
            let text = digest(&pile(Why::Rate, count), &Ladder::default(), 0).text;
            assert!(text.contains(words) && text.ends_with(more), "{text}");
        }
    }

    #[test]
    fn the_same_alerts_make_the_same_digest_and_others_another() {
        let id = |count| digest(&pile(Why::Group, count), &Ladder::default(), 5).digest_id;
        assert_eq!(id(3), id(3));
        assert_ne!(id(3), id(4));
    }
}
