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

    /// The table as it is good for one text: whether `words` has forgotten is asked once, not for each word.
    #[inline]
    pub fn of<'s>(&'s mut self, words: &'s Words) -> SideOf<'s, T> {
        if self.generation != words.generation() {
            self.values.clear();
            self.generation = words.generation();
        }
        SideOf { values: &mut self.values, words }
    }

    /// The value of one word; see [`SideOf::get`].
    #[inline]
    pub fn get(&mut self, words: &Words, id: WordId, make: impl FnOnce(&str, StemId) -> T) -> T {
        self.of(words).get(id, make)
    }
}

/// A side table together with the words of a text.
pub struct SideOf<'s, T> {
    values: &'s mut Vec<Option<T>>,
    words: &'s Words,
}

impl<T: Copy> SideOf<'_, T> {
    /// The value of a word; `make` is called at first sight with the form and its stem.
    /// [`WordId::NONE`] is the empty form.
    #[inline]
    pub fn get(&mut self, id: WordId, make: impl FnOnce(&str, StemId) -> T) -> T {
        match self.values.get(id.index()) {
            Some(Some(value)) => *value,
            _ => self.first_sight(id, make),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_sight(&mut self, id: WordId, make: impl FnOnce(&str, StemId) -> T) -> T {
        if id.index() >= self.values.len() {
            self.values.resize_with((self.words.len() + 1).max(id.index() + 1), || None);
        }
        *self.values[id.index()].get_or_insert_with(|| make(self.words.form(id), self.words.stem(id)))
    }
}
