"""Flask without the parts that scimsvc does not use: they would take a third of a small request's time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Request, Response
from flask.sessions import NullSession, SecureCookieSessionInterface
from flask.signals import request_finished, request_started
from werkzeug.routing import MapAdapter, Rule

_NO_SESSION = NullSession()
_AS_FLASK = {"return_rule": True}
"""The arguments that Flask passes to find the route of a request."""


class _NoSession(SecureCookieSessionInterface):
    """An empty session that refuses changes, for an application without sessions."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        """Return the empty session."""
        return _NO_SESSION


class Application(Flask):
    """Flask with faster routes and without sessions. Hooks and signals run only if something uses them."""

    session_interface = _NoSession()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._routes: dict[tuple[str, str], tuple[Rule, str]] = {}
        self._fixed_paths: frozenset[str] | None = None

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the routes without a host: no route depends on it. `request.base_url` checks the host of URLs in answers."""
        if request is None:
            return None
        scheme, root = request.environ["wsgi.url_scheme"], request.environ.get("SCRIPT_NAME")
        if self._fixed_paths is None:
            self._fixed_paths = frozenset(rule.rule for rule in self.url_map.iter_rules() if not rule.arguments)
        adapter = _Routes(self.url_map, "", root or "/", "", scheme, request.path, request.method, None)
        adapter.known, adapter.fixed_paths = self._routes, self._fixed_paths
        return adapter

    def full_dispatch_request(self) -> Response:
        """Answer a request, as Flask does it."""
        if self.before_request_funcs or self.after_request_funcs or request_started.receivers or request_finished.receivers:
            return super().full_dispatch_request()
        try:
            answer: Any = self.dispatch_request()
        except Exception as error:
            answer = self.handle_user_exception(error)
        return self.make_response(answer)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the view unchanged, because no view is a coroutine."""
        return func


class _Routes(MapAdapter):
    """Remember the route of `/users` by its path, and that of `/users/<id>` by its path before the id. Results are Werkzeug's."""

    known: dict[tuple[str, str], tuple[Rule, str]]
    """Method and start of the path → the rule, and the name of its argument or an empty string."""
    fixed_paths: frozenset[str]

    def match(self, *arguments: Any, **named: Any) -> Any:
        """Return the rule and its arguments, as Werkzeug does it. Raise its HTTPException."""
        if arguments or named != _AS_FLASK:
            return super().match(*arguments, **named)
        path = self.path_info
        last = "" if path in self.fixed_paths else path.rpartition("/")[2]
        key = self.default_method, path.removesuffix(last)
        known = self.known.get(key)
        if known is not None and bool(last) == bool(known[1]):
            rule, argument = known
            return rule, {argument: last} if argument else {}
        rule, values = super().match(return_rule=True)
        if rule.rule.partition("<")[0] == key[1] and list(values.values()) == ([last] if last else []):
            self.known[key] = rule, *(values or ("",))
        return rule, values
