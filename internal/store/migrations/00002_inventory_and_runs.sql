-- +goose Up
-- Clusters are never deleted: removing one ends the association, and what came from it says where it came from.
CREATE TABLE clusters (
    id         TEXT   PRIMARY KEY,
    name       TEXT   NOT NULL,
    server     TEXT   NOT NULL,
    ca_pem     TEXT   NOT NULL,
    token      BYTEA,                 -- sealed
    scope      TEXT   NOT NULL,       -- JSON
    selections TEXT   NOT NULL DEFAULT '[]', -- JSON array: what was chosen to be fetched, and is kept in sync
    uid        TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('connected', 'degraded', 'unreachable', 'untrusted', 'unauthorised', 'removed')),
    reason     TEXT   NOT NULL,
    since      BIGINT NOT NULL,
    checked_at BIGINT NOT NULL,
    synced_at  BIGINT NOT NULL,       -- 0: never
    created_at BIGINT NOT NULL,
    rev        BIGINT NOT NULL,
    compared_at BIGINT NOT NULL DEFAULT 0, -- when the last compare of everything began that was carried out; 0: never
    on_drift   TEXT   NOT NULL DEFAULT 'cluster_wins' CHECK (on_drift IN ('cluster_wins', 'vault_wins', 'ask'))
);
-- Which data key sealed it stands in the fourth to the seventh byte of every sealed value, here and below.
CREATE INDEX clusters_sealed ON clusters (substr(token, 4, 4), id) WHERE token IS NOT NULL;
CREATE UNIQUE INDEX clusters_name ON clusters (name) WHERE state <> 'removed';
CREATE UNIQUE INDEX clusters_uid ON clusters (uid) WHERE state <> 'removed' AND uid <> '';

CREATE TABLE resources (
    id                   TEXT   PRIMARY KEY,
    name                 TEXT   NOT NULL UNIQUE,
    type                 TEXT   NOT NULL,
    cluster_id           TEXT   REFERENCES clusters (id),
    namespace            TEXT   NOT NULL,
    settings             TEXT   NOT NULL, -- JSON object of strings, never a value
    reconcile_account_id TEXT   NOT NULL,
    created_at           BIGINT NOT NULL,
    rev                  BIGINT NOT NULL,
    through_cluster_id   TEXT   REFERENCES clusters (id), -- NULL: reached directly
    through              TEXT   NOT NULL DEFAULT '',      -- namespace/service/NAME, namespace/pod/NAME or namespace/serviceaccounts
    on_drift             TEXT   NOT NULL DEFAULT '' CHECK (on_drift IN ('', 'cluster_wins', 'vault_wins', 'ask')), -- empty: as its cluster
    CHECK ((type = 'kubernetes') = (cluster_id IS NOT NULL))
);
CREATE INDEX resources_type ON resources (type);
CREATE UNIQUE INDEX resources_namespace ON resources (cluster_id, namespace) WHERE cluster_id IS NOT NULL;

CREATE TABLE accounts (
    id          TEXT   PRIMARY KEY,
    resource_id TEXT   NOT NULL REFERENCES resources (id),
    name        TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('verified', 'unverified', 'out_of_sync', 'locked_out')),
    reason      TEXT   NOT NULL,
    verified_at BIGINT NOT NULL, -- 0: never
    current     BIGINT NOT NULL, -- number of a version, 0: none
    created_at  BIGINT NOT NULL,
    rev         BIGINT NOT NULL,
    strategy    TEXT   NOT NULL DEFAULT '' CHECK (strategy IN ('', 'single', 'overlap', 'alternating')), -- empty: what its type is best at
    pair        TEXT   NOT NULL DEFAULT '' CHECK ((pair <> '') = (strategy = 'alternating')), -- the second login
    checked_at  BIGINT NOT NULL DEFAULT 0, -- when a login was last tried; 0: never
    asked_at    BIGINT NOT NULL DEFAULT 0, -- when a reveal makes the present value due; 0: none does
    -- What follows from the policies. planned = 0: it has to be worked out anew.
    planned     BIGINT NOT NULL DEFAULT 0 CHECK (planned IN (0, 1)),
    policy_id   TEXT   NOT NULL DEFAULT 'default',
    because     TEXT   NOT NULL DEFAULT '',
    next_at     BIGINT NOT NULL DEFAULT 0, -- when it is due to be changed; 0: never
    next_why    TEXT   NOT NULL DEFAULT '',
    overdue_at  BIGINT NOT NULL DEFAULT 0, -- when the value is older than the policy allows; 0: never
    check_at    BIGINT NOT NULL DEFAULT 0, -- when a login is due to be tried; 0: never
    on_reveal   BIGINT NOT NULL DEFAULT 0, -- how long after a reveal the value becomes due; 0: it does not
    rehearse_at BIGINT NOT NULL DEFAULT 0, -- when a run is due to be rehearsed; 0: never
    -- What the last rehearsal showed.
    readiness    TEXT   NOT NULL DEFAULT 'unknown' CHECK (readiness IN ('ready', 'not_ready', 'unknown')),
    ready_reason TEXT   NOT NULL DEFAULT '',
    rehearsed_at BIGINT NOT NULL DEFAULT 0, -- 0: never
    UNIQUE (resource_id, name)
);
-- Each login on a system belongs to one account, be it its name or the second of a pair. account_id refers to no table: the
-- check would read where the newest accounts stand, and make those who add accounts at once wait for each other.
CREATE TABLE account_logins (
    resource_id TEXT NOT NULL REFERENCES resources (id),
    login       TEXT NOT NULL,
    account_id  TEXT NOT NULL,
    PRIMARY KEY (resource_id, login)
) WITHOUT ROWID;
CREATE INDEX account_logins_account ON account_logins (account_id);
CREATE INDEX accounts_planned ON accounts (id) WHERE planned = 0;
CREATE INDEX accounts_next ON accounts (next_at, id) WHERE next_at > 0;
CREATE INDEX accounts_rehearse ON accounts (rehearse_at, id) WHERE rehearse_at > 0;
CREATE INDEX accounts_check ON accounts (check_at, id) WHERE check_at > 0;
-- Lists are read along one of these, and counted along the one on the state.
CREATE INDEX accounts_name ON accounts (name, id);
CREATE INDEX accounts_state ON accounts (state, id);
CREATE INDEX accounts_verified ON accounts (verified_at, id);
CREATE INDEX accounts_created ON accounts (created_at, id);

CREATE TABLE policies (
    id          TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL UNIQUE,
    description TEXT   NOT NULL,
    password    TEXT   NOT NULL, -- JSON; empty: the default
    history     BIGINT NOT NULL,
    rules       TEXT   NOT NULL, -- JSON
    created_at  BIGINT NOT NULL,
    rev         BIGINT NOT NULL
);
INSERT INTO policies (id, name, description, password, history, rules, created_at, rev)
VALUES ('default', 'default', 'Of every account that no other policy is for', '', 0, '{}', 0, 1);

-- What names accounts may be deleted, so pattern refers to no table.
CREATE TABLE policy_assignments (
    id         TEXT   PRIMARY KEY,
    policy_id  TEXT   NOT NULL REFERENCES policies (id),
    named_by   TEXT   NOT NULL CHECK (named_by IN ('account', 'resource', 'label', 'rule')),
    pattern    TEXT   NOT NULL, -- an id, labels or globs
    created_at BIGINT NOT NULL,
    UNIQUE (named_by, pattern)
);
CREATE INDEX policy_assignments_policy ON policy_assignments (policy_id);

-- A Secret is itself an account of its kubernetes resource: its id is one of account_id in versions.
CREATE TABLE secrets (
    id               TEXT    PRIMARY KEY,
    cluster_id       TEXT    NOT NULL REFERENCES clusters (id),
    resource_id      TEXT    NOT NULL REFERENCES resources (id),
    namespace        TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    uid              TEXT    NOT NULL,
    resource_version TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    immutable        BIGINT  NOT NULL CHECK (immutable IN (0, 1)),
    labels           TEXT    NOT NULL, -- JSON object of strings
    size             BIGINT  NOT NULL,
    current          BIGINT  NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('in_sync', 'syncing', 'behind', 'drift', 'conflict', 'hands_off', 'blocked', 'tombstone')),
    reason           TEXT    NOT NULL,
    created_at       BIGINT  NOT NULL, -- in the cluster
    seen_at          BIGINT  NOT NULL,
    deleted_at       BIGINT  NOT NULL, -- 0: it is there
    rev              BIGINT  NOT NULL,
    on_drift         TEXT    NOT NULL DEFAULT '' CHECK (on_drift IN ('', 'cluster_wins', 'vault_wins', 'ask')) -- empty: as its namespace
);
-- The last columns spare lists and counts the row itself.
CREATE INDEX secrets_path ON secrets ((namespace || '/' || name), id, resource_id, state);
CREATE INDEX secrets_state ON secrets (state, id);
CREATE INDEX secrets_created ON secrets (created_at, id);
-- A namespace has no slash in its name, so this keeps a place from being there twice.
CREATE UNIQUE INDEX secrets_cluster ON secrets (cluster_id, (namespace || '/' || name));
CREATE INDEX secrets_resource ON secrets (resource_id, (namespace || '/' || name), id, state);

CREATE TABLE secret_keys (
    secret_id   TEXT   NOT NULL REFERENCES secrets (id),
    name        TEXT   NOT NULL,
    size        BIGINT NOT NULL,
    fingerprint BYTEA  NOT NULL,
    common      BIGINT NOT NULL CHECK (common IN (0, 1)), -- that it is equal to others says nothing
    part        BYTEA,           -- fingerprint of what stands at the place of its mapping, if that is a part of the value
    ours        TEXT   NOT NULL, -- the resource_version of its Secret at which the key was Keyturn's own; empty: none is known
    PRIMARY KEY (secret_id, name)
) WITHOUT ROWID;
CREATE INDEX secret_keys_print ON secret_keys (fingerprint, common, secret_id);

-- What a Secret's keys held before. Of a value that a key held more than once, or for many versions, there is one row.
CREATE TABLE past_keys (
    secret_id   TEXT   NOT NULL REFERENCES secrets (id),
    name        TEXT   NOT NULL,
    fingerprint BYTEA  NOT NULL,
    version     BIGINT NOT NULL, -- the newest one of the Secret that has it
    PRIMARY KEY (secret_id, name, fingerprint)
) WITHOUT ROWID;
CREATE INDEX past_keys_print ON past_keys (fingerprint, secret_id);

-- What a version of a Secret changed against the one before. The keys of the first one follow from these and from those of now.
CREATE TABLE key_changes (
    secret_id TEXT   NOT NULL REFERENCES secrets (id),
    version   BIGINT NOT NULL,
    name      TEXT   NOT NULL,
    change    TEXT   NOT NULL CHECK (change IN ('added', 'changed', 'removed')),
    PRIMARY KEY (secret_id, version, name)
) WITHOUT ROWID;

CREATE TABLE versions (
    account_id TEXT   NOT NULL, -- of an account or of a Secret
    number     BIGINT NOT NULL CHECK (number > 0),
    stage      TEXT   NOT NULL CHECK (stage IN ('pending', 'current', 'previous', 'retired')),
    source     TEXT   NOT NULL CHECK (source IN ('fetched', 'written', 'generated', 'typed', 'restored', 'adopted')),
    actor_id   TEXT   NOT NULL,
    actor_name TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT NOT NULL, -- 0: it is not
    sealed     BYTEA  NOT NULL,
    login      TEXT   NOT NULL DEFAULT '', -- whose value it is; empty: that of the account's name
    fingerprint BYTEA,                     -- of an account's value; a Secret's values have theirs by key
    common     BIGINT NOT NULL DEFAULT 0 CHECK (common IN (0, 1)), -- as in secret_keys
    PRIMARY KEY (account_id, number)
);
CREATE INDEX versions_print ON versions (fingerprint, common, stage, account_id) WHERE fingerprint IS NOT NULL;
CREATE INDEX versions_sealed ON versions (substr(sealed, 4, 4), account_id, number);
CREATE UNIQUE INDEX versions_current ON versions (account_id) WHERE stage = 'current';
CREATE UNIQUE INDEX versions_pending ON versions (account_id) WHERE stage = 'pending';

CREATE TABLE mappings (
    id         TEXT   PRIMARY KEY,
    account_id TEXT   NOT NULL REFERENCES accounts (id),
    secret_id  TEXT   NOT NULL REFERENCES secrets (id),
    key_name   TEXT   NOT NULL,
    uid        TEXT   NOT NULL, -- of the Secret when it was mapped
    written    BIGINT NOT NULL, -- number of the version that was last proved to stand there, 0: none
    state      TEXT   NOT NULL CHECK (state IN ('in_sync', 'syncing', 'behind', 'drift', 'conflict', 'hands_off', 'blocked', 'tombstone')),
    reason     TEXT   NOT NULL,
    checked_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    rev        BIGINT NOT NULL,
    on_write   TEXT   NOT NULL DEFAULT 'restart' CHECK (on_write IN ('restart', 'ask', 'nothing')), -- to what reads the key
    place      TEXT   NOT NULL DEFAULT '', -- where in the value the credential stands, as JSON; empty: it is the value
    UNIQUE (secret_id, key_name) -- a key is mapped to one account at most
);
CREATE INDEX mappings_account ON mappings (account_id, state);
CREATE INDEX mappings_state ON mappings (state, id);
CREATE INDEX mappings_created ON mappings (created_at, id);

-- A run's row is also its job: the lease says who works on it, the fence which lease a write belongs to.
CREATE TABLE runs (
    id          TEXT   PRIMARY KEY,
    account_id  TEXT   NOT NULL REFERENCES accounts (id),
    state       TEXT   NOT NULL CHECK (state IN ('queued', 'running', 'waiting', 'done', 'rolled_back', 'needs_attention', 'cancelled')),
    step        TEXT   NOT NULL CHECK (step IN ('planned', 'minted', 'applied', 'verified', 'published', 'rolled_out', 'retired', 'done')),
    begun       TEXT   NOT NULL,
    fence       BIGINT NOT NULL,
    lease_owner TEXT   NOT NULL,
    lease_until BIGINT NOT NULL,
    new_version BIGINT NOT NULL,
    old_version BIGINT NOT NULL,
    prepared    BYTEA,            -- sealed
    minted      BIGINT NOT NULL,
    tries       BIGINT NOT NULL,
    proved      BIGINT NOT NULL CHECK (proved IN (0, 1)),
    typed       BIGINT NOT NULL CHECK (typed IN (0, 1)),
    reason      TEXT   NOT NULL,
    cure        TEXT   NOT NULL,
    not_before  BIGINT NOT NULL,
    actor_id    TEXT   NOT NULL,
    actor_name  TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    ended_at    BIGINT NOT NULL,
    policy      TEXT   NOT NULL, -- how a value is generated; empty is the default
    made_under  TEXT   NOT NULL DEFAULT '', -- the mark of the account's policy under which the value was generated
    wave        BIGINT NOT NULL DEFAULT 0, -- the one that is being written, of waves
    waves       BIGINT NOT NULL DEFAULT 0,
    gives_up    BIGINT NOT NULL DEFAULT 0 CHECK (gives_up IN (0, 1)), -- it is to be rolled back without being asked
    reverts     TEXT   NOT NULL DEFAULT '', -- the run whose work this one undoes
    plan        TEXT   NOT NULL DEFAULT '', -- hash of the plan that it is bound to
    strategy    TEXT   NOT NULL CHECK (strategy IN ('single', 'overlap', 'alternating')),
    login       TEXT   NOT NULL DEFAULT '', -- that gets the new value; empty: the account's name
    beside      TEXT   NOT NULL DEFAULT '', -- of a pair: that is left alone
    spare       BIGINT NOT NULL DEFAULT 0,  -- of a pair: the version that login had
    CHECK ((ended_at > 0) = (state IN ('done', 'rolled_back', 'cancelled')))
);
-- Two resets of one account at once are refused here, whoever asks.
CREATE UNIQUE INDEX runs_open ON runs (account_id) WHERE state NOT IN ('done', 'rolled_back', 'cancelled');
CREATE INDEX runs_account ON runs (account_id);
CREATE INDEX runs_state ON runs (state, id);
CREATE INDEX runs_created ON runs (created_at, id);
CREATE INDEX runs_due ON runs (not_before) WHERE state IN ('queued', 'running', 'waiting');
CREATE INDEX runs_sealed ON runs (substr(prepared, 4, 4), id) WHERE prepared IS NOT NULL;
CREATE INDEX runs_gives_up ON runs (id) WHERE gives_up = 1 AND state = 'needs_attention';

-- The last rehearsal of each account, and who asked for the next one.
CREATE TABLE rehearsals (
    account_id TEXT   PRIMARY KEY REFERENCES accounts (id),
    asked_at   BIGINT NOT NULL, -- 0: the next one is not asked for
    asked_id   TEXT   NOT NULL,
    asked_name TEXT   NOT NULL,
    at         BIGINT NOT NULL, -- 0: there was none
    actor_id   TEXT   NOT NULL,
    actor_name TEXT   NOT NULL,
    cure       TEXT   NOT NULL,
    steps      TEXT   NOT NULL -- JSON
);

CREATE TABLE run_writes (
    run_id     TEXT   NOT NULL REFERENCES runs (id),
    mapping_id TEXT   NOT NULL,
    state      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    cure       TEXT   NOT NULL,
    taken      TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (run_id, mapping_id)
);

-- In which order a run's clusters get the new value.
CREATE TABLE run_waves (
    run_id     TEXT   NOT NULL REFERENCES runs (id),
    cluster_id TEXT   NOT NULL,
    wave       BIGINT NOT NULL CHECK (wave > 0),
    PRIMARY KEY (run_id, cluster_id)
);

-- Which immutable Secrets a run puts others in the place of. The name is stored before the Secret is made.
CREATE TABLE run_replacements (
    run_id     TEXT   NOT NULL REFERENCES runs (id),
    cluster_id TEXT   NOT NULL,
    namespace  TEXT   NOT NULL,
    old_name   TEXT   NOT NULL,
    old_uid    TEXT   NOT NULL,
    value_key  TEXT   NOT NULL, -- in which the value stands, where the cluster makes the new one; empty where the run does
    new_name   TEXT   NOT NULL,
    new_uid    TEXT   NOT NULL, -- empty until it was made and read back
    gone       BIGINT NOT NULL CHECK (gone IN (0, 1)), -- the old one is deleted
    PRIMARY KEY (run_id, cluster_id, namespace, old_name)
);
CREATE INDEX run_replacements_old ON run_replacements (cluster_id, namespace, old_name);
CREATE INDEX run_replacements_new ON run_replacements (cluster_id, namespace, new_name);

-- Who held the old value when a run had written the new one; a cluster that is here was asked.
CREATE TABLE run_censuses (
    run_id     TEXT   NOT NULL REFERENCES runs (id),
    cluster_id TEXT   NOT NULL,
    note       TEXT   NOT NULL, -- what could not be seen
    at         BIGINT NOT NULL,
    PRIMARY KEY (run_id, cluster_id)
);

CREATE TABLE run_rollouts (
    run_id     TEXT   NOT NULL REFERENCES runs (id),
    cluster_id TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    namespace  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    uid        TEXT   NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('to_do', 'asks', 'rolling', 'done', 'stuck', 'held', 'skipped')),
    wanted     BIGINT NOT NULL, -- pods
    fresh      BIGINT NOT NULL,
    ready      BIGINT NOT NULL,
    old        BIGINT NOT NULL,
    reason     TEXT   NOT NULL,
    cure       TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    PRIMARY KEY (run_id, cluster_id, kind, namespace, name, uid)
);
