"""Which attributes an answer has: `attributes`, `excludedAttributes` (RFC 7644 §3.9) and `returned` (RFC 7643 §2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, resolve


@dataclass(frozen=True)
class Projection:
    """What a client asked for; None for `attributes` means all that are returned by default. Names are canonical."""

    attributes: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """True where the client asked for nothing special."""
        return self.attributes is None and not self.excluded

    def wants(self, name: str) -> bool:
        """Whether a top-level attribute of that canonical name, or a part of it, belongs in the answer."""
        if self.attributes is not None:
            return any(wanted == name or wanted.startswith((f"{name}.", f"{name}:")) for wanted in self.attributes)
        return name not in self.excluded

    def without(self, *names: str) -> Projection:
        """The same, with attributes no longer mentioned that the caller takes care of."""
        return Projection(self.attributes, self.excluded - set(names))


ALL = Projection()


def parse_projection(resource_type: ResourceType, attributes: str | None, excluded: str | None) -> Projection:
    """Read the two parameters, comma-separated attribute paths; paths that no schema has select nothing."""
    if attributes is None and excluded is None:
        return ALL
    return Projection(None if attributes is None else _names(resource_type, attributes), _names(resource_type, excluded or ""))


def _names(resource_type: ResourceType, text: str) -> frozenset[str]:
    paths = (resolve(resource_type, name.strip()) for name in text.split(","))
    return frozenset(path.name for path in paths if path)


def project(resource_type: ResourceType, document: dict[str, Any], projection: Projection) -> dict[str, Any]:
    """The part of a resource that belongs in the answer."""
    return _project(AttributePath(()), resource_type.root, document, projection, False)


def _project(
    path: AttributePath, parent: Attribute, value: dict[str, Any], projection: Projection, inside: bool
) -> dict[str, Any]:
    found = {}
    for name, below in value.items():
        attribute = parent.sub_attribute(name)
        if attribute is None:
            continue
        here = path.child(attribute)
        asked = inside or (projection.attributes is not None and here.name in projection.attributes)
        if attribute.sub_attributes:
            kept = _elements(here, attribute, below, projection, asked)
            if kept:
                found[name] = kept
        elif _kept(attribute, here.name, projection, asked):
            found[name] = below
    return found


def _elements(path: AttributePath, attribute: Attribute, value: Any, projection: Projection, inside: bool) -> Any:
    if path.name in projection.excluded and attribute.returned != "always":
        return None
    if isinstance(value, list):
        parts = [_project(path, attribute, one, projection, inside) for one in value]
        return [part for part in parts if part] or (
            value if not value and _kept(attribute, path.name, projection, inside) else None
        )
    return _project(path, attribute, value, projection, inside)


def _kept(attribute: Attribute, name: str, projection: Projection, asked: bool) -> bool:
    match attribute.returned:
        case "always":
            return True
        case "never":
            return False
        case "request":
            return asked
    return name not in projection.excluded and (asked or projection.attributes is None)
