"""Entra's expression language: text to tree, tree to text, tree to a function of source attributes."""

from scimsvc.mapping.expression.compiler import Explained, Expression, Step, compile_expression, compile_tree
from scimsvc.mapping.expression.parser import parse
from scimsvc.mapping.expression.printer import show
from scimsvc.mapping.expression.tree import ExpressionError

__all__ = ["Explained", "Expression", "ExpressionError", "Step", "compile_expression", "compile_tree", "parse", "show"]
