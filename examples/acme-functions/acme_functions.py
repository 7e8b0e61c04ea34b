"""Functions of Acme for attribute mappings, as an example of a plugin for scimsvc.

`FUNCTIONS` is what scimsvc looks for. It finds the module by the entry point in pyproject.toml once the package is
installed; without a package, `plugins: [acme_functions]` in config.yaml finds it beside that file.
"""

from __future__ import annotations

from scimsvc.mapping.functions import Function, FunctionError, Parameter, plain


def initials(source: object, length: object) -> str | None:
    """The first letters of the words of a text; None of a null source. Raises FunctionError where length is no number."""
    if source is None:
        return None
    if not isinstance(length, (str, int, type(None))) or not str(length or 9).isdecimal():
        raise FunctionError(f"length must be a whole number, not {str(length)[:40]!r}")
    return "".join(word[0] for word in str(source).split())[: int(length or 9)]


FUNCTIONS = (
    Function(
        "Initials",
        "The first letter of each word of the source, as many as length says, or nine.",
        (Parameter("source"), Parameter("length", "integer", optional=True)),
        plain(initials, 2),
    ),
)
