""".NET's regular expressions, as Replace and scoping filters take them, read by a reader of their own for the library regex."""

from scimsvc.mapping.functions.regular_expressions.expression import TIME_LIMIT, RegularExpression, compiled

__all__ = ["TIME_LIMIT", "RegularExpression", "compiled"]
