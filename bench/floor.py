"""The floor of the stack: Flask, one SQL statement a request and no SCIM at all. What scimsvc does is quoted as a share of it.

FLOOR_DATABASE=sqlite:///floor.db gunicorn -w 2 -k gthread --threads 4 floor:app
FLOOR_DATABASE=postgresql://... gunicorn -w 4 -k gthread --threads 8 floor:app
"""

import json
import os
import threading
import uuid

import peewee
import psycopg
from flask import Flask, Response, request

URL = os.environ["FLOOR_DATABASE"]
SQLITE = URL.startswith("sqlite:///")
PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "cache_size": -65536, "busy_timeout": 5000}
TABLES = (
    "CREATE TABLE IF NOT EXISTS account (id TEXT PRIMARY KEY, external_id TEXT UNIQUE, user_name TEXT UNIQUE, body TEXT)",
    "CREATE TABLE IF NOT EXISTS member (group_id TEXT, member_id TEXT, PRIMARY KEY (group_id, member_id))",
)
database = peewee.SqliteDatabase(URL.removeprefix("sqlite:///"), pragmas=PRAGMAS) if SQLITE else None
local = threading.local()


def execute(sql, parameters=()):
    """Execute SQL with `?` in place of its parameters on this thread's connection, in autocommit mode; return the cursor."""
    if database:
        database.connect(reuse_if_open=True)
        return database.execute_sql(sql, parameters)
    if getattr(local, "connection", None) is None:
        local.connection = psycopg.connect(URL, autocommit=True)
    return local.connection.execute(sql.replace("?", "%s"), parameters)


if not database:
    # Workers start at once, and with CREATE TABLE IF NOT EXISTS alone two of them may collide.
    execute("SELECT pg_advisory_lock(1)")
for table in TABLES:
    execute(f"{table} WITHOUT ROWID" if database else table)
if database:
    database.close()
else:
    local.connection.close()
    del local.connection
app = Flask(__name__)
PATCH_ACTIVE = (
    "UPDATE account SET body = json_set(body, '$.active', json(?)) WHERE id = ? RETURNING body"
    if database
    else "UPDATE account SET body = jsonb_set(body::jsonb, '{active}', ?::jsonb)::text WHERE id = ? RETURNING body"
)


def answer(body, status=200):
    return Response(body, status, mimetype="application/scim+json")


def values(document):
    document["id"] = str(uuid.uuid4())
    return document["id"], document["externalId"], document["userName"], json.dumps(document)


@app.post("/Users")
def create():
    row = values(request.get_json(force=True))
    try:
        execute("INSERT INTO account VALUES (?, ?, ?, ?)", row)
    except (peewee.IntegrityError, psycopg.IntegrityError):
        return answer('{"status":"409"}', 409)
    return answer(row[-1], 201)


@app.get("/Users/<id_>")
def get(id_):
    return answer(execute("SELECT body FROM account WHERE id = ?", (id_,)).fetchone()[0])


@app.get("/Users")
def query():
    if "filter" not in request.args:
        rows = execute("SELECT id FROM account").fetchall()
        return answer(json.dumps({"totalResults": len(rows), "Resources": [{"id": id_} for (id_,) in rows]}))
    attribute, _, literal = request.args["filter"].split(" ", 2)
    column = {"externalId": "external_id", "userName": "user_name"}[attribute]
    row = execute(f"SELECT body FROM account WHERE {column} = ?", (json.loads(literal),)).fetchone()
    return answer(f'{{"totalResults":1,"Resources":[{row[0]}]}}' if row else '{"totalResults":0,"Resources":[]}')


@app.patch("/Users/<id_>")
def patch(id_):
    value = json.dumps(request.get_json(force=True)["Operations"][0]["value"])
    return answer(execute(PATCH_ACTIVE, (value, id_)).fetchone()[0])


@app.delete("/Users/<id_>")
def delete(id_):
    execute("DELETE FROM account WHERE id = ?", (id_,))
    return answer("", 204)


@app.post("/Groups")
def create_group():
    return answer(json.dumps({"id": str(uuid.uuid4())}), 201)


@app.patch("/Groups/<id_>")
def patch_members(id_):
    operation = request.get_json(force=True)["Operations"][0]
    if operation["op"] == "add":
        ids = [one["value"] for one in operation["value"]]
        rows = ", ".join(["(?, ?)"] * len(ids))
        parameters = [part for member in ids for part in (id_, member)]
        execute(f"INSERT INTO member VALUES {rows} ON CONFLICT DO NOTHING", parameters)
    else:
        member = operation["path"].split('"')[1]
        execute("DELETE FROM member WHERE group_id = ? AND member_id = ?", (id_, member))
    return answer("", 204)


@app.post("/Bulk")
def bulk():
    documents = [operation["data"] for operation in request.get_json(force=True)["Operations"]]
    rows = [values(document) for document in documents]
    places = ", ".join(["(?, ?, ?, ?)"] * len(rows))
    execute(f"INSERT INTO account VALUES {places}", [part for row in rows for part in row])
    operations = [{"method": "POST", "status": "201", "location": f"/Users/{row[0]}"} for row in rows]
    return answer(json.dumps({"Operations": operations}))
