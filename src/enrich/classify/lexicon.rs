//! The lexicon compiled for reading texts: what each word form says and which places of phrases it can take.
//! Owner: built once from the configuration, shared by all workers. Invariants: pure and read-only; a word speaks once for
//! a topic, with its strongest entry; numbers are sums of the levels of `common.toml`, nothing else.

use std::collections::HashMap;

use crate::config::lexicon::{BlockWords, Level, LexiconSpec, Pattern, Slot, Term};
use crate::text::stem_word;

/// Where evidence is summed: blocks first, then topics.
pub type SlotId = u16;
/// One place of phrases and rules.
pub type Element = u16;

/// A number for a block or a topic.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Says {
    pub slot: SlotId,
    pub weight: f32,
}

/// What a term means: the entries it is a word of, and the places it can take.
#[derive(Default, Debug)]
struct Meaning {
    says: Vec<Says>,
    elements: Vec<Element>,
}

pub struct Phrase {
    pub elements: Vec<Element>,
    /// The place that starts the search: the rarest of them.
    pub anchor: usize,
    pub says: Vec<Says>,
    pub written: String,
}

pub struct Condition {
    pub all: Vec<Element>,
    pub any: Option<Element>,
    pub none: Option<Element>,
    pub within: Option<u32>,
    pub says: Vec<Says>,
    pub written: String,
}

/// A phrase that a word may begin the search for, and another of its places, without which there is nothing to search.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Search {
    pub needs: Element,
    pub phrase: u16,
    /// How many words away the other place may be: after the word, or before it if negative.
    pub reach: i32,
}

/// What one word form is in the lexicon.
#[derive(Default, PartialEq, Debug)]
pub struct FormFacts {
    pub says: Vec<Says>,
    /// Sorted.
    pub elements: Vec<Element>,
    pub searches: Vec<Search>,
    pub negates: bool,
}

pub struct Lexicon {
    pub blocks: usize,
    pub topics: usize,
    /// What the expected share of each block says before a word is read.
    pub log_shares: Vec<f32>,
    /// Block of each topic.
    pub block_of: Vec<u8>,
    pub gap: u32,
    pub lead_words: u32,
    pub lead_gain: f32,
    pub threshold: f32,
    pub sharpness: f32,
    pub negation_reach: u32,
    stems: HashMap<String, Meaning>,
    forms: HashMap<String, Meaning>,
    prefixes: HashMap<String, Meaning>,
    pub phrases: Vec<Phrase>,
    /// Phrases after which words do not speak; none of them says anything.
    pub negations: Vec<Phrase>,
    pub conditions: Vec<Condition>,
    /// By element.
    pub phrases_of: Vec<Vec<u16>>,
    pub negations_of: Vec<Vec<u16>>,
}

impl Lexicon {
    /// `block_of`: the block of each topic of the reference.
    pub fn build(spec: &LexiconSpec, blocks: usize, block_of: &[u32]) -> Lexicon {
        let mut build = Build::default();
        let mut lexicon = Lexicon {
            blocks,
            topics: block_of.len(),
            log_shares: log_shares(spec, blocks),
            block_of: block_of.iter().map(|block| *block as u8).collect(),
            gap: spec.gap,
            lead_words: spec.lead_words,
            lead_gain: spec.lead_gain as f32,
            threshold: spec.threshold as f32,
            sharpness: spec.sharpness as f32,
            negation_reach: spec.negation_reach,
            stems: HashMap::new(),
            forms: HashMap::new(),
            prefixes: HashMap::new(),
            phrases: Vec::new(),
            negations: Vec::new(),
            conditions: Vec::new(),
            phrases_of: Vec::new(),
            negations_of: Vec::new(),
        };
        for words in &spec.blocks {
            lexicon.add_entries(spec, words, &mut build);
            lexicon.add_rules(spec, words, &mut build);
        }
        for pattern in &spec.negations {
            let elements = pattern.0.iter().map(|slot| build.element(slot)).collect();
            lexicon.negations.push(Phrase { elements, anchor: 0, says: Vec::new(), written: String::new() });
        }
        lexicon.phrases_of = anchors(&mut lexicon.phrases, build.elements.len());
        lexicon.negations_of = anchors(&mut lexicon.negations, build.elements.len());
        lexicon.stems = build.stems;
        lexicon.forms = build.forms;
        lexicon.prefixes = build.prefixes;
        lexicon
    }

    pub fn slots(&self) -> usize {
        self.blocks + self.topics
    }

    /// The number after the last element.
    pub fn no_element(&self) -> Element {
        self.phrases_of.len() as Element
    }

    fn topic_slot(&self, topic: u32) -> SlotId {
        (self.blocks + topic as usize) as SlotId
    }

    fn says(&self, block: u32, topic: Option<u32>, weight: f32) -> Vec<Says> {
        let mut says = vec![Says { slot: block as SlotId, weight }];
        says.extend(topic.map(|topic| Says { slot: self.topic_slot(topic), weight }));
        says
    }

    fn add_entries(&mut self, spec: &LexiconSpec, words: &BlockWords, build: &mut Build) {
        for entry in &words.entries {
            let says = self.says(words.block, entry.topic, number(spec, entry.level));
            match entry.pattern.0.as_slice() {
                [slot] => slot.0.iter().for_each(|term| merge(&mut build.meaning(term).says, &says)),
                slots => {
                    let elements = slots.iter().map(|slot| build.element(slot)).collect();
                    self.phrases.push(Phrase { elements, anchor: 0, says, written: entry.written.clone() });
                }
            }
        }
    }

    fn add_rules(&mut self, spec: &LexiconSpec, words: &BlockWords, build: &mut Build) {
        for rule in &words.rules {
            let weight = number(spec, rule.level);
            let mut says = self.says(words.block, rule.topic, weight);
            let against = number(spec, Level::Against);
            says.extend(rule.against.iter().map(|block| Says { slot: *block as SlotId, weight: against }));
            self.conditions.push(Condition {
                all: rule.all.iter().map(|slot| build.element(slot)).collect(),
                any: rule.any.as_ref().map(|slot| build.element(slot)),
                none: rule.none.as_ref().map(|slot| build.element(slot)),
                within: rule.within,
                says,
                written: rule.name.clone(),
            });
        }
    }

    /// What a folded form is. A word with a hyphen is also what its parts are.
    pub fn facts(&self, form: &str, stem: &str) -> FormFacts {
        let mut facts = FormFacts::default();
        self.add_facts(form, stem, &mut facts);
        if form.contains('-') {
            for part in form.split('-').filter(|part| !part.is_empty()) {
                self.add_facts(part, &stem_word(part), &mut facts);
            }
        }
        facts.elements.sort_unstable();
        facts.elements.dedup();
        for element in &facts.elements {
            let element = usize::from(*element);
            facts.negates |= !self.negations_of[element].is_empty();
            facts.searches.extend(self.phrases_of[element].iter().map(|phrase| {
                let it = &self.phrases[usize::from(*phrase)];
                let others = it.elements.iter().enumerate().filter(|(place, _)| *place != it.anchor);
                let needs = others.min_by_key(|(_, other)| self.phrases_of[usize::from(**other)].len());
                let (place, needs) = needs.map_or((it.anchor, element as Element), |(place, other)| (place, *other));
                let reach = (place as i32 - it.anchor as i32) * (self.gap as i32 + 1);
                Search { needs, phrase: *phrase, reach }
            }));
        }
        facts
    }

    fn add_facts(&self, form: &str, stem: &str, facts: &mut FormFacts) {
        let exact = [self.stems.get(stem), self.forms.get(form)];
        let starts = form.char_indices().skip(1).map(|(at, _)| at).chain([form.len()]);
        let prefixes = starts.filter_map(|end| self.prefixes.get(&form[..end]));
        for meaning in exact.into_iter().flatten().chain(prefixes) {
            merge(&mut facts.says, &meaning.says);
            facts.elements.extend_from_slice(&meaning.elements);
        }
    }
}

fn number(spec: &LexiconSpec, level: Level) -> f32 {
    let place = Level::ALL.iter().position(|known| *known == level).unwrap_or(0);
    spec.levels[place] as f32
}

/// Evidence for a slot counts once: the strongest for it, and the strongest against it.
fn merge(into: &mut Vec<Says>, says: &[Says]) {
    for new in says {
        let same = into.iter_mut().find(|old| old.slot == new.slot && (old.weight < 0.0) == (new.weight < 0.0));
        match same {
            Some(old) if old.weight.abs() < new.weight.abs() => old.weight = new.weight,
            Some(_) => {}
            None => into.push(*new),
        }
    }
}

fn log_shares(spec: &LexiconSpec, blocks: usize) -> Vec<f32> {
    let mut shares = vec![1e-4; blocks];
    for words in &spec.blocks {
        shares[words.block as usize] = words.share.max(1e-4);
    }
    let sum: f64 = shares.iter().sum();
    shares.iter().map(|share| (spec.sharpness * spec.share_weight * (share / sum).ln()) as f32).collect()
}

/// Chooses the rarest place of each phrase as its anchor, and lists the phrases by it.
fn anchors(phrases: &mut [Phrase], elements: usize) -> Vec<Vec<u16>> {
    let mut counts = vec![0u32; elements];
    for element in phrases.iter().flat_map(|phrase| &phrase.elements) {
        counts[usize::from(*element)] += 1;
    }
    let mut by_anchor = vec![Vec::new(); elements];
    for (number, phrase) in phrases.iter_mut().enumerate() {
        let rarest = phrase.elements.iter().enumerate().min_by_key(|(_, element)| counts[usize::from(**element)]);
        phrase.anchor = rarest.map_or(0, |(place, _)| place);
        by_anchor[usize::from(phrase.elements[phrase.anchor])].push(number as u16);
    }
    by_anchor
}

#[derive(Default)]
struct Build {
    stems: HashMap<String, Meaning>,
    forms: HashMap<String, Meaning>,
    prefixes: HashMap<String, Meaning>,
    elements: HashMap<Slot, Element>,
}

impl Build {
    fn meaning(&mut self, term: &Term) -> &mut Meaning {
        let (map, word) = match term {
            Term::Stem(word) => (&mut self.stems, word),
            Term::Form(word) => (&mut self.forms, word),
            Term::Prefix(word) => (&mut self.prefixes, word),
        };
        map.entry(word.clone()).or_default()
    }

    fn element(&mut self, slot: &Slot) -> Element {
        if let Some(element) = self.elements.get(slot) {
            return *element;
        }
        let element = self.elements.len() as Element;
        self.elements.insert(slot.clone(), element);
        for term in &slot.0 {
            self.meaning(term).elements.push(element);
        }
        element
    }
}

/// For messages and tests.
pub fn show(pattern: &Pattern) -> String {
    let slots = pattern.0.iter().map(|slot| {
        let terms = slot.0.iter().map(|term| match term {
            Term::Stem(word) => word.clone(),
            Term::Prefix(word) => format!("{word}*"),
            Term::Form(word) => format!("={word}"),
        });
        terms.collect::<Vec<_>>().join("|")
    });
    slots.collect::<Vec<_>>().join(" ")
}
