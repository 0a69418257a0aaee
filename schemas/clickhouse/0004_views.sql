-- Views for people: dashboards, alerts and analysts read these and nothing else. No FINAL, no internal table, no 1970:
-- what is unset is NULL. A rate with nothing under it is NULL too, never 0.
-- Cases whose clock runs: the first answer is awaited while there is none, the final answer while the case has neither an
-- answer of its present round nor an end. Both are the rules of src/model/case.rs.
CREATE OR REPLACE VIEW v_cases
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13) COMMENT 'Status',
    is_open Bool COMMENT 'Somebody still owes this case something',
    kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) COMMENT 'What the message is',
    priority Enum8('' = 0, 'normal' = 1, 'urgent' = 2) COMMENT 'How soon the source wants it',
    law Enum8('' = 0, 'none' = 1, '59-fz' = 2, '8-fz' = 3) COMMENT 'Law it is handled under',
    decision Enum8('' = 0, 'solved' = 1, 'not_solved' = 2, 'explained' = 3, 'deferred' = 4) COMMENT 'What the answer decided',
    fast_track Bool COMMENT 'Fast track of the source',
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
    holder_since Nullable(DateTime('Europe/Moscow')) COMMENT 'The holder has the case since',
    transfers UInt8 COMMENT 'How often it went from body to body',
    review_round UInt8 COMMENT 'How often it came back',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    status_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Latest change of status',
    first_answer_at Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer, interim or final',
    answered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer of the present round',
    closed_at Nullable(DateTime('Europe/Moscow')) COMMENT 'End of the work',
    policy LowCardinality(String) COMMENT 'SLA policy that matched',
    due_first Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer due',
    due_final Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer due',
    first_breach_at Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer missed this due time',
    final_breach_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer missed this due time',
    next_clock LowCardinality(String) COMMENT 'Running clock with the nearest due time: first_answer, final_answer, or empty',
    next_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Nearest due time of a running clock',
    source_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Deadline of the source',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    rating Nullable(UInt8) COMMENT 'Mark of the author, 1 to 5',
    reaction Enum8('' = 0, 'satisfied' = 1, 'not_satisfied' = 2, 'none' = 3) COMMENT 'Reaction of the author',
    rated_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Mark or reaction of the author',
    day_only Bool COMMENT 'The source dates by days, times of day mean nothing',
    last_event Enum8('' = 0, 'registered' = 1, 'routed' = 2, 'interim_answer' = 3, 'answered' = 4, 'closed' = 5, 'rated' = 6, 'declined' = 7, 'returned' = 8, 'deferred' = 9, 'reopened' = 10, 'merged' = 11, 'status_changed' = 12, 'updated' = 13) COMMENT 'Latest fact that changed the case',
    last_event_at Nullable(DateTime('Europe/Moscow')) COMMENT 'When it happened, by the source',
    updated_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the pipeline took it in'
)
AS
WITH
    toDateTime(0, 'Europe/Moscow') AS unset,
    status NOT IN ('answered', 'closed', 'rejected', 'deferred', 'duplicate') AS is_open_now,
    4294967295 AS never,
    if(is_open_now AND c.first_answer_at = unset AND c.due_first != unset, toUInt32(c.due_first), never) AS first_due,
    if(is_open_now AND c.answered_at = unset AND c.closed_at = unset AND c.due_final != unset, toUInt32(c.due_final), never) AS final_due,
    least(first_due, final_due) AS nearest
SELECT
    c.source AS source, c.case_id AS case_id, c.status AS status, is_open_now::Bool AS is_open,
    c.kind AS kind, c.priority AS priority, c.law AS law, c.decision AS decision, c.fast_track AS fast_track,
    c.block AS block, c.topic AS topic, c.category AS category, c.territory AS territory, c.network AS network,
    c.received_body AS received_body, c.body AS body, c.first_answer_body AS first_answer_body,
    c.answer_body AS answer_body, c.breach_body AS breach_body,
    nullIf(c.holder_since, unset) AS holder_since, c.transfers AS transfers, c.review_round AS review_round,
    nullIf(c.registered_at, unset) AS registered_at, nullIf(c.status_at, unset) AS status_at,
    nullIf(c.first_answer_at, unset) AS first_answer_at, nullIf(c.answered_at, unset) AS answered_at,
    nullIf(c.closed_at, unset) AS closed_at,
    c.policy AS policy, nullIf(c.due_first, unset) AS due_first, nullIf(c.due_final, unset) AS due_final,
    nullIf(c.first_breach_at, unset) AS first_breach_at, nullIf(c.final_breach_at, unset) AS final_breach_at,
    multiIf(nearest = never, '', first_due <= final_due, 'first_answer', 'final_answer') AS next_clock,
    if(nearest = never, NULL, toDateTime(nearest, 'Europe/Moscow')) AS next_due,
    nullIf(c.planned_at, unset) AS source_due, c.source_overdue AS source_overdue,
    nullIf(c.rating, 0) AS rating, c.reaction AS reaction, nullIf(c.rated_at, unset) AS rated_at,
    c.day_only AS day_only, c.event AS last_event, nullIf(c.event_at, unset) AS last_event_at, c.updated_at AS updated_at
FROM cases AS c FINAL
COMMENT 'Every case as it stands now, one row a case';

CREATE OR REPLACE VIEW v_open_cases
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13) COMMENT 'Status',
    priority Enum8('' = 0, 'normal' = 1, 'urgent' = 2) COMMENT 'How soon the source wants it',
    kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) COMMENT 'What the message is',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    network LowCardinality(String) COMMENT 'Social network or channel',
    body LowCardinality(String) COMMENT 'Body that holds the case',
    holder_since Nullable(DateTime('Europe/Moscow')) COMMENT 'The holder has the case since',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    status_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Latest change of status',
    first_answer_at Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer, interim or final',
    policy LowCardinality(String) COMMENT 'SLA policy that matched',
    due_first Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer due',
    due_final Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer due',
    next_clock LowCardinality(String) COMMENT 'Running clock with the nearest due time: first_answer, final_answer, or empty',
    next_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Nearest due time of a running clock',
    seconds_left Nullable(Int64) COMMENT 'Seconds to the nearest due time; negative when it has passed',
    is_overdue Bool COMMENT 'The nearest due time has passed',
    source_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Deadline of the source',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    transfers UInt8 COMMENT 'How often it went from body to body',
    review_round UInt8 COMMENT 'How often it came back',
    fast_track Bool COMMENT 'Fast track of the source',
    updated_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the pipeline took in its latest change'
)
AS SELECT
    source, case_id, status, priority, kind, block, topic, territory, network, body, holder_since, registered_at, status_at,
    first_answer_at, policy, due_first, due_final, next_clock, next_due,
    toInt64(toUnixTimestamp(next_due)) - toInt64(toUnixTimestamp(now())) AS seconds_left,
    ifNull(next_due < now(), false)::Bool AS is_overdue,
    source_due, source_overdue, transfers, review_round, fast_track, updated_at
FROM v_cases
WHERE is_open
COMMENT 'Cases somebody still has to work on, one row a case';

CREATE OR REPLACE VIEW v_overdue
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13) COMMENT 'Status',
    priority Enum8('' = 0, 'normal' = 1, 'urgent' = 2) COMMENT 'How soon the source wants it',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    holder LowCardinality(String) COMMENT 'Body that holds the case',
    holder_since Nullable(DateTime('Europe/Moscow')) COMMENT 'The holder has the case since',
    clock LowCardinality(String) COMMENT 'Clock that is past due: first_answer or final_answer',
    due DateTime('Europe/Moscow') COMMENT 'When it was due',
    overdue_seconds Int64 COMMENT 'Seconds since then',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    policy LowCardinality(String) COMMENT 'SLA policy that matched',
    source_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Deadline of the source',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    transfers UInt8 COMMENT 'How often it went from body to body',
    review_round UInt8 COMMENT 'How often it came back'
)
AS SELECT
    source, case_id, status, priority, block, topic, territory, body AS holder, holder_since, next_clock AS clock,
    assumeNotNull(next_due) AS due, -assumeNotNull(seconds_left) AS overdue_seconds,
    registered_at, policy, source_due, source_overdue, transfers, review_round
FROM v_open_cases
WHERE is_overdue
COMMENT 'Open cases past the nearest due time of a running clock, with the clock and the holder';

-- groupBitmap counts distinct offsets exactly, and runs of neighbours cost it almost nothing.
CREATE OR REPLACE VIEW v_accounting
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic',
    kafka_partition UInt16 COMMENT 'Kafka partition',
    records UInt64 COMMENT 'Records in the journal',
    rows UInt64 COMMENT 'Rows in the journal: a record of several items has several',
    applied UInt64 COMMENT 'Rows that changed a case or opened one',
    duplicate UInt64 COMMENT 'Rows whose content was known already',
    rejected UInt64 COMMENT 'Rows that cannot be used, see v_dead_letters',
    ignored UInt64 COMMENT 'Sound rows that change nothing on purpose',
    first_offset UInt64 COMMENT 'First Kafka offset',
    last_offset UInt64 COMMENT 'Last Kafka offset',
    missing UInt64 COMMENT 'Offsets between them without a row; holes of Kafka itself count too, `tsur audit` tells them apart',
    last_kafka_time DateTime64(3, 'Europe/Moscow') COMMENT 'When Kafka received the newest record',
    last_sealed_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the newest batch was sealed'
)
AS SELECT
    kafka_topic, kafka_partition,
    countIf(item = 0) AS records, count() AS rows,
    countIf(outcome = 'applied') AS applied, countIf(outcome = 'duplicate') AS duplicate,
    countIf(outcome = 'rejected') AS rejected, countIf(outcome = 'ignored') AS ignored,
    min(kafka_offset) AS first_offset, max(kafka_offset) AS last_offset,
    last_offset - first_offset + 1 - groupBitmap(kafka_offset) AS missing,
    max(kafka_time) AS last_kafka_time, max(sealed_at) AS last_sealed_at
FROM events
GROUP BY kafka_topic, kafka_partition
COMMENT 'What became of the records of each partition';

CREATE OR REPLACE VIEW v_accounting_daily
(
    day Date COMMENT 'Moscow day on which Kafka received the records',
    source LowCardinality(String) COMMENT 'Upstream system; empty when a rejected record does not tell',
    pipeline LowCardinality(String) COMMENT 'Pipeline file that read the records',
    outcome Enum8('applied' = 1, 'duplicate' = 2, 'rejected' = 3, 'ignored' = 4) COMMENT 'What became of them',
    reason LowCardinality(String) COMMENT 'Why they were not applied',
    field LowCardinality(String) COMMENT 'Field or column the reason is about',
    records UInt64 COMMENT 'Records, each counted where its first item is',
    rows UInt64 COMMENT 'Rows of the journal'
)
AS SELECT toDate(kafka_time) AS day, source, pipeline, outcome, reason, field, countIf(item = 0) AS records, count() AS rows
FROM events
GROUP BY day, source, pipeline, outcome, reason, field
COMMENT 'What became of the records, by Moscow day, source and reason';

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
    excerpt String COMMENT 'Masked beginning of the record',
    sealed_at DateTime64(3, 'Europe/Moscow') COMMENT 'When its batch was sealed'
)
AS SELECT kafka_topic, kafka_partition, kafka_offset, item, kafka_time, pipeline, reason, field, excerpt, sealed_at
FROM dead_letters FINAL
COMMENT 'Rejected records with the reason and a masked excerpt';
