"""Where functions come from: the entry points of the group `scimsvc.functions`, scimsvc's own among them, and plain modules."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from scimsvc.mapping.functions.model import Function
from scimsvc.mapping.functions.registry import Registry

GROUP = "scimsvc.functions"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class PluginError(ValueError):
    """Plugins can't be used; the message has a line for each problem."""


@cache
def installed() -> Registry:
    """The functions of all installed packages. Raises PluginError."""
    return load_registry(())


def load_registry(modules: Sequence[str], folder: Path | None = None) -> Registry:
    """The functions of all installed packages and of plain modules, which may lie in `folder`.

    A module has `FUNCTIONS`, some Function objects; an entry point leads to such a module, to some functions or to one.
    Raises PluginError, with every problem: what can't be loaded, what is no function, two functions of one name.
    """
    problems: list[str] = []
    origins: dict[str, str] = {}
    functions: list[Function] = []
    for origin, load in _sources(modules, folder):
        try:
            found = list(_functions(load()))
        except Exception as error:
            # Whatever a plugin does wrong, the message is for the one who installed it.
            problems.append(f"plugin {origin}: {type(error).__name__}: {' '.join(str(error).split())}")
            continue
        for function in found:
            problem = _problem(function)
            if problem is None and function.name in origins:
                problem = f"there is a function {function.name} already, from {origins[function.name]}"
            if problem:
                problems.append(f"plugin {origin}: {problem}")
            else:
                origins[function.name] = origin
                functions.append(function)
    if problems:
        raise PluginError("\n".join(problems))
    return Registry(functions)


def _sources(modules: Sequence[str], folder: Path | None) -> Iterator[tuple[str, Callable[[], Any]]]:
    # Ours first, so that a clash is laid at the door of who came later.
    points = sorted(
        entry_points(group=GROUP), key=lambda point: (not point.value.startswith("scimsvc."), point.name, point.value)
    )
    for point in points:
        distribution = f" of {point.dist.name}" if point.dist else ""
        yield f"{point.name}{distribution} ({point.value})", point.load
    for name in modules:
        yield f"{name} (setting plugins)", partial(_imported, name, folder)


def _imported(name: str, folder: Path | None) -> Any:
    if folder is None:
        return importlib.import_module(name)
    place = str(folder.resolve())
    sys.path.append(place)
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(place)


def _functions(loaded: Any) -> Iterable[Any]:
    if isinstance(loaded, Function):
        return [loaded]
    found = getattr(loaded, "FUNCTIONS", loaded)
    if isinstance(found, (str, bytes)) or not isinstance(found, Iterable):
        raise TypeError("a plugin must be a Function, several, or a module with FUNCTIONS")
    return found


def _problem(function: Any) -> str | None:
    if not isinstance(function, Function):
        return f"{function!r:.80} is no Function"
    if not _NAME.fullmatch(function.name):
        return f"{function.name!r:.80} is no name that an expression could call"
    return None if function.help else f"the function {function.name} has no help"
