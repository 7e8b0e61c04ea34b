"""For an object of the directory: what Entra will send of it, and with `explain` how each row comes to its value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scimsvc.mapping.directory import Kind, source_of
from scimsvc.mapping.expression import Expression, ExpressionError, show
from scimsvc.mapping.expression.tree import Call, Node
from scimsvc.mapping.functions import Ignored
from scimsvc.mapping.functions.moments import Moment
from scimsvc.mapping.mapper import Mapper, SkippedObject
from scimsvc.mapping.outgoing import FLAG, create_body, match_filters, references_body, update_body
from scimsvc.mapping.profile import AttributeMapping, ObjectMapping
from scimsvc.mapping.scope import in_scope

REDACTED = "[Redact]"


class PreviewError(ValueError):
    """An object can't be mapped; the message says which row is wrong and why."""


def preview(table: ObjectMapping, found: Any, explain: bool = False) -> dict[str, Any]:
    """What Entra sends of an object as Microsoft Graph returns it: `match`, `create`, `update` and, where there are any,
    `references`, the last two in both dialects. With `explain` also `rows`. Raises PreviewError.
    """
    if not isinstance(found, Mapping):
        raise PreviewError("must be a JSON object")
    mapper = Mapper(table)
    kind: Kind = "User" if table.resource_type.name == "User" else "Group"
    source = source_of(kind, found)
    answer: dict[str, Any] = {"objectId": source.get("objectId")}
    if not in_scope(table.scope, source):
        return answer | {"skipped": "no scoping filter lets it through; Entra disables or removes an account that is there"}
    try:
        creating, updating = mapper.flows(source), mapper.flows(source, creating=False)
    except SkippedObject as skipped:
        answer["skipped"] = f"the expression for {skipped} says IgnoreObjectFlow"
    except ExpressionError:
        raise PreviewError("; ".join(_mistakes(table, source))) from None
    else:
        answer |= {
            "match": match_filters(creating),
            "create": create_body(table, creating),
            "update": {"default": update_body(updating, False), FLAG: update_body(updating, True)},
        }
        if references_body(updating, False):
            answer["references"] = {"default": references_body(updating, False), FLAG: references_body(updating, True)}
    if explain:
        answer["rows"] = [_explained(row, source) for row in table.mappings]
    return answer


def objects_in(content: Any) -> list[Any]:
    """The objects of an answer of Microsoft Graph: one, a list, or a list under `value`."""
    if isinstance(content, dict) and isinstance(content.get("value"), list):
        return list(content["value"])
    return content if isinstance(content, list) else [content]


def _mistakes(table: ObjectMapping, source: Mapping[str, Any]) -> Iterator[str]:
    for row in table.mappings:
        if row.expression:
            try:
                row.expression.evaluate(source)
            except ExpressionError as error:
                yield f"{row.target_text}: {error.message} (column {error.column} of {row.expression.text})"


def _explained(row: AttributeMapping, source: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"target": row.target_text}
    if row.matching is not None:
        answer["matching"] = row.matching
    if row.expression is not None:
        return answer | _expression_explained(row.expression, source)
    if row.source is not None:
        return answer | {"source": row.source, "value": source.get(row.source)}
    return answer | ({"constant": row.constant, "value": row.constant} if row.constant is not None else {"value": None})


def _expression_explained(expression: Expression, source: Mapping[str, Any]) -> dict[str, Any]:
    value, steps = expression.explain(source)
    hidden = _redacts(expression.tree)
    shown = [{"expression": show(step.node), "value": REDACTED if hidden else _plain(step.value)} for step in steps]
    return {"expression": expression.text, "value": REDACTED if hidden else _plain(value), "steps": shown}


def _plain(value: Any) -> Any:
    if isinstance(value, Ignored):
        return {"ignored": True}
    return str(value) if isinstance(value, Moment) else value


def _redacts(node: Node) -> bool:
    return isinstance(node, Call) and (node.name == "Redact" or any(map(_redacts, node.arguments)))
