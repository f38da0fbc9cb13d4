-- The same tables as in migrations/mysql, in SQLite's words. state: 0 live, 1 deleted. Times are
-- milliseconds since 1970. A row of chats or messages without a uid is a stub: something about it came
-- before its create.

CREATE TABLE applications (
    app_id INTEGER NOT NULL PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    idem_salt BLOB NOT NULL,
    idem_key TEXT UNIQUE,
    idem_fingerprint BLOB,
    state INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX applications_by_age ON applications (state, created_at, app_id);

CREATE TABLE api_keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    app_id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_by_app ON api_keys (app_id);

CREATE TABLE chats (
    app_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    uid BLOB UNIQUE,
    fingerprint BLOB,
    name TEXT,
    name_rev INTEGER NOT NULL,
    metadata TEXT,
    metadata_rev INTEGER NOT NULL,
    state INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (app_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX chats_by_state ON chats (state, app_id, number);

-- Keyed chat creates, bound to their number before they are published.
CREATE TABLE chat_keys (
    uid BLOB NOT NULL PRIMARY KEY,
    app_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    fingerprint BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX chat_keys_by_app ON chat_keys (app_id);

CREATE TABLE messages (
    app_id INTEGER NOT NULL,
    chat_number INTEGER NOT NULL,
    number INTEGER NOT NULL,
    uid BLOB UNIQUE,
    fingerprint BLOB,
    author TEXT,
    content TEXT,
    content_rev INTEGER NOT NULL,
    metadata TEXT,
    metadata_rev INTEGER NOT NULL,
    reply_to INTEGER,
    state INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    accepted_at INTEGER NOT NULL,
    stored_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (app_id, chat_number, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE number_aliases (
    app_id INTEGER NOT NULL,
    chat_number INTEGER NOT NULL,
    number INTEGER NOT NULL,
    target INTEGER NOT NULL,
    PRIMARY KEY (app_id, chat_number, number)
) STRICT, WITHOUT ROWID;

-- kind: 0 chats of an application (chat_number 0), 1 messages of a chat. The count at any moment is the
-- row here plus the open rows of count_ledger.
CREATE TABLE counts (
    kind INTEGER NOT NULL,
    app_id INTEGER NOT NULL,
    chat_number INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (kind, app_id, chat_number)
) STRICT, WITHOUT ROWID;

CREATE TABLE count_ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind INTEGER NOT NULL,
    app_id INTEGER NOT NULL,
    chat_number INTEGER NOT NULL,
    n INTEGER NOT NULL
) STRICT;
CREATE INDEX count_ledger_by_counted ON count_ledger (kind, app_id, chat_number, n);

-- The only source of numbers. hi is the end of the last block given out.
CREATE TABLE sequences (
    scope TEXT NOT NULL PRIMARY KEY,
    hi INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A block that did not continue the one before it starts after "at".
CREATE TABLE number_jumps (
    scope TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (scope, at)
) STRICT, WITHOUT ROWID;

-- Numbers lo to hi were given and will never be stored.
CREATE TABLE number_gaps (
    scope TEXT NOT NULL,
    lo INTEGER NOT NULL,
    hi INTEGER NOT NULL,
    cause TEXT NOT NULL,
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (scope, lo)
) STRICT, WITHOUT ROWID;

-- How far the gap pass has come: every number up to explained is a row, an alias or a gap.
CREATE TABLE gap_watermarks (
    scope TEXT NOT NULL PRIMARY KEY,
    explained INTEGER NOT NULL,
    seen INTEGER,
    seen_at INTEGER
) STRICT, WITHOUT ROWID;
