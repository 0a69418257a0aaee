//! What one stage knows of each word: a table by word number that fills itself when a word is first seen.
//! Owner: the stage. Invariants: a value is made once per word and generation; when [`Words`] forgets, so does this.
//! Keep values small and with a spare bit pattern for `Option`: every stage asks its table about every word of every text.

use super::words::{StemId, WordId, Words};

/// Values by [`WordId`].
pub struct Side<T> {
    generation: u32,
    values: Vec<Option<T>>,
}

impl<T> Default for Side<T> {
    fn default() -> Side<T> {
        Side { generation: 0, values: Vec::new() }
    }
}

impl<T: Copy> Side<T> {
    pub fn new() -> Side<T> {
        Side::default()
    }

    /// The value of a word; `make` is called at first sight with the form and its stem.
    /// [`WordId::NONE`] is the empty form.
    #[inline]
    pub fn get(&mut self, words: &Words, id: WordId, make: impl FnOnce(&str, StemId) -> T) -> T {
        if self.generation == words.generation()
            && let Some(Some(value)) = self.values.get(id.index())
        {
            return *value;
        }
        self.first_sight(words, id, make)
    }

    #[cold]
    #[inline(never)]
    fn first_sight(&mut self, words: &Words, id: WordId, make: impl FnOnce(&str, StemId) -> T) -> T {
        if self.generation != words.generation() {
            self.values.clear();
            self.generation = words.generation();
        }
        if id.index() >= self.values.len() {
            self.values.resize_with((words.len() + 1).max(id.index() + 1), || None);
        }
        *self.values[id.index()].get_or_insert_with(|| make(words.form(id), words.stem(id)))
    }
}
