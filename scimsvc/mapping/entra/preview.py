"""A preview: what Entra will send for an object of the directory, and with `explain` how each row gets its value."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from scimsvc.mapping.entra.directory import REFERENCES, Kind, has_source_attribute, source_of
from scimsvc.mapping.entra.requests import FLAG, create_body, match_filters, references_body, update_body
from scimsvc.mapping.expression import Expression, ExpressionError, show
from scimsvc.mapping.expression.tree import Call, nodes
from scimsvc.mapping.functions import Ignored
from scimsvc.mapping.functions.values import MAX_DEPTH, nested_too_deep
from scimsvc.mapping.mapper import Flow, Mapper, SkippedObject, refused_values
from scimsvc.mapping.profile.flow_types import FlowType
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping
from scimsvc.mapping.profile.scope import in_scope

REDACTED = "[Redact]"
_BODIES: tuple[tuple[FlowType, str], ...] = (("Add", "create"), ("Update", "update"))
"""What Entra sends by each flow type, for an object that is there."""


class PreviewError(ValueError):
    """An object can't be mapped; the message says which row is wrong and why."""


def preview(table: ObjectMapping, found: Any, explain: bool = False) -> dict[str, Any]:
    """Return what Entra sends for an object as Microsoft Graph returns it.

    The keys are `match`, `create`, `update` and, if the object refers to others, `references`; the last two have both PATCH
    dialects. `skipped` is why Entra sends nothing, `warnings` are likely failures. `explain` adds `rows`, and `error` instead of
    requests if rows can't be worked out. Raise PreviewError.
    """
    kind: Kind = "User" if table.resource_type.name == "User" else "Group"
    if not table.is_mapped:
        raise PreviewError(f"the profile has no table {kind.lower()}s, so Entra sends nothing")
    _check(kind, found)
    source = source_of(kind, found, table.source_names)
    answer: dict[str, Any] = {"objectId": source.get("objectId")}
    if not in_scope(table.scope, source):
        return answer | {"skipped": "no scoping filter lets it through; Entra disables or removes an account that is there"}
    answer |= _sent(kind, table, source, explain)
    if explain:
        answer["rows"] = [_explained(row, source) for row in table.mappings]
    return answer


def _unknown_names(kind: Kind, table: ObjectMapping, source: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning for each source attribute that neither Entra nor the table nor the object has."""
    for name in table.source_names:
        if name not in source and name not in table.source_attributes and not has_source_attribute(kind, name):
            yield f"the object has no {name}, and it is not an attribute of Entra's {kind.lower()}s, so it counts as empty"


def _sent(kind: Kind, table: ObjectMapping, source: Mapping[str, Any], explain: bool) -> dict[str, Any]:
    mapper = Mapper(table)
    try:
        creating, unknown = mapper.known_flows(source)
        updating, _ = mapper.known_flows(source, creating=False)
    except SkippedObject as skipped:
        return {"skipped": f"the expression for {skipped} says IgnoreObjectFlow"}
    except ExpressionError:
        mistakes = "; ".join(_mistakes(table, source))
        if explain:
            return {"error": mistakes}
        raise PreviewError(mistakes) from None
    adds, updates = table.sends("Add"), table.sends("Update")
    answer: dict[str, Any] = {
        "match": match_filters(creating),
        "create": create_body(table, creating) if adds else None,
        "update": {
            "default": update_body(updating, False, source) if updates else None,
            FLAG: update_body(updating, True, source) if updates else None,
        },
    }
    if updates and references_body(updating, False):
        answer["references"] = {"default": references_body(updating, False), FLAG: references_body(updating, True)}
    warnings = [f"{target} is not shown: {reason}" for target, reason in unknown.items()]
    warnings += _unknown_names(kind, table, source)
    warnings += [f"flowTypes has no {flow}, so Entra sends no {body}" for flow, body in _BODIES if not table.sends(flow)]
    warnings += _warnings(table, creating, answer["match"], unknown)
    return answer | ({"warnings": warnings} if warnings else {})


def _warnings(table: ObjectMapping, creating: Sequence[Flow], match: Sequence[str], unknown: Container[str]) -> Iterator[str]:
    if not match and not any(row.target_text in unknown for row in table.matching()):
        yield "no matching attribute has a value, so Entra skips the object"
    given = {flow.row.target.target.steps[0].name for flow in creating if flow.value is not None}
    given |= {row.target.target.steps[0].name for row in table.mappings if row.target_text in unknown}
    for name in table.required_besides(given):
        yield f"{name} is required and has no value, so the create is refused"
    for flow in creating:
        if isinstance(flow.value, list) and len(flow.value) > 1 and not flow.row.target.target.leaf.multi_valued:
            yield f"{flow.row.target_text} has one value: of the {len(flow.value)} values only the first is sent"
    for row, must_be in refused_values(creating):
        yield f"{row.target_text} {must_be}, so the create is refused"


def _check(kind: Kind, found: Any) -> None:
    """Raise PreviewError if Microsoft Graph never returns this as an object of the kind."""
    if not isinstance(found, Mapping):
        raise PreviewError("must be a JSON object")
    if nested_too_deep(found):
        raise PreviewError(f"is nested more than {MAX_DEPTH} deep")
    if isinstance(found.get("error"), Mapping):
        raise PreviewError(f"is not a {kind.lower()} but an error of Microsoft Graph: {str(found['error'].get('code'))[:80]}")
    if not source_of(kind, found).keys() - {"IsSoftDeleted"} and "IsSoftDeleted" not in found:
        raise PreviewError(f"is not a {kind.lower()}: it has no attribute that Microsoft Graph returns for one, such as id")
    for name in REFERENCES:
        value = found.get(name)
        many = name != "manager"
        if value is None:
            continue
        if many and not isinstance(value, list):
            raise PreviewError(f"{name} must be a list of objects, each with an id")
        for place, one in enumerate(value if many else [value]):
            if not isinstance(one.get("id") if isinstance(one, Mapping) else one, str):
                raise PreviewError(f"{name}{f'[{place}]' if many else ''} must be an object with an id")


def objects_in(content: Any) -> list[Any]:
    """Return the objects in an answer of Microsoft Graph: one, a list, or a list under `value`."""
    if isinstance(content, dict) and isinstance(content.get("value"), list):
        return list(content["value"])
    return content if isinstance(content, list) else [content]


def _mistakes(table: ObjectMapping, source: Mapping[str, Any]) -> Iterator[str]:
    for row in table.mappings:
        if row.expression:
            try:
                row.expression.evaluate(source)
            except ExpressionError as error:
                if error.unknown_here:
                    continue
                yield f"{row.target_text}: {error.message} (column {error.column} of {row.expression.text})"


def _explained(row: AttributeMapping, source: Mapping[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"target": row.target_text}
    if row.matching is not None:
        answer["matching"] = row.matching
    if row.apply == "create":
        answer["apply"] = row.apply
    if row.default is not None:
        answer["default"] = row.default
    if row.expression is not None:
        return answer | _expression_explained(row.expression, source)
    if row.source is not None:
        return answer | {"source": row.source, "value": source.get(row.source)}
    return answer | ({"constant": row.constant, "value": row.constant} if row.constant is not None else {"value": None})


def _expression_explained(expression: Expression, source: Mapping[str, Any]) -> dict[str, Any]:
    hidden = any(isinstance(node, Call) and node.name == "Redact" for node in nodes(expression.tree))

    def shown(value: Any) -> Any:
        return REDACTED if hidden else {"ignored": True} if isinstance(value, Ignored) else value

    explained = expression.explain(source)
    outcome = {"error": explained.error} if explained.error else {"value": shown(explained.value)}
    steps = [{"expression": show(step.node), "value": shown(step.value)} for step in explained.steps]
    return {"expression": expression.text, **outcome, "steps": steps}
