//! What reads words, lent to the mapper that has records at the moment.
//! Owner: the rules, shared by the mappers of a process. Invariants: what a reader says depends on the text and the
//! dictionaries alone, so it does not matter who had it before; there are never more readers than mappers that worked at
//! the same time, because each is given back before its worker waits. Why they are not the workers' own: the caches of
//! one take megabytes, and a process may own dozens of partitions on a handful of cores; lending also keeps them warm.
//! The lock is held for one push or pop, once in a chunk of records.

use std::sync::{Arc, Mutex, PoisonError};

use crate::mapping::dictionaries::Dictionaries;
use crate::mapping::understanding::Understanding;

/// The readers that nobody uses at the moment.
pub struct Readers {
    dictionaries: Arc<Dictionaries>,
    #[expect(
        clippy::vec_box,
        reason = "a reader is kilobytes of buffers and tables that need not move at each lending"
    )]
    idle: Mutex<Vec<Box<Understanding>>>,
}

impl Readers {
    pub fn new(dictionaries: Arc<Dictionaries>) -> Readers {
        Readers { dictionaries, idle: Mutex::default() }
    }

    pub fn dictionaries(&self) -> &Arc<Dictionaries> {
        &self.dictionaries
    }

    /// A reader for as long as records are mapped without a pause.
    pub fn lend(&self) -> Box<Understanding> {
        // a push or a pop leaves the list whole even where its thread panicked
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| Box::new(Understanding::new(self.dictionaries.clone())))
    }

    pub fn give_back(&self, reader: Box<Understanding>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
    }

    /// Readers that nobody uses at the moment.
    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enrich::enricher::TextBooks;
    use crate::enrich::names::NameLists;

    #[test]
    fn a_reader_that_was_given_back_is_lent_again_and_says_the_same() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
        let config = crate::config::load(&folder, &|_| None).expect("the shipped configuration is sound");
        let texts = TextBooks::build(&config.reference.texts).expect("sound phrases");
        let dictionaries = Dictionaries::new(Arc::new(config.reference.clone()), Arc::new(NameLists::default()), texts);
        let readers = Readers::new(Arc::new(dictionaries));
        let masked = |reader: &mut Understanding| {
            let mut out = Vec::new();
            reader.mask_into("Меня зовут Иванова Мария Петровна", &mut out);
            out
        };
        let (mut one, mut other) = (readers.lend(), readers.lend());
        let said = masked(&mut one);
        assert_eq!(masked(&mut other), said);
        readers.give_back(one);
        readers.give_back(other);
        assert_eq!(readers.idle(), 2);
        let mut again = readers.lend();
        assert_eq!((masked(&mut again), readers.idle()), (said, 1));
    }
}
