"""Filters as SQL find what their plain evaluation finds, on both databases."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scimsvc.mapping import parse_profile
from scimsvc.protocol.dialects.entra.filters import standard_filter
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import And, Comparison, Filter, Not, Or, Present, ValuePath, matches, meaning, parse_filter
from scimsvc.schema.classes import load
from scimsvc.schema.core import ENTERPRISE_USER_URN, USER_URN
from scimsvc.schema.model import Attribute
from scimsvc.schema.paths import AttributePath
from scimsvc.store.database import Database
from scimsvc.store.models import Resource
from scimsvc.store.querying.filter_sql import condition, cut
from scimsvc.store.tenants import TenantRecord, create_tenant
from tests.store.resources import Resources

OWN_URN = "urn:example:2.0:User"
PROFILE = parse_profile(
    f"""profile: p
users:
  mappings: [{{source: a, target: externalId, matching: 1}}]
  attributes:
    - {{name: shoeSize, type: Integer}}
    - {{name: since, type: DateTime}}
    - {{name: tags, multiValued: true}}
    - {{name: codes, multiValued: true, exactCase: true}}
    - {{name: key, type: Binary}}
    - {{name: '{OWN_URN}:level', type: Integer}}
    - {{name: '{OWN_URN}:days', type: DateTime, multiValued: true}}
groups:
  mappings: [{{source: a, target: externalId, matching: 1}}]
""",
    Path("p.yaml"),
)
INSIDE = (Attribute("value"), Attribute("type"), Attribute("tags", multi_valued=True))
KITS = (
    Attribute("kits", "complex", multi_valued=True, sub_attributes=INSIDE),
    Attribute("trunk", "complex", sub_attributes=INSIDE),
)
CUSTOM, _ = PROFILE.resource_types()
USER = replace(CUSTOM, schema=replace(CUSTOM.schema, attributes=(*CUSTOM.schema.attributes, *KITS)))

LONG = ["x" * length + end for length in (447, 448, 449, 512, 513, 600) for end in ("", "y")]
FORMS = ["é", "É", "e\u0301", "E\u0301", "\u0301", "\u03a3", "\u03c3", "\u03c2", "\ufb01"]
"""Of which some are one value, in another normal form or case."""
SPECIAL = [*FORMS, "", "a", "A", "ab", "AB", "b", "ß", "SS", "\u0131", "%", "_", 'a"b', "a\\b", "a b", " a", "1"]
TEXTS = st.sampled_from([*SPECIAL, "\U0001f600", "\U0010ffff", "\U0010ffff" * 2, "\uffff", "\ud7ff", *LONG]) | st.text(
    "abAB", max_size=3
)
NUMBERS = st.sampled_from([0, -1, 1, 2, 9, 10, -10, 100, 2**63 - 1, -(2**63)])
SAME = ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00", "2025-12-31T23:59:00.000-00:01"]
INSTANTS = st.sampled_from(
    [*SAME, "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.50Z", "0999-12-31T23:59:59Z", "2025-12-31T23:59:59.999999999Z"]
)
BINARY = st.sampled_from(["", "AA==", "aa==", "AAAA", "aaaa"])
IDS = ["u1", "U1", "u2", "5d1b0c2e", "Z"]


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional={name.replace("__", ":"): value for name, value in values.items()})


ELEMENTS = st.lists(
    some(value=TEXTS, type=st.sampled_from(["work", "Work", "home", ""]), primary=st.booleans(), display=TEXTS).filter(bool),
    max_size=3,
).filter(lambda elements: sum(one.get("primary", False) for one in elements) < 2)
KIT = some(value=TEXTS, type=TEXTS, tags=st.lists(TEXTS, min_size=1, max_size=3)).filter(bool)
DOCUMENTS = st.fixed_dictionaries(
    {"userName": TEXTS.filter(bool)},
    optional={
        "externalId": TEXTS,
        "displayName": TEXTS,
        "active": st.booleans(),
        "name": some(givenName=TEXTS, familyName=TEXTS),
        "emails": ELEMENTS,
        "phoneNumbers": ELEMENTS,
        "profileUrl": TEXTS,
        "shoeSize": NUMBERS,
        "since": INSTANTS,
        "tags": st.lists(TEXTS, max_size=3),
        "codes": st.lists(TEXTS, max_size=3),
        "key": BINARY,
        "kits": st.lists(KIT, max_size=3),
        "trunk": KIT,
        ENTERPRISE_USER_URN: some(department=TEXTS, manager=some(value=st.sampled_from(IDS))),
        OWN_URN: some(level=NUMBERS, days=st.lists(INSTANTS, max_size=3)),
    },
).map(lambda body: load(USER, body))

EQUALITY = ["eq", "ne"]
ORDER = [*EQUALITY, "gt", "ge", "lt", "le"]
ALL = [*ORDER, "co", "sw", "ew"]
PARTS = [*EQUALITY, "co", "sw", "ew"]
TEXT = (ALL, TEXTS)
TRUTH = (EQUALITY, st.booleans())
PATHS = {
    "userName": TEXT,
    "USERNAME": TEXT,
    f"{USER_URN}:userName": TEXT,
    "externalId": TEXT,
    "displayName": TEXT,
    "active": TRUTH,
    "name.givenName": TEXT,
    "name.familyName": TEXT,
    "emails": TEXT,
    "emails.value": TEXT,
    "emails.type": (ALL, st.sampled_from(["work", "HOME", "w", ""])),
    "emails.primary": TRUTH,
    "phoneNumbers.display": TEXT,
    "profileUrl": TEXT,
    "shoeSize": (ORDER, NUMBERS),
    "since": (ORDER, INSTANTS),
    "tags": TEXT,
    "codes": TEXT,
    "key": (PARTS, BINARY),
    "kits.tags": TEXT,
    "trunk.tags": TEXT,
    f"{ENTERPRISE_USER_URN}:department": TEXT,
    f"{ENTERPRISE_USER_URN}:manager": (PARTS, st.sampled_from(IDS)),
    f"{ENTERPRISE_USER_URN}:manager.value": (PARTS, st.sampled_from(IDS)),
    f"{OWN_URN}:level": (ORDER, NUMBERS),
    f"{OWN_URN}:days": (ORDER, INSTANTS),
    "id": (ALL, st.sampled_from([*IDS, "u", "", "1"])),
    "schemas": (PARTS, st.sampled_from([USER_URN, ENTERPRISE_USER_URN, "urn:", ""])),
    "meta.resourceType": (PARTS, st.sampled_from(["User", "user", "Us", "er"])),
}
COMPLEX = ["name", "kits", "trunk", "emails", "phoneNumbers", ENTERPRISE_USER_URN, f"{ENTERPRISE_USER_URN}:manager", OWN_URN]
ELEMENT = {"value": TEXT, "type": PATHS["emails.type"], "primary": TRUTH, "display": TEXT}
VALUE_PATHS = {
    "emails": ELEMENT,
    "phoneNumbers": ELEMENT,
    "name": {"givenName": TEXT, "familyName": TEXT},
    "tags": {"value": TEXT},
    "codes": {"value": TEXT},
    "kits": {"value": TEXT, "type": TEXT, "tags": TEXT},
    "kits.tags": {"value": TEXT},
    "trunk": {"value": TEXT, "tags": TEXT},
    f"{ENTERPRISE_USER_URN}:manager": {"value": PATHS[f"{ENTERPRISE_USER_URN}:manager"]},
    f"{OWN_URN}:days": {"value": (ORDER, INSTANTS)},
}


def comparisons(paths: dict[str, Any]) -> st.SearchStrategy[str]:
    def of(path: str) -> st.SearchStrategy[str]:
        operators, values = paths[path]
        plain = st.tuples(st.sampled_from(operators), values.map(json.dumps)) | st.tuples(
            st.sampled_from(EQUALITY), st.just("null")
        )
        return plain.map(lambda pair: f"{path} {pair[0]} {pair[1]}")

    return st.sampled_from(sorted(paths)).flatmap(of)


def combined(terms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pairs = st.lists(inner, min_size=2, max_size=3)
        return st.one_of(
            pairs.map(lambda parts: f"({' and '.join(parts)})"),
            pairs.map(lambda parts: f"({' or '.join(parts)})"),
            inner.map(lambda part: f"not ({part})"),
        )

    return st.recursive(terms, more, max_leaves=4)


def value_path(name: str) -> st.SearchStrategy[str]:
    inner: Any = VALUE_PATHS[name]
    terms = comparisons(inner) | st.sampled_from([f"{one} pr" for one in inner])
    return combined(terms).map(lambda text: f"{name}[{text}]")


FILTERS = combined(
    st.one_of(
        comparisons(PATHS),
        st.sampled_from([f"{path} pr" for path in [*PATHS, *COMPLEX]]),
        st.sampled_from(sorted(VALUE_PATHS)).flatmap(value_path),
    )
)


def values(path: AttributePath, document: Any) -> Iterator[Any]:
    """Every value that a document has at a path."""
    found = [document]
    for step in path.steps:
        below = [one[step.name] for one in found if isinstance(one, dict) and step.name in one]
        found = [one for value in below for one in (value if step.multi_valued else [value])]
    yield from found


def holds(query: Filter, document: dict[str, Any]) -> bool:
    """The plain evaluation: each value, or element, against one term at a time."""
    match query:
        case And(operands):
            return all(holds(operand, document) for operand in operands)
        case Or(operands):
            return any(holds(operand, document) for operand in operands)
        case Not(operand):
            return not holds(operand, document)
        case Present(path):
            return any(True for leaf in path.leaves() for _ in values(leaf, document))
        case ValuePath(path, inner):
            return any(matches(inner, element) for element in values(path, document))
        case Comparison(path) if path.is_mark:
            elements = list(values(AttributePath(path.steps[:-1]), document))
            return any(matches(query, element.get(path.leaf.name, False)) for element in elements) or (
                not elements and query.operator == "ne"
            )
        case Comparison(path):
            return any(matches(query, value) for value in list(values(path, document)) or [None])


def expected(documents: Mapping[str, dict[str, Any]], text: str) -> list[str]:
    query = parse_filter(text, USER)
    return [id_ for id_, document in documents.items() if holds(query, {**document, "meta": {"resourceType": "User"}})]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    before=st.lists(DOCUMENTS, min_size=1, max_size=4).map(lambda bodies: dict(zip(IDS, bodies, strict=False))),
    after=st.dictionaries(st.sampled_from(IDS), DOCUMENTS, max_size=4),
    texts=st.lists(FILTERS, min_size=1, max_size=8),
)
def test_sql_finds_what_plain_evaluation_finds(
    shared_database: Database,
    new_tenant: Callable[[], TenantRecord],
    before: dict[str, Any],
    after: dict[str, Any],
    texts: list[str],
):
    users = Resources(shared_database, new_tenant(), USER)
    after = {id_: body for id_, body in after.items() if id_ in before}
    users.insert(before)
    users.update(after)
    documents = {id_: users.document(id_, body) for id_, body in (before | after).items()}
    for text in texts:
        assert users.found(text) == expected(documents, text), text


@settings(max_examples=300, deadline=None)
@given(FILTERS, FILTERS, st.sampled_from(["and", "or"]))
def test_dialect_leaves_a_standard_filter_what_it_is(first: str, second: str, connective: str):
    for text in (first, f"{first} {connective} {second}"):
        meant = parse_filter(text, USER)
        assert meaning(parse_filter(standard_filter(USER, text), USER)) == meaning(meant), text


PEOPLE = {
    "u1": {"userName": "Ann", "emails": [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}], "shoeSize": 9},
    "U1": {"userName": "bob", "emails": [{"value": "B@X", "type": "work", "primary": True}], "shoeSize": 10, "active": False},
    "u2": {"userName": "cid", "externalId": "E", "name": {"givenName": "Cid"}, "since": "2026-01-01T01:00:00+01:00"},
    "5d1b0c2e": {"userName": "x" * 600, "tags": ["red", "Blue"], "codes": ["red", "Blue"], "active": True},
}


@pytest.fixture
def people(shared_database: Database, tenant: TenantRecord) -> Resources:
    users = Resources(shared_database, tenant, USER)
    users.insert(PEOPLE)
    return users


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ('userName eq "ANN"', ["u1"]),
        ('externalId eq "e"', []),
        ('externalId eq "E"', ["u2"]),
        ('externalId ne "E"', ["u1", "U1", "5d1b0c2e"]),
        ('id eq "U1"', ["U1"]),
        ('emails[type eq "work" and value eq "b@x"]', ["U1"]),
        ('emails.type eq "work" and emails.value eq "b@x"', ["u1", "U1"]),
        ('emails[type eq "work" and not (primary eq true)]', ["u1"]),
        ('emails[not (type eq "work")]', ["u1"]),
        ('not (emails[type eq "work"])', ["u2", "5d1b0c2e"]),
        ("emails[primary ne true]", ["u1"]),
        ("emails[primary eq false]", ["u1"]),
        ("emails[primary ne false]", ["U1"]),
        ("emails[not (primary eq false)]", ["U1"]),
        ('emails[type eq "work" and primary eq false]', ["u1"]),
        ('emails[primary eq false and value sw "b"]', ["u1"]),
        ('emails[primary eq false or value sw "b"]', ["u1", "U1"]),
        ("emails[primary eq null]", ["u1"]),
        ("emails.primary eq false", ["u1"]),
        ("emails.primary eq true", ["U1"]),
        ("emails.primary ne true", ["u1", "u2", "5d1b0c2e"]),
        ("emails.primary ne false", ["U1", "u2", "5d1b0c2e"]),
        ("not (emails.primary eq false)", ["U1", "u2", "5d1b0c2e"]),
        ("emails.primary eq false or active eq false", ["u1", "U1"]),
        ("active eq false", ["U1"]),
        ("emails pr", ["u1", "U1"]),
        ("name pr", ["u2"]),
        ("name.familyName pr", []),
        ("active ne true", ["u1", "U1", "u2"]),
        ("active eq null", ["u1", "u2"]),
        ("shoeSize gt 9", ["U1"]),
        ("shoeSize lt 10", ["u1"]),
        ('since eq "2026-01-01T00:00:00Z"', ["u2"]),
        ('since lt "2026-01-01T00:00:00.001Z"', ["u2"]),
        ('tags eq "RED"', ["5d1b0c2e"]),
        ('codes eq "RED"', []),
        ('codes[value eq "Blue"]', ["5d1b0c2e"]),
        (f'userName eq "{"X" * 600}"', ["5d1b0c2e"]),
        (f'userName eq "{"x" * 599}"', []),
        (f'userName sw "{"x" * 599}"', ["5d1b0c2e"]),
        (f'userName sw "{"x" * 601}"', []),
        (f'userName gt "{"x" * 599}"', ["5d1b0c2e"]),
        *[(f'externalId {operator} ""', ["u2"]) for operator in ("co", "sw", "ew")],
        ('userName ew "ID"', ["u2"]),
        ('userName ew "acid"', []),
        (f'userName ew "{"x" * 600}"', ["5d1b0c2e"]),
        (f'userName co "{"x" * 513}"', ["5d1b0c2e"]),
        ('userName co "%"', []),
        ('userName sw "_"', []),
        ('meta.resourceType eq "User"', list(PEOPLE)),
        ('meta.resourceType eq "Group"', []),
        ('meta.created gt "2020-01-01T00:00:00Z"', list(PEOPLE)),
        ('meta.lastModified lt "2020-01-01T00:00:00+01:00"', []),
        ('meta.version eq "W/\\"1\\""', list(PEOPLE)),
        ('meta.version ne "W/\\"1\\""', []),
    ],
)
def test_filter_finds(people: Resources, text: str, ids: list[str]):
    assert people.found(text) == ids


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("emails[{}]", 'value co "{}"'),
        ("emails[{}]", 'not (value ne "{}")'),
        ("emails[{}]", 'value co "{}" or display co "x"'),
        ('emails[type eq "work" and ({})]', 'value ew "{}"'),
        ('emails[type ne "work" and ({})]', 'not (value eq "{}")'),
        ("codes[{}]", 'value gt "{}"'),
        ("{}", 'userName co "{}"'),
        ("{}", 'emails.value ew "{}"'),
    ],
)
def test_terms_about_one_attribute_are_one_look_at_it(shared_database: Database, text: str, term: str):
    def selects(number: int) -> int:
        terms = " or ".join(term.format(value) for value in range(number))
        shape, _ = cut(parse_filter(text.format(terms), USER))
        query = Resource.select(Resource.seq).where(condition(shape, USER, shared_database.kind))
        return int(shared_database.peewee.get_sql_context().sql(query).query()[0].count("SELECT"))

    assert selects(100) == selects(2)


@pytest.mark.parametrize(
    "text", ['meta.location eq "x"', 'groups.display eq "x"', 'groups[type eq "direct"]', "meta[created pr]"]
)
def test_what_has_no_index_is_refused(people: Resources, text: str):
    with pytest.raises(ScimError) as caught:
        people.found(text)
    assert (caught.value.status, caught.value.scim_type) == (400, "invalidFilter")


@pytest.mark.parametrize(
    "text", ['userName eq "ann"', 'not (userName eq "ann")', "emails pr", 'id ne "x"', 'meta.resourceType eq "User"']
)
def test_other_tenants_are_never_found(people: Resources, new_tenant: Callable[[], TenantRecord], text: str):
    assert people.found(text)
    assert Resources(people.database, new_tenant(), USER).found(text) == []


def test_pages_keep_the_order_of_creation(people: Resources):
    query = parse_filter("userName pr", USER)
    pages = [[stored.id for stored in people.store.page(query, offset, 3)] for offset in (0, 3, 6)]
    assert pages == [["u1", "U1", "u2"], ["5d1b0c2e"], []]
    assert [stored.id for stored in people.store.page(None, 1, 2)] == ["U1", "u2"]
    assert people.store.count(None) == 4


def test_nothing_is_found_of_what_is_deleted(people: Resources):
    people.delete("u1")
    assert people.found("userName pr") == ["U1", "u2", "5d1b0c2e"]
    assert people.found('userName eq "ann"') == []


RANGES = {
    'userName co "x"': ">",
    'userName ew "x"': ">",
    'userName sw "user01"': "> <",
    'userName gt "user01"': ">",
    'userName ge "user01"': ">",
    'userName lt "user01"': "<",
    'userName le "user01"': "<",
    'emails.value co "x"': ">",
    'emails.value ne "x"': ">",
    'userName eq "x" or externalId eq "x"': "=",
    "shoeSize gt 5": ">",
}


def test_values_are_looked_for_by_the_index_of_their_attribute(database: Database, monkeypatch: pytest.MonkeyPatch):
    users = Resources(database, create_tenant(database, "t", "entra"), USER)
    emails = [{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}]
    users.insert(
        {f"id{n}": {"userName": f"user{n:03}", "externalId": f"{n}", "shoeSize": n, "emails": emails} for n in range(400)}
    )
    execute, executed = database.execute, []
    monkeypatch.setattr(database, "execute", lambda sql, values: executed.append((sql, values)) or execute(sql, values))
    if database.kind == "postgresql":
        # So few rows it would rather read all, and a page in its order where it expects to find that much soon.
        database.peewee.execute_sql("SET enable_seqscan = off")
    # PostgreSQL gathers statistics by itself, SQLite never does.
    for statistics in (False, True) if database.kind == "sqlite" else (True,):
        if statistics:
            database.peewee.execute_sql("ANALYZE")
        for text, bounds in RANGES.items():
            if database.kind == "postgresql" and " ne " in text:
                # Nearly every resource fulfils it, so each is looked at.
                continue
            executed.clear()
            users.store.count(parse_filter(text, USER))
            if database.kind == "sqlite":
                users.store.page(parse_filter(text, USER), 0, 10)
            assert executed
            for sql, values in executed:
                explain = "EXPLAIN QUERY PLAN " if database.kind == "sqlite" else "EXPLAIN "
                plan = "\n".join(str(row[-1]) for row in execute(explain + sql, values).fetchall())
                assert "attribute_value_lookup" in plan, (text, plan)
                of_attribute = [line for line in plan.splitlines() if re.search(r"\battribute ?=", line)]
                for bound in bounds.split():
                    assert any(re.search(rf"\bvalue ?{bound}", line) for line in of_attribute), (text, plan)
