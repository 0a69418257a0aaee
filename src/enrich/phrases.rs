//! Phrases of a dictionary found in the tokens of a text. A phrase is words one after another: `вода` means every form of
//! the word, `=вод` this form only, `водоснаб*` every word that begins so. Punctuation between its words ends a phrase.
//! Owner: a dictionary is shared and read only; the table of words belongs to the worker. Invariants: what a word can be in a
//! phrase is found out once per word form, so a text costs one table read a word, however many dictionaries are read for;
//! dictionaries that are read together find what each would find alone.

use std::collections::HashMap;

use book::{Begins, Longer};
pub use book::{PhraseBook, PhraseError, PhraseLists};
use foldhash::fast::FixedState;

use crate::text::{ByWord, Shape, Token, WordTable, Words};

mod book;

/// A phrase of the dictionary in a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hit {
    /// Number of the group, in the order of the lists.
    pub group: u16,
    /// Tokens `[start, end)`.
    pub start: u32,
    pub end: u32,
}

/// What a word form can be, in four bytes: where its meanings stand in the arena, and in which dictionaries a phrase
/// begins with one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Known(u32);

/// Dictionaries that can be read together.
const MOST_BOOKS: usize = 4;

impl Known {
    /// Bits of the dictionaries.
    const BEGINS: u32 = (1 << MOST_BOOKS) - 1;
    const NOTHING: Known = Known(0);

    fn begins_any(self) -> bool {
        self.0 & Known::BEGINS != 0
    }

    fn begins(self, book: usize) -> bool {
        self.0 >> book & 1 != 0
    }

    fn place(self) -> usize {
        (self.0 >> MOST_BOOKS) as usize
    }
}

/// The meanings of the word forms met so far; forms with the same ones share them, so it grows no larger than the
/// dictionaries ask for.
struct Arena {
    /// For each dictionary how many, then each.
    all: Vec<u16>,
    known: HashMap<Box<[u16]>, Known, FixedState>,
}

impl Arena {
    /// The first place is that of words without a meaning.
    fn for_books(books: usize) -> Arena {
        Arena { all: vec![0; books], known: HashMap::default() }
    }

    fn of(&self, known: Known, book: usize) -> &[u16] {
        let mut place = known.place();
        for _ in 0..book {
            place += 1 + usize::from(self.all[place]);
        }
        &self.all[place + 1..=place + usize::from(self.all[place])]
    }

    #[cold]
    fn add(&mut self, books: &[&PhraseBook], form: &str, stem: &str) -> Known {
        let mut entry = Vec::new();
        let mut bits = 0;
        for (bit, book) in books.iter().enumerate() {
            let meanings = book.meanings(form, stem);
            if meanings.iter().any(|meaning| book.begins_with(*meaning).is_some()) {
                bits |= 1 << bit;
            }
            entry.push(meanings.len() as u16);
            entry.extend(meanings);
        }
        if entry.len() == books.len() {
            return Known::NOTHING;
        }
        let place = (self.all.len() as u32) << MOST_BOOKS;
        let all = &mut self.all;
        *self.known.entry(entry.into_boxed_slice()).or_insert_with_key(|entry| {
            all.extend_from_slice(entry);
            Known(place | bits)
        })
    }
}

/// Reads texts for the phrases of some dictionaries, always the same ones.
pub struct PhraseReader<const BOOKS: usize = 1> {
    table: WordTable<Known>,
    arena: Arena,
    /// Tokens of the text that a phrase may begin at.
    begins: Vec<(u32, Known)>,
}

impl<const BOOKS: usize> Default for PhraseReader<BOOKS> {
    fn default() -> PhraseReader<BOOKS> {
        const { assert!(BOOKS <= MOST_BOOKS) };
        PhraseReader { table: WordTable::new(), arena: Arena::for_books(BOOKS), begins: Vec::new() }
    }
}

impl PhraseReader {
    /// Calls `found` for every phrase of the text, from left to right; of phrases that begin at one word only for the
    /// longest, and none begins inside it.
    pub fn read(&mut self, book: &PhraseBook, words: &Words, tokens: &[Token], mut found: impl FnMut(Hit)) {
        self.read_all([book], words, tokens, |_, hit| found(hit));
    }
}

impl<const BOOKS: usize> PhraseReader<BOOKS> {
    /// The same for each dictionary; `found` is told its number.
    pub fn read_all(
        &mut self,
        books: [&PhraseBook; BOOKS],
        words: &Words,
        tokens: &[Token],
        mut found: impl FnMut(usize, Hit),
    ) {
        if self.begins.len() <= tokens.len() {
            self.begins.resize(tokens.len() + 1, (0, Known::NOTHING));
        }
        let begins = &mut self.begins[..=tokens.len()];
        let arena = &mut self.arena;
        let table = self.table.of(words, |form, stem| arena.add(&books, form, words.stem_text(stem)));
        let mut count = 0;
        for (token, at) in tokens.iter().zip(0u32..) {
            let known = table.get(token.word);
            // Every token is written, and the next one over it if none begins here: there is no pattern for a branch.
            begins[count] = (at, known);
            count += usize::from(known.begins_any());
        }
        let scan = Scan { table, arena, books: &books, tokens };
        let mut done = [0; BOOKS];
        for (at, known) in &begins[..count] {
            let at = *at as usize;
            for (book, done) in done.iter_mut().enumerate() {
                if known.begins(book)
                    && at >= *done
                    && let Some((group, end)) = scan.phrase_at(book, at, *known)
                {
                    found(book, Hit { group, start: at as u32, end: end as u32 });
                    *done = end;
                }
            }
        }
    }
}

/// One text while it is read.
struct Scan<'s> {
    table: ByWord<'s, Known>,
    arena: &'s Arena,
    books: &'s [&'s PhraseBook],
    tokens: &'s [Token],
}

impl Scan<'_> {
    /// Group and end of the longest phrase at a token.
    fn phrase_at(&self, book: usize, at: usize, known: Known) -> Option<(u16, usize)> {
        if is_no_word(&self.tokens[at]) {
            return None;
        }
        let next = match self.tokens.get(at + 1) {
            Some(token) if !is_no_word(token) => self.known(token),
            _ => Known::NOTHING,
        };
        let mut longest: Option<(u16, usize)> = None;
        for meaning in self.arena.of(known, book) {
            let Some(begins) = self.books[book].begins_with(*meaning) else { continue };
            if next != Known::NOTHING
                && let Some((group, end)) = self.longer_at(book, at, begins, next)
                && longest.is_none_or(|(_, known)| end > known)
            {
                longest = Some((group, end));
            }
            longest = longest.or(begins.single.map(|group| (group, at + 1)));
        }
        longest
    }

    /// Phrases of two words or more; «не» begins a hundred of them, so the second word is looked up before all else.
    fn longer_at(&self, book: usize, at: usize, begins: &Begins, next: Known) -> Option<(u16, usize)> {
        let phrases = &self.books[book].phrases;
        let mut best: Option<Longer> = None;
        for second in self.arena.of(next, book) {
            for longer in begins.with_second(*second) {
                if best.is_some_and(|best| best.rank < longer.rank) {
                    break;
                }
                let phrase = &phrases[usize::from(longer.phrase)];
                if self.goes_on(book, at + 2, &phrase.words[2..]) {
                    best = Some(*longer);
                    break;
                }
            }
        }
        let phrase = &phrases[usize::from(best?.phrase)];
        Some((phrase.group, at + phrase.words.len()))
    }

    fn goes_on(&self, book: usize, from: usize, wanted: &[u16]) -> bool {
        let Some(tokens) = self.tokens.get(from..from + wanted.len()) else { return wanted.is_empty() };
        tokens.iter().zip(wanted).all(|(token, wanted)| {
            let known = self.known(token);
            self.arena.of(known, book).contains(wanted) && !is_no_word(token)
        })
    }

    fn known(&self, token: &Token) -> Known {
        self.table.get(token.word)
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
