//! The columns of the journal that say what a text says (see `model::reading`).
//! Owner: the journal block. Invariant: the columns are those of `schemas/clickhouse/0013_readings.sql`.

use crate::enrich::names::NameLists;
use crate::model::reading::Reading;
use crate::model::words::{Basis, Placed};
use crate::sink::journal::enum_type;
use crate::sink::native::{BlockWriter, Dictionary, Fixed};

#[derive(Default)]
pub struct ReadingColumns {
    blocks: [Dictionary; 3],
    percent: Fixed,
    topic: Dictionary,
    is_unsure: Fixed,
    territory: Dictionary,
    block_by: Fixed,
    territory_by: Fixed,
}

const BLOCKS: [&str; 3] = ["text_block", "text_second", "text_third"];

impl ReadingColumns {
    pub fn push(&mut self, reading: &Reading, names: &NameLists) {
        for (column, guess) in self.blocks.iter_mut().zip(reading.guesses) {
            column.push(u16::from(guess.block.0), |number| names.blocks.name(number));
        }
        self.percent.u8(reading.guesses[0].percent);
        self.topic.push(reading.topic.0, |number| names.topics.name(number));
        self.is_unsure.u8(u8::from(reading.is_unsure));
        self.territory.push(reading.territory.0, |number| names.territories.name(number));
        self.block_by.u8(reading.block_by.map_or(0, Basis::code));
        self.territory_by.u8(reading.territory_by.map_or(0, Placed::code));
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
    }
}
