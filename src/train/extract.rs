//! Texts as rows of features for the solver: the same sums that `enrich::classify::score` makes of a text, taken apart.
//! Invariant: a row times the weights is what the reader of texts computes with the finished model, up to the rounding of
//! weights to eight bits (`a_model_reads_a_text_as_its_training_did`).

use std::collections::HashMap;

use crate::enrich::classify::features::{self, FeatureHash};
use crate::enrich::classify::lexicon::Lexicon;
use crate::enrich::classify::model::{LANES, evidence, scale};
use crate::enrich::classify::score::{Nobody, Reader};
use crate::enrich::classify::{lexicon_odds, score};
use crate::text::{Tokens, WordId, Words, tokenize};

/// What a text is made of.
pub struct Document {
    /// Features of its words and letters, and how often they are met (damped).
    cells: Vec<(FeatureHash, f32)>,
    /// The length of a text is measured mention by mention, as its reader does.
    mentions: Vec<Mention>,
    /// Evidence of the lexicon by slot.
    pub slots: Vec<(u16, f32)>,
    /// The lexicon's own log-odds.
    pub odds: [f32; LANES],
}

struct Mention {
    form: u32,
    squared: f32,
}

/// Features of a word form.
struct Form {
    word: FeatureHash,
    letters: Vec<FeatureHash>,
}

/// The features of all texts of a corpus.
#[derive(Default)]
pub struct Extract {
    forms: Vec<Form>,
    form_of: HashMap<String, u32>,
    pub documents: Vec<Document>,
    /// Pairs of neighbours of each document.
    pairs: Vec<Vec<(FeatureHash, f32)>>,
}

/// A feature of the model while it is trained.
pub struct Vocabulary {
    pub hashes: Vec<FeatureHash>,
    pub idf: Vec<f32>,
    number: HashMap<FeatureHash, u32>,
}

/// How rare a feature may be, and how many are kept.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    pub words: u32,
    pub pairs: u32,
    pub letters: u32,
    pub most: usize,
}

impl Extract {
    pub fn read<'t>(texts: impl Iterator<Item = &'t str>, lexicon: &Lexicon) -> Extract {
        let mut extract = Extract::default();
        let (mut words, mut tokens, mut reader) = (Words::new(), Tokens::new(), Reader::new());
        let mut counts: HashMap<String, u16> = HashMap::new();
        for text in texts {
            tokenize(text, &mut words, &mut tokens);
            let tokens = &tokens[..tokens.len().min(score::LONGEST)];
            reader.read(tokens, &words, lexicon, None, &mut Nobody);
            let mut odds = [0.0; LANES];
            lexicon_odds(lexicon, &reader.sums, &mut odds);
            let sums = &reader.sums;
            let slots = sums.touched.iter().map(|slot| (*slot, evidence(sums.slots[usize::from(*slot)])));
            let mut document = Document {
                cells: Vec::new(),
                mentions: Vec::new(),
                slots: slots.filter(|(_, value)| *value > 0.0).collect(),
                odds,
            };
            document.slots.sort_unstable_by_key(|(slot, _)| *slot);
            counts.clear();
            let mut pairs = Vec::new();
            let mut before = 0;
            for token in tokens {
                if token.word == WordId::NONE {
                    if token.ends_sentence {
                        before = 0;
                    }
                    continue;
                }
                let (form, stem) = (words.form(token.word), words.stem_text(words.stem(token.word)));
                let count = counts.entry(stem.to_owned()).or_insert(0);
                *count += 1;
                let (tf, squared) = score::grown(*count);
                let number = extract.form(form, stem);
                let facts = &extract.forms[number as usize];
                document.mentions.push(Mention { form: number, squared });
                if facts.word != 0 {
                    document.cells.push((facts.word, tf));
                }
                document.cells.extend(facts.letters.iter().map(|run| (*run, tf)));
                if before != 0 && facts.word != 0 {
                    pairs.push((features::pair(before, facts.word), 1.0));
                }
                before = facts.word;
            }
            add_up(&mut document.cells);
            add_up(&mut pairs);
            extract.documents.push(document);
            extract.pairs.push(pairs);
        }
        extract
    }

    fn form(&mut self, form: &str, stem: &str) -> u32 {
        if let Some(number) = self.form_of.get(form) {
            return *number;
        }
        let number = self.forms.len() as u32;
        let mut letters = Vec::new();
        features::letters(form, &mut letters);
        self.forms.push(Form { word: features::word(stem), letters });
        self.form_of.insert(form.to_owned(), number);
        number
    }

    /// The features that are met often enough in the chosen documents.
    pub fn vocabulary(&self, chosen: &[u32], keep: &Keep) -> Vocabulary {
        let words: std::collections::HashSet<FeatureHash> = self.forms.iter().map(|form| form.word).collect();
        let mut frequency: HashMap<FeatureHash, (u32, u32)> = HashMap::new();
        for document in chosen {
            let document = *document as usize;
            for (hash, _) in &self.documents[document].cells {
                let least = if words.contains(hash) { keep.words } else { keep.letters };
                frequency.entry(*hash).or_insert((0, least)).0 += 1;
            }
            for (hash, _) in &self.pairs[document] {
                frequency.entry(*hash).or_insert((0, keep.pairs)).0 += 1;
            }
        }
        let mut kept: Vec<(FeatureHash, u32)> = frequency
            .into_iter()
            .filter(|(_, (count, least))| count >= least)
            .map(|(hash, (count, _))| (hash, count))
            .collect();
        kept.sort_unstable_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(&right.0)));
        kept.truncate(keep.most);
        kept.sort_unstable();
        let documents = chosen.len() as f32;
        Vocabulary {
            hashes: kept.iter().map(|(hash, _)| *hash).collect(),
            idf: kept.iter().map(|(_, count)| ((1.0 + documents) / (1.0 + *count as f32)).ln() + 1.0).collect(),
            number: kept.iter().enumerate().map(|(number, (hash, _))| (*hash, number as u32)).collect(),
        }
    }

    /// The row of a document: features scaled to unit length by group, evidence of the lexicon, and a one.
    pub fn row(&self, document: usize, vocabulary: &Vocabulary, slots: usize, loudness: f32) -> Vec<(u32, f32)> {
        let size = |hash: FeatureHash| {
            vocabulary.number.get(&hash).map_or(0.0, |number| vocabulary.idf[*number as usize].powi(2))
        };
        let (mut words, mut letters) = (0.0, 0.0);
        let it = &self.documents[document];
        for mention in &it.mentions {
            let form = &self.forms[mention.form as usize];
            words += mention.squared * size(form.word);
            letters += mention.squared * form.letters.iter().map(|run| size(*run)).sum::<f32>();
        }
        words += self.pairs[document].iter().map(|(hash, count)| count * size(*hash)).sum::<f32>();
        let (words, letters) = (scale(words), scale(letters));
        let is_word: std::collections::HashSet<FeatureHash> =
            it.mentions.iter().map(|mention| self.forms[mention.form as usize].word).collect();
        let mut cells = Vec::with_capacity(it.cells.len());
        let mut add = |hash: FeatureHash, tf: f32, scale: f32| {
            if let Some(number) = vocabulary.number.get(&hash) {
                cells.push((*number, tf * vocabulary.idf[*number as usize] * scale));
            }
        };
        for (hash, tf) in &it.cells {
            add(*hash, *tf, if is_word.contains(hash) { words } else { letters });
        }
        for (hash, count) in &self.pairs[document] {
            add(*hash, *count, words);
        }
        let first_slot = vocabulary.hashes.len() as u32;
        cells.extend(it.slots.iter().map(|(slot, value)| (first_slot + u32::from(*slot), value * loudness)));
        cells.push((first_slot + slots as u32, 1.0));
        cells
    }
}

/// Sums equal features.
fn add_up(cells: &mut Vec<(FeatureHash, f32)>) {
    cells.sort_by_key(|(hash, _)| *hash);
    cells.dedup_by(|later, first| {
        let same = later.0 == first.0;
        if same {
            first.1 += later.1;
        }
        same
    });
}
