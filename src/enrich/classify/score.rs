//! One pass over the tokens of a text: what its words, phrases and rules say is summed by block and topic.
//! Owner: a partition worker holds the `Reader`; the lexicon and the model are shared. Invariants: memory is bounded by the
//! word table and by `LONGEST` tokens; the result depends on the text, the lexicon and the model only, not on earlier texts.

use super::lexicon::{Element, Lexicon, Phrase, Says, Search, SlotId};
use super::model::{LANES, Model, Row};
use crate::text::{Shape, Side, StemId, Token, WordId, Words};

/// Tokens that are read; a longer text has said what it is about by then.
pub const LONGEST: usize = 4096;
/// Words a sentence end counts for when phrases measure distances.
const SENTENCE: u32 = 3;

/// The n-th mention of a word adds ln(n) - ln(n-1): twice is not two times as much.
const MENTIONS: [f32; 9] =
    [0.0, 1.0, std::f32::consts::LN_2, 0.405_465, 0.287_682, 0.223_144, 0.182_322, 0.154_151, 0.133_531];

/// What is known of a word form; ranges into the arenas of `Known`.
#[derive(Clone, Copy, Default)]
struct WordFacts {
    says: (u32, u16),
    elements: (u32, u16),
    /// Searches for phrases that begin with this word.
    searches: (u32, u16),
    /// May begin the search for a negation.
    negates: bool,
    /// Row of `vectors`, or none.
    vector: Option<std::num::NonZeroU32>,
    /// For bigrams; 0 where there are none with this word.
    hash: u32,
}

/// Facts of the word forms seen so far.
#[derive(Default)]
struct Known {
    generation: u32,
    facts: Side<WordFacts>,
    says: Vec<Says>,
    elements: Vec<Element>,
    searches: Vec<Search>,
    vectors: Vec<Row>,
}

/// A word of the text that the lexicon knows.
#[derive(Clone, Copy)]
struct Hit {
    /// Place among the words; sentence ends count too.
    at: u32,
    token: u32,
    says: (u32, u16),
    elements: (u32, u16),
    searches: (u32, u16),
    negates: bool,
    /// Factor for what the word says by itself: mentions and the beginning of the text.
    factor: f32,
}

/// Who is told what spoke.
pub trait Witness {
    fn word(&mut self, _token: usize, _says: Says) {}
    fn phrase(&mut self, _token: usize, _written: &str, _says: Says) {}
    /// What the model's features of a word add, before the text's length is taken into account.
    fn model(&mut self, _token: usize, _row: &Row, _factor: f32) {}
}

/// Nobody asks.
pub struct Nobody;
impl Witness for Nobody {}

/// The sums of one text.
#[derive(Default)]
pub struct Sums {
    /// By `SlotId`.
    pub slots: Vec<f32>,
    /// Slots that were touched, each once.
    pub touched: Vec<SlotId>,
    pub words: [f32; LANES],
    pub words_norm: f32,
    pub letters: [f32; LANES],
    pub letters_norm: f32,
}

/// Reads texts. What it knows of words belongs to one `Words`, one lexicon and one model: a new one of these, a new reader.
#[derive(Default)]
pub struct Reader {
    known: Known,
    /// Mentions in this text by stem: text number and count.
    mentions: Vec<(u32, u16)>,
    text: u32,
    hits: Vec<Hit>,
    /// The text in which an element was last met, and a phrase last heard.
    elements: Vec<u32>,
    spoken: Vec<u32>,
    silenced: Vec<(u32, u32)>,
    pub sums: Sums,
}

impl Reader {
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Sums up a text; the result is in `sums` until the next one.
    pub fn read(
        &mut self,
        tokens: &[Token],
        words: &Words,
        lexicon: &Lexicon,
        model: Option<&Model>,
        witness: &mut impl Witness,
    ) {
        self.begin(words, lexicon);
        self.look_up(&tokens[..tokens.len().min(LONGEST)], words, lexicon, model, witness);
        if !lexicon.negations.is_empty() {
            self.silence(lexicon);
        }
        self.hear_words(witness);
        self.hear_phrases(lexicon, witness);
        self.hear_conditions(lexicon, witness);
    }

    fn begin(&mut self, words: &Words, lexicon: &Lexicon) {
        if self.known.generation != words.generation() {
            self.known = Known { generation: words.generation(), ..Known::default() };
        }
        self.text = self.text.wrapping_add(1);
        if self.text == 0 {
            self.mentions.clear();
            self.spoken.clear();
            self.elements.clear();
            self.text = 1;
        }
        self.hits.clear();
        self.silenced.clear();
        let sums = &mut self.sums;
        sums.slots.resize(lexicon.slots(), 0.0);
        for slot in sums.touched.drain(..) {
            sums.slots[usize::from(slot)] = 0.0;
        }
        sums.words = [0.0; LANES];
        sums.letters = [0.0; LANES];
        (sums.words_norm, sums.letters_norm) = (0.0, 0.0);
        self.spoken.resize(lexicon.phrases.len(), 0);
        self.elements.resize(lexicon.phrases_of.len(), 0);
    }

    fn look_up(
        &mut self,
        tokens: &[Token],
        words: &Words,
        lexicon: &Lexicon,
        model: Option<&Model>,
        witness: &mut impl Witness,
    ) {
        let mut at = 0;
        let mut before = 0;
        for (number, token) in tokens.iter().enumerate() {
            if token.word == WordId::NONE {
                if ends_sentence(token) {
                    at += SENTENCE;
                    before = 0;
                }
                continue;
            }
            at += 1;
            let facts = self.known.of(token.word, words, lexicon, model);
            let mentions = count(&mut self.mentions, words.stem(token.word), self.text);
            if let Some(model) = model {
                if let Some(place) = facts.vector {
                    let (tf, squared) = grown(mentions);
                    let row = &self.known.vectors[place.get() as usize - 1];
                    row.add_to(&mut self.sums, tf, squared);
                    witness.model(number, row, tf);
                }
                if facts.hash != 0 && before != 0 {
                    model.add_bigram(before, facts.hash, &mut self.sums);
                }
                before = facts.hash;
            }
            if facts.says.1 > 0 || facts.elements.1 > 0 {
                let lead = if at <= lexicon.lead_words { 1.0 + lexicon.lead_gain } else { 1.0 };
                let factor = lead * MENTIONS.get(usize::from(mentions)).copied().unwrap_or(0.0);
                let WordFacts { says, elements, searches, negates, .. } = facts;
                for element in self.known.elements_of(elements) {
                    self.elements[usize::from(*element)] = self.text;
                }
                self.hits.push(Hit { at, token: number as u32, says, elements, searches, negates, factor });
            }
        }
    }

    /// Ranges of words that a negation takes the voice from.
    fn silence(&mut self, lexicon: &Lexicon) {
        for number in 0..self.hits.len() {
            let hit = self.hits[number];
            if !hit.negates {
                continue;
            }
            for element in self.known.elements_of(hit.elements) {
                for phrase in &lexicon.negations_of[usize::from(*element)] {
                    let phrase = &lexicon.negations[usize::from(*phrase)];
                    if let Some(last) = self.matched(phrase, number, 0) {
                        self.silenced.push((last + 1, last + 1 + lexicon.negation_reach));
                    }
                }
            }
        }
    }

    fn is_silenced(&self, at: u32) -> bool {
        self.silenced.iter().any(|(from, to)| (*from..*to).contains(&at))
    }

    fn hear_words(&mut self, witness: &mut impl Witness) {
        let silenced = !self.silenced.is_empty();
        for hit in &self.hits {
            if hit.says.1 == 0 || silenced && self.is_silenced(hit.at) {
                continue;
            }
            let (start, length) = (hit.says.0 as usize, usize::from(hit.says.1));
            for says in &self.known.says[start..start + length] {
                self.sums.add(says.slot, says.weight * hit.factor);
                witness.word(hit.token as usize, Says { slot: says.slot, weight: says.weight * hit.factor });
            }
        }
    }

    fn hear_phrases(&mut self, lexicon: &Lexicon, witness: &mut impl Witness) {
        for number in 0..self.hits.len() {
            let hit = self.hits[number];
            let start = hit.searches.0 as usize;
            for place in start..start + usize::from(hit.searches.1) {
                let search = self.known.searches[place];
                // Most phrases lack a word anywhere in the text: that is asked before anything else is read.
                if self.elements[usize::from(search.needs)] != self.text {
                    continue;
                }
                let id = usize::from(search.phrase);
                if self.spoken[id] == self.text || self.is_silenced(hit.at) {
                    continue;
                }
                let phrase = &lexicon.phrases[id];
                if self.matched(phrase, number, lexicon.gap).is_some() {
                    self.spoken[id] = self.text;
                    let lead = if hit.at <= lexicon.lead_words { 1.0 + lexicon.lead_gain } else { 1.0 };
                    for says in &phrase.says {
                        self.sums.add(says.slot, says.weight * lead);
                        let told = Says { slot: says.slot, weight: says.weight * lead };
                        witness.phrase(hit.token as usize, &phrase.written, told);
                    }
                }
            }
        }
    }

    fn hear_conditions(&mut self, lexicon: &Lexicon, witness: &mut impl Witness) {
        if lexicon.conditions.is_empty() || self.hits.is_empty() {
            return;
        }
        for condition in &lexicon.conditions {
            let here = |element: &Element| self.elements[usize::from(*element)] == self.text;
            let holds = condition.all.iter().all(here)
                && condition.any.as_ref().is_none_or(here)
                && !condition.none.as_ref().is_some_and(here);
            if !holds {
                continue;
            }
            let Some(token) = self.meeting(condition) else { continue };
            for says in &condition.says {
                self.sums.add(says.slot, says.weight);
                witness.phrase(token as usize, &condition.written, *says);
            }
        }
    }

    /// The token at which the words of a rule meet.
    fn meeting(&self, condition: &super::lexicon::Condition) -> Option<u32> {
        let needed = || condition.all.iter().chain(&condition.any);
        let anchors = self.hits.iter().filter(|hit| self.known.elements_of(hit.elements).contains(&condition.all[0]));
        for anchor in anchors {
            let near = |element: &Element| {
                let Some(within) = condition.within else { return true };
                self.hits.iter().any(|hit| {
                    hit.at.abs_diff(anchor.at) <= within && self.known.elements_of(hit.elements).contains(element)
                })
            };
            if needed().all(near) {
                return Some(anchor.token);
            }
        }
        None
    }

    /// Where the last word of the phrase stands, if the phrase stands around this hit.
    fn matched(&self, phrase: &Phrase, number: usize, gap: u32) -> Option<u32> {
        let mut place = number;
        for element in phrase.elements[..phrase.anchor].iter().rev() {
            let from = self.hits[place].at;
            place = (0..place)
                .rev()
                .take_while(|earlier| from - self.hits[*earlier].at <= gap + 1)
                .find(|earlier| self.known.elements_of(self.hits[*earlier].elements).contains(element))?;
        }
        let mut place = number;
        for element in &phrase.elements[phrase.anchor + 1..] {
            let from = self.hits[place].at;
            place = (place + 1..self.hits.len())
                .take_while(|later| self.hits[*later].at - from <= gap + 1)
                .find(|later| self.known.elements_of(self.hits[*later].elements).contains(element))?;
        }
        Some(self.hits[place].at)
    }
}

impl Known {
    fn of(&mut self, word: WordId, words: &Words, lexicon: &Lexicon, model: Option<&Model>) -> WordFacts {
        let (says, elements) = (&mut self.says, &mut self.elements);
        let (searches, vectors) = (&mut self.searches, &mut self.vectors);
        self.facts.get(words, word, |form, stem| {
            let stem = words.stem_text(stem);
            let facts = lexicon.facts(form, stem);
            let mut known = WordFacts {
                says: (says.len() as u32, facts.says.len() as u16),
                elements: (elements.len() as u32, facts.elements.len() as u16),
                searches: (searches.len() as u32, facts.searches.len() as u16),
                negates: facts.negates,
                ..WordFacts::default()
            };
            says.extend(facts.says);
            elements.extend(facts.elements);
            searches.extend(facts.searches);
            if let Some(model) = model {
                known.hash = model.bigram_hash(stem);
                if let Some(row) = model.row(form, stem) {
                    vectors.push(row);
                    known.vector = std::num::NonZeroU32::new(vectors.len() as u32);
                }
            }
            known
        })
    }

    fn elements_of(&self, range: (u32, u16)) -> &[Element] {
        &self.elements[range.0 as usize..range.0 as usize + usize::from(range.1)]
    }
}

impl Sums {
    fn add(&mut self, slot: SlotId, weight: f32) {
        let sum = &mut self.slots[usize::from(slot)];
        if *sum == 0.0 {
            self.touched.push(slot);
        }
        *sum += weight;
        if *sum == 0.0 {
            *sum = f32::MIN_POSITIVE; // touched once
        }
    }
}

/// What the n-th mention of a word adds to its damped frequency, and to the square of it.
pub fn grown(mentions: u16) -> (f32, f32) {
    if mentions <= 1 {
        return (1.0, 1.0);
    }
    let (now, before) = (1.0 + f32::from(mentions).ln(), 1.0 + f32::from(mentions - 1).ln());
    (now - before, now * now - before * before)
}

pub fn ends_sentence(token: &Token) -> bool {
    token.shape == Shape::Break || token.shape == Shape::Punct && matches!(token.first, b'.' | b'!' | b'?' | b';')
}

/// How often the stem was met in this text, this time included.
fn count(mentions: &mut Vec<(u32, u16)>, stem: StemId, text: u32) -> u16 {
    let place = stem.index();
    if place >= mentions.len() {
        mentions.resize(place + 1024, (0, 0));
    }
    let seen = &mut mentions[place];
    *seen = if seen.0 == text { (text, seen.1.saturating_add(1)) } else { (text, 1) };
    seen.1
}
