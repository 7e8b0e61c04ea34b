"""/Me: the user of the token (RFC 7644 §3.11). Only a token of the scope `me` opens it, and users can't delete their account."""

from __future__ import annotations

from flask import Response, request

from scimsvc.store.tenants import ME
from scimsvc.web.scim.resources import Resources
from scimsvc.web.services import Services


class Me:
    """The account of the token's user."""

    def __init__(self, services: Services) -> None:
        self._users = Resources(services, "users", ME)

    def get(self) -> Response:
        """Retrieve the account."""
        return self._users.get(self._id())

    def replace(self) -> Response:
        """Replace what users may change of their account."""
        return self._users.replace(self._id())

    def patch(self) -> Response:
        """Change what users may change of their account."""
        return self._users.patch(self._id())

    def _id(self) -> str:
        caller, _ = self._users.served_to(request.environ)
        return caller.subject or ""
