"""What a changed profile would do to the accounts that are stored, and doing it."""

import errno
import json
import os
import signal
import sys
from pathlib import Path

import pytest
import yaml

from scimsvc.cli import changes
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import parse_filter
from scimsvc.protocol.patch import STRICT
from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from tests.cli.conftest import Run
from tests.cli.test_tenants import URL

FORMER = "entra.yaml.former"
EMAILS = [{"type": "work", "value": "a@example.com"}]


class Accounts:
    """The accounts of the tenant `default`, by the profile that lies in the folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mappings" / "entra.yaml"
        self.shipped = self.path.read_text()
        self.database = Database(URL)

    def service(self, endpoint: str = "users") -> ResourceService:
        tenant = tenants.find_tenant(self.database, "default")
        assert tenant
        return ResourceService(self.database, tenant.id, Catalog(load_profile(self.path)).types[endpoint], "http://x")

    def create(self, **attributes: object) -> str:
        rendered = self.service().create({"userName": f"user{len(self.ids())}", **attributes})
        return rendered.location.rpartition("/")[2]

    def ids(self) -> list[str]:
        return [stored.id for stored in self.service()._resources.all()]

    def found(self, text: str) -> list[str]:
        service = self.service()
        return [stored.id for stored in service._resources.page(parse_filter(text, service._type), 0, 10)]


@pytest.fixture
def accounts(ready: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    # No server runs that would have to follow first.
    monkeypatch.setattr(changes, "FOLLOWED_AFTER", 0.0)
    made = Accounts(folder)
    yield made
    made.database.close()


def unique_display_name(accounts: Accounts) -> str:
    return accounts.shipped.replace("target: displayName}", "target: displayName, unique: true}", 1)


def test_profile_that_changes_nothing_has_a_plan_without_effects(ready: Run, accounts: Accounts):
    accounts.create(displayName="A")
    result = ready("mappings", "plan", "mappings/entra.yaml")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "profile entra: nothing changes in the profile",
            "tenant default, User: 1 resources",
            "tenant default, Group: 0 resources",
            "Plan: 0 problems, 0 other changes; 1 resource looked at",
        ],
    )


def test_values_that_would_clash_are_planned_and_nothing_is_changed(ready: Run, folder: Path, accounts: Accounts):
    first, second, _ = accounts.create(displayName="A"), accounts.create(displayName="a"), accounts.create(displayName="B")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    result = ready("mappings", "plan", "new.yaml")
    assert result.exit_code == 1
    line = f" ! 1: displayName has a value that another has, and must be unique; such as {first}, {second}"
    assert line in result.stdout.splitlines()
    accounts.create(displayName="A")


def test_attributes_and_values_that_would_be_refused_are_planned(ready: Run, folder: Path, accounts: Accounts):
    accounts.path.write_text(
        accounts.shipped.replace("attributes: []", "attributes: [{name: badge}, {name: size}, {name: 'urn:x:User:level'}]")
    )
    one = accounts.create(badge="x", size="XL", **{"urn:x:User": {"level": "1"}})
    two = accounts.create(badge="7", size="7")
    (folder / "new.yaml").write_text(accounts.shipped.replace("attributes: []", "attributes: [{name: size, type: Integer}]"))
    lines = ready("mappings", "plan", "new.yaml").stdout.splitlines()
    assert "tenant default, User: 2 resources" in lines
    assert {line for line in lines if line.startswith(" ")} == {
        f" ! 2: badge is an attribute that the profile no longer has; such as {one}, {two}",
        f" ! 1: urn:x:User is an attribute that the profile no longer has; such as {one}",
        f" ! 2: size must be a whole number of at most 64 bits; such as {one}, {two}",
    }


def test_resource_type_that_goes_is_planned(ready: Run, folder: Path, accounts: Accounts):
    device = {"id": "urn:x:Device", "attributes": [{"name": "serial"}]}
    types = [{"name": "Device", "endpoint": "/Devices", "schema": "urn:x:Device"}]
    (accounts.path.parent / "acme.json").write_text(json.dumps({"Schemas": [device], "ResourceTypes": types}))
    accounts.path.write_text(accounts.shipped + "documents: [acme.json]\n")
    id_ = accounts.service("devices").create({"serial": "1"}).location.rpartition("/")[2]
    (folder / "new.yaml").write_text(accounts.shipped)
    for command in ("plan", "apply"):
        result = ready("mappings", command, "new.yaml", *(["--yes"] if command == "apply" else []))
        assert result.exit_code == 1
        assert f" ! 1: Device is a resource type that the profile no longer has; such as {id_}" in result.stdout.splitlines()
    assert "acme.json" in accounts.path.read_text()


def test_what_is_in_a_profile_s_place_and_is_no_file_is_said(ready: Run, folder: Path, accounts: Accounts):
    (folder / "new.yaml").write_text(accounts.shipped.replace("profile: entra", "profile: fresh"))
    (accounts.path.parent / "fresh.yaml").mkdir()
    result = ready("mappings", "apply", "new.yaml")
    assert (result.exit_code, "fresh.yaml" in result.stderr) == (1, True)


def test_no_more_than_three_examples_are_named(ready: Run, folder: Path, accounts: Accounts):
    for _ in range(5):
        accounts.create(displayName="A")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    lines = ready("mappings", "plan", "new.yaml").stdout.splitlines()
    line = next(line for line in lines if "another has," in line)
    assert line.startswith(" ! 4: displayName has a value that another has")
    assert line.count(", ") == 3


def test_accounts_are_indexed_as_the_profile_is_now(ready: Run, accounts: Accounts):
    one, two = accounts.create(displayName="A", emails=EMAILS), accounts.create(displayName="B")
    accounts.path.write_text(unique_display_name(accounts))
    result = ready("mappings", "reindex", "--profile", "entra")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "tenant default, User: 2 resources")
    assert accounts.found('emails[type eq "work" and value eq "A@example.com"]') == [one]
    assert accounts.found('displayName eq "b"') == [two]
    with pytest.raises(ScimError, match="displayName"):
        accounts.create(displayName="b")


def test_accounts_that_clash_stay_as_they_were(ready: Run, accounts: Accounts):
    one, two = accounts.create(displayName="A"), accounts.create(displayName="A")
    accounts.path.write_text(unique_display_name(accounts))
    result = ready("mappings", "reindex", "--profile", "entra")
    assert result.exit_code == 1
    assert f" ! 1: has a unique value that another has already, and stays as it was; such as {two}" in result.stdout
    assert accounts.found('displayName eq "a"') == [one, two]


def test_profile_that_nobody_follows_and_one_that_is_wrong(ready: Run, folder: Path, accounts: Accounts):
    (folder / "new.yaml").write_text(accounts.shipped.replace("profile: entra", "profile: other"))
    result = ready("mappings", "plan", "new.yaml")
    assert (result.exit_code, result.stderr) == (0, "no tenant follows the profile 'other'\n")
    assert result.stdout.splitlines() == [
        "profile other: nothing to compare with, because there is no valid version of it now",
        "Plan: 0 problems, 0 other changes; 0 resources looked at",
    ]
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


def with_rows(accounts: Accounts, **targets: str | None) -> str:
    """The shipped profile with other rows, by their targets; None for one that goes, and examples left out."""
    profile = yaml.safe_load(accounts.shipped)
    users = profile["users"]
    del users["examples"]
    rows = {row["target"]: row for row in users["mappings"]}
    for target, row in targets.items():
        rows[target] = {**yaml.safe_load(row), "target": target} if row else None
    users["mappings"] = [row for row in rows.values() if row]
    return yaml.safe_dump(profile, sort_keys=False)


def planned(ready: Run, folder: Path, text: str, *options: str) -> list[str]:
    """What the plan has on the users."""
    (folder / "new.yaml").write_text(text)
    result = ready("mappings", "plan", "new.yaml", *options)
    lines = [line for line in result.stdout.splitlines() if line.startswith(" ")]
    assert (result.exit_code, result.stderr) == (int(any(line.startswith(" !") for line in lines)), "")
    return lines


@pytest.mark.parametrize(
    ("target", "row", "effect"),
    [
        ("displayName", "expression: 'ToUpper([displayName])'", "   1: displayName changes; such as {0}"),
        ("displayName", "expression: 'ToUpper([displayName])'\napply: create", None),
        ("displayName", "source: displayName\ndefault: none", None),
        ("title", "constant: Dr", "   2: title changes; such as {0}, {1}"),
        ("active", "expression: 'Not([IsSoftDeleted])'", None),
        ("active", 'expression: \'Switch([IsSoftDeleted], , "False", "False")\'', "   1: active changes; such as {0}"),
        ("title", "source: jobTitle", "   2: title may change: jobTitle can't be told; such as {0}, {1}"),
        ("title", 'expression: \'Switch("a", 99999999999999999999, "b", "c")\'', "   2: title changes; such as {0}, {1}"),
        ("title", "expression: Guid()", "   2: title may change: it comes out differently each time; such as {0}, {1}"),
        ("title", "expression: 'CBool([displayName])'", "   2: title can't be worked out; such as {0}, {1}"),
        ("title", 'expression: \'IIF([objectId] = "1", IgnoreObjectFlow, "x")\'', "   1: is skipped: the expression for title"),
        (
            'emails[type eq "work"].value',
            None,
            '   1: emails[type eq "work"].value is no longer sent, and stays as it is; such as {0}',
        ),
    ],
)
def test_attributes_that_change_are_planned(
    ready: Run, folder: Path, accounts: Accounts, target: str, row: str | None, effect: str | None
):
    jane = accounts.create(externalId="1", displayName="Jane", emails=EMAILS, active=True)
    jim = accounts.create(externalId="2", displayName="JIM", active=False)
    lines = planned(ready, folder, with_rows(accounts, **{target: row}))
    assert "\n".join(lines).startswith(effect.format(jane, jim)) if effect else lines == []


def test_values_are_shown_only_where_they_are_asked_for(ready: Run, folder: Path, accounts: Accounts):
    jane = accounts.create(externalId="1", displayName="Jane")
    text = with_rows(accounts, displayName="expression: 'ToUpper([displayName])'")
    assert planned(ready, folder, text) == [f"   1: displayName changes; such as {jane}"]
    assert planned(ready, folder, text, "--values") == [f'   1: displayName changes; such as {jane} (user0): "Jane" to "JANE"']


@pytest.mark.parametrize(
    "former", ['expression: \'Switch([city], , "A", "1")\'', "source: city\napply: create", "source: city\ndefault: none"]
)
def test_account_without_a_value_does_not_always_tell_that_the_object_has_none(
    ready: Run, folder: Path, accounts: Accounts, former: str
):
    accounts.path.write_text(with_rows(accounts, nickName=former))
    jane = accounts.create(externalId="1")
    text = with_rows(accounts, nickName=former, title='expression: \'Join("", "X", [city])\'')
    assert planned(ready, folder, text) == [f"   1: title may change: city can't be told; such as {jane}"]


def test_nothing_else_is_planned_for_an_object_that_is_skipped(ready: Run, folder: Path, accounts: Accounts):
    jane, jim = accounts.create(externalId="1"), accounts.create(externalId="2")
    skipping = 'expression: \'IIF([objectId] = "1", IgnoreObjectFlow, "x")\''
    both = with_rows(accounts, title=skipping, locale="constant: x")
    assert planned(ready, folder, both) == [
        f"   1: is skipped: the expression for title says IgnoreObjectFlow; such as {jane}",
        f"   1: title changes; such as {jim}",
        f"   1: locale changes; such as {jim}",
    ]
    accounts.path.write_text(with_rows(accounts, title=skipping))
    assert planned(ready, folder, both) == [f"   1: locale changes; such as {jim}"]


def with_scope(text: str, *clauses: str) -> str:
    """The profile with a scoping filter for users, and with another row, which Entra sends of those in scope."""
    profile = yaml.safe_load(text)
    profile["users"]["scope"] = [{"clauses": [yaml.safe_load(clause) for clause in clauses]}] if clauses else []
    return yaml.safe_dump(profile, sort_keys=False)


DISPLAY_NAME = "{attribute: displayName, operator: EQUALS, value: Jane}"
DEPARTMENT = "{attribute: department, operator: EQUALS, value: zz}"


def test_accounts_that_change_their_scope_are_planned(ready: Run, folder: Path, accounts: Accounts):
    jane, jim = accounts.create(externalId="1", displayName="Jane"), accounts.create(externalId="2", displayName="Jim")
    other = with_rows(accounts, locale="constant: x")
    locale, out = "   {}: locale changes; such as {}", "falls out of scope: Entra disables or removes the account"
    unsure = "scope: department can't be told"
    both = f"{jane}, {jim}"
    assert planned(ready, folder, with_scope(other, DISPLAY_NAME)) == [locale.format(1, jane), f"   1: {out}; such as {jim}"]
    assert planned(ready, folder, with_scope(other, DEPARTMENT)) == [
        f"   2: may fall out of {unsure}; such as {both}",
        locale.format(2, both),
    ]
    assert planned(ready, folder, with_scope(other, DEPARTMENT, DISPLAY_NAME)) == [
        f"   1: may fall out of {unsure}; such as {jane}",
        locale.format(1, jane),
        f"   1: {out}; such as {jim}",
    ]
    accounts.path.write_text(with_scope(with_rows(accounts), DISPLAY_NAME))
    assert planned(ready, folder, with_scope(other, DISPLAY_NAME)) == [locale.format(1, jane)]
    assert planned(ready, folder, other) == [
        locale.format(2, both),
        f"   1: comes into scope: Entra provisions it again; such as {jim}",
    ]
    assert planned(ready, folder, with_scope(other, DEPARTMENT)) == [
        f"   1: may fall out of {unsure}; such as {jane}",
        locale.format(2, both),
        f"   1: may come into {unsure}; such as {jim}",
    ]


def test_accounts_that_entra_would_no_longer_find_are_planned(ready: Run, folder: Path, accounts: Accounts):
    accounts.create(externalId="1", displayName="Jane")
    jim = accounts.create(externalId="2")
    text = with_rows(accounts, displayName="source: displayName\nmatching: 1", externalId="source: objectId")
    assert f" ! 1: has no displayName, by which Entra would look for it; such as {jim}" in planned(ready, folder, text)


def test_profile_is_applied_and_brought_back(ready: Run, folder: Path, accounts: Accounts):
    one, _ = accounts.create(displayName="A"), accounts.create(displayName="B")
    changed = unique_display_name(accounts)
    (folder / "new.yaml").write_text(changed)
    result = ready("mappings", "apply", "new.yaml", "--yes", "--force")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("indexed 2 resources\n")
    assert accounts.path.read_text() == changed
    assert accounts.path.with_name(FORMER).read_text() == accounts.shipped
    with pytest.raises(ScimError, match="displayName"):
        accounts.create(displayName="b")
    again = ready("mappings", "apply", "new.yaml", "--yes")
    assert (again.exit_code, again.stdout.splitlines()[-1]) == (0, "indexed 2 resources")
    assert "entra.yaml is the same already\n" in again.stdout
    for expected, kept in ((accounts.shipped, changed), (changed, accounts.shipped)):
        assert ready("mappings", "rollback", "--profile", "entra", "--yes", "--force").exit_code == 0
        assert (accounts.path.read_text(), accounts.path.with_name(FORMER).read_text()) == (expected, kept)
    assert ready("mappings", "check").exit_code == 0
    assert accounts.found('displayName eq "a"') == [one]
    assert sorted(path.name for path in accounts.path.parent.iterdir()) == ["entra.yaml", FORMER]


def test_profile_with_something_in_its_way_is_not_applied_unless_forced(ready: Run, folder: Path, accounts: Accounts):
    one, two = accounts.create(displayName="A"), accounts.create(displayName="a")
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    result = ready("mappings", "apply", "new.yaml", "--yes")
    assert (result.exit_code, accounts.path.read_text()) == (1, accounts.shipped)
    assert "something is in the way, so nothing was changed" in result.stderr
    assert not accounts.path.with_name(FORMER).exists()
    assert ready("mappings", "apply", "new.yaml", "--force", "--yes").exit_code == 0
    assert accounts.path.read_text() != accounts.shipped
    assert accounts.found('displayName eq "a"') == [one, two]


def test_what_can_not_be_applied_changes_nothing(ready: Run, folder: Path, accounts: Accounts):
    new = folder / "new.yaml"
    assert "there is no former version" in ready("mappings", "rollback", "--profile", "entra").stderr
    assert f"there is no profile 'nope' in {folder}/mappings" in ready("mappings", "rollback", "--profile", "nope").stderr
    assert "'../x' is no name of a profile" in ready("mappings", "rollback", "--profile", "../x").stderr
    new.write_text(accounts.shipped.replace("target: displayName", "target: displayNam", 1))
    result = ready("mappings", "apply", "new.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "new.yaml:" in result.stderr
    assert ready("mappings", "apply", "nothing.yaml").exit_code == 1
    # A good profile, but another file of the folder has its name too.
    (folder / "mappings" / "second.yaml").write_text(accounts.shipped)
    new.write_text(unique_display_name(accounts))
    result = ready("mappings", "apply", "new.yaml", "--yes")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "second.yaml:" in result.stderr
    assert accounts.path.read_text() == accounts.shipped


def test_broken_profile_is_replaced_by_a_good_one_and_a_new_one_is_added(ready: Run, folder: Path, accounts: Accounts):
    accounts.create(displayName="A")
    accounts.path.write_text("profile: [")
    (folder / "new.yaml").write_text(accounts.shipped)
    assert ready("mappings", "apply", "new.yaml", "--yes").exit_code == 0
    assert accounts.path.read_text() == accounts.shipped
    (folder / "new.yaml").write_text(accounts.shipped.replace("profile: entra", "profile: other"))
    result = ready("mappings", "apply", "new.yaml", "--yes")
    assert (result.exit_code, result.stderr) == (0, "no tenant follows the profile 'other'\n")
    assert (folder / "mappings" / "other.yaml").exists()
    assert "mappings/other.yaml is new\n" in result.stdout


def test_profile_is_never_put_where_another_one_is(ready: Run, folder: Path, accounts: Accounts):
    taken = folder / "mappings" / "b.yaml"
    good = accounts.shipped.replace("profile: entra", "profile: c")
    (folder / "new.yaml").write_text(accounts.shipped.replace("profile: entra", "profile: b"))
    # Another profile is there: a right one, a wrong one, and one that can't be read, of which the former version tells.
    for content, former in ((good, ""), (good.replace("target: title", "target: titl"), ""), ("profile: [", good)):
        taken.write_text(content)
        taken.with_name("b.yaml.former").write_text(former)
        result = ready("mappings", "apply", "new.yaml")
        assert (result.exit_code, taken.read_text()) == (1, content)
        assert "b.yaml:1:1: the profile 'b' would go here, where 'c' is: call this file c.yaml" in result.stderr


def test_profile_is_brought_back_where_its_file_is_broken_and_called_otherwise(ready: Run, folder: Path, accounts: Accounts):
    custom = accounts.path.rename(accounts.path.with_name("custom.yaml"))
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    assert ready("mappings", "apply", "new.yaml", "--yes").exit_code == 0
    for broken in ("profile: [", "profile: entra\nusers: 5\n"):
        former = custom.with_name("custom.yaml.former")
        former.write_text(accounts.shipped)
        custom.write_text(broken)
        assert ready("mappings", "rollback", "--profile", "entra", "--yes").exit_code == 0
        assert (custom.read_text(), former.read_text()) == (accounts.shipped, broken)


def test_file_keeps_its_owner_and_rights_and_a_link_stays_one(
    ready: Run, folder: Path, accounts: Accounts, monkeypatch: pytest.MonkeyPatch
):
    (folder / "shared").mkdir()
    real = accounts.path.rename(folder / "shared" / "real.yaml")
    real.chmod(0o640)
    accounts.path.symlink_to(real)
    (folder / "new.yaml").write_text(unique_display_name(accounts))
    given = []
    monkeypatch.setattr("os.chown", lambda path, uid, gid: given.append((uid, gid)))
    assert ready("mappings", "apply", "new.yaml", "--yes").exit_code == 0
    assert accounts.path.is_symlink()
    assert (real.read_text(), real.stat().st_mode & 0o777) == (unique_display_name(accounts), 0o640)
    assert accounts.path.with_name(FORMER).read_text() == accounts.shipped
    assert set(given) == {(real.stat().st_uid, real.stat().st_gid)}


def test_tenant_follows_another_profile(ready: Run, folder: Path, accounts: Accounts):
    accounts.create(displayName="A")
    accounts.create(displayName="a")
    other = folder / "mappings" / "other.yaml"
    other.write_text(unique_display_name(accounts).replace("profile: entra", "profile: other"))
    result = ready("tenant", "update", "default", "--profile", "other", "--yes")
    assert result.exit_code == 1
    assert "something is in the way" in result.stderr
    assert ready("tenant", "list").stdout == "default\tentra\n"
    other.write_text(accounts.shipped.replace("profile: entra", "profile: other"))
    result = ready("tenant", "update", "default", "--profile", "other", "--yes")
    assert result.exit_code == 0
    assert "tenant default follows profile other" in result.stdout
    assert ready("tenant", "list").stdout == "default\tother\n"
    assert "there is no profile 'nothing'" in ready("tenant", "update", "default", "--profile", "nothing").stderr
    assert "there is no tenant 'nobody'" in ready("tenant", "update", "nobody", "--profile", "entra").stderr


def test_full_disk_keeps_the_profile_as_it_was(ready: Run, folder: Path, accounts: Accounts, monkeypatch: pytest.MonkeyPatch):
    (folder / "new.yaml").write_text(unique_display_name(accounts))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    result = ready("mappings", "apply", "new.yaml", "--yes")
    assert (result.exit_code, accounts.path.read_text()) == (1, accounts.shipped)
    assert "entra.yaml stays as it was: No space left on device" in result.stderr
    assert [path.name for path in accounts.path.parent.iterdir()] == ["entra.yaml"]


def test_what_the_application_reads_otherwise_is_planned(ready: Run, folder: Path, accounts: Accounts):
    without = accounts.shipped.partition("record:")[0] + "groups:" + accounts.shipped.partition("groups:")[2]
    accounts.path.write_text(without + "record: {name: displayName, login: userName, gone: title}\n")
    one, two = accounts.create(displayName="A"), accounts.create(displayName="b")
    (folder / "new.yaml").write_text(without + "record: {name: 'ToUpper([displayName])', login: userName, more: active}\n")
    result = ready("mappings", "plan", "new.yaml", "--values")
    assert result.exit_code == 1
    assert sorted(line for line in result.stdout.splitlines() if line.startswith(" ")) == [
        f'   1: the record\'s name changes; such as {two} (user1): "b" to "B"',
        f"   2: the record has more; such as {one} (user0): null, {two} (user1): null",
        f" ! 2: the record has no gone any more; such as {one} (user0), {two} (user1)",
    ]


def test_resource_types_of_documents_are_planned_too(ready: Run, folder: Path, accounts: Accounts):
    (folder / "mappings" / "more.json").write_text(
        """{"Schemas": [{"id": "urn:example:Device", "name": "Device", "attributes": [{"name": "serial"}, {"name": "label"}]}],
        "ResourceTypes": [{"name": "Device", "endpoint": "/Devices", "schema": "urn:example:Device"}]}"""
    )
    accounts.path.write_text(accounts.shipped + "\ndocuments: [more.json]\n")
    devices = accounts.service("devices")
    devices.create({"serial": "1", "label": "a"})
    unique = (folder / "mappings" / "more.json").read_text().replace('"serial"', '"serial", "uniqueness": "server"')
    result = ready("mappings", "plan", "mappings/entra.yaml")
    assert (result.exit_code, result.stdout.splitlines()[-2]) == (0, "tenant default, Device: 1 resources")
    (folder / "mappings" / "other.json").write_text(unique.replace(', {"name": "label"}', ""))
    (folder / "new.yaml").write_text(accounts.path.read_text().replace("more.json", "other.json"))
    devices.create({"serial": "1"})
    lines = ready("mappings", "plan", "new.yaml").stdout.splitlines()
    assert "tenant default, Device: 2 resources" in lines
    assert {line.split(": ", 1)[1].partition(";")[0] for line in lines if line.startswith(" ")} == {
        "serial becomes unique: a request with a value that another has will get 409",
        "serial has a value that another has, and must be unique",
        "label is an attribute that the profile no longer has",
    }
    (folder / "new.yaml").write_text(accounts.path.read_text().replace("more.json", "absent.json"))
    for command in ("plan", "apply"):
        assert "new.yaml:" in ready("mappings", command, "new.yaml").stderr
        assert "absent.json: there is no such file in the mappings folder" in ready("mappings", command, "new.yaml").stderr


MATCHED_BY_LOGIN = {"externalId": "source: objectId", "userName": "source: userPrincipalName\nmatching: 1"}
WORK = 'emails[type eq "work"].value'


@pytest.mark.parametrize(
    ("targets", "effects"),
    [
        (
            # The login was the object's id, so nobody is found by the user principal name.
            MATCHED_BY_LOGIN,
            {
                "! 2: matching changes from externalId (from [objectId]) to userName (from [userPrincipalName])": "{0}, {1}",
                "! 1: would not be found by userName, so Entra creates it again": "{0}",
                "! 1: may not be found by userName and be created again: userPrincipalName can't be told": "{1}",
                "! 2: externalId is no longer unique: once two have the same value, a rollback is refused": "{0}, {1}",
            },
        ),
        (
            {"externalId": "source: mailNickname\nmatching: 1"},
            {
                "! 2: matching changes from externalId (from [objectId]) to externalId (from [mailNickname])": "{0}, {1}",
                "! 2: may not be found by externalId and be created again: mailNickname can't be told": "{0}, {1}",
            },
        ),
        (
            # A second matching attribute finds who the first doesn't.
            {"externalId": "source: objectId\nmatching: 2", "title": "constant: x\nmatching: 1"},
            {
                "! 2: matching changes from externalId (from [objectId]) to title (from the constant 'x'), then externalId (from "
                "[objectId])": "{0}, {1}",
            },
        ),
        (
            {"externalId": "source: objectId", "displayName": "source: displayName\nmatching: 1"},
            {
                "! 2: matching changes from externalId (from [objectId]) to displayName (from [displayName])": "{0}, {1}",
                "! 1: has no displayName, by which Entra would look for it": "{1}",
                "! 1: displayName becomes unique: a request with a value that another has will get 409": "{0}",
                "! 2: externalId is no longer unique: once two have the same value, a rollback is refused": "{0}, {1}",
            },
        ),
        ({"title": "source: jobTitle\nunique: true"}, {}),
    ],
)
def test_changed_matching_and_uniqueness_are_problems(
    ready: Run, folder: Path, accounts: Accounts, targets: dict[str, str], effects: dict[str, str]
):
    emails = [{"type": "work", "value": "jane@example.com"}]
    jane = accounts.create(externalId="1", userName="1", displayName="Jane", emails=emails)
    # Without an e-mail it can't be told whether the object has a user principal name, because that row has a default.
    default = with_rows(accounts, **{WORK: "source: userPrincipalName\ndefault: none@example.com"})
    accounts.path.write_text(default)
    jim = accounts.create(externalId="2", userName="2")
    text = with_rows(accounts, **{WORK: "source: userPrincipalName\ndefault: none@example.com", **targets})
    found = [line for line in planned(ready, folder, text) if line.startswith(" !")]
    assert sorted(found) == sorted(f" {effect}; such as {ids.format(jane, jim)}" for effect, ids in effects.items())


def test_the_plan_says_what_changes_in_the_profile_and_ends_with_a_summary(ready: Run, folder: Path, accounts: Accounts):
    jane = accounts.create(externalId="1", userName="1", displayName="Jane", emails=EMAILS)
    (folder / "new.yaml").write_text(with_rows(accounts, **MATCHED_BY_LOGIN))
    result = ready("mappings", "plan", "new.yaml", "--values")
    lines = result.stdout.splitlines()
    assert lines[0] == (
        "profile entra: users: matching: externalId (from [objectId]) becomes userName (from [userPrincipalName])"
    )
    assert "profile entra: users: externalId is no longer unique" in lines
    assert lines[-1] == "Plan: 3 problems for 1 resource, 1 other change for 1 resource; 1 resource looked at"
    assert any(line.endswith(f"such as {jane} (1)") for line in lines)
    assert lines.index("tenant default, User: 1 resources") > max(
        place for place, line in enumerate(lines) if line.startswith("profile ")
    )


def test_a_tenant_that_would_lose_its_record_is_warned(ready: Run, folder: Path, accounts: Accounts):
    id_ = accounts.create(externalId="1", displayName="A")
    bare = accounts.shipped.partition("record:")[0] + "groups:" + accounts.shipped.partition("groups:")[2]
    (folder / "mappings" / "bare.yaml").write_text(bare.replace("profile: entra", "profile: bare"))
    result = ready("tenant", "update", "default", "--profile", "bare", "--yes")
    assert result.exit_code == 1
    assert "profile bare instead of entra: record: no field login any more" in result.stdout
    assert f" ! 1: the record has no login any more; such as {id_}" in result.stdout
    assert ready("tenant", "list").stdout == "default\tentra\n"


def test_another_broken_file_stops_no_command(ready: Run, folder: Path, accounts: Accounts):
    broken = folder / "mappings" / "broken.yaml"
    broken.write_text("profile: [")
    warning = f"warning: {folder}/mappings/broken.yaml can't be used; scimsvc mappings check says why\n".replace(f"{folder}/", "")
    new = folder / "new.yaml"
    new.write_text(accounts.shipped.replace("Microsoft Entra ID\n", "Other\n", 1))
    plan = ready("mappings", "plan", "new.yaml")
    assert (plan.exit_code, plan.stdout.splitlines()[0]) == (0, "profile entra: title: 'Microsoft Entra ID' becomes 'Other'")
    assert ready("mappings", "apply", "new.yaml", "--yes").exit_code == 0
    made = ready("tenant", "create", "second", "--profile", "entra")
    assert (made.exit_code, made.stderr.endswith(warning)) == (0, True)
    listed = ready("mappings", "list")
    assert (listed.exit_code, listed.stdout.splitlines()[0]) == (1, "entra\tOther\tmappings/entra.yaml")
    checked = ready("mappings", "check")
    assert (checked.exit_code, "broken.yaml:1:11: not YAML" in checked.stderr) == (1, True)
    refused = ready("tenant", "create", "third", "--profile", "broken")
    assert (refused.exit_code, "broken.yaml:1:11: not YAML" in refused.stderr) == (1, True)


@pytest.mark.parametrize(
    "command", [["plan", "NEW"], ["apply", "NEW", "--dry-run"], ["rollback", "--profile", "entra", "--dry-run"]]
)
def test_a_plan_has_the_warnings_of_check_before_its_summary(ready: Run, folder: Path, accounts: Accounts, command: list[str]):
    path = f"mappings/{FORMER}" if "rollback" in command else "new.yaml"
    (folder / path).write_text(without_members(accounts.shipped))
    warnings = [line for line in ready("mappings", "check", path).stderr.splitlines() if not line.startswith(" ")]
    assert warnings[0].startswith(f"{path}:")
    result = ready("mappings", *(path if one == "NEW" else one for one in command))
    lines = result.stdout.splitlines()
    assert lines[-1 - len(warnings) : -1] == warnings
    assert lines[-1].startswith("Plan: ")


def test_a_switch_of_a_tenant_has_the_warnings_of_its_new_profile(ready: Run, folder: Path, accounts: Accounts):
    path = folder / "mappings" / "other.yaml"
    path.write_text(without_members(accounts.shipped).replace("profile: entra", "profile: other"))
    warning = ready("mappings", "check", "mappings/other.yaml").stderr.splitlines()[0]
    assert warning in ready("tenant", "update", "default", "--profile", "other", "--dry-run").stdout.splitlines()


def without_members(profile: str) -> str:
    """A profile that draws a warning: its groups have no members."""
    return "".join(line for line in profile.splitlines(keepends=True) if "source: members" not in line)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("arguments", "early"),
    [
        (["mappings", "plan", "mappings/entra.yaml"], "changes.registry"),
        (["mappings", "apply", "mappings/entra.yaml", "--yes"], "changes.registry"),
        (["mappings", "rollback", "--profile", "entra", "--yes"], "changes.settings"),
        (["mappings", "reindex", "--profile", "entra"], "changes.profile_named"),
        (["tenant", "update", "default", "--profile", "entra", "--yes"], "tenant.profile_named"),
    ],
)
def test_an_interruption_while_profiles_are_read_says_that_nothing_was_changed(
    ready: Run, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, arguments: list[str], early: str
):
    module, _, name = early.partition(".")
    # The package's attribute of that name is the command.
    monkeypatch.setattr(sys.modules[f"scimsvc.cli.{module}"], name, lambda *_: os.kill(os.getpid(), number))
    result = ready(*arguments)
    assert (result.exit_code, result.stderr) == (128 + number, "interrupted: nothing was changed\n")
