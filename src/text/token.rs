//! What a text is cut into. Invariant: a token is small and plain: every stage reads all of them, some several times.

use super::words::WordId;

/// What a token is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Shape {
    /// Letters, and hyphens between letters.
    Word,
    Number,
    /// Letters and digits: `12а`, `15к2`. «8-ФЗ» is three tokens.
    Mixed,
    /// One character that is neither a letter, a digit nor blank.
    Punct,
    /// The end of one or more lines.
    Break,
}

/// How the letters of a token are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Letters {
    /// No capital letter (numbers and punctuation too).
    Lower,
    /// Each part begins with a capital and has no other: «Иванов», «Петрова-Водкина», «Я», «Ростов-на-Дону».
    Capital,
    /// Two letters or more, all capital: «ЖКХ».
    Upper,
    Mixed,
}

/// A piece of the text: bytes `[start, end)` of the original.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    pub start: u32,
    pub end: u32,
    /// [`WordId::NONE`] for punctuation, breaks, numbers over 8 digits, other forms over 40 letters.
    pub word: WordId,
    pub shape: Shape,
    pub letters: Letters,
    /// First byte of the token.
    pub first: u8,
    /// A sentence ends here: with a full stop and the like, or with the line.
    pub ends_sentence: bool,
}

impl Token {
    /// The token as it was written.
    pub fn of<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start as usize..self.end as usize]
    }

    /// Whether the token is this ASCII punctuation character.
    pub fn is(&self, punctuation: u8) -> bool {
        self.shape == Shape::Punct && self.first == punctuation
    }
}

/// The tokens of one text; the buffer is used again for the next.
#[derive(Default)]
pub struct Tokens {
    pub(super) all: Vec<Token>,
    /// For the folded form of a new word.
    pub(super) scratch: String,
}

/// Buffers longer than this are given back after use.
const KEPT_TOKENS: usize = 1 << 16;

impl Tokens {
    pub fn new() -> Tokens {
        Tokens::default()
    }

    /// Empties the buffer for a text.
    pub(super) fn begin(&mut self) {
        self.all.clear();
        if self.all.capacity() > KEPT_TOKENS {
            self.all.shrink_to(KEPT_TOKENS);
        }
    }

    pub fn as_slice(&self) -> &[Token] {
        &self.all
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Token> {
        self.all.iter()
    }
}

impl std::ops::Deref for Tokens {
    type Target = [Token];

    fn deref(&self) -> &[Token] {
        &self.all
    }
}
