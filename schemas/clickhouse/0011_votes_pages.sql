-- Votes, public discussions and official pages: facts that are about no case. Each record is one row of the journal, as every
-- other; `subject` says what it is about, `extra` has what a case has no column for. The tables are keyed by the fact itself,
-- so a repeat counts once: one vote a person and poll, one row a page and moment.
ALTER TABLE events ADD COLUMN IF NOT EXISTS
    subject Enum8('case' = 1, 'poll' = 2, 'vote' = 3, 'comment' = 4, 'page' = 5) DEFAULT 'case' COMMENT 'What the record is about; all but case have no life to follow' AFTER longitude;
ALTER TABLE events ADD COLUMN IF NOT EXISTS
    extra String COMMENT 'What a record about no case says beside, as a JSON object, masked; see votes and pages' AFTER subject;

-- The same query as before, for cases only.
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
WHERE outcome = 'applied' AND subject = 'case';

CREATE TABLE IF NOT EXISTS votes
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the fact comes from',
    kafka_partition UInt16 COMMENT 'Kafka partition that holds all records of the poll',
    poll_id String COMMENT 'Number of the poll in its source',
    subject Enum8('case' = 1, 'poll' = 2, 'vote' = 3, 'comment' = 4, 'page' = 5) COMMENT 'poll: the poll as it stands; vote, comment: what one person did',
    entry UInt64 COMMENT 'Keyed identity of the voter, hash of the comment, 0 for the poll: what makes the fact one',
    version UInt64 COMMENT 'Time of the fact and its offset: of several votes of a person the latest by its own time counts',
    kafka_offset UInt64 COMMENT 'Kafka offset of the row of the journal',
    source LowCardinality(String) COMMENT 'Upstream system',
    at DateTime('Europe/Moscow') COMMENT 'When it happened, by the source',
    option LowCardinality(String) COMMENT 'What was voted for',
    title String COMMENT 'Name of the poll',
    category LowCardinality(String) COMMENT 'Vote, poll, discussion, hearing: as the source calls it',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the poll',
    author_key UInt64 COMMENT 'Keyed identity of the voter or author; the id itself is nowhere',
    text String COMMENT 'What was said in a discussion, masked',
    eligible UInt32 COMMENT 'How many may vote; 0 when the source does not say',
    published Bool COMMENT 'The decision was made public',
    starts_at DateTime('Europe/Moscow') COMMENT 'Start of the poll',
    ends_at DateTime('Europe/Moscow') COMMENT 'End of the poll as planned',
    closed_at DateTime('Europe/Moscow') COMMENT 'When it was ended'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kafka_topic, kafka_partition, poll_id, subject, entry)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Votes, polls and comments (internal: read v_votes, v_vote_options, v_votes_hourly)';

CREATE MATERIALIZED VIEW IF NOT EXISTS votes_from_events TO votes AS
SELECT
    kafka_topic,
    kafka_partition,
    case_id AS poll_id,
    subject,
    multiIf(subject = 'vote', author_key, subject = 'comment', toUInt64(fingerprint), 0) AS entry,
    bitOr(bitShiftLeft(toUInt64(toUnixTimestamp(event_at)), 32), bitAnd(kafka_offset, 4294967295)) AS version,
    kafka_offset,
    source,
    event_at AS at,
    JSONExtractString(extra, 'option') AS option,
    JSONExtractString(extra, 'title') AS title,
    category,
    block,
    topic,
    territory,
    body,
    author_key,
    text,
    toUInt32(JSONExtractUInt(extra, 'eligible')) AS eligible,
    JSONExtractBool(extra, 'published') AS published,
    registered_at AS starts_at,
    planned_at AS ends_at,
    closed_at
FROM events
WHERE outcome = 'applied' AND subject IN ('poll', 'vote', 'comment')
COMMENT 'Fills votes from rows of the journal';

CREATE TABLE IF NOT EXISTS pages
(
    kafka_topic LowCardinality(String) COMMENT 'Kafka topic the figures come from',
    kafka_partition UInt16 COMMENT 'Kafka partition that holds all records of the page',
    page_id String COMMENT 'Number or address of the page in its source',
    measured_at DateTime('Europe/Moscow') COMMENT 'When the figures were taken',
    version UInt64 COMMENT 'Position of the row of the journal: offset * 65536 + item',
    kafka_offset UInt64 COMMENT 'Kafka offset of that row',
    source LowCardinality(String) COMMENT 'Upstream system',
    title String COMMENT 'Name of the page',
    network LowCardinality(String) COMMENT 'Social network',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that keeps the page',
    subscribers Nullable(UInt32) COMMENT 'Subscribers; null when the source does not say, as in the three columns below',
    views Nullable(UInt32) COMMENT 'Views of the last day',
    unanswered Nullable(UInt32) COMMENT 'Comments that nobody has answered',
    widget Nullable(Bool) COMMENT 'The widget of ПОС is on the page',
    last_post_at DateTime('Europe/Moscow') COMMENT 'Latest post; zero when the source does not say'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (kafka_topic, kafka_partition, page_id, measured_at)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Figures of official pages over time (internal: read v_pages, v_page_history)';

CREATE MATERIALIZED VIEW IF NOT EXISTS pages_from_events TO pages AS
SELECT
    kafka_topic,
    kafka_partition,
    case_id AS page_id,
    event_at AS measured_at,
    bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item)) AS version,
    kafka_offset,
    source,
    JSONExtractString(extra, 'title') AS title,
    network,
    territory,
    body,
    JSONExtract(extra, 'subscribers', 'Nullable(UInt32)') AS subscribers,
    JSONExtract(extra, 'views', 'Nullable(UInt32)') AS views,
    JSONExtract(extra, 'unanswered', 'Nullable(UInt32)') AS unanswered,
    JSONExtract(extra, 'widget', 'Nullable(Bool)') AS widget,
    toDateTime(JSONExtractUInt(extra, 'last_post_at'), 'Europe/Moscow') AS last_post_at
FROM events
WHERE outcome = 'applied' AND subject = 'page'
COMMENT 'Fills pages from rows of the journal';

CREATE OR REPLACE VIEW v_vote_options
(
    source LowCardinality(String) COMMENT 'Upstream system',
    poll_id String COMMENT 'Number of the poll',
    option LowCardinality(String) COMMENT 'What was voted for',
    votes UInt64 COMMENT 'People who voted for it; a person counts once, with the latest vote',
    share Float64 COMMENT 'Their share of all votes of the poll, 0 to 1'
)
AS SELECT source, poll_id, option, count() AS votes, votes / sum(count()) OVER (PARTITION BY source, poll_id) AS share
FROM votes FINAL
WHERE subject = 'vote'
GROUP BY source, poll_id, option
COMMENT 'Votes by poll and option';

CREATE OR REPLACE VIEW v_votes_hourly
(
    source LowCardinality(String) COMMENT 'Upstream system',
    poll_id String COMMENT 'Number of the poll',
    hour DateTime('Europe/Moscow') COMMENT 'Start of the hour',
    votes UInt64 COMMENT 'Votes whose latest form was given in this hour',
    comments UInt64 COMMENT 'Comments of this hour'
)
AS SELECT source, poll_id, toStartOfHour(v.at) AS hour, countIf(v.subject = 'vote') AS votes, countIf(v.subject = 'comment') AS comments
FROM votes AS v FINAL
WHERE v.subject IN ('vote', 'comment')
GROUP BY source, poll_id, hour
COMMENT 'Votes and comments by hour';

CREATE OR REPLACE VIEW v_votes
(
    source LowCardinality(String) COMMENT 'Upstream system',
    poll_id String COMMENT 'Number of the poll',
    title String COMMENT 'Name of the poll; empty while only its votes are known',
    category LowCardinality(String) COMMENT 'Vote, poll, discussion, hearing: as the source calls it',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the poll',
    starts_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Start',
    ends_at Nullable(DateTime('Europe/Moscow')) COMMENT 'End as planned',
    closed_at Nullable(DateTime('Europe/Moscow')) COMMENT 'When it was ended',
    is_open Bool COMMENT 'Not ended, and the planned end is not over',
    decision_published Bool COMMENT 'The decision was made public',
    votes UInt64 COMMENT 'People who voted; each counts once',
    comments UInt64 COMMENT 'Comments of the discussion',
    commenters UInt64 COMMENT 'People who commented, of those who are known by a keyed identity',
    eligible Nullable(UInt32) COMMENT 'How many may vote',
    turnout Nullable(Float64) COMMENT 'Votes of those who may vote, 0 to 1',
    votes_per_hour Nullable(Float64) COMMENT 'Votes by hour from the start, or else the first vote, to now or the end',
    votes_last_hour UInt64 COMMENT 'Votes of the last 60 minutes',
    leader LowCardinality(String) COMMENT 'Option with most votes; of equal ones the first by alphabet',
    leader_share Nullable(Float64) COMMENT 'Its share of the votes, 0 to 1',
    leader_margin Nullable(Float64) COMMENT 'Its lead over the second, as a share of all votes; 0 is a draw',
    last_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Latest vote or comment'
)
AS SELECT
    p.source AS source, p.poll_id AS poll_id, p.title AS title, p.category AS category, p.block AS block, p.territory AS territory,
    p.body AS body,
    if(p.starts = 0, NULL, toDateTime(p.starts, 'Europe/Moscow')) AS starts_at,
    if(p.ends = 0, NULL, toDateTime(p.ends, 'Europe/Moscow')) AS ends_at,
    if(p.closed = 0, NULL, toDateTime(p.closed, 'Europe/Moscow')) AS closed_at,
    p.closed = 0 AND (p.ends = 0 OR p.ends > toUnixTimestamp(now())) AS is_open,
    p.published AS decision_published,
    p.votes AS votes, p.comments AS comments, p.commenters AS commenters,
    nullIf(p.may_vote, 0) AS eligible,
    p.votes / nullIf(p.may_vote, 0) AS turnout,
    p.votes * 3600 / nullIf(greatest(0, toInt64(least(toUnixTimestamp(now()), if(p.closed > 0, p.closed, if(p.ends > 0, p.ends, 4294967295))))
        - toInt64(if(p.starts > 0, p.starts, p.first_vote))), 0) AS votes_per_hour,
    p.recent AS votes_last_hour,
    p.ranked[1].2 AS leader,
    -p.ranked[1].1 / nullIf(p.votes, 0) AS leader_share,
    (p.ranked[2].1 - p.ranked[1].1) / nullIf(p.votes, 0) AS leader_margin,
    if(p.latest = 0, NULL, toDateTime(p.latest, 'Europe/Moscow')) AS last_at
FROM (
    SELECT
        g.source AS source, g.poll_id AS poll_id, max(g.title) AS title, max(g.category) AS category, max(g.block) AS block,
        max(g.territory) AS territory, max(g.body) AS body, max(g.starts) AS starts, max(g.ends) AS ends, max(g.closed) AS closed,
        max(g.published) AS published, max(g.may_vote) AS may_vote,
        sum(g.votes) AS votes, sum(g.comments) AS comments, sum(g.commenters) AS commenters, sum(g.recent) AS recent,
        minIf(g.first_vote, g.votes > 0) AS first_vote, max(g.latest) AS latest,
        arraySort(groupArrayIf((-toInt64(g.votes), toString(g.option)), g.votes > 0)) AS ranked
    FROM
    (
        SELECT
            v.source AS source, v.poll_id AS poll_id, if(v.subject = 'vote', v.option, '') AS option, v.subject AS subject,
            maxIf(v.title, v.subject = 'poll') AS title, maxIf(toString(v.category), v.subject = 'poll') AS category,
            maxIf(toString(v.block), v.subject = 'poll') AS block, maxIf(toString(v.territory), v.subject = 'poll') AS territory,
            maxIf(toString(v.body), v.subject = 'poll') AS body,
            maxIf(toUnixTimestamp(v.starts_at), v.subject = 'poll') AS starts, maxIf(toUnixTimestamp(v.ends_at), v.subject = 'poll') AS ends,
            maxIf(toUnixTimestamp(v.closed_at), v.subject = 'poll') AS closed, maxIf(v.published, v.subject = 'poll') AS published,
            maxIf(v.eligible, v.subject = 'poll') AS may_vote,
            countIf(v.subject = 'vote') AS votes, countIf(v.subject = 'comment') AS comments,
            uniqExactIf(v.author_key, v.subject = 'comment' AND v.author_key != 0) AS commenters,
            countIf(v.subject = 'vote' AND v.at > now() - INTERVAL 1 HOUR) AS recent,
            minIf(toUnixTimestamp(v.at), v.subject = 'vote') AS first_vote,
            maxIf(toUnixTimestamp(v.at), v.subject != 'poll') AS latest
        FROM votes AS v FINAL
        GROUP BY source, poll_id, option, subject
    ) AS g
    GROUP BY source, poll_id
) AS p
COMMENT 'Votes and public discussions, each as it stands now';

CREATE OR REPLACE VIEW v_page_history
(
    source LowCardinality(String) COMMENT 'Upstream system',
    page_id String COMMENT 'Number or address of the page',
    measured_at DateTime('Europe/Moscow') COMMENT 'When the figures were taken',
    subscribers Nullable(UInt32) COMMENT 'Subscribers; null when the source does not say, as in the columns below',
    views Nullable(UInt32) COMMENT 'Views of the last day',
    unanswered Nullable(UInt32) COMMENT 'Comments that nobody has answered',
    widget Nullable(Bool) COMMENT 'The widget of ПОС is on the page',
    last_post_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Latest post'
)
AS SELECT source, page_id, measured_at, subscribers, views, unanswered, widget,
    if(toUnixTimestamp(p.last_post_at) = 0, NULL, p.last_post_at) AS last_post_at
FROM pages AS p FINAL
COMMENT 'Figures of official pages over time';

CREATE OR REPLACE VIEW v_pages
(
    source LowCardinality(String) COMMENT 'Upstream system',
    page_id String COMMENT 'Number or address of the page',
    title String COMMENT 'Name of the page',
    network LowCardinality(String) COMMENT 'Social network',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that keeps the page',
    measured_at DateTime('Europe/Moscow') COMMENT 'Newest figures: how stale the row is',
    last_post_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Latest post',
    days_without_post Nullable(Float64) COMMENT 'Days from the latest post to now',
    subscribers Nullable(UInt32) COMMENT 'Subscribers; null when the source does not say, as in the columns below',
    subscribers_gained Nullable(Int64) COMMENT 'Change against the newest figures that are at least a week older',
    views Nullable(UInt32) COMMENT 'Views of the last day',
    unanswered Nullable(UInt32) COMMENT 'Comments that nobody has answered',
    widget Nullable(Bool) COMMENT 'The widget of ПОС is on the page'
)
AS SELECT
    n.source AS source, n.page_id AS page_id, n.title AS title, n.network AS network, n.territory AS territory, n.body AS body,
    n.newest AS measured_at,
    if(n.posted = 0, NULL, toDateTime(n.posted, 'Europe/Moscow')) AS last_post_at,
    if(n.posted = 0, NULL, round((toUnixTimestamp(now()) - n.posted) / 86400, 2)) AS days_without_post,
    n.now_subscribed AS subscribers,
    toInt64(n.now_subscribed) - toInt64(o.before) AS subscribers_gained,
    n.now_viewed AS views, n.now_unanswered AS unanswered, n.has_widget AS widget
FROM (
    SELECT
        source, page_id, max(measured_at) AS newest, argMax(p.title, p.measured_at) AS title,
        argMax(toString(p.network), p.measured_at) AS network, argMax(toString(p.territory), p.measured_at) AS territory,
        argMax(toString(p.body), p.measured_at) AS body, argMax(toUnixTimestamp(p.last_post_at), p.measured_at) AS posted,
        argMax(tuple(p.subscribers), p.measured_at).1 AS now_subscribed, argMax(tuple(p.views), p.measured_at).1 AS now_viewed,
        argMax(tuple(p.unanswered), p.measured_at).1 AS now_unanswered, argMax(tuple(p.widget), p.measured_at).1 AS has_widget
    FROM pages AS p FINAL
    GROUP BY source, page_id
) AS n
LEFT JOIN (
    SELECT a.source AS source, a.page_id AS page_id, argMax(tuple(a.subscribers), a.measured_at).1 AS before
    FROM pages AS a FINAL
    INNER JOIN (SELECT source, page_id, max(measured_at) AS newest FROM pages GROUP BY source, page_id) AS m
        ON a.source = m.source AND a.page_id = m.page_id
    WHERE a.measured_at <= m.newest - INTERVAL 7 DAY
    GROUP BY source, page_id
) AS o ON n.source = o.source AND n.page_id = o.page_id
COMMENT 'Official pages, each by its newest figures';
