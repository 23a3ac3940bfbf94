-- +goose Up
CREATE TABLE repository (
    id         TEXT   PRIMARY KEY,
    one        BIGINT NOT NULL UNIQUE CHECK (one = 1), -- there is one row at most
    created_at BIGINT NOT NULL,
    settings   TEXT   NOT NULL,                        -- JSON object of strings
    rev        BIGINT NOT NULL
);

CREATE TABLE ring_keys (
    id          BIGINT PRIMARY KEY,
    purpose     TEXT   NOT NULL,
    wrapped     BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    retired_at  BIGINT,
    tag         BYTEA  NOT NULL UNIQUE,     -- the id as it stands in what the key has sealed
    uses        BIGINT NOT NULL DEFAULT 0,  -- stored before they are made
    lease_owner TEXT   NOT NULL DEFAULT '', -- who seals again what it has sealed
    lease_until BIGINT NOT NULL DEFAULT 0
);

-- Ids are UUIDv7, so their order is that of time. The columns beside body repeat parts of it for searching.
CREATE TABLE audit_events (
    id          TEXT   PRIMARY KEY,
    at          BIGINT NOT NULL,
    actor_id    TEXT   NOT NULL,
    action      TEXT   NOT NULL,
    object_kind TEXT   NOT NULL,
    object_id   TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    run_id      TEXT   NOT NULL,
    seq         BIGINT CHECK (seq >= 0), -- its place in the log; none until the sequencer has put it there
    body        TEXT   NOT NULL          -- the canonical text that the log hashes
);
-- Two partial indexes, so that a new event is in one of them only.
CREATE UNIQUE INDEX audit_events_seq ON audit_events (seq) WHERE seq IS NOT NULL;
CREATE INDEX audit_events_unsequenced ON audit_events (id) WHERE seq IS NULL;
CREATE INDEX audit_events_actor ON audit_events (actor_id, id);
CREATE INDEX audit_events_object ON audit_events (object_kind, object_id, id);
CREATE INDEX audit_events_action ON audit_events (action, id);
CREATE INDEX audit_events_run ON audit_events (run_id, id) WHERE run_id <> '';

CREATE TABLE audit_tiles (
    level BIGINT NOT NULL,
    n     BIGINT NOT NULL,
    width BIGINT NOT NULL CHECK (width BETWEEN 1 AND 256),
    data  BYTEA  NOT NULL,
    PRIMARY KEY (level, n)
);

CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY,
    hash BYTEA  NOT NULL,
    at   BIGINT NOT NULL,
    note TEXT   NOT NULL -- the signed note; the other columns are read from it
);
