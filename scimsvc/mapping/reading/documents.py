"""`documents:` of a profile: the JSON files with its own schemas and resource types (RFC 7643 §8.7)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from scimsvc.mapping.findings import Finding
from scimsvc.mapping.reading.encoding import json_of
from scimsvc.mapping.reading.yaml_text import Source
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.documents import DocumentProblem, read_resource_types
from scimsvc.schema.model import ResourceType

Documents = Callable[[str], bytes | Finding | None]
"""Returns the content of a document by the name of its file: a Finding if it can't be read, None if there is no such file."""

_FILE = re.compile(r"[\w-][\w.-]{0,120}\.json", re.ASCII)


def no_documents(name: str) -> None:
    """Return None for every name: there are no documents."""


def read_documents(source: Source, node: yaml.Node | None, documents: Documents) -> dict[str, Any]:
    """Return the JSON of the profile's documents by the names of their files. Note what is wrong with them."""
    found: dict[str, Any] = {}
    for entry in source.sequence(node, "documents"):
        name = source.text_of(entry, "a document")
        if name is None:
            continue
        if not _FILE.fullmatch(name):
            source.complain(entry, "a document is the name of a *.json file beside the profile")
            continue
        content = documents(name)
        if not isinstance(content, bytes):
            problem = content.message if content else "there is no such file in the mappings folder"
            source.complain(entry, f"{name}: {problem}")
            continue
        try:
            found[name] = json_of(content)
        except ValueError as error:
            source.complain(entry, f"{name}: {error}")
    return found


def resource_types_of(source: Source, node: yaml.Node | None, documents: Mapping[str, Any]) -> list[ResourceType]:
    """Return User and Group as the documents define them, and then the resource types that only the documents have.

    Note what is wrong with the documents at `node`, which is their list in the profile; then return User and Group as they are.
    """
    try:
        return read_resource_types(documents)
    except DocumentProblem as error:
        for problem in error.problems:
            source.complain(node, problem)
        return [USER_TYPE, GROUP_TYPE]
