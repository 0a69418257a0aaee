//! What has been found in one text so far, over all passes. Owner: one call of a masker, or one masker that keeps the buffers.
//! Invariants: spans are in order and apart; after [`Found::numbers`] another pass over the masked text finds nothing.
//! A detector decides by the words around, and these may go later in the same pass: «А123ВС62https://vk.com/x» is a plate
//! only once the link is a placeholder. So a text in which something was found is read again as it looks then.

use super::{MaskCounts, MaskSpan, walk};

/// Passes over a text at most; the third finds something in texts made for it only.
pub const PASSES: usize = 8;

#[derive(Default)]
pub struct Found {
    spans: Vec<MaskSpan>,
    /// Of the pass that runs.
    new: Vec<MaskSpan>,
    masked: String,
}

impl Found {
    pub fn spans(&self) -> &[MaskSpan] {
        &self.spans
    }

    pub fn clear(&mut self) {
        self.spans.clear();
    }

    /// Finds the structured identifiers of `text` beside what is known already.
    pub fn numbers(&mut self, text: &str) {
        if self.spans.is_empty() {
            walk(text, |span| self.spans.push(span));
        }
        for _ in 0..PASSES {
            if self.spans.is_empty() || !self.again(text, |masked, new| walk(masked, |span| new.push(span))) {
                return;
            }
        }
    }

    /// A word may be glued to something that is masked: its token is another one in the masked text. Rather once too often:
    /// letters of any script, hyphens and marks without width all hold words together.
    pub fn is_glued(&self, text: &str) -> bool {
        let parts = |character: char| character.is_whitespace() || character.is_ascii_punctuation();
        let in_word = |character: char| !parts(character) || matches!(character, '-' | '_');
        self.spans.iter().any(|span| text[..span.start].ends_with(in_word) || text[span.end..].starts_with(in_word))
    }

    /// Takes the spans out of `more`, which is in order. Where one touches a known one it gives way: a name is made of
    /// tokens and takes the stop after an initial with it, which a neighbour may have too.
    pub fn add(&mut self, more: &mut Vec<MaskSpan>) {
        let count = self.spans.len();
        let mut place = 0;
        for mut span in more.drain(..) {
            while place < count && self.spans[place].end <= span.start {
                place += 1;
            }
            if let Some(known) = self.spans[..count].get(place) {
                span.end = span.end.min(known.start.max(span.start));
            }
            if span.start < span.end {
                self.spans.push(span);
            }
        }
        self.spans.sort_unstable_by_key(|span| span.start);
    }

    /// Calls `part` with each piece of the masked text in turn.
    pub fn pieces<'t>(&self, text: &'t str, mut part: impl FnMut(&'t str)) -> MaskCounts {
        let mut counts = MaskCounts::default();
        let mut copied = 0;
        for span in &self.spans {
            part(&text[copied..span.start]);
            part(span.kind.placeholder());
            copied = span.end;
            counts.add(span.kind);
        }
        part(&text[copied..]);
        counts
    }

    /// Takes what `find` finds in the masked text; whether there was something.
    pub fn again(&mut self, text: &str, find: impl FnOnce(&str, &mut Vec<MaskSpan>)) -> bool {
        let mut masked = std::mem::take(&mut self.masked);
        masked.clear();
        self.pieces(text, |piece| masked.push_str(piece));
        self.new.clear();
        find(&masked, &mut self.new);
        self.masked = masked;
        if self.new.is_empty() {
            return false;
        }
        self.place_new();
        let mut next = 0;
        let new = &self.new;
        self.spans.retain(|span| {
            while new.get(next).is_some_and(|new| new.end <= span.start) {
                next += 1;
            }
            new.get(next).is_none_or(|new| new.start >= span.end)
        });
        self.spans.append(&mut self.new);
        self.spans.sort_unstable_by_key(|span| span.start);
        true
    }

    /// Moves what was found in the masked text to where that is in the text; inside a placeholder, to the bounds of what it
    /// replaced. Both lists are in order, so one way along them does: a hostile text may have a hundred thousand of each.
    fn place_new(&mut self) {
        let (mut at, mut grown) = (0, 0isize); // the masked text before the span is longer by this
        let spans = &self.spans;
        let mut original = |masked: usize| {
            while let Some(span) = spans.get(at) {
                let start = (span.start as isize + grown) as usize;
                let length = span.kind.placeholder().len();
                if masked <= start {
                    break;
                }
                if masked < start + length {
                    return (span.start, span.end);
                }
                grown += length as isize - (span.end - span.start) as isize;
                at += 1;
            }
            let offset = (masked as isize - grown) as usize;
            (offset, offset)
        };
        let mut done = 0;
        for new in &mut self.new {
            new.start = original(new.start).0.max(done);
            new.end = original(new.end).1.max(new.start);
            done = new.end;
        }
        self.new.retain(|new| new.start < new.end);
    }
}
