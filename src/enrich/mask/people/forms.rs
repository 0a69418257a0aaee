//! Cases of given names and patronymics, and the shapes of surnames. All words here are folded (lower case, `ё` as `е`).

/// A form of a given name and what case it may be.
pub struct GivenForm {
    pub form: String,
    /// May be the genitive, as in names of streets.
    pub genitive: bool,
    /// Is the genitive and cannot be the accusative: «на Татьяны Снежиной» speaks of a street.
    pub only_genitive: bool,
}

fn form(stem: &str, ending: &str) -> GivenForm {
    GivenForm { form: format!("{stem}{ending}"), genitive: false, only_genitive: false }
}

/// The name itself and its cases.
pub fn given_forms(name: &str) -> Vec<GivenForm> {
    let mut forms = vec![form(name, "")];
    let mut add = |stem: &str, endings: &[&str], only_genitive: bool| {
        for (place, ending) in endings.iter().enumerate() {
            let genitive = place == 0;
            forms.push(GivenForm { genitive, only_genitive: genitive && only_genitive, ..form(stem, ending) });
        }
    };
    let cut = |count: usize| -> &str {
        let at = name.char_indices().rev().nth(count - 1).map_or(0, |(at, _)| at);
        &name[..at]
    };
    match name.chars().next_back() {
        Some('й') if name.ends_with("ий") => add(cut(1), &["я", "ю", "ем", "и"], false),
        Some('й') => add(cut(1), &["я", "ю", "ем", "е"], false),
        Some('ь') if name.ends_with("овь") => add(cut(1), &["и", "ью"], true),
        Some('ь') => add(cut(1), &["я", "ю", "ем", "е", "и"], false),
        Some('я') if name.ends_with("ия") => add(cut(1), &["и", "ю", "ей"], true),
        Some('я') => add(cut(1), &["и", "е", "ю", "ей", "ею"], true),
        Some('а') if cut(1).ends_with(['г', 'к', 'х', 'ж', 'ш', 'ч', 'щ']) => {
            add(cut(1), &["и", "е", "у", "ой", "ей"], true);
        }
        Some('а') => add(cut(1), &["ы", "е", "у", "ой", "ою"], true),
        Some('о' | 'и' | 'е' | 'у' | 'ы' | 'э' | 'ю') | None => {}
        Some(_) => add(name, &["а", "у", "ом", "ем", "е"], false),
    }
    forms
}

/// The patronymics a man's name gives, masculine and feminine, nominative.
pub fn patronymics_of(name: &str) -> Vec<(String, String)> {
    let cut = |count: usize| -> &str {
        let at = name.char_indices().rev().nth(count - 1).map_or(0, |(at, _)| at);
        &name[..at]
    };
    let pair = |stem: &str, male: &str, female: &str| (format!("{stem}{male}"), format!("{stem}{female}"));
    if name.ends_with("ий") {
        return vec![pair(cut(2), "ьевич", "ьевна"), pair(cut(2), "иевич", "иевна"), pair(cut(2), "ьич", "ьевна")];
    }
    match name.chars().next_back() {
        Some('й' | 'ь') => vec![pair(cut(1), "евич", "евна")],
        Some('а' | 'я' | 'о' | 'и' | 'е' | 'у') | None => vec![pair(name, "евич", "евна")],
        Some(_) => vec![pair(name, "ович", "овна")],
    }
}

/// All cases of a patronymic.
pub fn patronymic_forms(nominative: &str) -> Vec<String> {
    let (stem, endings): (&str, &[&str]) = match nominative.strip_suffix('а') {
        Some(stem) => (stem, &["а", "ы", "е", "у", "ой", "ою"]),
        None => (nominative, &["", "а", "у", "ем", "е"]),
    };
    endings.iter().map(|ending| format!("{stem}{ending}")).collect()
}

/// Looks like a patronymic of a name that no list has: «Рустамбекович», «Азизовна». Adjectives end in -овной, -евной too,
/// so that case is known of listed names only.
pub fn looks_like_a_patronymic(word: &str) -> bool {
    const ENDINGS: [&str; 18] = [
        "ович",
        "овича",
        "овичу",
        "овичем",
        "овиче",
        "евич",
        "евича",
        "евичу",
        "евичем",
        "евиче",
        "овна",
        "овны",
        "овне",
        "овну",
        "евна",
        "евны",
        "евне",
        "евну",
    ];
    word.chars().count() >= 8 && ENDINGS.iter().any(|ending| word.ends_with(ending))
}

/// How much a word looks like a surname.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Surname {
    No,
    /// Adjectives and nouns end so as well: «Вишневский», «Черных», «Кравец».
    Weak,
    /// -ов, -ев, -ин, -ын, -енко, -чук, -швили, -дзе in any case.
    Strong,
}

/// By the end of the word; of a hyphenated one, of its last part.
pub fn surname(word: &str) -> Surname {
    const CASES: [&str; 15] =
        ["овых", "евых", "иных", "ыных", "овым", "евым", "иным", "ыным", "ом", "ой", "ою", "а", "у", "е", "ы"];
    const ROOTS: [&str; 4] = ["ов", "ев", "ин", "ын"];
    const FIXED: [&str; 8] = ["енко", "енку", "енкой", "енки", "швили", "дзе", "иной", "овой"];
    const OTHERS: [&str; 11] = ["чук", "щук", "нюк", "рюк", "люк", "осян", "етян", "анян", "унян", "ксян", "рчик"];
    const WEAK: [&str; 16] = [
        "ский",
        "цкий",
        "ская",
        "цкая",
        "ского",
        "цкого",
        "скому",
        "цкому",
        "ским",
        "цким",
        "ской",
        "цкой",
        "скую",
        "цкую",
        "ых",
        "их",
    ];
    let last = word.rsplit('-').next().unwrap_or(word);
    let letters = last.chars().count();
    if letters < 4 {
        return Surname::No;
    }
    if FIXED.iter().any(|ending| last.ends_with(ending)) && letters > 5 {
        return Surname::Strong;
    }
    let plural = CASES[..8].iter().any(|case| last.ends_with(case));
    let bare = CASES[8..].iter().find_map(|case| last.strip_suffix(case)).unwrap_or(last);
    if plural || ROOTS.iter().any(|root| last.ends_with(root) || bare.ends_with(root)) {
        return Surname::Strong;
    }
    let bare = ["ом", "а", "у", "е", "ы"].iter().find_map(|case| last.strip_suffix(case)).unwrap_or(last);
    if OTHERS.iter().any(|ending| last.ends_with(ending) || bare.ends_with(ending)) {
        return Surname::Strong;
    }
    if WEAK.iter().any(|ending| last.ends_with(ending)) { Surname::Weak } else { Surname::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(name: &str) -> Vec<String> {
        given_forms(name).into_iter().map(|given| given.form).collect()
    }

    #[test]
    fn names_have_their_cases() {
        for (name, form) in [
            ("иван", "иваном"),
            ("сергей", "сергеем"),
            ("дмитрий", "дмитрию"),
            ("игорь", "игоря"),
            ("никита", "никитой"),
            ("илья", "ильи"),
            ("мария", "марии"),
            ("ольга", "ольги"),
            ("анна", "анны"),
            ("любовь", "любовью"),
            ("маша", "маши"),
        ] {
            assert!(all(name).contains(&form.to_owned()), "{name}: {:?}", all(name));
        }
    }

    #[test]
    fn patronymics_are_made_of_names() {
        for (name, male, female) in [
            ("иван", "иванович", "ивановна"),
            ("сергей", "сергеевич", "сергеевна"),
            ("юрий", "юрьевич", "юрьевна"),
            ("дмитрий", "дмитриевич", "дмитриевна"),
            ("игорь", "игоревич", "игоревна"),
        ] {
            assert!(patronymics_of(name).contains(&(male.to_owned(), female.to_owned())), "{name}");
        }
        assert_eq!(patronymic_forms("ивановна")[4], "ивановной");
        assert!(looks_like_a_patronymic("рустамбековича") && !looks_like_a_patronymic("верховной"));
    }

    #[test]
    fn surnames_are_told_by_their_ends() {
        for word in ["иванов", "петровой", "кузьмину", "синицын", "шевченко", "полищук", "петрова-белкина", "ивановых"]
        {
            assert_eq!(surname(word), Surname::Strong, "{word}");
        }
        for word in ["вишневский", "черных"] {
            assert_eq!(surname(word), Surname::Weak, "{word}");
        }
        for word in ["шмидт", "вода", "она", "рязань"] {
            assert_eq!(surname(word), Surname::No, "{word}");
        }
    }
}
