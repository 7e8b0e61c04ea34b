"""gunicorn's settings, from scimsvc's own (see config.yaml, section `server`).

`scimsvc serve` reads this file; gunicorn itself does in a checkout.
"""

import atexit
import errno
import os
import resource
import socket
import sys

from scimsvc.settings import RUN_DIRECTORY as _RUN_DIRECTORY
from scimsvc.web.observe import run_directory as _run_directory

# Before anything is imported that counts: workers add their numbers up in files here. This file is read again at SIGHUP.
_is_first = _RUN_DIRECTORY not in os.environ
try:
    _run = _run_directory.make()
except _run_directory.NoTemporaryDirectory as error:
    raise SystemExit(f"scimsvc can't start:\n{error}") from None
if _is_first:
    atexit.register(lambda pid: os.getpid() == pid and on_exit(None), os.getpid())

from gunicorn import util as _util

from scimsvc.mapping import ProfileError as _ProfileError
from scimsvc.settings import SettingsError as _SettingsError
from scimsvc.settings import doubts as _doubts
from scimsvc.settings import load as _load
from scimsvc.web.gunicorn.capacity import capacity as _choose_capacity
from scimsvc.web.gunicorn.capacity import usable_cpus as _usable_cpus
from scimsvc.web.gunicorn.errors import write_error as _write_error
from scimsvc.web.gunicorn.worker import Worker as _Worker
from scimsvc.web.ops.management import use_management_address as _use_management_address
from scimsvc.web.services import make_services as _make_services


def on_exit(server):
    """The metrics and kept profiles of this run end with it."""
    _run_directory.remove(_run)


_origin = ""
try:
    _settings = _load()
    _origin = f"\n({_settings.origin})"
    _services = _make_services(_settings)
except (_SettingsError, _ProfileError, ValueError) as error:
    on_exit(None)
    # Said once and here, not as a traceback of every worker.
    raise SystemExit(f"scimsvc can't start:\n{error}{_origin}") from None
_server = _settings.server
_usable = _services.database.usable_connections()
# Processes that are forked from this one must not share its connection.
_services.database.close()
_capacity = _choose_capacity(
    _services.database.kind == "sqlite", _server.workers, _server.threads, _server.instances, _usable, _usable_cpus()
)


def _public_bind():
    host = os.environ.get("HOST") or "127.0.0.1"
    if "-conda-" in host:
        # conda's compilers keep the name of their platform in HOST.
        host = "127.0.0.1"
    return _settings.server.bind or f"{host}:{os.environ.get('PORT') or '8000'}"


# The listener of the management address is the last one, see post_fork.
bind = [one for one in (_public_bind(), _settings.server.management_bind) if one]
worker_class = _Worker
workers, threads = _capacity.workers, _capacity.threads
# Databases, profiles and the log are files, too.
worker_connections = min(512, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
graceful_timeout = _settings.server.graceful_timeout
timeout = 60
keepalive = 75
# The client controls these: a request line holds a filter, a header holds a token. This is the most that gunicorn bounds; what is
# longer comes by POST /.search.
limit_request_line = 8190
limit_request_field_size = 8190
limit_request_fields = 64
# server.trusted_proxies alone decides which proxies may set scheme, host and path; gunicorn would trust this host, too.
secure_scheme_headers = {}
forwarder_headers = ""
accesslog = None
# There is no setting for what gunicorn says itself.
_util.write_error = _write_error
logger_class = "scimsvc.web.gunicorn.log.Logger"
control_socket_disable = True


def when_ready(server):
    """Say how large this instance is, and warn if the database can't serve all of them."""
    server.log.info(_capacity.in_words())
    if _capacity.exceeded:
        server.log.warning(_capacity.warning())


def on_starting(server):
    """Log what is dangerous about the settings; end in words if an address can't be listened at."""
    for doubt in _doubts(_settings):
        server.log.warning("%s", doubt)
    if _settings.server.management_bind and len(server.cfg.address) < 2:
        # The only listener would be taken for that of server.management_bind.
        on_exit(None)
        print("scimsvc can't start:\nuse server.bind, as gunicorn's -b replaces server.management_bind", file=sys.stderr)
        raise SystemExit(1)
    if "GUNICORN_FD" in os.environ or "LISTEN_FDS" in os.environ:
        return
    for address in server.cfg.address:
        problem = _problem_with(address)
        if problem:
            on_exit(None)
            print(f"scimsvc can't start:\n{problem}", file=sys.stderr, flush=True)
            raise SystemExit(1)


def _problem_with(address):
    if not isinstance(address, tuple):
        return None
    host, port = address
    try:
        family, kind, protocol, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(target)
    except socket.gaierror:
        return f"{host!r} is no address of this machine; set HOST, for example HOST=127.0.0.1, or server.bind"
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return f"port {port} of {host} is in use; choose another by the variable PORT, for example PORT={port + 1}"
        return f"can't listen at {host}:{port}: {error.strerror}; set HOST and PORT, or server.bind"
    return None


def post_fork(server, worker):
    """The worker knows which of its listeners is the management address."""
    if _settings.server.management_bind:
        _use_management_address(worker.sockets[-1].getsockname())


def child_exit(server, worker):
    """What a worker that has gone has counted stays; its files don't, and it no longer counts in gauges."""
    from scimsvc.web.observe import ended_workers

    ended_workers.merge(_run_directory.metrics(), worker.pid, server.WORKERS.keys())
