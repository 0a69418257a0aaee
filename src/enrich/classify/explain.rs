//! Why a text was classified so: the words, phrases and rules that spoke, and what the model's features of each word add.
//! Owner: commands; the pipeline classifies without a witness. Invariant: an explanation changes nothing of the outcome.

use super::lexicon::Says;
use super::model::{LANES, Row, scale};
use super::score::{Reader, Witness};
use super::{Classifier, Outcome};
use crate::text::{Tokens, Words};

/// One thing that spoke for or against a block.
#[derive(Clone, PartialEq, Debug)]
pub struct Reason {
    /// A word as it stands in the text, or a phrase or rule as the lexicon has it.
    pub what: String,
    /// Where in the text, bytes `[start, end)`; of a phrase, the word that gave it away.
    pub span: (usize, usize),
    pub weight: f32,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    pub outcome: Outcome,
    /// Of the lexicon, for the block of the outcome, strongest first; what speaks against it has a negative weight.
    pub lexicon: Vec<Reason>,
    /// Of the model, in its margin for the block of the outcome.
    pub model: Vec<Reason>,
}

#[derive(Default)]
struct Notes {
    /// Token, phrase if it is one, what it says.
    said: Vec<(usize, Option<String>, Says)>,
    rows: Vec<(usize, Row, f32)>,
}

impl Witness for Notes {
    fn word(&mut self, token: usize, says: Says) {
        self.said.push((token, None, says));
    }

    fn phrase(&mut self, token: usize, written: &str, says: Says) {
        self.said.push((token, Some(written.to_owned()), says));
    }

    fn model(&mut self, token: usize, row: &Row, factor: f32) {
        self.rows.push((token, *row, factor));
    }
}

/// Classifies a text and says why. `tokens` are those of the text, made with these words.
pub fn explain(
    classifier: &Classifier,
    text: &str,
    tokens: &Tokens,
    words: &Words,
    reader: &mut Reader,
) -> Explanation {
    let mut notes = Notes::default();
    let outcome = classifier.classify_for(tokens, words, reader, &mut notes);
    let reason = |token: usize, phrase: Option<String>, weight: f32| {
        let token = &tokens[token];
        let what = phrase.unwrap_or_else(|| token.of(text).to_owned());
        Reason { what, span: (token.start as usize, token.end as usize), weight }
    };
    let of_block = notes.said.into_iter().filter(|(_, _, says)| says.slot == u16::from(outcome.block));
    let lexicon = of_block.map(|(token, phrase, says)| reason(token, phrase, says.weight)).collect();
    let lane = classifier.model.as_ref().and_then(|model| {
        let lane = model.classes.iter().position(|block| *block == outcome.block)?;
        (lane < LANES).then_some(lane)
    });
    let (of_words, of_letters) = (scale(reader.sums.words_norm), scale(reader.sums.letters_norm));
    let model = lane.map_or_else(Vec::new, |lane| {
        let added = |row: &Row| row.words[lane] * of_words + row.letters[lane] * of_letters;
        notes.rows.iter().map(|(token, row, factor)| reason(*token, None, added(row) * factor)).collect()
    });
    Explanation { outcome, lexicon: merged(lexicon), model: merged(model) }
}

/// The same word said twice is one reason; strongest first.
fn merged(reasons: Vec<Reason>) -> Vec<Reason> {
    let mut merged: Vec<Reason> = Vec::new();
    for reason in reasons {
        match merged.iter_mut().find(|known| known.what.to_lowercase() == reason.what.to_lowercase()) {
            Some(known) => known.weight += reason.weight,
            None => merged.push(reason),
        }
    }
    merged.sort_by(|left, right| right.weight.abs().total_cmp(&left.weight.abs()));
    merged
}
