"""From a tree back to text: parsing what is printed gives the same tree."""

from __future__ import annotations

from scimsvc.mapping.expression.tree import Call, Comparison, Node, Number, Omitted, SourceAttribute, Text, Word


def show(node: Node) -> str:
    """Return the tree as an expression, in Entra's usual spacing."""
    match node:
        case Call(name, arguments):
            return f"{name}({', '.join(map(show, arguments))})"
        case SourceAttribute(name):
            return f"[{name}]"
        case Text(value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case Number(spelling):
            return spelling
        case Word(name):
            return name
        case Comparison(operator, left, right):
            return f"{show(left)} {operator} {show(right)}"
        case Omitted():
            return ""
