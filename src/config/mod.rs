//! The configuration: one typed tree, read whole at start, every mistake of every file reported in one run.
//! Owner: `config`; nothing else reads a configuration file or an environment variable. Invariants: an unknown key is
//! refused, a `Config` that exists is consistent, and the environment arrives as an argument, so a test needs no process.

pub mod errors;
pub mod pipeline;
mod pipeline_read;
pub mod reader;
pub mod reference;
pub mod settings;
mod settings_read;
pub mod units;

use std::path::PathBuf;

use crate::model::ids::RulesVersion;
pub use pipeline::Pipeline;
pub use reference::Reference;
pub use settings::Settings;

/// Everything `tsur` was told. Calendars and policies join when the rules module is there.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    pub settings: Settings,
    /// By name of the file.
    pub pipelines: Vec<Pipeline>,
    pub reference: Reference,
    /// XXH3 of the content of all pipeline, policy, calendar and reference files, in the order of their names.
    pub rules: RulesVersion,
    /// `settings.pipelines_dir`, resolved.
    pub pipelines_dir: PathBuf,
}
