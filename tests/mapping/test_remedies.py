"""The commonest mistakes in a profile are named at their place, with what to type instead."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.mapping import ProfileError, parse_profile
from scimsvc.mapping.functions import installed
from scimsvc.mapping.functions.synonyms import SYNONYMS
from scimsvc.mapping.reading.remedies import quoted

BEFORE = "profile: a\nusers:\n  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
AFTER = "groups:\n  mappings:\n    - {source: objectId, target: externalId, matching: 1}\n"
WORK = "'emails[type eq \"work\"].value'"


def findings(rows: str | bytes) -> list[tuple[int, int, str]]:
    """Place and message of each error in a profile with some more rows from line 5 on."""
    text = BEFORE.encode() + rows + AFTER.encode() if isinstance(rows, bytes) else BEFORE + rows + AFTER
    try:
        parse_profile(text, Path("a.yaml"))
    except ProfileError as error:
        return [(one.line, one.column, one.message) for one in error.findings if one.severity == "error"]
    return []


@pytest.mark.parametrize(
    ("rows", "line", "column", "remedy"),
    [
        ('    - {source: mail, target: emails[type eq "work"].value}\n', 5, 36, f"put the target in single quotes: {WORK}"),
        (
            '    - {expression: Join(" ", [givenName], [surname]), target: title}\n',
            5,
            52,
            "put the expression in single quotes: 'Join(\" \", [givenName], [surname])'",
        ),
        (
            "    - {expression: ToUpper([mail]), target: title}\n",
            5,
            28,
            "put the expression in single quotes: 'ToUpper([mail])'",
        ),
        ("    - {expression: Left('a', 1), target: title}\n", 5, 30, "put the expression in single quotes: 'Left(''a'', 1)'"),
        ("    - {constant: a: b, target: title}\n", 5, 19, "a value with a colon needs single quotes: 'a: b'"),
        ("    - constant: a: b\n      target: title\n", 5, 18, "a value with a colon needs single quotes: 'a: b'"),
        (
            "   - {source: mail, target: title}\n",
            5,
            4,
            "this line begins at column 4, and line 3, to whose list or keys it belongs",
        ),
        ("      - {source: mail, target: title}\n", 5, 7, "begins at column 7, and line 4, to whose list or keys it belongs, at"),
        ("    - source: mail\n     target: title\n", 6, 6, "begins at column 6, and line 4, to whose list or keys it belongs"),
        ("    - source: mail\n       target: title\n", 6, 14, "the line above goes on here: begin both lines at the same column"),
        ("\t- {source: mail, target: title}\n", 5, 1, "use spaces for the indentation, not tabs"),
        ("    - source: mail\n\ttarget: title\n", 6, 1, "use spaces for the indentation, not tabs"),
        ("    - source: mail\n    \u00a0 target: title\n", 6, 5, "a no-break space (U+00A0) stands in the indentation"),
        ("    - source: mail\n\u00a0     target: title\n", 6, 1, "a no-break space (U+00A0) stands in the indentation"),
        ("    - source: @mail\n      target: title\n", 5, 15, "a value that begins with @ needs single quotes"),
        ("    - {source: mail, target: 'title}\n", 5, 30, "the closing quotation mark is missing"),
        ("    - {source: mail, target: title\n", 6, 7, "a comma or the closing } is missing"),
        ("    - {source: mail, target: title, source: city}\n", 5, 37, "source is here twice, first in line 5"),
        ("    - {source: a, target: \"emails[type eq 'work'].value\"}\n", 5, 43, 'write "work"'),
        ("    - {source: a, target: 'emails[type eq “work”].value'}\n", 5, 43, 'write "work"'),
        ("    - {source: a, target: 'emails[type eq \u2018work\u2019].value'}\n", 5, 43, 'write "work"'),
        ("    - {source: a, target: 'emails[type eq `work`].value'}\n", 5, 43, 'write "work"'),
        ("    - {source: a, target: 'emails[type eq work].value'}\n", 5, 43, 'write "work"'),
        ("    - {source: a, target: 'emails[type eq 5].value'}\n", 5, 43, 'write "5"'),
        ("    - {source: a, target: 'emails[primary eq true and type eq work]'}\n", 5, 63, 'write "work"'),
        ("    - {source: mail target: title}\n", 5, 27, "put a comma before target"),
        ("    - {source: mail; target: title}\n", 5, 28, "put a comma before target"),
        ("    - {constant: #1, target: title}\n", 5, 18, "put that in single quotes: '#1'"),
        ("    - {target: title, constant: No #1}\n", 5, 36, "put that in single quotes: 'No #1'"),
        ("    - {source: mail, target: title, default: #it's}\n", 5, 46, "put that in single quotes: '#it''s'"),
        ("    - constant: #1\n      target: title\n", 5, 16, "put that in single quotes: '#1'"),
        ("    - {source:mail, target: title}\n", 5, 8, "put a space behind the colon: source: mail"),
        ("    - {source: mail, target:title}\n", 5, 22, "put a space behind the colon: target: title"),
        ("    - source:mail\n      target: title\n", 6, 13, "a colon and a space belong behind a key: source: mail"),
        ("    - source mail\n      target: title\n", 6, 13, "a colon and a space belong behind a key: source: mail"),
        ("    - {source:\u00a0mail, target: title}\n", 5, 8, "the space behind source: is U+00A0"),
        ("    - {source: mail,\u00a0target: title}\n", 5, 21, "the space before target is U+00A0"),
        ("    -source: mail\n     target: title\n", 5, 5, "put a space behind the dash"),
        ("    \u2013 {source: mail, target: title}\n", 5, 5, "a row begins with a plain dash and a space, not with"),
        ("  - {source: mail, target: title}\n", 5, 3, "begins in the column of the keys that begin in line 3"),
        ("    - {source: mail, target: title},\n", 5, 36, "this row ends in column 35: remove ','"),
        ('    - {constant: "a\\d", target: title}\n', 5, 21, "put the value in single quotes"),
        ("    - {source: [mail], target: title}\n", 5, 16, "write source: mail without brackets"),
        ("    - {expression: [mail], target: title}\n", 5, 20, "put it in single quotes: '[mail]'"),
        ("    - {source: a, target: 'emails[type eq \"work\"]value'}\n", 5, 50, "write .value"),
        ("    - {expression: 'ToUpper(“a”)', target: title}\n", 5, 29, 'texts stand in double quotation marks: "'),
        ("    - {expression: 'Concat([mail])', target: title}\n", 5, 21, "Entra's function for it is Join or Append"),
        ("    - {source: mail, target: titl}\n", 5, 30, "no such target attribute 'titl', did you mean 'title'?"),
        ("    - {constant: é, target: title}\n".encode("latin-1"), 5, 18, "is not UTF-8: byte 0xe9; save it as UTF-8"),
    ],
)
def test_mistake_is_named_at_its_place_with_a_remedy(rows: str | bytes, line: int, column: int, remedy: str):
    found = [one for one in findings(rows) if remedy in one[2]]
    assert [(one[0], one[1]) for one in found] == [(line, column)], findings(rows)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_file_in_utf_16_says_how_to_save_it(encoding: str):
    with pytest.raises(ProfileError, match=r"save (it|the file) as UTF-8"):
        parse_profile((BEFORE + AFTER).encode(encoding), Path("a.yaml"))


@pytest.mark.parametrize("unclosed", ["users: [\n", "users: {mappings: [\n", "users:\n  mappings:\n    - {source:\n"])
def test_list_or_braces_that_do_not_end_are_named(unclosed: str):
    with pytest.raises(ProfileError, match=r"the closing \} or \] is missing"):
        parse_profile(f"profile: a\n{unclosed}", Path("a.yaml"))


def test_key_that_stands_twice_names_the_first_line():
    with pytest.raises(ProfileError, match="groups is here twice, first in line 5"):
        parse_profile(BEFORE + AFTER + AFTER, Path("a.yaml"))


@pytest.mark.parametrize("name", SYNONYMS)
def test_synonym_names_functions_that_there_are(name: str):
    known = {one.lower() for one in installed().names()}
    assert name not in known
    assert {one.lower() for one in SYNONYMS[name].split(" or ")} <= known | {"="}


@given(st.text("abcxyzAZ059-_.@+/äß", min_size=1, max_size=12), st.sampled_from(["", ".value", ".display"]))
def test_target_without_quotation_marks_is_refused_and_the_form_that_is_shown_is_right(type_: str, behind: str):
    ((_, _, message),) = findings(f"    - {{source: mail, target: 'emails[type eq {type_}]{behind}'}}\n")
    right = message.rpartition("write ")[2]
    assert right == f'"{type_}"'
    assert findings(f"    - {{source: mail, target: 'emails[type eq {right}]{behind}'}}\n") == []


@given(
    st.sampled_from(['"{}"', "'{}'", "“{}”", "{}"]),
    st.sampled_from(['"', "'"]),
    st.text("abcxyz0_", min_size=1, max_size=6),
    st.booleans(),
)
def test_remedy_for_a_badly_quoted_value_loads(around: str, inner: str, word: str, is_call: bool):
    value = f"Join({inner}{word}{inner}, [mail], [city])" if is_call else f"emails[type eq {inner}{word}{inner}].value"
    key, other = ("expression", "target: title") if is_call else ("target", "source: mail")
    errors = findings(f"    - {{{other}, {key}: {around.format(value)}}}\n")
    remedies = [message.partition(": '")[2] for _, _, message in errors if ": '" in message]
    for remedy in remedies:
        ((*_, message),) = findings(f"    - {{{other}, {key}: '{remedy}}}\n") or [("",)]
        assert not message or "quotation mark" in message
    assert remedies or not errors or all("write " in message or "double quotation marks" in message for *_, message in errors)


def test_boolean_in_a_target_needs_no_quotation_marks():
    for value in ("true", "True", '"True"', '"true"'):
        assert findings(f"    - {{source: mail, target: 'roles[primary eq {value}].value'}}\n") == []


SUB_ATTRIBUTES = st.sampled_from(["value", "display", "type"])
TYPES = st.text("abcxyz-_ 0'", min_size=1, max_size=8)


@given(SUB_ATTRIBUTES, TYPES, st.booleans())
def test_an_unquoted_filter_shows_the_target_that_is_right(sub: str, type_: str, flow: bool):
    target = f'emails[type eq "{type_}"].{sub}'
    row = f"    - {{source: mail, target: {target}}}\n" if flow else f"    - source: mail\n      target: {target}\n"
    errors = findings(row)
    if not flow:
        assert errors == []
        return
    ((line, _, message),) = errors
    assert (line, yaml.safe_load(message.rpartition("single quotes: ")[2])) == (5, target)
    assert findings(row.replace(target, quoted(target))) == []


ARGUMENTS = st.lists(
    st.sampled_from(["[mail]", "[city]", '"a, b"', '"("', '"it\'s"', 'ToLower([mail], "")', "1"]), min_size=2, max_size=4
)


@given(ARGUMENTS)
def test_an_unquoted_expression_shows_the_expression_that_is_right(arguments: list[str]):
    text = f'Join("-", {", ".join(arguments)})'
    errors = findings(f"    - {{expression: {text}, target: title}}\n")
    assert any(
        yaml.safe_load(one[2].rpartition("single quotes: ")[2]) == text for one in errors if "single quotes: " in one[2]
    ), errors
    assert not any("YAML" in one[2] for one in findings(f"    - {{expression: {quoted(text)}, target: title}}\n"))


@given(st.text("ab: \t-{}[],'\"\u00a0@|>#&*!%é\n", max_size=30), st.integers(0, 3))
def test_any_damage_is_reported_within_the_file(damage: str, indentation: int):
    text = f"{' ' * indentation}{damage}\n"
    for line, column, message in findings(text):
        assert 1 <= line <= (BEFORE + text + AFTER).count("\n") + 6
        assert column >= 1
        assert message
