-- Windows and backlog: whole values, never deltas, so a row may be written again. Every partition worker writes its own
-- share (Kafka topic and partition are in the key), views sum the shares, and no two writers meet on a key.
-- TTL and ReplacingMergeTree do not fight: the TTL looks at unit and window_start only, which are in the key, so all
-- versions of a row expire at the same instant. Merges of single parts may let an older version outlive a newer one for
-- a while; the views therefore never show rows past their TTL.
-- No deduplication window: all of these are keyed upserts, written again they stay equal.
-- Minute and hour windows older than the TTL are not written at all (Retention::OF_TABLES in src/model/windows.rs).
CREATE TABLE IF NOT EXISTS sla_windows
(
    unit Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window; days are Moscow days',
    window_start DateTime('Europe/Moscow') COMMENT 'Start of the window',
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body the facts belong to',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic of the share',
    kafka_partition UInt16 COMMENT 'Kafka partition of the share',
    version UInt64 COMMENT 'The share counts all journal rows of the partition below this offset',
    registered Int32 COMMENT 'Cases registered',
    first_answered Int32 COMMENT 'First answers given',
    first_seconds Int64 COMMENT 'Seconds from registration to those first answers, summed',
    answered Int32 COMMENT 'Final answers given',
    answer_seconds Int64 COMMENT 'Seconds from registration to those final answers, summed',
    closed Int32 COMMENT 'Cases ended',
    first_breached Int32 COMMENT 'First answers that missed their due time, by due time',
    final_breached Int32 COMMENT 'Final answers that missed their due time, by due time',
    returned Int32 COMMENT 'Cases sent back for rework',
    reopened Int32 COMMENT 'Cases that came back after an answer',
    deferred Int32 COMMENT 'Cases put off',
    declined Int32 COMMENT 'Cases declined',
    transferred Int32 COMMENT 'Hand-overs from body to body',
    merged Int32 COMMENT 'Cases joined to another as its double'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (unit, window_start, source, block, territory, body, kafka_topic, kafka_partition)
TTL window_start + INTERVAL 3 DAY DELETE WHERE unit = 'minute',
    window_start + INTERVAL 90 DAY DELETE WHERE unit = 'hour'
COMMENT 'Facts of the work on cases by window (internal: read v_sla)';

CREATE TABLE IF NOT EXISTS satisfaction_windows
(
    unit Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window; days are Moscow days',
    window_start DateTime('Europe/Moscow') COMMENT 'Start of the window',
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body the facts belong to',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic of the share',
    kafka_partition UInt16 COMMENT 'Kafka partition of the share',
    version UInt64 COMMENT 'The share counts all journal rows of the partition below this offset',
    rated Int32 COMMENT 'Marks given',
    rating_sum Int32 COMMENT 'Sum of the marks',
    rated_high Int32 COMMENT 'Marks 4 and 5',
    rated_low Int32 COMMENT 'Marks 1 and 2',
    satisfied Int32 COMMENT 'Reactions: satisfied',
    not_satisfied Int32 COMMENT 'Reactions: not satisfied'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (unit, window_start, source, block, territory, body, kafka_topic, kafka_partition)
TTL window_start + INTERVAL 3 DAY DELETE WHERE unit = 'minute',
    window_start + INTERVAL 90 DAY DELETE WHERE unit = 'hour'
COMMENT 'Marks and reactions by window (internal: read v_satisfaction)';

-- A worker writes one block a minute and partition: a row for each combination of dimensions with open work, and always
-- one mark, the row with empty source and dimensions (real rows have a source). The mark says that the partition was
-- counted, even when nothing is open, and its version says which rows of the minute are the truth: a minute written
-- again after a restart may lack a combination that the first attempt had, and such a left-over has a lower version.
CREATE TABLE IF NOT EXISTS backlog
(
    minute DateTime('Europe/Moscow') COMMENT 'Moment of the count',
    source LowCardinality(String) COMMENT 'Upstream system; empty in the mark',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the cases',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic of the share',
    kafka_partition UInt16 COMMENT 'Kafka partition of the share',
    version UInt64 COMMENT 'The share counts all journal rows of the partition below this offset',
    open UInt32 COMMENT 'Open cases',
    due_2h UInt32 COMMENT 'Open cases due within two hours',
    due_24h UInt32 COMMENT 'Open cases due within a day, those within two hours included',
    overdue UInt32 COMMENT 'Open cases past their nearest due time',
    oldest DateTime('Europe/Moscow') COMMENT 'Registration of the oldest open case; 1970 when unknown'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (minute, source, block, territory, body, kafka_topic, kafka_partition)
TTL minute + INTERVAL 90 DAY
COMMENT 'Open work, minute by minute (internal: read v_backlog_now, v_backlog)';

CREATE TABLE IF NOT EXISTS backlog_marks
(
    minute DateTime('Europe/Moscow') COMMENT 'Moment of the count',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic',
    kafka_partition UInt16 COMMENT 'Kafka partition that was counted',
    version UInt64 COMMENT 'Version of the rows of backlog that are the truth for this minute and partition'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (minute, kafka_topic, kafka_partition)
TTL minute + INTERVAL 90 DAY
COMMENT 'Which partitions were counted in which minute (internal)';

CREATE MATERIALIZED VIEW IF NOT EXISTS backlog_marks_from_backlog TO backlog_marks AS
SELECT minute, kafka_topic, kafka_partition, version
FROM backlog
WHERE source = ''
COMMENT 'Fills backlog_marks from the marks among the rows of backlog';
