"""Tenants and their secret tokens. A token is 256 random bits; the store knows only its SHA-256."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Literal

from scimsvc.store.actor import SERVER, Actor
from scimsvc.store.database import Database, UniquenessViolation
from scimsvc.store.journal import INSTALLATION, Journal
from scimsvc.store.models import Tenant, Token
from scimsvc.store.resources import now
from scimsvc.store.statement import Statement

Scope = Literal["scim", "accounts.read", "me"]
"""What a token is good for: all of SCIM, reading accounts as the application sees them, or one user at /Me."""
SCIM: Scope = "scim"
ACCOUNTS: Scope = "accounts.read"
ME: Scope = "me"
PREFIX = "scim_"
"""Secret scanners and people know a token by it."""


@dataclass(frozen=True)
class TenantRecord:
    """A tenant."""

    id: int
    name: str
    profile: str


@dataclass(frozen=True)
class TokenRecord:
    """What may be known of a token; times are UTC in the store's form."""

    id: int
    scope: Scope
    subject: str | None
    description: str
    created: str
    expires: str | None
    revoked: str | None
    last_used: str | None

    @property
    def live(self) -> bool:
        """Whether it still opens the door."""
        return self.revoked is None and (self.expires is None or self.expires > now())


@dataclass(frozen=True)
class Credential:
    """The tenant, scope and user of a token. Only a live one opens anything."""

    token_id: int
    tenant: TenantRecord
    scope: Scope
    subject: str | None
    expires: str | None
    revoked: bool = False

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires is not None and self.expires <= now()


class NameTaken(Exception):
    """There is a tenant of that name already."""


class SecretTaken(Exception):
    """There is a token with this text already."""


_BY_HASH = Statement(
    """SELECT token.hash, token.id, token.scope, token.subject, token.expires, tenant.id, tenant.name, tenant.profile,
    token.revoked FROM token JOIN tenant ON tenant.id = token.tenant_id WHERE token.hash = :hash"""
)
_USER = Statement(
    "SELECT document FROM resource WHERE tenant_id = :tenant AND id = :id AND (resource_type = 'User' AND deleted = 0) IS TRUE"
)
"""IS TRUE leaves PostgreSQL one index to look in. By tenant and type alone it would find all users."""
_USED = Statement("UPDATE token SET last_used = :now WHERE id = :id")


def digest(secret: str) -> str:
    """The SHA-256 of a token's text, in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def create_tenant(database: Database, name: str, profile: str, actor: Actor = SERVER) -> TenantRecord:
    """Store a tenant. Raises NameTaken."""

    def work() -> int:
        at = now()
        id_ = int(Tenant.insert(name=name, profile=profile, created=at).execute(database.peewee))
        Journal(database, id_, actor).administer("create", "Tenant", name, at, after={"profile": profile})
        return id_

    try:
        return TenantRecord(database.transaction(work), name, profile)
    except UniquenessViolation:
        raise NameTaken(name) from None


def follow(database: Database, tenant: TenantRecord, profile: str, actor: Actor = SERVER) -> None:
    """Have a tenant follow another profile."""

    def work() -> None:
        Tenant.update(profile=profile).where(Tenant.id == tenant.id).execute(database.peewee)
        changes = {"before": {"profile": tenant.profile}, "after": {"profile": profile}}
        Journal(database, tenant.id, actor).administer("patch", "Tenant", tenant.name, now(), **changes)

    database.transaction(work)


def note_profile(database: Database, name: str, tenant_ids: Sequence[int], actor: Actor, **digests: dict[str, str]) -> None:
    """Write to the journal that the file of a profile was replaced: a row for each tenant that follows it.

    `digests` are `before` and `after`, each with the `sha256` of the file. Without tenants the row is the installation's.
    """

    def work() -> None:
        for tenant_id in tenant_ids or [INSTALLATION]:
            Journal(database, tenant_id, actor).administer("replace", "Profile", name, now(), **digests)

    database.transaction(work)


def tenants(database: Database) -> list[TenantRecord]:
    """All tenants, oldest first."""
    with database.reading():
        query = Tenant.select(Tenant.id, Tenant.name, Tenant.profile).order_by(Tenant.id).tuples()
        return [TenantRecord(*row) for row in query.execute(database.peewee)]


def find_tenant(database: Database, name: str) -> TenantRecord | None:
    """The tenant of that name."""
    return next((tenant for tenant in tenants(database) if tenant.name == name), None)


def has_user(database: Database, tenant: TenantRecord, id_: str) -> bool:
    """Whether the tenant has a user with that id."""
    return user_document(database, tenant, id_) is not None


def user_document(database: Database, tenant: TenantRecord, id_: str) -> str | None:
    """Return the stored JSON of a tenant's user, or None if the tenant has no user with that id."""
    with database.reading():
        row = _USER(database, tenant=tenant.id, id=id_).fetchone()
    return row[0] if row else None


def create_token(
    database: Database,
    tenant: TenantRecord,
    description: str,
    expires: datetime | None,
    scope: Scope = SCIM,
    subject: str | None = None,
    secret: str | None = None,
    actor: Actor = SERVER,
) -> str:
    """Make a token and return its text, which can't be had again. `expires` is an aware time, `subject` the id of a user.

    `secret` is a text that the caller brings and has checked. Raise SecretTaken if a token has it already.
    """
    secret = secret or PREFIX + secrets.token_urlsafe(32)
    until = expires.astimezone(UTC).isoformat(timespec="milliseconds")[:23] if expires else None

    def work() -> None:
        at = now()
        values = {"scope": scope, "subject": subject, "description": description, "expires": until}
        number = Token.insert(tenant=tenant.id, hash=digest(secret), created=at, **values).execute(database.peewee)
        after = {name: value for name, value in values.items() if value}
        Journal(database, tenant.id, actor).administer("create", "Token", str(number), at, after=after)

    try:
        database.transaction(work)
    except UniquenessViolation:
        raise SecretTaken from None
    return secret


def tokens(database: Database, tenant: TenantRecord) -> list[TokenRecord]:
    """All tokens of a tenant, oldest first."""
    columns = [getattr(Token, one.name) for one in fields(TokenRecord)]
    with database.reading():
        query = Token.select(*columns).where(Token.tenant == tenant.id).order_by(Token.id).tuples()
        return [TokenRecord(*row) for row in query.execute(database.peewee)]


def revoke_token(database: Database, tenant: TenantRecord, token_id: int, actor: Actor = SERVER) -> bool:
    """End a token of the tenant at once; False where there is no such live token."""

    def work() -> bool:
        at = now()
        query = Token.update(revoked=at).where((Token.tenant == tenant.id) & (Token.id == token_id) & Token.revoked.is_null())
        revoked = int(query.execute(database.peewee)) == 1
        if revoked:
            Journal(database, tenant.id, actor).administer("delete", "Token", str(token_id), at)
        return revoked

    return database.transaction(work)


def find_credential(database: Database, hashed: str) -> Credential | None:
    """Return who the token with this digest speaks for; None if it is unknown, revoked or expired."""
    credential = find_any_credential(database, hashed)
    return None if credential is None or credential.revoked or credential.expired else credential


def find_any_credential(database: Database, hashed: str) -> Credential | None:
    """Return who the token with this digest speaks for, or did before it was revoked or expired; None if it is unknown."""
    with database.reading():
        row = _BY_HASH(database, hash=hashed).fetchone()
    if row is None or not hmac.compare_digest(row[0], hashed):
        return None
    _, token_id, scope, subject, expires, tenant_id, name, profile, revoked = row
    return Credential(token_id, TenantRecord(tenant_id, name, profile), scope, subject, expires, revoked is not None)


def note_use(database: Database, credential: Credential) -> None:
    """Keep the time at which a token was last used."""
    database.transaction(lambda: _USED(database, id=credential.token_id, now=now()))
