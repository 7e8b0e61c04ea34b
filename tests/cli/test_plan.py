"""What a changed profile would do to the accounts that are stored, and doing it."""

from pathlib import Path

import pytest

from scimsvc.mapping import load_profile
from scimsvc.protocol.filter import parse_filter
from scimsvc.protocol.patch import STRICT
from scimsvc.service.catalog import Catalog
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from tests.cli.conftest import Run
from tests.cli.test_tenants import URL

EMAILS = [{"type": "work", "value": "a@example.com"}]


class Accounts:
    """The accounts of the tenant `default`, by the profile that lies in the folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mappings" / "entra.yaml"
        self.shipped = self.path.read_text()
        self.database = Database(URL)

    def service(self) -> ResourceService:
        tenant = tenants.find_tenant(self.database, "default")
        assert tenant
        return ResourceService(self.database, tenant.id, Catalog(load_profile(self.path)).types["users"], "http://x")

    def create(self, **attributes: object) -> str:
        rendered = self.service().create({"userName": f"user{len(self.ids())}", **attributes})
        return rendered.location.rpartition("/")[2]

    def ids(self) -> list[str]:
        return [stored.id for stored in self.service()._resources.all()]

    def found(self, text: str) -> list[str]:
        service = self.service()
        return [stored.id for stored in service._resources.page(parse_filter(text, service._type), 0, 10)]


@pytest.fixture
def accounts(ready: Run, folder: Path):
    made = Accounts(folder)
    yield made
    made.database.close()


def unique_display_name(accounts: Accounts) -> str:
    return accounts.shipped.replace("target: displayName}", "target: displayName, unique: true}", 1)


def test_profile_that_changes_nothing_has_a_plan_without_effects(ready: Run, accounts: Accounts):
    accounts.create(displayName="A")
    result = ready("mappings", "plan", "mappings/entra.yaml")
    assert (result.exit_code, result.stdout) == (0, "tenant default, User: 1 resources\ntenant default, Group: 0 resources\n")


def test_values_that_would_clash_are_planned_and_nothing_is_changed(ready: Run, folder: Path, accounts: Accounts):
    first, second, _ = accounts.create(displayName="A"), accounts.create(displayName="a"), accounts.create(displayName="B")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    result = ready("mappings", "plan", "new.yaml")
    assert result.exit_code == 1
    line = f"  1: displayName has a value that another has, and must be unique; such as {first}, {second}"
    assert result.stdout.splitlines()[1] == line
    accounts.create(displayName="A")


def test_attributes_and_values_that_would_be_refused_are_planned(ready: Run, folder: Path, accounts: Accounts):
    accounts.path.write_text(
        accounts.shipped.replace("attributes: []", "attributes: [{name: badge}, {name: size}, {name: 'urn:x:User:level'}]")
    )
    one = accounts.create(badge="x", size="XL", **{"urn:x:User": {"level": "1"}})
    two = accounts.create(badge="7", size="7")
    (folder / "new.yaml").write_text(accounts.shipped.replace("attributes: []", "attributes: [{name: size, type: Integer}]"))
    lines = ready("mappings", "plan", "new.yaml").stdout.splitlines()
    assert lines[0] == "tenant default, User: 2 resources"
    assert set(lines[1:-1]) == {
        f"  2: badge is an attribute that the profile no longer has; such as {one}, {two}",
        f"  1: urn:x:User is an attribute that the profile no longer has; such as {one}",
        f"  2: size must be a whole number of at most 64 bits; such as {one}, {two}",
    }


def test_no_more_than_three_examples_are_named(ready: Run, folder: Path, accounts: Accounts):
    for _ in range(5):
        accounts.create(displayName="A")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    line = ready("mappings", "plan", "new.yaml").stdout.splitlines()[1]
    assert line.startswith("  4: displayName has a value that another has")
    assert line.count(", ") == 3


def test_accounts_are_indexed_as_the_profile_is_now(ready: Run, accounts: Accounts):
    one, two = accounts.create(displayName="A", emails=EMAILS), accounts.create(displayName="B")
    accounts.path.write_text(unique_display_name(accounts))
    result = ready("mappings", "reindex", "--profile", "entra")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "tenant default, User: 2 resources")
    assert accounts.found('emails[type eq "work" and value eq "A@example.com"]') == [one]
    assert accounts.found('displayName eq "b"') == [two]
    with pytest.raises(Exception, match="displayName"):
        accounts.create(displayName="b")


def test_accounts_that_clash_stay_as_they_were(ready: Run, accounts: Accounts):
    one, two = accounts.create(displayName="A"), accounts.create(displayName="A")
    accounts.path.write_text(unique_display_name(accounts))
    result = ready("mappings", "reindex", "--profile", "entra")
    assert result.exit_code == 1
    assert f"  1: has a unique value that another has already, and stays as it was; such as {two}" in result.stdout
    assert accounts.found('displayName eq "a"') == [one, two]


def test_profile_that_nobody_follows_and_one_that_is_wrong(ready: Run, folder: Path, accounts: Accounts):
    (folder / "new.yaml").write_text(accounts.shipped.replace("profile: entra", "profile: other"))
    result = ready("mappings", "plan", "new.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no tenant follows the profile 'other'\n")
    (folder / "new.yaml").write_text("profile: [")
    result = ready("mappings", "plan", "new.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "new.yaml:" in result.stderr


def test_account_with_values_of_another_type_can_still_be_changed(ready: Run, accounts: Accounts):
    accounts.path.write_text(accounts.shipped.replace("attributes: []", "attributes: [{name: size}, {name: since}]", 1))
    user = accounts.create(size="XL", since="long ago")
    types = "[{name: size, type: Integer}, {name: since, type: DateTime, multiValued: true}]"
    accounts.path.write_text(accounts.shipped.replace("attributes: []", f"attributes: {types}", 1))
    assert ready("mappings", "reindex", "--profile", "entra").exit_code == 0
    patch = {"Operations": [{"op": "replace", "path": "title", "value": "x"}, {"op": "remove", "path": "size"}]}
    changed = accounts.service().patch(user, patch, STRICT, None)
    assert changed
    assert b'"title":"x"' in changed.body
    assert b"size" not in changed.body
    assert accounts.found('title eq "x"') == [user]
