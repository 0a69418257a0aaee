//! What a word can be in a name: given name, patronymic, surname, or a word that announces or forbids one.
//! Owner: the process (shared, read only). Invariant: facts depend on the folded form alone, so they are made once per
//! word and kept in a table of words.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::forms::{self, Surname};
use crate::text::fold;

/// The lists of `pipelines/reference/names.toml`, as they are written.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct PersonLists {
    pub male: Vec<String>,
    pub female: Vec<String>,
    pub short: Vec<String>,
    pub ambiguous: Vec<String>,
    /// Names whose cases are not made by the rules, with their cases; the first is the genitive.
    pub irregular: Vec<(String, Vec<String>)>,
    pub patronymics_male: Vec<String>,
    pub patronymics_female: Vec<String>,
    /// «оглы», «кызы».
    pub tails: Vec<String>,
    /// Class and words: see [`PersonLists::CLASSES`].
    pub words: Vec<(String, Vec<String>)>,
}

impl PersonLists {
    /// Names of the lists in `[words]`.
    pub const CLASSES: [&str; 13] = [
        "roles",
        "kin",
        "introduces",
        "respect",
        "greets",
        "places",
        "institutions",
        "ranks",
        "firms",
        "networks",
        "houses",
        "towns",
        "common",
    ];
}

/// A set of what a word can be.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Facts(u32);

impl Facts {
    pub const NONE: Facts = Facts(0);
    pub const GIVEN: Facts = Facts(1);
    /// A given name that is a common word or a place too.
    pub const AMBIGUOUS: Facts = Facts(1 << 1);
    pub const GENITIVE: Facts = Facts(1 << 2);
    pub const ONLY_GENITIVE: Facts = Facts(1 << 3);
    pub const PATRONYMIC: Facts = Facts(1 << 4);
    /// «оглы», «кызы».
    pub const TAIL: Facts = Facts(1 << 5);
    pub const SURNAME: Facts = Facts(1 << 6);
    pub const WEAK_SURNAME: Facts = Facts(1 << 7);
    pub const ROLE: Facts = Facts(1 << 8);
    pub const KIN: Facts = Facts(1 << 9);
    pub const INTRODUCES: Facts = Facts(1 << 10);
    pub const RESPECT: Facts = Facts(1 << 11);
    pub const GREETS: Facts = Facts(1 << 12);
    pub const PLACE: Facts = Facts(1 << 13);
    pub const RANK: Facts = Facts(1 << 14);
    pub const FIRM: Facts = Facts(1 << 15);
    pub const NETWORK: Facts = Facts(1 << 16);
    pub const HOUSE: Facts = Facts(1 << 17);
    pub const COMMON: Facts = Facts(1 << 18);
    /// «я».
    pub const ME: Facts = Facts(1 << 19);
    /// «на», «по».
    pub const ON: Facts = Facts(1 << 20);
    /// One Russian letter.
    pub const LETTER: Facts = Facts(1 << 21);
    /// Only Russian letters (and hyphens); three or more, or two that no list has.
    pub const RUSSIAN: Facts = Facts(1 << 22);
    /// «лет», «год»: after a number they make it an age.
    pub const AGE: Facts = Facts(1 << 23);
    /// «с» as a place needs its dot.
    pub const NEEDS_DOT: Facts = Facts(1 << 24);

    /// Part of an identifier or of a placeholder.
    pub const WALL: Facts = Facts(1 << 25);
    /// A school, a plant: a place that people head.
    pub const INSTITUTION: Facts = Facts(1 << 26);
    pub const TOWN: Facts = Facts(1 << 27);
    /// «меня».
    pub const OBJECT: Facts = Facts(1 << 28);

    pub const fn and(self, other: Facts) -> Facts {
        Facts(self.0 | other.0)
    }

    pub const fn any(self, of: Facts) -> bool {
        self.0 & of.0 != 0
    }

    fn add(&mut self, other: Facts) {
        self.0 |= other.0;
    }

    /// These if the condition holds, else none.
    pub fn only_if(self, condition: bool) -> Facts {
        Facts(self.0 & u32::from(condition).wrapping_neg())
    }
}

/// Everything that is known of words of names.
pub struct PersonLexicon {
    known: HashMap<Box<str>, Facts, FixedState>,
}

impl PersonLexicon {
    pub fn build(lists: &PersonLists) -> PersonLexicon {
        let mut lexicon = PersonLexicon { known: HashMap::default() };
        for name in lists.male.iter().chain(&lists.female).chain(&lists.short) {
            lexicon.add_given(&fold(name), lists);
        }
        for name in &lists.male {
            for (male, female) in forms::patronymics_of(&fold(name)) {
                lexicon.add_patronymic(&male);
                lexicon.add_patronymic(&female);
            }
        }
        for nominative in lists.patronymics_male.iter().chain(&lists.patronymics_female) {
            lexicon.add_patronymic(&fold(nominative));
        }
        for name in &lists.ambiguous {
            for form in forms::given_forms(&fold(name)) {
                lexicon.add(&form.form, Facts::AMBIGUOUS);
            }
        }
        for tail in &lists.tails {
            lexicon.add(&fold(tail), Facts::TAIL);
        }
        for (class, words) in &lists.words {
            let facts = facts_of_class(class);
            for word in words {
                lexicon.add(&fold(word), facts);
            }
        }
        for (word, facts) in [
            ("я", Facts::ME),
            ("меня", Facts::OBJECT),
            ("на", Facts::ON),
            ("по", Facts::ON),
            ("лет", Facts::AGE),
            ("год", Facts::AGE),
            ("года", Facts::AGE),
            ("с", Facts::NEEDS_DOT),
        ] {
            lexicon.add(word, facts);
        }
        lexicon
    }

    fn add(&mut self, folded: &str, facts: Facts) {
        self.known.entry(Box::from(folded)).or_default().add(facts);
    }

    fn add_given(&mut self, name: &str, lists: &PersonLists) {
        let irregular = lists.irregular.iter().find(|(written, _)| fold(written) == name);
        if let Some((_, cases)) = irregular {
            self.add(name, Facts::GIVEN);
            for (place, case) in cases.iter().enumerate() {
                let genitive = if place == 0 { Facts::GENITIVE } else { Facts::NONE };
                self.add(&fold(case), Facts::GIVEN.and(genitive));
            }
            return;
        }
        for form in forms::given_forms(name) {
            let mut facts = Facts::GIVEN;
            if form.genitive {
                facts.add(Facts::GENITIVE);
            }
            if form.only_genitive {
                facts.add(Facts::ONLY_GENITIVE);
            }
            self.add(&form.form, facts);
        }
    }

    fn add_patronymic(&mut self, nominative: &str) {
        for form in forms::patronymic_forms(nominative) {
            self.add(&form, Facts::PATRONYMIC);
        }
    }

    /// What a folded word can be. Called once per word form.
    pub fn facts(&self, folded: &str) -> Facts {
        let mut facts = self.known.get(folded).copied().unwrap_or_default();
        let mut letters = 0;
        for character in folded.chars() {
            if !matches!(character, 'а'..='я' | '-') {
                return facts;
            }
            letters += 1;
        }
        match letters {
            0 => return facts,
            2 if facts != Facts::NONE => return facts,
            2 => facts.add(Facts::RUSSIAN), // «Ли А.Н.»
            1 => {
                facts.add(Facts::LETTER);
                return facts;
            }
            _ => facts.add(Facts::RUSSIAN),
        }
        if folded.contains('-') {
            let mut parts = folded.split('-');
            if parts.all(|part| self.known.get(part).is_some_and(|known| known.any(Facts::GIVEN))) {
                facts.add(Facts::GIVEN);
            }
        }
        if letters == 2 || facts.any(Facts::COMMON) {
            return facts;
        }
        if !facts.any(Facts::GIVEN) && forms::looks_like_a_patronymic(folded) {
            facts.add(Facts::PATRONYMIC);
        }
        match forms::surname(folded) {
            Surname::Strong => facts.add(Facts::SURNAME),
            Surname::Weak => facts.add(Facts::WEAK_SURNAME),
            Surname::No => {}
        }
        facts
    }
}

fn facts_of_class(class: &str) -> Facts {
    match class {
        "roles" => Facts::ROLE,
        "kin" => Facts::KIN,
        "introduces" => Facts::INTRODUCES,
        "respect" => Facts::RESPECT,
        "greets" => Facts::GREETS,
        "places" => Facts::PLACE,
        "institutions" => Facts::INSTITUTION,
        "towns" => Facts::TOWN,
        "ranks" => Facts::RANK,
        "firms" => Facts::FIRM,
        "networks" => Facts::NETWORK,
        "houses" => Facts::HOUSE,
        "common" => Facts::COMMON,
        _ => Facts::NONE,
    }
}
