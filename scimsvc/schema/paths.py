"""From the text of an attribute path (RFC 7644 §3.10) to the attributes it names."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

from scimsvc.schema.model import Attribute, ResourceType


@dataclass(frozen=True)
class AttributePath:
    """The attributes from the top of a resource down to the one that is named; an extension counts as a step."""

    steps: tuple[Attribute, ...]

    @property
    def leaf(self) -> Attribute:
        """The attribute that the path ends at."""
        return self.steps[-1]

    @cached_property
    def name(self) -> str:
        """The path in its one canonical spelling: `emails.value`, `urn:…:User:manager.value`."""
        first, *rest = (step.name for step in self.steps)
        separator = ":" if ":" in first else "."
        return separator.join((first, ".".join(rest))) if rest else first

    @cached_property
    def is_secret(self) -> bool:
        """Whether it is never returned, or something that it is inside of: it isn't stored either, and nothing finds it."""
        return any(step.returned == "never" for step in self.steps)

    @cached_property
    def is_read_only(self) -> bool:
        """Whether only the service provider writes it, or something that it is inside of."""
        return any(step.mutability == "readOnly" for step in self.steps)

    @cached_property
    def is_mark(self) -> bool:
        """Whether it is a boolean of the elements of a multi-valued attribute, such as `emails.primary`: an element that doesn't
        have it counts as one where it is false (RFC 7643 §2.4).
        """
        return self.leaf.type == "boolean" and not self.leaf.multi_valued and len(self.steps) > 1 and self.steps[-2].multi_valued

    def child(self, attribute: Attribute) -> AttributePath:
        """The path one step further down."""
        return AttributePath((*self.steps, attribute))

    def value(self) -> AttributePath:
        """What a comparison on this path compares: a complex attribute stands for its `value` sub-attribute."""
        implied = self.leaf.sub_attribute("value") if self.leaf.type == "complex" else None
        return self.child(implied) if implied else self

    def leaves(self) -> tuple[AttributePath, ...]:
        """The paths of all simple attributes at or below this one."""
        return tuple(AttributePath(self.steps[:-1] + steps) for steps in self.leaf.leaves())


MAX_LENGTH = 512
"""Characters; no attribute path is longer."""


def resolve(resource_type: ResourceType, text: str) -> AttributePath | None:
    """Resolve `[URN:]attribute[.subAttribute]`, any case, against a resource type.

    Returns None where a step is unknown. A bare extension URN resolves to the extension as a whole.
    """
    return _resolve(resource_type, text) if len(text) <= MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _resolve(resource_type: ResourceType, text: str) -> AttributePath | None:
    lowered = text.lower()
    for urn in sorted(resource_type.schema_ids, key=len, reverse=True):
        if lowered == urn.lower():
            extension = resource_type.root.sub_attribute(urn)
            return AttributePath((extension,)) if extension else None
        if lowered.startswith(urn.lower() + ":"):
            extension = resource_type.root.sub_attribute(urn)
            names = text[len(urn) + 1 :].split(".")
            if extension is None:
                return walk(AttributePath(()), resource_type.root, names)
            return walk(AttributePath((extension,)), extension, names)
    return walk(AttributePath(()), resource_type.root, text.split("."))


@lru_cache(maxsize=256)
def unique_paths(resource_type: ResourceType) -> tuple[AttributePath, ...]:
    """The simple attributes that clients write and whose values are unique by the schema."""
    paths = (AttributePath(steps[1:]) for steps in resource_type.root.leaves())
    return tuple(path for path in paths if path.leaf.uniqueness != "none" and not path.is_read_only)


def walk(path: AttributePath, parent: Attribute, names: list[str]) -> AttributePath | None:
    """Follow sub-attribute names from `parent`, whose path is given; None where one is unknown."""
    attribute: Attribute | None = parent
    for name in names:
        attribute = attribute.sub_attribute(name) if attribute else None
        if attribute is None:
            return None
        path = path.child(attribute)
    return path
