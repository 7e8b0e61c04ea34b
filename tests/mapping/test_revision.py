"""What a new version of a profile changes, in words."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.mapping import Profile, parse_profile
from tests.mapping.words import revisions

ROWS = [
    {"source": "objectId", "target": "externalId", "matching": 1},
    {"source": "userPrincipalName", "target": "userName"},
    {"source": "jobTitle", "target": "title"},
]
BASE: dict[str, Any] = {
    "profile": "acme",
    "title": "Acme",
    "users": {"mappings": ROWS, "attributes": [{"name": "badge"}], "scope": []},
    "groups": {"mappings": [{"source": "objectId", "target": "externalId", "matching": 1}]},
    "record": {"login": "userName"},
    "policies": {"deleteAfter": 1},
    # Without a list it follows from rows and record.
    "selfService": [],
}


def profile_of(content: dict[str, Any]) -> Profile:
    return parse_profile(yaml.safe_dump(content), Path("acme.yaml"))


def changed(path: str, value: Any) -> Profile:
    """The base with another value at a dotted path; a number in it is a place in a list."""
    content = deepcopy(BASE)
    *above, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    holder: Any = content
    for step in above:
        holder = holder[step]
    if value is None:
        del holder[last]
    elif isinstance(holder, list) and last == len(holder):
        holder.append(value)
    else:
        holder[last] = value
    return profile_of(content)


@pytest.mark.parametrize(
    ("path", "value", "there", "back"),
    [
        (
            "users.mappings.3",
            {"source": "employeeId", "target": "badge"},
            ["users: new row: [employeeId] to badge"],
            ["users: no row for badge any more; it was [employeeId]"],
        ),
        (
            "users.mappings.2.source",
            "department",
            ["users: title: [jobTitle] becomes [department]"],
            ["users: title: [department] becomes [jobTitle]"],
        ),
        (
            "users.mappings.2.default",
            "x",
            ["users: title: no default becomes the default 'x'"],
            ["users: title: the default 'x' becomes no default"],
        ),
        (
            "users.mappings.2.apply",
            "create",
            ["users: title: always becomes only during creation"],
            ["users: title: only during creation becomes always"],
        ),
        ("users.mappings.2.unique", True, ["users: title becomes unique"], ["users: title is no longer unique"]),
        (
            "users.mappings.0.source",
            "mail",
            [
                "users: matching: externalId (from [objectId]) becomes externalId (from [mail])",
                "users: externalId: [objectId] becomes [mail]",
            ],
            None,
        ),
        (
            "users.mappings.1.matching",
            2,
            [
                "users: matching: externalId (from [objectId]) becomes externalId (from [objectId]), then userName (from "
                "[userPrincipalName])",
                "users: userName: no matching precedence becomes matching precedence 2",
            ],
            None,
        ),
        (
            "users.attributes.1",
            {"name": "size", "type": "Integer"},
            ["users: new attribute size, of the type Integer"],
            ["users: no attribute size any more"],
        ),
        (
            "users.attributes.0.multiValued",
            True,
            ["users: attribute badge: of the type String becomes of the type String, multi-value"],
            None,
        ),
        (
            "users.scope",
            [{"clauses": [{"attribute": "userType", "operator": "EQUALS", "value": "Member"}]}],
            ["users: scope: all objects becomes (userType EQUALS Member)"],
            ["users: scope: (userType EQUALS Member) becomes all objects"],
        ),
        ("record.name", "displayName", ["record: new field name: displayName"], ["record: no field name any more"]),
        ("record.login", "ToLower([userName])", ["record: login: userName becomes ToLower([userName])"], None),
        ("record", None, ["record: no field login any more"], ["record: new field login: userName"]),
        ("policies.deleteAfter", 30, ["policies: deleteAfter: 1 becomes 30"], ["policies: deleteAfter: 30 becomes 1"]),
        ("policies.recreate", "restore", ["policies: recreate: conflict becomes restore"], None),
        (
            "selfService.0",
            "nickName",
            ["selfService: users may change nickName"],
            ["selfService: users may no longer change nickName"],
        ),
        ("users.flowTypes", ["Add", "Update"], ["users: flowTypes: Add, Update, Delete becomes Add, Update"], None),
        (
            "groups",
            None,
            [
                "groups: no table any more, so Entra is to send nothing",
                "groups: matching: externalId (from [objectId]) becomes nothing",
                "groups: no row for externalId any more; it was [objectId]",
                "groups: externalId is no longer unique",
            ],
            None,
        ),
        ("title", "Other", ["title: 'Acme' becomes 'Other'"], None),
        (
            "groups.mappings.1",
            {"source": "displayName", "target": "displayName", "unique": True, "default": "d", "apply": "create"},
            [
                "groups: new row: [displayName] to displayName, the default 'd', only during creation",
                "groups: displayName becomes unique",
            ],
            None,
        ),
    ],
)
def test_each_change_is_one_line_in_words(path: str, value: Any, there: list[str], back: list[str] | None):
    former, new = profile_of(BASE), changed(path, value)
    assert revisions(former, new) == there
    if back is not None:
        assert revisions(new, former) == back


ATTRIBUTES = st.sampled_from(["title", "nickName", "displayName", "name.givenName", 'emails[type eq "work"].value', "badge"])
ROW = st.fixed_dictionaries(
    {"target": ATTRIBUTES},
    optional={
        "source": st.sampled_from(["mail", "city"]),
        "unique": st.booleans(),
        "default": st.sampled_from(["x", "y"]),
        "apply": st.sampled_from(["always", "create"]),
    },
)
CONTENT = st.builds(
    lambda rows, record, days: {
        **BASE,
        "users": {**BASE["users"], "mappings": [ROWS[0], *rows]},
        "record": record,
        "policies": {"deleteAfter": days},
    },
    st.lists(ROW, max_size=3, unique_by=lambda row: row["target"]),
    st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["userName", "ToUpper([title])"])),
    st.integers(0, 1),
)


def without_defaults(content: dict[str, Any]) -> Any:
    rows = [{"unique": False, "apply": "always", **row} for row in content["users"]["mappings"]]
    return sorted(map(str, (sorted(row.items()) for row in rows))), content["record"], content["policies"]


@given(CONTENT, CONTENT)
def test_two_versions_have_changes_exactly_if_they_differ(one: dict[str, Any], other: dict[str, Any]):
    lines = revisions(profile_of(one), profile_of(other))
    assert (lines == []) == (without_defaults(one) == without_defaults(other))
    assert len(revisions(profile_of(other), profile_of(one))) == len(lines)
