"""Instants as .NET's DateTime has them: read, written, and written in custom formats."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from scimsvc.mapping.functions.model import FunctionError

EPOCH = datetime(1601, 1, 1)
"""Where Windows' file times begin to count."""
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Moment(NamedTuple):
    """A date and time as a clock shows it, exact to 100 nanoseconds (`tick`), and the minutes from UTC if they are known."""

    clock: datetime
    tick: int = 0
    offset: int | None = None

    def __str__(self) -> str:
        """Return the moment as Entra's functions print it: `3/16/2020 7:00:00 AM`."""
        hour = self.clock.hour % 12 or 12
        half = "AM" if self.clock.hour < 12 else "PM"
        return f"{self.clock.month}/{self.clock.day}/{self.clock.year:04d} {hour}:{self.clock:%M:%S} {half}"

    def utc(self) -> Moment:
        """Return the same instant in UTC; without an offset it counts as UTC. Raise FunctionError outside of .NET's years."""
        return Moment(moved(self.clock, timedelta(minutes=-(self.offset or 0))), self.tick, 0)

    def file_time(self) -> int:
        """Return the units of 100 nanoseconds since 1601 in UTC."""
        since = self.utc().clock - EPOCH
        return (since.days * 86400 + since.seconds) * 10_000_000 + since.microseconds * 10 + self.tick


def moved(clock: datetime, by: timedelta) -> datetime:
    """Return the moment with the clock put forward or back. Raise FunctionError if that leaves the years 1 to 9999."""
    try:
        return clock + by
    except OverflowError:
        raise FunctionError("the date would be outside the years 1 to 9999") from None


_ZONE = r"(?P<zone>Z|GMT|[+-]\d{1,2}(?::?\d\d)?)?"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,12}))?)?(?:\s*(?P<half>AM|PM))?"
_NAMED_DAY = rf"(?P<weekday>{'|'.join(day[:3] + '(?:' + day[3:] + ')?' for day in _DAYS)})"
_NAMED_MONTH = rf"(?P<month_name>{'|'.join(month[:3] + '(?:' + month[3:] + ')?' for month in _MONTHS)})"
_KNOWN = tuple(
    re.compile(rf"\s*(?:{_NAMED_DAY},?\s+)?{date}(?:(?:T|,?\s+){_TIME})?\s*{_ZONE}\s*", re.ASCII | re.IGNORECASE)
    for date in (
        r"(?P<year>\d{4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})",
        r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4}|\d\d)",
        r"(?P<year>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})",
        rf"(?P<day>\d{{1,2}})[ -]{_NAMED_MONTH}[ -](?P<year>\d{{4}}|\d\d)",
        rf"{_NAMED_MONTH} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}|\d\d)",
    )
)


def read(text: str) -> Moment:
    """Return a date, with or without a time and an offset.

    It is ISO 8601, `M/d/yyyy h:mm:ss tt`, or has the month's English name. Raise FunctionError.
    """
    for known in _KNOWN:
        match = known.fullmatch(text)
        if match:
            return _moment(match.groupdict(), text)
    raise FunctionError(f"{text[:40]!r} is not a date such as 2020-03-16-07:00 or 3/16/2020 7:00:00 AM")


Hour: TypeAlias = Callable[[int, str], int | None]
"""From a written hour and A, P or an empty string to the hour of the day; None if there is no such hour."""


def _any_hour(hour: int, half: str) -> int | None:
    if half:
        return hour % 12 + 12 * (half == "P") if 1 <= hour <= 12 else None
    return hour


def _hour_of_12(hour: int, half: str) -> int | None:
    """Return the hour that .NET reads for `h`: without AM or PM it is AM."""
    return hour % 12 + 12 * (half == "P") if hour <= 12 else None


def _hour_of_24(hour: int, half: str) -> int | None:
    """Return the hour that .NET reads for `H`: AM and PM must be right."""
    return None if half and (half == "P") != (hour >= 12) else hour


def _moment(parts: dict[str, str | None], text: str, today: datetime = datetime.min, hour_of: Hour = _any_hour) -> Moment:
    """Return the moment of the parts of a text. What is missing of a date is taken from `today`, as .NET does."""

    def number(name: str, default: int) -> int:
        return int(parts.get(name) or default)

    has_date = any(parts.get(name) for name in ("year", "month", "month_name", "day"))
    year = number("year", today.year)
    if parts.get("year") and len(parts["year"] or "") <= 2:
        year += 2000 if year < 50 else 1900
    month = parts.get("month_name")
    hour = hour_of(number("hour", 0), (parts.get("half") or "").upper()[:1])
    if hour is None:
        raise FunctionError(f"{text[:40]!r} has no hour that there is, or none of AM and PM that goes with it")
    fraction = f"{parts.get('fraction') or '':0<7}"[:7]
    try:
        clock = datetime(
            year,
            _month(month) if month else number("month", 1 if has_date else today.month),
            number("day", 1 if has_date else today.day),
            hour,
            number("minute", 0),
            number("second", 0),
            int(fraction[:6]),
        )
    except ValueError:
        raise FunctionError(f"{text[:40]!r} is a date or time that doesn't exist") from None
    weekday = parts.get("weekday")
    if weekday and weekday[:3].lower() != _DAYS[clock.weekday()][:3].lower():
        raise FunctionError(f"{text[:40]!r} is not a {weekday} but a {_DAYS[clock.weekday()]}")
    return Moment(clock, int(fraction[6]), _offset(parts.get("zone"), text))


def _month(name: str) -> int:
    return next(place for place, month in enumerate(_MONTHS, 1) if month[:3].lower() == name[:3].lower())


def _offset(zone: str | None, text: str) -> int | None:
    if not zone:
        return None
    if zone.upper() in ("Z", "GMT"):
        return 0
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    if hours > 14 or minutes > 59:
        raise FunctionError(f"{text[:40]!r} has an invalid offset")
    return (hours * 60 + minutes) * (-1 if zone[0] == "-" else 1)


_STANDARD = {
    "d": "M/d/yyyy",
    "D": "dddd, MMMM d, yyyy",
    "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt",
    "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt",
    "m": "MMMM d",
    "M": "MMMM d",
    "o": "yyyy-MM-dd'T'HH:mm:ss.fffffffK",
    "O": "yyyy-MM-dd'T'HH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH:mm:ss 'GMT'",
    "s": "yyyy-MM-dd'T'HH:mm:ss",
    "t": "h:mm tt",
    "T": "h:mm:ss tt",
    "u": "yyyy-MM-dd HH:mm:ss'Z'",
    "U": "dddd, MMMM d, yyyy h:mm:ss tt",
    "y": "MMMM yyyy",
    "Y": "MMMM yyyy",
}
"""The standard formats, one letter each, in the culture en-US."""
_PIECE = re.compile(
    r"(?P<quoted>'[^']*'|\"[^\"]*\")|\\(?P<escaped>.)|%?(?P<letters>([dfFghHKmMstyz])\4*)|(?P<other>.)", re.DOTALL
)
_LONGEST = {"d": 4, "f": 7, "F": 7, "g": 2, "h": 2, "H": 2, "K": 1, "m": 2, "M": 4, "s": 2, "t": 2, "y": 5, "z": 3}


@lru_cache(maxsize=256)
def _pieces(format_: str) -> tuple[tuple[str, str], ...]:
    """Return a format as (specifier, "") and ("", literal) pieces. Raise FunctionError."""
    if not format_:
        raise FunctionError("a date format can't be empty")
    if len(format_) == 1:
        if format_ not in _STANDARD:
            raise FunctionError(f"{format_!r} is not a date format; a single letter is one of {', '.join(_STANDARD)}")
        format_ = _STANDARD[format_]
    found = []
    for match in _PIECE.finditer(format_):
        letters = match["letters"]
        if letters:
            # .NET takes what is longer than the longest specifier for that one.
            if len(letters) > _LONGEST[letters[0]] and letters[0] in "fFK":
                raise FunctionError(f"{letters[:12]!r} is not a part of a date format")
            found.append((letters[: _LONGEST[letters[0]]], ""))
        elif match["other"] in ("'", '"', "\\"):
            raise FunctionError(f"the date format {format_[:40]!r} has a quotation mark or backslash without its other part")
        else:
            quoted = match["quoted"]
            found.append(("", quoted[1:-1] if quoted else match["escaped"] or match["other"]))
    return tuple(found)


def check_format(format_: str) -> None:
    """Raise FunctionError if a text is not a .NET date format."""
    _pieces(format_)


def _hours_and_minutes(offset: int, form: str) -> str:
    sign, hours, minutes = "-" if offset < 0 else "+", abs(offset) // 60, abs(offset) % 60
    return {"z": f"{sign}{hours}", "zz": f"{sign}{hours:02d}"}.get(form, f"{sign}{hours:02d}:{minutes:02d}")


def _ticks(moment: Moment) -> str:
    return f"{moment.clock.microsecond:06d}{moment.tick}"


def _kind(moment: Moment) -> str:
    return "" if moment.offset is None else "Z" if moment.offset == 0 else _hours_and_minutes(moment.offset, "zzz")


_WRITERS: dict[str, Callable[[Moment], str]] = {
    "d": lambda moment: str(moment.clock.day),
    "dd": lambda moment: f"{moment.clock.day:02d}",
    "ddd": lambda moment: _DAYS[moment.clock.weekday()][:3],
    "dddd": lambda moment: _DAYS[moment.clock.weekday()],
    "g": lambda moment: "A.D.",
    "gg": lambda moment: "A.D.",
    "h": lambda moment: str(moment.clock.hour % 12 or 12),
    "hh": lambda moment: f"{moment.clock.hour % 12 or 12:02d}",
    "H": lambda moment: str(moment.clock.hour),
    "HH": lambda moment: f"{moment.clock.hour:02d}",
    "K": _kind,
    "m": lambda moment: str(moment.clock.minute),
    "mm": lambda moment: f"{moment.clock.minute:02d}",
    "M": lambda moment: str(moment.clock.month),
    "MM": lambda moment: f"{moment.clock.month:02d}",
    "MMM": lambda moment: _MONTHS[moment.clock.month - 1][:3],
    "MMMM": lambda moment: _MONTHS[moment.clock.month - 1],
    "s": lambda moment: str(moment.clock.second),
    "ss": lambda moment: f"{moment.clock.second:02d}",
    "t": lambda moment: "A" if moment.clock.hour < 12 else "P",
    "tt": lambda moment: "AM" if moment.clock.hour < 12 else "PM",
    "y": lambda moment: str(moment.clock.year % 100),
    "yy": lambda moment: f"{moment.clock.year % 100:02d}",
    "yyy": lambda moment: f"{moment.clock.year:03d}",
    "yyyy": lambda moment: f"{moment.clock.year:04d}",
    "yyyyy": lambda moment: f"{moment.clock.year:05d}",
    "z": lambda moment: _hours_and_minutes(moment.offset or 0, "z"),
    "zz": lambda moment: _hours_and_minutes(moment.offset or 0, "zz"),
    "zzz": lambda moment: _hours_and_minutes(moment.offset or 0, "zzz"),
}


def _written(form: str, moment: Moment) -> str:
    match form[0]:
        case "f":
            return _ticks(moment)[: len(form)]
        case "F":
            return _ticks(moment)[: len(form)].rstrip("0")
    return _WRITERS[form](moment)


def write(moment: Moment, format_: str) -> str:
    """Return the moment in a .NET format, standard or custom, in the culture en-US. Raise FunctionError if it is not a format."""
    text = ""
    # The one standard format that moves the clock.
    moment = moment.utc() if format_ == "U" else moment
    for form, literal in _pieces(format_):
        written = _written(form, moment) if form else literal
        # A point before a fraction that has no digits goes with it.
        if not written and form[:1] == "F" and text.endswith("."):
            text = text[:-1]
        text += written
    return text


_NAMES = {
    "ddd": "(?P<weekday>" + "|".join(day[:3] for day in _DAYS) + ")",
    "dddd": "(?P<weekday>" + "|".join(_DAYS) + ")",
    "MMM": "(?P<month_name>" + "|".join(month[:3] for month in _MONTHS) + ")",
    "MMMM": "(?P<month_name>" + "|".join(_MONTHS) + ")",
}
_READERS = {
    "d": r"(?P<day>\d{1,2})",
    "dd": r"(?P<day>\d\d)",
    "ddd": _NAMES["ddd"],
    "dddd": _NAMES["dddd"],
    "h": r"(?P<hour>\d{1,2})",
    "hh": r"(?P<hour>\d\d)",
    "H": r"(?P<hour>\d{1,2})",
    "HH": r"(?P<hour>\d\d)",
    "m": r"(?P<minute>\d{1,2})",
    "mm": r"(?P<minute>\d\d)",
    "M": r"(?P<month>\d{1,2})",
    "MM": r"(?P<month>\d\d)",
    "MMM": _NAMES["MMM"],
    "MMMM": _NAMES["MMMM"],
    "s": r"(?P<second>\d{1,2})",
    "ss": r"(?P<second>\d\d)",
    "t": r"(?P<half>[AP])",
    "tt": r"(?P<half>AM|PM)",
    "y": r"(?P<year>\d{1,2})",
    "yy": r"(?P<year>\d\d)",
    "yyy": r"(?P<year>\d{3,4})",
    "yyyy": r"(?P<year>\d{4})",
    "yyyyy": r"0?(?P<year>\d{4})",
    "g": r"A\.?D\.?",
    "gg": r"A\.?D\.?",
    "z": r"(?P<zone>[+-]\d{1,2})",
    "zz": r"(?P<zone>[+-]\d\d)",
    "zzz": r"(?P<zone>[+-]\d{1,2}:?\d\d)",
    "K": r"(?P<zone>Z|[+-]\d\d:\d\d)?",
}


@lru_cache(maxsize=256)
def _reader(format_: str, inner_white: bool) -> re.Pattern[str]:
    pattern, named = "", set()
    for form, literal in _pieces(format_):
        if form[:1] in ("f", "F"):
            piece = rf"(?P<fraction>\d{{{len(form) if form[0] == 'f' else f'0,{len(form)}'}}})"
        elif form:
            piece = _READERS[form]
        else:
            piece = r"\s+" if inner_white and literal.isspace() else re.escape(literal)
        for name in re.findall(r"\?P<(\w+)>", piece):
            if name in named:
                piece = piece.replace(f"?P<{name}>", "?:")
            named.add(name)
        pattern += piece + (r"\s*" if inner_white else "")
    return re.compile(pattern, re.ASCII | re.IGNORECASE)


WHITE_STYLES = frozenset({"AllowLeadingWhite", "AllowTrailingWhite", "AllowInnerWhite"})
NO_CURRENT_DATE = "NoCurrentDateDefault"


def read_as(text: str, format_: str, styles: frozenset[str]) -> Moment:
    """Return the moment of a text in a .NET format; the clock stays as it is written.

    `styles` are .NET's DateTimeStyles, of which those about white space count, and NO_CURRENT_DATE. Without it, a text without a
    date is of today, and one without a year of this year. Raise FunctionError.
    """
    if "AllowLeadingWhite" in styles:
        text = text.lstrip()
    if "AllowTrailingWhite" in styles:
        text = text.rstrip()
    match = _reader(format_, "AllowInnerWhite" in styles).fullmatch(text)
    if match is None:
        raise FunctionError(f"{text[:40]!r} is not a date in the format {format_[:40]!r}")
    today = datetime.min if NO_CURRENT_DATE in styles else datetime.now(UTC)
    twelve = any(form[:1] == "h" for form, _ in _pieces(format_))
    return _moment(match.groupdict(), text, today, _hour_of_12 if twelve else _hour_of_24)
