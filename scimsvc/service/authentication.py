"""Who sends a request: the bearer token (RFC 6750) decides the tenant."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from scimsvc.protocol.errors import ScimError
from scimsvc.service.self_service import refuse_inactive
from scimsvc.store import tenants
from scimsvc.store.database import Database, DatabaseUnavailable
from scimsvc.store.tenants import ACCOUNTS, ME, SCIM, Credential, Scope

MAX_SECRET_LENGTH = 1024
TRUSTED_FOR = 1.0
"""Seconds for which a checked token is not looked up again; a revoked one is refused after that at the latest."""
USE_NOTED_EVERY = 60.0
"""Seconds by which a token's last-used time may lag behind, so that a read is not a write."""
_MAX_TRUSTED = 4096
_INVALID = ', error="invalid_token"'
SCOPES: tuple[Scope, ...] = (SCIM, ACCOUNTS, ME)
"""All scopes."""
_BLANKS = " \t"
"""What HTTP allows around a value (RFC 9110 §5.6.3); other white space is part of a token, and makes it unknown."""


@dataclass
class _Checked:
    credential: Credential
    looked_up: float
    use_noted: float


class TokenRefused(ScimError):
    """A token opens nothing here. `credential` is whose it is, or None if it is unknown: the log says so, the answer doesn't."""

    def __init__(self, status: int, detail: str, challenge: str | None, rule: str, credential: Credential | None = None) -> None:
        headers = {} if challenge is None else {"WWW-Authenticate": f'Bearer realm="scimsvc"{challenge}'}
        super().__init__(status, detail, headers=headers, rule=rule)
        self.credential = credential


class Authenticator:
    """Checks tokens against the store and remembers for a moment those that were good, by their digest."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._checked: dict[str, _Checked] = {}

    def credential_of(self, authorization: str | None, scopes: Sequence[Scope] = (SCIM,)) -> Credential:
        """Who an Authorization header speaks for.

        Raises ScimError 401 where it is missing or its token is unknown, revoked or expired, which the answer doesn't tell
        apart, and 403 where the token is of another scope. A token for one user is refused with 401 if that user does not
        exist, and with 403 while the account is not active.
        """
        if not authorization:
            raise TokenRefused(401, "Send the tenant's Secret Token: Authorization: Bearer <token>.", "", "token missing")
        secret = _secret(authorization)
        if secret is None:
            raise TokenRefused(
                401, "The Authorization header must be: Bearer <token>.", ', error="invalid_request"', "token malformed"
            )
        hashed = tenants.digest(secret)
        moment = time.monotonic()
        checked = self._checked.get(hashed)
        if checked is None or moment - checked.looked_up > TRUSTED_FOR or checked.credential.expired:
            checked = self._look_up(hashed, moment)
        if checked.credential.scope not in scopes:
            challenge = f', error="insufficient_scope", scope="{scopes[0]}"'
            detail = f"This token is for {checked.credential.scope!r}; here a token of scope {scopes[0]!r} is needed."
            raise TokenRefused(403, detail, challenge, "token scope", checked.credential)
        if checked.credential.subject is not None:
            self._require_user(checked.credential, checked.credential.subject)
        return checked.credential

    def known_tenant(self, authorization: str) -> int | None:
        """Return the id of the tenant whose token was in such a header before; None if this process has not seen it.

        It costs no look-up, and it proves nothing: the token may have been revoked since.
        """
        credential = self.known_credential(authorization)
        return credential.tenant.id if credential else None

    def known_credential(self, authorization: str) -> Credential | None:
        """Return whose token was in such a header before, in the same way."""
        secret = _secret(authorization)
        checked = self._checked.get(tenants.digest(secret)) if secret else None
        return checked.credential if checked else None

    def _require_user(self, credential: Credential, subject: str) -> None:
        """Raise ScimError 401 if the user of a token does not exist, 403 if the account is not active."""
        document = tenants.user_document(self._database, credential.tenant, subject)
        if document is None:
            raise TokenRefused(401, "The user of this token does not exist.", _INVALID, "token of no user", credential)
        try:
            refuse_inactive(orjson.loads(document))
        except ScimError as error:
            raise TokenRefused(403, error.detail, None, "token of inactive user", credential) from None

    def _look_up(self, hashed: str, moment: float) -> _Checked:
        credential = tenants.find_any_credential(self._database, hashed)
        before = self._checked.pop(hashed, None)
        if credential is None or credential.revoked or credential.expired:
            state = "unknown" if credential is None else "revoked" if credential.revoked else "expired"
            detail = "The token is unknown, revoked or expired. Make a new one."
            raise TokenRefused(401, detail, _INVALID, f"token {state}", credential)
        if len(self._checked) >= _MAX_TRUSTED:
            self._checked.clear()
        checked = _Checked(credential, moment, before.use_noted if before else -USE_NOTED_EVERY)
        self._checked[hashed] = checked
        if moment - checked.use_noted >= USE_NOTED_EVERY:
            checked.use_noted = moment
            try:
                tenants.note_use(self._database, credential)
            except DatabaseUnavailable:
                # The time of use is a convenience; a request that only reads works without it.
                checked.use_noted = -USE_NOTED_EVERY
        return checked


def _secret(authorization: str) -> str | None:
    scheme, _, secret = authorization.strip(_BLANKS).partition(" ")
    secret = secret.strip(_BLANKS)
    return secret if scheme.lower() == "bearer" and secret and len(secret) <= MAX_SECRET_LENGTH else None
