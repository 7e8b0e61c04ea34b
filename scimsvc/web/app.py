"""The composition root of web: make the services, bind the table of routes to its views, and add the middleware.

A request passes ProxyFix (if proxies are trusted), Observed, ManagementPort, StandardTarget and Overload before Flask routes it.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from scimsvc.mapping.functions.plugins import failure_reports
from scimsvc.settings import Settings
from scimsvc.web.api import accounts, mappings
from scimsvc.web.http import errors
from scimsvc.web.http.application import Application
from scimsvc.web.http.overload import Overload
from scimsvc.web.observe import logs
from scimsvc.web.observe.labels import Endpoints
from scimsvc.web.observe.metrics import Metrics
from scimsvc.web.observe.observability import Observed
from scimsvc.web.observe.refusals import Refusals
from scimsvc.web.ops import health
from scimsvc.web.ops.management import ManagementPort
from scimsvc.web.routes import ROUTES
from scimsvc.web.scim import bulk, discovery, me, openapi, resources, search
from scimsvc.web.scim.request_target import StandardTarget
from scimsvc.web.services import Services, database_of, make_services


def create_app(settings: Settings) -> Flask:
    """Return the application for gunicorn. Raise ProfileError or ValueError if profiles or settings are wrong."""
    app = Application("scimsvc", static_folder=None, template_folder="web/scim/templates")
    app.url_map.strict_slashes = False
    # Werkzeug would redirect, which needs the host. StandardTarget merges the slashes of SCIM's paths instead.
    app.url_map.merge_slashes = False
    app.url_map.converters["resource"] = resources.ResourceId
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    services = make_services(settings)
    app.extensions["scimsvc"] = services
    lines = logs.configure(settings.log.level)
    errors.install(app, services)
    services.catalogs.on_problem = _log_problem
    failure_reports[:] = [_log_failure]
    if services.catalogs.problem:
        # /readyz says only that profiles are broken.
        _log_problem(services.catalogs.problem)
    endpoints = {endpoint for catalog in services.catalogs.all().values() for endpoint in catalog.types}
    metrics = Metrics(services.database, services.catalogs)
    app.extensions["scimsvc.metrics"] = metrics
    requests_logged = lines if logs.informative(settings.log.level) else None
    base_path, proxies = settings.scim.base_path, settings.server.trusted_proxies
    target = StandardTarget(Overload(app.wsgi_app, services.authenticator), base_path)
    inner = ManagementPort(target, base_path, bool(settings.server.management_bind))
    # Made before what passes refused writes on, so that at the end of the process it stores the last of them.
    refusals = app.extensions["scimsvc.refusals"] = Refusals(database_of(settings))
    known = Endpoints(base_path, endpoints)
    observed = Observed(inner, known, requests_logged, metrics, refusals, behind_proxy=proxies > 0)
    _add_routes(app, base_path, _views(services, observed, endpoints))
    app.wsgi_app = ProxyFix(observed, proxies, proxies, proxies) if proxies else observed  # type: ignore[method-assign]
    return app


def _views(services: Services, observed: Observed, endpoints: Iterable[str]) -> dict[str, Any]:
    """Return the objects that the table of routes names, and one for each endpoint of a resource type, such as `/users`."""
    views: dict[str, Any] = {
        "accounts": accounts.Accounts(services),
        "bulk": bulk.Bulk(services),
        "discovery": discovery.Discovery(services),
        "documents": openapi.Documents(services),
        "health": health.Health(services, observed),
        "mappings": mappings.Mappings(services),
        "me": me.Me(services),
        "search": search.Search(services),
    }
    return views | {f"/{endpoint}": resources.Resources(services, endpoint) for endpoint in endpoints}


def _add_routes(app: Flask, base_path: str, views: Mapping[str, Any]) -> None:
    """Bind each row of the table to its view. The row of a resource type is bound once for each endpoint."""
    endpoints = sorted(name for name in views if name.startswith("/"))
    for route in ROUTES:
        name, _, method = route.view.partition(".")
        for owner in endpoints if name == "resources" else [name]:
            path = route.path.replace("/{type}", owner)
            id_ = "<resource:id_>" if name == "resources" else "<id_>"
            path = re.sub(r"{(\w+)}", r"<\1>", path.replace("{id}", id_))
            if route.scim:
                head, slash, rest = path[1:].partition("/")
                path = f"{base_path}/{head.lower()}{slash}{rest}"
            app.add_url_rule(path, f"{owner}.{method}", getattr(views[owner], method), methods=[route.method])


def _log_failure(function: str, error: Exception) -> None:
    """Log where a plugin's function failed, without the exception's message: it may hold people's data."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    structlog.get_logger().debug("a plugin failed", function=function, error=type(error).__name__, traceback=trace)


def _log_problem(problem: str) -> None:
    """Log why profiles can't be loaded."""
    structlog.get_logger().error("profiles are broken, the last valid versions stay in use", problem=problem)
