-- One row: the schema's version, and the lowest version of a program that can still use it. A migration
-- that only adds leaves readable_from as it is; one that takes away sets it to the first version whose
-- program does without.

CREATE TABLE schema_info (
    version INTEGER NOT NULL PRIMARY KEY,
    readable_from INTEGER NOT NULL
) STRICT;
DELETE FROM schema_info;
INSERT INTO schema_info (version, readable_from) VALUES (2, 1);
