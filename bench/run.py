"""`make bench`: scimsvc beside the floor of its stack in one run, as shares; and what a member of a group costs.

Both run under gunicorn with as many workers and threads as scimsvc has by default, on SQLite with synchronous=FULL and on
a PostgreSQL that was never analysed. wrk drives each in turn with eight connections, several rounds, each with new servers
on new databases, because how a process happens to lie in memory is worth some percent. A share is the median over the
rounds of scimsvc's requests a second divided by the floor's in the same round. Timings of one machine mean little; shares
carry over.

With `--compare CHECKOUT` another checkout of scimsvc takes the floor's place. Its own .venv is used if there is one.
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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template

import postgresql

HERE = Path(__file__).parent
ROOT = HERE.parent
BASE_PATH = "/api/scim/v2"
USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_URN = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK_URN = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
KINDS = ("sqlite", "postgresql")
ROWS = ("get", "filter", "create", "refused", "patch", "add", "remove", "bulk", "delete")
"""In the order in which they are driven: `delete` ends the users that the rows before it have made."""
WANTED = {"sqlite": {"get": 0.80, "filter": 0.75, "create": 0.65, "patch": 0.60}, "postgresql": {}}
"""The shares of the floor that scimsvc promises at least."""
GROUP_RATIO = 1.3
TIME_RATIO = 1.03
"""A request may take so much of the time that it takes with the other checkout."""
USERS = 500
CONNECTIONS = 8
MEMBERSHIPS_A_SECOND = 5000
"""More members than are added or removed in a second, so that each request changes something."""
IN_BULK = 20


class Server:
    """A server under gunicorn in a process group of its own; `base` is the path before /Users."""

    def __init__(self, name, base, app, root, folder, environment, arguments=(), database=None):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.name, self.base, self._database = name, base, database
        command = [python(root), "-m", "gunicorn", "-b", f"127.0.0.1:{self.port}", *arguments, app]
        with (folder / f"{name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=HERE, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
            )
        self.token = ""
        self.ids, self.groups = [], []

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
        """Seconds of CPU that its processes have used, and PostgreSQL's."""
        ticks = self._database.cpu() if self._database else 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self.process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def fill(self, rows, seconds):
        """Store what the rows need besides what they make themselves."""
        client = self.client()
        self.ids = [client("POST", "/Users", user(f"user-{number}"))["id"] for number in range(USERS)]
        if {"add", "remove"} & set(rows):
            number = -(-MEMBERSHIPS_A_SECOND * seconds // USERS)
            names = [f"group-{place}" for place in range(number)]
            self.groups = [
                client("POST", "/Groups", {"schemas": [GROUP_URN], "externalId": name, "displayName": name})["id"]
                for name in names
            ]

    def fill_groups(self):
        """Make every user a member of every group."""
        client = self.client()
        for group in self.groups:
            members = [{"value": id_} for id_ in self.ids]
            client("PATCH", f"/Groups/{group}", patch_op({"op": "add", "path": "members", "value": members}))

    def all_ids(self):
        """The ids of all users, the newest first."""
        client, ids, total = self.client(), [], 1
        while len(ids) < total:
            page = client("GET", f"/Users?attributes=id&count=200&startIndex={len(ids) + 1}")
            ids += [one["id"] for one in page["Resources"]]
            total = page["totalResults"]
        return ids[::-1]

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


def python(root):
    """The interpreter of a checkout, or else this one."""
    own = root / ".venv" / "bin" / "python"
    return own if own.exists() else Path(sys.executable)


@contextmanager
def servers(kind="sqlite", compared=None, cluster=None):
    """The floor, or scimsvc of another checkout, and scimsvc, each on a new database of its own; and the folder of both."""
    with tempfile.TemporaryDirectory(prefix="scimsvc-bench-") as name, ExitStack() as started:
        folder = Path(name)
        urls = [cluster.database() if cluster else f"sqlite:///{folder}/{side}.db" for side in ("other", "scimsvc")]
        if compared:
            first = start_scimsvc("other", compared, urls[0], folder, cluster)
        else:
            workers, threads = ("2", "4") if kind == "sqlite" else (str(2 * os.cpu_count()), "8")
            arguments = ["-k", "gthread", "-w", workers, "--threads", threads]
            first = Server("floor", "", "floor:app", ROOT, folder, {"FLOOR_DATABASE": urls[0]}, arguments, cluster)
        started.callback(first.stop)
        second = start_scimsvc("scimsvc", ROOT, urls[1], folder, cluster)
        started.callback(second.stop)
        for server in (first, second):
            server.wait()
        yield (first, second), folder


def start_scimsvc(name, root, url, folder, cluster):
    """scimsvc of a checkout with its default settings, on a migrated database with the tenant `bench`."""
    environment = {
        "SCIMSVC_DATABASE_URL": url,
        "SCIMSVC_CONFIG": str(root / "config.yaml"),
        "SCIMSVC_MAPPINGS_DIRECTORY": str(root / "mappings"),
        "PYTHONPATH": str(root),
    }
    command = [python(root), "-c", "from scimsvc.cli import main; main()"]

    def scimsvc(*arguments):
        made = subprocess.run(
            [*command, *arguments], check=True, env=os.environ | environment, stdout=subprocess.PIPE, text=True, cwd=folder
        )
        return made.stdout.strip()

    scimsvc("db", "migrate")
    scimsvc("tenant", "create", "bench", "--profile", "entra")
    token = scimsvc("token", "create", "--tenant", "bench")
    server = Server(name, BASE_PATH, "wsgi:app", root, folder, environment, ["-c", str(root / "gunicorn.conf.py")], cluster)
    server.token = token
    return server


def script(server, row, seed):
    """The Lua program by which wrk makes the requests of one row."""
    operations = [{"method": "POST", "path": "/Users", "bulkId": f"KEY-{n}", "data": user(f"KEY-{n}")} for n in range(IN_BULK)]
    bodies = {
        "create": user("KEY"),
        "refused": user("KEY"),
        "patch": patch_op({"op": "replace", "path": "active", "value": "ACTIVE"}),
        "add": patch_op({"op": "add", "path": "members", "value": [{"value": "KEY"}]}),
        "remove": patch_op({"op": "remove", "path": 'members[value eq "KEY"]'}),
        "bulk": {"schemas": [BULK_URN], "Operations": operations},
    }
    constants = {
        "base": server.base,
        "ids": ",".join(f'"{id_}"' for id_ in (server.all_ids() if row == "delete" else server.ids)),
        "groups": ",".join(f'"{id_}"' for id_ in server.groups),
        "body": json.dumps(json.dumps(bodies.get(row))),
        "token": server.token,
        "seed": seed,
    }
    return _PROGRAM.substitute(constants, request=_REQUESTS[row])


_PROGRAM = Template("""
local base, body, seed, ids, groups, n = '$base', $body, '$seed', { $ids }, { $groups }, -1
local headers = { ['Authorization'] = 'Bearer $token', ['Content-Type'] = 'application/scim+json' }
local function send(method, path, key)
    return wrk.format(method, base .. path, headers, key and (body:gsub('KEY', key)))
end
local function group() return '/Groups/' .. groups[math.floor(n / #ids) % #groups + 1] end
function request() n = n + 1; $request end
function done(summary, latency) io.write(string.format('Mean latency: %f us\\n', latency.mean)) end
""")
_REQUESTS = {
    "get": "return send('GET', '/Users/' .. ids[n % #ids + 1])",
    "filter": "return send('GET', '/Users?filter=externalId%20eq%20%22user-' .. n * 7919 % #ids .. '%22')",
    "create": "return send('POST', '/Users', seed .. '-' .. n)",
    "refused": "return send('POST', '/Users', 'user-' .. n % #ids)",
    "patch": """local active = tostring(math.floor(n / #ids) % 2 == 0)
        return wrk.format('PATCH', base .. '/Users/' .. ids[n % #ids + 1], headers, (body:gsub('"ACTIVE"', active)))""",
    "add": "return send('PATCH', group(), ids[n % #ids + 1])",
    "remove": "return send('PATCH', group(), ids[n % #ids + 1])",
    "bulk": "return send('POST', '/Bulk', seed .. '-' .. n)",
    # What is not there any more can't be deleted, so this ends early if it comes to the end.
    "delete": """if n + 1 >= #ids then wrk.thread:stop() end
        return send('DELETE', '/Users/' .. ids[n % #ids + 1])""",
}


def drive(server, row, seconds, folder):
    """Requests a second and microseconds of CPU for each."""
    if row == "remove":
        server.fill_groups()
    before = server.cpu()
    report = wrk(server, row, seconds, folder, CONNECTIONS)
    used = server.cpu() - before
    total = int(re.search(r"(\d+) requests in", report)[1])
    refused = int((re.search(r"Non-2xx or 3xx responses: (\d+)", report) or (0, 0))[1])
    if refused != (total if row == "refused" else 0) or "Socket errors" in report:
        raise SystemExit(f"{server.name} {row}:\n{report}")
    # One request after the other on each connection; this holds also if there was nothing left to ask for.
    rate = CONNECTIONS * 1e6 / float(re.search(r"Mean latency: ([\d.]+)", report)[1])
    return rate, used / total * 1e6


def wrk(server, row, seconds, folder, connections):
    """What wrk reports of the requests of a row."""
    program = folder / "wrk.lua"
    program.write_text(script(server, row, uuid.uuid4().hex[:8]))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(program), f"http://127.0.0.1:{server.port}"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def measure(rows, rounds, seconds, kind, compared, cluster):
    """For each row, what each round has of both servers: requests a second and microseconds of CPU."""
    results = {row: [] for row in rows}
    for number in range(rounds):
        with servers(kind, compared, cluster) as (both, folder):
            for server in both:
                server.fill(rows, seconds)
                # Every process has started and connected then; the first row would pay for it.
                wrk(server, "get", 1, folder, 8 * CONNECTIONS)
            for row in rows:
                # Whoever comes second finds the machine as the first left it, so they take turns.
                turn = both if number % 2 else both[::-1]
                driven = {server.name: drive(server, row, seconds, folder) for server in turn}
                results[row].append([driven[server.name] for server in both])
        print(f"{kind}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return results


def medians(results, place):
    return [statistics.median(result[side][place] for result in results) for side in (0, 1)]


def report_shares(kind, results):
    """Print what scimsvc has of the floor; return whether a share is less than it promises."""
    missed = False
    print(f"| {kind} | floor/s | scimsvc/s | share | wanted | CPU: floor µs | scimsvc µs | share |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row, result in results.items():
        rates, cpu = medians(result, 0), medians(result, 1)
        share, wanted = statistics.median(ours[0] / floor[0] for floor, ours in result), WANTED[kind].get(row)
        missed |= wanted is not None and share < wanted
        print(
            f"| {row} | {rates[0]:.0f} | {rates[1]:.0f} | {share:.2f} | {f'{wanted:.2f}' if wanted else '-'} "
            f"| {cpu[0]:.0f} | {cpu[1]:.0f} | {cpu[0] / cpu[1]:.2f} |"
        )
    return missed


def report_comparison(kind, results):
    """Print what a request costs beside the other checkout; return whether one takes more time than it may."""
    missed = False
    print(f"| {kind} | other/s | this/s | time: this ÷ other, each round | median | wanted | CPU: median |")
    print("| --- | ---: | ---: | --- | ---: | ---: | ---: |")
    for row, result in results.items():
        rates = medians(result, 0)
        times = [other[0] / this[0] for other, this in result]
        median = statistics.median(times)
        cpu = statistics.median(this[1] / other[1] for other, this in result)
        missed |= median > TIME_RATIO
        each = " ".join(f"{one:.2f}" for one in times)
        print(f"| {row} | {rates[0]:.0f} | {rates[1]:.0f} | {each} | {median:.3f} | {TIME_RATIO} | {cpu:.3f} |")
    return missed


def report_groups(kind, server, sizes, repetitions):
    """Add and remove one member of groups of different sizes, in turn; print the median time of each."""
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
    print(f"\n| {kind}: one member | " + " | ".join(f"group of {size:,}" for size in sizes) + " | ratio | wanted |")
    print("| --- |" + " ---: |" * (len(sizes) + 2))
    for op in operations:
        middle = [statistics.median(times[op, size]) for size in sizes]
        ratio = middle[-1] / middle[0]
        missed |= ratio > GROUP_RATIO
        print(f"| {op} | " + " | ".join(f"{one * 1000:.2f} ms" for one in middle) + f" | {ratio:.2f} | {GROUP_RATIO} |")
    return missed


def chosen(text, known):
    """Comma-separated names, all of them known."""
    names = text.split(",")
    if not set(names) <= set(known):
        raise SystemExit(f"{text!r}: choose from {','.join(known)}")
    return names


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=3, help="for each row and server in a round; default: %(default)s")
    parser.add_argument("--only", default=",".join((*ROWS, "groups")), help="comma-separated rows; default: %(default)s")
    parser.add_argument("--database", default=",".join(KINDS), help="comma-separated; default: %(default)s")
    parser.add_argument(
        "--compare", metavar="CHECKOUT", type=Path, help="drive another checkout of scimsvc in the floor's place, without groups"
    )
    asked = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("The benchmark needs wrk (https://github.com/wg/wrk); most systems have it as package `wrk`.")
    compared = asked.compare and asked.compare.resolve()
    only = chosen(asked.only, (*ROWS, "groups"))
    rows = [row for row in ROWS if row in only]
    missed = False
    for kind in chosen(asked.database, KINDS):
        with ExitStack() as stack:
            cluster = None
            if kind == "postgresql":
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scimsvc-bench-")))
                cluster = stack.enter_context(postgresql.running(folder))
            results = measure(rows, asked.rounds if rows else 0, asked.seconds, kind, compared, cluster)
            missed |= (report_comparison if compared else report_shares)(kind, results)
            if "groups" in only and not compared:
                with servers(kind, cluster=cluster) as (both, _):
                    missed |= report_groups(kind, both[1], (10, 10_000), 200)
        print(flush=True)
    sys.exit("A share or ratio is not what scimsvc promises." if missed else 0)


if __name__ == "__main__":
    main()
