//! How far a file was published, beside the file, so that nothing is published twice without being told.
//! Owner: `tsur publish`. Invariants: rows are claimed before they are sent and confirmed after Kafka has them, each time on disk
//! first; a file is the same if its bytes are; what was claimed and not confirmed is never guessed at.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

/// Raised when an older tsur would misread it.
const VERSION: u8 = 1;

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct State {
    version: u8,
    pipeline: String,
    topic: String,
    /// XXH3-128 of the bytes of the file.
    digest: String,
    /// Rows of the file, good and bad ones, that are done with: Kafka has confirmed the good ones.
    pub confirmed: u64,
    /// Rows that may have been sent.
    pub claimed: u64,
    pub is_complete: bool,
}

/// What is wanted of a file that was begun before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    /// `--again`: all of it once more.
    pub again: bool,
    /// `--resume`: go on although some rows may be sent twice.
    pub resume: bool,
}

/// Where to begin.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    Begin,
    /// So many rows are done.
    GoOn(u64),
    /// Nothing is sent before somebody says what is meant.
    Refuse(String),
}

/// The state of one file on its way into one Kafka topic.
pub struct Ledger {
    path: PathBuf,
    state: State,
}

impl Ledger {
    /// Reads what there is and decides. The state is that of the file as it is now.
    pub fn open(file: &Path, state: &Path, pipeline: &str, topic: &str, told: Told) -> io::Result<(Ledger, Decision)> {
        let fresh = State {
            version: VERSION,
            pipeline: pipeline.to_owned(),
            topic: topic.to_owned(),
            digest: digest_of(file)?,
            confirmed: 0,
            claimed: 0,
            is_complete: false,
        };
        let known = match std::fs::read(state) {
            Ok(bytes) => Some(serde_json::from_slice::<State>(&bytes).map_err(io::Error::other)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let decision = decide(known.as_ref(), &fresh, told);
        let state_now = match (&decision, known) {
            (Decision::GoOn(rows), Some(known)) => State { claimed: *rows, ..known },
            _ => fresh,
        };
        Ok((Ledger { path: state.to_owned(), state: state_now }, decision))
    }

    /// Rows below this number may be sent from now on.
    pub fn claim(&mut self, rows: u64) -> io::Result<()> {
        self.state.claimed = rows;
        self.write()
    }

    /// Rows below this number are done with.
    pub fn confirm(&mut self, rows: u64, is_complete: bool) -> io::Result<()> {
        (self.state.confirmed, self.state.claimed, self.state.is_complete) = (rows, rows, is_complete);
        self.write()
    }

    /// A crash leaves the old text or the new one.
    fn write(&self) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        let text = serde_json::to_vec_pretty(&self.state).map_err(io::Error::other)?;
        std::fs::write(&beside, text)?;
        File::open(&beside)?.sync_all()?;
        std::fs::rename(&beside, &self.path)
    }
}

/// The usual place of the state: beside the file, one for each Kafka topic.
pub fn beside(file: &Path, topic: &str) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{name}.{topic}.published.json"))
}

fn decide(known: Option<&State>, now: &State, told: Told) -> Decision {
    let Some(known) = known else { return Decision::Begin };
    let same = (&known.pipeline, &known.topic, &known.digest) == (&now.pipeline, &now.topic, &now.digest);
    if !same || told.again {
        return Decision::Begin; // another content is another file
    }
    if known.version != VERSION {
        return Decision::Refuse("the state is of another version of tsur; say --again to publish all rows".to_owned());
    }
    if known.is_complete {
        let rows = known.confirmed;
        return Decision::Refuse(format!(
            "all {rows} rows were published before; say --again to publish them once more"
        ));
    }
    if known.claimed > known.confirmed && !told.resume {
        return Decision::Refuse(format!(
            "the last run was cut off: {} rows are in Kafka for certain, up to {} of the next may be there too. Say --resume to go on \
             after the certain ones (the pipeline takes what comes twice for duplicates), or --again to begin anew",
            known.confirmed,
            known.claimed - known.confirmed
        ));
    }
    Decision::GoOn(known.confirmed)
}

fn digest_of(file: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut buffer) = (File::open(file)?, Xxh3::new(), vec![0; 1 << 16]);
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(format!("{:032x}", hash.digest128()));
        }
        hash.update(&buffer[..count]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, told: Told) -> (Ledger, Decision) {
        let file = folder.join("export.csv");
        Ledger::open(&file, &beside(&file, "t"), "pos", "t", told).expect("readable")
    }

    #[test]
    fn what_was_published_is_not_published_again_without_being_told() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("export.csv"), "1").expect("a file");
        let no = Told::default();
        let (mut ledger, decision) = open(folder.path(), no);
        assert_eq!(decision, Decision::Begin);
        ledger.claim(1000).expect("written");
        ledger.confirm(700, false).expect("written"); // an orderly stop
        assert_eq!(open(folder.path(), no).1, Decision::GoOn(700));
        let (mut ledger, _) = open(folder.path(), no);
        ledger.claim(1700).expect("written"); // and the power fails
        let refused = open(folder.path(), no).1;
        assert!(
            matches!(&refused, Decision::Refuse(why) if why.contains("700 rows") && why.contains("up to 1000")),
            "{refused:?}"
        );
        assert_eq!(open(folder.path(), Told { resume: true, again: false }).1, Decision::GoOn(700));
        assert_eq!(open(folder.path(), Told { resume: false, again: true }).1, Decision::Begin);
        let (mut ledger, _) = open(folder.path(), Told { resume: true, again: false });
        ledger.confirm(1500, true).expect("written");
        assert!(matches!(open(folder.path(), no).1, Decision::Refuse(why) if why.contains("all 1500 rows")));
        assert_eq!(open(folder.path(), Told { resume: false, again: true }).1, Decision::Begin);

        std::fs::write(folder.path().join("export.csv"), "2").expect("a file");
        assert_eq!(open(folder.path(), no).1, Decision::Begin, "another content is another file");
    }
}
