//! Interned words: every form once, with its stem. Owner: one partition worker, which keeps it for its lifetime.
//! Invariants: a number means the same form until the generation changes, which happens only in [`Words::make_room`];
//! never more than one and a half limits of forms are kept: past that a new form gets [`WordId::NONE`].
//! Stems are made once per form, by Snowball for words with Russian letters; every other form is its own stem.

use std::sync::atomic::{AtomicU32, Ordering};

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use rust_stemmers::{Algorithm, Stemmer};

use super::key::{Key, key_of};

/// The number of a word form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct WordId(u32);

impl WordId {
    /// No word: punctuation, a line end, or a form that is not worth remembering. It has a place in every table, so
    /// asking about it is no special case.
    pub const NONE: WordId = WordId(0);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The number of a stem.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StemId(u32);

impl StemId {
    /// The stem of [`WordId::NONE`].
    pub const NONE: StemId = StemId(0);

    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Forms remembered before everything is forgotten, unless told otherwise. Most words of a text are among the commonest few
/// thousand; with stems, the index and what the stages note of a word it is about 10 MB, and every worker has its own
/// (four times as many took the process over its bound of memory when a backlog of long texts was drained).
const LIMIT: usize = 1 << 15;
/// No two tables of a process share a generation, so a side table cannot mistake one for the other.
static GENERATIONS: AtomicU32 = AtomicU32::new(1);
const FIRST_SLOTS: usize = 1 << 12;
const FREE: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Slot {
    key: Key,
    id: u32,
}

/// The word forms seen so far.
pub struct Words {
    slots: Vec<Slot>,
    forms: Texts,
    stem_of: Vec<StemId>,
    stems: Texts,
    stem_index: HashTable<u32>,
    stemmer: Stemmer,
    generation: u32,
    limit: usize,
}

impl Default for Words {
    fn default() -> Words {
        Words::with_limit(LIMIT)
    }
}

impl Words {
    pub fn new() -> Words {
        Words::default()
    }

    /// Forgets everything once `limit` forms are known.
    pub fn with_limit(limit: usize) -> Words {
        Words {
            slots: free_slots(FIRST_SLOTS),
            forms: Texts::of_none(),
            stem_of: vec![StemId::NONE],
            stems: Texts::of_none(),
            stem_index: HashTable::new(),
            stemmer: Stemmer::create(Algorithm::Russian),
            generation: next_generation(),
            limit: limit.max(1),
        }
    }

    /// The number of a folded form; [`WordId::NONE`] for an empty one and when there is no room.
    pub fn intern(&mut self, folded: &str) -> WordId {
        if folded.is_empty() {
            return WordId::NONE;
        }
        let key = key_of(folded);
        match self.find(key) {
            Some(id) => id,
            None => self.insert(key, folded),
        }
    }

    /// The number of a form that is known already.
    pub fn find_form(&self, folded: &str) -> Option<WordId> {
        self.find(key_of(folded))
    }

    pub fn form(&self, id: WordId) -> &str {
        self.forms.get(id.0)
    }

    pub fn stem(&self, id: WordId) -> StemId {
        self.stem_of.get(id.index()).copied().unwrap_or(StemId::NONE)
    }

    pub fn stem_text(&self, id: StemId) -> &str {
        self.stems.get(id.0)
    }

    /// Another one when everything was forgotten, and in every other table.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Forms known.
    pub fn len(&self) -> usize {
        self.stem_of.len() - 1
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers given so far, beginning with one; [`WordId::NONE`] is the first of all.
    pub(super) fn ids_from(&self, first: usize) -> impl Iterator<Item = WordId> {
        (first as u32..self.stem_of.len() as u32).map(WordId)
    }

    /// Forgets everything if the limit is reached. Numbers given before mean nothing afterwards.
    pub fn make_room(&mut self) {
        if self.len() < self.limit {
            return;
        }
        self.slots = free_slots(FIRST_SLOTS);
        self.forms = Texts::of_none();
        self.stem_of = vec![StemId::NONE];
        self.stems = Texts::of_none();
        self.stem_index.clear();
        self.generation = next_generation();
    }

    pub(super) fn find(&self, key: Key) -> Option<WordId> {
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.id == FREE {
                return None;
            }
            if slot.key == key {
                return Some(WordId(slot.id));
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    pub(super) fn insert(&mut self, key: Key, folded: &str) -> WordId {
        if self.len() >= self.limit + self.limit / 2 {
            return WordId::NONE;
        }
        if (self.len() + 1) * 2 > self.slots.len() {
            self.widen();
        }
        let id = self.stem_of.len() as u32;
        self.forms.push(folded);
        let stem = self.stem_number(folded);
        self.stem_of.push(stem);
        put(&mut self.slots, Slot { key, id });
        WordId(id)
    }

    fn widen(&mut self) {
        let mut wider = free_slots(self.slots.len() * 2);
        for slot in self.slots.iter().filter(|slot| slot.id != FREE) {
            put(&mut wider, *slot);
        }
        self.slots = wider;
    }

    fn stem_number(&mut self, folded: &str) -> StemId {
        let stem = stem_by(&self.stemmer, folded);
        let hash = |text: &str| std::hash::BuildHasher::hash_one(&FixedState::default(), text);
        let stems = &mut self.stems;
        if let Some(id) = self.stem_index.find(hash(&stem), |id| stems.get(*id) == stem) {
            return StemId(*id);
        }
        let id = stems.len() as u32;
        stems.push(&stem);
        self.stem_index.insert_unique(hash(&stem), id, |id| hash(stems.get(*id)));
        StemId(id)
    }
}

/// The stem of a folded word, for dictionaries that are read before there are any texts.
pub fn stem_word(folded: &str) -> String {
    stem_by(&Stemmer::create(Algorithm::Russian), folded).into_owned()
}

fn stem_by<'w>(stemmer: &Stemmer, folded: &'w str) -> std::borrow::Cow<'w, str> {
    let russian = folded.chars().all(|character| matches!(character, 'а'..='я' | '-'));
    if russian { stemmer.stem(folded) } else { std::borrow::Cow::Borrowed(folded) }
}

fn next_generation() -> u32 {
    GENERATIONS.fetch_add(1, Ordering::Relaxed)
}

fn free_slots(count: usize) -> Vec<Slot> {
    vec![Slot { key: key_of(""), id: FREE }; count]
}

fn put(slots: &mut [Slot], slot: Slot) {
    let mask = slots.len() - 1;
    let mut at = slot.key.hash() as usize & mask;
    while slots[at].id != FREE {
        at = (at + 1) & mask;
    }
    slots[at] = slot;
}

/// Many short texts in one piece of memory.
struct Texts {
    all: String,
    ends: Vec<u32>,
}

impl Texts {
    /// What number 0 stands for is empty.
    fn of_none() -> Texts {
        Texts { all: String::new(), ends: vec![0] }
    }

    fn push(&mut self, text: &str) {
        self.all.push_str(text);
        self.ends.push(self.all.len() as u32);
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Empty for a number that was not given out.
    fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let Some(end) = self.ends.get(number) else { return "" };
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.all[start as usize..*end as usize]
    }
}
