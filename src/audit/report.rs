//! What the audit found, as text for people and as a decision for the exit code.
//! Owner: `audit`. Invariant: the last line is `audit: ok` or `audit: N problems`, and says the same as `problems()`.

use std::fmt;

use super::NAMED;
use super::accounting::{Double, Incomplete, PartitionAccount};
use super::gaps::{Gap, Verdict};
use super::projections::Comparison;

/// Everything the audit found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    pub partitions: Vec<PartitionAccount>,
    pub gaps: Vec<Gap>,
    pub doubles: Vec<Double>,
    pub incomplete: Vec<Incomplete>,
    pub cases: Comparison,
    pub sla_windows: Comparison,
    pub satisfaction_windows: Comparison,
    /// Rows that came into the journal while the audit ran.
    pub grown_by: u64,
}

impl Report {
    /// How many things are wrong.
    pub fn problems(&self) -> u64 {
        let lost = self.gaps.iter().filter(|gap| gap.verdict == Verdict::Lost).count() as u64;
        let doubles = self.doubles.first().map_or(0, |double| double.total);
        let incomplete = self.incomplete.first().map_or(0, |record| record.total);
        let differing: u64 = self.comparisons().iter().map(|(_, comparison)| comparison.differing).sum();
        lost + doubles + incomplete + self.headless() + self.unlisted() + differing
    }

    pub fn is_ok(&self) -> bool {
        self.problems() == 0
    }

    /// Partitions whose records do not each have exactly one first item, although no double and no record of several
    /// items explains it; cannot happen while the other checks hold.
    fn headless(&self) -> u64 {
        let explained = !self.doubles.is_empty() || !self.incomplete.is_empty();
        let headless = self.partitions.iter().filter(|account| account.first_items != account.offsets).count() as u64;
        if explained { 0 } else { headless }
    }

    /// Partitions with more missing offsets than the listed gaps hold.
    fn unlisted(&self) -> u64 {
        let listed = |account: &PartitionAccount| -> u64 {
            let gaps = self.gaps.iter();
            gaps.filter(|gap| gap.topic == account.kafka_topic && gap.partition == account.kafka_partition)
                .map(|gap| gap.end - gap.begin)
                .sum()
        };
        self.partitions.iter().filter(|account| account.span() - account.offsets > listed(account)).count() as u64
    }

    fn comparisons(&self) -> [(&'static str, &Comparison); 3] {
        [
            ("cases", &self.cases),
            ("sla_windows", &self.sla_windows),
            ("satisfaction_windows", &self.satisfaction_windows),
        ]
    }

    fn write_gaps(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (verdict, name) in [(0, "lost"), (1, "accepted"), (2, "Kafka's own")] {
            let of_kind = |gap: &&Gap| {
                verdict
                    == match gap.verdict {
                        Verdict::Lost => 0,
                        Verdict::Accepted(_) => 1,
                        Verdict::Kafka => 2,
                    }
            };
            for gap in self.gaps.iter().filter(of_kind).take(NAMED * 2) {
                let Gap { topic, partition, begin, end, .. } = gap;
                write!(f, "gap {topic}/{partition} [{begin},{end}): {name}")?;
                match &gap.verdict {
                    Verdict::Accepted(reason) => write!(f, " ({reason})")?,
                    _ if !gap.records.is_empty() => {
                        let shown: Vec<String> = gap.records.iter().take(NAMED).map(u64::to_string).collect();
                        write!(f, ", Kafka has {} records there: {}", gap.records.len(), shown.join(", "))?;
                    }
                    _ => {}
                }
                writeln!(f)?;
            }
            let more = self.gaps.iter().filter(of_kind).count().saturating_sub(NAMED * 2);
            if more > 0 {
                writeln!(f, "… and {more} more gaps, {name}")?;
            }
        }
        match self.unlisted() {
            0 => Ok(()),
            count => writeln!(f, "{count} partitions have more gaps than can be listed"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for account in &self.partitions {
            let PartitionAccount { kafka_topic, kafka_partition, offsets, rows, first_offset, last_offset, .. } =
                account;
            let PartitionAccount { applied, duplicate, rejected, ignored, .. } = account;
            writeln!(
                f,
                "{kafka_topic}/{kafka_partition}: {offsets} records, {rows} rows, offsets {first_offset}..={last_offset}, \
                 applied {applied}, duplicate {duplicate}, rejected {rejected}, ignored {ignored}, missing {}",
                account.span() - offsets
            )?;
        }
        self.write_gaps(f)?;
        for double in self.doubles.iter().take(NAMED) {
            let Double { kafka_topic, kafka_partition, kafka_offset, item, count, .. } = double;
            writeln!(f, "double {kafka_topic}/{kafka_partition} offset {kafka_offset} item {item}: {count} rows")?;
        }
        for record in self.incomplete.iter().take(NAMED) {
            let Incomplete { kafka_topic, kafka_partition, kafka_offset, items_found, items_least, items_most, .. } =
                record;
            writeln!(
                f,
                "items {kafka_topic}/{kafka_partition} offset {kafka_offset}: {items_found} of {items_most} items\
                 {}",
                if items_least == items_most { String::new() } else { format!(" (some say {items_least})") }
            )?;
        }
        for (kind, shown, total) in [
            ("doubles", self.doubles.len(), self.doubles.first().map_or(0, |double| double.total)),
            ("incomplete records", self.incomplete.len(), self.incomplete.first().map_or(0, |record| record.total)),
        ] {
            let more = total.saturating_sub(shown.min(NAMED) as u64);
            if more > 0 {
                writeln!(f, "… and {more} more {kind}")?;
            }
        }
        if self.headless() > 0 {
            writeln!(f, "{} partitions have records without a first item", self.headless())?;
        }
        for (name, comparison) in self.comparisons() {
            writeln!(f, "{name}: {} compared with the journal, {} differ", comparison.compared, comparison.differing)?;
            for line in &comparison.named {
                writeln!(f, "  {}", line.trim_end())?;
            }
        }
        if self.grown_by > 0 {
            let advice = if self.is_ok() { "" } else { "; run again when it is idle" };
            writeln!(f, "the journal grew by {} rows meanwhile{advice}", self.grown_by)?;
        }
        match self.problems() {
            0 => write!(f, "audit: ok"),
            count => write!(f, "audit: {count} problems"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(rows: u64, offsets: u64, last_offset: u64) -> PartitionAccount {
        PartitionAccount {
            kafka_topic: "t".to_owned(),
            kafka_partition: 0,
            rows,
            first_items: offsets,
            offsets,
            first_offset: 0,
            last_offset,
            applied: rows,
            duplicate: 0,
            rejected: 0,
            ignored: 0,
        }
    }

    #[test]
    fn a_sound_journal_ends_with_ok() {
        let report = Report { partitions: vec![account(10, 10, 9)], ..Report::default() };
        assert!(report.is_ok());
        assert_eq!(report.to_string().lines().last(), Some("audit: ok"));
    }

    #[test]
    fn an_excused_gap_is_named_and_is_no_problem() {
        let gap =
            |begin, end, verdict| Gap { topic: "t".to_owned(), partition: 0, begin, end, verdict, records: Vec::new() };
        let gaps = vec![gap(3, 5, Verdict::Accepted("disk".to_owned())), gap(7, 8, Verdict::Kafka)];
        let mut report = Report { partitions: vec![account(7, 7, 9)], gaps, ..Report::default() };
        assert!(report.is_ok(), "{report}");
        assert!(report.to_string().contains("gap t/0 [3,5): accepted (disk)"));
        report.gaps[1].verdict = Verdict::Lost;
        assert_eq!(report.to_string().lines().last(), Some("audit: 1 problems"));
    }

    #[test]
    fn gaps_too_many_to_list_are_a_problem_themselves() {
        let report = Report { partitions: vec![account(7, 7, 9)], ..Report::default() };
        assert_eq!(report.problems(), 1);
    }
}
