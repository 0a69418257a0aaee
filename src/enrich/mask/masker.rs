//! Everything that is masked in one text: structured identifiers, then names, then what the names had hidden.
//! Owner: the enrichment of one partition worker. Invariant: the outcome is final: masking it again changes nothing. A
//! number may need a word that stands before a name («телефон Ивановой Марии Петровны 25-25-25»), so once names are
//! gone the numbers are read again, as a second pass over the masked text would read them. Where a word is glued to what
//! was masked («Мария89101234567», «Иванова-vk.com/x»), the masked text is cut into tokens and read anew for names too.

use std::sync::Arc;

use super::found::{Found, PASSES};
use super::people::{People, PersonLexicon};
use super::{MaskCounts, MaskSpan};
use crate::text::{Token, Tokens, Words, tokenize};

/// The masker with its buffers.
pub struct Masker {
    people: People,
    found: Found,
    names: Vec<MaskSpan>,
    anew: Option<Box<Anew>>,
}

/// To read a masked text; made when the first text wants it.
struct Anew {
    people: People,
    words: Words,
    tokens: Tokens,
}

impl Masker {
    pub fn new(lexicon: Arc<PersonLexicon>) -> Masker {
        Masker { people: People::new(lexicon), found: Found::default(), names: Vec::new(), anew: None }
    }

    /// Where the identifiers are, in order, without overlaps. `tokens` are those of `text`, made with `words`.
    pub fn find(&mut self, text: &str, words: &Words, tokens: &[Token]) -> &[MaskSpan] {
        self.found.clear();
        self.found.numbers(text);
        for _ in 0..PASSES {
            self.names.clear();
            self.people.find(text, words, tokens, self.found.spans(), &mut self.names);
            if self.names.is_empty() {
                break;
            }
            self.found.add(&mut self.names);
            self.found.numbers(text);
        }
        if self.found.is_glued(text) {
            self.read_anew(text);
        }
        self.found.spans()
    }

    fn read_anew(&mut self, text: &str) {
        let anew = self.anew.get_or_insert_with(|| {
            Box::new(Anew { people: self.people.another(), words: Words::new(), tokens: Tokens::new() })
        });
        let Anew { people, words, tokens } = &mut **anew;
        for _ in 0..PASSES {
            let is_new = self.found.again(text, |masked, names| {
                tokenize(masked, words, tokens);
                people.find(masked, words, tokens, &[], names);
            });
            if !is_new {
                return;
            }
            self.found.numbers(text);
        }
    }

    /// Appends the masked text.
    pub fn mask_into(&mut self, text: &str, words: &Words, tokens: &[Token], out: &mut Vec<u8>) -> MaskCounts {
        self.find(text, words, tokens);
        self.found.pieces(text, |piece| out.extend_from_slice(piece.as_bytes()))
    }
}
