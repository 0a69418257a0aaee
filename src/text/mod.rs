//! Text as the enrichment reads it: tokens with interned words, made once per text and read by every stage.
//! Owner: one partition worker; no IO, no locks, nothing shared. What holds: tokens cover every character that is not
//! blank, in order, without overlaps, on character boundaries of the original text; the same word in any case and with
//! `ё` or `е` has one number; memory is bounded by the limits of [`Words`], whatever the stream brings.

mod fold;
mod key;
mod lanes;
mod side;
mod table;
#[cfg(test)]
mod tests;
mod token;
mod tokens;
mod words;

pub use fold::{fold, fold_into};
pub use side::Side;
pub use table::{ByWord, WordTable};
pub use token::{Letters, Shape, Token, Tokens};
pub use tokens::{tokenize, tokenize_more};
pub use words::{StemId, WordId, Words, stem_word};
