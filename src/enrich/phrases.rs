//! Phrases of a dictionary found in the tokens of a text. A phrase is words one after another: `вода` means every form of
//! the word, `=вод` this form only, `водоснаб*` every word that begins so. Punctuation between its words ends a phrase.
//! Owner: a dictionary is shared and read only; the side table belongs to the worker. Invariants: what a word can be in a
//! phrase is found out once per word form, so a text costs one table read a word, however many dictionaries are read for;
//! dictionaries that are read together find what each would find alone.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::text::{ByWord, Shape, Token, WordTable, Words, fold, stem_word};

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
    /// By second word, and those of one second word by rank.
    longer: Vec<Longer>,
    /// Group of the phrase that is this word alone.
    single: Option<u16>,
}

impl Begins {
    fn is_empty(&self) -> bool {
        self.longer.is_empty() && self.single.is_none()
    }
}

/// A phrase of two words or more.
#[derive(Clone, Copy)]
struct Longer {
    second: u16,
    /// 0 is tried first: the longest of those that begin with the same word.
    rank: u16,
    phrase: u16,
}

impl Begins {
    /// Ranks the phrases, which are in the order of the lists.
    fn finish(&mut self, phrases: &[Phrase]) {
        self.longer.sort_by_key(|longer| std::cmp::Reverse(phrases[usize::from(longer.phrase)].words.len()));
        for (longer, rank) in self.longer.iter_mut().zip(0..) {
            longer.rank = rank;
        }
        self.longer.sort_by_key(|longer| (longer.second, longer.rank));
    }

    /// The phrases with this second word.
    fn with_second(&self, second: u16) -> impl Iterator<Item = &Longer> {
        let from = self.longer.partition_point(|longer| longer.second < second);
        self.longer[from..].iter().take_while(move |longer| longer.second == second)
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
            begins.finish(&book.phrases);
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
            Some(second) => begins.longer.push(Longer { second: *second, rank: 0, phrase: self.phrases.len() as u16 }),
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

    /// What a word form can be: numbers of words of the dictionary.
    fn meanings(&self, form: &str, stem: &str) -> Vec<u16> {
        let mut meanings = Vec::new();
        meanings.extend(self.stems.get(stem));
        meanings.extend(self.forms.get(form));
        meanings.extend(self.prefixes.iter().filter(|(prefix, _)| form.starts_with(&**prefix)).map(|(_, word)| *word));
        meanings
    }

    fn begins_with(&self, meaning: u16) -> Option<&Begins> {
        self.begins.get(usize::from(meaning)).filter(|begins| !begins.is_empty())
    }
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
