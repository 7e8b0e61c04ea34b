CREATE TABLE pending_membership (
    tenant_id INTEGER NOT NULL,
    group_seq INTEGER NOT NULL REFERENCES resource (seq),
    member TEXT NOT NULL,
    PRIMARY KEY (tenant_id, group_seq, member)
) WITHOUT ROWID;

CREATE INDEX pending_membership_of_member ON pending_membership (tenant_id, member);

CREATE TABLE password (
    tenant_id INTEGER NOT NULL,
    resource_seq INTEGER NOT NULL REFERENCES resource (seq),
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, resource_seq)
) WITHOUT ROWID;
