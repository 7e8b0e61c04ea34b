"""Which attributes an answer has: `attributes`, `excludedAttributes` (RFC 7644 §3.9) and `returned` (RFC 7643 §2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, resolve


@dataclass(frozen=True)
class Projection:
    """What a client asked for; None for `attributes` means all that are returned by default. Names are canonical.

    `sent` are the attributes that the request itself has values for: what is returned on request is then part of the answer.
    """

    attributes: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()
    sent: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """True where the client asked for nothing special."""
        return self.attributes is None and not self.excluded

    def wants(self, name: str) -> bool:
        """Whether an attribute of that canonical name, or a part of it, belongs in the answer."""
        if self.attributes is not None:
            return any(wanted == name or wanted.startswith((f"{name}.", f"{name}:")) for wanted in self.attributes)
        return name not in self.excluded

    def without(self, *names: str) -> Projection:
        """The same, with attributes no longer mentioned that the caller takes care of."""
        return replace(self, excluded=self.excluded - set(names))

    def with_sent(self, sent: Iterable[tuple[AttributePath, Any]]) -> Projection:
        """The same for the answer to a request that has these values."""
        return replace(self, sent=frozenset(name for path, value in sent for name in _names_in(path, value)))


ALL = Projection()


def parse_projection(resource_type: ResourceType, attributes: str | None, excluded: str | None) -> Projection:
    """Read the two parameters, comma-separated attribute paths. Paths that no schema has select nothing; without any path, a
    parameter is as if it weren't there.
    """
    wanted = _names(resource_type, attributes) if attributes else None
    left_out = _names(resource_type, excluded) if excluded else None
    return Projection(wanted, left_out or frozenset()) if wanted is not None or left_out else ALL


def unknown_names(resource_type: ResourceType, parameters: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names in `attributes` and `excludedAttributes` that no schema has; RFC 7644 §3.9 leaves them without effect."""
    texts = (parameters[name] for name in ("attributes", "excludedattributes") if name in parameters)
    names = dict.fromkeys(name for text in texts for one in text.split(",") if (name := one.strip()))
    return tuple(name for name in names if resolve(resource_type, name) is None)


def _names(resource_type: ResourceType, text: str) -> frozenset[str] | None:
    names = [name.strip() for name in text.split(",") if name.strip()]
    paths = (resolve(resource_type, name) for name in names)
    return frozenset(path.name for path in paths if path) if names else None


def _names_in(path: AttributePath, value: Any) -> Iterator[str]:
    """The names of a path, of those above it, and of what has a value in the value there."""
    for place in range(1, len(path.steps) + 1):
        yield AttributePath(path.steps[:place]).name
    for one in value if isinstance(value, list) else [value]:
        for name, below in one.items() if isinstance(one, dict) else ():
            attribute = path.leaf.sub_attribute(name)
            if attribute is not None:
                yield from _names_in(path.child(attribute), below)


def project(resource_type: ResourceType, document: dict[str, Any], projection: Projection) -> dict[str, Any]:
    """The part of a resource that belongs in the answer."""
    return _project(AttributePath(()), resource_type.root, document, projection, projection.attributes is None, False)


def _project(
    path: AttributePath, parent: Attribute, value: dict[str, Any], projection: Projection, shown: bool, asked: bool
) -> dict[str, Any]:
    """The part of an object. `shown` is whether what it has by default is in the answer, `asked` whether it was asked for."""
    found = {}
    for name, below in value.items():
        attribute = parent.sub_attribute(name)
        if attribute is None or attribute.returned == "never":
            continue
        here = path.child(attribute)
        is_asked = asked or (projection.attributes is not None and here.name in projection.attributes)
        is_shown = _is_shown(attribute, here.name, projection, shown, is_asked)
        if not attribute.sub_attributes:
            if is_shown:
                found[name] = below
        elif is_shown or attribute.returned != "request" or _is_part_asked(here.name, projection):
            kept = _below(here, attribute, below, projection, is_shown, is_asked and is_shown)
            if kept is not None:
                found[name] = kept
    return found


def _below(path: AttributePath, attribute: Attribute, value: Any, projection: Projection, shown: bool, asked: bool) -> Any:
    # What isn't an object was stored when the attribute was of another type (see `fitting`).
    if not isinstance(value, list):
        return (isinstance(value, dict) and _project(path, attribute, value, projection, shown, asked)) or None
    if not value:
        return value if shown or _is_part_asked(path.name, projection) else None
    objects = [one for one in value if isinstance(one, dict)]
    return [part for one in objects if (part := _project(path, attribute, one, projection, shown, asked))] or None


def _is_part_asked(name: str, projection: Projection) -> bool:
    return projection.attributes is not None and projection.wants(name) and name not in projection.excluded


def _is_shown(attribute: Attribute, name: str, projection: Projection, shown: bool, asked: bool) -> bool:
    match attribute.returned:
        case "always":
            return True
        case "request":
            shown = projection.attributes is None and name in projection.sent
    return (shown or asked) and name not in projection.excluded
