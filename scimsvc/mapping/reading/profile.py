"""The text of a profile to its values, with all mistakes and doubts as findings at their line and column."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath

import yaml

from scimsvc.mapping.findings import Finding, ProfileError
from scimsvc.mapping.functions import Registry, installed
from scimsvc.mapping.profile.model import Profile
from scimsvc.mapping.reading.custom_attributes import extend_types
from scimsvc.mapping.reading.documents import Documents, no_documents, read_documents, resource_types_of
from scimsvc.mapping.reading.encoding import not_utf8
from scimsvc.mapping.reading.policies import read_policies
from scimsvc.mapping.reading.record import read_record
from scimsvc.mapping.reading.self_service import read_self_service
from scimsvc.mapping.reading.source_attributes import ENTRA
from scimsvc.mapping.reading.tables import entries_of_table, read_table
from scimsvc.mapping.reading.yaml_text import Source, did_you_mean, end_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_KEYS = ("profile", "title", "directory", "users", "groups", "record", "policies", "documents", "selfService")


def is_name(text: str) -> bool:
    """Return whether a text is a valid name of a profile."""
    return bool(_NAME.fullmatch(text))


def name_in(content: bytes | Finding) -> str | None:
    """Return the name in the text of a profile, even if something else in it is wrong; None if no name can be read."""
    if isinstance(content, Finding):
        return None
    root = Source(PurePath(), content.decode("utf-8-sig", "replace"), Registry(())).root()
    names = [value.value for key, value in root.value if key.value == "profile"] if isinstance(root, yaml.MappingNode) else []
    return names[0] if names and isinstance(names[0], str) else None


def parse_profile(
    content: str | bytes, path: PurePath, registry: Registry | None = None, documents: Documents = no_documents
) -> Profile:
    """Return the profile in a text, which is UTF-8 if it is bytes. Raise ProfileError with all findings.

    Findings have `path`, and no file is opened: `documents` returns the content of the documents that the profile names.
    """
    source = Source(path, content if isinstance(content, str) else _decoded(content, path), registry or installed())
    root = source.root()
    entries = source.mapping(root, "a profile", _KEYS)
    name = _name(source, root, entries)
    title = source.text_of(entries.get("title"), "title") or name or ""
    directory = _directory(source, entries.get("directory"))
    read = read_documents(source, entries.get("documents"), documents)
    plain_types = resource_types_of(source, entries.get("documents"), read)
    of_users, of_groups = (
        entries_of_table(source, entries.get(key), type_) for key, type_ in zip(("users", "groups"), plain_types, strict=False)
    )
    types = extend_types(source, plain_types, of_users.get("attributes"), of_groups.get("attributes"))
    user_type, group_type, *others = types
    users = read_table(source, entries.get("users"), of_users, user_type, directory)
    groups = read_table(source, entries.get("groups"), of_groups, group_type, directory)
    record = read_record(source, entries.get("record"), user_type)
    policies = read_policies(source, entries.get("policies"))
    profile = Profile(name or "", title, users, groups, record, policies, tuple(others), (), tuple(read))
    allowed = read_self_service(source, entries.get("selfService"), users, record, profile.unique_paths(user_type))
    if source.wrong:
        raise ProfileError(source.findings)
    return replace(profile, warnings=tuple(source.findings), self_service=allowed)


def _decoded(content: bytes, path: PurePath) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = end_of(error.object[: error.start].decode("utf-8", "replace"))
        raise ProfileError([Finding(path, line, column, f"is {not_utf8(error)}")]) from error


def _name(source: Source, root: yaml.Node | None, entries: Mapping[str, yaml.Node]) -> str | None:
    """Return the name of the profile. Note a missing or invalid name, and a profile without tables."""
    name = source.text_of(entries.get("profile"), "profile")
    if root is not None and not isinstance(root, yaml.ScalarNode):
        if "profile" not in entries:
            source.complain(root, "the key 'profile' is missing")
        if "users" not in entries and "groups" not in entries:
            source.complain(root, "a profile needs a table: the key 'users', the key 'groups', or both")
    if name is not None and not is_name(name):
        source.complain(entries["profile"], "a profile's name is 1 to 63 letters, digits, dashes and underscores")
    return name


def _directory(source: Source, node: yaml.Node | None) -> str:
    """Return the name of the directory that the rows' source attributes are of, in lower case."""
    directory = (source.text_of(node, "directory") or ENTRA).lower()
    close = did_you_mean(directory, [ENTRA])
    if close and directory != ENTRA:
        source.warn(node, "unknown-directory", f"no source attribute of the directory {directory!r} is known{close}")
    return directory
