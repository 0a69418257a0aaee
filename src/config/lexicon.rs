//! The lexicon of topics as it stands in `pipelines/reference/lexicon/*.toml`: `common.toml` with the levels and word sets,
//! and one file a sector block with the words, phrases and rules of its topics.
//! Owner: `config`; `enrich::classify` compiles it. Invariants (checked by `lexicon_read.rs`): every topic belongs to the
//! block of its file, every set exists, no entry is dead and no rule unreachable.

use xxhash_rust::xxh3::Xxh3;

use super::errors::Place;

/// How strongly an entry speaks. The numbers of the levels are in `common.toml`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Speaks against.
    Against,
    Weak,
    Usual,
    Strong,
    Decisive,
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Against, Level::Weak, Level::Usual, Level::Strong, Level::Decisive];

    pub fn name(self) -> &'static str {
        match self {
            Level::Against => "against",
            Level::Weak => "weak",
            Level::Usual => "usual",
            Level::Strong => "strong",
            Level::Decisive => "decisive",
        }
    }
}

/// One way to write a word of the lexicon; folded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Term {
    /// Any form of the word: `дорога`.
    Stem(String),
    /// Any word that begins so: `асфальт*`.
    Prefix(String),
    /// This form only: `=мост`.
    Form(String),
}

/// One place of a phrase: any of these terms, sorted.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot(pub Vec<Term>);

/// Words of a text in this order, with a few others between them; a single slot is a word.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern(pub Vec<Slot>);

#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Index into `Reference::topics`; the block as a whole if there is none.
    pub topic: Option<u32>,
    pub level: Level,
    pub pattern: Pattern,
    /// As it was written, for explanations.
    pub written: String,
    pub place: Place,
}

/// Says something when its words meet, in any order.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    pub name: String,
    pub topic: Option<u32>,
    pub level: Level,
    pub all: Vec<Slot>,
    /// One of them at least, where there are any.
    pub any: Option<Slot>,
    pub none: Option<Slot>,
    /// Words of `all` and `any` stand within so many words of each other; anywhere in the text if there is no limit.
    pub within: Option<u32>,
    /// Blocks (indices) that the rule speaks against.
    pub against: Vec<u32>,
    pub place: Place,
}

#[derive(Clone, PartialEq, Debug)]
pub struct BlockWords {
    /// Index into `Reference::blocks`.
    pub block: u32,
    /// For people; a change of words raises it.
    pub version: u32,
    /// Share of all texts that is expected to belong to the block.
    pub share: f64,
    pub entries: Vec<Entry>,
    pub rules: Vec<Rule>,
}

#[derive(Clone, PartialEq, Debug, Default)]
pub struct LexiconSpec {
    /// Numbers of the levels, in the order of `Level::ALL`.
    pub levels: [f64; 5],
    /// Other words allowed between two neighbours of a phrase.
    pub gap: u32,
    /// Phrases after which the next words do not speak («не про …»).
    pub negations: Vec<Pattern>,
    pub negation_reach: u32,
    /// Words at the beginning of a text speak louder by `lead_gain`; so many words are the beginning.
    pub lead_words: u32,
    pub lead_gain: f64,
    /// Under this confidence a text is «не определено».
    pub threshold: f64,
    /// How bold confidences are, given the odds.
    pub sharpness: f64,
    /// How much the expected share of a block counts beside the words.
    pub share_weight: f64,
    /// By block index; a block without a file has none.
    pub blocks: Vec<BlockWords>,
}

impl LexiconSpec {
    /// Of the words and rules, not of their places and numbers: tells whether a model was taught beside these words.
    pub fn fingerprint(&self) -> String {
        let mut hash = Xxh3::new();
        let mut add = |text: &str| {
            hash.update(text.as_bytes());
            hash.update(&[0]);
        };
        for words in &self.blocks {
            for entry in &words.entries {
                add(&format!("{} {:?} {} {:?}", words.block, entry.topic, entry.level.name(), entry.pattern));
            }
            for rule in &words.rules {
                let Rule { topic, level, all, any, none, within, against, .. } = rule;
                add(&format!("{} {topic:?} {level:?} {all:?} {any:?} {none:?} {within:?} {against:?}", words.block));
            }
        }
        format!("{:016x}", hash.digest())
    }
}
