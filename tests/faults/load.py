"""A load whose acknowledged changes are remembered, to be looked for after the accident."""

import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.support.client import Answer, Client

THREADS = 4


@dataclass
class Account:
    """A user: the last title that was acknowledged and the last that was asked for."""

    id: str
    acknowledged: int = 0
    asked: int = 0
    member: bool = False
    may_be_member: bool = False


@dataclass
class Load:
    """Creates users, sets their titles and puts them into one group, in several threads, until `stop`."""

    client: Client
    group: str
    accounts: dict[str, Account] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    """Names of users whose creation was not answered, or with an error that leaves open whether they are stored."""
    refused: set[str] = field(default_factory=set)
    """Names of users whose creation was answered with an error that says that nothing was stored."""
    statuses: set[int] = field(default_factory=set)
    acknowledged: int = 0
    _stopping: bool = False
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, more: int) -> None:
        """Until that many more changes have been acknowledged."""
        with self._changed:
            goal = self.acknowledged + more
            assert self._changed.wait_for(lambda: self.acknowledged >= goal, 60), "no change is acknowledged any more"

    def stop(self) -> None:
        self._stopping = True
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()

    def _run(self, thread: int) -> None:
        client = Client(self.client.tenant_url, self.client.token)
        turn = 0
        while not self._stopping:
            turn += 1
            self._live(client, f"user-{thread}-{turn}")
        client.close()

    def _live(self, client: Client, name: str) -> None:
        answer = self._answer(lambda: client.post("/Users", {"userName": name, "externalId": name, "title": "0"}))
        if answer is None or answer.status != 201:
            refused = answer is not None and "nothing was stored" in answer.body["detail"]
            (self.refused if refused else self.unknown).add(name)
            return
        account = self.accounts[name] = Account(answer.body["id"])
        for title in (1, 2):
            account.asked = title
            patched = self._answer(
                lambda: client.patch(f"/Users/{account.id}", {"op": "replace", "path": "title", "value": str(account.asked)})
            )
            if patched and patched.status == 200:
                account.acknowledged = title
        account.may_be_member = True
        add = {"op": "Add", "path": "members", "value": [{"value": account.id}]}
        added = self._answer(lambda: client.patch(f"/Groups/{self.group}", add))
        account.member = bool(added and added.status == 204)

    def _answer(self, send: Callable[[], Answer]) -> Answer | None:
        """What was answered; None where the connection was lost before."""
        try:
            answer = send()
        except (OSError, http.client.HTTPException):
            return None
        self.statuses.add(answer.status)
        if answer.status < 300:
            with self._changed:
                self.acknowledged += 1
                self._changed.notify_all()
        return answer


def check(load: Load, client: Client) -> None:
    """Everything that was acknowledged is there, whole, and of the rest nothing is there by half."""
    assert load.statuses <= {200, 201, 204, 503}
    members = {member["value"] for member in client.get(f"/Groups/{load.group}").body["members"]}
    for name, account in load.accounts.items():
        user = client.get(f"/Users/{account.id}")
        assert (user.status, user.body["userName"]) == (200, name)
        assert account.acknowledged <= int(user.body["title"]) <= account.asked
        for text in (f'userName eq "{name}"', f'externalId eq "{name}" and title eq "{user.body["title"]}"'):
            assert [found["id"] for found in client.filter("/Users", text).body["Resources"]] == [account.id]
        assert account.member <= (account.id in members) <= account.may_be_member
    for name in load.refused:
        assert client.filter("/Users", f'userName eq "{name}"').body["totalResults"] == 0
    half = 0
    for name in load.unknown:
        by_name = client.filter("/Users", f'userName eq "{name}"').body.get("Resources", [])
        by_id = client.filter("/Users", f'externalId eq "{name}" and title eq "0"').body.get("Resources", [])
        assert by_name == by_id
        half += len(by_name)
    assert client.get("/Users?count=0").body["totalResults"] == len(load.accounts) + half
