//! Facts that are about no case, from a journal row to a row of `votes` or `pages`: the columns and what they are made of.
//! Invariant: the expressions are those of the views in `schemas/clickhouse/0011_votes_pages.sql`, word by word (a test compares
//! them), so what a rebuild writes equals what the views wrote.

/// A table of facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FactTable {
    Votes,
    Pages,
}

const VOTES: &[(&str, &str)] = &[
    ("kafka_topic", "kafka_topic"),
    ("kafka_partition", "kafka_partition"),
    ("poll_id", "case_id"),
    ("subject", "subject"),
    ("entry", "multiIf(subject = 'vote', author_key, subject = 'comment', toUInt64(fingerprint), 0)"),
    ("version", "bitOr(bitShiftLeft(toUInt64(toUnixTimestamp(event_at)), 32), bitAnd(kafka_offset, 4294967295))"),
    ("kafka_offset", "kafka_offset"),
    ("source", "source"),
    ("at", "event_at"),
    ("option", "JSONExtractString(extra, 'option')"),
    ("title", "JSONExtractString(extra, 'title')"),
    ("category", "category"),
    ("block", "block"),
    ("topic", "topic"),
    ("territory", "territory"),
    ("body", "body"),
    ("author_key", "author_key"),
    ("text", "text"),
    ("eligible", "toUInt32(JSONExtractUInt(extra, 'eligible'))"),
    ("published", "JSONExtractBool(extra, 'published')"),
    ("starts_at", "registered_at"),
    ("ends_at", "planned_at"),
    ("closed_at", "closed_at"),
];

const PAGES: &[(&str, &str)] = &[
    ("kafka_topic", "kafka_topic"),
    ("kafka_partition", "kafka_partition"),
    ("page_id", "case_id"),
    ("measured_at", "event_at"),
    ("version", "bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item))"),
    ("kafka_offset", "kafka_offset"),
    ("source", "source"),
    ("title", "JSONExtractString(extra, 'title')"),
    ("network", "network"),
    ("territory", "territory"),
    ("body", "body"),
    ("subscribers", "JSONExtract(extra, 'subscribers', 'Nullable(UInt32)')"),
    ("views", "JSONExtract(extra, 'views', 'Nullable(UInt32)')"),
    ("unanswered", "JSONExtract(extra, 'unanswered', 'Nullable(UInt32)')"),
    ("widget", "JSONExtract(extra, 'widget', 'Nullable(Bool)')"),
    ("last_post_at", "toDateTime(JSONExtractUInt(extra, 'last_post_at'), 'Europe/Moscow')"),
];

impl FactTable {
    fn list(self) -> &'static [(&'static str, &'static str)] {
        match self {
            FactTable::Votes => VOTES,
            FactTable::Pages => PAGES,
        }
    }

    pub fn columns(self) -> String {
        self.list().iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ")
    }

    /// What the columns are made of, in their order.
    pub fn values(self) -> String {
        self.list().iter().map(|(_, value)| *value).collect::<Vec<_>>().join(", ")
    }

    /// The journal rows that are meant.
    pub fn filter(self) -> &'static str {
        match self {
            FactTable::Votes => "outcome = 'applied' AND subject IN ('poll', 'vote', 'comment')",
            FactTable::Pages => "outcome = 'applied' AND subject = 'page'",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuild_copies_what_the_views_copy() {
        let sql = include_str!("../../schemas/clickhouse/0011_votes_pages.sql");
        for table in [FactTable::Votes, FactTable::Pages] {
            for (column, value) in table.list() {
                let told =
                    if column == value { format!("\n    {column}") } else { format!("\n    {value} AS {column}") };
                assert!(sql.contains(&told), "not in the view: {told}");
            }
            assert!(sql.contains(&format!("WHERE {}", table.filter())), "{table:?}");
        }
    }
}
