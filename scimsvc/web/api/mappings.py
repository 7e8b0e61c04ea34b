"""/api/mappings: what the tenant's mapping profile makes of directory objects."""

from __future__ import annotations

from flask import Blueprint, Response, request

from scimsvc.mapping.functions.regular_expressions import budget
from scimsvc.mapping.preview import PreviewError, objects_in, preview
from scimsvc.protocol.errors import ScimError, invalid_value, too_many
from scimsvc.web.http.authentication import authenticate
from scimsvc.web.http.request import json_body, query_parameters
from scimsvc.web.http.response import respond_json
from scimsvc.web.services import Services

MAX_OBJECTS = 100
_TABLES = ("users", "groups")


def blueprint(services: Services) -> Blueprint:
    """The preview, for the tenant that the token speaks for."""
    routes = Blueprint("mappings", __name__)

    @routes.post("/preview/<table>")
    def preview_of(table: str) -> Response:
        """What Entra will send for the objects in the body, one or a list, as Microsoft Graph returns them; `?explain`."""
        profile = authenticate(services, request.environ).catalog.profile
        if table not in _TABLES:
            raise ScimError(404, f"There is a preview of {' and of '.join(_TABLES)}, not of {table[:64]!r}.")
        content = json_body(services, request.environ)
        explain = "explain" in query_parameters(request.environ)
        mapping = profile.users if table == "users" else profile.groups
        if not mapping.is_mapped:
            raise ScimError(404, f"The profile {profile.name} has no table {table}, so Entra sends nothing.")
        objects = objects_in(content)
        if len(objects) > MAX_OBJECTS:
            raise too_many(f"A preview takes {MAX_OBJECTS} objects at once; here are {len(objects)}.")
        shown = []
        with budget() as time:
            for number, found in enumerate(objects, 1):
                try:
                    shown.append(preview(mapping, found, explain))
                except PreviewError as error:
                    if not time.is_spent:
                        raise invalid_value(f"Object {number}: {error}.") from None
                if time.is_spent:
                    raise too_many(
                        f"Object {number}: the regular expressions of the profile {profile.name} take more than {time.limit:g} s "
                        "for these objects. Send fewer, and look at what `scimsvc mappings check` says of the expressions."
                    )
        return respond_json(shown, media_type="application/json")

    return routes
