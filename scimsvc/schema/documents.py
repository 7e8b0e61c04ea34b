"""Schemas and resource types from RFC 7643's own documents (§6 and §7), as the same data as the built-in ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, get_args

from scimsvc.schema.core import COMMON, ENTERPRISE_USER, EXTERNAL_ID, GROUP, GROUP_TYPE, USER, USER_TYPE
from scimsvc.schema.model import Attribute, Mutability, ResourceType, Returned, Schema, Type, Uniqueness

BUILT_IN = (USER, ENTERPRISE_USER, GROUP)
RESERVED = ("/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Bulk", "/Me")
_NAME = re.compile(r"[A-Za-z][\w$-]{0,127}", re.ASCII)
_SUB_NAME = re.compile(rf"\$ref|{_NAME.pattern}", re.ASCII)
_URN = re.compile(r"(?i:urn):[\w.:-]{1,240}", re.ASCII)
_ENDPOINT = re.compile(r"/[A-Za-z][\w-]{0,62}", re.ASCII)
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "mutability": get_args(Mutability),
    "returned": get_args(Returned),
    "uniqueness": get_args(Uniqueness),
}
_SIMPLE = tuple(one for one in get_args(Type) if one != "complex")
_TEXTS = ("string", "reference")
"""The types whose values may be suggested."""
_LISTS = ("Schemas", "ResourceTypes")
_OF_ANY = ("schemas", "id", "externalId", "meta")
"""What documents have as resources of the service that publishes them."""
_OF_SCHEMA = ("id", "name", "description", "attributes")
_OF_TYPE = ("name", "description", "endpoint", "schema", "schemaExtensions")
_OF_EXTENSION = ("schema", "required")
_OF_ATTRIBUTE = (
    *("name", "type", "multiValued", "description", "required", "canonicalValues", "caseExact"),
    *(*_CHOICES, "referenceTypes", "subAttributes"),
)
MAX_ATTRIBUTES = 500
Result = TypeVar("Result")


class DocumentProblem(ValueError):
    """Documents are not as in RFC 7643. `problems` say where and what would be right; the message has a line for each."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _Problems(list[str]):
    """What is wrong, so that all of it can be told at once."""

    def of_keys(self, found: Mapping[str, Any], where: str, known: Iterable[str], also: Iterable[str] = ()) -> None:
        """Note the keys of an object that mean nothing, as one does that is known in other case; those of `also` do no harm."""
        strange = [key for key in found if key not in known and key not in also]
        self += [f"{where}: unknown key {key[:64]!r}; known are {', '.join(known)}" for key in strange]

    def of(self, work: Callable[[], Result], otherwise: Result) -> Result:
        """What `work` returns, or `otherwise` where it finds problems, which are noted."""
        try:
            return work()
        except DocumentProblem as problem:
            self += problem.problems
            return otherwise

    def tell(self) -> None:
        """Raises DocumentProblem where there are any."""
        if self:
            raise DocumentProblem(*self)


def read_resource_types(documents: Mapping[str, Any]) -> list[ResourceType]:
    """User and Group, as documents extend them, and the resource types that the documents add.

    `documents` are JSON values by the names of their files, each with `Schemas` and `ResourceTypes`. Raises DocumentProblem with
    all that is wrong.
    """
    problems = _Problems()
    for file, content in documents.items():
        problems.of(partial(_check_document, file, content), None)
    problems.tell()
    schemas = {schema.id.lower(): schema for schema in BUILT_IN}
    for where, found in _members(documents, "Schemas"):
        # One that is wrong stands for itself where resource types name it.
        problems.of_keys(found, where, _OF_SCHEMA, _OF_ANY)
        schema = problems.of(partial(_schema, found, where), Schema(str(found.get("id")), "", "", ()))
        if schema.id.lower() in schemas:
            problems.append(f"{where}.id: there is a schema {schema.id} already")
        schemas[schema.id.lower()] = schema
    types = {type_.name.lower(): type_ for type_ in (USER_TYPE, GROUP_TYPE)}
    seen: set[str] = set()
    for where, found in _members(documents, "ResourceTypes"):
        problems.of_keys(found, where, _OF_TYPE, _OF_ANY)
        type_ = problems.of(partial(_resource_type, found, where, schemas, types), None)
        if type_ is None:
            continue
        if type_.name.lower() in seen:
            problems.append(f"{where}.name: there is a resource type {type_.name} already")
        seen.add(type_.name.lower())
        taken = [one.name for one in types.values() if one.endpoint.lower() == type_.endpoint.lower() and one.name != type_.name]
        if taken or type_.endpoint.lower() in [one.lower() for one in RESERVED]:
            problems.append(f"{where}.endpoint: {type_.endpoint} is taken")
        types[type_.name.lower()] = type_
    problems.tell()
    return list(types.values())


def _check_document(file: str, content: Any) -> None:
    if not isinstance(content, dict):
        raise DocumentProblem(f"{file}: must be a JSON object with Schemas and ResourceTypes, lists of RFC 7643's documents")
    problems = _Problems()
    problems.of_keys(content, file, _LISTS)
    for key in _LISTS:
        found = content.get(key, [])
        if not isinstance(found, list):
            problems.append(f"{file}: {key} must be a list")
        else:
            problems += [f"{file}: {key}[{n}] must be an object" for n, one in enumerate(found) if not isinstance(one, dict)]
    problems.tell()


def _members(documents: Mapping[str, Any], key: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for file, content in documents.items():
        for place, one in enumerate(content.get(key, [])):
            yield f"{file}: {key}[{place}]", one


def _schema(found: Mapping[str, Any], where: str) -> Schema:
    attributes = _attributes(found, "attributes", where, False)
    return Schema(
        _text(found, "id", where, _URN, "a URN"),
        _text(found, "name", where, default=found.get("id")),
        _text(found, "description", where, default=""),
        attributes,
    )


def _attributes(found: Mapping[str, Any], key: str, where: str, inside: bool) -> tuple[Attribute, ...]:
    listed = found.get(key)
    if not isinstance(listed, list) or not listed or len(listed) > MAX_ATTRIBUTES:
        raise DocumentProblem(f"{where}.{key} must be a list of 1 to {MAX_ATTRIBUTES} attributes")
    problems = _Problems()
    attributes: dict[str, Attribute] = {}
    for place, one in enumerate(listed):
        at = f"{where}.{key}[{place}]"
        problems.of_keys(one if isinstance(one, dict) else {}, at, _OF_ATTRIBUTE)
        attribute = problems.of(partial(_attribute, one, at, inside), None)
        if attribute and attribute.name.lower() in attributes:
            problems.append(f"{at}.name: there is an attribute {attribute.name} already")
        elif attribute:
            attributes[attribute.name.lower()] = attribute
    problems.tell()
    return tuple(attributes.values())


def _attribute(found: Any, where: str, inside: bool) -> Attribute:
    if not isinstance(found, dict):
        raise DocumentProblem(f"{where} must be an object")
    kind = found.get("type", "string")
    if kind not in _SIMPLE and (kind != "complex" or inside):
        inner = " inside a complex attribute" if inside else ""
        raise DocumentProblem(f"{where}.type must be one of {', '.join(_SIMPLE if inside else (*_SIMPLE, 'complex'))}{inner}")
    if kind != "complex" and found.get("subAttributes"):
        raise DocumentProblem(f"{where}.subAttributes: a {kind} has none; the type of what has some is complex")
    if kind not in _TEXTS and found.get("canonicalValues"):
        raise DocumentProblem(
            f"{where}.canonicalValues: these are texts, of {' or '.join(_TEXTS)} alone, and {kind} is none of these"
        )
    attribute = Attribute(
        _text(found, "name", where, _SUB_NAME if inside else _NAME, "letters, digits, _, $ and -"),
        kind,
        _text(found, "description", where, default=""),
        multi_valued=_flag(found, "multiValued", where, False),
        required=_flag(found, "required", where, False),
        canonical_values=_texts(found, "canonicalValues", where),
        # RFC 7643's own documents say false of a Base64 text, whose case means something (§2.3.6).
        case_exact=_flag(found, "caseExact", where, kind == "reference") or kind == "binary",
        reference_types=_texts(found, "referenceTypes", where),
        sub_attributes=_attributes(found, "subAttributes", where, True) if kind == "complex" else (),
        **_choices(found, where),
    )
    if attribute.uniqueness != "none" and attribute.type == "complex":
        raise DocumentProblem(f"{where}.uniqueness: a complex value isn't compared as a whole; say it of a sub-attribute")
    if any(one.uniqueness != "none" and attribute.returned == "never" for one in (attribute, *attribute.sub_attributes)):
        raise DocumentProblem(f"{where}.uniqueness: what is never returned isn't kept, so nothing tells whether it is unique")
    return attribute


def _choices(found: Mapping[str, Any], where: str) -> Any:
    chosen: dict[str, Any] = {}
    for key, choices in _CHOICES.items():
        if key in found and found[key] not in choices:
            raise DocumentProblem(f"{where}.{key} must be one of {', '.join(choices)}")
        if key in found:
            chosen[key] = found[key]
    if chosen.get("mutability") == "writeOnly":
        # What can only be written can never be read (RFC 7643 §7).
        chosen["returned"] = "never"
    return chosen


def _resource_type(
    found: Mapping[str, Any], where: str, schemas: Mapping[str, Schema], types: Mapping[str, ResourceType]
) -> ResourceType:
    name = _text(found, "name", where, _NAME, "letters, digits, _, $ and -")
    schema = _known(_text(found, "schema", where), f"{where}.schema", schemas)
    known = types.get(name.lower())
    if known and known.schema is not schema:
        raise DocumentProblem(f"{where}.schema: that of {known.name} is {known.schema.id}")
    if known and _text(found, "endpoint", where, default=known.endpoint).lower() != known.endpoint.lower():
        raise DocumentProblem(f"{where}.endpoint: that of {known.name} is {known.endpoint}")
    if not known and schema in BUILT_IN:
        raise DocumentProblem(f"{where}.schema: {schema.id} is the schema of another resource type")
    listed = found.get("schemaExtensions", [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise DocumentProblem(f"{where}.schemaExtensions must be a list of objects with `schema` and `required`")
    extensions, required = list(known.extensions if known else ()), []
    problems = _Problems()
    for place, one in enumerate(listed):
        at = f"{where}.schemaExtensions[{place}]"
        problems.of_keys(one, at, _OF_EXTENSION)
        extension, is_required = problems.of(partial(_extension, one, at, schema, schemas), (schema, False))
        if extension not in (schema, *extensions):
            extensions.append(extension)
        if is_required:
            required.append(extension.id)
    problems.tell()
    if known:
        return replace(known, extensions=tuple(extensions), required_extensions=tuple(required))
    own = {attribute.name.lower() for attribute in schema.attributes}
    reserved = sorted(own & {attribute.name.lower() for attribute in COMMON})
    if reserved:
        raise DocumentProblem(f"{where}.schema: {schema.id} declares {reserved[0]}, which every resource has")
    common = COMMON if EXTERNAL_ID.name.lower() in own else (*COMMON, EXTERNAL_ID)
    return ResourceType(
        name,
        _text(found, "endpoint", where, _ENDPOINT, "a path such as /Devices"),
        _text(found, "description", where, default=""),
        schema,
        tuple(extensions),
        common,
        tuple(required),
    )


def _extension(found: Mapping[str, Any], where: str, core: Schema, schemas: Mapping[str, Schema]) -> tuple[Schema, bool]:
    """The schema that extends a core schema, and whether a resource must have it."""
    extension = _known(_text(found, "schema", where), f"{where}.schema", schemas)
    if extension is core:
        raise DocumentProblem(f"{where}.schema: a resource type isn't extended by its own schema")
    return extension, _flag(found, "required", where, False)


def _known(urn: str, where: str, schemas: Mapping[str, Schema]) -> Schema:
    schema = schemas.get(urn.lower())
    if schema is None:
        raise DocumentProblem(
            f"{where}: there is no schema {urn[:200]!r}; there are {', '.join(one.id for one in schemas.values())}"
        )
    return schema


def _text(
    found: Mapping[str, Any], key: str, where: str, pattern: re.Pattern[str] | None = None, what: str = "", default: Any = None
) -> str:
    value = found.get(key, default)
    if not isinstance(value, str):
        raise DocumentProblem(f"{where}.{key} must be a text")
    if pattern and not pattern.fullmatch(value):
        raise DocumentProblem(f"{where}.{key} must be {what}, not {value[:100]!r}")
    return value


def _texts(found: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value: Iterable[Any] = found.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise DocumentProblem(f"{where}.{key} must be a list of texts")
    return tuple(value)


def _flag(found: Mapping[str, Any], key: str, where: str, default: bool) -> bool:
    value = found.get(key, default)
    if not isinstance(value, bool):
        raise DocumentProblem(f"{where}.{key} must be true or false")
    return value
