CREATE TABLE tenant (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    profile TEXT NOT NULL,
    created TEXT NOT NULL
);

CREATE TABLE token (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id INTEGER NOT NULL REFERENCES tenant (id),
    hash TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    created TEXT NOT NULL,
    expires TEXT,
    revoked TEXT,
    last_used TEXT
);

CREATE TABLE resource (
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id INTEGER NOT NULL REFERENCES tenant (id),
    resource_type TEXT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    document TEXT NOT NULL,
    display TEXT,
    version BIGINT NOT NULL,
    created TEXT COLLATE "C" NOT NULL,
    last_modified TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, id)
);

CREATE INDEX resource_order ON resource (tenant_id, resource_type, seq);

CREATE TABLE attribute_value (
    tenant_id INTEGER NOT NULL,
    resource_seq BIGINT NOT NULL,
    attribute INTEGER NOT NULL,
    element INTEGER NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    overflow TEXT COLLATE "C",
    is_unique INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, resource_seq, attribute, element)
);

CREATE INDEX attribute_value_lookup ON attribute_value (tenant_id, attribute, value);

CREATE UNIQUE INDEX attribute_value_unique ON attribute_value (tenant_id, attribute, value) WHERE is_unique = 1;

CREATE TABLE membership (
    tenant_id INTEGER NOT NULL,
    group_seq BIGINT NOT NULL,
    member_seq BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, group_seq, member_seq),
    FOREIGN KEY (tenant_id, group_seq) REFERENCES resource (tenant_id, seq),
    FOREIGN KEY (tenant_id, member_seq) REFERENCES resource (tenant_id, seq)
);

CREATE INDEX membership_of_member ON membership (tenant_id, member_seq);

CREATE TABLE change (
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant_id INTEGER NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    version BIGINT NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (tenant_id, seq)
);
