""".NET's regular expressions, as Replace and scoping filters take them, read by a reader of their own for the library regex."""

from scimsvc.mapping.functions.regular_expressions.expression import (
    MAX_RESULT,
    TIME_LIMIT,
    RegularExpression,
    compiled,
    result_too_long,
)

__all__ = ["MAX_RESULT", "TIME_LIMIT", "RegularExpression", "compiled", "result_too_long"]
