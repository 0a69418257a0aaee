//! Repeats: whether two messages speak of one problem, by their fingerprints and what else is known. Linking gives a `problem_id`; it never
//! merges cases: each keeps its deadlines and its row. Owner: pure functions, and an index that the job of problems owns.
//! Invariants: the index is bounded and forgets the oldest; what it tells of two messages does not depend on which came first.

use std::collections::HashMap;

use fingerprint::pair;
pub use fingerprint::{Fingerprint, Fingerprinter};
use foldhash::fast::FixedState;

mod fingerprint;
#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;

/// What is compared of a message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Message {
    /// The case, by its key.
    pub case: u64,
    /// Unix seconds.
    pub at: i64,
    /// Keyed hash of the author; zero when unknown.
    pub author: u64,
    /// Hash of territory, street and house; zero when unknown.
    pub address: u64,
    /// Zero when unknown.
    pub topic: u16,
    pub text: Fingerprint,
}

/// How near messages must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RepeatRules {
    /// Seconds between two messages at most.
    pub window: i64,
    /// Bits that near-duplicates differ in at most, 0 ..= 16.
    pub distance: u32,
    /// Texts of fewer words are no duplicates by their text alone.
    pub least_words: u16,
    /// Bits within which two texts of one author speak of one thing where no topic is known.
    pub author_distance: u32,
}

impl Default for RepeatRules {
    fn default() -> RepeatRules {
        RepeatRules { window: 14 * 86_400, distance: 6, least_words: 8, author_distance: 16 }
    }
}

/// Why two messages are one problem.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Link {
    /// The same author writes of the same topic, or nearly the same text.
    Author,
    /// The same address and topic.
    Place,
    /// A near-duplicate text.
    Text,
}

/// Whether two messages speak of one problem, and why. Symmetric; a message is not its own repeat.
pub fn link(one: &Message, other: &Message, rules: &RepeatRules) -> Option<Link> {
    if one.case == other.case || one.at.abs_diff(other.at) > rules.window.unsigned_abs() {
        return None;
    }
    let same = |left: u64, right: u64| left != 0 && left == right;
    let same_topic = one.topic != 0 && one.topic == other.topic;
    let distance = one.text.distance(other.text);
    let near = |limit: u32| one.text.words > 0 && other.text.words > 0 && distance <= limit;
    // Different houses are different problems, however alike the texts of a flash mob are and whoever writes of all of them.
    let apart = one.address != 0 && other.address != 0 && one.address != other.address;
    if apart {
        return None;
    }
    if same(one.author, other.author) && (same_topic || near(rules.author_distance)) {
        return Some(Link::Author);
    }
    if same_topic && same(one.address, other.address) {
        return Some(Link::Place);
    }
    let long = one.text.words.min(other.text.words) >= rules.least_words;
    (long && near(rules.distance)).then_some(Link::Text)
}

/// The messages of the last time, by what links them.
pub struct RepeatIndex {
    rules: RepeatRules,
    ring: Vec<Entry>,
    /// Where the next message goes.
    next: usize,
    limit: usize,
    heads: HashMap<(u8, u64), u32, FixedState>,
}

struct Entry {
    message: Message,
    /// By kind of key: the message before it with the same key, `NOBODY` at the end.
    before: [u32; KEYS],
}

/// Author, address with topic, and four quarters of the fingerprint: two hashes that differ in up to three bits share a
/// quarter always, in up to six nearly always.
const KEYS: usize = 6;
const NOBODY: u32 = u32::MAX;
/// Messages looked at for one key: a flash mob must not make each message dearer than the one before.
const LOOKED_AT: usize = 32;

impl RepeatIndex {
    /// Remembers `limit` messages (about 120 bytes each, with its keys under 300).
    pub fn new(rules: RepeatRules, limit: usize) -> RepeatIndex {
        let limit = limit.clamp(1, NOBODY as usize - 1);
        RepeatIndex { rules, ring: Vec::new(), next: 0, limit, heads: HashMap::default() }
    }

    /// Remembers a message and tells of every remembered one that it repeats, as far as they are looked at; of
    /// one that shares several keys, several times.
    pub fn link_all(&mut self, message: Message, mut linked: impl FnMut(u64, Link)) {
        let keys = keys_of(&message);
        for (kind, key) in keys.iter().enumerate() {
            self.walk(kind, *key, |entry| {
                let other = &self.ring[entry].message;
                if let Some(link) = link(&message, other, &self.rules) {
                    linked(other.case, link);
                }
            });
        }
        self.remember(message, &keys);
    }

    /// Messages remembered.
    pub fn len(&self) -> usize {
        self.ring.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// 1 for the newest, the limit for the one that is forgotten next.
    fn age(&self, entry: usize) -> usize {
        match (self.next + self.limit - entry) % self.limit {
            0 => self.limit,
            age => age,
        }
    }

    fn walk(&self, kind: usize, key: u64, mut seen: impl FnMut(usize)) {
        if key == 0 {
            return;
        }
        let mut at = self.heads.get(&(kind as u8, key)).copied().unwrap_or(NOBODY);
        let mut age = 0;
        for _ in 0..LOOKED_AT {
            let Some(entry) = self.ring.get(at as usize) else { return };
            // A place that was written anew since belongs to another chain.
            let older = self.age(at as usize);
            if keys_of(&entry.message)[kind] != key || older <= age {
                return;
            }
            age = older;
            seen(at as usize);
            at = entry.before[kind];
        }
    }

    fn remember(&mut self, message: Message, keys: &[u64; KEYS]) {
        let place = self.next;
        if let Some(old) = self.ring.get(place) {
            for (kind, key) in keys_of(&old.message).into_iter().enumerate() {
                // The newest of a key is forgotten only when nobody newer has it.
                if self.heads.get(&(kind as u8, key)) == Some(&(place as u32)) {
                    self.heads.remove(&(kind as u8, key));
                }
            }
        }
        let mut before = [NOBODY; KEYS];
        for (kind, key) in keys.iter().enumerate().filter(|(_, key)| **key != 0) {
            before[kind] = self.heads.insert((kind as u8, *key), place as u32).unwrap_or(NOBODY);
        }
        let entry = Entry { message, before };
        match self.ring.get_mut(place) {
            Some(old) => *old = entry,
            None => self.ring.push(entry),
        }
        self.next = (place + 1) % self.limit;
    }
}

/// The keys a message is found by; zero where it has none.
fn keys_of(message: &Message) -> [u64; KEYS] {
    let mut keys = [0; KEYS];
    keys[0] = message.author;
    if message.address != 0 && message.topic != 0 {
        keys[1] = pair(message.address, u64::from(message.topic)).max(1);
    }
    if message.text.words > 0 {
        for (quarter, key) in keys[2..].iter_mut().enumerate() {
            *key = (message.text.hash >> (quarter * 16) & 0xFFFF) + 1;
        }
    }
    keys
}
