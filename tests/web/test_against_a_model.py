"""Random sequences of requests, against a model of a few lines: the two agree after every step."""

import itertools
import json
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any

import pytest
from flask import Flask
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule, run_state_machine_as_test

from scimsvc.store.database import Database
from tests.support.client import Answer
from tests.support.server import new_token
from tests.support.wsgi import call

NAMES = st.sampled_from(["ann", "Ann", "bob", "eve", "ZOE"])
TITLES = st.sampled_from(["", "Boss", "boss", "x"])
ADDRESSES = st.sampled_from(["a@x", "A@X", "b@x", "c@x"])
_tenants = itertools.count()


@dataclass(frozen=True)
class Person:
    name: str
    title: str = ""
    active: bool | None = None
    work: str = ""

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {"userName": self.name}
        if self.title:
            found["title"] = self.title
        if self.active is not None:
            found["active"] = self.active
        if self.work:
            found["emails"] = [{"type": "work", "value": self.work}]
        return found


@dataclass
class Model:
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, tuple[str, set[str]]] = field(default_factory=dict)

    def taken(self, name: str, own: str = "") -> bool:
        return any(person.name.lower() == name.lower() for id_, person in self.people.items() if id_ != own)

    def forget(self, id_: str) -> None:
        self.people.pop(id_, None)
        self.groups.pop(id_, None)
        for _, members in self.groups.values():
            members.discard(id_)

    def exists(self, id_: str) -> bool:
        return id_ in self.people or id_ in self.groups


def machine(app: Flask, database: Database) -> type[RuleBasedStateMachine]:
    """The machine for one database; every run of it has a tenant of its own."""

    class Service(RuleBasedStateMachine):
        people = Bundle("people")
        groups = Bundle("groups")

        def __init__(self) -> None:
            super().__init__()
            self.model = Model()
            self.headers = {"Authorization": f"Bearer {new_token(database, f'tenant-{next(_tenants)}')}"}

        def ask(self, method: str, path: str, body: Any = None) -> Answer:
            data = b"" if body is None else json.dumps(body).encode()
            return call(app, method, f"/api/scim/v2{path}".encode(), self.headers, data)

        def patch(self, path: str, *operations: Any) -> Answer:
            return self.ask(
                "PATCH", path, {"Operations": [dict(zip(("op", "path", "value"), one, strict=False)) for one in operations]}
            )

        @rule(target=people, name=NAMES, title=TITLES, active=st.none() | st.booleans(), work=st.just("") | ADDRESSES)
        def create_person(self, name: str, title: str, active: bool | None, work: str) -> Any:
            person = Person(name, title, active, work)
            answer = self.ask("POST", "/Users", person.body())
            if self.model.taken(name):
                assert answer.status == 409
                return multiple()
            assert answer.status == 201
            self.model.people[answer.body["id"]] = person
            return answer.body["id"]

        @rule(id_=people, name=NAMES, title=TITLES, active=st.none() | st.booleans())
        def put_person(self, id_: str, name: str, title: str, active: bool | None) -> None:
            person = Person(name, title, active)
            answer = self.ask("PUT", f"/Users/{id_}", person.body())
            if id_ not in self.model.people:
                assert answer.status == 404
            elif self.model.taken(name, id_):
                assert answer.status == 409
            else:
                assert answer.status == 200
                self.model.people[id_] = person

        @rule(id_=people, op=st.sampled_from(["Add", "replace"]), address=ADDRESSES)
        def patch_address(self, id_: str, op: str, address: str) -> None:
            answer = self.patch(f"/Users/{id_}", (op, 'emails[type eq "work"].value', address))
            self.expect(answer, id_, work=address)

        @rule(id_=people)
        def remove_address(self, id_: str) -> None:
            self.expect(self.patch(f"/Users/{id_}", ("Remove", 'emails[type eq "work"].value')), id_, work="")

        @rule(id_=people, active=st.booleans(), title=TITLES)
        def patch_several(self, id_: str, active: bool, title: str) -> None:
            answer = self.patch(f"/Users/{id_}", ("replace", "active", str(active)), ("replace", "title", title))
            self.expect(answer, id_, active=active, title=title)

        @rule(id_=people, name=NAMES, title=TITLES)
        def patch_all_or_nothing(self, id_: str, name: str, title: str) -> None:
            answer = self.patch(f"/Users/{id_}", ("replace", "title", title or "y"), ("replace", "userName", name))
            if id_ in self.model.people and self.model.taken(name, id_):
                assert answer.status == 409
            else:
                self.expect(answer, id_, name=name, title=title or "y")

        def expect(self, answer: Answer, id_: str, **changes: Any) -> None:
            if id_ not in self.model.people:
                assert answer.status == 404
                return
            assert answer.status == 200, answer.raw
            self.model.people[id_] = changed(self.model.people[id_], **changes)

        @rule(target=groups, name=NAMES, members=st.lists(people | groups, max_size=3))
        def create_group(self, name: str, members: list[str]) -> Any:
            answer = self.ask("POST", "/Groups", {"displayName": name, "members": [{"value": one} for one in members]})
            if not all(map(self.model.exists, members)):
                assert answer.status == 400
                return multiple()
            assert answer.status == 201
            self.model.groups[answer.body["id"]] = name, set(members)
            return answer.body["id"]

        @rule(
            id_=groups,
            op=st.sampled_from(["add", "remove", "replace"]),
            members=st.lists(people | groups, min_size=1, max_size=3),
        )
        def patch_members(self, id_: str, op: str, members: list[str]) -> None:
            answer = self.patch(f"/Groups/{id_}", (op, "members", [{"value": one} for one in members]))
            if id_ not in self.model.groups:
                assert answer.status == 404
                return
            if op != "remove" and not all(map(self.model.exists, members)):
                assert answer.status == 400
                return
            assert answer.status == 204
            name, before = self.model.groups[id_]
            after = {"add": before | set(members), "remove": before - set(members), "replace": set(members)}[op]
            self.model.groups[id_] = name, after

        @rule(id_=consumes(people), again=st.booleans())
        def delete_person(self, id_: str, again: bool) -> None:
            assert self.ask("DELETE", f"/Users/{id_}").status == (204 if id_ in self.model.people else 404)
            self.model.forget(id_)
            if again:
                assert self.ask("DELETE", f"/Users/{id_}").status == 404

        @rule(id_=consumes(groups))
        def delete_group(self, id_: str) -> None:
            assert self.ask("DELETE", f"/Groups/{id_}").status == (204 if id_ in self.model.groups else 404)
            self.model.forget(id_)

        @rule(target=people, names=st.lists(NAMES, min_size=1, max_size=3), gone=people)
        def bulk(self, names: list[str], gone: str) -> Any:
            """Creates, and a delete between them of someone whose name the last may take."""
            creates = [
                {"method": "POST", "path": "/Users", "bulkId": str(n), "data": {"userName": name}} for n, name in enumerate(names)
            ]
            delete = {"method": "DELETE", "path": f"/Users/{gone}"}
            answer = self.ask("POST", "/Bulk", {"Operations": [*creates[:-1], delete, creates[-1]]})
            made = []
            for place, outcome in enumerate(answer.body["Operations"]):
                if outcome["method"] == "DELETE":
                    assert outcome["status"] == ("204" if gone in self.model.people else "404")
                    self.model.forget(gone)
                    continue
                name = names[min(place, len(names) - 1)]
                assert outcome["status"] == ("409" if self.model.taken(name) else "201")
                if outcome["status"] == "201":
                    made.append(outcome["location"].rpartition("/")[2])
                    self.model.people[made[-1]] = Person(name)
            return multiple(*made)

        @invariant()
        def agree(self) -> None:
            found = {one["id"]: one for one in self.ask("GET", "/Users").body["Resources"]}
            assert list(found) == list(self.model.people)
            for id_, person in self.model.people.items():
                shown = {name: value for name, value in found[id_].items() if name not in ("schemas", "id", "meta", "groups")}
                assert shown == person.body()
                direct = {group["value"] for group in found[id_].get("groups", []) if group["type"] == "direct"}
                assert direct == {group for group, (_, members) in self.model.groups.items() if id_ in members}
            groups = {one["id"]: one for one in self.ask("GET", "/Groups").body["Resources"]}
            assert list(groups) == list(self.model.groups)
            for id_, (name, members) in self.model.groups.items():
                assert (groups[id_]["displayName"], {one["value"] for one in groups[id_]["members"]}) == (name, members)
            for name in ("ann", "bob"):
                matching = self.ask("GET", f'/Users?filter=userName+eq+"{name}"').body["Resources"]
                assert [one["id"] for one in matching] == [i for i, p in self.model.people.items() if p.name.lower() == name]
            by_work = self.ask("GET", '/Users?filter=emails[type+eq+"work"+and+value+eq+"a@x"]').body["Resources"]
            assert [one["id"] for one in by_work] == [i for i, p in self.model.people.items() if p.work.lower() == "a@x"]

    return Service


@pytest.mark.usefixtures("database")
def test_service_and_model_agree_after_every_step(app: Flask, database: Database) -> None:
    run_state_machine_as_test(
        machine(app, database),
        settings=settings(max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[]),
    )
