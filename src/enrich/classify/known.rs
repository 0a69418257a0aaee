//! What the lexicon and the model say of each word form, found out at its first sight.
//! Owner: the reader of one worker. Invariants: belongs to one lexicon, one model and one table of words; forms of which the
//! lexicon says the same share one entry, so a worker keeps a few thousand of them, and most words have the empty one.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use super::lexicon::{Element, FormFacts, Lexicon, Says, Search};
use super::model::{Model, Row};
use crate::text::{ByWord, Side, StemId, WordId, WordTable, Words};

/// What the lexicon says of a word form, and its stem: they are asked together.
#[derive(Clone, Copy)]
pub struct FormWords {
    pub spoken: SpokenId,
    pub stem: StemId,
}

/// What the model knows of a word form.
#[derive(Clone, Copy)]
pub struct FormFeatures {
    /// Row plus one; 0 where it knows nothing.
    row: u32,
    /// For pairs of words; 0 where there are none with this one.
    pub hash: u32,
}

/// The number of an entry shared by all forms of which the lexicon says the same; the first says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct SpokenId(u32);

impl SpokenId {
    pub const NOTHING: SpokenId = SpokenId(0);
}

/// What the lexicon says of a word; ranges into the arenas.
#[derive(Clone, Copy)]
pub struct Spoken {
    says: (u32, u16),
    elements: (u32, u16),
    /// The first of them, filled up with [`Lexicon::no_element`]: most words have no more, and that needs no loop.
    pub first_elements: [Element; FIRST],
    /// Searches for phrases that begin with this word.
    searches: (u32, u16),
    /// May begin the search for a negation.
    pub negates: bool,
}

/// Elements that a word tells without a look into the arenas.
const FIRST: usize = 2;

impl Spoken {
    const NOTHING: Spoken =
        Spoken { says: (0, 0), elements: (0, 0), first_elements: [0; FIRST], searches: (0, 0), negates: false };

    pub fn says_something(self) -> bool {
        self.says.1 > 0
    }

    pub fn searches_something(self) -> bool {
        self.searches.1 > 0
    }
}

/// Facts of the word forms seen so far.
pub struct Known {
    generation: u32,
    forms: WordTable<FormWords>,
    features: Side<FormFeatures>,
    entries: Entries,
    rows: Vec<Row>,
}

/// What the lexicon says of forms, each combination once.
struct Entries {
    spoken: Vec<Spoken>,
    shared: HashMap<Box<[u32]>, u32, FixedState>,
    says: Vec<Says>,
    elements: Vec<Element>,
    searches: Vec<Search>,
}

impl Entries {
    /// The number of what is said.
    fn add(&mut self, facts: &FormFacts, no_element: Element) -> SpokenId {
        if facts.says.is_empty() && facts.elements.is_empty() {
            return SpokenId::NOTHING;
        }
        let Entries { spoken, shared, says, elements, searches } = self;
        let mut first_elements = [no_element; FIRST];
        for (first, element) in first_elements.iter_mut().zip(&facts.elements) {
            *first = *element;
        }
        SpokenId(*shared.entry(key_of(facts)).or_insert_with(|| {
            spoken.push(Spoken {
                says: (says.len() as u32, facts.says.len() as u16),
                elements: (elements.len() as u32, facts.elements.len() as u16),
                first_elements,
                searches: (searches.len() as u32, facts.searches.len() as u16),
                negates: facts.negates,
            });
            says.extend_from_slice(&facts.says);
            elements.extend_from_slice(&facts.elements);
            searches.extend_from_slice(&facts.searches);
            spoken.len() as u32 - 1
        }))
    }
}

impl Default for Known {
    fn default() -> Known {
        Known {
            generation: 0,
            forms: WordTable::new(),
            features: Side::new(),
            entries: Entries {
                spoken: vec![Spoken::NOTHING],
                shared: HashMap::default(),
                says: Vec::new(),
                elements: Vec::new(),
                searches: Vec::new(),
            },
            rows: Vec::new(),
        }
    }
}

impl Known {
    /// Forgets what belongs to words that are forgotten.
    pub fn begin(&mut self, words: &Words) {
        if self.generation != words.generation() {
            *self = Known { generation: words.generation(), ..Known::default() };
        }
    }

    /// What the lexicon says of each form.
    #[inline]
    pub fn forms(&mut self, words: &Words, lexicon: &Lexicon) -> ByWord<'_, FormWords> {
        let entries = &mut self.entries;
        self.forms.of(words, |form, stem| {
            let spoken = match form {
                "" => SpokenId::NOTHING,
                form => entries.add(&lexicon.facts(form, words.stem_text(stem)), lexicon.no_element()),
            };
            FormWords { spoken, stem }
        })
    }

    pub fn features(&mut self, word: WordId, words: &Words, model: &Model) -> FormFeatures {
        let rows = &mut self.rows;
        self.features.get(words, word, |form, stem| {
            let stem = words.stem_text(stem);
            let mut known = FormFeatures { row: 0, hash: model.bigram_hash(stem) };
            if let Some(row) = model.row(form, stem) {
                rows.push(row);
                known.row = rows.len() as u32;
            }
            known
        })
    }

    pub fn spoken(&self, id: SpokenId) -> Spoken {
        self.entries.spoken[id.0 as usize]
    }

    pub fn says(&self, spoken: Spoken) -> &[Says] {
        &self.entries.says[range(spoken.says)]
    }

    pub fn elements(&self, spoken: Spoken) -> &[Element] {
        &self.entries.elements[range(spoken.elements)]
    }

    /// Those after [`Spoken::first_elements`].
    #[inline]
    pub fn more_elements(&self, spoken: Spoken) -> &[Element] {
        if usize::from(spoken.elements.1) <= FIRST { &[] } else { &self.elements(spoken)[FIRST..] }
    }

    pub fn searches(&self, spoken: Spoken) -> &[Search] {
        &self.entries.searches[range(spoken.searches)]
    }

    /// What the model adds for a word.
    pub fn row(&self, facts: FormFeatures) -> Option<&Row> {
        self.rows.get((facts.row as usize).checked_sub(1)?)
    }
}

fn range((start, length): (u32, u16)) -> std::ops::Range<usize> {
    start as usize..start as usize + usize::from(length)
}

/// Elements tell searches and negation; what is said is told by its slots and weights.
fn key_of(facts: &FormFacts) -> Box<[u32]> {
    let says = facts.says.iter().flat_map(|says| [u32::from(says.slot), says.weight.to_bits()]);
    says.chain([u32::MAX]).chain(facts.elements.iter().map(|element| u32::from(*element))).collect()
}
