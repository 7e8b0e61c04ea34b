"""`scimsvc activity`: what happened in a tenant, from the journal."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click
import orjson

from scimsvc.cli.approval import counted
from scimsvc.cli.common import database, in_utf8, one_line, tenant_named
from scimsvc.schema.types import instant
from scimsvc.service.activity import Entry
from scimsvc.service.activity import activity as read_activity

_WIDTHS = (24, 8, 11, 36, 7, 12)
"""Characters of the columns on a terminal, but for the last. A table that fits its rows would have to wait for all of them."""
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_IN_WORDS = (
    ("membersAdded", "member", "added"),
    ("membersRemoved", "member", "removed"),
    ("pendingAdded", "pending member", "added"),
    ("pendingRemoved", "pending member", "removed"),
)


def _time(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """Return a time in the store's form, of a date or an xsd:dateTime. Raises click.BadParameter."""
    if not value:
        return ""
    try:
        return instant(f"{value}T00:00:00Z" if _DATE.fullmatch(value) else value)[:23]
    except ValueError:
        raise click.BadParameter(f"{value!r} must be a date or a time, such as 2026-01-31 or 2026-01-31T08:00:00Z") from None


@click.command()
@click.option("--tenant", "tenant_name", required=True, callback=in_utf8, help="The tenant's name.")
@click.option("--resource", "resource_id", default="", callback=in_utf8, help="Only what happened to the resource with this id.")
@click.option("--failed", is_flag=True, help="Only writes that were refused.")
@click.option("--since", callback=_time, help="Only what happened at this time or later: a date (UTC), or a time with its zone.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, with the values before and after.")
def activity(tenant_name: str, resource_id: str, failed: bool, since: str, as_json: bool) -> None:
    """Show what happened in a tenant: time, action, resource type, id, version, who, and which attributes.

    The oldest comes first. Only --json shows values: people's data.
    """
    with database() as found:
        for entry in read_activity(found, tenant_named(found, tenant_name).id, resource_id, failed, since):
            if as_json:
                click.echo(orjson.dumps(_object(entry)))
            else:
                click.echo(_line(entry))


def _object(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.seq,
        "at": f"{entry.at}Z",
        "action": entry.action,
        "resourceType": entry.resource_type or None,
        "resourceId": entry.resource_id or None,
        "version": entry.version,
        "actor": entry.actor,
        "requestId": entry.request_id,
        "times": entry.times,
        "lastAt": entry.last_at and f"{entry.last_at}Z",
        "details": None if entry.details is None else entry.values,
    }


def _line(entry: Entry) -> str:
    version = "-" if entry.version is None else str(entry.version)
    columns = (f"{entry.at}Z", entry.action, entry.resource_type or "-", entry.resource_id or "-", version, entry.actor)
    texts = [one_line(text) for text in (*columns, "; ".join(_words(entry)))]
    if not _is_terminal():
        return "\t".join(texts)
    return "  ".join([*(text.ljust(width) for text, width in zip(texts, _WIDTHS, strict=False)), texts[-1]]).rstrip()


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _words(entry: Entry) -> Iterator[str]:
    """Yield what is different, without any value."""
    if entry.details is None:
        yield "values unknown"
        return
    values = entry.values
    if entry.action == "refuse":
        yield _refusal(entry, values)
        return
    names = sorted({*values.get("before", {}), *values.get("after", {}), *values.get("changedSecrets", ())} - {"schemas", "id"})
    if names:
        yield ", ".join(names)
    for key, noun, verb in _IN_WORDS:
        if values.get(key):
            yield f"{counted(len(values[key]), noun)} {verb}"


def _refusal(entry: Entry, values: Mapping[str, Any]) -> str:
    parts = [str(values[name]) for name in ("method", "endpoint", "status", "scimType", "attribute", "rule") if name in values]
    text = " ".join(parts)
    return f"{text} ({entry.times} times, last at {entry.last_at}Z)" if entry.times > 1 else text
