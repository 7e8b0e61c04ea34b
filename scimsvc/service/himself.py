"""What a user can't change of himself: who he is, whether he may come in and what he may do are others' to say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.reading import values_at
from scimsvc.store.index import UniqueRule

_NOT_HIS = ("externalId", "active", "roles", "entitlements")
"""Besides what is unique, by which accounts are matched and logged in to."""


def refuse_change(unique: Iterable[UniqueRule], former: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Raise ScimError 403 where a user changes what isn't his to change, be it in its case alone; `unique` are the rules that say
    what is unique.
    """
    changed = [name for name in _NOT_HIS if former.get(name) != document.get(name)]
    changed += [rule.path.name for rule in unique if _values(rule, former) != _values(rule, document)]
    if changed:
        raise ScimError(403, f"A user can't change his own {changed[0]}; whoever provisions the account can.")


def _values(rule: UniqueRule, document: Mapping[str, Any]) -> frozenset[Any]:
    return frozenset(values_at(rule.path, document, rule.value_filter))


def refuse_inactive(document: Mapping[str, Any]) -> None:
    """Raise ScimError 403 where the account of who asks is not active: its token opens nothing then."""
    if document.get("active") is False:
        raise ScimError(403, "Your account is not active.")
