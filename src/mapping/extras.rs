//! What records say that are about no case: votes, polls, comments of discussions, figures of pages.
//! Owner: the mapper. Invariants: the result is one JSON object with the keys of `schemas/clickhouse/0011_votes_pages.sql`, in a
//! fixed order, and only those that the record gives (nothing is not zero); texts in it are masked.

use serde_json::{Map, Value as Json};

use crate::codec::Value;
use crate::enrich::mask::mask_into;
use crate::mapping::mapper::{Rejection, Texts};
use crate::mapping::plan::Plan;
use crate::model::facts::Facts;
use crate::model::words::{Field, Subject};

/// Longest option or title (bytes); a longer one is a text in the wrong column.
const LONGEST_NAME: usize = 1_000;

impl Plan {
    /// Fills `texts.extra`, and refuses what would count nothing.
    pub(super) fn map_extras(&self, slots: &[Value<'_>], facts: &Facts, texts: &mut Texts) -> Result<(), Rejection> {
        let mut extra = Map::new();
        match facts.subject {
            Subject::Case => return Ok(()),
            Subject::Vote => {
                // one vote a person: without a person nobody can tell a second vote from a first one
                if facts.author_key == 0 {
                    return Err(self.reject("missing", Field::AuthorId));
                }
                self.name(slots, Field::Option, &mut extra)?;
                if extra.is_empty() {
                    return Err(self.reject("missing", Field::Option));
                }
            }
            Subject::Comment => {}
            Subject::Poll => {
                self.name(slots, Field::Title, &mut extra)?;
                self.count(slots, Field::Eligible, &mut extra)?;
                self.truth_of(slots, Field::Published, &mut extra)?;
            }
            Subject::Page => {
                self.name(slots, Field::Title, &mut extra)?;
                for field in [Field::Subscribers, Field::Views, Field::Unanswered] {
                    self.count(slots, field, &mut extra)?;
                }
                self.truth_of(slots, Field::Widget, &mut extra)?;
                let mut unused = *facts;
                if let Some(at) = self.time(slots, Field::LastPostAt, Some(facts.at), &mut unused)? {
                    extra.insert(Field::LastPostAt.name().to_owned(), Json::from(at.seconds()));
                }
            }
        }
        if !extra.is_empty() {
            let written = serde_json::to_writer(&mut texts.extra, &extra);
            debug_assert!(written.is_ok(), "writing into a Vec cannot fail");
        }
        Ok(())
    }

    fn name(&self, slots: &[Value<'_>], field: Field, extra: &mut Map<String, Json>) -> Result<(), Rejection> {
        let text = self.text(slots, field)?;
        if text.len() > LONGEST_NAME {
            return Err(self.reject("bad_value", field));
        }
        if !text.is_empty() {
            let mut masked = Vec::new();
            mask_into(&text, &mut masked);
            extra.insert(field.name().to_owned(), Json::from(String::from_utf8_lossy(&masked)));
        }
        Ok(())
    }

    /// A whole number that is not negative; tables write it as `5.0` too.
    fn count(&self, slots: &[Value<'_>], field: Field, extra: &mut Map<String, Json>) -> Result<(), Rejection> {
        let text = self.text(slots, field)?;
        if !text.is_empty() {
            let plain = text.strip_suffix(".0").unwrap_or(&text);
            let number: u32 = plain.parse().map_err(|_| self.reject("bad_value", field))?;
            extra.insert(field.name().to_owned(), Json::from(number));
        }
        Ok(())
    }

    fn truth_of(&self, slots: &[Value<'_>], field: Field, extra: &mut Map<String, Json>) -> Result<(), Rejection> {
        if let Some(flag) = self.flag(slots, field)? {
            extra.insert(field.name().to_owned(), Json::from(flag));
        }
        Ok(())
    }

    /// Which of them a record of votes is.
    pub(super) fn map_subject(&self, slots: &[Value<'_>], facts: &mut Facts) -> Result<(), Rejection> {
        let word = self.required_text(slots, Field::Event)?;
        facts.subject = self.subjects.get(&word).ok_or_else(|| self.reject("unknown_word", Field::Event))?;
        Ok(())
    }
}
