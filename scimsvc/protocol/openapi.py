"""The OpenAPI 3.1 document of the SCIM endpoint, from the same data as the schemas."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from scimsvc.protocol.bulk import BULK_REQUEST_URN, BULK_RESPONSE_URN, METHODS
from scimsvc.protocol.errors import ERROR_URN
from scimsvc.protocol.limits import Limits
from scimsvc.protocol.messages import LIST_URN, SEARCH_URN
from scimsvc.protocol.patch import PATCH_URN
from scimsvc.protocol.sorting import ASCENDING, DESCENDING
from scimsvc.schema.model import MAX_VALUES_INSIDE, Attribute, ResourceType, Type
from scimsvc.schema.service_provider import RESOURCE_TYPE_TYPE, SCHEMA_TYPE, SERVICE_PROVIDER_CONFIG_TYPE

MEDIA_TYPE = "application/scim+json"
Json = dict[str, Any]

# No resource type has a dot in its name, so no other component has the name of its components.
_OWN = "scim."
_ERROR, _SEARCH_REQUEST, _PATCH_OP = (f"{_OWN}{one}" for one in ("Error", "SearchRequest", "PatchOp"))
_BULK_REQUEST, _BULK_RESPONSE = (f"{_OWN}{one}" for one in ("BulkRequest", "BulkResponse"))
_LIST, _WRITTEN = ".List", ".Write"
_LIST_OF_ALL = f"{_OWN}Resource{_LIST}"
_DISCOVERY = (SERVICE_PROVIDER_CONFIG_TYPE, RESOURCE_TYPE_TYPE, SCHEMA_TYPE)

_TYPES: dict[Type, Json] = {
    "string": {"type": "string"},
    "boolean": {"type": "boolean"},
    "decimal": {"type": "number"},
    "integer": {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    "dateTime": {"type": "string", "format": "date-time"},
    "binary": {"type": "string", "contentEncoding": "base64"},
    "reference": {"type": "string", "format": "uri-reference"},
}
_ERRORS = {
    "400": "The request is wrong; `scimType` and `detail` say how.",
    "401": "The bearer token is missing, unknown, revoked or expired.",
    "403": "The token is of another scope, or the request can't be answered.",
    "404": "There is no such resource or endpoint.",
    "406": "The client accepts no JSON.",
    "409": "A unique value is in use already.",
    "412": "The resource is not in a version of If-Match, or in one of If-None-Match.",
    "413": "The body is larger, or has more operations, than the service provider takes.",
    "414": "The URL is too long for a GET; POST the query to /.search.",
    "415": "The body is no JSON.",
    "503": "The database can't be reached; try again.",
}
_WITHOUT_BODY = ("400", "401", "403", "404", "406", "414", "503")
_WITH_BODY = (*_WITHOUT_BODY, "413", "415")


def openapi(
    types: Collection[ResourceType],
    base: str,
    max_results: int,
    max_operations: int,
    limits: Limits,
    routes: Collection[tuple[str, str]],
) -> Json:
    """Return the document for the resource types of one tenant. `base` is the absolute URL of the SCIM endpoint.

    `routes` has the method and the path of each route that the server has, such as `("PUT", "/Users/{id}")`.
    """
    schemas: Json = {_ERROR: _error(), _SEARCH_REQUEST: _search_request(max_results, limits), _PATCH_OP: _patch_op(limits)}
    schemas |= {_BULK_REQUEST: _bulk_request(max_operations), _BULK_RESPONSE: _bulk_response()}
    for one in [*types, *_DISCOVERY]:
        schemas[_component(one)] = _resource(one)
        schemas[_component(one, _LIST)] = _list(_reference(_component(one)))
    schemas |= {_component(one, _WRITTEN): _written(one, limits) for one in types}
    schemas[_LIST_OF_ALL] = _list({"anyOf": [_reference(_component(one)) for one in types]})
    paths: Json = {}
    for one in types:
        paths |= _paths(one)
    paths |= {
        "/": {"get": _query("all resources", _LIST_OF_ALL)},
        "/.search": {"post": _search("all resources", _LIST_OF_ALL)},
        "/Bulk": {"post": _operation("Many operations in one request", 200, _BULK_RESPONSE, body=_BULK_REQUEST)},
    }
    me = next((one for one in types if one.endpoint == "/Users"), None)
    if me:
        paths["/Me"] = _of_one(me, "the user that the token is of")
    for one in _DISCOVERY:
        paths |= _discovery(one)
    served = {(path, method.lower()) for method, path in routes} | {(path, "parameters") for _, path in routes}
    paths = {path: {name: one for name, one in item.items() if (path, name) in served} for path, item in paths.items()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SCIM 2.0",
            "version": "2.0",
            "description": "As RFC 7643, RFC 7644 and RFC 9865 have it; names of attributes are found in any case.",
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {status: _failure(what) for status, what in _ERRORS.items()},
            "parameters": _parameters(max_results, limits),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "A token of the tenant."}},
        },
    }


def _component(type_: ResourceType, suffix: str = "") -> str:
    """The name of what describes a resource type, or its list or what clients write: of letters, digits, `.`, `-` and `_` alone,
    as OpenAPI has it.
    """
    return f"{_OWN if type_ in _DISCOVERY else ''}{type_.name.replace('$', '.24')}{suffix}"


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(name: str) -> Json:
    return {MEDIA_TYPE: {"schema": _reference(name)}, "application/json": {"schema": _reference(name)}}


def _failure(what: str) -> Json:
    return {"description": what, "content": _content(_ERROR)}


def _value(attribute: Attribute, written: bool) -> Json:
    """The JSON Schema of an attribute's value; `written` is for what clients send, where null is no value."""
    if attribute.type == "complex":
        shown = [sub for sub in attribute.sub_attributes if _is_there(sub, written)]
        one: Json = {"type": "object", "properties": {sub.name: _value(sub, written) for sub in shown}}
        for sub in shown if written and attribute.multi_valued else ():
            if sub.multi_valued:
                one["properties"][sub.name]["maxItems"] = MAX_VALUES_INSIDE
        required = [sub.name for sub in shown if sub.required]
        if required and written:
            one["required"] = required
    else:
        one = dict(_TYPES[attribute.type])
    if attribute.canonical_values:
        one["examples"] = list(attribute.canonical_values)
    if attribute.multi_valued:
        one = {"type": "array", "items": one}
    if written and not attribute.required:
        one["type"] = [one["type"], "null"]
    if attribute.description:
        one["description"] = attribute.description
    if not written and attribute.mutability == "readOnly":
        one["readOnly"] = True
    return one


def _is_there(attribute: Attribute, written: bool) -> bool:
    return attribute.mutability != "readOnly" if written else attribute.returned != "never"


def _resource(type_: ResourceType) -> Json:
    document = _value(type_.root, False)
    document |= {"description": type_.description, "required": ["schemas"]}
    return document


def _written(type_: ResourceType, limits: Limits) -> Json:
    document = _value(type_.root, True)
    document |= {"type": "object", "description": f"{type_.description} As clients send it; what is unknown is ignored."}
    if "members" in document["properties"]:
        document["properties"]["members"]["maxItems"] = limits.members
    document["properties"]["schemas"] = {"type": "array", "items": {"enum": list(type_.schema_ids)}}
    return document


def _list(item: Json) -> Json:
    return {
        "type": "object",
        "required": ["schemas", "totalResults"],
        "properties": {
            "schemas": {"const": [LIST_URN]},
            "totalResults": {"type": "integer", "minimum": 0},
            "startIndex": {"type": "integer", "minimum": 1},
            "itemsPerPage": {"type": "integer", "minimum": 0},
            "nextCursor": {"type": "string"},
            "Resources": {"type": "array", "items": item},
        },
    }


def _error() -> Json:
    return {
        "type": "object",
        "required": ["schemas", "status", "detail"],
        "additionalProperties": False,
        "properties": {
            "schemas": {"const": [ERROR_URN]},
            "status": {"type": "string"},
            "scimType": {"type": "string"},
            "detail": {"type": "string"},
        },
    }


def _search_request(max_results: int, limits: Limits) -> Json:
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "type": "object",
        "properties": {
            "schemas": {"const": [SEARCH_URN]},
            "attributes": names,
            "excludedAttributes": names,
            "filter": {"type": "string", "maxLength": limits.filter_length},
            "sortBy": {"type": "string"},
            "sortOrder": {"enum": [ASCENDING, DESCENDING]},
            "startIndex": {"type": "integer"},
            "count": {"type": "integer", "maximum": max_results},
            "cursor": {"type": "string"},
        },
    }


def _patch_op(limits: Limits) -> Json:
    operation = {
        "type": "object",
        "required": ["op"],
        "properties": {"op": {"enum": ["add", "remove", "replace"]}, "path": {"type": "string"}, "value": True},
    }
    return {
        "type": "object",
        "required": ["Operations"],
        "properties": {
            "schemas": {"const": [PATCH_URN]},
            "Operations": {"type": "array", "items": operation, "maxItems": limits.patch_operations},
        },
    }


def _bulk_request(max_operations: int) -> Json:
    operation = {
        "type": "object",
        "required": ["method", "path"],
        "properties": {
            "method": {"enum": list(METHODS)},
            "path": {"type": "string", "examples": ["/Users", "/Users/bulkId:jane"]},
            "bulkId": {"type": "string"},
            "version": {"type": "string"},
            "data": {"type": "object"},
        },
    }
    return {
        "type": "object",
        "required": ["Operations"],
        "properties": {
            "schemas": {"const": [BULK_REQUEST_URN]},
            "failOnErrors": {"type": "integer", "minimum": 0},
            "Operations": {"type": "array", "items": operation, "maxItems": max_operations},
        },
    }


def _bulk_response() -> Json:
    outcome = {
        "type": "object",
        "required": ["status"],
        "properties": {
            **{name: {"type": "string"} for name in ("method", "bulkId", "location", "version", "status")},
            "response": _reference(_ERROR),
        },
    }
    return {
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {"schemas": {"const": [BULK_RESPONSE_URN]}, "Operations": {"type": "array", "items": outcome}},
    }


def _parameters(max_results: int, limits: Limits) -> Json:
    text: Json = {"type": "string"}
    queries: Mapping[str, tuple[str, Json]] = {
        "filter": (
            f"Which resources (RFC 7644 §3.4.2.2). At most {limits.filter_scans} terms other than eq.",
            text | {"maxLength": limits.filter_length},
        ),
        "sortBy": ("The attribute by which they are ordered.", text),
        "sortOrder": ("In which direction.", {"enum": [ASCENDING, DESCENDING]}),
        "startIndex": ("The first of the page, counted from 1.", {"type": "integer"}),
        "count": ("How many in a page.", {"type": "integer", "maximum": max_results}),
        "cursor": ("The nextCursor of the page before; empty for the first (RFC 9865).", text),
        "attributes": ("The attributes to return, with commas.", text),
        "excludedAttributes": ("The attributes not to return, with commas.", text),
    }
    found: Json = {
        name: {"name": name, "in": "query", "description": what, "schema": schema} for name, (what, schema) in queries.items()
    }
    for name, what in (("If-Match", "Only in one of these versions."), ("If-None-Match", "Only in none of these versions.")):
        found[name] = {"name": name, "in": "header", "description": what, "schema": text}
    found["id"] = {"name": "id", "in": "path", "required": True, "description": "The id of the resource.", "schema": text}
    return found


def _operation(
    summary: str,
    status: int,
    name: str | None,
    *,
    body: str | None = None,
    parameters: Iterable[str] = (),
    errors: Iterable[str] = (),
    other: Mapping[str, Json] = {},
    headers: Iterable[str] = (),
) -> Json:
    success: Json = {"description": "As asked." if name else "Done; there is nothing to return."}
    if name:
        success["content"] = _content(name)
    if headers:
        success["headers"] = {one: {"schema": {"type": "string"}, "required": True} for one in headers}
    failures = {*(_WITH_BODY if body else _WITHOUT_BODY), *errors}
    answers: Json = {str(status): success, **other}
    answers |= {one: {"$ref": f"#/components/responses/{one}"} for one in sorted(failures)}
    found: Json = {"summary": summary, "responses": answers}
    if parameters:
        found["parameters"] = [{"$ref": f"#/components/parameters/{one}"} for one in parameters]
    if body:
        found["requestBody"] = {"required": True, "content": _content(body)}
    return found


_SHOWN = ("attributes", "excludedAttributes")


def _query(what: str, name: str) -> Json:
    asked = ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", *_SHOWN)
    return _operation(f"Query {what}", 200, name, parameters=asked)


def _search(what: str, name: str) -> Json:
    return _operation(f"Query {what}, with a body", 200, name, body=_SEARCH_REQUEST)


def _paths(type_: ResourceType) -> Json:
    create = _operation(
        f"Create a {type_.name}",
        201,
        _component(type_),
        body=_component(type_, _WRITTEN),
        parameters=_SHOWN,
        errors=["409"],
        headers=["ETag", "Location"],
    )
    one = _of_one(type_, f"a {type_.name}")
    one["parameters"] = [{"$ref": "#/components/parameters/id"}]
    return {
        type_.endpoint: {"get": _query(f"{type_.name} resources", _component(type_, _LIST)), "post": create},
        f"{type_.endpoint}/.search": {"post": _search(f"{type_.name} resources", _component(type_, _LIST))},
        f"{type_.endpoint}/{{id}}": one,
    }


def _of_one(type_: ResourceType, what: str) -> Json:
    conditions = ("If-Match", "If-None-Match")
    write: Json = {"parameters": (*_SHOWN, *conditions), "errors": ["409", "412"], "headers": ["ETag", "Location"]}
    tag = {"ETag": {"schema": {"type": "string"}, "required": True}}
    nothing = {"description": "There is nothing to return.", "headers": tag}
    unchanged = {"304": {"description": "It is in one of the versions of If-None-Match."}}
    get = _operation(
        f"Retrieve {what}",
        200,
        _component(type_),
        parameters=(*_SHOWN, *conditions),
        errors=["412"],
        other=unchanged,
        headers=["ETag", "Location"],
    )
    return {
        "get": get,
        "put": _operation(f"Replace {what}", 200, _component(type_), body=_component(type_, _WRITTEN), **write),
        "patch": _operation(f"Change {what}", 200, _component(type_), body=_PATCH_OP, other={"204": nothing}, **write),
        "delete": _operation(f"Delete {what}", 204, None, parameters=conditions, errors=["412"]),
    }


def _discovery(type_: ResourceType) -> Json:
    if type_ is SERVICE_PROVIDER_CONFIG_TYPE:
        return {type_.endpoint: {"get": _operation(type_.description, 200, _component(type_))}}
    one = _operation(f"Retrieve a {type_.name}", 200, _component(type_))
    one["parameters"] = [{"$ref": "#/components/parameters/id"}]
    return {
        type_.endpoint: {"get": _operation(type_.description, 200, _component(type_, _LIST))},
        f"{type_.endpoint}/{{id}}": {"get": one},
    }
