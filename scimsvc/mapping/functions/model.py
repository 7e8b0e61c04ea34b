"""What a function declares: its name, parameters, help and how a call of it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Lazy: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""A compiled argument: from a directory object's attributes to its value, worked out only when asked."""

Build: TypeAlias = Callable[[Sequence[Lazy | None]], Lazy]
"""From the arguments of one call, None for each that was left out, to what evaluates the call."""

Inverse: TypeAlias = Callable[..., Any]
"""From what a call came to, and the constants that its arguments behind the first are (None for those left out), to its first
argument. It raises FunctionError if that can't be told. An answer counts only if the call gives the same result for it."""

Check: TypeAlias = Callable[[Sequence[Any]], None]
"""Checks the constants of a call, None for every other argument. It raises FunctionError if the call can never work."""

ParameterType = Literal["string", "integer", "boolean", "dateTime", "reference", "any", "condition", "compareType"]


class FunctionError(ValueError):
    """A call can't be built, or can't be worked out for these values; the message says what would be right.

    If one constant alone is wrong, `argument` is its position, counted from 0.
    """

    def __init__(self, message: str, argument: int | None = None) -> None:
        self.argument = argument
        super().__init__(message)


class UnknownHereError(FunctionError):
    """Only Entra can work out a call, because it depends on what the directory object does not have."""


@dataclass(frozen=True)
class Parameter:
    """A parameter by the name that Entra's reference gives it; an optional one may be left out between its commas.

    Only a `condition` may be a comparison, and only a `compareType` one of the words vbTextCompare and vbBinaryCompare.
    """

    name: str
    type: ParameterType = "string"
    optional: bool = False


@dataclass(frozen=True)
class Function:
    """A function of Entra's expressions, or of a plugin.

    `repeating` are the parameters that repeat at the end, at least `at_least` times. `result` is the type of all results, if
    there is one. If `deterministic`, the same attributes always give the same value. If `outermost`, the function can't be an
    argument of another one. `inverse` undoes a call, so that the directory's value can be told from the account's. `check` finds
    what is wrong with a call's constants when it is compiled.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    build: Build
    repeating: tuple[Parameter, ...] = ()
    at_least: int = 1
    deterministic: bool = True
    result: ParameterType = "any"
    outermost: bool = False
    inverse: Inverse | None = None
    check: Check | None = None

    def accepts(self, count: int) -> bool:
        """Return whether a call may have that many arguments; those left out between commas count."""
        extra = count - len(self.parameters)
        if self.repeating:
            return extra >= self.at_least * len(self.repeating) and extra % len(self.repeating) == 0
        required = max((place for place, parameter in enumerate(self.parameters, 1) if not parameter.optional), default=0)
        return required <= count <= len(self.parameters)

    def parameter(self, position: int) -> Parameter:
        """Return the parameter for the argument at a position, counted from 0."""
        if position < len(self.parameters):
            return self.parameters[position]
        return self.repeating[(position - len(self.parameters)) % len(self.repeating)]

    def signature(self) -> str:
        """Return the call as the reference writes it: `Join(separator, source, …)`."""
        names = [
            f"[{parameter.name}]" if parameter.optional else parameter.name for parameter in self.parameters + self.repeating
        ]
        return f"{self.name}({', '.join([*names, '…'] if self.repeating else names)})"


_VARIABLE = object()


def constant(value: Any) -> Lazy:
    """Return an argument that is the same for every object, so that `plain` need not evaluate it each time."""

    def lazy(attributes: Mapping[str, Any]) -> Any:
        return value

    lazy.constant = value  # type: ignore[attr-defined]  # functions may have attributes
    return lazy


def plain(compute: Callable[..., Any], parameters: int) -> Build:
    """Return the `build` of a function that takes the values of all its arguments, None for each that is left out."""

    def build(arguments: Sequence[Lazy | None]) -> Lazy:
        given = [argument or _NOTHING for argument in arguments]
        given += [_NOTHING] * (parameters - len(given))
        match given, [getattr(argument, "constant", _VARIABLE) for argument in given[1:]]:
            case [first, _], [one] if one is not _VARIABLE:
                return lambda attributes: compute(first(attributes), one)
            case [first, _, _], [one, two] if one is not _VARIABLE and two is not _VARIABLE:
                return lambda attributes: compute(first(attributes), one, two)
        match given:
            case [first]:
                return lambda attributes: compute(first(attributes))
            case [first, second]:
                return lambda attributes: compute(first(attributes), second(attributes))
            case [first, second, third]:
                return lambda attributes: compute(first(attributes), second(attributes), third(attributes))
        return lambda attributes: compute(*[argument(attributes) for argument in given])

    return build


def each(checks: Mapping[int, Callable[[str], Any]]) -> Check:
    """Return the `check` of a function that checks constants one by one, as strings, by their positions counted from 0."""

    def check(constants: Sequence[Any]) -> None:
        for position, check_one in checks.items():
            if position < len(constants) and constants[position] is not None:
                try:
                    check_one(str(constants[position]))
                except FunctionError as error:
                    raise FunctionError(str(error), position) from None

    return check


_NOTHING = constant(None)
