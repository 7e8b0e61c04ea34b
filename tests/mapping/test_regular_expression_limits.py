"""Regular expressions that can take exponential time are named at check, and those of a request have a limit together."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scimsvc.mapping import parse_profile
from scimsvc.mapping.functions import FunctionError
from scimsvc.mapping.functions.regular_expressions import budget, compiled
from scimsvc.mapping.functions.regular_expressions.backtracking import can_explode
from scimsvc.mapping.reading.warnings.patterns import CAN_EXPLODE

EXPLODING = [
    r"(a+)+$",
    r"(a*)*b",
    r"(\w+\s?)*:",
    r"(a|a)*b",
    r"(a|ab|b)*c",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(.*)*x",
    r"(?:a{1,20}){1,20}$",
    r"(?<n>[a-z]+)*!",
    r"(x+x+)+y",
    r"(\d+|\w+)*$",
    "(?i)(a+)+$",
    r"(?i:(\p{Lu}+)+)$",
]
HARMLESS = [
    "",
    r"\+(?<isdCode>\d* )(?<phoneNumber>\d{10})",
    r"(\w+\s)*$",
    r"^(.*)@(.*)$",
    r"([1-9][0-9])",
    r"(?>a+)+$",
    r"(?>(a+)+)$",
    r"(?=(a+)+)b",
    r"(ab|cd)*e",
    r"[^,]+(,[^,]+)*",
    r"\b(\d{3})-(\d{4})\b",
    r"(?<a>x)\k<a>+",
    r"(a+b)+$",
    r"[]a]+",
    r"[a-z-[aeiou]]+x",
    r"(?#(a+)a",
]


@pytest.mark.parametrize("pattern", EXPLODING)
def test_pattern_that_can_explode_is_told(pattern: str):
    compiled(pattern)
    assert can_explode(pattern)


@pytest.mark.parametrize("pattern", HARMLESS)
def test_pattern_that_can_not_explode_is_told(pattern: str):
    compiled(pattern)
    assert not can_explode(pattern)


@given(st.text(alphabet="a\\w[]^-()?:<>|*+{}1,=!pLu$ ", max_size=24))
def test_any_pattern_that_is_one_is_told_without_an_error(pattern: str):
    try:
        compiled(pattern)
    except FunctionError:
        return
    assert can_explode(pattern) in (True, False)


def test_warning_is_at_the_pattern():
    rows = [{"source": "objectId", "target": "externalId", "matching": 1}, {"source": "mail", "target": "userName"}]
    rows.append({"expression": r'Replace([city], , "(\\w+)+$", , "x", , )', "target": "title"})
    clause = {"attribute": "city", "operator": "REGEX MATCH", "value": "(a|a)*b"}
    record = {"name": r'Replace([displayName], , "(a+)+$", , "x", , )'}
    users = {"mappings": rows, "scope": [{"clauses": [clause]}]}
    text = yaml.safe_dump({"profile": "p", "users": users, "record": record}, sort_keys=False)
    found = parse_profile(text, Path("p.yaml")).warnings
    assert [one.message for one in found] == [CAN_EXPLODE] * 3
    marked = [one.text[one.column - 1 :] for one in found]
    assert [one.split(",")[0].strip() for one in sorted(marked)] == ['"(\\\\w+)+$"', '"(a+)+$"', "(a|a)*b"]


def test_expressions_in_a_block_take_its_seconds_together():
    pattern = compiled("a")
    with budget(3600) as time:
        assert pattern.replaced("banana", "o") == "bonono"
        assert not time.is_spent
        time.left = 0
        for work in (lambda: pattern.is_whole("a"), lambda: pattern.first("a", 0), lambda: pattern.replaced("a", "$0")):
            with pytest.raises(FunctionError, match="the regular expressions take more than 3600 s together"):
                work()
    assert pattern.is_whole("a")


def test_expression_that_takes_too_long_spends_the_budget():
    slow, text = compiled("(a+)+$"), "a" * 5000 + "!"
    with budget(0.001) as time:
        with pytest.raises(FunctionError, match=r"the regular expressions take more than 0.001 s together"):
            slow.replaced(text, "x")
        assert time.is_spent
