-- The resources of a type in the order of their ids: by `resource (tenant_id, id)` all other types would be passed over.
CREATE INDEX resource_by_id ON resource (tenant_id, resource_type, id);

CREATE INDEX token_of_tenant ON token (tenant_id);

-- It has as many resources of a tenant and of a type as `resource_order`.
INSERT INTO sqlite_stat1 (tbl, idx, stat) SELECT tbl, 'resource_by_id', stat FROM sqlite_stat1 WHERE idx = 'resource_order';

ANALYZE sqlite_schema;
