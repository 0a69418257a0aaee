//! The tables, the views, the window sums and the audit on a real ClickHouse, with rows made by hand.
//! Needs TSUR_CLICKHOUSE_URL (`make engines-up` prints it); without it every test says so and passes.

use std::collections::BTreeMap;

use clickhouse::Client;
use serde_json::{Value, json};
use tsur::audit::{self, NoOracle, Options, Report, Verdict};
use tsur::model::case::{BlockId, BodyId, TerritoryId};
use tsur::model::effects::{Dimensions, Effect};
use tsur::model::time::Time;
use tsur::model::windows::{ColdWindow, Retention, WindowKey, WindowUnit, WindowValue, Windows};
use tsur::model::words::EffectKind;
use tsur::sink::migrations::{self, MIGRATIONS, MigrationError};
use tsur::sink::window_sql::{self, WindowRow};

const KEEP: Retention = Retention { minute: 3 * 86_400, hour: 90 * 86_400 };

/// A migrated database of one test; dropped at its end.
struct Database {
    client: Client,
    admin: Client,
    name: String,
}

impl Database {
    async fn open(test: &str) -> Option<Database> {
        let Ok(url) = std::env::var("TSUR_CLICKHOUSE_URL") else {
            eprintln!("skipped {test}: TSUR_CLICKHOUSE_URL is not set");
            return None;
        };
        let name = format!("schema_test_{test}_{}", std::process::id());
        let admin = Client::default().with_url(url).with_setting("async_insert", "0");
        admin.query_raw(&format!("DROP DATABASE IF EXISTS {name} SYNC")).execute().await.expect("drop");
        migrations::apply(&admin, &name).await.expect("apply");
        let client = admin.clone().with_database(&name);
        Some(Database { client, admin, name })
    }

    async fn close(self) {
        self.run(&format!("DROP DATABASE {} SYNC", self.name)).await;
    }

    async fn run(&self, sql: &str) {
        self.client.query_raw(sql).execute().await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }

    async fn number(&self, sql: &str) -> i64 {
        let sql = format!("SELECT toInt64(assumeNotNull(({sql})))");
        self.client.query_raw(&sql).fetch_one().await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    async fn text(&self, sql: &str) -> String {
        let sql = format!("SELECT toString(tuple(*)) FROM ({sql})");
        let rows: Vec<String> =
            self.client.query_raw(&sql).fetch_all().await.unwrap_or_else(|error| panic!("{error}\n{sql}"));
        rows.join("\n")
    }

    async fn insert(&self, table: &str, rows: &[Value]) {
        self.insert_with(&self.client, table, rows).await;
    }

    async fn insert_with(&self, client: &Client, table: &str, rows: &[Value]) {
        let body: Vec<String> = rows.iter().map(Value::to_string).collect();
        let mut insert = client.insert_formatted_with(format!("INSERT INTO {table} FORMAT JSONEachRow"));
        insert.send(body.join("\n").into()).await.expect("send");
        insert.end().await.expect("insert");
    }

    async fn audit(&self) -> Report {
        let options = Options { database: self.name.clone(), minute_keep: KEEP.minute, hour_keep: KEEP.hour };
        audit::audit(&self.admin, &options, &NoOracle).await.expect("audit")
    }
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_secs() as i64
}

/// A journal row of partition 0 with what every row has; `more` adds or replaces columns.
fn row(offset: u64, outcome: &str, more: Value) -> Value {
    let at = now() - 3600;
    let mut row = json!({
        "kafka_topic": "t", "kafka_partition": 0, "kafka_offset": offset, "item": 0, "items": 1,
        "kafka_time": format!("{at}.000"), "sealed_at": format!("{at}.500"), "pipeline": "pos", "source": "pos",
        "outcome": outcome, "event": "registered", "event_at": at,
    });
    let (Value::Object(row_map), Value::Object(more)) = (&mut row, more) else { panic!("objects") };
    row_map.extend(more);
    row
}

fn case(offset: u64, id: u64, more: Value) -> Value {
    let mut row = row(offset, "applied", json!({ "case_key": id, "case_id": id.to_string(), "status": "in_work" }));
    let (Value::Object(row_map), Value::Object(more)) = (&mut row, more) else { panic!("objects") };
    row_map.extend(more);
    row
}

#[tokio::test]
async fn migrations_may_run_again_and_the_start_check_sees_what_is_wrong() {
    let Some(db) = Database::open("migrations").await else {
        return;
    };
    migrations::verify(&db.admin, &db.name).await.expect("verify");
    assert!(migrations::apply(&db.admin, &db.name).await.expect("again").iter().all(|applied| !applied.is_new));
    // a crash after the statements of a migration and before its record: every statement runs once more
    db.run("TRUNCATE TABLE schema_migrations").await;
    assert!(migrations::apply(&db.admin, &db.name).await.expect("repair").iter().all(|applied| applied.is_new));

    db.run("ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10").await;
    let error = migrations::verify(&db.admin, &db.name).await.expect_err("window");
    assert!(
        matches!(&error, MigrationError::NoDeduplication { table, window: 10, .. } if table == "events"),
        "{error}"
    );
    db.run("ALTER TABLE events RESET SETTING non_replicated_deduplication_window").await;
    let error = migrations::verify(&db.admin, &db.name).await.expect_err("default window");
    assert!(matches!(&error, MigrationError::NoDeduplication { window: 0, .. }), "{error}");
    db.run("ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10000").await;
    db.run("DROP TABLE cases_from_events").await;
    let error = migrations::verify(&db.admin, &db.name).await.expect_err("dropped");
    assert!(matches!(&error, MigrationError::Dropped { .. }), "{error}");

    db.run("INSERT INTO schema_migrations (number, name, hash) VALUES (900, '0900_later', '')").await;
    let error = migrations::apply(&db.admin, &db.name).await.expect_err("newer");
    assert!(matches!(&error, MigrationError::Newer { number: 900, .. }), "{error}");
    db.run("ALTER TABLE schema_migrations DELETE WHERE number > 1 SETTINGS mutations_sync = 1").await;
    let error = migrations::verify(&db.admin, &db.name).await.expect_err("missing");
    assert!(error.to_string().contains("0002_cases"), "{error}");
    let mut changed = MIGRATIONS.to_vec();
    changed[0].sql = "SELECT 1";
    let error = migrations::apply_all(&db.admin, &db.name, &changed).await.expect_err("changed");
    assert!(matches!(&error, MigrationError::Changed { name, .. } if name == "0001_journal"), "{error}");
    db.close().await;
}

#[tokio::test]
async fn an_empty_server_lacks_every_migration_and_a_bad_name_is_refused() {
    let Some(db) = Database::open("empty").await else {
        return;
    };
    let error = migrations::verify(&db.admin, "no_such_database").await.expect_err("nothing there");
    assert!(matches!(error, MigrationError::NotApplied { .. }), "{error}");
    let error = migrations::apply(&db.admin, "a; DROP").await.expect_err("name");
    assert!(matches!(error, MigrationError::BadName(_)), "{error}");
    db.close().await;
}

#[tokio::test]
async fn cases_repeat_the_columns_of_the_journal_and_every_column_is_explained() {
    let Some(db) = Database::open("columns").await else {
        return;
    };
    const OTHER: &str = "SELECT count() FROM system.columns AS c
        LEFT JOIN (SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'events') AS j USING (name)
        WHERE c.database = currentDatabase() AND c.table = 'cases' AND c.name NOT IN ('version', 'updated_at') AND c.type != j.type";
    assert_eq!(db.number(OTHER).await, 0);
    const FROM_STATUS: &str = "SELECT arrayStringConcat(groupArray(name), ',') FROM
        (SELECT name, position FROM system.columns WHERE database = currentDatabase() AND table = '{}'
        AND position >= (SELECT position FROM system.columns WHERE database = currentDatabase() AND table = '{}' AND name = 'status') ORDER BY position)";
    assert_eq!(db.text(&FROM_STATUS.replace("{}", "cases")).await, db.text(&FROM_STATUS.replace("{}", "events")).await);
    const BARE: &str = "SELECT table, name FROM system.columns WHERE database = currentDatabase() AND comment = ''
        AND table NOT LIKE '%\\_from\\_%'";
    assert_eq!(db.text(BARE).await, "");
    db.close().await;
}

#[tokio::test]
async fn a_replayed_block_reaches_neither_the_journal_nor_its_projections() {
    let Some(db) = Database::open("replay").await else {
        return;
    };
    let rows = [case(0, 7, json!({})), row(1, "rejected", json!({ "reason": "bad_date", "field": "registered_at" }))];
    let client = db
        .client
        .clone()
        .with_setting("insert_deduplicate", "1")
        .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1")
        .with_setting("insert_deduplication_token", "v1/pos/0/t/0/0-2");
    for _ in 0..2 {
        db.insert_with(&client, "events", &rows).await;
    }
    for (table, count) in [("events", 2), ("cases", 1), ("v_dead_letters", 1)] {
        assert_eq!(db.number(&format!("SELECT count() FROM {table}")).await, count, "{table}");
    }
    assert!(db.audit().await.is_ok());
    db.close().await;
}

#[tokio::test]
async fn open_cases_show_the_clock_that_runs_and_no_date_of_1970() {
    let Some(db) = Database::open("open").await else { return };
    let at = now();
    db.insert(
        "events",
        &[
            case(0, 1, json!({ "due_first": at - 60, "due_final": at + 864_000, "body": "A" })), // awaits a first answer
            case(1, 2, json!({ "due_first": at - 60, "first_answer_at": at - 90, "due_final": at + 3600 })),
            case(2, 3, json!({ "due_final": at - 60, "status": "answered", "answered_at": at - 30 })),
            case(3, 4, json!({})),
            case(4, 5, json!({ "due_final": at - 7200, "body": "B" })),
            case(5, 5, json!({ "due_final": at - 3600, "body": "C" })), // a later row of the same case
            case(6, 6, json!({ "due_final": at - 60, "status": "deferred", "closed_at": at - 30 })),
        ],
    )
    .await;
    let open = "SELECT case_id, next_clock, is_overdue, due_first IS NULL, registered_at IS NULL FROM v_open_cases ORDER BY case_id";
    let expected = "('1','first_answer',true,0,1)\n('2','final_answer',false,0,1)\n('4','',false,1,1)\n('5','final_answer',true,1,1)";
    assert_eq!(db.text(open).await, expected);
    let overdue = "SELECT case_id, clock, holder, intDiv(overdue_seconds, 60) FROM v_overdue ORDER BY case_id";
    assert_eq!(db.text(overdue).await, "('1','first_answer','A',1)\n('5','final_answer','C',60)");
    assert_eq!(db.number("SELECT countIf(rating IS NULL AND source_due IS NULL) FROM v_cases").await, 6);
    assert_eq!(db.number("SELECT count() FROM v_open_cases WHERE seconds_left IS NULL").await, 1);
    db.close().await;
}

#[tokio::test]
async fn a_clock_that_stands_still_is_not_overdue_and_disagreements_with_the_source_are_named() {
    let Some(db) = Database::open("pauses").await else { return };
    let at = now();
    let late = json!({ "due_final": at - 60, "planned_at": at - 60 });
    let with = |more: Value| {
        let mut row = late.clone();
        let (Value::Object(row_map), Value::Object(more)) = (&mut row, more) else { panic!("objects") };
        row_map.extend(more);
        row
    };
    db.insert(
        "events",
        &[
            case(0, 1, with(json!({ "source_overdue": true }))),
            case(1, 2, with(json!({}))),
            case(2, 3, with(json!({ "paused": true, "paused_seconds": 60 }))),
            case(3, 4, with(json!({ "paused": true, "source_overdue": true }))),
            case(4, 5, json!({ "due_final": at + 864_000, "planned_at": at + 1_728_000 })),
            case(5, 6, json!({ "due_final": at - 60 })), // the source says nothing
            case(6, 7, json!({ "stage": "execution", "due_stage": at - 60, "bounces": 2 })),
        ],
    )
    .await;
    let overdue = "SELECT arraySort(groupArray(case_id)) FROM v_overdue";
    assert_eq!(db.text(overdue).await, "(['1','2','6'])");
    let found = "SELECT case_id, disagreement, days_later FROM v_deadline_disagreement ORDER BY case_id";
    assert_eq!(
        db.text(found).await,
        "('2','only_ours_overdue',0)\n('4','only_source_overdue',0)\n('5','other_day',10)"
    );
    let stage = "SELECT case_id, stage, bounces FROM v_open_cases WHERE is_stage_overdue";
    assert_eq!(db.text(stage).await, "('7','execution',2)");
    db.close().await;
}

#[tokio::test]
async fn accounting_tells_records_from_rows_and_names_reasons() {
    let Some(db) = Database::open("accounting").await else {
        return;
    };
    db.insert(
        "events",
        &[
            row(0, "applied", json!({ "items": 2 })),
            row(0, "ignored", json!({ "items": 2, "item": 1, "reason": "superseded" })),
            row(1, "rejected", json!({ "reason": "bad_date", "field": "registered_at", "excerpt": "{...}" })),
            row(4, "duplicate", json!({ "reason": "same_content" })),
        ],
    )
    .await;
    let accounting = "SELECT records, rows, applied, duplicate, rejected, ignored, first_offset, last_offset, missing FROM v_accounting";
    assert_eq!(db.text(accounting).await, "(3,4,1,1,1,1,0,4,2)");
    let daily =
        "SELECT source, outcome, reason, field, records, rows FROM v_accounting_daily WHERE outcome = 'rejected'";
    assert_eq!(db.text(daily).await, "('pos','rejected','bad_date','registered_at',1,1)");
    assert_eq!(
        db.text("SELECT kafka_offset, reason, field FROM v_dead_letters").await,
        "(1,'bad_date','registered_at')"
    );
    db.close().await;
}

#[tokio::test]
async fn the_backlog_of_now_forgets_an_earlier_count_and_a_partition_without_open_work_is_no_gap() {
    let Some(db) = Database::open("backlog").await else {
        return;
    };
    let minute = now() / 60 * 60;
    let count = |minute: i64, partition: u16, version: u64, source: &str, block: &str, open: u32| {
        json!({ "minute": minute, "kafka_topic": "t", "kafka_partition": partition, "version": version, "source": source,
            "block": block, "open": open, "due_2h": 0, "due_24h": 0, "overdue": open, "oldest": 0 })
    };
    // a minute ago both partitions had work
    db.insert("backlog", &[count(minute - 60, 0, 5, "pos", "roads", 4), count(minute - 60, 0, 5, "", "", 0)]).await;
    db.insert("backlog", &[count(minute - 60, 1, 5, "pos", "roads", 2), count(minute - 60, 1, 5, "", "", 0)]).await;
    // partition 0 wrote this minute, crashed, and wrote it again: the case had moved to another block
    db.insert("backlog", &[count(minute, 0, 6, "pos", "roads", 1), count(minute, 0, 6, "", "", 0)]).await;
    db.insert("backlog", &[count(minute, 0, 7, "pos", "housing", 1), count(minute, 0, 7, "", "", 0)]).await;
    // partition 1 has nothing open
    db.insert("backlog", &[count(minute, 1, 9, "", "", 0)]).await;
    let of_now = "SELECT block, open, overdue, oldest IS NULL FROM v_backlog_now";
    assert_eq!(db.text(of_now).await, "('housing',1,1,1)");
    let history = "SELECT block, open FROM v_backlog ORDER BY minute, block";
    assert_eq!(db.text(history).await, "('roads',6)\n('housing',1)");
    assert_eq!(db.number("SELECT min(partitions) FROM v_backlog_minutes").await, 2);
    db.run("OPTIMIZE TABLE backlog FINAL").await;
    assert_eq!(db.text(history).await, "('roads',6)\n('housing',1)");
    db.close().await;
}

#[tokio::test]
async fn windows_sum_over_partitions_in_their_newest_version_and_expire_by_length() {
    let Some(db) = Database::open("expire").await else {
        return;
    };
    let window = |unit: &str, age: i64, partition: u16, version: u64, answered: i32| {
        json!({ "unit": unit, "window_start": now() - age, "source": "pos", "kafka_topic": "t", "kafka_partition": partition,
            "version": version, "answered": answered, "answer_seconds": 100 * answered, "final_breached": 1 })
    };
    let (old, older) = (4 * 86_400, 100 * 86_400);
    let day = now() - older;
    let mut rows = vec![window("minute", old, 0, 1, 1), window("hour", old, 0, 1, 1), window("hour", older, 0, 1, 1)];
    rows.extend([window("day", older, 0, 1, 1), window("day", older, 0, 2, 3), window("day", older, 1, 1, 1)]);
    for row in rows.iter_mut().skip(3) {
        row["window_start"] = json!(day);
    }
    for row in &rows {
        db.insert("sla_windows", std::slice::from_ref(row)).await;
    }
    let all = "SELECT unit, answered, final_on_time_share, mean_answer_seconds, first_on_time_share IS NULL FROM v_sla ORDER BY unit";
    let expected = "('hour',1,0,100,1)\n('day',4,0.5,100,1)";
    assert_eq!(db.text(all).await, expected);
    db.run("OPTIMIZE TABLE sla_windows FINAL").await;
    assert_eq!(db.text(all).await, expected);
    let left = "SELECT unit, count() FROM sla_windows GROUP BY unit ORDER BY unit";
    assert_eq!(db.text(left).await, "('hour',1)\n('day',2)");
    db.insert("satisfaction_windows", &[json!({ "unit": "day", "window_start": day, "satisfied": 1, "version": 1 })])
        .await;
    assert_eq!(
        db.text("SELECT mean_rating IS NULL, high_share IS NULL, satisfied_share FROM v_satisfaction").await,
        "(1,1,1)"
    );
    db.close().await;
}

// --- windows: memory, restore, recount and audit must agree ---

/// A fixed sequence of numbers, so that a failure can be seen again.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

fn word(prefix: &str, number: u16) -> String {
    if number == 0 { String::new() } else { format!("{prefix}{number}") }
}

fn number(word: &str) -> u16 {
    word.get(1..).map_or(0, |digits| digits.parse().expect("digits"))
}

fn time(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds).expect("in range")
}

/// Effects around `tick`: mostly fresh, some late by any age, some in the future, the oldest before Moscow's last change of offset.
fn draw_effects(draw: &mut Draw, tick: i64) -> Vec<Effect> {
    (0..draw.below(4))
        .map(|_| {
            let age = match draw.below(10) {
                0 => draw.below(500 * 86_400) as i64,
                1 => draw.below(95 * 86_400) as i64,
                2 => draw.below(4 * 86_400) as i64,
                3 => -(draw.below(3 * 86_400) as i64),
                4 if draw.below(10) == 0 => tick - 1_350_000_000 + draw.below(86_400) as i64, // October 2012
                _ => draw.below(4 * 3600) as i64,
            };
            let kind = EffectKind::ALL[draw.below(EffectKind::ALL.len() as u64) as usize];
            let value = match kind {
                EffectKind::Rated => 1 + draw.below(5) as i32,
                EffectKind::Reacted => 1 - 2 * draw.below(2) as i32,
                EffectKind::FirstAnswered | EffectKind::Answered | EffectKind::Held => {
                    draw.below(i32::MAX as u64) as i32
                }
                _ => 0,
            };
            let takes_back = !matches!(kind, EffectKind::Rated | EffectKind::Reacted) && draw.below(4) == 0;
            let (sign, body) = (if takes_back { -1 } else { 1 }, BodyId(draw.below(3) as u16));
            Effect { kind, at: time(tick - age), sign, value, body, day_only: draw.below(5) == 0 }
        })
        .collect()
}

fn effect_json(effect: &Effect) -> Value {
    json!({ "kind": effect.kind.name(), "at": effect.at.seconds(), "sign": effect.sign, "value": effect.value,
        "body": word("h", effect.body.0), "day_only": effect.day_only })
}

fn window_json(key: &WindowKey, value: &WindowValue, version: u64, satisfaction: bool) -> Value {
    let mut row = json!({ "unit": key.unit.name(), "window_start": key.start, "source": "pos", "block": word("b", key.block.0.into()),
        "territory": word("t", key.territory.0), "body": word("h", key.body.0), "kafka_topic": "t", "kafka_partition": 0, "version": version });
    let v = value;
    let measures = if satisfaction {
        json!({ "rated": v.rated, "rating_sum": v.rating_sum, "rated_high": v.rated_high, "rated_low": v.rated_low,
            "satisfied": v.satisfied, "not_satisfied": v.not_satisfied })
    } else {
        json!({ "registered": v.registered, "first_answered": v.first_answered, "first_seconds": v.first_seconds,
            "answered": v.answered, "answer_seconds": v.answer_seconds, "closed": v.closed, "first_breached": v.first_breached,
            "final_breached": v.final_breached, "returned": v.returned, "reopened": v.reopened, "deferred": v.deferred,
            "declined": v.declined, "transferred": v.transferred, "merged": v.merged, "stage_breached": v.stage_breached,
            "held_seconds": v.held_seconds })
    };
    let (Value::Object(row_map), Value::Object(measures)) = (&mut row, measures) else { panic!("objects") };
    row_map.extend(measures);
    row
}

async fn recount(db: &Database, cold: &[ColdWindow], below: u64) {
    let units: Vec<u8> = cold.iter().map(|window| window.unit as u8).collect();
    let starts: Vec<u32> = cold.iter().map(|window| window.start).collect();
    for sql in window_sql::recount_windows_sql() {
        let query = db.client.query_raw(&sql).param("topic", "t").param("partition", 0u16).param("below", below);
        let query = query.param("minute_keep", KEEP.minute).param("hour_keep", KEEP.hour);
        query
            .param("units", &units)
            .param("starts", &starts)
            .execute()
            .await
            .unwrap_or_else(|error| panic!("{error}\n{sql}"));
    }
}

async fn restore(db: &Database, below: u64, stream_time: Option<Time>) -> BTreeMap<WindowKey, WindowValue> {
    let start = |unit| Windows::horizon_start(unit, stream_time);
    let sql = window_sql::restore_windows_sql();
    let query = db.client.query_raw(&sql).param("topic", "t").param("partition", 0u16).param("below", below);
    let query = query.param("minute_keep", KEEP.minute).param("hour_keep", KEEP.hour);
    let query = query.param("minute_start", start(WindowUnit::Minute)).param("hour_start", start(WindowUnit::Hour));
    let rows: Vec<WindowRow> = query.param("day_start", start(WindowUnit::Day)).fetch_all().await.expect("restore");
    let unit = |code: u8| WindowUnit::ALL.into_iter().find(|unit| *unit as u8 == code).expect("unit");
    rows.iter()
        .map(|row| {
            let (block, territory) = (BlockId(number(&row.block) as u8), TerritoryId(number(&row.territory)));
            let key =
                WindowKey { unit: unit(row.unit), start: row.start, block, territory, body: BodyId(number(&row.body)) };
            (key, row.value())
        })
        .collect()
}

#[tokio::test]
async fn memory_restore_recount_and_audit_agree_on_every_window() {
    let Some(db) = Database::open("windows").await else {
        return;
    };
    let (mut draw, mut windows) = (Draw(42), Windows::new(KEEP, None));
    let mut written: BTreeMap<WindowKey, WindowValue> = BTreeMap::new();
    let (mut offset, mut cold_count) = (0u64, 0);
    let first_tick = now() - 40 * 3600;
    for batch in 0..20 {
        let tick = first_tick + batch * 2 * 3600;
        let mut rows = Vec::new();
        for _ in 0..60 {
            let effects = draw_effects(&mut draw, tick);
            let mut dims =
                || Dimensions { block: BlockId(draw.below(3) as u8), territory: TerritoryId(draw.below(3) as u16) };
            let (before, after) = (dims(), dims());
            windows.count(&effects, before, after, time(tick));
            let name = |dims: Dimensions| (word("b", dims.block.0.into()), word("t", dims.territory.0));
            let (old, new) = (name(before), name(after));
            let effects: Vec<Value> = effects.iter().map(effect_json).collect();
            let more = json!({ "sealed_at": format!("{tick}.999"), "effects": effects, "previous_block": old.0,
                "previous_territory": old.1, "block": new.0, "territory": new.1 });
            rows.push(case(offset, offset, more));
            offset += 1;
        }
        db.insert("events", &rows).await;
        let dirty = windows.take_dirty();
        let sla: Vec<Value> = dirty.iter().map(|(key, value)| window_json(key, value, offset, false)).collect();
        let marks = dirty.iter().filter(|(_, value)| value.has_satisfaction());
        let marks: Vec<Value> = marks.map(|(key, value)| window_json(key, value, offset, true)).collect();
        db.insert("sla_windows", &sla).await;
        db.insert("satisfaction_windows", &marks).await;
        written.extend(dirty);
        let cold = windows.take_cold();
        cold_count += cold.len();
        recount(&db, &cold, offset).await;

        let seconds = db.client.query_raw(&window_sql::stream_time_sql()).param("topic", "t").param("partition", 0u16);
        let seconds: u32 = seconds.param("below", offset).fetch_one().await.expect("stream time");
        assert_eq!(windows.stream_time().map(Time::seconds), Some(seconds));
        let expected: BTreeMap<_, _> = written
            .iter()
            .filter(|(key, _)| key.start >= Windows::horizon_start(key.unit, windows.stream_time()))
            .map(|(key, value)| (*key, *value))
            .collect();
        assert_eq!(restore(&db, offset, windows.stream_time()).await, expected, "batch {batch}");
    }
    assert!(cold_count > 50, "{cold_count}");
    let report = db.audit().await;
    assert!(report.is_ok(), "{report}");
    assert!(report.sla_windows.compared > 1000 && report.satisfaction_windows.compared > 1000, "{report}");

    // one wrong number, one row that no effect stands behind
    db.run(
        "INSERT INTO sla_windows SELECT * REPLACE (version + 1 AS version, closed + 2 AS closed) FROM sla_windows FINAL
        WHERE unit = 'hour' ORDER BY window_start DESC LIMIT 1",
    )
    .await;
    let day = time(now()).moscow_midnight().seconds();
    db.insert(
        "satisfaction_windows",
        &[json!({ "unit": "day", "window_start": day, "source": "ghost", "version": 1, "rated": 1 })],
    )
    .await;
    let report = db.audit().await;
    assert_eq!((report.sla_windows.differing, report.satisfaction_windows.differing), (1, 1), "{report}");
    assert!(report.sla_windows.named[0].contains("closed -2"), "{report}");
    assert!(report.satisfaction_windows.named[0].contains("ghost"), "{report}");
    db.close().await;
}

#[tokio::test]
async fn the_audit_names_gaps_doubles_missing_items_and_differing_cases() {
    let Some(db) = Database::open("audit").await else {
        return;
    };
    let report = db.audit().await;
    assert_eq!(report.to_string().lines().last(), Some("audit: ok"), "an empty database is sound: {report}");

    let mut rows: Vec<Value> = (0..40)
        .filter(|offset| !(10..15).contains(offset) && *offset != 30)
        .map(|offset| case(offset, offset / 2, json!({})))
        .collect();
    rows.push(row(40, "rejected", json!({ "reason": "bad_date" })));
    rows.push(case(41, 41, json!({ "items": 3 })));
    rows.push(case(41, 42, json!({ "items": 3, "item": 2 })));
    rows.push(case(42, 43, json!({ "items": 2 })));
    rows.push(case(42, 44, json!({ "items": 2, "item": 1 })));
    db.insert("events", &rows).await;
    db.run("INSERT INTO accepted_gaps (kafka_topic, kafka_partition, begin, end, reason) VALUES ('t', 0, 9, 13, 'lost disk')").await;
    let report = db.audit().await;
    let gaps: Vec<_> = report.gaps.iter().map(|gap| (gap.begin, gap.end, gap.verdict.clone())).collect();
    let expected =
        [(10, 13, Verdict::Accepted("lost disk".to_owned())), (13, 15, Verdict::Lost), (30, 31, Verdict::Lost)];
    assert_eq!(gaps, expected);
    assert_eq!(report.incomplete.iter().map(|record| record.kafka_offset).collect::<Vec<_>>(), [41]);
    assert!(report.doubles.is_empty());
    assert_eq!(report.cases.differing, 0, "{report}");
    assert_eq!(report.to_string().lines().last(), Some("audit: 3 problems"), "{report}");

    // a double, a case that is newer than its journal, one that has none
    db.run("INSERT INTO events SELECT * FROM events WHERE kafka_offset = 5").await;
    db.run("INSERT INTO cases SELECT * REPLACE (version + 1 AS version, 'closed' AS status) FROM cases FINAL WHERE case_id = '7'").await;
    db.run(
        "INSERT INTO cases SELECT * REPLACE (900 AS case_key, 'ghost' AS case_id) FROM (SELECT * FROM cases FINAL WHERE case_id = '8')",
    )
    .await;
    let report = db.audit().await;
    assert_eq!(
        report.doubles.iter().map(|double| (double.kafka_offset, double.item, double.count)).collect::<Vec<_>>(),
        [(5, 0, 2)]
    );
    assert_eq!(report.cases.named, ["7 (t/0): other values", "ghost (t/0): not in the journal"], "{report}");
    assert_eq!(report.problems(), 3 + 1 + 2, "{report}");
    db.close().await;
}
