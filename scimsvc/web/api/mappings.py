"""/api/mappings: what the tenant's mapping profile makes of directory objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, request

from scimsvc.mapping.entra.preview import PreviewError, objects_in, preview
from scimsvc.mapping.functions.regular_expressions import budget
from scimsvc.mapping.profile.model import ObjectMapping
from scimsvc.protocol.errors import ScimError, invalid_value, too_many
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.request import json_body, query_parameters
from scimsvc.web.http.response import respond_json
from scimsvc.web.services import Services

MAX_OBJECTS = 100
_TABLES = ("users", "groups")


class Mappings:
    """The preview, by the profile of the token's tenant."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def preview(self, table: str) -> Response:
        """Return what Entra will send for the body: an object, or an array of them, as Microsoft Graph returns it; `?explain`."""
        profile = authenticate(self._services, request.environ).catalog.profile
        if table not in _TABLES:
            raise ScimError(404, f"There is a preview of {' and of '.join(_TABLES)}, not of {table[:64]!r}.")
        content = json_body(self._services, request.environ)
        explain = "explain" in query_parameters(request.environ)
        mapping = profile.users if table == "users" else profile.groups
        if not mapping.is_mapped:
            raise ScimError(404, f"The profile {profile.name} has no table {table}, so Entra sends nothing.")
        objects = objects_in(content)
        if len(objects) > MAX_OBJECTS:
            raise too_many(f"A preview takes {MAX_OBJECTS} objects at once; the body has {len(objects)}.")
        return respond_json(_previews(profile.name, mapping, objects, explain), media_type="application/json")


def _previews(profile: str, mapping: ObjectMapping, objects: Sequence[Any], explain: bool) -> list[Any]:
    """Return the preview of each object. Raise ScimError 400 for a wrong object, or if regular expressions take too long."""
    previews = []
    with budget() as time:
        for number, directory_object in enumerate(objects, 1):
            try:
                previews.append(preview(mapping, directory_object, explain))
            except PreviewError as error:
                if not time.is_spent:
                    raise invalid_value(f"Object {number}: {error}.") from None
            if time.is_spent:
                raise too_many(
                    f"Object {number}: the regular expressions of the profile {profile} take more than {time.limit:g} s "
                    "for these objects. Send fewer objects, and see what `scimsvc mappings check` says about the expressions."
                )
    return previews
