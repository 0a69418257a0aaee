-- The masker knows names, documents, plates, dates of birth and flats since its version 2. Codes of before keep their
-- meaning, so no part is written anew: only the words of the column grow.
ALTER TABLE events MODIFY COLUMN masked Array(Enum8('phone' = 1, 'email' = 2, 'snils' = 3, 'card' = 4, 'profile' = 5, 'name' = 6, 'inn' = 7, 'passport' = 8, 'policy' = 9, 'plate' = 10, 'birth_date' = 11, 'flat' = 12)) COMMENT 'Kinds of the identifiers that were masked, one entry each';
