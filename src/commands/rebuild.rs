//! `tsur rebuild`: exit code 0 only when the new tables are in place and equal the journal.

use std::path::Path;

use anyhow::bail;

use crate::commands::progress::Progress;
use crate::commands::{load, runtime};
use crate::model::windows::Retention;
use crate::rebuild::{self, Options, Projection, Watch};
use crate::sink::clickhouse::client;

#[derive(clap::Args)]
#[command(after_help = "Examples:
  tsur rebuild --dry-run                    # what would be read and replaced
  tsur rebuild                              # every projection; `tsur run` may work meanwhile
  tsur rebuild --table sla_windows --table backlog
  tsur rebuild --table cases --keep-old     # the old table stays as cases_old_YYYYMMDD_HHMMSS

The new table is filled beside the live one, swapped in, and compared with the journal; only then is the old one dropped.
It needs room for a second copy of a table. A rebuild that was interrupted is simply started again.")]
pub struct Args {
    /// Only this projection; may be given more than once
    #[arg(long, value_enum, value_name = "TABLE")]
    table: Vec<Projection>,
    /// Keep the old tables under a name with the time
    #[arg(long)]
    keep_old: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// So many differences of each table are printed, should there be any
    #[arg(long, default_value_t = 20, value_name = "N")]
    differences: usize,
}

/// The projections asked for, in the order of the list; none means all.
pub(super) fn chosen(tables: &[Projection]) -> Vec<Projection> {
    Projection::ALL.into_iter().filter(|projection| tables.is_empty() || tables.contains(projection)).collect()
}

/// Progress on the terminal.
struct Shown {
    progress: Progress,
    done: u64,
}

impl Watch for Shown {
    fn expects(&mut self, rows: u64) {
        self.progress = Progress::new(Some(rows));
    }

    fn read(&mut self, rows: u64) {
        self.done += rows;
        self.progress.update(self.done, self.done);
    }

    fn says(&mut self, line: &str) {
        self.progress.say(line);
    }
}

pub fn main(folder: &Path, args: &Args) -> anyhow::Result<()> {
    let config = load(folder)?;
    let client = client(&config.settings.clickhouse);
    let options = Options {
        database: config.settings.clickhouse.database.clone(),
        retention: Retention::OF_TABLES,
        projections: chosen(&args.table),
        keep_old: args.keep_old,
        named: args.differences,
    };
    if args.dry_run {
        let plan = runtime()?.block_on(rebuild::plan(&client, &options))?;
        println!(
            "would read {} rows of the journal, {} partitions, once for each projection",
            plan.journal, plan.partitions
        );
        for (table, rows) in plan.tables {
            println!("would replace {table}, {rows} rows now");
        }
        return Ok(());
    }
    let mut shown = Shown { progress: Progress::new(None), done: 0 };
    let rebuilt = runtime()?.block_on(rebuild::rebuild(&client, &options, &mut shown));
    shown.progress.finish();
    let rebuilt = rebuilt?;
    println!("{}", rebuilt.report);
    for table in &rebuilt.kept {
        println!("the old table is kept as {table}");
    }
    if !rebuilt.report.is_ok() {
        bail!("the new tables are in place and differ from the journal, see above; please report this");
    }
    println!("rebuild: ok");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_table_means_all_and_the_order_is_that_of_the_list() {
        assert_eq!(chosen(&[]), Projection::ALL);
        assert_eq!(chosen(&[Projection::Backlog, Projection::Cases]), [Projection::Cases, Projection::Backlog]);
    }
}
