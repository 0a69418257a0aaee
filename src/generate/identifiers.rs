//! Invented personal identifiers in the spellings people use, so that the masker has work.
//! Owner: the text writer. Invariants: check digits hold (СНИЛС, Luhn), every value comes from the dice and belongs to nobody on purpose.

use super::dice::Dice;
use super::json::push_digits;

const MAIL_NAMES: &[&str] =
    &["ivan.petrov", "sidorova_n", "olga.k", "zhitel62", "svetlana-m", "a.kuznetsov", "marina1978", "dvor.novoselov"];
const MAIL_HOSTS: &[&str] = &["mail.ru", "yandex.ru", "bk.ru", "rambler.ru", "gmail.com", "почта.рф"];
const NICKS: &[&str] = &["ryazan_mama", "dachnik62", "nik.sokolov", "alena_vesna", "pesochnya_live", "vodila_rzn"];
const NAMES: &[&str] = &["Анна Соколова", "Пётр Лебедев", "Марина Орлова", "Игорь Захаров", "Светлана Белова"];

/// Appends one sentence with one identifier, now and then two.
pub(super) fn append(out: &mut String, dice: &mut Dice) {
    one(out, dice);
    if dice.chance(0.2) {
        one(out, dice);
    }
}

fn one(out: &mut String, dice: &mut Dice) {
    match dice.below(16) {
        0..=6 => {
            out.push_str(dice.word(&[
                "Мой телефон ",
                "Тел. ",
                "Звоните: ",
                "Перезвоните мне по номеру ",
                "телефон для связи ",
            ]));
            phone(out, dice);
        }
        7..=9 => {
            out.push_str(dice.word(&["Почта: ", "Ответ прошу на ", "Мой e-mail "]));
            out.push_str(dice.word(MAIL_NAMES));
            push_digits(out, dice.below(1000) as u64, 1);
            out.push('@');
            out.push_str(dice.word(MAIL_HOSTS));
        }
        10..=11 => {
            out.push_str(dice.word(&["СНИЛС ", "Мой СНИЛС: ", "снилс "]));
            snils(out, dice);
        }
        12 => {
            out.push_str(dice.word(&["Перечислите на карту ", "Карта ", "карта Сбера "]));
            card(out, dice);
        }
        13..=14 => profile(out, dice),
        _ => {
            out.push_str("[id");
            push_digits(out, u64::from(dice.between(1_000_000, 799_999_999)), 1);
            out.push('|');
            out.push_str(dice.word(NAMES));
            out.push_str("], подтвердите");
        }
    }
    out.push_str(". ");
}

fn phone(out: &mut String, dice: &mut Dice) {
    let code = u64::from(dice.between(900, 999));
    let (a, b, c) = (dice.below(1000) as u64, dice.below(100) as u64, dice.below(100) as u64);
    // Opening, after the code, between the groups, between the pairs.
    const SPELLINGS: [[&str; 4]; 7] = [
        ["+7 (", ") ", "-", "-"],
        ["+7 ", " ", " ", " "],
        ["8(", ")", "-", "-"],
        ["8-", "-", "-", "-"],
        ["8", "", "", ""],
        ["+7", "", "", ""],
        ["8 ", " ", "-", "-"],
    ];
    let spelling = SPELLINGS[dice.below(SPELLINGS.len())];
    out.push_str(spelling[0]);
    push_digits(out, code, 3);
    out.push_str(spelling[1]);
    push_digits(out, a, 3);
    out.push_str(spelling[2]);
    push_digits(out, b, 2);
    out.push_str(spelling[3]);
    push_digits(out, c, 2);
}

fn snils(out: &mut String, dice: &mut Dice) {
    // Numbers below 001-001-998 have no check digits.
    let number = u64::from(dice.between(2_000_000, 199_999_999));
    let sum: u64 = (0..9).map(|place| number / 10u64.pow(place) % 10 * u64::from(place + 1)).sum();
    let check = sum % 101 % 100;
    let separators = if dice.chance(0.7) { ["-", "-", " "] } else { [""; 3] };
    push_digits(out, number / 1_000_000, 3);
    out.push_str(separators[0]);
    push_digits(out, number / 1000 % 1000, 3);
    out.push_str(separators[1]);
    push_digits(out, number % 1000, 3);
    out.push_str(separators[2]);
    push_digits(out, check, 2);
}

fn card(out: &mut String, dice: &mut Dice) {
    let body = 220_000_000_000_000 + dice.below(5_000_000_000_000) as u64;
    let doubled: u64 = (0..15)
        .map(|place| {
            let digit = body / 10u64.pow(place) % 10;
            let weighted = if place % 2 == 0 { digit * 2 } else { digit };
            weighted / 10 + weighted % 10
        })
        .sum();
    let number = body * 10 + (10 - doubled % 10) % 10;
    let separator = if dice.chance(0.6) { " " } else { "" };
    for group in (0..4).rev() {
        push_digits(out, number / 10u64.pow(group * 4) % 10_000, 4);
        if group > 0 {
            out.push_str(separator);
        }
    }
}

fn profile(out: &mut String, dice: &mut Dice) {
    out.push_str(dice.word(&["Мой профиль ", "Пишите в личку: ", "Страница виновника: "]));
    match dice.below(4) {
        0 => {
            out.push_str("https://vk.com/id");
            push_digits(out, u64::from(dice.between(1_000_000, 799_999_999)), 1);
        }
        1 => {
            out.push_str("vk.com/");
            out.push_str(dice.word(NICKS));
        }
        2 => {
            out.push_str("t.me/");
            out.push_str(dice.word(NICKS));
        }
        _ => {
            out.push('@');
            out.push_str(dice.word(NICKS));
            push_digits(out, dice.below(100) as u64, 2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digits(text: &str) -> Vec<u32> {
        text.chars().filter_map(|letter| letter.to_digit(10)).collect()
    }

    #[test]
    fn the_check_digits_of_a_snils_hold() {
        let mut dice = Dice::new(8);
        for _ in 0..500 {
            let mut text = String::new();
            snils(&mut text, &mut dice);
            let digits = digits(&text);
            assert_eq!(digits.len(), 11, "{text}");
            let sum: u32 = digits[..9].iter().zip((1..=9).rev()).map(|(digit, weight)| digit * weight).sum();
            assert_eq!(digits[9] * 10 + digits[10], sum % 101 % 100, "{text}");
        }
    }

    #[test]
    fn cards_pass_the_luhn_check() {
        let mut dice = Dice::new(9);
        for _ in 0..500 {
            let mut text = String::new();
            card(&mut text, &mut dice);
            let sum: u32 = digits(&text)
                .iter()
                .rev()
                .enumerate()
                .map(|(place, digit)| if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit })
                .sum();
            assert_eq!((digits(&text).len(), sum % 10), (16, 0), "{text}");
        }
    }
}
