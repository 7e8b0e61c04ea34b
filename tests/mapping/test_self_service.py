"""The list `selfService:` of a profile."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.mapping import Profile, ProfileError, parse_profile
from scimsvc.mapping.reading.self_service import PROVISIONED_ONLY
from scimsvc.protocol.errors import ScimError
from scimsvc.service.self_service import refuse_change
from tests.support.server import ROOT

ENTRA = (ROOT / "mappings" / "entra.yaml").read_text()
EMPLOYEE_NUMBER = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber"


def profile_with(text: str) -> Profile:
    return parse_profile(f"{ENTRA}\n{text}\n", Path("entra.yaml"))


def allowed(profile: Profile) -> set[str]:
    return {path.name for path in profile.self_service}


def test_by_default_users_change_personal_attributes_that_nothing_else_uses():
    names = {"nickName", "profileUrl", "preferredLanguage", "locale", "timezone", "phoneNumbers", "ims", "photos", "addresses"}
    assert allowed(profile_with("")) == names
    read_by_the_record = ENTRA.replace("  name: displayName", "  name: nickName").replace(
        "{source: displayName, target", "{target"
    )
    assert allowed(parse_profile(read_by_the_record, Path("entra.yaml"))) == names - {"nickName"}


def test_a_list_allows_what_it_names_and_nothing_else():
    assert allowed(profile_with("selfService: []")) == set()
    listed = profile_with(f"selfService: [nickName, name.honorificPrefix, '{EMPLOYEE_NUMBER}', password]")
    assert allowed(listed) == {"nickName", "name.honorificPrefix", EMPLOYEE_NUMBER, "password"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        *((f"[{name}]", "identifies the account or decides its rights") for name in PROVISIONED_ONLY if name[0] not in "sm"),
        ("[nickname2]", "no such SCIM attribute"),
        ("[phoneNumbers.value]", "allow phoneNumbers as a whole"),
        ("['phoneNumbers[type eq \"home\"].value']", "allow phoneNumbers as a whole"),
        ("nickName", "must be a list"),
    ],
)
def test_what_no_list_can_allow_is_a_mistake(text: str, message: str):
    with pytest.raises(ProfileError, match=message):
        profile_with(f"selfService: {text}")


def test_a_list_is_warned_of_what_others_write_or_read():
    warnings = [finding.message for finding in profile_with("selfService: [displayName, emails]").warnings]
    assert any("a mapping row targets displayName" in warning for warning in warnings)
    read = ENTRA.replace("  name: displayName", "  name: nickName")
    warnings = [one.message for one in parse_profile(f"{read}\nselfService: [nickName]", Path("e.yaml")).warnings]
    assert any("record: reads nickName" in warning for warning in warnings)


VALUES = st.none() | st.text(max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "schemas": st.lists(st.text(max_size=2), max_size=2),
        "nickName": VALUES,
        "title": VALUES,
        "name": st.dictionaries(st.sampled_from(["honorificPrefix", "familyName"]), VALUES, min_size=1),
        "phoneNumbers": st.lists(st.fixed_dictionaries({"value": VALUES}), max_size=2),
    },
)
PATHS = profile_with("selfService: [nickName, name.honorificPrefix, phoneNumbers]").self_service


@given(DOCUMENTS, DOCUMENTS)
def test_a_change_is_refused_exactly_if_something_else_differs(before: dict[str, object], after: dict[str, object]):
    def rest(document: dict[str, object]) -> tuple[object, object]:
        name = document.get("name")
        family_name = name.get("familyName", "absent") if isinstance(name, dict) else "absent"
        return document.get("title"), family_name

    if rest(before) == rest(after):
        refuse_change(PATHS, before, after)
    else:
        with pytest.raises(ScimError) as refused:
            refuse_change(PATHS, before, after)
        assert refused.value.status == 403
