"""Who sends a request: the tenant of its bearer token, and what the tenant's profile serves."""

from __future__ import annotations

from typing import NamedTuple

from scimsvc.protocol.errors import ScimError
from scimsvc.service.actor import Actor
from scimsvc.service.authentication import TokenRefused
from scimsvc.service.catalog import Catalog
from scimsvc.store.tenants import SCIM, Scope, TenantRecord
from scimsvc.web.http.environ import Environ
from scimsvc.web.http.request import note_of
from scimsvc.web.services import Services


class Caller(NamedTuple):
    """The tenant that sends a request, its profile's catalog, and who the journal names for what the request changes.

    `subject` is the user's id if the token is of one user.
    """

    tenant: TenantRecord
    catalog: Catalog
    actor: Actor
    subject: str | None = None


def authenticate(services: Services, environ: Environ, *scopes: Scope) -> Caller:
    """Return the caller of a request whose token has one of `scopes`; without any, the scope must be `scim`.

    Raise ScimError 401 for a wrong token, 403 for a token of another scope, and 503 if the database is not ready or the tenant's
    profile is not loaded.
    """
    services.readiness.require()
    note = note_of(environ)
    try:
        credential = services.authenticator.credential_of(environ.get("HTTP_AUTHORIZATION"), scopes or (SCIM,))
    except TokenRefused as refused:
        note.credential = refused.credential
        raise
    note.credential = credential
    tenant = credential.tenant
    catalog = services.catalogs.get(tenant.profile)
    if catalog is None:
        raise ScimError(
            503,
            f"The mapping profile {tenant.profile!r} of this tenant is not loaded.",
            headers={"Retry-After": "60"},
            rule="profile not loaded",
        )
    return Caller(tenant, catalog, Actor("token", str(credential.token_id), note.request_id), credential.subject)
