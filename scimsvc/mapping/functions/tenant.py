"""Functions on what only the Entra tenant knows."""

from __future__ import annotations

from typing import Any

from scimsvc.mapping.functions.model import Function, UnknownHereError, plain


def _default_domain() -> Any:
    raise UnknownHereError("DefaultDomain is a setting of the Entra tenant, so only Entra can work it out")


DEFAULT_DOMAIN = Function(
    "DefaultDomain",
    "The default domain of the Entra tenant. Only Entra can work it out: a preview names the row and leaves out its value.",
    (),
    plain(_default_domain, 0),
    result="string",
)

FUNCTIONS = (DEFAULT_DOMAIN,)
