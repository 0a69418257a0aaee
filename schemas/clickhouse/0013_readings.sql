-- What the words of a message say, beside what its source says: block and topic by lexicon and model, the place by the
-- gazetteer. The source is believed first; `block_by` and `territory_by` tell what the row's own block and territory rest on.
-- They stand before the columns of the case, which `cases` repeats from `status` on.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS text_block LowCardinality(String) COMMENT 'Block by the words of the text, the best guess; empty without a text' AFTER extra,
    ADD COLUMN IF NOT EXISTS text_second LowCardinality(String) COMMENT 'Second guess' AFTER text_block,
    ADD COLUMN IF NOT EXISTS text_third LowCardinality(String) COMMENT 'Third guess' AFTER text_second,
    ADD COLUMN IF NOT EXISTS text_percent UInt8 COMMENT 'How sure the best guess is, of 100' AFTER text_third,
    ADD COLUMN IF NOT EXISTS text_topic LowCardinality(String) COMMENT 'Topic by the words of the text' AFTER text_percent,
    ADD COLUMN IF NOT EXISTS text_unsure Bool COMMENT 'The best guess is under the threshold: not determined' AFTER text_topic,
    ADD COLUMN IF NOT EXISTS text_territory LowCardinality(String) COMMENT 'Territory by point, address or text; empty when unknown' AFTER text_unsure,
    ADD COLUMN IF NOT EXISTS block_by Enum8('' = 0, 'source' = 1, 'text' = 2) COMMENT 'What the block of this record rests on' AFTER text_territory,
    ADD COLUMN IF NOT EXISTS territory_by Enum8('' = 0, 'name' = 1, 'coordinates' = 2, 'address' = 3, 'text' = 4) COMMENT 'What the territory of this record rests on' AFTER block_by;

-- For the people who sort what the machine could not: nobody knows the block, and the text was not clear enough.
CREATE OR REPLACE VIEW v_review_queue
(
    source LowCardinality(String) COMMENT 'Upstream system',
    case_id String COMMENT 'Number of the case in its source',
    registered_at Nullable(DateTime('Europe/Moscow')) COMMENT 'Registration',
    status Enum8('' = 0, 'new' = 1, 'moderation' = 2, 'coordination' = 3, 'in_work' = 4, 'interim' = 5, 'approval' = 6, 'answered' = 7, 'closed' = 8, 'rejected' = 9, 'returned' = 10, 'deferred' = 11, 'duplicate' = 12, 'transferred' = 13, 'extended' = 14) COMMENT 'Status',
    territory LowCardinality(String) COMMENT 'Municipality or city district',
    category LowCardinality(String) COMMENT 'Category as the source gives it',
    guess LowCardinality(String) COMMENT 'Block by the words, the best guess',
    percent UInt8 COMMENT 'How sure it is, of 100',
    second LowCardinality(String) COMMENT 'Second guess',
    third LowCardinality(String) COMMENT 'Third guess',
    text String COMMENT 'Text of the message, masked'
)
AS
SELECT
    c.source AS source, c.case_id AS case_id, nullIf(c.registered_at, toDateTime(0, 'Europe/Moscow')) AS registered_at,
    c.status AS status, c.territory AS territory, c.category AS category,
    e.text_block AS guess, e.text_percent AS percent, e.text_second AS second, e.text_third AS third, e.text AS text
FROM cases AS c FINAL
INNER JOIN
(
    SELECT kafka_topic, kafka_partition, case_key, text_block, text_percent, text_second, text_third, text
    FROM events
    WHERE outcome = 'applied' AND text_unsure AND block = ''
    ORDER BY kafka_offset DESC, item DESC
    LIMIT 1 BY kafka_topic, kafka_partition, case_key
) AS e ON e.kafka_topic = c.kafka_topic AND e.kafka_partition = c.kafka_partition AND e.case_key = c.case_key
WHERE c.block = ''
COMMENT 'Cases whose block neither the source nor the words tell, for people to sort';

-- Where the words and the category of the source disagree often, one of the two dictionaries is wrong.
CREATE OR REPLACE VIEW v_category_agreement
(
    source LowCardinality(String) COMMENT 'Upstream system',
    category LowCardinality(String) COMMENT 'Category as the source gives it',
    block LowCardinality(String) COMMENT 'Block the category leads to',
    messages UInt64 COMMENT 'Messages with a text whose block the source gives',
    sure UInt64 COMMENT 'Of them with a clear text',
    same UInt64 COMMENT 'Of the clear ones: the text says the same block',
    near UInt64 COMMENT 'Of the clear ones: the block is the second or third guess',
    same_share Nullable(Float64) COMMENT 'same / sure; NULL without a clear text',
    mostly LowCardinality(String) COMMENT 'Block that the clear texts name most often'
)
AS
SELECT
    source, category, block,
    count() AS messages,
    countIf(NOT text_unsure) AS sure,
    countIf(NOT text_unsure AND text_block = block) AS same,
    countIf(NOT text_unsure AND text_block != block AND block IN (text_second, text_third)) AS near,
    if(sure = 0, NULL, same / sure) AS same_share,
    arrayElement(topKIf(1)(text_block, NOT text_unsure), 1) AS mostly
FROM events
WHERE outcome = 'applied' AND subject = 'case' AND block_by = 'source' AND text_block != ''
GROUP BY source, category, block
COMMENT 'Categories of the sources against what the texts say';
