"""What a function declares: its name, parameters, help and how a call of it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Lazy: TypeAlias = Callable[[Mapping[str, Any]], Any]
"""A compiled argument: from a directory object's attributes to its value, worked out only when asked."""

ParameterType = Literal["string", "integer", "boolean", "dateTime", "any"]


@dataclass(frozen=True)
class Parameter:
    """A parameter by the name that Entra's reference gives it; an optional one may be left out between its commas."""

    name: str
    type: ParameterType = "string"
    optional: bool = False


@dataclass(frozen=True)
class Function:
    """A function. `repeating` are the parameters that come again and again at the end, at least `at_least` times.

    `build` gets the arguments of one call, None for each that was left out, and answers what evaluates the call.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    build: Callable[[Sequence[Lazy | None]], Lazy]
    repeating: tuple[Parameter, ...] = ()
    at_least: int = 1
    deterministic: bool = True

    def accepts(self, count: int) -> bool:
        """Whether a call may have that many arguments, those left out between commas included."""
        extra = count - len(self.parameters)
        if self.repeating:
            return extra >= self.at_least * len(self.repeating) and extra % len(self.repeating) == 0
        required = max((place for place, parameter in enumerate(self.parameters, 1) if not parameter.optional), default=0)
        return required <= count <= len(self.parameters)

    def parameter(self, position: int) -> Parameter:
        """The parameter that the argument at a position, counted from 0, is for."""
        if position < len(self.parameters):
            return self.parameters[position]
        return self.repeating[(position - len(self.parameters)) % len(self.repeating)]

    def signature(self) -> str:
        """The call as the reference writes it: `Join(separator, source, …)`."""
        names = [
            f"[{parameter.name}]" if parameter.optional else parameter.name for parameter in self.parameters + self.repeating
        ]
        return f"{self.name}({', '.join([*names, '…'] if self.repeating else names)})"
