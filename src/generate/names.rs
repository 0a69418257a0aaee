//! Invented people: authors of messages and the officials named in the ПОС export.
//! Owner: the record writers. Invariant: a name is a pure function of its number, so the same author has the same name everywhere.

const SURNAMES: &[&str] = &[
    "Агапов",
    "Белов",
    "Воронин",
    "Гришин",
    "Данилов",
    "Ермаков",
    "Жданов",
    "Зайцев",
    "Исаев",
    "Карпов",
    "Ларин",
    "Макаров",
    "Никитин",
    "Орлов",
    "Панов",
    "Родионов",
    "Савин",
    "Титов",
    "Ушаков",
    "Фомин",
    "Харитонов",
    "Царёв",
    "Чернов",
    "Шилов",
    "Щукин",
    "Юдин",
    "Яшин",
    "Борисов",
    "Кузин",
    "Мартынов",
    "Горшков",
];
const WOMEN: &[&str] =
    &["Анна", "Ольга", "Марина", "Светлана", "Елена", "Наталья", "Ирина", "Дарья", "Алёна", "Юлия", "Вера"];
const MEN: &[&str] =
    &["Иван", "Сергей", "Алексей", "Дмитрий", "Павел", "Андрей", "Николай", "Роман", "Максим", "Олег", "Егор"];
const INITIALS: &[&str] = &["А.", "В.", "Г.", "Д.", "Е.", "И.", "К.", "Л.", "М.", "Н.", "О.", "П.", "С.", "Т.", "Ю."];

fn pick<'a>(list: &[&'a str], number: u64) -> &'a str {
    list[(number % list.len() as u64) as usize]
}

/// «Марина Белова»: the way a social network shows a person.
pub(super) fn push_author(out: &mut String, number: u64) {
    let (rest, woman) = (number >> 1, number & 1 == 1);
    out.push_str(pick(if woman { WOMEN } else { MEN }, rest));
    out.push(' ');
    out.push_str(pick(SURNAMES, rest / 11));
    if woman {
        out.push('а');
    }
}

/// «Белова М.С.»: the way an export names an official.
pub(super) fn push_official(out: &mut String, number: u64) {
    let (rest, woman) = (number >> 1, number & 1 == 1);
    out.push_str(pick(SURNAMES, rest));
    if woman {
        out.push('а');
    }
    out.push(' ');
    out.push_str(pick(INITIALS, rest / 31));
    out.push_str(pick(INITIALS, rest / 31 / 15));
}

/// How many officials [`push_official`] can tell apart.
pub(super) const OFFICIALS: usize = 2 * 31 * 15 * 15;
