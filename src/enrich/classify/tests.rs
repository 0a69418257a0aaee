//! Tests of classification: small lexicons for the single mechanisms, made-up messages for the shipped one.

use super::explain::explain;
use super::*;
use crate::config::errors::Errors;
use crate::config::lexicon_read::{LexiconFile, read};
use crate::config::reference::{Block, Topic};
use crate::text::{Tokens, tokenize};

const COMMON: &str = "version = 1\n[levels]\nagainst = -2\nweak = 1\nusual = 2\nstrong = 3\ndecisive = 4\n\
    [scoring]\ngap = 2\nthreshold = 0.4\nsharpness = 2\nshare_weight = 0.1\n\
    [negation]\nreach = 2\nphrases = [\"не =про\"]\n[sets]\nwash = [\"чист*\", \"мыть\"]\n";

fn reference() -> Reference {
    let block = |code: &str| Block { code: code.to_owned(), name: code.to_owned(), order: 1, aliases: Vec::new() };
    let topic = |code: &str, block| Topic { code: code.to_owned(), block, name: code.to_owned(), aliases: Vec::new() };
    Reference {
        blocks: vec![block("roads"), block("msw"), block("other")],
        topics: vec![topic("roads.pits", 0), topic("msw.site", 1), topic("msw.dump", 1)],
        ..Reference::default()
    }
}

fn try_build(roads: &str, msw: &str) -> Result<Classifier, Vec<String>> {
    let errors = Errors::default();
    let roads = format!("version = 1\nblock = \"roads\"\nshare = 0.5\n{roads}");
    let msw = format!("version = 1\nblock = \"msw\"\nshare = 0.5\n{msw}");
    let file = |stem, name, text| LexiconFile { stem, name, text };
    let files =
        [file("common", "common.toml", COMMON), file("msw", "msw.toml", &msw), file("roads", "roads.toml", &roads)];
    let spec = read(&files, &reference(), &errors);
    match errors.into_result() {
        Ok(()) => Ok(Classifier::new(&spec, &reference(), None)),
        Err(list) => Err(list.0.iter().map(ToString::to_string).collect()),
    }
}

fn build(roads: &str, msw: &str) -> Classifier {
    try_build(roads, &format!("{msw}usual = [\"@wash улиц*\"]\n")).expect("sound")
}

/// Sums of the blocks roads and msw.
fn sums(classifier: &Classifier, text: &str) -> (f32, f32) {
    let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
    tokenize(text, &mut words, &mut tokens);
    classifier.classify(&tokens, &words, &mut reader);
    (reader.sums.slots[0], reader.sums.slots[1])
}

#[test]
fn a_word_speaks_in_every_form_and_its_second_mention_says_less() {
    let classifier = build("strong = [\"яма\"]\nweak = [\"ям*\", \"дорож*\"]\n".replace("\"ям*\", ", "").as_str(), "");
    assert_eq!(sums(&classifier, "Здесь ЯМЫ"), (3.0, 0.0));
    assert_eq!(sums(&classifier, "дорожное"), (1.0, 0.0));
    let (twice, _) = sums(&classifier, "яма и ещё яма");
    assert!(twice > 3.0 && twice < 6.0, "{twice}");
}

#[test]
fn of_two_entries_for_a_word_the_stronger_speaks() {
    let classifier = build("weak = [\"асфальт*\"]\nstrong = [\"асфальт\"]\n", "");
    assert_eq!(sums(&classifier, "асфальт"), (3.0, 0.0));
    assert_eq!(sums(&classifier, "асфальтовый"), (1.0, 0.0));
}

#[test]
fn a_phrase_is_its_words_in_order_near_each_other_in_one_sentence() {
    let classifier = build("strong = [\"яма дорог*\"]\n", "");
    assert_eq!(sums(&classifier, "яма на нашей дороге").0, 3.0);
    assert_eq!(sums(&classifier, "дорога и яма").0, 0.0, "the other order");
    assert_eq!(sums(&classifier, "яма у дома где нет дороги").0, 0.0, "too far");
    assert_eq!(sums(&classifier, "Вот яма. Дорога хорошая").0, 0.0, "another sentence");
    assert_eq!(sums(&classifier, "яма дороги, яма дороги").0, 3.0, "once");
}

#[test]
fn sets_forms_and_words_with_hyphens_are_understood() {
    let classifier = build("usual = [\"=мост\", \"провайдер\"]\n", "");
    assert_eq!(sums(&classifier, "мост").0, 2.0);
    assert_eq!(sums(&classifier, "мосты").0, 0.0);
    assert_eq!(sums(&classifier, "интернет-провайдеры").0, 2.0);
    assert_eq!(sums(&classifier, "почистите улицу").1, 0.0);
    assert_eq!(sums(&classifier, "чистят улицу").1, 2.0);
}

#[test]
fn what_a_text_is_not_about_does_not_speak() {
    let classifier = build("strong = [\"дорог*\"]\n", "strong = [\"мусор*\"]\n");
    assert_eq!(sums(&classifier, "пишу не про дорогу а про мусор"), (0.0, 3.0));
}

#[test]
fn a_rule_needs_all_its_words_and_none_of_the_others() {
    let rule = "[[rule]]\nname = \"мусор и бак\"\ntopic = \"msw.site\"\nlevel = \"strong\"\nall = [\"мусор*\"]\nany = [\"бак\", \"ящик\"]\n\
                none = [\"лес\"]\nwithin = 3\nagainst = [\"roads\"]\n";
    let classifier = try_build("weak = [\"яма\"]\n", &format!("weak = [\"@wash\"]\n{rule}")).expect("sound");
    assert_eq!(sums(&classifier, "баки и мусор"), (-2.0, 3.0));
    assert_eq!(sums(&classifier, "мусор лежит"), (0.0, 0.0));
    assert_eq!(sums(&classifier, "мусор, ящик и лес"), (0.0, 0.0));
    assert_eq!(sums(&classifier, "мусор лежит здесь очень давно, ящик"), (0.0, 0.0), "too far");
}

#[test]
fn a_text_that_says_nothing_is_not_determined_and_an_outcome_does_not_depend_on_earlier_texts() {
    let classifier = build(
        "strong = [\"дорог*\"]\n[[topic]]\ncode = \"roads.pits\"\nstrong = [\"яма\"]\n",
        "strong = [\"мусор*\"]\n",
    );
    let (mut words, mut tokens, mut reader) = (Words::with_limit(3), Tokens::new(), Reader::new());
    let mut classify = |text: &str| {
        tokenize(text, &mut words, &mut tokens);
        classifier.classify(&tokens, &words, &mut reader)
    };
    let first = classify("яма на дороге");
    assert_eq!((first.block, first.topic, first.unknown), (0, Some(0), false));
    assert!(first.confidence > 0.8 && (first.top.iter().map(|c| c.confidence).sum::<f32>() - 1.0).abs() < 1e-5);
    let nothing = classify("добрый день уважаемые коллеги");
    assert!(nothing.unknown || nothing.confidence < 0.6, "{nothing:?}");
    for _ in 0..5 {
        classify("совсем другие слова заполняют таблицу целиком");
        assert_eq!(classify("яма на дороге"), first);
    }
}

#[test]
fn agreement_tells_the_same_from_the_near_and_the_different() {
    let candidate = |block, confidence| Candidate { block, confidence };
    let outcome = Outcome {
        block: 1,
        topic: Some(2),
        confidence: 0.6,
        top: [candidate(1, 0.6), candidate(0, 0.3), candidate(2, 0.1)],
        unknown: false,
    };
    assert_eq!(agreement(None, None, &outcome), Agreement::NotGiven);
    assert_eq!(agreement(Some(1), Some(2), &outcome), Agreement::SameTopic);
    assert_eq!(agreement(Some(1), None, &outcome), Agreement::SameBlock);
    assert_eq!(agreement(Some(0), None, &outcome), Agreement::Near);
    assert_eq!(agreement(Some(2), None, &outcome), Agreement::Different);
    assert_eq!(agreement(Some(2), None, &Outcome { unknown: true, ..outcome }), Agreement::Undecided);
}

#[test]
fn an_explanation_names_what_spoke_and_where() {
    let classifier = build("strong = [\"яма дорог*\"]\nweak = [\"дорог*\"]\nagainst = [\"поле\"]\n", "");
    let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
    let text = "Яма на дороге через поле";
    tokenize(text, &mut words, &mut tokens);
    let explanation = explain(&classifier, text, &tokens, &words, &mut reader);
    let told: Vec<(&str, f32)> =
        explanation.lexicon.iter().map(|reason| (reason.what.as_str(), reason.weight)).collect();
    assert_eq!(told, [("яма дорог*", 3.0), ("поле", -2.0), ("дороге", 1.0)]);
    let (start, end) = explanation.lexicon[2].span;
    assert_eq!(&text[start..end], "дороге");
}

#[test]
fn entries_that_never_speak_and_rules_that_never_hold_are_reported() {
    let rules = "[[rule]]\nname = \"а\"\nlevel = \"weak\"\nall = [\"бак\"]\nnone = [\"бак\", \"лес\"]\n\
                 [[rule]]\nname = \"б\"\nlevel = \"weak\"\nall = [\"бак\", \"лес\", \"вид\"]\nwithin = 1\n\
                 [[rule]]\nname = \"в\"\nlevel = \"weak\"\nall = [\"бак\"]\n";
    let roads = "strong = [\"яма\", \"ямы\", \"дорог*\", \"мусор\"]\nweak = [\"дорога\", \"@nothing\", \"ям*\"]\n\
                 [[topic]]\ncode = \"roads.pit\"\nweak = [\"ухаб\"]\n";
    let found = try_build(roads, &format!("strong = [\"мусор\"]\n{rules}")).err().expect("mistakes");
    let expected = [
        "common.toml: sets.wash: no entry uses this set",
        "msw.toml:7: rule[0].level: rule \"а\" never holds: `none` has what it demands",
        "msw.toml:12: rule[1].level: rule \"б\" never holds: 3 words cannot stand that near",
        "msw.toml:17: rule[2].level: rule \"в\" is an entry",
        "roads.toml:4: strong[1]: \"ямы\" is here already (line 4)",
        "roads.toml:4: strong[3]: \"мусор\" is strong evidence for another block too (msw.toml:4)",
        "roads.toml:5: weak[0]: \"дорога\" never speaks: дорог* (line 4) says as much",
        "roads.toml:5: weak[1]: there is no set \"nothing\"",
        "roads.toml:5: weak[2]: \"ям*\" begins too many words",
        "roads.toml:7: topic[0].code: this block has no topic \"roads.pit\"; did you mean \"roads.pits\"?",
    ];
    for start in expected {
        assert!(found.iter().any(|message| message.starts_with(start)), "{start}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

/// Messages as people write them, made up; the lexicon was not.
#[test]
fn the_shipped_lexicon_knows_its_trade() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let config = crate::config::load(&folder, &|_| None).expect("the shipped configuration");
    let classifier = Classifier { model: None, ..config.classifier() };
    let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
    for (text, topic) in [
        ("Не могу записаться к врачу, талонов к терапевту нет уже месяц", "health.appointment"),
        ("В аптеке третий месяц нет льготного инсулина для мамы", "health.medicines"),
        ("Не дают место в детском саду, ребёнку три года, стоим в очереди", "education.kindergarten"),
        ("В школе холодные обеды, порции маленькие, дети не едят в столовой", "education.meals"),
        ("Соцзащита отказала в назначении пособия на второго ребенка из-за дохода", "social.benefits"),
        ("Батареи холодные, в квартире 15 градусов, когда дадут отопление?", "housing.heating"),
        ("Управляющая компания не реагирует на заявки, подъезд не моют", "housing.management"),
        ("Вторую неделю не вывозят мусор, контейнеры переполнены", "msw.removal"),
        ("В овраге за гаражами огромная свалка строительного мусора", "msw.dump"),
        ("На трассе огромные ямы, пробили два колеса, асфальт разбит", "roads.pits"),
        ("Не работает светофор на перекрёстке, машины летят на красный", "roads.lights"),
        ("Автобус 17 маршрута не ходит по расписанию, ждали сорок минут на остановке", "transport.schedule"),
        ("Водитель маршрутки нахамил пассажирам и проехал мимо остановки", "transport.driver"),
        ("Третий день сидим без света, РЭС не отвечает, отключили электричество", "energy.outage"),
        ("Когда проведут газ в нашу деревню, обещали газификацию", "energy.gas"),
        ("Оформился как самозанятый, не могу получить справку в приложении Мой налог", "smb.selfemployed"),
        ("Завод по ночам делает выбросы, дышать нечем, едкий запах", "ecology.air"),
        ("Во дворе не горит ни одного фонаря, темнота, ходим с фонариками", "improvement.lighting"),
        ("Сломаны качели на детской площадке, торчат гвозди", "improvement.playground"),
        ("Старый тополь наклонился над домом, спилите аварийное дерево", "improvement.trees"),
        ("На улице открытый люк, дети могут провалиться в колодец", "improvement.hatch"),
        ("Стадион в райцентре зарос, футбольное поле не ремонтируют", "sport.facilities"),
        ("Работодатель задерживает зарплату третий месяц", "labour.wages"),
        ("Сельский клуб закрыли, дом культуры стоит без отопления и ремонта", "culture.clubs"),
        ("Стая бродячих собак кидается на прохожих, нужен отлов", "other.stray"),
        ("В посёлке нет мобильной связи и интернета", "other.telecom"),
    ] {
        tokenize(text, &mut words, &mut tokens);
        let outcome = classifier.classify(&tokens, &words, &mut reader);
        let found = outcome.topic.map(|topic| config.reference.topics[usize::from(topic)].code.as_str());
        let block = &config.reference.blocks[usize::from(outcome.block)].code;
        let (wanted, _) = topic.split_once('.').expect("a topic");
        assert_eq!(block, wanted, "{text}: {outcome:?}");
        assert_eq!(found, Some(topic), "{text}: {outcome:?}");
        assert!(!outcome.unknown, "{text}: {outcome:?}");
    }
}
