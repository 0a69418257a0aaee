//! Names of people, found in the tokens of a text. `forms` makes the cases of names, `lexicon` knows what a word can be in
//! a name, `detect` goes over a text, `sequence` and `around` decide. Invariant: what is decided depends on words that are not masked themselves, so
//! a second pass over a masked text finds nothing new.

mod around;
mod detect;
mod forms;
mod lexicon;
mod reader;
mod sequence;

pub use detect::People;
pub use lexicon::{PersonLexicon, PersonLists};
