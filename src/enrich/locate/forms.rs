//! The case forms of place names: what «Скопин», «Спас-Клепики» or «Казачья Слобода» look like in a sentence.
//! Owner: `locate`, when the atlas is built. Invariants: words come folded (small letters, no «ё»); the name itself is
//! always among its forms. A form that nobody uses does no harm: it is never met.

pub const NOMINATIVE: u8 = 1;
pub const GENITIVE: u8 = 2;
pub const DATIVE: u8 = 4;
pub const ACCUSATIVE: u8 = 8;
pub const INSTRUMENTAL: u8 = 16;
pub const LOCATIVE: u8 = 32;
/// The form may be a surname: «Захарова», «Скопиным».
pub const SURNAME: u8 = 64;
const ALL: u8 = 63;
const OBLIQUE: u8 = GENITIVE | DATIVE | INSTRUMENTAL | LOCATIVE;

/// A form and the cases it stands for.
pub type Form = (String, u8);

/// Ending of the name, letters of it to cut, and the endings of the forms with their cases. First match wins.
type Paradigm = (&'static str, usize, &'static [(&'static str, u8)]);

const PARADIGMS: &[Paradigm] = &[
    // adjectives
    ("кий", 2, HARD_KIY),
    ("гий", 2, HARD_KIY),
    ("хий", 2, HARD_KIY),
    (
        "ий",
        2,
        &[("ий", NOMINATIVE | ACCUSATIVE), ("его", GENITIVE), ("ему", DATIVE), ("им", INSTRUMENTAL), ("ем", LOCATIVE)],
    ),
    ("ый", 2, HARD),
    ("ой", 2, HARD_OY),
    ("кое", 2, NEUTER_K),
    ("гое", 2, NEUTER_K),
    ("хое", 2, NEUTER_K),
    (
        "ое",
        2,
        &[("ое", NOMINATIVE | ACCUSATIVE), ("ого", GENITIVE), ("ому", DATIVE), ("ым", INSTRUMENTAL), ("ом", LOCATIVE)],
    ),
    (
        "ее",
        2,
        &[("ее", NOMINATIVE | ACCUSATIVE), ("его", GENITIVE), ("ему", DATIVE), ("им", INSTRUMENTAL), ("ем", LOCATIVE)],
    ),
    ("ая", 2, &[("ая", NOMINATIVE), ("ой", OBLIQUE), ("ою", INSTRUMENTAL), ("ую", ACCUSATIVE)]),
    ("яя", 2, &[("яя", NOMINATIVE), ("ей", OBLIQUE), ("юю", ACCUSATIVE)]),
    ("чья", 1, &[("я", NOMINATIVE), ("ей", OBLIQUE), ("ю", ACCUSATIVE)]),
    ("ые", 2, &[("ые", NOMINATIVE | ACCUSATIVE), ("ых", GENITIVE | LOCATIVE), ("ым", DATIVE), ("ыми", INSTRUMENTAL)]),
    ("ие", 2, &[("ие", NOMINATIVE | ACCUSATIVE), ("их", GENITIVE | LOCATIVE), ("им", DATIVE), ("ими", INSTRUMENTAL)]),
    // names in -ово, -ево, -ино may stay as they are in every case
    ("ово", 1, PLACE),
    ("ево", 1, PLACE),
    ("ино", 1, PLACE),
    ("ыно", 1, PLACE),
    // nouns
    ("ье", 1, &[("е", NOMINATIVE | ACCUSATIVE | LOCATIVE), ("я", GENITIVE), ("ю", DATIVE), ("ем", INSTRUMENTAL)]),
    ("е", 1, &[("е", NOMINATIVE | ACCUSATIVE | LOCATIVE), ("а", GENITIVE), ("у", DATIVE), ("ем", INSTRUMENTAL)]),
    ("о", 1, &[("о", NOMINATIVE | ACCUSATIVE), ("а", GENITIVE), ("у", DATIVE), ("ом", INSTRUMENTAL), ("е", LOCATIVE)]),
    ("ия", 1, &[("я", NOMINATIVE), ("и", OBLIQUE), ("ю", ACCUSATIVE), ("ей", INSTRUMENTAL)]),
    ("я", 1, &[("я", NOMINATIVE), ("и", GENITIVE), ("е", DATIVE | LOCATIVE), ("ю", ACCUSATIVE), ("ей", INSTRUMENTAL)]),
    ("ка", 1, FEMININE_SOFT),
    ("га", 1, FEMININE_SOFT),
    ("ха", 1, FEMININE_SOFT),
    ("ча", 1, FEMININE_SOFT),
    ("ша", 1, FEMININE_SOFT),
    ("ща", 1, FEMININE_SOFT),
    ("а", 1, &[("а", NOMINATIVE), ("ы", GENITIVE), ("е", DATIVE | LOCATIVE), ("у", ACCUSATIVE), ("ой", INSTRUMENTAL)]),
    (
        "усь",
        1,
        &[
            ("ь", NOMINATIVE | ACCUSATIVE),
            ("я", GENITIVE),
            ("ю", DATIVE),
            ("ем", INSTRUMENTAL),
            ("е", LOCATIVE),
            ("и", LOCATIVE),
        ],
    ),
    ("ь", 1, &[("ь", NOMINATIVE | ACCUSATIVE), ("и", GENITIVE | DATIVE | LOCATIVE), ("ью", INSTRUMENTAL)]),
    (
        "цы",
        1,
        &[
            ("ы", NOMINATIVE | ACCUSATIVE),
            ("ов", GENITIVE),
            ("ев", GENITIVE),
            ("ам", DATIVE),
            ("ами", INSTRUMENTAL),
            ("ах", LOCATIVE),
        ],
    ),
    (
        "ы",
        1,
        &[
            ("ы", NOMINATIVE | ACCUSATIVE),
            ("", GENITIVE),
            ("ов", GENITIVE),
            ("ам", DATIVE),
            ("ами", INSTRUMENTAL),
            ("ах", LOCATIVE),
        ],
    ),
    (
        "ки",
        2,
        &[
            ("ки", NOMINATIVE | ACCUSATIVE),
            ("ок", GENITIVE),
            ("ек", GENITIVE),
            ("к", GENITIVE),
            ("ков", GENITIVE),
            ("кам", DATIVE),
            ("ками", INSTRUMENTAL),
            ("ках", LOCATIVE),
        ],
    ),
    ("ги", 1, PLURAL_K),
    ("хи", 1, PLURAL_K),
    ("чи", 1, PLURAL_K),
    ("щи", 1, PLURAL_K),
    (
        "и",
        1,
        &[
            ("и", NOMINATIVE | ACCUSATIVE),
            ("ев", GENITIVE),
            ("ей", GENITIVE),
            ("ям", DATIVE),
            ("ями", INSTRUMENTAL),
            ("ях", LOCATIVE),
        ],
    ),
    (
        "угол",
        2,
        &[
            ("ол", NOMINATIVE | ACCUSATIVE),
            ("ла", GENITIVE),
            ("лу", DATIVE | LOCATIVE),
            ("лом", INSTRUMENTAL),
            ("ле", LOCATIVE),
        ],
    ),
    (
        "лец",
        2,
        &[
            ("ец", NOMINATIVE | ACCUSATIVE),
            ("ьца", GENITIVE),
            ("ьцу", DATIVE),
            ("ьцом", INSTRUMENTAL),
            ("ьцем", INSTRUMENTAL),
            ("ьце", LOCATIVE),
            ("еца", GENITIVE),
            ("ецу", DATIVE),
            ("еце", LOCATIVE),
        ],
    ),
    (
        "ец",
        2,
        &[
            ("ец", NOMINATIVE | ACCUSATIVE),
            ("ца", GENITIVE),
            ("цу", DATIVE),
            ("цом", INSTRUMENTAL),
            ("це", LOCATIVE),
            ("еца", GENITIVE),
            ("ецу", DATIVE),
            ("еце", LOCATIVE),
        ],
    ),
    (
        "ок",
        2,
        &[("ок", NOMINATIVE | ACCUSATIVE), ("ка", GENITIVE), ("ку", DATIVE), ("ком", INSTRUMENTAL), ("ке", LOCATIVE)],
    ),
    ("й", 1, &[("й", NOMINATIVE | ACCUSATIVE), ("я", GENITIVE), ("ю", DATIVE), ("ем", INSTRUMENTAL), ("е", LOCATIVE)]),
    (
        "",
        0,
        &[
            ("", NOMINATIVE | ACCUSATIVE),
            ("а", GENITIVE),
            ("у", DATIVE | LOCATIVE),
            ("ом", INSTRUMENTAL),
            ("ем", INSTRUMENTAL),
            ("ым", INSTRUMENTAL),
            ("е", LOCATIVE),
        ],
    ),
];

const HARD_KIY: &[(&str, u8)] =
    &[("ий", NOMINATIVE | ACCUSATIVE), ("ого", GENITIVE), ("ому", DATIVE), ("им", INSTRUMENTAL), ("ом", LOCATIVE)];
const HARD: &[(&str, u8)] =
    &[("ый", NOMINATIVE | ACCUSATIVE), ("ого", GENITIVE), ("ому", DATIVE), ("ым", INSTRUMENTAL), ("ом", LOCATIVE)];
const HARD_OY: &[(&str, u8)] = &[
    ("ой", NOMINATIVE | ACCUSATIVE),
    ("ого", GENITIVE),
    ("ому", DATIVE),
    ("ым", INSTRUMENTAL),
    ("им", INSTRUMENTAL),
    ("ом", LOCATIVE),
];
const NEUTER_K: &[(&str, u8)] =
    &[("ое", NOMINATIVE | ACCUSATIVE), ("ого", GENITIVE), ("ому", DATIVE), ("им", INSTRUMENTAL), ("ом", LOCATIVE)];
const PLACE: &[(&str, u8)] =
    &[("о", ALL), ("а", GENITIVE), ("у", DATIVE), ("ом", INSTRUMENTAL), ("ым", INSTRUMENTAL), ("е", LOCATIVE)];
const FEMININE_SOFT: &[(&str, u8)] = &[
    ("а", NOMINATIVE),
    ("и", GENITIVE),
    ("е", DATIVE | LOCATIVE),
    ("у", ACCUSATIVE),
    ("ой", INSTRUMENTAL),
    ("ей", INSTRUMENTAL),
];
const PLURAL_K: &[(&str, u8)] = &[
    ("и", NOMINATIVE | ACCUSATIVE),
    ("", GENITIVE),
    ("ов", GENITIVE),
    ("ей", GENITIVE),
    ("ам", DATIVE),
    ("ами", INSTRUMENTAL),
    ("ах", LOCATIVE),
];

/// Endings of adjectives among names.
const ADJECTIVES: [&str; 10] = ["ий", "ый", "ой", "ое", "ее", "ая", "яя", "ые", "ие", "чья"];

/// Forms like these are surnames as often as places.
const SURNAMES: [&str; 18] = [
    "ов", "ев", "ин", "ын", "ова", "ева", "ина", "ына", "ову", "еву", "ину", "ыну", "овым", "евым", "иным", "овой",
    "евой", "иной",
];

pub fn is_adjective(word: &str) -> bool {
    ADJECTIVES.iter().any(|ending| word.len() > ending.len() + 2 && word.ends_with(ending))
}

/// All forms of one word of a name.
pub fn forms(word: &str) -> Vec<Form> {
    let mut forms = match word.rsplit_once('-') {
        None => decline(word),
        Some((head, tail)) => hyphened(head, tail),
    };
    for (form, cases) in &mut forms {
        if SURNAMES.iter().any(|ending| form.ends_with(ending)) {
            *cases |= SURNAME;
        }
    }
    forms
}

/// The last part declines; a noun before an adjective may decline with it: «в Гусь-Железном», «в Гусе-Железном».
fn hyphened(head: &str, tail: &str) -> Vec<Form> {
    let tails = decline(tail);
    let mut all: Vec<Form> = tails.iter().map(|(form, cases)| (format!("{head}-{form}"), *cases)).collect();
    if is_adjective(tail) && !head.ends_with(['о', 'е', '-']) {
        for (first, first_cases) in decline(head) {
            for (second, second_cases) in &tails {
                if first_cases & second_cases != 0 && first != head {
                    all.push((format!("{first}-{second}"), first_cases & second_cases));
                }
            }
        }
    }
    all
}

fn decline(word: &str) -> Vec<Form> {
    let Some((_, cut, endings)) = PARADIGMS.iter().find(|(ending, _, _)| word.ends_with(ending)) else {
        return vec![(word.to_owned(), ALL)];
    };
    let stem: String = word.chars().take(word.chars().count() - cut).collect();
    let mut forms: Vec<Form> = endings.iter().map(|(ending, cases)| (format!("{stem}{ending}"), *cases)).collect();
    if !forms.iter().any(|(form, _)| form == word) {
        forms.push((word.to_owned(), NOMINATIVE));
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_forms_that_people_write() {
        for (name, written) in [
            ("скопин", "скопина скопину скопином скопине"),
            ("рязань", "рязани рязанью"),
            ("рыбное", "рыбного рыбному рыбным рыбном"),
            ("спас-клепики", "спас-клепиков спас-клепикам спас-клепиках"),
            ("гусь-железный", "гусь-железном гуся-железного"),
            ("спасск-рязанский", "спасске-рязанском спасска-рязанского"),
            ("дашково-песочня", "дашково-песочне дашково-песочню дашково-песочни"),
            ("павелец", "павельца павельце"),
            ("сапожок", "сапожке сапожка"),
            ("сараи", "сараях сараев"),
            ("поляны", "полян полянах"),
            ("исады", "исад исадах"),
            ("дубровичи", "дубровичей дубровичах"),
            ("новоселки", "новоселок новоселках"),
            ("солотча", "солотчи солотче солотчу"),
            ("захарово", "захарово захарова захарове"),
            ("заречье", "заречья заречье"),
            ("казачья", "казачьей казачью"),
            ("старая", "старой старую"),
            ("высоковольтная", "высоковольтной"),
            ("рыбновский", "рыбновского рыбновском рыбновским"),
            ("кермись", "кермиси"),
            ("большие", "больших"),
        ] {
            let forms = forms(name);
            assert!(forms.iter().any(|(form, _)| form == name), "{name}");
            for form in written.split(' ') {
                assert!(forms.iter().any(|(known, _)| known == form), "{name}: {form}");
            }
        }
    }

    #[test]
    fn a_form_says_its_case_and_whether_it_may_be_a_surname() {
        let cases = |name: &str, written: &str| {
            forms(name).into_iter().find(|(form, _)| form == written).map_or(0, |(_, cases)| cases)
        };
        assert_eq!(cases("скопин", "скопине") & (LOCATIVE | SURNAME), LOCATIVE);
        assert_eq!(cases("скопин", "скопина") & (GENITIVE | SURNAME), GENITIVE | SURNAME);
        assert_eq!(cases("захарово", "захарово") & SURNAME, 0);
        assert_eq!(cases("захарово", "захарова") & SURNAME, SURNAME);
        assert_eq!(cases("рязань", "рязани") & LOCATIVE, LOCATIVE);
    }
}
