"""The SCIM endpoints (RFC 7644). Start reading in `resources`."""
