"""The functions of all installed packages and plain modules.

Packages have the entry point group `scimsvc.functions`, scimsvc too.
"""

from __future__ import annotations

import importlib
import math
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import PurePath
from typing import Any, get_args

from scimsvc.mapping.functions.model import Function, FunctionError, Lazy, Parameter, ParameterType
from scimsvc.mapping.functions.moments import Moment
from scimsvc.mapping.functions.registry import Registry
from scimsvc.mapping.functions.values import MAX_DEPTH, SURROGATE, Ignored, is_64_bit

GROUP = "scimsvc.functions"
_TYPES = get_args(ParameterType)
_VALUES = (str, bool, int, float, Moment, Ignored)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


failure_reports: list[Callable[[str, Exception], None]] = []
"""Called with the name of a plugin's function that raised, and the exception; its message may have people's data."""


class PluginError(ValueError):
    """Plugins can't be used; the message has a line for each problem."""


@cache
def installed() -> Registry:
    """Return the functions of all installed packages. Raise PluginError."""
    return load_registry(())


def load_registry(modules: Sequence[str], folder: PurePath | None = None) -> Registry:
    """Return the functions of all installed packages and of plain modules, which may be in `folder`, an absolute path.

    A module has `FUNCTIONS`, a list of Function objects. An entry point leads to such a module, to several functions or to one.
    Raise PluginError with every problem: what can't be loaded, what is not a function, two functions of one name.
    """
    problems: list[str] = []
    origins: dict[str, str] = {}
    functions: list[Function] = []
    plugins: list[str] = []
    for origin, load, own in _sources(modules, folder):
        try:
            found = list(_functions(load()))
        except (Exception, SystemExit) as error:
            # A plugin may raise anything; the message tells the administrator who installed it.
            problems.append(f"plugin {origin}: {type(error).__name__}: {' '.join(str(error).split())}")
            continue
        if not found:
            problems.append(f"plugin {origin}: it has no functions")
        for function in found:
            problem = _problem(function)
            if problem is None and function.name in origins:
                problem = f"there is a function {function.name} already, from {origins[function.name]}"
            if problem:
                problems.append(f"plugin {origin}: {problem}")
            else:
                origins[function.name] = origin
                plugins += [] if own else [function.name]
                functions.append(function if own else _guarded(function))
    if problems:
        raise PluginError("\n".join(problems))
    return Registry(functions, plugins)


def _sources(modules: Sequence[str], folder: PurePath | None) -> Iterator[tuple[str, Callable[[], Any], bool]]:
    """Yield the origins of functions, each with how it is loaded and whether it is scimsvc itself."""
    # scimsvc's own functions come first, so that the message about a clash names the plugin.
    points = sorted(
        entry_points(group=GROUP), key=lambda point: (not point.value.startswith("scimsvc."), point.name, point.value)
    )
    for point in points:
        distribution = f" of {point.dist.name}" if point.dist else ""
        yield f"{point.name}{distribution} ({point.value})", point.load, point.value.startswith("scimsvc.")
    for name in modules:
        yield f"{name} (setting plugins)", partial(_imported, name, folder), False


def _imported(name: str, folder: PurePath | None) -> Any:
    if folder is None:
        return importlib.import_module(name)
    place = str(folder)
    sys.path.append(place)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(place)


def _functions(loaded: Any) -> Iterable[Any]:
    found = getattr(loaded, "FUNCTIONS", loaded)
    if isinstance(found, Function):
        return [found]
    if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
        raise TypeError("a plugin must be a Function, several, or a module with FUNCTIONS")
    return found


def _guarded(function: Function) -> Function:
    """Return a plugin's function that gives only values and FunctionErrors, whatever is wrong with it."""

    def guarded(work: Callable[[], Any]) -> Any:
        try:
            return work()
        except FunctionError:
            raise
        except Exception as error:
            for report in failure_reports:
                report(function.name, error)
            raise FunctionError(f"{function.name} failed: {type(error).__name__}") from error

    def value_of(work: Callable[[], Any]) -> Any:
        value = guarded(work)
        stranger = _stranger(value)
        if stranger:
            raise FunctionError(f"{function.name} gave {stranger}, which an attribute can't have")
        return value

    def build(arguments: Sequence[Lazy | None]) -> Lazy:
        run = guarded(partial(function.build, arguments))

        return lambda attributes: value_of(lambda: run(attributes))

    def check(constants: Sequence[Any]) -> None:
        if function.check:
            guarded(partial(function.check, constants))

    back = function.inverse
    inverse = (lambda value, *constants: value_of(lambda: back(value, *constants))) if back else None
    return replace(function, build=build, check=check, inverse=inverse)


def _stranger(value: Any, depth: int = 0) -> str | None:
    """Return the part of a value that no attribute could have, or None."""
    if depth > MAX_DEPTH:
        return f"a value that is nested more than {MAX_DEPTH} deep"
    if isinstance(value, (list, dict)):
        keys = list(value) if isinstance(value, dict) else []
        wrong = next((f"a key of the type {type(key).__name__}" for key in keys if type(key) is not str), None)
        below = [*value.values(), *keys] if isinstance(value, dict) else value
        return wrong or next((stranger for one in below if (stranger := _stranger(one, depth + 1))), None)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and not is_64_bit(value):
        return "an integer of more than 64 bits"
    if isinstance(value, str) and SURROGATE.search(value):
        return "a text with half of a character"
    return None if value is None or isinstance(value, _VALUES) else f"a {type(value).__name__}"


def _unknown_type(type_: Any) -> str:
    return f"has the unknown type {type_!r:.40}; known are {', '.join(_TYPES)}"


def _problem(function: Any) -> str | None:
    if not isinstance(function, Function):
        return f"{function!r:.80} is not a Function"
    if not isinstance(function.name, str) or not _NAME.fullmatch(function.name):
        return f"{function.name!r:.80} is not a name that an expression could call"
    if not isinstance(function.help, str) or not function.help:
        return f"the function {function.name} has no help"
    for part, parameters in (("parameters", function.parameters), ("repeating", function.repeating)):
        if not isinstance(parameters, tuple) or not all(isinstance(one, Parameter) for one in parameters):
            return f"the {part} of the function {function.name} must be a tuple of Parameter objects"
        unknown = next((one for one in parameters if one.type not in _TYPES), None)
        if unknown:
            return f"the parameter {unknown.name} of the function {function.name} {_unknown_type(unknown.type)}"
    if function.result not in _TYPES:
        return f"the result of the function {function.name} {_unknown_type(function.result)}"
    for part, work in (("build", function.build), ("check", function.check), ("inverse", function.inverse)):
        if not callable(work) and (work is not None or part == "build"):
            return f"the {part} of the function {function.name} can't be called"
    if type(function.at_least) is not int or function.at_least < 0:
        return f"the at_least of the function {function.name} must be an integer"
    return None
