"""Which texts are one value: those that differ in Unicode's normal form or in case alone, and no others."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.schema.types import caseless_form, exact_form

FORMS = ("NFC", "NFD")
LETTERS = "aAeEsSkKßẞ각가éÉ\u0130\u0131\u017f\ufb01\u03a3\u03c3\u03c2\u2126\u212a\u212b"
MARKS = "\u0300\u0301\u0307\u0308\u0323\u0327\u0345"
TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from(LETTERS + MARKS), max_size=6)


@pytest.mark.parametrize(
    "names",
    [
        ("josé", "JOSÉ", "jose\u0301", "JOSE\u0301"),
        ("straße", "STRAßE", "straẞe"),
        ("οδος", "ΟΔΟΣ", "οδοσ"),
        ("kate", "Kate", "\N{KELVIN SIGN}ATE"),
        ("ångström", "\N{ANGSTROM SIGN}NGSTRÖM"),
        ("각", "\u1100\u1161\u11a8"),
        ("ạ̈", "a\u0308\u0323", "Ạ\u0308"),
    ],
)
def test_one_name(names: tuple[str, ...]):
    assert len({caseless_form(name) for name in names}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("straße", "strasse"),
        ("finn", "ﬁnn"),
        ("sam", "\u017fam"),
        ("kate", "\uff4bate"),
        ("jose", "josé"),
        ("i", "\u0131"),
        ("x²", "x2"),
    ],
)
def test_two_names(one: str, other: str):
    assert caseless_form(one) != caseless_form(other)
    assert exact_form(one) != exact_form(other)


def test_case_counts_where_it_is_exact():
    assert exact_form("É") == exact_form("E\u0301") != exact_form("é")


@pytest.mark.parametrize("form", [caseless_form, exact_form])
def test_every_character_has_one_form(form):
    for code in range(sys.maxunicode + 1):
        if not 0xD800 <= code <= 0xDFFF:
            assert_one_form(form, chr(code))


def assert_one_form(form, text: str) -> None:
    expected = form(text)
    assert form(expected) == expected, ascii(text)
    assert unicodedata.is_normalized("NFC", expected), ascii(text)
    for name in FORMS:
        assert form(unicodedata.normalize(name, text)) == expected, ascii(text)


@given(TEXTS)
def test_every_text_has_one_form(text: str):
    for form in (exact_form, caseless_form):
        assert_one_form(form, text)
    assert caseless_form(text.lower()) == caseless_form(exact_form(text)) == caseless_form(text)


@given(TEXTS, TEXTS)
def test_what_a_text_begins_with_its_form_begins_with(beginning: str, rest: str):
    """Filters with `sw`, `ew` and `co` compare forms of parts. A mark that joins the character before it makes another one."""
    for form in (exact_form, caseless_form):
        assert form(f"{beginning}@{rest}") == f"{form(beginning)}@{form(rest)}"
