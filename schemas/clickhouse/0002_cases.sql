-- Projections of the journal, row by row (design invariant 2): `cases` is each case as its latest applied row left it,
-- `dead_letters` is what was rejected and why. Materialized views fill them inside the journal's own insert.
-- The deduplication window matters here too: with 0, a replayed block that the journal drops would still reach them.
-- Both are keyed upserts all the same, so filling them once more from the journal gives equal tables.
CREATE TABLE IF NOT EXISTS cases
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the case comes from',
    kafka_partition UInt16 COMMENT 'Kafka partition that holds all records of the case',
    case_key UInt64 COMMENT 'Hash of source and case number',
    version UInt64 COMMENT 'Position of the latest applied row: offset * 65536 + item',
    updated_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the batch of that row was sealed',
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    event Enum8('' = 0, 'registered' = 1, 'routed' = 2, 'interim_answer' = 3, 'answered' = 4, 'closed' = 5, 'rated' = 6, 'declined' = 7, 'returned' = 8, 'deferred' = 9, 'reopened' = 10, 'merged' = 11, 'status_changed' = 12, 'updated' = 13) COMMENT 'Latest applied fact',
    event_at DateTime('Europe/Moscow') COMMENT 'When it happened, by the source',
    -- from here on the columns of the journal, name by name and type by type
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13) COMMENT 'Status of the case',
    priority Enum8('' = 0, 'normal' = 1, 'urgent' = 2) COMMENT 'How soon the source wants it',
    kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) COMMENT 'What the message is',
    law Enum8('' = 0, 'none' = 1, '59-fz' = 2, '8-fz' = 3) COMMENT 'Law it is handled under',
    decision Enum8('' = 0, 'solved' = 1, 'not_solved' = 2, 'explained' = 3, 'deferred' = 4) COMMENT 'What the answer decided',
    reaction Enum8('' = 0, 'satisfied' = 1, 'not_satisfied' = 2, 'none' = 3) COMMENT 'Reaction of the author',
    rating UInt8 COMMENT 'Mark of the author, 1 to 5; 0 is not rated',
    review_round UInt8 COMMENT 'How often the case came back',
    transfers UInt8 COMMENT 'How often it went from body to body',
    fast_track Bool COMMENT 'Fast track of the source',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    day_only Bool COMMENT 'The source dates by days',
    breach_locked Bool COMMENT 'A breach of an earlier round stands',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    category LowCardinality(String) COMMENT 'Category as the source gives it',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    network LowCardinality(String) COMMENT 'Social network or channel',
    received_body LowCardinality(String) COMMENT 'Body the case came in to',
    body LowCardinality(String) COMMENT 'Body that holds the case',
    first_answer_body LowCardinality(String) COMMENT 'Holder at the first answer',
    answer_body LowCardinality(String) COMMENT 'Holder at the final answer',
    breach_body LowCardinality(String) COMMENT 'Holder when a deadline fell due',
    policy LowCardinality(String) COMMENT 'SLA policy that matched',
    author_key UInt64 COMMENT 'Keyed identity of the author',
    registered_at DateTime('Europe/Moscow') COMMENT 'Registration',
    status_at DateTime('Europe/Moscow') COMMENT 'Latest change of status',
    holder_since DateTime('Europe/Moscow') COMMENT 'The holder has the case since',
    first_answer_at DateTime('Europe/Moscow') COMMENT 'First answer, interim or final',
    answered_at DateTime('Europe/Moscow') COMMENT 'Final answer of the present round',
    closed_at DateTime('Europe/Moscow') COMMENT 'End of the work',
    rated_at DateTime('Europe/Moscow') COMMENT 'Mark or reaction of the author',
    round_since DateTime('Europe/Moscow') COMMENT 'Start of the present review round',
    due_first DateTime('Europe/Moscow') COMMENT 'First answer due',
    due_final DateTime('Europe/Moscow') COMMENT 'Final answer due',
    planned_at DateTime('Europe/Moscow') COMMENT 'Deadline of the source',
    first_breach_at DateTime('Europe/Moscow') COMMENT 'First answer missed this due time',
    final_breach_at DateTime('Europe/Moscow') COMMENT 'Final answer missed this due time',
    text_at UInt64 COMMENT 'Version of the row that holds the text',
    fingerprint UInt128 COMMENT 'Marks by which a repeated delivery is known',
    INDEX by_case_id case_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kafka_topic, kafka_partition, case_key)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Each case as it stands now (internal: read v_cases, v_open_cases, v_overdue)';

CREATE MATERIALIZED VIEW IF NOT EXISTS cases_from_events TO cases AS
SELECT
    kafka_topic, kafka_partition, case_key,
    bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item)) AS version,
    sealed_at AS updated_at,
    source, case_id, event, event_at,
    status, priority, kind, law, decision, reaction, rating, review_round, transfers, fast_track,
    source_overdue, day_only, breach_locked, block, topic, category, territory, network, received_body, body,
    first_answer_body, answer_body, breach_body, policy, author_key, registered_at, status_at, holder_since, first_answer_at, answered_at,
    closed_at, rated_at, round_since, due_first, due_final, planned_at, first_breach_at, final_breach_at, text_at, fingerprint
FROM events
WHERE outcome = 'applied'
COMMENT 'Fills cases from applied rows of the journal';

CREATE TABLE IF NOT EXISTS dead_letters
(
    pipeline LowCardinality(String) COMMENT 'Pipeline file that read the record',
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the record was read from',
    kafka_partition UInt16 COMMENT 'Kafka partition',
    kafka_offset UInt64 COMMENT 'Kafka offset',
    item UInt16 COMMENT 'Number of the item inside its record, from 0',
    kafka_time DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka received the record',
    reason LowCardinality(String) COMMENT 'Why it cannot be used',
    field LowCardinality(String) COMMENT 'Field or column the reason is about',
    excerpt String COMMENT 'Masked beginning of the record',
    sealed_at DateTime64(3, 'Europe/Moscow') COMMENT 'When its batch was sealed'
)
ENGINE = ReplacingMergeTree(sealed_at)
ORDER BY (kafka_topic, kafka_partition, kafka_offset, item)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Rejected records (internal: read v_dead_letters)';

CREATE MATERIALIZED VIEW IF NOT EXISTS dead_letters_from_events TO dead_letters AS
SELECT pipeline, kafka_topic, kafka_partition, kafka_offset, item, kafka_time, reason, field, excerpt, sealed_at
FROM events
WHERE outcome = 'rejected'
COMMENT 'Fills dead_letters from rejected rows of the journal';
