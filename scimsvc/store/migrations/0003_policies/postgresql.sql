CREATE TABLE pending_membership (
    tenant_id INTEGER NOT NULL,
    group_seq BIGINT NOT NULL,
    member TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, group_seq, member),
    FOREIGN KEY (tenant_id, group_seq) REFERENCES resource (tenant_id, seq)
);

CREATE INDEX pending_membership_of_member ON pending_membership (tenant_id, member);

CREATE TABLE password (
    tenant_id INTEGER NOT NULL,
    resource_seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, resource_seq),
    FOREIGN KEY (tenant_id, resource_seq) REFERENCES resource (tenant_id, seq)
);
