"""Filters and paths: text to tree (RFC 7644 §3.4.2.2 and §3.5.2), and what is no filter."""

import json
import re
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.protocol.dialects.entra.filters import standard_filter, standard_path
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import And, Comparison, Filter, Not, Or, Path, Present, ValuePath, parse_filter, parse_path
from scimsvc.protocol.filter.lexer import MARKS
from scimsvc.schema.core import ENTERPRISE_USER_URN, GROUP_TYPE, USER_TYPE, USER_URN
from scimsvc.schema.model import ResourceType
from scimsvc.schema.paths import AttributePath, resolve
from scimsvc.schema.types import caseless_form


def at(name: str) -> AttributePath:
    found = resolve(USER_TYPE, name)
    assert found, name
    return found


def equal(name: str, literal: str, operator: str = "eq") -> Comparison:
    """A comparison with a text, in the one form that it has where case doesn't count."""
    path = at(name)
    return Comparison(path, operator, literal if path.leaf.case_exact else caseless_form(literal), literal)


A, B, C = equal("userName", "a"), equal("title", "b"), equal("nickName", "c")


def shown(tree: Filter | AttributePath | None) -> object:
    """A tree as plain data, for comparing: paths by their names."""
    match tree:
        case AttributePath():
            return tree.name
        case Comparison(path, operator, value, _):
            return path.name, operator, value
        case Present(path):
            return path.name, "pr"
        case And(operands):
            return ("and", *map(shown, operands))
        case Or(operands):
            return ("or", *map(shown, operands))
        case Not(operand):
            return "not", shown(operand)
        case ValuePath(path, inner):
            return path.name, [shown(inner)]
    return None


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ('userName eq "a"', A),
        ('  userName   eq   "a" ', A),
        ('USERNAME EQ "A"', A),
        (f'{USER_URN}:userName eq "a"', A),
        (f'{USER_URN.upper()}:username eq "a"', A),
        ('userName eq "a" and title eq "b" or nickName eq "c"', Or((And((A, B)), C))),
        ('userName eq "a" or title eq "b" and nickName eq "c"', Or((A, And((B, C))))),
        ('userName eq "a" and (title eq "b" or nickName eq "c")', And((A, Or((B, C))))),
        ('userName eq "a" AND title eq "b" And nickName eq "c"', And((A, B, C))),
        ('not (userName eq "a")', Not(A)),
        ('NOT(userName eq "a") and title eq "b"', And((Not(A), B))),
        ('((userName eq "a"))', A),
        ("title pr", Present(at("title"))),
        ("emails PR", Present(at("emails"))),
        ('emails[type eq "work"]', ValuePath(at("emails"), equal("emails.type", "work"))),
        (
            'emails[type eq "work" and value co "@x"] and title pr',
            And(
                (
                    ValuePath(at("emails"), And((equal("emails.type", "work"), equal("emails.value", "@x", "co")))),
                    Present(at("title")),
                )
            ),
        ),
        ('emails.type eq "work"', equal("emails.type", "work")),
        ('emails eq "x"', equal("emails.value", "x")),
        (f'{ENTERPRISE_USER_URN}:department sw "R"', equal(f"{ENTERPRISE_USER_URN}:department", "R", "sw")),
        (f'{ENTERPRISE_USER_URN}:manager.value eq "1"', equal(f"{ENTERPRISE_USER_URN}:manager.value", "1")),
        ("title eq null", Not(Present(at("title")))),
        ("title ne NULL", Present(at("title"))),
        (r'title eq "a\"b\\c\u00e9\n"', equal("title", 'a"b\\cé\n')),
        (r'title eq "\ud83d\ude00"', equal("title", "😀")),
        ('title eq "and"', equal("title", "and")),
        ('title eq ")"', equal("title", ")")),
    ],
)
def test_text_is_its_tree(text: str, tree: Filter):
    assert shown(parse_filter(text, USER_TYPE)) == shown(tree)


@pytest.mark.parametrize("operator", ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"])
def test_every_operator_in_any_case(operator: str):
    for spelling in (operator, operator.upper(), operator.title()):
        assert shown(parse_filter(f'title {spelling} "x"', USER_TYPE)) == ("title", operator, "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("active eq true", "true"),
        ("active eq FALSE", "false"),
        ('meta.created ge "2026-01-31T08:30:00+01:00"', "2026-01-31T07:30:00.000000000Z"),
        ('x509Certificates.value eq "QUJD"', "QUJD"),
        ('profileUrl eq "HTTP://X"', "HTTP://X"),
        ('userName eq "STRASSE"', "strasse"),
        ('externalId eq "Ab"', "Ab"),
    ],
)
def test_literal_has_the_form_of_its_attribute(text: str, value: str):
    found = parse_filter(text, USER_TYPE)
    assert isinstance(found, Comparison)
    assert found.value == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an attribute, found the end at column 1"),
        ("title", "expected an operator"),
        ("title eq", "expected a value"),
        ("title is 'x'", "expected an operator (co, eq, ew, ge, gt, le, lt, ne, sw or pr), found 'is' at column 7"),
        ("title eq x", "expected a value (a string in quotation marks, a number, true, false or null), found 'x' at column 10"),
        ('title eq "x', "a string without closing quotation mark at column 10"),
        ('title eq "x" and', "expected an attribute, found the end"),
        ('title eq "x" title eq "y"', "expected the end, found 'title' at column 14"),
        ('(title eq "x"', "expected ')', found the end"),
        ('title eq "x")', "expected the end, found ')' at column 13"),
        ('titel eq "x"', "unknown attribute 'titel', did you mean 'title'? at column 1"),
        ('emails[typ eq "x"]', "unknown attribute 'typ', did you mean 'type'? at column 8"),
        ('emails[type eq "x"', "expected ']', found the end"),
        ('emails[emails[type eq "x"]]', "unknown attribute 'emails'"),
        ('userName[value eq "x"]', "userName has no sub-attributes to filter by at column 9"),
        ("title eq 5", "title is compared with a string, not with '5'"),
        ('active eq "yes"', "active is compared with true or false"),
        ("active gt true", "active is a boolean, which gt can't compare"),
        ("active co true", "active is a boolean, which co can't compare"),
        ('meta.created eq "yesterday"', "meta.created is compared with a date and time"),
        ('name eq "x"', "name is complex: compare one of"),
        ('password eq "x"', "password can't be filtered by at column 1"),
        ("title eq 1e999x", "expected a value"),
        ("title eq NaN", "expected a value"),
        ("title eq 1e400", "expected a value"),
        (r'title eq "\ud800"', "expected a value"),
        ("title pr pr", "expected the end, found 'pr'"),
        ("not title pr", "not without parentheses at column 1: write not (title …)"),
        ('title pr and not emails[type eq "x"]', "not without parentheses at column 14: write not (emails …)"),
        ('not eq "x"', "unknown attribute 'not'"),
        (r'title eq "CORP\jane"', 'a backslash that escapes nothing at column 15: write "CORP\\\\jane", with two for one'),
        (r'title eq "a" or title eq "\u12"', "a backslash that escapes nothing at column 27"),
        ('title = "x"', "found '=' at column 7: write eq"),
        ('title contains "x"', "found 'contains' at column 7: write co"),
        ('title="x"', "= where an operator belongs at column 6: write title eq"),
        ('title eq "x" && title eq "y"', "found '&&' at column 14: write and"),
        ('title eq "John" Smith', "write a value that has spaces in quotation marks"),
        ('"title" eq "x"', "expected an attribute, found '\"title\"' at column 1: write title without quotation marks"),
        ("'title' eq \"x\"", "an attribute in ' at column 1: write title without quotation marks"),
        ('addresses[type eq "x"] eq "y"', "at column 24: a value filter is compared by a sub-attribute"),
    ],
)
def test_mistake_is_named_with_its_place(text: str, message: str):
    with pytest.raises(ScimError) as caught:
        parse_filter(text, USER_TYPE)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    assert message in caught.value.detail


OF_OTHER_LANGUAGES = {
    "eq": ("=", "==", "===", "equals", "is", "EQUAL"),
    "ne": ("!=", "!==", "<>", "neq"),
    "co": ("contains", "like", "Like", "includes", "=~"),
    "sw": ("startswith", "startsWith", "beginsWith"),
    "ew": ("endswith", "EndsWith"),
    "gt": (">",),
    "ge": (">=", "gte"),
    "lt": ("<",),
    "le": ("<=", "lte"),
}


@pytest.mark.parametrize(("other", "right"), [(other, right) for right, others in OF_OTHER_LANGUAGES.items() for other in others])
def test_operator_of_another_language_is_named_with_the_right_one(other: str, right: str):
    terms = [f'userName {other} "a"', f'emails[value {other} "a"]', f'title pr and not (userName {other} "a")']
    glued = [f"userName {other}a", f'userName{other}"a"'] if not other[0].isalpha() else []
    for text in terms + glued:
        with pytest.raises(ScimError, match=rf"at column \d+: write (userName )?{right}\b") as caught:
            parse_filter(standard_filter(USER_TYPE, text), USER_TYPE)
        assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('userName in ("a", "b")', 'found \'in\' at column 10: write userName eq "…" or userName eq "…"'),
        ('emails[type IN ["work"]]', 'at column 13: write type eq "…" or type eq "…"'),
        ('meta.created between "a" and "b"', 'write meta.created ge "…" and meta.created le "…"'),
        ("title isNull", "at column 7: write eq null"),
        ('startswith(userName, "a")', "'startswith' is no operator of a filter at column 1: write userName sw"),
        ('title pr or contains(userName,"a")', "'contains' is no operator of a filter at column 13: write userName co"),
    ],
)
def test_form_of_another_language_is_named_with_the_right_one(text: str, message: str):
    with pytest.raises(ScimError) as caught:
        parse_filter(standard_filter(USER_TYPE, text), USER_TYPE)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")
    assert message in str(caught.value.detail)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 33 + "title pr" + ")" * 33,
        "not (" * 33 + "title pr" + ")" * 33,
        " or ".join(["title pr"] * 257),
        f'title eq "{"x" * 65536}"',
    ],
)
def test_what_is_too_deep_or_too_long_is_refused(text: str):
    with pytest.raises(ScimError, match=r"nested more than 32 deep|more than 256 terms|longer than 65536"):
        parse_filter(text, USER_TYPE)


def terms() -> st.SearchStrategy[tuple[str, object]]:
    """Comparisons and presences, as text in many spellings and as what they mean."""
    spelled = st.sampled_from(["title", "TITLE", "name.givenName", f"{USER_URN}:nickName", f"{ENTERPRISE_USER_URN}:department"])
    literals = st.text(max_size=5).filter(lambda text: "\0" not in text and text.isprintable())
    operators = st.sampled_from(["eq", "NE", "Co", "sw", "ew", "gt", "GE", "lt", "le"])
    compared = st.builds(
        lambda name, operator, literal: (
            f"{name} {operator} {json.dumps(literal)}",
            (at(name).name, operator.lower(), caseless_form(literal)),
        ),
        spelled,
        operators,
        literals,
    )
    return compared | spelled.map(lambda name: (f"{name} pr", (at(name).name, "pr")))


def combined(inner: st.SearchStrategy[tuple[str, object]]) -> st.SearchStrategy[tuple[str, object]]:
    def joined(word: str, parts: list[tuple[str, object]]) -> tuple[str, object]:
        # Brackets around each part, so that what is meant does not hang on who binds stronger.
        return f" {word} ".join(f"({text})" for text, _ in parts), (word.lower(), *(tree for _, tree in parts))

    parts = st.lists(inner, min_size=2, max_size=3)
    return st.one_of(
        st.builds(joined, st.sampled_from(["and", "or", "AND"]), parts),
        inner.map(lambda part: (f"not ({part[0]})", ("not", part[1]))),
        inner.map(lambda part: (f" ( {part[0]} ) ", part[1])),
    )


@settings(max_examples=100, deadline=None)
@given(st.recursive(terms(), combined, max_leaves=8))
def test_any_filter_is_the_tree_that_it_was_made_of(made: tuple[str, object]):
    text, tree = made
    assert shown(parse_filter(text, USER_TYPE)) == tree


PIECES = [
    "title",
    "emails",
    "[",
    "]",
    "(",
    ")",
    "eq",
    "and",
    "or",
    "not",
    "pr",
    '"x"',
    '"',
    "true",
    "5",
    ".value",
    " ",
    "\\",
    "é",
]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=2), max_size=12).map(" ".join))
def test_any_text_is_a_filter_and_a_path_or_a_mistake(text: str):
    for parse, scim_type in ((parse_filter, "invalidFilter"), (parse_path, "invalidPath")):
        refused = refusal(parse, text)
        assert refused is None or (refused.status, refused.scim_type) == (400, scim_type)


def refusal(parse: Callable[[str, ResourceType], object], text: str) -> ScimError | None:
    try:
        parse(text, USER_TYPE)
    except ScimError as error:
        return error
    return None


def shown_path(path: Path) -> tuple[object, ...]:
    return shown(path.attribute), shown(path.value_filter), shown(path.sub_attribute)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("title", ("title", None, None)),
        ("NAME.givenname", ("name.givenName", None, None)),
        ("emails", ("emails", None, None)),
        ("emails.value", ("emails", None, "emails.value")),
        ('emails[type eq "work"]', ("emails", ("emails.type", "eq", "work"), None)),
        ('emails[type eq "work"].value', ("emails", ("emails.type", "eq", "work"), "emails.value")),
        ('emails[not (type eq "work")].display', ("emails", ("not", ("emails.type", "eq", "work")), "emails.display")),
        (f"{ENTERPRISE_USER_URN}", (ENTERPRISE_USER_URN, None, None)),
        (f"{ENTERPRISE_USER_URN}:manager", (f"{ENTERPRISE_USER_URN}:manager", None, None)),
        (f"{ENTERPRISE_USER_URN}:manager.value", (f"{ENTERPRISE_USER_URN}:manager.value", None, None)),
        (f'{USER_URN}:emails[type eq "work"].value', ("emails", ("emails.type", "eq", "work"), "emails.value")),
    ],
)
def test_path_leads_to_its_attribute(text: str, path: tuple[object, ...]):
    assert shown_path(parse_path(text, USER_TYPE)) == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an attribute"),
        ("titel", "did you mean 'title'?"),
        ("name.givenNam", "did you mean 'name.givenName'?"),
        ('emails[typ eq "work"].value', "did you mean 'type'?"),
        (f"{ENTERPRISE_USER_URN}:departmen", f"did you mean '{ENTERPRISE_USER_URN}:department'?"),
        ("title.x", "unknown attribute 'title.x'"),
        ("title x", "expected the end, found 'x'"),
        ("emails[", "expected an attribute"),
        ('emails[type eq "work"]value', "has no sub-attribute 'value'"),
        ('emails[type eq "work"].x', "has no sub-attribute '.x'"),
        ('emails[type eq "work"].value.x', "has no sub-attribute"),
        ('title[value eq "x"]', "title has no sub-attributes to filter by"),
        ("x" * 66_000, "longer than 65536"),
        ("members", "unknown attribute 'members'"),
    ],
)
def test_path_that_leads_nowhere_is_named(text: str, message: str):
    with pytest.raises(ScimError) as caught:
        parse_path(text, USER_TYPE)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidPath")
    assert message in caught.value.detail


def test_members_of_a_group_are_reached_by_their_ids():
    assert shown_path(parse_path('members[value eq "Ab"]', GROUP_TYPE)) == ("members", ("members.value", "eq", "Ab"), None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('titel eq "x" and (', "unknown attribute 'titel'"),
        ("title eq 5 and title zz 5", "title is compared with a string, not with '5' at column 10"),
        ('title eq "x" and (titel pr or title zz 5)', "unknown attribute 'titel'"),
        ('title eq "x" and (title zz 5 or titel pr)', "expected an operator"),
        ("emails[nope pr and type eq 'x']", "unknown attribute 'nope'"),
        ('password eq "x" and title', "password can't be filtered by"),
        ('emails[type eq "work"].value eq "x" and titel pr', "expected the end, found '.value' at column 23"),
        ("emails[emails[type pr]]", "unknown attribute 'emails' at column 8"),
        ("emails[value[type pr]]", "a value filter inside a value filter at column 13"),
    ],
)
def test_first_of_several_mistakes_is_named(text: str, message: str):
    refused = refusal(parse_filter, text)
    assert refused
    assert message in refused.detail


MARKED = [*MARKS, *(r"\"", r"\'", "%22", "%27", "&quot;", "&ldquo;", "&#39;", "&#x22;")]
BEHIND_A_MARK = st.text(max_size=8).filter(lambda text: "\0" not in text)
VALUE_PLACES = [
    "title eq {}",
    'title pr and (userName ne {} or title eq "x")',
    "emails[type eq {}]",
    "active eq {}",
    "emails co {}",
]


@settings(max_examples=300)
@given(st.sampled_from(VALUE_PLACES), st.sampled_from(MARKED), BEHIND_A_MARK, st.sampled_from([*MARKED, ""]))
def test_value_in_any_other_quotation_mark_is_refused_in_its_column(place: str, mark: str, value: str, closing: str):
    for text in (place.format(mark + value + closing), place.format(mark.upper() + value)):
        for spelled in (text, standard_filter(USER_TYPE, text)):
            refused = refusal(parse_filter, spelled)
            assert refused, text
            assert (refused.status, refused.scim_type) == (400, "invalidFilter")
            assert f'where a double quotation mark belongs at column {place.index("{") + 1}: write "' in refused.detail


@settings(max_examples=100)
@given(st.sampled_from(MARKED), BEHIND_A_MARK)
def test_value_in_any_other_quotation_mark_is_refused_in_paths(mark: str, value: str):
    for text in (f"emails[type eq {mark}{value}{mark}].value", f"emails[value eq {mark}{value}]"):
        refused = refusal(parse_path, standard_path(USER_TYPE, text))
        assert refused, text
        assert (refused.status, refused.scim_type) == (400, "invalidPath")
        assert f'at column {text.index(" eq ") + 5}: write "' in refused.detail


@pytest.mark.parametrize("mark", sorted(MARKED))
def test_right_form_of_a_value_is_shown(mark: str):
    for closing in (mark, "\N{RIGHT SINGLE QUOTATION MARK}", '"'):
        refused = refusal(parse_filter, f"userName eq {mark}John O'Neil{closing}")
        assert refused
        assert refused.detail.endswith('at column 13: write "John O\'Neil".')


def test_every_quotation_mark_of_unicode_is_known():
    known = set(MARKS) | {'"'}
    assert [
        chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Pi", "Pf") and chr(code) not in known
    ] == []


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=12).filter(lambda text: text.isprintable() and not re.search(r'[\s()\[\]"]', text)))
def test_unquoted_value_is_the_text_that_it_spells_or_refused(value: str):
    """Microsoft's sample has `externalId eq jyoung`."""
    text = f"externalId eq {value}"
    refused = refusal(parse_filter, standard_filter(USER_TYPE, text))
    if re.match(f"[{MARKS}]|\\\\[\"'`]|%2[27]|&", value):
        assert refused or value.startswith("&")
    else:
        tree = parse_filter(standard_filter(USER_TYPE, text), USER_TYPE)
        assert shown(tree) == (("not", ("externalId", "pr")) if value.lower() == "null" else ("externalId", "eq", value))


RESPELLED = [
    "externalId eq jyoung",
    "department eq D",
    f"{ENTERPRISE_USER_URN}.costCenter eq 5",
    'emails[type eq work].value eq "x"',
    'emails[primary eq "True"] eq x',
    "manager eq y",
]


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from(RESPELLED), min_size=1),
    st.sampled_from(
        [("nope pr", 1), ("title zz 5", 7), ("title eq 'x'", 10), (r'title eq "a\b\c"', 14), ("emails[nope pr].value eq 5", 8)]
    ),
)
def test_column_of_a_mistake_is_that_of_the_text_as_sent(before: list[str], mistake: tuple[str, int]):
    right = "".join(f"{term} and " for term in before)
    text = standard_filter(USER_TYPE, right + mistake[0])
    assert f"at column {len(right) + mistake[1]}" in str(refusal(parse_filter, text))


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ('phoneNumbers[type eq "mobile"] eq "+1 555"', 'phoneNumbers[type eq "mobile" and value eq "+1 555"]'),
        ('title pr and emails[type eq "work"] sw x', 'title pr and emails[type eq "work" and value sw "x"]'),
        ('emails[type eq "work" or primary eq true] NE "x"', 'emails[(type eq "work" or primary eq true) and value ne "x"]'),
        ('emails[type eq "work"] pr', 'emails[type eq "work" and value pr]'),
        ('not (roles[primary eq "True"] eq "a")', 'not (roles[primary eq true and value eq "a"])'),
        ('(photos[type eq "photo"]eq "a")', '(photos[type eq "photo" and value eq "a"])'),
        (f'{USER_URN}:ims[type eq "aim"] co "a"', 'ims[type eq "aim" and value co "a"]'),
    ],
)
def test_whole_comparison_of_a_value_filter_is_that_of_the_value(text: str, whole: str):
    assert shown(parse_filter(standard_filter(USER_TYPE, text), USER_TYPE)) == shown(parse_filter(whole, USER_TYPE))


def spelled(tree: Filter) -> str:
    """A tree in one canonical text."""
    match tree:
        case Comparison(path, operator, _, literal):
            return f"{path.name} {operator} {json.dumps(literal)}"
        case Present(path):
            return f"{path.name} pr"
        case And(operands) | Or(operands):
            word = " and " if isinstance(tree, And) else " or "
            return word.join(f"({spelled(operand)})" for operand in operands)
        case Not(operand):
            return f"not ({spelled(operand)})"
        case ValuePath(path, inner):
            return f"{path.name}[{spelled(inner).replace(f'{path.name}.', '')}]"
    raise TypeError(tree)


def value_paths() -> st.SearchStrategy[tuple[str, object]]:
    texts = st.sampled_from(["work", "a@x", "it's", "“x”", "a\\b", ""])
    inner = st.builds(lambda name, text: f"{name} eq {json.dumps(text)}", st.sampled_from(["type", "value", "display"]), texts)
    return st.lists(inner, min_size=1, max_size=3).map(lambda terms: (f"emails[{' or '.join(terms)}]", None))


@settings(max_examples=200)
@given(st.recursive(terms() | value_paths(), combined, max_leaves=8))
def test_canonical_rendering_of_any_filter_is_itself(made: tuple[str, object]):
    tree = parse_filter(made[0], USER_TYPE)
    assert shown(parse_filter(spelled(tree), USER_TYPE)) == shown(tree)
    assert shown(parse_filter(standard_filter(USER_TYPE, spelled(tree)), USER_TYPE)) == shown(tree)
