-- What is deleted and can be restored keeps its resource type, which was `deleted:User` before.
ALTER TABLE resource ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;

UPDATE resource SET deleted = 1, resource_type = substr(resource_type, 9) WHERE substr(resource_type, 1, 8) = 'deleted:';

DROP INDEX resource_order;

DROP INDEX resource_changed;

DROP INDEX resource_by_id;

CREATE INDEX resource_order ON resource (tenant_id, resource_type, seq) WHERE deleted = 0;

CREATE INDEX resource_changed ON resource (tenant_id, resource_type, last_modified, seq) WHERE deleted = 0;

CREATE INDEX resource_by_id ON resource (tenant_id, resource_type, id) WHERE deleted = 0;

CREATE INDEX resource_deleted ON resource (tenant_id, resource_type, last_modified) WHERE deleted = 1;

-- An index that is dropped takes its statistics with it.
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('resource', 'resource_order', '1000000 100000 50000 1'),
    ('resource', 'resource_changed', '1000000 100000 50000 1 1'),
    ('resource', 'resource_by_id', '1000000 100000 50000 1'),
    ('resource', 'resource_deleted', '10000 1000 500 1');

-- What happened. A row without details is of an older version, which kept no values. `refusal` is the key of a refused write, whose
-- repeats on the same day are counted.
CREATE TABLE journal (
    seq INTEGER PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    happened_at TEXT NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    action TEXT NOT NULL,
    version INTEGER,
    details TEXT,
    refusal TEXT,
    times INTEGER NOT NULL DEFAULT 1,
    last_at TEXT
);

INSERT INTO journal (tenant_id, happened_at, actor, resource_type, resource_id, action, version)
SELECT tenant_id, happened_at, 'unknown', resource_type, resource_id, kind, version FROM change ORDER BY seq;

-- An older version that is still running would write without a journal. Each of its writes needs this table, so each of them fails.
DROP TABLE change;

CREATE INDEX journal_of_tenant ON journal (tenant_id);

CREATE INDEX journal_of_resource ON journal (tenant_id, resource_id);

CREATE UNIQUE INDEX journal_refusal ON journal (tenant_id, refusal) WHERE refusal IS NOT NULL;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('journal', 'journal_of_tenant', '10000000 1000000'),
    ('journal', 'journal_of_resource', '10000000 1000000 10'),
    ('journal', 'journal_refusal', '10000 1000 1');

ANALYZE sqlite_schema;
