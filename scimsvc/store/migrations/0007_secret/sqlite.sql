-- What the installation keeps to itself, such as the key of its cursors: the same for all its processes, and in its backups.
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
