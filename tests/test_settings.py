"""Settings: defaults, under `config.yaml`, under the environment."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.settings import Settings, SettingsError, doubts, from_mapping, load, sections
from scimsvc.store.database import sqlite_path
from tests.support.server import ROOT

FILE = Path("config.yaml")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], Path]:
    """Writes `config.yaml` into the working folder, which is an empty one."""
    monkeypatch.chdir(tmp_path)

    def write(content: str | bytes) -> Path:
        path = tmp_path / "config.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_everything_has_a_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert load({}) == Settings()
    assert Settings().scim.base_path == "/api/scim/v2"
    assert Settings().database.url == "sqlite:///var/scimsvc.db"


def test_the_projects_own_file_is_right():
    found = load({"SCIMSVC_CONFIG": str(ROOT / "config.yaml")})
    assert (found.scim.base_path, found.mappings.directory) == ("/api/scim/v2", ROOT / "mappings")


@pytest.mark.parametrize("content", ["", "# nothing\n", "{}", "scim:\n", "scim: {}\n", "scim:\n  base_path:\n"])
def test_what_a_file_leaves_out_has_its_default(write: Callable[[str], Path], content: str):
    write(content)
    assert load({}) == Settings()


def test_file_in_the_working_folder_is_read_and_another_by_its_variable(write: Callable[[str], Path], tmp_path: Path):
    write("log: {level: debug}")
    (tmp_path / "other.yaml").write_text("log: {level: error}")
    assert load({}).log.level == "debug"
    assert load({"SCIMSVC_CONFIG": str(tmp_path / "other.yaml")}).log.level == "error"


def test_environment_is_over_the_file_and_the_file_over_the_default(write: Callable[[str], Path]):
    write("server: {workers: 3, threads: 5}\ndatabase: {url: 'sqlite:///file.db'}")
    found = load({"SCIMSVC_SERVER_THREADS": "7", "SCIMSVC_DATABASE_URL": "postgresql://host/name", "OTHER": "x"})
    assert (found.server.workers, found.server.threads, found.server.graceful_timeout) == (3, 7, 30)
    assert found.database.url == "postgresql://host/name"


@pytest.mark.parametrize(
    ("section", "name", "value", "typed"),
    [
        ("scim", "base_path", "/scim", "/scim"),
        ("scim", "public_url", "https://scim.example.com", "https://scim.example.com"),
        ("scim", "max_results", "50", 50),
        ("database", "url", "sqlite:///x.db", "sqlite:///x.db"),
        ("database", "statement_timeout", "5", 5),
        ("database", "prepared_statements", "false", False),
        ("database", "prepared_statements", "True", True),
        ("mappings", "directory", "/etc/mappings", Path("/etc/mappings")),
        ("server", "bind", "unix:/run/scimsvc.sock", "unix:/run/scimsvc.sock"),
        ("server", "management_bind", "127.0.0.1:9000", "127.0.0.1:9000"),
        ("server", "workers", "2", 2),
        ("server", "threads", "8", 8),
        ("server", "graceful_timeout", "5", 5),
        ("server", "read_timeout", "5", 5),
        ("server", "trusted_proxies", "1", 1),
        ("server", "instances", "3", 3),
        ("limits", "request_bytes", "1000", 1000),
        ("limits", "nesting", "9", 9),
        ("limits", "bulk_operations", "10", 10),
        ("limits", "patch_operations", "10", 10),
        ("limits", "members", "10", 10),
        ("limits", "filter_length", "100", 100),
        ("limits", "filter_scans", "5", 5),
        ("limits", "listed_members", "5", 5),
        ("log", "level", "warning", "warning"),
    ],
)
def test_every_setting_can_be_in_the_file_and_in_the_environment(section: str, name: str, value: str, typed: Any):
    from_file = from_mapping({section: {name: yaml.safe_load(value)}}, {}, FILE)
    from_environment = from_mapping({}, {f"SCIMSVC_{section}_{name}".upper(): value}, FILE)
    assert from_file == from_environment
    assert getattr(getattr(from_file, section), name) == typed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("- 1", "config.yaml: must be a mapping of sections"),
        ("abc", "config.yaml: must be a mapping of sections"),
        ("databse: {}", "unknown section 'databse'; there are scim, database"),
        ("1: {}", "unknown section 1"),
        ("database: sqlite:///x.db", "database must be a mapping of settings"),
        ("database: [url]", "database must be a mapping of settings"),
        ("database: {ulr: x}", "unknown setting database.ulr; there are url, statement_timeout, prepared_statements"),
        ("database: {url: 5}", "database.url must be a text, not 5"),
        ("database: {url: [x]}", r"database.url must be a text, not \['x'\]"),
        ("mappings: {directory: 5}", "mappings.directory must be a text"),
        ("log: {level: true}", "log.level must be a text"),
        ("server: {workers: two}", "server.workers must be a whole number, not 'two'"),
        ("server: {workers: 1.5}", "server.workers must be a whole number, not 1.5"),
        ("server: {workers: -1}", "server.workers must be from 0 to 512, not -1"),
        ("server: {workers: true}", "server.workers must be a whole number, not True"),
        ("server: {workers: [1]}", "server.workers must be a whole number"),
        ("server: {workers: 2026-01-01}", "server.workers must be a whole number"),
        ("scim: {max_results: ''}", "scim.max_results must be a whole number"),
        ("scim: {max_results: 0}", "scim.max_results must be from 1 to 10000, not 0"),
        ("limits: {request_bytes: 1}", "limits.request_bytes must be from 1000 to 268435456, not 1"),
        ("scim: {base_path: scim}", "scim.base_path must be a path like /api/scim/v2, apart from /api/accounts, .*, not 'scim'"),
        ("scim: {base_path: /scim/}", "scim.base_path must be"),
        ("scim: {base_path: /}", "scim.base_path must be"),
        ("scim: {base_path: '/a b'}", "scim.base_path must be"),
        *[
            (f"scim: {{base_path: {path}}}", "scim.base_path must be a path like /api/scim/v2, apart from /api/accounts")
            for path in (
                *("/api/accounts", "/api/Accounts/x", "/api", "/healthz", "/readyz", "/metrics", "/docs/scim", "/openapi.json"),
                *("/../x", "/x/..", "/x/./y", "/.", "/x//y", "//x", "/x%2e"),
            )
        ],
        ("scim: {public_url: scim.example.com}", "scim.public_url must be a URL without a path"),
        *[
            (f"scim: {{public_url: {json.dumps(url)}}}", "scim.public_url must be a URL without a path")
            for url in (
                *(
                    "https://example.com/scim",
                    "https://例え.jp",
                    'https://a"b',
                    "https://a@b:99999",
                    "https://a@b",
                    "https://a:99999",
                ),
                *(
                    "https://a:65536",
                    "https://a:",
                    "https://a:b",
                    "https://a b",
                    "https://a\\b",
                    "https://[::1",
                    "https://",
                    "https://a\n",
                ),
                "ftp://a",
            )
        ],
        ("server: {bind: localhost}", "server.bind must be an address with a port, like 127.0.0.1:9000"),
        ("server: {management_bind: '9000'}", "server.management_bind must be an address with a port"),
        ("server: {management_bind: '127.0.0.1:65536'}", "server.management_bind must be an address with a port"),
        ("server: {management_bind: 'unix:x'}", "server.management_bind must be an address with a port"),
        ("server: {bind: 'a:1', management_bind: 'a:1'}", "server.management_bind must not be the address of server.bind, 'a:1'"),
        ("log: {level: loud}", "log.level must be one of debug, info, warning, error, not 'loud'"),
        ("[]", "must be a mapping"),
        ("0", "must be a mapping"),
        ("false", "must be a mapping"),
        ("''", "must be a mapping"),
        ("scim: []", "scim must be a mapping"),
        ("scim: 0", "scim must be a mapping"),
        ("a: [", "config.yaml: not YAML"),
        ("scim: 2001-13-45", "config.yaml: not YAML"),
        ("scim: 0x_", "config.yaml: not YAML"),
        ("[" * 1000, "config.yaml: not YAML"),
        ("a: *x", "config.yaml: not YAML"),
        ("a: !!python/object/apply:os.getcwd []", "config.yaml: not YAML"),
        ("? [a]\n: b", "config.yaml: not YAML"),
        (b"a: \xff", "config.yaml: not YAML"),
        ("a: '\0'", "config.yaml: not YAML"),
    ],
)
def test_mistake_in_the_file_is_named(write: Callable[[str | bytes], Path], content: str | bytes, message: str):
    write(content)
    with pytest.raises(SettingsError, match=message):
        load({})


NUMBERS = [
    (section, name) for section, kind in sections().items() for name, type_ in get_type_hints(kind).items() if type_ is int
]


@pytest.mark.parametrize(("section", "name"), NUMBERS)
def test_every_number_has_a_range(section: str, name: str):
    default = getattr(getattr(Settings(), section), name)
    variable = f"SCIMSVC_{section}_{name}".upper()
    assert from_mapping({section: {name: default}}, {}, FILE) == replace(Settings(), folder=FILE.parent)
    for value in (10**9, 99999999999999999999999):
        with pytest.raises(SettingsError, match=rf"{variable} must be from \d+ to \d+, not {value}"):
            from_mapping({}, {variable: str(value)}, FILE)


@pytest.mark.parametrize("path", ["/scim", "/api/scim/v2", "/api/account", "/docs2", "/x.y/~z", "/v2/healthz", "/a..b"])
def test_other_paths_are_the_operators_choice(path: str):
    assert from_mapping({"scim": {"base_path": path}}, {}, FILE).scim.base_path == path


@pytest.mark.parametrize("host", ["scim.example.com", "a_b", "127.0.0.1:8000", "[::1]", "[::1]:65535", "x:0/", "xn--r8jz45g.jp"])
def test_public_url_is_any_host(host: str):
    for scheme in ("http", "https"):
        assert from_mapping({"scim": {"public_url": f"{scheme}://{host}"}}, {}, FILE).scim.public_url == f"{scheme}://{host}"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SCIMSVC_DATABSE_URL", "x", "SCIMSVC_DATABSE_URL: there is no such setting"),
        ("SCIMSVC_SERVER_WORKER", "2", "no such setting; did you mean SCIMSVC_SERVER_WORKERS\\?"),
        ("SCIMSVC_SERVER_PORT", "8001", "SCIMSVC_SERVER_PORT: there is no such setting"),
        ("SCIMSVC_SERVICE", "x", "SCIMSVC_SERVICE: there is no such setting"),
        ("SCIMSVC_LOG_LEVEL_FILE", "x", "SCIMSVC_LOG_LEVEL_FILE: there is no such setting"),
        ("SCIMSVC_DATABASE_URL_FILE", "absent", "SCIMSVC_DATABASE_URL_FILE: '/.*/absent' can't be read: No such file"),
        ("SCIMSVC_DATABASE_URL_FILE", "config.yaml", "SCIMSVC_DATABASE_URL_FILE: '/.*/config.yaml' must have the"),
        ("SCIMSVC_", "x", "SCIMSVC_: there is no such setting"),
        ("SCIMSVC_SERVER_WORKERS", "two", "SCIMSVC_SERVER_WORKERS must be a whole number, not 'two'"),
        ("SCIMSVC_SERVER_WORKERS", "-1", "SCIMSVC_SERVER_WORKERS must be from 0 to 512, not -1"),
        ("SCIMSVC_SERVER_WORKERS", "", "SCIMSVC_SERVER_WORKERS must be a whole number"),
        ("SCIMSVC_LIMITS_NESTING", "9" * 5000, "SCIMSVC_LIMITS_NESTING must be a whole number"),
        ("SCIMSVC_CONFIG", "absent.yaml", "absent.yaml: No such file"),
        *[
            ("SCIMSVC_SERVER_WORKERS", number, "SCIMSVC_SERVER_WORKERS must be a whole number")
            for number in ("1_0", "٣", " 3", "3\n", "+3", "--3", "3.0", "0x3")
        ],
        ("SCIMSVC_MAPPINGS_DIRECTORY", "", "SCIMSVC_MAPPINGS_DIRECTORY must be a folder, not ''"),
        ("SCIMSVC_CONFIG", ".", "Is a directory"),
    ],
)
def test_mistake_in_the_environment_is_named(write: Callable[[str], Path], name: str, value: str, message: str):
    write("")
    with pytest.raises(SettingsError, match=message):
        load({name: value})


def of_kubernetes(service: str, address: str, port: int, protocol: str, name: str) -> dict[str, str]:
    """The variables that kubelet makes of a service with one port (its envvars.FromServices)."""
    prefix = service.upper().replace("-", "_")
    url = f"{protocol}://{address}:{port}"
    before = f"{prefix}_PORT_{port}_{protocol.upper()}"
    return {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(port),
        f"{prefix}_SERVICE_PORT_{name.upper().replace('-', '_')}": str(port),
        f"{prefix}_PORT": url,
        before: url,
        f"{before}_PROTO": protocol,
        f"{before}_PORT": str(port),
        f"{before}_ADDR": address,
    }


@given(
    st.from_regex(r"scimsvc(-[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?)?", fullmatch=True) | st.sampled_from(["scimsvc-server"]),
    st.sampled_from(["10.0.0.1", "fd00::1"]),
    st.integers(1, 65535),
    st.sampled_from(["tcp", "udp", "sctp"]),
    st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
)
def test_variables_of_a_kubernetes_service_are_no_settings(service: str, address: str, port: int, protocol: str, name: str):
    environ = of_kubernetes(service, address, port, protocol, name)
    assert from_mapping({}, environ, FILE) == replace(Settings(), folder=FILE.parent)


@given(st.sampled_from(NUMBERS), st.integers(0, 40), st.sampled_from("abcxyz_"))
def test_a_misspelt_setting_is_refused(number: tuple[str, str], place: int, letter: str):
    variable = f"SCIMSVC_{number[0]}_{number[1]}".upper()
    place = min(len("SCIMSVC_") + place, len(variable))
    with pytest.raises(SettingsError, match="there is no such setting"):
        from_mapping({}, {variable[:place] + letter.upper() * 2 + variable[place:]: "1"}, FILE)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_comes_from_a_file(tmp_path: Path, end: str):
    url = "postgresql://scimsvc:s3cret@db/scimsvc"
    (tmp_path / "url").write_bytes((url + end).encode())
    environ = {"SCIMSVC_DATABASE_URL_FILE": str(tmp_path / "url")}
    assert from_mapping({"database": {"url": "sqlite:///x.db"}}, environ, FILE).database.url == url
    with pytest.raises(SettingsError, match="SCIMSVC_DATABASE_URL and SCIMSVC_DATABASE_URL_FILE are both set"):
        from_mapping({}, environ | {"SCIMSVC_DATABASE_URL": url}, FILE)


@pytest.mark.parametrize(
    ("content", "environ", "mode", "doubt"),
    [
        ("database: {url: 'postgresql://u:p@h/n'}", {}, 0o644, "has a password and other users can read it"),
        ("database: {url: 'postgresql://h/n?password=p'}", {}, 0o640, "has a password and other users can read it"),
        ("database: {url: 'postgresql://u:p@h/n'}", {}, 0o600, None),
        ("database: {url: 'postgresql://u@h/n'}", {}, 0o644, None),
        ("database: {url: 'sqlite:///x'}", {"SCIMSVC_DATABASE_URL": "postgresql://u:p@h/n"}, 0o644, None),
        ("log: {level: info}", {}, 0o666, "config.yaml can be changed by other users"),
        ("log: {level: info}", {}, 0o620, "config.yaml can be changed by other users"),
    ],
)
def test_files_that_others_read_or_write_are_doubted(
    write: Callable[[str], Path], content: str, environ: dict[str, str], mode: int, doubt: str | None
):
    write(content).chmod(mode)
    found = list(doubts(load(environ), environ))
    assert len(found) == (doubt is not None)
    assert doubt is None or doubt in found[0]


def test_plugins_that_others_write_are_doubted(write: Callable[[str], Path], tmp_path: Path):
    write("plugins: [acme.functions, absent]").chmod(0o644)
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "functions.py").touch()
    (tmp_path / "acme" / "functions.py").chmod(0o602)
    (found,) = doubts(load({}), {})
    assert "functions.py can be changed by other users and decides what scimsvc runs" in found


def test_a_file_of_another_user_is_doubted(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch):
    path = write("log: {level: info}")
    path.chmod(0o644)
    owner = path.stat().st_uid or 1
    if path.stat().st_uid == 0:
        # A file of root is not doubted, so it must be another's.
        os.chown(path, owner, -1)
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    (found,) = doubts(load({}), {})
    assert f"belongs to another user (uid {owner})" in found


@pytest.mark.parametrize("named", ["absolute", "relative"])
@pytest.mark.parametrize("folder", ["etc", "a b#c?d%2e%é"])
@pytest.mark.parametrize(
    ("content", "environ", "directory", "database"),
    [
        ("", {}, "{folder}/mappings", "{folder}/var/scimsvc.db"),
        ("mappings: {directory: m}\ndatabase: {url: 'sqlite:///a%20b.db'}", {}, "{folder}/m", "{folder}/a b.db"),
        ("mappings: {directory: ../m}\ndatabase: {url: 'sqlite:///../x.db'}", {}, "{folder}/../m", "{folder}/../x.db"),
        ("mappings: {directory: /m}\ndatabase: {url: 'sqlite:////x.db'}", {}, "/m", "/x.db"),
        ("database: {url: 'sqlite:///%2Fx.db'}", {}, "{folder}/mappings", "/x.db"),
        ("", {"MAPPINGS_DIRECTORY": "m", "DATABASE_URL": "sqlite:///x.db"}, "{working}/m", "{working}/x.db"),
        ("mappings: {directory: m}", {"DATABASE_URL_FILE": "url"}, "{folder}/m", "{working}/of-file.db"),
    ],
)
def test_paths_are_relative_to_the_file_and_those_of_variables_to_the_working_folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: str,
    folder: str,
    content: str,
    environ: dict[str, str],
    directory: str,
    database: str,
):
    working, beside = tmp_path / "working", tmp_path / folder
    working.mkdir()
    beside.mkdir()
    (working / "url").write_text("sqlite:///of-file.db")
    (beside / "config.yaml").write_text(content)
    monkeypatch.chdir(working)
    config = beside / "config.yaml" if named == "absolute" else Path("..") / folder / "config.yaml"
    found = load({"SCIMSVC_CONFIG": str(config)} | {f"SCIMSVC_{name}": value for name, value in environ.items()})
    of_database = sqlite_path(found.database.url)
    assert of_database is not None
    for path, right in ((found.mappings.directory, directory), (of_database, database)):
        assert path.resolve() == Path(right.format(folder=beside, working=working)).resolve()
    assert found.folder.resolve() == beside
    assert found.origin == f"configuration file: {config.absolute()}"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:5432/n?sslrootcert=x",
        "sqlite:///:memory:",
        "sqlite://host/x.db",
        "sqlite://[x",
        "sqlite:///",
        "mysql://host/name",
        "x.db",
    ],
)
def test_only_the_url_of_a_file_has_a_path(tmp_path: Path, url: str):
    (tmp_path / "config.yaml").write_text(json.dumps({"database": {"url": url}}))
    assert load({"SCIMSVC_CONFIG": str(tmp_path / "config.yaml")}).database.url == url


def test_what_else_an_sqlite_url_has_stays(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("database: {url: 'sqlite:///x.db?mode=ro#y'}")
    found = load({"SCIMSVC_CONFIG": str(tmp_path / "config.yaml")})
    assert found.database.url == f"sqlite:///{tmp_path}/x.db?mode=ro#y"


def test_without_a_file_the_settings_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert load({}).origin == "no configuration file was read"
    (tmp_path / "config.yaml").write_text("")
    assert load({}).origin == f"configuration file: {tmp_path}/config.yaml"


def test_a_folder_that_no_url_can_name_is_named(tmp_path: Path):
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    (folder / "config.yaml").write_text("")
    with pytest.raises(SettingsError, match="a folder with an SQLite database must have a name in UTF-8"):
        load({"SCIMSVC_CONFIG": str(folder / "config.yaml")})


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.dates()
NAMES = st.sampled_from(
    ["scim", "database", "mappings", "server", "limits", "log", "url", "directory", "workers", "nesting", "level"]
)
CONTENT: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES | st.integers(), inner, max_size=3), max_leaves=8
)


@settings(max_examples=200, deadline=None)
@given(CONTENT)
def test_any_content_is_settings_or_a_mistake(content: Any):
    try:
        found = from_mapping(content, {}, FILE)
    except SettingsError:
        return
    assert isinstance(found, Settings)
