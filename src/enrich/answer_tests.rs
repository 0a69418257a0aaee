//! Signs of empty answers and their points.

use super::*;
use crate::text::{Tokens, tokenize};

fn quality(text: &str, facts: AnswerFacts) -> AnswerQuality {
    let lists = crate::config::shipped_answer_quality().expect("sound lists");
    let mut reader = AnswerReader::new(Arc::new(AnswerBook::build(&lists).expect("sound phrases")));
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    tokenize(text, &mut words, &mut tokens);
    reader.read(&words, &tokens, facts)
}

fn signs(text: &str) -> Vec<&'static str> {
    quality(text, AnswerFacts::default()).signs.names().collect()
}

const GOOD: &str = "Здравствуйте! Яму на улице Новой у дома 5 заделали 14 мая, фото во вложении. На следующей неделе бригада \
    проверит весь участок до остановки. Спасибо, что написали.";

#[test]
fn a_short_clear_answer_with_date_and_photograph_has_no_sign() {
    let good = quality(GOOD, AnswerFacts::default());
    assert_eq!((good.signs, good.points, good.empty), (Signs::default(), 100, false));
}

#[test]
fn each_sign_is_seen_by_itself() {
    let filler =
        "Дорожная бригада осмотрела двор, лавочку и площадку возле вашего дома вместе с жителями и старшей по подъезду";
    for (text, sign) in [
        (format!("{filler}. Ремонт запланирован."), "no_date"),
        (format!("{filler}. Обратитесь в управляющую компанию."), "redirect"),
        (
            format!("{filler}. В соответствии с постановлением и согласно статье 5 федерального закона двор осмотрен."),
            "laws",
        ),
        (format!("{filler}. Сообщаем следующее: в рамках полномочий ведется осмотр."), "officialese"),
        ("Вопрос рассмотрен.".to_owned(), "short"),
        (format!("{filler}. Замечания устранены."), "no_proof"),
    ] {
        assert_eq!(signs(&text), [sign], "{text}");
    }
}

#[test]
fn a_date_or_a_term_is_a_date_and_the_date_of_an_act_is_none() {
    let filler =
        "Дорожная бригада осмотрела двор, лавочку и площадку возле вашего дома вместе с жителями и старшей по подъезду";
    for term in ["до 15.05.2026", "15 мая", "в мае 2026 года", "в августе", "в течение десяти дней", "до конца месяца"]
    {
        assert!(!signs(&format!("{filler}. Ремонт запланирован {term}.")).contains(&"no_date"), "{term}");
    }
    assert!(signs(&format!("{filler}. Ремонт запланирован приказом от 12.03.2025 № 45.")).contains(&"no_date"));
}

#[test]
fn done_contradicts_a_bad_rating_and_a_decision_but_not_silence() {
    let text = format!("{GOOD} Работы выполнены.");
    let with = |rating, solved| quality(&text, AnswerFacts { rating, solved, ..AnswerFacts::default() }).signs;
    assert!(with(Some(1), None).has(Signs::CONTRADICTION));
    assert!(with(Some(5), Some(false)).has(Signs::CONTRADICTION));
    for (rating, solved) in [(None, None), (Some(5), Some(true)), (Some(0), None)] {
        assert!(!with(rating, solved).has(Signs::CONTRADICTION), "{rating:?} {solved:?}");
    }
}

#[test]
fn an_attachment_is_proof_and_a_template_is_told() {
    let text = "Бригада осмотрела двор, лавочку и площадку возле дома вместе с жителями и старшей по подъезду, замечания устранены";
    let with =
        |attachments, template| quality(text, AnswerFacts { attachments, template, ..AnswerFacts::default() }).signs;
    assert!(with(None, false).has(Signs::NO_PROOF) && with(Some(false), false).has(Signs::NO_PROOF));
    assert_eq!(with(Some(true), false), Signs::default());
    assert_eq!(with(Some(true), true), Signs::TEMPLATE);
}

#[test]
fn an_empty_answer_loses_its_points() {
    let answer = quality(
        "Ваше обращение рассмотрено. Доводим до вашего сведения, что в соответствии со статьей 161 Жилищного кодекса и \
         согласно постановлению № 491 работы будут выполнены в плановом порядке при наличии финансирования. По данному \
         вопросу обратитесь в управляющую компанию.",
        AnswerFacts::default(),
    );
    let told: Vec<&str> = answer.signs.names().collect();
    assert_eq!(told, ["no_date", "redirect", "laws", "officialese"]);
    assert_eq!((answer.points, answer.empty), (30, true));
}

#[test]
fn what_only_the_whole_picture_tells_is_judged_by_the_same_weights() {
    let lists = crate::config::shipped_answer_quality().expect("sound lists");
    // «выполнено» without a proof: 15 points are gone
    let text = GOOD.replace(", фото во вложении", "") + " Яма устранена.";
    let quality = quality(&text, AnswerFacts::default());
    assert!(quality.done && quality.signs.has(Signs::NO_PROOF), "{quality:?}");
    assert_eq!((quality.points, lists.empty_below), (85, 50));
    let judged = (quality.empty, quality.empty_if_template, quality.empty_if_contradicted, quality.empty_if_both);
    assert_eq!(judged, (false, false, false, true), "20 and 30 more make 35 points");
}
