"""What expressions evaluate to, and which calls are refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.functions import Function, FunctionClash, Parameter, Registry, installed

ACTIVE = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
FULL_NAME = 'Join(" ", [givenName], [surname])'
COUNTRY = 'Switch([country],[country],"","Other")'
STATUS = 'Switch([statusFlag], "Default Value", "true", "1", "", "0")'
STATE = 'Switch([state], "Australia/Sydney", "NSW", "Australia/Sydney","QLD", "Australia/Brisbane", "SA", "Australia/Adelaide")'
EMPLOYMENT = 'Switch([emplStatus], "False", "741", "False", "749", "True", "746", "True")'
ISLANDS = 'Switch([country], ,"Trinidad and Tobago","TT","Barbados","BB")'
PHONE = (
    'Switch(Join("+",Switch([a],[a],"","other"),Switch([b],[b],"","other")), "no primary phone", '
    '"other+true", "cell phone is primary", "true+other", "office phone is primary")'
)
ORDER = 'Switch([c], Join(" ", [f], [l]), "HU", Join(",", [l], [f]), "JP", Join(",", [l], [f]))'
UNIT = 'Join("", Switch([City], "", "Dallas", "OU=Dallas,"), "OU=Users")'


@pytest.mark.parametrize(
    ("expression", "attributes", "result"),
    [
        # documented for Switch
        (ACTIVE, {"IsSoftDeleted": "False"}, "True"),
        (ACTIVE, {"IsSoftDeleted": "True"}, "False"),
        (ACTIVE, {"IsSoftDeleted": None}, None),
        (ACTIVE, {}, None),
        (COUNTRY, {"country": "DE"}, "DE"),
        (COUNTRY, {"country": ""}, "Other"),
        (COUNTRY, {}, "Other"),
        (STATUS, {"statusFlag": ""}, "0"),
        (STATUS, {"statusFlag": "true"}, "1"),
        (STATUS, {"statusFlag": "other"}, "Default Value"),
        (STATE, {"state": "QLD"}, "Australia/Brisbane"),
        (STATE, {"state": "WA"}, "Australia/Sydney"),
        ('Switch([BusinessTitle],[BusinessTitle],"","N/A")', {"BusinessTitle": ""}, "N/A"),
        ('Switch([mobile],[mobile],"","000-000-0000")', {"mobile": ""}, "000-000-0000"),
        ('Switch([Active], , "1", "False", "0", "True")', {"Active": "1"}, "False"),
        ('Switch([Active], , "1", "False", "0", "True")', {"Active": "0"}, "True"),
        ('Switch([Active], , "1", "FALSE", "0", "TRUE")', {"Active": "0"}, "TRUE"),
        (EMPLOYMENT, {"emplStatus": "741"}, "False"),
        (EMPLOYMENT, {"emplStatus": "746"}, "True"),
        (ISLANDS, {"country": "Trinidad and Tobago"}, "TT"),
        (ORDER, {"c": "JP", "f": "Hiroshi", "l": "Tanaka"}, "Tanaka,Hiroshi"),
        (ORDER, {"c": "US", "f": "John", "l": "Smith"}, "John Smith"),
        (UNIT, {"City": "Dallas"}, "OU=Dallas,OU=Users"),
        (UNIT, {"City": "Oslo"}, "OU=Users"),
        (PHONE, {"a": "", "b": "true"}, "cell phone is primary"),
        (PHONE, {}, "no primary phone"),
        # documented for Join
        (FULL_NAME, {"givenName": "John", "surname": "Smith"}, "John Smith"),
        ('Join(", ", "", [surname], [givenName])', {"givenName": "John", "surname": "Doe"}, "Doe, John"),
        ('Join(", ", [l], [f])', {"f": "John", "l": "Smith"}, "Smith, John"),
        ('Join("", [l], ",", [f], " ", "E", "-", [id])', {"l": "Johnson", "f": "Sarah", "id": "12345"}, "Johnson,Sarah E-12345"),
    ],
)
def test_documented_example_has_its_documented_result(expression: str, attributes: dict[str, Any], result: str | None):
    assert compile_expression(expression).evaluate(attributes) == result


@pytest.mark.parametrize(
    ("expression", "attributes", "result"),
    [
        (ACTIVE, {"IsSoftDeleted": False}, "True"),
        (ACTIVE, {"IsSoftDeleted": True}, "False"),
        (ACTIVE, {"IsSoftDeleted": "false"}, None),
        (ACTIVE, {"issoftdeleted": "False"}, None),
        ('Switch([a], "", "x", "y")', {"a": "z"}, ""),
        ('Switch([a], , "x", "1", "x", "2")', {"a": "x"}, "1"),
        ('Switch([a], , "X", "1")', {"a": "x"}, None),
        ('Switch([a], , " x", "1")', {"a": "x"}, None),
        ('Switch([a], , [b], "same")', {"a": "x", "b": "x"}, "same"),
        ('Switch([a], , 1, "one")', {"a": 1}, "one"),
        ('Switch([a], , "1", "one")', {"a": 1}, "one"),
        ('Switch([a], , "1", [b])', {"a": "1"}, None),
        ('Switch([a], , "", "none")', {"a": []}, "none"),
        ('Switch([a], , "x", "one")', {"a": ["x"]}, "one"),
        ('Switch([a], , "x", [b])', {"a": "x", "b": ["1", "2"]}, ["1", "2"]),
        ('Switch([a], [b], "x", "1")', {"b": ["1", "2"]}, ["1", "2"]),
        (FULL_NAME, {"givenName": "John", "surname": None}, "John"),
        (FULL_NAME, {"givenName": "", "surname": "Smith"}, "Smith"),
        (FULL_NAME, {}, ""),
        ('Join(" ", " ", "x")', {}, "  x"),
        ('Join(", ", [mails], "x")', {"mails": ["a", None, "", "b"]}, "a, b, x"),
        ('Join(", ", [mails])', {"mails": []}, ""),
        ('Join("", 1000, "-", &HF, -3)', {}, "1000-15-3"),
        ('Join("-", [a], [b])', {"a": True, "b": 7}, "True-7"),
        ("Join([sep], [a], [b])", {"a": "x", "b": "y"}, "xy"),
        ("Join([sep], [a], [b])", {"a": "x", "b": "y", "sep": ";"}, "x;y"),
        (r'Join("\\", "a\"b", "c\d")', {}, 'a"b\\c\\d'),
        ('Join("", [passwordProfile.password])', {"passwordProfile.password": "x"}, "x"),
    ],
)
def test_expression_is_evaluated(expression: str, attributes: dict[str, Any], result: Any):
    assert compile_expression(expression).evaluate(attributes) == result


@pytest.mark.parametrize(
    ("expression", "column", "message"),
    [
        ('Swich([a], , "x", "y")', 1, "unknown function Swich, did you mean Switch"),
        ('switch([a], , "x", "y")', 1, "did you mean Switch"),
        ('Join("", Qwertz([a]))', 10, "unknown function Qwertz"),
        ('Switch([a], , "x")', 1, r"write Switch\(source, \[defaultValue\], key, value, …\); here are 3 arguments"),
        ("Switch([a], )", 1, "here are 2 arguments"),
        ("Switch()", 1, "here are 0 arguments"),
        ('Join("")', 1, "here is 1 argument"),
        ('Switch(, , "x", "y")', 8, "Switch needs its argument source"),
        ('Switch([a], , , "y")', 15, "Switch needs its argument key"),
        ('Switch([a], , "x", )', 20, "Switch needs its argument value"),
        ("Join(, [a])", 6, "Join needs its argument separator"),
        ('Join("", )', 10, "Join needs its argument source"),
        ("[a]", 1, "must be a function"),
        ('"x"', 1, "must be a function"),
        ("5", 1, "must be a function"),
        ('Join("", x)', 10, "x is not known here"),
        ('Join("", [a] = "x")', 14, "no comparison"),
    ],
)
def test_wrong_call_is_refused_at_its_column(expression: str, column: int, message: str):
    with pytest.raises(ExpressionError, match=message) as caught:
        compile_expression(expression)
    assert caught.value.column == column


def test_source_attributes_are_named_once_in_order_of_appearance():
    expression = compile_expression('Switch([b], Join(" ", [a], [b]), [c], [a])')
    assert expression.source_attributes == ("b", "a", "c")


def test_only_the_answer_of_a_switch_is_worked_out():
    def fail(arguments: Any) -> Any:
        return lambda attributes: 1 // 0

    registry = Registry([*(installed().get(name) for name in installed().names()), Function("Fail", "Fails.", (), fail)])
    expression = compile_expression('Switch([a], Fail(), "x", "1", "y", Fail(), Fail(), "2")', registry)
    assert expression.evaluate({"a": "x"}) == "1"
    with pytest.raises(ZeroDivisionError):
        expression.evaluate({"a": "y"})


def test_argument_that_is_left_out_is_not_an_empty_text():
    shown = Function(
        "Shown",
        "Shows its arguments.",
        (Parameter("a", optional=True), Parameter("b", optional=True), Parameter("c", optional=True)),
        lambda arguments: lambda attributes: "|".join(repr(one and one(attributes)) for one in arguments),
    )
    registry = Registry([shown])
    assert compile_expression('Shown(, "", [x])', registry).evaluate({"x": "1"}) == "None|''|'1'"
    assert compile_expression("Shown(,)", registry).evaluate({}) == "None|None"
    assert compile_expression("Shown()", registry).evaluate({}) == ""
    with pytest.raises(ExpressionError, match="here are 4 arguments"):
        compile_expression("Shown(,,,)", registry)


def test_two_functions_of_one_name_clash():
    join = installed().get("Join")
    assert join
    with pytest.raises(FunctionClash, match="Join"):
        Registry([join, join])


def test_every_function_has_help_and_a_signature_that_starts_with_its_name():
    for name in installed().names():
        function = installed().get(name)
        assert function
        assert function.help
        assert function.signature().startswith(f"{name}(")


VALUES = st.one_of(
    st.none(), st.text(max_size=4), st.booleans(), st.integers(), st.lists(st.text(max_size=3) | st.none(), max_size=3)
)
ATTRIBUTES = st.dictionaries(st.sampled_from("abc"), VALUES)


@settings(max_examples=150, deadline=None)
@given(ATTRIBUTES, st.text(max_size=3))
def test_join_puts_the_separator_between_values_that_are_not_empty(attributes: dict[str, Any], separator: str):
    values = [attributes.get(name) for name in "abc"]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    result = compile_expression("Join([sep], [a], [b], [c])").evaluate({**attributes, "sep": separator})
    assert result == separator.join(str(one) for one in flat if one not in (None, ""))


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=3) | st.none(), st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=5), st.text(max_size=3)
)
def test_switch_answers_as_a_dictionary_would(value: str | None, table: dict[str, str], default: str):
    attributes = {"value": value, "default": default}
    pairs = [', "never", "never"'] if not table else []
    for number, (key, result) in enumerate(table.items()):
        attributes |= {f"k{number}": key, f"v{number}": result}
        pairs.append(f", [k{number}], [v{number}]")
    text = f"Switch([value], [default]{''.join(pairs)})"
    expected = (table or {"never": "never"}).get(value or "", default)
    assert compile_expression(text).evaluate(attributes) == expected
