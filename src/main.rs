//! The command line of `tsur`, and nothing else: it parses, calls the command, prints the chain of an error.

use clap::Parser;
use tsur::commands::Cli;

/// For Rust and, unprefixed, for librdkafka. With the allocator of glibc a process that had worked off a backlog kept the
/// memory of its buffers: 571 bytes an open case after a million registrations, of which 302 were free (269 with this one,
/// same load).
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Freed pages go back to the kernel within five seconds, by a thread of the allocator. Sooner is dearer: after one second
/// a drain cost a tenth more CPU than after ten, for pages that the next batch wanted again.
/// The variable MALLOC_CONF of the environment is read after this.
#[cfg(target_os = "linux")]
#[unsafe(export_name = "malloc_conf")]
pub static MALLOC_CONF: &[u8] = b"background_thread:true,dirty_decay_ms:5000,muzzy_decay_ms:0\0";

fn main() {
    if let Err(problem) = tsur::commands::dispatch(Cli::parse()) {
        let chain: Vec<String> = problem.chain().map(ToString::to_string).collect();
        let mut lines: Vec<&String> = Vec::new();
        for line in &chain {
            // a transparent error repeats its cause word for word
            if !lines.iter().any(|known| known.contains(line.as_str())) {
                lines.push(line);
            }
        }
        eprintln!("tsur: {}", lines.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n  because: "));
        std::process::exit(tsur::commands::exit_code(&problem));
    }
}
