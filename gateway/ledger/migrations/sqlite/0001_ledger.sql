-- Calls that were allowed to spend and are not settled yet.
CREATE TABLE reservations (
    attempt BLOB NOT NULL PRIMARY KEY,
    node TEXT NOT NULL,
    tenant TEXT NOT NULL,
    task TEXT NOT NULL,
    upper BIGINT NOT NULL, -- nano-dollars
    notional BIGINT NOT NULL, -- 1: a subscription pays
    at_ms BIGINT NOT NULL,
    call TEXT NOT NULL -- the whole reservation, JSON
) WITHOUT ROWID;

-- Each sending of a call, once settled.
CREATE TABLE attempts (
    id BLOB NOT NULL PRIMARY KEY,
    request BLOB NOT NULL,
    number BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT,
    task BIGINT NOT NULL,
    agent TEXT,
    ancestors TEXT, -- JSON array, the outermost first
    class TEXT,
    tags TEXT, -- JSON array
    model TEXT NOT NULL, -- as asked for
    upstream TEXT NOT NULL,
    upstream_model TEXT NOT NULL,
    answered_by TEXT,
    scopes TEXT NOT NULL, -- JSON array: the roll-ups that count it
    held BIGINT NOT NULL,
    upper BIGINT NOT NULL,
    notional BIGINT NOT NULL,
    holdout BIGINT NOT NULL,
    reserved_ms BIGINT NOT NULL,
    settled_ms BIGINT NOT NULL,
    source TEXT NOT NULL,
    status BIGINT NOT NULL,
    latency_ms BIGINT NOT NULL,
    ttft_ms BIGINT,
    fresh_input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    audio_input BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    server_tool_uses BIGINT NOT NULL,
    tier TEXT NOT NULL,
    price_version TEXT NOT NULL,
    cost BIGINT NOT NULL,
    counterfactual BIGINT NOT NULL,
    saved_provider_cache BIGINT NOT NULL,
    saved_ours BIGINT NOT NULL,
    harm BIGINT NOT NULL,
    lines TEXT NOT NULL, -- of the receipt, JSON
    response TEXT
);
CREATE INDEX attempts_by_request ON attempts (request);
CREATE INDEX attempts_by_task ON attempts (task);
CREATE INDEX attempts_by_time ON attempts (settled_ms);

-- Answers that a later call can name as its input.
CREATE TABLE responses (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    tokens BIGINT NOT NULL,
    PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

-- One receipt for each call of a client, refusals and hits included.
CREATE TABLE requests (
    id BLOB NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    key_id TEXT,
    task BIGINT,
    session TEXT,
    agent TEXT,
    parent TEXT,
    class TEXT,
    tags TEXT, -- JSON array
    endpoint TEXT NOT NULL,
    model TEXT,
    route TEXT,
    status BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT,
    tokens_before BIGINT,
    tokens_after BIGINT,
    holdout BIGINT NOT NULL,
    decisions TEXT NOT NULL, -- JSON
    price_version TEXT,
    generation BIGINT NOT NULL -- of the policy
);

CREATE TABLE tasks (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    task TEXT NOT NULL,
    session TEXT,
    class TEXT,
    first_ms BIGINT NOT NULL,
    last_ms BIGINT NOT NULL,
    begun_ms BIGINT NOT NULL, -- when its latest call began
    requests BIGINT NOT NULL,
    holdout BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    fresh_input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    notional BIGINT NOT NULL,
    counterfactual BIGINT NOT NULL,
    saved_provider_cache BIGINT NOT NULL,
    saved_ours BIGINT NOT NULL,
    harm BIGINT NOT NULL,
    outcome TEXT NOT NULL DEFAULT 'unknown',
    closed_ms BIGINT,
    closed_by TEXT,
    UNIQUE (task, tenant) -- a task is looked up with and without its tenant
);
-- The costliest tasks of a time are found in the index alone.
CREATE INDEX tasks_by_time ON tasks (last_ms, cost, tenant, id);
CREATE INDEX tasks_open ON tasks (last_ms) WHERE closed_ms IS NULL;

-- What was settled in each hour (since 1970, UTC), by scope: seeds budgets and answers reports.
CREATE TABLE usage_hours (
    scope TEXT NOT NULL,
    tenant TEXT NOT NULL,
    hour BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    fresh_input BIGINT NOT NULL,
    cache_read BIGINT NOT NULL,
    cache_write_5m BIGINT NOT NULL,
    cache_write_1h BIGINT NOT NULL,
    output BIGINT NOT NULL,
    reasoning BIGINT NOT NULL,
    cost BIGINT NOT NULL,
    notional BIGINT NOT NULL,
    counterfactual BIGINT NOT NULL,
    saved_provider_cache BIGINT NOT NULL,
    saved_ours BIGINT NOT NULL,
    harm BIGINT NOT NULL,
    PRIMARY KEY (scope, tenant, hour)
) WITHOUT ROWID;

-- Alerts that were sent.
CREATE TABLE alerts (
    id TEXT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL
) WITHOUT ROWID;

-- The gateways that write here, and when each was last heard of.
CREATE TABLE nodes (
    node TEXT NOT NULL PRIMARY KEY,
    heartbeat_ms BIGINT NOT NULL
) WITHOUT ROWID;
