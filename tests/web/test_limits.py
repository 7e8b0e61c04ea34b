"""What is too much, too deep or of the wrong kind is refused with a 4xx that says so, and stores nothing."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from scimsvc.schema.core import USER_URN
from scimsvc.store.database import Database
from tests.support.client import Answer, Client
from tests.support.errors import assert_scim_error
from tests.support.raw import exchange
from tests.support.server import BASE_PATH, new_token
from tests.support.wsgi import call

HUGE = b"9" * 5000
BODIES = {
    "empty": (b"", "invalidSyntax"),
    "only spaces": (b"   ", "invalidSyntax"),
    "null": (b"null", "invalidSyntax"),
    "a string": (b'"userName"', "invalidSyntax"),
    "an array": (b'[{"userName": "a"}]', "invalidSyntax"),
    "cut off": (b'{"userName": "a"', "invalidSyntax"),
    "two documents": (b'{"userName": "a"} {"userName": "b"}', "invalidSyntax"),
    "a form": (b"userName=a", "invalidSyntax"),
    "UTF-16": ('{"userName": "a"}'.encode("utf-16"), "invalidSyntax"),
    "invalid UTF-8": (b'{"userName": "\xff\xfe"}', "invalidSyntax"),
    "UTF-8 of a surrogate": (b'{"userName": "\xed\xa0\x80"}', "invalidSyntax"),
    "lone surrogate": (b'{"userName": "\\ud800"}', "invalidSyntax"),
    "raw control character": (b'{"userName": "a\x01"}', "invalidSyntax"),
    "raw NUL": (b'{"userName": "a\0"}', "invalidSyntax"),
    "escaped NUL": (b'{"userName": "a\\u0000"}', "invalidValue"),
    "escaped NUL inside": (b'{"userName": "a", "emails": [{"value": "\\u0000"}]}', "invalidValue"),
    "infinite": (b'{"userName": "a", "active": 1e400}', "invalidSyntax"),
    "infinite below zero": (b'{"userName": -1e400}', "invalidSyntax"),
    "NaN": (b'{"userName": NaN}', "invalidSyntax"),
    "Infinity": (b'{"userName": Infinity}', "invalidSyntax"),
    "5,000 digits": (b'{"userName": %s}' % HUGE, "invalidSyntax"),
    "100,000 arrays": (b"[" * 100_000 + b"]" * 100_000, "invalidSyntax"),
    "100,000 arrays, never closed": (b"[" * 100_000, "invalidSyntax"),
    "100,000 objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "invalidSyntax"),
    "nested deeper than the limit": (b'{"userName": "a", "x": %s}' % (b"[" * 16 + b"1" + b"]" * 16), "invalidSyntax"),
    "number as name": (b'{"userName": 5.5}', "invalidValue"),
    "64-bit number as name": (b'{"userName": 18446744073709551616}', "invalidValue"),
    "boolean as name": (b'{"userName": true}', "invalidValue"),
    "object as name": (b'{"userName": {"formatted": "a"}}', "invalidValue"),
    "empty name": (b'{"userName": ""}', "invalidValue"),
    "no name": (b'{"schemas": ["%s"]}' % USER_URN.encode(), "invalidValue"),
    "number as boolean": (b'{"userName": "a", "active": 1}', "invalidValue"),
    "string as complex": (b'{"userName": "a", "name": "A B"}', "invalidValue"),
    "number as e-mail": (b'{"userName": "a", "emails": [{"value": 1.5}]}', "invalidValue"),
    "number as e-mails": (b'{"userName": "a", "emails": 1}', "invalidValue"),
    "array in array": (b'{"userName": "a", "emails": [[["x"]]]}', "invalidValue"),
    "not Base64": (b'{"userName": "a", "x509Certificates": [{"value": "#"}]}', "invalidValue"),
    "schemas of another kind": (b'{"userName": "a", "schemas": [1]}', "invalidSyntax"),
    "schemas as string": (b'{"userName": "a", "schemas": "%s"}' % USER_URN.encode(), "invalidSyntax"),
    "schema of a group": (b'{"userName": "a", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}', "invalidValue"),
}


def test_bodies_that_are_no_user_are_refused_and_store_nothing(client: Client) -> None:
    kept = client.post("/Users", {"userName": "kept"}).body["id"]
    before = client.get(f"/Users/{kept}").raw
    for label, (body, scim_type) in BODIES.items():
        for method, path in (("POST", "/Users"), ("PUT", f"/Users/{kept}")):
            answer = client(method, path, raw=body)
            assert (label, method, answer.status) == (label, method, 400)
            assert_scim_error(answer, 400, scim_type)
    assert client.get("/Users?count=0").body["totalResults"] == 1
    assert client.get(f"/Users/{kept}").raw == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"userName": "a", "x": %s}' % (b"[" * 15 + b"1" + b"]" * 15),
        b'{"userName": "a", "x": [%s]}' % b",".join([b"[]"] * 10_000),
        b'{"userName": "%s"}' % ("\U0001f600" * 10_000).encode(),
        b'{"userName": "a", "x\\u0000": "\\u0000"}',
        b'{"userName": "a"}' + b" " * 1_000_000,
        b'{"userName": "b", "userName": "a"}',
        b'{"USERNAME": "a", "password": null, "emails": null, "name": {}}',
    ],
    ids=["nested up to the limit", "wide", "long", "NUL in what is ignored", "padded", "duplicate key", "nulls"],
)
def test_odd_bodies_that_are_users_are_created(client: Client, body: bytes) -> None:
    answer = client("POST", "/Users", raw=body)
    assert answer.status == 201, answer.raw[:500]
    assert client.get(f"/Users/{answer.body['id']}").body["userName"] == json.loads(body.lower().replace(b"username", b"n"))["n"]


PATCHES: list[tuple[Any, str]] = [
    ([], "invalidSyntax"),
    ({}, "invalidSyntax"),
    ({"Operations": {}}, "invalidSyntax"),
    ({"Operations": [1]}, "invalidSyntax"),
    ({"Operations": [[]]}, "invalidSyntax"),
    ({"schemas": [USER_URN], "Operations": []}, "invalidSyntax"),
    ({"Operations": [{"op": "move", "path": "title"}]}, "invalidSyntax"),
    ({"Operations": [{"op": None, "path": "title"}]}, "invalidSyntax"),
    ({"Operations": [{"op": ["add"], "path": "title", "value": "x"}]}, "invalidSyntax"),
    ({"Operations": [{"op": "add", "path": 5, "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "emails[", "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "emails[type eq", "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "nope", "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "x" * 9000, "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "a." * 4000, "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "emails[" + "(" * 1000, "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "add", "path": "title\0", "value": "x"}]}, "invalidPath"),
    ({"Operations": [{"op": "remove"}]}, "noTarget"),
    ({"Operations": [{"op": "replace", "path": "id", "value": "x"}]}, "mutability"),
    ({"Operations": [{"op": "replace", "path": "meta.created", "value": "2026-01-31T08:30:00Z"}]}, "mutability"),
    ({"Operations": [{"op": "remove", "path": "userName"}]}, "mutability"),
    ({"Operations": [{"op": "add", "value": "x"}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "title", "value": 5.5}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "title", "value": {"a": "b"}}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "title", "value": ["a", "b"]}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "title", "value": "\0"}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "active", "value": "perhaps"}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "active", "value": 10**18}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "name", "value": "A B"}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": 'emails[type eq "work"].value', "value": 1.5}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "title", "value": "x" * 1_500_000}]}, "invalidValue"),
    ({"Operations": [{"op": "add", "path": "title", "value": "x"}] * 1001}, "tooMany"),
    ({"Operations": [{"op": "add", "path": "title", "value": "x"}] * 999 + [{"op": "add"}]}, "invalidValue"),
]


def test_patches_that_are_none_are_refused_and_change_nothing(client: Client) -> None:
    user = client.post("/Users", {"userName": "a", "emails": [{"type": "work", "value": "a@example.com"}]}).body["id"]
    before = client.get(f"/Users/{user}")
    for body, scim_type in PATCHES:
        assert_scim_error(client("PATCH", f"/Users/{user}", body), 400, scim_type)
    after = client.get(f"/Users/{user}")
    assert (after.raw, after.headers["ETag"]) == (before.raw, before.headers["ETag"])


def test_a_thousand_operations_are_one_patch(client: Client) -> None:
    user = client.post("/Users", {"userName": "a"}).body["id"]
    answer = client.patch(f"/Users/{user}", *({"op": "add", "path": "title", "value": str(n)} for n in range(1000)))
    assert (answer.status, answer.body["title"], answer.headers["ETag"]) == (200, "999", 'W/"2"')
    group = client.post("/Groups", {"displayName": "g", "externalId": "g"}).body["id"]
    answer = client.patch(f"/Groups/{group}", *[{"op": "add", "path": "members", "value": [{"value": user}]}] * 1000)
    assert answer.status == 204
    assert [member["value"] for member in client.get(f"/Groups/{group}").body["members"]] == [user]


@pytest.mark.parametrize(
    "text",
    [
        "userName",
        "userName eq",
        'userName eq "a',
        'userName eq "a" and',
        'userName is "a"',
        'userName eq "a" userName eq "b"',
        'userName eq "\\ud800"',
        'userName eq "\\u0000"',
        'userName eq "\0"',
        "active eq 1e400",
        f"active eq {'9' * 5000}",
        'active gt "true"',
        'meta.created gt "yesterday"',
        'nope eq "a"',
        'password eq "a"',
        'emails.nope eq "a"',
        'emails[value[value eq "a"]]',
        'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User[manager[value eq "2"]]',
        f"{'a' * 5000} pr",
        f"{'a.' * 2000}a pr",
        "(" * 1000 + 'userName eq "a"' + ")" * 1000,
        "not (" * 300 + 'userName eq "a"' + ")" * 300,
        "(" * 1000,
        ")" * 1000,
        "[" * 1000,
        " or ".join(["id pr"] * 257),
    ],
    ids=lambda text: repr(text[:30]),
)
def test_filters_that_are_none_are_refused(client: Client, text: str) -> None:
    assert_scim_error(client.filter("/Users", text), 400, "invalidFilter")


def test_filters_nested_too_deep_are_refused(app: Flask, database: Database) -> None:
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}
    for opening, closing in (("(", ")"), ("not+(", ")"), ("emails[", "]")):
        for depth, scim_type in ((33, "invalidFilter"), (700, "invalidFilter"), (100_000, "tooMany")):
            target = f"{BASE_PATH}/Users?filter={opening * depth}id+pr{closing * depth}".encode()
            assert_scim_error(call(app, "GET", target, headers), 400, scim_type)


def test_filters_of_many_terms_are_answered(app: Flask, database: Database) -> None:
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}
    text = " or ".join(['title eq "a"'] * 256)
    assert call(app, "GET", f"{BASE_PATH}/Users?filter={quote(text)}".encode(), headers).status == 200


def test_filters_nested_up_to_the_limit_are_answered(client: Client) -> None:
    client.post("/Users", {"userName": "a"})
    for opening in ("(", "not ("):
        assert client.filter("/Users", opening * 32 + 'userName eq "a"' + ")" * 32).body["totalResults"] == 1


def test_a_request_line_that_is_too_long_is_refused(client: Client) -> None:
    answer = client.filter("/Users", f'userName eq "{"x" * 20_000}"')
    assert_scim_error(answer, 414)
    assert "/.search" in answer.body["detail"]
    assert client.filter("/Users", f'userName eq "{"x" * 8_000}"').body["totalResults"] == 0
    long = f'userName eq "{"x" * 8_178}"'
    assert (len(long), client.post("/Users/.search", {"filter": long}).body["totalResults"]) == (8192, 0)


def test_headers_that_are_too_long_are_refused(client: Client) -> None:
    answer = client.get("/Users", **{"X-Long": "x" * 20_000})
    assert_scim_error(answer, 431)
    # The same headers as any other answer has.
    assert (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"]) == ("nosniff", "no-store")
    assert_scim_error(client.get("/Users", Authorization=f"Bearer {'x' * 5000}"), 401)


QUERIES: list[tuple[str, int]] = [
    *((f"startIndex={text}", 400) for text in ("abc", "1.5", "1e3", "0x1", "%00", "%D9%A3", "1%202", "1_0")),
    *((f"count={text}", 400) for text in ("abc", "-", "1.5", "null", "%22%22")),
    *((f"startIndex={text}", 200) for text in ("", "0", "-1", "1", "999999999", "9" * 4000, "-9999999999", "+1", "%2B1")),
    *((f"count={text}", 200) for text in ("", "0", "-5", "999999999", "9999999999999", "9" * 4000, "0" * 4000)),
    *((f"startIndex={'9' * 30}&{more}", 200) for more in ("sortBy=userName", "filter=userName%20pr", "count=5")),
    *((f"attributes={text}", 200) for text in ("", "nope", "userName,nope", ",,,", "*", "emails[", "%00", "%FF", "a." * 500)),
    *((f"excludedAttributes={text}", 200) for text in ("", "nope", "id,schemas,meta", "%ED%A0%80")),
    *(
        (text, 200)
        for text in (
            "nope=1",
            "sortBy=userName&sortOrder=DESCENDING",
            "sortOrder=descending",
            "sortBy=",
            "=",
            "&&&",
            "%00=%00",
            "%zz",
            "x" * 5000,
        )
    ),
    *(
        (f"sortBy={text}", 400)
        for text in ("nope", "name", "groups", "meta.location", "schemas", "password", "%00", "emails[", "x" * 999)
    ),
    *((f"sortBy=userName&sortOrder={text}", 400) for text in ("sideways", "asc", "%00")),
    *((f"cursor={text}", 400) for text in ("x", "bnVsbA", "WzAsMCx0cnVlLCIiLDBd", "%00", "%FF", "W10", "e30")),
    *((f"cursor&count={text}", 400) for text in ("0", "-1")),
    ("cursor", 200),
    ("cursor=&count=1&startIndex=5", 200),
    ("filter=%FF", 400),
    ("filter=%", 400),
    ("FILTER=nope", 400),
    *((f"{text}&{text}", 400) for text in ("filter=userName+pr", "count=5", "sortBy=userName", "cursor", "nope=1")),
    *(
        (f"{name}=&{name.upper()}={value}", 200)
        for name, value in (("filter", "userName+pr"), ("count", "5"), ("attributes", "id"))
    ),
    *((f"{name}={value}", 200) for name in ("filter", "count", "attributes", "sortOrder") for value in ("", "+", "%09")),
    ("filter=userName+pr&filter=nope", 400),
    ("attributes=userName&Attributes=title&attributes=", 200),
]


def test_query_values_are_understood_or_refused(client: Client) -> None:
    client.post("/Users", {"userName": "a"})
    for query, status in QUERIES:
        answer = client.get(f"/Users?{query}")
        assert (query, answer.status) == (query, status)
        if status == 400:
            assert_scim_error(answer)
        else:
            assert answer.body["totalResults"] == 1
            assert (answer.body["Resources"] == []) == query.startswith(("startIndex=9", "count=0", "count=-"))


@pytest.mark.parametrize("script_name", ["/x", "/api", "/", ""])
def test_headers_of_a_proxy_count_for_nothing_where_none_stands_in_front(client: Client, script_name: str) -> None:
    sent = {"SCRIPT_NAME": script_name, "PATH_INFO": "/nowhere", "X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "off"}
    sent |= {"X-Forwarded-Protocol": "ssl", "X-Forwarded-Host": "evil.example.com", "X-Forwarded-Prefix": "/x"}
    answer = client("POST", "/Users", {"userName": "a"}, sent)
    assert (answer.status, answer.headers["Location"]) == (201, f"{client.tenant_url}/Users/{answer.body['id']}")


@pytest.mark.parametrize("host", ["[", "a b", "xn--zz/", "evil.example.com/path", "x" * 300])
def test_a_host_that_is_none_gets_into_no_answer(app: Flask, database: Database, host: str) -> None:
    headers = {"Authorization": f"Bearer {new_token(database, 't')}", "Host": host}
    answer = call(app, "GET", b"/api/scim/v2/Users", headers)
    assert_scim_error(answer, 400, None)
    assert "Host header" in answer.body["detail"]
    assert call(app, "GET", b"/healthz", headers).status == 200
    # Nothing is answered by a redirect, which would have it.
    assert call(app, "GET", b"/api//accounts", headers).status == 404


def test_a_body_of_20_mb_is_refused(app: Flask, database: Database) -> None:
    headers = {"Authorization": f"Bearer {new_token(database, 'tenant')}"}
    body = b'{"userName": "%s"}' % (b"x" * 20_000_000)
    for method, path in (("POST", "/Users"), ("PUT", "/Users/x"), ("PATCH", "/Groups/x")):
        assert_scim_error(call(app, method, f"{BASE_PATH}{path}".encode(), headers, body), 413)


def test_a_body_of_20_mb_is_refused_before_it_is_sent(client: Client) -> None:
    answer = exchange(client, "POST", "/Users", b"{", Content_Length="20000000")
    assert_scim_error(answer, 413)
    # What still comes would be taken for the next request.
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(
    ("sent", "length"),
    [
        (b'{"userName": "a"}', "0"),
        (b'{"userName": "a"}', "5"),
        (b'{"userName": "a"}', "100"),
        (b'{"userName": "a"', "1000"),
        (b'{"userName": "a"}', "-1"),
        (b'{"userName": "a"}', "17.0"),
        (b'{"userName": "a"}', "seventeen"),
        (b'{"userName": "a"}', "17, 17"),
    ],
)
def test_a_wrong_content_length_is_refused(client: Client, sent: bytes, length: str) -> None:
    assert_scim_error(exchange(client, "POST", "/Users", sent, Content_Length=length), 400)
    assert client.get("/Users").body["totalResults"] == 0


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity, chunked", "deflate,chunked"])
def test_other_transfer_codings_are_refused(client: Client, coding: str) -> None:
    chunks = b'11\r\n{"userName": "a"}\r\n0\r\n\r\n'
    assert exchange(client, "POST", "/Users", chunks, Transfer_Encoding="Chunked").status == 201
    assert_scim_error(exchange(client, "POST", "/Users", chunks, Transfer_Encoding=coding), 501)


def test_what_comes_after_the_content_length_is_no_part_of_the_body(client: Client) -> None:
    assert exchange(client, "POST", "/Users", b'{"userName": "a"}, "title": "b"}', Content_Length="17").status == 201
    assert client.get("/Users?attributes=title,userName").body["Resources"][0]["userName"] == "a"


def test_a_body_without_a_length_is_empty(client: Client) -> None:
    assert_scim_error(exchange(client, "POST", "/Users", b'{"userName": "a"}'), 400, "invalidSyntax")


def test_a_chunked_body_is_read(client: Client) -> None:
    parts = (b'{"user', b'Name": ', b'"a"}')
    chunks = [b"%x\r\n%s\r\n" % (len(part), part) for part in parts]
    assert exchange(client, "POST", "/Users", *chunks, b"0\r\n\r\n", Transfer_Encoding="chunked").status == 201


def test_a_chunked_body_that_breaks_off_is_refused(client: Client) -> None:
    answer = exchange(client, "POST", "/Users", b'11\r\n{"userName": "a"}\r\n', b"50\r\nabc", Transfer_Encoding="chunked")
    assert_scim_error(answer, 400)
    assert client.get("/Users").body["totalResults"] == 0


def test_a_chunked_body_with_a_wrong_size_is_refused(client: Client) -> None:
    answer = exchange(client, "POST", "/Users", b"zz\r\nabc\r\n0\r\n\r\n", Transfer_Encoding="chunked")
    assert_scim_error(answer, 400)


def test_a_chunked_body_of_20_mb_is_refused(client: Client) -> None:
    chunks = [b"100000\r\n%s\r\n" % (b" " * 0x100000) for _ in range(20)]
    assert_scim_error(exchange(client, "POST", "/Users", *chunks, b"0\r\n\r\n", Transfer_Encoding="chunked"), 413)


def test_a_body_with_two_lengths_is_refused(client: Client) -> None:
    chunks = b'11\r\n{"userName": "a"}\r\n0\r\n\r\n'
    assert_scim_error(exchange(client, "POST", "/Users", chunks, Transfer_Encoding="chunked", Content_Length="5"), 400)
    assert_scim_error(exchange(client, "POST", "/Users", chunks, Transfer_Encoding="brotli"), 501)
    assert client.get("/Users").body["totalResults"] == 0


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/scim+json", 201),
        ("application/json", 201),
        ("application/scim+json; charset=utf-8", 201),
        ('application/json;odata=verbose;charset="UTF-8"', 201),
        ("Application/SCIM+JSON", 201),
        (None, 201),
        ("text/plain", 415),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
        ("application/json-patch+json", 415),
        ("application/scim", 415),
        ("x" * 1000, 415),
    ],
)
def test_only_json_is_taken(client: Client, content_type: str | None, status: int) -> None:
    sent: Any = {"Content-Type": content_type}
    answer = client("POST", "/Users", {"userName": "a"}, headers=sent)
    assert answer.status == status
    if status == 415:
        assert_scim_error(answer)
        assert client.get("/Users").body["totalResults"] == 0


SCIM_JSON = "application/scim+json"


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        *((accept, SCIM_JSON) for accept in (SCIM_JSON, "*/*", "", "q=;,", "x" * 1000, "application/*", "text/html, */*;q=0.1")),
        *(
            (accept, SCIM_JSON)
            for accept in (
                "application/json, application/scim+json",
                "application/scim+json;q=0.5, text/html",
                "application/json;q=0.5, application/scim+json;q=0.50",
                "application/json;q=0.5, */*",
                "application/json;q=x, application/scim+json",
            )
        ),
        *(
            (accept, "application/json")
            for accept in (
                "application/json",
                "APPLICATION/JSON; q=1",
                "application/scim+json;q=0, */*",
                "application/scim+json;q=0.5, application/json",
                "application/json; q=0.2, application/scim+json;q=0.10",
                "application/scim+json;q=0.3, application/*;q=0.7",
            )
        ),
        *((accept, None) for accept in ("text/html", "text/*, image/png", "application/scim+json;q=0", "*/*;q=0.0")),
    ],
)
def test_answer_is_what_is_accepted(client: Client, accept: str, media_type: str | None) -> None:
    for path in ("/Users", "/Schemas", "/ServiceProviderConfig", "/", "/Users/nobody"):
        answer = client.get(path, Accept=accept)
        if media_type is None:
            assert_scim_error(answer, 406)
        else:
            assert (answer.status, answer.headers["Content-Type"]) == (404 if "nobody" in path else 200, media_type)
        assert answer.headers["Vary"] == "Accept"
    assert client("POST", "/Users", {"userName": "a"}, {"Accept": accept}).status == (201 if media_type else 406)
    assert client.get("/Users").body["totalResults"] == (1 if media_type else 0)


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/Users", "GET, HEAD, OPTIONS, POST"),
        ("/Groups/nobody", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("/Users/.search", "OPTIONS, POST"),
        ("/.search", "OPTIONS, POST"),
        ("", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/Bulk", "OPTIONS, POST"),
        ("/Schemas", "GET, HEAD, OPTIONS"),
        ("/Me", "GET, HEAD, OPTIONS, PATCH, PUT"),
    ],
)
def test_options_and_405_say_what_is_possible(client: Client, path: str, methods: str) -> None:
    answer = client("OPTIONS", path)
    assert (answer.status, answer.raw, answer.headers["Allow"]) == (204, b"", methods)
    answer = client("TRACE", path)
    assert_scim_error(answer, 405)
    assert answer.headers["Allow"] == methods
    assert_scim_error(client("OPTIONS", path, headers={"Authorization": "Bearer x"}), 401)


def test_head_is_get_without_the_body(client: Client) -> None:
    id_ = client.post("/Users", {"userName": "a"}).body["id"]
    for path in (f"/Users/{id_}", "/Users", "/Schemas", "/Users/nobody", "/"):
        got, head = client.get(path), client("HEAD", path)
        assert (head.status, head.raw) == (got.status, b"")
        names = ("Content-Type", "Content-Length", "ETag", "Location")
        assert [head.headers.get(name) for name in names] == [got.headers.get(name) for name in names]


def test_answers_say_where_what_they_show_is(client: Client) -> None:
    created = client.post("/Users", {"userName": "a"})
    path = f"/Users/{created.body['id']}"
    replace = {"op": "replace", "path": "title", "value": "x"}
    for answer in (created, client("PUT", path, {"userName": "b"}), client.patch(path, replace)):
        where = {answer.headers["Location"], answer.headers["Content-Location"], answer.body["meta"]["location"]}
        assert where == {client.tenant_url + path}
        assert answer.headers["ETag"] == answer.body["meta"]["version"]
    assert "Content-Location" not in client.get(path).headers


def test_requests_on_condition(client: Client) -> None:
    user, group = client.post("/Users", {"userName": "a"}).body["id"], client.post("/Groups", {"displayName": "g"}).body["id"]
    client.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": user}]})
    for path, body in ((f"/Users/{user}", {"userName": "b"}), (f"/Groups/{group}", {"displayName": "h"})):
        tag = client.get(path).headers["ETag"]
        patch = {"Operations": [{"op": "replace", "value": body}]}
        for headers in ({"If-None-Match": "*"}, {"If-None-Match": f'W/"9", {tag}'}, {"If-Match": 'W/"9"'}, {"If-Match": ""}):
            for method, sent in (("PUT", body), ("PATCH", patch), ("DELETE", None)):
                assert_scim_error(client(method, path, sent, headers), 412)
        assert client.get(path).headers["ETag"] == tag
        for method in ("GET", "HEAD"):
            assert client(method, path, headers={"If-Match": 'W/"9"'}).status == 412
            assert client(method, path, headers={"If-Match": tag}).status == 200
            unchanged = client(method, path, headers={"If-Match": tag, "If-None-Match": tag})
            assert (unchanged.status, unchanged.headers["Vary"]) == (304, "Accept")
        allowed = {"If-Match": tag, "If-None-Match": 'W/"9"'}
        answer = client("PATCH", path, patch, allowed)
        assert (answer.status, answer.headers["ETag"]) == (200 if "Users" in path else 204, client.get(path).headers["ETag"])
        assert client("DELETE", path, headers={"If-Match": "*", "If-None-Match": tag}).status == 204
        assert_scim_error(client("PUT", path, body, {"If-None-Match": "*"}), 404)


def test_version_of_a_user_is_one_whatever_is_shown_of_him(client: Client) -> None:
    path = f"/Users/{client.post('/Users', {'userName': 'a'}).body['id']}"
    client.post("/Groups", {"displayName": "g", "members": [{"value": path.removeprefix("/Users/")}]})
    tag = client.get(path).headers["ETag"]
    assert tag.startswith('W/"1-')
    for query in ("attributes=userName,meta", "excludedAttributes=groups", "attributes=groups,meta", "attributes=meta.version"):
        answer = client.get(f"{path}?{query}")
        (listed,) = client.get(f"/Users?{query}").body["Resources"]
        (ordered,) = client.get(f"/?{query}&sortBy=userName&filter=userName+pr").body["Resources"]
        assert {answer.headers["ETag"], *(one["meta"]["version"] for one in (answer.body, listed, ordered))} == {tag}
        assert ("groups" in answer.body) == ("groups" in listed) == (query == "attributes=groups,meta")
    answer = client.get(f"{path}?attributes=userName")
    assert (answer.headers["ETag"], set(answer.body)) == (tag, {"schemas", "id", "userName"})
    assert client.get(f"{path}?attributes=userName", **{"If-None-Match": tag}).status == 304
    for shown in (tag, 'W/"1"'):
        assert client.filter("/Users", f"meta.version eq {json.dumps(shown)}").body["totalResults"] == 1
        assert client.filter("/Users", f"meta.version ne {json.dumps(shown)}").body["totalResults"] == 0
    assert client.filter("/Users", 'meta.version eq "W/\\"2\\""').body["totalResults"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", path) for path in ("/Nope", "/Nope/x", "/Users/x/y", "/Users/nobody", "/Groups/nobody", "/Users/%00")),
        *(("GET", path) for path in ("/..", "/../../../healthz", "/Users/../Groups", "/Schemas/nope", "/ResourceTypes/nope")),
        *(("GET", path) for path in ("/Users/%FF", "/Users/%ED%A0%80", "/Users/" + "x" * 5000, "/User", "/Users.json")),
        *(("POST", path) for path in ("/Nope", "/Bulk/x", "/Users/x/.search")),
        *((method, "/Users/nobody") for method in ("PUT", "PATCH", "DELETE")),
        *((method, "/Groups/nobody") for method in ("PUT", "PATCH", "DELETE")),
    ],
)
def test_what_is_not_there_is_404(client: Client, method: str, path: str) -> None:
    whole = {"userName": "a", "displayName": "a"}
    body: dict[str, Any] = {"Operations": []} if method == "PATCH" else whole
    assert_scim_error(client(method, path, body if method in ("POST", "PUT", "PATCH") else None), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        *((method, "/Users", {"GET", "HEAD", "POST"}) for method in ("PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")),
        *((method, "/Groups", {"GET", "HEAD", "POST"}) for method in ("PUT", "PATCH", "DELETE")),
        *((method, "/Users/x", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}) for method in ("POST", "TRACE", "PURGE")),
        *((method, "/Users/.search", {"POST", "OPTIONS"}) for method in ("GET", "PUT", "PATCH", "DELETE")),
        *((method, "/Schemas", {"GET", "HEAD"}) for method in ("POST", "PUT", "PATCH", "DELETE")),
    ],
)
def test_a_method_that_is_not_possible_is_405_with_those_that_are(
    client: Client, method: str, path: str, allowed: set[str]
) -> None:
    answer = client(method, path)
    assert_scim_error(answer, 405)
    assert allowed <= set(answer.headers["Allow"].split(", "))


def test_head_answers_as_get_without_the_body(client: Client) -> None:
    user = client.post("/Users", {"userName": "a"}).body["id"]
    for path in (
        "/Users",
        f"/Users/{user}",
        "/Users/nobody",
        "/Schemas",
        "/ServiceProviderConfig",
        "/Nope",
        "/Users?filter=nope",
    ):
        get, head = client.get(path), client("HEAD", path)
        assert (head.status, head.raw) == (get.status, b"")
        assert described(head) == described(get)


def described(answer: Answer) -> dict[str, str | None]:
    return {name: answer.headers.get(name) for name in ("Content-Type", "Content-Length", "ETag", "Location")}
