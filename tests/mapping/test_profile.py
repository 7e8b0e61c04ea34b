"""Profiles: what a good one says, and what is said about a bad one."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.mapping import Profile, ProfileError, parse_profile
from scimsvc.mapping.reading.yaml_text import MAX_BYTES, MAX_FINDINGS, written_at
from scimsvc.protocol.filter import parse_filter
from scimsvc.schema.core import ENTERPRISE_USER_URN, USER_URN
from scimsvc.schema.paths import resolve
from scimsvc.service.profiles.files import load_profile, load_profiles

SHIPPED = Path(__file__).resolve().parents[2] / "mappings" / "entra.yaml"
FILE = Path("p.yaml")

HEAD = """profile: p
users:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
"""
GROUPS = """groups:
  mappings:
    - {source: objectId, target: externalId, matching: 1}
"""


def rows(*lines: str) -> str:
    """A profile with further rows for users, the first of them in line 5."""
    return HEAD + "".join(f"    - {line}\n" for line in lines) + GROUPS


def attributes(*lines: str) -> str:
    """A profile with custom attributes for users, the first of them in line 6."""
    return HEAD + "  attributes:\n" + "".join(f"    - {line}\n" for line in lines) + GROUPS


def findings(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, FILE)
    return [(one.line, one.column, one.message) for one in caught.value.findings if one.severity == "error"]


def unique(profile: Profile) -> dict[str, list[str]]:
    return {type_.name: [target.path.name for target in profile.unique_paths(type_)] for type_ in profile.resource_types()}


def test_entra_profile_has_the_tables_of_the_setup_guide():
    profile = load_profile(SHIPPED)
    assert (profile.name, profile.title) == ("entra", "Microsoft Entra ID")
    assert [
        (row.source or (row.expression and row.expression.text), row.target_text, row.matching) for row in profile.users.mappings
    ] == [
        ("objectId", "externalId", 1),
        ('Switch([IsSoftDeleted], , "False", "True", "True", "False")', "active", None),
        ("displayName", "displayName", None),
        ("userPrincipalName", 'emails[type eq "work"].value', None),
        ("objectId", "userName", None),
        ("givenName", "name.givenName", None),
        ("surname", "name.familyName", None),
        ('Join(" ", [givenName], [surname])', "name.formatted", None),
    ]
    assert [(row.source, row.target_text, row.matching) for row in profile.groups.mappings] == [
        ("objectId", "externalId", 1),
        ("displayName", "displayName", None),
        ("members", "members", None),
    ]
    assert unique(profile) == {"User": ["userName", "externalId"], "Group": ["externalId"]}
    assert sorted(load_profiles(SHIPPED.parent)) == ["entra", "entra-default", "okta"]


def test_row_has_what_the_profile_says():
    text = rows(
        "{constant: abc, target: title, default: none, apply: create}",
        "{target: nickName}",
        'expression: Join(" ", [a], [b])\n      target: name.formatted',
    )
    constant, nothing, expression = parse_profile(text, FILE).users.mappings[1:]
    assert (constant.constant, constant.default, constant.apply) == ("abc", "none", "create")
    assert (nothing.source, nothing.constant, nothing.expression, nothing.apply) == (None, None, None, "always")
    assert expression.expression
    assert expression.expression.evaluate({"a": "x", "b": "y"}) == "x y"


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ("{source: a, target: displayName, matching: 2}", "displayName"),
        ("{source: a, target: displayName, unique: true}", "displayName"),
        ("{source: a, target: DISPLAYNAME, matching: 2}", "displayName"),
        ("{source: a, target: name.formatted, matching: 2}", "name.formatted"),
        ("{source: a, target: 'emails[type eq \"work\"].value', matching: 2}", "emails.value"),
        (f"{{source: a, target: '{USER_URN}:title', matching: 2}}", "title"),
        (f"{{source: a, target: '{ENTERPRISE_USER_URN}:employeeNumber', matching: 2}}", f"{ENTERPRISE_USER_URN}:employeeNumber"),
        (f"{{source: a, target: '{ENTERPRISE_USER_URN}:manager', unique: true}}", f"{ENTERPRISE_USER_URN}:manager.value"),
    ],
)
def test_matching_and_unique_attributes_are_unique_paths(row: str, path: str):
    assert unique(parse_profile(rows(row), FILE)) == {"User": ["userName", "externalId", path], "Group": ["externalId"]}


def test_unique_path_keeps_the_filter_of_its_target():
    profile = parse_profile(rows("{source: a, target: 'emails[type eq \"work\"].value', matching: 2}"), FILE)
    user, _ = profile.resource_types()
    (target,) = [one for one in profile.unique_paths(user) if one.path.name == "emails.value"]
    assert parse_filter('emails[type eq "work"]', user).filter == target.value_filter  # type: ignore[union-attr]


def test_matching_rows_come_in_order_of_precedence():
    text = rows("{source: b, target: userName, matching: 3}", "{source: a, target: title, matching: 2}")
    assert [row.target_text for row in parse_profile(text, FILE).users.matching()] == ["externalId", "title", "userName"]


def test_custom_attributes_extend_the_schemas():
    profile = parse_profile(
        attributes(
            "{name: shoeSize, type: Integer}",
            "{name: tags, multiValued: true, exactCase: true}",
            f"{{name: '{ENTERPRISE_USER_URN}:badge', type: Binary}}",
            "{name: 'urn:example:2.0:User:since', type: DateTime, required: true, description: Since when.}",
        ),
        FILE,
    )
    user, group = profile.resource_types()
    found = {
        name: path.leaf
        for name in ("shoeSize", "tags", f"{ENTERPRISE_USER_URN}:badge", "urn:example:2.0:User:since")
        if (path := resolve(user, name))
    }
    assert [(leaf.type, leaf.multi_valued, leaf.required, leaf.case_exact) for leaf in found.values()] == [
        ("integer", False, False, False),
        ("string", True, False, True),
        ("binary", False, False, True),
        ("dateTime", False, True, False),
    ]
    assert found["urn:example:2.0:User:since"].description == "Since when."
    assert user.schema_ids == (USER_URN, ENTERPRISE_USER_URN, "urn:example:2.0:User")
    assert resolve(group, "shoeSize") is None


def test_custom_sub_attributes_extend_complex_attributes_or_make_them():
    profile = parse_profile(
        attributes(
            "{name: name.nick, exactCase: true}",
            "{name: 'emails[type eq \"work\"].rank', type: Integer}",
            "{name: badge.number, required: true}",
            "{name: badge.color}",
            "{name: 'doors[type eq \"front\"].code', type: Binary}",
            "{name: 'doors[type eq \"back\"].Since', type: DateTime}",
            f"{{name: '{ENTERPRISE_USER_URN}:manager.mail'}}",
            "{name: 'urn:example:2.0:User:desk[type eq \"a:b\"].value'}",
        ),
        FILE,
    )
    user, _ = profile.resource_types()
    leaves = {
        name: path.leaf
        for name in (
            "name.nick",
            "emails.rank",
            "badge.number",
            "badge.color",
            "doors.code",
            "doors.since",
            f"{ENTERPRISE_USER_URN}:manager.mail",
            "urn:example:2.0:User:desk.value",
        )
        if (path := resolve(user, name))
    }
    assert [(leaf.type, leaf.required, leaf.case_exact) for leaf in leaves.values()] == [
        ("string", False, True),
        ("integer", False, False),
        ("string", True, False),
        ("string", False, False),
        ("binary", False, True),
        ("dateTime", False, False),
        ("string", False, False),
        ("string", False, False),
    ]
    parents = [resolve(user, name) for name in ("name", "emails", "badge", "doors", "urn:example:2.0:User:desk")]
    assert [path.leaf.multi_valued for path in parents if path] == [False, True, False, True, True]
    doors = resolve(user, "doors")
    assert doors
    assert [one.name for one in doors.leaf.sub_attributes] == ["value", "display", "type", "primary", "code", "Since"]


def test_reference_says_what_it_refers_to():
    profile = parse_profile(
        attributes(
            "{name: assistant, type: Reference, referencedObjectAttribute: User.id}",
            "{name: owner, type: Reference, referencedObjectAttribute: [User.id, Group.id]}",
            "{name: homepage, type: Reference}",
        ),
        FILE,
    )
    user, _ = profile.resource_types()
    types = [path.leaf.reference_types for name in ("assistant", "owner", "homepage") if (path := resolve(user, name))]
    assert types == [("User",), ("User", "Group"), ("external",)]


def test_custom_attribute_can_be_a_target_and_unique():
    text = HEAD + "    - {source: a, target: badge, matching: 2}\n  attributes:\n    - {name: badge}\n" + GROUPS
    assert unique(parse_profile(text, FILE))["User"] == ["userName", "externalId", "badge"]


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("{sorce: a, target: title}", 8, "unknown key 'sorce' in a row, did you mean 'source'?"),
        ("{source: a, target: title, foo: 1}", 34, "unknown key 'foo' in a row; known are source, constant"),
        ("{<<: {source: a}, target: title}", 8, "unknown key '<<'"),
        ("{source: a, source: b, target: title}", 19, "source is here twice"),
        ("{source: a}", 7, "the key 'target' is missing"),
        ("{source: a, default: [], target: title}", 28, "default must be a string"),
        ("abc", 7, "a row must be a mapping"),
        ("[1]", 7, "a row must be a mapping"),
        ("{source: [a], target: title}", 16, "source must be a string"),
        ("{source: , target: title}", 15, "source must be a string"),
        ("{source: a, target: {title: 1}}", 27, "target must be a string"),
        ("{source: a, target: ''}", 27, "no such target attribute"),
        ("{source: a, target: titl}", 27, "no such target attribute 'titl', did you mean 'title'?"),
        ("{source: a, target: name.given}", 27, "no such target attribute 'name.given', did you mean 'name.givenName'?"),
        ("{source: a, target: 'emails[type eq \"work\"'}", 49, "expected ']'"),
        ("{source: a, target: 'emails[typ eq \"work\"].value'}", 35, "unknown attribute 'typ'"),
        ("{source: a, target: 'emails[type eq \"work\"].val'}", 50, "no sub-attribute '.val'"),
        ("{source: a, target: 'urn:example:User:x'}", 27, "no such target attribute"),
        ("{source: a, target: members}", 27, "no such target attribute"),
        ("{source: a, target: id}", 27, "id is read-only"),
        ("{source: a, target: meta.created}", 27, "meta.created is read-only"),
        ("{source: a, target: groups}", 27, "groups is read-only"),
        ("{source: a, target: externalId}", 7, "two mappings for externalId"),
        ("{source: a, target: EXTERNALID}", 7, "two mappings for EXTERNALID"),
        ("{source: a, target: title, matching: 1}", 7, "externalId has the matching precedence 1 already"),
        ("{source: a, target: title, matching: 0}", 44, "counts from 1"),
        ("{source: a, target: title, matching: first}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: true}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: 2.0}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: 2001-13-45}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: =}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: <<}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: 0x_}", 44, "matching must be an integer"),
        (f"{{source: a, target: title, matching: {'1' * 5000}}}", 44, "matching must be an integer"),
        ("{source: a, target: title, unique: =}", 42, "unique must be true or false"),
        ("{source: a, target: title, [x, y]: 1}", 34, "a key of a row must be a string"),
        ("{source: a, target: title, apply: ''}", 41, "apply must be always or create"),
        (f"{{source: a, target: '{USER_URN}:externalId'}}", 7, f"two mappings for {USER_URN}:externalId, which is externalId"),
        ("{source: a, target: title, matching: '2'}", 44, "matching must be an integer"),
        ("{source: a, target: title, matching: }", 43, "matching must be an integer"),
        ("{source: a, target: title, matching: [2]}", 44, "matching must be an integer"),
        ("{source: a, target: title, unique: 1}", 42, "unique must be true or false"),
        ("{source: a, target: active, matching: 2}", 27, "active can't be matched by or unique: true and false can't tell"),
        (
            "{source: a, target: name}",
            27,
            "name has no value of its own; its sub-attributes have: formatted, familyName, givenName",
        ),
        (
            '{source: a, target: \'emails[type eq "work" and type eq "home"].value\'}',
            27,
            "type can't be 'work' and 'home' at once",
        ),
        (
            "{source: a, target: 'emails[type sw \"w\"].value'}",
            27,
            "a target's filter must be eq conditions joined by and: they say what a new element is like",
        ),
        ("{source: a, target: 'emails[type eq \"x\" or primary eq true].value'}", 27, "must be eq conditions joined by and"),
        ("{source: a, target: password, unique: true}", 27, "can't be matched by or unique: it is never returned"),
        ("{source: a, target: title, apply: sometimes}", 41, "apply must be always or create"),
        ("{constant: maybe, target: active}", 18, "active must be true or false, not 'maybe'"),
        ("{source: a, target: active, default: perhaps}", 44, "active must be true or false, not 'perhaps'"),
        ("{source: a, constant: b, target: title}", 29, "one of source, constant and expression"),
        ('expression: Swich([a], , "x", "y")\n      target: title', 19, "unknown function Swich, did you mean Switch?"),
        ('expression: Join("", Join("", Qwertz()))\n      target: title', 37, "unknown function Qwertz"),
        ('expression: Join("", [a]\n      target: title', 31, "expected a comma or )"),
        ("expression: 'Join(\"\")'\n      target: title", 20, "here is 1 argument"),
        ("{expression: '[a]', target: title}", 21, "must be a function"),
    ],
)
def test_mistake_in_a_row_is_found_at_its_place(row: str, column: int, message: str):
    ((line, found_column, found),) = findings(rows(row))
    assert (line, found_column) == (5, column)
    assert message in found


@pytest.mark.parametrize(
    ("row", "line", "column"),
    [
        ("expression: |\n        Join(x, y)\n      target: title", 6, 14),
        ("expression: |\n        Join(\n          x, y)\n      target: title", 7, 11),
        ("expression: >-\n        Join(\n          x, y)\n      target: title", 7, 11),
        ('expression: Join("",\n\n        x)\n      target: title', 7, 9),
        ("expression: 'Join(\"''\", x)'\n      target: title", 5, 31),
        ('expression: "Join(\\"\\x41\\", x)"\n      target: title', 5, 35),
        ('expression: "Join(\\"\\", \\\n        x)"\n      target: title', 6, 9),
        ("expression: |\n        Join(\x85          x, y)\n      target: title", 7, 11),
    ],
)
def test_mistake_in_an_expression_is_found_where_it_is_written(row: str, line: int, column: int):
    ((found_line, found_column, found),) = findings(rows(row))
    assert "x is not known here" in found
    assert (found_line, found_column) == (line, column)


@given(st.text(st.sampled_from("ab'\"\\ \n:#é\u2028"), min_size=1), st.sampled_from([None, "'", '"', "|", ">"]), st.data())
def test_every_character_of_a_value_is_found_where_it_is_written(value: str, style: str, data: st.DataObject):
    text = yaml.safe_dump({"key": {"key": value}}, default_style=style, width=12, allow_unicode=True)
    node = yaml.compose(text).value[0][1].value[0][1]
    assert node.value == value
    place = data.draw(st.integers(0, len(value) - 1))
    written = text[written_at(text, node, place) :]
    assert written[0] == value[place] or value[place].isspace() or (node.style == '"' and written[0] == "\\")


@pytest.mark.parametrize(
    ("attribute", "column", "message"),
    [
        ("abc", 7, "a custom attribute must be a mapping"),
        ("{type: String}", 7, "the key 'name' is missing"),
        ("{name: [a]}", 14, "name must be a string"),
        ("{name: 1a}", 14, "a custom attribute's name is letters and digits"),
        ("{name: a.b.c}", 14, "a custom attribute's name is letters and digits"),
        ("{name: 'a[type eq 1]'}", 14, "a custom attribute's name is letters and digits"),
        ("{name: title.b}", 14, "title is a string, which has no sub-attributes"),
        ("{name: meta.b}", 14, "meta can't have further sub-attributes"),
        ("{name: groups.b}", 14, "groups can't have further sub-attributes"),
        ("{name: name.givenname}", 14, "User has an attribute name.givenname already"),
        (
            "{name: 'name[givenName pr].b'}",
            14,
            "name has one value, so there is nothing to choose from: leave out [givenName pr]",
        ),
        ("{name: 'emails[type eq \"x\"].value'}", 14, "User has an attribute emails.value already"),
        ("{name: 'emails[typ eq \"x\"].b'}", 14, "unknown attribute 'typ'"),
        ("{name: 'emails[type eq \"x].b'}", 14, "a custom attribute's name is letters and digits"),
        ("{name: 'badges[type ne \"x\" and].b'}", 14, "expected"),
        ("{name: name.b, multiValued: true}", 35, "a sub-attribute has one value"),
        ("{name: 'emails[type eq \"x\"].b', required: true}", 49, 'elements that [type eq "x"] doesn\'t choose have no b'),
        ("{name: x, referencedObjectAttribute: User.id}", 44, "only a Reference has a referencedObjectAttribute, not a String"),
        (
            "{name: x, type: Reference, referencedObjectAttribute: User}",
            61,
            "a reference is to User.id or Group.id, did you mean",
        ),
        ("{name: x, type: Reference, referencedObjectAttribute: [[a]]}", 62, "referencedObjectAttribute must be a string"),
        ("{name: 'a b'}", 14, "a custom attribute's name is letters and digits"),
        ("{name: 'urn:x'}", 14, "a custom attribute's name is letters and digits"),
        ("{name: x, type: ''}", 23, "unknown type ''"),
        ("{name: displayname}", 14, "User has an attribute displayname already"),
        ("{name: meta}", 14, "User has an attribute meta already"),
        (f"{{name: '{ENTERPRISE_USER_URN}:costCenter'}}", 14, "already"),
        ("{name: x, type: Strin}", 23, "unknown type 'Strin', did you mean 'String'?; known are String, Boolean"),
        ("{name: x, type: [String]}", 23, "type must be a string"),
        ("{name: x, multiValued: 3}", 30, "multiValued must be true or false"),
        ("{name: x, required: 'true'}", 27, "required must be true or false"),
        ("{name: x, exactCase: }", 27, "exactCase must be true or false"),
        ("{name: x, multivalued: true}", 17, "unknown key 'multivalued' in a custom attribute, did you mean 'multiValued'?"),
        ("{name: x, name: y}", 17, "name is here twice"),
    ],
)
def test_mistake_in_a_custom_attribute_is_found_at_its_place(attribute: str, column: int, message: str):
    ((line, found_column, found),) = findings(attributes(attribute))
    assert (line, found_column) == (6, column)
    assert message in found


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("", 1, 1, "the file is empty"),
        ("# nothing\n", 1, 1, "the file is empty"),
        ("abc", 1, 1, "a profile must be a mapping"),
        ("[]", 1, 1, "a profile must be a mapping"),
        ("a: [1, 2\nb: {", 2, 2, "not YAML: while parsing a flow sequence (1:4), expected ',' or ']'"),
        ("a:\n\t- b\n", 2, 1, "not YAML"),
        ("a: 'b", 1, 4, "not YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("a: 1\n---\nb: 1\n", 2, 1, "expected a single document in the stream (1:1), but found another document"),
        ("a:\n- b\nc: [1,\n2: 3: 4\n]", 4, 5, "not YAML: while parsing a flow sequence (3:4), expected ',' or ']'"),
        ('a: 1\nb: ["\\ud83d"]', 2, 5, "a text can't have U+D83D, half of a character"),
        (HEAD + "    - target: title\n      expression: |", 6, 19, "found the end"),
        ("a: %b", 1, 4, "not YAML"),
        ('a: "\0"', 1, 5, "not YAML: special characters are not allowed: U+0000"),
        ("a: b\nc: \x01", 2, 4, "not YAML: special characters are not allowed: U+0001"),
        ("a: &x 1\nb: *x\n", 2, 4, "a profile can't have aliases"),
        ("b: *x\n", 1, 4, "a profile can't have aliases"),
        ("- " * 600, 1, 65, "nested more than 32 deep"),
        ("[" * 5000, 1, 33, "nested more than 32 deep"),
        ("#" * (MAX_BYTES + 1), 1, 1, "bytes"),
        ("profile: p\n", 1, 1, "a profile needs a table: the key 'users', the key 'groups', or both"),
        (HEAD.replace("profile", "profil") + GROUPS, 1, 1, "the key 'profile' is missing"),
        (HEAD.replace("profile: p", "profile: a b") + GROUPS, 1, 10, "a profile's name is"),
        (HEAD.replace("profile: p", "profile: [p]") + GROUPS, 1, 10, "profile must be a string"),
        (HEAD.replace("profile: p", "profile: p\ntitle: {}") + GROUPS, 2, 8, "title must be a string"),
        (HEAD.replace(", matching: 1", "") + GROUPS, 3, 3, "no User mapping has `matching`"),
        (
            HEAD + GROUPS.replace("mappings", "mapping"),
            6,
            3,
            "unknown key 'mapping' in the Group table, did you mean 'mappings'?",
        ),
        (HEAD + "groups: 5\n", 5, 9, "the Group table must be a mapping"),
        (HEAD + "groups:\n  mappings: {}\n", 6, 13, "mappings must be a list"),
        (HEAD + "groups:\n  mappings:\n", 6, 3, "no Group mapping has `matching`"),
        (HEAD + "  attributes: 5\n" + GROUPS, 5, 15, "attributes must be a list"),
    ],
)
def test_mistake_in_a_file_is_found_at_its_place(text: str, line: int, column: int, message: str):
    found = findings(text)
    assert any(one[:2] == (line, column) and message in one[2] for one in found), found


@pytest.mark.parametrize("spelling", ['emails[type eq "work" ].value', 'EMAILS[Type EQ "Work"].Value'])
def test_one_target_in_two_spellings_is_found(spelling: str):
    text = rows("{source: a, target: 'emails[type eq \"work\"].value'}", f"{{source: a, target: '{spelling}'}}")
    ((line, _, message),) = findings(text)
    assert (line, message) == (6, f'two mappings for {spelling}, which is emails[type eq "work"].value too')


@pytest.mark.parametrize("names", [("x", "x"), ("badge", "BADGE"), ("badge", f"{USER_URN}:badge"), ("urn:x:y", "URN:X:Y")])
def test_two_custom_attributes_of_one_name_are_found(names: tuple[str, str]):
    ((line, _, message),) = findings(attributes(*(f"{{name: '{name}'}}" for name in names)))
    assert line == 7
    assert "already" in message


def test_every_matching_row_on_one_path_is_unique():
    text = rows(*(f"{{source: a, target: 'emails[type eq \"{one}\"].value', unique: true}}" for one in ("work", "home")))
    assert unique(parse_profile(text, FILE))["User"] == ["userName", "externalId", "emails.value", "emails.value"]


def test_aliases_that_would_grow_without_end_are_refused():
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    assert findings(f"a0: &a0 [x]\n{levels}") == [(2, 10, "a profile can't have aliases")]


def test_tags_make_no_objects():
    ((line, column, _),) = findings(rows("{source: a, target: title, matching: !!python/object/apply:os.getcwd []}"))
    assert (line, column) == (5, 44)


def test_what_is_no_utf_8_is_found_at_its_place():
    with pytest.raises(ProfileError, match=r"p\.yaml:3:3: is not UTF-8: byte 0xff"):
        parse_profile(b"a: 1\n\xc3\xa9: 2\nab\xff", FILE)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85"])
def test_places_in_a_block_are_found_whatever_ends_the_lines(end: str):
    text = rows("expression: |\n        Join(\n\n          x, y)\n      target: title").replace("\n", end)
    ((line, column, _),) = findings(text)
    assert (line, column) == (8, 11)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028"])
def test_places_are_found_whatever_ends_the_lines(end: str):
    text = rows("expression: 'Join(\"\", x)'\n      target: title").replace("\n", end)
    ((line, column, _),) = findings(text)
    assert (line, column) == (5, 29)


def test_portals_own_spelling_of_a_target_counts():
    row = "expression: SingleAppRoleAssignment([appRoleAssignments])\n      target: 'roles[primary eq \"True\"].value'"
    ((line, column, message),) = findings(rows(row.replace("True", "Maybe")))
    assert (line, column) == (6, 33)
    assert "roles.primary is compared with true or false" in message
    assert parse_profile(rows(row), FILE).users.mappings[1].target_text == 'roles[primary eq "True"].value'


def test_all_mistakes_are_found_at_once_and_shown_with_a_caret():
    text = rows("{sorce: a, target: titl}", 'expression: Swich([a], , "x", "y")\n      target: active') + "extra: 1\n"
    with pytest.raises(ProfileError) as caught:
        parse_profile(text, FILE)
    first, second, third, fourth = caught.value.findings
    assert [(one.line, one.column) for one in (first, second, third, fourth)] == [(5, 8), (5, 26), (6, 19), (11, 1)]
    assert str(third).splitlines() == [
        "p.yaml:6:19: unknown function Swich, did you mean Switch?",
        '        - expression: Swich([a], , "x", "y")',
        "                      ^",
    ]
    assert str(caught.value) == "\n".join(map(str, (first, second, third, fourth)))


def test_wrong_or_missing_target_hides_no_other_mistake():
    found = findings(
        rows('{expression: "Foo(", matching: x, apply: never, unique: maybe}', "{source: [a], default: {}, target: nope}")
    )
    assert [place[:2] for place in found] == [(5, 7), (5, 25), (5, 38), (5, 48), (5, 63), (6, 16), (6, 30), (6, 42)]


def test_matching_row_with_a_wrong_target_is_there_all_the_same():
    text = HEAD.replace("externalId", "externaId") + GROUPS
    assert [place[:2] for place in findings(text)] == [(4, 34)]


def test_expression_that_ends_too_early_is_shown_where_it_ends():
    row = 'expression: |\n        Join(" ",\n          [givenName],\n          [surname]\n      target: displayName'
    assert findings(rows(row)) == [(8, 20, "expected a comma or ), found the end")]


def test_mistakes_without_end_are_shown_up_to_a_number_and_keep_the_profile_away():
    shown = findings(rows(*["{a: b}"] * 1200))
    assert (len(shown), shown[-1][2]) == (MAX_FINDINGS + 1, "and more, here and elsewhere")
    custom = [f"{{name: a{n}}}" for n in range(1001)]
    assert findings(attributes(*custom)) == [(1006, 7, "a table can't have more than 1000 custom attributes")]
    # Warnings without end hide no mistake.
    doubts = [f"{{source: x{n}, target: a{n}}}" for n in range(1000)]
    text = attributes(*custom[:-1]).replace("  attributes:", "".join(f"    - {one}\n" for one in doubts * 2) + "  attributes:")
    assert findings(text)[0][2] == "two mappings for a0"


def test_only_yamls_own_white_space_is_left_out_of_a_value():
    text = rows('expression: "Join(\\"\\",\\\n        \u00a0x)"\n      target: title')
    assert findings(text) == [(6, 9, "unexpected character '\\xa0'")]


def test_findings_of_all_files_of_a_folder_come_together(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(rows("{source: a, target: titl}"))
    (tmp_path / "b.yaml").write_text("[")
    (tmp_path / "c.yaml").write_bytes(b"profile: \xff")
    (tmp_path / "d.yaml").mkdir()
    (tmp_path / "e.yaml").write_text(rows())
    (tmp_path / "f.yaml").write_text(rows())
    (tmp_path / "g.txt").write_text("[")
    with pytest.raises(ProfileError) as caught:
        load_profiles(tmp_path)
    assert [(one.path.name, one.line) for one in caught.value.findings] == [
        ("a.yaml", 5),
        ("b.yaml", 1),
        ("c.yaml", 1),
        ("d.yaml", 1),
        ("f.yaml", 1),
    ]
    assert "is in" in caught.value.findings[-1].message


@pytest.mark.parametrize("name", ["absent", "absent.yaml"])
def test_file_or_folder_that_is_missing_is_a_finding(tmp_path: Path, name: str):
    with pytest.raises(ProfileError, match=name):
        (load_profile if name.endswith(".yaml") else load_profiles)(tmp_path / name)  # type: ignore[operator]


def read(text: str) -> None:
    """The text is a profile, or every problem has a place in it."""
    found = []
    try:
        parse_profile(text, FILE)
    except ProfileError as error:
        found = error.findings
        assert found
    for finding in found:
        assert finding.column >= 1
        assert 1 <= finding.line <= len(text.splitlines()) + 1
        assert finding.message


KEYS = st.sampled_from(
    [
        "profile",
        "title",
        "users",
        "groups",
        "mappings",
        "attributes",
        "source",
        "constant",
        "expression",
        "target",
        "matching",
        "unique",
        "default",
        "apply",
        "name",
        "type",
        "multiValued",
        "required",
        "exactCase",
        "description",
    ]
)
WORDS = st.sampled_from(
    ["p", "externalId", "userName", 'emails[type eq "work"].value', "members", "a", 'Join("", [a])', "String", "create", ""]
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), WORDS, st.text(max_size=10), st.dates(), st.binary(max_size=5)
)
DATA: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.integers() | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
ROWS = st.lists(st.dictionaries(KEYS, SCALARS, max_size=4) | DATA, max_size=3)
TABLES = st.fixed_dictionaries({}, optional={"mappings": ROWS, "attributes": ROWS})
PROFILES = st.fixed_dictionaries({"profile": WORDS, "users": TABLES, "groups": TABLES | DATA})


@settings(max_examples=200, deadline=None)
@given(DATA | PROFILES)
def test_any_data_is_a_profile_or_gives_findings(data: Any):
    read(yaml.safe_dump(data, allow_unicode=True))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_any_text_is_a_profile_or_gives_findings(text: str):
    read(text)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, len(SHIPPED.read_text()) - 1),
    st.integers(0, 30),
    st.sampled_from(["", '"', "[", "{", ":", "- ", "\n", "é", "x"]),
)
def test_damaged_profile_gives_findings(start: int, length: int, instead: str):
    text = SHIPPED.read_text()
    read(text[:start] + instead + text[start + length :])


@pytest.mark.parametrize(("type_", "alike"), [("String", True), ("Integer", False)])
def test_attribute_below_a_urn_may_be_in_the_lists_of_both_tables(type_: str, alike: bool):
    row, listed = "    - {source: department, target: 'urn:x:ext:a'}\n", "  attributes: [{name: 'urn:x:ext:a', type: %s}]\n"
    text = HEAD + row + listed % "String" + GROUPS + row + listed % type_
    if alike:
        profile = parse_profile(text, FILE)
        types = [profile.users.resource_type, profile.groups.resource_type]
        assert types[0].extensions[-1] is types[1].extensions[-1]
    else:
        (found,) = findings(text)
        assert "User has another attribute urn:x:ext:a, and a schema is one definition" in found[2]


def test_example_may_expect_the_greatest_integer():
    number = 2**63 - 1
    example = f"  examples:\n    - source: {{c: '{number}'}}\n      expect: {{n: {number}}}\n"
    text = HEAD + "    - {source: c, target: n}\n  attributes: [{name: n, type: Integer}]\n" + example + GROUPS
    assert parse_profile(text, FILE)
