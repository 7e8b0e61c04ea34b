"""Expressions: text to tree and back."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.mapping.expression import ExpressionError, compile_expression, parse, show
from scimsvc.mapping.expression.parser import MAX_DEPTH, MAX_LENGTH
from scimsvc.mapping.expression.tree import Call, Comparison, Node, Number, Omitted, SourceAttribute, Text, Word

A = SourceAttribute("a")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("F()", Call("F", ())),
        ("F( )", Call("F", ())),
        ("F (1)", Call("F", (Number("1"),))),
        ("F(,)", Call("F", (Omitted(), Omitted()))),
        ('F([a], , "x")', Call("F", (A, Omitted(), Text("x")))),
        ("F([a],,)", Call("F", (A, Omitted(), Omitted()))),
        ('F("")', Call("F", (Text(""),))),
        ("F([ a ])", Call("F", (A,))),
        ("F([passwordProfile.password])", Call("F", (SourceAttribute("passwordProfile.password"),))),
        ("F(-10, &HF, &hf7)", Call("F", (Number("-10"), Number("&HF"), Number("&hf7")))),
        ("F(vbTextCompare)", Call("F", (Word("vbTextCompare"),))),
        ("\n F (\n\t[a] ,\r\n 1 )\n", Call("F", (A, Number("1")))),
        (r'F("a\"b\\c\+d")', Call("F", (Text('a"b\\c\\+d'),))),
        ('F("1,2)")', Call("F", (Text("1,2)"),))),
        ("F(G(H([a])), [a])", Call("F", (Call("G", (Call("H", (A,)),)), A))),
        *[(f'F([a]{op}"x")', Call("F", (Comparison(op, A, Text("x")),))) for op in ("=", "<>", ">", ">=", "<", "<=")],
        ("F(G()>-5)", Call("F", (Comparison(">", Call("G", ()), Number("-5")),))),
        ("[a]", A),
    ],
)
def test_text_is_parsed(text: str, tree: Node):
    assert parse(text) == tree


@pytest.mark.parametrize(("spelling", "value"), [("0", 0), ("-10", -10), ("007", 7), ("&HF", 15), ("&hf7", 247)])
def test_number_has_its_value(spelling: str, value: int):
    assert Number(spelling).value == value


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 1, "found the end"),
        ("   ", 1, "found the end"),
        ('Join(",",\n', 10, "found the end"),
        ('Join(",", [a] \n', 14, "found the end"),
        ("F(", 3, "found the end"),
        ("F([a]", 6, r"expected a comma or \)"),
        ("F([a] [b])", 7, r"expected a comma or \), found \[b\]"),
        ("F([a]) x", 8, "expected the end, found x"),
        ("F)", 2, "expected the end"),
        ('F("abc)', 3, "no closing quotation mark"),
        (r'F("abc\")', 3, "no closing quotation mark"),
        ("F([abc)", 3, "no closing bracket"),
        ("F([a[b])", 3, "no closing bracket"),
        ('F([a[b eq "c]"])', 3, "no closing bracket"),
        ("F([a]])", 6, "unexpected character ']'"),
        ("F([ ])", 3, "attribute without a name"),
        ("F(a;b)", 4, "unexpected character ';'"),
        ("F(  ;)", 5, "unexpected character ';'"),
        ("F(3.5)", 4, "unexpected character '.'"),
        ("F(&HG)", 3, "unexpected character '&'"),
        ("F('x')", 3, "unexpected character"),
        ("F([a] =)", 8, "expected a function"),
        ("F([a] = [b] = [c])", 13, r"expected a comma or \)"),
        ("[a] = [b]", 5, "expected the end"),
        ("F(\N{LEFT DOUBLE QUOTATION MARK}x)", 3, "unexpected character"),
        ("F(\u00a0 [a])", 3, "unexpected character"),
        ("F( \x1f)", 4, "unexpected character"),
        ("F([a])\x85", 7, "unexpected character"),
        (f"F({'1' * 5000})", 3, "longer than 32 characters"),
        (f"F(1, &H{'1' * 5000})", 6, "longer than 32 characters"),
    ],
)
def test_mistake_is_reported_at_its_column(text: str, column: int, message: str):
    with pytest.raises(ExpressionError, match=message) as caught:
        parse(text)
    assert caught.value.column == column


def nested(depth: int) -> str:
    return "F(" * depth + ")" * depth


def test_nesting_has_a_limit():
    parse(nested(MAX_DEPTH))
    with pytest.raises(ExpressionError, match=f"nested more than {MAX_DEPTH} deep") as caught:
        parse(nested(MAX_DEPTH + 1))
    assert caught.value.column == 2 * MAX_DEPTH + 1


def test_depth_counts_what_is_open_and_not_what_was():
    parse(f"F({', '.join(['G(H())'] * (MAX_DEPTH + 1))})")


def test_length_has_a_limit():
    filling = "x" * (MAX_LENGTH - len('F("")'))
    parse(f'F("{filling}")')
    with pytest.raises(ExpressionError, match="longer than"):
        parse(f'F("{filling}x")')


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
PLAIN = st.text(st.characters(exclude_characters="[]", codec="utf-8"), min_size=1, max_size=8).filter(
    lambda one: one == one.strip()
)
# As SCIM paths have them: emails[type eq "work"].value
FILTERED = st.builds(
    lambda name, text: f"{name}[type eq {json.dumps(text)}].{name}", NAMES, st.text(st.characters(codec="utf-8"), max_size=8)
)
ATTRIBUTES = PLAIN | FILTERED
NUMBERS = st.integers(-(10**20), 10**20).map(str) | st.from_regex(r"&[Hh][0-9A-Fa-f]{1,8}", fullmatch=True)
SIMPLE = st.one_of(ATTRIBUTES.map(SourceAttribute), st.text(max_size=12).map(Text), NUMBERS.map(Number), NAMES.map(Word))


def calls(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    comparisons = st.builds(Comparison, st.sampled_from(["=", "<>", ">", ">=", "<", "<="]), operands, operands)
    arguments = st.lists(operands | comparisons | st.builds(Omitted), max_size=5)
    # `F()` is a call without arguments, not one with an argument left out.
    return st.builds(Call, NAMES, arguments.map(lambda one: () if one == [Omitted()] else tuple(one)))


TREES = st.recursive(SIMPLE, calls, max_leaves=12)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_tree_that_is_printed_and_parsed_is_the_same(tree: Node):
    assert parse(show(tree)) == tree


PIECES = [
    "Join",
    "Switch",
    "(",
    ")",
    ",",
    '"',
    "\\",
    "[",
    "]",
    "[a]",
    '"x"',
    "1",
    "-",
    "&H",
    "=",
    "<>",
    " ",
    "\n",
    ";",
    "é",
    "\0",
    "\u00a0",
    "\x1f",
    "\x85",
    "1" * 5000,
]


def check(text: str) -> None:
    """Printing and compiling works, or gives one ExpressionError whose column is in the text or just behind it."""
    found = None
    try:
        assert parse(show(parse(text))) == parse(text)
        compile_expression(text)
    except ExpressionError as error:
        found = error
    if found:
        assert 1 <= found.column <= len(text) + 1
        assert found.message


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
def test_pieces_in_any_order_parse_or_give_one_error(text: str):
    check(text)
