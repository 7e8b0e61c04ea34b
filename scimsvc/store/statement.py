"""SQL that is written once for both databases, and put into the words of each once."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from scimsvc.store.database import Database, Kind

_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")
_FRAGMENT = re.compile(r"\{(for_update|for_delete|for_reference|each|rows|apart|few):?(\w*) ?([^}]*)\}")
_LOCKS = {"for_update": "FOR NO KEY UPDATE", "for_delete": "FOR UPDATE", "for_reference": "FOR KEY SHARE"}
"""PostgreSQL's words. Who refers to a row and who changes it don't wait for each other, only for who deletes it."""

_FEW = f"LIMIT (SELECT {2**62})"
"""PostgreSQL takes a limit that it doesn't know for a tenth of the rows that it guessed."""


def _fragment(kind: Kind, match: re.Match[str]) -> str:
    name, parameter, columns = match.groups()
    sqlite = kind == "sqlite"
    if name in _LOCKS:
        return "" if sqlite else _LOCKS[name]
    if name == "apart":
        return "" if sqlite else "OFFSET 0"
    if name == "few":
        return "" if sqlite else _FEW
    if name == "each":
        return (
            f"SELECT value AS id FROM json_each(:{parameter})"
            if sqlite
            else (f"SELECT jsonb_array_elements_text(:{parameter}::jsonb) AS id")
        )
    places = [column.rsplit(" ", 1) for column in columns.split(", ")]
    if sqlite:
        chosen = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(places)))
        # Without a WHERE, SQLite reads ON CONFLICT as part of a join.
        return f"{chosen} FROM json_each(:{parameter}) WHERE true"
    chosen = ", ".join(f"(value ->> {place})::{type_}" for place, (_, type_) in enumerate(places))
    return f"{chosen} FROM jsonb_array_elements(:{parameter}::jsonb)"


class Statement:
    """SQL with `:named` parameters, written once for both databases.

    `{for_update}` locks the row where the database locks rows, `{for_delete}` also against those who refer to it, which
    `{for_reference}` is for. Any number of values is one statement:
    `{each:name}` selects the texts in a parameter that is a JSON array, as the column `id`;
    `{rows:name a TEXT, b INTEGER}` continues a SELECT with the columns and FROM of a parameter that is a JSON array of arrays.

    Without statistics PostgreSQL's planner guesses the order of a join. `{apart}` ends a subquery that it plans by itself and
    executes for each row around it. `{few}` ends a subquery whose rows it then takes for a tenth of its guess. Where that is not
    enough, `postgresql` is the statement in another shape.
    """

    def __init__(self, text: str, postgresql: str | None = None) -> None:
        self._texts: dict[Kind, str] = {"sqlite": text, "postgresql": postgresql or text}
        self._compiled: dict[Kind, str] = {}

    def __call__(self, database: Database, **parameters: Any) -> Any:
        """Execute; answers the driver's cursor."""
        return database.execute(self._for(database.kind), parameters)

    def _for(self, kind: Kind) -> str:
        if kind not in self._compiled:
            text = _FRAGMENT.sub(partial(_fragment, kind), " ".join(self._texts[kind].split()))
            self._compiled[kind] = text if kind == "sqlite" else _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%"))
        return self._compiled[kind]


def delete_found(table: str, rows: str) -> str:
    """Return PostgreSQL's DELETE of rows of `table` by where they are; `rows` selects their `ctid` as the table `gone`.

    No other statement may move a row of the table meanwhile, so each row that is still there is found. A JSON array counts as 100
    rows. For so many, a plan that is made while the table is small would read all of it.
    """
    return f"""DELETE FROM {table} USING
    (SELECT place FROM (SELECT gone.ctid AS place FROM {rows} {{few}}) AS found {{few}}) AS gone
    WHERE {table}.ctid = gone.place"""
