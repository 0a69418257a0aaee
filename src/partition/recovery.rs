//! What to do with a partition that was just assigned: the decision table of the protocol, as a pure function.
//! Invariant: nothing is guessed. Where offsets and journal contradict each other, the partition stops, names the range
//! and both ways out.

use thiserror::Error;

use crate::model::ids::{Offset, OffsetRange, StreamEpoch};
use crate::partition::batch::{BadIntent, Intent};

/// What Kafka says of the partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogView {
    /// Committed offset and its metadata.
    pub committed: Option<(Offset, String)>,
    /// First offset that Kafka still has.
    pub low: Offset,
    /// Offset after the last record.
    pub high: Offset,
}

/// What an operator allowed on the command line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Consent {
    pub resume_from_journal: bool,
    pub accept_gap: bool,
}

/// How the partition starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Restore the state below the offset and read on from it.
    Run { from: Offset },
    /// Restore below the begin of the intent, obey it exactly, then run.
    Replay { intent: Intent },
    /// Run, and record the range as lost with consent.
    RunAfterGap { gap: OffsetRange },
}

/// Why a partition refuses to start. Every kind means "stop this partition".
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    #[error(
        "offsets were reset behind our back: the journal ends at {journal_end}, the group would read again from {committed}; \
         records [{committed},{journal_end}) are in the journal already. Either start with --resume-from-journal to go on at {journal_end}, \
         or set the group's offset to {journal_end} yourself"
    )]
    BehindJournal { committed: Offset, journal_end: Offset },
    #[error(
        "a gap: the journal ends at {journal_end}, the group would read from {committed}; records [{journal_end},{committed}) would be lost. \
         Either set the group's offset back to {journal_end}, or start with --accept-gap to record the range as lost"
    )]
    Gap { journal_end: Offset, committed: Offset },
    #[error(
        "the committed offset is gone (expired, or another group), but the journal ends at {journal_end}. Either start with \
         --resume-from-journal to go on at {journal_end}; or, if the topic was recreated, publish to a topic of another name and set it \
         as kafka_topic in the pipeline file: the journal tells records by topic, partition and offset"
    )]
    CommittedExpired { journal_end: Offset },
    #[error(
        "kafka no longer has records [{wanted},{low}): retention was shorter than the outage. Either restore the topic, or start with \
         --accept-gap to record the range as lost"
    )]
    RetentionAteRange { wanted: Offset, low: Offset },
    #[error(
        "kafka ends at {high}, before {wanted}: the topic was recreated or truncated. Either restore it, or \
         publish to a topic of another name and set it as kafka_topic in the pipeline file: the journal tells records by topic, \
         partition and offset"
    )]
    LogTruncated { wanted: Offset, high: Offset },
    #[error(
        "offsets and journal contradict each other: the open intent is {range}, the journal ends at {journal_end}, which is neither \
         end of it. Either start with --resume-from-journal to go on at {journal_end}, or set the group's offset to {journal_end} \
         without metadata yourself"
    )]
    IntentContradicted { range: OffsetRange, journal_end: Offset },
    #[error(
        "{0}. Either run the version that wrote it, or commit the offset without metadata after checking the journal by hand"
    )]
    UnknownIntent(#[from] BadIntent),
    #[error(
        "the open intent belongs to stream epoch {found}, the pipeline file says {expected}. Either set the epoch back to let the intent \
         finish, or use a new consumer group"
    )]
    OtherEpoch { found: u32, expected: u32 },
}

/// The decision table. `journal_end` is the offset after the last journal row, `None` for an empty journal.
pub fn decide(
    log: &LogView,
    journal_end: Option<Offset>,
    epoch: StreamEpoch,
    consent: Consent,
) -> Result<Action, Refusal> {
    let Some((committed, metadata)) = &log.committed else {
        return match journal_end {
            None => Ok(Action::Run { from: log.low }),
            Some(end) if consent.resume_from_journal => within(log, end, consent),
            Some(journal_end) => Err(Refusal::CommittedExpired { journal_end }),
        };
    };
    let committed = *committed;
    if let Some(intent) = Intent::parse(committed, metadata)? {
        if intent.epoch != epoch {
            return Err(Refusal::OtherEpoch { found: intent.epoch.0, expected: epoch.0 });
        }
        // a batch lands whole and is the last of its partition, so its intent has no other ends than these two
        let contradicting = journal_end.filter(|end| *end > committed && *end != intent.range.end);
        if let Some(journal_end) = contradicting {
            if !consent.resume_from_journal {
                return Err(Refusal::IntentContradicted { range: intent.range, journal_end });
            }
            return within(log, journal_end, consent);
        }
        if let Some(journal_end) = journal_end.filter(|end| *end < committed) {
            if !consent.accept_gap {
                return Err(Refusal::Gap { journal_end, committed });
            }
            // the journal lost its end, so it cannot have the range of the intent either: it is read as new
            within(log, committed, consent)?;
            return Ok(Action::RunAfterGap { gap: OffsetRange { begin: journal_end, end: committed } });
        }
        if log.low > committed {
            if journal_end >= Some(intent.range.end) {
                return within(log, intent.range.end, consent); // its rows landed, so the range is not needed again
            }
            return within(log, committed, consent);
        }
        if log.high < intent.range.end {
            return Err(Refusal::LogTruncated { wanted: intent.range.end, high: log.high });
        }
        return Ok(Action::Replay { intent });
    }
    match journal_end {
        Some(journal_end) if journal_end > committed => {
            if !consent.resume_from_journal {
                return Err(Refusal::BehindJournal { committed, journal_end });
            }
            within(log, journal_end, consent)
        }
        Some(journal_end) if journal_end < committed => {
            if !consent.accept_gap {
                return Err(Refusal::Gap { journal_end, committed });
            }
            within(log, committed, consent)?;
            Ok(Action::RunAfterGap { gap: OffsetRange { begin: journal_end, end: committed } })
        }
        _ => within(log, committed, consent),
    }
}

/// The log must still have what comes next.
fn within(log: &LogView, from: Offset, consent: Consent) -> Result<Action, Refusal> {
    if log.high < from {
        return Err(Refusal::LogTruncated { wanted: from, high: log.high });
    }
    if log.low > from {
        if consent.accept_gap {
            return Ok(Action::RunAfterGap { gap: OffsetRange { begin: from, end: log.low } });
        }
        return Err(Refusal::RetentionAteRange { wanted: from, low: log.low });
    }
    Ok(Action::Run { from })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::RulesVersion;

    const EPOCH: StreamEpoch = StreamEpoch(1);
    const NONE: Consent = Consent { resume_from_journal: false, accept_gap: false };
    const RESUME: Consent = Consent { resume_from_journal: true, accept_gap: false };
    const GAP: Consent = Consent { resume_from_journal: false, accept_gap: true };

    fn log(committed: Option<u64>, metadata: &str) -> LogView {
        LogView {
            committed: committed.map(|offset| (Offset(offset), metadata.to_owned())),
            low: Offset(0),
            high: Offset(1000),
        }
    }

    fn intent(begin: u64, end: u64) -> Intent {
        let range = OffsetRange { begin: Offset(begin), end: Offset(end) };
        Intent { range, epoch: EPOCH, rules: RulesVersion(7), tick: 1 }
    }

    #[test]
    fn an_open_intent_is_replayed_whether_or_not_its_rows_landed() {
        let view = log(Some(100), &intent(100, 150).to_string());
        for journal_end in [None, Some(Offset(100)), Some(Offset(150))] {
            assert_eq!(decide(&view, journal_end, EPOCH, NONE), Ok(Action::Replay { intent: intent(100, 150) }));
        }
    }

    #[test]
    fn an_intent_that_the_journal_contradicts_is_not_obeyed() {
        let view = log(Some(100), &intent(100, 150).to_string());
        for end in [120, 151, 300] {
            let expected = Refusal::IntentContradicted { range: intent(100, 150).range, journal_end: Offset(end) };
            assert_eq!(decide(&view, Some(Offset(end)), EPOCH, NONE), Err(expected));
            assert_eq!(decide(&view, Some(Offset(end)), EPOCH, RESUME), Ok(Action::Run { from: Offset(end) }));
        }
    }

    #[test]
    fn a_gap_before_an_open_intent_is_a_gap_all_the_same() {
        let view = log(Some(100), &intent(100, 150).to_string());
        let expected = Refusal::Gap { journal_end: Offset(90), committed: Offset(100) };
        assert_eq!(decide(&view, Some(Offset(90)), EPOCH, NONE), Err(expected));
        let accept = Consent { resume_from_journal: false, accept_gap: true };
        let gap = OffsetRange { begin: Offset(90), end: Offset(100) };
        assert_eq!(decide(&view, Some(Offset(90)), EPOCH, accept), Ok(Action::RunAfterGap { gap }));
    }

    #[test]
    fn a_clean_partition_runs_from_its_committed_offset() {
        assert_eq!(decide(&log(Some(100), ""), Some(Offset(100)), EPOCH, NONE), Ok(Action::Run { from: Offset(100) }));
        assert_eq!(decide(&log(Some(100), ""), None, EPOCH, NONE), Ok(Action::Run { from: Offset(100) }));
        assert_eq!(decide(&log(None, ""), None, EPOCH, NONE), Ok(Action::Run { from: Offset(0) }));
    }

    #[test]
    fn offsets_reset_behind_our_back_stop_the_partition_unless_told_to_resume() {
        let expected = Refusal::BehindJournal { committed: Offset(100), journal_end: Offset(300) };
        assert_eq!(decide(&log(Some(100), ""), Some(Offset(300)), EPOCH, NONE), Err(expected));
        assert_eq!(
            decide(&log(Some(100), ""), Some(Offset(300)), EPOCH, RESUME),
            Ok(Action::Run { from: Offset(300) })
        );
    }

    #[test]
    fn a_gap_stops_the_partition_unless_it_is_accepted() {
        let expected = Refusal::Gap { journal_end: Offset(50), committed: Offset(100) };
        assert_eq!(decide(&log(Some(100), ""), Some(Offset(50)), EPOCH, NONE), Err(expected));
        let gap = OffsetRange { begin: Offset(50), end: Offset(100) };
        assert_eq!(decide(&log(Some(100), ""), Some(Offset(50)), EPOCH, GAP), Ok(Action::RunAfterGap { gap }));
    }

    #[test]
    fn expired_offsets_are_not_taken_for_a_new_group() {
        let refused = decide(&log(None, ""), Some(Offset(300)), EPOCH, NONE);
        assert_eq!(refused, Err(Refusal::CommittedExpired { journal_end: Offset(300) }));
        assert_eq!(decide(&log(None, ""), Some(Offset(300)), EPOCH, RESUME), Ok(Action::Run { from: Offset(300) }));
    }

    #[test]
    fn a_range_that_kafka_no_longer_has_is_named() {
        let mut view = log(Some(100), "");
        view.low = Offset(120);
        let refused = decide(&view, Some(Offset(100)), EPOCH, NONE);
        assert_eq!(refused, Err(Refusal::RetentionAteRange { wanted: Offset(100), low: Offset(120) }));
        let gap = OffsetRange { begin: Offset(100), end: Offset(120) };
        assert_eq!(decide(&view, Some(Offset(100)), EPOCH, GAP), Ok(Action::RunAfterGap { gap }));
        let mut truncated = log(Some(100), &intent(100, 150).to_string());
        truncated.high = Offset(120);
        let refused = decide(&truncated, Some(Offset(100)), EPOCH, NONE);
        assert_eq!(refused, Err(Refusal::LogTruncated { wanted: Offset(150), high: Offset(120) }));
    }

    #[test]
    fn an_intent_of_another_epoch_or_version_is_never_obeyed() {
        let other = Intent { epoch: StreamEpoch(2), ..intent(100, 150) };
        let refused = decide(&log(Some(100), &other.to_string()), None, EPOCH, NONE);
        assert_eq!(refused, Err(Refusal::OtherEpoch { found: 2, expected: 1 }));
        assert!(matches!(decide(&log(Some(100), "v9 x=1"), None, EPOCH, NONE), Err(Refusal::UnknownIntent(_))));
    }
}
