-- +goose Up
-- Each time the repository was found to be older than what is kept outside of it. Until one is ended nothing is changed on
-- any system nor in any cluster.
CREATE TABLE restores (
    id         TEXT   PRIMARY KEY,
    seen_in    TEXT   NOT NULL, -- where the newer head stood: the data folder, or a cluster by its name
    inside     BIGINT NOT NULL, -- how many entries the audit log had
    outside    BIGINT NOT NULL, -- how many it had once had
    outside_at BIGINT NOT NULL, -- when the newest head outside was signed
    head       TEXT   NOT NULL, -- that head, as a signed note
    found_at   BIGINT NOT NULL,
    ended_at   BIGINT NOT NULL, -- 0: it is not
    ended_by   TEXT   NOT NULL
);
CREATE UNIQUE INDEX restores_open ON restores (ended_at) WHERE ended_at = 0;

-- What became of each account since.
CREATE TABLE restored_accounts (
    restore_id  TEXT   NOT NULL REFERENCES restores (id),
    account_id  TEXT   NOT NULL, -- accounts may be deleted
    state       TEXT   NOT NULL CHECK (state IN ('to_check', 'verified', 'adopted', 'agrees', 'undecided', 'unresolved')),
    reason      TEXT   NOT NULL,
    cure        TEXT   NOT NULL,
    tried       TEXT   NOT NULL, -- JSON: which values were refused, by what they are and their fingerprints
    run_id      TEXT   NOT NULL, -- the open run that was given up with it; may be empty
    at          BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (restore_id, account_id)
);
CREATE INDEX restored_accounts_state ON restored_accounts (state, account_id);
