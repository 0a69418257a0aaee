-- Cases of all sources that speak of one thing. A case keeps its own row, clocks and figures; here is only what it belongs to.
-- A row is made from the messages alone: the earliest message names the problem. Of two rows of a case the higher version was
-- made from more messages, so it does not matter who writes them, or how often.
CREATE TABLE IF NOT EXISTS problems
(
    case_key UInt64 COMMENT 'Hash of source and case number',
    problem_id UInt64 COMMENT 'Key of the case whose message is the earliest of the problem; changes when an earlier one is heard of or two problems turn out to be one',
    link Enum8('' = 0, 'author' = 1, 'place' = 2, 'text' = 3) COMMENT 'How the case is linked to another of the problem, the strongest way: same author and topic, same address and topic, nearly the same text',
    at DateTime('Europe/Moscow') COMMENT 'When the case was registered',
    since DateTime('Europe/Moscow') COMMENT 'Registration of the earliest case of the problem',
    version UInt64 COMMENT 'Grows as the problem is found to be older or the link to be stronger'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY case_key
COMMENT 'Which case belongs to which problem (internal: read v_problems, v_problem_cases)';

CREATE OR REPLACE VIEW v_problem_cases
(
    problem_id UInt64 COMMENT 'Problem',
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    link Enum8('' = 0, 'author' = 1, 'place' = 2, 'text' = 3) COMMENT 'Strongest link to another case of the problem: same author and topic, same address and topic, nearly the same text',
    registered_at DateTime('Europe/Moscow') COMMENT 'Registration',
    since DateTime('Europe/Moscow') COMMENT 'Registration of the earliest case of the problem',
    author_key UInt64 COMMENT 'Keyed identity of the author, 0 when the source gives none',
    kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) COMMENT 'What the message is',
    is_open Bool COMMENT 'Somebody still owes the case something',
    is_overdue Bool COMMENT 'A running clock of the open case is past its due time',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the case'
)
AS SELECT
    p.problem_id AS problem_id, v.source AS source, v.case_id AS case_id, p.link AS link, p.at AS registered_at, p.since AS since,
    c.author_key AS author_key, v.kind AS kind, v.is_open AS is_open, ifNull(v.is_open AND v.next_due < now(), false)::Bool AS is_overdue,
    v.block AS block, v.topic AS topic, v.territory AS territory, v.body AS body
FROM problems AS p FINAL
INNER JOIN cases AS c FINAL ON c.case_key = p.case_key
INNER JOIN v_cases AS v ON v.source = c.source AND v.case_id = c.case_id
COMMENT 'Cases that belong to a problem; each is still accounted for itself';

CREATE OR REPLACE VIEW v_problems
(
    problem_id UInt64 COMMENT 'Problem',
    cases UInt64 COMMENT 'Cases that speak of it',
    authors UInt64 COMMENT 'Different authors, as far as the sources tell them; one author is another in each source',
    sources Array(String) COMMENT 'Upstream systems they came by',
    block LowCardinality(String) COMMENT 'Sector block of most of them',
    topic LowCardinality(String) COMMENT 'Topic of most of them',
    territory LowCardinality(String) COMMENT 'Territory of most of them',
    bodies Array(String) COMMENT 'Bodies that hold them',
    first_seen DateTime('Europe/Moscow') COMMENT 'Registration of the first case',
    last_seen DateTime('Europe/Moscow') COMMENT 'Registration of the last case',
    open UInt64 COMMENT 'Open cases',
    overdue UInt64 COMMENT 'Open cases past the due time of a running clock',
    by_author UInt64 COMMENT 'Cases linked by their author and topic',
    by_place UInt64 COMMENT 'Cases linked by their address and topic',
    by_text UInt64 COMMENT 'Cases linked by nearly the same text only'
)
AS SELECT
    problem_id, count() AS cases, uniqExactIf(author_key, author_key != 0) AS authors,
    arraySort(groupUniqArray(toString(source))) AS sources,
    arrayElement(topKIf(1)(p.block, p.block != ''), 1) AS block, arrayElement(topKIf(1)(p.topic, p.topic != ''), 1) AS topic,
    arrayElement(topKIf(1)(p.territory, p.territory != ''), 1) AS territory,
    arraySort(groupUniqArrayIf(toString(body), body != '')) AS bodies, min(registered_at) AS first_seen, max(registered_at) AS last_seen,
    countIf(is_open) AS open, countIf(is_overdue) AS overdue,
    countIf(link = 'author') AS by_author, countIf(link = 'place') AS by_place, countIf(link = 'text') AS by_text
FROM v_problem_cases AS p
GROUP BY problem_id
HAVING cases > 1
COMMENT 'Problems that several cases speak of, over all sources';
