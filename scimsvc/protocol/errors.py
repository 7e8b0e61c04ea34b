"""The error answers of RFC 7644 §3.12. `detail` is for the person who reads it: what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(Exception):
    """An answer with a status of 400 or above; `headers` go with it.

    `attribute` and `rule` are for the log: the attribute that is wrong, as the schema names it, and the setting, policy or
    header that refuses the request. Neither may be a client's text: the log never has an attribute's value.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        scim_type: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        attribute: str | None = None,
        rule: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.scim_type = scim_type
        self.headers = dict(headers or {})
        self.attribute = attribute
        self.rule = rule

    def document(self) -> dict[str, Any]:
        """The body of the answer."""
        body = {"schemas": [ERROR_URN], "status": str(self.status), "detail": self.detail}
        return body | {"scimType": self.scim_type} if self.scim_type else body


def invalid_filter(detail: str) -> ScimError:
    """400: the filter's syntax is wrong, or attribute and comparison don't go together."""
    return ScimError(400, detail, "invalidFilter")


def invalid_syntax(detail: str, rule: str | None = None) -> ScimError:
    """400: the body's structure is not that of the request."""
    return ScimError(400, detail, "invalidSyntax", rule=rule)


def invalid_path(detail: str) -> ScimError:
    """400: the `path` of a PATCH operation is malformed or names no attribute."""
    return ScimError(400, detail, "invalidPath")


def no_target(detail: str, attribute: str | None = None) -> ScimError:
    """400: the `path` of a PATCH operation leads to nothing that could be changed."""
    return ScimError(400, detail, "noTarget", attribute=attribute)


def invalid_value(detail: str, attribute: str | None = None) -> ScimError:
    """400: a required value is missing, or a value is not of its attribute's type."""
    return ScimError(400, detail, "invalidValue", attribute=attribute)


def mutability(detail: str, attribute: str | None = None) -> ScimError:
    """400: the change isn't compatible with the attribute's mutability or state."""
    return ScimError(400, detail, "mutability", attribute=attribute)


def too_many(detail: str, rule: str | None = None) -> ScimError:
    """400: more than the service provider is willing to process."""
    return ScimError(400, detail, "tooMany", rule=rule)


def uniqueness(detail: str, attribute: str | None = None) -> ScimError:
    """409: a value is in use already or reserved."""
    return ScimError(409, detail, "uniqueness", attribute=attribute)


def not_found(resource_type: str, id_: str) -> ScimError:
    """404: there is no such resource."""
    return ScimError(404, f"There is no {resource_type} with the id {id_[:64]!r}.")


def precondition_failed(detail: str, rule: str | None = None) -> ScimError:
    """412: the resource is not in a version that the request asks for (RFC 7644 §3.14)."""
    return ScimError(412, detail, rule=rule)
