"""From YAML files to profiles, with every problem of every file named at its place."""

from __future__ import annotations

import codecs
import errno
import os
import re
import stat
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path as FilePath
from typing import Any, NamedTuple

import orjson
import yaml

from scimsvc.mapping.advice import ENTRA, Overlaps, advise, unknown_attribute
from scimsvc.mapping.custom import REFERENCED, TYPES, adopting, alike, extended, obstacle, parse_name, shared_with, sharing
from scimsvc.mapping.directory import Kind
from scimsvc.mapping.encoding import not_utf8
from scimsvc.mapping.examples import run_examples
from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.findings import Finding, ProfileError
from scimsvc.mapping.flow_types import read_flow_types
from scimsvc.mapping.functions import Registry, installed
from scimsvc.mapping.mapper import converter
from scimsvc.mapping.policies import read_policies
from scimsvc.mapping.profile import AttributeMapping, ObjectMapping, Profile, parse_target, path_problem
from scimsvc.mapping.record import read_record
from scimsvc.mapping.scope import read_scope
from scimsvc.mapping.self_service import read_self_service
from scimsvc.mapping.source import MAX_BYTES, Source, did_you_mean, end_of
from scimsvc.mapping.source_attributes import SourceDefinition, read_source_attributes
from scimsvc.mapping.table_advice import advise_on_custom_attributes, advise_on_table
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Path, parse_path
from scimsvc.protocol.patch import equalities
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.documents import DocumentProblem, read_resource_types
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.types import check

PROFILES = ("*.yaml", "*.yml")
"""The files of a folder that hold profiles, in small letters or capitals."""
PATTERNS = (*PROFILES, "*.json")
"""The files of a folder of profiles: profiles, and the documents that they name."""
MAX_ATTRIBUTES = 1_000
"""Custom attributes of a table."""
_FILE = re.compile(r"[\w-][\w.-]{0,120}\.json", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_TABLE_KEYS = ("mappings", "attributes", "scope", "examples", "flowTypes", "sourceAttributes")
_ROW_KEYS = ("source", "constant", "expression", "target", "matching", "unique", "default", "apply")
_ATTRIBUTE_KEYS = ("name", "type", "description", "multiValued", "required", "exactCase", "referencedObjectAttribute")


def is_name(text: str) -> bool:
    """Whether a profile may be called so."""
    return bool(_NAME.fullmatch(text))


def load_profiles(directory: FilePath, registry: Registry | None = None) -> Mapping[str, Profile]:
    """Every profile in a folder's `*.yaml`, by name; expressions call the functions of `registry`, or those installed.

    Raises ProfileError with the findings of all files.
    """
    return parse_profiles(read_profiles(directory), registry)


def read_profiles(directory: FilePath) -> dict[FilePath, bytes | Finding]:
    """What a folder's `*.yaml`, and the `*.json` that they may name, hold, or why one can't be read.

    Raises ProfileError where there is no such folder.
    """
    if not directory.is_dir():
        raise ProfileError([Finding(directory.absolute(), 1, 1, "there is no such folder; setting mappings.directory names it")])
    return {path: _read(path) for path in files_in(directory)}


def files_in(directory: FilePath, patterns: Iterable[str] = PATTERNS) -> list[FilePath]:
    """The files of a folder of profiles, without hidden ones, which are editors' and file systems' own."""
    if not directory.is_dir():
        return []
    visible = sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    return [path for pattern in patterns for path in visible if fnmatchcase(path.name.lower(), pattern)]


def name_in(content: bytes | Finding) -> str | None:
    """The name that the text of a profile says, also where something else in it is wrong; None where it can't be read."""
    if isinstance(content, Finding):
        return None
    root = Source(FilePath(), content.decode("utf-8-sig", "replace"), Registry(())).root()
    names = [value.value for key, value in root.value if key.value == "profile"] if isinstance(root, yaml.MappingNode) else []
    return names[0] if names and isinstance(names[0], str) else None


class Loaded(NamedTuple):
    """The valid profiles of a folder by name, the file of each, and the findings in all other files.

    A name that several files claim is in none of the profiles: nobody can say which file is meant.
    """

    profiles: dict[str, Profile]
    paths: dict[str, FilePath]
    findings: list[Finding]

    def checked(self) -> Mapping[str, Profile]:
        """Return the profiles. Raises ProfileError with all findings, if there are any."""
        if self.findings:
            raise ProfileError(self.findings)
        return self.profiles


def sort_profiles(contents: Mapping[FilePath, bytes | Finding], registry: Registry | None = None) -> Loaded:
    """Return the valid profiles in the contents of files, and the findings that keep the other files from being used."""
    loaded = Loaded({}, {}, [])
    claimed: dict[str, FilePath] = {}
    beside = {path.name: content for path, content in contents.items() if path.suffix.lower() == ".json"}
    for path, content in contents.items():
        if path.suffix.lower() == ".json":
            continue
        try:
            profile = _parsed(content, path, registry, beside)
        except ProfileError as error:
            loaded.findings.extend(error.findings)
            continue
        if profile.name in claimed:
            message = f"the profile {profile.name!r} is in {claimed[profile.name]} already"
            loaded.findings.append(Finding(path, 1, 1, message))
            loaded.profiles.pop(profile.name, None)
            continue
        claimed[profile.name] = loaded.paths[profile.name] = path
        loaded.profiles[profile.name] = profile
    return loaded


def parse_profiles(contents: Mapping[FilePath, bytes | Finding], registry: Registry | None = None) -> Mapping[str, Profile]:
    """The profiles in the contents of files, by name. Raises ProfileError with the findings of all files."""
    return sort_profiles(contents, registry).checked()


def load_profile(path: FilePath, registry: Registry | None = None) -> Profile:
    """The profile in a file. Raises ProfileError."""
    return _parsed(_read(path), path, registry)


def _parsed(
    content: bytes | Finding, path: FilePath, registry: Registry | None, beside: Mapping[str, bytes | Finding] | None = None
) -> Profile:
    if isinstance(content, Finding):
        raise ProfileError([content])
    return parse_profile(content, path, registry, beside)


def read_file(path: FilePath) -> bytes:
    """What a profile or document holds. Raises OSError, also for what has no end or too far a one."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "it is no file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {MAX_BYTES} bytes")
    return content


def _read(path: FilePath) -> bytes | Finding:
    shown = os.fsencode(path).decode("utf-8", "replace")
    if shown != str(path):
        # Neither the log nor the file of kept profiles could name it.
        return Finding(FilePath(shown), 1, 1, "the name of this file is not UTF-8: rename the file")
    try:
        return read_file(path)
    except OSError as error:
        return Finding(path, 1, 1, f"can't be read: {error.strerror}")


def parse_profile(
    content: str | bytes,
    path: FilePath,
    registry: Registry | None = None,
    beside: Mapping[str, bytes | Finding] | None = None,
) -> Profile:
    """The profile in a text, as UTF-8 where it is bytes. `path` is shown; without `beside`, the documents that the profile names
    are read in its folder. Raises ProfileError with all findings.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError as error:
        line, column = end_of(error.object[: error.start].decode("utf-8", "replace"))
        place = Finding(path, line, column, f"is {not_utf8(error)}")
        raise ProfileError([place]) from error
    source = Source(path, text, registry or installed())
    root = source.root()
    entries = source.mapping(
        root, "a profile", ("profile", "title", "directory", "users", "groups", "record", "policies", "documents", "selfService")
    )
    name = source.text_of(entries.get("profile"), "profile")
    if root is not None and not isinstance(root, yaml.ScalarNode):
        if "profile" not in entries:
            source.complain(root, "the key 'profile' is missing")
        if "users" not in entries and "groups" not in entries:
            source.complain(root, "a profile needs a table: the key 'users', the key 'groups', or both")
    if name is not None and not is_name(name):
        source.complain(entries["profile"], "a profile's name is 1 to 63 letters, digits, dashes and underscores")
    title = source.text_of(entries.get("title"), "title") or name or ""
    directory = _directory(source, entries.get("directory"))
    documents = _documents(source, entries.get("documents"), beside)
    user_type, group_type, *others = _resource_types(source, entries.get("documents"), documents)
    of_users = source.mapping(entries.get("users"), f"the {user_type.name} table", _TABLE_KEYS)
    of_groups = source.mapping(entries.get("groups"), f"the {group_type.name} table", _TABLE_KEYS)
    plain_group_type = group_type
    user_type = _extended(source, of_users.get("attributes"), user_type, user_type, (group_type, *others))
    group_type = sharing(group_type, user_type)
    group_type = _extended(source, of_groups.get("attributes"), group_type, plain_group_type, (user_type, *others))
    user_type = sharing(user_type, group_type)
    others = [sharing(sharing(other, user_type), group_type) for other in others]
    users = _table(source, entries.get("users"), of_users, user_type, directory)
    groups = _table(source, entries.get("groups"), of_groups, group_type, directory)
    record = read_record(source, entries.get("record"), users.resource_type)
    policies = read_policies(source, entries.get("policies"))
    profile = Profile(name or "", title, users, groups, record, policies, tuple(others), (), tuple(documents))
    allowed = read_self_service(source, entries.get("selfService"), users, record, profile.unique_paths(user_type))
    if source.wrong:
        raise ProfileError(source.findings)
    return replace(profile, warnings=tuple(source.findings), self_service=allowed)


def _directory(source: Source, node: yaml.Node | None) -> str:
    """Whose source attributes the rows have, in small letters."""
    directory = (source.text_of(node, "directory") or ENTRA).lower()
    close = did_you_mean(directory, [ENTRA])
    if close and directory != ENTRA:
        source.warn(node, f"of the directory {directory!r} no source attribute is known{close}")
    return directory


def _documents(source: Source, node: yaml.Node | None, beside: Mapping[str, bytes | Finding] | None) -> dict[str, Any]:
    """The profile's documents by the names of their files."""
    documents: dict[str, Any] = {}
    for entry in source.sequence(node, "documents"):
        name = source.text_of(entry, "a document")
        if name is None:
            continue
        if not _FILE.fullmatch(name):
            source.complain(entry, "a document is the name of a *.json file beside the profile")
            continue
        found = _read(source.path.parent / name) if beside is None else beside.get(name)
        if not isinstance(found, bytes):
            where = "beside the profile" if beside is None else "in the mappings folder"
            source.complain(entry, f"{name}: {found.message if found else f'there is no such file {where}'}")
            continue
        try:
            documents[name] = json_of(found)
        except ValueError as error:
            source.complain(entry, f"{name}: {error}")
    return documents


def json_of(content: bytes) -> Any:
    """The JSON in a file's content, with or without a byte order mark. Raises ValueError."""
    try:
        return orjson.loads(content.removeprefix(codecs.BOM_UTF8).decode())
    except UnicodeDecodeError as error:
        raise ValueError(not_utf8(error, f" at position {error.start}")) from None
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None


def _resource_types(source: Source, node: yaml.Node | None, documents: Mapping[str, Any]) -> list[ResourceType]:
    """User and Group as the profile's documents have them, and the resource types that those add."""
    try:
        return read_resource_types(documents)
    except DocumentProblem as problem:
        for one in problem.problems:
            source.complain(node, one)
        return [USER_TYPE, GROUP_TYPE]


def _table(
    source: Source, node: yaml.Node | None, entries: Mapping[str, yaml.Node], resource_type: ResourceType, directory: str
) -> ObjectMapping:
    """The table of a resource type that has the custom attributes already; `entries` are those of its node."""
    rows: list[AttributeMapping] = []
    matched = False
    seen: dict[Hashable, str] = {}
    precedences: dict[int, str] = {}
    overlaps = Overlaps()
    defined = read_source_attributes(source, entries.get("sourceAttributes"))
    for entry in source.sequence(entries.get("mappings"), "mappings"):
        matched |= isinstance(entry, yaml.MappingNode) and any(key.value == "matching" for key, _ in entry.value)
        row = _row(source, entry, resource_type)
        if row is None:
            continue
        rows.append(row)
        _advise(source, entry, row, resource_type, directory, defined)
        if row.target_key in seen:
            spelled = "" if seen[row.target_key] == row.target_text else f", which is {seen[row.target_key]} too"
            source.complain(entry, f"two mappings for {row.target_text}{spelled}")
        elif other := overlaps.with_others(row):
            source.warn(entry, f"{row.target_text} and {other} write the same values; the later row wins")
        seen.setdefault(row.target_key, row.target_text)
        if row.matching in precedences:
            source.complain(entry, f"{precedences[row.matching]} has the matching precedence {row.matching} already")
        elif row.matching is not None:
            precedences[row.matching] = row.target_text
    if node is not None and not matched:
        source.complain(node, f"no {resource_type.name} mapping has `matching`: Entra needs one to find what it created")
    scope = read_scope(source, entries.get("scope"), partial(unknown_attribute, _kind(resource_type), directory, known=defined))
    flow_types = read_flow_types(source, entries.get("flowTypes"))
    table = ObjectMapping(resource_type, tuple(rows), scope, flow_types, defined, is_mapped=node is not None)
    advise_on_table(source, node, table)
    if directory == ENTRA:
        advise_on_custom_attributes(source, entries.get("attributes"), resource_type.name)
    run_examples(source, entries.get("examples"), table)
    return table


def _advise(
    source: Source,
    node: yaml.Node,
    row: AttributeMapping,
    resource_type: ResourceType,
    directory: str,
    defined: Mapping[str, SourceDefinition],
) -> None:
    entries = {str(key.value): value for key, value in node.value}
    advise(source, entries, row, _kind(resource_type), directory, defined)


def _kind(resource_type: ResourceType) -> Kind:
    return "User" if resource_type.name == "User" else "Group"


def _row(source: Source, node: yaml.Node, resource_type: ResourceType) -> AttributeMapping | None:
    entries = source.mapping(node, "a row", _ROW_KEYS)
    if not isinstance(node, yaml.MappingNode):
        return None
    kinds = [key for key in ("source", "constant", "expression") if key in entries]
    if len(kinds) > 1:
        source.complain(
            entries[kinds[1]], f"a mapping has one of source, constant and expression; here are {' and '.join(kinds)}"
        )
    texts = {key: source.text_of(entries.get(key), key) for key in ("source", "constant", "default", "target")}
    target_text = texts["target"]
    if "target" not in entries:
        source.complain(node, "the key 'target' is missing")
    target = None if target_text is None else _target(source, entries["target"], target_text, resource_type)
    matching = source.typed(entries.get("matching"), int, "matching")
    if matching is not None and matching < 1:
        source.complain(entries["matching"], "a matching precedence counts from 1")
    unique = bool(source.typed(entries.get("unique"), bool, "unique"))
    apply = source.text_of(entries["apply"], "apply") if "apply" in entries else "always"
    if apply is not None and apply not in ("always", "create"):
        source.complain(entries["apply"], "apply must be always or create")
    expression = _expression(source, entries.get("expression"))
    if target is None or target_text is None:
        return None
    obstacle_to_find = _obstacle_to_find(target) if matching is not None or unique else None
    if obstacle_to_find:
        source.complain(entries["target"], f"{target_text} can't be matched by or unique: {obstacle_to_find}")
    row = AttributeMapping(
        target=target,
        target_text=target_text,
        source=texts["source"],
        constant=texts["constant"],
        expression=expression,
        matching=matching,
        unique=unique,
        # Microsoft Graph has an empty default for none, and so has the portal.
        default=texts["default"] or None,
        apply="create" if apply == "create" else "always",
    )
    for key, text in (("constant", row.constant), ("default", row.default)):
        problem = None if text is None else _not_a_value(target, text)
        if problem:
            source.complain(entries[key], problem)
    return row


def _not_a_value(target: Path, text: str) -> str | None:
    """Why a text can't be the value of a target, or None."""
    leaf = target.target.value().leaf
    expected = check(leaf.type, converter(leaf)(text))
    return f"{leaf.name} must be {expected}, not {text[:40]!r}" if expected else None


def _target(source: Source, node: yaml.Node, text: str, resource_type: ResourceType) -> Path | None:
    try:
        found = parse_target(text, resource_type)
    except ScimError as error:
        message, column = path_problem(text, error)
        if column > 1:
            source.in_expression(node, message, column)
        else:
            # `no such target attribute: unknown attribute 'x'` would say it twice.
            _, unknown, rest = message.rpartition("unknown attribute ")
            source.complain(node, f"no such target attribute{' ' if unknown else ': '}{rest}")
        return None
    if found.target.leaf.mutability == "readOnly":
        source.complain(node, f"{text} is read-only; the service provider sets it")
    problem = _unmade(found)
    if problem:
        source.complain(node, problem)
        return None
    return found


def _unmade(target: Path) -> str | None:
    """Why a value can't be put where a target says, where there is nothing yet; None where it can."""
    leaf = target.target.value().leaf
    if leaf.type == "complex":
        return (
            f"{leaf.name} has no value of its own; its sub-attributes have: {', '.join(sub.name for sub in leaf.sub_attributes)}"
        )
    if target.value_filter is None:
        return None
    terms = equalities(target.value_filter)
    if not terms:
        return "only eq, joined by and, says what the element is to be like where there is none"
    for place, term in enumerate(terms):
        for other in terms[:place]:
            if other.path.leaf is term.path.leaf and other.value != term.value:
                return f"{term.path.leaf.name} can't be {other.literal!r} and {term.literal!r} at once"
    return None


def _expression(source: Source, node: yaml.Node | None) -> Any:
    text = source.text_of(node, "expression")
    if node is None or text is None:
        return None
    try:
        return compile_expression(text, source.registry)
    except ExpressionError as error:
        source.in_expression(node, error.message, error.column)
        return None


def _obstacle_to_find(target: Path) -> str | None:
    """Why nobody can be found by the value of a target alone, or None."""
    value = target.target.value()
    if value.is_secret:
        return "it is never returned, so it can't be looked for"
    if value.leaf.type == "boolean":
        return "true and false tell nobody from others"
    single = value.leaf.type != "complex" and target.attribute.steps[0].name != "members"
    return None if single else "it has no single value to look for"


def _extended(
    source: Source, node: yaml.Node | None, resource_type: ResourceType, plain: ResourceType, others: Sequence[ResourceType]
) -> ResourceType:
    """The resource type with the custom attributes of the list; `others` may have extensions that these are added to, and `plain`
    is the resource type without what the list of another table adds.
    """
    found = resource_type
    for count, entry in enumerate(source.sequence(node, "attributes")):
        if count == MAX_ATTRIBUTES:
            source.complain(entry, f"a table can't have more than {MAX_ATTRIBUTES} custom attributes")
            break
        found = _with_custom(source, entry, found, plain, others)
    return found


def _with_custom(
    source: Source, node: yaml.Node, resource_type: ResourceType, plain: ResourceType, others: Sequence[ResourceType]
) -> ResourceType:
    """The resource type with one custom attribute; as it is where that has a mistake that keeps it out."""
    entries = source.mapping(node, "a custom attribute", _ATTRIBUTE_KEYS)
    text = source.text_of(entries.get("name"), "name")
    if text is None:
        if isinstance(node, yaml.MappingNode) and "name" not in entries:
            source.complain(node, "the key 'name' is missing")
        return resource_type
    name = parse_name(text)
    if name is None:
        source.complain(
            entries["name"],
            'a custom attribute\'s name is letters and digits, name.sub, name[type eq "x"].sub, or one of them below urn:…:User:',
        )
        return resource_type
    own_type = adopting(resource_type, name.urn, others)
    shared = shared_with(own_type, plain, name, others)
    problem = None if shared else obstacle(own_type, name, others)
    if problem:
        source.complain(entries["name"], problem)
        return resource_type
    kind = source.text_of(entries["type"], "type") if "type" in entries else "String"
    if kind is None:
        return resource_type
    if kind not in TYPES:
        source.complain(entries["type"], f"unknown type {kind!r}{did_you_mean(kind, TYPES)}; known are {', '.join(TYPES)}")
        kind = "String"
    attribute = Attribute(
        name.sub or name.attribute,
        TYPES[kind],
        source.text_of(entries.get("description"), "description") or "A custom attribute.",
        multi_valued=bool(source.typed(entries.get("multiValued"), bool, "multiValued")),
        required=bool(source.typed(entries.get("required"), bool, "required")),
        case_exact=bool(source.typed(entries.get("exactCase"), bool, "exactCase")) or TYPES[kind] in ("reference", "binary"),
        reference_types=_referenced(source, entries.get("referencedObjectAttribute"), kind),
    )
    if name.sub and attribute.multi_valued:
        source.complain(entries["multiValued"], "a sub-attribute has one value")
    elif name.value_filter and attribute.required:
        source.complain(entries["required"], f"elements that {name.value_filter} doesn't choose have no {name.sub}")
    if shared:
        of, known = shared
        if not alike(known, attribute):
            problem = f"{of.name} has another attribute {text}, and a schema is one definition: make both the same"
            source.complain(node, problem)
        return own_type
    found = extended(own_type, name, attribute)
    if name.value_filter and not _parses(source, entries["name"], text, found):
        return resource_type
    return found


def _referenced(source: Source, node: yaml.Node | None, kind: str) -> tuple[str, ...]:
    """The types of what a reference refers to (RFC 7643 §7, referenceTypes)."""
    if node is None:
        return ("external",) if kind == "Reference" else ()
    if kind != "Reference":
        source.complain(node, f"only a Reference has a referencedObjectAttribute, not a {kind}")
        return ()
    found = []
    for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        text = source.text_of(one, "referencedObjectAttribute")
        if text is not None and text not in REFERENCED:
            source.complain(one, f"a reference is to {' or '.join(REFERENCED)}{did_you_mean(text, REFERENCED)}")
        elif text is not None:
            found.append(text.partition(".")[0])
    return tuple(found)


def _parses(source: Source, node: yaml.Node, text: str, resource_type: ResourceType) -> bool:
    try:
        parse_path(text, resource_type)
    except ScimError as error:
        source.complain(node, error.detail.rstrip("."))
        return False
    return True
