"""The functions of expressions, one file for each; a new one is declared there and listed here."""

from scimsvc.mapping.functions.join import JOIN
from scimsvc.mapping.functions.model import Function, Lazy, Parameter
from scimsvc.mapping.functions.registry import FunctionClash, Registry
from scimsvc.mapping.functions.switch import SWITCH

REGISTRY = Registry([JOIN, SWITCH])

__all__ = ["REGISTRY", "Function", "FunctionClash", "Lazy", "Parameter", "Registry"]
