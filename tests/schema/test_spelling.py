"""A misspelt name gets the known name that it is like, for little."""

import difflib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.schema import spelling
from scimsvc.schema.core import ENTERPRISE_USER_URN
from scimsvc.schema.spelling import Spellings

NAMES = ["userName", "title", "type", "value", "name.givenName", f"{ENTERPRISE_USER_URN}:department", "displayName", "x"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("usrName", "userName"),
        ("USERNAM", "userName"),
        ("titel", "title"),
        ("tipe", "type"),
        ("vlaue", "value"),
        ("givenName", "name.givenName"),
        (f"{ENTERPRISE_USER_URN}:departement", f"{ENTERPRISE_USER_URN}:department"),
        ("zzz", None),
        ("", None),
        ("userName" * 100, None),
    ],
)
def test_closest_name_is_found(name: str, meant: str | None):
    assert Spellings(NAMES).closest(name) == meant


@settings(max_examples=100)
@given(st.sampled_from(NAMES[:-1]), st.data())
def test_one_wrong_letter_is_understood(name: str, data: st.DataObject):
    place = data.draw(st.integers(1, len(name) - 2)) if len(name) > 4 else 1
    assert Spellings(NAMES).closest(name[:place] + "q" + name[place + 1 :]) == name


def test_few_names_are_compared_letter_by_letter(monkeypatch: pytest.MonkeyPatch):
    """A thousand attributes below one URN share nearly all pairs of letters."""
    compared: list[Sequence[str]] = []
    find = difflib.get_close_matches

    def counting(word: str, possibilities: Sequence[str], *more: Any) -> list[str]:
        compared.append(possibilities)
        return find(word, possibilities, *more)

    monkeypatch.setattr(spelling.difflib, "get_close_matches", counting)
    many = Spellings(f"urn:example:params:schemas:User:attribute{number}" for number in range(1000))
    assert many.closest("urn:example:params:schemas:User:attribut999") in many._names.values()
    assert [len(one) for one in compared] == [4]
