"""Create, retrieve, query, replace, patch and delete resources (RFC 7644 §3.3 to §3.6)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import orjson
from marshmallow import ValidationError

from scimsvc.protocol import members as member_steps
from scimsvc.protocol.errors import ScimError, invalid_syntax, invalid_value, not_found, too_many, uniqueness
from scimsvc.protocol.etag import require
from scimsvc.protocol.immutable import contradicts, kept, unchanged
from scimsvc.protocol.members import Change, Step
from scimsvc.protocol.messages import Query, foreign_schemas, list_response
from scimsvc.protocol.patch import Operation, Policy, apply, parse_operations
from scimsvc.protocol.projection import ALL, Projection
from scimsvc.protocol.reading import values_at
from scimsvc.protocol.required import require_complete
from scimsvc.schema.classes import attribute_of, describe, load
from scimsvc.schema.core import GROUPS, MEMBERS, RELATED
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath, unique_paths
from scimsvc.schema.suggestions import named, unknown_attribute
from scimsvc.service.actor import SERVER, Actor
from scimsvc.service.catalog import ServedType
from scimsvc.service.ids import new_id
from scimsvc.service.passwords import hashed_by, hashed_in, password_of
from scimsvc.service.rendering import NONE, Effect, Related, Rendered, by_owner, render
from scimsvc.service.self_service import refuse_change, refuse_inactive, refuse_secrets
from scimsvc.store.database import Database, DatabaseUnavailable, UniquenessViolation
from scimsvc.store.journal import Action, Journal
from scimsvc.store.journal_details import OutsideDocument
from scimsvc.store.membership import ALL as NO_LIMIT
from scimsvc.store.membership import MembershipStore
from scimsvc.store.resources import ResourceStore, Stored

MAX_DOCUMENT_BYTES = 1024 * 1024
_PURGED_BESIDE = 20
"""Resources whose grace period is over that go for good with each one that is deleted."""

MAX_LINKS = 10_000
"""The memberships that are gone through for the groups of one resource, also those of its groups: some hundredths of a second."""

Document = dict[str, Any]
Found = tuple[Stored, Related]


class ResourceService:
    """The use cases on one resource type of one tenant. `base` is the absolute URL of the SCIM endpoint; `by_the_user` is for
    users who ask for their own account, and can change only what the profile allows; the groups of one list have
    `listed_members` at most, as its users have groups. `actor` is who the journal says has changed something.

    Every method raises ScimError with the answer that the client is due, or DatabaseUnavailable.
    """

    def __init__(
        self,
        database: Database,
        tenant_id: int,
        served: ServedType,
        base: str,
        by_the_user: bool = False,
        listed_members: int = NO_LIMIT,
        actor: Actor = SERVER,
    ) -> None:
        self._database = database
        journal = Journal(database, tenant_id, actor)
        self._served = served
        self._by_the_user = by_the_user
        self._listed_members = listed_members
        self._type = served.resource_type
        self._policies = served.policies
        self._password = password_of(self._type) if served.policies.passwords == "argon2" else None
        self._base = base
        self._resources = ResourceStore(database, tenant_id, self._type, served.indexer, journal)
        self._awaits = served.policies.unknown_members == "pending"
        self._memberships = MembershipStore(database, tenant_id, self._awaits, journal)

    def create(self, body: Any, projection: Projection = ALL) -> Rendered:
        """POST (§3.3)."""
        document, members = self._read(body)
        projection = self._answering(projection, _paths_in(self._type, document))
        hashed = hashed_in(self._password, document) if self._password else None
        id_ = new_id()
        document = _canonical(self._type, id_, document)
        new = self._resources.prepare(id_, document)

        def complete(stored: Stored, outside: OutsideDocument) -> None:
            if hashed:
                self._set_password(stored, hashed, outside)
            if members:
                self._add_members(stored, members, outside)

        def work() -> Stored:
            return self._welcomed(self._resources.insert(new, complete if hashed or members else None), document)

        if self._policies.recreate == "restore":
            restored = self._restore(document, members, hashed, projection)
            if restored:
                return restored._replace(restored=True, effect="restore")
        try:
            stored = self._database.transaction(work)
        except UniquenessViolation:
            raise self._clash(document, None) from None
        return self._answer(stored, projection)

    def may_restore(self, body: Any) -> bool:
        """Whether a create may find an account to restore. Raises ScimError for what no create can have."""
        if self._policies.recreate != "restore":
            return False
        document = _canonical(self._type, "", self._read(body)[0])
        with self._database.reading():
            holders = self._resources.holders(document, self._restorable_since())
        return any(self._is_meant(one.document, document) for one in holders)

    def _restore(
        self, document: Document, members: Mapping[str, None], hashed: str | None, projection: Projection
    ) -> Rendered | None:
        """Give an account that is there but inactive, or deleted for less than the grace period, what a create has, and its id
        again. None where no account is the one that is meant, or it is active.

        Raises ScimError uniqueness where several deleted ones may be meant.
        """
        with self._database.reading():
            holders = self._resources.holders(document, self._restorable_since())
        there = [one for one in holders if not one.retired]
        meant = [one for one in there or holders if self._is_meant(one.document, document)]
        if len(there) > 1 or not meant:
            return None
        if len(meant) > 1:
            raise self._several([one.document for one in meant])
        id_ = meant[0].id

        def work() -> Stored | None:
            retired = self._resources.lock_retired(id_)
            stored = retired or self._resources.lock(id_)
            if stored is None:
                return None
            former: Document = orjson.loads(stored.document)
            if not self._is_meant(former, document) or not (retired or former.get("active") is False):
                return None
            fresh = self._whole(id_, former, _canonical(self._type, id_, document))
            outside = OutsideDocument()
            if retired:
                self._resources.revive(retired)
            if self._password and (hashed or not retired):
                self._set_password(stored, hashed, outside)
            if members:
                self._add_members(stored, members, outside)
            return self._welcomed(self._resources.update(stored, {} if retired else former, fresh, "restore", outside), fresh)

        try:
            stored = self._database.transaction(work)
        except UniquenessViolation:
            raise self._clash(document, None) from None
        return stored and self._answer(stored, projection)

    def _is_meant(self, former: Document, document: Document) -> bool:
        """Whether a create is meant for the account that has a document: it contradicts nothing that is the account's own."""
        return self._resources.is_account_of(former, document) and not contradicts(self._type, former, document)

    def _several(self, documents: Sequence[Document]) -> ScimError:
        """Why none of several deleted accounts is restored, and what would tell which one is to be."""
        claims = [self._served.indexer.claims(one) for one in documents]
        names = sorted(name for name in {*chain(*claims)} if len({one.get(name) for one in claims}) > 1)
        hint = f"Send a value that tells them apart: of {' or '.join(names)}." if names else "They have the same unique values."
        return uniqueness(f"{len(documents)} deleted {self._type.name}s may be meant, and one alone can be restored. {hint}")

    def _welcomed(self, stored: Stored, document: Document) -> Stored:
        """The resource as a member of the groups that have waited for it."""
        if not self._awaits:
            return stored
        external_id = document.get("externalId") if self._served.has_groups else None
        names = [stored.id, external_id] if external_id else [stored.id]
        return stored._replace(in_groups=1) if self._memberships.welcome(stored.seq, names) else stored

    def get(self, id_: str, projection: Projection) -> Rendered:
        """GET by id (§3.4.1)."""
        with self._database.reading():
            found = self._with_related(self._existing(self._resources.find, id_), projection)
        return self._render(found, projection)

    def query(self, query: Query) -> bytes:
        """GET with a query (§3.4.2): a ListResponse."""
        with self._database.reading():
            offset = query.start_index - 1
            page = self._resources.page(query.filter, offset, query.count) if query.count else []
            complete = 0 < len(page) < query.count or (not page and not offset and query.count)
            total = offset + len(page) if complete else self._resources.count(query.filter)
            rendered = self.render_page(page, query.projection)
        return list_response(rendered, total, query.start_index)

    def render_page(self, page: Sequence[Stored], projection: Projection) -> list[bytes]:
        """Resources as JSON, with what the membership table has on them; inside `Database.reading`."""
        related = self._related(page, projection)
        return [self._render(found, projection).body for found in zip(page, related, strict=True)]

    def changed(self, at: str, seq: int, count: int) -> list[tuple[Stored, Rendered]]:
        """Resources in the order of their last changes, from behind a place in that order on."""
        with self._database.reading():
            page = self._resources.changed(at, seq, count)
            related = self._related(page, ALL)
        return [(found[0], self._render(found, ALL)) for found in zip(page, related, strict=True)]

    def replace(
        self, id_: str, body: Any, if_match: str | None, projection: Projection = ALL, if_none_match: str | None = None
    ) -> Rendered:
        """PUT (§3.5.1): what the body doesn't have is unassigned."""
        read, members = self._read(body)
        if self._by_the_user:
            refuse_secrets(self._type, self._served.self_service, _paths_in(self._type, read))
        projection = self._answering(projection, _paths_in(self._type, read))
        hashed = hashed_in(self._password, read) if self._password else None
        document = _canonical(self._type, id_, read)

        def change(former: Document) -> tuple[Document, list[Step]]:
            clear = self._policies.replace_members == "exact"
            steps: list[Step] = [Change(clear, members)] if self._served.has_members else []
            return self._whole(id_, former, document, self._with_own_login(former, document)), steps

        # A client can't read a password, so a PUT without one keeps it.
        password = (hashed is not None, hashed)
        unnamed = self._unnamed_members(body) if self._served.has_members and not members else None
        return self._change(id_, (if_match, if_none_match), "replace", change, projection, password, members, unnamed)

    def _unnamed_members(self, body: Mapping[str, Any]) -> ScimError | None:
        """Return why a PUT may not remove members: it has an unknown attribute, which may be them. None if it may."""
        unknown = unknown_attribute(self._type.root, body)
        if unknown is None or any(name.lower() == MEMBERS.name for name in body):
            return None
        return invalid_value(
            f"The {self._type.name} has {named(self._type.root, unknown)}; without members this PUT would remove all members. "
            "Correct the name, or send members: [] to remove them."
        )

    def patch(
        self,
        id_: str,
        body: Any,
        policy: Policy,
        if_match: str | None,
        projection: Projection = ALL,
        if_none_match: str | None = None,
    ) -> Rendered:
        """PATCH (§3.5.2), all operations or none. A group's answer has no body, and is 204."""
        operations = parse_operations(self._type, body)
        if self._by_the_user:
            named = ((operation.path.target, operation.value) for operation in operations)
            refuse_secrets(self._type, self._served.self_service, named)
        own, of_members = _partition(operations)
        steps = member_steps.steps(of_members, self._policies.replace_members == "merge")
        password = hashed_by(self._password, own) if self._password else (False, None)
        stored = [operation for operation in own if not operation.path.target.is_secret]

        def change(former: Document) -> tuple[Document, list[Step]]:
            document = kept(self._type, former, self._with_own_login(former, apply(former, stored, policy)))
            if document == former:
                return former, steps
            if self._type.can_lack:
                removed = [operation.path.attribute.steps[0] for operation in stored if operation.op == "remove"]
                require_complete(self._type, former, document, removed)
            return _canonical(self._type, id_, document), steps

        silent = self._served.has_members and projection.everything and self._policies.group_patch_answer == "none"
        answering = self._answering(projection, ((operation.path.target, operation.value) for operation in stored))
        shown = Projection(frozenset()) if silent else answering
        added = [one for step in steps if isinstance(step, Change) for one in step.add]
        rendered = self._change(id_, (if_match, if_none_match), "patch", change, shown, password, added)
        return rendered._replace(body=b"") if silent else rendered

    def delete(self, id_: str, if_match: str | None, if_none_match: str | None = None) -> None:
        """DELETE (§3.6): final; the resource leaves all groups."""

        def work() -> None:
            stored = self._existing(self._resources.lock_to_delete, id_)
            require(if_match, str(stored.version), if_none_match)
            outside = OutsideDocument()
            self._memberships.forget(stored.seq, outside, bool(stored.in_groups), self._served.has_members)
            if self._served.has_members:
                self._memberships.wait_no_more(stored.seq, outside=outside)
            if self._policies.delete_after:
                self._resources.retire(stored, outside)
            else:
                self._resources.delete(stored, outside)
            self.purge(_PURGED_BESIDE)

        self._database.transaction(work)

    def purge(self, most: int = 500) -> int:
        """Remove for good what was deleted before the grace period, so many at most; answers how many. In a transaction."""
        return self._resources.purge(self._restorable_since(), most)

    def expired(self) -> int:
        """Return how many resources were deleted before the grace period."""
        with self._database.reading():
            return self._resources.expired(self._restorable_since())

    def _restorable_since(self) -> str:
        """The moment before which what was deleted is gone for good, whether it was purged already or not."""
        since = datetime.now(UTC) - timedelta(days=self._policies.delete_after)
        return since.isoformat(timespec="milliseconds")[:23]

    def _answering(self, projection: Projection, sent: Iterable[tuple[AttributePath, Any]]) -> Projection:
        """The projection for who sent values of these attributes, some of which may be returned on request."""
        return projection.with_sent(sent) if self._type.has_hidden else projection

    def _whole(self, id_: str, former: Document, sent: Document, document: Document | None = None) -> Document:
        """What becomes of a resource for which a whole document was sent: that, or what was made of it, with the immutable values
        that it leaves out. Raises ScimError mutability, or invalidValue where something else is missing beside these.
        """
        whole = kept(self._type, former, document or sent, carry=True)
        if whole is sent:
            return sent
        whole = _canonical(self._type, id_, whole)
        require_complete(self._type, sent, whole)
        return whole

    def _with_own_login(self, former: Document, document: Document) -> Document:
        """While an account is inactive a rename, as some directories do to the deleted, leaves it what it logs in with."""
        if self._policies.rename_when_disabled == "accept" or document.get("active") is not False:
            return document
        for path in unique_paths(self._type):
            if values_at(path, former) != values_at(path, document):
                document = unchanged(former, document, path)
        return document

    def _read(self, body: Any) -> tuple[Document, dict[str, None]]:
        """A whole resource as sent: what belongs in its document, and the ids of its members."""
        if not isinstance(body, dict):
            raise invalid_syntax(f"The body must be a {self._type.name} as a JSON object.")
        _check_schemas(self._type, body)
        if self._policies.unknown_attributes == "reject":
            unknown = unknown_attribute(self._type.root, body)
            if unknown is not None:
                raise invalid_value(f"The {self._type.name} has {named(self._type.root, unknown)}. Correct it or leave it out.")
        try:
            document = load(self._type, body)
        except ValidationError as error:
            name = attribute_of(self._type.root, error.messages)
            raise invalid_value(f"{self._type.name}: {describe(error.messages, with_values=True)}.", name) from None
        return document, member_steps.member_ids(document.pop(MEMBERS.name, None) if self._served.has_members else None)

    def _change(
        self,
        id_: str,
        conditions: tuple[str | None, str | None],
        action: Action,
        change: Callable[[Document], tuple[Document, list[Step]]],
        projection: Projection,
        password: tuple[bool, str | None],
        added: Collection[str],
        unnamed: ScimError | None = None,
    ) -> Rendered:
        """Lock, change and store one resource; a change that changes nothing leaves its version as it was. `conditions` are
        If-Match and If-None-Match; `password` is whether it changes and the hash of what it becomes, None for none; `added` names
        those who are to be members; `unnamed` is raised if members go.
        """
        wanted: Document = {}

        def work() -> Stored:
            if self._awaits and added:
                self._memberships.take_turn(added)
            stored = self._existing(self._resources.lock, id_)
            require(conditions[0], str(stored.version), conditions[1])
            former: Document = orjson.loads(stored.document)
            if self._by_the_user:
                refuse_inactive(former)
            document, steps = change(former)
            if self._by_the_user:
                refuse_change(self._served.self_service, former, document)
            wanted.update(seq=stored.seq, document=document, effect=_effect(former, document))
            outside = OutsideDocument()
            moved = sum(self._take_step(stored, step, unnamed, outside) for step in steps)
            if password[0]:
                self._set_password(stored, password[1], outside)
            if document != former:
                stored = self._resources.update(stored, former, document, action, outside)
                if former.get("externalId") != document.get("externalId"):
                    stored = self._welcomed(stored, document)
            elif moved or password[0]:
                stored = self._resources.touch(stored, action, outside)
            elif outside.waits_otherwise:
                self._resources.note_pending(stored, outside)
            return stored

        try:
            stored = self._database.transaction(work)
        except UniquenessViolation:
            raise self._clash(wanted["document"], wanted["seq"]) from None
        rendered = self._answer(stored, projection)
        return rendered._replace(effect=wanted["effect"]) if wanted["effect"] else rendered

    def _clash(self, document: Document, own_seq: int | None) -> ScimError:
        with self._database.reading():
            attribute = self._resources.attribute_in_use(document, own_seq)
        return uniqueness(f"Another {self._type.name} has this value of {attribute or 'a unique attribute'} already.", attribute)

    def _existing(self, find: Callable[[str], Stored | None], id_: str) -> Stored:
        stored = find(id_)
        if stored is None:
            raise not_found(self._type.name, id_)
        return stored

    def _set_password(self, stored: Stored, hashed: str | None, outside: OutsideDocument) -> None:
        assert self._password
        self._resources.set_password(stored.seq, hashed)
        outside.changed_secrets[self._password.name] = None

    def _take_step(self, stored: Stored, step: Step, unnamed: ScimError | None, outside: OutsideDocument) -> int:
        """Change the memberships; answers how many rows changed. Raises `unnamed` if members go, or are no longer waited for."""
        memberships = self._memberships
        if not isinstance(step, Change):
            return memberships.remove_where(stored.seq, step.value_filter, self._type, step.by_id, outside)
        moved = waited = 0
        if self._awaits and (step.clear or step.remove):
            waited = memberships.wait_no_more(stored.seq, None if step.clear else step.remove, outside)
        if step.clear:
            moved += memberships.keep(stored.seq, step.add, outside) if step.add else memberships.clear(stored.seq, outside)
        if step.remove:
            moved += memberships.remove(stored.seq, step.remove, outside)
        if unnamed and (moved or waited):
            raise unnamed
        return moved + (self._add_members(stored, step.add, outside) if step.add else 0)

    def _add_members(self, stored: Stored, ids: Mapping[str, None], outside: OutsideDocument) -> int:
        if self._awaits:
            self._memberships.wait_for(stored.seq, ids, outside)
            return self._memberships.add(stored.seq, ids, outside)
        unknown = self._memberships.unknown(ids)
        if unknown:
            raise invalid_value(f"members: no User or Group has the id {', '.join(one[:64] for one in unknown)}.", "members")
        return self._memberships.add(stored.seq, ids, outside)

    def _answer(self, stored: Stored, projection: Projection) -> Rendered:
        """Render a resource whose change is committed. What the membership table has is read now, when no other writer waits.

        The change is stored, so nothing fails any more: what can't be read, or is too much to go through, is left out.
        """
        if self._is_alone(stored):
            return self._render((stored, NONE), projection)
        try:
            with self._database.reading():
                found = self._with_related(stored, projection)
        except (ScimError, DatabaseUnavailable):
            found = stored, NONE
        return self._render(found, projection)

    def _is_alone(self, stored: Stored) -> bool:
        """Whether the membership table has nothing on a resource."""
        return not stored.in_groups and not self._served.has_members

    def _with_related(self, stored: Stored, projection: Projection) -> Found:
        return stored, NONE if self._is_alone(stored) else self._related([stored], projection, tagged=True)[0]

    def _related(self, page: Sequence[Stored], projection: Projection, tagged: bool = False) -> list[Related]:
        """What the membership table has on each resource; one statement for the whole page. A resource alone has all of it. The
        groups are part of the version, which is shown in `meta`, and with `tagged` in any case.

        Raises ScimError tooMany for a page of several that have more than a list may have, and for one resource whose groups are
        nested in more than can be gone through.
        """
        limit, most = (self._listed_members, self._listed_members) if len(page) > 1 else (NO_LIMIT, MAX_LINKS)
        with_members = page and self._served.has_members and projection.wants(MEMBERS.name)
        of_page = [stored.seq for stored in page]
        members: Any = by_owner(_few(MEMBERS, limit, self._memberships.members_of(of_page, limit + 1))) if with_members else {}
        in_groups = [stored.seq for stored in page if stored.in_groups]
        shown = projection.wants(GROUPS.name) or projection.wants("meta")
        with_groups = in_groups and self._served.has_groups and (shown or tagged)
        links = self._memberships.groups_of(in_groups, most) if with_groups else []
        # Where groups aren't shown, the version goes without what is too much to go through.
        groups: Any = by_owner(_few(GROUPS, most, links if shown else links or []))
        return [
            Related(groups.get(stored.seq), members.get(stored.seq, []) if with_members else None)
            if groups or with_members
            else NONE
            for stored in page
        ]

    def _render(self, found: Found, projection: Projection) -> Rendered:
        stored, related = found
        return render(stored, related, self._type, projection, self._base)


def _effect(former: Document, document: Document) -> Effect | None:
    """Return what a change means for an account besides the change itself: that it is disabled or enabled."""
    before, after = former.get("active") is not False, document.get("active") is not False
    return None if before == after else "enable" if after else "disable"


def _paths_in(resource_type: ResourceType, document: Document) -> Iterator[tuple[AttributePath, Any]]:
    """The top-level attributes of a document that was read, with their values."""
    for name, value in document.items():
        attribute = resource_type.root.sub_attribute(name)
        if attribute is not None:
            yield AttributePath((attribute,)), value


_WITHOUT = {MEMBERS: "members", GROUPS: "groups,meta"}
"""What to leave out of an answer so that rows of the membership table aren't looked up; versions have the groups in them."""


def _few(attribute: Attribute, limit: int, rows: Sequence[Any] | None) -> Sequence[Any]:
    """Return rows of the membership table as they are, unless there are more of them than one answer may have; None if so."""
    if rows is None or len(rows) > limit:
        raise too_many(
            f"The {attribute.name} of these resources are more than the {limit} that one list may have. "
            f"Ask for fewer at once with count, or in SCIM with excludedAttributes={_WITHOUT[attribute]}.",
            "limits.listed_members",
        )
    return rows


def _partition(operations: Iterable[Operation]) -> tuple[list[Operation], list[Operation]]:
    """The operations on the document and those on the members of a group."""
    parts: tuple[list[Operation], list[Operation]] = ([], [])
    for operation in operations:
        parts[operation.path.attribute.steps[0] in RELATED].append(operation)
    return parts


def _check_schemas(resource_type: ResourceType, body: Mapping[str, Any]) -> None:
    """A resource may leave `schemas` out; one that says it is of another type is a mistake."""
    schemas = next((value for name, value in body.items() if name.lower() == "schemas"), None)
    foreign = foreign_schemas(schemas, resource_type.schema_ids)
    if foreign:
        raise invalid_value(
            f"A {resource_type.name} has no schema {foreign[0][:128]!r}; it has {', '.join(resource_type.schema_ids)}.",
            "schemas",
        )


def _canonical(resource_type: ResourceType, id_: str, document: Mapping[str, Any]) -> Document:
    """The document as it is stored: in the schema's order, with the schemas it uses, without what is never returned."""
    ordered: Document = {"schemas": [], "id": id_}
    for attribute in resource_type.root.sub_attributes:
        if attribute.name in document and attribute.returned != "never" and attribute.name not in ordered:
            ordered[attribute.name] = document[attribute.name]
    ordered["schemas"] = [resource_type.schema.id, *(one.id for one in resource_type.extensions if one.id in document)]
    if len(orjson.dumps(ordered)) > MAX_DOCUMENT_BYTES:
        raise invalid_value(f"A {resource_type.name} may have {MAX_DOCUMENT_BYTES} bytes; with this change it would have more.")
    return ordered
