//! What the settings must be to each other. Owner: `config`.
//! Invariant: two values are compared only where both are sound, so that one mistake gives one message.

use super::reader::Table;
use super::settings::Settings;
use super::units::{show_duration, show_size};

/// The tables that take part in cross checks.
pub(super) struct Tables<'t> {
    pub kafka: Table<'t>,
    pub clickhouse: Table<'t>,
    pub batch: Table<'t>,
    pub budget: Table<'t>,
    pub limits: Table<'t>,
}

/// A rule between two values: the first key must be smaller than (or as small as) the second.
struct Rule<'t, T> {
    small: (&'t Table<'t>, &'t str, T),
    large: (&'t Table<'t>, &'t str, T),
    large_name: &'t str,
    why: &'t str,
    strict: bool,
}

impl<T: PartialOrd + Copy> Rule<'_, T> {
    fn check(&self, show: fn(T) -> String) {
        let ((small_table, small_key, small), (large_table, large_key, large)) = (&self.small, &self.large);
        let broken = if self.strict { small >= large } else { small > large };
        if broken && small_table.is_sound(small_key) && large_table.is_sound(large_key) {
            let limit = if self.strict { "less than" } else { "at most" };
            let problem = format!("{} does not fit {} = {}: {}", show(*small), self.large_name, show(*large), self.why);
            small_table.refuse(small_key, problem, format!("{limit} {}", show(*large)));
        }
    }
}

pub(super) fn cross_checks(s: &Settings, t: &Tables) {
    let times = [
        Rule {
            small: (&t.clickhouse, "connect_timeout", s.clickhouse.connect_timeout),
            large: (&t.clickhouse, "request_timeout", s.clickhouse.request_timeout),
            large_name: "clickhouse.request_timeout",
            why: "a request includes its connection",
            strict: true,
        },
        Rule {
            small: (&t.clickhouse, "request_timeout", s.clickhouse.request_timeout),
            large: (&t.kafka, "max_poll_interval", s.kafka.max_poll_interval),
            large_name: "kafka.max_poll_interval",
            why: "Kafka would take the partitions away during a slow insert",
            strict: true,
        },
        Rule {
            small: (&t.kafka, "session_timeout", s.kafka.session_timeout),
            large: (&t.kafka, "max_poll_interval", s.kafka.max_poll_interval),
            large_name: "kafka.max_poll_interval",
            why: "librdkafka refuses it",
            strict: false,
        },
        Rule {
            small: (&t.batch, "max_age", s.batch.max_age),
            large: (&t.batch, "idle_age", s.batch.idle_age),
            large_name: "batch.idle_age",
            why: "an idle partition seals later, not earlier",
            strict: false,
        },
    ];
    times.iter().for_each(|rule| rule.check(show_duration));
    let sizes = [
        Rule {
            small: (&t.batch, "max_bytes", s.batch.max_bytes),
            large: (&t.budget, "bytes", s.budget.bytes),
            large_name: "budget.bytes",
            why: "the budget must hold a batch",
            strict: false,
        },
        Rule {
            small: (&t.limits, "max_record_bytes", s.limits.max_record_bytes),
            large: (&t.budget, "bytes", s.budget.bytes),
            large_name: "budget.bytes",
            why: "the budget must hold the longest record",
            strict: false,
        },
    ];
    sizes.iter().for_each(|rule| rule.check(show_size));
    let rows = Rule {
        small: (&t.batch, "max_rows", s.batch.max_rows),
        large: (&t.budget, "records", s.budget.records),
        large_name: "budget.records",
        why: "the budget must hold a batch",
        strict: false,
    };
    rows.check(|rows| rows.to_string());
}
