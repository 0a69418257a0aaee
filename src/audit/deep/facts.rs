//! `votes` and `pages` row by row: each fact against the journal rows that tell it. Owner: `audit::deep`. Method: both sides give
//! the key and a hash of all values; of several rows of one fact the journal's latest by its own time counts.

use clickhouse::Client;

use super::report::Compared;
use super::{Asked, BEHIND, Journal, Look, NEWER, Part, Pass, WRONG, journals, settle, verdict_sql};
use crate::audit::{AuditError, failed};

const OF_SHARE: &str = "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}";

/// What a table says and what the journal should have made it say.
pub(super) struct Facts {
    table: &'static str,
    /// The rows of the journal.
    rows: &'static str,
    /// The key as text, in the table and in the journal.
    keys: (&'static str, &'static str),
    /// What decides between rows of one key, in the journal.
    rank: &'static str,
    /// The values as text, in the table and in the journal.
    values: (&'static str, &'static str),
}

pub(super) const VOTES: Facts = Facts {
    table: "votes",
    rows: "subject != 'case' AND subject != 'page'",
    keys: (
        "concat(toString(subject), ' of ', poll_id, ' ', toString(entry))",
        "concat(toString(subject), ' of ', case_id, ' ', toString(if(subject = 'poll', 0, if(subject = 'vote', author_key, toUInt64(fingerprint)))))",
    ),
    rank: "(event_at, kafka_offset, item)",
    values: (
        "toString((source, at, option, title, category, block, topic, territory, body, author_key, text, eligible, published, starts_at, ends_at, closed_at))",
        "toString((source, event_at, simpleJSONExtractString(extra, 'option'), simpleJSONExtractString(extra, 'title'), category, block, topic, territory, \
         body, author_key, text, toUInt32(simpleJSONExtractUInt(extra, 'eligible')), simpleJSONExtractBool(extra, 'published')::Bool, registered_at, planned_at, closed_at))",
    ),
};

pub(super) const PAGES: Facts = Facts {
    table: "pages",
    rows: "subject = 'page'",
    keys: ("concat(page_id, ' at ', toString(measured_at))", "concat(case_id, ' at ', toString(event_at))"),
    rank: "(kafka_offset, item)",
    values: (
        "toString((source, title, network, territory, body, ifNull(toString(subscribers), '-'), ifNull(toString(views), '-'), \
         ifNull(toString(unanswered), '-'), ifNull(toString(widget), '-'), toUnixTimestamp(last_post_at)))",
        "toString((source, simpleJSONExtractString(extra, 'title'), network, territory, body, \
         if(simpleJSONHas(extra, 'subscribers'), simpleJSONExtractRaw(extra, 'subscribers'), '-'), \
         if(simpleJSONHas(extra, 'views'), simpleJSONExtractRaw(extra, 'views'), '-'), \
         if(simpleJSONHas(extra, 'unanswered'), simpleJSONExtractRaw(extra, 'unanswered'), '-'), \
         if(simpleJSONHas(extra, 'widget'), simpleJSONExtractRaw(extra, 'widget'), '-'), \
         toUInt32(simpleJSONExtractUInt(extra, 'last_post_at'))))",
    ),
};

pub(super) async fn compare(
    client: &Client,
    asked: &Asked,
    facts: &Facts,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<Compared, AuditError> {
    let sql = comparison_sql(facts);
    let mut compared = Compared::new(facts.table);
    let parts = journals(client).await?.into_iter().map(|journal| Part::new(journal, ())).collect();
    let ask = async |journal: &Journal, _: &(), look: Look| -> Result<Pass, AuditError> {
        let query = client.query_raw(&sql).param("topic", &journal.topic).param("partition", journal.partition);
        let query = query.param("below", look.below).param("settled", look.settled);
        query.fetch_one().await.map_err(failed(facts.table))
    };
    for (journal, mut pass) in settle(client, parts, ask, says).await? {
        for (key, ..) in &mut pass.found {
            *key = format!("{} {key}", journal.name());
        }
        compared.add(pass, asked.named);
    }
    Ok(compared)
}

/// Side 1 is the table, side 0 the journal.
fn comparison_sql(facts: &Facts) -> String {
    let Facts { table, rows, keys, rank, values } = facts;
    let inner = format!(
        "SELECT key AS label, anyIf(value, side = 1) AS tabled, anyIf(value, side = 0) AS told,
            maxIf(place, side = 1) AS row_version,
            multiIf(
                countIf(side = 1) = 0, if(maxIf(place, side = 0) < {{settled:UInt64}}, {BEHIND}, {NEWER}),
                row_version >= {{below:UInt64}}, {NEWER},
                countIf(side = 0) = 0 OR tabled != told, {WRONG},
                0)::UInt8 AS class,
            [('row', tabled, told)] AS differences
        FROM
        (
            SELECT 1 AS side, {} AS key, kafka_offset AS place, {} AS value FROM {table} FINAL WHERE {OF_SHARE}
            UNION ALL
            SELECT 0, {} AS key, argMax(kafka_offset, {rank}), argMax({}, {rank})
            FROM events WHERE {OF_SHARE} AND kafka_offset < {{below:UInt64}} AND outcome = 'applied' AND {rows} GROUP BY key
        )
        GROUP BY key",
        keys.0, values.0, keys.1, values.1
    );
    verdict_sql(&inner)
}
