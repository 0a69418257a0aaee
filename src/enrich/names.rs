//! Interned names: dimensions are numbers in memory and words on the wire.
//! Owner: the process; shared by all workers, read-mostly. Invariants: number zero is the empty name; a number never
//! changes its name while the process lives; numbers never reach a table, so two processes may number differently.

use std::sync::{Arc, RwLock};

use dashmap::DashMap;

/// Numbers 1..LIMIT are given out; everything after shares one number, so that a source of endless names cannot eat memory.
const LIMIT: usize = 60_000;
/// What stands for a name that came after the table was full.
pub const OTHER_NAMES: &str = "(прочие)";

/// One list of names.
pub struct Names {
    by_name: DashMap<Arc<str>, u16>,
    by_number: RwLock<Vec<Arc<str>>>,
}

impl Default for Names {
    fn default() -> Names {
        Names { by_name: DashMap::new(), by_number: RwLock::new(vec![Arc::from("")]) }
    }
}

impl Names {
    /// The number of a name; gives it one when it is new.
    pub fn number(&self, name: &str) -> u16 {
        if name.is_empty() {
            return 0;
        }
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let mut names = match self.by_number.write() {
            Ok(names) => names,
            Err(poisoned) => poisoned.into_inner(), // pushing to the list is its only change, so it is whole
        };
        if let Some(number) = self.by_name.get(name) {
            return *number; // another worker was faster
        }
        let name: Arc<str> = if names.len() >= LIMIT { Arc::from(OTHER_NAMES) } else { Arc::from(name) };
        if let Some(number) = self.by_name.get(&name) {
            return *number;
        }
        let number = names.len() as u16;
        names.push(name.clone());
        self.by_name.insert(name, number);
        number
    }

    /// The name of a number given out before; empty for any other.
    pub fn name(&self, number: u16) -> Arc<str> {
        let names = match self.by_number.read() {
            Ok(names) => names,
            Err(poisoned) => poisoned.into_inner(),
        };
        names.get(usize::from(number)).cloned().unwrap_or_else(|| Arc::from(""))
    }
}

/// The lists of names of the process.
#[derive(Default)]
pub struct NameLists {
    pub blocks: Names,
    pub topics: Names,
    pub territories: Names,
    pub bodies: Names,
    /// Categories and networks in the source's own words.
    pub words: Names,
    /// SLA policies; number = index + 1.
    pub policies: Names,
    /// Codes of the bodies that routing proposes, with commas between them.
    pub proposals: Names,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number() {
        let names = Names::default();
        let first = names.number("Минздрав");
        assert_eq!(names.number("Минтранс"), first + 1);
        assert_eq!(names.number("Минздрав"), first);
        assert_eq!(&*names.name(first), "Минздрав");
        assert_eq!(names.number(""), 0);
    }

    #[test]
    fn a_flood_of_names_shares_one_number() {
        let names = Names::default();
        for number in 0..LIMIT + 10 {
            names.number(&format!("name {number}"));
        }
        assert_eq!(&*names.name(names.number("one more")), OTHER_NAMES);
        assert_eq!(names.number("one more"), names.number("yet another"));
    }
}
