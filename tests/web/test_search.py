"""Queries in an order, by cursor, by POST and over the root, against a plain model of what they mean."""

import base64
import itertools
import json
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.store.database import Database
from tests.support.client import Answer
from tests.support.errors import assert_scim_error
from tests.support.server import new_token
from tests.support.wsgi import call

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
Ask = Callable[..., Answer]

_tenants = itertools.count()


@pytest.fixture
def new_ask(app: Flask, database: Database) -> Callable[[], Ask]:
    """Makes what sends requests for a tenant of its own."""

    def make() -> Ask:
        headers = {"Authorization": f"Bearer {new_token(database, f'tenant-{next(_tenants)}')}"}

        def send(method: str, path: str, body: Any = None, **parameters: Any) -> Answer:
            query = f"?{urlencode(parameters)}" if parameters else ""
            data = json.dumps(body).encode() if body is not None else b""
            return call(app, method, f"/api/scim/v2{path}{query}".encode(), headers, data)

        return send

    return make


@pytest.fixture
def ask(new_ask: Callable[[], Ask]) -> Ask:
    return new_ask()


def create(ask: Ask, path: str, **body: Any) -> str:
    answer = ask("POST", path, body)
    assert answer.status == 201, answer.raw
    return str(answer.body["id"])


def names(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.raw
    return [one.get("userName") or one["displayName"] for one in answer.body["Resources"]]


def walk(ask: Ask, path: str = "/Users", **parameters: Any) -> list[str]:
    """All pages by cursor."""
    found: list[str] = []
    parameters["cursor"] = ""
    while True:
        page = ask("GET", path, **parameters)
        assert "startIndex" not in page.body
        found += names(page)
        assert page.body["itemsPerPage"] == len(page.body["Resources"])
        if "nextCursor" not in page.body:
            return found
        parameters["cursor"] = page.body["nextCursor"]


PEOPLE: list[dict[str, Any]] = [
    {"userName": "d", "title": "B", "emails": [{"value": "z@x"}, {"value": "b@x", "primary": True}]},
    {"userName": "a", "title": "b"},
    {"userName": "c", "emails": [{"value": "a@x", "type": "work"}, {"value": "0@x"}], "active": False},
    {"userName": "b", "title": "A", "active": True, "name": {"familyName": "Z"}},
    {"userName": "e", "emails": [{"display": "x", "primary": True}, {"value": "c@x"}]},
]


@pytest.mark.parametrize(
    ("by", "ascending", "descending"),
    [
        ("userName", "abcde", "edcba"),
        ("USERNAME", "abcde", "edcba"),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", "abcde", "edcba"),
        # Without a value last, or first; and in the order of creation where values are equal.
        ("title", "bdace", "ecadb"),
        ("active", "cbdae", "eadbc"),
        ("name.familyName", "bdace", "ecadb"),
        # The primary value counts, or else the first.
        ("emails", "cdeab", "baedc"),
        ("emails.value", "cdeab", "baedc"),
        ("emails.type", "cdabe", "ebadc"),
        ("meta.created", "dacbe", "ebcad"),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "dacbe", "ebcad"),
    ],
)
def test_resources_come_in_the_order_that_is_asked_for(ask: Ask, by: str, ascending: str, descending: str):
    for person in PEOPLE:
        create(ask, "/Users", **person)
    for order, expected in (("ascending", ascending), ("DESCENDING", descending)):
        asked = {"sortBy": by, "sortOrder": order}
        assert "".join(names(ask("GET", "/Users", **asked))) == expected
        for count in (1, 2, 3):
            pages = [ask("GET", "/Users", **asked, count=count, startIndex=start) for start in range(1, 7, count)]
            assert "".join("".join(names(page)) for page in pages) == expected
            assert {page.body["totalResults"] for page in pages} == {5}
            assert "".join(walk(ask, **asked, count=count)) == expected
    assert "".join(names(ask("GET", "/Users", sortBy=by))) == ascending
    assert names(ask("GET", "/Users", sortBy=by, startIndex=6)) == []
    assert ask("GET", "/Users", sortBy=by, count=0).body["totalResults"] == 5
    only = ask("GET", "/Users", sortBy=by, filter='userName eq "a" or userName eq "c"')
    assert names(only) == [name for name in ascending if name in "ac"]


def test_order_of_ids(ask: Ask):
    ids = sorted(create(ask, "/Users", **person) for person in PEOPLE)
    found = ask("GET", "/Users", sortBy="id", sortOrder="descending").body["Resources"]
    assert [one["id"] for one in found] == ids[::-1]


VALUES = st.none() | st.text("aAbB~", min_size=1, max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, max_size=7), st.booleans(), st.integers(1, 4))
def test_pages_of_any_resources_are_those_of_the_model(
    new_ask: Callable[[], Ask], titles: list[str | None], descending: bool, count: int
):
    ask = new_ask()
    for number, title in enumerate(titles):
        create(ask, "/Users", userName=str(number), **({"title": title} if title else {}))
    key = [(title is None, (title or "").lower(), number) for number, title in enumerate(titles)]
    expected = [str(number) for _, _, number in sorted(key, reverse=descending)]
    asked = {"sortBy": "title", "sortOrder": "descending" if descending else "ascending", "count": count}
    assert walk(ask, **asked) == expected
    by_index = [names(ask("GET", "/Users", **asked, startIndex=start + 1)) for start in range(0, len(titles), count)]
    assert [name for page in by_index for name in page] == expected


@pytest.mark.parametrize("by", [None, "userName", "title"])
def test_walk_by_cursor_has_all_that_were_there_however_others_come_and_go(ask: Ask, by: str | None):
    ids = {name: create(ask, "/Users", userName=name) for name in ("b", "d", "f", "h", "k")}
    asked: dict[str, Any] = {"count": 2} | ({"sortBy": by} if by else {})
    first = ask("GET", "/Users", cursor="", **asked)
    assert names(first) == ["b", "d"]
    for gone in ("b", "f"):
        ask("DELETE", f"/Users/{ids[gone]}")
    for fresh in ("a", "c", "z"):
        create(ask, "/Users", userName=fresh)
    second = ask("GET", "/Users", cursor=first.body["nextCursor"], **asked)
    third = ask("GET", "/Users", cursor=second.body["nextCursor"], **asked)
    rest = names(second) + names(third)
    assert [name for name in rest if name in "hk"] == ["h", "k"]
    assert not set(rest) & {"b", "d"}


@pytest.mark.parametrize("path", ["/Users", "/"])
@pytest.mark.parametrize("by", [{}, {"sortBy": "userName"}, {"sortBy": "title"}])
def test_last_page_has_no_cursor_though_it_is_full(ask: Ask, path: str, by: dict[str, str]):
    for name in "abcd":
        create(ask, "/Users", userName=name)
    first = ask("GET", path, cursor="", count=2, **by)
    last = ask("GET", path, cursor=first.body["nextCursor"], count=2, **by)
    assert names(first) + names(last) == list("abcd")
    assert "nextCursor" not in last.body
    assert "nextCursor" not in ask("GET", path, cursor="", count=4, **by).body


def test_cursor_belongs_to_its_query(ask: Ask):
    for name in "abc":
        create(ask, "/Users", userName=name)
    cursor = ask("GET", "/Users", cursor="", count=1, sortBy="userName").body["nextCursor"]
    assert names(ask("GET", "/Users", cursor=cursor, sortBy="userName")) == ["b", "c"]
    for other in (
        {},
        {"sortBy": "title"},
        {"sortBy": "userName", "filter": "userName pr"},
        {"sortBy": "userName", "sortOrder": "descending"},
    ):
        assert_scim_error(ask("GET", "/Users", cursor=cursor, **other), 400, "invalidCursor")


@pytest.mark.parametrize("has_value", [True, False])
@pytest.mark.parametrize("by", [{}, {"sortBy": "id"}, {"sortBy": "userName"}, {"sortBy": "title"}, {"sortBy": "meta.created"}])
def test_cursor_that_is_made_up_is_refused(ask: Ask, by: dict[str, str], has_value: bool):
    create(ask, "/Users", userName="a")
    for path in ("/Users", "/"):
        asked = {**by, "sortOrder": "ascending", "count": 1}
        digest = zlib.crc32("\0".join([path, "", by.get("sortBy", ""), "ascending"]).encode())
        content = json.dumps([digest, 5, has_value, "b", 1]).encode()
        for made_up in (content, zlib.compress(content), b"\0" * 16 + content):
            cursor = base64.urlsafe_b64encode(made_up).decode()
            assert_scim_error(ask("GET", path, cursor=cursor, **asked), 400, "invalidCursor")


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0), st.integers(1, 255))
def test_cursor_with_another_byte_is_refused(ask: Ask, place: int, change: int):
    if ask("GET", "/Users").body["totalResults"] == 0:
        for name in "ab":
            create(ask, "/Users", userName=name)
    cursor = ask("GET", "/Users", cursor="", count=1).body["nextCursor"]
    sealed = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    sealed[place % len(sealed)] ^= change
    changed = base64.urlsafe_b64encode(sealed).decode()
    assert_scim_error(ask("GET", "/Users", cursor=changed, count=1), 400, "invalidCursor")


def test_cursor_tells_nothing_and_holds_in_every_process(new_ask: Callable[[], Ask], app: Flask, database: Database):
    mine, other = new_ask(), new_ask()
    for name in "abc":
        create(mine, "/Users", userName=name)
        create(other, "/Users", userName=name)
    cursor = mine("GET", "/Users", cursor="", count=1).body["nextCursor"]
    assert mine("GET", "/Users", cursor="", count=1).body["nextCursor"] == cursor
    sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert not sealed.isascii()
    # Another process reads the key from the database; nothing is remembered of a cursor.
    del vars(app.extensions["scimsvc"])["cursors"]
    page = mine("GET", "/Users", cursor=cursor)
    assert (names(page), page.body["totalResults"]) == (["b", "c"], 3)
    assert_scim_error(other("GET", "/Users", cursor=cursor), 400, "invalidCursor")
    assert database.execute("SELECT COUNT(*) FROM secret", ()).fetchone()[0] == 1


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", [None, "displayName", "userName", "id", "externalId", "meta.created", "meta.lastModified"])
def test_pages_of_the_root_are_the_same_however_they_are_read(ask: Ask, by: str | None, descending: bool):
    for number in range(4):
        create(ask, "/Users", userName=f"u{number % 2}{number}", **({"displayName": "bdBD"[number]} if number else {}))
        create(ask, "/Groups", displayName="acCa"[number], **({"externalId": str(number)} if number % 2 else {}))
    asked = {"sortBy": by, "sortOrder": "descending" if descending else "ascending"} if by else {}
    created = ask("GET", "/").body["Resources"]
    assert [one["meta"]["resourceType"] for one in created] == ["User", "Group"] * 4

    def value(one: Any) -> str | None:
        *above, last = (by or "none").split(".")
        found = (one[above[0]] if above else one).get(last)
        return found.casefold() if found and by != "externalId" else found

    whole = [one["id"] for one in sorted(created, key=lambda one: (value(one) is None, value(one) or ""))]
    if descending and by:
        whole.reverse()
    assert [one["id"] for one in ask("GET", "/", **asked).body["Resources"]] == whole
    for count in (1, 3, 5):
        pages = [ask("GET", "/", **asked, count=count, startIndex=start).body for start in range(1, 9, count)]
        assert [one["id"] for page in pages for one in page["Resources"]] == whole
        found, cursor = [], ""
        while cursor is not None:
            page = ask("GET", "/", **asked, count=count, cursor=cursor).body
            found += [one["id"] for one in page["Resources"]]
            cursor = page.get("nextCursor")
        assert found == whole


def test_search_by_post_is_the_query(ask: Ask):
    for person in PEOPLE:
        create(ask, "/Users", **person)
    create(ask, "/Groups", displayName="g")
    body = {
        "schemas": [SEARCH],
        "filter": 'userName gt "a"',
        "sortBy": "userName",
        "sortOrder": "descending",
        "startIndex": 2,
        "count": 2,
    }
    answer = ask("POST", "/Users/.search", body)
    assert (names(answer), answer.body["totalResults"], answer.body["startIndex"]) == (["d", "c"], 4, 2)
    answer = ask("POST", "/Users/.search", {"schemas": [SEARCH], "attributes": ["userName", "title"], "excludedAttributes": None})
    assert set(answer.body["Resources"][0]) == {"schemas", "id", "userName", "title"}
    assert "displayName" not in ask("POST", "/Groups/.search", {"excludedAttributes": ["displayName"]}).body["Resources"][0]
    assert len(ask("POST", "/Users/.search", {"schemas": [SEARCH], "cursor": "", "count": 3}).body["nextCursor"]) > 5
    assert names(ask("POST", "/.search", {"schemas": [SEARCH]})) == ["d", "a", "c", "b", "e", "g"]


@pytest.mark.parametrize("schemas", [[SEARCH], [SEARCH.upper()], None])
def test_the_kind_of_a_search_request_is_found_in_any_case(ask: Ask, schemas: Any):
    assert ask("POST", "/.search", {"schemas": schemas}).status == 200


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ([], "invalidSyntax"),
        ({"schemas": []}, "invalidSyntax"),
        ({"schemas": [SEARCH, "urn:x"]}, "invalidSyntax"),
        ({"schemas": ["urn:x"]}, "invalidSyntax"),
        ({"schemas": "urn:x"}, "invalidSyntax"),
        ({"schemas": 5}, "invalidSyntax"),
        ({"filter": 5}, "invalidValue"),
        ({"count": "5"}, "invalidValue"),
        ({"count": True}, "invalidValue"),
        ({"startIndex": 1.5}, "invalidValue"),
        ({"startIndex": 10**30}, "invalidValue"),
        ({"attributes": "userName"}, "invalidValue"),
        ({"attributes": [5]}, "invalidValue"),
        ({"sortBy": ["userName"]}, "invalidValue"),
        ({"filter": "nope eq 1"}, "invalidFilter"),
        ({"cursor": "x"}, "invalidCursor"),
    ],
)
def test_wrong_search_requests_are_refused(ask: Ask, body: Any, scim_type: str):
    for path in ("/Users/.search", "/.search"):
        assert_scim_error(ask("POST", path, body), 400, scim_type)


def test_root_has_resources_of_every_type_in_one_order(ask: Ask):
    bob = create(ask, "/Users", userName="bob", displayName="Bob", title="T")
    create(ask, "/Groups", displayName="alpha", members=[{"value": bob}])
    create(ask, "/Users", userName="amy", displayName="Amy")
    create(ask, "/Groups", displayName="Zeta")
    for path in ("", "/"):
        assert names(ask("GET", path)) == ["bob", "alpha", "amy", "Zeta"]
    assert names(ask("GET", "/", sortBy="displayName")) == ["alpha", "amy", "bob", "Zeta"]
    assert names(ask("GET", "/", sortBy="displayName", sortOrder="descending", startIndex=2, count=2)) == ["bob", "amy"]
    assert names(ask("GET", "/", sortBy="userName")) == ["amy", "bob", "alpha", "Zeta"]
    assert walk(ask, "/", sortBy="userName", count=1) == ["amy", "bob", "alpha", "Zeta"]
    assert walk(ask, "/", count=3) == ["bob", "alpha", "amy", "Zeta"]
    first, group = ask("GET", "/", count=2).body["Resources"]
    assert (first["groups"][0]["display"], group["members"][0]["value"]) == ("alpha", bob)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('meta.resourceType eq "Group"', ["g"]),
        ('userName eq "u"', ["u"]),
        ('userName ne "x"', ["u", "g"]),
        ("userName pr", ["u"]),
        ("not (userName pr)", ["g"]),
        ("userName eq null", ["g"]),
        ('userName eq "x" or members pr', ["g"]),
        ('emails[type eq "work"].value eq "w"', ["u"]),
        ('emails[type eq "work" and not (value eq "x")]', ["u"]),
        ('members[value eq "nobody"] or displayName eq "g"', ["g"]),
        ('displayName sw "u" and userName eq "u"', ["u"]),
        ('title eq "a" or (userName gt "a" and members.value ne "x")', ["u"]),
    ],
)
def test_attribute_that_a_type_does_not_have_has_no_value_there(ask: Ask, text: str, found: list[str]):
    create(ask, "/Users", userName="u", displayName="u", emails=[{"type": "work", "value": "w"}])
    user = create(ask, "/Users", userName="v")
    ask("DELETE", f"/Users/{user}")
    member = create(ask, "/Users", userName="member")
    create(ask, "/Groups", displayName="g", members=[{"value": member}])
    assert [name for name in names(ask("GET", "/", filter=text)) if name != "member"] == found


@pytest.mark.parametrize(
    "text",
    [
        'nope eq "x"',
        'nope eq "x" or userName pr',
        'nope[a eq "x"]',
        'emails[nope eq "x"]',
        'emails[type eq "x" and value[a eq "b"]]',
        "userName",
        "userName zz 5",
        "userName eq",
        "active eq 5",
        "members eq",
        'userName eq "x" members pr',
        "userName pr)",
    ],
)
def test_filter_that_no_type_can_have_is_refused(ask: Ask, text: str):
    assert_scim_error(ask("GET", "/", filter=text), 400, "invalidFilter")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(["userName", "members", "nope", "eq", "pr", "(", ")", "[", "]", "and", "or", "not", '"x"', "null", "."]),
        max_size=9,
    )
)
def test_no_filter_of_the_root_gives_500(ask: Ask, words: list[str]):
    assert call_root(ask, " ".join(words)).status in (200, 400)


def call_root(ask: Ask, text: str) -> Answer:
    return ask("GET", f"/?filter={quote(text)}")


def test_no_tenant_finds_what_is_another_tenants(new_ask: Callable[[], Ask]):
    mine, other = new_ask(), new_ask()
    create(mine, "/Users", userName="mine")
    for parameters in (
        {},
        {"sortBy": "userName"},
        {"cursor": ""},
        {"filter": "userName pr"},
        {"sortBy": "title", "sortOrder": "descending"},
    ):
        assert names(other("GET", "/", **parameters)) == []
        assert other("GET", "/", **parameters).body["totalResults"] == 0
        assert names(other("GET", "/Users", **parameters)) == []
    create(mine, "/Users", userName="mine too")
    cursor = mine("GET", "/Users", cursor="", count=1).body["nextCursor"]
    assert_scim_error(other("GET", "/Users", cursor=cursor), 400, "invalidCursor")
