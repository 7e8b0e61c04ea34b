"""The mapping profile: Entra's attribute-mapping tables for users and groups, as data."""

from __future__ import annotations

import re
from collections.abc import Container, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from scimsvc.mapping.expression import Expression
from scimsvc.mapping.findings import Finding
from scimsvc.mapping.profile.flow_types import FlowType
from scimsvc.mapping.profile.policies import DEFAULT, Policies
from scimsvc.mapping.profile.record import Record
from scimsvc.mapping.profile.scope import ScopingFilter
from scimsvc.mapping.profile.source_attributes import SourceDefinition
from scimsvc.protocol.dialects.entra.filters import FILTER_RULES, TARGET_RULES, standard_path
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Filter, Path, meaning, parse_path
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath, unique_paths

Apply = Literal["always", "create"]
TableName = Literal["users", "groups"]


@dataclass(frozen=True)
class Target:
    """The values of `path`. With a filter only those in the elements that it matches, as in `emails[type eq "work"].value`."""

    path: AttributePath
    value_filter: Filter | None = None


@dataclass(frozen=True)
class RowSource:
    """Where the value of a row comes from: a source attribute, a constant, or an expression in its canonical spelling."""

    form: Literal["source", "constant", "expression"]
    text: str


@dataclass(frozen=True)
class AttributeMapping:
    """One row of a table.

    At most one of `source`, `constant` and `expression` is set. A row without any of them sends at most its default.
    """

    target: Path
    target_text: str
    source: str | None = None
    constant: str | None = None
    expression: Expression | None = None
    matching: int | None = None
    unique: bool = False
    default: str | None = None
    apply: Apply = "always"

    @property
    def target_key(self) -> Hashable:
        """Return a key that is equal for rows with the same target, however it is spelled and in whatever profile."""
        return key_of(self.target)

    @property
    def flow_key(self) -> Hashable:
        """Return a key that is equal for rows that send the same to the same target, in whatever profile."""
        return self.target_key, self.source, self.constant, self.expression and self.expression.canonical(), self.apply

    @property
    def value_source(self) -> RowSource | None:
        """Return what the value comes from; None if the row sends at most a default."""
        if self.expression is not None:
            return RowSource("expression", self.expression.canonical())
        if self.source is not None:
            return RowSource("source", self.source)
        return None if self.constant is None else RowSource("constant", self.constant)

    @property
    def source_names(self) -> tuple[str, ...]:
        """Return the source attributes that the value depends on."""
        if self.expression is not None:
            return tuple(self.expression.source_attributes)
        return (self.source,) if self.source else ()

    @cached_property
    def value_path(self) -> Path:
        """Return the target down to the value: `manager.value` for `manager`."""
        return _value_path(self.target)


def parse_target(text: str, resource_type: ResourceType, *, bare_strings: bool = False) -> Path:
    """Return the target that a text spells, also in the portal's way, as in `roles[primary eq "True"].value`.

    A target that ends in a filter means the `value` of the elements: `emails[type eq "work"]` is `emails[type eq "work"].value`.
    Raise ScimError, also for a string without quotation marks, as in `emails[type eq work].value`, unless `bare_strings`.
    """
    rules = FILTER_RULES if bare_strings else TARGET_RULES
    path = parse_path(standard_path(resource_type, text, rules), resource_type)
    if path.value_filter is not None and path.sub_attribute is None and path.attribute.value() != path.attribute:
        return _value_path(path)
    return path


def path_problem(text: str, error: ScimError) -> tuple[str, int]:
    """Return what is wrong with the text of a path, without the path, and the column in it, counted from 1."""
    message = error.detail.rstrip(".").removeprefix(f"Path {text[:200]!r}: ")
    column = _COLUMN.search(message)
    return (message[: column.start()] + message[column.end() :], int(column[1])) if column else (message, 1)


_COLUMN = re.compile(r" at column (\d+)(?=: write|$)")


def key_of(target: Path) -> Hashable:
    """Return a key that is equal for two spellings of one target."""
    return _value_path(target).target.name, target.value_filter and meaning(target.value_filter)


def _value_path(target: Path) -> Path:
    return replace(target, sub_attribute=target.target.value())


@dataclass(frozen=True)
class ObjectMapping:
    """The table of one kind of object, for the resource type as the profile extends it; `scope` says which objects.

    `flow_types` are what Entra may do, None if the profile does not say. `source_attributes` are those that the profile defines
    besides Entra's own, by name. `is_mapped` is false if the profile has no such table: the service has the resource type all the
    same, and Entra sends nothing.
    """

    resource_type: ResourceType
    mappings: tuple[AttributeMapping, ...]
    scope: tuple[ScopingFilter, ...] = ()
    flow_types: tuple[FlowType, ...] | None = None
    source_attributes: Mapping[str, SourceDefinition] = field(default_factory=dict)
    is_mapped: bool = True

    def matching(self) -> list[AttributeMapping]:
        """Return the rows that Entra matches by, in order of precedence."""
        return sorted((row for row in self.mappings if row.matching is not None), key=lambda row: row.matching or 0)

    @cached_property
    def source_names(self) -> tuple[str, ...]:
        """Return the source attributes that the rows and the scope read, in order of appearance."""
        names: dict[str, None] = {}
        for row in self.mappings:
            if row.source is not None:
                names[row.source] = None
            if row.expression is not None:
                names |= dict.fromkeys(row.expression.source_attributes)
        names |= dict.fromkeys(clause.attribute for one in self.scope for clause in one.clauses)
        return tuple(names)

    def sends(self, flow_type: FlowType) -> bool:
        """Return whether Entra does this with the objects."""
        return self.is_mapped and (self.flow_types is None or flow_type in self.flow_types)

    def required_besides(self, given: Container[str]) -> list[str]:
        """Return the names of required attributes that are not among those given. Without them a create is refused."""
        return [
            attribute.name
            for attribute in self.resource_type.root.sub_attributes
            if attribute.required and attribute.mutability != "readOnly" and attribute.name not in given
        ]


@dataclass(frozen=True)
class Profile:
    """A mapping profile, checked; `record` shapes users for the application, `others` are the
    resource types of its documents besides User and Group.

    `warnings` are the findings that don't keep it from being used, `documents` the names of the files that it is made of besides,
    `self_service` the attributes of User that users may change of their own account.
    """

    name: str
    title: str
    users: ObjectMapping
    groups: ObjectMapping
    record: Record | None = None
    policies: Policies = DEFAULT
    others: tuple[ResourceType, ...] = ()
    warnings: tuple[Finding, ...] = ()
    documents: tuple[str, ...] = ()
    self_service: tuple[AttributePath, ...] = ()

    def tables(self) -> dict[TableName, ObjectMapping]:
        """Return the tables that the profile has, one or both, by name."""
        tables: dict[TableName, ObjectMapping] = {"users": self.users, "groups": self.groups}
        return {name: table for name, table in tables.items() if table.is_mapped}

    def resource_types(self) -> tuple[ResourceType, ...]:
        """Return User and Group with the profile's custom attributes, and the other resource types."""
        return self.users.resource_type, self.groups.resource_type, *self.others

    @cached_property
    def _unique(self) -> dict[str, list[Target]]:
        tables = (self.users, self.groups, *(ObjectMapping(other, ()) for other in self.others))
        return {table.resource_type.name: list(_unique_targets(table)) for table in tables}

    def unique_paths(self, resource_type: ResourceType) -> list[Target]:
        """Return the attributes whose values are unique among a tenant's resources of the type.

        They are the schema's own (uniqueness server or global), the matching attributes, and rows marked unique.
        """
        return self._unique[resource_type.name]


def _unique_targets(table: ObjectMapping) -> Iterator[Target]:
    own = unique_paths(table.resource_type)
    yield from map(Target, own)
    named = {path.name for path in own}
    for row in table.mappings:
        target = Target(row.target.target.value(), row.target.value_filter)
        if (row.matching is not None or row.unique) and target.path.name not in named:
            yield target
