"""scimsvc: a SCIM 2.0 service provider whose configuration is Entra's attribute-mapping table."""

__version__ = "0.1.0"
