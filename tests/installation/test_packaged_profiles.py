"""A profile in the operator's folder is used instead of the packaged one of its name; others come with scimsvc."""

from collections.abc import Callable
from pathlib import Path

import pytest

from scimsvc.mapping import ProfileError
from scimsvc.mapping.functions import installed
from scimsvc.packaged_files import MAPPINGS
from scimsvc.service.catalogs import Catalogs
from scimsvc.service.profiles.packaged import packaged_profiles, with_packaged
from tests.installation.conftest import Run

ENTRA = (MAPPINGS / "entra.yaml").read_text()
OWN = ENTRA.replace("title: Microsoft Entra ID", "title: Our own")


@pytest.fixture
def catalogs(tmp_path: Path) -> Callable[..., Catalogs]:
    """Makes the catalogs of the folder `mappings` as a worker does; all of them share what is kept of a run."""
    directory = tmp_path / "mappings"
    directory.mkdir(exist_ok=True)

    def make(followed: str = "entra") -> Catalogs:
        return Catalogs(directory, installed(), tmp_path / "kept", lambda: {followed}, packaged=True)

    return make


def titles(catalogs: Catalogs) -> dict[str, str]:
    return {name: catalog.profile.title for name, catalog in catalogs.all().items()}


def test_packaged_profiles_are_whole_files() -> None:
    assert set(packaged_profiles()) == {"entra", "entra-default", "okta"}
    # Documents beside them would not be found.
    assert not any("documents:" in path.read_text() for path in packaged_profiles().values())


def test_profile_of_the_folder_wins(tmp_path: Path, catalogs: Callable[..., Catalogs]) -> None:
    assert titles(catalogs())["entra"] == "Microsoft Entra ID"
    running = catalogs()
    (tmp_path / "mappings" / "people.yaml").write_text(OWN)
    running.refresh()
    for one in (running, catalogs()):
        assert titles(one) == {
            "entra": "Our own",
            "entra-default": "Microsoft Entra ID, default mappings",
            "okta": "Okta",
        }
        assert one.problem is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("people.yaml", OWN.replace("target: userName", "target: userNam")),
        ("people.yaml", "profile: entra\nusers: ["),
        ("people.yaml", "profile: 'entra'  # ours\r\nusers: ["),
        ("entra.yaml", "users: ["),
        ("entra.yaml", ""),
    ],
)
def test_mistake_in_the_folder_brings_no_packaged_profile_into_use(
    tmp_path: Path, catalogs: Callable[..., Catalogs], name: str, text: str
) -> None:
    path = tmp_path / "mappings" / name
    path.write_text(OWN)
    running = catalogs()
    path.write_text(text)
    running.refresh()
    for one in (running, catalogs()):
        assert (titles(one)["entra"], one.problem is None) == ("Our own", False)
    # A new start has no valid version of it.
    (tmp_path / "kept").unlink()
    with pytest.raises(ProfileError):
        catalogs()


def test_file_that_disappears_is_not_replaced_during_a_run(tmp_path: Path, catalogs: Callable[..., Catalogs]) -> None:
    path = tmp_path / "mappings" / "entra.yaml"
    path.write_text(OWN)
    running = catalogs()
    path.unlink()
    running.refresh()
    for one in (running, catalogs()):
        assert titles(one)["entra"] == "Our own"
        assert "follow the profile 'entra', which is in no file" in str(one.problem)
    (tmp_path / "kept").unlink()
    fresh = catalogs()
    assert (titles(fresh)["entra"], fresh.problem) == ("Microsoft Entra ID", None)


def test_profile_that_no_tenant_follows_goes_with_its_file(tmp_path: Path, catalogs: Callable[..., Catalogs]) -> None:
    path = tmp_path / "mappings" / "entra.yaml"
    path.write_text(OWN)
    running = catalogs("okta")
    path.unlink()
    running.refresh()
    assert (titles(running)["entra"], running.problem) == ("Microsoft Entra ID", None)


def test_the_packaged_folder_has_nothing_behind_it() -> None:
    assert with_packaged({}, MAPPINGS) == {}


def test_list_shows_where_a_profile_comes_from(run: Run, folder: Path) -> None:
    assert run("init").exit_code == 0
    (folder / "mappings" / "okta.yaml").unlink()
    (folder / "mappings" / "entra.yaml").write_text(OWN)
    assert run("mappings", "list").stdout.splitlines() == [
        "entra\tOur own\tmappings/entra.yaml",
        "entra-default\tMicrosoft Entra ID, default mappings\tmappings/entra-default.yaml",
        "okta\tOkta\tpackaged",
    ]


def test_packaged_profile_is_changed_and_brought_back(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scimsvc.cli.changes.FOLLOWED_AFTER", 0)
    assert run("init").exit_code == 0
    place = folder / "mappings" / "entra.yaml"
    place.unlink()
    (folder / "new.yaml").write_text(OWN)
    applied = run("mappings", "apply", "new.yaml", "--yes")
    assert (applied.exit_code, place.read_text()) == (0, OWN)
    assert "profile entra: title: 'Microsoft Entra ID' becomes 'Our own'" in applied.stdout
    assert "mappings/entra.yaml is new; the packaged version is mappings/entra.yaml.former" in applied.stdout
    assert run("mappings", "rollback", "--profile", "entra", "--yes").exit_code == 0
    assert place.read_text() == ENTRA
