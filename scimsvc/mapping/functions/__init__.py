"""The functions of expressions, by what they are about; a new one is declared in its file and listed at that file's end.

A plugin needs what this package exports: Function, Parameter, plain, FunctionError; each for the check of constants.
"""

from scimsvc.mapping.functions.model import Build, Check, Function, FunctionError, Lazy, Parameter, each, plain
from scimsvc.mapping.functions.plugins import PluginError, installed, load_registry
from scimsvc.mapping.functions.registry import FunctionClash, Registry
from scimsvc.mapping.functions.values import Ignored

__all__ = [
    "Build",
    "Check",
    "Function",
    "FunctionClash",
    "FunctionError",
    "Ignored",
    "Lazy",
    "Parameter",
    "PluginError",
    "Registry",
    "each",
    "installed",
    "load_registry",
    "plain",
]
