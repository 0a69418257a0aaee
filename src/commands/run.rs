//! `tsur run`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::app::registry::Registry;
use crate::app::reload::{self, Loader};
use crate::app::rules::SharedRules;
use crate::app::run::{RunOptions, run};
use crate::app::start;
use crate::commands::{load, now, runtime, signals, time_argument};
use crate::config;
use crate::partition::recovery::Consent;
use crate::telemetry::{http, logs, metrics};

#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  tsur run\n  tsur run --until-idle 10s\n  TSUR_KAFKA=kafka:9092 TSUR_CLICKHOUSE_URL=http://ch:8123 tsur run"
)]
pub struct Args {
    /// End by itself when nothing was left to read for this long, e.g. 10s
    #[arg(long, value_name = "TIME", value_parser = time_argument)]
    until_idle: Option<Duration>,
    /// Where offsets and journal disagree, go on after the journal's last row
    #[arg(long)]
    resume_from_journal: bool,
    /// Accept a range of offsets as lost, and record it
    #[arg(long)]
    accept_gap: bool,
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    logs::start(&config.settings.log);
    let shared = SharedRules::build(&config, None)?;
    for warning in shared.warnings(now()) {
        tracing::warn!("{warning}");
    }
    let recorder =
        PrometheusBuilder::new().install_recorder().context("the metrics recorder could not be installed")?;
    metrics::describe();
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let mut signal = signals()?;
        let patience = config.settings.clickhouse.request_timeout;
        tokio::select! {
            biased; // a process that cannot start yet must still be able to end
            _ = signal.changed() => return Ok(()),
            checked = tokio::time::timeout(patience, start::check(&config)) => {
                checked.with_context(|| format!("clickhouse {} does not answer", config.settings.clickhouse.url))??;
            }
        }
        let registry = Arc::new(Registry::new(Arc::default()));
        let address = http::serve(config.settings.http.listen, recorder, registry.clone())
            .await
            .with_context(|| format!("http.listen {} cannot be bound", config.settings.http.listen))?;
        let (shared, path) = (Arc::new(shared), folder.to_owned());
        let load: Loader = Arc::new(move || config::load(&path, &|name: &str| std::env::var(name).ok()));
        let changes = reload::watch(config.clone(), shared.clone(), load, registry.clone())
            .context("the signals cannot be listened to")?;
        tracing::info!(%address, pipelines = config.pipelines.len(), rules = %config.rules, "tsur runs");
        let consent = Consent { resume_from_journal: args.resume_from_journal, accept_gap: args.accept_gap };
        let options = RunOptions { consent, until_idle: args.until_idle };
        run(config.clone(), shared, registry, options, signal, changes).await.map_err(anyhow::Error::from)
    });
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}
