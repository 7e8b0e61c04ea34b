"""What users may change of their own account at /Me (RFC 7644 §3.11): the attributes that the profile allows, and no others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.reading import values_at
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath

_KEPT_BY_THE_SERVER = ("schemas", "id")


def refuse_change(allowed: Collection[AttributePath], former: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    """Raise ScimError 403 if two states of an account differ in an attribute that is not allowed, be it in letter case alone."""
    before, after = _without(allowed, former), _without(allowed, document)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if changed:
        raise _refusal(allowed, changed)


def refuse_secrets(
    resource_type: ResourceType, allowed: Collection[AttributePath], sent: Iterable[tuple[AttributePath, Any]]
) -> None:
    """Raise ScimError 403 if a request brings or removes a value that is never returned, such as `password`, and is not allowed.

    `sent` are the paths that the request names, with their values. The comparison of documents cannot see such values.
    """
    leaves = [AttributePath(steps[1:]) for steps in resource_type.root.leaves()]
    hidden = [path for path in leaves if path.is_secret and not any(_is_within(path, one) for one in allowed)]
    changed = [path.name for target, value in sent for path in hidden if _names(target, value, path)]
    if changed:
        raise _refusal(allowed, changed)


def refuse_inactive(document: Mapping[str, Any]) -> None:
    """Raise ScimError 403 if the account of the token is not active: the token gives access to nothing then."""
    if document.get("active") is False:
        raise ScimError(403, "Your account is not active.", rule="active")


def _refusal(allowed: Collection[AttributePath], changed: Iterable[str]) -> ScimError:
    changed = list(dict.fromkeys(changed))
    names = ", ".join(sorted(path.name for path in allowed)) or "nothing"
    detail = f"At /Me users can't change {', '.join(changed)}. The profile allows users to change: {names}."
    return ScimError(403, detail, attribute=next(iter(changed), None), rule="self")


def _names(target: AttributePath, value: Any, secret: AttributePath) -> bool:
    """Whether a value sent for `target` has one for `secret`, or is itself one, or stands for something inside of it."""
    if _is_within(target, secret):
        return True
    if not _is_within(secret, target):
        return False
    below = AttributePath(secret.steps[len(target.steps) :])
    elements = value if isinstance(value, list) else [value]
    return value is None or any(values_at(below, element) for element in elements)


def _is_within(path: AttributePath, other: AttributePath) -> bool:
    return path.steps[: len(other.steps)] == other.steps


def _without(allowed: Iterable[AttributePath], document: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in document.items() if name not in _KEPT_BY_THE_SERVER}
    for path in allowed:
        first, *below = (step.name for step in path.steps)
        if below and isinstance(rest.get(first), dict):
            # The profile allows a part only of attributes with a single value, so two names are the whole path.
            rest[first] = {name: value for name, value in rest[first].items() if name != below[0]}
        if not below or not rest.get(first):
            rest.pop(first, None)
    return rest
