-- Feedback to the upstreams. What was rejected is in the journal, so the outbox of the Kafka topic `tsur.rejects` needs no
-- rows of its own but how far it came: below this offset every rejected row was told. It is written after Kafka has confirmed,
-- so a crash sends the last seconds again and never leaves a row out.
CREATE TABLE IF NOT EXISTS rejects_sent
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the records were read from',
    kafka_partition UInt16 COMMENT 'Kafka partition',
    epoch UInt32 COMMENT 'Which life of the Kafka topic',
    sent_below UInt64 COMMENT 'Rejected rows below this offset were told',
    noted_at DateTime64(3, 'Europe/Moscow') COMMENT 'When this was noted'
)
ENGINE = ReplacingMergeTree(sent_below)
ORDER BY (kafka_topic, kafka_partition, epoch)
COMMENT 'How far the Kafka topic of rejects was filled (internal)';

CREATE OR REPLACE VIEW v_acceptance
(
    day Date COMMENT 'Moscow day on which Kafka received the records',
    source LowCardinality(String) COMMENT 'Upstream system',
    pipeline LowCardinality(String) COMMENT 'Pipeline file that read the records',
    records UInt64 COMMENT 'Records received; compare with what the upstream says it has sent',
    rows UInt64 COMMENT 'Items of these records: a record of several items has several. All counts below are of items',
    applied UInt64 COMMENT 'Items that changed something',
    duplicate UInt64 COMMENT 'Items whose content was known already: accepted, and worth telling a source that sends many',
    ignored UInt64 COMMENT 'Sound items that change nothing on purpose',
    rejected UInt64 COMMENT 'Items that nobody can use',
    rejected_by_reason Map(String, UInt64) COMMENT 'The rejected by reason and column, e.g. bad_time Дата поступления; see docs/rejects.md for the reasons',
    accepted_share Float64 COMMENT 'Share of the items that were not rejected, 0 to 1; to group further, sum the counts first',
    last_record DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka received the newest record of the day',
    last_accepted Nullable(DateTime64(3, 'Europe/Moscow')) COMMENT 'The same for the newest record that was not rejected'
)
AS SELECT
    toDate(e.kafka_time) AS day, e.source AS source, e.pipeline AS pipeline,
    countIf(e.item = 0) AS records, count() AS rows,
    countIf(e.outcome = 'applied') AS applied, countIf(e.outcome = 'duplicate') AS duplicate,
    countIf(e.outcome = 'ignored') AS ignored, countIf(e.outcome = 'rejected') AS rejected,
    sumMapIf(map(trimRight(concat(toString(e.reason), ' ', toString(e.field))), toUInt64(1)), e.outcome = 'rejected') AS rejected_by_reason,
    1 - rejected / rows AS accepted_share,
    max(e.kafka_time) AS last_record,
    maxOrNullIf(e.kafka_time, e.outcome != 'rejected') AS last_accepted
FROM events AS e
GROUP BY day, source, pipeline
COMMENT 'What each source gets accepted, by Moscow day';
