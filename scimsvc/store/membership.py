"""Who is a member of which group. A change costs what the members it names cost, whatever the size of the group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import orjson
import peewee

from scimsvc.protocol.filter import Filter
from scimsvc.schema.core import EXTERNAL_ID, GROUP_TYPE
from scimsvc.schema.model import ResourceType
from scimsvc.schema.types import normaliser
from scimsvc.store.database import Database
from scimsvc.store.journal import Action, Journal
from scimsvc.store.journal_details import OutsideDocument
from scimsvc.store.models import Membership, Resource
from scimsvc.store.querying import filter_sql as filters
from scimsvc.store.querying.index import key, number
from scimsvc.store.resources import now
from scimsvc.store.statement import Statement, delete_found

ALL = 2**62
"""More rows than there can be."""


class Member(NamedTuple):
    """A member of the group with the number `group_seq`."""

    group_seq: int
    id: str
    resource_type: str
    display: str | None


class GroupOf(NamedTuple):
    """A group of the resource with the number `member_seq`; not direct where it is so through a nested group."""

    member_seq: int
    id: str
    display: str | None
    direct: bool


_CAN_BE_MEMBER = "resource_type IN ('User', 'Group') AND deleted = 0"
"""What a resource is that can be a member."""
_OTHER_CAN = "other.resource_type IN ('User', 'Group') AND other.deleted = 0"
_EXTERNAL_ID = number("User", "externalId")
_MEMBER = """RETURNING (SELECT id FROM resource
    WHERE resource.tenant_id = membership.tenant_id AND resource.seq = membership.member_seq)"""
"""Who was added or removed."""
_BY_ID = "SELECT seq FROM resource WHERE tenant_id = :tenant AND id IN ({each:ids})"
_BY_NAME = f"""{_BY_ID} UNION
    SELECT resource_seq FROM attribute_value AS named
    WHERE named.tenant_id = :tenant AND named.attribute = :external_id AND named.value IN ({{each:ids}})
    AND NOT EXISTS (SELECT 1 FROM resource AS other
        WHERE other.tenant_id = :tenant AND other.id = named.value AND {_OTHER_CAN})"""
"""A name is the externalId of a user where it is no id."""
_EACH_BY_ID = """SELECT found.seq FROM ({each:ids}) AS wanted CROSS JOIN LATERAL
    (SELECT seq FROM resource WHERE tenant_id = :tenant AND id = wanted.id {apart}) AS found"""
_EACH_BY_NAME = f"""{_EACH_BY_ID} UNION
    SELECT named.seq FROM ({{each:ids}}) AS wanted CROSS JOIN LATERAL
    (SELECT resource_seq AS seq FROM attribute_value
        WHERE tenant_id = :tenant AND attribute = :external_id AND value = wanted.id {{apart}}) AS named
    WHERE NOT EXISTS (SELECT 1 FROM resource AS other
        WHERE other.tenant_id = :tenant AND other.id = wanted.id AND ({_OTHER_CAN}) IS TRUE {{apart}})"""
"""The same on PostgreSQL, where each id is looked up by itself."""


def _of_members(text: str, postgresql: str) -> tuple[Statement, Statement]:
    """Return a statement on the members `{named}` by ids, and the same on those that are named by ids or externalIds."""
    by_id, by_name = (
        Statement(text.replace("{named}", named), postgresql.replace("{named}", each))
        for named, each in ((_BY_ID, _EACH_BY_ID), (_BY_NAME, _EACH_BY_NAME))
    )
    return by_id, by_name


# A resource that is being deleted meanwhile is waited for, and looked at once more.
_ADD, _ADD_NAMED = _of_members(
    f"""INSERT INTO membership (tenant_id, group_seq, member_seq)
    SELECT tenant_id, :group, seq FROM resource WHERE tenant_id = :tenant AND seq IN ({{named}}) AND {_CAN_BE_MEMBER}
    ORDER BY seq ON CONFLICT DO NOTHING {_MEMBER}""",
    f"""INSERT INTO membership (tenant_id, group_seq, member_seq)
    SELECT added.tenant_id, :group, added.seq FROM
    (SELECT DISTINCT seq FROM ({{named}}) AS named ORDER BY seq {{apart}}) AS wanted CROSS JOIN LATERAL
    (SELECT tenant_id, seq FROM resource WHERE tenant_id = :tenant AND seq = wanted.seq
        AND ({_CAN_BE_MEMBER}) IS TRUE {{for_reference}} {{apart}}) AS added
    ON CONFLICT DO NOTHING {_MEMBER}""",
)
_REMOVE, _REMOVE_NAMED = _of_members(
    f"DELETE FROM membership WHERE tenant_id = :tenant AND group_seq = :group AND member_seq IN ({{named}}) {_MEMBER}",
    delete_found(
        "membership",
        """({named}) AS wanted CROSS JOIN LATERAL (SELECT ctid FROM membership
        WHERE tenant_id = :tenant AND group_seq = :group AND member_seq = wanted.seq {apart}) AS gone""",
    )
    + f" {_MEMBER}",
)
_KEEPING = f"""DELETE FROM membership WHERE tenant_id = :tenant AND group_seq = :group
    AND member_seq NOT IN ({{named}}) {_MEMBER}"""
_KEEP, _KEEP_NAMED = _of_members(_KEEPING, _KEEPING)
_CLEAR = Statement(f"DELETE FROM membership WHERE tenant_id = :tenant AND group_seq = :group {_MEMBER}")
_UNKNOWN = Statement(
    f"""SELECT wanted.id FROM ({{each:ids}}) AS wanted
    WHERE NOT EXISTS (SELECT 1 FROM resource WHERE tenant_id = :tenant AND resource.id = wanted.id
        AND ({_CAN_BE_MEMBER}) IS TRUE {{apart}}) LIMIT 10"""
)
_AWAIT = Statement(
    f"""INSERT INTO pending_membership (tenant_id, group_seq, member)
    SELECT :tenant, :group, wanted.id FROM ({{each:ids}}) AS wanted
    WHERE NOT EXISTS (SELECT 1 FROM resource WHERE tenant_id = :tenant AND resource.id = wanted.id
        AND ({_CAN_BE_MEMBER}) IS TRUE {{apart}})
    AND NOT EXISTS (SELECT 1 FROM attribute_value AS named
        WHERE named.tenant_id = :tenant AND named.attribute = :external_id AND named.value = wanted.id
        AND EXISTS (SELECT 1 FROM resource
            WHERE tenant_id = :tenant AND resource.seq = named.resource_seq
                AND ({_CAN_BE_MEMBER}) IS TRUE {{apart}}) {{apart}})
    ON CONFLICT DO NOTHING RETURNING member"""
)
_TAKE_TURN = """SELECT pg_advisory_xact_lock(%(tenant)s, place) FROM (SELECT DISTINCT hashtext(name) & 63 AS place
    FROM jsonb_array_elements_text(%(names)s::jsonb) AS name ORDER BY place) AS places"""
"""PostgreSQL's alone. Names share a few locks, since a request may have more of them than a server has locks."""
_AWAITING = """({each:ids}) AS wanted CROSS JOIN LATERAL
    (SELECT ctid, tenant_id, group_seq FROM pending_membership
        WHERE tenant_id = :tenant {of_group} AND member = wanted.id {apart}) AS gone"""
_AWAITING_ANY = _AWAITING.replace("{of_group}", "")
_LOCK_AWAITING = Statement(
    """SELECT seq FROM resource WHERE tenant_id = :tenant AND seq IN (SELECT group_seq FROM pending_membership
        WHERE tenant_id = :tenant AND member IN ({each:ids})) ORDER BY seq {for_update}""",
    f"""SELECT locked.seq FROM
    (SELECT DISTINCT gone.group_seq AS seq FROM {_AWAITING_ANY} ORDER BY seq {{apart}}) AS awaiting CROSS JOIN LATERAL
    (SELECT seq FROM resource WHERE tenant_id = :tenant AND seq = awaiting.seq {{for_update}} {{apart}}) AS locked""",
)
_WELCOME = Statement(
    f"""INSERT INTO membership (tenant_id, group_seq, member_seq)
    SELECT DISTINCT pending.tenant_id, pending.group_seq, resource.seq FROM pending_membership AS pending
    JOIN resource ON resource.tenant_id = pending.tenant_id AND resource.seq = :seq
    WHERE pending.tenant_id = :tenant AND pending.member IN ({{each:ids}}) AND {_CAN_BE_MEMBER}
    ON CONFLICT DO NOTHING RETURNING group_seq""",
    f"""INSERT INTO membership (tenant_id, group_seq, member_seq)
    SELECT DISTINCT gone.tenant_id, gone.group_seq, CAST(:seq AS BIGINT) FROM {_AWAITING_ANY}
    WHERE EXISTS (SELECT 1 FROM resource
        WHERE tenant_id = :tenant AND seq = :seq AND ({_CAN_BE_MEMBER}) IS TRUE {{apart}})
    ON CONFLICT DO NOTHING RETURNING group_seq""",
)
_NO_LONGER_AWAITED = Statement(
    "DELETE FROM pending_membership WHERE tenant_id = :tenant AND member IN ({each:ids})",
    delete_found("pending_membership", _AWAITING_ANY),
)
_AWAIT_NO_MORE = Statement(
    "DELETE FROM pending_membership WHERE tenant_id = :tenant AND group_seq = :group AND member IN ({each:ids}) RETURNING member",
    f"{delete_found('pending_membership', _AWAITING.replace('{of_group}', 'AND group_seq = :group'))} RETURNING member",
)
_AWAIT_NOBODY = Statement("DELETE FROM pending_membership WHERE tenant_id = :tenant AND group_seq = :group RETURNING member")
_FORGET_MEMBER = Statement("DELETE FROM membership WHERE tenant_id = :tenant AND member_seq = :seq")
_LOCK_GROUPS = """SELECT locked.seq FROM
    (SELECT group_seq FROM membership WHERE tenant_id = %(tenant)s AND member_seq = %(seq)s ORDER BY group_seq OFFSET 0) AS own
    CROSS JOIN LATERAL
    (SELECT seq FROM resource WHERE tenant_id = %(tenant)s AND seq = own.group_seq FOR NO KEY UPDATE OFFSET 0) AS locked"""
"""PostgreSQL's alone: then the rows don't move, so that the next statement finds them by where they are."""
_TOUCHED = (
    "RETURNING id, version, (SELECT member.id FROM resource AS member WHERE member.tenant_id = :tenant AND member.seq = :seq)"
)
_TOUCH = "UPDATE resource SET version = version + 1, last_modified = :now"
_TOUCH_GROUPS = Statement(
    f"""{_TOUCH} WHERE tenant_id = :tenant AND seq IN (SELECT group_seq FROM membership
        WHERE tenant_id = :tenant AND member_seq = :seq AND group_seq <> :seq) {_TOUCHED}""",
    f"""{_TOUCH} FROM (SELECT found.ctid AS place FROM
    (SELECT group_seq FROM membership WHERE tenant_id = :tenant AND member_seq = :seq AND group_seq <> :seq {{apart}}) AS own
    CROSS JOIN LATERAL (SELECT ctid FROM resource WHERE tenant_id = :tenant AND seq = own.group_seq {{apart}}) AS found {{few}})
    AS touched WHERE resource.ctid = touched.place {_TOUCHED}""",
)
_TOUCH_JOINED = Statement(
    f"{_TOUCH} WHERE tenant_id = :tenant AND seq IN (SELECT CAST(one.id AS BIGINT) FROM ({{each:seqs}}) AS one) {_TOUCHED}",
    f"""{_TOUCH} FROM (SELECT place FROM (SELECT one.ctid AS place FROM ({{each:seqs}}) AS joined CROSS JOIN LATERAL
    (SELECT ctid FROM resource WHERE tenant_id = :tenant AND seq = CAST(joined.id AS BIGINT) {{apart}}) AS one {{few}}) AS found
    {{few}}) AS touched WHERE resource.ctid = touched.place {_TOUCHED}""",
)
_MEMBERS = Statement(
    """SELECT membership.group_seq, resource.id, resource.resource_type, resource.display FROM membership
    JOIN resource ON resource.tenant_id = :tenant AND resource.seq = membership.member_seq
    WHERE membership.tenant_id = :tenant AND membership.group_seq IN (SELECT CAST(one.id AS BIGINT) FROM ({each:seqs}) AS one)
    ORDER BY membership.group_seq, membership.member_seq LIMIT :limit""",
    """SELECT member.group_seq, found.id, found.resource_type, found.display FROM
    (SELECT asked.seq AS group_seq, membership.seq FROM
        (SELECT DISTINCT CAST(one.id AS BIGINT) AS seq FROM ({each:seqs}) AS one {apart}) AS asked CROSS JOIN LATERAL
        (SELECT member_seq AS seq FROM membership
            WHERE tenant_id = :tenant AND group_seq = asked.seq ORDER BY member_seq {apart}) AS membership
        LIMIT :limit) AS member CROSS JOIN LATERAL
    (SELECT id, resource_type, display FROM resource WHERE tenant_id = :tenant AND seq = member.seq {apart}) AS found
    ORDER BY member.group_seq, member.seq""",
)
_LINKS = """WITH RECURSIVE above (tenant_id, seq) AS (
        {start}
        UNION
        SELECT membership.tenant_id, membership.group_seq FROM above
        JOIN membership ON membership.tenant_id = above.tenant_id AND membership.member_seq = above.seq
    )
    SELECT membership.member_seq, membership.group_seq, resource.id, resource.display
    FROM above CROSS JOIN membership CROSS JOIN resource
    WHERE membership.tenant_id = above.tenant_id AND membership.member_seq = above.seq
    AND resource.tenant_id = membership.tenant_id AND resource.seq = membership.group_seq LIMIT :limit"""
"""The memberships of some resources and of the groups that they are in. Both databases read them one by one as they are asked
for, so the limit bounds the work as well. SQLite joins in the order of a CROSS JOIN. If the tenant were a parameter in its joins,
it would build a Bloom filter for them out of the whole table of memberships.
"""
_EACH_LINK = """WITH RECURSIVE above (tenant_id, seq) AS (
        {start}
        UNION
        SELECT further.tenant_id, further.group_seq FROM above CROSS JOIN LATERAL
        (SELECT tenant_id, group_seq FROM membership
            WHERE tenant_id = above.tenant_id AND member_seq = above.seq {apart}) AS further
    )
    SELECT link.member_seq, link.group_seq, found.id, found.display FROM above CROSS JOIN LATERAL
    (SELECT tenant_id, member_seq, group_seq FROM membership
        WHERE tenant_id = above.tenant_id AND member_seq = above.seq {apart}) AS link CROSS JOIN LATERAL
    (SELECT id, display FROM resource WHERE tenant_id = link.tenant_id AND seq = link.group_seq {apart}) AS found LIMIT :limit"""


def _links_of(start: str) -> Statement:
    return Statement(_LINKS.replace("{start}", start), _EACH_LINK.replace("{start}", start))


_LINKS_OF_ONE = _links_of("SELECT CAST(:tenant AS INTEGER), CAST(:seq AS BIGINT)")
_LINKS_OF_MANY = _links_of("SELECT CAST(:tenant AS INTEGER), CAST(one.id AS BIGINT) FROM ({each:seqs}) AS one")


class MembershipStore:
    """The memberships of one tenant. Methods that write belong inside `Database.transaction`; they answer how many changed.

    Who is added to a group or removed from it is noted in `outside`, for the group's own row of the journal. Groups that change
    because a member comes or goes get a row here, in the name of the server if no journal is given.

    With `by_external_id` a member's id may also be the externalId of a user, which all changes of memberships then mean.
    """

    def __init__(self, database: Database, tenant_id: int, by_external_id: bool = False, journal: Journal | None = None) -> None:
        self._database = database
        self._tenant = tenant_id
        self._journal = journal or Journal(database, tenant_id)
        statements: Iterable[Callable[..., Any]] = (_ADD, _REMOVE, _KEEP)
        if by_external_id:
            statements = (partial(one, external_id=_EXTERNAL_ID) for one in (_ADD_NAMED, _REMOVE_NAMED, _KEEP_NAMED))
        self._add, self._remove, self._keep = statements
        self._form = name_form if by_external_id else str

    def unknown(self, ids: Iterable[str]) -> list[str]:
        """Those of the ids, ten at most and in their order, that no user or group of the tenant has."""
        given = list(ids)
        found = {id_ for (id_,) in _UNKNOWN(self._database, tenant=self._tenant, ids=_json(given)).fetchall()}
        return [id_ for id_ in given if id_ in found]

    def add(self, group_seq: int, ids: Iterable[str], outside: OutsideDocument | None = None) -> int:
        """Make the resources with these ids members; answers how many were not yet."""
        added = _texts(self._add(self._database, tenant=self._tenant, group=group_seq, ids=self._names(ids)))
        if outside:
            outside.add_members(added)
        return len(added)

    def remove(self, group_seq: int, ids: Iterable[str], outside: OutsideDocument | None = None) -> int:
        """End the membership of the resources with these ids; answers how many were members."""
        return _removed(self._remove(self._database, tenant=self._tenant, group=group_seq, ids=self._names(ids)), outside)

    def clear(self, group_seq: int, outside: OutsideDocument | None = None) -> int:
        """End all memberships in the group; answers how many there were."""
        return _removed(_CLEAR(self._database, tenant=self._tenant, group=group_seq), outside)

    def keep(self, group_seq: int, ids: Iterable[str], outside: OutsideDocument | None = None) -> int:
        """End all memberships in the group but those of these ids; answers how many were ended."""
        return _removed(self._keep(self._database, tenant=self._tenant, group=group_seq, ids=self._names(ids)), outside)

    def remove_where(
        self,
        group_seq: int,
        value_filter: Filter,
        resource_type: ResourceType,
        by_id: bool = False,
        outside: OutsideDocument | None = None,
    ) -> int:
        """End the memberships in the group that a value filter of `members` chooses; answers how many. `by_id` is whether the
        filter has an id that must be the member's; otherwise all members of the group are looked at.
        """
        shape, values = filters.cut(value_filter)
        tenant, kind = filters.slot(filters.TENANT), self._database.kind
        own = (Membership.tenant_id == tenant) & (Membership.group_seq == group_seq)
        member = Resource.alias()
        chosen = member.select(member.seq).where(
            (member.tenant_id == tenant) & filters.member_condition(shape, resource_type, kind, member)
        )
        if kind == "postgresql":
            query = Membership.delete().where(_each_of(group_seq, chosen, member, by_id))
        else:
            chosen = chosen if by_id else chosen.where(member.seq == Membership.member_seq)
            query = Membership.delete().where(own & Membership.member_seq.in_(chosen))
        sql, parameters = self._database.peewee.get_sql_context().sql(query).query()
        bound = filters.bind(parameters, values | {"tenant": self._tenant})
        return _removed(self._database.execute(f"{sql} {_MEMBER}", bound), outside)

    def take_turn(self, names: Iterable[str]) -> None:
        """Keep other transactions from waiting for these names or welcoming them, so that none misses what another does. Before
        a group is locked, or two would wait for each other. SQLite has one writer at a time anyway.
        """
        if self._database.kind == "postgresql":
            self._database.execute(_TAKE_TURN, {"tenant": self._tenant, "names": self._names(names)})

    def wait_for(self, group_seq: int, ids: Iterable[str], outside: OutsideDocument | None = None) -> None:
        """Note which ids no resource has yet, nor a user as externalId. A resource that appears with one becomes a member."""
        given = list(ids)
        self.take_turn(given)
        names = self._names(given)
        awaited = _texts(_AWAIT(self._database, tenant=self._tenant, group=group_seq, external_id=_EXTERNAL_ID, ids=names))
        if outside:
            outside.add_pending(awaited)

    def welcome(self, seq: int, names: Iterable[str]) -> int:
        """Add the resource to every group with a pending membership for one of its names. Return the number of groups."""
        given = list(names)
        self.take_turn(given)
        awaited = self._names(given)
        if not _LOCK_AWAITING(self._database, tenant=self._tenant, ids=awaited).fetchall():
            return 0
        joined = _texts(_WELCOME(self._database, tenant=self._tenant, seq=seq, ids=awaited))
        _NO_LONGER_AWAITED(self._database, tenant=self._tenant, ids=awaited)
        if joined:
            at = now()
            seqs = _json(map(str, joined))
            touched = _TOUCH_JOINED(self._database, tenant=self._tenant, seq=seq, seqs=seqs, now=at).fetchall()
            self._write_each("join", at, touched)
        return len(joined)

    def wait_no_more(self, group_seq: int, ids: Iterable[str] | None = None, outside: OutsideDocument | None = None) -> int:
        """No longer wait for these, or for anybody. Return how many were waited for."""
        if ids is None:
            awaited = _AWAIT_NOBODY(self._database, tenant=self._tenant, group=group_seq)
        else:
            awaited = _AWAIT_NO_MORE(self._database, tenant=self._tenant, group=group_seq, ids=self._names(ids))
        names = _texts(awaited)
        if outside:
            outside.remove_pending(names)
        return len(names)

    def forget(self, seq: int, outside: OutsideDocument | None = None, in_groups: bool = True, has_members: bool = True) -> None:
        """End all memberships of a locked resource that is about to go, as a member and as a group.

        `in_groups` and `has_members` are whether there may be any, so that no statement looks for them if not.
        """
        leaves = self._leave_groups_of(seq, in_groups)
        if has_members:
            self.clear(seq, outside)
        if leaves:
            _FORGET_MEMBER(self._database, tenant=self._tenant, seq=seq)

    def _leave_groups_of(self, seq: int, in_groups: bool) -> bool:
        """Count a change of every other group that a resource is directly in, which it is about to leave. Return if there is one,
        which may be itself.
        """
        if self._database.kind == "postgresql":
            # It may have become a member while its lock was waited for, so only this look counts.
            in_groups = bool(self._database.execute(_LOCK_GROUPS, {"tenant": self._tenant, "seq": seq}).fetchall())
        if in_groups:
            at = now()
            self._write_each("leave", at, _TOUCH_GROUPS(self._database, tenant=self._tenant, seq=seq, now=at).fetchall())
        return in_groups

    def _write_each(self, action: Action, at: str, touched: Sequence[tuple[str, int, str]]) -> None:
        """Write that a member joined or left groups, whose ids and versions are here beside the member's id."""
        if touched:
            name = "membersAdded" if action == "join" else "membersRemoved"
            rows = [(group, version, f'{{"{name}":{_json([member])}}}') for group, version, member in touched]
            self._journal.write_each(action, GROUP_TYPE.name, at, rows)

    def members_of(self, group_seqs: Sequence[int], limit: int = ALL) -> list[Member]:
        """The members of some groups, so many at most, ordered by group and by the age of the member's resource."""
        rows = _MEMBERS(self._database, tenant=self._tenant, seqs=_json(map(str, group_seqs)), limit=limit).fetchall()
        return [Member(*row) for row in rows]

    def groups_of(self, member_seqs: Sequence[int], limit: int = ALL) -> list[GroupOf] | None:
        """Return the groups of some resources, through nested groups too, ordered by resource and the group's age.

        None if more memberships than the limit have to be gone through for that, counted for each of the resources.
        """
        if len(member_seqs) == 1:
            rows = _LINKS_OF_ONE(self._database, tenant=self._tenant, seq=member_seqs[0], limit=limit + 1).fetchall()
        else:
            seqs = _json(map(str, member_seqs))
            rows = _LINKS_OF_MANY(self._database, tenant=self._tenant, seqs=seqs, limit=limit + 1).fetchall()
        if len(rows) > limit:
            return None
        above: dict[int, list[int]] = {}
        groups: dict[int, tuple[str, str | None]] = {}
        for member_seq, group_seq, id_, display in rows:
            above.setdefault(member_seq, []).append(group_seq)
            groups[group_seq] = id_, display
        found: list[GroupOf] = []
        for member_seq in sorted(member_seqs):
            reached, gone_through = _reached(member_seq, above)
            limit -= gone_through
            if limit < 0:
                return None
            direct = frozenset(above.get(member_seq, ()))
            found += [GroupOf(member_seq, *groups[seq], seq in direct) for seq in sorted(reached)]
        return found

    def _names(self, names: Iterable[str]) -> str:
        """Return the names of members as they are compared: ids as they are, and externalIds in the form of their index."""
        return _json(map(self._form, names))


def _reached(start: int, above: Mapping[int, Sequence[int]]) -> tuple[set[int], int]:
    """Return all groups above a resource, and the number of memberships that lead to them."""
    reached: set[int] = set()
    gone_through = 0
    todo = [start]
    while todo:
        groups = above.get(todo.pop(), ())
        gone_through += len(groups)
        for group in groups:
            if group not in reached:
                reached.add(group)
                todo.append(group)
    return reached, gone_through


def name_form(name: str) -> str:
    """Return the form in which an externalId is compared and waited for: that of its index."""
    return key(_normalised(name))


_normalised = normaliser(EXTERNAL_ID)


def _each_of(group_seq: int, chosen: Any, member: Any, by_id: bool) -> Any:
    """PostgreSQL's condition on the memberships of a group that are those of chosen members: the member leads to its
    membership if it is found by its id, else each membership leads to its member.
    """
    tenant = filters.slot(filters.TENANT)
    if not by_id:
        own = (Membership.tenant_id == tenant) & (Membership.group_seq == group_seq)
        # The group's memberships have an index, and each member is looked up by its number.
        return own & peewee.fn.EXISTS(filters.fenced(chosen.where(member.seq == Membership.member_seq)))
    rows, ctid = filters.fenced(chosen).alias("chosen"), peewee.SQL("ctid")
    joined = Membership.alias()
    found = joined.select(ctid).where(
        (joined.tenant_id == tenant) & (joined.group_seq == group_seq) & (joined.member_seq == rows.c.seq)
    )
    # An id has one resource and one membership at most. Where several rows may be found, a small table would be read as a whole.
    return ctid == filters.each(peewee.Select([rows], [peewee.SQL("gone.ctid")]), found, "gone")


def _json(texts: Iterable[str]) -> str:
    return orjson.dumps(list(texts)).decode()


def _texts(cursor: Any) -> list[Any]:
    """Return the one column that a statement returns."""
    return [value for (value,) in cursor.fetchall()]


def _removed(cursor: Any, outside: OutsideDocument | None) -> int:
    ids = _texts(cursor)
    if outside:
        outside.remove_members(ids)
    return len(ids)
