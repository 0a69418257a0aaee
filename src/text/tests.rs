//! Words, tokens and side tables.

use proptest::prelude::*;

use super::*;

fn cut(text: &str) -> Vec<(String, Shape, Letters)> {
    let (mut words, mut tokens) = (Words::new(), Tokens::new());
    tokenize(text, &mut words, &mut tokens);
    tokens.iter().map(|token| (token.of(text).to_owned(), token.shape, token.letters)).collect()
}

fn pieces(text: &str) -> Vec<String> {
    cut(text).into_iter().map(|(piece, _, _)| piece).collect()
}

fn ids(text: &str, words: &mut Words) -> Vec<WordId> {
    let mut tokens = Tokens::new();
    tokenize(text, words, &mut tokens);
    tokens.iter().map(|token| token.word).collect()
}

#[test]
fn a_text_becomes_words_numbers_and_marks() {
    assert_eq!(
        pieces("На ул. Ленина, д. 12а не чистят!"),
        ["На", "ул", ".", "Ленина", ",", "д", ".", "12а", "не", "чистят", "!"]
    );
    assert_eq!(
        pieces("интернет-провайдер 8-ФЗ 15к2 3,5"),
        ["интернет-провайдер", "8", "-", "ФЗ", "15к2", "3", ",", "5"]
    );
    assert_eq!(pieces("да - нет-то -5"), ["да", "-", "нет-то", "-", "5"]);
    assert_eq!(pieces("«ЖКХ» № 5"), ["«", "ЖКХ", "»", "№", "5"]);
    assert_eq!(pieces("один \r\n \n два"), ["один", "\r\n \n", "два"]);
    assert_eq!(pieces("слово-"), ["слово", "-"]);
    assert_eq!(pieces(""), Vec::<String>::new());
}

#[test]
fn shapes_and_letters_are_told_apart() {
    use Letters::{Capital, Lower, Upper};
    use Shape::{Break, Number, Punct, Word};
    let (parted, odd) = (Shape::Mixed, Letters::Mixed);
    for (text, shape, letters) in [
        ("иванов", Word, Lower),
        ("Иванов", Word, Capital),
        ("Я", Word, Capital),
        ("ЖКХ", Word, Upper),
        ("Петрова-Водкина", Word, Capital),
        ("Ростов-на-Дону", Word, Capital),
        ("ПЕТРОВА-ВОДКИНА", Word, Upper),
        ("иВАНОВ", Word, odd),
        ("ИвАнов", Word, odd),
        ("пол-Москвы", Word, odd),
        ("Ёлка", Word, Capital),
        ("Iphone", Word, Capital),
        ("2026", Number, Lower),
        ("12а", parted, Lower),
        ("12А", parted, odd),
        ("ї", Word, Lower),
        ("Ива\u{301}нов", Word, Capital),
        (",", Punct, Lower),
        ("🙂", Punct, Lower),
        ("\n", Break, Lower),
    ] {
        assert_eq!(cut(text), [(text.to_owned(), shape, letters)], "«{text}»");
    }
}

#[test]
fn one_word_has_one_number_in_every_spelling() {
    let mut words = Words::new();
    for [left, right] in [
        ["ёлка", "ЕЛКА"],
        ["Трубы", "ТРУБЫ"],
        ["и\u{306}од", "йод"],
        ["Ива\u{301}нов", "иванов"],
        ["энерго\u{ad}сбыт", "Энергосбыт"],
        ["интернет\u{2011}провайдер", "Интернет-провайдер"],
        ["ВЫСОКОКВАЛИФИЦИРОВАННЫЙ", "высококвалифицированный"],
        ["ПОЛИТИКО-ЭКОНОМИЧЕСКОГО", "политико-экономического"],
        ["ЇЖАК", "їжак"],
    ] {
        assert_eq!(ids(left, &mut words), ids(right, &mut words), "{left} {right}");
        let id = words.intern(&fold(left));
        assert_eq!(ids(left, &mut words), [id], "{left}: interning is what the tokens do");
        assert_eq!(words.form(id), fold(right));
    }
    let different = ids("труба трубы труб 1 12 -", &mut words);
    let distinct: std::collections::HashSet<_> = different.iter().collect();
    assert_eq!(distinct.len(), different.len());
}

#[test]
fn long_words_that_differ_in_one_letter_are_different() {
    let mut words = Words::new();
    let base = "рентгеноэлектрокардиографическ";
    let forms: Vec<String> = ["ого", "ому", "ими", "ая", "ое", ""].iter().map(|end| format!("{base}{end}")).collect();
    let numbers: std::collections::HashSet<_> = forms.iter().map(|form| words.intern(form)).collect();
    assert_eq!(numbers.len(), forms.len());
}

#[test]
fn forms_of_a_word_share_a_stem() {
    let mut words = Words::new();
    let numbers = ids("дорога дороги дорогами ДОРОГУ", &mut words);
    let stems: std::collections::HashSet<_> = numbers.iter().map(|id| words.stem(*id)).collect();
    assert_eq!(stems.len(), 1);
    assert_eq!(words.stem_text(words.stem(numbers[0])), "дорог");
    assert_eq!(stem_word("дорогами"), "дорог");
    let number = words.intern("12а");
    assert_eq!(words.stem_text(words.stem(number)), "12а");
}

#[test]
fn what_will_not_be_met_again_is_not_remembered() {
    let mut words = Words::new();
    let long = "а".repeat(41);
    assert_eq!(ids(&format!("89101234567 {long} !"), &mut words), [WordId::NONE; 3]);
    assert!(words.is_empty());
}

#[test]
fn a_full_table_forgets_and_side_tables_follow() {
    let mut words = Words::with_limit(3);
    let mut lengths: Side<usize> = Side::new();
    let first = ids("один два три", &mut words);
    assert_eq!(lengths.get(&words, first[0], |form, _| form.chars().count()), 4);
    assert_eq!(lengths.get(&words, first[0], |_, _| 99), 4, "a value is made once");
    assert_eq!(words.len(), 3);
    let generation = words.generation();
    let second = ids("четыре", &mut words);
    assert_ne!(words.generation(), generation);
    assert_eq!(words.len(), 1);
    assert_eq!(second[0], first[0], "numbers begin anew");
    assert_eq!(lengths.get(&words, second[0], |form, _| form.chars().count()), 6);
    assert_eq!(lengths.get(&words, WordId::NONE, |form, stem| form.len() + usize::from(stem == StemId::NONE)), 1);
}

#[test]
fn a_side_table_does_not_mistake_one_table_of_words_for_another() {
    let (mut left, mut right) = (Words::new(), Words::new());
    let (one, two) = (left.intern("вода"), right.intern("дорога"));
    let mut lengths: Side<usize> = Side::new();
    assert_eq!(lengths.get(&left, one, |form, _| form.chars().count()), 4);
    assert_eq!(lengths.get(&right, two, |form, _| form.chars().count()), 6);
}

#[test]
fn a_flood_of_new_words_in_one_text_is_bounded() {
    let mut words = Words::with_limit(10);
    let text: String = (0..100).map(|number| format!("слово{number} ")).collect();
    let numbers = ids(&text, &mut words);
    assert_eq!(words.len(), 15);
    assert_eq!(numbers.iter().filter(|id| **id == WordId::NONE).count(), 85);
}

#[test]
fn a_second_text_keeps_the_numbers_of_the_first() {
    let mut words = Words::with_limit(1);
    let (mut first, mut second) = (Tokens::new(), Tokens::new());
    tokenize("вода", &mut words, &mut first);
    let generation = words.generation();
    tokenize_more("Вода", &mut words, &mut second);
    assert_eq!(first[0].word, second[0].word);
    assert_eq!(words.generation(), generation);
}

proptest! {
    /// Far from the end of a text letters are read sixteen at once from it, at the end from a copy.
    #[test]
    fn a_word_is_the_same_wherever_it_stands(word in "[а-яА-ЯёЁ]{1,18}|[а-яА-ЯёЁѐЀіѕяЯa«»–\\-\u{301}1]{1,18}") {
        let (mut words, mut last, mut first) = (Words::new(), Tokens::new(), Tokens::new());
        tokenize(&word, &mut words, &mut last);
        tokenize_more(&format!("{word} {}", ".".repeat(40)), &mut words, &mut first);
        prop_assert_eq!(last.as_slice(), &first[..last.len()]);
        prop_assert_eq!(first.len(), last.len() + 40);
    }

    /// A hyphen or a mark that is not seen makes the letters before it walked over, one by one.
    #[test]
    fn a_word_read_at_once_is_what_a_walk_over_its_letters_gives(word in "[а-яА-ЯёЁ]{1,18}") {
        let (mut words, mut tokens) = (Words::new(), Tokens::new());
        let mut told = ["", " ", "-", "\u{ad}"].into_iter().map(|after| {
            tokenize_more(&format!("{word}{after}"), &mut words, &mut tokens);
            (tokens[0].word, tokens[0].shape, tokens[0].letters)
        });
        let first = told.next();
        prop_assert!(told.all(|other| Some(other) == first));
    }

    #[test]
    fn tokens_cover_what_is_not_blank(text in "[а-яА-ЯёЁa-zA-Z0-9 .,«»№ї\u{301}\u{306}\u{ad}\u{2011}\n🙂\u{a0}-]{0,80}") {
        let (mut words, mut tokens) = (Words::new(), Tokens::new());
        tokenize(&text, &mut words, &mut tokens);
        let mut done = 0;
        for token in tokens.iter() {
            let between = &text[done..token.start as usize];
            prop_assert!(between.chars().all(|c| c.is_whitespace() || fold(&c.to_string()).is_empty()), "{between:?}");
            prop_assert!(token.start < token.end);
            done = token.end as usize;
            if token.word != WordId::NONE {
                prop_assert_eq!(words.form(token.word), fold(token.of(&text)));
            }
        }
        prop_assert!(text[done..].chars().all(|c| c.is_whitespace() || fold(&c.to_string()).is_empty()));
    }

    #[test]
    fn folding_twice_is_folding_once(text in "\\PC{0,40}") {
        let once = fold(&text);
        prop_assert_eq!(fold(&once), once);
    }
}
