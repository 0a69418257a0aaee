-- Views over the windows and the backlog: the shares of the partitions summed, newest version of each.
-- A breach stands in the window of its due time and an answer in the window of its own time, so a share of one short
-- window mixes neighbours; over a day or a month the two meet.
CREATE OR REPLACE VIEW v_sla
(
    unit Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window: minutes of the last 3 days, hours of the last 90, Moscow days of always',
    window_start DateTime('Europe/Moscow') COMMENT 'Start of the window',
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body the facts belong to',
    registered Int64 COMMENT 'Cases registered',
    first_answered Int64 COMMENT 'First answers given',
    first_seconds Int64 COMMENT 'Seconds from registration to those first answers, summed',
    answered Int64 COMMENT 'Final answers given',
    answer_seconds Int64 COMMENT 'Seconds from registration to those final answers, summed',
    closed Int64 COMMENT 'Cases ended',
    first_breached Int64 COMMENT 'First answers that missed their due time, by due time',
    final_breached Int64 COMMENT 'Final answers that missed their due time, by due time',
    returned Int64 COMMENT 'Cases sent back for rework',
    reopened Int64 COMMENT 'Cases that came back after an answer',
    deferred Int64 COMMENT 'Cases put off',
    declined Int64 COMMENT 'Cases declined',
    transferred Int64 COMMENT 'Hand-overs from body to body',
    merged Int64 COMMENT 'Cases joined to another as its double',
    first_on_time_share Nullable(Float64) COMMENT '1 - first_breached / max(first_answered, first_breached); to group further, sum the counts first',
    final_on_time_share Nullable(Float64) COMMENT '1 - final_breached / max(answered, final_breached); to group further, sum the counts first',
    mean_first_seconds Nullable(Float64) COMMENT 'Mean seconds from registration to the first answer',
    mean_answer_seconds Nullable(Float64) COMMENT 'Mean seconds from registration to the final answer'
)
AS SELECT
    w.unit AS unit, w.window_start AS window_start, w.source AS source, w.block AS block, w.territory AS territory, w.body AS body,
    sum(w.registered) AS registered,
    sum(w.first_answered) AS first_answered, sum(w.first_seconds) AS first_seconds,
    sum(w.answered) AS answered, sum(w.answer_seconds) AS answer_seconds,
    sum(w.closed) AS closed, sum(w.first_breached) AS first_breached, sum(w.final_breached) AS final_breached,
    sum(w.returned) AS returned, sum(w.reopened) AS reopened, sum(w.deferred) AS deferred, sum(w.declined) AS declined,
    sum(w.transferred) AS transferred, sum(w.merged) AS merged,
    1 - first_breached / nullIf(greatest(first_answered, first_breached), 0) AS first_on_time_share,
    1 - final_breached / nullIf(greatest(answered, final_breached), 0) AS final_on_time_share,
    first_seconds / nullIf(first_answered, 0) AS mean_first_seconds,
    answer_seconds / nullIf(answered, 0) AS mean_answer_seconds
FROM sla_windows AS w FINAL
WHERE w.unit = 'day'
   OR (w.unit = 'hour' AND w.window_start >= now() - INTERVAL 90 DAY)
   OR (w.unit = 'minute' AND w.window_start >= now() - INTERVAL 3 DAY)
GROUP BY unit, window_start, source, block, territory, body
COMMENT 'Work on cases by window, source, block, territory and body';

CREATE OR REPLACE VIEW v_satisfaction
(
    unit Enum8('minute' = 1, 'hour' = 2, 'day' = 3) COMMENT 'Length of the window: minutes of the last 3 days, hours of the last 90, Moscow days of always',
    window_start DateTime('Europe/Moscow') COMMENT 'Start of the window',
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that held the case when it was rated',
    rated Int64 COMMENT 'Marks given',
    rating_sum Int64 COMMENT 'Sum of the marks',
    rated_high Int64 COMMENT 'Marks 4 and 5',
    rated_low Int64 COMMENT 'Marks 1 and 2',
    satisfied Int64 COMMENT 'Reactions: satisfied',
    not_satisfied Int64 COMMENT 'Reactions: not satisfied',
    mean_rating Nullable(Float64) COMMENT 'Mean mark; to group further, sum the counts first',
    high_share Nullable(Float64) COMMENT 'Share of marks 4 and 5',
    low_share Nullable(Float64) COMMENT 'Share of marks 1 and 2',
    satisfied_share Nullable(Float64) COMMENT 'Share of the reactions that are satisfied'
)
AS SELECT
    w.unit AS unit, w.window_start AS window_start, w.source AS source, w.block AS block, w.territory AS territory, w.body AS body,
    sum(w.rated) AS rated, sum(w.rating_sum) AS rating_sum, sum(w.rated_high) AS rated_high, sum(w.rated_low) AS rated_low,
    sum(w.satisfied) AS satisfied, sum(w.not_satisfied) AS not_satisfied,
    rating_sum / nullIf(rated, 0) AS mean_rating,
    rated_high / nullIf(rated, 0) AS high_share, rated_low / nullIf(rated, 0) AS low_share,
    satisfied / nullIf(satisfied + not_satisfied, 0) AS satisfied_share
FROM satisfaction_windows AS w FINAL
WHERE w.unit = 'day'
   OR (w.unit = 'hour' AND w.window_start >= now() - INTERVAL 90 DAY)
   OR (w.unit = 'minute' AND w.window_start >= now() - INTERVAL 3 DAY)
GROUP BY unit, window_start, source, block, territory, body
COMMENT 'Marks and reactions by window, source, block, territory and body';

CREATE OR REPLACE VIEW v_backlog
(
    minute DateTime('Europe/Moscow') COMMENT 'Moment of the count',
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the cases',
    open UInt64 COMMENT 'Open cases',
    due_2h UInt64 COMMENT 'Open cases due within two hours',
    due_24h UInt64 COMMENT 'Open cases due within a day, those within two hours included',
    overdue UInt64 COMMENT 'Open cases past their nearest due time',
    oldest Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration of the oldest open case'
)
AS SELECT
    b.minute AS minute, b.source AS source, b.block AS block, b.territory AS territory, b.body AS body,
    sum(b.open) AS open, sum(b.due_2h) AS due_2h, sum(b.due_24h) AS due_24h, sum(b.overdue) AS overdue,
    minOrNullIf(b.oldest, b.oldest != toDateTime(0, 'Europe/Moscow')) AS oldest
FROM backlog AS b FINAL
WHERE b.source != '' AND (b.minute, b.kafka_topic, b.kafka_partition, b.version) IN
    (SELECT minute, kafka_topic, kafka_partition, version FROM backlog_marks FINAL)
GROUP BY minute, source, block, territory, body
COMMENT 'Open work, minute by minute; a minute without rows had no open work, or was not counted: see v_backlog_minutes';

CREATE OR REPLACE VIEW v_backlog_minutes
(
    minute DateTime('Europe/Moscow') COMMENT 'Moment of the count',
    partitions UInt64 COMMENT 'Kafka partitions that were counted; fewer than in the minutes around means that a share is missing'
)
AS SELECT minute, uniqExact(kafka_topic, kafka_partition) AS partitions
FROM backlog_marks
GROUP BY minute
COMMENT 'How many partitions each minute of v_backlog holds';

CREATE OR REPLACE VIEW v_backlog_now
(
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the cases',
    open UInt64 COMMENT 'Open cases',
    due_2h UInt64 COMMENT 'Open cases due within two hours',
    due_24h UInt64 COMMENT 'Open cases due within a day, those within two hours included',
    overdue UInt64 COMMENT 'Open cases past their nearest due time',
    oldest Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration of the oldest open case',
    counted_at DateTime('Europe/Moscow') COMMENT 'Oldest count among the shares summed here: how stale the row is'
)
AS SELECT
    b.source AS source, b.block AS block, b.territory AS territory, b.body AS body,
    sum(b.open) AS open, sum(b.due_2h) AS due_2h, sum(b.due_24h) AS due_24h, sum(b.overdue) AS overdue,
    minOrNullIf(b.oldest, b.oldest != toDateTime(0, 'Europe/Moscow')) AS oldest,
    min(b.minute) AS counted_at
FROM backlog AS b FINAL
WHERE b.source != '' AND (b.minute, b.kafka_topic, b.kafka_partition, b.version) IN
(
    SELECT max(m.minute), m.kafka_topic, m.kafka_partition, argMax(m.version, (m.minute, m.version))
    FROM backlog_marks AS m
    GROUP BY m.kafka_topic, m.kafka_partition
)
GROUP BY source, block, territory, body
COMMENT 'Open work by the latest count of each partition';
