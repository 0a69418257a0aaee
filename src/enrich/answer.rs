//! Whether an answer is an empty one («отписка»): signs that anybody can check, and points whose weights are
//! configuration. Owner: the enrichment of one worker; the dictionary is shared. Invariants: pure; every lost point is a
//! sign that is told; an answer nobody rated contradicts nothing.

use std::sync::Arc;

use super::phrases::{PhraseBook, PhraseError, PhraseLists, PhraseReader};
use crate::text::{Shape, Side, Token, Words};

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

/// Names of the signs, in the order of their bits; keys of `[weights]`.
pub const SIGNS: [&str; 8] =
    ["no_date", "redirect", "laws", "officialese", "template", "short", "no_proof", "contradiction"];

/// Groups of phrases, keys of `[phrases]`.
pub const PHRASES: [&str; 7] = ["redirect", "laws", "officialese", "done", "promised", "terms", "proof"];

/// A set of signs.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Signs(pub u8);

impl Signs {
    /// Promises or confirms, and says no date.
    pub const NO_DATE: Signs = Signs(1);
    pub const REDIRECT: Signs = Signs(1 << 1);
    pub const LAWS: Signs = Signs(1 << 2);
    pub const OFFICIALESE: Signs = Signs(1 << 3);
    pub const TEMPLATE: Signs = Signs(1 << 4);
    pub const SHORT: Signs = Signs(1 << 5);
    pub const NO_PROOF: Signs = Signs(1 << 6);
    pub const CONTRADICTION: Signs = Signs(1 << 7);

    pub fn has(self, sign: Signs) -> bool {
        self.0 & sign.0 != 0
    }

    fn set(&mut self, sign: Signs, is: bool) {
        if is {
            self.0 |= sign.0;
        }
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        SIGNS.into_iter().enumerate().filter(move |(bit, _)| self.0 & 1 << bit != 0).map(|(_, name)| name)
    }
}

/// The dictionary and its weights as they are written (`pipelines/reference/answer_quality.toml`).
#[derive(Clone, PartialEq, Default, Debug)]
pub struct AnswerLists {
    pub phrases: PhraseLists,
    /// In the order of `SIGNS`.
    pub weights: [u8; SIGNS.len()],
    pub short_words: u32,
    pub laws_per_hundred: u32,
    pub officialese_per_hundred: u32,
    pub empty_below: u8,
}

/// The dictionary, ready.
pub struct AnswerBook {
    phrases: PhraseBook,
    lists: AnswerLists,
}

impl AnswerBook {
    pub fn build(lists: &AnswerLists) -> Result<AnswerBook, PhraseError> {
        Ok(AnswerBook { phrases: PhraseBook::build(&lists.phrases)?, lists: lists.clone() })
    }
}

/// What is known of the case beside the text of the answer.
#[derive(Clone, Copy, Default, Debug)]
pub struct AnswerFacts {
    /// 1 ..= 5 by the applicant.
    pub rating: Option<u8>,
    /// Whether files came with the answer, where the source says so.
    pub attachments: Option<bool>,
    /// What the decision says: the problem is solved, or not.
    pub solved: Option<bool>,
    /// Near-duplicates of the text answer other cases.
    pub template: bool,
}

/// What an answer is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AnswerQuality {
    pub signs: Signs,
    /// 0 ..= 100; 100 has no sign.
    pub points: u8,
    /// Fewer points than the limit.
    pub empty: bool,
    /// It says that the problem is solved: a bad rating that comes later contradicts it.
    pub done: bool,
    /// The same with what only the whole picture tells: other cases got the text, the applicant disagrees later, or both.
    pub empty_if_template: bool,
    pub empty_if_contradicted: bool,
    pub empty_if_both: bool,
}

/// The reader of one worker.
pub struct AnswerReader {
    book: Arc<AnswerBook>,
    phrases: PhraseReader,
    months: Side<bool>,
}

impl AnswerReader {
    pub fn new(book: Arc<AnswerBook>) -> AnswerReader {
        AnswerReader { book, phrases: PhraseReader::default(), months: Side::new() }
    }

    /// What the answer of these tokens is worth.
    pub fn read(&mut self, words: &Words, tokens: &[Token], facts: AnswerFacts) -> AnswerQuality {
        let mut found = [0u32; PHRASES.len()];
        let book = self.book.clone();
        self.phrases.read(&book.phrases, words, tokens, |hit| found[usize::from(hit.group)] += 1);
        let [redirect, laws, officialese, done, promised, terms, proof] = found;
        let lists = &book.lists;
        let said = tokens.iter().filter(|token| token.shape == Shape::Word).count() as u32;
        let dense = |count: u32, per_hundred: u32| count >= 2 && count * 100 >= said * per_hundred;
        // «Работы будут выполнены» is no «выполнено».
        let done = done > promised || done > 0 && promised == 0;
        let mut signs = Signs::default();
        signs.set(Signs::NO_DATE, (promised > 0) && terms == 0 && !self.has_a_date(words, tokens));
        signs.set(Signs::REDIRECT, redirect > 0);
        signs.set(Signs::LAWS, dense(laws, lists.laws_per_hundred));
        signs.set(Signs::OFFICIALESE, dense(officialese, lists.officialese_per_hundred));
        signs.set(Signs::TEMPLATE, facts.template);
        signs.set(Signs::SHORT, said < lists.short_words);
        signs.set(Signs::NO_PROOF, done && proof == 0 && facts.attachments != Some(true));
        let unhappy = facts.rating.is_some_and(|rating| (1..=2).contains(&rating));
        signs.set(Signs::CONTRADICTION, done && (unhappy || facts.solved == Some(false)));
        let points_of = |signs: Signs| -> u8 {
            let weights = lists.weights.iter().enumerate().filter(|(bit, _)| signs.0 & 1 << bit != 0);
            let lost: u32 = weights.map(|(_, weight)| u32::from(*weight)).sum();
            100u32.saturating_sub(lost) as u8
        };
        let empty_with = |more: Signs| points_of(Signs(signs.0 | more.0)) < lists.empty_below;
        let both = Signs(Signs::TEMPLATE.0 | Signs::CONTRADICTION.0);
        AnswerQuality {
            signs,
            points: points_of(signs),
            empty: empty_with(Signs::default()),
            done,
            empty_if_template: empty_with(Signs::TEMPLATE),
            empty_if_contradicted: empty_with(Signs::CONTRADICTION),
            empty_if_both: empty_with(both),
        }
    }

    /// A date that is not an act's: «до 15.05», «15 мая», «в мае 2026»; «от 12.03.2025 № 45» is an act's.
    fn has_a_date(&mut self, words: &Words, tokens: &[Token]) -> bool {
        for (at, token) in tokens.iter().enumerate() {
            let of_an_act = at > 0 && tokens[at - 1].shape == Shape::Word && words.form(tokens[at - 1].word) == "от";
            match token.shape {
                Shape::Number if !of_an_act && token.end - token.start <= 2 => {
                    let dotted = tokens.get(at + 1).is_some_and(|next| next.is(b'.') && next.start == token.end);
                    let month = tokens.get(at + 2).is_some_and(|next| {
                        next.shape == Shape::Number && next.end - next.start == 2 && next.start == token.end + 1
                    });
                    // The middle of an act's date has its «от» two tokens before.
                    let inside = at > 1 && tokens[at - 1].is(b'.') && tokens[at - 2].shape == Shape::Number;
                    if dotted && month && !inside || self.is_month(words, tokens.get(at + 1)) {
                        return true;
                    }
                }
                Shape::Word if self.is_month(words, Some(token)) => {
                    let before = at > 0 && tokens[at - 1].shape == Shape::Number;
                    if !before {
                        return true;
                    }
                }
                _ => {}
            }
        }
        false
    }

    fn is_month(&mut self, words: &Words, token: Option<&Token>) -> bool {
        const STEMS: [&str; 12] =
            ["январ", "феврал", "март", "апрел", "ма", "июн", "июл", "август", "сентябр", "октябр", "ноябр", "декабр"];
        let Some(token) = token.filter(|token| token.shape == Shape::Word) else { return false };
        self.months.get(words, token.word, |form, stem| match form {
            "май" | "мая" | "мае" | "маю" => true,
            _ => STEMS.iter().any(|month| month.len() > 4 && words.stem_text(stem) == *month),
        })
    }
}
