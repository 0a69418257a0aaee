-- Alerts of running clocks. A row is there before anybody is told, and is the outbox: what was not sent has a zero in
-- kafka_sent_at or webhook_sent_at. Keyed upserts: the id is a hash of case, clock, due time and level; the version grows
-- with the row of the case, then with resolved, then with what was sent, so a late writer turns nothing back. The TTL looks
-- at the due time, which is the same in all versions of a row, so they leave together.
CREATE TABLE IF NOT EXISTS alerts
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the case comes from',
    kafka_partition UInt16 COMMENT 'Kafka partition of the case',
    alert_id String COMMENT 'Hash of case, clock, due time and level, 32 hex digits',
    version UInt64 COMMENT 'Row of the case * 16 + resolved * 8 + sent to the webhook * 4 + held back * 2 + sent to Kafka',
    state LowCardinality(String) COMMENT 'firing or resolved',
    source LowCardinality(String) COMMENT 'Upstream system',
    case_key UInt64 COMMENT 'Hash of source and case number',
    case_id String COMMENT 'Number of the case in its source; of a calendar, its name',
    clock LowCardinality(String) COMMENT 'first_answer, final_answer, dispatch, moderation, coordination, execution, approval; calendar for the end of a calendar',
    level LowCardinality(String) COMMENT 'Level of the escalation ladder, or calendar',
    due DateTime('Europe/Moscow') COMMENT 'Due time of the clock; the end of the calendar',
    level_at DateTime('Europe/Moscow') COMMENT 'When the level was reached',
    raised_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the alert was raised',
    resolved_at DateTime64(3, 'Europe/Moscow') COMMENT 'When its cause was seen to have ended; zero while it fires',
    addressee LowCardinality(String) COMMENT 'Who is told',
    body LowCardinality(String) COMMENT 'Body that held the case',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    text String COMMENT 'What is said, in Russian',
    kafka_sent_at DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka took this state; zero while it has not',
    webhook_sent_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the webhook took this state, alone or in a digest; zero while it has not',
    held LowCardinality(String) COMMENT 'Why the webhook was not called at once: group, rate or quiet; empty if it was',
    digest_id String COMMENT 'Digest that told it; empty if it was told alone'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kafka_topic, kafka_partition, alert_id)
TTL due + INTERVAL 3 YEAR
COMMENT 'Alerts of clocks (internal: read v_alerts)';

CREATE OR REPLACE VIEW v_alerts
(
    alert_id String COMMENT 'The same id is the same alert, however often it is sent',
    state LowCardinality(String) COMMENT 'firing or resolved',
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source; of a calendar, its name',
    clock LowCardinality(String) COMMENT 'first_answer, final_answer, dispatch, moderation, coordination, execution, approval; calendar for the end of a calendar',
    level LowCardinality(String) COMMENT 'Level of the escalation ladder, or calendar',
    due DateTime('Europe/Moscow') COMMENT 'Due time of the clock; the end of the calendar',
    level_at DateTime('Europe/Moscow') COMMENT 'When the level was reached',
    raised_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the alert was raised',
    resolved_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When its cause was seen to have ended',
    addressee LowCardinality(String) COMMENT 'Who is told',
    body LowCardinality(String) COMMENT 'Body that held the case',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    text String COMMENT 'What is said, in Russian',
    kafka_sent_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When Kafka took this state',
    webhook_sent_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When the webhook took this state, alone or in a digest',
    held LowCardinality(String) COMMENT 'Why the webhook was not called at once: group, rate or quiet; empty if it was',
    digest_id String COMMENT 'Digest that told it; empty if it was told alone'
)
AS SELECT
    alert_id, state, source, case_id, clock, level, due, level_at, raised_at,
    if(toUnixTimestamp64Milli(alerts.resolved_at) = 0, NULL, alerts.resolved_at) AS resolved_at,
    addressee, body, block, territory, text,
    if(toUnixTimestamp64Milli(alerts.kafka_sent_at) = 0, NULL, alerts.kafka_sent_at) AS kafka_sent_at,
    if(toUnixTimestamp64Milli(alerts.webhook_sent_at) = 0, NULL, alerts.webhook_sent_at) AS webhook_sent_at,
    held, digest_id
FROM alerts FINAL
COMMENT 'Alerts of clocks, each once, in its latest state';

-- What was held back, said at once. A digest is a row before the webhook is called.
CREATE TABLE IF NOT EXISTS alert_digests
(
    digest_id String COMMENT 'Hash of addressee and alerts, 32 hex digits',
    addressee LowCardinality(String) COMMENT 'Who is told',
    why LowCardinality(String) COMMENT 'Why it was held back: group, rate or quiet',
    held_from DateTime64(3, 'Europe/Moscow') COMMENT 'When the first of its alerts was raised',
    held_until DateTime64(3, 'Europe/Moscow') COMMENT 'When the digest was made',
    alerts UInt32 COMMENT 'Alerts in it',
    ended UInt32 COMMENT 'Those of them whose cause had ended by then',
    text String COMMENT 'What is said, in Russian',
    sent_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the webhook took it; zero while it has not'
)
ENGINE = ReplacingMergeTree(sent_at)
ORDER BY digest_id
TTL toDateTime(held_from) + INTERVAL 3 YEAR
COMMENT 'Digests of alerts that were held back (internal: read v_alert_digests)';

CREATE OR REPLACE VIEW v_alert_digests
(
    digest_id String COMMENT 'The same id is the same digest; its alerts have it in v_alerts',
    addressee LowCardinality(String) COMMENT 'Who is told',
    why LowCardinality(String) COMMENT 'Why it was held back: group, rate or quiet',
    held_from DateTime64(3, 'Europe/Moscow') COMMENT 'When the first of its alerts was raised',
    held_until DateTime64(3, 'Europe/Moscow') COMMENT 'When the digest was made',
    alerts UInt32 COMMENT 'Alerts in it',
    ended UInt32 COMMENT 'Those of them whose cause had ended by then',
    text String COMMENT 'What is said, in Russian',
    sent_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When the webhook took it'
)
AS SELECT
    digest_id, addressee, why, held_from, held_until, alerts, ended, text,
    if(toUnixTimestamp64Milli(alert_digests.sent_at) = 0, NULL, alert_digests.sent_at) AS sent_at
FROM alert_digests FINAL
COMMENT 'Digests of alerts that were held back, each once';
