"""The schemas of the discovery documents themselves (RFC 7643 §5, §6, §7 and §8.7.2), as the same data."""

from __future__ import annotations

from scimsvc.schema.core import COMMON
from scimsvc.schema.model import Attribute, ResourceType, Schema

SERVICE_PROVIDER_CONFIG_URN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
RESOURCE_TYPE_URN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA_URN = "urn:ietf:params:scim:schemas:core:2.0:Schema"


def _read_only(
    name: str, description: str, *sub_attributes: Attribute, type: str = "", required: bool = True, multi_valued: bool = False
) -> Attribute:
    """An attribute of a document that clients only read; with sub-attributes it is complex."""
    kind = type or ("complex" if sub_attributes else "string")
    return Attribute(
        name,
        kind,  # type: ignore[arg-type]  # one of the literals by construction of the declarations below
        description,
        multi_valued=multi_valued,
        required=required,
        case_exact=kind in ("string", "reference"),
        mutability="readOnly",
        reference_types=("uri",) if kind == "reference" else (),
        sub_attributes=sub_attributes,
    )


def _feature(name: str, description: str, *limits: Attribute) -> Attribute:
    return _read_only(name, description, _read_only("supported", "Whether it is supported.", type="boolean"), *limits)


SERVICE_PROVIDER_CONFIG = Schema(
    SERVICE_PROVIDER_CONFIG_URN,
    "Service Provider Configuration",
    "What this service provider supports.",
    (
        _read_only("documentationUri", "Where people read about the service.", type="reference", required=False),
        _feature("patch", "PATCH requests."),
        _feature(
            "bulk",
            "Bulk requests.",
            _read_only("maxOperations", "The largest number of operations.", type="integer"),
            _read_only("maxPayloadSize", "The largest payload in bytes.", type="integer"),
        ),
        _feature(
            "filter",
            "Filters in queries.",
            _read_only("maxResults", "The largest number of resources in one answer.", type="integer"),
        ),
        _feature("changePassword", "Changing passwords."),
        _feature("sort", "Sorting of query results."),
        _feature("etag", "Entity tags."),
        _read_only(
            "pagination",
            "How query results come page by page (RFC 9865).",
            _read_only("cursor", "Whether by cursor.", type="boolean"),
            _read_only("index", "Whether by startIndex.", type="boolean"),
            _read_only("defaultPaginationMethod", "Which of them where the request says neither.", required=False),
            _read_only("defaultPageSize", "Resources in a page where the request says nothing.", type="integer", required=False),
            _read_only("maxPageSize", "The most resources in a page.", type="integer", required=False),
            _read_only("cursorTimeout", "Seconds for which a cursor holds.", type="integer", required=False),
            required=False,
        ),
        _read_only(
            "authenticationSchemes",
            "How clients authenticate.",
            _read_only("type", "The kind of authentication."),
            _read_only("name", "The name of the scheme."),
            _read_only("description", "What the scheme is."),
            _read_only("specUri", "Where the scheme is specified.", type="reference", required=False),
            _read_only("documentationUri", "Where its use here is explained.", type="reference", required=False),
            _read_only("primary", "Whether it is the preferred scheme.", type="boolean", required=False),
            multi_valued=True,
        ),
    ),
)

RESOURCE_TYPE = Schema(
    RESOURCE_TYPE_URN,
    "ResourceType",
    "A type of resource that this service provider serves.",
    (
        _read_only("name", "The name of the resource type."),
        _read_only("description", "What the resource type is.", required=False),
        _read_only("endpoint", "Its endpoint, relative to the base URL.", type="reference"),
        _read_only("schema", "The URN of its core schema.", type="reference"),
        _read_only(
            "schemaExtensions",
            "The extensions of the resource type.",
            _read_only("schema", "The URN of the extension.", type="reference"),
            _read_only("required", "Whether a resource must have it.", type="boolean"),
            required=False,
            multi_valued=True,
        ),
    ),
)


def _characteristics(*further: Attribute) -> tuple[Attribute, ...]:
    return (
        _read_only("name", "The name of the attribute."),
        _read_only("type", "Its data type."),
        _read_only("multiValued", "Whether it has several values.", type="boolean"),
        _read_only("description", "What it is.", required=False),
        _read_only("required", "Whether it must have a value.", type="boolean"),
        _read_only("canonicalValues", "Suggested values.", required=False, multi_valued=True),
        _read_only("caseExact", "Whether comparison is case-sensitive.", type="boolean", required=False),
        _read_only("mutability", "Who may change it, and when."),
        _read_only("returned", "When it is returned."),
        _read_only("uniqueness", "Among which values it is unique.", required=False),
        _read_only("referenceTypes", "What a reference may point to.", required=False, multi_valued=True),
        *further,
    )


SCHEMA = Schema(
    SCHEMA_URN,
    "Schema",
    "A set of attributes.",
    (
        _read_only("name", "The name of the schema."),
        _read_only("description", "What the schema is for.", required=False),
        _read_only(
            "attributes",
            "The attributes of the schema.",
            *_characteristics(
                _read_only("subAttributes", "The sub-attributes.", *_characteristics(), required=False, multi_valued=True)
            ),
            multi_valued=True,
        ),
    ),
)

SERVICE_PROVIDER_CONFIG_TYPE = ResourceType(
    "ServiceProviderConfig",
    "/ServiceProviderConfig",
    "What this service provider supports.",
    SERVICE_PROVIDER_CONFIG,
    common=COMMON,
)
RESOURCE_TYPE_TYPE = ResourceType(
    "ResourceType", "/ResourceTypes", "The resource types of this service provider.", RESOURCE_TYPE, common=COMMON
)
SCHEMA_TYPE = ResourceType("Schema", "/Schemas", "The schemas of this service provider.", SCHEMA, common=COMMON)
