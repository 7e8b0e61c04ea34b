"""A profile that loads never fails: not at check, preview, export, import of the export, or as a record."""

import copy
import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.mapping import Profile, ProfileError, parse_profile
from scimsvc.mapping.entra.directory import source_attributes
from scimsvc.mapping.entra.preview import PreviewError, preview
from scimsvc.mapping.expression import show
from scimsvc.mapping.expression.tree import Call, Node, Omitted, SourceAttribute, Text
from scimsvc.mapping.functions import installed
from scimsvc.mapping.inverse import Inverse
from scimsvc.mapping.profile.custom_attributes import TYPES
from scimsvc.mapping.profile.scope import OPERATORS
from scimsvc.mapping.synchronization import export_schema, import_schema, merged
from scimsvc.schema.core import GROUP_TYPE, USER_TYPE
from scimsvc.schema.model import ResourceType
from scimsvc.service.catalog import Catalog
from scimsvc.settings import DatabaseSettings, MappingsSettings, Settings
from scimsvc.store.database import Database
from scimsvc.store.migrations import migrate
from scimsvc.web.app import create_app
from tests.mapping.words import differences
from tests.support.server import new_token
from tests.support.wsgi import call

REGISTRY = installed()
FILE = Path("p.yaml")
TABLES: dict[str, tuple[ResourceType, Any]] = {"users": (USER_TYPE, "User"), "groups": (GROUP_TYPE, "Group")}
FILTERS = ['[type eq "work"]', '[primary eq "True"]', '[type eq "a" and primary eq true]', '[value eq "x"]', "[type pr]"]
CUSTOM = ["badge", "name.nick", 'emails[type eq "work"].rank', 'doors[type eq "front"].code', "urn:example:2.0:User:size"]
TEXTS = st.sampled_from(
    ["", "x", "True", "false", "7", "2020-01-31", "https://e.com", "YQ==", '"', "\\", "é\u0301", "\U0001f600", "{}"]
)


@lru_cache
def paths(table: str) -> list[str]:
    """The attributes of a resource type: plain, dotted, filtered, and with a filter at the end."""
    found = []
    for attribute in TABLES[table][0].root.sub_attributes:
        join = ":" if ":" in attribute.name else "."
        found += [attribute.name, *(f"{attribute.name}{join}{sub.name}" for sub in attribute.sub_attributes)]
        if attribute.multi_valued:
            found += [f"{attribute.name}{chosen}" for chosen in FILTERS]
            found += [f"{attribute.name}{chosen}.{sub.name}" for chosen in FILTERS for sub in attribute.sub_attributes]
    return found


def calls(operands: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    def call_of(name: str) -> st.SearchStrategy[Node]:
        function = REGISTRY.get(name)
        assert function
        counts = st.sampled_from([count for count in range(9) if function.accepts(count)])

        def arguments(count: int) -> st.SearchStrategy[Node]:
            kinds = [operands | st.just(Omitted()) if function.parameter(place).optional else operands for place in range(count)]
            return st.tuples(*kinds).map(lambda found: Call(name, found))

        return counts.flatmap(arguments)

    return st.sampled_from(REGISTRY.names()).flatmap(call_of)


def expressions(names: list[str]) -> st.SearchStrategy[str]:
    operands: st.SearchStrategy[Node] = st.sampled_from(names).map(SourceAttribute) | TEXTS.map(Text)
    return st.recursive(operands, calls, max_leaves=5).filter(lambda node: isinstance(node, Call)).map(show)


def names_of(table: str) -> list[str]:
    return [*source_attributes(TABLES[table][1]), "dirSyncEnabled", "a.b"]


@st.composite
def rows(draw: st.DrawFn, table: str) -> dict[str, Any]:
    names = names_of(table)
    kind = draw(st.sampled_from(["source", "constant", "expression", "expression", "none"]))
    row: dict[str, Any] = {"target": draw(st.sampled_from(paths(table)) | st.sampled_from(CUSTOM))}
    if kind == "source":
        row["source"] = draw(st.sampled_from(names))
    elif kind == "constant":
        row["constant"] = draw(TEXTS)
    elif kind == "expression":
        row["expression"] = draw(expressions(names) | st.sampled_from(ROLES))
    more = {"default": TEXTS, "apply": st.sampled_from(["always", "create"]), "unique": st.booleans()}
    return row | draw(st.fixed_dictionaries({}, optional=more))


ROLES = [
    f"{name}([appRoleAssignments])"
    for name in ("SingleAppRoleAssignment", "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex")
]
ATTRIBUTES = st.fixed_dictionaries(
    {"name": st.sampled_from(CUSTOM), "type": st.sampled_from(list(TYPES))},
    optional={"multiValued": st.booleans(), "required": st.booleans(), "exactCase": st.booleans()},
)
CLAUSES = st.fixed_dictionaries(
    {"attribute": st.sampled_from(names_of("users")), "operator": st.sampled_from(OPERATORS)}, optional={"value": TEXTS}
)


@st.composite
def tables(draw: st.DrawFn, table: str) -> dict[str, Any]:
    key = {"source": "objectId", "target": draw(st.sampled_from(["externalId", "displayName"])), "matching": 1}
    found: dict[str, Any] = {"mappings": [key, *draw(st.lists(rows(table), max_size=4, unique_by=lambda row: row["target"]))]}
    if draw(st.booleans()):
        found["attributes"] = draw(st.lists(ATTRIBUTES, max_size=3, unique_by=lambda one: one["name"]))
    if draw(st.booleans()):
        found["scope"] = [{"name": "a", "clauses": draw(st.lists(CLAUSES, min_size=1, max_size=2))}]
    if draw(st.booleans()):
        found["flowTypes"] = draw(st.sampled_from([["Add"], ["Update", "Delete"], ["Add", "Update", "Delete"]]))
    if draw(st.booleans()):
        found["sourceAttributes"] = [{"name": "dirSyncEnabled", "type": "Boolean"}, {"name": "a.b", "multiValued": True}]
    return found


@st.composite
def profiles(draw: st.DrawFn) -> dict[str, Any]:
    content: dict[str, Any] = {"profile": "p"}
    for table in draw(st.sampled_from([["users"], ["groups"], ["users", "groups"]])):
        content[table] = draw(tables(table))
    if draw(st.booleans()):
        fields = st.sampled_from(paths("users")) | expressions(["userName", "emails.value", "name", "active", "roles"])
        content["record"] = draw(st.dictionaries(st.sampled_from(["a", "b"]), fields, max_size=2))
    return content


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "value", "displayName", "appRoleId", "b", "error"]), below, max_size=3)
    ),
    max_leaves=5,
)
GRAPH = [
    "id",
    "accountEnabled",
    "mobilePhone",
    "businessPhones",
    "manager",
    "onPremisesExtensionAttributes",
    "a",
    "deletedDateTime",
]
OBJECTS = st.dictionaries(st.sampled_from([*GRAPH, *names_of("users"), *names_of("groups")]), JSON, max_size=8)


def parsed(content: dict[str, Any]) -> Profile:
    return parse_profile(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), FILE, REGISTRY)


def loadable(content: dict[str, Any]) -> dict[str, Any] | None:
    """What of a profile loads: without the rows, filters, attributes and fields that are refused; None where nothing does."""
    with suppress(ProfileError):
        parsed(content)
        return content
    kept = copy.deepcopy(content)
    for table in TABLES.keys() & kept.keys():
        lists = {key: kept[table].pop(key, []) for key in ("attributes", "scope")}
        more = kept[table]["mappings"][1:]
        del kept[table]["mappings"][1:]
        for key, entries in (*lists.items(), ("mappings", more)):
            for entry in entries:
                changed = kept[table].setdefault(key, [])
                changed.append(entry)
                if not _loads({"profile": "p", table: kept[table]}):
                    changed.pop()
    for name, field in list(kept.get("record", {}).items()):
        if not _loads(kept | {"record": {name: field}}):
            del kept["record"][name]
    return kept if _loads(kept) else None


def _loads(content: dict[str, Any]) -> bool:
    try:
        parsed(content)
    except ProfileError:
        return False
    return True


LOADABLE = profiles().map(loadable).filter(lambda content: content is not None)
HEALTH = [HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]


@settings(max_examples=30, suppress_health_check=HEALTH)
@given(LOADABLE, st.lists(OBJECTS | JSON, min_size=1, max_size=3))
def test_any_profile_that_loads_shows_any_object(content: dict[str, Any], objects: list[Any]):
    profile = parsed(content)
    with suppress(ValueError):
        Catalog(profile)
    for found in objects:
        for table in (profile.users, profile.groups):
            for explain in (False, True):
                with suppress(PreviewError):
                    assert orjson.dumps(preview(table, found, explain))


@settings(max_examples=30, suppress_health_check=HEALTH)
@given(LOADABLE)
def test_any_profile_that_loads_is_exported_and_imported(content: dict[str, Any]):
    profile = parsed(content)
    schema = json.loads(orjson.dumps(export_schema(profile, REGISTRY)))
    again = import_schema(schema, "p", "P", REGISTRY).profile
    assert differences(profile, again) == []
    assert merged(again, REGISTRY, schema)[0] == schema
    assert merged(profile, REGISTRY, schema)[0] == schema


@settings(max_examples=30, suppress_health_check=HEALTH)
@given(LOADABLE, OBJECTS)
def test_any_record_shapes_what_a_preview_would_create(content: dict[str, Any], found: dict[str, Any]):
    profile = parsed(content)
    user: dict[str, Any] = {"id": "1", "userName": "u"}
    with suppress(PreviewError):
        user |= preview(profile.users, found | {"id": "1"}).get("create") or {}
    if profile.record:
        assert orjson.dumps(profile.record.of(user).record)
    assert orjson.dumps(Inverse(profile.users).source(user))


def test_any_profile_over_http_is_answered_without_a_500(tmp_path: Path):
    url = f"sqlite:///{tmp_path / 'scimsvc.db'}"
    database = Database(url)
    migrate(database)
    token = new_token(database, "t", "p")
    folder = tmp_path / "mappings"
    folder.mkdir()

    @settings(max_examples=8, suppress_health_check=HEALTH)
    @given(LOADABLE, st.lists(OBJECTS | JSON, min_size=1, max_size=3))
    def answered(content: dict[str, Any], objects: list[Any]) -> None:
        (folder / "p.yaml").write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
        try:
            Catalog(parsed(content))
        except ValueError:
            return
        app = create_app(Settings(mappings=MappingsSettings(folder), database=DatabaseSettings(url)))
        for path in (b"users", b"groups?explain"):
            headers = {"Authorization": f"Bearer {token}"}
            answer = call(app, "POST", b"/api/mappings/preview/" + path, headers, orjson.dumps(objects))
            assert answer.status in (200, 400, 404), answer.raw

    answered()
    database.close()
