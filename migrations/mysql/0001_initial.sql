-- The same tables as in migrations/sqlite, in the words of MySQL 8 and MariaDB 10.6. Tokens, keys and
-- scopes are ascii_bin, text is utf8mb4_bin: no two different strings are equal. state: 0 live, 1 deleted. Times are
-- milliseconds since 1970. A row of chats or messages without a uid is a stub: something about it came
-- before its create.
--
-- Each of these statements commits by itself, and any of them may be the last one before a kill: all can be
-- carried out again.

CREATE TABLE IF NOT EXISTS applications (
    app_id BIGINT NOT NULL PRIMARY KEY,
    token VARCHAR(26) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
    name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    idem_salt BINARY(32) NOT NULL,
    idem_key VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin UNIQUE,
    idem_fingerprint BINARY(16),
    state SMALLINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    KEY applications_by_age (state, created_at, app_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS api_keys (
    key_id VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    app_id BIGINT NOT NULL,
    hash BINARY(32) NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    KEY api_keys_by_app (app_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS chats (
    app_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    uid BINARY(16) UNIQUE,
    fingerprint BINARY(16),
    name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    name_rev BIGINT NOT NULL,
    metadata MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    metadata_rev BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, number),
    KEY chats_by_state (state, app_id, number)
) ENGINE = InnoDB;

-- Keyed chat creates, bound to their number before they are published.
CREATE TABLE IF NOT EXISTS chat_keys (
    uid BINARY(16) NOT NULL PRIMARY KEY,
    app_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    fingerprint BINARY(16) NOT NULL,
    KEY chat_keys_by_app (app_id)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS messages (
    app_id BIGINT NOT NULL,
    chat_number BIGINT NOT NULL,
    number BIGINT NOT NULL,
    uid BINARY(16) UNIQUE,
    fingerprint BINARY(16),
    author VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    content MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    content_rev BIGINT NOT NULL,
    metadata MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
    metadata_rev BIGINT NOT NULL,
    reply_to BIGINT,
    state SMALLINT NOT NULL,
    rev BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    accepted_at BIGINT NOT NULL,
    stored_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (app_id, chat_number, number)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS number_aliases (
    app_id BIGINT NOT NULL,
    chat_number BIGINT NOT NULL,
    number BIGINT NOT NULL,
    target BIGINT NOT NULL,
    PRIMARY KEY (app_id, chat_number, number)
) ENGINE = InnoDB;

-- kind: 0 chats of an application (chat_number 0), 1 messages of a chat. The count at any moment is the
-- row here plus the open rows of count_ledger.
CREATE TABLE IF NOT EXISTS counts (
    kind SMALLINT NOT NULL,
    app_id BIGINT NOT NULL,
    chat_number BIGINT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (kind, app_id, chat_number)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS count_ledger (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind SMALLINT NOT NULL,
    app_id BIGINT NOT NULL,
    chat_number BIGINT NOT NULL,
    n BIGINT NOT NULL,
    KEY count_ledger_by_counted (kind, app_id, chat_number, n)
) ENGINE = InnoDB;

-- The only source of numbers. hi is the end of the last block given out.
CREATE TABLE IF NOT EXISTS sequences (
    scope VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    hi BIGINT NOT NULL
) ENGINE = InnoDB;

-- A block that did not continue the one before it starts after "at".
CREATE TABLE IF NOT EXISTS number_jumps (
    scope VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (scope, at)
) ENGINE = InnoDB;

-- Numbers lo to hi were given and will never be stored.
CREATE TABLE IF NOT EXISTS number_gaps (
    scope VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    lo BIGINT NOT NULL,
    hi BIGINT NOT NULL,
    cause VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    noted_at BIGINT NOT NULL,
    PRIMARY KEY (scope, lo)
) ENGINE = InnoDB;

-- How far the gap pass has come: every number up to explained is a row, an alias or a gap.
CREATE TABLE IF NOT EXISTS gap_watermarks (
    scope VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    explained BIGINT NOT NULL,
    seen BIGINT,
    seen_at BIGINT
) ENGINE = InnoDB;
