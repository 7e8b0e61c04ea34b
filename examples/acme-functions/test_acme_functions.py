"""The plugin's own test: its functions as an expression calls them."""

import acme_functions
import pytest

from scimsvc.mapping.expression import ExpressionError, compile_expression
from scimsvc.mapping.functions import Registry

REGISTRY = Registry(acme_functions.FUNCTIONS)


@pytest.mark.parametrize(
    ("expression", "value"),
    [("Initials([name])", "GBS"), ("Initials([name], 2)", "GB"), ("Initials([nobody])", None), ('Initials("")', "")],
)
def test_initials(expression: str, value: str | None) -> None:
    assert compile_expression(expression, REGISTRY).evaluate({"name": "George Bernard Shaw"}) == value


def test_length_that_is_no_number() -> None:
    with pytest.raises(ExpressionError, match="length must be a whole number"):
        compile_expression("Initials([name], [length])", REGISTRY).evaluate({"name": "A B", "length": "two"})
