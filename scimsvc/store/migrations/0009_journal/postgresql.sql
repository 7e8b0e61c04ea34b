-- What is deleted and can be restored keeps its resource type, which was `deleted:User` before.
ALTER TABLE resource ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;

UPDATE resource SET deleted = 1, resource_type = substr(resource_type, 9) WHERE substr(resource_type, 1, 8) = 'deleted:';

DROP INDEX resource_order;

DROP INDEX resource_changed;

DROP INDEX resource_by_id;

CREATE INDEX resource_order ON resource (tenant_id, resource_type, seq) WHERE deleted = 0;

CREATE INDEX resource_changed ON resource (tenant_id, resource_type, last_modified, seq) WHERE deleted = 0;

CREATE INDEX resource_by_id ON resource (tenant_id, resource_type, id, seq) WHERE deleted = 0;

CREATE INDEX resource_deleted ON resource (tenant_id, resource_type, last_modified) WHERE deleted = 1;

-- What happened. A row without details is of an older version, which kept no values. `refusal` is the key of a refused write, whose
-- repeats on the same day are counted. `position` is the number of the transaction: a sequence alone gives a row that is committed
-- late a number that a reader may have passed already.
CREATE TABLE journal (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    position BIGINT NOT NULL,
    tenant_id INTEGER NOT NULL,
    happened_at TEXT COLLATE "C" NOT NULL,
    actor TEXT NOT NULL,
    request_id TEXT,
    resource_type TEXT NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    action TEXT NOT NULL,
    version BIGINT,
    details TEXT,
    refusal TEXT COLLATE "C",
    times INTEGER NOT NULL DEFAULT 1,
    last_at TEXT COLLATE "C"
);

-- Added to the numbers of transactions, which begin anew if the database is restored into another server.
CREATE TABLE journal_base (
    base BIGINT NOT NULL
);

INSERT INTO journal_base VALUES (0);

INSERT INTO journal (position, tenant_id, happened_at, actor, resource_type, resource_id, action, version)
SELECT 0, tenant_id, happened_at, 'unknown', resource_type, resource_id, kind, version FROM change ORDER BY seq;

-- An older version that is still running would write without a journal. Each of its writes needs this table, so each of them fails.
DROP TABLE change;

CREATE INDEX journal_order ON journal (tenant_id, position, seq);

CREATE INDEX journal_of_resource ON journal (tenant_id, resource_id, seq);

CREATE UNIQUE INDEX journal_refusal ON journal (tenant_id, refusal) WHERE refusal IS NOT NULL;

-- Without statistics, pages of a table that was filled at once would be sorted instead of read in the order of their index. With
-- statistics of an empty table, its rows would be looked for without an index.
DO $$ BEGIN IF EXISTS (SELECT 1 FROM journal) THEN ANALYZE journal; END IF; END $$;
