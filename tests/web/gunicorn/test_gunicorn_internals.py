"""The parts of gunicorn that scimsvc overrides, replaces or calls are those that it was written against.

If a digest differs after an upgrade, compare gunicorn's new code with the module of `scimsvc.web.gunicorn` that the table names.
Change that module if it must follow, and then the digest.
"""

import hashlib
import inspect
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

import gunicorn
import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker as BaseWorker

from scimsvc.web.gunicorn import log, request, response
from scimsvc.web.gunicorn.errors import write_error
from scimsvc.web.gunicorn.worker import Worker

OURS = [Worker, request.StrictRequest, response.Response, log.Logger]
READ_OF_GUNICORN = {
    # What gunicorn has: the digest of its source, and who depends on it.
    "gunicorn.workers.base:Worker.__init__": ("e0f1de2d60574066", "loop, ending, listening"),
    "gunicorn.workers.base:Worker.init_process": ("114caccd7a0e3c21", "worker.init_process"),
    "gunicorn.workers.base:Worker.load_wsgi": ("18b02fc35e964f2b", "worker.load_wsgi"),
    "gunicorn.workers.base:Worker.handle_exit": ("e2f7159c426d379c", "worker.handle_exit"),
    "gunicorn.workers.base:Worker.run": ("49ab292508f4cc5c", "worker.run"),
    "gunicorn.workers.base:Worker.notify": ("7f509bc4046b0e97", "loop._turn"),
    "gunicorn.workers.base:Worker.handle_error": ("75426448389bbac9", "answering._run_application, log"),
    "gunicorn.workers.gthread:ThreadWorker.handle_request": (
        "6d0de5b919102efc",
        "answering._run_application",
    ),
    "gunicorn.http.wsgi:create": ("2c35d4a2dc629ede", "answering._run_application"),
    "gunicorn.http.wsgi:Response.__init__": ("904d95d8358a3a76", "response"),
    "gunicorn.http.wsgi:Response.start_response": ("59799d9ff13635c1", "response"),
    "gunicorn.http.wsgi:Response.process_headers": ("496d84a357b028ae", "response.process_headers"),
    "gunicorn.http.wsgi:Response.default_headers": ("cb490cea5d6f5408", "response.default_headers"),
    "gunicorn.http.wsgi:Response.send_headers": ("7aff3b7d004fc17b", "response.default_headers"),
    "gunicorn.http.wsgi:Response.write": ("a13659ff072c00e1", "connection.Outgoing"),
    "gunicorn.http.wsgi:Response.close": ("1e78fc7777ff09ae", "connection.Outgoing"),
    "gunicorn.http.wsgi:Response.should_close": ("3888d47a96e289b3", "answering._run_application"),
    "gunicorn.http.message:Message.__init__": ("14b64a40f29fd0c4", "request.StrictRequest"),
    "gunicorn.http.message:Message.should_close": ("37c454bfb3e36316", "request.StrictRequest.should_close"),
    "gunicorn.http.message:Message.parse_headers": ("fe09a6b5e706bd64", "request.StrictRequest.parse"),
    "gunicorn.http.message:HeaderPolicy._peer_trusted_for_forwarded": ("2763fb68438cc326", "request.StrictRequest"),
    "gunicorn.http.message:Request.__init__": ("f1feb7cdea229ec5", "request.StrictRequest"),
    "gunicorn.http.message:Request.parse": ("34c084607ae12d4f", "request.StrictRequest.parse"),
    "gunicorn.http.unreader:IterUnreader": ("fa4b976b31bd8948", "request.StrictRequest"),
    "gunicorn.glogging:Logger._set_handler": ("e557cdf9c18b7f61", "log.Logger"),
    "gunicorn.glogging:Logger.warning": ("9d2edbd21c21c83a", "log.Logger"),
    "gunicorn.glogging:Logger.exception": ("091e2238cd98621c", "log.Logger"),
    "gunicorn.util:write_error": ("bd0143a03c15a2c8", "errors.write_error"),
}


def found(name: str) -> Any:
    """What a name such as `package.module:Class.method` stands for."""
    module, _, path = name.partition(":")
    value: Any = import_module(module)
    for part in path.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", READ_OF_GUNICORN)
def test_gunicorns_code_is_the_one_that_was_read(name: str) -> None:
    expected, ours = READ_OF_GUNICORN[name]
    digest = hashlib.sha256(inspect.getsource(found(name)).encode()).hexdigest()[:16]
    assert digest == expected, f"gunicorn {gunicorn.__version__} changed {name}; look at web/gunicorn: {ours}"


def overridden(ours: type) -> list[tuple[type, str]]:
    """The methods of gunicorn's classes that a class of ours overrides, each with the class that has it."""
    names = {name for one in ours.__mro__ if one.__module__.startswith("scimsvc.") for name in vars(one)}
    theirs = [one for one in ours.__mro__ if one.__module__.startswith("gunicorn.")]
    owners = ((next((one for one in theirs if inspect.isfunction(vars(one).get(name))), None), name) for name in sorted(names))
    return [(owner, name) for owner, name in owners if owner is not None]


@pytest.mark.parametrize("ours", OURS)
def test_every_method_that_is_overridden_was_read(ours: type) -> None:
    """A method that gunicorn adds may have the name of one of ours."""
    assert overridden(ours)
    assert {f"{theirs.__module__}:{theirs.__name__}.{name}" for theirs, name in overridden(ours)} <= set(READ_OF_GUNICORN)


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.mark.parametrize("ours", OURS)
def test_overriding_methods_take_what_gunicorn_passes(ours: type) -> None:
    for theirs, name in overridden(ours):
        taken = parameters(getattr(ours, name))
        assert name == "__init__" or "args" in taken or taken == parameters(getattr(theirs, name)), name
    assert parameters(write_error) == parameters(found("gunicorn.util:write_error"))


def test_a_worker_has_what_its_layers_use() -> None:
    config = Config()
    worker = Worker(1, os.getppid(), [], None, 30, config, Logger(config))
    worker.tmp.close()
    assert {"alive", "cfg", "log", "max_requests", "nr", "ppid", "sockets", "tmp"} <= set(vars(worker))
    assert isinstance(worker, BaseWorker)
    assert {"backlog", "graceful_timeout", "keepalive", "threads", "worker_connections"} <= set(config.settings)
    assert not config.is_ssl
