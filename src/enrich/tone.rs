//! How a message is meant: complaint, request, suggestion, question or thanks; how urgent; in what emotion; and whether
//! it says anything at all. Owner: the enrichment of one worker; the dictionary is shared. Invariants: pure; a message of
//! thanks has no word of complaint, so thanks are never counted as complaints, nor the other way round; every outcome
//! is explained by the phrases that gave it ([`ToneReader::explain`]).

use std::sync::Arc;

use super::phrases::{Hit, PhraseBook, PhraseError, PhraseLists, PhraseReader};
use crate::model::words::MessageKind;
use crate::text::{Letters, Shape, Side, Token, Words, fold};

#[cfg(test)]
#[path = "tone_tests.rs"]
mod tests;

/// The groups of phrases: of the kind, of urgency, of emotion.
pub const GROUPS: [&str; 18] = [
    "polite",
    "thanks",
    "praise",
    "complaint_strong",
    "complaint",
    "request_strong",
    "request",
    "suggestion",
    "question",
    "danger",
    "child",
    "gas",
    "accident",
    "no_heat",
    "frost",
    "angry",
    "desperate",
    "grateful",
];

const KIND_GROUPS: usize = 9;

/// The dictionary as it is written (`pipelines/reference/tone.toml`).
#[derive(Clone, PartialEq, Default, Debug)]
pub struct ToneLists {
    pub kind: PhraseLists,
    pub urgency: PhraseLists,
    pub emotion: PhraseLists,
    pub empty: Vec<String>,
    /// By group of `kind`; politeness has none.
    pub weights: Vec<(String, u16)>,
    pub enough_words: u16,
    pub shouting_percent: u16,
}

/// Kinds of danger that a text speaks of: bits.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Urgency(pub u8);

impl Urgency {
    pub const DANGER: Urgency = Urgency(1);
    pub const CHILD: Urgency = Urgency(1 << 1);
    pub const GAS: Urgency = Urgency(1 << 2);
    pub const ACCIDENT: Urgency = Urgency(1 << 3);
    pub const NO_HEAT: Urgency = Urgency(1 << 4);
    pub const FROST: Urgency = Urgency(1 << 5);

    pub fn has(self, other: Urgency) -> bool {
        self.0 & other.0 == other.0
    }

    /// 2: life may depend on hours (danger, gas, no heat in frost); 1: an accident, or no heat, or a child in trouble.
    pub fn level(self) -> u8 {
        if self.has(Urgency::DANGER) || self.has(Urgency::GAS) || self.0 & 0b11_0000 == 0b11_0000 {
            return 2;
        }
        u8::from(self.has(Urgency::ACCIDENT) || self.has(Urgency::NO_HEAT))
    }
}

/// What a text sounds like.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Emotion {
    #[default]
    Calm,
    Angry,
    Desperate,
    Grateful,
}

/// How a message is meant.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tone {
    /// `None` when nothing speaks for any kind.
    pub kind: Option<MessageKind>,
    pub urgency: Urgency,
    pub emotion: Emotion,
    /// 0 ..= 3: phrases of the emotion, exclamation marks, capitals.
    pub intensity: u8,
    /// The text says what it is about; without that nobody can do anything.
    pub enough: bool,
}

/// The dictionary, ready.
pub struct ToneBook {
    kinds: PhraseBook,
    others: PhraseBook,
    empty: Vec<String>,
    weights: [u16; KIND_GROUPS],
    enough_words: u16,
    shouting_percent: u16,
}

impl ToneBook {
    pub fn build(lists: &ToneLists) -> Result<ToneBook, PhraseError> {
        let ordered = |from: &PhraseLists, groups: &[&str]| -> PhraseLists {
            let of = |group: &&str| from.iter().find(|(name, _)| name == group).map(|(_, all)| all.clone());
            groups.iter().map(|group| ((*group).to_owned(), of(group).unwrap_or_default())).collect()
        };
        let mut others = lists.urgency.clone();
        others.extend(lists.emotion.iter().cloned());
        let weight =
            |group: &str| lists.weights.iter().find(|(name, _)| name == group).map_or(0, |(_, weight)| *weight);
        let mut weights = [0; KIND_GROUPS];
        for (weight_of, group) in weights.iter_mut().zip(GROUPS) {
            *weight_of = weight(group);
        }
        Ok(ToneBook {
            kinds: PhraseBook::build(&ordered(&lists.kind, &GROUPS[..KIND_GROUPS]))?,
            others: PhraseBook::build(&ordered(&others, &GROUPS[KIND_GROUPS..]))?,
            empty: lists.empty.iter().map(|word| fold(word)).collect(),
            weights,
            enough_words: lists.enough_words,
            shouting_percent: lists.shouting_percent,
        })
    }
}

/// Counts of what was found, by group.
#[derive(Default)]
struct Found {
    kinds: [u16; KIND_GROUPS],
    others: [u16; 9],
}

/// The reader of one worker.
pub struct ToneReader {
    book: Arc<ToneBook>,
    phrases: PhraseReader<2>,
    says_something: Side<bool>,
}

impl ToneReader {
    pub fn new(book: Arc<ToneBook>) -> ToneReader {
        ToneReader { book, phrases: PhraseReader::default(), says_something: Side::new() }
    }

    /// How the text of these tokens is meant.
    pub fn read(&mut self, words: &Words, tokens: &[Token]) -> Tone {
        let mut found = Found::default();
        self.phrases(words, tokens, |group, _| match group.checked_sub(KIND_GROUPS) {
            None => found.kinds[group] = found.kinds[group].saturating_add(1),
            Some(other) => found.others[other] = found.others[other].saturating_add(1),
        });
        let marks = Marks::of(tokens);
        let (emotion, intensity) = self.emotion(&found, &marks);
        Tone {
            kind: self.kind(&found, &marks),
            urgency: urgency(&found),
            emotion,
            intensity,
            enough: self.is_enough(words, tokens),
        }
    }

    /// Every phrase that spoke: its group and tokens `[start, end)`.
    pub fn explain(&mut self, words: &Words, tokens: &[Token]) -> Vec<(&'static str, u32, u32)> {
        let mut spoke = Vec::new();
        self.phrases(words, tokens, |group, hit| spoke.push((group, hit)));
        spoke.sort_by_key(|(group, _)| *group >= KIND_GROUPS); // what tells the kind first
        spoke.into_iter().map(|(group, hit)| (GROUPS[group], hit.start, hit.end)).collect()
    }

    fn phrases(&mut self, words: &Words, tokens: &[Token], mut found: impl FnMut(usize, Hit)) {
        let books = [&self.book.kinds, &self.book.others];
        self.phrases
            .read_all(books, words, tokens, |book, hit| found(book * KIND_GROUPS + usize::from(hit.group), hit));
    }

    fn kind(&self, found: &Found, marks: &Marks) -> Option<MessageKind> {
        let score = |group: usize| u32::from(found.kinds[group]) * u32::from(self.book.weights[group]);
        let (thanks, praise) = (score(1), score(2));
        let (complaint, request) = (score(3) + score(4), score(5) + score(6));
        let (suggestion, question) = (score(7), score(8) + u32::from(marks.questions > 0) * 2);
        let troubled = found.kinds[3] > 0;
        if thanks > 0 && complaint == 0 && (request == 0 || praise > 0 || thanks > request) {
            return Some(MessageKind::Thanks);
        }
        if suggestion > 0 && suggestion >= complaint {
            return Some(MessageKind::Suggestion);
        }
        if troubled || complaint > request + question {
            return Some(MessageKind::Complaint);
        }
        if request > 0 && request >= question {
            return Some(MessageKind::Request);
        }
        if question > 0 {
            return Some(MessageKind::Question);
        }
        (complaint > 0).then_some(MessageKind::Complaint)
    }

    fn emotion(&self, found: &Found, marks: &Marks) -> (Emotion, u8) {
        let [.., angry, desperate, grateful] = found.others;
        let troubled = found.kinds[3] > 0 || found.kinds[4] > 0;
        let shouting = marks.words >= 8 && marks.shouted * 100 >= marks.words * u32::from(self.book.shouting_percent);
        let loud = u16::from(marks.exclamations >= 3) + u16::from(shouting);
        let (emotion, count) = if angry > 0 && angry >= desperate {
            (Emotion::Angry, angry)
        } else if desperate > 0 {
            (Emotion::Desperate, desperate)
        } else if loud > 0 && troubled {
            (Emotion::Angry, 0)
        } else if grateful > 0 && !troubled {
            (Emotion::Grateful, grateful)
        } else {
            return (Emotion::Calm, 0);
        };
        (emotion, count.saturating_add(loud).clamp(1, 3) as u8)
    }

    fn is_enough(&mut self, words: &Words, tokens: &[Token]) -> bool {
        let book = &self.book;
        let mut said = 0u16;
        let mut letters = false;
        for token in tokens {
            match token.shape {
                Shape::Word => letters = true,
                Shape::Number | Shape::Mixed => {
                    said = said.saturating_add(1);
                    continue;
                }
                _ => continue,
            }
            let says = u16::from(self.says_something.get(words, token.word, |form, _| {
                form.chars().count() >= 3 && !book.empty.iter().any(|word| word == form)
            }));
            said = said.saturating_add(says);
            if said >= book.enough_words {
                return letters;
            }
        }
        letters && said >= book.enough_words
    }
}

fn urgency(found: &Found) -> Urgency {
    let [danger, child, gas, accident, no_heat, frost, ..] = found.others;
    let mut urgency = Urgency::default();
    for (count, bit) in [
        (danger, Urgency::DANGER),
        (child, Urgency::CHILD),
        (gas, Urgency::GAS),
        (accident, Urgency::ACCIDENT),
        (no_heat, Urgency::NO_HEAT),
        (frost, Urgency::FROST),
    ] {
        if count > 0 {
            urgency.0 |= bit.0;
        }
    }
    urgency
}

/// What the writing says, whatever the words.
#[derive(Default)]
struct Marks {
    questions: u32,
    exclamations: u32,
    /// Not counted where nobody shouts.
    words: u32,
    shouted: u32,
}

impl Marks {
    fn of(tokens: &[Token]) -> Marks {
        let mut marks = Marks::default();
        for token in tokens {
            marks.questions += u32::from(token.ends_sentence & (token.first == b'?'));
            marks.exclamations += u32::from(token.ends_sentence & (token.first == b'!'));
            if token.letters == Letters::Upper {
                marks.shouted += u32::from(token.shape == Shape::Word && token.end - token.start > 6);
            }
        }
        if marks.shouted > 0 {
            marks.words = tokens.iter().filter(|token| token.shape == Shape::Word).count() as u32;
        }
        marks
    }
}
