//! Kinds, urgency, emotion and texts that say nothing.

use super::*;
use crate::text::{Tokens, tokenize};

struct Bench {
    words: Words,
    tokens: Tokens,
    reader: ToneReader,
}

fn bench() -> Bench {
    let lists = crate::config::shipped_tone().expect("sound lists");
    let book = Arc::new(ToneBook::build(&lists).expect("sound phrases"));
    Bench { words: Words::new(), tokens: Tokens::new(), reader: ToneReader::new(book) }
}

impl Bench {
    fn tone(&mut self, text: &str) -> Tone {
        tokenize(text, &mut self.words, &mut self.tokens);
        self.reader.read(&self.words, &self.tokens)
    }
}

#[test]
fn kinds_are_told_apart() {
    let mut bench = bench();
    for (text, kind) in [
        ("Второй месяц не вывозят мусор во дворе дома 5", MessageKind::Complaint),
        ("Прошу принять меры, в подъезде нет света", MessageKind::Complaint),
        ("Жалоба на управляющую компанию", MessageKind::Complaint),
        ("Спасибо за ваши отписки, ничего не сделано", MessageKind::Complaint),
        ("Автобус 22 опять не пришел, сколько можно ждать", MessageKind::Complaint),
        ("Прошу установить лавочку у подъезда", MessageKind::Request),
        ("Просим выделить автобус для поездки школьников", MessageKind::Request),
        ("Предлагаю сделать пешеходный переход у школы", MessageKind::Suggestion),
        ("Было бы здорово поставить урны в парке", MessageKind::Suggestion),
        ("Когда откроют бассейн на Новой?", MessageKind::Question),
        ("Подскажите, как получить справку о доходах", MessageKind::Question),
        ("Спасибо дворнику за чистый двор!", MessageKind::Thanks),
        ("Выражаю благодарность врачам больницы за отзывчивость", MessageKind::Thanks),
        ("Огромное спасибо, все починили оперативно", MessageKind::Thanks),
        ("Хочу поблагодарить водителя автобуса 12 за вежливость", MessageKind::Thanks),
    ] {
        assert_eq!(bench.tone(text).kind, Some(kind), "{text}");
    }
    assert_eq!(bench.tone("улица Новая").kind, None);
}

#[test]
fn politeness_is_no_thanks() {
    let mut bench = bench();
    for text in [
        "Прошу отремонтировать лавочку. Спасибо за внимание",
        "Просим посыпать песком тротуар, заранее благодарны",
        "Когда починят лифт? Заранее спасибо",
    ] {
        assert_ne!(bench.tone(text).kind, Some(MessageKind::Thanks), "{text}");
    }
}

#[test]
fn thanks_with_a_complaint_are_a_complaint() {
    let mut bench = bench();
    for text in ["Спасибо, но свет так и не горит", "Благодарю за ответ, однако дорога разбита"]
    {
        assert_eq!(bench.tone(text).kind, Some(MessageKind::Complaint), "{text}");
    }
}

#[test]
fn urgency_has_its_reasons_and_levels() {
    let mut bench = bench();
    for (text, bit, level) in [
        ("В подъезде сильный запах газа", Urgency::GAS, 2),
        ("Оголенные провода висят над площадкой, опасно для жизни", Urgency::DANGER, 2),
        ("Открытый люк на тротуаре", Urgency::DANGER, 2),
        ("Прорвало трубу, кипяток во дворе", Urgency::ACCIDENT, 1),
        ("Нет отопления третий день", Urgency::NO_HEAT, 1),
        ("Батареи холодные, на улице минус 20", Urgency::NO_HEAT, 2),
        ("Дети ходят в школу по проезжей части", Urgency::CHILD, 0),
        ("Покрасьте лавочку", Urgency(0), 0),
    ] {
        let urgency = bench.tone(text).urgency;
        assert!(urgency.has(bit), "{text}: {urgency:?}");
        assert_eq!(urgency.level(), level, "{text}: {urgency:?}");
    }
}

#[test]
fn emotions_are_heard() {
    let mut bench = bench();
    for (text, emotion) in [
        ("Это безобразие, сколько можно терпеть", Emotion::Angry),
        ("НЕ УБИРАЮТ СНЕГ УЖЕ ЦЕЛЫЙ МЕСЯЦ ВО ДВОРЕ НАШЕГО ДОМА", Emotion::Angry),
        ("Умоляю вас, нет сил больше ждать", Emotion::Desperate),
        ("Спасибо большое, рады новой площадке", Emotion::Grateful),
        ("Прошу установить знак у дома 5", Emotion::Calm),
    ] {
        assert_eq!(bench.tone(text).emotion, emotion, "{text}");
    }
    assert!(bench.tone("Безобразие!!! Позор!!! Доколе!!!").intensity > bench.tone("Это безобразие").intensity);
}

#[test]
fn texts_that_say_nothing_are_told() {
    let mut bench = bench();
    for text in ["", "Здравствуйте!", "Помогите", "Доколе???", "тест", "12345", "Примите меры срочно", "🙂"]
    {
        assert!(!bench.tone(text).enough, "{text}");
    }
    for text in ["Яма на Новой 5", "Не работает лифт", "Нет света в подъезде", "дорога разбита"]
    {
        assert!(bench.tone(text).enough, "{text}");
    }
}

#[test]
fn every_outcome_is_explained() {
    let mut bench = bench();
    let text = "Прошу убрать мусор, опасно для жизни";
    tokenize(text, &mut bench.words, &mut bench.tokens);
    let spoke = bench.reader.explain(&bench.words, &bench.tokens);
    let told: Vec<(&str, &str)> = spoke
        .into_iter()
        .map(|(group, start, end)| {
            let (from, to) = (bench.tokens[start as usize].start, bench.tokens[end as usize - 1].end);
            (group, &text[from as usize..to as usize])
        })
        .collect();
    assert_eq!(told, [("request_strong", "Прошу"), ("complaint", "мусор"), ("danger", "опасно для жизни")]);
}

#[test]
fn a_megabyte_of_one_word_is_counted_without_overflow() {
    let mut bench = bench();
    for word in ["жалоба ", "спасибо ", "кошмар ", "ужас! ", "17 ", "прошу? "] {
        let tone = bench.tone(&word.repeat(100_000));
        assert!(tone.intensity <= 3, "{word}: {tone:?}");
    }
    assert!(!bench.tone(&"17 ".repeat(100_000)).enough, "numbers alone say nothing");
}
