"""The functions of expressions, by what they are about; a new one is declared in its file and listed at that file's end."""

from scimsvc.mapping.functions import casing, chance, choice, conversion, dates, many, replace, roles, text
from scimsvc.mapping.functions.model import Build, Function, FunctionError, Lazy, Parameter, plain
from scimsvc.mapping.functions.registry import FunctionClash, Registry
from scimsvc.mapping.functions.values import Ignored

REGISTRY = Registry(
    function for file in (text, casing, replace, choice, many, conversion, dates, chance, roles) for function in file.FUNCTIONS
)

__all__ = [
    "REGISTRY",
    "Build",
    "Function",
    "FunctionClash",
    "FunctionError",
    "Ignored",
    "Lazy",
    "Parameter",
    "Registry",
    "plain",
]
