"""`make bench-mapping`: how many directory objects a second a profile maps on one core, and how long a big one takes to load."""

import statistics
import sys
import time
from pathlib import Path

from scimsvc.mapping import parse_profile
from scimsvc.mapping.mapper import Mapper

OBJECTS_A_SECOND = 20_000
LOADED_WITHIN = 0.5
"""Seconds for a profile of 500 rows."""

EXPRESSIONS = [
    'Switch([IsSoftDeleted], , "False", "True", "True", "False")',
    'Join(" ", [givenName], [surname])',
    'ToLower(Join(".", StripSpaces([givenName]), StripSpaces([surname])))',
    "Append(Mid([givenName], 1, 3), Mid([surname], 1, 5))",
    'IIF([country] = "US", IIF([state] = "CA", "West", "Other"), Append([city], ", Europe"))',
    "Coalesce([telephoneNumber], [mobile], [mail])",
    'Replace([mail], "@example.com", , , "@example.org", , )',
    'Switch(ToLower([department]), [department], "r&d", "Research", "hr", "People")',
    'ToLower(Join("@", NormalizeDiacritics(StripSpaces(Join(".", [givenName], [surname]))), "contoso.com"))',
    "Left(NormalizeDiacritics([displayName]), 20)",
]
SOURCE = {
    "objectId": "00aa00aa-bb11-cc22-dd33-44ee44ee44ee",
    "IsSoftDeleted": "False",
    "displayName": "Zoë Müller",
    "givenName": "Zoë",
    "surname": "Müller",
    "jobTitle": "Engineer",
    "department": "R&D",
    "city": "Zürich",
    "state": "ZH",
    "country": "CH",
    "mail": "zoe@example.com",
    "mobile": "+41 555",
}


def profile(rows: int) -> str:
    """A profile of expressions, most of them nested, each to a custom attribute."""
    lines = [
        f"    - expression: {EXPRESSIONS[number % len(EXPRESSIONS)]}\n      target: custom{number}" for number in range(rows - 1)
    ]
    attributes = "\n".join(f"    - {{name: custom{number}}}" for number in range(rows - 1))
    match = "    - {source: objectId, target: externalId, matching: 1}"
    users = "\n".join([match, *lines])
    return f"profile: p\nusers:\n  mappings:\n{users}\n  attributes:\n{attributes}\ngroups:\n  mappings:\n{match}\n"


def main() -> None:
    mapper = Mapper(parse_profile(profile(40), Path("p.yaml")).users)
    rates = []
    for _ in range(7):
        began = time.process_time()
        for _ in range(3000):
            mapper.flows(SOURCE)
        rates.append(3000 / (time.process_time() - began))
    text = profile(500)
    loads = []
    for _ in range(3):
        began = time.process_time()
        parse_profile(text, Path("p.yaml"))
        loads.append(time.process_time() - began)
    rate, load = statistics.median(rates), statistics.median(loads)
    print("| what | measured | wanted |\n| --- | ---: | ---: |")
    print(f"| objects a second and core, 40 rows | {rate:,.0f} | {OBJECTS_A_SECOND:,} |")
    print(f"| loading and checking 500 rows | {load:.2f} s | {LOADED_WITHIN} s |")
    sys.exit("The mapping is slower than scimsvc promises." if rate < OBJECTS_A_SECOND or load > LOADED_WITHIN else 0)


if __name__ == "__main__":
    main()
