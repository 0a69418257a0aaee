//! Logs of the process: to standard error, as text for people or JSON for collectors. Never holds record content.

use std::fs::File;
use std::io::IsTerminal;
use std::sync::Mutex;

use tracing_subscriber::EnvFilter;

use crate::config::settings::{Log, LogFormat};

/// Sets the logger of the process; `RUST_LOG` overrides the level of the configuration. A second call does nothing.
pub fn start(log: &Log) {
    let fallback = format!("{},hyper=warn,rustls=warn", log.level.name());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(fallback));
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false);
    // an error only says that a logger is set already, which is what was wanted
    let _ = match log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}

/// The same into a file, for commands that draw on the terminal.
pub fn start_in_file(log: &Log, file: File) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(log.level.name()));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_target(false);
    let _ = builder.with_writer(Mutex::new(file)).try_init(); // an error: a logger is set already
}
