"""What another profile would do to the accounts that are stored, before it does."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from marshmallow import ValidationError

from scimsvc.mapping import AttributeMapping, ObjectMapping
from scimsvc.mapping.entra.directory import REFERENCES
from scimsvc.mapping.expression import ExpressionError
from scimsvc.mapping.inverse import Inverse
from scimsvc.mapping.mapper import RowMapper, SkippedObject
from scimsvc.mapping.profile.changes import Unique, unique_attributes
from scimsvc.mapping.profile.record import Record
from scimsvc.mapping.profile.scope import Clause, ScopingFilter, in_scope, undecided
from scimsvc.protocol.reading import value_at
from scimsvc.schema.classes import describe, load
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.service.catalog import Catalog, ServedType
from scimsvc.service.matching import Lookups, unsure
from scimsvc.store.database import Database, UniquenessViolation
from scimsvc.store.resources import ResourceStore
from scimsvc.store.tenants import TenantRecord

EXAMPLES = 3
"""Examples that an effect names."""


@dataclass
class Effect:
    """Something that happens to `count` accounts, with examples of some. One that `blocks` should keep the profile away."""

    what: str
    blocks: bool
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, *examples: str) -> None:
        """Count one more."""
        self.count += 1
        self.examples += [one for one in examples if one not in self.examples][: EXAMPLES - len(self.examples)]


class Effects(dict[str, Effect]):
    """Effects by what they are."""

    def add(self, what: str, blocks: bool, *examples: str) -> None:
        """Count one more account to which it happens."""
        self.setdefault(what, Effect(what, blocks)).add(*examples)

    def listed(self) -> list[Effect]:
        """All, first those that block."""
        return sorted(self.values(), key=lambda effect: not effect.blocks)


@dataclass
class Plan:
    """What happens to one tenant's resources of one type; `blocked` of them have a problem, `changed` another effect."""

    tenant: str
    resource_type: str
    resources: int
    effects: list[Effect]
    blocked: int = 0
    changed: int = 0


class Happening(NamedTuple):
    """What happens to one account; `detail` stands behind its id if values are shown."""

    what: str
    detail: str = ""
    blocks: bool = False


Seen = Callable[[], None]
"""Called after each resource, to show progress."""


def _unseen() -> None:
    pass


def plan(
    database: Database,
    tenant: TenantRecord,
    new: Catalog,
    former: Catalog | None,
    values: bool = False,
    seen: Seen = _unseen,
) -> Iterator[Plan]:
    """Yield for each resource type what a new catalog does to a tenant's resources, which follow the former. Change nothing.

    Problems are: values that would clash, attributes and values that would no longer be accepted, other matching, other
    uniqueness, accounts that Entra would create again, and fields that the application would no longer read. The rest is what
    Entra's next full cycle changes, as far as the accounts tell. `values` adds names and values to examples, which are
    people's data.
    """
    for endpoint, served in new.types.items():
        old = former.types.get(endpoint) if former else None
        looks = _looks(served, old, new, former)
        effects = Effects()
        claims: dict[tuple[int, str], str] = {}
        plan = Plan(tenant.name, served.name, 0, [])
        for stored in ResourceStore(database, tenant.id, served.resource_type, served.indexer).all():
            document = orjson.loads(stored.document)
            shown = _shown(stored.id, document) if values else stored.id
            blocked = changed = False
            for what, other in _clashes(served, document, shown, claims):
                blocked = True
                effects.add(what, True, other, shown)
            for happening in (one for look in looks for one in look(document)):
                blocked |= happening.blocks
                changed |= not happening.blocks
                effects.add(happening.what, happening.blocks, f"{shown}{happening.detail if values else ''}")
            plan.resources += 1
            plan.blocked += blocked
            plan.changed += changed
            seen()
        plan.effects = effects.listed()
        yield plan
    for old in _gone(new, former):
        effects = Effects()
        ids = [stored.id for stored in ResourceStore(database, tenant.id, old.resource_type, old.indexer).all()]
        for id_ in ids:
            effects.add(f"{old.name} is a resource type that the profile no longer has", True, id_)
            seen()
        yield Plan(tenant.name, old.name, len(ids), effects.listed(), blocked=len(ids))


def resources_of(database: Database, tenant: TenantRecord, new: Catalog, former: Catalog | None = None) -> int:
    """Return how many of a tenant's resources a plan, or with one catalog a re-index, looks at."""
    with database.reading():
        return sum(
            ResourceStore(database, tenant.id, served.resource_type, served.indexer).count(None)
            for served in (*new.types.values(), *_gone(new, former))
        )


def _gone(new: Catalog, former: Catalog | None) -> list[ServedType]:
    return [old for endpoint, old in former.types.items() if endpoint not in new.types] if former else []


def _shown(id_: str, document: Mapping[str, Any]) -> str:
    """The id of a resource with the name by which people know it."""
    name = document.get("userName") or document.get("displayName")
    return f"{id_} ({name})" if name else id_


Look = Callable[[Mapping[str, Any]], Iterable[Happening]]
"""What happens to an account whose document is given."""


def _looks(served: ServedType, old: ServedType | None, new: Catalog, former: Catalog | None) -> list[Look]:
    """Everything that a plan looks for in each resource of a type."""
    looks: list[Look] = [lambda document: (Happening(what, blocks=True) for what in _refused(served.resource_type, document))]
    if former is None or old is None:
        return looks
    table, former_table = _table(new, served), _table(former, old)
    looks.append(
        _Uniqueness(unique_attributes(former.profile, old.resource_type), unique_attributes(new.profile, served.resource_type)).of
    )
    if table:
        looks.append(_Changes(table, former_table).of)
    if served is new.types.get("users"):
        looks.append(_Read(new.profile.record, former.profile.record).of)
    return looks


def reindex(database: Database, tenant: TenantRecord, catalog: Catalog, seen: Seen = _unseen) -> Iterator[Plan]:
    """Index all of a tenant's resources as the catalog wants it; what clashes stays as it was, and is an effect."""
    for served in catalog.types.values():
        store = ResourceStore(database, tenant.id, served.resource_type, served.indexer)
        effects = Effects()
        resources = 0
        for stored in store.all():
            resources += 1
            try:
                store.index_anew(stored.id)
            except UniquenessViolation:
                effects.add("has a unique value that another has already, and stays as it was", True, stored.id)
            seen()
        yield Plan(tenant.name, served.name, resources, effects.listed())


def _table(catalog: Catalog, served: ServedType) -> ObjectMapping | None:
    """Return the table of a resource type; None if the profile has no table for it, so that Entra sends nothing."""
    tables = catalog.profile.tables().values()
    return next((table for table in tables if table.resource_type.name == served.name), None)


class _Changes:
    """What the rows of a table that differ from those of a former one make of accounts.

    The directory isn't asked: its attributes are told from the accounts, as far as the former rows can be undone.
    """

    def __init__(self, new: ObjectMapping, former: ObjectMapping | None) -> None:
        before = {row.flow_key for row in former.mappings} if former else set()
        targets = {row.target_key for row in new.mappings}
        self._inverse = Inverse(former) if former else None
        self._rows = [(row, RowMapper(row)) for row in new.mappings if _sends(row) and row.flow_key not in before]
        rows = former.mappings if former else ()
        self._gone = [row for row in rows if _sends(row) and row.target_key not in targets]
        self._lookups = Lookups(new, former)
        self._scope, self._former_scope = new.scope, former.scope if former else new.scope
        self._expressions = [(row, RowMapper(row), row.flow_key in before) for row in new.mappings if row.expression]

    def of(self, document: Mapping[str, Any]) -> Iterator[Happening]:
        """Yield what happens to an account."""
        if self._lookups.change:
            yield Happening(self._lookups.change, blocks=True)
        known = self._inverse.known(document) if self._inverse else {}
        yield from self._scoped(known)
        if not undecided(self._scope, known) and not in_scope(self._scope, known):
            return
        for row, mapper, is_former in self._expressions:
            if _sends(row) and unsure(row, known) is None and _is_skipped(mapper, known):
                if not is_former:
                    yield Happening(f"is skipped: the expression for {row.target_text} says IgnoreObjectFlow")
                return
        yield from self._changed(known, document)
        for row in self._gone:
            if value_at(row.value_path, document) is not None:
                yield Happening(f"{row.target_text} is no longer sent, and stays as it is")
        for reason in self._lookups.missed(document, known):
            yield Happening(reason, blocks=True)

    def _scoped(self, known: Mapping[str, Any]) -> Iterator[Happening]:
        """What other scoping filters do to the account of an object of which that is known."""
        if _clauses(self._scope) == _clauses(self._former_scope):
            return
        unknown, former_unknown = undecided(self._scope, known), undecided(self._former_scope, known)
        was_out = not former_unknown and not in_scope(self._former_scope, known)
        if unknown:
            yield Happening(f"may {'come into' if was_out else 'fall out of'} scope: {' and '.join(unknown)} can't be told")
        elif was_out and in_scope(self._scope, known):
            yield Happening("comes into scope: Entra provisions it again")
        elif not was_out and not in_scope(self._scope, known):
            yield Happening("falls out of scope: Entra disables or removes the account")

    def _changed(self, known: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Happening]:
        """What other rows change of an account."""
        for row, mapper in self._rows:
            reason = unsure(row, known)
            if reason is not None:
                yield Happening(f"{row.target_text} may change: {reason}")
                continue
            has = value_at(row.value_path, document)
            try:
                becomes = mapper.value(known, creating=False)
            except ExpressionError as error:
                yield Happening(f"{row.target_text} can't be worked out", f": {error}")
                continue
            if becomes is not None and becomes != has:
                yield Happening(f"{row.target_text} changes", f": {_json(has)} to {_json(becomes)}")


class _Uniqueness:
    """Attributes whose uniqueness differs between two versions of a profile."""

    def __init__(self, former: Mapping[Hashable, Unique], new: Mapping[Hashable, Unique]) -> None:
        self._gained = [unique for key, unique in new.items() if key not in former]
        self._lost = [unique for key, unique in former.items() if key not in new]

    def of(self, document: Mapping[str, Any]) -> Iterator[Happening]:
        """Yield what other uniqueness means for an account that has a value."""
        for name, path in self._gained:
            if value_at(path, document) is not None:
                yield Happening(f"{name} becomes unique: a request with a value that another has will get 409", blocks=True)
        for name, path in self._lost:
            if value_at(path, document) is not None:
                what = f"{name} is no longer unique: once two have the same value, a rollback is refused"
                yield Happening(what, blocks=True)


class _Read:
    """What the application reads of accounts, by a record and by a former one."""

    def __init__(self, new: Record | None, former: Record | None) -> None:
        self._new = new or Record(())
        self._former = former or Record(())

    def of(self, document: Mapping[str, Any]) -> Iterator[Happening]:
        """Yield what the application reads otherwise of an account."""
        if self._new == self._former:
            return
        now, before = self._new.of(document).record, self._former.of(document).record
        for name in {**before, **now}:
            if name not in now:
                yield Happening(f"the record has no {name} any more", blocks=True)
            elif name not in before:
                yield Happening(f"the record has {name}", f": {_json(now[name])}")
            elif now[name] != before[name]:
                yield Happening(f"the record's {name} changes", f": {_json(before[name])} to {_json(now[name])}")


def _sends(row: AttributeMapping) -> bool:
    """Whether the row sends something of what an account has itself, each time."""
    of_object = row.source not in REFERENCES if row.source else row.constant is not None or row.expression is not None
    return of_object and row.apply == "always"


def _is_skipped(mapper: RowMapper, known: Mapping[str, Any]) -> bool:
    try:
        mapper.value(known, creating=False)
    except SkippedObject:
        return True
    except ExpressionError:
        pass
    return False


def _clauses(scope: Iterable[ScopingFilter]) -> list[tuple[Clause, ...]]:
    """What of scoping filters counts: not their names."""
    return [one.clauses for one in scope]


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _refused(resource_type: ResourceType, document: Mapping[str, Any]) -> Iterator[str]:
    for path in _unknown(AttributePath(()), resource_type.root, document):
        yield f"{path} is an attribute that the profile no longer has"
    try:
        load(resource_type, document)
    except ValidationError as error:
        # Without the places of elements, which differ from account to account.
        yield from {describe({name: messages}).partition("[")[0] for name, messages in error.messages_dict.items()}


def _unknown(path: AttributePath, parent: Attribute, value: Any) -> Iterator[str]:
    for name, below in value.items() if isinstance(value, Mapping) else ():
        attribute = parent.sub_attribute(name)
        if attribute is None:
            yield f"{path.name}{':' if ':' in path.name else '.'}{name}" if path.steps else name
        elif attribute.type == "complex":
            for one in below if isinstance(below, list) else [below]:
                yield from _unknown(path.child(attribute), attribute, one)


def _clashes(
    served: ServedType, document: Mapping[str, Any], id_: str, claims: dict[tuple[int, str], str]
) -> Iterator[tuple[str, str]]:
    for key, row in served.indexer.rows(document).items():
        if row.is_unique:
            other = claims.setdefault((key[0], row.value), id_)
            if other != id_:
                yield f"{served.indexer.name(key)} has a value that another has, and must be unique", other
