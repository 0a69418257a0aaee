//! The laws of the masker, on texts no example thinks of.

use std::sync::{Arc, LazyLock};

use super::*;
use crate::text::{Tokens, Words, tokenize};
use proptest::prelude::*;

static SHIPPED: LazyLock<Arc<PersonLexicon>> =
    LazyLock::new(|| Arc::new(PersonLexicon::build(&crate::config::shipped_persons().expect("sound lists"))));

fn masked(text: &str) -> String {
    mask(text).0
}

/// Pieces that meet in ways no example thinks of.
fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "8",
        "7",
        "+7",
        "+",
        "910",
        "(910)",
        "(4912)",
        "123",
        "123-45-67",
        "25-25-25",
        "252525",
        "45",
        "67",
        "1",
        "89101234567",
        "112-233-445",
        "95",
        "11223344595",
        "4111",
        "1111",
        "4111111111111111",
        "8-800-100-00-00",
        "375",
        " ",
        " ",
        " ",
        "-",
        "-",
        ".",
        ",",
        "(",
        ")",
        "/",
        "@",
        "@",
        "[",
        "]",
        "|",
        "_",
        "=",
        "?",
        "*",
        "id123",
        "[id123|",
        "Имя]",
        "vk.com/",
        "-vk.com/x",
        "t.me/",
        "https://",
        "wall-1_2",
        "ivan",
        "mail.ru",
        "почта.рф",
        "тел. ",
        "телефон ",
        "номер ",
        "СНИЛС ",
        "ИНН ",
        "№ ",
        " или ",
        "звоните",
        "‹телефон›",
        "‹",
        "›",
        "‹профиль›",
        "\n",
        "\u{a0}",
        "ё",
        "😀",
        "a",
        "x1",
        "Иванова",
        " Мария",
        " Петровна",
        "И.",
        " И.О. ",
        "Иван",
        " Петров",
        "я, ",
        "зовут ",
        "с уважением, ",
        "ул. ",
        "депутат ",
        "сын ",
        "кв. ",
        "квартире ",
        "квартира ",
        "руб",
        "человек",
        " м",
        "°",
        "паспорт ",
        "полис ",
        "дата рождения ",
        "01.02.1985",
        " г.р.",
        "1985",
        "А123ВС62",
        "‹имя›",
        "‹квартира›",
        "«",
        ", ",
        "12",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => "[0-9]{1,12}", 1 => any::<char>().prop_map(String::from)]
}

fn masked_whole(masker: &mut Masker, text: &str) -> String {
    let (mut words, mut tokens, mut out) = (Words::new(), Tokens::new(), Vec::new());
    tokenize(text, &mut words, &mut tokens);
    masker.mask_into(text, &words, &tokens, &mut out);
    String::from_utf8(out).expect("spans on character boundaries")
}

/// Found by the laws: what stops a match is masked later in the same pass.
#[test]
fn what_a_later_match_had_hidden_is_found_in_the_next_pass() {
    for (text, expected) in [
        ("квартире 4111+711223344595кв. ", "квартире ‹квартира›‹телефон›кв. "),
        ("А123ВС62https://vk.com/8", "‹госномер›‹профиль›"),
    ] {
        assert_eq!(masked(text), expected);
        assert_eq!(masked_whole(&mut Masker::new(SHIPPED.clone()), text), expected);
    }
}

/// Found by the laws: a word glued to an identifier is another token once that is a placeholder.
#[test]
fn words_glued_to_an_identifier_are_read_as_they_stand_in_the_masked_text() {
    for (text, expected) in [
        ("Иванова Мария89101234567", "‹имя›‹телефон›"),
        // Name and link both took the stop, and the text between them was cut from behind.
        ("Иван И.vk.com/0", "‹имя›‹профиль›"),
        // A word with a hyphen is one token, and half of it is a link.
        (" И.О. Иванова-vk.com/0", " ‹имя›-‹профиль›"),
        ("4111111111111111\u{feff}Иван Мария", "‹карта›\u{feff}‹имя›"),
        ("vk.com/_ул. СНИЛС  Петровна 8", "‹профиль›ул. СНИЛС  Петровна 8"),
    ] {
        assert_eq!(masked_whole(&mut Masker::new(SHIPPED.clone()), text), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn masking_twice_changes_nothing(pieces in prop::collection::vec(piece(), 0..24)) {
        let once = masked(&pieces.concat());
        let (twice, counts) = mask(&once);
        prop_assert_eq!(&twice, &once);
        prop_assert_eq!(counts.total(), 0);
    }

    #[test]
    fn masking_names_and_numbers_twice_changes_nothing(pieces in prop::collection::vec(piece(), 0..24)) {
        let mut masker = Masker::new(SHIPPED.clone());
        let once = masked_whole(&mut masker, &pieces.concat());
        let twice = masked_whole(&mut Masker::new(SHIPPED.clone()), &once);
        prop_assert_eq!(&twice, &once, "{}", pieces.concat());
    }

    #[test]
    fn spans_of_the_whole_masker_are_ordered_and_apart(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let (mut words, mut tokens) = (Words::new(), Tokens::new());
        tokenize(&text, &mut words, &mut tokens);
        let mut end = 0;
        for span in Masker::new(SHIPPED.clone()).find(&text, &words, &tokens) {
            prop_assert!(span.start >= end && span.end > span.start, "{span:?} in {text:?}");
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            end = span.end;
        }
    }

    #[test]
    fn spans_are_ordered_apart_and_on_character_boundaries(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let mut end = 0;
        for span in spans(&text) {
            prop_assert!(span.start >= end && span.end > span.start);
            prop_assert!(text.is_char_boundary(span.start) && text.is_char_boundary(span.end));
            end = span.end;
        }
    }

    #[test]
    fn the_three_ways_in_agree(text in ".{0,80}", pieces in prop::collection::vec(piece(), 0..16)) {
        let text = text + &pieces.concat();
        let mut out = b"before ".to_vec();
        let counts = mask_into(&text, &mut out);
        let (masked, same_counts) = mask(&text);
        prop_assert_eq!(String::from_utf8(out), Ok(format!("before {masked}")));
        prop_assert_eq!(counts, same_counts);
        prop_assert_eq!(usize::from(counts.total()), spans(&text).len());
    }

    #[test]
    fn a_written_phone_never_survives(
        digits in "9[0-9]{9}", prefix in "(\\+7|8|7|\\+7 |8 |8-)", separator in "[ -]?", left in "[а-я ]{0,12}", right in "[а-я ,.]{0,12}",
    ) {
        let s = separator;
        let phone = format!("{prefix}{}{s}{}{s}{}{s}{}", &digits[..3], &digits[3..6], &digits[6..8], &digits[8..]);
        let text = format!("{left} {phone}{right}");
        prop_assert_eq!(masked(&text), format!("{left} ‹телефон›{right}"));
    }
}
