//! What one stage knows of each word: a table by word number that fills itself when a word is first seen.
//! Owner: the stage. Invariants: a value is made once per word and generation; when [`Words`] forgets, so does this.

use super::words::{StemId, WordId, Words};

/// Values by [`WordId`].
pub struct Side<T> {
    generation: u32,
    values: Vec<Option<T>>,
    /// The value of [`WordId::NONE`].
    none: Option<T>,
}

impl<T> Default for Side<T> {
    fn default() -> Side<T> {
        Side { generation: 0, values: Vec::new(), none: None }
    }
}

impl<T> Side<T> {
    pub fn new() -> Side<T> {
        Side::default()
    }

    /// The value of a word; `make` is called at first sight with the form and its stem.
    /// [`WordId::NONE`] is the empty form.
    pub fn get(&mut self, words: &Words, id: WordId, make: impl FnOnce(&str, StemId) -> T) -> &T {
        if self.generation != words.generation() {
            self.forget(words.generation());
        }
        if id == WordId::NONE {
            return self.none.get_or_insert_with(|| make("", StemId::NONE));
        }
        if id.index() >= self.values.len() {
            self.grow(words.len().max(id.index() + 1));
        }
        self.values[id.index()].get_or_insert_with(|| make(words.form(id), words.stem(id)))
    }

    #[cold]
    fn grow(&mut self, length: usize) {
        self.values.resize_with(length, || None);
    }

    #[cold]
    fn forget(&mut self, generation: u32) {
        self.values.clear();
        self.generation = generation;
    }
}
