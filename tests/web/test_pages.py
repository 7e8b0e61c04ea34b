"""The pages that people see: what they say, and what they are not allowed to do in a browser."""

import re

import pytest
from flask import Flask

from scimsvc import __version__
from tests.support.errors import assert_scim_error
from tests.support.server import BASE_PATH
from tests.support.wsgi import call


def test_the_landing_page_says_where_to_go(app: Flask) -> None:
    answer = call(app, "GET", b"/", {"Host": "scim.example.com"})
    text = answer.raw.decode()
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"scimsvc {__version__}" in text
    assert f"<code>http://scim.example.com{BASE_PATH}/</code>" in text
    for link in re.findall('href="([^"]*)"', text):
        assert call(app, "GET", link.encode()).status == 200


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_run_no_script_and_load_nothing(app: Flask, path: str) -> None:
    answer = call(app, "GET", path.encode())
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert b"<script" not in answer.raw


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_has_the_base_of_each_request(app: Flask, path: str) -> None:
    for host in ("a.example", "b.example"):
        text = call(app, "GET", path.encode(), {"Host": host}).raw.decode()
        assert f"http://{host}{BASE_PATH}" in text
        assert "base.invalid" not in text
    assert_scim_error(call(app, "GET", path.encode(), {"Host": "<b>"}), 400)


def test_pages_are_rendered_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (b"/", b"/docs"):
        call(app, "GET", path)
    monkeypatch.setattr("scimsvc.web.scim.openapi.render_template", None)
    for host in ("a.example", "b.example"):
        for path in (b"/", b"/docs"):
            assert call(app, "GET", path, {"Host": host}).status == 200


@pytest.mark.parametrize("path", ["/scim/v2/Users", "/Users", "/api/scim", "/scim", "/docs/x"])
def test_outside_of_the_base_path_a_404_says_the_tenant_url(app: Flask, path: str) -> None:
    answer = call(app, "GET", path.encode())
    assert_scim_error(answer, 404)
    assert answer.body["detail"] == f"There is nothing at {path}. The Tenant URL of this server ends in {BASE_PATH}/."
