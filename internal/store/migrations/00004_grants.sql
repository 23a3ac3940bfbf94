-- +goose Up
-- Standing rights. What the kind account names may be a row of accounts or of secrets, so object_id refers to no one table.
CREATE TABLE grants (
    id           TEXT   PRIMARY KEY,
    subject_kind TEXT   NOT NULL CHECK (subject_kind IN ('user', 'group')),
    subject_id   TEXT   NOT NULL,
    object_kind  TEXT   NOT NULL CHECK (object_kind IN ('cluster', 'resource', 'account')),
    object_id    TEXT   NOT NULL,
    level        BIGINT NOT NULL CHECK (level BETWEEN 1 AND 4), -- view, use, reveal, manage
    expires_at   BIGINT NOT NULL, -- 0: never
    granted_by   TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    rev          BIGINT NOT NULL,
    UNIQUE (subject_kind, subject_id, object_kind, object_id)
);
CREATE INDEX grants_object ON grants (object_kind, object_id);

-- What was answered to requests that carried a key, so that a repeated one gets the same answer and does nothing.
CREATE TABLE idempotency_keys (
    actor_id     TEXT   NOT NULL,
    key          TEXT   NOT NULL,
    route        TEXT   NOT NULL,
    request_hash BYTEA  NOT NULL,
    status       BIGINT NOT NULL, -- 0: the request is still running
    body         BYTEA  NOT NULL,
    created_at   BIGINT NOT NULL,
    PRIMARY KEY (actor_id, key)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
