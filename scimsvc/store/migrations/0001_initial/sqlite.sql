CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    profile TEXT NOT NULL,
    created TEXT NOT NULL
);

CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenant (id),
    hash TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    created TEXT NOT NULL,
    expires TEXT,
    revoked TEXT,
    last_used TEXT
);

CREATE TABLE resource (
    seq INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenant (id),
    resource_type TEXT NOT NULL,
    id TEXT NOT NULL,
    document TEXT NOT NULL,
    display TEXT,
    version INTEGER NOT NULL,
    created TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    UNIQUE (tenant_id, id)
);

CREATE INDEX resource_order ON resource (tenant_id, resource_type, seq);

CREATE TABLE attribute_value (
    tenant_id INTEGER NOT NULL,
    resource_seq INTEGER NOT NULL,
    attribute INTEGER NOT NULL,
    element INTEGER NOT NULL,
    value TEXT NOT NULL,
    overflow TEXT,
    is_unique INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, resource_seq, attribute, element)
) WITHOUT ROWID;

CREATE INDEX attribute_value_lookup ON attribute_value (tenant_id, attribute, value);

CREATE UNIQUE INDEX attribute_value_unique ON attribute_value (tenant_id, attribute, value) WHERE is_unique = 1;

CREATE TABLE membership (
    tenant_id INTEGER NOT NULL,
    group_seq INTEGER NOT NULL REFERENCES resource (seq),
    member_seq INTEGER NOT NULL REFERENCES resource (seq),
    PRIMARY KEY (tenant_id, group_seq, member_seq)
) WITHOUT ROWID;

CREATE INDEX membership_of_member ON membership (tenant_id, member_seq);

CREATE TABLE change (
    seq INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    at TEXT NOT NULL
);
