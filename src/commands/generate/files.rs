//! What `tsur generate --out` writes: the sound records as JSON lines that `tsur publish` takes, the broken ones apart
//! (many are no lines of text), the ledger and the cases. Owner: the command.
//! Invariants: an existing file is never overwritten; lines stand in publishing order; all records are in one of three files.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::write_ledger;
use crate::generate::{Fate, Ledger, SimulatedRecord, SourceKind};

const BUFFER_BYTES: usize = 1 << 20;

/// A broken record as a line of `broken.jsonl`.
#[derive(Serialize, Deserialize, Debug)]
pub struct BrokenLine {
    pub source: SourceKind,
    pub key: String,
    pub kind: String,
    /// Unix milliseconds of publishing.
    pub timestamp: i64,
    pub payload_base64: String,
}

/// The files while they are written.
pub struct Files {
    folder: PathBuf,
    /// In the order of [`SourceKind::ALL`].
    sources: Vec<BufWriter<File>>,
    broken: BufWriter<File>,
}

impl Files {
    pub fn create(folder: &Path, sources: &[SourceKind]) -> anyhow::Result<Files> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        for name in ["ledger.json", "cases.jsonl"] {
            anyhow::ensure!(
                !folder.join(name).exists(),
                "{} exists already; name another folder",
                folder.join(name).display()
            );
        }
        Ok(Files {
            sources: sources
                .iter()
                .map(|source| new_file(folder, &format!("{}.jsonl", source.code())))
                .collect::<anyhow::Result<_>>()?,
            broken: new_file(folder, "broken.jsonl")?,
            folder: folder.to_owned(),
        })
    }

    pub fn write(&mut self, record: &SimulatedRecord) -> anyhow::Result<()> {
        let file = match (record.fate, record.source) {
            (Fate::Broken(kind), source) => {
                let line = BrokenLine {
                    source,
                    key: record.key.clone(),
                    kind: kind.name().to_owned(),
                    timestamp: record.timestamp,
                    payload_base64: STANDARD.encode(&record.payload),
                };
                serde_json::to_writer(&mut self.broken, &line)?;
                &mut self.broken
            }
            (_, source) => self.sources.get_mut(source as usize).context("a source that was not announced")?,
        };
        if !matches!(record.fate, Fate::Broken(_)) {
            file.write_all(&record.payload)?;
        }
        file.write_all(b"\n")?;
        Ok(())
    }

    /// Writes what is known only at the end.
    pub fn finish(mut self, ledger: &Ledger) -> anyhow::Result<()> {
        for file in self.sources.iter_mut().chain([&mut self.broken]) {
            file.flush()?;
        }
        let mut cases = new_file(&self.folder, "cases.jsonl")?;
        for case in &ledger.cases {
            serde_json::to_writer(&mut cases, case)?;
            cases.write_all(b"\n")?;
        }
        cases.flush()?;
        write_ledger(&self.folder.join("ledger.json"), ledger)
    }
}

fn new_file(folder: &Path, name: &str) -> anyhow::Result<BufWriter<File>> {
    let path = folder.join(name);
    let file = File::create_new(&path).with_context(|| {
        format!("{} cannot be made; name a folder without the files of another run", path.display())
    })?;
    Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{CaseOutcome, Region, Simulation, SimulationConfig};
    use crate::model::time::Time;

    fn simulation() -> Simulation {
        let config = crate::config::load(Path::new("config"), &|_| None).expect("sound");
        let region = Region::from_reference(&config.reference).expect("sound");
        let start = Time::from_unix_seconds(1_767_225_600).expect("in range");
        let mut simulated = SimulationConfig::new(4, start, start.plus_seconds(30 * 86_400));
        simulated.records = Some(3_000);
        simulated.broken = 0.05;
        simulated.keep_cases = true;
        simulated.channels = true;
        Simulation::new(simulated, &region).expect("sound")
    }

    #[test]
    fn the_files_hold_what_the_ledger_counts() {
        let home = tempfile::tempdir().expect("folder");
        let folder = home.path().join("a/b");
        let mut files = Files::create(&folder, &SourceKind::ALL).expect("made");
        let (mut simulation, mut record) = (simulation(), SimulatedRecord::default());
        let mut broken = Vec::new();
        while simulation.next(&mut record) {
            files.write(&record).expect("written");
            if matches!(record.fate, Fate::Broken(_)) {
                broken.push(record.payload.clone());
            }
        }
        files.finish(simulation.ledger()).expect("written");

        let lines = |name: &str| -> Vec<String> {
            let text = std::fs::read_to_string(folder.join(name)).expect("UTF-8");
            text.lines().map(str::to_owned).collect()
        };
        let ledger: Ledger = serde_json::from_str(&lines("ledger.json").join("\n")).expect("JSON");
        let sound = |source: SourceKind| (ledger.of(source).records - ledger.of(source).broken.total()) as usize;
        for source in SourceKind::ALL {
            let name = format!("{}.jsonl", source.code());
            let found = lines(&name);
            assert!(!found.is_empty(), "{name}");
            assert_eq!(found.len(), sound(source), "{name}");
            assert!(found.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{name}");
        }
        let read: Vec<Vec<u8>> = lines("broken.jsonl")
            .iter()
            .map(|line| serde_json::from_str::<BrokenLine>(line).expect("JSON"))
            .map(|line| STANDARD.decode(line.payload_base64).expect("base64"))
            .collect();
        assert!(read.len() > 100);
        assert_eq!(read, broken);
        let cases: Vec<CaseOutcome> =
            lines("cases.jsonl").iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let known = cases.iter().filter(|case| !case.status.is_empty()).count() as u64;
        assert_eq!(known, SourceKind::ALL.iter().map(|source| ledger.of(*source).cases).sum::<u64>());
    }

    #[test]
    fn the_files_of_another_run_are_not_overwritten() {
        let home = tempfile::tempdir().expect("folder");
        std::fs::write(home.path().join("incident.jsonl"), "mine").expect("written");
        assert!(
            Files::create(home.path(), SourceKind::published(false))
                .is_err_and(|error| error.to_string().contains("incident.jsonl"))
        );
        assert_eq!(std::fs::read_to_string(home.path().join("incident.jsonl")).expect("read"), "mine");
    }
}
