"""Every request that Entra is documented to send, and what must come of it: one file of `cases/` each, under real gunicorn."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.client import Answer, Client

CASES = Path(__file__).parent / "cases"
ANY = "<any>"


def cases() -> list[Any]:
    return [pytest.param(path, id=str(path.relative_to(CASES).with_suffix(""))) for path in sorted(CASES.rglob("*.yaml"))]


@pytest.mark.parametrize("path", cases())
def test_wire_case(path: Path, client: Client) -> None:
    case = yaml.safe_load(path.read_text(encoding="utf-8"))
    known: dict[str, str] = {}
    for request in case.get("setup", []):
        answer = send(client, request, known)
        assert 200 <= answer.status < 300, f"setup {request['method']} {request['path']}: {answer.status} {answer.raw!r}"
    exchange(client, case, known)
    if "resource" in case:
        expected = case["resource"]
        check(send(client, {"method": "GET", "path": expected["path"]}, known), expected, known)
    for further in case.get("also", []):
        exchange(client, further, known)


def exchange(client: Client, pair: dict[str, Any], known: dict[str, str]) -> None:
    check(send(client, pair["request"], known), pair["response"], known)


def send(client: Client, request: dict[str, Any], known: dict[str, str]) -> Answer:
    raw = filled(request["raw"], known).encode() if "raw" in request else None
    answer = client(
        request["method"], filled(request["path"], known), filled(request.get("body"), known), request.get("headers"), raw
    )
    if "save" in request and answer.status < 300:
        known[request["save"]] = answer.body["id"]
    return answer


def filled(value: Any, known: dict[str, str]) -> Any:
    """The value with `{name}` replaced by the ids that were saved."""
    if isinstance(value, str):
        for name, id_ in known.items():
            value = value.replace("{" + name + "}", id_)
        return value
    if isinstance(value, list):
        return [filled(one, known) for one in value]
    if isinstance(value, dict):
        return {filled(name, known): filled(one, known) for name, one in value.items()}
    return value


def check(answer: Answer, expected: dict[str, Any], known: dict[str, str]) -> None:
    shown = f"{answer.status} {answer.raw.decode()[:2000]}"
    assert answer.status == expected.get("status", 200), shown
    for name, value in (expected.get("headers") or {}).items():
        assert filled(value, known) in answer.headers.get(name, ""), f"header {name}: {answer.headers}"
    if expected.get("body") is not None:
        assert_contains(answer.body, filled(expected["body"], known), "body")
    for steps in expected.get("absent", []):
        assert not is_there(answer.body, [steps] if isinstance(steps, str) else steps), f"{steps} must be absent: {shown}"


def assert_contains(have: Any, want: Any, where: str) -> None:
    """Objects may have more than is wanted; lists have as many elements; `<any>` is any value but null."""
    if want == ANY:
        assert have is not None, where
    elif isinstance(want, dict):
        assert isinstance(have, dict), f"{where}: {have!r}"
        for name, below in want.items():
            assert name in have, f"{where}.{name} is missing in {have!r}"
            assert_contains(have[name], below, f"{where}.{name}")
    elif isinstance(want, list):
        assert isinstance(have, list), f"{where}: {have!r}"
        assert len(have) == len(want), f"{where}: {have!r}"
        for position, below in enumerate(want):
            assert_contains(have[position], below, f"{where}[{position}]")
    else:
        assert (have, type(have)) == (want, type(want)), where


def is_there(document: Any, steps: list[Any]) -> bool:
    for step in steps:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return False
    return True
