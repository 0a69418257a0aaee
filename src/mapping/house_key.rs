//! The key of a house: what tells that two messages speak of one street and house, however its words are written.
//! Owner: one mapper. Invariants: the key depends on the text and the gazetteer alone; making one allocates nothing, but for
//! words of streets that were never met as words of a text.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::enrich::locate::{Atlas, Place, StreetFound};
use crate::text::{Words, fold_into, stem_word};

/// Makes keys; the buffers are used again.
#[derive(Default)]
pub struct HouseKeys {
    number: String,
    folded: String,
}

impl HouseKeys {
    /// Hash of street and house as the text has them; zero when one is missing. `words` are those of the text.
    pub fn key(&mut self, atlas: &Atlas, words: &Words, text: &str, place: &Place) -> u64 {
        let Some(street) = place.street else { return 0 };
        let house = place.house.of(text);
        if house.is_empty() {
            return 0;
        }
        let number = self.number(house);
        let key = match street {
            StreetFound::Known(index) => {
                let stems = atlas.street_stems(index);
                if stems.is_empty() {
                    return 0;
                }
                stems.iter().fold(number, |hash, stem| xxh3_64_with_seed(stem.as_bytes(), hash))
            }
            StreetFound::Written(start, end) => {
                let street = text.get(start as usize..end as usize).unwrap_or_default();
                if street.is_empty() {
                    return 0;
                }
                street.split_whitespace().fold(number, |hash, word| self.add_word(words, word, hash))
            }
        };
        key.max(1)
    }

    /// «64 А» and «64а» are one.
    fn number(&mut self, house: &str) -> u64 {
        self.number.clear();
        self.number.extend(house.chars().filter(|letter| letter.is_alphanumeric()));
        self.folded.clear();
        fold_into(&self.number, &mut self.folded);
        xxh3_64(self.folded.as_bytes())
    }

    fn add_word(&mut self, words: &Words, word: &str, hash: u64) -> u64 {
        self.folded.clear();
        fold_into(word, &mut self.folded);
        match words.find_form(&self.folded) {
            Some(id) => xxh3_64_with_seed(words.stem_text(words.stem(id)).as_bytes(), hash),
            None => xxh3_64_with_seed(stem_word(&self.folded).as_bytes(), hash),
        }
    }
}
