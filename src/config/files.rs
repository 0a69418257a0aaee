//! Reads the files of the configuration: all at once, in the order of their names, so that the version of the rules is
//! the hash of exactly what was parsed. Owner: `config`. Invariant: an unreadable file is a mistake like any other.

use std::path::{Component, Path, PathBuf};

use super::errors::Errors;
use crate::model::ids::RulesVersion;

/// One file of the pipelines folder.
pub struct ConfigFile {
    /// For messages.
    pub name: String,
    /// Folder below the pipelines folder, empty for the pipelines themselves.
    pub folder: String,
    /// Name without `.toml`.
    pub stem: String,
    pub text: String,
}

/// The pipelines folder and its folders.
pub struct Folder(Vec<ConfigFile>);

/// The folders with rules below the pipelines folder.
pub const FOLDERS: [&str; 7] =
    ["", "alerts", "calendars", "policies", "reference", "reference/gazetteer", "reference/lexicon"];

/// Who is told of a case changes nothing in the rows of the journal.
const NO_RULES: &str = "alerts";

impl Folder {
    pub fn read(root: &Path, errors: &Errors) -> Folder {
        let mut files = Vec::new();
        for folder in FOLDERS {
            let path = root.join(folder);
            if !folder.is_empty() && !path.exists() {
                continue;
            }
            match toml_files(&path) {
                Ok(paths) => files.extend(paths.into_iter().filter_map(|path| {
                    let text = read_text(&path, errors)?;
                    let stem = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
                    Some(ConfigFile { name: path.display().to_string(), folder: folder.to_owned(), stem, text })
                })),
                Err(error) => {
                    let name = path.display().to_string();
                    errors.add_whole(&name, "", format!("cannot be read: {error}"), "a folder of .toml files");
                }
            }
        }
        Folder(files)
    }

    /// The files of one folder by name.
    pub fn inside(&self, folder: &str) -> impl Iterator<Item = &ConfigFile> {
        self.0.iter().filter(move |file| file.folder == folder)
    }

    /// Names are part of it: renaming a pipeline changes what its rows say. Where the folder lies is not.
    /// `schemas`: the texts of the schemas that the pipelines name.
    pub fn rules_version<'s>(&self, schemas: impl Iterator<Item = &'s str>) -> RulesVersion {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for file in self.0.iter().filter(|file| file.folder != NO_RULES) {
            for part in [&file.folder, &file.stem, &file.text] {
                hash.update(&(part.len() as u64).to_le_bytes());
                hash.update(part.as_bytes());
            }
        }
        for text in schemas {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        RulesVersion(hash.digest() as u32)
    }
}

fn toml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && path.is_file() && path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

pub fn read_text(path: &Path, errors: &Errors) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Some(text),
        Err(error) => {
            errors.add_whole(
                &path.display().to_string(),
                "",
                format!("cannot be read: {error}"),
                "a readable file in UTF-8",
            );
            None
        }
    }
}

/// Resolves `..` in what was written, so that messages name `pipelines/pos.toml`, not `config/../pipelines/pos.toml`.
pub fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        let last_is_name = matches!(tidy.components().next_back(), Some(Component::Normal(_)));
        match part {
            // Through a symbolic link `..` leads elsewhere; then the path stays as it is.
            Component::ParentDir if last_is_name && !tidy.is_symlink() => drop(tidy.pop()),
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    if tidy.as_os_str().is_empty() { PathBuf::from(".") } else { tidy }
}
