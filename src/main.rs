//! The command line of `tsur`, and nothing else: it parses, calls the command, prints the chain of an error.

use clap::Parser;
use tsur::commands::Cli;

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
