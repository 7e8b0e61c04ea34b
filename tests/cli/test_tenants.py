"""`scimsvc init`, `db`, `tenant` and `token`."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scimsvc.service.catalog import Catalog
from scimsvc.service.profiles.files import load_profile
from scimsvc.service.resources import ResourceService
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.migrations import names, pending
from scimsvc.store.tenants import digest
from tests.cli.conftest import Run

SECRET = re.compile(r"scim_[A-Za-z0-9_-]{43}")
URL = "sqlite:///var/scimsvc.db"


def speaks_for(secret: str) -> str | None:
    """The tenant that a token opens."""
    database = Database(URL)
    try:
        credential = tenants.find_credential(database, digest(secret))
        return credential.tenant.name if credential else None
    finally:
        database.close()


def test_init_makes_a_tenant_and_shows_its_token_once(run: Run):
    first = run("init")
    assert (first.exit_code, first.stderr) == (0, "")
    url, secret, hint, kept, following = first.stdout.splitlines()
    assert url == "Tenant URL:   http://127.0.0.1:8000/api/scim/v2/"
    assert speaks_for(secret.removeprefix("Secret Token: ")) == "default"
    assert "scimsvc token create --tenant default" in hint
    assert (kept, following) == ("Kept as they were: config.yaml, mappings/entra.yaml", "Next: scimsvc serve")
    second = run("init")
    assert (second.exit_code, second.stderr) == (0, "")
    assert second.stdout.splitlines()[0] == url
    assert re.fullmatch(r"Tenant default: 1 live token \(no. 1, made \d{4}-\d\d-\d\d\)", second.stdout.splitlines()[1])
    again, kept, following = second.stdout.splitlines()[2:]
    assert again == "Make another token with: scimsvc token create --tenant default"
    assert (kept, following) == ("Kept as they were: config.yaml, mappings/entra.yaml", "Next: scimsvc serve")
    assert "scim_" not in second.output
    assert run("tenant", "list").stdout == "default\tentra\n"


def test_init_wants_a_url_that_is_one(run: Run):
    result = run("init", "--url", "scim.example.com")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "'scim.example.com' is no URL like http://127.0.0.1:8000" in result.stderr
    assert run("init").stdout.startswith("Tenant URL:")


@pytest.mark.parametrize(
    ("arguments", "environment", "url"),
    [
        (["--url", "http://host:9000"], {}, "http://host:9000/api/scim/v2/"),
        (["--url", "http://host:9000/"], {}, "http://host:9000/api/scim/v2/"),
        (
            ["--url", "http://host"],
            {"SCIMSVC_SCIM_PUBLIC_URL": "https://scim.example.com/"},
            "https://scim.example.com/api/scim/v2/",
        ),
        ([], {"SCIMSVC_SCIM_BASE_PATH": "/scim"}, "http://127.0.0.1:8000/scim/"),
    ],
)
def test_init_shows_the_url_that_clients_see(run: Run, arguments: list[str], environment: dict[str, str], url: str):
    assert run("init", *arguments, **environment).stdout.splitlines()[0] == f"Tenant URL:   {url}"


def test_init_makes_no_tenant_where_there_is_one(run: Run, folder: Path):
    (folder / "var").mkdir()
    run("db", "migrate")
    run("tenant", "create", "acme", "--profile", "entra")
    result = run("init")
    assert result.stdout.splitlines()[1:] == [
        "Tenant acme: no live token",
        "Make another token with: scimsvc token create --tenant acme",
        "Kept as they were: config.yaml, mappings/entra.yaml",
        "Next: scimsvc serve",
    ]
    assert run("tenant", "list").stdout == "acme\tentra\n"


def test_init_on_postgresql(run: Run, new_database_url: Callable[[str], str]):
    url = new_database_url("postgresql")
    assert "Secret Token: scim_" in run("init", SCIMSVC_DATABASE_URL=url).stdout
    assert "Tenant default: 1 live token" in run("init", SCIMSVC_DATABASE_URL=url).stdout
    assert run("tenant", "list", SCIMSVC_DATABASE_URL=url).stdout == "default\tentra\n"


def test_init_stores_nothing_without_the_profile_that_it_needs(run: Run, folder: Path):
    (folder / "mappings" / "entra.yaml").write_text("profile: entra\n")
    result = run("init")
    assert result.exit_code == 1
    assert "mappings/entra.yaml:1:1: a profile needs a table" in result.stderr
    assert not (folder / "var" / "scimsvc.db").exists()


def test_migrate_says_what_it_did(run: Run, folder: Path):
    (folder / "var").mkdir()
    assert run("db", "migrate").stdout == "".join(f"applied {name}\n" for name in names())
    assert run("db", "migrate").stdout == "up to date\n"
    database = Database(URL)
    assert pending(database) == []
    database.close()


def test_tenants_are_created_and_listed(ready: Run):
    result = ready("tenant", "create", "acme.example_1-x", "--profile", "entra")
    assert result.exit_code == 0
    assert "scimsvc token create --tenant acme.example_1-x" in result.stdout
    assert ready("tenant", "list").stdout == "default\tentra\nacme.example_1-x\tentra\n"


@pytest.mark.parametrize(
    ("name", "profile", "message"),
    [
        ("acme", "entre", "/mappings (configuration file: {folder}/config.yaml); there are: entra"),
        ("default", "entra", "there is a tenant 'default' already"),
        ("", "entra", "a tenant's name is"),
        ("a b", "entra", "a tenant's name is"),
        (".a", "entra", "a tenant's name is"),
        ("é", "entra", "a tenant's name is"),
        ("a\n", "entra", "a tenant's name is"),
        ("a" * 64, "entra", "a tenant's name is"),
    ],
)
def test_wrong_tenant_is_refused_in_one_line(ready: Run, folder: Path, name: str, profile: str, message: str):
    result = ready("tenant", "create", name, "--profile", profile)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert message.format(folder=folder) in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert ready("tenant", "list").stdout == "default\tentra\n"


def test_token_is_alone_on_standard_output(ready: Run):
    result = ready("token", "create", "--tenant", "default")
    assert (result.exit_code, result.stderr) == (0, "")
    assert SECRET.fullmatch(result.stdout.removesuffix("\n"))
    assert speaks_for(result.stdout.strip()) == "default"


@pytest.mark.parametrize(
    "command",
    [
        ("token", "create", "--tenant", "\udcff"),
        ("token", "create", "--tenant", "default", "--description", "\udcff"),
        ("token", "create", "--tenant", "default", "--scope", "me", "--user", "\udcff"),
        ("token", "list", "--tenant", "\udcff"),
        ("tenant", "update", "\udcff", "--profile", "entra"),
    ],
)
def test_what_is_no_utf_8_is_refused(ready: Run, command: tuple[str, ...]):
    result = ready(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not UTF-8" in result.stderr


def test_description_of_a_token_moves_no_terminal(ready: Run):
    assert ready("token", "create", "--tenant", "default", "--description", "a\x1b[31m\tb").exit_code == 0
    assert ready("token", "list", "--tenant", "default").stdout.endswith("\ta [31m b\n")


def test_tokens_are_listed_without_their_secrets(ready: Run):
    secret = ready("token", "create", "--tenant", "default", "--description", "for Entra", "--expires-in", "30").stdout.strip()
    first, second = (line.split("\t") for line in ready("token", "list", "--tenant", "default").stdout.splitlines())
    assert first[0] != second[0]
    assert (*first[1:3], *first[4:]) == ("live", "scim", "-", "-", "-", "made by scimsvc init")
    assert (*second[1:3], second[4], second[6:]) == ("live", "scim", "-", ["-", "for Entra"])
    assert second[5] > second[3]
    assert secret not in str(second)


def test_token_has_the_scope_that_it_was_made_for(ready: Run):
    ready("token", "create", "--tenant", "default", "--scope", "accounts.read")
    scopes = [line.split("\t")[2] for line in ready("token", "list", "--tenant", "default").stdout.splitlines()]
    assert scopes == ["scim", "accounts.read"]
    assert ready("token", "create", "--tenant", "default", "--scope", "everything").exit_code == 2


def test_token_for_a_user_says_which(ready: Run, folder: Path):
    for arguments in (["--scope", "me"], ["--user", "5"], ["--scope", "accounts.read", "--user", "5"]):
        result = ready("token", "create", "--tenant", "default", *arguments)
        assert (result.exit_code, "--scope me and --user go together" in result.stderr) == (2, True)
    assert ready("tenant", "create", "two", "--profile", "entra").exit_code == 0
    database = Database(URL)
    tenant = tenants.find_tenant(database, "default")
    assert tenant
    catalog = Catalog(load_profile(folder / "mappings" / "entra.yaml"))
    ids = [
        ResourceService(database, tenant.id, catalog.types[endpoint], "http://x").create(body).location.rpartition("/")[2]
        for endpoint, body in (("users", {"userName": "a"}), ("groups", {"displayName": "g", "externalId": "g"}))
    ]
    database.close()
    for name, id_ in (("two", ids[0]), ("default", ids[1]), ("default", "5")):
        result = ready("token", "create", "--tenant", name, "--scope", "me", "--user", id_)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"Error: tenant {name!r} has no user with the id {id_!r}\n"
    assert SECRET.match(ready("token", "create", "--tenant", "default", "--scope", "me", "--user", ids[0]).stdout)
    *_, listed = ready("token", "list", "--tenant", "default").stdout.splitlines()
    assert listed.split("\t")[2::4] == ["me", ids[0]]


def test_purge_removes_what_is_past_its_time(ready: Run, folder: Path, monkeypatch: pytest.MonkeyPatch):
    profile = folder / "mappings" / "entra.yaml"
    shipped = profile.read_text()
    profile.write_text(f"{shipped}\npolicies: {{deleteAfter: 1}}\n")
    database = Database(URL)
    tenant = tenants.find_tenant(database, "default")
    assert tenant
    for name in ("mira.okafor", "b"):
        service = ResourceService(database, tenant.id, Catalog(load_profile(profile)).types["users"], "http://x")
        service.delete(service.create({"userName": name}).location.rpartition("/")[2], None)
    assert ready("db", "purge").stdout == "default: purged 0\n"
    profile.write_text(shipped)
    files = [folder / "var" / f"scimsvc.db{end}" for end in ("", "-wal")]
    assert b"mira.okafor" in files[0].read_bytes()
    # The journal has the values, too, until they expire.
    monkeypatch.setenv("SCIMSVC_JOURNAL_RETENTION_DAYS", "0")
    assert ready("db", "purge").stdout == "default: purged 2\ndefault: deleted 7 expired rows of the journal\n"
    assert not [path for path in files if b"mira.okafor" in path.read_bytes()]
    assert ready("db", "purge").stdout == "default: purged 0\n"
    database.close()


def test_revoked_token_opens_nothing(ready: Run):
    secret = ready("token", "create", "--tenant", "default").stdout.strip()
    number = ready("token", "list", "--tenant", "default").stdout.splitlines()[1].split("\t")[0]
    assert ready("token", "revoke", "--tenant", "default", number).stdout == f"revoked token {number}\n"
    assert speaks_for(secret) is None
    states = [line.split("\t")[1] for line in ready("token", "list", "--tenant", "default").stdout.splitlines()]
    assert states == ["live", "revoked"]
    again = ready("token", "revoke", "--tenant", "default", number)
    assert (again.exit_code, again.stdout, again.stderr) == (0, f"token {number} was revoked already\n", "")


def test_number_that_no_token_has_is_refused(ready: Run):
    result = ready("token", "revoke", "--tenant", "default", "99999999999999999999")
    assert (result.exit_code, result.stderr) == (1, "Error: tenant 'default' has no live token 99999999999999999999\n")


def test_every_token_is_one_line(ready: Run):
    ready("token", "create", "--tenant", "default", "--description", "two\nlines\tand a tab")
    assert ready("token", "list", "--tenant", "default").stdout.splitlines()[1].split("\t")[7] == "two lines and a tab"


def test_token_of_another_tenant_is_not_revoked(ready: Run):
    ready("tenant", "create", "acme", "--profile", "entra")
    number = ready("token", "list", "--tenant", "default").stdout.split("\t")[0]
    assert "has no live token" in ready("token", "revoke", "--tenant", "acme", number).stderr
    assert ready("token", "list", "--tenant", "acme").stdout == ""
    assert ready("token", "list", "--tenant", "default").stdout.split("\t")[1] == "live"


@pytest.mark.parametrize("command", [("create",), ("list",), ("revoke", "1")])
def test_unknown_tenant_is_refused_with_those_there_are(ready: Run, command: tuple[str, ...]):
    result = ready("token", *command, "--tenant", "defualt")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: there is no tenant 'defualt'; there are: default\n"


@pytest.mark.parametrize("days", ["0", "-1", "x", "36501", "1.5"])
def test_wrong_expiry_is_refused(ready: Run, days: str):
    result = ready("token", "create", "--tenant", "default", "--expires-in", days)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--expires-in" in result.stderr
    assert len(ready("token", "list", "--tenant", "default").stdout.splitlines()) == 1


COMMANDS = [
    ("tenant", "list"),
    ("tenant", "create", "acme", "--profile", "entra"),
    ("token", "create", "--tenant", "default"),
    ("token", "list", "--tenant", "default"),
    ("token", "revoke", "--tenant", "default", "1"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_asks_for_the_tables_where_they_are_missing(run: Run, folder: Path, command: tuple[str, ...]):
    (folder / "var").mkdir()
    (folder / "var" / "scimsvc.db").touch()
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: the database's tables are not up to date; run: scimsvc db migrate\n"


@pytest.mark.parametrize("command", [*COMMANDS, ("db", "purge"), ("mappings", "reindex", "--profile", "entra")])
@pytest.mark.parametrize("dangling", [False, True])
def test_command_makes_no_database_where_there_is_none(run: Run, folder: Path, command: tuple[str, ...], dangling: bool):
    (folder / "var").mkdir()
    if dangling:
        (folder / "var" / "scimsvc.db").symlink_to("absent.db")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"Error: there is no database {folder}/var/scimsvc.db (configuration file: {folder}/config.yaml); "
        "if that is the right path, run: scimsvc db migrate\n"
    )
    assert [path.name for path in (folder / "var").iterdir()] == ["scimsvc.db"] * dangling


MISTAKES = [
    ({"SCIMSVC_CONFIG": "absent.yaml"}, "absent.yaml: No such file or directory"),
    ({"SCIMSVC_CONFIG": "wrong.yaml"}, "wrong.yaml: unknown section 'a'"),
    ({"SCIMSVC_SERVER_WORKERS": "x"}, "SCIMSVC_SERVER_WORKERS must be a whole number"),
    ({"SCIMSVC_DATABASE_URI": "x"}, "SCIMSVC_DATABASE_URI: there is no such setting"),
    ({"SCIMSVC_DATABASE_URL": "mysql://host/name"}, "setting database.url: the database URL must be sqlite:///"),
    ({"SCIMSVC_DATABASE_URL": "scimsvc.db"}, "setting database.url: the database URL must be sqlite:///"),
    ({"SCIMSVC_DATABASE_URL": "sqlite://[x"}, "setting database.url: "),
    ({"SCIMSVC_DATABASE_URL": "sqlite:///a%00b"}, "setting database.url: "),
    ({"SCIMSVC_DATABASE_URL": "sqlite:///:memory:"}, "setting database.url: "),
    ({"SCIMSVC_DATABASE_URL": "sqlite://host/x.db"}, "setting database.url: "),
    (
        {"SCIMSVC_DATABASE_URL": "sqlite:///x.db?mode=ro"},
        "setting database.url: an SQLite URL is sqlite:///path/to/file.db alone; '?m",
    ),
    ({"SCIMSVC_DATABASE_URL": "sqlite:///config.yaml/x.db"}, "no folder {folder}/config.yaml for the database x.db (conf"),
    ({"SCIMSVC_DATABASE_URL": "sqlite:///mappings"}, "{folder}/mappings is a folder (configuration file: {folder}/config.yaml)"),
    ({"SCIMSVC_DATABASE_URL": "postgresql://u:secret%zz@127.0.0.1:1/x"}, "the database can't be reached: "),
    ({"SCIMSVC_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"}, "the database can't be reached: "),
    ({"SCIMSVC_DATABASE_URL": "sqlite:///absent/scimsvc.db"}, "no folder {folder}/absent for the database scimsvc.db (conf"),
    ({"SCIMSVC_DATABASE_URL": "sqlite:///config.yaml"}, "{folder}/config.yaml is no SQLite database (conf"),
]


@pytest.mark.parametrize("command", [("tenant", "list"), ("token", "create", "--tenant", "default"), ("db", "migrate")])
@pytest.mark.parametrize(("environment", "message"), MISTAKES)
def test_what_is_wrong_is_said_in_one_line(
    run: Run, folder: Path, command: tuple[str, ...], environment: dict[str, str], message: str
):
    (folder / "wrong.yaml").write_text("a: 1")
    result = run(*command, **environment)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert message.format(folder=folder) in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("environment", "message"), [one for one in MISTAKES if "absent/" not in str(one)])
def test_init_says_what_is_wrong_in_one_line(run: Run, folder: Path, environment: dict[str, str], message: str):
    (folder / "wrong.yaml").write_text("a: 1")
    result = run("init", **environment)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "secret" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", [("db", "migrate"), ("init",), ("tenant", "list")])
@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("INSERT INTO migration (name) VALUES ('9999_later')", "the database was migrated by a newer scimsvc: it has 9999_later"),
        ("DROP TABLE migration", "the database is another program's: it has a table 'attribute_value' that scimsvc did not make"),
    ],
)
def test_database_that_is_not_for_this_version_is_refused(ready: Run, command: tuple[str, ...], statement: str, message: str):
    database = Database(URL)
    database.transaction(lambda: database.execute(statement, ()))
    database.close()
    result = ready(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {message}")


@pytest.mark.parametrize("command", [("tenant", "list"), ("db", "migrate"), ("init",)])
def test_file_that_is_no_yaml_is_named(run: Run, folder: Path, command: tuple[str, ...]):
    (folder / "config.yaml").write_text("scim: [")
    result = run(*command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {folder}/config.yaml: not YAML")


def test_postgresql_that_is_not_there_is_reported(run: Run, folder: Path):
    for command in (("tenant", "list"), ("db", "migrate")):
        result = run(*command, SCIMSVC_DATABASE_URL=f"postgresql:///name?host={folder}")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("Error: the database can't be reached: ")


def test_installed_command_works(folder: Path):
    command = Path(sys.executable).with_name("scimsvc")
    shown = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert all(name in shown.stdout for name in ("init", "db", "tenant", "token", "mappings", "expression"))
    failed = subprocess.run([command, "tenant", "list"], capture_output=True, text=True)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "Traceback" not in failed.stderr
