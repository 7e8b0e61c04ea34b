"""What another profile would do to the accounts that are stored, before it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from marshmallow import ValidationError

from scimsvc.mapping import AttributeMapping, ObjectMapping
from scimsvc.mapping.directory import REFERENCES
from scimsvc.mapping.expression import ExpressionError
from scimsvc.mapping.inverse import Inverse
from scimsvc.mapping.mapper import RowMapper, SkippedObject
from scimsvc.mapping.record import Record
from scimsvc.mapping.scope import Clause, ScopingFilter, in_scope, undecided
from scimsvc.protocol.reading import value_at
from scimsvc.schema.classes import describe, load
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.service.catalog import Catalog, ServedType
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
    """What happens to one tenant's resources of one type."""

    tenant: str
    resource_type: str
    resources: int
    effects: list[Effect]


def plan(database: Database, tenant: TenantRecord, new: Catalog, former: Catalog | None, values: bool = False) -> Iterator[Plan]:
    """For each resource type what a new catalog does to a tenant's resources, which follow the former. Nothing is changed.

    In its way are values that clash where they didn't have to be unique, attributes that are no longer accepted and values
    that are no longer valid. The rest is what Entra's next full cycle changes, as far as the accounts tell, and what the
    application reads otherwise from then on; with `values` also what from and what to, which are people's data.
    """
    for endpoint, served in new.types.items():
        old = former.types.get(endpoint) if former else None
        table = _table(new, served)
        changes = _Changes(table, _table(former, old) if former and old else None) if table else None
        read = _Read(new.profile.record, former.profile.record if former else None) if served is new.types["users"] else None
        effects = Effects()
        claims: dict[tuple[int, str], str] = {}
        resources = 0
        for stored in ResourceStore(database, tenant.id, served.resource_type, served.indexer).all():
            resources += 1
            document = orjson.loads(stored.document)
            for what in _refused(served.resource_type, document):
                effects.add(what, True, stored.id)
            for what, other in _clashes(served, document, stored.id, claims):
                effects.add(what, True, other, stored.id)
            for what, example in changes.of(document) if changes else ():
                effects.add(what, False, f"{stored.id}{example if values else ''}")
            for what, example in read.of(document) if read and former else ():
                effects.add(what, False, f"{stored.id}{example if values else ''}")
        yield Plan(tenant.name, served.name, resources, effects.listed())
    gone = [old for endpoint, old in former.types.items() if endpoint not in new.types] if former else []
    for old in gone:
        effects = Effects()
        ids = [stored.id for stored in ResourceStore(database, tenant.id, old.resource_type, old.indexer).all()]
        for id_ in ids:
            effects.add(f"{old.name} is a resource type that the profile no longer has", True, id_)
        yield Plan(tenant.name, old.name, len(ids), effects.listed())


def reindex(database: Database, tenant: TenantRecord, catalog: Catalog) -> Iterator[Plan]:
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
        before = {_meaning(row) for row in former.mappings} if former else set()
        targets = {row.target_key for row in new.mappings}
        self._inverse = Inverse(former) if former else None
        self._rows = [(row, RowMapper(row)) for row in new.mappings if _sends(row) and _meaning(row) not in before]
        rows = former.mappings if former else ()
        self._gone = [row for row in rows if _sends(row) and row.target_key not in targets]
        # What the accounts have is a match as good as before unless another attribute is matched by.
        self._matching = [row for row in new.matching()[:1] if former and row.target_key != former.matching()[0].target_key]
        self._scope, self._former_scope = new.scope, former.scope if former else new.scope
        self._expressions = [(row, RowMapper(row), _meaning(row) in before) for row in new.mappings if row.expression]

    def of(self, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What happens to an account, and what stands behind its id where it is an example."""
        known = self._inverse.known(document) if self._inverse else {}
        yield from self._scoped(known)
        if not undecided(self._scope, known) and not in_scope(self._scope, known):
            return
        for row, mapper, is_former in self._expressions:
            if _sends(row) and _unsure(row, known) is None and _is_skipped(mapper, known):
                if not is_former:
                    yield f"is skipped: the expression for {row.target_text} says IgnoreObjectFlow", ""
                return
        yield from self._changed(known, document)
        for row in self._gone:
            if value_at(row.value_path, document) is not None:
                yield f"{row.target_text} is no longer sent, and stays as it is", ""
        for row in self._matching:
            if value_at(row.value_path, document) is None:
                yield f"has no {row.target_text}, by which Entra would look for it", ""

    def _scoped(self, known: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What other scoping filters do to the account of an object of which that is known."""
        if _clauses(self._scope) == _clauses(self._former_scope):
            return
        unknown, former_unknown = undecided(self._scope, known), undecided(self._former_scope, known)
        was_out = not former_unknown and not in_scope(self._former_scope, known)
        if unknown:
            yield f"may {'come into' if was_out else 'fall out of'} scope: {' and '.join(unknown)} can't be told", ""
        elif was_out and in_scope(self._scope, known):
            yield "comes into scope: Entra provisions it again", ""
        elif not was_out and not in_scope(self._scope, known):
            yield "falls out of scope: Entra disables or removes the account", ""

    def _changed(self, known: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What other rows change of an account."""
        for row, mapper in self._rows:
            why = _unsure(row, known)
            if why is not None:
                yield f"{row.target_text} may change: {why}", ""
                continue
            has = value_at(row.value_path, document)
            try:
                becomes = mapper.value(known, creating=False)
            except ExpressionError as error:
                yield f"{row.target_text} can't be worked out", f": {error}"
                continue
            if becomes is not None and becomes != has:
                yield f"{row.target_text} changes", f": {_json(has)} to {_json(becomes)}"


class _Read:
    """What the application reads of accounts, by a record and by a former one."""

    def __init__(self, new: Record | None, former: Record | None) -> None:
        self._new = new or Record(())
        self._former = former or Record(())

    def of(self, document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """What it reads otherwise of an account, and what stands behind its id where it is an example."""
        if self._new == self._former:
            return
        now, before = self._new.of(document).record, self._former.of(document).record
        for name in {**before, **now}:
            if name not in now:
                yield f"the record has no {name} any more", ""
            elif name not in before:
                yield f"the record has {name}", f": {_json(now[name])}"
            elif now[name] != before[name]:
                yield f"the record's {name} changes", f": {_json(before[name])} to {_json(now[name])}"


def _sends(row: AttributeMapping) -> bool:
    """Whether the row sends something of what an account has itself, each time."""
    of_object = row.source not in REFERENCES if row.source else row.constant is not None or row.expression is not None
    return of_object and row.apply == "always"


def _unsure(row: AttributeMapping, known: Mapping[str, Any]) -> str | None:
    """Why it can't be told what a row comes to for an object of which that is known, or None."""
    unknown = [name for name in _sources(row) if name not in known]
    if unknown:
        return f"{' and '.join(unknown)} can't be told"
    return None if row.expression is None or row.expression.deterministic else "it comes out differently each time"


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


def _meaning(row: AttributeMapping) -> tuple[Any, ...]:
    expression = row.expression.canonical() if row.expression else None
    return row.target_key, row.source, row.constant, expression, row.apply


def _sources(row: AttributeMapping) -> Iterable[str]:
    if row.expression is not None:
        return row.expression.source_attributes
    return (row.source,) if row.source else ()


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
