//! One pass over the tokens of a text: what its words, phrases and rules say is summed by block and topic.
//! Owner: a partition worker holds the `Reader`; the lexicon and the model are shared. Invariants: memory is bounded by the
//! word table and by `LONGEST` tokens; the result depends on the text, the lexicon and the model only, not on earlier texts.

use super::known::{Known, Spoken, SpokenId};
use super::lexicon::{Condition, Element, Lexicon, Phrase, Says, Search};
use super::model::{Model, Row};
pub use super::sums::Sums;
use crate::text::{StemId, Token, WordId, Words};

/// Tokens that are read; a longer text has said what it is about by then.
pub const LONGEST: usize = 4096;
/// Words a sentence end counts for when phrases measure distances.
const SENTENCE: u32 = 3;
/// Places that a text can take.
const PLACES: u32 = (LONGEST as u32 + 1) * SENTENCE;

/// The n-th mention of a word adds ln(n) - ln(n-1): twice is not two times as much.
const MENTIONS: [f32; 9] =
    [0.0, 1.0, std::f32::consts::LN_2, 0.405_465, 0.287_682, 0.223_144, 0.182_322, 0.154_151, 0.133_531];

/// A word of the text that the lexicon knows.
#[derive(Clone, Copy)]
struct Hit {
    /// Place among the words of all texts read so far; sentence ends count too.
    at: u32,
    token: u32,
    spoken: Spoken,
    /// Factor for what the word says by itself: mentions and the beginning of the text.
    factor: f32,
}

/// A token of the text of which the lexicon says something.
#[derive(Clone, Copy, Default)]
struct Visit {
    token: u32,
    /// As of a hit.
    at: u32,
    spoken: SpokenId,
    /// How often its stem was met until here, this time included.
    mentions: u16,
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

/// Reads texts. What it knows of words belongs to one `Words`, one lexicon and one model: a new one of these, a new reader.
#[derive(Default)]
pub struct Reader {
    known: Known,
    /// Mentions in this text by stem: text number and count.
    mentions: Vec<(u32, u16)>,
    /// Where this text begins among the places of all texts; also its number. What was met before was in other texts.
    text: u32,
    visits: Vec<Visit>,
    hits: Vec<Hit>,
    /// A hit may begin a negation.
    negates: bool,
    /// Hits that say something, and hits that begin searches.
    speakers: Vec<u32>,
    searchers: Vec<u32>,
    /// By element: where it was met last.
    met: Vec<u32>,
    /// The text in which a phrase was last heard.
    heard: Vec<u32>,
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
        let tokens = &tokens[..tokens.len().min(LONGEST)];
        match model {
            Some(model) => self.look_up_with(tokens, words, lexicon, model, witness),
            None => self.look_up(tokens, words, lexicon),
        }
        if self.negates {
            self.silence(lexicon);
        }
        self.hear_words(witness);
        self.hear_phrases(lexicon, witness);
        self.hear_conditions(lexicon, witness);
    }

    fn begin(&mut self, words: &Words, lexicon: &Lexicon) {
        self.known.begin(words);
        self.text += PLACES;
        if self.text > u32::MAX - 2 * PLACES {
            self.mentions.clear();
            self.heard.clear();
            self.met.clear();
            self.text = PLACES;
        }
        self.hits.clear();
        self.negates = false;
        self.speakers.clear();
        self.searchers.clear();
        self.silenced.clear();
        self.sums.begin(lexicon.slots());
        if self.mentions.len() <= words.len() {
            self.mentions.resize(words.len() + 1024, (0, 0)); // there are no more stems than words
        }
        self.heard.resize(lexicon.phrases.len(), 0);
        self.met.resize(usize::from(lexicon.no_element()) + 1, 0);
    }

    /// By the lexicon alone. What is no word is looked up too, and says nothing: that is cheaper than to ask what it is.
    fn look_up(&mut self, tokens: &[Token], words: &Words, lexicon: &Lexicon) {
        if self.visits.len() <= tokens.len() {
            self.visits.resize(tokens.len() + 1, Visit::default());
        }
        let (mut at, mut count) = (self.text, 0);
        let forms = self.known.forms(words, lexicon);
        let (visits, mentions, text) = (&mut self.visits[..=tokens.len()], &mut self.mentions[..], self.text);
        for (number, token) in (0u32..).zip(tokens) {
            let known = forms.get(token.word);
            at += steps(token);
            let mentions = count_in(mentions, known.stem, text);
            // Every token is written, and the next one over it if it says nothing: no branch, as there is no pattern in it.
            visits[count] = Visit { token: number, at, spoken: known.spoken, mentions };
            count += usize::from(known.spoken != SpokenId::NOTHING);
        }
        self.speakers.resize(count + 1, 0);
        self.searchers.resize(count + 1, 0);
        let (mut speakers, mut searchers) = (0, 0);
        for number in 0..count {
            let spoken = self.hit(lexicon, self.visits[number]);
            self.speakers[speakers] = number as u32;
            speakers += usize::from(spoken.says_something());
            self.searchers[searchers] = number as u32;
            searchers += usize::from(spoken.searches_something());
        }
        self.speakers.truncate(speakers);
        self.searchers.truncate(searchers);
    }

    fn look_up_with(
        &mut self,
        tokens: &[Token],
        words: &Words,
        lexicon: &Lexicon,
        model: &Model,
        witness: &mut impl Witness,
    ) {
        let mut at = self.text;
        let mut before = 0;
        for (number, token) in tokens.iter().enumerate() {
            at += steps(token);
            if token.word == WordId::NONE {
                if token.ends_sentence {
                    before = 0;
                }
                continue;
            }
            let known = self.known.forms(words, lexicon).get(token.word);
            let features = self.known.features(token.word, words, model);
            let mentions = count_in(&mut self.mentions, known.stem, self.text);
            if let Some(row) = self.known.row(features) {
                let (tf, squared) = grown(mentions);
                row.add_to(&mut self.sums, tf, squared);
                witness.model(number, row, tf);
            }
            if features.hash != 0 && before != 0 {
                model.add_bigram(before, features.hash, &mut self.sums);
            }
            before = features.hash;
            if known.spoken != SpokenId::NOTHING {
                let hit = self.hits.len() as u32;
                let spoken = self.hit(lexicon, Visit { token: number as u32, at, spoken: known.spoken, mentions });
                self.speakers.extend(spoken.says_something().then_some(hit));
                self.searchers.extend(spoken.searches_something().then_some(hit));
            }
        }
    }

    #[inline]
    fn hit(&mut self, lexicon: &Lexicon, visit: Visit) -> Spoken {
        let at = visit.at;
        let spoken = self.known.spoken(visit.spoken);
        for element in spoken.first_elements {
            self.met[usize::from(element)] = at;
        }
        for element in self.known.more_elements(spoken) {
            self.met[usize::from(*element)] = at;
        }
        self.negates |= spoken.negates;
        let mentions = MENTIONS.get(usize::from(visit.mentions)).copied().unwrap_or(0.0);
        let factor = self.lead(lexicon, at) * mentions;
        self.hits.push(Hit { at, token: visit.token, spoken, factor });
        spoken
    }

    /// The beginning of a text speaks louder.
    fn lead(&self, lexicon: &Lexicon, at: u32) -> f32 {
        if at - self.text <= lexicon.lead_words { 1.0 + lexicon.lead_gain } else { 1.0 }
    }

    fn is_met(&self, element: Element) -> bool {
        self.met[usize::from(element)] >= self.text
    }

    fn has(&self, hit: Hit, element: Element) -> bool {
        self.known.elements(hit.spoken).contains(&element)
    }

    /// Whether the other word that the search needs may stand where the phrase could reach it. Nearly always it is not in
    /// the text at all, and that costs one look.
    fn is_within_reach(&self, search: Search, at: u32) -> bool {
        let last = self.met[usize::from(search.needs)];
        if last < self.text {
            return false;
        }
        match search.reach {
            after if after > 0 => last > at,
            before if before < 0 => last >= at || at - last <= before.unsigned_abs(),
            _ => true,
        }
    }

    /// Ranges of words that a negation takes the voice from.
    fn silence(&mut self, lexicon: &Lexicon) {
        for number in 0..self.hits.len() {
            let spoken = self.hits[number].spoken;
            if !spoken.negates {
                continue;
            }
            for element in self.known.elements(spoken) {
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
        for number in &self.speakers {
            let hit = self.hits[*number as usize];
            if silenced && self.is_silenced(hit.at) {
                continue;
            }
            for says in self.known.says(hit.spoken) {
                self.sums.add(says.slot, says.weight * hit.factor);
                witness.word(hit.token as usize, Says { slot: says.slot, weight: says.weight * hit.factor });
            }
        }
    }

    fn hear_phrases(&mut self, lexicon: &Lexicon, witness: &mut impl Witness) {
        for number in &self.searchers {
            let number = *number as usize;
            let hit = self.hits[number];
            for search in self.known.searches(hit.spoken) {
                if !self.is_within_reach(*search, hit.at) {
                    continue;
                }
                let id = usize::from(search.phrase);
                if self.heard[id] == self.text || self.is_silenced(hit.at) {
                    continue;
                }
                let phrase = &lexicon.phrases[id];
                if self.matched(phrase, number, lexicon.gap).is_some() {
                    self.heard[id] = self.text;
                    let lead = self.lead(lexicon, hit.at);
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
        if self.hits.is_empty() {
            return;
        }
        for condition in &lexicon.conditions {
            let here = |element: &Element| self.is_met(*element);
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
    fn meeting(&self, condition: &Condition) -> Option<u32> {
        let needed = || condition.all.iter().chain(&condition.any);
        let anchors = self.hits.iter().filter(|hit| self.has(**hit, condition.all[0]));
        for anchor in anchors {
            let near = |element: &Element| {
                let Some(within) = condition.within else { return true };
                self.hits.iter().any(|hit| hit.at.abs_diff(anchor.at) <= within && self.has(*hit, *element))
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
                .find(|earlier| self.has(self.hits[*earlier], *element))?;
        }
        let mut place = number;
        for element in &phrase.elements[phrase.anchor + 1..] {
            let from = self.hits[place].at;
            place = (place + 1..self.hits.len())
                .take_while(|later| self.hits[*later].at - from <= gap + 1)
                .find(|later| self.has(self.hits[*later], *element))?;
        }
        Some(self.hits[place].at)
    }
}

/// How often the stem was met in this text, this time included.
#[inline(always)]
fn count_in(mentions: &mut [(u32, u16)], stem: StemId, text: u32) -> u16 {
    let seen = &mut mentions[stem.index()];
    let before = seen.1 * u16::from(seen.0 == text); // no branch
    *seen = (text, before.saturating_add(1));
    seen.1
}

/// How many places a token takes.
fn steps(token: &Token) -> u32 {
    let is_word = token.word != WordId::NONE;
    u32::from(is_word) + SENTENCE * u32::from(!is_word & token.ends_sentence)
}

/// What the n-th mention of a word adds to its damped frequency, and to the square of it.
pub fn grown(mentions: u16) -> (f32, f32) {
    if mentions <= 1 {
        return (1.0, 1.0);
    }
    let (now, before) = (1.0 + f32::from(mentions).ln(), 1.0 + f32::from(mentions - 1).ln());
    (now - before, now * now - before * before)
}
