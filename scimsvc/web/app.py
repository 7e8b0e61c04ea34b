"""The Flask application and what all its blueprints share."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app
from werkzeug.middleware.proxy_fix import ProxyFix

from scimsvc.mapping import load_profiles
from scimsvc.service.authentication import Authenticator
from scimsvc.service.catalog import Catalog
from scimsvc.settings import Settings
from scimsvc.store.database import Database
from scimsvc.web import discovery, errors, health, observability, resources
from scimsvc.web.target import StandardTarget


@dataclass(frozen=True)
class Services:
    """What the blueprints call; one of it for each application."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    catalogs: dict[str, Catalog]


def create_app(settings: Settings) -> Flask:
    """The application for gunicorn. Raises ProfileError or ValueError where profiles or settings are wrong."""
    app = Flask("scimsvc", static_folder=None)
    app.url_map.strict_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.limits.request_bytes
    database = Database(settings.database.url)
    profiles = load_profiles(settings.mappings.directory)
    app.extensions["scimsvc"] = Services(
        settings, database, Authenticator(database), {name: Catalog(profile) for name, profile in profiles.items()}
    )
    observability.configure_logging(settings.log.level)
    errors.install(app, settings.scim.base_path)
    app.register_blueprint(health.blueprint)
    app.register_blueprint(discovery.blueprint, url_prefix=settings.scim.base_path)
    app.register_blueprint(resources.blueprint, url_prefix=settings.scim.base_path)
    application = observability.Observed(StandardTarget(app.wsgi_app, settings.scim.base_path), settings.scim.base_path)
    proxies = settings.server.trusted_proxies
    app.wsgi_app = ProxyFix(application, proxies, proxies, proxies) if proxies else application  # type: ignore[method-assign]
    return app


def services() -> Services:
    """The services of the application that handles this request."""
    found: Services = current_app.extensions["scimsvc"]
    return found
