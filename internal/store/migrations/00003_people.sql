-- +goose Up
CREATE TABLE users (
    id              TEXT   PRIMARY KEY,
    name            TEXT   NOT NULL UNIQUE, -- canonical
    display_name    TEXT   NOT NULL,
    role            TEXT   NOT NULL CHECK (role IN ('administrator', 'operator', 'auditor', 'user')),
    disabled        BIGINT NOT NULL CHECK (disabled IN (0, 1)),
    password_hash   TEXT   NOT NULL,
    password_set_at BIGINT NOT NULL,
    last_login_at   BIGINT NOT NULL,        -- 0: never
    created_at      BIGINT NOT NULL,
    rev             BIGINT NOT NULL
);

CREATE TABLE groups (
    id          TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL UNIQUE, -- canonical
    description TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    rev         BIGINT NOT NULL
);

CREATE TABLE group_members (
    user_id  TEXT NOT NULL REFERENCES users (id),
    group_id TEXT NOT NULL REFERENCES groups (id),
    PRIMARY KEY (user_id, group_id)
);
CREATE INDEX group_members_group ON group_members (group_id);

-- Of a session, a token and a setup code only the SHA-256 is stored.
CREATE TABLE sessions (
    id           TEXT   PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    hash         BYTEA  NOT NULL UNIQUE,
    created_at   BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    address      TEXT   NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);

CREATE TABLE tokens (
    id           TEXT   PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    name         TEXT   NOT NULL,
    scopes       TEXT   NOT NULL, -- JSON array of strings
    hash         BYTEA  NOT NULL UNIQUE,
    expires_at   BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL, -- 0: never
    rev          BIGINT NOT NULL,
    UNIQUE (user_id, name)
);

CREATE TABLE setup_codes (
    one        BIGINT PRIMARY KEY CHECK (one = 1), -- there is one at most
    hash       BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL
);

-- A try is here from before its password is hashed until it succeeded or is too old to count. The subject is a user's id
-- or the hash of a name that nobody has; the address is empty unless that user has signed in from it before.
CREATE TABLE login_tries (
    id      TEXT   PRIMARY KEY,
    subject TEXT   NOT NULL,
    address TEXT   NOT NULL,
    at      BIGINT NOT NULL
);
CREATE INDEX login_tries_subject ON login_tries (subject, address, at);
CREATE INDEX login_tries_elsewhere ON login_tries (at) WHERE address = '';

CREATE TABLE login_blocks (
    subject TEXT   NOT NULL,
    address TEXT   NOT NULL,
    blocks  BIGINT NOT NULL, -- how many in a row
    until   BIGINT NOT NULL,
    PRIMARY KEY (subject, address)
);

CREATE TABLE known_addresses (
    user_id TEXT   NOT NULL REFERENCES users (id),
    address TEXT   NOT NULL,
    last_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, address)
);
