-- The resources of a type in the order of their ids: by `resource (tenant_id, id)` all other types would be passed over.
CREATE INDEX resource_by_id ON resource (tenant_id, resource_type, id, seq);

CREATE INDEX token_of_tenant ON token (tenant_id);
