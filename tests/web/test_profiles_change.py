"""A running server takes changed profiles, and keeps good ones while the files are broken, whatever becomes of its workers."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from scimsvc.mapping import ProfileError
from scimsvc.mapping.functions import installed
from scimsvc.service.catalogs import Catalogs
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from tests.support.client import Client
from tests.support.server import ROOT, Server

ENTRA = (ROOT / "mappings" / "entra.yaml").read_text()
WITH_BADGE = ENTRA.replace("  attributes: []", "  attributes: [{name: badge}]", 1)
BROKEN = ENTRA.replace("target: displayName", "target: displayNam", 1)


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The one profile in a folder of its own."""
    (tmp_path / "mappings").mkdir()
    path = tmp_path / "mappings" / "entra.yaml"
    path.write_text(ENTRA)
    return path


def has_badge(catalogs: Catalogs) -> bool:
    catalog = catalogs.get("entra")
    assert catalog
    return catalog.types["users"].resource_type.root.sub_attribute("badge") is not None


def test_changed_files_are_taken_and_broken_ones_are_not(profile: Path, tmp_path: Path) -> None:
    told: list[str] = []
    catalogs = Catalogs(profile.parent, installed(), tmp_path / "kept")
    catalogs.on_problem = told.append
    before = catalogs.get("entra")
    catalogs.refresh()
    assert catalogs.get("entra") is before
    profile.write_text(WITH_BADGE)
    catalogs.refresh()
    assert has_badge(catalogs)
    profile.write_text(BROKEN)
    catalogs.refresh()
    catalogs.refresh()
    assert has_badge(catalogs)
    assert catalogs.problem
    assert "displayNam" in catalogs.problem
    assert told == [catalogs.problem]
    again = Catalogs(profile.parent, installed(), tmp_path / "kept")
    assert has_badge(again)
    assert again.problem == catalogs.problem
    profile.write_text(ENTRA)
    for one in (catalogs, again):
        one.refresh()
        assert not has_badge(one)
        assert one.problem is None


def test_only_the_documents_that_profiles_name_are_kept(profile: Path, tmp_path: Path) -> None:
    profile.with_name("used.json").write_text("{}")
    profile.with_name("other.json").write_bytes(b"\xff")
    profile.with_name("._other.json").write_bytes(b"\xff")
    profile.write_text(f"{ENTRA}\ndocuments: [used.json]\n")
    assert Catalogs(profile.parent, installed(), tmp_path / "kept").problem is None
    kept = orjson.loads((tmp_path / "kept").read_bytes())
    assert sorted(Path(path).name for path in kept["entra"]) == ["entra.yaml", "used.json"]


def test_every_worker_keeps_the_same_good_profiles(profile: Path, tmp_path: Path) -> None:
    quick, slow = (Catalogs(profile.parent, installed(), tmp_path / "kept") for _ in range(2))
    profile.write_text(WITH_BADGE)
    quick.refresh()
    profile.write_text(BROKEN)
    slow.refresh()
    assert slow.problem
    assert has_badge(slow)


def test_broken_files_keep_a_first_start_from_happening(profile: Path, tmp_path: Path) -> None:
    profile.write_text(BROKEN)
    for kept in (None, tmp_path / "kept"):
        with pytest.raises(ProfileError, match="displayNam"):
            Catalogs(profile.parent, installed(), kept)


OKTA = (ROOT / "mappings" / "okta.yaml").read_text()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("okta copy.yaml", OKTA, "okta.yaml:1:1: the profile 'okta' is in"),
        ("new.yaml", "profile: [", "new.yaml:1:11: not YAML"),
        ("new.yaml", OKTA.replace("profile: okta", "profile: new").replace("target: userName", "target: userNam"), "userNam"),
        ("new.yaml", f"{OKTA.replace('profile: okta', 'profile: new')}\ndocuments: [absent.json]\n", "absent.json: there is no"),
    ],
)
def test_a_broken_file_that_no_tenant_follows_stops_nothing(
    profile: Path, tmp_path: Path, name: str, content: str, message: str
) -> None:
    profile.with_name("okta.yaml").write_text(OKTA)
    profile.with_name(name).write_text(content)
    kept = tmp_path / "kept"
    started = Catalogs(profile.parent, installed(), kept, lambda: {"entra"})
    assert message in str(started.problem)
    assert not has_badge(started)
    # Other files still change while that one is broken, in every worker, also in one that starts anew.
    profile.write_text(WITH_BADGE)
    started.refresh()
    for one in (started, Catalogs(profile.parent, installed(), kept, lambda: {"entra"})):
        assert has_badge(one)
        assert message in str(one.problem)
    # If nobody can tell which profiles are followed, those that are valid are served.
    assert has_badge(Catalogs(profile.parent, installed(), None, lambda: None))
    followed = {"entra", "new" if name == "new.yaml" else "okta"}
    with pytest.raises(ProfileError, match=re.escape(message)):
        Catalogs(profile.parent, installed(), None, lambda: followed)
    profile.with_name(name).unlink()
    started.refresh()
    assert started.problem is None


def test_profile_that_tenants_follow_stays_when_its_file_goes(profile: Path, tmp_path: Path) -> None:
    okta = profile.with_name("okta.yaml")
    okta.write_text((ROOT / "mappings" / "okta.yaml").read_text())
    followed: set[str] | None = {"entra"}
    catalogs = Catalogs(profile.parent, installed(), tmp_path / "kept", lambda: followed)
    okta.unlink()
    catalogs.refresh()
    assert (catalogs.problem, catalogs.get("okta")) == (None, None)
    profile.rename(profile.with_suffix(".away"))
    for one in (catalogs, Catalogs(profile.parent, installed(), tmp_path / "kept", lambda: followed)):
        one.refresh()
        assert one.get("entra")
        assert one.problem == f"{profile.parent}:1:1: tenants follow the profile 'entra', which is in no file"
    fresh = Catalogs(profile.parent, installed(), None, lambda: followed)
    assert (fresh.get("entra"), fresh.problem) == (None, catalogs.problem)
    profile.with_suffix(".away").rename(profile)
    followed = None
    fresh.refresh()
    assert fresh.problem is None
    profile.write_text(ENTRA.replace("profile: entra", "profile: other"))
    fresh.refresh()
    assert fresh.get("entra")
    assert "follow the profile 'entra'" in str(fresh.problem)


@pytest.fixture
def server(profile: Path, tmp_path: Path, new_database_url: Callable[[str], str]) -> Iterator[Server]:
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    running = Server(url, tmp_path, SCIMSVC_MAPPINGS_DIRECTORY=str(profile.parent))
    yield running
    running.stop()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "it never comes to hold"
        threading.Event().wait(0.05)


def test_server_takes_changes_without_a_restart_and_outlives_broken_files(server: Server, profile: Path) -> None:
    token = server.client("tenant").token

    def each(path: str, base: str = server.tenant_url) -> list[bytes]:
        """The answers to some requests on connections of their own, so that every worker has its say."""
        found = []
        for _ in range(8):
            client = Client(base, token)
            answer = client.get(path)
            client.close()
            assert answer.status == 200
            found.append(answer.raw)
        return found

    def badges() -> set[bool]:
        return {b'"badge"' in raw for raw in each("/Schemas")}

    def broken() -> set[bool]:
        return {raw != b'{"status":"ok"}' for raw in each("/readyz", server.origin)}

    assert (badges(), broken()) == ({False}, {False})
    profile.write_text(WITH_BADGE)
    until(lambda: badges() == {True})
    profile.write_text(BROKEN)
    until(lambda: broken() == {True})
    assert badges() == {True}
    # /readyz needs no token: it tells nothing of what is in a profile, its path or its name.
    said = b"".join(each("/readyz", server.origin))
    assert b"broken, the last valid versions stay in use; the log says what is wrong" in said
    assert not [part for part in ("displayNam", "entra", ".yaml", str(profile.parent)) if part.encode() in said]
    until(lambda: "displayNam" in server.log_path.read_text())
    assert b"scimsvc_profiles_broken 1.0" in each("/metrics", server.origin)[0]
    former = set(server.worker_pids())
    for worker in former:
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(set(server.worker_pids()) - former) == len(former))
    assert (badges(), broken()) == ({True}, {True})
    former = set(server.worker_pids())
    server.process.send_signal(signal.SIGHUP)
    until(lambda: not set(server.worker_pids()) & former)
    assert (badges(), broken()) == ({True}, {True})
    profile.write_text(ENTRA)
    until(lambda: badges() == {False} and broken() == {False})
    assert b"scimsvc_profiles_broken 0.0" in each("/metrics", server.origin)[0]


@pytest.mark.parametrize(
    ("name", "message"), [("okta copy.yaml", "the profile 'okta' is in"), (os.fsdecode(b"okta\xff.yaml"), "is not UTF-8: rename")]
)
def test_server_starts_next_to_a_broken_file_and_says_so(
    profile: Path, tmp_path: Path, new_database_url: Callable[[str], str], name: str, message: str
) -> None:
    profile.with_name("okta.yaml").write_text(OKTA)
    profile.with_name(name).write_text(OKTA)
    url = new_database_url("sqlite")
    database = Database(url)
    migrate(database)
    database.close()
    server = Server(url, tmp_path, SCIMSVC_MAPPINGS_DIRECTORY=str(profile.parent))
    client = server.client("tenant")
    try:
        assert client.get("/Users").status == 200
        about = Client(server.origin, client.token)
        ready = about.get("/readyz")
        assert (ready.status, b"broken" in ready.raw, b"okta" in ready.raw) == (200, True, False)
        assert b"scimsvc_profiles_broken 1.0" in about.get("/metrics").raw
        about.close()
        until(lambda: message in server.log_path.read_text())
    finally:
        client.close()
        server.stop()
