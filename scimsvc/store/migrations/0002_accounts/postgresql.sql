ALTER TABLE token ADD COLUMN scope TEXT NOT NULL DEFAULT 'scim';

ALTER TABLE token ADD COLUMN subject TEXT;

CREATE INDEX resource_changed ON resource (tenant_id, resource_type, last_modified, seq);
