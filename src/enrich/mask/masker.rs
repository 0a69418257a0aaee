//! Everything that is masked in one text: structured identifiers, then names, then what the names had hidden.
//! Owner: the enrichment of one partition worker. Invariant: the outcome is final: masking it again changes nothing. A
//! number may need a word that stands before a name («телефон Ивановой Марии Петровны 25-25-25»), so once names are
//! gone the numbers are read again, as a second pass over the masked text would read them.

use std::sync::Arc;

use super::people::{People, PersonLexicon};
use super::{MaskCounts, MaskSpan, walk};
use crate::text::{Token, Words};

/// Passes over a text at most; the third finds something in texts made for it only.
const PASSES: usize = 4;

/// The masker with its buffers.
pub struct Masker {
    people: People,
    spans: Vec<MaskSpan>,
    found: Vec<MaskSpan>,
    masked: String,
}

impl Masker {
    pub fn new(lexicon: Arc<PersonLexicon>) -> Masker {
        Masker { people: People::new(lexicon), spans: Vec::new(), found: Vec::new(), masked: String::new() }
    }

    /// Where the identifiers are, in order, without overlaps. `tokens` are those of `text`, made with `words`.
    pub fn find(&mut self, text: &str, words: &Words, tokens: &[Token]) -> &[MaskSpan] {
        self.spans.clear();
        walk(text, |span| self.spans.push(span));
        for _ in 0..PASSES {
            self.found.clear();
            self.people.find(text, words, tokens, &self.spans, &mut self.found);
            if self.found.is_empty() {
                break;
            }
            self.merge();
            if !self.read_numbers_again(text) {
                break;
            }
        }
        &self.spans
    }

    /// Appends the masked text.
    pub fn mask_into(&mut self, text: &str, words: &Words, tokens: &[Token], out: &mut Vec<u8>) -> MaskCounts {
        let mut counts = MaskCounts::default();
        let mut copied = 0;
        for span in self.find(text, words, tokens) {
            out.extend_from_slice(&text.as_bytes()[copied..span.start]);
            out.extend_from_slice(span.kind.placeholder().as_bytes());
            copied = span.end;
            counts.add(span.kind);
        }
        out.extend_from_slice(&text.as_bytes()[copied..]);
        counts
    }

    /// Takes `found` into `spans`.
    fn merge(&mut self) {
        if self.spans.is_empty() {
            std::mem::swap(&mut self.spans, &mut self.found);
            return;
        }
        self.spans.append(&mut self.found);
        self.spans.sort_unstable_by_key(|span| span.start);
    }

    /// Reads the masked text for numbers; whether there were new ones.
    fn read_numbers_again(&mut self, text: &str) -> bool {
        self.masked.clear();
        let mut copied = 0;
        for span in &self.spans {
            self.masked.push_str(&text[copied..span.start]);
            self.masked.push_str(span.kind.placeholder());
            copied = span.end;
        }
        self.masked.push_str(&text[copied..]);
        self.found.clear();
        walk(&self.masked, |span| self.found.push(span));
        if self.found.is_empty() {
            return false;
        }
        for place in 0..self.found.len() {
            let span = self.found[place];
            let (start, end) = (self.original(span.start), self.original(span.end));
            self.found[place] = MaskSpan { start, end, kind: span.kind };
        }
        let found = &self.found;
        self.spans.retain(|span| !found.iter().any(|new| new.start < span.end && span.start < new.end));
        self.merge();
        true
    }

    /// The offset in the text of an offset in the masked text; inside a placeholder, the start of what it replaced.
    fn original(&self, masked: usize) -> usize {
        let mut grown = 0isize; // masked text before the span is longer by this
        for span in &self.spans {
            let start = (span.start as isize + grown) as usize;
            if masked <= start {
                break;
            }
            let length = span.kind.placeholder().len();
            if masked < start + length {
                return span.start;
            }
            grown += length as isize - (span.end - span.start) as isize;
        }
        (masked as isize - grown) as usize
    }
}
