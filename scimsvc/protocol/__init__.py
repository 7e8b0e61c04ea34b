"""RFC 7644 as pure functions on plain data: no Flask, no database."""
