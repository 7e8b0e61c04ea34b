"""The example requests of RFC 7644, in the order in which they stand there, as one session against gunicorn."""

from typing import Any
from urllib.parse import quote

from tests.support.client import Answer, Client

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0:"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BJENSEN: dict[str, Any] = {
    "schemas": [USER],
    "userName": "bjensen",
    "externalId": "bjensen",
    "name": {"formatted": "Ms. Barbara J Jensen III", "familyName": "Jensen", "givenName": "Barbara"},
}


def patch(client: Client, path: str, *operations: dict[str, Any], **headers: str) -> Answer:
    return client("PATCH", path, {"schemas": [MESSAGES + "PatchOp"], "Operations": list(operations)}, headers)


def found(client: Client, text: str) -> set[str]:
    answer = client.filter("/Users", text)
    assert answer.status == 200, (text, answer.raw)
    return {one["userName"] for one in answer.body["Resources"]}


def test_examples_in_their_order(client: Client) -> None:
    """One session: what a section makes is there for the next."""
    # 3.3 Creating resources
    created = client.post("/Users", BJENSEN)
    assert created.status == 201
    id_ = created.body["id"]
    user = f"/Users/{id_}"
    assert created.headers["Location"] == client.tenant_url + user == created.body["meta"]["location"]
    assert created.headers["ETag"] == created.body["meta"]["version"]
    # 3.3.1 Resource types
    assert created.body["meta"]["resourceType"] == "User"
    # 3.4.1 Retrieving a known resource
    assert client.get(user).body == created.body
    # 3.4.2 Query resources
    listed = client.get("/Users?attributes=userName").body
    assert (listed["schemas"], listed["totalResults"]) == ([MESSAGES + "ListResponse"], 1)
    assert listed["Resources"][0] == {"schemas": [USER], "id": id_, "userName": "bjensen"}
    # 3.4.2.2 Filtering
    others: list[dict[str, Any]] = [
        {"userName": "john", "title": "Boss", "userType": "Employee", "emails": [{"type": "work", "value": "john@example.com"}]},
        {"userName": "omalley", "name": {"familyName": "O'Malley"}, "userType": "Intern", "emails": [{"value": "o@example.org"}]},
        {"userName": "jim", "title": "Temp", "ims": [{"type": "xmpp", "value": "jim@foo.com"}], ENTERPRISE: {"department": "D"}},
    ]
    for other in others:
        assert client.post("/Users", other).status == 201
    for text, names in (
        ('userName Eq "john"', {"john"}),
        ('Username eq "john"', {"john"}),
        ('userName eq "bjensen"', {"bjensen"}),
        ('name.familyName co "O\'Malley"', {"omalley"}),
        ('userName sw "J"', {"john", "jim"}),
        (f'{USER}:userName sw "J"', {"john", "jim"}),
        ("title pr", {"john", "jim"}),
        ('meta.lastModified gt "2011-05-13T04:42:34Z"', {"bjensen", "john", "omalley", "jim"}),
        ('meta.lastModified ge "2011-05-13T04:42:34Z"', {"bjensen", "john", "omalley", "jim"}),
        ('meta.lastModified lt "2011-05-13T04:42:34Z"', set()),
        ('meta.lastModified le "2011-05-13T04:42:34Z"', set()),
        ('title pr and userType eq "Employee"', {"john"}),
        ('title pr or userType eq "Intern"', {"john", "jim", "omalley"}),
        (f'schemas eq "{ENTERPRISE}"', {"jim"}),
        ('userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")', {"john"}),
        ('userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")', {"bjensen", "jim"}),
        ('userType eq "Employee" and (emails.type eq "work")', {"john"}),
        ('userType eq "Employee" and emails[type eq "work" and value co "@example.com"]', {"john"}),
        ('emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]', {"john", "jim"}),
    ):
        assert found(client, text) == names, text
    # 3.4.2.3 Sorting
    assert [one["userName"] for one in client.get("/Users?sortBy=userName").body["Resources"]] == [
        "bjensen",
        "jim",
        "john",
        "omalley",
    ]
    # 3.4.2.4 Pagination
    page = client.get("/Users?startIndex=1&count=10").body
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"], len(page["Resources"])) == (4, 4, 1, 4)
    # 3.4.3 Querying resources using HTTP POST
    search = {
        "schemas": [MESSAGES + "SearchRequest"],
        "attributes": ["displayName", "userName"],
        "filter": 'displayName sw "smith"',
        "startIndex": 1,
        "count": 10,
    }
    assert client.post("/.search", search).body["totalResults"] == 0
    smith = client.post("/Users", {"userName": "smith", "displayName": "Smith, James", "title": "x"}).body["id"]
    answer = client.post("/.search", search)
    assert answer.body["Resources"] == [{"schemas": [USER], "id": smith, "userName": "smith", "displayName": "Smith, James"}]
    # 3.5.1 Replacing with PUT
    whole = BJENSEN | {"id": id_, "roles": [], "emails": [{"value": "bjensen@example.com"}, {"value": "babs@jensen.org"}]}
    put = client("PUT", user, whole)
    assert (put.status, put.headers["ETag"] != created.headers["ETag"], len(put.body["emails"])) == (200, True, 2)
    assert "roles" not in put.body
    # 3.5.2.1 Add operation
    group = client.post("/Groups", {"schemas": [GROUP], "displayName": "Group A"}).body["id"]
    babs = {"display": "Babs Jensen", "$ref": f"{client.tenant_url}{user}", "value": id_}
    assert patch(client, f"/Groups/{group}", {"op": "add", "path": "members", "value": [babs]}).status == 204
    assert [one["value"] for one in client.get(f"/Groups/{group}").body["members"]] == [id_]
    home = {"value": "babs@home.example", "type": "home"}
    added = patch(client, user, {"op": "add", "value": {"emails": [home], "nickname": "Babs"}})
    assert (added.status, len(added.body["emails"]), added.body["nickName"]) == (200, 3, "Babs")
    # 3.5.2.2 Remove operation
    assert patch(client, f"/Groups/{group}", {"op": "remove", "path": f'members[value eq "{id_}"]'}).status == 204
    assert patch(client, f"/Groups/{group}", {"op": "add", "path": "members", "value": [babs, {"value": smith}]}).status == 204
    assert patch(client, f"/Groups/{group}", {"op": "remove", "path": "members"}).status == 204
    assert client.get(f"/Groups/{group}").body["members"] == []
    patch(client, user, {"op": "add", "path": "emails", "value": [{"type": "work", "value": "b@work.example.com"}]})
    removed = patch(client, user, {"op": "remove", "path": 'emails[type eq "work" and value ew "example.com"]'})
    assert "b@work.example.com" not in {one["value"] for one in removed.body["emails"]}
    patch(client, f"/Groups/{group}", {"op": "add", "path": "members", "value": [babs]})
    both = (
        {"op": "remove", "path": f'members[value eq "{id_}"]'},
        {"op": "add", "path": "members", "value": [{"display": "James Smith", "$ref": "x", "value": smith}]},
    )
    assert patch(client, f"/Groups/{group}", *both).status == 204
    assert [one["value"] for one in client.get(f"/Groups/{group}").body["members"]] == [smith]
    # 3.5.2.3 Replace operation
    assert (
        patch(client, f"/Groups/{group}", {"op": "replace", "path": "members", "value": [babs, {"value": smith}]}).status == 204
    )
    assert len(client.get(f"/Groups/{group}").body["members"]) == 2
    work = {
        "type": "work",
        "streetAddress": "911 Universal City Plaza",
        "locality": "Hollywood",
        "region": "CA",
        "postalCode": "91608",
    }
    work |= {"country": "US", "formatted": "911 Universal City Plaza\nHollywood, CA 91608 US", "primary": True}
    patch(client, user, {"op": "add", "path": "addresses", "value": [{"type": "work", "streetAddress": "old"}]})
    replaced = patch(client, user, {"op": "replace", "path": 'addresses[type eq "work"]', "value": work})
    assert replaced.body["addresses"] == [{name: replaced.body["addresses"][0][name] for name in work}]
    street = {"op": "replace", "path": 'addresses[type eq "work"].streetAddress', "value": "1010 Broadway Ave"}
    assert patch(client, user, street).body["addresses"][0]["streetAddress"] == "1010 Broadway Ave"
    emails = [{"value": "bjensen@example.com", "type": "work", "primary": True}, home]
    several = patch(client, user, {"op": "replace", "value": {"emails": emails, "nickname": "Babs"}})
    assert several.body["emails"] == emails
    # 3.6 Deleting resources
    assert client.delete(f"/Users/{smith}").status == 204
    assert client.get(f"/Users/{smith}").status == 404
    # 3.7.1 Circular reference processing
    circle = [
        {
            "method": "POST",
            "path": "/Groups",
            "bulkId": bulk_id,
            "data": {"schemas": [GROUP], "displayName": name, "members": [member]},
        }
        for bulk_id, name, member in (
            ("qwerty", "Group A", {"type": "Group", "value": "bulkId:ytrewq"}),
            ("ytrewq", "Group B", {"type": "Group", "value": "bulkId:qwerty"}),
        )
    ]
    outcomes = bulk(client, *circle)
    ids = [one["location"].rpartition("/")[2] for one in outcomes]
    for own, other in (ids, ids[::-1]):
        assert [one["value"] for one in client.get(f"/Groups/{own}").body["members"]] == [other]
    # 3.7.2 "bulkId" temporary identifiers
    alice = {"method": "POST", "path": "/Users", "bulkId": "qwerty", "data": {"schemas": [USER], "userName": "Alice"}}
    guides: dict[str, Any] = {
        "schemas": [GROUP],
        "displayName": "Tour Guides",
        "members": [{"type": "User", "value": "bulkId:qwerty"}],
    }
    outcomes = bulk(client, alice, {"method": "POST", "path": "/Groups", "bulkId": "ytrewq", "data": guides})
    alices, tour = (one["location"].rpartition("/")[2] for one in outcomes)
    assert client.get(f"/Groups/{tour}").body["members"][0]["value"] == alices
    # 3.7.3 Response and error handling
    version = client.get(user).body["meta"]["version"]
    outcomes = bulk(
        client,
        {"method": "POST", "path": "/Users", "bulkId": "qwerty", "data": {"schemas": [USER], "userName": "Alice"}},
        {"method": "PUT", "path": user, "version": version, "data": {"schemas": [USER], "id": id_, "userName": "Bob"}},
        {
            "method": "PATCH",
            "path": f"/Users/{alices}",
            "data": {"Operations": [{"op": "add", "path": "nickName", "value": "A"}]},
        },
        {"method": "DELETE", "path": f"/Groups/{tour}"},
        failOnErrors=2,
    )
    assert [one["status"] for one in outcomes] == ["409", "200", "200", "204"]
    assert (outcomes[0]["response"]["scimType"], outcomes[1]["location"]) == ("uniqueness", client.tenant_url + user)
    # 3.9 Attribute projection
    assert set(client.get(f"{user}?attributes=userName").body) == {"schemas", "id", "userName"}
    assert "userName" not in client.get(f"{user}?excludedAttributes=userName").body
    # 3.12 Errors
    refused = patch(client, user, {"op": "replace", "path": "id", "value": "x"})
    assert (refused.status, refused.body["schemas"], refused.body["scimType"]) == (400, [MESSAGES + "Error"], "mutability")
    assert client.get("/Users/unknown").body["status"] == "404"
    # 3.14 Versioning resources
    tag = client.get(user).headers["ETag"]
    assert client.get(user, **{"If-None-Match": tag}).status == 304
    assert patch(client, user, {"op": "replace", "path": "title", "value": "x"}, **{"If-Match": 'W/"old"'}).status == 412
    assert patch(client, user, {"op": "replace", "path": "title", "value": "x"}, **{"If-Match": tag}).status == 200
    # 4 Service provider configuration endpoints
    for path in ("/ServiceProviderConfig", "/Schemas", f"/Schemas/{quote(USER)}", "/ResourceTypes", "/ResourceTypes/User"):
        assert client.get(path).status == 200, path
    assert client.get(f"/Schemas?filter={quote('id pr')}").status == 403


def bulk(client: Client, *operations: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = client.post("/Bulk", {"schemas": [MESSAGES + "BulkRequest"], "Operations": list(operations), **more})
    assert (answer.status, answer.body["schemas"]) == (200, [MESSAGES + "BulkResponse"])
    outcomes: list[dict[str, Any]] = answer.body["Operations"]
    return outcomes
