"""The schema in a file: itself, or in what Microsoft Graph returns around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scimsvc.mapping.synchronization.problems import ImportProblem

_MAX_DEPTH = 4


def unwrapped(content: Any) -> Any:
    """Return the schema in a file's JSON: the object with `synchronizationRules`, also below `schema` or in a list `value`.

    A job or a list of templates has it there. Return the content itself if there is no schema. Raise ImportProblem if there are
    several.
    """
    schemas = list(_schemas(content, "", 0))
    if len(schemas) > 1:
        places = "\n".join(f"{place or 'the file'}: {_named(schema)}" for place, schema in schemas)
        raise ImportProblem(f"there are {len(schemas)} schemas; save one of them in a file of its own:\n{places}")
    return schemas[0][1] if schemas else content


def _schemas(content: Any, place: str, depth: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if depth > _MAX_DEPTH:
        return
    if isinstance(content, list):
        for number, element in enumerate(content):
            yield from _schemas(element, f"{place}[{number}]", depth + 1)
    elif isinstance(content, Mapping) and "synchronizationRules" in content:
        yield place, content
    elif isinstance(content, Mapping):
        for key in ("schema", "value"):
            if isinstance(content.get(key), (Mapping, list)):
                yield from _schemas(content[key], f"{place}.{key}" if place else key, depth + 1)


def _named(schema: Mapping[str, Any]) -> str:
    return f"id {schema['id']!r:.80}" if isinstance(schema.get("id"), str) else "without an id"
