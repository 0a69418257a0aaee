//! The folder of one demo: the data of its ClickHouse and its log.
//! Owner: the session. Invariants: one demo a folder at a time; what an earlier one left is removed at the start, and
//! everything at the end however the demo ends, except what the user asked to keep.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::DemoError;

const LOCK: &str = "lock";
const LOG: &str = "tsur.log";

/// Removed when dropped, unless told otherwise.
pub struct Folder {
    path: PathBuf,
    keeps: Keeps,
    _lock: File,
}

/// What stays when the folder is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    Nothing,
    /// Something went wrong, and the log says what.
    Log,
    Everything,
}

impl Folder {
    /// Takes the folder, and empties it.
    pub fn take(path: &Path) -> Result<Folder, DemoError> {
        let failed = |source: io::Error| DemoError::Folder { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(DemoError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let folder = Folder { path, keeps: Keeps::Log, _lock: lock };
        folder.clear(&[LOCK]).map_err(failed)?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn log_path(&self) -> PathBuf {
        self.path.join(LOG)
    }

    pub fn log(&self) -> Result<File, DemoError> {
        File::create(self.log_path()).map_err(|source| DemoError::Folder { path: self.log_path(), source })
    }

    pub fn keep(&mut self, keeps: Keeps) {
        self.keeps = keeps;
    }

    fn clear(&self, except: &[&str]) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if except.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // the end of a demo has nobody to report to; the next start tries again and does report
        let _ = match self.keeps {
            Keeps::Nothing => fs::remove_dir_all(&self.path),
            Keeps::Log => self.clear(&[LOG]),
            Keeps::Everything => fs::remove_file(self.path.join(LOCK)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_leaves_what_it_was_told() {
        let parent = tempfile::tempdir().expect("a folder");
        let path = parent.path().join("demo");
        fs::create_dir_all(path.join("clickhouse/data")).expect("made");
        let mut folder = Folder::take(&path).expect("taken");
        assert!(!path.join("clickhouse").exists(), "what was left is gone");
        assert!(matches!(Folder::take(&path), Err(DemoError::Busy { .. })));
        folder.log().expect("a log");
        drop(folder);
        assert!(path.join(LOG).exists() && !path.join(LOCK).exists());
        folder = Folder::take(&path).expect("taken again");
        folder.keep(Keeps::Nothing);
        drop(folder);
        assert!(!path.exists());
    }
}
