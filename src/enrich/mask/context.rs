//! The words before a number: «тел.» makes six digits a phone, «ИНН» keeps ten digits what they are.
//! Invariant: the context of a number is the same before and after its neighbours were masked.

use super::{MaskKind, View};

/// How far back a word can matter, bytes (about 32 Cyrillic letters).
const REACH: usize = 64;
/// Words remembered.
const WORDS: usize = 3;

/// What stands before a number, nearest first.
pub struct Context<'t> {
    words: [&'t str; WORDS],
    count: usize,
    /// «№» or «#» stands right before the number.
    pub number_sign: bool,
    /// A masked identifier stands before the words.
    after: Option<MaskKind>,
}

/// Words after which a number belongs to a register of organisations or documents (prefixes).
const REGISTRY: [&str; 14] = [
    "инн",
    "огрн",
    "кпп",
    "бик",
    "окпо",
    "октмо",
    "окато",
    "уин",
    "кбк",
    "кадастр",
    "обращени",
    "заявк",
    "заявлени",
    "договор",
];
/// Words after which a short number is a phone (prefixes).
const PHONE: [&str; 11] =
    ["телефон", "тлф", "звони", "звонк", "позвон", "перезвон", "дозвон", "мобил", "сотов", "вайбер", "ватсап"];
/// The same, only as whole words: they begin other words too.
const PHONE_EXACT: [&str; 4] = ["тел", "моб", "сот", "т"];

impl<'t> Context<'t> {
    /// Reads the words before `at`.
    pub fn before(view: &View<'t>, at: usize) -> Context<'t> {
        let text = view.back(at, REACH);
        let begin = at - text.len();
        let mut context = Context { words: [""; WORDS], count: 0, number_sign: false, after: None };
        let mut word_end = None;
        let mut seen_to = text.len();
        for (index, character) in text.char_indices().rev() {
            if index >= seen_to {
                continue;
            }
            let next = index + character.len_utf8();
            if is_letter(character) {
                word_end.get_or_insert(next);
                continue;
            }
            if let Some(end) = word_end.take()
                && !context.push(&text[next..end])
            {
                return context;
            }
            match character {
                '№' | '#' => context.number_sign |= context.count == 0,
                '›' => {
                    // In full view: a match may have cut a placeholder that was in the text.
                    let seen = &view.text[view.done..begin + next];
                    // A name between a word and its number parts nothing: «телефон ‹имя›: 25-25-25».
                    if seen.ends_with(MaskKind::Name.placeholder()) {
                        seen_to = next.saturating_sub(MaskKind::Name.placeholder().len());
                        continue;
                    }
                    context.after = MaskKind::ALL.into_iter().find(|kind| seen.ends_with(kind.placeholder()));
                    return context;
                }
                _ if character.is_numeric() || character == '\n' || character == '‹' => return context,
                _ => {}
            }
        }
        if let Some(end) = word_end {
            let whole = context.push(&text[..end]);
            if !whole {
                return context;
            }
        }
        if begin == view.done {
            context.after = view.last;
        }
        context
    }

    fn push(&mut self, word: &'t str) -> bool {
        if let Some(slot) = self.words.get_mut(self.count) {
            *slot = word;
            self.count += 1;
        }
        self.count < WORDS
    }

    /// A number of a register, a document or a case: «ИНН 6234000001», «№ 327441806».
    pub fn names_a_registry(&self) -> bool {
        self.number_sign
            || self.words.iter().take(2).any(|word| REGISTRY.iter().any(|prefix| starts_with(word, prefix)))
    }

    /// «тел.», «звоните» as the nearest word, or one phone after another: «‹телефон›, 25-25-25», «‹телефон› или 25-25-25».
    pub fn calls_for_a_phone(&self) -> bool {
        is_phone_word(self.words[0]) || self.goes_on_after_a_phone()
    }

    /// A phone word among the last three: «телефон диспетчера 25-25-25».
    pub fn speaks_of_a_phone(&self) -> bool {
        self.goes_on_after_a_phone() || self.words.iter().any(|word| is_phone_word(word))
    }

    /// «номер», «по номеру».
    pub fn says_number(&self) -> bool {
        starts_with(self.words[0], "номер")
    }

    pub fn says_snils(&self) -> bool {
        self.words.iter().take(2).any(|word| starts_with(word, "снилс"))
    }

    /// Whether one of the last words begins with `prefix` (lower case).
    pub fn says(&self, prefix: &str) -> bool {
        self.words.iter().any(|word| starts_with(word, prefix))
    }

    /// Whether one of the last words is this one (lower case).
    pub fn says_word(&self, whole: &str) -> bool {
        self.words.iter().any(|word| equals(word, whole))
    }

    /// The word at a distance, nearest is 0; empty when there is none.
    pub fn word(&self, distance: usize) -> &'t str {
        self.words.get(distance).copied().unwrap_or_default()
    }

    fn goes_on_after_a_phone(&self) -> bool {
        self.after == Some(MaskKind::Phone)
            && (self.count == 0 || self.count == 1 && ["и", "или"].iter().any(|word| equals(self.words[0], word)))
    }
}

fn is_phone_word(word: &str) -> bool {
    PHONE.iter().any(|prefix| starts_with(word, prefix)) || PHONE_EXACT.iter().any(|whole| equals(word, whole))
}

/// Whether `word` in any letter case starts with `prefix` (lower case).
pub fn starts_with(word: &str, prefix: &str) -> bool {
    let mut letters = word.chars();
    for expected in prefix.chars() {
        let Some(letter) = letters.next() else { return false };
        match lower(letter) {
            Some(lower) if lower == expected => {}
            Some(_) => return false,
            None => return starts_with_rare(word, prefix),
        }
    }
    true
}

/// A word with letters whose lower case is in the tables of Unicode only, and may be more than one.
#[cold]
fn starts_with_rare(word: &str, prefix: &str) -> bool {
    let mut letters = word.chars().flat_map(char::to_lowercase);
    prefix.chars().all(|expected| letters.next() == Some(expected))
}

/// The small letter of a Russian or ASCII one; `None` for the others. The tables of Unicode cost ten times as much, and a
/// number of a text asks about a hundred letters before it.
pub fn lower(letter: char) -> Option<char> {
    match letter {
        'а'..='я' | 'ё' => Some(letter),
        'А'..='Я' => char::from_u32(letter as u32 + 32),
        'Ё' => Some('ё'),
        ascii if ascii.is_ascii() => Some(ascii.to_ascii_lowercase()),
        _ => None,
    }
}

/// The same as [`char::is_alphabetic`], sooner for Russian letters.
pub fn is_letter(character: char) -> bool {
    matches!(character, 'а'..='я' | 'А'..='Я') || character.is_alphabetic()
}

/// The same as [`char::is_alphanumeric`], sooner for Russian letters.
pub fn is_letter_or_digit(character: char) -> bool {
    matches!(character, 'а'..='я' | 'А'..='Я') || character.is_alphanumeric()
}

pub fn equals(word: &str, whole: &str) -> bool {
    word.len() == whole.len() && starts_with(word, whole)
}
