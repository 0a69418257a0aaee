//! What the words of one record say of its block and its place, beside what the source says.
//! Owner: one mapper. Invariants: pure: the same record with the same dictionaries gives the same outcome, whatever came
//! before it; the source is believed first, and words fill only what it leaves open; what is unsure stays unknown.

use std::sync::Arc;

use crate::enrich::classify::score::Reader;
use crate::enrich::enricher::Enricher;
use crate::enrich::locate::sources::{refine, sure};
use crate::enrich::locate::{How, Locator, Manner, Place};
use crate::enrich::mask::{MaskCounts, mask_into};
use crate::mapping::dictionaries::Dictionaries;
use crate::mapping::mapper::Texts;
use crate::model::case::{BlockId, TerritoryId, TopicId};
use crate::model::facts::Facts;
use crate::model::reading::{Guess, Reading};
use crate::model::words::{Basis, Placed};

/// A territory that words name with less certainty (of 100) is not taken for that of the case.
const PLACE_THRESHOLD: u8 = 50;

/// The stages with their caches and buffers.
pub struct Understanding {
    dictionaries: Arc<Dictionaries>,
    enricher: Enricher,
    reader: Reader,
    locator: Locator,
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

    /// What the message is about and where; its tokens are those of the masking just before.
    pub fn read(&mut self, text: &str) {
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
    }

    /// Masks the address, appended to `out`, and notes where it is.
    pub fn read_address(&mut self, address: &str, out: &mut Vec<u8>) {
        mask_into(address, out); // what names streets is no name of a person
        let (words, tokens) = self.enricher.tokenize(address);
        self.by_address = self.locator.locate(address, tokens, words, Manner::Address);
    }

    /// Fills what the source leaves open.
    pub fn complete(&mut self, facts: &mut Facts, texts: &mut Texts) {
        let mut reading = self.reading;
        self.complete_block(facts, &mut reading);
        self.complete_territory(facts, texts, &mut reading);
        texts.reading = reading;
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

fn placed(how: How) -> Option<Placed> {
    match how {
        How::Unknown => None,
        How::Code | How::Name => Some(Placed::Name),
        How::Coordinates => Some(Placed::Coordinates),
        How::Address => Some(Placed::Address),
        How::Text => Some(Placed::Text),
    }
}
