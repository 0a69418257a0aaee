//! Phrases of a dictionary found in the tokens of a text. A phrase is words one after another: `вода` means every form of
//! the word, `=вод` this form only, `водоснаб*` every word that begins so. Punctuation between its words ends a phrase.
//! Owner: a dictionary is shared and read only; the side table belongs to the worker. Invariant: what a word can be in a
//! phrase is found out once per word form, so a text costs one table read a word.

use std::collections::HashMap;
use std::num::NonZeroU32;

use foldhash::fast::FixedState;

use crate::text::{Shape, Side, Token, Words, fold, stem_word};

/// What a word form can be: numbers of words of the dictionary.
type Meanings = Box<[u16]>;

/// A list of groups of phrases, as it is written: name of the group, phrases.
pub type PhraseLists = Vec<(String, Vec<String>)>;

/// Longest phrase, words.
const LONGEST: usize = 6;

/// The phrases of a dictionary.
#[derive(Default)]
pub struct PhraseBook {
    stems: HashMap<Box<str>, u16, FixedState>,
    forms: HashMap<Box<str>, u16, FixedState>,
    prefixes: Vec<(Box<str>, u16)>,
    phrases: Vec<Phrase>,
    /// By number of its first word.
    begins: Vec<Begins>,
}

/// The phrases that begin with one word.
#[derive(Default)]
struct Begins {
    /// Number of the second word and of the phrase, the longest first.
    longer: Vec<(u16, u16)>,
    /// Group of the phrase that is this word alone.
    single: Option<u16>,
}

impl Begins {
    fn is_empty(&self) -> bool {
        self.longer.is_empty() && self.single.is_none()
    }
}

struct Phrase {
    group: u16,
    words: Box<[u16]>,
}

/// A phrase of the dictionary in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit {
    /// Number of the group, in the order of the lists.
    pub group: u16,
    /// Tokens `[start, end)`.
    pub start: u32,
    pub end: u32,
}

/// Why a phrase cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("phrase {phrase:?} of {group}: {problem}")]
pub struct PhraseError {
    pub group: String,
    pub phrase: String,
    pub problem: &'static str,
}

impl PhraseBook {
    /// Numbers groups in the order of the lists.
    pub fn build(lists: &PhraseLists) -> Result<PhraseBook, PhraseError> {
        let mut book = PhraseBook::default();
        for (number, (group, phrases)) in lists.iter().enumerate() {
            for phrase in phrases {
                book.add(number as u16, phrase).map_err(|problem| PhraseError {
                    group: group.clone(),
                    phrase: phrase.clone(),
                    problem,
                })?;
            }
        }
        for begins in &mut book.begins {
            let length = |phrase: u16| book.phrases[usize::from(phrase)].words.len();
            begins.longer.sort_by_key(|(_, phrase)| std::cmp::Reverse(length(*phrase)));
        }
        Ok(book)
    }

    fn add(&mut self, group: u16, phrase: &str) -> Result<(), &'static str> {
        let written: Vec<&str> = phrase.split_whitespace().collect();
        if written.is_empty() || written.len() > LONGEST {
            return Err("one to six words are allowed");
        }
        if self.phrases.len() >= usize::from(u16::MAX) {
            return Err("a dictionary holds up to 65,535 phrases");
        }
        let words: Box<[u16]> = written.into_iter().map(|word| self.word(word)).collect();
        let first = usize::from(words[0]);
        if self.begins.len() <= first {
            self.begins.resize_with(first + 1, Begins::default);
        }
        let begins = &mut self.begins[first];
        match words.get(1) {
            Some(second) => begins.longer.push((*second, self.phrases.len() as u16)),
            None => begins.single = begins.single.or(Some(group)),
        }
        self.phrases.push(Phrase { group, words });
        Ok(())
    }

    /// The number of a word of a phrase.
    fn word(&mut self, written: &str) -> u16 {
        let next = (self.stems.len() + self.forms.len() + self.prefixes.len()) as u16;
        let folded = fold(written);
        if let Some(form) = folded.strip_prefix('=') {
            return *self.forms.entry(Box::from(form)).or_insert(next);
        }
        if let Some(prefix) = folded.strip_suffix('*') {
            if let Some((_, known)) = self.prefixes.iter().find(|(known, _)| &**known == prefix) {
                return *known;
            }
            self.prefixes.push((Box::from(prefix), next));
            return next;
        }
        *self.stems.entry(stem_word(&folded).into_boxed_str()).or_insert(next)
    }

    fn meanings(&self, form: &str, stem: &str) -> Meanings {
        let mut meanings = Vec::new();
        meanings.extend(self.stems.get(stem));
        meanings.extend(self.forms.get(form));
        meanings.extend(self.prefixes.iter().filter(|(prefix, _)| form.starts_with(&**prefix)).map(|(_, word)| *word));
        meanings.into_boxed_slice()
    }
}

/// What a word form can be, in four bytes: where its meanings stand in the arena, and whether a phrase begins with one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known(NonZeroU32);

impl Known {
    const SEEN: u32 = 1;
    const BEGINS: u32 = 1 << 1;
    const NOTHING: Known = Known(NonZeroU32::MIN);

    fn begins(self) -> bool {
        self.0.get() & Known::BEGINS != 0
    }

    fn place(self) -> usize {
        (self.0.get() >> 2) as usize
    }
}

/// The meanings of the word forms met so far; forms with the same ones share them, so it grows no larger than the
/// dictionary asks for.
struct Arena {
    /// How many, then each.
    all: Vec<u16>,
    known: HashMap<Meanings, Known, FixedState>,
}

impl Arena {
    fn of(&self, known: Known) -> &[u16] {
        let place = known.place();
        &self.all[place + 1..=place + usize::from(self.all[place])]
    }

    fn add(&mut self, meanings: Meanings, begins: bool) -> Known {
        if meanings.is_empty() {
            return Known::NOTHING;
        }
        if let Some(known) = self.known.get(&meanings) {
            return *known;
        }
        let place = (self.all.len() as u32) << 2;
        let flags = if begins { Known::SEEN | Known::BEGINS } else { Known::SEEN };
        let known = Known(NonZeroU32::MIN | (place | flags));
        self.all.push(meanings.len() as u16);
        self.all.extend_from_slice(&meanings);
        self.known.insert(meanings, known);
        known
    }
}

/// Reads texts for the phrases of one dictionary.
pub struct PhraseReader {
    side: Side<Known>,
    arena: Arena,
}

impl Default for PhraseReader {
    fn default() -> PhraseReader {
        // The first place is that of words without a meaning.
        PhraseReader { side: Side::new(), arena: Arena { all: vec![0], known: HashMap::default() } }
    }
}

impl PhraseReader {
    /// Calls `found` for every phrase of the text, from left to right; of phrases that begin at one word only for the
    /// longest, and none begins inside it.
    pub fn read(&mut self, book: &PhraseBook, words: &Words, tokens: &[Token], mut found: impl FnMut(Hit)) {
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            let known = self.known(book, words, token);
            at += 1;
            if known.begins()
                && let Some((group, end)) = self.phrase_at(book, words, tokens, at - 1)
            {
                found(Hit { group, start: at as u32 - 1, end: end as u32 });
                at = end;
            }
        }
    }

    fn phrase_at(&mut self, book: &PhraseBook, words: &Words, tokens: &[Token], at: usize) -> Option<(u16, usize)> {
        if is_no_word(&tokens[at]) {
            return None;
        }
        let known = self.known(book, words, &tokens[at]);
        let next = match tokens.get(at + 1) {
            Some(token) if !is_no_word(token) => self.known(book, words, token),
            _ => Known::NOTHING,
        };
        let mut longest: Option<(u16, usize)> = None;
        for place in 0..self.arena.of(known).len() {
            let meaning = self.arena.of(known)[place];
            let Some(begins) = book.begins.get(usize::from(meaning)) else { continue };
            if next != Known::NOTHING {
                self.longer_at(book, words, (tokens, at), (begins, next), &mut longest);
            }
            longest = longest.or(begins.single.map(|group| (group, at + 1)));
        }
        longest
    }

    /// Phrases of two words or more; «не» begins a hundred of them, so the second word is compared before all else.
    fn longer_at(
        &mut self,
        book: &PhraseBook,
        words: &Words,
        (tokens, at): (&[Token], usize),
        (begins, next): (&Begins, Known),
        longest: &mut Option<(u16, usize)>,
    ) {
        for (second, phrase) in &begins.longer {
            if !self.arena.of(next).contains(second) {
                continue;
            }
            let phrase = &book.phrases[usize::from(*phrase)];
            let end = at + phrase.words.len();
            if longest.is_some_and(|(_, known)| end <= known) {
                return;
            }
            if end <= tokens.len() && self.goes_on(book, words, &tokens[at + 2..end], &phrase.words[2..]) {
                *longest = Some((phrase.group, end));
                return;
            }
        }
    }

    fn goes_on(&mut self, book: &PhraseBook, words: &Words, tokens: &[Token], wanted: &[u16]) -> bool {
        tokens.iter().zip(wanted).all(|(token, wanted)| {
            let known = self.known(book, words, token);
            self.arena.of(known).contains(wanted) && !is_no_word(token)
        })
    }

    #[inline]
    fn known(&mut self, book: &PhraseBook, words: &Words, token: &Token) -> Known {
        let arena = &mut self.arena;
        self.side.get(words, token.word, |form, stem| {
            let meanings = book.meanings(form, words.stem_text(stem));
            let begins = |meaning: &u16| book.begins.get(usize::from(*meaning)).is_some_and(|all| !all.is_empty());
            let any = meanings.iter().any(begins);
            arena.add(meanings, any)
        })
    }
}

fn is_no_word(token: &Token) -> bool {
    matches!(token.shape, Shape::Punct | Shape::Break)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{Tokens, tokenize};

    fn hits(book: &PhraseBook, text: &str) -> Vec<(u16, String)> {
        let (mut words, mut tokens) = (Words::new(), Tokens::new());
        tokenize(text, &mut words, &mut tokens);
        let mut found = Vec::new();
        PhraseReader::default().read(book, &words, &tokens, |hit| {
            let (start, end) = (tokens[hit.start as usize].start as usize, tokens[hit.end as usize - 1].end as usize);
            found.push((hit.group, text[start..end].to_owned()));
        });
        found
    }

    fn book(groups: &[&[&str]]) -> PhraseBook {
        let lists: PhraseLists = groups
            .iter()
            .map(|phrases| ("g".to_owned(), phrases.iter().map(|phrase| (*phrase).to_owned()).collect()))
            .collect();
        PhraseBook::build(&lists).expect("sound phrases")
    }

    #[test]
    fn every_form_the_form_itself_and_beginnings_are_told_apart() {
        let book = book(&[&["мусор"], &["=вод"], &["энергосн*"]]);
        let expected = vec![(0, "мусором".to_owned()), (1, "вод".to_owned()), (2, "энергоснабжение".to_owned())];
        assert_eq!(hits(&book, "мусором вод воды энергоснабжение"), expected);
    }

    #[test]
    fn the_longest_phrase_wins_and_punctuation_ends_one() {
        let book = book(&[&["спасибо"], &["спасибо за внимание"]]);
        assert_eq!(hits(&book, "Спасибо за внимание"), [(1, "Спасибо за внимание".to_owned())]);
        assert_eq!(hits(&book, "Спасибо, за внимание"), [(0, "Спасибо".to_owned())]);
        assert_eq!(hits(&book, "спасибо за"), [(0, "спасибо".to_owned())]);
    }

    #[test]
    fn a_phrase_without_words_is_refused() {
        let lists = vec![("thanks".to_owned(), vec![" ".to_owned()])];
        let problem = PhraseBook::build(&lists).err().expect("refused").to_string();
        assert!(problem.contains("thanks") && problem.contains("one to six"), "{problem}");
    }
}
