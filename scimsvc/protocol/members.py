"""PATCH operations on the members of a group as steps on a set, so that the group itself need not be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from scimsvc.protocol.errors import invalid_value, mutability, too_many
from scimsvc.protocol.filter import And, Comparison, Filter, Not, Or, terms
from scimsvc.protocol.patch import Operation

MAX_ID_LENGTH = 256
"""Characters of a member's id, which is one of this service's own, or where members may be awaited an externalId."""
MAX_TERMS = 20
"""The terms of value filters of one PATCH that are compared with every member of a group, while others wait."""

_DOUBTFUL = re.compile(r"\W|null|true|false")
"""The beginning of what may be no name: a look at more of each of 50,000 ids would take long."""


@dataclass
class Change:
    """Members that come and members that go; with `clear` all that were there go first. No id is in both."""

    clear: bool = False
    add: dict[str, None] = field(default_factory=dict)
    remove: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class RemoveWhere:
    """The members that a filter chooses go."""

    value_filter: Filter

    @property
    def by_id(self) -> bool:
        """Whether it can be one member alone, whose id the filter has."""
        operands = self.value_filter.operands if isinstance(self.value_filter, And) else (self.value_filter,)
        return any(_is_id(operand) for operand in operands)


Step: TypeAlias = Change | RemoveWhere


def steps(operations: Iterable[Operation], merge: bool = False) -> list[Step]:
    """The steps that operations on `members` amount to, as few as their order allows; with `merge` a replace adds.

    Raises ScimError mutability for a change inside of a member, invalidValue for a member without `value`, tooMany for value
    filters that look at all members too often.
    """
    found: list[Step] = []
    for operation in operations:
        if operation.path.sub_attribute:
            raise mutability(f"{operation.path.target.name} can't be changed: remove the member and add another.", "members")
        if operation.path.value_filter is None:
            _whole(operation, _last_change(found), merge)
        else:
            _chosen(operation, operation.path.value_filter, found)
    compared = sum(terms(step.value_filter) for step in found if isinstance(step, RemoveWhere) and not step.by_id)
    if compared > MAX_TERMS:
        raise too_many(
            f"The paths of a PATCH may have {MAX_TERMS} terms that look at all members; here there are {compared}. "
            'Name those that are to go: members[value eq "…"].'
        )
    return found


def member_ids(value: Any) -> dict[str, None]:
    """The ids in a value of `members`, in order, each once. Raises ScimError invalidValue."""
    ids: dict[str, None] = {}
    for element in value or []:
        if "value" not in element:
            raise invalid_value("Each of the members must have a `value`, the id of a User or Group.", "members")
        if len(element["value"]) > MAX_ID_LENGTH:
            raise invalid_value(
                f"members: an id has {MAX_ID_LENGTH} characters at most; one of these has {len(element['value'])}.", "members"
            )
        _require_name(element["value"])
        ids[element["value"]] = None
    return ids


def _require_name(text: str) -> None:
    """Refuse what can't name a member: it would be waited for, or removed, in the place of the members that are meant.

    That is a text without a visible character, and the text of a JSON array, object, string, boolean or null, as from a client
    that encodes a value twice. A number may be an externalId. Raises ScimError invalidValue (RFC 7644 §3.12).
    """
    if text and not _DOUBTFUL.match(text):
        return
    if not any(character.isprintable() and not character.isspace() for character in text):
        what = "an empty text"
    elif _is_json(text):
        what = f"the text {text[:64]!r}, which is JSON"
    else:
        return
    raise invalid_value(
        f'members: {what} names no member. Send the id of a User or Group, as in [{{"value": "2819c223-…"}}]; '
        "to remove all members, replace members with [].",
        "members",
    )


def _is_json(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, (list, dict, str, bool)) or value is None


def _last_change(found: list[Step]) -> Change:
    if not found or not isinstance(found[-1], Change):
        found.append(Change())
    last = found[-1]
    assert isinstance(last, Change)
    return last


def _whole(operation: Operation, change: Change, merge: bool) -> None:
    replaces = operation.op == "replace" or operation.emptying
    if operation.op in ("remove", "replace") and not (merge and replaces):
        change.clear = True
        change.add.clear()
        change.remove.clear()
    for id_ in member_ids(operation.value):
        change.remove.pop(id_, None)
        change.add[id_] = None


def _chosen(operation: Operation, value_filter: Filter, found: list[Step]) -> None:
    if operation.op != "remove":
        raise mutability("A member can't be changed: remove it and add another.", "members")
    for id_ in _named_in(value_filter):
        _require_name(id_)
    ids = _ids_in(value_filter)
    if ids is None:
        found.append(RemoveWhere(value_filter))
        return
    change = _last_change(found)
    for id_ in ids:
        change.add.pop(id_, None)
        change.remove[id_] = None


def _ids_in(value_filter: Filter) -> list[str] | None:
    """The ids of a filter such as `value eq "a" or value eq "b"`; None where it is another."""
    operands = value_filter.operands if isinstance(value_filter, Or) else (value_filter,)
    ids = [operand.value for operand in operands if isinstance(operand, Comparison) and _is_id(operand)]
    return ids if len(ids) == len(operands) else None


def _named_in(value_filter: Filter) -> Iterator[str]:
    """Yield all ids that terms of a filter compare with, whatever joins the terms."""
    if isinstance(value_filter, (And, Or)):
        for operand in value_filter.operands:
            yield from _named_in(operand)
    elif isinstance(value_filter, Not):
        yield from _named_in(value_filter.operand)
    elif isinstance(value_filter, Comparison) and _is_id(value_filter):
        yield str(value_filter.literal)


def _is_id(term: Filter) -> bool:
    return isinstance(term, Comparison) and term.operator == "eq" and term.path.leaf.name == "value"
