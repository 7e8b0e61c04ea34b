"""The discovery documents (RFC 7643 §5, §6, §7) rendered from the schema data.

`base` is the absolute base URL of the SCIM endpoint, without a trailing slash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scimsvc.schema.model import Attribute, ResourceType, Schema
from scimsvc.schema.service_provider import RESOURCE_TYPE_URN, SCHEMA_URN, SERVICE_PROVIDER_CONFIG_URN


@dataclass(frozen=True)
class Limits:
    """What ServiceProviderConfig announces: the most resources in one answer, the most operations of a bulk request, the
    most bytes of its body, and whether passwords are kept.
    """

    max_results: int
    bulk_operations: int
    request_bytes: int
    passwords: bool


def attribute_document(attribute: Attribute) -> dict[str, Any]:
    """One attribute as /Schemas shows it (RFC 7643 §7); characteristics that its type cannot have are left out."""
    document: dict[str, Any] = {
        "name": attribute.name,
        "type": attribute.type,
        "multiValued": attribute.multi_valued,
        "description": attribute.description,
        "required": attribute.required,
    }
    if attribute.canonical_values:
        document["canonicalValues"] = list(attribute.canonical_values)
    if attribute.type in ("string", "reference", "binary"):
        document["caseExact"] = attribute.case_exact
    document |= {"mutability": attribute.mutability, "returned": attribute.returned, "uniqueness": attribute.uniqueness}
    if attribute.reference_types:
        document["referenceTypes"] = list(attribute.reference_types)
    if attribute.sub_attributes:
        document["subAttributes"] = [attribute_document(sub) for sub in attribute.sub_attributes]
    return document


def schema_document(schema: Schema, base: str) -> dict[str, Any]:
    """One Schema resource."""
    return {
        "schemas": [SCHEMA_URN],
        "id": schema.id,
        "name": schema.name,
        "description": schema.description,
        "attributes": [attribute_document(attribute) for attribute in schema.attributes],
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{schema.id}"},
    }


def resource_type_document(resource_type: ResourceType, base: str) -> dict[str, Any]:
    """One ResourceType resource."""
    return {
        "schemas": [RESOURCE_TYPE_URN],
        "id": resource_type.name,
        "name": resource_type.name,
        "description": resource_type.description,
        "endpoint": resource_type.endpoint,
        "schema": resource_type.schema.id,
        "schemaExtensions": [
            {"schema": extension.id, "required": extension.id in resource_type.required_extensions}
            for extension in resource_type.extensions
        ],
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{resource_type.name}"},
    }


def schemas_of(resource_types: Iterable[ResourceType]) -> list[Schema]:
    """The core schemas and extensions of the resource types, in order, each once."""
    schemas = {schema.id: schema for type_ in resource_types for schema in (type_.schema, *type_.extensions)}
    return list(schemas.values())


def service_provider_config(base: str, limits: Limits) -> dict[str, Any]:
    """The ServiceProviderConfig resource."""
    return {
        "schemas": [SERVICE_PROVIDER_CONFIG_URN],
        "patch": {"supported": True},
        "bulk": {"supported": True, "maxOperations": limits.bulk_operations, "maxPayloadSize": limits.request_bytes},
        "filter": {"supported": True, "maxResults": limits.max_results},
        "changePassword": {"supported": limits.passwords},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": limits.max_results,
            "maxPageSize": limits.max_results,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A secret token of the tenant in the Authorization header.",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }
