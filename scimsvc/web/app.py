"""The Flask application: its services, its blueprints and what stands around them."""

from __future__ import annotations

import traceback

import structlog
from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from scimsvc.mapping.functions.plugins import failure_reports
from scimsvc.settings import Settings
from scimsvc.web import accounts, bulk, discovery, documents, errors, health, logs, mappings, resources, search
from scimsvc.web.http.application import Application
from scimsvc.web.observability import Observed
from scimsvc.web.observe.labels import Endpoints
from scimsvc.web.observe.metrics import Metrics
from scimsvc.web.observe.refusals import Refusals
from scimsvc.web.ops.management import ManagementPort
from scimsvc.web.overload import Overload
from scimsvc.web.services import database_of, make_services
from scimsvc.web.target import StandardTarget


def create_app(settings: Settings) -> Flask:
    """The application for gunicorn. Raises ProfileError or ValueError where profiles or settings are wrong."""
    app = Application("scimsvc", static_folder=None)
    app.url_map.strict_slashes = False
    # A redirect would need the host; where clients double slashes, StandardTarget makes them one.
    app.url_map.merge_slashes = False
    app.url_map.converters["resource"] = resources.ResourceId
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    services = make_services(settings)
    app.extensions["scimsvc"] = services
    lines = logs.configure(settings.log.level)
    errors.install(app, services)
    base_path = settings.scim.base_path
    services.catalogs.on_problem = _log_problem
    failure_reports[:] = [_log_failure]
    if services.catalogs.problem:
        # /readyz says only that there is one.
        _log_problem(services.catalogs.problem)
    requests_logged = lines if logs.informative(settings.log.level) else None
    target = StandardTarget(Overload(app.wsgi_app, services.authenticator), base_path)
    inner = ManagementPort(target, base_path, bool(settings.server.management_bind))
    types = {name: served for catalog in services.catalogs.all().values() for name, served in catalog.types.items()}
    proxies = settings.server.trusted_proxies
    metrics = Metrics(services.database, services.catalogs)
    app.extensions["scimsvc.metrics"] = metrics
    # Made before what passes refused writes on, so that at the end of the process it stores the last of them.
    refusals = app.extensions["scimsvc.refusals"] = Refusals(database_of(settings))
    observed = Observed(inner, Endpoints(base_path, types), requests_logged, metrics, refusals, behind_proxy=proxies > 0)
    app.register_blueprint(health.blueprint(services, observed))
    app.register_blueprint(mappings.blueprint(services), url_prefix="/api/mappings")
    app.register_blueprint(documents.blueprint(services))
    app.register_blueprint(accounts.blueprint(services), url_prefix="/api/accounts")
    app.register_blueprint(resources.me(services), url_prefix=base_path)
    app.register_blueprint(bulk.blueprint(services), url_prefix=base_path)
    app.register_blueprint(search.blueprint(services), url_prefix=base_path)
    app.register_blueprint(discovery.blueprint(services), url_prefix=base_path)
    for endpoint in sorted(types):
        app.register_blueprint(resources.blueprint(services, endpoint), url_prefix=f"{base_path}/{endpoint}")
    app.wsgi_app = ProxyFix(observed, proxies, proxies, proxies) if proxies else observed  # type: ignore[method-assign]
    return app


def _log_failure(function: str, error: Exception) -> None:
    """Log where a plugin's function failed; without the exception's message, which may have people's data."""
    trace = "".join(traceback.format_tb(error.__traceback__))
    structlog.get_logger().debug("a plugin failed", function=function, error=type(error).__name__, traceback=trace)


def _log_problem(problem: str) -> None:
    structlog.get_logger().error("profiles are broken, those in use stay", problem=problem)
