"""Random resources and changes with misspelt, misplaced and missing keys: what is recognised is stored, and nothing else is gone.

After a 2xx every recognised value can be read back. An attribute that had a value has none only if the request removes it:
by `[]`, null, `""`, a replace by something that is recognised, or a PUT that leaves it out. After any other answer the resource
is byte for byte as it was.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.schema.core import ENTERPRISE_USER_URN as ENT
from scimsvc.settings import DatabaseSettings, LogSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.web.app import create_app
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import ROOT, new_token
from tests.support.wsgi import call

CUS = "urn:ietf:params:scim:schemas:extension:custom:2.0:User"
_names = itertools.count()

# What a test knows of the schema, by hand: the keys of objects and of elements. None is a string.
COMPLEX: dict[str, tuple[str, ...]] = {"name": ("givenName", "familyName"), f"{ENT}:manager": ("value",)}
LISTS: dict[str, tuple[str, ...]] = {
    "emails": ("type", "value", "display"),
    "roles": ("value", "display"),
    "addresses": ("type", "country", "locality"),
}
SIMPLE = ("title", "nickName", f"{ENT}:department", f"{CUS}:level")
SIMPLE_LISTS = (f"{CUS}:tags",)
NAMES = (*COMPLEX, *LISTS, *SIMPLE, *SIMPLE_LISTS)
TEXTS = st.sampled_from(["a", "b", "A b", "é", "x@y"])
WRONG_KEYS = st.sampled_from(["id", "valu", "values", "first", "Type2", "members", "emails", "name", "address", "urn:x"])


@dataclass(frozen=True)
class Change:
    """A request on a user's attribute: how it is sent, and the value as sent; an operation has it under the name `key`."""

    way: str
    name: str
    value: Any
    key: str = "value"


@st.composite
def objects(draw: st.DrawFn, keys: tuple[str, ...]) -> dict[str, Any]:
    """An object with some of the keys, some of them misspelt, and some without a value."""
    sent = draw(st.dictionaries(st.sampled_from(keys), TEXTS | TEXTS | TEXTS | st.none() | st.just(""), max_size=3))
    wrong = draw(
        st.dictionaries(WRONG_KEYS.filter(lambda key: key not in keys), TEXTS, max_size=2) if draw(st.booleans()) else st.just({})
    )
    return sent | wrong


def values(name: str) -> st.SearchStrategy[Any]:
    """Values of an attribute as clients send them, right and wrong."""
    nothing = st.sampled_from([None, "", []])
    if name in COMPLEX:
        right: st.SearchStrategy[Any] = objects(COMPLEX[name])
    elif name in LISTS:
        right = st.lists(objects(LISTS[name]), min_size=1, max_size=3) | objects(LISTS[name])
    elif name in SIMPLE_LISTS:
        one = TEXTS | st.builds(lambda text: {"value": text}, TEXTS) | objects(("value",))
        right = st.lists(one, min_size=1, max_size=3) | one
    else:
        right = TEXTS | st.builds(lambda text: {"value": text}, TEXTS) | objects(("value",))
    return st.one_of(right, right, right, right, nothing)


WAYS = st.sampled_from(
    ["add", "replace", "add without path", "replace without path", "add dotted", "replace dotted", "PUT", "POST"]
)
KEYS = st.sampled_from(["value"] * 8 + ["values", "Value", "val", ""])
CHANGES = st.sampled_from(NAMES).flatmap(lambda name: st.builds(Change, WAYS, st.just(name), values(name), KEYS))
GOOD = {
    "name": {"givenName": "G", "familyName": "F"},
    "emails": [{"type": "work", "value": "w@x"}, {"type": "home", "value": "h@x"}],
    "roles": [{"value": "admin"}],
    "addresses": [{"type": "work", "country": "NG"}],
    "title": "T",
    "nickName": "N",
    f"{ENT}:department": "D",
    f"{ENT}:manager": {"value": "1"},
    f"{CUS}:level": "L",
    f"{CUS}:tags": ["t1", "t2"],
}


def body_of(attributes: dict[str, Any]) -> dict[str, Any]:
    """The resource with these attributes, each by its full name."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        urn, _, attribute = name.rpartition(":")
        (found.setdefault(urn, {}) if urn else found)[attribute] = value
    return found


def attributes_of(resource: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a resource by their full names."""
    found = {name: value for name, value in resource.items() if name in NAMES}
    for urn in (ENT, CUS):
        found |= {f"{urn}:{name}": value for name, value in resource.get(urn, {}).items()}
    return found


def recognised(name: str, value: Any) -> Any:
    """What of a value as sent a server can understand; `...` if it is not understood, None if it says that there is none."""
    if value is None or value in ("", []):
        return None
    if name in COMPLEX or name in LISTS:
        keys = COMPLEX.get(name) or LISTS[name]
        elements = value if isinstance(value, list) else [value]
        kept = [{key: one[key] for key in keys if one.get(key)} for one in elements]
        if name in LISTS:
            return kept if all(kept) else ...
        return kept[0] if kept[0] or not value or any(key in keys for key in value) else ...
    elements = [
        one.get("value", ...) if isinstance(one, dict) else one for one in (value if isinstance(value, list) else [value])
    ]
    if name in SIMPLE_LISTS:
        return elements if all(isinstance(one, str) for one in elements) else ...
    return elements[0] or None


def has(stored: Any, sent: Any) -> bool:
    """Whether a stored value has everything of a recognised one, texts in any case."""
    if isinstance(sent, dict):
        return isinstance(stored, dict) and all(has(stored.get(key), below) for key, below in sent.items())
    if isinstance(sent, list):
        return isinstance(stored, list) and all(any(has(one, wanted) for one in stored) for wanted in sent)
    return str(stored).casefold() == str(sent).casefold()


@dataclass
class Target:
    """The application with one tenant."""

    app: Flask
    token: str

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        data = b"" if body is None else json.dumps(body).encode()
        return call(self.app, method, f"/api/scim/v2{path}".encode(), {"Authorization": f"Bearer {self.token}"}, data)

    def send(self, method: str, path: str, body: Any, in_bulk: bool) -> tuple[int, Any]:
        """The status and the error, if it is one."""
        if not in_bulk:
            answer = self.ask(method, path, body)
            if answer.status >= 400:
                assert_scim_error(answer, 400)
            return answer.status, answer.body
        operation = {"method": method, "path": path, "data": body, "bulkId": "b"}
        outcome = self.ask("POST", "/Bulk", {"Operations": [operation]}).body["Operations"][0]
        found = outcome.get("response") or {"id": outcome["location"].rpartition("/")[2]}
        return int(outcome["status"]), found


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, new_database_url: Callable[[str], str], tmp_path_factory: Any) -> Iterator[Target]:
    database = Database(new_database_url(request.param))
    migrate(database)
    folder: Path = tmp_path_factory.mktemp("mappings")
    custom = f"attributes: [{{name: '{CUS}:level'}}, {{name: '{CUS}:tags', multiValued: true}}]"
    (folder / "entra.yaml").write_text((ROOT / "mappings" / "entra.yaml").read_text().replace("attributes: []", custom))
    chosen = replace(
        Settings(), database=DatabaseSettings(database.url), mappings=MappingsSettings(folder), log=LogSettings("error")
    )
    app = create_app(chosen)
    yield Target(app, new_token(database, "tenant"))
    app.extensions["scimsvc"].database.close()
    database.close()


def request_of(change: Change, path: str, whole: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """The request that a change is."""
    if change.way in ("PUT", "POST"):
        body = {key: value for key, value in whole.items() if key not in body_of({change.name: 0})}
        return change.way, path if change.way == "PUT" else "/Users", body | body_of({change.name: change.value})
    op, _, form = change.way.partition(" ")
    value = {"": change.value, "without path": body_of({change.name: change.value}), "dotted": {change.name: change.value}}[form]
    operation = {"op": op} | ({} if form else {"path": change.name}) | ({change.key: value} if change.key else {})
    return "PATCH", path, {"Operations": [operation]}


@settings(max_examples=150, deadline=None)
@given(have=st.lists(st.sampled_from(NAMES), unique=True), change=CHANGES, in_bulk=st.booleans())
def test_recognised_values_are_stored_and_nothing_else_is_gone(
    target: Target, have: list[str], change: Change, in_bulk: bool
) -> None:
    user_name = f"user-{next(_names)}"
    whole = body_of({name: GOOD[name] for name in have}) | {"userName": user_name}
    created = target.ask("POST", "/Users", whole)
    assert created.status == 201, created.raw
    path = f"/Users/{created.body['id']}"
    before = target.ask("GET", path)
    method, to, body = request_of(change, path, whole)
    if method == "POST":
        body["userName"] = f"{user_name}-other"
    status, answered = target.send(method, to, body, in_bulk)
    no_value = method == "PATCH" and change.key.lower() != "value"
    expected = ... if no_value else recognised(change.name, change.value)
    if status >= 400:
        assert target.ask("GET", path).raw == before.raw
        # What is understood is refused only if there is nothing to add.
        assert expected is ... or (expected is None and change.way.startswith("add")), (change, answered)
        return
    assert expected is not ..., (change, answered)
    after = target.ask("GET", path if method != "POST" else f"/Users/{answered['id']}").body
    was, now = attributes_of(before.body), attributes_of(after)
    if expected:
        assert has(now.get(change.name), expected), (change, now)
    urn = change.name.rpartition(":")[0]
    for name, value in was.items():
        if name == change.name:
            removed = expected is None or (change.way.startswith("replace") and expected) or method in ("PUT", "POST")
            assert removed or has(now.get(name), value) or name in SIMPLE or name in COMPLEX, (change, was, now)
        elif method == "PATCH" or not (urn and name.startswith(urn)):
            # Only a whole extension that is sent again may leave other attributes of it out.
            assert now.get(name) == value, (change, name)
    if change.name in COMPLEX and isinstance(expected, dict) and method == "PATCH":
        named = set(change.value) if isinstance(change.value, dict) else set()
        for key, value in (was.get(change.name) or {}).items():
            assert key in named or now[change.name][key] == value, (change, now)


@settings(max_examples=100, deadline=None)
@given(
    way=WAYS,
    elements=st.lists(
        st.dictionaries(
            st.sampled_from(["value", "id", "Value", "display", "members", "$ref", "x"]),
            st.sampled_from(["{a}", "{b}", "", None]),
        ).filter(lambda one: not {"value", "Value"} <= one.keys()),
        max_size=3,
    ),
    key=KEYS,
    name=st.sampled_from(["members"] * 4 + ["member", "Members", "users"]),
    in_bulk=st.booleans(),
)
def test_members_are_what_was_sent_or_what_they_were(
    target: Target, way: str, elements: list[dict[str, Any]], key: str, name: str, in_bulk: bool
) -> None:
    number = next(_names)
    ids = {one: target.ask("POST", "/Users", {"userName": f"{one}-{number}"}).body["id"] for one in ("a", "b")}
    group = {"displayName": f"group-{number}", "members": [{"value": ids["a"]}]}
    path = f"/Groups/{target.ask('POST', '/Groups', group).body['id']}"
    before = target.ask("GET", path)
    fill = partial(_filled, ids)
    sent = [{name_: fill(value) for name_, value in one.items()} for one in elements]
    op, _, form = way.partition(" ")
    if way in ("PUT", "POST"):
        method, body = way, {"displayName": f"other-{number}", name: sent}
    else:
        operation: dict[str, Any] = {"op": op} | ({} if form else {"path": name})
        operation |= {key: {name: sent} if form else sent} if key else {}
        method, body = "PATCH", {"Operations": [operation]}
    status, answered = target.send(method, "/Groups" if method == "POST" else path, body, in_bulk)
    if status >= 400:
        assert target.ask("GET", path).raw == before.raw
        return
    assert method != "PATCH" or key.lower() == "value", answered
    after = target.ask("GET", f"/Groups/{answered['id']}" if method == "POST" else path).body
    now = {one["value"] for one in after["members"]}
    named = [value for one in sent for name_, value in one.items() if name_.lower() == "value" and value]
    if name.lower() == "members":
        assert len(sent) <= len(named), (sent, answered)
        assert now == set(named) | ({ids["a"]} if op == "add" else set())
    else:
        assert method == "POST" or (method == "PUT" and not sent), (name, sent, answered)
        assert now == set(), after


def _filled(ids: dict[str, str], value: str | None) -> str | None:
    return ids.get(value[1:-1], value) if value else value
