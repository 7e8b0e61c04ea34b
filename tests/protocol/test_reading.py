"""What a resource has at a path."""

from typing import Any

import pytest

from scimsvc.protocol.filter import parse_path
from scimsvc.protocol.reading import value_at
from scimsvc.schema.core import USER_TYPE

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
JANE: dict[str, Any] = {
    "userName": "jane",
    "active": False,
    "name": {"givenName": "Jane"},
    "emails": [
        {"type": "home", "value": "h@x"},
        {"type": "work", "value": "w@x", "primary": True},
        {"type": "work", "value": "v@x"},
        {"type": "other"},
    ],
    ENTERPRISE: {"department": "D", "manager": {"value": "m"}},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("userName", "jane"),
        ("active", False),
        ("title", None),
        ("name", {"givenName": "Jane"}),
        ("name.givenName", "Jane"),
        ("name.familyName", None),
        ("emails", JANE["emails"]),
        ("emails.value", ["h@x", "w@x", "v@x"]),
        ('emails[type eq "WORK"].value', "w@x"),
        ('emails[type eq "work"]', JANE["emails"][1]),
        ('emails[type eq "other"].value', None),
        ('emails[type eq "none"].value', None),
        ("addresses.locality", None),
        (f"{ENTERPRISE}:department", "D"),
        (f"{ENTERPRISE}:manager.value", "m"),
    ],
)
def test_value_at_a_path(path: str, value: Any):
    assert value_at(parse_path(path, USER_TYPE), JANE) == value
