"""The data types of RFC 7643 §2.3: which JSON values each accepts, and how two of its values compare."""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from scimsvc.schema.model import Attribute, Type

Normalise = Callable[[Any], str]

_DATE_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9})\d*)?(?P<zone>Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)
_SHOWN = 64
_WHAT: dict[Type, str] = {
    "string": "a string",
    "boolean": "true or false",
    "decimal": "a number",
    "integer": "a whole number of at most 64 bits",
    "dateTime": "a date and time such as 2026-01-31T08:30:00Z",
    "binary": "a Base64 string",
    "reference": "a URI as a string",
    "complex": "an object",
}


def check(type_: Type, value: Any) -> str | None:
    """None where the JSON value is one of the type, else what would be one, such as "a string"."""
    if _ACCEPTS[type_](value):
        return None
    return "a text without NUL characters" if isinstance(value, str) and "\0" in value else _WHAT[type_]


def shown(value: Any) -> str:
    """Return a JSON value for a message: at most 64 characters of it; of an object or array only what it is."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "an array"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def fitting(attribute: Attribute, value: Any) -> Any:
    """What of a stored value the attribute may have; None where that is nothing. A profile may have given the attribute another
    type since, or several values, and the resource is as it was written.
    """
    if not attribute.multi_valued:
        return value if _ACCEPTS[attribute.type](value) else None
    return [one for one in value if _ACCEPTS[attribute.type](one)] or None if isinstance(value, list) else None


def normaliser(attribute: Attribute) -> Normalise:
    """The function from an accepted value of a simple attribute to the text by which it is found and ordered.

    Two values are equal to a filter exactly where these texts are equal, and texts order (by code point) as
    the values do: strings and references are in one normal form and in lower case unless caseExact (see `exact_form` and
    `caseless_form`), instants are in UTC (RFC 7644 §3.4.2.2).

    A change of these functions changes what an index holds: it needs a migration and a re-index (see scimsvc.store.reindex).
    """
    if attribute.type in ("string", "reference"):
        return exact_form if attribute.case_exact else caseless_form
    return _NORMALISE[attribute.type]


def exact_form(text: str) -> str:
    """Return the text in Unicode's normal form C, in which texts that look the same are the same (RFC 7644 §5, RFC 8265 §3.4)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def caseless_form(text: str) -> str:
    """Return the text in lower case and normal form C: RFC 8265's UsernameCaseMapped, without its width mapping.

    Case folding would take two names for one: "straße" and "strasse" (RFC 8264 §5.2.3). A final sigma is a sigma like any other,
    so the form of a part of a value is a part of the value's form, which `sw` and `co` depend on.
    """
    lowered = text.lower()
    return lowered if lowered.isascii() else unicodedata.normalize("NFC", lowered.replace(_FINAL_SIGMA, _SIGMA))


_FINAL_SIGMA = "\N{GREEK SMALL LETTER FINAL SIGMA}"
_SIGMA = "\N{GREEK SMALL LETTER SIGMA}"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(base64.b64decode(value, validate=True) or not value)
    except (binascii.Error, ValueError):
        return False


def _is_date_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(instant(value))
    except ValueError:
        return False


def instant(text: str) -> str:
    """An xsd:dateTime in UTC with nine digits of a second, so that texts order as instants do.

    A time without a zone is taken for UTC. Raises ValueError where the text is no date and time.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"not a date and time: {text!r}")
    moment = datetime.fromisoformat(match["date"].upper())
    zone = match["zone"]
    if zone and zone not in "zZ":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 14 or minutes > 59:
            raise ValueError(f"no such time zone: {zone}")
        offset = timedelta(hours=hours, minutes=minutes)
        try:
            moment = moment - offset if zone[0] == "+" else moment + offset
        except OverflowError as error:
            raise ValueError(f"out of range: {text!r}") from error
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f".{match['fraction'] or '':0<9}Z"


def timestamp(moment: datetime) -> str:
    """An aware datetime as the xsd:dateTime that `meta` shows, in UTC with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sortable_number(value: float | int | Decimal) -> str:
    """A number as text that orders as numbers do: sign, exponent, digits; complemented where negative."""
    number = Decimal(repr(value) if isinstance(value, float) else value)
    if not number:
        return "1"
    digits = "".join(map(str, number.as_tuple().digits))
    magnitude = f"{number.adjusted() + 5000:04d}{digits.rstrip('0')}"
    if number > 0:
        return f"2{magnitude}"
    return "0" + magnitude.translate(_COMPLEMENT) + "~"


_COMPLEMENT = str.maketrans("0123456789", "9876543210")

_ACCEPTS: dict[Type, Callable[[Any], bool]] = {
    "string": _is_text,
    "boolean": lambda value: isinstance(value, bool),
    "decimal": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63,
    "dateTime": _is_date_time,
    "binary": _is_base64,
    "reference": _is_text,
    "complex": lambda value: isinstance(value, dict),
}

_NORMALISE: dict[Type, Normalise] = {
    "boolean": lambda value: "true" if value else "false",
    "decimal": sortable_number,
    "integer": sortable_number,
    "dateTime": instant,
    "binary": str,
}
