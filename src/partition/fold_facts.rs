//! Records that are about no case on their way through the fold: votes, polls, comments, figures of pages.
//! Invariant: such a record is one journal row and touches no state, so a repeat of it is one more row; that it counts
//! once is the business of the tables, whose keys are the facts themselves (`votes`, `pages`).

use crate::model::apply::DeadlineRules;
use crate::model::effects::Dimensions;
use crate::model::facts::Facts;
use crate::model::ids::CaseKey;
use crate::model::words::Outcome;
use crate::partition::fold::{Fold, list_masked};
use crate::partition::seen::Seen;
use crate::sink::journal::{Fate, Position, Told};

impl<R: DeadlineRules> Fold<R> {
    /// The row of a fact that stands for itself.
    pub(super) fn note(&mut self, position: Position, facts: &Facts) {
        self.tally.applied += 1;
        self.tally.rejects_in_a_row = 0;
        self.recent.note(false);
        list_masked(self.texts.masked, &mut self.masked);
        let told = Told {
            event: None,
            event_at: Some(facts.at),
            case_key: CaseKey(0),
            case_id: &self.texts.case_id,
            effects: &[],
            before: Dimensions::default(),
            text: &self.texts.text,
            masked: &self.masked,
            place: &self.texts.place,
            latitude: self.texts.latitude,
            longitude: self.texts.longitude,
            reading: self.texts.reading,
            answer: &self.texts.answer,
            subject: facts.subject,
            extra: &self.texts.extra,
        };
        let fate = Fate { outcome: Outcome::Applied, reason: "", field: "", excerpt: b"" };
        self.journal.push(position, fate, &told, Some(&facts.as_columns()));
        if let Some(seen) = &mut self.seen {
            seen.push(Seen {
                position,
                outcome: Outcome::Applied,
                reason: "",
                field: String::new(),
                excerpt: String::new(),
                event: None,
                subject: facts.subject,
                at: Some(facts.at),
                case_id: self.texts.case_id.clone(),
                case: None,
                masked: self.texts.masked,
                oldest_effect: None,
            });
        }
    }
}
