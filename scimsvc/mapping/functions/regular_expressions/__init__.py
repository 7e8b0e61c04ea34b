""".NET's regular expressions, as Replace and scoping filters take them, read by a reader of their own for the library regex."""

from scimsvc.mapping.functions.regular_expressions.budget import REQUEST_LIMIT, TIME_LIMIT, Budget, budget
from scimsvc.mapping.functions.regular_expressions.expression import RegularExpression, compiled

__all__ = ["REQUEST_LIMIT", "TIME_LIMIT", "Budget", "RegularExpression", "budget", "compiled"]
