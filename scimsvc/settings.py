"""The settings: defaults here, over them `config.yaml` (path in SCIMSVC_CONFIG), over that SCIMSVC_<SECTION>_<NAME>.

A secret can also come from a file, whose path is in SCIMSVC_<SECTION>_<NAME>_FILE.

Relative paths are relative to the folder of the configuration file, defaults included. Those that an environment variable has are
relative to the working folder, as is everything if no configuration file was read.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import yaml

from scimsvc.web.routes import BESIDE_SCIM

DEFAULT_PATH = "config.yaml"
LOG_LEVELS = ("debug", "info", "warning", "error")
PREFIX = "SCIMSVC_"
RUN_DIRECTORY = f"{PREFIX}RUN_DIRECTORY"
"""The variable by which gunicorn.conf.py tells its workers of the folder of this run; no setting."""

SECRETS = frozenset({"database.url"})
"""The settings that may hold a secret, so each can be read from a file as well."""
_MAX_SECRET_BYTES = 65_536


class SettingsError(Exception):
    """A setting is unknown or has a value of the wrong kind; the message names it and what would be right."""


def _setting(default: Any, meaning: str) -> Any:
    """Return a field with its default and its line in docs/operate/settings.md."""
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class ScimSettings:
    """The SCIM endpoint."""

    base_path: str = _setting(
        "/api/scim/v2",
        "the path of the Tenant URL. It must not overlap with the service's other paths (`/api/accounts`, `/docs`, "
        "`/healthz`, …)",
    )
    public_url: str = _setting(
        "", "scheme and host as clients see them, if a proxy stands in front: `https://scim.example.com`. Empty: from the request"
    )
    max_results: int = _setting(200, "the most resources in one answer")


@dataclass(frozen=True)
class DatabaseSettings:
    """The database."""

    url: str = _setting("sqlite:///var/scimsvc.db", "`sqlite:///file.db` or `postgresql://user:password@host:5432/name`")
    statement_timeout: int = _setting(10, "seconds that a query may take; then the answer is 400 tooMany")
    prepared_statements: bool = _setting(
        True, "`false` behind a pooler such as pgbouncer in transaction mode: then nothing depends on a session"
    )


@dataclass(frozen=True)
class MappingsSettings:
    """The mapping profiles."""

    directory: Path = _setting(
        Path("mappings"), "the folder of your profiles, which are used instead of packaged ones of the same name"
    )


@dataclass(frozen=True)
class ServerSettings:
    """gunicorn, and what stands around it."""

    bind: str = _setting(
        "",
        "the address to listen at: `0.0.0.0:8000`, `[::]:8000` or `unix:/run/scimsvc.sock`. Empty: from the variables "
        "`HOST` (`127.0.0.1`) and `PORT` (`8000`)",
    )
    management_bind: str = _setting(
        "", "an address for `/metrics`, `/readyz` and `/healthz`, which are 404 at the public address then"
    )
    workers: int = _setting(
        0,
        "worker processes. `0` chooses automatically: 2 on SQLite; on PostgreSQL 2 for each CPU that the container "
        "may use, or fewer, so that 5 of PostgreSQL's usable connections stay free",
    )
    threads: int = _setting(0, "threads of a worker. `0` chooses automatically: 4 on SQLite, 8 on PostgreSQL")
    graceful_timeout: int = _setting(30, "seconds that a stop waits for requests under way")
    read_timeout: int = _setting(
        15, "seconds within which a request must have arrived; then the connection is closed, with 408 if it had begun"
    )
    trusted_proxies: int = _setting(0, "how many proxies in front set `X-Forwarded-For`, `-Proto` and `-Host`")
    instances: int = _setting(1, "how many servers share the PostgreSQL database; each takes its share of the connections")


@dataclass(frozen=True)
class LimitsSettings:
    """What a client may send and ask for."""

    request_bytes: int = _setting(2 * 1024 * 1024, "bytes of a body; more is 413")
    nesting: int = _setting(16, "how deep JSON may be nested")
    bulk_operations: int = _setting(1000, "the most operations of a bulk request; more is 413")
    patch_operations: int = _setting(1000, "the most operations of a PATCH; more is 400 tooMany, as with the next five limits")
    members: int = _setting(50_000, "the most members that one request names")
    filter_length: int = _setting(
        8192, "characters of a filter. A URL has 8,190 bytes at most (414), so send a long filter by `POST /.search`"
    )
    filter_scans: int = _setting(
        20,
        "how often a filter may look at every value there is: once for each term other than `eq` or inside of a "
        "`not`, and once for each attribute that `eq` compares and that is not unique",
    )
    listed_members: int = _setting(
        100_000,
        "the most members in a list of several groups, or groups in one of several users or accounts. A group alone "
        "has all of its members",
    )
    queued_requests: int = _setting(
        100, "the most requests of one tenant that wait for a thread of a worker; further ones are 429 with `Retry-After`"
    )


@dataclass(frozen=True)
class JournalSettings:
    """The journal of what happened."""

    retention_days: int = _setting(
        400, "days after which `scimsvc db purge` deletes rows of the journal; `0` keeps only the newest row of each tenant"
    )


@dataclass(frozen=True)
class LogSettings:
    """Log lines, which are JSON on standard output."""

    level: str = _setting("info", "`debug`, `info`, `warning` or `error`. `warning` leaves out the line of each request")


@dataclass(frozen=True)
class Settings:
    """All settings, section by section."""

    scim: ScimSettings = field(default_factory=ScimSettings)
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    mappings: MappingsSettings = field(default_factory=MappingsSettings)
    server: ServerSettings = field(default_factory=ServerSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    log: LogSettings = field(default_factory=LogSettings)
    plugins: tuple[str, ...] = ()
    """Modules with functions for expressions; besides those of installed packages, which need no mention."""
    folder: Path = Path()
    """Where the file is; modules of plugins may lie there."""
    file: Path | None = field(default=None, compare=False)
    """The configuration file that was read; None if there was none."""

    @property
    def origin(self) -> str:
        """Return which configuration file was read, for messages about what a setting names."""
        return f"configuration file: {self.file.absolute()}" if self.file else "no configuration file was read"


def is_configured_elsewhere(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether SCIMSVC_CONFIG names the configuration file, which must be there then."""
    return bool(environ.get(f"{PREFIX}CONFIG"))


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the file and the environment. Raises SettingsError.

    A file that SCIMSVC_CONFIG names must be there; without that variable, `config.yaml` may be missing.
    """
    named = environ.get(f"{PREFIX}CONFIG")
    path = Path(named or DEFAULT_PATH)
    if not named and not path.exists():
        return dataclasses.replace(from_mapping({}, environ, path), file=None)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path.absolute()}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date or a number that can't be is a ValueError here.
        raise SettingsError(f"{path.absolute()}: not YAML: {' '.join(str(error).split())}") from error
    return from_mapping({} if content is None else content, environ, path)


def from_mapping(content: Any, environ: Mapping[str, str], path: Path) -> Settings:
    """The settings from a file's content and the environment. Raises SettingsError."""
    if not isinstance(content, dict):
        raise SettingsError(f"{path.absolute()}: must be a mapping of sections")
    hints = sections()
    for name in content:
        if name not in hints and name != "plugins":
            raise SettingsError(f"{path.absolute()}: unknown section {name!r}; there are {', '.join(hints)} and plugins")
    _refuse_unknown_variables(environ, hints)
    settings = Settings(
        **{section: _section(section, kind, content.get(section), environ, path) for section, kind in hints.items()},
        plugins=_plugins(content.get("plugins"), environ, path),
        folder=path.parent,
        file=path,
    )
    public, management = settings.server.bind, settings.server.management_bind
    if management and management == public:
        raise SettingsError(f"server.management_bind must not be the address of server.bind, {public!r}")
    return settings


_KUBERNETES = re.compile(
    r"SCIMSVC(?:_[A-Z0-9_]+)?_"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?)"
)
"""The variables that Kubernetes sets in every pod of a namespace for a service called `scimsvc` or `scimsvc-…`."""
_KUBERNETES_PORT = re.compile(r"SCIMSVC(?:_[A-Z0-9_]+)?_PORT")
_KUBERNETES_URL = re.compile(r"(?:tcp|udp|sctp)://.*")


def _is_of_kubernetes(variable: str, value: str) -> bool:
    # SCIMSVC_SERVER_PORT=8001 is an operator's mistake; SCIMSVC_SERVER_PORT=tcp://10.0.0.1:80 is from a service scimsvc-server.
    of_port = _KUBERNETES_PORT.fullmatch(variable) and _KUBERNETES_URL.fullmatch(value)
    return bool(_KUBERNETES.fullmatch(variable) or of_port)


def _refuse_unknown_variables(environ: Mapping[str, str], hints: Mapping[str, type[Any]]) -> None:
    names = [f"{section}.{name}" for section, kind in hints.items() for name in get_type_hints(kind)]
    known = [_variable(name) for name in names] + [f"{_variable(name)}_FILE" for name in names if name in SECRETS]
    known += [f"{PREFIX}CONFIG", f"{PREFIX}PLUGINS", RUN_DIRECTORY]
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in known and not _is_of_kubernetes(variable, environ[variable]):
            similar = get_close_matches(variable, known, 1, 0.8)
            hint = f"; did you mean {similar[0]}?" if similar else ""
            raise SettingsError(f"environment variable {variable}: there is no such setting{hint}")


def _variable(setting: str) -> str:
    """Return the environment variable of a setting: SCIMSVC_DATABASE_URL for `database.url`."""
    return PREFIX + setting.replace(".", "_").upper()


def _secret_of_file(variable: str, path: str) -> str:
    """Read a secret; a line break at its end is not part of it. Raise SettingsError."""
    where = f"environment variable {variable}: {os.path.abspath(path)!r}"
    try:
        with open(path, "rb") as file:
            content = file.read(_MAX_SECRET_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{where} can't be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from None
    if not text.strip() or len(content) > _MAX_SECRET_BYTES:
        raise SettingsError(f"{where} must have the setting's value and nothing else, at most {_MAX_SECRET_BYTES} bytes")
    return text.removesuffix("\n").removesuffix("\r")


def doubts(settings: Settings, environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield what is dangerous about the files that the settings come from: one sentence each."""
    path = Path(environ.get(f"{PREFIX}CONFIG") or DEFAULT_PATH)
    yield from doubts_of_code(path)
    secret = environ.get(f"{_variable('database.url')}_FILE") or environ.get(_variable("database.url"))
    if not secret and _has_password(settings.database.url) and _mode(path) & (stat.S_IRGRP | stat.S_IROTH):
        yield f"{path.absolute()} has a password and other users can read it; run: chmod 600 {path.absolute()}"
    for name in settings.plugins:
        yield from doubts_of_code(settings.folder / f"{name.replace('.', '/')}.py")


def doubts_of_code(path: Path) -> Iterator[str]:
    """Yield why a file that decides what runs should not be trusted: another user owns it or can write to it."""
    try:
        owner = path.stat().st_uid
    except (OSError, ValueError):
        return
    if owner not in (0, os.geteuid()):
        yield f"{path.absolute()} belongs to another user (uid {owner}) and decides what scimsvc runs"
    if _mode(path) & (stat.S_IWGRP | stat.S_IWOTH):
        yield f"{path.absolute()} can be changed by other users and decides what scimsvc runs; run: chmod go-w {path.absolute()}"


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode
    except (OSError, ValueError):
        return 0


def _has_password(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.password) or "password=" in parts.query
    except ValueError:
        return False


def sections() -> dict[str, type[Any]]:
    """The sections of the settings, by name."""
    hints: dict[str, type[Any]] = get_type_hints(Settings)
    return {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}


def _plugins(value: Any, environ: Mapping[str, str], path: Path) -> tuple[str, ...]:
    variable = f"{PREFIX}PLUGINS"
    if variable in environ:
        where, value = f"environment variable {variable}", [name.strip() for name in environ[variable].split(",") if name.strip()]
    else:
        where, value = f"{path.absolute()}: plugins", [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(name, str) and _MODULE.fullmatch(name) for name in value):
        raise SettingsError(f"{where} must be a list of modules, such as [acme_functions]")
    return tuple(value)


_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)


def _section(section: str, kind: type[Any], values: Any, environ: Mapping[str, str], path: Path) -> Any:
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise SettingsError(f"{path.absolute()}: {section} must be a mapping of settings")
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            raise SettingsError(f"{path.absolute()}: unknown setting {section}.{name}; there are {', '.join(hints)}")
    found = {}
    for name, type_ in hints.items():
        setting = f"{section}.{name}"
        variable = _variable(setting)
        of_file = f"{variable}_FILE"
        if setting in SECRETS and of_file in environ:
            if variable in environ:
                raise SettingsError(f"environment variables {variable} and {of_file} are both set; set one of them")
            found[name] = _checked(setting, type_, _secret_of_file(of_file, environ[of_file]), f"the file in {of_file}")
        elif variable in environ:
            found[name] = _checked(setting, type_, environ[variable], f"environment variable {variable}")
        else:
            given, where = values.get(name), f"{path.absolute()}: {setting}"
            value = getattr(kind(), name) if given is None else _checked(setting, type_, given, where)
            found[name] = _beside(path.parent, setting, value)
    return kind(**found)


def _beside(folder: Path, setting: str, value: Any) -> Any:
    """Return the value of a setting; a relative path in it becomes one in the folder of the configuration file."""
    if isinstance(value, Path):
        return folder / value
    return _database_in(folder, value) if setting == "database.url" else value


def _database_in(folder: Path, url: str) -> str:
    """Return a database URL; that of an SQLite file with a relative path becomes one in a folder. Raises SettingsError."""
    try:
        parts = urlsplit(url)
    except ValueError:
        # What is wrong with it is said where it is used.
        return url
    path = unquote(parts.path[1:])
    is_relative = parts.scheme == "sqlite" and not parts.netloc and path not in ("", ":memory:") and not path.startswith("/")
    if folder == Path() or not is_relative:
        return url
    try:
        quoted = quote(str(folder))
    except UnicodeEncodeError:
        raise SettingsError(f"{str(folder.absolute())!r}: a folder with an SQLite database must have a name in UTF-8") from None
    return "sqlite:///" + urlunsplit(("", "", f"{quoted}/{parts.path[1:]}", parts.query, parts.fragment))


_RANGES = {
    "scim.max_results": (1, 10_000),
    "database.statement_timeout": (1, 3600),
    "server.workers": (0, 512),
    "server.threads": (0, 512),
    "server.graceful_timeout": (0, 3600),
    "server.read_timeout": (1, 3600),
    "server.trusted_proxies": (0, 16),
    "server.instances": (1, 1000),
    "limits.request_bytes": (1000, 256 * 1024 * 1024),
    "limits.nesting": (4, 128),
    "limits.bulk_operations": (1, 100_000),
    "limits.patch_operations": (1, 100_000),
    "limits.members": (1, 1_000_000),
    "limits.filter_length": (100, 65_536),
    "limits.filter_scans": (0, 256),
    "limits.listed_members": (1, 10_000_000),
    "limits.queued_requests": (1, 10_000),
    "journal.retention_days": (0, 36_500),
}
"""What a number may be; a server that starts with another would fail in its requests."""


def _is_base_path(path: str) -> bool:
    """A path of plain segments, that neither lies in a route of the service's own nor has one in it."""
    own = any(_within(path.lower(), route) or _within(route, path.lower()) for route in BESIDE_SCIM)
    segments = path.split("/")[1:]
    return re.fullmatch(r"(/[\w.~-]+)+", path, re.ASCII) is not None and not {".", ".."} & set(segments) and not own


HOST = re.compile(r"(?P<host>[\w.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
"""The name or address of a host, with or without a port; it gets into headers and URLs."""


def is_origin(url: str) -> bool:
    """Whether it is the URL of a host, with or without a port and a slash at the end."""
    match = re.fullmatch(rf"https?://{HOST.pattern}/?", url, re.ASCII)
    return match is not None and int(match["port"] or 0) < 65536


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/")


def is_address(bind: str) -> bool:
    """Return whether gunicorn can listen there: `host:port`, `[address]:port` or `unix:/path`."""
    if bind.startswith("unix:"):
        return bind.startswith("unix:/") and "\0" not in bind
    match = HOST.fullmatch(bind)
    return match is not None and match["port"] is not None and int(match["port"]) < 65536


_ADDRESS: tuple[Callable[[str], object], str] = (
    lambda bind: not bind or is_address(bind),
    "an address with a port, like 127.0.0.1:9000, [::1]:9000 or unix:/run/scimsvc.sock",
)
_RULES: dict[str, tuple[Callable[[str], object], str]] = {
    "scim.base_path": (_is_base_path, f"a path like /api/scim/v2, apart from {', '.join(BESIDE_SCIM)}"),
    "scim.public_url": (
        lambda url: not url or is_origin(url),
        "a URL without a path, its host in ASCII, like https://scim.example.com",
    ),
    "server.bind": _ADDRESS,
    "server.management_bind": _ADDRESS,
    "log.level": (lambda level: level.lower() in LOG_LEVELS, f"one of {', '.join(LOG_LEVELS)}"),
}


def _checked(setting: str, type_: type[Any], given: Any, where: str) -> Any:
    value = _converted(type_, given, where)
    if setting in _RANGES:
        least, most = _RANGES[setting]
        if not least <= value <= most:
            raise SettingsError(f"{where} must be from {least} to {most}, not {str(value)[:32]}")
    rule, right = _RULES.get(setting, (None, ""))
    if rule and not rule(value):
        raise SettingsError(f"{where} must be {right}, not {value!r}")
    return value


_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,1000}")


def _converted(type_: type[Any], value: Any, where: str) -> Any:
    if type_ is bool:
        if str(value).lower() not in ("true", "false"):
            raise SettingsError(f"{where} must be true or false, not {value!r}")
        return str(value).lower() == "true"
    if type_ is int:
        if not _WHOLE_NUMBER.fullmatch(str(value)):
            raise SettingsError(f"{where} must be a whole number, not {value!r}")
        return int(str(value))
    if not isinstance(value, str):
        raise SettingsError(f"{where} must be a text, not {value!r}")
    if type_ is Path and not value:
        raise SettingsError(f"{where} must be a folder, not ''")
    return type_(value)
