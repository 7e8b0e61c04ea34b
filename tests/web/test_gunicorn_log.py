"""What gunicorn itself says: JSON lines, and nothing that a client sent."""

import logging
import sys

import orjson
import pytest
from gunicorn.config import Config

from scimsvc import __version__
from scimsvc.web.gunicorn.log import JsonHandler, Logger, line_of


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The lines that gunicorn's logger makes, read back."""
    lines: list[dict[str, object]] = []
    monkeypatch.setattr(JsonHandler, "emit", lambda _, record: lines.append(orjson.loads(line_of(record))))
    return lines


def test_a_message_is_a_line_with_service_and_version(logged: list[dict[str, object]]):
    Logger(Config()).info("Booting worker with pid: %s", 5)
    (line,) = logged
    assert line["event"] == "Booting worker with pid: 5"
    assert (line["level"], line["service"], line["version"]) == ("info", "scimsvc", __version__)
    assert str(line["timestamp"]).endswith("Z")


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("Error handling request %s", ("/Users/hush?filter=hush",)),
        ("Socket error processing request.", ()),
        ("Error handling request (no URI read)", ()),
    ],
)
def test_an_exception_of_a_request_is_its_type_and_places(
    logged: list[dict[str, object]], message: str, arguments: tuple[str, ...]
):
    logger = Logger(Config())
    try:
        fail("hush")
    except ValueError:
        logger.exception(message, *arguments)
    (line,) = logged
    assert line["error"] == "ValueError"
    assert "test_gunicorn_log.py:" in str(line["places"])
    assert "hush" not in str(line)


def test_an_exception_at_the_start_is_told_in_full(logged: list[dict[str, object]]):
    logger = Logger(Config())
    try:
        fail("database.url is wrong")
    except ValueError:
        logger.exception("Exception in worker process")
    assert (logged[0]["event"], logged[0]["message"]) == ("Exception in worker process", "database.url is wrong")


def test_a_refused_request_is_not_repeated(logged: list[dict[str, object]]):
    Logger(Config()).warning("Invalid request from ip=%s: %s", "127.0.0.1", "Invalid HTTP request line: 'GET /?hush'")
    assert [line["event"] for line in logged] == ["Refused a request that is not valid HTTP"]


def test_a_closed_standard_output_stops_nothing(monkeypatch: pytest.MonkeyPatch):
    class Closed:
        @property
        def buffer(self) -> object:
            raise ValueError("I/O operation on closed file")

    logger = Logger(Config())
    monkeypatch.setattr(sys, "stdout", Closed())
    logger.error("x")
    assert logging.getLogger("gunicorn.error").handlers
