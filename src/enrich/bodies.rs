//! Names of bodies in any spelling: legal forms, abbreviations, quotes, numbers and case endings leave one key.
//! Owner: `enrich`; the dictionaries of a process hold one, shared and read-only. Invariants: a key leads to one body or, when
//! two bodies share it, to none; an exact name of the dictionary is looked up before any key, so a key never overrules it.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::config::reference::{Body, Reference, TerritoryKind};
use crate::text::{fold, stem_word};

/// Abbreviations and what they stand for; the left side is one folded word.
const EXPANSIONS: &[(&str, &str)] = &[
    ("г", "город"),
    ("гор", "город"),
    ("го", "городской округ"),
    ("адм", "администрация"),
    ("админ", "администрация"),
    ("мин", "министерство"),
    ("мин-во", "министерство"),
    ("м-во", "министерство"),
    ("упр", "управление"),
    ("р-н", "район"),
    ("р-на", "район"),
    ("р-он", "район"),
    ("обл", "область"),
    ("ро", "рязанский область"),
    ("жкх", "жилищно-коммунальное хозяйство"),
    ("тэк", "топливно-энергетический комплекс"),
    ("тко", "твердые коммунальные отходы"),
    ("ук", "управляющая компания"),
    ("гкб", "городская клиническая больница"),
    ("гп", "городская поликлиника"),
    ("гдп", "городская детская поликлиника"),
    ("окб", "областная клиническая больница"),
    ("одкб", "областная детская клиническая больница"),
    ("ммц", "межрайонный медицинский центр"),
    ("цзн", "центр занятости населения"),
    ("сош", "средняя общеобразовательная школа"),
    ("дс", "детский сад"),
    ("рэк", "региональная энергетическая комиссия"),
];

/// Words that say whose or what legal form, not which body. «Муниципальный округ» and «район» are the same land at two times.
const SILENT: &[&str] = &[
    "ооо",
    "оао",
    "пао",
    "зао",
    "ао",
    "нао",
    "ип",
    "мп",
    "муп",
    "мбу",
    "мку",
    "мау",
    "мбоу",
    "мбдоу",
    "маоу",
    "мадоу",
    "гбу",
    "гку",
    "гау",
    "гбоу",
    "гбуз",
    "огбу",
    "гуп",
    "фгбу",
    "фгку",
    "анo",
    "ано",
    "общество",
    "ограниченный",
    "ответственность",
    "акционерный",
    "публичный",
    "открытый",
    "закрытый",
    "муниципальный",
    "государственный",
    "бюджетный",
    "казенный",
    "автономный",
    "унитарный",
    "учреждение",
    "предприятие",
    "общеобразовательный",
    "дошкольный",
    "образовательный",
    "с",
    "и",
    "по",
    "в",
    "на",
    "район",
    "округ",
    "мо",
    "рязанский",
    "область",
    "имени",
    "им",
    "номер",
    "рф",
    "россия",
    "городской",
];

/// Bodies by the key of each of their names.
#[derive(Default)]
pub struct BodyNames {
    by_key: HashMap<String, Option<u32>>,
}

impl BodyNames {
    pub fn new(reference: &Reference) -> BodyNames {
        let mut names = BodyNames::default();
        for (body, index) in reference.bodies.iter().zip(0u32..) {
            for name in spellings(body, reference) {
                let key = key_of(&name);
                if key.is_empty() {
                    continue;
                }
                let owner = names.by_key.entry(key).or_insert(Some(index));
                if *owner != Some(index) {
                    *owner = None;
                }
            }
        }
        names
    }

    pub fn find(&self, name: &str) -> Option<u32> {
        self.by_key.get(&key_of(name)).copied().flatten()
    }

    /// Keys that two bodies share.
    pub fn shared(&self) -> impl Iterator<Item = &str> {
        self.by_key.iter().filter(|(_, owner)| owner.is_none()).map(|(key, _)| key.as_str())
    }
}

/// The names of the dictionary, and for the administration of a district what it was called before the reform.
fn spellings(body: &Body, reference: &Reference) -> Vec<String> {
    let mut names = vec![body.name.clone(), body.short.clone()];
    names.extend(body.aliases.iter().cloned());
    let territory = body.territory.map(|index| &reference.territories[index as usize]);
    let rural = |kind| matches!(kind, TerritoryKind::MunicipalOkrug | TerritoryKind::Raion);
    if let Some(territory) = territory.filter(|territory| rural(territory.kind))
        && body.kind == "municipality"
        && fold(&body.name).starts_with("администрация")
    {
        let adjective = territory.name.split(' ').next().unwrap_or_default();
        names.push(format!("администрация {adjective}"));
        names.push(format!("администрация муниципального образования {adjective}"));
    }
    names
}

/// Stems of the words that tell one body from another, in their order.
pub fn key_of(name: &str) -> String {
    let mut key = String::new();
    let folded = fold(name);
    let parts = folded.split(|letter: char| !(letter.is_alphanumeric() || letter == '-'));
    let words: Vec<&str> = parts.map(|word| word.trim_matches('-')).filter(|word| !word.is_empty()).collect();
    for (at, word) in words.iter().enumerate() {
        let next = words.get(at + 1).copied().unwrap_or_default();
        let before = at.checked_sub(1).map_or("", |earlier| words[earlier]);
        // «Рязанский район» is a land, «Рязанская область» is everywhere
        let land = stem_word(word) == "рязанск" && !(next == "обл" || stem_word(next) == "област");
        // «муниципальное образование» is a land too, «министерство образования» is not
        let unit = stem_word(word) == "образован" && stem_word(before) == "муниципальн";
        if land {
            push_word(&mut key, word);
        } else if !unit {
            match EXPANSIONS.iter().find(|(short, _)| short == word) {
                Some((_, long)) => long.split([' ', '-']).for_each(|part| push_telling(&mut key, part)),
                None => word.split('-').for_each(|part| push_telling(&mut key, part)),
            }
        }
    }
    key
}

fn push_telling(key: &mut String, word: &str) {
    static STEMS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let long = SILENT.iter().filter(|silent| silent.chars().count() > 3);
        long.map(|silent| stem_word(silent)).collect()
    });
    if !word.is_empty() && !SILENT.contains(&word) && !STEMS.contains(&stem_word(word)) {
        push_word(key, word);
    }
}

fn push_word(key: &mut String, word: &str) {
    if !key.is_empty() {
        key.push(' ');
    }
    key.push_str(&stem_word(word));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn shipped() -> Reference {
        crate::config::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/config")), &|_| None)
            .expect("sound")
            .reference
            .clone()
    }

    #[test]
    fn every_spelling_of_an_export_leads_to_its_body() {
        let reference = shipped();
        let names = BodyNames::new(&reference);
        for (written, code) in [
            ("Администрация МО - Рыбновский муниципальный район", "adm_rybnovsky"),
            ("администрация Рыбновского р-на Рязанской области", "adm_rybnovsky"),
            ("АДМИНИСТРАЦИЯ РЫБНОВСКОГО МУНИЦИПАЛЬНОГО ОКРУГА РЯЗАНСКОЙ ОБЛАСТИ", "adm_rybnovsky"),
            ("Адм. Рязанского муниципального района", "adm_ryazansky"),
            ("Администрация Рязанского района Рязанской обл.", "adm_ryazansky"),
            ("Администрация муниципального образования – городской округ город Скопин", ""),
            ("Администрация г. Рязани", "admryazan"),
            ("Администрация города Рязань", "admryazan"),
            ("администрация г.Рязани Рязанской области", "admryazan"),
            ("Мин-во здравоохранения Рязанской обл.", "minzdrav"),
            ("Минздрав", "minzdrav"),
            ("министерство образования РО", "minobr"),
            ("Министерство ТЭК и ЖКХ Рязанской области", "mintek"),
            ("Министерство транспорта и автомобильных дорог", "mintrans"),
            ("ООО \"Эко-Пронск\"", "ekopronsk"),
            ("Эко–Пронск, ООО", "ekopronsk"),
            ("ГБУ РО \"ГКБ № 11\"", "gkb11"),
            ("ГБУ РО «Городская клиническая больница №8»", "gkb8"),
            ("Водоканал г. Рязани", "vodokanal"),
            ("МУП «Водоканал города Рязани»", "vodokanal"),
            ("Префектура Октябрьского района", "pref_oktyabrsky"),
            ("ГУ РЭК Рязанской области", "tarif"),
            ("ГБУ РО Касимовский ММЦ", "mmc_kasimov"),
            ("МБОУ «Школа № 7»", ""),
            ("Администрация", ""),
            ("", ""),
        ] {
            let found = names.find(written).map_or("", |index| reference.bodies[index as usize].code.as_str());
            assert_eq!(found, code, "{written}: {}", key_of(written));
        }
    }

    #[test]
    fn every_name_of_the_dictionary_still_leads_to_its_own_entry() {
        let reference = shipped();
        let names = BodyNames::new(&reference);
        let shared: Vec<&str> = names.shared().collect();
        assert!(shared.is_empty(), "{shared:?}");
        for (body, index) in reference.bodies.iter().zip(0u32..) {
            assert_eq!(names.find(&body.name), Some(index), "{}", body.name);
        }
    }
}
