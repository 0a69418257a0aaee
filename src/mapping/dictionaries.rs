//! The region's dictionaries as a worker asks them: a name in any known spelling → an interned number.
//! Shared, read-only; built from the reference files. Invariants: a territory that no dictionary spells like that is read as
//! an address, a body by its key; a name that is still unknown is "not known" for blocks, topics and territories, and stands for itself for bodies (an export names thousands of schools and clinics).

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::reference::{Reference, normalise_name};
use crate::enrich::bodies::BodyNames;
use crate::enrich::classify::Classifier;
use crate::enrich::enricher::TextBooks;
use crate::enrich::locate::{Atlas, Locator, Manner};
use crate::enrich::mask::mask;
use crate::enrich::names::NameLists;
use crate::mapping::words::tidy;
use crate::model::case::{BlockId, BodyId, TerritoryId, TopicId, WordId};
use crate::text::{Tokens, Words, tokenize};

/// A name longer than this is a mistake of the sender, not a name (bytes).
const MAX_NAME_BYTES: usize = 400;
/// Spellings a worker remembers before it forgets them all; bounds what a source of endless names can cost.
const MAX_REMEMBERED: usize = 20_000;

/// Dictionary entries by their interned numbers.
pub struct Dictionaries {
    pub names: Arc<NameLists>,
    /// What texts are understood by.
    pub texts: TextBooks,
    /// Names of places, for locators.
    pub atlas: Arc<Atlas>,
    /// `None` where there is no lexicon: texts say nothing of their block then.
    pub classifier: Option<Classifier>,
    reference: Arc<Reference>,
    blocks: Vec<BlockId>,
    topics: Vec<(TopicId, BlockId)>,
    territories: Vec<TerritoryId>,
    bodies: Vec<BodyId>,
    body_names: BodyNames,
}

impl Dictionaries {
    pub fn new(reference: Arc<Reference>, names: Arc<NameLists>, texts: TextBooks) -> Dictionaries {
        let blocks: Vec<BlockId> =
            reference.blocks.iter().map(|block| BlockId(names.blocks.number(&block.code) as u8)).collect();
        let topics = reference
            .topics
            .iter()
            .map(|topic| {
                let block = blocks.get(topic.block as usize).copied().unwrap_or_default();
                (TopicId(names.topics.number(&topic.code)), block)
            })
            .collect();
        let territories = reference
            .territories
            .iter()
            .map(|territory| TerritoryId(names.territories.number(&territory.code)))
            .collect();
        let bodies = reference.bodies.iter().map(|body| BodyId(names.bodies.number(&body.code))).collect();
        let (atlas, body_names) = (Arc::new(Atlas::new(&reference)), BodyNames::new(&reference));
        Dictionaries {
            names,
            texts,
            atlas,
            body_names,
            classifier: None,
            reference,
            blocks,
            topics,
            territories,
            bodies,
        }
    }

    /// The same, with words that tell what a text is about.
    pub fn with_classifier(self, classifier: Classifier) -> Dictionaries {
        Dictionaries { classifier: Some(classifier), ..self }
    }

    /// By place in the reference list; "not known" beyond its end.
    pub fn block_at(&self, place: u8) -> BlockId {
        self.blocks.get(usize::from(place)).copied().unwrap_or_default()
    }

    /// By place in the reference list; "not known" beyond its end.
    pub fn topic_at(&self, place: u16) -> TopicId {
        self.topics.get(usize::from(place)).map_or_else(TopicId::default, |(topic, _)| *topic)
    }

    /// By place in the reference list; "not known" beyond its end.
    pub fn territory_at(&self, place: u16) -> TerritoryId {
        self.territories.get(usize::from(place)).copied().unwrap_or_default()
    }

    /// What the numbers of the routing rules mean.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The place in the reference list; `None` when it is not known.
    pub fn place_of_block(&self, block: BlockId) -> Option<u32> {
        let known = self.blocks.iter().position(|known| *known == block).filter(|_| block != BlockId(0));
        known.map(|place| place as u32)
    }

    /// The place in the reference list; `None` when it is not known.
    pub fn place_of_topic(&self, topic: TopicId) -> Option<u32> {
        let known = self.topics.iter().position(|(known, _)| *known == topic).filter(|_| topic != TopicId(0));
        known.map(|place| place as u32)
    }

    /// The place in the reference list; `None` when it is not known.
    pub fn place_of_territory(&self, territory: TerritoryId) -> Option<u32> {
        let known = self.territories.iter().position(|known| *known == territory);
        known.filter(|_| territory != TerritoryId(0)).map(|place| place as u32)
    }

    fn topic(&self, normal: &str) -> Option<(TopicId, BlockId)> {
        self.reference.topic_index.get(normal).and_then(|place| self.topics.get(*place as usize)).copied()
    }

    fn block(&self, normal: &str) -> Option<BlockId> {
        self.reference.block_index.get(normal).and_then(|place| self.blocks.get(*place as usize)).copied()
    }

    fn territory(&self, normal: &str) -> Option<TerritoryId> {
        self.reference.territory_index.get(normal).and_then(|place| self.territories.get(*place as usize)).copied()
    }

    /// The exact name first; then any spelling that leaves the same key.
    fn body(&self, normal: &str) -> Option<BodyId> {
        let by_key = || if normal.len() > MAX_NAME_BYTES { None } else { self.body_names.find(normal) };
        let place = self.reference.body_index.get(normal).copied().or_else(by_key);
        place.and_then(|place| self.bodies.get(place as usize)).copied()
    }
}

/// What one spelling was found to mean.
#[derive(Clone, Copy, Default)]
struct Meaning {
    topic: TopicId,
    topic_block: BlockId,
    block: BlockId,
}

/// A worker's memory of spellings it has met, so that the hot path is one lookup without folding the case of letters.
pub struct Lookup {
    dictionaries: Arc<Dictionaries>,
    themes: HashMap<Box<str>, Meaning, foldhash::fast::RandomState>,
    territories: HashMap<Box<str>, TerritoryId, foldhash::fast::RandomState>,
    bodies: HashMap<Box<str>, BodyId, foldhash::fast::RandomState>,
    words: HashMap<Box<str>, WordId, foldhash::fast::RandomState>,
    folded: String,
    places: PlaceReader,
}

/// Reads names of territories that no dictionary spells like that, as addresses.
struct PlaceReader {
    locator: Locator,
    words: Words,
    tokens: Tokens,
}

impl PlaceReader {
    fn read(&mut self, spelling: &str) -> Option<u16> {
        tokenize(spelling, &mut self.words, &mut self.tokens);
        self.locator.locate(spelling, &self.tokens, &self.words, Manner::Address).territory
    }
}

/// Where a message belongs by the source's own words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Theme {
    pub topic: TopicId,
    pub block: BlockId,
}

impl Lookup {
    pub fn new(dictionaries: Arc<Dictionaries>) -> Lookup {
        let locator = Locator::new(dictionaries.atlas.clone());
        Lookup {
            places: PlaceReader { locator, words: Words::with_limit(MAX_REMEMBERED), tokens: Tokens::new() },
            dictionaries,
            themes: HashMap::default(),
            territories: HashMap::default(),
            bodies: HashMap::default(),
            words: HashMap::default(),
            folded: String::new(),
        }
    }

    fn meaning(&mut self, spelling: &str) -> Meaning {
        if let Some(known) = self.themes.get(spelling) {
            return *known;
        }
        normalise_name(spelling, &mut self.folded);
        let (topic, topic_block) = self.dictionaries.topic(&self.folded).unwrap_or_default();
        let block = self.dictionaries.block(&self.folded).unwrap_or_default();
        let meaning = Meaning { topic, topic_block, block };
        remember(&mut self.themes, spelling, meaning);
        meaning
    }

    /// The finest word that a dictionary has decides; `spellings` go from fine to coarse, empty ones are passed over.
    pub fn theme(&mut self, spellings: &[&str]) -> Theme {
        let mut theme = Theme::default();
        for spelling in spellings {
            if spelling.is_empty() {
                continue;
            }
            let meaning = self.meaning(spelling);
            if theme.topic == TopicId(0) && meaning.topic != TopicId(0) {
                theme.topic = meaning.topic;
                if theme.block == BlockId(0) {
                    theme.block = meaning.topic_block;
                }
            }
            if theme.block == BlockId(0) {
                theme.block = meaning.block;
            }
        }
        theme
    }

    pub fn territory(&mut self, spelling: &str) -> TerritoryId {
        if let Some(known) = self.territories.get(spelling) {
            return *known;
        }
        normalise_name(spelling, &mut self.folded);
        let territory = match self.dictionaries.territory(&self.folded) {
            Some(known) => known,
            None => {
                let found = self.places.read(cut(spelling));
                found
                    .and_then(|index| self.dictionaries.territories.get(usize::from(index)))
                    .copied()
                    .unwrap_or_default()
            }
        };
        remember(&mut self.territories, spelling, territory);
        territory
    }

    pub fn body(&mut self, spelling: &str) -> BodyId {
        if let Some(known) = self.bodies.get(spelling) {
            return *known;
        }
        normalise_name(spelling, &mut self.folded);
        let body = self.dictionaries.body(cut(&self.folded)).unwrap_or_else(|| {
            // a free name may hold a phone or a handle, so it passes the masker like any other text
            BodyId(self.dictionaries.names.bodies.number(&mask(&tidy(cut(spelling))).0))
        });
        remember(&mut self.bodies, spelling, body);
        body
    }

    /// A word of the source that is kept as it is.
    pub fn word(&mut self, spelling: &str) -> WordId {
        if let Some(known) = self.words.get(spelling) {
            return *known;
        }
        let word = WordId(self.dictionaries.names.words.number(&mask(&tidy(cut(spelling))).0));
        remember(&mut self.words, spelling, word);
        word
    }
}

fn remember<T>(memory: &mut HashMap<Box<str>, T, foldhash::fast::RandomState>, spelling: &str, meaning: T) {
    if spelling.len() > MAX_NAME_BYTES {
        return; // no name: what is remembered is bounded in bytes too
    }
    if memory.len() >= MAX_REMEMBERED {
        memory.clear();
    }
    memory.insert(Box::from(spelling), meaning);
}

fn cut(name: &str) -> &str {
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    let end = (0..=MAX_NAME_BYTES).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    &name[..end]
}
