"""The log says whose request it was, what it was on and why it failed, and never an attribute's value."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.settings import DatabaseSettings, ServerSettings, Settings
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.web.app import create_app
from scimsvc.web.observe import logs
from tests.support.client import Answer
from tests.support.server import BASE_PATH, new_token
from tests.support.wsgi import call

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
Ask = Callable[..., Answer]
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What is written to the log, as it is."""
    written: list[bytes] = []
    monkeypatch.setattr(logs.Lines, "send", lambda _, lines: written.append(lines))
    return written


@pytest.fixture
def lines(sent: list[bytes], app: Flask) -> Lines:
    """The lines since the last look, without those of the look itself."""

    def look() -> list[dict[str, Any]]:
        call(app, "GET", b"/metrics")
        found = [json.loads(line) for line in b"".join(sent).splitlines()]
        sent.clear()
        # The application of an earlier test may write its last lines later.
        own = [line for line in found if line.get("tenant", "acme") == "acme"]
        return [line for line in own if line["event"] in ("request", "operation") and line["endpoint"] != "/metrics"]

    return look


@pytest.fixture
def ask(app: Flask, database: Database) -> Ask:
    """A client of a tenant in this process; `token` is sent in the place of the tenant's own."""
    own = new_token(database, "acme")

    def send(method: str, path: str, body: Any = None, token: str = own, **headers: str) -> Answer:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        known = {name.replace("_", "-"): value for name, value in headers.items()}
        return call(app, method, f"{BASE_PATH}{path}".encode(), {"Authorization": f"Bearer {token}"} | known, raw)

    return send


def replacing(path: str, value: Any) -> dict[str, Any]:
    return {"Operations": [{"op": "replace", "path": path, "value": value}]}


def only(lines: Lines, *names: str) -> tuple[Any, ...]:
    (line,) = lines()
    return tuple(line.get(name) for name in names)


def test_a_request_names_tenant_token_operation_and_resource(ask: Ask, lines: Lines) -> None:
    named = ("tenant", "token", "operation", "resource_id", "effect", "status")
    id_ = ask("POST", "/Users", {"userName": "a"}).body["id"]
    assert only(lines, *named) == ("acme", 1, "create", id_, None, 201)
    for method, path, body, operation, effect, status in (
        ("GET", f"/Users/{id_}", None, "get", None, 200),
        ("GET", "/Users", None, "query", None, 200),
        ("POST", "/Users/.search", {}, "query", None, 200),
        ("GET", "/", None, "query", None, 200),
        ("GET", "/Schemas", None, "discovery", None, 200),
        ("PUT", f"/Users/{id_}", {"userName": "a", "active": False}, "replace", "disable", 200),
        (
            "PATCH",
            f"/Users/{id_}",
            {"Operations": [{"op": "replace", "path": "active", "value": "True"}]},
            "patch",
            "enable",
            200,
        ),
        ("PATCH", f"/Users/{id_}", {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}, "patch", None, 200),
        ("DELETE", f"/Users/{id_}", None, "delete", None, 204),
    ):
        assert ask(method, path, body).status == status
        id_of_path = id_ if id_ in path else None
        assert only(lines, *named) == ("acme", 1, operation, id_of_path, effect, status), (method, path)


def test_a_refusal_names_the_attribute_or_the_rule(ask: Ask, lines: Lines) -> None:
    id_ = ask("POST", "/Users", {"userName": "taken", "externalId": "1"}).body["id"]
    ask("POST", "/Users", {"userName": "other"})
    lines()

    def patch(op: str, path: str, value: Any = None) -> dict[str, Any]:
        return {"Operations": [{"op": op, "path": path, "value": value}]}

    many = " and ".join(f'title co "{number}"' for number in range(30))
    for method, path, body, headers, expected in (
        ("POST", "/Users", {"userName": "taken"}, {}, (409, "uniqueness", "userName", None)),
        ("POST", "/Users", {"userName": "new", "externalId": "1"}, {}, (409, "uniqueness", "externalId", None)),
        ("POST", "/Users", {"userName": "b", "active": "x"}, {}, (400, "invalidValue", "active", None)),
        ("POST", "/Users", {"userName": "b", "emails": [{"value": {}}]}, {}, (400, "invalidValue", "emails.value", None)),
        ("POST", "/Users", {}, {}, (400, "invalidValue", "userName", None)),
        (
            "POST",
            "/Users",
            {"userName": "b", ENTERPRISE: {"department": {}}},
            {},
            (400, "invalidValue", f"{ENTERPRISE}:department", None),
        ),
        ("PATCH", f"/Users/{id_}", patch("remove", "userName"), {}, (400, "mutability", "userName", None)),
        (
            "PATCH",
            f"/Users/{id_}",
            patch("replace", "groups", []),
            {},
            (400, "mutability", "groups", None),
        ),
        (
            "PATCH",
            f"/Users/{id_}",
            patch("add", "active", "x"),
            {},
            (400, "invalidValue", "active", None),
        ),
        ("POST", "/Groups", {"displayName": "g", "members": [{"value": "nope"}]}, {}, (400, "invalidValue", "members", None)),
        ("GET", f"/Users?filter={quote(many)}", None, {}, (400, "tooMany", None, "limits.filter_scans")),
        ("POST", "/Users", {"a": json.loads("[" * 20 + "]" * 20)}, {}, (400, "invalidSyntax", None, "limits.nesting")),
        (
            "POST",
            "/Users",
            {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "userName": "b"},
            {},
            (400, "invalidValue", "schemas", None),
        ),
        ("PATCH", f"/Users/{id_}", patch("add", "title", "x"), {"If_Match": 'W/"9"'}, (412, None, None, "If-Match")),
        ("GET", "/Users", None, {"Accept": "text/html"}, (406, None, None, "Accept")),
        ("POST", "/Users", {}, {"Content_Type": "text/plain"}, (415, None, None, "Content-Type")),
    ):
        answer = ask(method, path, body, **headers)
        assert only(lines, "status", "scimType", "attribute", "rule") == expected, (method, path, answer.raw)


def test_names_that_are_ignored_are_in_the_line_if_they_are_plain(ask: Ask, lines: Lines) -> None:
    id_ = ask("POST", "/Users", {"userName": "a", "title": "t", "nick": None, "x": ""}).body["id"]
    assert only(lines, "ignored", "ignored_count") == (None, None)
    for names, shown in (
        (["tag"], ["tag"]),
        (["urn:x:y", "z-z_$.1"], ["urn:x:y", "z-z_$.1"]),
        (["d", "c", "b", "a"], ["d", "c", "b"]),
        (["Ann Lee", "a@x.com", "é", 'a"b', "a\n", "x" * 65, ""], []),
        (["Ann Lee", "x" * 64], ["x" * 64]),
        (["A", "Secret", "tag"], ["tag"]),
    ):
        body = {"userName": "a"} | dict.fromkeys(names, "secret")
        assert ask("PUT", f"/Users/{id_}", body).status == 200
        assert only(lines, "ignored", "ignored_count") == (shown, len(names))
    ask("POST", "/Users", {"userName": "a", "tag": "x"})
    assert only(lines, "status", "ignored") == (409, None)
    creates = [
        {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name, name * 2: 1}} for name in ("p", "q")
    ]
    ask("POST", "/Bulk", {"schemas": [BULK], "Operations": creates})
    assert [(line["event"], line.get("ignored")) for line in lines()] == [
        ("request", None),
        ("operation", ["pp"]),
        ("operation", ["qq"]),
    ]


def test_names_in_parameters_that_are_ignored_are_in_the_line(ask: Ask, lines: Lines) -> None:
    path = f"/Users/{ask('POST', '/Users', {'userName': 'a'}).body['id']}"
    lines()
    search = ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]
    for method, target, body, ignored in (
        ("GET", f"{path}?attributes=userName,schemas,id,meta,NAME.givenName,department,members", None, ["members"]),
        ("GET", f"{path}?attributes=foo, userName,foo&excludedAttributes=bar.baz".replace(" ", "%20"), None, ["foo", "bar.baz"]),
        ("GET", "/Users?attributes=foo", None, ["foo"]),
        ("PATCH", f"{path}?attributes=foo", {"Operations": [{"op": "add", "path": "title", "value": "x"}]}, ["foo"]),
        ("PUT", f"{path}?attributes=foo", {"userName": "a", "tag": "x"}, ["foo", "tag"]),
        # Groups alone have members, and users alone have titles.
        ("GET", "/?attributes=members,title,foo", None, ["foo"]),
        (
            "POST",
            "/Users/.search",
            {"schemas": search, "attributes": ["foo"], "Filtre": "x", "count": 1, "no": None},
            ["Filtre", "foo"],
        ),
        ("POST", "/.search", {"attributes": ["foo", "title"], "filters": "x"}, ["filters", "foo"]),
    ):
        assert ask(method, target, body).status == 200, target
        assert only(lines, "ignored", "ignored_count") == (ignored, len(ignored)), target


def test_rules_of_the_dialect_that_changed_a_request_are_in_its_line(ask: Ask, lines: Lines) -> None:
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    names = {"givenName": "A", "familyName": "B"}
    emails = [{"type": "work", "value": "a@x.com", "primary": True}]
    whole = {"schemas": [enterprise], "userName": "a", "active": True, "name": names, "emails": emails, "roles": [{"value": "r"}]}
    id_ = ask("POST", "/Users", {**whole, enterprise: {"department": "D", "manager": {"value": "1"}}}).body["id"]
    assert only(lines, "dialect") == (None,)
    path = f"/Users/{id_}"

    def by(text: str) -> str:
        return f"/Users?filter={quote(text)}"

    manager = {"op": "Add", "path": "manager", "value": "2"}
    for method, target, body, rules in (
        ("GET", path, None, None),
        ("GET", f"{path}?attributes=emails.value", None, None),
        ("GET", f"{path}?attributes=department", None, ["extension_attribute_without_urn"]),
        ("GET", f"{path}?attributes={quote('emails[type eq 1]')}", None, ["brackets_in_attributes"]),
        ("GET", by('userName eq "a"'), None, None),
        ("GET", by('userName eq a and active eq "True"'), None, ["unquoted_string", "quoted_boolean"]),
        ("GET", by('emails[type eq "work"].value eq "a"'), None, ["term_after_value_filter"]),
        ("GET", "/?filter=userName%20eq%20a", None, ["unquoted_string"]),
        ("GET", "?aadOptscim062020/Users", None, ["flag_inside_target"]),
        ("PATCH", path, {"Operations": [{"op": "replace", "path": "title", "value": "x"}]}, None),
        ("PATCH", path, {"Operations": [{"op": "replace", "value": {"title": "x", "emails": emails}}]}, None),
        (
            "PATCH",
            path,
            {"Operations": [{"op": "Replace", "path": "active", "value": "True"}]},
            ["op_in_any_case", "boolean_as_string"],
        ),
        (
            "PATCH",
            path,
            {"Operations": [manager]},
            ["op_in_any_case", "extension_attribute_without_urn", "path_spelling", "reference_as_string"],
        ),
        ("PATCH", path, {"Operations": [{"op": "replace", "value": {"name.givenName": "x"}}]}, ["names_instead_of_path"]),
        ("PUT", path, whole, None),
        (
            "PUT",
            path,
            {**whole, "active": "true", "title": "", "roles": ["r"]},
            ["boolean_as_string", "empty_string", "plain_values_of_complex"],
        ),
        ("PUT", path, {**whole, "schemas": ["urn:x"]}, ["unknown_schema_uris"]),
        ("PUT", path, {**whole, "roles": [{"value": '{"value": "r"}'}]}, ["json_in_string"]),
        ("POST", "/Users", {**whole, "active": "x", "title": ["T"]}, ["single_value_in_array"]),
    ):
        answer = ask(method, target, body)
        found = only(lines, "dialect")[0]
        assert (found and set(found)) == (rules and set(rules)), (method, target, body, answer.raw)
    operations = [
        {"method": "PATCH", "path": path, "data": {"Operations": [{"op": op, "path": "title", "value": "x"}]}}
        for op in ("replace", "Replace")
    ]
    ask("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
    assert [line.get("dialect") for line in lines()] == [None, None, ["op_in_any_case"]]


def test_a_refused_token_is_still_somebodys(ask: Ask, lines: Lines, database: Database) -> None:
    record = tenants.find_tenant(database, "acme")
    assert record
    revoked = tenants.create_token(database, record, "", None)
    tenants.revoke_token(database, record, tenants.tokens(database, record)[-1].id)
    expired = tenants.create_token(database, record, "", datetime.now(UTC) - timedelta(days=1))
    application = tenants.create_token(database, record, "", None, tenants.ACCOUNTS)
    user = tenants.create_token(database, record, "", None, tenants.ME, "absent")
    numbers = [token.id for token in tenants.tokens(database, record)]
    whose = ("status", "tenant", "token", "rule")
    for place, (token, status, rule) in enumerate(
        [
            (revoked, 401, "token revoked"),
            (expired, 401, "token expired"),
            (application, 403, "token scope"),
            (user, 403, "token scope"),
        ],
        1,
    ):
        ask("GET", "/Users", token=token)
        assert only(lines, *whose) == (status, "acme", numbers[place], rule)
    ask("GET", "/Me", token=user)
    assert only(lines, *whose) == (401, "acme", numbers[-1], "token of no user")
    ask("GET", "/Users", token="unknown")
    assert only(lines, *whose) == (401, None, None, "token unknown")
    ask("GET", "/Nope", token=revoked)
    assert only(lines, *whose) == (401, "acme", numbers[1], "token revoked")


def test_a_request_that_the_worker_has_no_room_for_is_its_tenants(app: Flask, ask: Ask, lines: Lines, database: Database) -> None:
    token = new_token(database, "acme")
    ask("GET", "/Users", token=token)
    lines()
    overloaded = {"Authorization": f"Bearer {token}"}
    answer = call(app, "GET", f"{BASE_PATH}/Users".encode(), overloaded, overloaded=True)
    assert answer.status == 429
    assert only(lines, "status", "tenant", "rule", "operation") == (429, "acme", "limits.queued_requests", "query")


def test_each_operation_of_a_bulk_request_has_a_line(ask: Ask, lines: Lines) -> None:
    first = ask("POST", "/Users", {"userName": "a"}).body["id"]
    lines()
    disable = {"Operations": [{"op": "replace", "path": "active", "value": False}]}
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "b"}},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": "a"}},
        {"method": "PATCH", "path": f"/Users/{first}", "data": disable},
        {"method": "DELETE", "path": "/Users/nope"},
        {"method": "HUSH", "path": "/hush"},
    ]
    answer = ask("POST", "/Bulk", {"schemas": [BULK], "Operations": operations})
    made = answer.body["Operations"][0]["location"].rpartition("/")[2]
    request, *found = lines()
    assert (request["event"], request["operation"], request["status"]) == ("request", "bulk", 200)
    named = ("index", "method", "endpoint", "operation", "status", "resource_id", "effect", "scimType", "attribute")
    assert [tuple(line.get(name) for name in named) for line in found] == [
        (0, "POST", "/users", "create", 201, made, None, None, None),
        (1, "POST", "/users", "create", 409, None, None, "uniqueness", "userName"),
        (2, "PATCH", "/users/{id}", "patch", 200, first, "disable", None, None),
        (3, "DELETE", "/users/{id}", "delete", 404, None, None, None, None),
        (4, "other", "other", "other", 400, None, None, "invalidSyntax", None),
    ]
    assert {(line["event"], line["request_id"], line["tenant"]) for line in found} == {
        ("operation", request["request_id"], "acme")
    }


def test_the_client_address_is_the_one_that_proxies_tell(settings: Settings, database: Database, sent: list[bytes]) -> None:
    app = create_app(replace(settings, database=DatabaseSettings(database.url), server=ServerSettings(trusted_proxies=1)))
    for forwarded in ("198.51.100.7", "made-up, 198.51.100.7", "hush"):
        call(app, "GET", b"/nope", {"X-Forwarded-For": forwarded})
    call(app, "GET", b"/metrics")
    found = [json.loads(line) for line in b"".join(sent).splitlines()]
    assert [line.get("client") for line in found if line["endpoint"] == "other"] == ["198.51.100.7", "198.51.100.7", None]
    app.extensions["scimsvc"].database.close()


@pytest.mark.parametrize("scheme", ["https://evil.example/?x=", "javascript", "ftp", "https, http"])
def test_a_scheme_that_is_none_of_http_is_refused(settings: Settings, database: Database, scheme: str) -> None:
    app = create_app(replace(settings, database=DatabaseSettings(database.url), server=ServerSettings(trusted_proxies=1)))
    headers = {"Authorization": f"Bearer {new_token(database, 'acme')}"}
    users = f"{BASE_PATH}/Users".encode()
    answer = call(app, "POST", users, headers | {"X-Forwarded-Proto": scheme}, b'{"userName": "a"}')
    if scheme == "https, http":
        # The last one is that of the trusted proxy.
        assert answer.headers["Location"].startswith("http://")
    else:
        assert (answer.status, answer.body["detail"]) == (400, "The header X-Forwarded-Proto must be http or https.")
        assert call(app, "GET", users, headers).body["totalResults"] == 0
    for good in ("http", "https", "HTTPS"):
        body = json.dumps({"userName": good + "1"}).encode()
        answer = call(app, "POST", users, headers | {"X-Forwarded-Proto": good}, body)
        assert answer.status in (201, 409)
        assert answer.status == 409 or answer.headers["Location"].startswith(f"{good.lower()}://")
    app.extensions["scimsvc"].database.close()


def test_no_answer_is_guessed_or_kept(app: Flask) -> None:
    paths = ("/healthz", "/readyz", "/metrics", "/", "/docs", "/nope", f"{BASE_PATH}/Users", "//metrics")
    for method in ("GET", "POST", "OPTIONS"):
        for path in paths:
            headers = call(app, method, path.encode()).headers
            assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


VALUES = st.one_of(
    st.from_regex(r"[a-zA-Z]{12}[a-z0-9@.\- ]{0,8}", fullmatch=True),
    st.uuids(version=4).map(str),
    st.from_regex(r"[a-z]{8}[0-9]{3}@[a-z]{5}\.example", fullmatch=True),
    st.from_regex(r"[0-9]{14}", fullmatch=True),
    st.from_regex(r"[äöüßéñ中文字例]{6}[a-z]{4}", fullmatch=True),
)
NAMES = ["userName", "externalId", "title", "name.givenName", "emails", 'emails[type eq "work"].value', "active", "manager"]
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_attribute_value_is_ever_logged(ask: Ask, lines: Lines, sent: list[bytes], data: st.DataObject) -> None:
    value = data.draw(VALUES)
    name = data.draw(st.sampled_from(NAMES))
    op = data.draw(st.sampled_from(["add", "replace", "remove", value]))
    user = {
        "userName": value,
        "externalId": value,
        "displayName": value,
        "emails": [{"type": data.draw(st.sampled_from(["work", value])), "value": value}],
        "active": data.draw(st.sampled_from([True, value])),
        ENTERPRISE: {"manager": {"value": value}},
        data.draw(st.sampled_from(["title", value])): value,
        "password": value,
    }
    operations = [
        {"op": op, "path": name, "value": value},
        {"op": op, "path": f'emails[value eq "{value}"].value', "value": value},
        {"op": op, "value": {name: value, value: value}},
    ]
    patch = {"Operations": data.draw(st.lists(st.sampled_from(operations), min_size=1, max_size=3))}
    members = {"displayName": value, "members": [{"value": value}]}
    id_ = ask("POST", "/Users", user).body.get("id", value)
    bulk = [
        {"method": "POST", "path": "/Users", "bulkId": value, "data": user},
        {"method": "PATCH", "path": f"/Users/{quote(value)}", "data": patch},
        {"method": "PATCH", "path": f"/Users/{id_}", "version": value, "data": patch},
        {"method": value, "path": f"/{value}"},
        {"method": "DELETE", "path": f"/{value.replace(' ', '')}/{quote(value)}"},
    ]
    text = quote(f'{name.partition("[")[0]} eq "{value}"')
    headers = {"If_Match": f'W/"{value.encode("ascii", "ignore").decode()}"', "Accept": data.draw(st.sampled_from(["*/*", "x"]))}
    requests: list[tuple[str, str, Any, dict[str, str]]] = [
        ("PATCH", f"/Users/{id_}", patch, headers),
        ("PATCH", f"/Users/{id_}", patch, {}),
        ("PUT", f"/Users/{quote(value)}", user, {}),
        ("GET", f"/Users/{quote(value)}?attributes={quote(value)}", None, {}),
        ("GET", f"/{quote(value)}/{quote(value)}", None, {}),
        ("GET", f"/Users?filter={text}&sortBy={quote(value)}", None, {}),
        ("GET", f"/Users?filter={quote(value)}", None, {}),
        ("POST", "/.search", {"filter": f'userName eq "{value}"', "count": value}, {}),
        ("POST", "/Groups", members, {}),
        ("POST", "/Bulk", {"schemas": [BULK], "Operations": bulk}, {}),
        ("POST", "/Users", json.dumps(user).encode()[:-3], {}),
        ("DELETE", f"/Users/{id_}", None, {}),
    ]
    for method, path, body, more in requests:
        assert ask(method, path, body, **more).status < 500
    call_lines = b"".join(sent).decode()
    found = lines()
    told = call_lines + json.dumps(found, ensure_ascii=False)
    for form in {value, value.lower(), quote(value), json.dumps(value)[1:-1]}:
        assert form not in told
    assert len([line for line in found if line["event"] == "request"]) >= len(requests)
