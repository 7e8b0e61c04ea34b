"""Unique values are kept unique by the database itself."""

import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path as FilePath

import pytest

from scimsvc.protocol.filter import Path, parse_path
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.store.database import Database, UniquenessViolation
from scimsvc.store.querying import index
from scimsvc.store.querying.index import Indexer, UniqueRule, key
from scimsvc.store.tenants import TenantRecord
from tests.store.resources import Resources


def rule(target: str) -> UniqueRule:
    path: Path = parse_path(target, USER_TYPE)
    return UniqueRule(path.target.value(), path.value_filter)


UNIQUE = [rule(target) for target in ("userName", "externalId", 'emails[type eq "work"].value')]
ANN = {"userName": "Ann", "externalId": "E1", "emails": [{"value": "a@x", "type": "work"}, {"value": "h@x", "type": "home"}]}


@pytest.fixture
def users(shared_database: Database, tenant: TenantRecord) -> Resources:
    made = Resources(shared_database, tenant, unique=UNIQUE)
    made.insert({"ann": ANN})
    return made


@pytest.mark.parametrize(
    ("body", "attribute"),
    [
        ({"userName": "Ann"}, "userName"),
        ({"userName": "ANN"}, "userName"),
        ({"userName": "bob", "externalId": "E1"}, "externalId"),
        ({"userName": "bob", "externalId": "e1"}, None),
        ({"userName": "bob", "emails": [{"value": "A@X", "type": "work"}]}, "emails.value"),
        ({"userName": "bob", "emails": [{"value": "a@x", "type": "Work"}]}, "emails.value"),
        ({"userName": "bob", "emails": [{"value": "a@x", "type": "home"}]}, None),
        ({"userName": "bob", "emails": [{"value": "h@x", "type": "work"}]}, None),
        ({"userName": "bob", "emails": [{"value": "a@x"}]}, None),
        ({"userName": "bob", "displayName": "Ann"}, None),
    ],
)
def test_value_in_use_is_refused_and_nothing_stored(users: Resources, body: dict, attribute: str | None):
    if attribute is None:
        users.insert({"bob": body})
        assert users.found("userName pr") == ["ann", "bob"]
        return
    with pytest.raises(UniquenessViolation):
        users.insert({"other": {"userName": "other"}, "bob": body})
    assert users.found("userName pr") == ["ann"]
    assert users.store.attribute_in_use(users.document("bob", body), None) == attribute


def test_long_values_are_compared_to_their_end(users: Resources):
    users.insert({"one": {"userName": "x" * 3000 + "1"}, "two": {"userName": "x" * 3000 + "2"}})
    with pytest.raises(UniquenessViolation):
        users.insert({"three": {"userName": "X" * 3000 + "2"}})


def test_update_to_a_value_in_use_is_refused(users: Resources):
    users.insert({"bob": {"userName": "bob"}})
    with pytest.raises(UniquenessViolation):
        users.update({"bob": {"userName": "ann"}})
    assert users.found('userName eq "bob"') == ["bob"]


@pytest.mark.parametrize(
    "body",
    [
        ANN,
        {**ANN, "userName": "ANN"},
        {**ANN, "emails": [{"value": "a@x", "type": "work"}]},
        {**ANN, "emails": [{"value": "new@x", "type": "work"}, {"value": "a@x", "type": "home"}]},
    ],
)
def test_own_values_are_no_clash(users: Resources, body: dict):
    users.update({"ann": body})
    users.insert({"bob": {"userName": "bob"}})
    assert users.found('userName eq "ann"') == ["ann"]
    assert users.store.attribute_in_use(users.document("ann", body), users.get("ann").seq) is None


def test_value_is_free_once_it_is_given_up(users: Resources):
    users.update({"ann": {"userName": "anna"}})
    users.insert({"new": ANN})
    users.delete("new")
    users.insert({"newer": ANN})
    assert users.found('externalId eq "E1"') == ["newer"]


def test_values_are_unique_only_in_their_tenant_and_type(users: Resources, new_tenant: Callable[[], TenantRecord]):
    Resources(users.database, new_tenant(), unique=UNIQUE).insert({"ann": ANN})
    groups = Resources(users.database, new_tenant(), GROUP_TYPE, [UniqueRule(UNIQUE[1].path)])
    groups.insert({"g": {"displayName": "g", "externalId": "E1"}, "h": {"displayName": "g"}})
    assert groups.found('displayName eq "G"') == ["g", "h"]


def test_one_of_many_that_insert_a_value_at_once_succeeds(users: Resources):
    def one(number: int) -> bool:
        try:
            users.insert({f"b{number}": {"userName": "bob"}})
        except UniquenessViolation:
            return False
        finally:
            users.database.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(one, range(8))) == 1
    assert len(users.found('userName eq "bob"')) == 1


def test_id_of_another_resource_is_refused(users: Resources):
    with pytest.raises(UniquenessViolation):
        users.insert({"ann": {"userName": "other"}})


def emails(*values: str, type_: str = "work") -> list[dict[str, str]]:
    return [{"value": value, "type": type_} for value in values]


@pytest.mark.parametrize(
    "after",
    [
        emails("b@x", "a@x"),
        emails("b@x"),
        emails("c@x", "a@x", "b@x"),
        emails("a@x", "a@x", "b@x"),
        emails("b@x", "b@x"),
        emails("a@x", type_="home") + emails("a@x"),
    ],
)
def test_a_resource_never_clashes_with_itself(users: Resources, after: list[dict[str, str]]):
    users.update({"ann": {**ANN, "emails": emails("a@x", "b@x")}})
    users.update({"ann": {**ANN, "emails": after}})
    claimed = {email["value"] for email in after if email["type"] == "work"}
    for value in claimed:
        with pytest.raises(UniquenessViolation):
            users.insert({"bob": {"userName": "bob", "emails": emails(value)}})
    free = {"a@x", "b@x", "c@x"} - claimed
    users.insert({"bob": {"userName": "bob", "emails": emails(*free)}})


def test_a_value_twice_in_one_new_resource_is_no_clash(users: Resources):
    users.insert({"bob": {"userName": "bob", "emails": emails("b@x", "b@x", "B@X")}})
    with pytest.raises(UniquenessViolation):
        users.insert({"eve": {"userName": "eve", "emails": emails("b@x")}})


def test_every_rule_on_a_path_counts(shared_database: Database, tenant: TenantRecord):
    rules = [rule('emails[type eq "work"].value'), rule('emails[type eq "home"].value')]
    users = Resources(shared_database, tenant, unique=rules)
    users.insert({"ann": ANN})
    for type_, value in (("work", "a@x"), ("home", "h@x")):
        with pytest.raises(UniquenessViolation):
            users.insert({"bob": {"userName": "bob", "emails": emails(value, type_=type_)}})
    users.insert({"bob": {"userName": "bob", "emails": emails("a@x", "h@x", type_="other")}})


def test_a_value_that_looks_like_the_key_of_a_long_one_is_another(users: Resources):
    users.insert({"long": {"userName": "x" * 600}, "short": {"userName": key("x" * 600)}})
    assert users.found(f'userName eq "{"x" * 600}"') == ["long"]


def test_attributes_that_share_a_number_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index, "number", lambda type_, attribute: len(attribute))
    with pytest.raises(ValueError, match="rename one"):
        Indexer(USER_TYPE, ())
    monkeypatch.setattr(index, "number", lambda type_, attribute: zlib.crc32(attribute.encode()))
    with pytest.raises(ValueError, match=r"User\.(\w+) and Group\.\1 can't be told apart"):
        Catalog(load_profile(FilePath("mappings/entra.yaml")))
