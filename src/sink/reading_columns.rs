//! The columns of the journal that say what a text says (see `model::reading`).
//! Owner: the journal block. Invariants: the columns are those of `schemas/clickhouse/0013_readings.sql` and
//! `0015_messages.sql`; small facts travel as bits of one number, which columns computed by the server (`ALIAS`) take
//! apart, because each column costs the server time at every insert.

use crate::enrich::names::NameLists;
use crate::model::reading::{Answer, Reading};
use crate::model::words::{Basis, Emotion, MessageKind, Placed};
use crate::sink::journal::enum_type;
use crate::sink::native::{BlockWriter, Dictionary, Fixed, Text};

#[derive(Default)]
pub struct ReadingColumns {
    blocks: [Dictionary; 3],
    percent: Fixed,
    topic: Dictionary,
    is_unsure: Fixed,
    territory: Dictionary,
    block_by: Fixed,
    territory_by: Fixed,
    text_bits: Fixed,
    text_hash: Fixed,
    address_key: Fixed,
    proposed: Dictionary,
    answer: Text,
    answer_hash: Fixed,
    answer_bits: Fixed,
}

const BLOCKS: [&str; 3] = ["text_block", "text_second", "text_third"];

impl ReadingColumns {
    /// What grows with the texts.
    pub fn bytes(&self) -> usize {
        self.answer.bytes()
    }

    pub fn push(&mut self, reading: &Reading, answer: &[u8], names: &NameLists) {
        for (column, guess) in self.blocks.iter_mut().zip(reading.guesses) {
            column.push(u16::from(guess.block.0), |number| names.blocks.name(number));
        }
        self.percent.u8(reading.guesses[0].percent);
        self.topic.push(reading.topic.0, |number| names.topics.name(number));
        self.is_unsure.u8(u8::from(reading.is_unsure));
        self.territory.push(reading.territory.0, |number| names.territories.name(number));
        self.block_by.u8(reading.block_by.map_or(0, Basis::code));
        self.territory_by.u8(reading.territory_by.map_or(0, Placed::code));
        self.text_bits.u32(text_bits(reading));
        self.text_hash.u64(reading.message.hash);
        self.address_key.u64(reading.address_key);
        self.proposed.push(reading.proposed, |number| names.proposals.name(number));
        self.answer.push(answer);
        self.answer_hash.u64(reading.answer.hash);
        self.answer_bits.u64(answer_bits(&reading.answer));
    }

    pub fn write(&mut self, out: &mut BlockWriter) {
        for (name, column) in BLOCKS.iter().zip(&mut self.blocks) {
            out.dictionary(name, column);
        }
        out.fixed("text_percent", "UInt8", &mut self.percent);
        out.dictionary("text_topic", &mut self.topic);
        out.fixed("text_unsure", "Bool", &mut self.is_unsure);
        out.dictionary("text_territory", &mut self.territory);
        out.fixed("block_by", &enum_type(Basis::ALL, Basis::name, Basis::code, true), &mut self.block_by);
        out.fixed("territory_by", &enum_type(Placed::ALL, Placed::name, Placed::code, true), &mut self.territory_by);
        out.fixed("text_bits", "UInt32", &mut self.text_bits);
        out.fixed("text_hash", "UInt64", &mut self.text_hash);
        out.fixed("address_key", "UInt64", &mut self.address_key);
        out.dictionary("proposed", &mut self.proposed);
        out.text("answer", &mut self.answer);
        out.fixed("answer_hash", "UInt64", &mut self.answer_hash);
        out.fixed("answer_bits", "UInt64", &mut self.answer_bits);
    }
}

/// Bits 0–5 signs of urgency, 6–7 intensity, 8–10 emotion, 11 not enough said, 12–14 kind by the words, 15–16 what the
/// kind of the row rests on, 17–31 words.
fn text_bits(reading: &Reading) -> u32 {
    const MOST_WORDS: u16 = 0x7FFF;
    let message = &reading.message;
    u32::from(message.urgency & 0x3F)
        | u32::from(message.intensity & 3) << 6
        | u32::from(message.emotion.map_or(0, Emotion::code)) << 8
        | u32::from(message.not_enough) << 11
        | u32::from(message.kind.map_or(0, MessageKind::code)) << 12
        | u32::from(reading.kind_by.map_or(0, Basis::code)) << 15
        | u32::from(message.words.min(MOST_WORDS)) << 17
}

/// Bits 0–7 signs, 8 says that the problem is solved, 9–12 empty as it is, as a template, when contradicted, when both;
/// 16–23 score, 32–47 words.
fn answer_bits(answer: &Answer) -> u64 {
    let empty = answer.empty.iter().zip(9u64..).map(|(is, bit)| u64::from(*is) << bit).sum::<u64>();
    u64::from(answer.signs)
        | u64::from(answer.done) << 8
        | empty
        | u64::from(answer.score) << 16
        | u64::from(answer.words) << 32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::answer::SIGNS;
    use crate::enrich::tone::GROUPS;
    use crate::model::reading::Message;

    #[test]
    fn every_fact_has_its_own_bits() {
        let all = Reading {
            message: Message {
                kind: Some(MessageKind::Other),
                urgency: 0x3F,
                emotion: Some(Emotion::Grateful),
                intensity: 3,
                not_enough: true,
                hash: 0,
                words: u16::MAX,
            },
            kind_by: Some(Basis::Text),
            ..Reading::default()
        };
        let words = 0x7FFF << 17;
        assert_eq!(text_bits(&all), 0x3F | 3 << 6 | 4 << 8 | 1 << 11 | 7 << 12 | 2 << 15 | words);
        assert_eq!(text_bits(&Reading::default()), 0);
        assert!(MessageKind::ALL.iter().all(|kind| kind.code() < 8) && Emotion::ALL.iter().all(|one| one.code() < 8));
        let answer =
            Answer { words: 300, score: 85, signs: 0x81, done: true, empty: [false, true, false, true], hash: 0 };
        assert_eq!(answer_bits(&answer), 0x81 | 1 << 8 | 1 << 10 | 1 << 12 | 85 << 16 | 300 << 32);
    }

    /// Lists of the columns that the server computes, as the migration has them.
    #[test]
    fn the_words_of_the_schema_are_those_of_the_code_in_the_order_of_the_bits() {
        let schema = include_str!("../../schemas/clickhouse/0015_messages.sql");
        let list = |words: &[&str]| format!("['{}']", words.join("', '"));
        let danger = GROUPS.iter().position(|group| *group == "danger").expect("there");
        assert!(schema.contains(&list(&GROUPS[danger..danger + 6])), "urgency");
        assert!(schema.contains(&list(&SIGNS)), "signs of an answer");
        let emotions: Vec<&str> = std::iter::once("").chain(Emotion::ALL.iter().map(|one| one.name())).collect();
        assert!(schema.contains(&list(&emotions)), "emotions");
    }
}
