"""What one tenant has, another can't see, find, count or touch; without a live token there is nothing at all."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from scimsvc.schema.core import ENTERPRISE_USER_URN, GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import Attribute, ResourceType
from scimsvc.schema.paths import AttributePath
from scimsvc.store import tenants
from tests.support.client import PATCH_URN, Client
from tests.support.errors import assert_scim_error
from tests.support.server import Server

UNKNOWN = str(uuid.UUID(int=0))
TEXTS = {"boolean": True, "binary": "c2VjcmV0", "dateTime": "2026-01-31T08:30:00Z"}


def filled(attribute: Attribute) -> Any:
    """A value for everything below an attribute that a client may write."""
    if attribute.type != "complex":
        one: Any = TEXTS.get(attribute.type, f"secret {attribute.name}")
    else:
        one = {sub.name: filled(sub) for sub in attribute.sub_attributes if sub.mutability != "readOnly"}
    return [one] if attribute.multi_valued else one


USER = {**filled(USER_TYPE.root), "userName": "same@example.com", "externalId": "same"}
GROUP = {"displayName": "secret displayName", "externalId": "same"}


@dataclass
class Pair:
    """Two tenants; the first has a full user, a group with this user, and a group around that group."""

    mine: Client
    theirs: Client
    user: str
    group: str
    outer: str

    def ids(self) -> list[str]:
        return [self.user, self.group, self.outer]

    def snapshot(self) -> list[bytes]:
        paths = (f"/Users/{self.user}", f"/Groups/{self.group}", f"/Groups/{self.outer}", "/Users", "/Groups")
        return [self.mine.get(path).raw for path in paths]


@pytest.fixture
def pair(server: Server, client: Client) -> Iterator[Pair]:
    other = server.client(f"other-{uuid.uuid4()}")
    user = client.post("/Users", USER).body["id"]
    group = client.post("/Groups", GROUP | {"members": [{"value": user}]}).body["id"]
    outer = client.post("/Groups", GROUP | {"externalId": "outer", "members": [{"value": group}]}).body["id"]
    yield Pair(client, other, user, group, outer)
    other.close()


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_URN], "Operations": list(operations)}


TITLE = patch({"op": "replace", "path": "displayName", "value": "taken over"})
REQUESTS: list[tuple[str, Any]] = [
    ("GET", None),
    ("HEAD", None),
    ("PUT", {"userName": "taken@example.com", "displayName": "taken over"}),
    ("PATCH", TITLE),
    ("PATCH", patch()),
    ("DELETE", None),
]


@pytest.mark.parametrize(("method", "body"), REQUESTS)
def test_anothers_resource_is_answered_like_one_that_never_was(pair: Pair, method: str, body: Any) -> None:
    before = pair.snapshot()
    for endpoint, own in (("Users", [pair.user]), ("Groups", [pair.group, pair.outer])):
        for headers in ({}, {"If-Match": "*"}, {"If-Match": 'W/"1"'}, {"If-None-Match": "*"}):
            unknown = pair.theirs(method, f"/{endpoint}/{UNKNOWN}", body, headers)
            for id_ in own:
                answer = pair.theirs(method, f"/{endpoint}/{id_}", body, headers)
                assert answer.status == unknown.status == 404
                assert answer.raw.replace(id_.encode(), UNKNOWN.encode()) == unknown.raw
    assert pair.snapshot() == before


def test_lists_and_totals_count_ones_own_resources_alone(pair: Pair) -> None:
    for path in ("/Users", "/Groups"):
        for query in ("", "?count=0", "?startIndex=1&count=1", "?startIndex=2", "?attributes=userName", "?filter=id%20pr"):
            assert pair.theirs.get(path + query).body["totalResults"] == 0
    own = pair.theirs.post("/Users", {"userName": "own@example.com"}).body["id"]
    page = pair.theirs.get("/Users").body
    assert (page["totalResults"], [one["id"] for one in page["Resources"]]) == (1, [own])
    assert (pair.mine.get("/Users").body["totalResults"], pair.mine.get("/Groups").body["totalResults"]) == (1, 2)


def leaves(resource_type: ResourceType) -> list[AttributePath]:
    return [path for top in resource_type.root.sub_attributes for path in AttributePath((top,)).leaves()]


def literals(path: AttributePath, pair: Pair) -> list[str]:
    """What the first tenant has at a path, as literals of a filter."""
    special = {
        "id": pair.ids(),
        "members.value": [pair.user, pair.group],
        "groups.value": [pair.group, pair.outer],
        "schemas": [USER_TYPE.schema.id, GROUP_TYPE.schema.id, ENTERPRISE_USER_URN],
        "userName": ["same@example.com"],
        "externalId": ["same"],
        "members.type": ["User", "Group"],
        "meta.resourceType": ["User", "Group"],
        "meta.version": ['W/\\"1\\"'],
    }
    if path.leaf.type == "boolean":
        return ["true"]
    return [f'"{text}"' for text in special.get(path.name, [TEXTS.get(path.leaf.type, f"secret {path.leaf.name}")])]


@pytest.mark.parametrize("resource_type", [USER_TYPE, GROUP_TYPE], ids=["users", "groups"])
def test_no_attribute_and_no_operator_finds_anothers_resource(pair: Pair, resource_type: ResourceType) -> None:
    endpoint = resource_type.endpoint
    pair.theirs.post(endpoint, {"userName": "own@example.com", "displayName": "own"})
    own = {one["id"] for one in pair.theirs.get(endpoint).body["Resources"]}
    findable = 0
    for path in leaves(resource_type):
        values = literals(path, pair)
        terms = [f"{path.name} eq {value}" for value in values]
        found = [pair.mine.filter(endpoint, term) for term in terms]
        if found[0].status == 200 and path.leaf.mutability != "readOnly":
            assert sum(answer.body["totalResults"] for answer in found) >= 1, path.name
            findable += 1
        terms += [f"{path.name} {operator} {values[0]}" for operator in ("ne", "co", "sw", "ew", "gt", "ge", "lt", "le")]
        terms += [f"{path.name} pr", f"not ({terms[0]})", f"{terms[0]} or id pr"]
        if len(path.steps) == 2 and path.steps[0].multi_valued:
            terms += [
                f"{path.steps[0].name}[{path.leaf.name} eq {values[0]}]",
                f"{path.steps[0].name}[not ({path.leaf.name} pr)]",
            ]
        for term in terms:
            answer = pair.theirs.filter(endpoint, term)
            assert answer.status == 200 or answer.body["scimType"] == "invalidFilter", term
            if answer.status == 200:
                assert {one["id"] for one in answer.body["Resources"]} <= own, term
                assert answer.body["totalResults"] <= 1, term
    assert findable >= (50 if resource_type is USER_TYPE else 4)


@pytest.mark.parametrize("kind", ["user", "group"])
def test_anothers_resource_as_member_is_refused_like_an_unknown_id(pair: Pair, kind: str) -> None:
    foreign = pair.user if kind == "user" else pair.group
    own = pair.theirs.post("/Users", {"userName": "own@example.com"}).body["id"]
    group = pair.theirs.post("/Groups", {"displayName": "g", "externalId": "g", "members": [{"value": own}]}).body["id"]
    before = pair.snapshot(), pair.theirs.get(f"/Groups/{group}").raw

    def requests(id_: str) -> list[tuple[str, str, Any]]:
        members = [{"value": own}, {"value": id_}]
        return [
            ("POST", "/Groups", {"displayName": "h", "externalId": "h", "members": members}),
            ("PUT", f"/Groups/{group}", {"displayName": "g", "externalId": "g", "members": members}),
            ("PATCH", f"/Groups/{group}", patch({"op": "add", "path": "members", "value": members})),
            ("PATCH", f"/Groups/{group}", patch({"op": "replace", "path": "members", "value": members})),
            ("PATCH", f"/Groups/{group}", patch({"op": "Add", "value": {"members": members}})),
        ]

    for asked, unknown in zip(requests(foreign), requests(UNKNOWN), strict=True):
        answer, expected = pair.theirs(*asked), pair.theirs(*unknown)
        assert_scim_error(answer, 400, "invalidValue")
        assert answer.raw.replace(foreign.encode(), UNKNOWN.encode()) == expected.raw
    assert (pair.snapshot(), pair.theirs.get(f"/Groups/{group}").raw) == before


def test_removing_anothers_resource_from_a_group_changes_nothing(pair: Pair) -> None:
    own = pair.theirs.post("/Users", {"userName": "own@example.com"}).body["id"]
    group = pair.theirs.post("/Groups", {"displayName": "g", "externalId": "g", "members": [{"value": own}]}).body["id"]
    before = pair.snapshot(), pair.theirs.get(f"/Groups/{group}").raw
    for operation in (
        {"op": "remove", "path": f'members[value eq "{pair.user}"]'},
        {"op": "Remove", "path": "members", "value": [{"value": pair.user}]},
        {"op": "remove", "path": f'members[value sw "{pair.user[:8]}" and type eq "Group"]'},
    ):
        assert pair.theirs.patch(f"/Groups/{group}", operation).status == 204
    assert (pair.snapshot(), pair.theirs.get(f"/Groups/{group}").raw) == before


def test_clearing_and_deleting_ones_own_leaves_the_other_as_it_was(pair: Pair) -> None:
    before = pair.snapshot()
    user = pair.theirs.post("/Users", USER).body["id"]
    group = pair.theirs.post("/Groups", GROUP | {"members": [{"value": user}]}).body["id"]
    assert pair.theirs.patch(f"/Groups/{group}", {"op": "remove", "path": "members[value pr]"}).status == 204
    assert pair.theirs.delete(f"/Groups/{group}").status == 204
    assert pair.theirs.delete(f"/Users/{user}").status == 204
    assert pair.snapshot() == before


def test_unique_values_are_unique_within_one_tenant(pair: Pair) -> None:
    user = pair.theirs.post("/Users", USER)
    group = pair.theirs.post("/Groups", GROUP)
    assert (user.status, group.status) == (201, 201)
    assert user.body["id"] != pair.user
    for client in (pair.mine, pair.theirs):
        assert_scim_error(client.post("/Users", USER), 409, "uniqueness")
        assert_scim_error(client.post("/Groups", GROUP), 409, "uniqueness")
    found = pair.theirs.filter("/Users", 'userName eq "same@example.com" and externalId eq "same"').body
    assert [one["id"] for one in found["Resources"]] == [user.body["id"]]


def test_errors_name_nothing_of_another_tenant(pair: Pair) -> None:
    answers = [
        pair.theirs.get(f"/Users/{pair.user}"),
        pair.theirs.post("/Groups", {"displayName": "g", "members": [{"value": pair.user}]}),
        pair.theirs.filter("/Users", 'nope eq "x"'),
        pair.theirs("PATCH", f"/Users/{pair.user}", patch({"op": "move"})),
        pair.theirs("PUT", f"/Groups/{pair.group}", {"displayName": "x"}),
    ]
    for answer in answers:
        assert_scim_error(answer)
        for word in (b"secret", b"same", b"tenant-", b"other-"):
            assert word not in answer.raw


ENDPOINTS = [
    *("", "/", "/Users", "/Users/", "/users", "/Users/x", "/Groups", "/Groups/x", "/Schemas", f"/Schemas/{USER_TYPE.schema.id}"),
    *("/ResourceTypes", "/ResourceTypes/User", "/ServiceProviderConfig", "/Nope", "/Nope/x", "/Users/x/y", "/Users?filter=nope"),
    *("/Users?aadOptscim062020", "?aadOptscim062020/Users", "//Users", "/Bulk", "/Me", "/.search"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS"])
def test_nothing_is_answered_without_a_live_token(server: Server, client: Client, method: str) -> None:
    tenant = tenants.create_tenant(server.database, f"keys-{uuid.uuid4()}", "entra")
    expired = tenants.create_token(server.database, tenant, "expired", datetime(2020, 1, 1, tzinfo=UTC))
    revoked = tenants.create_token(server.database, tenant, "revoked", None)
    (token,) = (one for one in tenants.tokens(server.database, tenant) if one.description == "revoked")
    assert tenants.revoke_token(server.database, tenant, token.id)
    refused = [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", f"Token {client.token}", client.token, "Bearer wrong"]
    refused += [f"Bearer {secret}" for secret in (expired, revoked, client.token[:-1], client.token + "x", client.token.upper())]
    refused += [f"Bearer {client.token} {client.token}", f"Bearer {'x' * 4000}", "Bearer \xff", 'Bearer " OR 1=1']
    cases = [(path, authorization) for path in ENDPOINTS for authorization in (None, "Bearer wrong", f"Bearer {revoked}")]
    for path, authorization in cases + [("/Users", one) for one in refused]:
        sent: Any = {"Authorization": authorization}
        answer = client(method, path, {"userName": "x"} if method in ("POST", "PUT", "PATCH") else None, sent)
        assert (path, authorization, answer.status) == (path, authorization, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        if method != "HEAD":
            assert_scim_error(answer)
    assert client.get("/Users?count=0").body["totalResults"] == 0


def test_the_answer_does_not_tell_an_unknown_token_from_an_expired_or_revoked_one(server: Server, client: Client) -> None:
    tenant = tenants.create_tenant(server.database, f"keys-{uuid.uuid4()}", "entra")
    expired = tenants.create_token(server.database, tenant, "expired", datetime(2020, 1, 1, tzinfo=UTC))
    revoked = tenants.create_token(server.database, tenant, "revoked", None)
    assert all(tenants.revoke_token(server.database, tenant, one.id) for one in tenants.tokens(server.database, tenant))
    answers = [client.get("/Users", Authorization=f"Bearer {secret}") for secret in ("unknown", expired, revoked)]
    assert len({(answer.status, answer.raw, answer.headers["WWW-Authenticate"]) for answer in answers}) == 1


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_live_token_opens_its_own_tenant(server: Server, client: Client, scheme: str) -> None:
    client.post("/Users", {"userName": "a"})
    assert client.get("/Users", Authorization=f"{scheme} {client.token}").body["totalResults"] == 1


def test_two_live_tokens_open_the_same_tenant_and_one_may_go(server: Server) -> None:
    name = f"keys-{uuid.uuid4()}"
    first, second = server.client(name), server.client(name)
    first.post("/Users", {"userName": "a"})
    tenant = tenants.find_tenant(server.database, name)
    assert tenant
    third = tenants.create_token(server.database, tenant, "third", None)
    (token,) = (one for one in tenants.tokens(server.database, tenant) if one.description == "third")
    tenants.revoke_token(server.database, tenant, token.id)
    assert second.get("/Users").body["totalResults"] == 1
    assert_scim_error(second.get("/Users", Authorization=f"Bearer {third}"), 401)
    first.close()
    second.close()
