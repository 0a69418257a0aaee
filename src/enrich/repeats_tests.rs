//! Fingerprints, links and the bounded index.

use proptest::prelude::*;

use super::*;
use crate::text::{Tokens, Words, tokenize};

const HOUR: i64 = 3600;

fn print(text: &str) -> Fingerprint {
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    tokenize(text, &mut words, &mut tokens);
    Fingerprinter::default().read(&words, &tokens)
}

fn message(case: u64, text: &str) -> Message {
    Message { case, at: case as i64 * HOUR, text: print(text), ..Message::default() }
}

const YARD: &str = "Во дворе дома 12 по улице Новой второй месяц не вывозят мусор, контейнеры переполнены, собаки растаскивают отходы \
    по детской площадке, просим принять меры и навести порядок";

#[test]
fn case_endings_case_of_letters_and_punctuation_change_nothing() {
    assert_eq!(print("Мусор не вывозят, двор в грязи!"), print("мусора НЕ вывозят двор в грязи"));
    assert_eq!(print(""), Fingerprint::default());
    assert_eq!(print("!!! я и ты"), Fingerprint { hash: 0, words: 0 });
}

#[test]
fn near_duplicates_are_near_and_other_texts_are_far() {
    let near = [
        format!("Здравствуйте! {YARD}"),
        format!("{YARD}. Спасибо за внимание"),
        YARD.replace("второй месяц", "третий месяц"),
        YARD.replace("просим", "прошу"),
    ];
    for text in near {
        let distance = print(YARD).distance(print(&text));
        assert!(distance <= 12, "{distance}: {text}");
    }
    for text in [
        "На остановке у школы нет освещения, дети ходят в темноте, просим установить фонари вдоль дороги до посёлка",
        "Уже неделю в поликлинике невозможно записаться к терапевту, талонов нет, по телефону никто не отвечает",
    ] {
        let distance = print(YARD).distance(print(text));
        assert!(distance >= 18, "{distance}: {text}");
    }
}

#[test]
fn the_fingerprint_is_the_same_in_every_process() {
    // A change of it makes all hashes in the tables worthless.
    assert_eq!(print("во дворе не вывозят мусор").hash, PINNED);
}

const PINNED: u64 = 16_720_758_287_356_517_951;

#[test]
fn links_have_their_reasons() {
    let rules = RepeatRules::default();
    let base = Message { author: 5, address: 7, topic: 3, ..message(1, YARD) };
    let other = "На остановке у школы нет освещения, дети ходят в темноте, просим установить фонари";
    let with = |author, address, topic, text: &str| Message { author, address, topic, ..message(2, text) };
    for (second, expected) in [
        (with(5, 0, 3, other), Some(Link::Author)),
        (with(5, 0, 4, other), None),
        (with(5, 0, 0, YARD), Some(Link::Author)),
        (with(6, 7, 3, other), Some(Link::Place)),
        (with(6, 7, 4, other), None),
        (with(0, 0, 0, YARD), Some(Link::Text)),
        (with(0, 8, 0, YARD), None),
        (with(5, 8, 3, YARD), None),
        (with(0, 0, 3, other), None),
    ] {
        assert_eq!(link(&base, &second, &rules), expected, "{second:?}");
        assert_eq!(link(&second, &base, &rules), expected, "symmetric");
    }
    assert_eq!(link(&base, &base, &rules), None, "no repeat of itself");
    let late = Message { at: base.at + rules.window + 1, ..with(5, 7, 3, YARD) };
    assert_eq!(link(&base, &late, &rules), None, "outside of the window");
    let short = |case| message(case, "Мусор во дворе");
    assert_eq!(link(&short(1), &short(2), &rules), None, "short texts are alike by chance");
}

/// Whom the index tells of, each once.
fn linked(index: &mut RepeatIndex, message: Message) -> Vec<(u64, Link)> {
    let mut told = Vec::new();
    index.link_all(message, |case, link| told.push((case, link)));
    told.sort_unstable();
    told.dedup();
    told
}

#[test]
fn everyone_who_wrote_nearly_the_same_is_told_of() {
    let mut index = RepeatIndex::new(RepeatRules::default(), 100);
    assert_eq!(linked(&mut index, message(1, YARD)), []);
    let other = "В поликлинике нет талонов к терапевту и никто не отвечает на звонки пациентов";
    assert_eq!(linked(&mut index, message(2, other)), []);
    assert_eq!(linked(&mut index, message(3, YARD)), [(1, Link::Text)]);
    assert_eq!(linked(&mut index, message(4, YARD)), [(1, Link::Text), (3, Link::Text)]);
}

#[test]
fn the_index_forgets_the_oldest() {
    let mut index = RepeatIndex::new(RepeatRules::default(), 2);
    let by = |case: u64, author: u64| Message { author, topic: 1, ..message(case, "") };
    for (case, author) in [(1, 10), (2, 20), (3, 30)] {
        assert_eq!(linked(&mut index, by(case, author)), []);
    }
    assert_eq!(index.len(), 2);
    assert_eq!(linked(&mut index, by(4, 10)), [], "case 1 is forgotten");
    assert_eq!(linked(&mut index, by(5, 30)), [(3, Link::Author)]);
}

#[test]
fn a_flash_mob_costs_no_more_than_its_window_of_looks() {
    let mut index = RepeatIndex::new(RepeatRules::default(), 50_000);
    let text = print(YARD);
    let began = std::time::Instant::now();
    for case in 1..50_000 {
        index.link_all(Message { case, at: 0, author: 1, topic: 1, text, ..Message::default() }, |_, _| {});
    }
    assert!(began.elapsed().as_secs() < 20, "took {:?}", began.elapsed());
}

proptest! {
    /// The index finds what comparing with everybody finds, while chains are short.
    #[test]
    fn the_index_agrees_with_looking_at_everybody(
        all in prop::collection::vec((0u64..4, 0u64..3, 0u16..3, 0usize..3, 0i64..40), 1..30), limit in 1usize..40,
    ) {
        let texts = [YARD, "", "На остановке у школы нет освещения, дети ходят в темноте, просим установить фонари"];
        let rules = RepeatRules::default();
        let mut index = RepeatIndex::new(rules, limit);
        let mut seen: Vec<Message> = Vec::new();
        for (place, (author, address, topic, text, day)) in all.into_iter().enumerate() {
            let text = print(texts[text]);
            let new = Message { case: place as u64 + 1, at: day * 86_400, author, address, topic, text };
            let remembered = seen.iter().rev().take(limit);
            let mut expected: Vec<(u64, Link)> =
                remembered.filter_map(|old| link(&new, old, &rules).map(|link| (old.case, link))).collect();
            expected.sort_unstable();
            prop_assert_eq!(linked(&mut index, new), expected);
            seen.push(new);
        }
    }
}
