"""gunicorn's settings, from scimsvc's own (see config.yaml, section `server`); gunicorn reads this file by itself."""

import atexit
import os
import resource
import shutil
import tempfile

# Before anything is imported that counts: workers add their numbers up in files here. This file is read again at SIGHUP.
if "SCIMSVC_RUN_DIRECTORY" not in os.environ:
    os.environ["SCIMSVC_RUN_DIRECTORY"] = tempfile.mkdtemp(prefix="scimsvc-")
    atexit.register(lambda pid: os.getpid() == pid and on_exit(None), os.getpid())
if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="metrics-", dir=os.environ["SCIMSVC_RUN_DIRECTORY"])

from gunicorn import util as _util

from scimsvc.mapping import ProfileError as _ProfileError
from scimsvc.settings import SettingsError as _SettingsError
from scimsvc.settings import load as _load
from scimsvc.web.gunicorn.capacity import capacity as _choose_capacity
from scimsvc.web.gunicorn.capacity import usable_cpus as _usable_cpus
from scimsvc.web.gunicorn.errors import write_error as _write_error
from scimsvc.web.gunicorn.worker import Worker as _Worker
from scimsvc.web.services import make_services as _make_services


def on_exit(server):
    """The metrics and kept profiles of this run end with it."""
    shutil.rmtree(os.environ["SCIMSVC_RUN_DIRECTORY"], ignore_errors=True)


try:
    _settings = _load()
    _services = _make_services(_settings)
except (_SettingsError, _ProfileError, ValueError) as error:
    on_exit(None)
    # Said once and here, not as a traceback of every worker.
    raise SystemExit(f"scimsvc can't start:\n{error}") from None
_server = _settings.server
_usable = _services.database.usable_connections()
# Processes that are forked from this one must not share its connection.
_services.database.close()
_capacity = _choose_capacity(
    _services.database.kind == "sqlite", _server.workers, _server.threads, _server.instances, _usable, _usable_cpus()
)

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
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
# Whom to believe about scheme, host and path is said by server.trusted_proxies alone; gunicorn would believe this machine, too.
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


def child_exit(server, worker):
    """A worker that has gone no longer counts in gauges."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)
