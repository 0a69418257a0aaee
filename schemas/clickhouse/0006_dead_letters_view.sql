-- Rejected records are rows of the journal already, so they need no table of their own: at a steady rate nearly every
-- batch holds one, and a part for a handful of rows cost the server a sixth of the whole insert (4 to 5 of 31 ms of CPU
-- for 1,500 rows). As a view they also cannot differ from the journal. `outcome` is one byte a row and compresses to
-- nearly nothing, so finding them reads little.
DROP VIEW IF EXISTS dead_letters_from_events SYNC;
DROP TABLE IF EXISTS dead_letters SYNC;

CREATE OR REPLACE VIEW v_dead_letters
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the record was read from',
    kafka_partition UInt16 COMMENT 'Kafka partition',
    kafka_offset UInt64 COMMENT 'Kafka offset',
    item UInt16 COMMENT 'Number of the item inside its record, from 0',
    kafka_time DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka received the record',
    pipeline LowCardinality(String) COMMENT 'Pipeline file that read the record',
    reason LowCardinality(String) COMMENT 'Why it cannot be used',
    field LowCardinality(String) COMMENT 'Field or column the reason is about',
    excerpt String COMMENT 'The wrong value, masked; or what is wrong with a record that cannot be read',
    sealed_at DateTime64(3, 'Europe/Moscow') COMMENT 'When its batch was sealed'
)
AS SELECT kafka_topic, kafka_partition, kafka_offset, item, kafka_time, pipeline, reason, field, excerpt, sealed_at
FROM events
WHERE outcome = 'rejected'
COMMENT 'Rejected records with the reason and the wrong value, masked';
