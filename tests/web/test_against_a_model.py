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
REFERENCES = st.integers(0, 6).map(lambda place: f"bulkId:{place}")
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_tenants = itertools.count()


@dataclass(frozen=True)
class Person:
    name: str
    title: str = ""
    active: bool | None = None
    work: str = ""
    manager: str = ""

    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = {"userName": self.name}
        if self.title:
            found["title"] = self.title
        if self.active is not None:
            found["active"] = self.active
        if self.work:
            found["emails"] = [{"type": "work", "value": self.work}]
        if self.manager:
            found[ENTERPRISE] = {"manager": {"value": self.manager}}
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

    def change_members(self, id_: str, op: str, members: set[str]) -> None:
        name, before = self.groups[id_]
        self.groups[id_] = name, {"add": before | members, "remove": before - members, "replace": members}[op]


@dataclass(frozen=True)
class Step:
    """An operation of a bulk request; its bulkId is its place in it. Members, of which a person has the first as manager, and the
    target are ids or `bulkId:n`.
    """

    method: str
    of_person: bool
    target: str
    name: str
    op: str
    members: list[str]

    def operation(self, place: int) -> dict[str, Any]:
        path = ("/Users" if self.of_person else "/Groups") + ("" if self.method == "POST" else f"/{self.target}")
        found = {"method": self.method, "path": path, "bulkId": str(place)}
        elements = [{"value": one} for one in self.members]
        if self.method == "PATCH":
            change = {"op": "replace", "path": "title", "value": self.name}
            if not self.of_person:
                change = {"op": self.op, "path": "members", "value": elements}
            return {**found, "data": {"Operations": [change]}}
        whole = Person(self.name, manager="".join(self.members[:1])).body()
        return {**found, "data": whole if self.of_person else {"displayName": self.name, "members": elements}}

    def references(self) -> set[str]:
        """The places of the operations, as texts, that this one refers to."""
        texts = [] if self.method == "POST" else [self.target]
        if self.method != "DELETE" and not (self.of_person and self.method == "PATCH"):
            texts += self.members[:1] if self.of_person else self.members
        return {text.removeprefix("bulkId:") for text in texts if text.startswith("bulkId:")}


def aimed(steps: list[Step]) -> list[Step]:
    """The same with references that nearly all name a create, and changes that are of the kind that it makes."""
    creates = [place for place, step in enumerate(steps) if step.method == "POST"]
    names = {f"bulkId:{n}": f"bulkId:{creates[n % len(creates)]}" for n in range(6)} if creates else {}
    of_person = {names[name]: steps[int(names[name].removeprefix("bulkId:"))].of_person for name in names}
    found = []
    for step in steps:
        target, members = names.get(step.target, step.target), [names.get(one, one) for one in step.members]
        kind = step.of_person if step.method == "POST" else of_person.get(target, step.of_person)
        found.append(changed(step, target=target, members=members, of_person=kind))
    return found


class BulkModel:
    """What comes of a bulk request: its operations in their order, each after the creates that it needs. Those that need each
    other are made all or none; names are used once, so the order of creates that belong together makes no difference.
    """

    def __init__(self, model: Model, steps: list[Step], outcomes: list[dict[str, Any]]) -> None:
        self.model, self.steps, self.outcomes = model, steps, outcomes
        self.makers = {str(place): place for place, step in enumerate(steps) if step.method == "POST"}
        self.ids: dict[str, str] = {}
        self.done: set[int] = set()

    def run(self) -> None:
        hopeless: set[int] = set()
        for _ in self.steps:
            known = self.makers.keys() - {str(place) for place in hopeless}
            hopeless = {place for place, step in enumerate(self.steps) if not step.references() <= known}
        for place, step in enumerate(self.steps):
            if place in hopeless:
                self.expect(place, 409)
                continue
            needed, new = set[int](), {place}
            while new - needed:
                needed |= new
                new = {self.makers[name] for one in needed for name in self.steps[one].references()} - self.done
            self.create({one for one in needed if self.steps[one].method == "POST"} - self.done)
            if step.method != "POST":
                self.expect(place, 409 if step.references() - self.ids.keys() else self.change(step))

    def expect(self, place: int, *statuses: int) -> None:
        assert int(self.outcomes[place]["status"]) in statuses, (place, statuses, self.steps, self.outcomes)
        self.done.add(place)

    def create(self, places: set[int]) -> None:
        wrong = {place for place in places if self.is_wrong(self.steps[place])}
        good = places - wrong
        while any(self.lacking(place, good) for place in good):
            good = {place for place in good if not self.lacking(place, good)}
        for place in places - good:
            # Who is wrong in itself and lacks another may be told either.
            statuses = {400 if not self.steps[place].of_person else 409} if place in wrong else set[int]()
            self.expect(place, *statuses, *([409] if self.lacking(place, good) else []))
        for place in good:
            self.expect(place, 201)
            self.ids[str(place)] = self.outcomes[place]["location"].rpartition("/")[2]
        for place in good:
            step, id_ = self.steps[place], self.ids[str(place)]
            if step.of_person:
                self.model.people[id_] = self.person(step)
            else:
                self.model.groups[id_] = step.name, set(self.resolved(step.members))

    def is_wrong(self, step: Step) -> bool:
        if step.of_person:
            return self.model.taken(step.name)
        known = [one for one in self.resolved(step.members) if not one.startswith("bulkId:")]
        return not all(map(self.model.exists, known))

    def lacking(self, place: int, good: set[int]) -> set[str]:
        return self.steps[place].references() - self.ids.keys() - {str(one) for one in good}

    def resolved(self, texts: list[str]) -> list[str]:
        return [self.ids.get(text.removeprefix("bulkId:"), text) for text in texts]

    def person(self, step: Step) -> Person:
        return Person(step.name, manager="".join(self.resolved(step.members[:1])))

    def change(self, step: Step) -> int:
        model, (id_, *members) = self.model, self.resolved([step.target, *step.members])
        if id_ not in (model.people if step.of_person else model.groups):
            return 404
        if step.method == "DELETE":
            model.forget(id_)
            return 204
        if step.of_person and step.method == "PUT" and model.taken(step.name, id_):
            return 409
        if step.of_person:
            person = self.person(step) if step.method == "PUT" else changed(model.people[id_], title=step.name)
            model.people[id_] = person
            return 200
        if not all(map(model.exists, members)) and (step.method, step.op) != ("PATCH", "remove"):
            return 400
        if step.method == "PUT":
            model.groups[id_] = step.name, set(members)
        else:
            model.change_members(id_, step.op, set(members))
        return 200


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
            self.model.change_members(id_, op, set(members))

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

        @rule(
            steps=st.lists(
                st.builds(
                    Step,
                    st.sampled_from(["POST"] * 5 + ["PUT", "PATCH", "PATCH", "DELETE"]),
                    st.booleans(),
                    REFERENCES | people | groups,
                    NAMES | st.sampled_from(["kim", "lea", "tom"]),
                    st.sampled_from(["add", "remove", "replace"]),
                    st.lists(REFERENCES | people | groups, min_size=1, max_size=2),
                ),
                min_size=3,
                max_size=7,
                unique_by=lambda step: step.name.lower(),
            )
        )
        def bulk_with_references(self, steps: list[Step]) -> None:
            """References forwards, backwards and in circles, to what is made, what isn't and what is gone."""
            steps = aimed(steps)
            answer = self.ask("POST", "/Bulk", {"Operations": [step.operation(place) for place, step in enumerate(steps)]})
            bulk = BulkModel(self.model, steps, answer.body["Operations"])
            bulk.run()
            made = set(bulk.ids.values())
            for path, kind in (("/Users", self.model.people), ("/Groups", self.model.groups)):
                # Which of them is first is left open.
                listed = [one["id"] for one in self.ask("GET", path).body["Resources"]]
                places = {id_: place for place, id_ in enumerate(listed) if id_ in made}
                for id_ in sorted(made & kind.keys(), key=places.__getitem__):
                    kind[id_] = kind.pop(id_)

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
