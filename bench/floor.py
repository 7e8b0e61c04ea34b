"""The floor of the stack: Flask, one SQL statement a request and no SCIM at all. What scimsvc does is quoted as a share of it.

FLOOR_DATABASE=floor.db gunicorn -w 2 -k gthread --threads 4 floor:app
"""

import json
import os
import uuid

from flask import Flask, Response, request
from peewee import SqliteDatabase

PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "cache_size": -65536, "busy_timeout": 5000}

database = SqliteDatabase(os.environ["FLOOR_DATABASE"], pragmas=PRAGMAS)
database.connect()
database.execute_sql(
    """CREATE TABLE IF NOT EXISTS account
    (id TEXT PRIMARY KEY, external_id TEXT UNIQUE, user_name TEXT UNIQUE, body TEXT) WITHOUT ROWID"""
)
database.close()
app = Flask(__name__)


@app.before_request
def connect():
    database.connect(reuse_if_open=True)


def answer(body, status=200):
    return Response(body, status, mimetype="application/scim+json")


@app.post("/Users")
def create():
    document = request.get_json(force=True)
    document["id"] = str(uuid.uuid4())
    body = json.dumps(document)
    values = (document["id"], document["externalId"], document["userName"], body)
    database.execute_sql("INSERT INTO account VALUES (?, ?, ?, ?)", values)
    return answer(body, 201)


@app.get("/Users/<id_>")
def get(id_):
    return answer(database.execute_sql("SELECT body FROM account WHERE id = ?", (id_,)).fetchone()[0])


@app.get("/Users")
def query():
    attribute, _, literal = request.args["filter"].split(" ", 2)
    column = {"externalId": "external_id", "userName": "user_name"}[attribute]
    row = database.execute_sql(f"SELECT body FROM account WHERE {column} = ?", (json.loads(literal),)).fetchone()
    return answer(f'{{"totalResults":1,"Resources":[{row[0]}]}}' if row else '{"totalResults":0,"Resources":[]}')


@app.patch("/Users/<id_>")
def patch(id_):
    value = json.dumps(request.get_json(force=True)["Operations"][0]["value"])
    database.execute_sql("UPDATE account SET body = json_set(body, '$.active', json(?)) WHERE id = ?", (value, id_))
    return answer(database.execute_sql("SELECT body FROM account WHERE id = ?", (id_,)).fetchone()[0])
