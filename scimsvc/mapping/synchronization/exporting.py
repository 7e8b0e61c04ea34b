"""From a profile to a synchronizationSchema that can be uploaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scimsvc.mapping.entra.directory import REFERENCES
from scimsvc.mapping.functions import Registry
from scimsvc.mapping.profile.custom_attributes import TYPES
from scimsvc.mapping.profile.flow_types import FLOW_TYPES
from scimsvc.mapping.profile.model import AttributeMapping, ObjectMapping, Profile, TableName
from scimsvc.mapping.synchronization.trees import NOTHING_LEARNED, LearnedKeys, to_tree
from scimsvc.schema.core import ENTERPRISE_USER_URN, GROUP_URN

SOURCE_DIRECTORY = "Azure Active Directory"
TARGET_DIRECTORY = "customappsso"
_RULE_ID = "03f7d90d-bf71-41b1-bda6-aaf0ddbee5d8"
_SOURCE_ID = "66e4a8cc-1b7b-435e-95f8-f06cea133828"
_TARGET_ID = "8ffa6169-f354-4751-9b77-9c00765be92d"
KINDS: Mapping[TableName, str] = {"users": "User", "groups": "Group"}
"""The source object of each table."""
_PORTAL_TYPES = {ours: portal for portal, ours in TYPES.items()}


def _referenced(*names: str) -> list[dict[str, Any]]:
    return [{"referencedObjectName": name, "referencedProperty": None} for name in names]


_SOURCE_TYPES: dict[str, dict[str, Any]] = {
    "IsSoftDeleted": {"type": "Boolean", "required": True},
    "manager": {"type": "Reference", "referencedObjects": _referenced("User")},
    "members": {"type": "Reference", "referencedObjects": _referenced("User", "Group"), "multivalued": True},
    "owners": {"type": "Reference", "referencedObjects": _referenced("User"), "multivalued": True},
}
"""What of Entra's source attributes is no single text."""


def fresh_schema(profile: Profile, registry: Registry) -> dict[str, Any]:
    """Return the schema of a profile, with ids that stand for those of a job."""
    tables = {KINDS[name]: table for name, table in profile.tables().items()}
    rule = {
        "editable": True,
        "id": _RULE_ID,
        "name": "USERGROUP_OUTBOUND_USERGROUP",
        "priority": 1,
        "sourceDirectoryName": SOURCE_DIRECTORY,
        "targetDirectoryName": TARGET_DIRECTORY,
        "metadata": [{"key": "supportsProvisionOnDemand", "value": "true"}],
        "objectMappings": [_object_mapping(kind, tables[kind], registry) for kind in ("Group", "User") if kind in tables],
    }
    directories = [
        _directory(_SOURCE_ID, SOURCE_DIRECTORY, True, [(kind, source_definitions(table)) for kind, table in tables.items()]),
        _directory(
            _TARGET_ID, TARGET_DIRECTORY, False, [(_target_name(kind), target_definitions(t)) for kind, t in tables.items()]
        ),
    ]
    return {"id": f"scim.{'0' * 32}", "version": "1.0", "synchronizationRules": [rule], "directories": directories}


def _target_name(kind: str) -> str:
    return ENTERPRISE_USER_URN if kind == "User" else GROUP_URN


def _object_mapping(kind: str, table: ObjectMapping, registry: Registry) -> dict[str, Any]:
    matching = table.matching()
    return {
        "enabled": True,
        "flowTypes": ",".join(table.flow_types or FLOW_TYPES),
        "name": f"Provision {SOURCE_DIRECTORY} {kind}s",
        "scope": scope_of(table),
        "sourceObjectName": kind,
        "targetObjectName": _target_name(kind),
        "attributeMappings": [attribute_mapping(row, registry) for row in table.mappings],
        "metadata": [
            {"key": "IsCustomerDefined", "value": "false"},
            {"key": "Disposition", "value": '"Normal"'},
            {"key": "EscrowBehavior", "value": '"Default"'},
            {"key": "Unsynchronized", "value": "false"},
            *({"key": "OriginalJoiningProperty", "value": row.target_text} for row in matching[:1]),
        ],
    }


def scope_of(table: ObjectMapping) -> dict[str, Any] | None:
    """Return the scoping filters as Graph's filter, or None if there are none."""
    groups = [
        {
            "name": one.name,
            "clauses": [
                {
                    "operatorName": clause.operator,
                    "sourceOperandName": clause.attribute,
                    "targetOperand": {"values": [] if clause.value is None else [clause.value]},
                }
                for clause in one.clauses
            ],
        }
        for one in table.scope
    ]
    return {"groups": groups, "inputFilterGroups": [], "categoryFilterGroups": []} if groups else None


def attribute_mapping(row: AttributeMapping, registry: Registry, learned: LearnedKeys = NOTHING_LEARNED) -> dict[str, Any]:
    """Return a row as Graph's attributeMapping; `learned` has names of parameters that a downloaded schema tells."""
    return {
        "defaultValue": row.default,
        "exportMissingReferences": False,
        "flowBehavior": "FlowWhenChanged",
        "flowType": "ObjectAddOnly" if row.apply == "create" else "Always",
        "matchingPriority": row.matching or 0,
        "source": _source(row, registry, learned),
        "targetAttributeName": row.target_text,
    }


def _source(row: AttributeMapping, registry: Registry, learned: LearnedKeys) -> dict[str, Any] | None:
    if row.expression is not None:
        # The text stays as it was written; the tree is what it means.
        return to_tree(row.expression.tree, registry, learned) | {"expression": row.expression.text}
    if row.source is not None:
        return {"expression": f"[{row.source}]", "name": row.source, "type": "Attribute", "parameters": []}
    if row.constant is not None:
        quoted = row.constant.replace("\\", "\\\\").replace('"', '\\"')
        return {"expression": f'"{quoted}"', "name": row.constant, "type": "Constant", "parameters": []}
    return None


def _directory(id_: str, name: str, read_only: bool, objects: list[tuple[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    return {
        "id": id_,
        "name": name,
        "discoverabilities": "None",
        "discoveryDateTime": None,
        "readOnly": read_only,
        "version": None,
        "objects": [{"name": one, "metadata": [], "supportedApis": [], "attributes": attributes} for one, attributes in objects],
    }


def source_definitions(table: ObjectMapping) -> list[dict[str, Any]]:
    """Return the definitions of the source attributes that a table reads or defines."""
    names = dict.fromkeys(("objectId", *table.source_names, *table.source_attributes))
    return [_source_definition(name, table) for name in names]


def _source_definition(name: str, table: ObjectMapping) -> dict[str, Any]:
    own = table.source_attributes.get(name)
    known = _SOURCE_TYPES.get(name, {})
    characteristics = {"type": own.type, "multivalued": own.multi_valued} if own else known
    return _definition(name, anchor=name == "objectId", **characteristics)


def target_definitions(table: ObjectMapping) -> list[dict[str, Any]]:
    """Return the definitions of the target attributes that the rows of a table have, and of the `id`."""
    found = [_definition("id", anchor=True, required=True)]
    for row in table.mappings:
        leaf, value = row.target.target.leaf, row.target.target.value().leaf
        kind = "Reference" if row.source in REFERENCES else _PORTAL_TYPES.get(value.type, "String")
        referenced = ["User"] if row.source in REFERENCES else [one for one in ("User", "Group") if one in value.reference_types]
        found.append(
            _definition(
                row.target_text,
                type=kind,
                multivalued=leaf.multi_valued,
                required=leaf.required,
                caseExact=leaf.case_exact,
                referencedObjects=_referenced(*map(_target_name, referenced)),
            )
        )
    return found


def _definition(name: str, **characteristics: Any) -> dict[str, Any]:
    return {
        "anchor": False,
        "caseExact": False,
        "defaultValue": None,
        "flowNullValues": False,
        "metadata": [],
        "multivalued": False,
        "mutability": "ReadWrite",
        "name": name,
        "required": False,
        "referencedObjects": [],
        "type": "String",
        **characteristics,
    }
