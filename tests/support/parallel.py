"""Calls that are let go at the same moment, each from a thread of its own."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tests.support.client import Client

Result = TypeVar("Result")


def at_once(calls: Iterable[Callable[[], Result]]) -> list[Result]:
    """The results of the calls in their order."""
    waiting = list(calls)
    barrier = threading.Barrier(len(waiting))

    def one(call: Callable[[], Result]) -> Result:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(waiting)) as threads:
        return list(threads.map(one, waiting))


def connections(client: Client, number: int) -> list[Client]:
    """Clients like this one, each with a connection that is open already."""
    made = [Client(client.tenant_url, client.token) for _ in range(number)]
    for one in made:
        assert one.get("/ServiceProviderConfig").status == 200
    return made
