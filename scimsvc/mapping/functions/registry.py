"""The functions by name; names are case-sensitive, as Entra's are."""

from __future__ import annotations

from collections.abc import Iterable

from scimsvc.mapping.functions.model import Function


class FunctionClash(ValueError):
    """Two functions have one name."""


class Registry:
    """A set of functions.

    `plugins` are the names of those that Entra does not have. Raise FunctionClash if two have the same name.
    """

    def __init__(self, functions: Iterable[Function], plugins: Iterable[str] = ()) -> None:
        self._by_name: dict[str, Function] = {}
        self._plugins = frozenset(plugins)
        for function in functions:
            if function.name in self._by_name:
                raise FunctionClash(f"there are two functions with the name {function.name}")
            self._by_name[function.name] = function

    def get(self, name: str) -> Function | None:
        """Return the function of that name, or None."""
        return self._by_name.get(name)

    def names(self) -> list[str]:
        """Return all names, sorted."""
        return sorted(self._by_name)

    def is_plugin(self, name: str) -> bool:
        """Return whether the function of that name comes from a plugin, so that Entra doesn't have it."""
        return name in self._plugins
