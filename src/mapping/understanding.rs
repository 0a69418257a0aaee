//! What the words of one record say of its block, its place and how it is meant, beside what the source says.
//! Owner: one mapper. Invariants: pure: the same record with the same dictionaries gives the same outcome, whatever came
//! before it; the source is believed first, and words fill only what it leaves open; what is unsure stays unknown.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::enrich::answer::AnswerFacts;
use crate::enrich::classify::score::Reader;
use crate::enrich::enricher::Enricher;
use crate::enrich::locate::sources::{refine, sure};
use crate::enrich::locate::{How, Locator, Manner, Place};
use crate::enrich::mask::{MaskCounts, mask_into};
use crate::enrich::tone;
use crate::mapping::dictionaries::Dictionaries;
use crate::mapping::house_key::HouseKeys;
use crate::mapping::mapper::Texts;
use crate::mapping::proposing::Proposer;
use crate::model::case::{BlockId, Case, TerritoryId, TopicId};
use crate::model::facts::Facts;
use crate::model::reading::{Answer, Guess, Message, Reading};
use crate::model::words::{Basis, Decision, Emotion, Placed};

/// A territory that words name with less certainty (of 100) is not taken for that of the case.
const PLACE_THRESHOLD: u8 = 50;

/// The stages with their caches and buffers.
pub struct Understanding {
    dictionaries: Arc<Dictionaries>,
    enricher: Enricher,
    reader: Reader,
    locator: Locator,
    houses: HouseKeys,
    proposer: Proposer,
    by_text: Place,
    by_address: Place,
    reading: Reading,
}

impl Understanding {
    pub fn new(dictionaries: Arc<Dictionaries>) -> Understanding {
        Understanding {
            enricher: Enricher::new(&dictionaries.texts),
            reader: Reader::new(),
            locator: Locator::new(dictionaries.atlas.clone()),
            houses: HouseKeys::default(),
            proposer: Proposer::new(dictionaries.clone()),
            dictionaries,
            by_text: Place::default(),
            by_address: Place::default(),
            reading: Reading::default(),
        }
    }

    /// Forgets the record before.
    pub fn begin(&mut self) {
        self.by_text = Place::default();
        self.by_address = Place::default();
        self.reading = Reading::default();
    }

    /// Appends the masked text to `out`.
    pub fn mask_into(&mut self, text: &str, out: &mut Vec<u8>) -> MaskCounts {
        self.enricher.mask_into(text, out)
    }

    /// What the message is about, where, and how it is meant; its tokens are those of the masking just before.
    pub fn read(&mut self, text: &str) {
        self.read_message();
        let (words, tokens) = self.enricher.tokens();
        if let Some(classifier) = &self.dictionaries.classifier {
            let outcome = classifier.classify(tokens, words, &mut self.reader);
            let blocks = &self.dictionaries;
            self.reading.guesses = outcome
                .top
                .map(|guess| Guess { block: blocks.block_at(guess.block), percent: (guess.confidence * 100.0) as u8 });
            self.reading.topic = outcome.topic.map_or_else(TopicId::default, |topic| blocks.topic_at(topic));
            self.reading.is_unsure = outcome.unknown;
        }
        self.by_text = self.locator.locate(text, tokens, words, Manner::Text);
        self.reading.address_key = self.houses.key(self.locator.atlas(), words, text, &self.by_text);
    }

    fn read_message(&mut self) {
        let (tone, fingerprint) = self.enricher.read_message();
        self.reading.message = Message {
            kind: tone.kind,
            urgency: tone.urgency.0,
            emotion: Some(emotion(tone.emotion)),
            intensity: tone.intensity,
            not_enough: !tone.enough,
            hash: fingerprint.hash,
            words: fingerprint.words,
        };
    }

    /// Appends the masked answer to `out` and notes what it is worth. The record has its mark and decision, if it has any:
    /// what comes later is for the views.
    pub fn read_answer(&mut self, answer: &str, facts: &Facts, out: &mut Vec<u8>) -> MaskCounts {
        let masked = self.enricher.mask_into(answer, out);
        let solved = match facts.decision {
            Some(Decision::Solved) => Some(true),
            Some(Decision::NotSolved) => Some(false),
            Some(Decision::Explained | Decision::Deferred) | None => None,
        };
        let facts = AnswerFacts { rating: facts.rating, attachments: None, solved, template: false };
        let (quality, fingerprint) = self.enricher.read_answer(facts);
        self.reading.answer = Answer {
            hash: fingerprint.hash,
            words: fingerprint.words.max(1),
            score: quality.points,
            signs: quality.signs.0,
            done: quality.done,
            empty: [quality.empty, quality.empty_if_template, quality.empty_if_contradicted, quality.empty_if_both],
        };
        masked
    }

    /// Masks the address, appended to `out`, and notes where it is.
    pub fn read_address(&mut self, address: &str, out: &mut Vec<u8>) {
        mask_into(address, out); // what names streets is no name of a person
        let (words, tokens) = self.enricher.tokenize(address);
        self.by_address = self.locator.locate(address, tokens, words, Manner::Address);
        match self.houses.key(self.locator.atlas(), words, address, &self.by_address) {
            0 => {}
            key => self.reading.address_key = key,
        }
    }

    /// Fills what the source leaves open.
    pub fn complete(&mut self, facts: &mut Facts, texts: &mut Texts) {
        let mut reading = self.reading;
        self.complete_block(facts, &mut reading);
        self.complete_territory(facts, texts, &mut reading);
        facts.text_kind = reading.message.kind;
        reading.kind_by = facts.kind.map(|_| Basis::Source).or(facts.text_kind.map(|_| Basis::Text));
        reading.address_key = self.in_territory(reading.address_key, facts.territory);
        texts.reading = reading;
    }

    /// A house of a street is one only together with its territory.
    fn in_territory(&self, house: u64, territory: Option<TerritoryId>) -> u64 {
        match territory {
            Some(territory) if house != 0 && territory != TerritoryId(0) => {
                let code = self.dictionaries.names.territories.name(territory.0);
                xxh3_64_with_seed(code.as_bytes(), house).max(1)
            }
            _ => 0,
        }
    }

    /// What a row says beyond its record, once the case is known: `case` is the one after it.
    pub fn settle(&mut self, known: Option<&Case>, case: &Case, reading: &mut Reading) {
        let has_kind = known.is_some_and(|known| known.kind.is_some());
        if has_kind && reading.kind_by == Some(Basis::Text) {
            reading.kind_by = None; // words fill only what is open
        }
        let was_open = known.is_some_and(|known| known.registered_at.is_some());
        if case.registered_at.is_some() && !was_open {
            reading.proposed = self.proposer.proposal(case);
        }
    }

    fn complete_block(&self, facts: &mut Facts, reading: &mut Reading) {
        let best = reading.guesses[0].block;
        let is_sure = best != BlockId(0) && !reading.is_unsure;
        match facts.block {
            Some(block) if block != BlockId(0) => {
                reading.block_by = Some(Basis::Source);
                let same = is_sure && block == best;
                if same && facts.topic == Some(TopicId(0)) && reading.topic != TopicId(0) {
                    facts.topic = Some(reading.topic);
                }
            }
            // a category that no dictionary has says nothing, so it takes back nothing either
            given if facts.has_text => {
                facts.block = is_sure.then_some(best).or(given);
                facts.topic = is_sure.then_some(reading.topic).or(facts.topic);
                reading.block_by = is_sure.then_some(Basis::Text);
            }
            _ => {}
        }
    }

    fn complete_territory(&self, facts: &mut Facts, texts: &Texts, reading: &mut Reading) {
        let atlas = self.locator.atlas();
        let point = match (texts.latitude, texts.longitude) {
            (0.0, 0.0) => Place::default(),
            (latitude, longitude) => sure(atlas.by_coordinates(latitude, longitude), How::Coordinates, 100),
        };
        let place = refine(atlas, refine(atlas, point, self.by_address), self.by_text);
        let found = place.territory.filter(|_| place.confidence >= PLACE_THRESHOLD);
        reading.territory = found.map_or_else(TerritoryId::default, |place| self.dictionaries.territory_at(place));
        if facts.territory.is_some_and(|territory| territory != TerritoryId(0)) {
            reading.territory_by = Some(Placed::Name);
        } else if reading.territory != TerritoryId(0) {
            facts.territory = Some(reading.territory);
            reading.territory_by = placed(place.how);
        }
    }
}

fn emotion(emotion: tone::Emotion) -> Emotion {
    match emotion {
        tone::Emotion::Calm => Emotion::Calm,
        tone::Emotion::Angry => Emotion::Angry,
        tone::Emotion::Desperate => Emotion::Desperate,
        tone::Emotion::Grateful => Emotion::Grateful,
    }
}

fn placed(how: How) -> Option<Placed> {
    match how {
        How::Unknown => None,
        How::Code | How::Name => Some(Placed::Name),
        How::Coordinates => Some(Placed::Coordinates),
        How::Address => Some(Placed::Address),
        How::Text => Some(Placed::Text),
    }
}

#[cfg(test)]
#[path = "understanding_tests.rs"]
mod tests;
