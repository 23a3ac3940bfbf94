-- +goose Up
-- Secrets that changed in their cluster though the policy is not that the cluster wins. A row is also the job of whoever
-- finds out who changed them and puts the vault's values back; it stays when nothing differs any more, so that a fight is
-- seen.
CREATE TABLE conflicts (
    id          TEXT   PRIMARY KEY REFERENCES secrets (id),
    cluster_id  TEXT   NOT NULL,
    resource_id TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('open', 'healing', 'stopped', 'settled')),
    reason      TEXT   NOT NULL,
    cure        TEXT   NOT NULL,
    since       BIGINT NOT NULL, -- it is open or to be healed
    changed_at  BIGINT NOT NULL, -- the Secret, last
    changed_by  TEXT   NOT NULL, -- the field manager; empty: it is not known
    looked      BIGINT NOT NULL CHECK (looked IN (0, 1)), -- who changed it was looked for
    actor_id    TEXT   NOT NULL, -- who wants the vault's values written; empty: the policy does
    actor_name  TEXT   NOT NULL,
    heals       BIGINT NOT NULL, -- how often they were written since heals_from
    heals_from  BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    not_before  BIGINT NOT NULL,
    fence       BIGINT NOT NULL,
    lease_owner TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    rev         BIGINT NOT NULL
);
CREATE INDEX conflicts_state ON conflicts (state, id);
CREATE INDEX conflicts_since ON conflicts (since, id);
CREATE INDEX conflicts_due ON conflicts (not_before) WHERE state = 'healing' OR state <> 'settled' AND looked = 0;

-- The keys that differ. Those that are mapped are not here: a mapping knows itself.
CREATE TABLE conflict_keys (
    secret_id   TEXT   NOT NULL REFERENCES conflicts (id),
    name        TEXT   NOT NULL,
    version     BIGINT NOT NULL, -- of the Secret in which the vault's value of the key stands
    fingerprint BYTEA,           -- of that value; NULL: the key should not be there
    PRIMARY KEY (secret_id, name)
);
