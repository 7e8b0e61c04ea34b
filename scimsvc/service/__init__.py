"""The use cases: what a request does, inside one transaction. Ties schema, protocol, mapping and store together."""
