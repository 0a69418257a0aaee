//! The closed vocabularies of the project: what a status, an event, an outcome or a clock may be.
//! Invariant: the numbers are the `Enum8` codes of the ClickHouse columns, so they are only ever appended to.

/// One closed list of words with stable codes: name in configuration, tables and logs; number in memory and on the wire.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)+ }

        impl $name {
            /// Every word, in the order of the codes.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The word as it stands in configuration files and tables.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)+ }
            }

            /// The stable code (the `Enum8` number of the column).
            pub fn code(self) -> u8 {
                self as u8
            }

            pub fn from_name(name: &str) -> Option<$name> {
                match name { $($text => Some($name::$variant),)+ _ => None }
            }

            pub fn from_code(code: u8) -> Option<$name> {
                match code { $($code => Some($name::$variant),)+ _ => None }
            }
        }
    };
}

words! {
    /// What became of a record (design invariant 1).
    Outcome {
        /// It changed a case, or opened one.
        Applied = 1 "applied",
        /// The same fact was there already.
        Duplicate = 2 "duplicate",
        /// It cannot be used; `reason` and `field` say why.
        Rejected = 3 "rejected",
        /// It is sound but changes nothing on purpose: overtaken by a later event, a tombstone, an unwatched kind.
        Ignored = 4 "ignored",
    }
}

words! {
    /// What the block or the kind of a case rests on.
    Basis {
        Source = 1 "source",
        Text = 2 "text",
    }
}

words! {
    /// What the territory of a case rests on.
    Placed {
        /// The name that the source gives.
        Name = 1 "name",
        Coordinates = 2 "coordinates",
        Address = 3 "address",
        Text = 4 "text",
    }
}

words! {
    /// What a record is about. All but the first have no life to follow: such a record is a fact of its own.
    Subject {
        Case = 1 "case",
        /// A vote, a poll or a public discussion as it stands.
        Poll = 2 "poll",
        /// What one person voted for.
        Vote = 3 "vote",
        /// What one person said in a discussion.
        Comment = 4 "comment",
        /// The figures of an official page at one moment.
        Page = 5 "page",
    }
}

words! {
    /// The canonical status of a case; each source's own statuses are mapped onto it in its pipeline file.
    Status {
        New = 1 "new",
        Moderation = 2 "moderation",
        Coordination = 3 "coordination",
        InWork = 4 "in_work",
        Interim = 5 "interim",
        Approval = 6 "approval",
        Answered = 7 "answered",
        Closed = 8 "closed",
        Rejected = 9 "rejected",
        Returned = 10 "returned",
        /// Put off. Many exports call it closed; it is counted apart and never as solved.
        Deferred = 11 "deferred",
        Duplicate = 12 "duplicate",
        Transferred = 13 "transferred",
        /// In work under a term that was prolonged once, with notice to the author.
        Extended = 14 "extended",
    }
}

impl Status {
    /// Nobody works on such a case any more; its clocks have stopped.
    pub fn is_terminal(self) -> bool {
        matches!(self, Status::Answered | Status::Closed | Status::Rejected | Status::Deferred | Status::Duplicate)
    }
}

words! {
    /// The fact a record reports. For a snapshot it is the main fact that the comparison with the known case gave.
    EventKind {
        /// The case exists: registered, found in a network, called in.
        Registered = 1 "registered",
        /// Sent to a body, or from one body to another.
        Routed = 2 "routed",
        /// The author got a first, not yet final, answer.
        InterimAnswer = 3 "interim_answer",
        /// The author got the final answer.
        Answered = 4 "answered",
        Closed = 5 "closed",
        /// The author rated the answer (1..5), or reacted to it.
        Rated = 6 "rated",
        /// Declined: spam, off topic, no answer due.
        Declined = 7 "declined",
        /// Sent back for rework.
        Returned = 8 "returned",
        Deferred = 9 "deferred",
        Reopened = 10 "reopened",
        /// Joined to another case as its double.
        Merged = 11 "merged",
        /// Any other change of status.
        StatusChanged = 12 "status_changed",
        /// Attributes changed, the status did not.
        Updated = 13 "updated",
        /// The term was prolonged, with notice to the author.
        Extended = 14 "extended",
    }
}

words! {
    /// A countable fact with a time; windows are sums of these and nothing else.
    EffectKind {
        Registered = 1 "registered",
        /// `value`: seconds from registration.
        FirstAnswered = 2 "first_answered",
        /// `value`: seconds from registration.
        Answered = 3 "answered",
        Closed = 4 "closed",
        /// The first answer came after its due time, or the case ended without one; time is the due time, body the holder then.
        FirstBreached = 5 "first_breached",
        /// The same for the final answer.
        FinalBreached = 6 "final_breached",
        /// `value`: the rating, 1..5.
        Rated = 7 "rated",
        /// `value`: 1 satisfied, -1 not satisfied.
        Reacted = 8 "reacted",
        Returned = 9 "returned",
        Reopened = 10 "reopened",
        Deferred = 11 "deferred",
        Declined = 12 "declined",
        /// Handed from one body to another after the first routing.
        Transferred = 13 "transferred",
        Merged = 14 "merged",
        /// A stage (moderation, execution…) took longer than agreed; time is when it was due, body the holder then; nobody for the
        /// way to the first body.
        StageBreached = 15 "stage_breached",
        /// `value`: seconds for which a body held the open case; counted when it handed the case over or ended it.
        Held = 16 "held",
    }
}

words! {
    /// The author's reaction where a source has no marks (social networks).
    Reaction {
        Satisfied = 1 "satisfied",
        NotSatisfied = 2 "not_satisfied",
        None = 3 "none",
    }
}

words! {
    /// What a message is (thanks are never counted as complaints).
    MessageKind {
        Complaint = 1 "complaint",
        Request = 2 "request",
        Suggestion = 3 "suggestion",
        Question = 4 "question",
        Thanks = 5 "thanks",
        Accident = 6 "accident",
        Other = 7 "other",
    }
}

words! {
    /// What a message sounds like.
    Emotion {
        Calm = 1 "calm",
        Angry = 2 "angry",
        Desperate = 3 "desperate",
        Grateful = 4 "grateful",
    }
}

words! {
    /// How soon a source wants it.
    Priority {
        Normal = 1 "normal",
        Urgent = 2 "urgent",
    }
}

words! {
    /// The law a case is handled under; deadlines depend on it.
    Law {
        /// A message outside 59-ФЗ.
        None = 1 "none",
        Fz59 = 2 "59-fz",
        Fz8 = 3 "8-fz",
    }
}

words! {
    /// What the answer decided.
    Decision {
        Solved = 1 "solved",
        NotSolved = 2 "not_solved",
        Explained = 3 "explained",
        Deferred = 4 "deferred",
    }
}

words! {
    /// A clock with a deadline.
    Clock {
        FirstAnswer = 1 "first_answer",
        FinalAnswer = 2 "final_answer",
        /// From registration to the first hand-over to a body.
        Dispatch = 3 "dispatch",
        /// Stages, by the status of the case: agreements between bodies, nothing is owed to the author by them.
        Moderation = 4 "moderation",
        Coordination = 5 "coordination",
        Execution = 6 "execution",
        Approval = 7 "approval",
    }
}

impl Clock {
    /// Clocks of the way a case takes inside, not of what the author is owed.
    pub fn is_stage(self) -> bool {
        !matches!(self, Clock::FirstAnswer | Clock::FinalAnswer)
    }
}

words! {
    /// What starts a clock of the author.
    ClockStart {
        Registration = 1 "registration",
        /// Open sources: the message was found. The case begins then, as with a registration.
        Detection = 2 "detection",
        /// The first hand-over to a body.
        Dispatch = 3 "dispatch",
        /// The interim answer: without one the clock never starts.
        InterimAnswer = 4 "interim_answer",
    }
}

words! {
    /// The unit a goal is counted in.
    GoalUnit {
        Hours = 1 "hours",
        Days = 2 "days",
        WorkingHours = 3 "working_hours",
        WorkingDays = 4 "working_days",
        Minutes = 5 "minutes",
    }
}

words! {
    /// Where a deadline on a day off moves to.
    Roll {
        None = 1 "none",
        Previous = 2 "previous",
        Next = 3 "next",
    }
}

words! {
    /// The canonical fields a pipeline file may map a column to. Code knows these names and no column name.
    Field {
        CaseId = 1 "case_id",
        Event = 2 "event",
        EventAt = 3 "event_at",
        RegisteredAt = 4 "registered_at",
        PlannedAt = 5 "planned_at",
        CompletedAt = 6 "completed_at",
        Status = 7 "status",
        Stage = 8 "stage",
        Category = 9 "category",
        Subcategory = 10 "subcategory",
        Topic = 11 "topic",
        Block = 12 "block",
        ReceivedBody = 13 "received_body",
        Body = 14 "body",
        Territory = 15 "territory",
        Address = 16 "address",
        Latitude = 17 "latitude",
        Longitude = 18 "longitude",
        Text = 19 "text",
        AnswerText = 20 "answer_text",
        AuthorId = 21 "author_id",
        Network = 22 "network",
        Link = 23 "link",
        FastTrack = 24 "fast_track",
        Law = 25 "law",
        Decision = 26 "decision",
        Rating = 27 "rating",
        Reaction = 28 "reaction",
        SourceOverdue = 29 "source_overdue",
        Review = 30 "review",
        Priority = 31 "priority",
        Kind = 32 "kind",
        DuplicateOf = 33 "duplicate_of",
        /// Of a vote: what was voted for.
        Option = 34 "option",
        /// Of a poll or a page: its name.
        Title = 35 "title",
        /// Of a poll: how many may vote.
        Eligible = 36 "eligible",
        /// Of a poll: the decision was made public.
        Published = 37 "published",
        /// Of a page, as all that follow.
        LastPostAt = 38 "last_post_at",
        Subscribers = 39 "subscribers",
        Views = 40 "views",
        /// Comments that nobody has answered.
        Unanswered = 41 "unanswered",
        /// The widget of ПОС is there.
        Widget = 42 "widget",
    }
}

impl Field {
    /// The shapes of records that have it; the others are of cases, votes and pages alike.
    pub fn only_of(self) -> Option<&'static [Subject]> {
        match self {
            Field::Option => Some(&[Subject::Vote]),
            Field::Eligible | Field::Published => Some(&[Subject::Poll]),
            Field::Title => Some(&[Subject::Poll, Subject::Page]),
            Field::LastPostAt | Field::Subscribers | Field::Views | Field::Unanswered | Field::Widget => {
                Some(&[Subject::Page])
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_its_name_and_its_code() {
        for status in Status::ALL {
            assert_eq!(Status::from_name(status.name()), Some(*status));
            assert_eq!(Status::from_code(status.code()), Some(*status));
        }
        for field in Field::ALL {
            assert_eq!(Field::from_name(field.name()), Some(*field));
        }
    }

    #[test]
    fn status_codes_fit_the_bits_of_a_pause_list() {
        assert!(Status::ALL.iter().all(|status| status.code() < 32));
    }

    #[test]
    fn a_deferred_case_is_closed_but_never_answered() {
        assert!(Status::Deferred.is_terminal());
        assert_ne!(Status::Deferred, Status::Answered);
    }
}
