"""What a user can't change of himself: who he is, whether he may come in and what he may do are others' to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimsvc.protocol.errors import ScimError
from scimsvc.store.index import Indexer

_NOT_HIS = ("externalId", "active", "roles", "entitlements")
"""Besides what is unique, by which accounts are matched and logged in to."""


def refuse_change(indexer: Indexer, former: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Raise ScimError 403 where a user changes what isn't his to change."""
    before, after = indexer.claims(former), indexer.claims(document)
    changed = [name for name in _NOT_HIS if former.get(name) != document.get(name)]
    changed += [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    if changed:
        raise ScimError(403, f"A user can't change his own {changed[0]}; whoever provisions the account can.")


def refuse_inactive(document: Mapping[str, Any]) -> None:
    """Raise ScimError 403 where the account of who asks is not active: its token opens nothing then."""
    if document.get("active") is False:
        raise ScimError(403, "Your account is not active.")
