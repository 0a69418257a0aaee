-- The journal: one row for every item of every record, whatever its fate (design invariant 1). It is the only table
-- that is written exactly once; everything else can be rebuilt from it.
-- Partitioned by the month of sealing, so that a batch is always one part and therefore atomic.
-- Ordered by position: batches arrive in this order already, and audit, restore and replay read ranges of it.
CREATE TABLE IF NOT EXISTS events
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the record was read from',
    kafka_partition UInt16 COMMENT 'Kafka partition',
    kafka_offset UInt64 COMMENT 'Kafka offset' CODEC(Delta(8), LZ4),
    item UInt16 COMMENT 'Number of the item inside its record, from 0',
    items UInt16 COMMENT 'How many items the record carried',
    kafka_time DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka received the record' CODEC(Delta(8), LZ4),
    sealed_at DateTime64(3, 'Europe/Moscow') COMMENT 'Tick of the batch, recorded in the intent: a replay has the same',
    pipeline LowCardinality(String) COMMENT 'Pipeline file that read the record',
    rules UInt32 COMMENT 'Version of the rules (maps, policies, dictionaries) the row was made with',
    outcome Enum8('applied' = 1, 'duplicate' = 2, 'rejected' = 3, 'ignored' = 4) COMMENT 'What became of the record',
    reason LowCardinality(String) COMMENT 'Why it was not applied',
    field LowCardinality(String) COMMENT 'Field or column the reason is about',
    excerpt String COMMENT 'Masked beginning of a rejected record',
    source LowCardinality(String) COMMENT 'Upstream system',
    event Enum8('' = 0, 'registered' = 1, 'routed' = 2, 'interim_answer' = 3, 'answered' = 4, 'closed' = 5, 'rated' = 6, 'declined' = 7, 'returned' = 8, 'deferred' = 9, 'reopened' = 10, 'merged' = 11, 'status_changed' = 12, 'updated' = 13) COMMENT 'Main fact of the record',
    event_at DateTime('Europe/Moscow') COMMENT 'When it happened, by the source',
    case_key UInt64 COMMENT 'Hash of source and case number',
    case_id String COMMENT 'Number of the case in its source',
    effects Array(Tuple(kind Enum8('registered' = 1, 'first_answered' = 2, 'answered' = 3, 'closed' = 4, 'first_breached' = 5, 'final_breached' = 6, 'rated' = 7, 'reacted' = 8, 'returned' = 9, 'reopened' = 10, 'deferred' = 11, 'declined' = 12, 'transferred' = 13, 'merged' = 14), at DateTime('Europe/Moscow'), sign Int8, value Int32, body String, day_only Bool)) COMMENT 'Facts this row adds to (+1) or takes back from (-1) the windows',
    previous_block LowCardinality(String) COMMENT 'Block under which effects with sign -1 were counted',
    previous_territory LowCardinality(String) COMMENT 'The same for the territory',
    text String COMMENT 'Text of the message, masked',
    masked Array(Enum8('phone' = 1, 'email' = 2, 'snils' = 3, 'card' = 4, 'profile' = 5)) COMMENT 'Kinds of the identifiers that were masked, one entry each',
    masker UInt16 COMMENT 'Version of the masker',
    place String COMMENT 'Address without flat, masked',
    latitude Float32 COMMENT 'Coarse latitude, 0 when unknown',
    longitude Float32 COMMENT 'Coarse longitude, 0 when unknown',
    -- the case as it stood after this row
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
    INDEX by_case case_key TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX by_event_time event_at TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(sealed_at)
ORDER BY (kafka_topic, kafka_partition, kafka_offset, item)
SETTINGS non_replicated_deduplication_window = 10000;

-- The number of partitions of a source is pinned: another number would move cases away from their state.
-- A new epoch is entered on purpose only, when a Kafka topic was recreated.
CREATE TABLE IF NOT EXISTS streams
(
    kafka_topic String COMMENT 'Kafka topic',
    partitions UInt16 COMMENT 'Pinned number of partitions',
    epoch UInt32 COMMENT 'Which life of the Kafka topic the journal belongs to',
    noted_at DateTime('Europe/Moscow') DEFAULT now() COMMENT 'When this was pinned'
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY kafka_topic;

-- Ranges of offsets that an operator accepted as lost (`--accept-gap`), so that accounting stays whole.
CREATE TABLE IF NOT EXISTS accepted_gaps
(
    kafka_topic String COMMENT 'Kafka topic',
    kafka_partition UInt16 COMMENT 'Kafka partition',
    begin UInt64 COMMENT 'First offset that was skipped',
    end UInt64 COMMENT 'Offset after the last one',
    reason String COMMENT 'Why it was accepted',
    noted_at DateTime('Europe/Moscow') DEFAULT now() COMMENT 'When it was accepted'
)
ENGINE = ReplacingMergeTree(noted_at)
ORDER BY (kafka_topic, kafka_partition, begin);
