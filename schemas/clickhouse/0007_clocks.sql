-- Clocks that start, stand still, are prolonged and follow stages; attribution by clock.
-- Enum lists only grow and columns are only added, so no row is written again; rows of before have the empty value, which
-- is "not known". Order matters: `cases` gets its columns before the view that fills them asks for them, and the view
-- is changed in place, so it is never missing and a batch that is replayed meanwhile still reaches `cases`.
ALTER TABLE events
    MODIFY COLUMN event Enum8('' = 0, 'registered' = 1, 'routed' = 2, 'interim_answer' = 3, 'answered' = 4, 'closed' = 5, 'rated' = 6, 'declined' = 7, 'returned' = 8, 'deferred' = 9, 'reopened' = 10, 'merged' = 11, 'status_changed' = 12, 'updated' = 13, 'extended' = 14) COMMENT 'Main fact of the record',
    MODIFY COLUMN status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13, 'extended' = 14) COMMENT 'Status of the case',
    MODIFY COLUMN breach_body LowCardinality(String) COMMENT 'Holder when the final answer fell due',
    MODIFY COLUMN effects Array(Tuple(kind Enum8('registered' = 1, 'first_answered' = 2, 'answered' = 3, 'closed' = 4, 'first_breached' = 5, 'final_breached' = 6, 'rated' = 7, 'reacted' = 8, 'returned' = 9, 'reopened' = 10, 'deferred' = 11, 'declined' = 12, 'transferred' = 13, 'merged' = 14, 'stage_breached' = 15, 'held' = 16), at DateTime('Europe/Moscow'), sign Int8, value Int32, body String, day_only Bool)) COMMENT 'Facts this row adds to (+1) or takes back from (-1) the windows',
    ADD COLUMN IF NOT EXISTS first_breach_body LowCardinality(String) COMMENT 'Holder when the first answer fell due',
    ADD COLUMN IF NOT EXISTS previous_body LowCardinality(String) COMMENT 'Holder before the present one',
    ADD COLUMN IF NOT EXISTS routed_at DateTime('Europe/Moscow') COMMENT 'First hand-over to a body',
    ADD COLUMN IF NOT EXISTS status_since DateTime('Europe/Moscow') COMMENT 'The status is what it is since then',
    ADD COLUMN IF NOT EXISTS due_stage DateTime('Europe/Moscow') COMMENT 'The present stage is to be left by then',
    ADD COLUMN IF NOT EXISTS extended_at DateTime('Europe/Moscow') COMMENT 'The term of the present round was prolonged; the start of the clock where the source gives no time',
    ADD COLUMN IF NOT EXISTS previous_since DateTime('Europe/Moscow') COMMENT 'The previous holder had the case since then',
    ADD COLUMN IF NOT EXISTS bounces UInt8 COMMENT 'How often it went back to a body that had held it before',
    ADD COLUMN IF NOT EXISTS paused Bool COMMENT 'The final-answer clock stands still',
    ADD COLUMN IF NOT EXISTS paused_seconds UInt32 COMMENT 'Finished pauses of the final-answer clock in the present round; working seconds where the policy counts in working time',
    ADD COLUMN IF NOT EXISTS paused_days UInt16 COMMENT 'The same in days, working ones where the policy counts in working time',
    ADD COLUMN IF NOT EXISTS stage Enum8('' = 0, 'first_answer' = 1, 'final_answer' = 2, 'dispatch' = 3, 'moderation' = 4, 'coordination' = 5, 'execution' = 6, 'approval' = 7) COMMENT 'Clock that due_stage belongs to';

ALTER TABLE cases
    MODIFY COLUMN event Enum8('' = 0, 'registered' = 1, 'routed' = 2, 'interim_answer' = 3, 'answered' = 4, 'closed' = 5, 'rated' = 6, 'declined' = 7, 'returned' = 8, 'deferred' = 9, 'reopened' = 10, 'merged' = 11, 'status_changed' = 12, 'updated' = 13, 'extended' = 14) COMMENT 'Latest applied fact',
    MODIFY COLUMN status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13, 'extended' = 14) COMMENT 'Status of the case',
    MODIFY COLUMN breach_body LowCardinality(String) COMMENT 'Holder when the final answer fell due',
    ADD COLUMN IF NOT EXISTS first_breach_body LowCardinality(String) COMMENT 'Holder when the first answer fell due',
    ADD COLUMN IF NOT EXISTS previous_body LowCardinality(String) COMMENT 'Holder before the present one',
    ADD COLUMN IF NOT EXISTS routed_at DateTime('Europe/Moscow') COMMENT 'First hand-over to a body',
    ADD COLUMN IF NOT EXISTS status_since DateTime('Europe/Moscow') COMMENT 'The status is what it is since then',
    ADD COLUMN IF NOT EXISTS due_stage DateTime('Europe/Moscow') COMMENT 'The present stage is to be left by then',
    ADD COLUMN IF NOT EXISTS extended_at DateTime('Europe/Moscow') COMMENT 'The term of the present round was prolonged; the start of the clock where the source gives no time',
    ADD COLUMN IF NOT EXISTS previous_since DateTime('Europe/Moscow') COMMENT 'The previous holder had the case since then',
    ADD COLUMN IF NOT EXISTS bounces UInt8 COMMENT 'How often it went back to a body that had held it before',
    ADD COLUMN IF NOT EXISTS paused Bool COMMENT 'The final-answer clock stands still',
    ADD COLUMN IF NOT EXISTS paused_seconds UInt32 COMMENT 'Finished pauses of the final-answer clock in the present round; working seconds where the policy counts in working time',
    ADD COLUMN IF NOT EXISTS paused_days UInt16 COMMENT 'The same in days, working ones where the policy counts in working time',
    ADD COLUMN IF NOT EXISTS stage Enum8('' = 0, 'first_answer' = 1, 'final_answer' = 2, 'dispatch' = 3, 'moderation' = 4, 'coordination' = 5, 'execution' = 6, 'approval' = 7) COMMENT 'Clock that due_stage belongs to';

ALTER TABLE cases_from_events MODIFY QUERY
SELECT
    kafka_topic, kafka_partition, case_key,
    bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item)) AS version,
    sealed_at AS updated_at,
    source, case_id, event, event_at,
    status, priority, kind, law, decision, reaction, rating, review_round, transfers, fast_track,
    source_overdue, day_only, breach_locked, block, topic, category, territory, network, received_body, body,
    first_answer_body, answer_body, breach_body, policy, author_key, registered_at, status_at, holder_since, first_answer_at, answered_at,
    closed_at, rated_at, round_since, due_first, due_final, planned_at, first_breach_at, final_breach_at, text_at, fingerprint,
    first_breach_body, previous_body, routed_at, status_since, due_stage, extended_at, previous_since,
    bounces, paused, paused_seconds, paused_days, stage
FROM events
WHERE outcome = 'applied';

ALTER TABLE sla_windows
    ADD COLUMN IF NOT EXISTS stage_breached Int32 COMMENT 'Stages that took longer than agreed, by due time',
    ADD COLUMN IF NOT EXISTS held_seconds Int64 COMMENT 'Seconds for which the body held open cases, counted at hand-over or end';

-- A clock that stands still falls due never, so it is no `next_clock`; a stage is an agreement between bodies and no term
-- of the author, so it is none either.
CREATE OR REPLACE VIEW v_cases
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13, 'extended' = 14) COMMENT 'Status',
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
    breach_body LowCardinality(String) COMMENT 'Holder when the final answer fell due',
    first_breach_body LowCardinality(String) COMMENT 'Holder when the first answer fell due',
    previous_body LowCardinality(String) COMMENT 'Holder before the present one',
    holder_since Nullable(DateTime('Europe/Moscow')) COMMENT 'The holder has the case since',
    transfers UInt8 COMMENT 'How often it went from body to body',
    bounces UInt8 COMMENT 'How often it went back to a body that had held it before',
    review_round UInt8 COMMENT 'How often it came back',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    routed_at Nullable(DateTime('Europe/Moscow')) COMMENT 'First hand-over to a body',
    status_since Nullable(DateTime('Europe/Moscow')) COMMENT 'The status is what it is since then',
    status_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Latest change of status',
    first_answer_at Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer, interim or final',
    answered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer of the present round',
    closed_at Nullable(DateTime('Europe/Moscow')) COMMENT 'End of the work',
    policy LowCardinality(String) COMMENT 'SLA policy that matched',
    due_first Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer due',
    due_final Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer due',
    first_breach_at Nullable(DateTime('Europe/Moscow')) COMMENT 'First answer missed this due time',
    final_breach_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer missed this due time',
    extended_at Nullable(DateTime('Europe/Moscow')) COMMENT 'The term was prolonged',
    is_paused Bool COMMENT 'The final-answer clock stands still',
    paused_seconds UInt32 COMMENT 'Finished pauses of the present round; working seconds where the policy counts in working time',
    stage Enum8('' = 0, 'first_answer' = 1, 'final_answer' = 2, 'dispatch' = 3, 'moderation' = 4, 'coordination' = 5, 'execution' = 6, 'approval' = 7) COMMENT 'Clock of the present stage',
    due_stage Nullable(DateTime('Europe/Moscow')) COMMENT 'The present stage is to be left by then',
    next_clock LowCardinality(String) COMMENT 'Running clock with the nearest due time: first_answer, final_answer, or empty',
    next_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Nearest due time of a running clock',
    source_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Deadline of the source',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    rating Nullable(UInt8) COMMENT 'Mark of the author, 1 to 5',
    reaction Enum8('' = 0, 'satisfied' = 1, 'not_satisfied' = 2, 'none' = 3) COMMENT 'Reaction of the author',
    rated_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Mark or reaction of the author',
    day_only Bool COMMENT 'The source dates by days, times of day mean nothing',
    last_event Enum8('' = 0, 'registered' = 1, 'routed' = 2, 'interim_answer' = 3, 'answered' = 4, 'closed' = 5, 'rated' = 6, 'declined' = 7, 'returned' = 8, 'deferred' = 9, 'reopened' = 10, 'merged' = 11, 'status_changed' = 12, 'updated' = 13, 'extended' = 14) COMMENT 'Latest fact that changed the case',
    last_event_at Nullable(DateTime('Europe/Moscow')) COMMENT 'When it happened, by the source',
    updated_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the pipeline took it in'
)
AS
WITH
    toDateTime(0, 'Europe/Moscow') AS unset,
    status NOT IN ('answered', 'closed', 'rejected', 'deferred', 'duplicate') AS is_open_now,
    4294967295 AS never,
    if(is_open_now AND c.first_answer_at = unset AND c.due_first != unset, toUInt32(c.due_first), never) AS first_due,
    if(is_open_now AND c.answered_at = unset AND c.closed_at = unset AND c.due_final != unset AND NOT c.paused, toUInt32(c.due_final), never) AS final_due,
    least(first_due, final_due) AS nearest
SELECT
    c.source AS source, c.case_id AS case_id, c.status AS status, is_open_now::Bool AS is_open,
    c.kind AS kind, c.priority AS priority, c.law AS law, c.decision AS decision, c.fast_track AS fast_track,
    c.block AS block, c.topic AS topic, c.category AS category, c.territory AS territory, c.network AS network,
    c.received_body AS received_body, c.body AS body, c.first_answer_body AS first_answer_body,
    c.answer_body AS answer_body, c.breach_body AS breach_body,
    c.first_breach_body AS first_breach_body, c.previous_body AS previous_body,
    nullIf(c.holder_since, unset) AS holder_since, c.transfers AS transfers, c.bounces AS bounces, c.review_round AS review_round,
    nullIf(c.registered_at, unset) AS registered_at, nullIf(c.routed_at, unset) AS routed_at,
    nullIf(c.status_since, unset) AS status_since, nullIf(c.status_at, unset) AS status_at,
    nullIf(c.first_answer_at, unset) AS first_answer_at, nullIf(c.answered_at, unset) AS answered_at,
    nullIf(c.closed_at, unset) AS closed_at,
    c.policy AS policy, nullIf(c.due_first, unset) AS due_first, nullIf(c.due_final, unset) AS due_final,
    nullIf(c.first_breach_at, unset) AS first_breach_at, nullIf(c.final_breach_at, unset) AS final_breach_at,
    nullIf(c.extended_at, unset) AS extended_at, c.paused AS is_paused, c.paused_seconds AS paused_seconds,
    c.stage AS stage, nullIf(c.due_stage, unset) AS due_stage,
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
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13, 'extended' = 14) COMMENT 'Status',
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
    is_paused Bool COMMENT 'The final-answer clock stands still',
    extended_at Nullable(DateTime('Europe/Moscow')) COMMENT 'The term was prolonged',
    stage Enum8('' = 0, 'first_answer' = 1, 'final_answer' = 2, 'dispatch' = 3, 'moderation' = 4, 'coordination' = 5, 'execution' = 6, 'approval' = 7) COMMENT 'Clock of the present stage',
    due_stage Nullable(DateTime('Europe/Moscow')) COMMENT 'The present stage is to be left by then',
    is_stage_overdue Bool COMMENT 'It should have been left by now',
    source_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Deadline of the source',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    transfers UInt8 COMMENT 'How often it went from body to body',
    bounces UInt8 COMMENT 'How often it went back to a body that had held it before',
    review_round UInt8 COMMENT 'How often it came back',
    fast_track Bool COMMENT 'Fast track of the source',
    updated_at DateTime64(3, 'Europe/Moscow') COMMENT 'When the pipeline took in its latest change'
)
AS SELECT
    source, case_id, status, priority, kind, block, topic, territory, network, body, holder_since, registered_at, status_at,
    first_answer_at, policy, due_first, due_final, next_clock, next_due,
    toInt64(toUnixTimestamp(next_due)) - toInt64(toUnixTimestamp(now())) AS seconds_left,
    ifNull(next_due < now(), false)::Bool AS is_overdue,
    is_paused, extended_at, stage, due_stage, ifNull(due_stage < now(), false)::Bool AS is_stage_overdue,
    source_due, source_overdue, transfers, bounces, review_round, fast_track, updated_at
FROM v_cases
WHERE is_open
COMMENT 'Cases somebody still has to work on, one row a case';

CREATE OR REPLACE VIEW v_overdue
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13, 'extended' = 14) COMMENT 'Status',
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
    bounces UInt8 COMMENT 'How often it went back to a body that had held it before',
    review_round UInt8 COMMENT 'How often it came back'
)
AS SELECT
    source, case_id, status, priority, block, topic, territory, body AS holder, holder_since, next_clock AS clock,
    assumeNotNull(next_due) AS due, -assumeNotNull(seconds_left) AS overdue_seconds,
    registered_at, policy, source_due, source_overdue, transfers, bounces, review_round
FROM v_open_cases
WHERE is_overdue
COMMENT 'Open cases past the nearest due time of a running clock, with the clock and the holder';

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
    stage_breached Int64 COMMENT 'Stages that took longer than agreed, by due time',
    held_seconds Int64 COMMENT 'Seconds for which the body held open cases, counted at hand-over or end',
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
    sum(w.stage_breached) AS stage_breached, sum(w.held_seconds) AS held_seconds,
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

-- Our deadline against the source's own. A source that gives neither a planned date nor a flag cannot disagree.
-- A planned date is a day, so days are compared; a running clock is judged at the moment of the question.
CREATE OR REPLACE VIEW v_deadline_disagreement
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    block LowCardinality(String) COMMENT 'Sector block',
    body LowCardinality(String) COMMENT 'Body that holds the case',
    policy LowCardinality(String) COMMENT 'SLA policy that matched; empty: no policy wants the case',
    disagreement LowCardinality(String) COMMENT 'only_ours_overdue, only_source_overdue, or other_day: the verdicts agree, the days do not',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    due_final Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer due by the policy',
    source_due Nullable(DateTime('Europe/Moscow')) COMMENT 'Deadline of the source',
    days_later Nullable(Int64) COMMENT 'Days by which the deadline of the source lies later than ours; negative: earlier',
    answered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Final answer of the present round',
    is_overdue Bool COMMENT 'Overdue by the policy: answered late, or running past due',
    source_overdue Bool COMMENT 'Overdue by the flag of the source',
    extended_at Nullable(DateTime('Europe/Moscow')) COMMENT 'The term was prolonged',
    paused_seconds UInt32 COMMENT 'Finished pauses of the present round'
)
AS SELECT
    source, case_id, block, body, policy,
    multiIf(is_overdue AND NOT source_overdue, 'only_ours_overdue', source_overdue AND NOT is_overdue, 'only_source_overdue', 'other_day') AS disagreement,
    registered_at, due_final, source_due, dateDiff('day', due_final, source_due) AS days_later, answered_at,
    (final_breach_at IS NOT NULL OR ifNull(is_open AND answered_at IS NULL AND closed_at IS NULL AND NOT is_paused AND due_final < now(), false))::Bool AS is_overdue,
    source_overdue, extended_at, paused_seconds
FROM v_cases
WHERE (source_due IS NOT NULL OR source_overdue)
    AND (is_overdue != source_overdue OR ifNull(days_later != 0, false))
COMMENT 'Cases whose deadline or verdict the source and the policy see differently, one row a case';
