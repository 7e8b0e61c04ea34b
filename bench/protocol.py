"""`make bench-protocol`: what an operation costs in a bulk request beside one of its own, and what a late page costs beside the
first, as ratios in one run on SQLite.

The walks go through all users, 250,000 by default, as an administrator's account discovery does.
"""

import argparse
import itertools
import statistics
import sys
import time
import urllib.parse
from pathlib import Path

from run import USER_URN, patch_op, servers, user

from scimsvc.service.catalog import Catalog
from scimsvc.service.ids import new_id
from scimsvc.service.profiles.files import load_profile
from scimsvc.store import tenants
from scimsvc.store.database import Database
from scimsvc.store.resources import ResourceStore

BULK_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
BULK_RATIO = 1.0
"""An operation of a bulk request may cost so much of what a request of its own does."""
PAGE_RATIO = 2.0
"""The last pages of a walk by cursor may cost so much of what its first ones do."""
OPERATIONS = 1000
PAGE = 200


def bulk(client, rounds):
    """The ratios of creates and patches: seconds for each in one bulk request, divided by those for each in single requests."""
    ratios = {"create": [], "patch": []}
    for number in range(rounds):
        names = [f"single-{number}-{place}" for place in range(OPERATIONS)]
        began = time.perf_counter()
        ids = [client("POST", "/Users", user(name))["id"] for name in names]
        single = time.perf_counter() - began
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": name, "data": user(name)}
            for name in (f"bulk-{number}-{place}" for place in range(OPERATIONS))
        ]
        ratios["create"].append(in_bulk(client, operations) / single)
        changes = [patch_op({"op": "replace", "path": "title", "value": f"{number}-{place}"}) for place in range(OPERATIONS)]
        began = time.perf_counter()
        for id_, change in zip(ids, changes, strict=True):
            client("PATCH", f"/Users/{id_}", change)
        single = time.perf_counter() - began
        operations = [
            {"method": "PATCH", "path": f"/Users/{id_}", "data": patch_op({"op": "replace", "path": "title", "value": "x"})}
            for id_ in ids
        ]
        ratios["patch"].append(in_bulk(client, operations) / single)
    return ratios


def in_bulk(client, operations):
    began = time.perf_counter()
    answer = client("POST", "/Bulk", {"schemas": [BULK_URN], "Operations": operations})
    took = time.perf_counter() - began
    wrong = [one for one in answer["Operations"] if int(one["status"]) >= 300]
    if wrong:
        raise SystemExit(f"Bulk: {wrong[0]}")
    return took


def fill(url, users):
    """Stores users of the tenant `bench`, many in a transaction, but not more than the cache holds; the server is at rest."""
    database = Database(url)
    tenant = tenants.find_tenant(database, "bench")
    profile = load_profile(Path(__file__).parent.parent / "mappings" / "entra.yaml")
    served = Catalog(profile).types["users"]
    store = ResourceStore(database, tenant.id, served.resource_type, served.indexer)
    numbers = iter(range(users))
    while batch := list(itertools.islice(numbers, 200)):

        def work(batch=batch):
            for number in batch:
                id_ = new_id()
                document = {"schemas": [USER_URN], "id": id_, **user(f"{number * 7919 % users:07d}")}
                store.insert(store.prepare(id_, document))

        database.transaction(work)
    database.close()


def walk(client, name, first, following, expected):
    """Go through all pages; seconds in all, and of the median page of the first and of the last twentieth."""
    times, ids, path = [], set(), first
    while path:
        began = time.perf_counter()
        answer = client("GET", f"/Users?count={PAGE}&attributes=id&{path}")
        times.append(time.perf_counter() - began)
        ids.update(one["id"] for one in answer["Resources"])
        path = following(answer)
    if len(ids) != expected:
        raise SystemExit(f"{name}: {len(ids)} users of {expected}")
    part = max(1, len(times) // 20)
    return sum(times), statistics.median(times[1 : part + 1]), statistics.median(times[-part:])


def by_cursor(answer):
    return "nextCursor" in answer and f"cursor={urllib.parse.quote(answer['nextCursor'])}"


def by_index(answer):
    following = answer["startIndex"] + len(answer["Resources"])
    return following <= answer["totalResults"] and f"startIndex={following}"


def sorted_by_cursor(answer):
    following = by_cursor(answer)
    return following and f"sortBy=userName&{following}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=250_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    missed = False
    with servers() as (both, folder):
        client = both[1].client()
        print("| operation in a bulk request | of what a request of its own costs | wanted |\n| --- | ---: | ---: |")
        for operation, ratios in bulk(client, asked.rounds).items():
            ratio = statistics.median(ratios)
            missed |= ratio > BULK_RATIO
            print(f"| {operation} | {ratio:.2f} | {BULK_RATIO} |", flush=True)
        there = client("GET", "/Users?count=0")["totalResults"]
        began = time.perf_counter()
        fill(f"sqlite:///{folder}/scimsvc.db", asked.users)
        expected = there + asked.users
        client = both[1].client()
        print(f"\n{expected:,} users ({time.perf_counter() - began:.0f} s to store)\n", flush=True)
        print("| walk | all pages | first pages | last pages | ratio | wanted |\n| --- | ---: | ---: | ---: | ---: | ---: |")
        for name, first, following, wanted in (
            ("cursor", "cursor", by_cursor, PAGE_RATIO),
            ("cursor, sortBy=userName", "sortBy=userName&cursor", sorted_by_cursor, PAGE_RATIO),
            ("startIndex", "startIndex=1", by_index, None),
        ):
            whole, early, late = walk(client, name, first, following, expected)
            missed |= wanted is not None and late / early > wanted
            print(
                f"| {name} | {whole:.1f} s | {early * 1000:.2f} ms | {late * 1000:.2f} ms "
                f"| {late / early:.2f} | {wanted or '-'} |",
                flush=True,
            )
    sys.exit("A ratio is not what scimsvc promises." if missed else 0)


if __name__ == "__main__":
    main()
