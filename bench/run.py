"""`make bench`: scimsvc beside the floor of its stack in one run, as shares; and what a member of a group costs.

Both run under gunicorn with two threaded workers of four threads on SQLite with synchronous=FULL. wrk drives each in
turn with eight connections, several rounds, each with new servers on new databases: how a process happens to lie in
memory is worth some percent. A share is the median over the rounds of scimsvc's requests a second divided by the
floor's in the same round. Timings of one machine mean little; shares carry over.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from string import Template

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
BASE_PATH = "/api/scim/v2"
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
WANTED = {"get": 0.80, "filter": 0.75, "create": 0.65, "patch": 0.60}
"""The shares of the floor that scimsvc promises at least."""
GROUP_RATIO = 1.3
USERS = 500


class Server:
    """A server under gunicorn in a process group of its own; `base` is the path before /Users."""

    def __init__(self, name, base, app, folder, environment, arguments=()):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.name, self.base = name, base
        command = [
            BIN / "gunicorn",
            "-w",
            "2",
            "--threads",
            "4",
            "-b",
            f"127.0.0.1:{self.port}",
            *arguments,
            app,
        ]
        with (folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=HERE, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
            )
        self.token = ""
        self.ids = []

    def wait(self):
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.name} does not start")

    def client(self):
        return Client(self)

    def cpu(self):
        """Seconds of CPU that its processes have used."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


class Client:
    """One connection, one request after the other."""

    def __init__(self, server):
        self.base = server.base
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/scim+json"}

    def __call__(self, method, path, body=None):
        self.connection.request(method, self.base + path, body and json.dumps(body), self.headers)
        response = self.connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise SystemExit(f"{method} {path}: {response.status} {content[:300]!r}")
        return json.loads(content) if content else None


def user(key):
    return {
        "schemas": [USER_URN],
        "externalId": key,
        "userName": key,
        "active": True,
        "displayName": "Jane Doe",
        "emails": [{"type": "work", "primary": True, "value": f"{key}@example.com"}],
        "name": {"givenName": "Jane", "familyName": "Doe", "formatted": "Jane Doe"},
    }


def patch_op(*operations):
    return {"schemas": [PATCH_URN], "Operations": list(operations)}


@contextmanager
def servers():
    """The floor and scimsvc, each on a new database of its own, and the folder of both."""
    with tempfile.TemporaryDirectory(prefix="scimsvc-bench-") as name:
        folder = Path(name)
        yield from _servers(folder)


def _servers(folder):
    settings = {
        "SCIMSVC_DATABASE_URL": f"sqlite:///{folder}/scimsvc.db",
        "SCIMSVC_SERVER_WORKERS": "2",
        "SCIMSVC_SERVER_THREADS": "4",
        "SCIMSVC_CONFIG": str(HERE.parent / "config.yaml"),
        "SCIMSVC_MAPPINGS_DIRECTORY": str(HERE.parent / "mappings"),
        "PYTHONPATH": str(HERE.parent),
    }
    scimsvc = [BIN / "scimsvc"]
    for arguments in (["db", "migrate"], ["tenant", "create", "bench", "--profile", "entra"]):
        subprocess.run([*scimsvc, *arguments], check=True, env=os.environ | settings, stdout=subprocess.DEVNULL)
    created = subprocess.run(
        [*scimsvc, "token", "create", "--tenant", "bench"],
        check=True,
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        text=True,
    )
    both = (
        Server("floor", "", "floor:app", folder, {"FLOOR_DATABASE": f"{folder}/floor.db"}, ["-k", "gthread"]),
        Server("scimsvc", BASE_PATH, "wsgi:app", folder, settings, ["-c", str(HERE.parent / "gunicorn.conf.py")]),
    )
    both[1].token = created.stdout.strip()
    try:
        for server in both:
            server.wait()
        yield both, folder
    finally:
        for server in both:
            server.stop()


def script(server, operation, seed):
    """The Lua program by which wrk makes the requests of one operation."""
    document = user("KEY") if operation == "create" else patch_op({"op": "replace", "path": "active", "value": "ACTIVE"})
    constants = {
        "base": server.base,
        "ids": ",".join(f'"{id_}"' for id_ in server.ids),
        "body": json.dumps(json.dumps(document)),
        "token": server.token,
        "seed": seed,
    }
    return _PROGRAM.substitute(constants, request=_REQUESTS[operation])


_PROGRAM = Template("""
local base, body, seed, ids, n = '$base', $body, '$seed', { $ids }, 0
local headers = { ['Authorization'] = 'Bearer $token', ['Content-Type'] = 'application/scim+json' }
function request() n = n + 1; $request end
""")
_REQUESTS = {
    "get": "return wrk.format('GET', base .. '/Users/' .. ids[n % #ids + 1], headers)",
    "filter": """local key = 'user-' .. n * 7919 % #ids
        return wrk.format('GET', base .. '/Users?filter=externalId%20eq%20%22' .. key .. '%22', headers)""",
    "create": "return wrk.format('POST', base .. '/Users', headers, (body:gsub('KEY', seed .. '-' .. n)))",
    "patch": """local active = tostring(math.floor(n / #ids) % 2 == 0)
        return wrk.format('PATCH', base .. '/Users/' .. ids[n % #ids + 1], headers, (body:gsub('"ACTIVE"', active)))""",
}


def drive(server, operation, seconds, folder):
    """Requests a second and microseconds of the server's CPU for each."""
    program = folder / "wrk.lua"
    program.write_text(script(server, operation, uuid.uuid4().hex[:8]))
    before = server.cpu()
    report = subprocess.run(
        ["wrk", "-t1", "-c8", f"-d{seconds}s", "-s", str(program), f"http://127.0.0.1:{server.port}"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    used = server.cpu() - before
    if "Non-2xx" in report or "Socket errors" in report:
        raise SystemExit(f"{server.name} {operation}:\n{report}")
    total = int(re.search(r"(\d+) requests in", report)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", report)[1]), used / total * 1e6


def shares(operations, rounds, seconds):
    results = {operation: [] for operation in operations}
    for number in range(rounds):
        with servers() as (both, folder):
            for server in both:
                client = server.client()
                server.ids = [client("POST", "/Users", user(f"user-{number}"))["id"] for number in range(USERS)]
            for operation in operations:
                # Whoever comes second finds the machine as the first left it, so they take turns.
                turn = both if number % 2 else both[::-1]
                driven = {server.name: drive(server, operation, seconds, folder) for server in turn}
                results[operation].append([driven[server.name] for server in both])
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    missed = False
    print("| operation | floor/s | scimsvc/s | share | wanted | CPU: floor µs | scimsvc µs | share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for operation in operations:
        rates = [statistics.median(result[side][0] for result in results[operation]) for side in (0, 1)]
        cpu = [statistics.median(result[side][1] for result in results[operation]) for side in (0, 1)]
        share = statistics.median(ours[0] / floor[0] for floor, ours in results[operation])
        missed |= share < WANTED[operation]
        print(
            f"| {operation} | {rates[0]:.0f} | {rates[1]:.0f} | {share:.2f} | {WANTED[operation]:.2f} "
            f"| {cpu[0]:.0f} | {cpu[1]:.0f} | {cpu[0] / cpu[1]:.2f} |",
            flush=True,
        )
    return missed


def groups(server, sizes, repetitions):
    """Add and remove one member of groups of different sizes, in turn; the median time of each."""
    client = server.client()
    ids = [client("POST", "/Users", user(f"member-{number}"))["id"] for number in range(max(sizes) + 1)]
    targets = {}
    for size in sizes:
        document = {"schemas": [GROUP_URN], "externalId": f"group-{size}", "displayName": f"Group of {size}"}
        document["members"] = [{"value": id_} for id_ in ids[:size]]
        targets[size] = "/Groups/" + client("POST", "/Groups?excludedAttributes=members", document)["id"]
    operations = {
        "add": {"op": "add", "path": "members", "value": [{"value": ids[-1]}]},
        "remove": {"op": "remove", "path": f'members[value eq "{ids[-1]}"]'},
    }
    times = {(op, size): [] for op in operations for size in sizes}
    for _ in range(repetitions):
        for size in sizes:
            for op, operation in operations.items():
                began = time.perf_counter()
                client("PATCH", targets[size], patch_op(operation))
                times[op, size].append(time.perf_counter() - began)
    missed = False
    print("\n| one member | " + " | ".join(f"group of {size:,}" for size in sizes) + " | ratio | wanted |")
    print("| --- |" + " ---: |" * (len(sizes) + 2))
    for op in operations:
        medians = [statistics.median(times[op, size]) for size in sizes]
        ratio = medians[-1] / medians[0]
        missed |= ratio > GROUP_RATIO
        print(f"| {op} | " + " | ".join(f"{one * 1000:.2f} ms" for one in medians) + f" | {ratio:.2f} | {GROUP_RATIO} |")
    return missed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", default="get,filter,create,patch,groups", help="comma-separated, default: %(default)s")
    asked = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("The benchmark needs wrk (https://github.com/wg/wrk); most systems have it as package `wrk`.")
    only = asked.only.split(",")
    missed = shares([one for one in only if one in WANTED], asked.rounds, asked.seconds)
    if "groups" in only:
        with servers() as (both, _):
            missed |= groups(both[1], (10, 10_000), 200)
    sys.exit("A share or ratio is not what scimsvc promises." if missed else 0)


if __name__ == "__main__":
    main()
