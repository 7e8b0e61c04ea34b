"""Which rows of the index answer a filter, without a database."""

import pytest

from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.filter import Filter, parse_filter
from scimsvc.schema.core import USER_TYPE
from scimsvc.store.querying.filter_plan import (
    AllOf,
    AnyOf,
    AnyRows,
    ById,
    Condition,
    Exists,
    HasRow,
    Leading,
    NotOf,
    OnColumn,
    Related,
    RelatedRows,
    Rows,
    SameElement,
    plan_choice,
    plan_condition,
)
from scimsvc.store.querying.shapes import cut

LEAVES = ("emails.value", "emails.display", "emails.type", "emails.primary")
EVERY_ROW_OF_EMAILS = ("any", *LEAVES, ("not", ("same element", "emails.type", True)))


def shape(text: str) -> Filter:
    return cut(parse_filter(text, USER_TYPE))[0]


def shown(node: Condition | Leading) -> object:
    """A plan as plain data: rows by their attribute, with `known` if they are looked at for one resource."""
    match node:
        case AllOf(operands) | AnyOf(operands):
            return ("and" if isinstance(node, AllOf) else "or", *map(shown, operands))
        case NotOf(operand):
            return "not", shown(operand)
        case HasRow(rows, known):
            return ("exists" if known else "in", *map(shown, rows))
        case Rows(attribute, _, element, known):
            return (attribute.name, *(["known"] if known else []), *map(shown, element))
        case AnyRows(attributes, element):
            return ("any", *(one.name for one in attributes), *([shown(element)] if element else []))
        case SameElement(attribute, _, test):
            return "same element", attribute.name, test is not None
        case ById():
            return "id"
        case RelatedRows(attribute):
            return "related", attribute.name
        case Related(rows):
            return shown(rows)
        case OnColumn(term):
            return "column", term.path.name
        case Exists(holds):
            return holds
    raise TypeError(node)


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ('userName eq "a"', ("in", ("userName",))),
        ('userName ne "a"', ("not", ("in", ("userName",)))),
        ('id eq "a"', ("column", "id")),
        ("meta.created pr", True),
        ('userName eq "a" and title eq "b"', ("and", ("in", ("userName",)), ("exists", ("title",)))),
        ('title eq "b" and userName eq "a"', ("and", ("in", ("userName",)), ("exists", ("title",)))),
        ('title co "a" or title co "b" or nickName eq "c"', ("or", ("in", ("title",), ("nickName",)))),
        ('emails[type eq "work" and value eq "a"]', ("in", ("emails.value", ("same element", "emails.type", True)))),
        ('emails[type ne "work"]', ("in", EVERY_ROW_OF_EMAILS)),
        ('groups.value eq "g"', ("related", "groups")),
        ('groups.value ne "g"', ("or", ("related", "groups"), ("not", ("related", "groups")))),
    ],
)
def test_most_selective_term_leads_to_the_resources_and_others_look_at_these(text: str, plan: object):
    assert shown(plan_condition(shape(text), USER_TYPE, "sqlite")) == plan


@pytest.mark.parametrize(
    ("text", "rows", "condition"),
    [
        ('userName eq "a"', [("userName",)], None),
        ('title co "b" and userName eq "a"', [("userName",)], ("exists", ("title", "known"))),
        ('id eq "a" and title pr', ["id"], ("exists", ("any", "title"))),
        ('userName eq "a" or externalId eq "b"', [("userName",), ("externalId",)], None),
        ('groups.value eq "g"', [("related", "groups")], None),
        ('userName ne "a"', [], ("not", ("exists", ("userName", "known")))),
    ],
)
def test_rows_of_one_term_come_first_on_postgresql(text: str, rows: list[object], condition: object):
    choice = plan_choice(shape(text), USER_TYPE, "postgresql")
    assert [shown(one) for one in choice.rows] == rows
    assert (choice.condition and shown(choice.condition)) == condition


@pytest.mark.parametrize("text", ['meta.location eq "x"', 'groups.display eq "x"', "meta[created pr]"])
def test_filter_by_what_has_no_rows_is_refused(text: str):
    with pytest.raises(ScimError, match="can't be filtered by"):
        plan_condition(shape(text), USER_TYPE, "sqlite")
