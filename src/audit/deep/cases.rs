//! `cases` row by row: each case against the latest applied row of the journal. Owner: `audit::deep`. Method: both sides
//! give position and hash of all columns; of the few that differ the columns are fetched one by one.

use clickhouse::Client;

use super::report::Compared;
use super::{Asked, BEHIND, Journal, Look, NEWER, Part, Pass, WRONG, journals, settle, verdict_sql};
use crate::audit::projections::journal_column;
use crate::audit::{AuditError, failed};

const OF_SHARE: &str = "kafka_topic = {topic:String} AND kafka_partition = {partition:UInt16}";

pub(super) async fn compare(
    client: &Client,
    asked: &Asked,
    says: &mut (dyn FnMut(&str) + Send),
) -> Result<Compared, AuditError> {
    let columns: Vec<String> = client
        .query_raw(
            "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'cases' ORDER BY position",
        )
        .fetch_all()
        .await
        .map_err(failed("columns of cases"))?;
    let sql = comparison_sql(&columns);
    let details = details_sql(&columns);
    let mut compared = Compared::new("cases");
    let parts = journals(client).await?.into_iter().map(|journal| Part::new(journal, ())).collect();
    let ask = async |journal: &Journal, _: &(), look: Look| ask(client, &sql, journal, look).await;
    for (journal, mut pass) in settle(client, parts, ask, says).await? {
        for (key, _, _, differences) in pass.found.iter_mut().take(asked.named) {
            if differences.is_empty() {
                *differences = columns_of(client, &details, &journal, key).await?;
            }
        }
        for (key, ..) in &mut pass.found {
            *key = format!("{} case {key}", journal.name());
        }
        compared.add(pass, asked.named);
    }
    Ok(compared)
}

async fn ask(client: &Client, sql: &str, journal: &Journal, look: Look) -> Result<Pass, AuditError> {
    let query = client.query_raw(sql).param("topic", &journal.topic).param("partition", journal.partition);
    query.param("below", look.below).param("settled", look.settled).fetch_one().await.map_err(failed("cases"))
}

/// The label is the key of the case with its number behind it.
fn comparison_sql(columns: &[String]) -> String {
    let journal: Vec<&str> = columns.iter().map(|column| journal_column(column)).collect();
    let inner = format!(
        "SELECT concat(toString(case_key), ' (', any(id), ')') AS label,
            maxIf(at, side = 1) AS tabled, maxIf(at, side = 0) AS told,
            multiIf(
                countIf(side = 1) = 0 OR (countIf(side = 0) > 0 AND tabled < told),
                    if(intDiv(told, 65536) < {{settled:UInt64}}, {BEHIND}, {NEWER}),
                intDiv(tabled, 65536) >= {{below:UInt64}}, {NEWER},
                countIf(side = 0) = 0 OR tabled != told OR groupBitXor(hash) != 0, {WRONG},
                0)::UInt8 AS class,
            multiIf(countIf(side = 1) = 0, [('row', 'none', concat('one of position ', toString(told)))],
                countIf(side = 0) = 0, [('row', concat('one of position ', toString(tabled)), 'none')], []) AS differences,
            toUInt64(intDiv(tabled, 65536)) AS row_version
        FROM
        (
            SELECT 1 AS side, case_key, case_id AS id, version AS at, cityHash64({}) AS hash FROM cases FINAL WHERE {OF_SHARE}
            UNION ALL
            SELECT 0, case_key, argMax(case_id, (kafka_offset, item)), max(kafka_offset * 65536 + item), argMax(cityHash64({}), (kafka_offset, item))
            FROM events WHERE {OF_SHARE} AND kafka_offset < {{below:UInt64}} AND outcome = 'applied' AND subject = 'case' GROUP BY case_key
        )
        GROUP BY case_key",
        columns.join(", "),
        journal.join(", ")
    );
    verdict_sql(&inner)
}

/// The columns of one case that differ, as text; both sides have it.
fn details_sql(columns: &[String]) -> String {
    let list = |of: &dyn Fn(&str) -> String| columns.iter().map(|column| of(column)).collect::<Vec<_>>().join(", ");
    format!(
        "SELECT arrayFilter(d -> d.2 != d.3, arrayZip([{names}],
            (SELECT [{tabled}] FROM cases FINAL WHERE {OF_SHARE} AND case_key = {{key:UInt64}}),
            (SELECT [{told}] FROM events WHERE {OF_SHARE} AND case_key = {{key:UInt64}} AND outcome = 'applied' AND subject = 'case'
                ORDER BY kafka_offset DESC, item DESC LIMIT 1)))",
        names = list(&|column| format!("'{column}'")),
        tabled = list(&|column| format!("toString({column})")),
        told = list(&|column| format!("toString({})", journal_column(column))),
    )
}

async fn columns_of(
    client: &Client,
    sql: &str,
    journal: &Journal,
    label: &str,
) -> Result<Vec<(String, String, String)>, AuditError> {
    let key: u64 = label.split(' ').next().and_then(|key| key.parse().ok()).unwrap_or_default();
    let query = client.query_raw(sql).param("topic", &journal.topic).param("partition", journal.partition);
    query.param("key", key).fetch_one().await.map_err(failed("columns of a case"))
}
