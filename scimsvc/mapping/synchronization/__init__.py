"""Microsoft Graph's synchronizationSchema, which an administrator downloads and uploads in the portal, and profiles."""

from scimsvc.mapping.synchronization.difference import differences
from scimsvc.mapping.synchronization.exporting import export_schema
from scimsvc.mapping.synchronization.importing import Imported, ImportProblem, import_schema

__all__ = ["ImportProblem", "Imported", "differences", "export_schema", "import_schema"]
