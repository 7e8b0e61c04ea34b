"""Whatever a client sends, the answer is below 500, every error is a SCIM error, and a refused request stores nothing."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.schema.core import ENTERPRISE_USER_URN, GROUP_TYPE, GROUP_URN, USER_TYPE, USER_URN
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.settings import DatabaseSettings, LogSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.web.app import create_app
from tests.support.client import PATCH_URN, Answer
from tests.support.errors import assert_scim_error
from tests.support.server import BASE_PATH, ROOT, new_token
from tests.support.wsgi import call

STORED = """SELECT (SELECT COUNT(*) FROM resource), (SELECT COALESCE(SUM(version), 0) FROM resource),
    (SELECT COALESCE(SUM(LENGTH(document)), 0) FROM resource), (SELECT COUNT(*) FROM attribute_value),
    (SELECT COUNT(*) FROM membership), (SELECT COUNT(*) FROM journal WHERE version IS NOT NULL)"""


@dataclass
class Target:
    """The application with one tenant in it; `send` sends one request and checks what must hold for every answer."""

    app: Flask
    database: Database
    token: str

    def stored(self) -> Any:
        return self.database.execute(STORED, ()).fetchone()

    def send(self, method: str, target: bytes, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        before = self.stored()
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        answer = call(self.app, method, BASE_PATH.encode() + target, sent, body)
        assert answer.status < 500, f"{answer.status} {answer.raw!r}"
        if answer.status >= 400 and method != "HEAD":
            assert_scim_error(answer)
        if answer.status >= 400 or method in ("GET", "HEAD", "OPTIONS"):
            assert self.stored() == before, f"{answer.status}, and yet something was stored"
        return answer

    def create(self, endpoint: str, body: dict[str, Any]) -> str:
        answer = self.send("POST", f"/{endpoint}".encode(), json.dumps(body).encode())
        assert answer.status == 201, answer.raw
        return str(answer.body["id"])

    def fresh_user(self) -> str:
        """The id of a user, who is alone in the store."""
        for table in ("membership", "attribute_value", "resource"):
            self.database.execute(f"DELETE FROM {table}", ())
        email = {"type": "work", "value": "x@example.com", "primary": True}
        return self.create("Users", {"userName": str(uuid.uuid4()), "emails": [email], "name": {"givenName": "A"}})

    def fresh_group(self) -> tuple[str, str]:
        """The ids of a group and of its member; there is nothing else in the store."""
        member = self.fresh_user()
        return self.create("Groups", {"displayName": "G", "externalId": member, "members": [{"value": member}]}), member


@pytest.fixture(scope="module")
def target(new_database_url: Callable[[str], str]) -> Iterator[Target]:
    database = Database(new_database_url("sqlite"))
    migrate(database)
    database.execute("PRAGMA synchronous = off", ())
    chosen = replace(
        Settings(),
        database=DatabaseSettings(database.url),
        mappings=MappingsSettings(ROOT / "mappings"),
        log=LogSettings("error"),
    )
    app = create_app(chosen)
    made = Target(app, database, new_token(database, "tenant"))
    made.fresh_group()
    yield made
    app.extensions["scimsvc"].database.close()
    database.close()


def examples(number: int) -> settings:
    return settings(deadline=None, max_examples=number)


CHARACTERS = st.one_of(st.characters(), st.sampled_from('"\\[](). :;,{}%&=*+-/\0\n\x7f\ud800\udfff\ufffeİßﬁ'))
TEXT = st.text(CHARACTERS, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXT, below, max_size=3),
    max_leaves=8,
)
IDS = st.sampled_from(["{user}", "{group}", "{self}", "no-such-id"])
STRINGS = st.one_of(
    IDS,
    st.sampled_from(["work", "True", "x@example.com", "", "x" * 600, "Ärger", "\u0130", "2026-01-31T08:30:00Z", "QUJD"]),
    st.sampled_from(['{"value": "25"}', '{"value": NaN, "id": 1e999}', '{"value": "\\ud800"}', "{" * 2000]),
    TEXT,
)


def names(resource_type: ResourceType) -> list[str]:
    """Every attribute path of a resource type, from the top and inside of its parents."""
    found = {resource_type.schema.id, "value", "type", "unknown", ENTERPRISE_USER_URN}
    for attribute in resource_type.root.sub_attributes:
        for steps in [(attribute,), *attribute.leaves()]:
            first, *rest = (step.name for step in steps)
            if rest:
                found |= {f"{first}.{'.'.join(rest)}", f"{first}:{'.'.join(rest)}", rest[-1]}
            found.add(first)
    return sorted(found)


def mutated(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A text with a piece cut out and another put in."""

    def change(text: str, at: float, length: int, new: str) -> str:
        position = int(at * len(text))
        return text[:position] + new + text[position + length :]

    return st.builds(change, texts, st.floats(0, 1), st.integers(0, 3), st.text(CHARACTERS, max_size=2))


@cache
def filters(resource_type: ResourceType) -> st.SearchStrategy[str]:
    attributes = st.one_of(st.sampled_from(names(resource_type)), mutated(st.sampled_from(names(resource_type))))
    operators = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "eQ", "is"])
    literals = st.one_of(
        STRINGS.map(json.dumps),
        STRINGS.map(lambda text: f'"{text}"'),
        st.sampled_from(
            ["true", "False", "null", "1", "-0", "1e400", "-1E5", "9" * 5000, "NaN", "jyoung", '"a\\"b"', '"\\u0000"']
        ),
        JSON.map(json.dumps),
    )
    terms = st.one_of(
        st.tuples(attributes, operators, literals).map(" ".join), attributes.map(lambda name: f"{name} pr"), attributes
    )
    good = st.recursive(
        terms,
        lambda below: st.one_of(
            st.tuples(below, st.sampled_from([" and ", " or ", " AND "]), below).map("".join),
            below.map(lambda text: f"({text})"),
            below.map(lambda text: f"not ({text})"),
            st.builds(lambda name, text: f"{name}[{text}]", attributes, below),
            st.builds(lambda name, text, term: f"{name}[{text}].{term}", attributes, below, terms),
        ),
        max_leaves=6,
    )
    return st.one_of(good, good, mutated(good), mutated(mutated(good)), TEXT)


@cache
def values(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Values of an attribute's type, and others."""
    if attribute.type == "complex":
        one = objects(attribute)
    elif attribute.type == "boolean":
        one = st.one_of(st.booleans(), st.sampled_from(["True", "false", "yes", ""]))
    else:
        one = STRINGS
    right = st.lists(one, max_size=3) if attribute.multi_valued else one
    return st.one_of(right, right, one, one.map(lambda value: [value]), JSON)


@cache
def objects(attribute: Attribute) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the sub-attributes, each with a value of its type or another."""

    def filled(chosen: list[Attribute]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({sub.name: values(sub) for sub in chosen})

    return st.lists(st.sampled_from(attribute.sub_attributes), max_size=4, unique=True).flatmap(filled)


@cache
def paths(resource_type: ResourceType) -> st.SearchStrategy[Any]:
    plain = st.sampled_from(names(resource_type))
    chosen = st.builds(lambda name, text: f"{name}[{text}]", plain, filters(resource_type))
    below = st.builds(lambda path, name: f"{path}.{name}", chosen, plain)
    good = st.one_of(plain, chosen, below)
    return st.one_of(good, mutated(good), TEXT, JSON)


@cache
def operations(resource_type: ResourceType) -> st.SearchStrategy[Any]:
    """Operations whose value is that of the attribute in their path, and others."""
    ops = st.sampled_from(["add", "Add", "replace", "Replace", "remove", "Remove", "move", "", 1, None])
    known = st.sampled_from(resource_type.root.sub_attributes)
    fitting = known.flatmap(
        lambda attribute: st.fixed_dictionaries({"op": ops, "path": st.just(attribute.name), "value": values(attribute)})
    )
    pathless = st.fixed_dictionaries({"op": ops, "value": objects(resource_type.root)})
    dotted = st.fixed_dictionaries(
        {"op": ops, "value": st.dictionaries(st.sampled_from(names(resource_type)) | TEXT, JSON, max_size=3)}
    )
    any_path = st.fixed_dictionaries({"op": ops, "path": paths(resource_type)}, optional={"value": JSON | STRINGS})
    return st.one_of(fitting, pathless, dotted, any_path, any_path, JSON)


def patches(resource_type: ResourceType) -> st.SearchStrategy[Any]:
    schemas = st.sampled_from([[PATCH_URN], [PATCH_URN], [PATCH_URN], [], [USER_URN], "x", None])
    near = st.fixed_dictionaries({"schemas": schemas, "Operations": st.lists(operations(resource_type), max_size=3)})
    return st.one_of(near, near, near, near, JSON)


def resources(resource_type: ResourceType, required: str) -> st.SearchStrategy[Any]:
    schemas = st.sampled_from([[USER_URN], [GROUP_URN], [USER_URN, ENTERPRISE_USER_URN], ["x"], "x", None, [1]])
    base = st.fixed_dictionaries({}, optional={"schemas": schemas, required: st.uuids(version=4).map(str)})
    near = st.builds(lambda first, second: {**first, **second}, objects(resource_type.root), base)
    return st.one_of(near, near, near, JSON)


def bodies(documents: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """Documents as JSON with escapes and in plain UTF-8, now and then with an accident."""
    plain = documents.map(lambda document: json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    escaped = documents.map(lambda document: json.dumps(document).encode())
    broken = st.builds(lambda raw, new, at: raw[: at % (len(raw) + 1)] + new, escaped, st.binary(max_size=3), st.integers(0, 500))
    return st.one_of(escaped, escaped, escaped, plain, broken)


@pytest.mark.parametrize("resource_type", [USER_TYPE, GROUP_TYPE], ids=["users", "groups"])
@examples(100)
@given(data=st.data())
def test_any_filter(target: Target, resource_type: ResourceType, data: st.DataObject) -> None:
    text = data.draw(filters(resource_type))
    target.send("GET", f"{resource_type.endpoint}?filter=".encode() + quote(text, errors="surrogatepass").encode())


PARAMETERS = st.one_of(
    st.sampled_from(["filter", "startIndex", "count", "attributes", "excludedAttributes", "sortBy", "aadOptscim062020", "COUNT"]),
    TEXT,
)
NUMBERS = st.one_of(
    st.integers().map(str),
    st.sampled_from(["", " 1", "1 ", "+1", "-1", "1.5", "1e3", "٣", "²", "0x1", "9" * 30, "1_0", "null", "\0", "+-1", "--1"]),
)
PARAMETER_VALUES = st.one_of(
    NUMBERS,
    filters(USER_TYPE),
    st.lists(st.sampled_from(names(USER_TYPE)) | TEXT, max_size=4).map(",".join),
    st.sampled_from(['emails[type eq "work"]', 'emails[type eq "work"].value', "emails[", "a." * 300, "*"]),
)
ENCODED = st.one_of(
    st.builds(lambda text: quote(text, errors="surrogatepass").encode(), PARAMETER_VALUES),
    st.binary(max_size=8).map(quote_from_bytes).map(str.encode),
    st.binary(max_size=8),
    st.sampled_from([b"%", b"%zz", b"%00", b"%ff", b"%ed%a0%80", b"%u0041", b"+", b"%25", b"&", b";", b"?", b"#"]),
)


@examples(100)
@given(
    endpoint=st.sampled_from(
        [b"/Users", b"/Groups", b"/Schemas", b"/ResourceTypes", b"/ServiceProviderConfig", b"/Users/{user}"]
    ),
    parameters=st.lists(st.tuples(PARAMETERS, ENCODED), max_size=4),
)
def test_any_query_parameter(target: Target, endpoint: bytes, parameters: list[tuple[str, bytes]]) -> None:
    query = b"&".join(quote(name, errors="surrogatepass").encode() + b"=" + value for name, value in parameters)
    target.send("GET", endpoint.replace(b"{user}", target.fresh_user().encode()) + b"?" + query)


@examples(100)
@given(
    number=NUMBERS,
    name=st.sampled_from(["startIndex", "count"]),
    attributes=st.sampled_from(names(USER_TYPE)),
    parameter=st.sampled_from(["attributes", "excludedAttributes"]),
)
def test_any_page_and_projection(target: Target, number: str, name: str, attributes: str, parameter: str) -> None:
    target.send("GET", f"/Users?{name}={quote(number)}&{parameter}={quote(attributes)}".encode())


@examples(100)
@given(query=st.binary(max_size=30))
def test_any_raw_query(target: Target, query: bytes) -> None:
    target.send("GET", b"/Users?" + query)


METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "\u00c4"])
STEPS = st.one_of(
    st.sampled_from(
        [b"Users", b"groups", b"Schemas", b"ResourceTypes", b"ServiceProviderConfig", b"Me", b"Bulk", b".search", b"..", b""]
    ),
    st.binary(max_size=8).map(quote_from_bytes).map(str.encode),
    st.binary(max_size=8),
    st.sampled_from([b"%00", b"%2F", b"%2e%2e", b"%ff", b"%ed%a0%80", b"x" * 3000, b"%25", b"&aadOptscim062020"]),
)


@examples(100)
@given(method=METHODS, steps=st.lists(STEPS, max_size=4), body=st.sampled_from([b"", b"{}", b'{"Operations": []}']))
def test_any_path(target: Target, method: str, steps: list[bytes], body: bytes) -> None:
    target.send(method, b"".join(b"/" + step for step in steps), body)


@examples(100)
@given(method=METHODS, endpoint=st.sampled_from([b"/Users/", b"/Groups/", b"/Schemas/", b"/ResourceTypes/"]), id_=TEXT)
def test_any_id(target: Target, method: str, endpoint: bytes, id_: str) -> None:
    body = json.dumps({"schemas": [PATCH_URN], "Operations": [{"op": "add", "path": "displayName", "value": "x"}]}).encode()
    target.send(method, endpoint + quote(id_, safe="", errors="surrogatepass").encode(), body)


@examples(120)
@given(body=bodies(patches(USER_TYPE)))
def test_any_patch_of_a_user(target: Target, body: bytes) -> None:
    group, user = target.fresh_group()
    target.send("PATCH", f"/Users/{user}".encode(), with_ids(body, user, user, group))
    assert target.send("GET", f"/Users/{user}".encode()).body["id"] == user


@examples(120)
@given(body=bodies(patches(GROUP_TYPE)))
def test_any_patch_of_a_group(target: Target, body: bytes) -> None:
    group, member = target.fresh_group()
    target.send("PATCH", f"/Groups/{group}".encode(), with_ids(body, group, member, group))
    assert target.send("GET", f"/Groups/{group}".encode()).body["id"] == group


@examples(100)
@given(body=bodies(resources(USER_TYPE, "userName")))
def test_any_user_is_created_and_replaced_or_refused(target: Target, body: bytes) -> None:
    group, member = target.fresh_group()
    target.send("POST", b"/Users", with_ids(body, member, member, group))
    target.send("PUT", f"/Users/{member}".encode(), with_ids(body, member, member, group))
    assert target.send("GET", f"/Users/{member}".encode()).body["id"] == member


@examples(100)
@given(body=bodies(resources(GROUP_TYPE, "displayName")))
def test_any_group_is_created_and_replaced_or_refused(target: Target, body: bytes) -> None:
    group, member = target.fresh_group()
    target.send("POST", b"/Groups", with_ids(body, group, member, group))
    target.send("PUT", f"/Groups/{group}".encode(), with_ids(body, group, member, group))
    assert target.send("GET", f"/Groups/{group}".encode()).body["id"] == group


def with_ids(body: bytes, own: str, user: str, group: str) -> bytes:
    for name, id_ in (("self", own), ("user", user), ("group", group)):
        body = body.replace(b"{%s}" % name.encode(), id_.encode())
    return body


@examples(100)
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH"]),
    endpoint=st.sampled_from([b"/Users", b"/Groups", b"/Users/x", b"/Groups/x", b"/Schemas"]),
    body=st.binary(max_size=40),
)
def test_any_bytes_as_body(target: Target, method: str, endpoint: bytes, body: bytes) -> None:
    target.send(method, endpoint, body)


VALUES = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=12)
HEADERS = st.one_of(
    st.tuples(
        st.sampled_from(["If-Match", "If-None-Match"]),
        st.sampled_from(["*", 'W/"1"', '"1"', 'W/"99"', "W/", '""', 'W/"1", W/"2"', '"' * 2000, "1" * 2000]) | VALUES,
    ),
    st.tuples(
        st.just("Content-Type"),
        st.sampled_from(["application/json;charset=utf-8", "text/plain", "multipart/form-data; boundary=x", ";", ""]) | VALUES,
    ),
    st.tuples(
        st.just("Authorization"),
        st.sampled_from(["", "Bearer", "Bearer ", "Basic eDp5", "Bearer a b", "Bearer " + "x" * 2000]) | VALUES,
    ),
    st.tuples(st.just("Host"), st.sampled_from(["[", "[::1", "xn--zz", "a/b?c#d", "a b"]) | VALUES),
    st.tuples(st.sampled_from(["X-Request-Id", "Accept", "User-Agent", "X-Forwarded-For", "Prefer", "Cookie", "Expect"]), VALUES),
)


@examples(100)
@given(
    method=st.sampled_from(["GET", "PATCH", "DELETE", "PUT"]),
    sent=st.lists(HEADERS, max_size=3),
)
def test_any_header(target: Target, method: str, sent: list[tuple[str, str]]) -> None:
    body = {"userName": str(uuid.uuid4()), "Operations": [{"op": "add", "path": "title", "value": "x"}]}
    target.send(method, f"/Users/{target.fresh_user()}".encode(), json.dumps(body).encode(), dict(sent))
