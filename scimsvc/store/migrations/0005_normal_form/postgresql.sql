-- How far a change of the whole index has come: everything up to this resource is done.
CREATE TABLE reindex (
    name TEXT PRIMARY KEY,
    tenant_id INTEGER NOT NULL,
    resource_seq BIGINT NOT NULL,
    done BIGINT NOT NULL,
    finished INTEGER NOT NULL
);

-- Values that became equal to another resource's by such a change, and that can't be unique any more.
CREATE TABLE index_conflict (
    tenant_id INTEGER NOT NULL,
    resource_id TEXT COLLATE "C" NOT NULL,
    attribute INTEGER NOT NULL,
    element INTEGER NOT NULL,
    value TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, resource_id, attribute, element)
);

-- Without resources there is nothing to index anew.
INSERT INTO reindex SELECT 'normal form', 0, 0, 0, CASE WHEN EXISTS (SELECT 1 FROM resource) THEN 0 ELSE 1 END;

-- An older version that is still running would index new values in the old form. Each of its writes notes a change, so without this
-- column each of them fails as a whole.
ALTER TABLE change RENAME COLUMN at TO happened_at;
