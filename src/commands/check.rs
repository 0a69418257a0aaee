//! `tsur check`: the configuration as a whole, without any server.

use std::path::Path;

use crate::app::rules::{RulesError, SharedRules};
use crate::commands::{load, now};

#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tsur check\n  tsur --config /etc/tsur check")]
pub struct Args {}

pub fn main(folder: &Path, _args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    match SharedRules::build(&config, None) {
        Ok(rules) => rules.warnings(now()).iter().for_each(|warning| println!("note: {warning}")),
        Err(RulesError::NoIdentityKey { variable }) => {
            println!("note: {variable} is not set; `tsur run` needs it");
        }
        Err(problem) => return Err(problem.into()),
    }
    for pipeline in &config.pipelines {
        println!(
            "pipeline {}: {} fields from {} ({} partitions)",
            pipeline.name,
            pipeline.fields.len(),
            pipeline.kafka_topic,
            pipeline.partitions
        );
    }
    println!(
        "{} blocks, {} topics, {} territories, {} bodies, {} calendars, {} policies",
        config.reference.blocks.len(),
        config.reference.topics.len(),
        config.reference.territories.len(),
        config.reference.bodies.len(),
        config.calendars.len(),
        config.policies.len()
    );
    println!("configuration is sound, rules version {}", config.rules);
    Ok(())
}
