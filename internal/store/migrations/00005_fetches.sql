-- +goose Up
-- A fetch's row is also its job, as a run's is.
CREATE TABLE fetches (
    id          TEXT   PRIMARY KEY,
    cluster_id  TEXT   NOT NULL REFERENCES clusters (id),
    kind        TEXT   NOT NULL CHECK (kind IN ('fetch', 'sync')),
    state       TEXT   NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'done', 'failed')),
    selection   TEXT   NOT NULL, -- JSON
    total       BIGINT NOT NULL,
    added       BIGINT NOT NULL,
    changed     BIGINT NOT NULL,
    unchanged   BIGINT NOT NULL,
    gone        BIGINT NOT NULL,
    skipped     BIGINT NOT NULL,
    problems    TEXT   NOT NULL, -- JSON: the first ones, and how many more
    reason      TEXT   NOT NULL,
    cure        TEXT   NOT NULL,
    fence       BIGINT NOT NULL,
    lease_owner TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    actor_id    TEXT   NOT NULL,
    actor_name  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL, -- 0: it has not
    CHECK ((ended_at > 0) = (state IN ('done', 'failed')))
);
CREATE UNIQUE INDEX fetches_open ON fetches (cluster_id) WHERE state NOT IN ('done', 'failed');
CREATE INDEX fetches_cluster ON fetches (cluster_id, id);
CREATE INDEX fetches_due ON fetches (not_before) WHERE state IN ('queued', 'running', 'waiting');

-- What the key should hold, as far as that is known: the value that was there when it was mapped, or that was written last.
ALTER TABLE mappings ADD COLUMN fingerprint BYTEA;

-- Following a cluster is a job too: its lease says who does it.
CREATE TABLE watches (
    cluster_id  TEXT   PRIMARY KEY REFERENCES clusters (id),
    state       TEXT   NOT NULL CHECK (state IN ('live', 'comparing', 'waiting', 'off')),
    reason      TEXT   NOT NULL,
    cure        TEXT   NOT NULL,
    changed_at  BIGINT NOT NULL, -- 0: never
    since       BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    lease_owner TEXT   NOT NULL,
    lease_until BIGINT NOT NULL
);

-- Up to which resourceVersion everything of a namespace, or with an empty name of the whole cluster, is stored.
CREATE TABLE watch_positions (
    cluster_id TEXT NOT NULL REFERENCES clusters (id),
    namespace  TEXT NOT NULL,
    version    TEXT NOT NULL,
    PRIMARY KEY (cluster_id, namespace)
) WITHOUT ROWID;
