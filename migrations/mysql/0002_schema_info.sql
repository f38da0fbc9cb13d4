-- One row: the schema's version, and the lowest version of a program that can still use it. A migration
-- that only adds leaves readable_from as it is; one that takes away sets it to the first version whose
-- program does without.

CREATE TABLE IF NOT EXISTS schema_info (
    version BIGINT NOT NULL PRIMARY KEY,
    readable_from BIGINT NOT NULL
) ENGINE = InnoDB;
DELETE FROM schema_info;
INSERT INTO schema_info (version, readable_from) VALUES (2, 1);
