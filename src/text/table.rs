//! What one stage knows of every word: a table by word number, for stages that ask about each word of each text.
//! Owner: the stage; [`super::Side`] is for those that ask about few. Invariants: a value is made once per word and
//! generation, before the first text with the word is read; when [`Words`] forgets, so does this.

use super::words::{StemId, WordId, Words};

/// Values of all words, by [`WordId`].
pub struct WordTable<T> {
    generation: u32,
    values: Vec<T>,
}

impl<T> Default for WordTable<T> {
    fn default() -> WordTable<T> {
        WordTable { generation: 0, values: Vec::new() }
    }
}

impl<T: Copy> WordTable<T> {
    pub fn new() -> WordTable<T> {
        WordTable::default()
    }

    /// The values of all words that are known by now; `make` is called for the new ones, with the form and its stem.
    /// [`WordId::NONE`] is the empty form.
    #[inline]
    pub fn of(&mut self, words: &Words, make: impl FnMut(&str, StemId) -> T) -> ByWord<'_, T> {
        if self.generation != words.generation() || self.values.len() <= words.len() {
            self.complete(words, make);
        }
        ByWord(&self.values)
    }

    #[cold]
    #[inline(never)]
    fn complete(&mut self, words: &Words, mut make: impl FnMut(&str, StemId) -> T) {
        if self.generation != words.generation() {
            self.values.clear();
            self.generation = words.generation();
        }
        self.values.extend(words.ids_from(self.values.len()).map(|id| make(words.form(id), words.stem(id))));
    }
}

/// The values while a text is read.
#[derive(Clone, Copy)]
pub struct ByWord<'t, T>(&'t [T]);

impl<T: Copy> ByWord<'_, T> {
    /// The value of a word; the number must be of the words that the values were made for.
    #[inline]
    pub fn get(self, id: WordId) -> T {
        self.0[id.index()]
    }
}
