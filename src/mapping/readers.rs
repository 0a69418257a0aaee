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
