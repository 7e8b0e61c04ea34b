CREATE UNIQUE INDEX resource_of_tenant ON resource (tenant_id, seq);

-- With the tenant in their keys, foreign keys are found by the indexes that there are: a delete looked through whole tables.
CREATE TABLE membership_of_tenant (
    tenant_id INTEGER NOT NULL,
    group_seq INTEGER NOT NULL,
    member_seq INTEGER NOT NULL,
    PRIMARY KEY (tenant_id, group_seq, member_seq),
    FOREIGN KEY (tenant_id, group_seq) REFERENCES resource (tenant_id, seq),
    FOREIGN KEY (tenant_id, member_seq) REFERENCES resource (tenant_id, seq)
) WITHOUT ROWID;

INSERT INTO membership_of_tenant SELECT tenant_id, group_seq, member_seq FROM membership;

DROP TABLE membership;

ALTER TABLE membership_of_tenant RENAME TO membership;

CREATE INDEX membership_of_member ON membership (tenant_id, member_seq);

CREATE TABLE pending_membership_of_tenant (
    tenant_id INTEGER NOT NULL,
    group_seq INTEGER NOT NULL,
    member TEXT NOT NULL,
    PRIMARY KEY (tenant_id, group_seq, member),
    FOREIGN KEY (tenant_id, group_seq) REFERENCES resource (tenant_id, seq)
) WITHOUT ROWID;

INSERT INTO pending_membership_of_tenant SELECT tenant_id, group_seq, member FROM pending_membership;

DROP TABLE pending_membership;

ALTER TABLE pending_membership_of_tenant RENAME TO pending_membership;

CREATE INDEX pending_membership_of_member ON pending_membership (tenant_id, member);

CREATE TABLE password_of_tenant (
    tenant_id INTEGER NOT NULL,
    resource_seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (tenant_id, resource_seq),
    FOREIGN KEY (tenant_id, resource_seq) REFERENCES resource (tenant_id, seq)
) WITHOUT ROWID;

INSERT INTO password_of_tenant SELECT tenant_id, resource_seq, hash FROM password;

DROP TABLE password;

ALTER TABLE password_of_tenant RENAME TO password;

-- SQLite knows nothing of the tables' sizes until somebody runs ANALYZE, and then takes the tenant for a good start. These are
-- the numbers of a service with ten tenants of a hundred thousand accounts, for which every statement goes by the right index.
ANALYZE;

DELETE FROM sqlite_stat1;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('resource', 'sqlite_autoindex_resource_1', '1000000 100000 1'),
    ('resource', 'resource_of_tenant', '1000000 100000 1'),
    ('resource', 'resource_order', '1000000 100000 50000 1'),
    ('resource', 'resource_changed', '1000000 100000 50000 1 1'),
    ('attribute_value', 'attribute_value', '10000000 1000000 10 2 1'),
    ('attribute_value', 'attribute_value_lookup', '10000000 1000000 100000 2'),
    ('attribute_value', 'attribute_value_unique', '2000000 200000 100000 1'),
    ('membership', 'membership', '1000000 100000 100 1'),
    ('membership', 'membership_of_member', '1000000 100000 5'),
    ('pending_membership', 'pending_membership', '10000 1000 10 1'),
    ('pending_membership', 'pending_membership_of_member', '10000 1000 2'),
    ('password', 'password', '1000000 100000 1');

ANALYZE sqlite_schema;
