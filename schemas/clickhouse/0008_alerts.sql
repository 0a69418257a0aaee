-- Alerts of running clocks. A row is there before anybody is told, and is the outbox: what was not sent has a zero in
-- kafka_sent_at or webhook_sent_at. Keyed upserts: the id is a hash of case, clock, due time and level; the version grows
-- with the row of the case, then with resolved, then with what was sent, so a late writer turns nothing back.
CREATE TABLE IF NOT EXISTS alerts
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the case comes from',
    kafka_partition UInt16 COMMENT 'Kafka partition of the case',
    alert_id String COMMENT 'Hash of case, clock, due time and level, 32 hex digits',
    version UInt64 COMMENT 'Row of the case * 8 + resolved * 4 + sent to the webhook * 2 + sent to Kafka',
    state LowCardinality(String) COMMENT 'firing or resolved',
    source LowCardinality(String) COMMENT 'Upstream system',
    case_key UInt64 COMMENT 'Hash of source and case number',
    case_id String COMMENT 'Number of the case in its source',
    clock LowCardinality(String) COMMENT 'first_answer or final_answer',
    level LowCardinality(String) COMMENT 'Level of the escalation ladder',
    due DateTime('Europe/Moscow') COMMENT 'Due time of the clock',
    level_at DateTime('Europe/Moscow') COMMENT 'When the level was reached',
    raised_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the alert was raised',
    resolved_at DateTime64(3, 'Europe/Moscow') COMMENT 'When its cause was seen to have ended; zero while it fires',
    addressee LowCardinality(String) COMMENT 'Who is told',
    body LowCardinality(String) COMMENT 'Body that held the case',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    text String COMMENT 'What is said, in Russian',
    kafka_sent_at DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka took this state; zero while it has not',
    webhook_sent_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the webhook took this state; zero while it has not'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kafka_topic, kafka_partition, alert_id)
COMMENT 'Alerts of clocks (internal: read v_alerts)';

CREATE OR REPLACE VIEW v_alerts
(
    alert_id String COMMENT 'The same id is the same alert, however often it is sent',
    state LowCardinality(String) COMMENT 'firing or resolved',
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    clock LowCardinality(String) COMMENT 'first_answer or final_answer',
    level LowCardinality(String) COMMENT 'Level of the escalation ladder',
    due DateTime('Europe/Moscow') COMMENT 'Due time of the clock',
    level_at DateTime('Europe/Moscow') COMMENT 'When the level was reached',
    raised_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the alert was raised',
    resolved_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When its cause was seen to have ended',
    addressee LowCardinality(String) COMMENT 'Who is told',
    body LowCardinality(String) COMMENT 'Body that held the case',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    text String COMMENT 'What is said, in Russian',
    kafka_sent_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When Kafka took this state',
    webhook_sent_at Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'When the webhook took this state'
)
AS SELECT
    alert_id, state, source, case_id, clock, level, due, level_at, raised_at,
    if(toUnixTimestamp64Milli(alerts.resolved_at) = 0, NULL, alerts.resolved_at) AS resolved_at,
    addressee, body, block, territory, text,
    if(toUnixTimestamp64Milli(alerts.kafka_sent_at) = 0, NULL, alerts.kafka_sent_at) AS kafka_sent_at,
    if(toUnixTimestamp64Milli(alerts.webhook_sent_at) = 0, NULL, alerts.webhook_sent_at) AS webhook_sent_at
FROM alerts FINAL
COMMENT 'Alerts of clocks, each once, in its latest state';
