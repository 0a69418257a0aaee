//! The exactly-once protocol of one batch, as types that only allow the right order:
//! `begin` (the intent is committed) gives the only value that can `write`, whose result is the only one that can `finish`.
//! Owner: the partition worker. Invariants: at most one intent of a partition is open; a batch that was begun is written
//! with exactly the range, the tick and the rules of its intent; the same bytes go out on every attempt, under the same
//! token as long as it is not proven that the server knows the token and has lost the rows.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use thiserror::Error;

use crate::model::ids::{Offset, OffsetRange, RulesVersion, StreamEpoch};
use crate::partition::ports::{CommitError, Landed, OffsetLog, Sink, SinkError, StreamId};

/// What is about to be written, as the broker keeps it in the metadata of the committed offset `range.begin`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Intent {
    pub range: OffsetRange,
    pub epoch: StreamEpoch,
    pub rules: RulesVersion,
    /// Time of sealing, milliseconds since the epoch: the logical "now" of the batch, the same in a replay.
    pub tick: i64,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v1 end={} epoch={} rules={} tick={}", self.range.end, self.epoch.0, self.rules, self.tick)
    }
}

/// The metadata of a committed offset is not ours, or of a version this binary does not know.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the metadata of the committed offset is not understood: {text:?}")]
pub struct BadIntent {
    pub text: String,
}

impl Intent {
    /// Reads the metadata committed with `begin`; `Ok(None)` when it holds no intent.
    pub fn parse(begin: Offset, text: &str) -> Result<Option<Intent>, BadIntent> {
        if text.is_empty() {
            return Ok(None);
        }
        let bad = || BadIntent { text: text.chars().take(200).collect() };
        let mut words = text.split(' ');
        if words.next() != Some("v1") {
            return Err(bad());
        }
        let (mut end, mut epoch, mut rules, mut tick) = (None, None, None, None);
        for word in words {
            match word.split_once('=').ok_or_else(bad)? {
                ("end", value) => end = u64::from_str(value).ok(),
                ("epoch", value) => epoch = u32::from_str(value).ok(),
                ("rules", value) => rules = u32::from_str_radix(value, 16).ok(),
                ("tick", value) => tick = i64::from_str(value).ok(),
                _ => return Err(bad()),
            }
        }
        match (end, epoch, rules, tick) {
            (Some(end), Some(epoch), Some(rules), Some(tick)) if end > begin.0 => Ok(Some(Intent {
                range: OffsetRange { begin, end: Offset(end) },
                epoch: StreamEpoch(epoch),
                rules: RulesVersion(rules),
                tick,
            })),
            _ => Err(bad()),
        }
    }

    /// The deduplication token. The stream epoch is part of it, because a recreated Kafka topic uses the same offsets
    /// for other records, and ClickHouse would drop them silently.
    pub fn token(&self, stream: &StreamId) -> String {
        let OffsetRange { begin, end } = self.range;
        format!("v1/{}/{}/{}/{}/{begin}-{end}", stream.pipeline, self.epoch.0, stream.topic, stream.partition)
    }
}

/// The proof that the broker took the intent: only its holder may write.
#[must_use = "a begun batch must be written, or left to the next owner"]
pub struct OpenIntent {
    intent: Intent,
    /// An attempt of this or a former owner may have reached the server.
    doubtful: bool,
    /// Tokens under which the block was swallowed.
    swallowed: u8,
}

/// A server that swallows a block under every token it is given is broken beyond what another attempt can mend.
const MAX_SWALLOWED: u8 = 5;

/// The proof that the journal has the batch.
#[must_use = "a written batch is finished, or superseded by the next begin"]
pub struct Written {
    intent: Intent,
}

/// Commits the intent. This is also what finishes the batch before, whose end is this begin.
///
/// # Errors
/// `CommitError::Fenced`: the partition has another owner, nothing may be inserted.
pub async fn begin(log: &impl OffsetLog, stream: &StreamId, intent: Intent) -> Result<OpenIntent, CommitError> {
    let metadata = intent.to_string();
    match log.commit(stream, intent.range.begin, &metadata).await {
        Ok(()) => Ok(OpenIntent::new(intent)),
        Err(CommitError::Unknown(problem)) => {
            // inserting on a guess would race with the next owner, so the broker is asked what it holds
            let held = log.committed(stream).await?;
            if held == Some((intent.range.begin, metadata)) {
                return Ok(OpenIntent::new(intent));
            }
            Err(CommitError::NotTaken(problem))
        }
        Err(error) => Err(error),
    }
}

/// An intent found at recovery stands already: the broker has it as ours.
pub fn resume(intent: Intent) -> OpenIntent {
    OpenIntent { doubtful: true, ..OpenIntent::new(intent) }
}

impl OpenIntent {
    fn new(intent: Intent) -> OpenIntent {
        OpenIntent { intent, doubtful: false, swallowed: 0 }
    }

    pub fn intent(&self) -> Intent {
        self.intent
    }

    /// One attempt at the one INSERT. On failure the intent stays open and the caller tries the same bytes again.
    ///
    /// After an attempt whose outcome nobody knows, "done" proves nothing: a server notes the token before the rows are in
    /// their place, and one that is killed between the two, or has no room for the rows, takes the next attempt for a
    /// repetition and drops it (seen with `kill -9` of ClickHouse 26.7: the token in the log of `cases`, its part on no
    /// disk). So the rows are looked for, and where there are none the block goes out under a token of its own. The next
    /// owner of the intent walks the same row of tokens, so two of them still write the block once.
    pub async fn write(
        mut self,
        sink: &impl Sink,
        stream: &StreamId,
        block: &Bytes,
    ) -> Result<Written, (OpenIntent, SinkError)> {
        let token = self.token(stream);
        if let Err(error) = sink.insert_journal(block.clone(), &token).await {
            self.doubtful = true;
            return Err((self, error));
        }
        if !self.doubtful {
            return Ok(Written { intent: self.intent });
        }
        match sink.landed(stream, self.intent.range, &token).await {
            Ok(Landed::There) => {}
            Ok(Landed::OnItsWay) => {
                let problem = format!("an earlier attempt at {token} is still running");
                return Err((self, SinkError::Unavailable(problem)));
            }
            Ok(Landed::Swallowed) if self.swallowed == MAX_SWALLOWED => {
                let problem = format!("the rows of {token} were taken and are not there, {MAX_SWALLOWED} times over");
                return Err((self, SinkError::Refused(problem)));
            }
            Ok(Landed::Swallowed) => {
                self.swallowed += 1;
                let problem =
                    format!("the token {token} is known, but its rows are not there; they go out under another");
                return Err((self, SinkError::Unavailable(problem)));
            }
            Err(error) => return Err((self, error)),
        }
        match sink.refill_cases(stream, self.intent.range).await {
            Ok(()) => Ok(Written { intent: self.intent }),
            Err(error) => Err((self, error)),
        }
    }

    fn token(&self, stream: &StreamId) -> String {
        let token = self.intent.token(stream);
        if self.swallowed == 0 { token } else { format!("{token}/{}", self.swallowed) }
    }

    /// The journal was asked and has the whole range already (the insert of a former attempt landed), and `cases` has it too.
    pub fn found_in_journal(self) -> Written {
        Written { intent: self.intent }
    }
}

impl Written {
    pub fn range(&self) -> OffsetRange {
        self.intent.range
    }

    /// Commits the end without an intent, for a stream that has nothing to begin now.
    pub async fn finish(self, log: &impl OffsetLog, stream: &StreamId) -> Result<(), CommitError> {
        log.commit(stream, self.intent.range.end, "").await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intent() -> Intent {
        Intent {
            range: OffsetRange { begin: Offset(5), end: Offset(9) },
            epoch: StreamEpoch(1),
            rules: RulesVersion(0xabc),
            tick: 1_767_607_200_123,
        }
    }

    #[test]
    fn an_intent_survives_the_metadata_and_fits_it() {
        let text = intent().to_string();
        assert!(text.is_ascii() && text.len() < 1024);
        assert_eq!(Intent::parse(Offset(5), &text), Ok(Some(intent())));
        assert_eq!(Intent::parse(Offset(5), ""), Ok(None));
    }

    #[test]
    fn foreign_metadata_is_never_guessed_at() {
        for text in [
            "v2 end=9",
            "v1 end=9",
            "something",
            "v1 end=3 epoch=1 rules=0 tick=0",
            "v1 end=9 epoch=1 rules=0 tick=0 x=1",
        ] {
            assert!(Intent::parse(Offset(5), text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_metadata_makes_the_parser_panic_and_what_it_takes_it_would_write(
            begin in proptest::prelude::any::<u64>(),
            text in "(v1)?( ?(end|epoch|rules|tick|x)?=?[-+0-9a-f]{0,22}){0,6}|\\PC{0,60}",
        ) {
            if let Ok(Some(read)) = Intent::parse(Offset(begin), &text) {
                proptest::prop_assert!(read.range.begin.0 == begin && read.range.end.0 > begin);
                proptest::prop_assert_eq!(Intent::parse(Offset(begin), &read.to_string()), Ok(Some(read)));
            }
        }
    }

    #[test]
    fn the_token_names_pipeline_epoch_topic_partition_and_range() {
        let stream = StreamId::new("pos", "tsur.in.pos", 3);
        assert_eq!(intent().token(&stream), "v1/pos/1/tsur.in.pos/3/5-9");
    }
}
