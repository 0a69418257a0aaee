//! One pass from bytes to tokens. Invariants: every character that is not blank is in exactly one token; a hyphen
//! between two letters joins them («интернет-провайдер»), any other hyphen is punctuation; a run of line ends is one
//! [`Shape::Break`]. A word of Russian or ASCII letters costs one table read a letter and one look into [`Words`];
//! everything else goes the slow way over characters and gives the same tokens.

use super::fold::{fold_into, is_hyphen, is_unseen};
use super::key::{Key, KeyMaker, key_of};
use super::lanes::{self, REACH};
use super::token::{Letters, Shape, Token, Tokens};
use super::words::{WordId, Words};

/// Longest number that is a word: house numbers and sums are met again, identifiers are not.
const LONGEST_NUMBER: u32 = 8;
/// Longest other form that is a word, letters.
const LONGEST_WORD: u32 = 40;

/// Cuts a text into tokens. May make `words` forget everything first: numbers of earlier texts are void then.
/// A text over 4 GB is cut there.
pub fn tokenize(text: &str, words: &mut Words, tokens: &mut Tokens) {
    words.make_room();
    tokenize_more(text, words, tokens);
}

/// The same for a further text of one record: `words` keeps what it knows, so the numbers of the first stay good.
pub fn tokenize_more(text: &str, words: &mut Words, tokens: &mut Tokens) {
    tokens.begin();
    let mut text = text;
    if text.len() > u32::MAX as usize {
        text = &text[..text.floor_char_boundary(u32::MAX as usize)];
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at = match CLASS[usize::from(byte)] {
            CYRILLIC => russian_word(text, at, words, tokens),
            BLANK => at + 1,
            LINE => {
                push_break(&mut tokens.all, at, at + 1);
                at + 1
            }
            MARK => {
                push_mark(&mut tokens.all, byte, at, at + 1);
                over_blank(bytes, at + 1)
            }
            OTHER => other(text, at, words, tokens),
            _ => word(text, at, words, tokens),
        };
    }
}

const BLANK: u8 = 0;
const LINE: u8 = 1;
const MARK: u8 = 2;
/// First byte of a character that needs a look at the whole of it.
const OTHER: u8 = 3;
/// First byte of most Cyrillic letters.
const CYRILLIC: u8 = 4;
const DIGIT: u8 = 5;
const LETTER: u8 = 6;
const HYPHEN_CODE: u8 = b'-';

/// What a character that begins with this byte is.
const CLASS: [u8; 256] = {
    let mut table = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = match byte as u8 {
            b'\n' | b'\r' => LINE,
            b'0'..=b'9' => DIGIT,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'!'..=b'~' => MARK,
            _ => BLANK,
        };
        byte += 1;
    }
    table[0xD0] = CYRILLIC;
    table[0xD1] = CYRILLIC;
    table
};

/// By the low bits of the two bytes of a Cyrillic letter: its code, 0 when it is not Russian; 0x100 marks a capital.
const RUSSIAN: [u16; 128] = {
    let mut table = [0u16; 128];
    let mut letter = 0u16;
    while letter < 32 {
        let small = 0x430 + letter;
        let large = 0x410 + letter;
        table[cyrillic_index(small)] = 0xE0 + letter;
        table[cyrillic_index(large)] = 0x100 | (0xE0 + letter);
        letter += 1;
    }
    table[cyrillic_index(0x451)] = 0xE5;
    table[cyrillic_index(0x401)] = 0x1E5;
    table
};

/// Of a character U+0400..U+047F: D0 80 is 0, D1 BF is 127.
const fn cyrillic_index(character: u16) -> usize {
    (character - 0x400) as usize
}

/// What was seen of a word so far.
#[derive(Clone, Copy)]
struct Seen {
    length: u32,
    digits: u32,
    capitals: u32,
    /// Capitals that begin a part.
    leading: u32,
    hyphens: u32,
}

impl Seen {
    const NOTHING: Seen = Seen { length: 0, digits: 0, capitals: 0, leading: 0, hyphens: 0 };

    fn shape(self) -> Shape {
        match self.digits {
            0 => Shape::Word,
            digits if digits == self.length => Shape::Number,
            _ => Shape::Mixed,
        }
    }

    fn letters(self, begins_capital: bool) -> Letters {
        let letters = self.length - self.digits - self.hyphens;
        match self.capitals {
            0 => Letters::Lower,
            all if all == letters && letters > 1 => Letters::Upper,
            some if some == self.leading && begins_capital => Letters::Capital,
            _ => Letters::Mixed,
        }
    }

    fn is_remembered(self) -> bool {
        self.length <= LONGEST_WORD && (self.digits < self.length || self.length <= LONGEST_NUMBER)
    }
}

/// Nearly every word and mark has a blank after it; one turn of the loop for both.
#[inline]
fn over_blank(bytes: &[u8], at: usize) -> usize {
    at + usize::from(bytes.get(at) == Some(&b' '))
}

/// A word that begins with a Russian letter; most have nothing but such letters, and are read at once.
#[inline]
fn russian_word(text: &str, start: usize, words: &mut Words, tokens: &mut Tokens) -> usize {
    let bytes = text.as_bytes();
    let read = match bytes[start..].first_chunk::<REACH>() {
        Some(piece) => lanes::read(piece),
        None => lanes::read(&last_piece(&bytes[start..])),
    };
    let Some(read) = read else { return word(text, start, words, tokens) };
    let end = start + read.length;
    let next = bytes.get(end).copied().unwrap_or(b' ');
    if CLASS[usize::from(next)] >= OTHER || next == HYPHEN_CODE {
        return word(text, start, words, tokens); // it goes on
    }
    let id = match words.find(read.key) {
        Some(id) => id,
        None => new_word(&text[start..end], read.key, words, tokens),
    };
    let (start, first, letters) = (start as u32, bytes[start], read.letters);
    tokens.all.push(Token {
        start,
        end: end as u32,
        word: id,
        shape: Shape::Word,
        letters,
        first,
        ends_sentence: false,
    });
    over_blank(bytes, end)
}

/// The end of a text with zeroes after it.
#[inline(never)]
fn last_piece(bytes: &[u8]) -> [u8; REACH] {
    let mut piece = [0; REACH];
    piece[..bytes.len()].copy_from_slice(bytes);
    piece
}

#[cold]
fn new_word(written: &str, key: Key, words: &mut Words, tokens: &mut Tokens) -> WordId {
    tokens.scratch.clear();
    fold_into(written, &mut tokens.scratch);
    words.insert(key, &tokens.scratch)
}

/// A word that begins with a Russian or ASCII letter or a digit.
fn word(text: &str, start: usize, words: &mut Words, tokens: &mut Tokens) -> usize {
    let bytes = text.as_bytes();
    let mut at = start;
    let mut key = KeyMaker::new();
    let mut seen = Seen::NOTHING;
    let mut begins_part = true;
    let mut begins_capital = false;
    while let Some(&byte) = bytes.get(at) {
        let class = CLASS[usize::from(byte)];
        if class == CYRILLIC {
            let Some(&second) = bytes.get(at + 1) else { break };
            let entry = RUSSIAN[usize::from(byte & 1) << 6 | usize::from(second & 0x3F)];
            if entry == 0 {
                return slow_word(text, start, words, tokens);
            }
            let capital = u32::from(entry >> 8);
            seen.capitals += capital;
            seen.leading += capital & u32::from(begins_part);
            key.push(entry as u8);
            at += 2;
        } else if class >= DIGIT {
            let capital = u32::from(byte.is_ascii_uppercase());
            seen.capitals += capital;
            seen.leading += capital & u32::from(begins_part);
            seen.digits += u32::from(class == DIGIT);
            key.push(byte | 0x20); // lower case; digits have the bit
            at += 1;
        } else if byte == HYPHEN_CODE {
            if seen.digits > 0 || !begins_with_letter(text, at + 1) {
                break;
            }
            key.push(HYPHEN_CODE);
            seen.hyphens += 1;
            seen.length += 1;
            begins_part = true;
            at += 1;
            continue;
        } else if class == OTHER && goes_on(text, at) {
            return slow_word(text, start, words, tokens);
        } else {
            break;
        }
        if seen.length == 0 {
            begins_capital = seen.capitals == 1;
        }
        begins_part = false;
        seen.length += 1;
    }
    let id = if seen.is_remembered() {
        let key = key.key();
        match words.find(key) {
            Some(id) => id,
            None => new_word(&text[start..at], key, words, tokens),
        }
    } else {
        WordId::NONE
    };
    let (shape, letters) = (seen.shape(), seen.letters(begins_capital));
    let first = bytes[start];
    tokens.all.push(Token {
        start: start as u32,
        end: at as u32,
        word: id,
        shape,
        letters,
        first,
        ends_sentence: false,
    });
    at
}

/// Whether the letter at an offset makes the hyphen before it a joint.
fn begins_with_letter(text: &str, at: usize) -> bool {
    text[at..].chars().next().is_some_and(char::is_alphabetic)
}

/// Whether a character outside of the tables belongs to the word before it.
#[cold]
fn goes_on(text: &str, at: usize) -> bool {
    let Some(character) = text[at..].chars().next() else { return false };
    character.is_alphanumeric() || is_unseen(character) || is_hyphen(character) && begins_with_letter(text, at + 3)
}

/// A word with letters or marks outside of the tables, by characters.
#[cold]
fn slow_word(text: &str, start: usize, words: &mut Words, tokens: &mut Tokens) -> usize {
    let mut seen = Seen::NOTHING;
    let mut begins_part = true;
    let mut begins_capital = false;
    let mut end = text.len();
    for (offset, character) in text[start..].char_indices() {
        let at = start + offset;
        if is_unseen(character) {
            continue;
        }
        if is_hyphen(character) {
            if seen.digits > 0 || seen.length == 0 || !begins_with_letter(text, at + character.len_utf8()) {
                end = at;
                break;
            }
            seen.hyphens += 1;
            seen.length += 1;
            begins_part = true;
            continue;
        }
        if !character.is_alphanumeric() {
            end = at;
            break;
        }
        let capital = u32::from(character.is_uppercase());
        seen.capitals += capital;
        seen.leading += capital & u32::from(begins_part);
        seen.digits += u32::from(character.is_numeric());
        if seen.length == 0 {
            begins_capital = capital == 1;
        }
        begins_part = false;
        seen.length += 1;
    }
    tokens.scratch.clear();
    fold_into(&text[start..end], &mut tokens.scratch);
    let id = if !seen.is_remembered() || tokens.scratch.is_empty() {
        WordId::NONE
    } else {
        let key = key_of(&tokens.scratch);
        words.find(key).unwrap_or_else(|| words.insert(key, &tokens.scratch))
    };
    let (shape, letters) = (seen.shape(), seen.letters(begins_capital));
    let first = text.as_bytes()[start];
    tokens.all.push(Token {
        start: start as u32,
        end: end as u32,
        word: id,
        shape,
        letters,
        first,
        ends_sentence: false,
    });
    end
}

/// A character that begins with a byte outside of the tables.
#[cold]
fn other(text: &str, at: usize, words: &mut Words, tokens: &mut Tokens) -> usize {
    let Some(character) = text[at..].chars().next() else { return text.len() };
    let end = at + character.len_utf8();
    match character {
        '«' | '»' | '–' | '—' | '№' | '“' | '”' | '„' | '…' => {
            push_mark(&mut tokens.all, text.as_bytes()[at], at, end);
        }
        '\u{85}' | '\u{2028}' | '\u{2029}' => push_break(&mut tokens.all, at, end),
        blank if blank.is_whitespace() || is_unseen(blank) => {}
        letter if letter.is_alphanumeric() => return slow_word(text, at, words, tokens),
        _ => push_mark(&mut tokens.all, text.as_bytes()[at], at, end),
    }
    end
}

fn push_mark(tokens: &mut Vec<Token>, first: u8, start: usize, end: usize) {
    let (start, end) = (start as u32, end as u32);
    let ends_sentence = matches!(first, b'.' | b'!' | b'?' | b';');
    tokens.push(Token {
        start,
        end,
        word: WordId::NONE,
        shape: Shape::Punct,
        letters: Letters::Lower,
        first,
        ends_sentence,
    });
}

/// Line ends one after another are one break, which ends where the last of them does.
fn push_break(tokens: &mut Vec<Token>, start: usize, end: usize) {
    if let Some(last) = tokens.last_mut()
        && last.shape == Shape::Break
    {
        last.end = end as u32;
        return;
    }
    let (start, end) = (start as u32, end as u32);
    tokens.push(Token {
        start,
        end,
        word: WordId::NONE,
        shape: Shape::Break,
        letters: Letters::Lower,
        first: b'\n',
        ends_sentence: true,
    });
}
