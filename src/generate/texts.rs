//! What people and bodies write: sentences of `phrases.toml` put together into texts of natural length and manner.
//! Owner: the simulation. Invariants: every text is built from the topic, the place and the dice alone; slots are compiled
//! once; nothing is allocated for a text after the buffers have grown.

use std::collections::HashMap;

use serde::Deserialize;

use super::RegionError;
use super::dice::Dice;
use super::identifiers;
use super::region::Region;
use super::template::{Subject, Template, write};

const PHRASES: &str = include_str!("phrases.toml");
/// Median length in characters; with the spread below and the endings that follow the mean is about 300.
const MEDIAN_LENGTH: f64 = 205.0;
const LENGTH_SPREAD: f64 = 0.55;

#[derive(Deserialize)]
struct PhraseFile {
    common: CommonPhrases,
    block: HashMap<String, BlockPhrases>,
    topic: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct CommonPhrases {
    greetings: Vec<String>,
    times: Vec<String>,
    details: Vec<String>,
    endings: Vec<String>,
    signatures: Vec<String>,
    english: Vec<String>,
    interim: Vec<String>,
    answers: Vec<String>,
    formal_answers: Vec<String>,
}

#[derive(Deserialize)]
struct BlockPhrases {
    problems: Vec<String>,
    details: Vec<String>,
}

fn compile_all(texts: &[String]) -> Vec<Template> {
    texts.iter().map(|text| Template::compile(text)).collect()
}

/// The compiled sentences and the buffer they are put together in.
#[derive(Debug)]
pub(super) struct TextBook {
    greetings: Vec<Template>,
    times: Vec<Template>,
    details: Vec<Template>,
    endings: Vec<Template>,
    signatures: Vec<Template>,
    english: Vec<Template>,
    interim: Vec<Template>,
    answers: Vec<Template>,
    formal_answers: Vec<Template>,
    block_problems: Vec<Vec<Template>>,
    block_details: Vec<Vec<Template>>,
    topic_problems: Vec<Vec<Template>>,
    text: String,
    spare: String,
}

impl TextBook {
    pub(super) fn new(region: &Region) -> Result<TextBook, RegionError> {
        let file: PhraseFile = toml::from_str(PHRASES)
            .map_err(|source| RegionError::Syntax { file: "phrases.toml", source: Box::new(source) })?;
        let of_block = |code: &str| file.block.get(code).or_else(|| file.block.get("other"));
        let block_texts = |choose: fn(&BlockPhrases) -> &Vec<String>| {
            let texts = region.blocks.iter().map(|block| of_block(&block.code).map(|own| compile_all(choose(own))));
            texts.map(Option::unwrap_or_default).collect()
        };
        let topic_problems =
            region.topics.iter().map(|topic| file.topic.get(&topic.code).map(|texts| compile_all(texts)));
        Ok(TextBook {
            greetings: compile_all(&file.common.greetings),
            times: compile_all(&file.common.times),
            details: compile_all(&file.common.details),
            endings: compile_all(&file.common.endings),
            signatures: compile_all(&file.common.signatures),
            english: compile_all(&file.common.english),
            interim: compile_all(&file.common.interim),
            answers: compile_all(&file.common.answers),
            formal_answers: compile_all(&file.common.formal_answers),
            block_problems: block_texts(|own| &own.problems),
            block_details: block_texts(|own| &own.details),
            topic_problems: topic_problems.map(Option::unwrap_or_default).collect(),
            text: String::new(),
            spare: String::new(),
        })
    }

    /// A citizen's message.
    pub(super) fn message(&mut self, subject: &Subject<'_>, identifiers_share: f64, dice: &mut Dice) -> &str {
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        let wanted_bytes = dice.log_normal(MEDIAN_LENGTH, LENGTH_SPREAD).clamp(30.0, 1500.0) * 1.8;
        if dice.chance(0.6) {
            one_of(&self.greetings, &mut text, subject, dice);
        }
        if dice.chance(0.012) {
            one_of(&self.english, &mut text, subject, dice);
        } else {
            let own = &self.topic_problems[subject.topic];
            let general = &self.block_problems[subject.block];
            one_of(if own.is_empty() || dice.chance(0.25) { general } else { own }, &mut text, subject, dice);
        }
        let details = &self.block_details[subject.block];
        let all = details.len() + self.details.len();
        let mut position = dice.below(all.max(1));
        let stride = coprime_stride(all, dice);
        let mut time_told = dice.chance(0.3);
        for _ in 0..all {
            if text.len() as f64 >= wanted_bytes {
                break;
            }
            if !time_told && dice.chance(0.4) {
                time_told = true;
                one_of(&self.times, &mut text, subject, dice);
            }
            let detail = details.get(position).or_else(|| self.details.get(position - details.len()));
            if let Some(detail) = detail {
                write(detail, &mut text, subject, dice);
            }
            position = (position + stride) % all;
        }
        if dice.chance(identifiers_share) {
            identifiers::append(&mut text, dice);
        }
        one_of(&self.endings, &mut text, subject, dice);
        one_of(&self.signatures, &mut text, subject, dice);
        self.text = text;
        self.manner(dice);
        &self.text
    }

    /// A body's first answer, with the promise of another.
    pub(super) fn interim_answer(&mut self, subject: &Subject<'_>, dice: &mut Dice) -> &str {
        self.text.clear();
        one_of(&self.interim, &mut self.text, subject, dice);
        &self.text
    }

    /// A body's final answer; some are formal.
    pub(super) fn answer(&mut self, subject: &Subject<'_>, dice: &mut Dice) -> &str {
        self.text.clear();
        let formal = dice.chance(0.18);
        one_of(if formal { &self.formal_answers } else { &self.answers }, &mut self.text, subject, dice);
        &self.text
    }

    /// How it was typed: in small letters, in capitals, in a hurry.
    fn manner(&mut self, dice: &mut Dice) {
        let style = dice.unit();
        if style > 0.15 {
            return;
        }
        self.spare.clear();
        if style < 0.07 {
            self.spare.extend(self.text.chars().flat_map(char::to_lowercase));
        } else if style < 0.09 {
            self.spare.extend(self.text.chars().flat_map(char::to_uppercase));
        } else {
            hasty(&self.text, &mut self.spare, dice);
        }
        std::mem::swap(&mut self.text, &mut self.spare);
    }
}

/// Every fortieth letter is lost, doubled or swapped with its neighbour; digits stay, so identifiers survive.
fn hasty(text: &str, out: &mut String, dice: &mut Dice) {
    let mut swapped = None;
    for letter in text.chars() {
        if let Some(before) = swapped.take() {
            out.push(letter);
            out.push(before);
        } else if letter.is_alphabetic() && !letter.is_ascii() && dice.chance(1.0 / 40.0) {
            match dice.below(3) {
                0 => {}
                1 => {
                    out.push(letter);
                    out.push(letter);
                }
                _ => swapped = Some(letter),
            }
        } else {
            out.push(letter);
        }
    }
    out.extend(swapped);
}

/// A random step that visits every place of a list once before it repeats one.
fn coprime_stride(length: usize, dice: &mut Dice) -> usize {
    let common_divisor = |mut a: usize, mut b: usize| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let mut stride = 1 + dice.below(length.max(2) - 1);
    while common_divisor(stride, length) > 1 {
        stride -= 1;
    }
    stride
}

fn one_of(templates: &[Template], out: &mut String, subject: &Subject<'_>, dice: &mut Dice) {
    if let Some(template) = dice.pick(templates) {
        write(template, out, subject, dice);
    }
}

#[cfg(test)]
mod tests {
    use super::super::region::tests::shipped;
    use super::*;
    use crate::model::time::Time;
    use std::collections::HashSet;

    fn subject(topic: usize, block: usize) -> Subject<'static> {
        Subject {
            topic,
            block,
            topic_name: "Ямы и выбоины",
            place: "г. Рязань",
            street: "Новосёлов",
            house: 40,
            now: Time::from_unix_seconds(1_767_700_000).expect("in range"),
        }
    }

    #[test]
    fn the_shipped_phrases_have_no_unknown_slot_and_know_every_block_and_topic() {
        let region = shipped();
        let file: PhraseFile = toml::from_str(PHRASES).expect("sound");
        assert!(file.topic.keys().all(|code| region.topic(code).is_some()));
        assert!(file.topic.values().all(|texts| texts.len() >= 2));
        for block in &region.blocks {
            assert!(file.block[&block.code].problems.len() >= 4, "{}", block.code);
        }
        let mut book = TextBook::new(&region).expect("compiles");
        let mut dice = Dice::new(5);
        for (index, topic) in region.topics.iter().enumerate() {
            let block = region.block(&topic.block).expect("exists");
            for _ in 0..100 {
                assert!(!book.message(&subject(index, block), 0.0, &mut dice).contains(['{', '}']));
            }
            assert!(!book.answer(&subject(index, block), &mut dice).contains('{'));
        }
    }

    #[test]
    fn texts_differ_and_have_a_mean_length_of_about_three_hundred() {
        let region = shipped();
        let mut book = TextBook::new(&region).expect("compiles");
        let mut dice = Dice::new(6);
        let mut seen = HashSet::new();
        let mut characters = 0;
        for _ in 0..5_000 {
            let text = book.message(&subject(43, 5), 0.1, &mut dice);
            characters += text.chars().count();
            seen.insert(text.to_owned());
        }
        let mean = characters / 5_000;
        assert!((260..=360).contains(&mean), "{mean}");
        assert!(seen.len() > 4_950, "{}", seen.len());
    }
}
