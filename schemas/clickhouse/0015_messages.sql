-- How messages are meant, what answers are worth, who should have a case: what the words say, beside what the source says.
-- Small facts are bits of one number, because each column costs at every insert; columns with ALIAS take them apart and
-- cost nothing until they are read. `src/sink/reading_columns.rs` has the bits. All stand before the columns of the case.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS text_bits UInt32 COMMENT 'How the message is meant, as bits: read text_kind, kind_by, text_words, urgency, urgency_signs, emotion, intensity, not_enough' AFTER territory_by,
    ADD COLUMN IF NOT EXISTS text_hash UInt64 COMMENT 'Fingerprint of the stems of the text (SimHash): near-duplicates differ in few bits; 0 without words' AFTER text_bits,
    ADD COLUMN IF NOT EXISTS address_key UInt64 COMMENT 'Hash of territory, street and house; 0 when one of them is unknown' AFTER text_hash,
    ADD COLUMN IF NOT EXISTS proposed LowCardinality(String) COMMENT 'Codes of the bodies that the routing rules propose, with commas, the responsible one first; only in the row that opens a case' AFTER address_key,
    ADD COLUMN IF NOT EXISTS answer String COMMENT 'Text of the answer, masked' AFTER proposed,
    ADD COLUMN IF NOT EXISTS answer_hash UInt64 COMMENT 'Fingerprint of the stems of the answer, as text_hash' AFTER answer,
    ADD COLUMN IF NOT EXISTS answer_bits UInt64 COMMENT 'What the answer is worth, as bits: read answer_words, answer_score, answer_signs, answer_done' AFTER answer_hash,
    ADD COLUMN IF NOT EXISTS text_kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) ALIAS toInt8(bitAnd(bitShiftRight(text_bits, 12), 7)) COMMENT 'What the message is by its words' AFTER answer_bits,
    ADD COLUMN IF NOT EXISTS kind_by Enum8('' = 0, 'source' = 1, 'text' = 2) ALIAS toInt8(bitAnd(bitShiftRight(text_bits, 15), 3)) COMMENT 'What the kind of this record rests on; empty when the record says nothing new of it' AFTER text_kind,
    ADD COLUMN IF NOT EXISTS text_words UInt16 ALIAS toUInt16(bitShiftRight(text_bits, 17)) COMMENT 'Words of the text that the fingerprint counts' AFTER kind_by,
    ADD COLUMN IF NOT EXISTS urgency UInt8 ALIAS multiIf(bitAnd(text_bits, 5) != 0 OR bitAnd(text_bits, 48) = 48, 2, bitAnd(text_bits, 24) != 0, 1, 0) COMMENT '2: life may depend on hours (danger, gas, no heat in frost); 1: an accident or no heat' AFTER text_words,
    ADD COLUMN IF NOT EXISTS urgency_signs Array(String) ALIAS arrayMap(bit -> ['danger', 'child', 'gas', 'accident', 'no_heat', 'frost'][bit + 1], bitPositionsToArray(bitAnd(text_bits, 63))) COMMENT 'What the text speaks of: danger, child, gas, accident, no_heat, frost' AFTER urgency,
    ADD COLUMN IF NOT EXISTS emotion String ALIAS ['', 'calm', 'angry', 'desperate', 'grateful'][bitAnd(bitShiftRight(text_bits, 8), 7) + 1] COMMENT 'calm, angry, desperate, grateful; empty without a text' AFTER urgency_signs,
    ADD COLUMN IF NOT EXISTS intensity UInt8 ALIAS toUInt8(bitAnd(bitShiftRight(text_bits, 6), 3)) COMMENT 'How strong the emotion is, 0 to 3' AFTER emotion,
    ADD COLUMN IF NOT EXISTS not_enough Bool ALIAS bitTest(text_bits, 11) = 1 COMMENT 'The text does not say what it is about' AFTER intensity,
    ADD COLUMN IF NOT EXISTS proposed_bodies Array(String) ALIAS if(proposed = '', [], splitByChar(',', toString(proposed))) COMMENT 'Bodies that the routing rules propose, the responsible one first' AFTER not_enough,
    ADD COLUMN IF NOT EXISTS answer_words UInt16 ALIAS toUInt16(bitAnd(bitShiftRight(answer_bits, 32), 65535)) COMMENT 'Words of the answer, at least 1; 0 without an answer' AFTER proposed_bodies,
    ADD COLUMN IF NOT EXISTS answer_score UInt8 ALIAS toUInt8(bitAnd(bitShiftRight(answer_bits, 16), 255)) COMMENT 'Points of the answer by its text and its record, 0 to 100' AFTER answer_words,
    ADD COLUMN IF NOT EXISTS answer_signs Array(String) ALIAS arrayMap(bit -> ['no_date', 'redirect', 'laws', 'officialese', 'template', 'short', 'no_proof', 'contradiction'][bit + 1], bitPositionsToArray(bitAnd(answer_bits, 255))) COMMENT 'Why points were lost; v_answers adds template and contradiction, which the record alone cannot know' AFTER answer_score,
    ADD COLUMN IF NOT EXISTS answer_done Bool ALIAS bitTest(answer_bits, 8) = 1 COMMENT 'The answer says that the problem is solved' AFTER answer_signs;

CREATE OR REPLACE VIEW v_messages
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    is_open Bool COMMENT 'Somebody still owes this case something',
    kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) COMMENT 'What the message is: by the source, else by its words',
    text_kind Enum8('' = 0, 'complaint' = 1, 'request' = 2, 'suggestion' = 3, 'question' = 4, 'thanks' = 5, 'accident' = 6, 'other' = 7) COMMENT 'What it is by its words',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the case',
    urgency UInt8 COMMENT '2: life may depend on hours; 1: an accident or no heat; 0: neither',
    urgency_signs Array(String) COMMENT 'What the text speaks of: danger, child, gas, accident, no_heat, frost',
    emotion LowCardinality(String) COMMENT 'calm, angry, desperate, grateful',
    intensity UInt8 COMMENT 'How strong the emotion is, 0 to 3',
    not_enough Bool COMMENT 'The text does not say what it is about',
    words UInt16 COMMENT 'Words of the text',
    place String COMMENT 'Address without flat, masked',
    text String COMMENT 'Text of the message, masked'
)
AS SELECT
    c.source AS source, c.case_id AS case_id, nullIf(c.registered_at, toDateTime(0, 'Europe/Moscow')) AS registered_at,
    (c.status NOT IN ('answered', 'closed', 'rejected', 'deferred', 'duplicate'))::Bool AS is_open,
    c.kind AS kind, e.text_kind AS text_kind, c.block AS block, c.topic AS topic, c.territory AS territory, c.body AS body,
    e.urgency AS urgency, e.urgency_signs AS urgency_signs, e.emotion AS emotion, e.intensity AS intensity,
    e.not_enough AS not_enough, e.text_words AS words, e.place AS place, e.text AS text
FROM (
    SELECT case_key, text_kind, urgency, urgency_signs, emotion, intensity, not_enough, text_words, place, text
    FROM events
    WHERE outcome = 'applied' AND subject = 'case' AND text != '' AND text_at = bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item))
) AS e
INNER JOIN cases AS c FINAL ON c.case_key = e.case_key
COMMENT 'Messages with a text, and how they are meant; urgency > 0 and is_open is for the shift on duty';

-- Thanks are no complaint and no message to be solved: they stand apart and are in no other figure.
CREATE OR REPLACE VIEW v_message_kinds
(
    day Date COMMENT 'Moscow day of the registration',
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    body LowCardinality(String) COMMENT 'Body that holds the case, or held it at its end',
    messages UInt64 COMMENT 'Cases registered, thanks not among them',
    complaints UInt64 COMMENT 'Complaints',
    requests UInt64 COMMENT 'Requests',
    suggestions UInt64 COMMENT 'Suggestions',
    questions UInt64 COMMENT 'Questions',
    accidents UInt64 COMMENT 'Accidents and incidents',
    other UInt64 COMMENT 'Of another kind, or of a kind that neither source nor words tell',
    thanks UInt64 COMMENT 'Thanks: counted here only',
    complaint_share Nullable(Float64) COMMENT 'complaints / messages; to group further, sum the counts first'
)
AS SELECT
    toDate(assumeNotNull(registered_at)) AS day, source, block, territory, body,
    countIf(kind != 'thanks') AS messages, countIf(kind = 'complaint') AS complaints, countIf(kind = 'request') AS requests,
    countIf(kind = 'suggestion') AS suggestions, countIf(kind = 'question') AS questions, countIf(kind = 'accident') AS accidents,
    countIf(kind IN ('', 'other')) AS other, countIf(kind = 'thanks') AS thanks, complaints / nullIf(messages, 0) AS complaint_share
FROM v_cases
WHERE registered_at IS NOT NULL
GROUP BY day, source, block, territory, body
COMMENT 'Cases by what they are, day by day';

-- An export gives the same answer again with every change of its row: an answer of a case counts once for each text it had.
CREATE OR REPLACE VIEW v_answers_given
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    case_key UInt64 COMMENT 'Hash of source and case number',
    version UInt64 COMMENT 'Row of the journal that has the answer',
    answered_at DateTime('Europe/Moscow') COMMENT 'When the answer was given',
    body LowCardinality(String) COMMENT 'Body that gave it',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    bits UInt64 COMMENT 'answer_bits of the row',
    hash UInt64 COMMENT 'Fingerprint of the answer',
    words UInt16 COMMENT 'Words of the answer',
    text String COMMENT 'The answer, masked'
)
AS SELECT
    source, case_id, case_key, bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item)) AS version,
    if(event = 'interim_answer' OR e.answered_at = toDateTime(0, 'Europe/Moscow'), event_at, e.answered_at) AS answered_at,
    multiIf(event = 'interim_answer' AND first_answer_body != '', first_answer_body, answer_body != '', answer_body, e.body) AS body,
    block, topic, territory, answer_bits AS bits, answer_hash AS hash, answer_words AS words, answer AS text
FROM events AS e
WHERE outcome = 'applied' AND subject = 'case' AND answer_bits != 0
ORDER BY kafka_topic, kafka_partition, kafka_offset, item
LIMIT 1 BY case_key, answer_hash
COMMENT 'Every answer once, as its own record tells of it (internal: read v_answers)';

-- Two fingerprints that differ in up to three bits share one of four quarters always, in up to six nearly always.
CREATE OR REPLACE VIEW v_answer_templates
(
    hash UInt64 COMMENT 'Fingerprint of the answer',
    words UInt16 COMMENT 'Words of the answer',
    cases UInt64 COMMENT 'Cases that got this text or, from eight words on, nearly this text',
    text String COMMENT 'The answer, masked'
)
AS SELECT hash, words, same + arraySum(near.2) AS cases, text
FROM (
    SELECT l.hash AS hash, any(l.words) AS words, any(l.cases) AS same, any(l.text) AS text,
        groupUniqArrayIf(200)((r.hash, r.cases), r.hash != l.hash AND l.words >= 8 AND r.words >= 8 AND bitCount(bitXor(l.hash, r.hash)) <= 6 AND NOT (l.cases = 1 AND r.cases = 1 AND l.one = r.one)) AS near
    FROM (
        SELECT hash, any(words) AS words, uniqExact(case_key) AS cases, any(case_key) AS one, any(text) AS text, arrayJoin([0, 1, 2, 3]) AS place, bitAnd(bitShiftRight(hash, place * 16), 65535) AS quarter
        FROM v_answers_given GROUP BY hash
    ) AS l
    LEFT JOIN (
        SELECT hash, any(words) AS words, uniqExact(case_key) AS cases, any(case_key) AS one, arrayJoin([0, 1, 2, 3]) AS place, bitAnd(bitShiftRight(hash, place * 16), 65535) AS quarter
        FROM v_answers_given GROUP BY hash ORDER BY hash LIMIT 50 BY place, quarter
    ) AS r ON l.place = r.place AND l.quarter = r.quarter
    GROUP BY l.hash
)
WHERE cases > 1
COMMENT 'Texts that went to several cases as an answer';

-- What the record of an answer cannot know is added here: whether others got the text, and whether the author disagrees later.
CREATE OR REPLACE VIEW v_answers
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    answered_at DateTime('Europe/Moscow') COMMENT 'When the answer was given',
    body LowCardinality(String) COMMENT 'Body that gave it',
    block LowCardinality(String) COMMENT 'Sector block',
    topic LowCardinality(String) COMMENT 'Topic inside the block',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    score UInt8 COMMENT 'Points by the text and its record, 0 to 100; template and a later contradiction are not taken off here, but is_empty knows them',
    signs Array(String) COMMENT 'no_date, redirect, laws, officialese, template, short, no_proof, contradiction',
    is_empty Bool COMMENT 'An empty answer («отписка»): fewer points than the limit of answer_quality.toml, all signs counted',
    same_text UInt64 COMMENT 'Cases that got this text or nearly this text, this one included',
    words UInt16 COMMENT 'Words of the answer',
    text String COMMENT 'The answer, masked'
)
AS SELECT
    a.source AS source, a.case_id AS case_id, a.answered_at AS answered_at, a.body AS body, a.block AS block, a.topic AS topic,
    a.territory AS territory, toUInt8(bitAnd(bitShiftRight(a.bits, 16), 255)) AS score,
    arrayDistinct(arrayConcat(
        arrayMap(bit -> ['no_date', 'redirect', 'laws', 'officialese', 'template', 'short', 'no_proof', 'contradiction'][bit + 1], bitPositionsToArray(bitAnd(a.bits, 255))),
        if(t.cases > 1, ['template'], []), if(r.disagreed, ['contradiction'], []))) AS signs,
    bitTest(a.bits, 9 + if(has(signs, 'template'), 1, 0) + if(has(signs, 'contradiction'), 2, 0)) = 1 AS is_empty,
    greatest(t.cases, 1) AS same_text, a.words AS words, a.text AS text
FROM v_answers_given AS a
LEFT ANY JOIN v_answer_templates AS t ON t.hash = a.hash
LEFT ANY JOIN (
    SELECT n.case_key AS case_key, n.version AS version, true AS disagreed
    FROM (
        SELECT case_key, bitOr(bitShiftLeft(kafka_offset, 16), toUInt64(item)) AS told_at FROM events
        WHERE outcome = 'applied' AND subject = 'case' AND (rating IN (1, 2) OR reaction = 'not_satisfied')
    ) AS m
    ASOF INNER JOIN v_answers_given AS n ON n.case_key = m.case_key AND n.version <= m.told_at
    WHERE bitTest(n.bits, 8) = 1
) AS r ON r.case_key = a.case_key AND r.version = a.version
COMMENT 'Answers and what they are worth, every sign told';

CREATE OR REPLACE VIEW v_answer_quality
(
    month Date COMMENT 'First day of the Moscow month of the answers',
    body LowCardinality(String) COMMENT 'Body that gave the answers',
    block LowCardinality(String) COMMENT 'Sector block',
    answers UInt64 COMMENT 'Answers with a text',
    empty UInt64 COMMENT 'Empty ones («отписки»)',
    empty_share Float64 COMMENT 'empty / answers; to group further, sum the counts first',
    mean_score Float64 COMMENT 'Mean of the points by text and record',
    no_date UInt64 COMMENT 'Promise or confirm, and say no date',
    redirect UInt64 COMMENT 'Send the author to somebody else',
    laws UInt64 COMMENT 'Acts instead of an explanation',
    officialese UInt64 COMMENT 'Officialese',
    template UInt64 COMMENT 'The text went to other cases too',
    short UInt64 COMMENT 'Too short',
    no_proof UInt64 COMMENT 'Say that all is done, and show nothing',
    contradiction UInt64 COMMENT 'Say that all is done, and the author or the decision says otherwise'
)
AS SELECT
    toStartOfMonth(answered_at) AS month, body, block, count() AS answers, countIf(is_empty) AS empty,
    empty / answers AS empty_share, avg(score) AS mean_score,
    countIf(has(signs, 'no_date')) AS no_date, countIf(has(signs, 'redirect')) AS redirect, countIf(has(signs, 'laws')) AS laws,
    countIf(has(signs, 'officialese')) AS officialese, countIf(has(signs, 'template')) AS template, countIf(has(signs, 'short')) AS short,
    countIf(has(signs, 'no_proof')) AS no_proof, countIf(has(signs, 'contradiction')) AS contradiction
FROM v_answers
GROUP BY month, body, block
COMMENT 'Quality of answers by body, block and month';

-- Where rules and sources disagree often, a rule is wrong or cases go the long way.
CREATE OR REPLACE VIEW v_routing_agreement
(
    source LowCardinality(String) COMMENT 'Upstream system',
    block LowCardinality(String) COMMENT 'Sector block when the case was opened',
    topic LowCardinality(String) COMMENT 'Topic when the case was opened',
    territory LowCardinality(String) COMMENT 'Territory when the case was opened',
    proposed Array(String) COMMENT 'Bodies that the rules propose, the responsible one first',
    cases UInt64 COMMENT 'Cases for which the rules propose somebody',
    held UInt64 COMMENT 'Of them: the source says who holds the case, or held it at its end',
    responsible UInt64 COMMENT 'Of the held: by the responsible body',
    taking_part UInt64 COMMENT 'Of the held: by another body that is proposed',
    elsewhere UInt64 COMMENT 'Of the held: by a body that is not proposed',
    agreed_share Nullable(Float64) COMMENT '(responsible + taking_part) / held; to group further, sum the counts first',
    first_agreed_share Nullable(Float64) COMMENT 'The same for the body the case came in to first',
    mostly LowCardinality(String) COMMENT 'Body that holds most of the cases that are elsewhere'
)
AS SELECT
    e.source AS source, e.block AS block, e.topic AS topic, e.territory AS territory, e.proposed_bodies AS proposed,
    count() AS cases, countIf(c.body != '') AS held, countIf(c.body != '' AND c.body = proposed[1]) AS responsible,
    countIf(c.body != '' AND c.body != proposed[1] AND has(proposed, toString(c.body))) AS taking_part,
    countIf(c.body != '' AND NOT has(proposed, toString(c.body))) AS elsewhere,
    (responsible + taking_part) / nullIf(held, 0) AS agreed_share,
    countIf(c.received_body != '' AND has(proposed, toString(c.received_body))) / nullIf(countIf(c.received_body != ''), 0) AS first_agreed_share,
    arrayElement(topKIf(1)(c.body, c.body != '' AND NOT has(proposed, toString(c.body))), 1) AS mostly
FROM (
    SELECT case_key, source, block, topic, territory, proposed_bodies
    FROM events
    WHERE outcome = 'applied' AND subject = 'case' AND proposed != ''
) AS e
INNER JOIN cases AS c FINAL ON c.case_key = e.case_key
GROUP BY source, block, topic, territory, proposed
COMMENT 'Bodies that the routing rules propose against those that the sources name';
