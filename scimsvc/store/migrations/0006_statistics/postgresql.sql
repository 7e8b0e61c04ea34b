-- Statistics that ANALYZE made of a few accounts would say that there are a few of each of these for ever. Negative numbers are
-- shares of the rows, so they grow with the table.
ALTER TABLE attribute_value ALTER COLUMN resource_seq SET (n_distinct = -0.08);

ALTER TABLE attribute_value ALTER COLUMN value SET (n_distinct = -0.4);

ALTER TABLE membership ALTER COLUMN group_seq SET (n_distinct = -0.02);

ALTER TABLE membership ALTER COLUMN member_seq SET (n_distinct = -0.2);

ALTER TABLE pending_membership ALTER COLUMN member SET (n_distinct = -0.5);
