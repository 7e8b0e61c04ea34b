"""Bulk (RFC 7644 §3.7): each operation a transaction of its own, in the order of the request.

Only creates are ever moved, and only to just before the first operation that refers to what they make. Creates that refer to each
other in a circle begin with one that goes without the references that can't be resolved yet; it is completed as soon as they can.
Where they never can, what was created for it is taken back, and so is what was created with a reference to that; but never an
account that was there before, and that a create has restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scimsvc.protocol.bulk import BULK_RESPONSE_URN, BulkOperation, BulkRequest, hopeless
from scimsvc.protocol.errors import ScimError
from scimsvc.protocol.etag import etag
from scimsvc.protocol.limits import Limits
from scimsvc.service.actor import SERVER, Actor
from scimsvc.service.bulk_operations import BulkOperations, Prepared
from scimsvc.service.catalog import Catalog
from scimsvc.service.rendering import Effect
from scimsvc.store.database import Database, DatabaseUnavailable


class OperationResult(NamedTuple):
    """What came of one operation, for the log and the metrics. `endpoint` is in lower case, and may be any text of the client, as
    may `id` and the names in `ignored`, which no schema has; `dialect` are the names of the dialect's rules that changed it.
    """

    method: str
    endpoint: str
    id: str
    status: int
    error: ScimError | None
    effect: Effect | None
    dialect: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class BulkRun(NamedTuple):
    """The BulkResponse, and what came of each operation in the order of the request."""

    response: dict[str, Any]
    results: list[OperationResult]


class BulkService:
    """Bulk requests of one tenant. `base` is the absolute URL of the SCIM endpoint."""

    def __init__(
        self, database: Database, tenant_id: int, catalog: Catalog, base: str, limits: Limits, actor: Actor = SERVER
    ) -> None:
        self._operations = BulkOperations(database, tenant_id, catalog, base, limits, actor)

    def run(self, request: BulkRequest) -> BulkRun:
        """Carry the operations out. Return their outcomes in the order of the request."""
        run = _Run(self._operations, request)
        run.all()
        places = sorted(run.outcomes)
        outcomes = [run.outcomes[place] for place in places]
        response = {"schemas": [BULK_RESPONSE_URN], "Operations": outcomes}
        return BulkRun(response, [run.result(place) for place in places])


@dataclass
class _Frame:
    """An operation under way: what it may still need, the last first, and what it needs that is under way itself."""

    place: int
    prepared: Prepared
    todo: list[str]
    waiting: list[str] = field(default_factory=list)


class _Run:
    """The state of one bulk request: which bulkIds have become ids, what is under way, and what has come of the rest.

    Under way is a stack, on which an operation lies beneath what is carried out for it. What is on it has no outcome yet, but for
    creates that were begun without some of their references (`_unfinished`) and what has failed meanwhile.
    """

    def __init__(self, operations: BulkOperations, request: BulkRequest) -> None:
        self._operations = operations
        self._request = request.operations
        self._limit = request.fail_on_errors
        self._problems: dict[int, ScimError] = {}
        self._makers = {
            one.bulk_id: place
            for place, one in enumerate(self._request)
            if one.method == "POST" and one.bulk_id and not one.problem
        }
        self._prepared = self._prepare()
        self._ids: dict[str, str] = {}
        self._stack: list[_Frame] = []
        self._position: dict[int, int] = {}
        self._unfinished: dict[int, Prepared] = {}
        self._users: dict[str, list[int]] = {}
        self._failed: set[int] = set()
        self._restored: set[int] = set()
        self.outcomes: dict[int, dict[str, Any]] = {}
        self._errors: dict[int, ScimError] = {}
        self._effects: dict[int, Effect] = {}

    def result(self, place: int) -> OperationResult:
        """Return what came of an operation that has an outcome."""
        operation, outcome = self._request[place], self.outcomes[place]
        id_ = outcome.get("location", "").rpartition("/")[2]
        error = self._errors.get(place)
        effect = None if error else self._effects.get(place)
        status, prepared = int(outcome["status"]), self._prepared.get(place)
        rules, ignored = (prepared.request.rules, prepared.request.ignored) if prepared else ((), ())
        return OperationResult(operation.method, operation.endpoint, id_, status, error, effect, rules, ignored)

    def _prepare(self) -> dict[int, Prepared]:
        """What can be carried out; why the others can't is their problem."""
        found: dict[int, Prepared] = {}
        for place, operation in enumerate(self._request):
            try:
                found[place] = self._operations.prepare(operation, self._makers)
            except ScimError as error:
                self._problems[place] = error
        for place, names in hopeless({place: one.references for place, one in found.items()}, self._makers).items():
            self._problems[place] = _unresolvable(names)
        return found

    def all(self) -> None:
        """Carry all out, until too many have failed."""
        for place in range(len(self._request)):
            if self._stopped():
                return
            if place in self._problems:
                self._fail(place, self._problems[place])
            elif place not in self.outcomes:
                self._push(place)
                self._work_off()

    def _stopped(self) -> bool:
        return 0 < self._limit <= len(self._failed)

    def _push(self, place: int) -> None:
        prepared = self._prepared[place]
        # Of several that are needed the first in the request comes first.
        todo = sorted(prepared.references, key=lambda name: self._makers[name], reverse=True)
        self._position[place] = len(self._stack)
        self._stack.append(_Frame(place, prepared, todo))

    def _work_off(self) -> None:
        """Carry out what is on the stack."""
        while self._stack and not self._stopped():
            frame = self._stack[-1]
            if frame.place in self.outcomes and frame.place not in self._unfinished:
                del self._position[self._stack.pop().place]
                continue
            needed = self._needed(frame)
            if needed is not None:
                self._push(needed)
            elif frame.waiting:
                self._break_circle(self._position[self._makers[frame.waiting[-1]]])
            else:
                self._carry_out(frame)
        for place in list(self._unfinished):
            if place in self._unfinished:
                self._complete(place)
        self._stack.clear()
        self._position.clear()
        self._users.clear()

    def _needed(self, frame: _Frame) -> int | None:
        """The create that has to be attempted before this operation, unless that one is under way itself."""
        if frame.todo:
            while frame.todo:
                maker = self._makers[frame.todo[-1]]
                if maker not in self.outcomes and maker not in self._position:
                    return maker
                frame.waiting.append(frame.todo.pop())
            frame.waiting.sort(key=lambda name: self._position.get(self._makers[name], -1), reverse=True)
        while frame.waiting and self._makers[frame.waiting[-1]] in self.outcomes:
            frame.waiting.pop()
        return None

    def _break_circle(self, base: int) -> None:
        """What is on the stack from `base` on needs each other: begin with the first create that can go without the others."""
        end = len(self._stack)
        while base < end:
            if any(self._makes_way(base, at) for at in range(base, end)):
                return
            waiting = (self._makers[name] for frame in self._stack[base:end] for name in frame.waiting)
            # None of them can, so whatever they wait for further down has to be next.
            end, base = base, min((self._position[place] for place in waiting if place not in self.outcomes), default=base)
        detail = (
            "It and what it refers to refer to each other in attributes that are required, or in creates that may restore an "
            "account, so none can be created first."
        )
        self._fail(self._stack[-1].place, ScimError(409, detail, "invalidValue"))

    def _makes_way(self, base: int, at: int) -> bool:
        """Begin a create of a circle, or else one that it needs and that isn't part of it; False where neither can be."""
        frame = self._stack[at]
        if frame.place in self.outcomes:
            return False
        needed = self._needed(frame)
        if needed is not None:
            # The less it has to go without, the better.
            self._push(needed)
            return True
        if not self._begin(frame):
            return False
        if at > base:
            # What needs it is beneath it, and what it lacks needs those: they come first now.
            self._stack[base:] = self._stack[at:] + self._stack[base:at]
            self._position.update((one.place, base + n) for n, one in enumerate(self._stack[base:]))
        return True

    def _begin(self, frame: _Frame) -> bool:
        """Attempt a create without what can't be resolved yet; False where it can't be without."""
        missing = {name for name in frame.waiting if self._makers[name] not in self.outcomes}
        parts = self._operations.part(frame.prepared, missing) if missing else (frame.prepared, None)
        if parts is None:
            return False
        create, completion = parts
        if self._attempt(frame.place, create, missing) and completion:
            self._unfinished[frame.place] = completion
        return True

    def _carry_out(self, frame: _Frame) -> None:
        if frame.place in self._unfinished:
            self._complete(frame.place)
        else:
            self._attempt(frame.place, frame.prepared)

    def _attempt(self, place: int, prepared: Prepared, without: Iterable[str] = ()) -> bool:
        operation = prepared.operation
        try:
            self._require(set(prepared.references).difference(without))
            status, rendered = self._operations.carry_out(prepared, self._ids)
        except (ScimError, DatabaseUnavailable) as error:
            self._fail(place, error)
            return False
        outcome = self._outcome(operation, status)
        if rendered:
            outcome |= {"location": rendered.location, "version": etag(rendered.version)}
            if rendered.restored:
                self._restored.add(place)
            if rendered.effect:
                self._effects[place] = rendered.effect
            if operation.method == "POST" and operation.bulk_id:
                self._ids[operation.bulk_id] = rendered.location.rpartition("/")[2]
                for name in prepared.references:
                    self._users.setdefault(name, []).append(place)
        self.outcomes[place] = outcome
        return True

    def _complete(self, place: int) -> None:
        """Give a create that was begun what it had to go without."""
        completion = self._unfinished.pop(place)
        try:
            self._require(completion.references)
            _, rendered = self._operations.carry_out(completion, self._ids)
            if rendered:
                self.outcomes[place]["version"] = etag(rendered.version)
        except (ScimError, DatabaseUnavailable) as error:
            self._fail(place, error)

    def _require(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self._ids]
        if missing:
            raise _unresolvable(missing)

    def _fail(self, place: int, error: ScimError | DatabaseUnavailable) -> None:
        """Note that an operation failed; what was created for it is taken back, and so are the creates that refer to that, unless
        they have restored what was there.
        """
        failed = [(place, error)]
        while failed:
            place, error = failed.pop()
            if place in self._failed:
                continue
            self._failed.add(place)
            self._unfinished.pop(place, None)
            if isinstance(error, DatabaseUnavailable):
                error = ScimError(503, error.in_words(), rule=f"database {error.reason}")
            self._errors[place] = error
            self.outcomes[place] = self._failure(self._request[place], error)
            name = self._request[place].bulk_id
            if name and self._makers.get(name) == place:
                self._take_back(place, self._ids.pop(name, None))
                users = self._users.pop(name, ())
                failed += [(user, _unresolvable([name])) for user in users if user not in self._restored]

    def _take_back(self, place: int, id_: str | None) -> None:
        try:
            if id_ and place not in self._restored:
                self._operations.take_back(self._request[place], id_)
        except (ScimError, DatabaseUnavailable):
            # Gone already, or the database is; then the outcome says that it failed, and the next look what is there.
            return

    def _failure(self, operation: BulkOperation, error: ScimError) -> dict[str, Any]:
        return self._outcome(operation, error.status) | {"response": error.document()}

    def _outcome(self, operation: BulkOperation, status: int) -> dict[str, Any]:
        found: Mapping[str, Any] = {
            "method": operation.method,
            "bulkId": operation.bulk_id,
            "location": self._operations.location(operation, self._ids),
            "status": str(status),
        }
        return {name: value for name, value in found.items() if value}


def _unresolvable(names: Iterable[str]) -> ScimError:
    shown = ", ".join(sorted({name[:64] for name in names})[:5])
    return ScimError(409, f"bulkId {shown}: no operation of this request has created a resource with it.", "invalidValue")
