"""RFC 7643 as data. Everything that knows an attribute is derived from the declarations here."""
